"""cuDNN against the TensorRT that needs it, and cuDNN's own files against each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.matrix import Fact, containers, cudnn, tensorrt
from trtdoctor.matrix import wheels as index
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.releases import (
    candidates,
    cuda_major,
    distribution_found,
    joined,
    known_spec,
    label,
    made_by_vendor,
    platforms_of,
    rows_of,
)
from trtdoctor.snapshot import Copy, Distribution
from trtdoctor.stack import ABSENT, Installation
from trtdoctor.versions import Answer, Version

_HARMLESS = "harmless"


_CANNOT_LOAD = "Loading TensorRT's plugin library fails: libcudnn.so.{}: cannot open shared object file."


@rule("DNN101", "cudnn-missing", severity=Severity.ERROR, components=("cudnn", "tensorrt"))
def missing(context: Context) -> Iterable[Problem]:
    """This TensorRT needs cuDNN, and none was found anywhere.

    Why it matters: Up to 8.6 the plugin library of TensorRT links cuDNN: without it import tensorrt and trtexec stop in
    the loader. From 10 on TensorRT itself does not need it.

    Example: TensorRT 8.6.1 from a tar file on a machine without cuDNN: libcudnn.so.8: cannot open shared object file.

    How to fix: Install cuDNN of the major that the release names.

    Sources: sm_861, sm_853, engine_measured
    """
    if context.stack.state("cudnn") != ABSENT:
        return
    for item, wanted, facts in required(context):
        yield Problem(
            Severity.ERROR,
            f"{label(item)} needs cuDNN {wanted[0].major}, and none is there",
            breaks=_CANNOT_LOAD.format(wanted[0].major),
            facts=(item.found(), FoundFact("cudnn", "none", "wheels, packages, library directories", "libraries")),
            sources=facts,
            remedy=_install(context, item, wanted),
        )


@rule("DNN102", "cudnn-of-another-major", severity=Severity.ERROR, components=("cudnn", "tensorrt"))
def other_major(context: Context) -> Iterable[Problem]:
    """All cuDNN that is there is of another major than the one that this TensorRT needs.

    Why it matters: The major is part of the file name: what is linked to libcudnn.so.8 cannot load cuDNN 9.

    Example: tensorrt 8.5.3.1 by pip brings nvidia-cudnn-cu11 without a version, and that is cuDNN 9 today.

    How to fix: Install cuDNN of the wanted major; both majors can lie side by side.

    Sources: engine_measured, sm_853, cudnn_fwd_compat
    """
    found = [item for item in context.stack.of("cudnn") if item.version]
    if not context.stack.of("cudnn"):
        yield from _brought_along(context)
    if not found or len(found) != len(context.stack.of("cudnn")):
        return
    for item, wanted, facts in required(context):
        majors = {version.major for version in wanted}
        if any(copy.version and copy.version.major in majors for copy in found):
            continue
        shown = joined(list(dict.fromkeys(f"cuDNN {copy.version}" for copy in found)))
        yield Problem(
            Severity.ERROR if len(context.stack.tensorrts) == 1 else Severity.WARNING,
            f"{label(item)} needs cuDNN {wanted[0].major}, found is {shown}",
            breaks=_CANNOT_LOAD.format(wanted[0].major),
            facts=(item.found(), *(copy.found() for copy in found[:3])),
            sources=(*facts, *cudnn.abi(context.matrix, wanted[0], _version(found[0])).facts),
            remedy=_install(context, item, wanted),
        )


def _brought_along(context: Context) -> Iterable[Problem]:
    """Requirements on a TensorRT whose wheels ask for cuDNN without a version, and none on cuDNN: the newest comes."""
    named = context.stack.distributions
    held = _cudnn_of_image(context)
    if not context.snapshot.partial or "torch" in named or "tensorflow" in named:
        return  # frameworks hold cuDNN at a version of their own
    for item, wanted, facts in required(context):
        flavours = {flavour for _, flavour in candidates(context, item)}
        if item.origin != "pip" or len(flavours) != 1 or held in {version.major for version in wanted}:
            continue
        name = f"nvidia-cudnn-{flavours.pop()}"
        stated = named.get(name)
        found = index.newest(context.matrix, name, (stated.specifier if stated else None) or "")
        if found is None or Version.parse(found[0]).major in {version.major for version in wanted}:
            continue
        yield Problem(
            Severity.WARNING,
            f"{label(item)} brings {name} without a version: {found[0]}, and needs cuDNN {wanted[0].major}",
            breaks=_CANNOT_LOAD.format(wanted[0].major),
            detail="Unless the system has the cuDNN that it needs.",
            facts=(item.found(), *((distribution_found(stated),) if stated else ())),
            sources=(*facts, replace(found[1].get("versions"), value=found[0])),
            remedy=_install(context, item, wanted),
        )


def _cudnn_of_image(context: Context) -> int | None:
    """The major of the cuDNN that the base image has, where the loader finds it."""
    image = context.snapshot.container.image if context.snapshot.container else None
    row = containers.find(context.matrix, image) if image else None
    version = Version.maybe(row.text("cudnn")) if row is not None else None
    return version.major if version else None


@rule(
    "DNN103", "cudnn-older-minor", severity=Severity.WARNING, components=("cudnn", "tensorrt"), silenced_by=("DNN102",)
)
def older_minor(context: Context) -> Iterable[Problem]:
    """The cuDNN that is there is of the right major, but of an older minor than the one that this TensorRT names.

    Why it matters: A newer minor stands in for an older one; the other way round the vendor promises nothing, and calls
    can be missing.

    Example: TensorRT 8.0.1, which names cuDNN 8.2, with cuDNN 8.0.4.

    How to fix: Install the minor that the release names, or a newer one of the same major.

    Sources: cudnn_fwd_compat, sm_803
    """
    found = [item for item in context.stack.of("cudnn") if item.version]
    if not found:
        return
    for item, wanted, facts in required(context):
        rows = rows_of(context, item)
        if any(row.get("cudnn", "older_minor").value == _HARMLESS for row in rows):
            continue
        words = {
            _version(copy): {cudnn.abi(context.matrix, version, _version(copy)).word for version in wanted}
            for copy in found
        }
        same_major = {version: word for version, word in words.items() if word != {"other-major"}}
        older = [version for version, word in same_major.items() if word == {"older-minor"}]
        if not older or len(older) != len(same_major):
            continue
        lowest = min(wanted, key=lambda version: version.parts)
        copies = [copy for copy in found if _version(copy) in older]
        shown = joined([str(version) for version in older])
        yield Problem(
            Severity.WARNING,
            f"{label(item)} names cuDNN {lowest.short(2)}, found is the older {shown}",
            breaks="Not promised to work: calls that this TensorRT makes can be missing in the older minor.",
            facts=(item.found(), *(copy.found() for copy in copies[:3])),
            sources=(*facts, *cudnn.abi(context.matrix, lowest, older[0]).facts),
            remedy=_install(context, item, wanted, "upgrade"),
            untested=True,
        )


@rule("DNN104", "cudnn-files-mixed", severity=Severity.ERROR, components=("cudnn", "package"))
def files_mixed(context: Context) -> Iterable[Problem]:
    """The libraries of cuDNN in one directory are of different versions, or two wheels wrote into it.

    Why it matters: cuDNN is one main library and several that it opens at run time; they refuse each other even at
    another patch level, and some mixes abort the process. nvidia-cudnn-cu12 and -cu13 install the same files.

    Example: nvidia-cudnn-cu13 9.28.1 installed over nvidia-cudnn-cu12 9.10.2: CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH.

    How to fix: Uninstall both wheels, then install the one flavour that the frameworks there use.

    Sources: measured_mix, pypi
    """
    mixed = [item for item in context.stack.of("cudnn") if item.directory and len(_file_versions(item)) > 1]
    wheels = _overlapping(context)
    if not mixed and not wheels:
        return
    needed = bool(required(context))
    for item in mixed:
        parts = _file_versions(item)
        yield Problem(
            Severity.ERROR if needed else Severity.WARNING,
            f"cuDNN in {_spoken_place(item)} is a mix of versions: {joined(list(parts))}",
            breaks="What uses cuDNN there stops: CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH, or the process aborts.",
            facts=tuple(_file_found(copy) for copy in item.copies if copy.version),
            sources=_mix_facts(context),
            remedy=_reinstall(context, wheels, item),
        )
    if wheels and not mixed:
        shown = joined([f"{dist.name} {dist.version}" for dist in wheels])
        yield Problem(
            Severity.WARNING,
            f"cuDNN is installed twice over the same files: {shown}",
            breaks="The later one overwrote the other: cuDNN is there for one CUDA major only, or in a mix.",
            facts=tuple(distribution_found(dist) for dist in wheels),
            sources=_mix_facts(context),
            remedy=_reinstall(context, wheels, None),
        )


@rule(
    "DNN105",
    "cudnn-in-two-places",
    severity=Severity.WARNING,
    components=("cudnn", "loader"),
    silenced_by=("DNN104",),
)
def two_places(context: Context) -> Iterable[Problem]:
    """A directory with cuDNN's main library lacks parts of it that lie, in another version, in another directory.

    Why it matters: The main library opens its parts by name through the loader: it would take those of the other
    version and refuse them.

    Example: libcudnn.so.9 9.10.2 in a wheel without libcudnn_cnn, and cuDNN 9.28.0 in /usr/lib.

    How to fix: Reinstall the incomplete one whole, or remove it.

    Sources: measured_mix, cudnn_binaries
    """
    for item, lacking in _incomplete(context):
        elsewhere = [
            copy
            for other in context.stack.of("cudnn")
            if other is not item and other.major == item.major
            for copy in other.copies
            if copy.name in lacking and _other_version(copy, item)
        ]
        if not elsewhere:
            continue
        names = _few(sorted({copy.name or "" for copy in elsewhere}))
        yield Problem(
            Severity.WARNING,
            f"cuDNN {item.version} lacks {names}, which lie elsewhere in version {elsewhere[0].version}",
            breaks="The main library would open parts of another version and refuse them.",
            facts=(item.found(), *(_file_found(copy) for copy in elsewhere[:4])),
            sources=_mix_facts(context),
            remedy=_again(item, "parts of it are missing"),
        )


@rule(
    "DNN106",
    "cudnn-incomplete",
    severity=Severity.ERROR,
    components=("cudnn", "tensorrt"),
    silenced_by=("DNN104", "DNN105"),
)
def incomplete(context: Context) -> Iterable[Problem]:
    """The main library of cuDNN is there, but parts that it opens at run time are nowhere.

    Why it matters: Nothing is missing at link time; the process aborts in the middle of a build: "Could not load
    library libcudnn_ops_infer.so.8".

    Example: TensorRT 8.5.3 with libcudnn.so.8 copied into an image without its sub-libraries.

    How to fix: Install cuDNN whole.

    Sources: engine_measured, cudnn_binaries
    """
    if "cudnn" not in context.snapshot.searched:
        return
    broken = _incomplete(context)
    every = [item for item in context.stack.of("cudnn") if item.directory and item.has("runtime")]
    if not broken:
        return
    damaged = [item for item, _ in broken]
    wanted = {version.major for _, versions, _ in required(context) for version in versions}
    for item, lacking in broken:
        if any(other.major == item.major and other not in damaged for other in every):
            continue  # another copy of that major is whole
        needed = item.major in wanted
        if not needed and len(broken) != len(every):
            continue  # whoever needs cuDNN has a whole one of another major
        there = {copy.name for other in context.stack.of("cudnn") for copy in other.copies if other.major == item.major}
        absent = sorted(set(lacking) - there)
        if not absent:
            continue
        yield Problem(
            Severity.ERROR if needed else Severity.WARNING,
            f"cuDNN {item.version} lacks {_few(absent)}",
            breaks=f"The process aborts when it is used: Could not load library {absent[0]}.so.{item.major}.",
            facts=(item.found(),),
            sources=_sublibrary_facts(context, item),
            components=("cudnn", "tensorrt") if needed else ("cudnn",),
            remedy=_again(item, "parts of it are missing"),
        )


# -- what TensorRT needs ----------------------------------------------------------------------------------------------


def required(context: Context) -> list[tuple[Installation, list[Version], tuple[Fact, ...]]]:
    """The TensorRTs that surely need cuDNN, each with the versions that its documents name (one a candidate).

    The vendor's own containers and JetPacks are left out: their pairs were made to fit.
    """
    found = []
    for item in context.stack.tensorrts:
        if item.version is None or item.product not in ("full", None) or made_by_vendor(context, item):
            continue
        key = ("rules: cudnn", item.version, platforms_of(context.stack))
        versions, facts = context.matrix.remember(key, partial(_needed, context, item))
        if versions:
            found.append((item, versions, facts))
    return found


def _needed(context: Context, item: Installation) -> tuple[list[Version], tuple[Fact, ...]]:
    versions: list[Version] = []
    facts: list[Fact] = []
    for row in rows_of(context, item):
        if row.text("status") in ("container-only", "jetpack-only") and len(rows_of(context, item)) > 1:
            continue  # the vendor's own builds go with their own cuDNN
        named = []
        for platform in platforms_of(context.stack):
            need = tensorrt.cudnn(row, platform)
            if need.need != "required":
                return [], ()
            version = Version.maybe(need.version)
            if version is not None:
                named.append(version)
                facts.extend(need.facts)
        if not named:
            return [], ()
        versions.extend(named)
    if len({version.major for version in versions}) > 1:
        return [], ()
    return versions, tuple(dict.fromkeys(facts)) if _hashable(facts) else tuple(facts)


def _hashable(facts: list[Fact]) -> bool:
    return all(isinstance(fact.value, (str, int, type(None))) for fact in facts)


def _version(item: Installation) -> Version:
    return item.version or Version.parse("0")  # only asked for those that have one


def _install(context: Context, item: Installation, wanted: list[Version], action: str = "install") -> Remedy:
    """A wheel for a TensorRT that pip brought, a sentence for the others."""
    lowest = min(wanted, key=lambda version: version.parts)
    flavours = {flavour for _, flavour in candidates(context, item)}
    name = f"nvidia-cudnn-{next(iter(flavours))}" if len(flavours) == 1 else None
    spec = known_spec(context.matrix, name) if name else None
    specifier = f">={lowest.short(2)},<{lowest.major + 1}"
    reason = f"{label(item)} names cuDNN {lowest}"
    if name and spec is not None and spec.real == "wheel" and item.origin == "pip":
        return Remedy("cudnn", action, specifier, reason, (("distributions", name),))
    sort = f" for CUDA {cuda_major(next(iter(flavours)))}" if len(flavours) == 1 else ""
    return Remedy("cudnn", "choose", specifier, f"Install cuDNN {lowest.short(2)} or a newer {lowest.major}.x{sort}.")


# -- cuDNN's own files ------------------------------------------------------------------------------------------------


def _file_versions(item: Installation) -> dict[str, list[str]]:
    """Which files of one directory have which version, told apart only where they surely differ."""
    groups: list[tuple[Version, list[str]]] = []
    seen: dict[str, list[Version]] = {}
    for copy in item.copies:
        version = Version.maybe(copy.version)
        if (
            version is None
            or len(version.parts) < 3
            or copy.how == "header"
            or copy.role not in ("runtime", "sublibrary")
        ):
            continue
        seen.setdefault(copy.name or "", []).append(Version.parse(version.short(3)))
    for name, versions in sorted(seen.items()):
        if len({version.parts for version in versions}) > 1:
            continue  # several versions of one file: which one counts is the loader's choice
        for known, names in groups:
            if known.may_be(versions[0]):
                names.append(name)
                break
        else:
            groups.append((versions[0], [name]))
    return {str(version): names for version, names in groups}


def _overlapping(context: Context) -> list[Distribution]:
    """Wheels of one cuDNN major and different flavours: they write the same files."""
    found: dict[int, list[Distribution]] = {}
    for name, dist in context.stack.distributions.items():
        if name.startswith("nvidia-cudnn-cu"):
            spec = known_spec(context.matrix, name)
            version = Version.maybe(dist.version)
            if spec is not None and spec.real == "wheel" and version:
                found.setdefault(version.major, []).append(dist)
    return next((dists for dists in found.values() if len(dists) > 1), [])


def _incomplete(context: Context) -> list[tuple[Installation, tuple[str, ...]]]:
    """Directories with cuDNN's main library that lack libraries which every release of its major has."""
    found = []
    for item in context.stack.of("cudnn"):
        if not item.directory or item.major is None or not item.has("runtime"):
            continue
        names = {copy.name for copy in item.copies}
        lacking = tuple(name for name in _parts(context, item.major) if name not in names)
        if lacking:
            found.append((item, lacking))
    return found


