"""TensorRT's Python packages: whether they are there, whole, of one version and one flavour."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.matrix import Fact, tensorrt
from trtdoctor.matrix.distributions import DistributionSpec
from trtdoctor.rules.base import MAX_TITLE, Context, Problem, rule
from trtdoctor.rules.brought import flavour_of, parts_of
from trtdoctor.rules.releases import (
    distribution_found,
    joined,
    known_spec,
    labels,
    named,
    rows_of,
    tensorrt_distributions,
)
from trtdoctor.snapshot import Distribution
from trtdoctor.stack import Installation
from trtdoctor.versions import Answer, Version

if TYPE_CHECKING:
    from trtdoctor.rules.offers import Offer

_MAIN_ROLE = {"full": "builder", "lean": "lean", "dispatch": "dispatch", "rtx": "builder"}

_MAIN_NAME = {
    "full": "libnvinfer",
    "lean": "libnvinfer_lean",
    "dispatch": "libnvinfer_dispatch",
    "rtx": "libtensorrt_rtx",
}

_LIBRARY_PARTS = frozenset({"libs", "lean-libs", "dispatch-libs"})

_BINDING_PARTS = frozenset({"bindings", "lean-bindings", "dispatch-bindings"})

_META_PARTS = frozenset({"meta", "lean", "dispatch"})


_Members = list[tuple[Distribution, DistributionSpec]]
_Group = tuple[str, str | None]


@rule("TRT101", "no-tensorrt", severity=Severity.ERROR, components=("tensorrt",), silenced_by=("TRT111", "LDR301"))
def no_tensorrt(context: Context) -> Iterable[Problem]:
    """No TensorRT was found, though every usual place was searched.

    Why it matters: Nothing can be built or run without it. A driver and a CUDA toolkit do not bring TensorRT.

    Example: A machine with driver 580 and CUDA 13.0, but neither a wheel nor a package of TensorRT.

    How to fix: Install the release that fits this GPU, driver and Python; the finding names it.

    Sources: package_index, oss_readme
    """
    stack = context.stack
    if "tensorrt" not in context.snapshot.searched or stack.installations.get("tensorrt"):
        return
    if tensorrt_distributions(context):
        return  # TRT102 or PYT103 speak: something is installed that is not whole
    from trtdoctor.rules.offers import fitting

    offer = fitting(context)
    python = stack.interpreter.version if stack.interpreter else None
    reason = "the newest release of the matrix that fits this GPU, driver and Python"
    yield Problem(
        Severity.ERROR,
        "TensorRT is not installed" + (f", neither in Python {python} nor in the system" if python else ""),
        breaks="No engine can be built or run: import tensorrt and libnvinfer are missing.",
        facts=(FoundFact("tensorrt", "none", "wheels, packages, library directories", "libraries"),),
        sources=offer.facts if offer else (),
        remedy=offer.remedy(reason)
        if offer
        else Remedy(
            "tensorrt",
            "choose",
            None,
            "The matrix has no release with wheels for this GPU, driver and Python together: use NVIDIA's container, "
            "or change the Python or the driver.",
        ),
    )


@rule("TRT102", "package-without-payload", severity=Severity.ERROR, components=("tensorrt", "package"))
def without_payload(context: Context) -> Iterable[Problem]:
    """Python packages of TensorRT are installed, but the libraries that they stand for are not.

    Why it matters: pip list and pip check look right. The wheels on the Python package index are stubs or bindings; the
    libraries come with a second wheel from NVIDIA's index, and a cached stub, a proxy or --no-deps leaves it out.

    Example: tensorrt-cu13-bindings 11.4.0 without tensorrt-cu13-libs: ImportError: libnvinfer.so.11: cannot open
    shared object file.

    How to fix: Install bindings and libs of one version, without pip's cache.

    Sources: package_index, https://github.com/NVIDIA/TensorRT/issues/3838, https://github.com/NVIDIA/TensorRT/issues/3936
    """
    groups: dict[_Group, _Members] = {}
    for dist, spec in tensorrt_distributions(context):
        if spec.product in _MAIN_ROLE and spec.real != "placeholder":
            groups.setdefault((spec.product, spec.flavour), []).append((dist, spec))
    told: set[str] = set()
    for (product, flavour), members in _kept_first(context, groups):
        if flavour is None and any(other for other in groups if other[0] == product and other[1]):
            continue  # the meta package of the product; its flavour's packages are judged
        problem = _payload(context, product, flavour, members)
        if problem is not None and product not in told:
            told.add(product)  # several flavours without libraries are one cause; TRT104 speaks of the flavours
            yield problem


def _kept_first(context: Context, groups: dict[tuple[str, str | None], _Members]) -> list[tuple[_Group, _Members]]:
    """The packages by product and flavour; of several flavours the one that TRT104 keeps comes first."""
    flavours = {flavour for _, flavour in groups if flavour}
    kept = ""
    if len(flavours) > 1:
        from trtdoctor.rules.offers import kept_flavour

        kept = kept_flavour(context, flavours)
    return sorted(groups.items(), key=lambda group: (group[0][1] == kept, group[0][1] or ""), reverse=True)


def _payload(context: Context, product: str, flavour: str | None, members: _Members) -> Problem | None:
    if all(dist.has_libraries is None for dist, _ in members):
        # Only names and versions are known.
        return _bindings_alone(context, product, flavour, members) if members[0][0].stated_at else None
    broken = [dist for dist, _ in members if dist.files_missing]
    libs = [dist for dist, spec in members if spec.part in _LIBRARY_PARTS and dist.has_libraries]
    bindings = [dist for dist, spec in members if spec.part in _BINDING_PARTS]
    whole = [dist for dist, spec in members if spec.part in _META_PARTS and dist.has_libraries]
    version = next((found for found in (Version.maybe(dist.version) for dist, _ in members) if found), None)
    name = _MAIN_NAME[product]
    main = members[0][0]
    for dist, spec in members:
        if spec.part in _BINDING_PARTS:
            main = dist
    if broken:
        missing = sum(dist.files_missing or 0 for dist in broken)
        title = f"{broken[0].name} {broken[0].version} lacks {missing} of the shared objects that it installed"
        breaks = "Loading TensorRT from Python fails: a library cannot be opened."
    elif not whole and not libs and _library_absent(context, product, version):
        title = f"{main.name} {main.version} is installed without {name}: no library to go with it"
        number = f".{version.major}" if version else ""
        breaks = f"The import fails: {name}.so{number}: cannot open shared object file."
    elif not whole and not bindings and product != "rtx" and _wants_bindings(members):
        title = f"{main.name} {main.version} is installed without its bindings"
        module = "tensorrt_bindings" if product == "full" else f"tensorrt_{product}_bindings"
        breaks = f"The import fails: No module named '{module}'."
    else:
        return None
    if not broken and product == "full" and _no_wheel(context, version, flavour):
        return None  # PYT101 or PYT104 speak: there is no wheel to install
    parts = [dist.name for dist, spec in members if spec.part in (*_BINDING_PARTS, *_LIBRARY_PARTS)]
    names = _names(context, product, flavour) or parts or [main.name]
    return Problem(
        Severity.ERROR,
        title,
        breaks=breaks,
        facts=tuple(distribution_found(dist) for dist, _ in members[:4]),
        sources=(_real_fact(context, main.name),),
        components=("tensorrt-rtx" if product == "rtx" else "tensorrt", "package"),
        remedy=_whole(context, product, version, flavour, names),
    )


def _bindings_alone(context: Context, product: str, flavour: str | None, members: _Members) -> Problem | None:
    """Requirements that name bindings, and nothing that brings the libraries: bindings do not require them."""
    parts = {spec.part for _, spec in members}
    others = [spec for _, spec in tensorrt_distributions(context) if spec.product == product and spec.flavour is None]
    if not parts <= _BINDING_PARTS or context.stack.builders or any(spec.part in _META_PARTS for spec in others):
        return None
    main = members[0][0]
    version = Version.maybe(main.version)
    names = _names(context, product, flavour)
    number = f".{version.major}" if version else ""
    return Problem(
        Severity.WARNING,
        f"{named(main)} is named without {_MAIN_NAME[product]}: it brings no libraries",
        breaks=f"The import fails, unless the system has it: {_MAIN_NAME[product]}.so{number} cannot be opened.",
        facts=tuple(distribution_found(dist) for dist, _ in members[:4]),
        sources=(_real_fact(context, main.name),),
        components=("tensorrt-rtx" if product == "rtx" else "tensorrt", "package"),
        remedy=_whole(context, product, version, flavour, names or [main.name]),
    )


def _whole(context: Context, product: str, version: Version | None, flavour: str | None, names: list[str]) -> Remedy:
    """Bindings and libraries of one version; of a release that fits where the one that is there is known to be bad."""
    from trtdoctor.rules.offers import FRESH, fitting, is_bad, unpinned

    wanted = f"=={version.short(8)}.*" if version else None
    rows = tensorrt.releases(context.matrix, version) if version and product == "full" else []
    if len(rows) == 1:
        names = [*names, *unpinned(context, rows[0], flavour or rows[0].text("default_flavour") or "")]
    if product == "full" and version is not None and is_bad(context, version, flavour):
        offer = fitting(context, version=version, flavour=flavour)
        if offer is not None:
            wanted = offer.wanted
    details = (("distributions", " ".join(names)), ("options", FRESH))
    component = "tensorrt-rtx" if product == "rtx" else "tensorrt"
    return Remedy(component, "install", wanted, "bindings and libraries of one version, without pip's cache", details)


def _library_absent(context: Context, product: str, version: Version | None) -> bool:
    """Whether the main library of a product, of this major, is surely not on disk."""
    if "tensorrt" not in context.snapshot.searched:
        return False
    role = _MAIN_ROLE[product]
    for copy in context.snapshot.copies:
        here = copy.component == "tensorrt" and copy.role == role and copy.problem is None
        if here and (copy.product == product or (product == "full" and copy.product is None)):
            found = Version.maybe(copy.version)
            if found is None or version is None or found.major == version.major:
                return False
    return True


def _wants_bindings(members: _Members) -> bool:
    """Whether a meta package says that it needs bindings, or has nothing of its own."""
    return any(spec.part in _META_PARTS and dist.has_libraries is False for dist, spec in members)


def _no_wheel(context: Context, version: Version | None, flavour: str | None) -> bool:
    if version is None:
        return False
    from trtdoctor.rules.wheels import wheels_for

    found = wheels_for(context, _stub(version, flavour))
    return found.platform is Answer.NO or found.python is Answer.NO


def _stub(version: Version, flavour: str | None) -> Installation:
    return Installation("tensorrt", version, "full", flavour, "pip", None, None, None, None, ())


def _names(context: Context, product: str, flavour: str | None) -> list[str]:
    head = {"full": "tensorrt", "rtx": "tensorrt-rtx"}.get(product, f"tensorrt-{product}")
    head = f"{head}-{flavour}" if flavour else head
    names = [head, f"{head}-bindings", f"{head}-libs"]
    return [name for name in names if known_spec(context.matrix, name)]


def _real_fact(context: Context, name: str) -> Fact:
    row = next(row for row in context.matrix.rows("distributions", "distributions") if row.key == name)
    return row.get("real")


@rule("TRT103", "packages-disagree", severity=Severity.ERROR, components=("tensorrt", "package"))
def packages_disagree(context: Context) -> Iterable[Problem]:
    """Meta package, bindings and libraries of TensorRT in one Python are of different versions.

    Why it matters: The bindings are made for the libraries of their own version. Another major cannot be loaded; within
    a major the import can stop at an undefined symbol, and engines are tied to the libraries, not to what pip pinned.

    Example: tensorrt 10.0.1 with tensorrt-cu12-libs 10.1.0: the pinned release is not the one that runs.

    How to fix: Pin meta package, bindings and libs to one version.

    Sources: trt_3945, package_index
    """
    by_flavour: dict[tuple[str | None, str | None], dict[str, Distribution]] = {}
    metas: dict[str | None, Distribution] = {}
    for dist, spec in tensorrt_distributions(context):
        kind = "bindings" if spec.part in _BINDING_PARTS else "libs" if spec.part in _LIBRARY_PARTS else "meta"
        if spec.real == "placeholder" and dist.has_libraries is not True:
            continue
        if kind == "meta" and spec.flavour is None:
            metas[spec.product] = dist
        else:
            by_flavour.setdefault((spec.product, spec.flavour), {})[kind] = dist
    for (product, flavour), parts in by_flavour.items():
        members = dict(parts)
        if "meta" not in members and product in metas and len([key for key in by_flavour if key[0] == product]) == 1:
            other = flavour_of(context, metas[product])
            if other is None or other == flavour:  # else TRT104 speaks
                members["meta"] = metas[product]
        versions = {kind: Version.maybe(dist.version) for kind, dist in members.items()}
        known = {kind: version for kind, version in versions.items() if version}
        if all(_same(first, second) for first in known.values() for second in known.values()):
            continue
        bindings, libs = known.get("bindings"), known.get("libs")
        severe = bool(bindings and libs and bindings.major != libs.major)
        target = libs or bindings
        yield Problem(
            Severity.ERROR if severe else Severity.WARNING,
            _shortened("TensorRT packages disagree: ", sorted(members.values(), key=lambda dist: dist.name)),
            breaks="The import fails: the bindings ask for a library of another major."
            if severe
            else "The release that runs is not the one that was pinned; mixed parts can stop at an undefined symbol.",
            facts=tuple(distribution_found(dist) for dist in members.values()),
            components=("tensorrt-rtx" if product == "rtx" else "tensorrt", "package"),
            remedy=_one_version(context, product, flavour, target, members),
        )

    yield from _bound_elsewhere(context)


def _shortened(head: str, found: list[Distribution]) -> str:
    """A title that names the distributions; with many of them only the first, and how many more there are."""
    shown = [named(dist) for dist in found]
    text = head + joined(shown)
    for number in range(len(shown) - 1, 0, -1):
        if len(text) <= MAX_TITLE:
            break
        text = f"{head}{', '.join(shown[:number])} and {len(shown) - number} more"
    return text


def _one_version(
    context: Context,
    product: str | None,
    flavour: str | None,
    target: Version | None,
    members: dict[str, Distribution],
) -> Remedy:
    """All parts in the version of the libraries; a meta package that stands for another flavour goes."""
    from trtdoctor.rules.offers import fitting, is_bad

    names = [dist.name for dist in members.values()]
    remove: list[str] = []
    rows = tensorrt.releases(context.matrix, target) if target and product == "full" else []
    default = rows[0].text("default_flavour") if len(rows) == 1 else None
    if flavour and default and default != flavour and "tensorrt" in names:
        names[names.index("tensorrt")] = f"tensorrt-{flavour}"
        remove.append("tensorrt")
    wanted = f"=={target.short(8)}.*" if target else None
    if target is not None and product == "full" and is_bad(context, target, flavour):
        offer = fitting(context, version=target, flavour=flavour)
        wanted = offer.wanted if offer else wanted
    details = [("distributions", " ".join(dict.fromkeys(names)))]
    if remove:
        details.append(("remove", " ".join(remove)))
    component = "tensorrt-rtx" if product == "rtx" else "tensorrt"
    return Remedy(component, "install", wanted, "one version for all parts", tuple(details))


def _bound_elsewhere(context: Context) -> Iterable[Problem]:
    """Bindings without libraries of their own, where every libnvinfer of their major is of another release."""
    found = tensorrt_distributions(context)
    if any(spec.product == "full" and spec.part in _LIBRARY_PARTS for _, spec in found):
        return
    for dist, spec in found:
        version = Version.maybe(dist.version)
        if spec.product != "full" or not dist.has_libraries or version is None:
            continue
        items = [item for item in context.stack.builders if item.has("builder") and item.major == version.major]
        known = [item.version for item in items if item.version]
        if not known or any(_same(version, other) for other in known):
            continue
        yield Problem(
            Severity.WARNING,
            f"{dist.name} {dist.version} finds only {labels(items)}",
            breaks="The bindings load a libnvinfer of another release: undefined symbols, or engines that do not load.",
            facts=(distribution_found(dist), *(item.found() for item in items[:3])),
            sources=(_real_fact(context, dist.name),),
            remedy=_bindings_of(context, dist, spec, known[0]),
        )


def _bindings_of(context: Context, dist: Distribution, spec: DistributionSpec, version: Version) -> Remedy:
    """The bindings of the release whose libraries are there, where there are wheels of them for this Python."""
    from trtdoctor.rules.offers import fitting

    rows = tensorrt.releases(context.matrix, version)
    offer = fitting(context, release=rows[0].key, flavour=spec.flavour) if len(rows) == 1 and spec.flavour else None
    if offer is not None and spec.part in _BINDING_PARTS:
        reason = f"the libraries that are there are of {version}"
        return Remedy("tensorrt", "install", offer.wanted, reason, (("distributions", dist.name),))
    return Remedy(
        "tensorrt", "choose", f"=={version.short(3)}.*", f"Install bindings and libraries of one release, {version}."
    )


def _same(first: Version, second: Version) -> bool:
    return first.same_as(second) is not Answer.NO


@rule("TRT104", "flavours-mixed", severity=Severity.WARNING, components=("tensorrt", "cuda", "package"))
def flavours_mixed(context: Context) -> Iterable[Problem]:
    """TensorRT packages of several CUDA flavours are installed in one Python.

    Why it matters: All flavours install the same modules (tensorrt, tensorrt_bindings, tensorrt_libs) into the same
    directories: the one installed last overwrote files of the other, and removing one takes files from both.

    Example: tensorrt-cu12-libs 10.13.0 and tensorrt-cu13-libs 10.16.1 in one environment.

    How to fix: Uninstall all of them and install one flavour, the one that the driver serves.

    Sources: package_index, tensorrt_wheels
    """
    modules: dict[str, dict[str, list[Distribution]]] = {}
    products: dict[str, dict[str, list[Distribution]]] = {}
    for dist, spec in tensorrt_distributions(context):
        if spec.real == "placeholder":
            continue
        for part in parts_of(context, dist, spec):
            for module in part.imports if part.flavour else ():
                modules.setdefault(module, {}).setdefault(part.flavour or "", []).append(dist)
            if part.flavour and dist.stated_at:
                products.setdefault(part.product or "", {}).setdefault(part.flavour, []).append(dist)
    seen: dict[str, Distribution] = {}
    flavours: dict[str, None] = {}
    overwritten = any(len(by_flavour) > 1 for by_flavour in modules.values())
    for by_flavour in (*modules.values(), *products.values()):
        if len(by_flavour) > 1:
            flavours.update(dict.fromkeys(by_flavour))
            seen.update({dist.name: dist for dists in by_flavour.values() for dist in dists})
    if not seen:
        return
    yield Problem(
        Severity.WARNING,
        _shortened(f"TensorRT for {joined(sorted(flavours))} is in one Python: ", list(seen.values())),
        breaks="They overwrite each other's files; which CUDA flavour and version is imported depends on the order."
        if overwritten
        else "Bindings for one CUDA load libraries for another: the vendor makes no such set.",
        facts=tuple(distribution_found(dist) for dist in seen.values()),
        sources=tuple(_real_fact(context, name) for name in list(seen)[:2]),
        remedy=_one_flavour(context, seen, set(flavours)),
    )


def _one_flavour(context: Context, seen: dict[str, Distribution], flavours: set[str]) -> Remedy:
    """All of them out, then the flavour to keep in again, in the version in which it is there."""
    from trtdoctor.rules.offers import fitting, is_bad, kept_flavour

    kept = kept_flavour(context, flavours)
    found = {dist.name: spec for dist, spec in tensorrt_distributions(context) if spec.real != "placeholder"}
    products = [product for product in _MAIN_NAME if any(found[name].product == product for name in seen)]
    specs: list[str] = []
    for product in products:
        head = "tensorrt" if product == "full" else f"tensorrt-{product}"
        of_kept = [
            dist for name, dist in seen.items() if flavour_of(context, dist) == kept and found[name].product == product
        ]
        version = next((version for version in (Version.maybe(dist.version) for dist in of_kept) if version), None)
        wanted = f"=={version}" if version else ""
        if product == "full" and (version is None or is_bad(context, version, kept)):
            offer = fitting(context, version=version, flavour=kept)
            wanted = offer.wanted if offer else wanted
        specs.append(f"{head}-{kept}{wanted}")
    gone = [name for name, spec in found.items() if spec.product in products]
    return Remedy(
        "tensorrt",
        "replace",
        None,
        "all flavours install the same modules",
        (("distributions", " ".join(specs)), ("remove", " ".join(gone)), ("flavour", kept)),
    )


@rule("TRT105", "runtime-only", severity=Severity.ERROR, components=("tensorrt",), needs=())
def runtime_only(context: Context) -> Iterable[Problem]:
    """Only a lean or dispatch runtime is there: it runs engines and cannot build them.

    Why it matters: The lean runtime has no builder and loads only engines that were built as version compatible; the
    dispatch runtime only hands such engines to a lean runtime of their version.

    Example: tensorrt-lean-cu13 11.4.0 alone, and an engine is to be built.

    How to fix: Install the full product to build; keep the lean runtime where version-compatible engines are run.

    Sources: oss_readme, tensorrt_wheels
    """
    items = context.stack.tensorrts
    if not items or any(item.product not in ("lean", "dispatch") for item in items) or context.stack.rtxs:
        return
    if context.snapshot.kind == "live" and "tensorrt" not in context.snapshot.searched:
        return
    if _full_package(context):
        return  # TRT102 speaks: the full product is installed and not whole
    building = context.wants("build")
    offer, remedy = _full_product(context, items[0]) if building else (None, None)
    yield Problem(
        Severity.ERROR if building else Severity.INFO,
        f"{labels(list(items))} is there alone: it runs engines and cannot build them",
        breaks="Building stops: there is no Builder in a lean or dispatch runtime."
        if building
        else "Engines that were not built as version compatible do not load.",
        facts=tuple(item.found() for item in items),
        sources=offer.facts if offer else (),
        remedy=remedy or Remedy("engine", "choose", None, "Build engines for the lean runtime as version compatible."),
    )


def _full_product(context: Context, item: Installation) -> tuple[Offer | None, Remedy | None]:
    """The full product of the same release, else one that fits, in the way in which the lean runtime came."""
    from trtdoctor.rules.offers import came_by_pip, fitting

    by_pip = item.origin is None or came_by_pip(context, item)
    same = fitting(context, release=_exact_row(context, item), flavour=item.flavour, by_pip=by_pip)
    offer = same or fitting(context, like=item, by_pip=by_pip)
    reason = "the full product builds engines"
    if offer is None:
        return None, Remedy("tensorrt", "choose", None, f"Build engines on another machine: {reason}.")
    if by_pip:
        return offer, offer.remedy(reason)
    return offer, Remedy("tensorrt", "choose", offer.wanted, f"Install {offer.spoken} whole: {reason}.")


def _full_package(context: Context) -> bool:
    return any(spec.product == "full" and spec.real != "placeholder" for _, spec in tensorrt_distributions(context))


def _exact_row(context: Context, item: Installation) -> str | None:
    rows = rows_of(context, item)
    return rows[0].key if len(rows) == 1 else None
