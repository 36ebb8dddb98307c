"""TensorRT's library files: whether they belong together, and which of several releases is used."""

from __future__ import annotations

from collections.abc import Iterable

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.matrix import Fact
from trtdoctor.rules.base import MAX_TITLE, Context, Problem, rule
from trtdoctor.rules.loaded_files import folder, identify
from trtdoctor.rules.loader_words import who_gets
from trtdoctor.rules.releases import (
    joined,
    label,
)
from trtdoctor.snapshot import Copy
from trtdoctor.stack import Installation
from trtdoctor.versions import Answer, Version


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
            f"{label(item)} has no builder resource of its version" + (f", only of {joined(there)}" if there else ""),
            breaks=f"Engines run, but building one stops: Unable to load library: {name}.",
            facts=(item.found(),),
            sources=_resource_facts(context),
            remedy=_again(item, f"{name} is part of it"),
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
            f"libnvinfer {main} and {shown} beside it are of different releases",
            breaks="Loading can stop at an undefined symbol, or the libraries misbehave together.",
            facts=tuple(
                FoundFact(copy.name or copy.component, copy.version or "?", copy.path, "libraries")
                for copy in item.copies
                if copy.role == "builder" or copy in wrong
            ),
            remedy=_again(item, "its libraries are made together"),
        )


def _again(item: Installation, reason: str) -> Remedy:
    from trtdoctor.rules.offers import whole_again

    return whole_again("tensorrt", item, reason)


def _versions(item: Installation, roles: tuple[str, ...]) -> set[Version]:
    found = {Version.maybe(copy.version) for copy in item.copies if copy.role in roles}
    full = {Version.parse(version.short(3)) for version in found if version and len(version.parts) >= 3}
    return full or {version for version in found if version}


def _differs(found: Version | None, main: Version) -> bool:
    return found is not None and Version.parse(found.short(3)).same_as(main) is Answer.NO


@rule(
    "TRT110",
    "several-releases",
    severity=Severity.WARNING,
    components=("tensorrt", "loader"),
    silenced_by=("LDR101",),
)
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
    known = who_gets(context, "libnvinfer")  # then nothing is left to chance, and family LDR judges it
    shown = f"TensorRT is there in several releases: {joined(list(dict.fromkeys(_placed(item) for item in items)))}"
    short = f"TensorRT is there in several releases: {joined([str(found) for found in _distinct(items)])}"
    yield Problem(
        Severity.INFO if apart or known else Severity.WARNING,
        shown if len(shown) <= MAX_TITLE else short,
        breaks="Python uses the wheel, other programs the system's; engines of one do not load in the other."
        if apart
        else "Which one is loaded depends on search paths; engines and bindings of one do not fit the other.",
        detail=known,
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


_PROBLEMS = {
    "not-elf": "is no library",
    "truncated": "is cut short",
    "broken-link": "is a link to nothing",
    "unreadable": "cannot be read",
    "foreign-architecture": "is built for another processor",
}


@rule("TRT111", "library-file-broken", severity=Severity.ERROR, components=("tensorrt",))
def broken_file(context: Context) -> Iterable[Problem]:
    """A file of TensorRT is there by its name, but it is no library that this machine can load.

    Why it matters: Half a download, a Git LFS pointer, a link whose target was removed, or a library for another
    processor looks installed to every tool that lists files, and fails when it is loaded.

    Example: /opt/TensorRT/lib/libnvinfer.so.10 of 134 bytes: the pointer that Git LFS left there.

    How to fix: Copy or install that TensorRT again, whole; where another one is in use, take the broken file away.

    Sources: https://man7.org/linux/man-pages/man8/ld.so.8.html
    """
    broken = [copy for copy in context.snapshot.copies if copy.component == "tensorrt" and copy.problem in _PROBLEMS]
    if not broken:
        return
    whole = bool(context.stack.of("tensorrt"))
    if whole:  # LDR205 speaks for a file at which the loader's search was seen to end
        ends = {
            (folder(item.path), spec.name)
            for loading in context.snapshot.loadings
            for item in loading.missing
            if item.path and not item.swallowed and (spec := identify(context.matrix, item.name)) is not None
        }
        broken = [copy for copy in broken if (folder(copy.path), copy.name) not in ends]
    if not broken:
        return
    first = broken[0]
    more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
    name = (first.path or first.name or "a file").rpartition("/")[2]
    yield Problem(
        Severity.WARNING if whole else Severity.ERROR,
        f"TensorRT's {name[:60]} {_PROBLEMS[first.problem or '']}{more}",
        breaks="Whoever finds this file first cannot load TensorRT: invalid ELF header, file too short, or "
        "cannot open shared object file.",
        facts=tuple(
            FoundFact(copy.name or "file", _PROBLEMS[copy.problem or ""], copy.path, "libraries") for copy in broken[:4]
        ),
        remedy=Remedy(
            "tensorrt",
            "choose",
            None,
            "Install this TensorRT again, whole, or take the broken file out of the library path.",
        ),
    )
