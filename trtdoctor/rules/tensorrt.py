"""TensorRT's own libraries and packages: whether they are there, whole, of one version, and of which release."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.matrix import Fact, Row, tensorrt
from trtdoctor.matrix.distributions import DistributionSpec
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.releases import (
    candidates,
    distribution_found,
    fitting,
    joined,
    known_spec,
    label,
    labels,
    platforms,
    rows_of,
    tensorrt_distributions,
    wheels_for,
)
from trtdoctor.snapshot import Copy, Distribution
from trtdoctor.stack import Installation
from trtdoctor.versions import Answer, Version

_MAIN_ROLE = {"full": "builder", "lean": "lean", "dispatch": "dispatch", "rtx": "builder"}
_MAIN_NAME = {
    "full": "libnvinfer",
    "lean": "libnvinfer_lean",
    "dispatch": "libnvinfer_dispatch",
    "rtx": "libtensorrt_rtx",
}
_LIBRARY_PARTS = frozenset({"libs", "lean-libs", "dispatch-libs"})
_BINDING_PARTS = frozenset({"bindings", "lean-bindings", "dispatch-bindings"})
_FRESH = "--no-cache-dir --force-reinstall --extra-index-url https://pypi.nvidia.com"
"""pip's options that pass by a cached stub: the libraries lie on NVIDIA's own index."""
_META_PARTS = frozenset({"meta", "lean", "dispatch"})


@rule("TRT101", "no-tensorrt", severity=Severity.ERROR, components=("tensorrt",))
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
    offer = fitting(context)
    python = stack.interpreter.version if stack.interpreter else None
    reason = "the newest release of the matrix that fits this GPU, driver and Python"
    yield Problem(
        Severity.ERROR,
        "no TensorRT found" + (f", neither in Python {python} nor in the system" if python else ""),
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
    groups: dict[tuple[str, str | None], list[tuple[Distribution, DistributionSpec]]] = {}
    for dist, spec in tensorrt_distributions(context):
        if spec.product in _MAIN_ROLE and spec.real != "placeholder":
            groups.setdefault((spec.product, spec.flavour), []).append((dist, spec))
    told: set[str] = set()
    for (product, flavour), members in sorted(groups.items(), key=lambda group: group[0][1] or "", reverse=True):
        if flavour is None and any(other for other in groups if other[0] == product and other[1]):
            continue  # the meta package of the product; its flavour's packages are judged
        problem = _payload(context, product, flavour, members)
        if problem is not None and product not in told:
            told.add(product)  # several flavours without libraries are one cause; TRT104 speaks of the flavours
            yield problem


def _payload(
    context: Context, product: str, flavour: str | None, members: list[tuple[Distribution, DistributionSpec]]
) -> Problem | None:
    if all(dist.has_libraries is None for dist, _ in members):
        return None  # only names and versions are known
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
    exact = f"=={version.short(8)}.*" if version else None
    return Problem(
        Severity.ERROR,
        title,
        breaks=breaks,
        facts=tuple(distribution_found(dist) for dist, _ in members[:4]),
        sources=(_real_fact(context, main.name),),
        components=("tensorrt-rtx" if product == "rtx" else "tensorrt", "package"),
        remedy=Remedy(
            "tensorrt",
            "install",
            exact,
            "bindings and libraries of one version, without pip's cache",
            (("distributions", " ".join(names)), ("options", _FRESH)),
        ),
    )


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


def _wants_bindings(members: list[tuple[Distribution, DistributionSpec]]) -> bool:
    """Whether a meta package says that it needs bindings, or has nothing of its own."""
    return any(spec.part in _META_PARTS and dist.has_libraries is False for dist, spec in members)


def _no_wheel(context: Context, version: Version | None, flavour: str | None) -> bool:
    if version is None:
        return False
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
    for (product, _), parts in by_flavour.items():
        members = dict(parts)
        if "meta" not in members and product in metas and len([key for key in by_flavour if key[0] == product]) == 1:
            members["meta"] = metas[product]
        versions = {kind: Version.maybe(dist.version) for kind, dist in members.items()}
        known = {kind: version for kind, version in versions.items() if version}
        if all(_same(first, second) for first in known.values() for second in known.values()):
            continue
        bindings, libs = known.get("bindings"), known.get("libs")
        severe = bool(bindings and libs and bindings.major != libs.major)
        shown = joined([f"{dist.name} {dist.version}" for dist in members.values()])
        target = libs or bindings
        yield Problem(
            Severity.ERROR if severe else Severity.WARNING,
            f"TensorRT packages of different versions: {shown}",
            breaks="The import fails: the bindings ask for a library of another major."
            if severe
            else "The release that runs is not the one that was pinned; mixed parts can stop at an undefined symbol.",
            facts=tuple(distribution_found(dist) for dist in members.values()),
            components=("tensorrt-rtx" if product == "rtx" else "tensorrt", "package"),
            remedy=Remedy(
                "tensorrt",
                "install",
                f"=={target}" if target else None,
                "one version for all parts",
                (("distributions", " ".join(dist.name for dist in members.values())),),
            ),
        )

    yield from _bound_elsewhere(context)


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
            remedy=Remedy(
                "tensorrt",
                "choose",
                f"=={known[0].short(3)}.*",
                f"Install bindings and libraries of one release, {known[0]}.",
            ),
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
    for dist, spec in tensorrt_distributions(context):
        if spec.flavour and spec.real != "placeholder":
            for module in spec.imports:
                modules.setdefault(module, {}).setdefault(spec.flavour, []).append(dist)
    seen: dict[str, Distribution] = {}
    flavours: dict[str, None] = {}
    for by_flavour in modules.values():
        if len(by_flavour) > 1:
            flavours.update(dict.fromkeys(by_flavour))
            seen.update({dist.name: dist for dists in by_flavour.values() for dist in dists})
    if not seen:
        return
    shown = joined([f"{dist.name} {dist.version}" for dist in seen.values()])
    yield Problem(
        Severity.WARNING,
        f"TensorRT for {joined(sorted(flavours))} in one Python: {shown}",
        breaks="They overwrite each other's files; which CUDA flavour and version is imported depends on the order.",
        facts=tuple(distribution_found(dist) for dist in seen.values()),
        sources=tuple(_real_fact(context, name) for name in list(seen)[:2]),
        remedy=Remedy(
            "tensorrt",
            "remove",
            None,
            "all flavours install the same modules",
            (("distributions", " ".join(seen)), ("then", "Then install one flavour again, that of the driver's CUDA.")),
        ),
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
    wanted = items[0].flavour
    same = fitting(context, release=_exact_row(context, items[0]), flavour=wanted) if building else None
    offer = (same or fitting(context)) if building else None
    yield Problem(
        Severity.ERROR if building else Severity.INFO,
        f"only the {labels(list(items))} is there: it can run engines, not build them",
        breaks="Building stops: there is no Builder in a lean or dispatch runtime."
        if building
        else "Engines that were not built as version compatible do not load.",
        facts=tuple(item.found() for item in items),
        sources=offer.facts if offer else (),
        remedy=(offer.remedy("the full product builds engines") if offer else None)
        if building
        else Remedy("engine", "choose", None, "Build engines for the lean runtime as version compatible."),
    )


def _full_package(context: Context) -> bool:
    return any(spec.product == "full" and spec.real != "placeholder" for _, spec in tensorrt_distributions(context))


def _exact_row(context: Context, item: Installation) -> str | None:
    rows = rows_of(context, item)
    return rows[0].key if len(rows) == 1 else None


@rule("TRT106", "builder-resource-missing", severity=Severity.ERROR, components=("tensorrt",))
def builder_resource(context: Context) -> Iterable[Problem]:
    """The builder resource library of the libnvinfer that would be used is missing, or of another version.

    Why it matters: libnvinfer opens libnvinfer_builder_resource by its exact version when the first engine is built.
    The import works, engines run, and only the build stops: "Unable to load library: libnvinfer_builder_resource".

    Example: libnvinfer.so.10.9.0 in an image from which libnvinfer_builder_resource.so.10.9.0 was trimmed.

    How to fix: Reinstall this TensorRT whole; where two releases are there, put the directory of one of them first.

    Sources: tensorrt_wheels, trt_2218
    """
    if not context.wants("build") or "tensorrt" not in context.snapshot.searched:
        return
    items = [
        item for item in context.stack.builders if item.directory and _builder(item) and _needs_resource(context, item)
    ]
    lacking = [item for item in items if not _has_resource(context, item)]
    if not lacking:
        return
    for item in lacking:
        there = sorted({copy.version or "?" for copy in item.copies if copy.role == "builder-resource"})
        library = _builder(item)
        wanted = _three(Version.maybe(library.version if library else None)) or str(item.version)
        name = f"libnvinfer_builder_resource.so.{wanted}"
        yield Problem(
            Severity.ERROR if len(lacking) == len(items) else Severity.WARNING,
            f"{label(item)} in {item.directory} has no builder resource of its version"
            + (f", only {joined(there)}" if there else ""),
            breaks=f"Engines run, but building one stops: Unable to load library: {name}.",
            facts=(item.found(),),
            sources=_resource_facts(context),
            remedy=Remedy(
                "tensorrt", "choose", f"=={item.version}", f"Reinstall {label(item)} whole, from where it came."
            ),
        )


def _builder(item: Installation) -> Copy | None:
    return next((copy for copy in item.copies if copy.role == "builder"), None)


def _resource_facts(context: Context) -> tuple[Fact, ...]:
    rows = [row for row in context.matrix.rows("libraries", "libraries") if row.key == "libnvinfer_builder_resource"]
    return tuple(row.get("role") for row in rows)


def _needs_resource(context: Context, item: Installation) -> bool:
    """Whether releases of this age are known to have a builder resource at all."""
    rows = [row for row in context.matrix.rows("libraries", "libraries") if row.key == "libnvinfer_builder_resource"]
    first = Version.maybe(rows[0].text("seen_from")) if rows else None
    return bool(first and item.version and item.version.at_least(first) is Answer.YES)


def _has_resource(context: Context, item: Installation) -> bool:
    library = _builder(item)
    wanted = Version.maybe(library.version) if library else None
    wanted = wanted if wanted and len(wanted.parts) >= 3 else item.version
    for copy in context.snapshot.copies:
        if (
            copy.role != "builder-resource"
            or copy.problem is not None
            or copy.name == "libnvinfer_builder_resource_win"
        ):
            continue
        found = Version.maybe(copy.version)
        if found is None or wanted is None:
            return True
        if _three(found) == _three(wanted) or (len(found.parts) < 3 and found.may_be(wanted)):
            return True
    return False


def _three(version: Version | None) -> str | None:
    return version.short(3) if version else None


_CONDITION = re.compile(r"([a-z_]+)\s*(>=|<=|==|<|>)\s*([0-9][0-9.]*)")


@rule("TRT107", "known-bad-release", severity=Severity.ERROR, components=("tensorrt",))
def known_bad(context: Context) -> Iterable[Problem]:
    """The installed release, or the way in which it is used here, is known to be bad.

    Why it matters: Some releases were withdrawn or mended by a .post1; every version table calls them fine.

    Example: TensorRT 10.2.0 by pip on Linux: each build looks for a Windows library and fails; 10.2.0.post1 is mended.

    How to fix: Install the release that the finding names.

    Sources: trt_3983, trt_4614
    """
    for item in context.stack.tensorrts:
        if item.version is None or item.product == "rtx":
            continue
        for issue in _issues(context, item.version):
            if not _bites(context, item, issue):
                continue
            row = issue.row
            severity = Severity(row.text("severity") or "info")
            what, fix = row.text("what") or "", row.text("fix") or ""
            yield Problem(
                severity,
                f"{label(item)} is known to be bad here: {what}"
                if severity is not Severity.INFO
                else f"{label(item)}: {what}",
                breaks=what,
                detail=f"Known issue {row.key}." + (f" Better: {fix}." if fix else ""),
                facts=(item.found(),),
                sources=(row.get("what"),),
                components=("tensorrt", "package") if issue.when == "pip" else ("tensorrt",),
                remedy=Remedy("tensorrt", "choose", None, f"Use {fix}." if fix else "Use another release."),
            )


@dataclass(frozen=True, slots=True)
class _Issue:
    """A row of known_issues, read once."""

    row: Row
    platforms: frozenset[str] | None
    flavours: frozenset[str] | None
    when: str | None
    at_install: bool


def _issues(context: Context, version: Version) -> list[_Issue]:
    """The issues that ``version`` surely falls under and that no rule of its own speaks for."""
    matrix = context.matrix

    def make() -> list[_Issue]:
        found = tensorrt.known_issues(matrix, "tensorrt", version)
        return [_issue(row) for row, answer in found if answer is Answer.YES and not row.text("judged_by")]

    return matrix.remember(("rules: issues", version), make)


def _issue(row: Row) -> _Issue:
    places, flavours = row.get("platform").value, row.get("flavour").value
    return _Issue(
        row,
        frozenset(places) if isinstance(places, list) else None,
        frozenset(flavours) if isinstance(flavours, list) else None,
        row.text("when"),
        row.text("stage") == "install",
    )


def _bites(context: Context, item: Installation, issue: _Issue) -> bool:
    """Whether an issue surely concerns this installation."""
    if issue.at_install and item.directory:
        return False  # it was installed all the same
    if _condition(context, item, issue.when) is not Answer.YES:
        return False
    if issue.platforms is not None:
        known = platforms(context.stack)
        if not known or not issue.platforms.issuperset(known):
            return False
    if issue.flavours is None:
        return True
    found = {item.flavour} if item.flavour else {flavour for _, flavour in candidates(context, item)}
    return bool(found) and issue.flavours.issuperset(found)


def _condition(context: Context, item: Installation, when: str | None) -> Answer:
    if when is None:
        return Answer.YES
    if when == "pip":
        return Answer.of(item.origin == "pip")
    match = _CONDITION.fullmatch(when)
    if match is None:
        return Answer.of(when in context.goal or when in context.stack.distributions)
    return _compare(_fact_for(context, match[1]), match[2], Version.parse(match[3]))


def _fact_for(context: Context, name: str) -> Version | None:
    if name == "glibc":
        return Version.maybe(context.snapshot.platform.glibc)
    if name == "driver":
        return context.stack.driver
    found = context.stack.distributions.get(name)
    return Version.maybe(found.version) if found else None


def _compare(have: Version | None, sign: str, bound: Version) -> Answer:
    if have is None:
        return Answer.UNKNOWN
    return {
        ">=": have.at_least(bound),
        "<": have.below(bound),
        "==": have.same_as(bound),
        ">": Answer.all((have.at_least(bound), ~have.same_as(bound))),
        "<=": ~Answer.all((have.at_least(bound), ~have.same_as(bound))),
    }[sign]


@rule("TRT108", "release-not-in-matrix", severity=Severity.INFO, components=("tensorrt",))
def not_in_matrix(context: Context) -> Iterable[Problem]:
    """The release is newer than the matrix, or the matrix does not hold it: what it needs is not guessed.

    Why it matters: The nearest known release can differ in GPUs, CUDA and driver; an answer from it would be a guess.

    Example: TensorRT 12.0 with a matrix of 2026.11: unknown, newer than the matrix.

    How to fix: Update the matrix; until then only what holds for the whole major is judged.

    Sources: oss_readme
    """
    for item in context.stack.tensorrts:
        if item.version is not None and not rows_of(context, item):
            _say_unknown(context, item.version, "tensorrt", "TensorRT", "full")
    for item in context.stack.rtxs:
        if item.version is not None and not tensorrt.releases(context.matrix, item.version, "rtx"):
            _say_unknown(context, item.version, "tensorrt-rtx", "TensorRT for RTX", "rtx")
    return ()


def _say_unknown(context: Context, version: Version, component: str, name: str, product: str) -> None:
    month = ".".join(context.matrix.version.split(".")[:2])
    newer = tensorrt.newer_than_matrix(context.matrix, version, product)
    why = f"newer than matrix {month}" if newer else f"{name} {version} is not in the matrix {month}"
    how = "update the matrix (pip install --upgrade trtdoctor), or name one that knows the release: --matrix DIR"
    context.unknown(component, f"what {name} {version} needs", why, how)


@rule("TRT109", "libraries-disagree", severity=Severity.WARNING, components=("tensorrt",))
def libraries_disagree(context: Context) -> Iterable[Problem]:
    """Plugin or parser libraries in one directory are of another version than the libnvinfer beside them.

    Why it matters: These libraries are made together. A mix stops at "undefined symbol: getPluginRegistry" and the
    like, or misbehaves later.

    Example: libnvinfer.so.10.9.0 beside libnvonnxparser.so.10.3.0 in /usr/lib/x86_64-linux-gnu.

    How to fix: Install all libnvinfer packages in one version, or remove the left-over files.

    Sources: tensorrt_wheels
    """
    for item in context.stack.builders:
        if not item.directory:
            continue
        core = _versions(item, ("builder",))
        if len(core) != 1:
            continue  # several libnvinfer in one place: TRT110
        (main,) = core
        others = [
            copy
            for copy in item.copies
            if copy.role in ("plugin", "parser") and _differs(Version.maybe(copy.version), main)
        ]
        fine = {
            copy.name
            for copy in item.copies
            if copy.role in ("plugin", "parser") and not _differs(Version.maybe(copy.version), main)
        }
        wrong = [copy for copy in others if copy.name not in fine]
        if not wrong:
            continue
        shown = joined(list(dict.fromkeys(f"{copy.name} {copy.version}" for copy in wrong)))
        yield Problem(
            Severity.WARNING,
            f"libnvinfer {main} and {shown} in {item.directory} are of different releases",
            breaks="Loading can stop at an undefined symbol, or the libraries misbehave together.",
            facts=tuple(
                FoundFact(copy.name or copy.component, copy.version or "?", copy.path, "libraries")
                for copy in item.copies
                if copy.role == "builder" or copy in wrong
            ),
            remedy=Remedy(
                "tensorrt",
                "choose",
                f"=={main.short(3)}.*",
                f"Install every TensorRT library in version {main.short(3)}.",
            ),
        )


def _versions(item: Installation, roles: tuple[str, ...]) -> set[Version]:
    found = {Version.maybe(copy.version) for copy in item.copies if copy.role in roles}
    full = {Version.parse(version.short(3)) for version in found if version and len(version.parts) >= 3}
    return full or {version for version in found if version}


def _differs(found: Version | None, main: Version) -> bool:
    return found is not None and Version.parse(found.short(3)).same_as(main) is Answer.NO


@rule("TRT110", "several-releases", severity=Severity.WARNING, components=("tensorrt", "loader"))
def several_releases(context: Context) -> Iterable[Problem]:
    """Several TensorRT releases are there, and nothing says which of them a process loads.

    Why it matters: Bindings, programs and engines are tied to one release; whichever directory comes first wins.

    Example: TensorRT 8.6.1 from apt and 10.3.0 unpacked from a tar file, both in the linker's directories.

    How to fix: Remove the one that is not used, or put the wanted directory first for the program.

    Sources: https://github.com/NVIDIA/TensorRT/issues/2041
    """
    items = [item for item in context.stack.builders if item.version and not item.loaded and _is_core(item)]
    if len(items) < 2:
        return
    wheels = _distinct([item for item in items if _of_python(item)])
    system = _distinct([item for item in items if not _of_python(item)])
    if len(wheels) + len(system) < 2 or len(_distinct(items)) < 2:
        return
    apart = len(wheels) <= 1 and len(system) <= 1
    shown = joined(list(dict.fromkeys(_placed(item) for item in items)))
    yield Problem(
        Severity.INFO if apart else Severity.WARNING,
        f"several TensorRT releases: {shown}",
        breaks="Python uses the wheel, other programs the system's; engines of one do not load in the other."
        if apart
        else "Which one is loaded depends on search paths; engines and bindings of one do not fit the other.",
        facts=tuple(item.found() for item in items),
        components=("tensorrt",) if apart else ("tensorrt", "loader"),
        remedy=Remedy("tensorrt", "choose", None, "Keep one release, or put its directory first for each program."),
    )


def _is_core(item: Installation) -> bool:
    return item.has("builder") or not item.directory


def _of_python(item: Installation) -> bool:
    directory = item.directory or ""
    return item.origin in ("pip", "conda") or "/site-packages" in directory or "/dist-packages" in directory


def _distinct(items: list[Installation]) -> list[Version]:
    found: list[Version] = []
    for item in items:
        if item.version and not any(item.version.may_be(other) for other in found):
            found.append(item.version)
    return found


def _placed(item: Installation) -> str:
    place = item.place or item.origin
    return f"{item.version} ({place})" if place else str(item.version)
