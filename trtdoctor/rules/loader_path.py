"""The search path that the environment sets: entries that lead nowhere, and entries that decide."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trtdoctor.findings import FoundFact, Severity
from trtdoctor.lazyre import pattern
from trtdoctor.rules.base import MAX_TITLE, Context, Problem, rule
from trtdoctor.rules.common import advice
from trtdoctor.rules.loaded_files import alike, component_of, identify, spec_of, three, version_of
from trtdoctor.rules.loader_words import copy_fact, loaded_fact, named, path_of, short_place, spoken
from trtdoctor.rules.processes import Process, processes, stands_alone, stops
from trtdoctor.rules.releases import joined
from trtdoctor.rules.windows_path import beside_python, bindings, entries, file_name, is_windows, on_path
from trtdoctor.snapshot import Copy, SearchEntry
from trtdoctor.versions import Answer, Version, within

_MISTYPED = (
    (re.compile(r"[<>]"), "still has the angle brackets of a how-to"),
    (re.compile(r"[\"']"), "has quotes in it"),
    (re.compile(r"^~"), "begins with ~, which only a shell replaces"),
    (re.compile(r"\$(?!ORIGIN|LIB|PLATFORM|\{(?:ORIGIN|LIB|PLATFORM)\})"), "has a $ that was not replaced"),
    (re.compile(r"^\s|\s$"), "begins or ends with a blank"),
    (re.compile(r"\.\.\.|…|/path/to/"), "is an example, not a directory"),
)
"""What no directory is called, and why it stands there."""
_REDACTED = pattern(r"<dir\d+>|<hidden>")
_NAMES_TENSORRT = pattern(r"tensorrt|nvinfer", re.IGNORECASE)


@rule("LDR301", "search-path-to-tensorrt-mistyped", severity=Severity.ERROR, components=("loader", "tensorrt"))
def mistyped(context: Context) -> Iterator[Problem]:
    """An entry of LD_LIBRARY_PATH that is to lead to TensorRT cannot be a directory as it is written.

    Why it matters: The loader passes by entries that do not exist and says nothing. A bracket or a tilde copied from
    instructions looks right at a glance, and the library is "not found" although it is there.

    Example: LD_LIBRARY_PATH=</home/me/TensorRT-8.2.1.8/lib>: libnvinfer.so.8: cannot open shared object file.

    How to fix: Write the directory as it is.

    Sources: https://man7.org/linux/man-pages/man8/ld.so.8.html,
    https://github.com/jkjung-avt/tensorrt_demos/issues/517
    """
    lacking = [item for item in processes(context) if stands_alone(context, item) and _lacks_tensorrt(context, item)]
    absent = not context.stack.of("tensorrt") and "tensorrt" in context.snapshot.searched
    for entry, why in _mistyped(context):
        if _NAMES_TENSORRT.search(entry.path or ""):
            yield _mistake(
                entry,
                why,
                Severity.ERROR if lacking or absent else Severity.WARNING,
                f"The loader does not look there, and says nothing: {_first_missing(lacking)}",
                ("loader", "tensorrt"),
            )


@rule("LDR304", "search-path-mistyped", severity=Severity.WARNING, components=("loader",))
def mistyped_elsewhere(context: Context) -> Iterator[Problem]:
    """An entry of LD_LIBRARY_PATH cannot be a directory as it is written.

    Why it matters: The loader passes by entries that do not exist and says nothing: what was to be found there is not.

    Example: LD_LIBRARY_PATH=~/cudnn/lib, written into a file that no shell reads.

    How to fix: Write the directory as it is.

    Sources: https://man7.org/linux/man-pages/man8/ld.so.8.html
    """
    lacking = [item for item in processes(context) if stands_alone(context, item) and any(map(stops, item.missing))]
    for entry, why in _mistyped(context):
        if not _NAMES_TENSORRT.search(entry.path or ""):
            yield _mistake(
                entry,
                why,
                Severity.WARNING if lacking else Severity.INFO,
                "The loader does not look there, and says nothing.",
                ("loader",),
            )


def _mistyped(context: Context) -> Iterator[tuple[SearchEntry, str]]:
    """Entries that no directory is called, each with what is wrong with it."""
    for entry in _stated(context):
        text = _REDACTED.sub("", entry.path or "")
        why = next((words for form, words in _MISTYPED if form.search(text)), None)
        if why is not None and entry.state != "ok":
            yield entry, why


def _mistake(entry: SearchEntry, why: str, severity: Severity, breaks: str, components: tuple[str, ...]) -> Problem:
    text = entry.path or ""
    return Problem(
        severity,
        f"An entry of {entry.variable} {why}: {_shown(text)}"[:MAX_TITLE],
        breaks=breaks,
        facts=(FoundFact(entry.variable, f"entry {entry.position + 1}", text, "loader"),),
        components=components,
        remedy=advice("loader", f"Write the directory as it is: {_mended(text)}", why),
    )


def _lacks_tensorrt(context: Context, process: Process) -> bool:
    """Whether a process stops for want of one of TensorRT's own libraries."""
    specs = [identify(context.matrix, item.name) for item in process.missing if stops(item)]
    return any(spec is not None and spec.component == "tensorrt" for spec in specs)