def _parts(context: Context, major: int) -> tuple[str, ...]:
    matrix = context.matrix
    return matrix.remember(("rules: cudnn parts", major), lambda: cudnn.sublibraries(matrix, major))


def _other_version(copy: Copy, item: Installation) -> bool:
    version = Version.maybe(copy.version)
    return version is not None and item.version is not None and version.same_as(item.version) is Answer.NO


def _reinstall(context: Context, wheels: list[Distribution], item: Installation | None) -> Remedy:
    """All wheels out, then the one in again that this Python uses, in its own version; without wheels a sentence."""
    if not wheels:
        if item is not None:
            return _again(item, "its files must be of one version")
        return Remedy("cudnn", "choose", None, "Install cuDNN anew, in one version, into an empty place.")
    kept = _used(context, wheels)
    details = (("distributions", kept.name), ("remove", " ".join(dist.name for dist in wheels)))
    return Remedy("cudnn", "replace", f"=={kept.version}", "both install the same files", details)


def _used(context: Context, wheels: list[Distribution]) -> Distribution:
    """The wheel that others here require, else that of the CUDA flavour to keep."""
    from trtdoctor.rules.offers import kept_flavour

    counted = {
        wheel.name: sum(
            wheel.name in requirement.replace("_", "-").lower()
            for dist in context.stack.distributions.values()
            for requirement in dist.requires
        )
        for wheel in wheels
    }
    most = [wheel for wheel in wheels if counted[wheel.name] == max(counted.values())]
    if len(most) == 1:
        return most[0]
    needing = {item.flavour for item, _, _ in required(context) if item.flavour}
    flavour = needing.pop() if len(needing) == 1 else kept_flavour(context, [_flavour(wheel) for wheel in most])
    return next((wheel for wheel in most if _flavour(wheel) == flavour), most[0])


def _flavour(wheel: Distribution) -> str:
    return wheel.name.rpartition("-")[2]


def _again(item: Installation, reason: str) -> Remedy:
    from trtdoctor.rules.offers import whole_again

    return whole_again("cudnn", item, reason)


def _few(names: list[str]) -> str:
    return joined(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} more parts"


def _spoken_place(item: Installation) -> str:
    place = item.directory or ""
    return place if len(place) <= 40 else f"…{place[-39:]}"


def _file_found(copy: Copy) -> FoundFact:
    return FoundFact(copy.name or "cudnn", copy.version or "version unknown", copy.path, "libraries")


def _mix_facts(context: Context) -> tuple[Fact, ...]:
    rows = [row for row in context.matrix.rows("cudnn", "rules") if row.key in ("one-install", "same-folder")]
    return tuple(row.get("text") for row in rows)


def _sublibrary_facts(context: Context, item: Installation) -> tuple[Fact, ...]:
    rows = [row for row in context.matrix.rows("cudnn", "sublibraries") if row.key == str(item.major)]
    return tuple(row.get("always") for row in rows)