def _stated(context: Context) -> list[SearchEntry]:
    """The entries as probed; of a declared environment as it states the variable."""
    found = [item for item in context.snapshot.search_entries if item.variable.upper() != "PATH"]
    value = context.snapshot.setting("LD_LIBRARY_PATH")
    if found or not value:
        return found
    return [SearchEntry(position=number, path=part, state="") for number, part in enumerate(value.split(":"))]


def _first_missing(lacking: list[Process]) -> str:
    for process in lacking:
        for item in process.missing:
            if stops(item):
                return f"{item.name} is not found."
    return "what lies there is not found."


def _shown(text: str) -> str:
    return text if len(text) <= 48 else f"{text[:30]}…{text[-17:]}"


def _mended(text: str) -> str:
    """The entry without what no directory is called; for a person to read, never a command."""
    return text.strip().strip("<>\"'").replace("~", "$HOME", 1) if text.startswith("~") else text.strip(" <>\"'")


@rule("LDR302", "search-path-of-current-directory", severity=Severity.INFO, components=("loader",))
def current_directory(context: Context) -> Iterator[Problem]:
    """LD_LIBRARY_PATH has an empty or a relative entry: the loader looks in the current directory.

    Why it matters: What is loaded then depends on where a program is started, and anybody who may write there decides.
    An empty entry comes from a colon too many: "$LD_LIBRARY_PATH:/opt/trt/lib" where the variable was not set.

    Example: LD_LIBRARY_PATH=:/usr/local/TensorRT/lib.

    How to fix: Write ${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:} before the new directory.

    Sources: https://man7.org/linux/man-pages/man8/ld.so.8.html
    """
    found = [item for item in context.snapshot.search_entries if item.variable == "LD_LIBRARY_PATH"]
    loose = [item for item in found if item.state == "relative" and item.libraries]
    if loose:
        yield Problem(
            Severity.INFO,
            "LD_LIBRARY_PATH makes the loader look in the current directory, and libraries of the stack lie there",
            breaks="Which copy is loaded depends on the directory in which a program is started.",
            facts=tuple(
                FoundFact("LD_LIBRARY_PATH", f"entry {item.position + 1}", item.path or "(empty)", "loader")
                for item in loose[:3]
            ),
            remedy=advice("loader", "Take empty and relative entries out of LD_LIBRARY_PATH."),
        )


@rule(
    "LDR303",
    "search-path-decides",
    severity=Severity.INFO,
    components=("loader", "tensorrt"),
    silenced_by=("LDR101", "LDR102", "LDR103", "LDR105", "TRT110"),
)
def decides(context: Context) -> Iterator[Problem]:
    """An entry of LD_LIBRARY_PATH decides which of several versions of a library wins.

    Why it matters: It holds for this shell alone. sudo, a service, a container or another terminal gets the other copy,
    and an engine built here does not load there.

    Example: LD_LIBRARY_PATH=/opt/TensorRT-10.9/lib over TensorRT 10.3 of apt.

    How to fix: Nothing, if it is meant; else take the entry out.

    Sources: https://man7.org/linux/man-pages/man8/ld.so.8.html, https://github.com/NVIDIA/TensorRT/issues/3418
    """
    told: set[str] = set()
    for process in processes(context):
        for item in process.loaded if process.single else ():
            spec, version = spec_of(context.matrix, item), version_of(context, item)
            main = spec is not None and spec.role in ("runtime", "builder", "lean", "dispatch")
            if item.step != "ld_library_path" or not main or version is None or spec is None or spec.component in told:
                continue
            others = [copy for copy in alike(context, item) if _differs(copy, version)]
            if not others:
                continue
            told.add(spec.component)
            shown = joined(list(dict.fromkeys(str(copy.version) for copy in others))[:2], "or")
            yield Problem(
                Severity.INFO,
                f"LD_LIBRARY_PATH gives {named(process)} {spoken(component_of(context, item))} {version}, not {shown}",
                breaks="Nothing here; without this variable (sudo, a service, another shell) the other one is loaded.",
                detail=f"Entry {item.entry or '?'} leads to {path_of(item)}.",
                facts=(loaded_fact(context, process, item), *(copy_fact(copy, "hidden") for copy in others[:3])),
                components=("loader", spec.component),
            )


def _differs(copy: Copy, version: Version) -> bool:
    other = Version.maybe(copy.version)
    return other is not None and three(other).same_as(three(version)) is Answer.NO


# -- Windows -----------------------------------------------------------------------------------------------------------


@rule(
    "LDR311",
    "dll-not-on-path",
    severity=Severity.ERROR,
    components=("tensorrt", "loader"),
    silenced_by=("TRT101", "TRT102", "LDR201"),
)
def not_on_path(context: Context) -> Iterator[Problem]:
    """On Windows, TensorRT's DLLs lie on the disk, and PATH does not lead to them.

    Why it matters: The Python bindings look for nvinfer_10.dll in the directories of PATH alone: "Could not find:
    nvinfer_10.dll. Is it on your PATH?"

    Example: the zip of TensorRT 10 unpacked in C:/TensorRT, its wheel installed, PATH not changed.

    How to fix: Add the directory that holds the DLLs to PATH and open a new terminal.

    Sources: https://github.com/NVIDIA/TensorRT/issues/3252, trt_bindings
    """
    version = bindings(context) if is_windows(context) and entries(context) else None
    if version is None or context.snapshot.loadings:
        return
    cores = [
        copy
        for copy in context.snapshot.copies
        if copy.component == "tensorrt" and copy.role == "builder" and copy.problem is None and copy.product != "rtx"
    ]
    cores = [copy for copy in cores if (Version.maybe(copy.version) or version).may_be(Version.parse(version.short(1)))]
    if not cores or any(beside_python(copy) for copy in cores):
        return
    reached = {way.path for ways in on_path(context).values() for _, way in ways}
    if any(copy.path in reached for copy in cores):
        return
    name = file_name(cores[0])
    place = (cores[0].path or "")[: -len(name)].rstrip("\\/")
    yield Problem(
        Severity.ERROR,
        f"{name} ({cores[0].version or version}) lies in {short_place(cores[0].path, 40)}, which is not on PATH",
        breaks=f"import tensorrt fails: Could not find: {name}. Is it on your PATH?",
        facts=(
            FoundFact(name, cores[0].version or "?", cores[0].path, "libraries"),
            FoundFact("PATH", f"{len(entries(context))} entries", None, "loader"),
        ),
        remedy=advice("loader", f"Add {place} to PATH and open a new terminal.", "the bindings look on PATH alone"),
    )


@rule(
    "LDR312",
    "two-dlls-on-path",
    severity=Severity.WARNING,
    components=("loader", "tensorrt"),
    silenced_by=("LDR101",),
)
def two_on_path(context: Context) -> Iterator[Problem]:
    """On Windows, PATH leads to several versions of one DLL: the first directory wins.

    Why it matters: DLL names carry the major at most. Whichever program put its directory in front decides for all.

    Example: nvinfer_10.dll 10.3 in the first directory of PATH, and 10.9 in a later one.

    How to fix: Leave one of them on PATH, or put the wanted directory first.

    Sources: https://github.com/NVIDIA/TensorRT/issues/3252, https://github.com/NVIDIA/TensorRT/issues/2460
    """
    if not is_windows(context):
        return
    told: set[str] = set()
    for name, ways in on_path(context).items():
        entry, winner = ways[0]
        version = Version.maybe(winner.version)
        losers = [(where, copy) for where, copy in ways[1:] if version is not None and _differs(copy, version)]
        if not losers or winner.component in told or version is None:
            continue
        told.add(winner.component)
        newer = any(_minor_above(copy, version) for _, copy in losers)
        core = winner.component == "tensorrt"
        yield Problem(
            Severity.WARNING if core or newer else Severity.INFO,
            f"PATH leads to {name} {version} first, then to {joined([str(copy.version) for _, copy in losers[:2]])}",
            breaks="Engines and programs made with the other release do not fit the one that is loaded."
            if core
            else "Programs that were built with the newer one get the older."
            if newer
            else "Nothing that is known: the newer one comes first.",
            detail=f"{entry.path} comes before {joined([str(where.path) for where, _ in losers[:2]])}.",
            facts=(
                FoundFact(name, f"{version}, wins", winner.path, "libraries"),
                *(FoundFact(name, f"{copy.version}, hidden", copy.path, "libraries") for _, copy in losers[:3]),
            ),
            components=("loader", winner.component),
            remedy=advice("loader", "Leave one of these directories on PATH, or put the wanted one first.")
            if core or newer
            else None,
        )


def _minor_above(copy: Copy, version: Version) -> bool:
    other = Version.maybe(copy.version)
    return other is not None and Version.parse(version.short(2)).below(Version.parse(other.short(2))) is Answer.YES


@rule(
    "LDR313",
    "cudnn-helper-dll-missing",
    severity=Severity.WARNING,
    components=("cudnn", "loader"),
    silenced_by=("DNN101", "DNN102", "DNN106"),
)
def helper_missing(context: Context) -> Iterator[Problem]:
    """On Windows, cuDNN 8 wants a zlib DLL that neither Windows nor cuDNN brings, and PATH leads to none.

    Why it matters: cuDNN looks for it when a convolution is prepared: "Could not locate zlibwapi.dll. Please make sure
    it is in your library path!", and the process ends.

    Example: cuDNN 8.4 on Windows 10 without zlibwapi.dll.

    How to fix: Put zlibwapi.dll (64 bit) into a directory of PATH, as cuDNN's installation guide says.

    Sources: cupy_6226, ort_17510, yoloseries_67
    """
    if not is_windows(context) or not entries(context) or "zlib" not in context.snapshot.searched:
        return  # where nobody looked for it, nobody knows
    for row in context.matrix.rows("cudnn", "helpers"):
        fact = row.get("versions")
        present = any(copy.component == "zlib" and copy.problem is None for copy in context.snapshot.copies)
        items = [item for item in context.stack.of("cudnn") if item.version]
        wanting = [item for item in items if item.version and within(item.version, str(fact.value)) is Answer.YES]
        if present or not wanting or any(item.origin == "pip" for item in wanting):
            continue
        yield Problem(
            Severity.WARNING,
            f"cuDNN {wanting[0].version} on Windows needs {row.key}, and none was found",
            breaks=f"The process ends when a convolution is prepared: Could not locate {row.key}.",
            facts=(wanting[0].found(), FoundFact(row.key, "none", "directories of PATH", "loader")),
            sources=(fact,),
            remedy=advice("cudnn", f"Put the 64-bit {row.key} into a directory of PATH.", "cuDNN does not bring it"),
        )
