"""What fails later or without a word: libraries opened on use, and preloads whose errors are swallowed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.matrix import Fact
from trtdoctor.matrix.libraries import LibrarySpec
from trtdoctor.rules.base import MAX_TITLE, Context, Problem, rule
from trtdoctor.rules.bring_library import bring, on_disk
from trtdoctor.rules.common import advice
from trtdoctor.rules.importer_origins import made_for
from trtdoctor.rules.loaded_files import base, folder, identify
from trtdoctor.rules.loader_words import named, spoken
from trtdoctor.rules.processes import (
    Process,
    absent,
    for_want_of_driver,
    processes,
    root_of,
    severity_of_failure,
    stands_alone,
)
from trtdoctor.snapshot import Missing
from trtdoctor.stack import Installation
from trtdoctor.versions import Version


@rule(
    "LDR208",
    "opened-on-use-not-found",
    severity=Severity.ERROR,
    components=("tensorrt", "loader"),
    silenced_by=("TRT106", "DNN101", "DNN102", "DNN105", "DNN106", "LDR201", "LDR202", "LDR203", "LDR207"),
)
def opened_on_use(context: Context) -> Iterator[Problem]:
    """A library that TensorRT opens only when it is used would not be found then.

    Why it matters: The import passes; the failure comes in the middle of a build. The builder resource is opened by its
    exact version, cuDNN's sub-libraries and NVRTC's builtins by name, each from the search path of whoever asks.

    Example: libnvinfer.so.10.9.0 from /opt/trt/lib through ldconfig, its builder resource left in another directory:
    "Unable to load library: libnvinfer_builder_resource.so.10.9.0".

    How to fix: Keep the libraries of one release in one directory, and put that directory in the search path.

    Sources: trt_2218, engine_measured, nvrtc_measured
    """
    told: set[str] = set()
    for process in processes(context):
        for item in process.missing if stands_alone(context, process) else ():
            if not item.lazy or not (absent(item) or item.problem == "dependency"):
                continue
            cause = root_of(process, item)
            if not absent(cause) or cause.name in told or for_want_of_driver(context, process, item):
                continue  # what is found and cannot be used is told by LDR205 to LDR207
            spec = identify(context.matrix, item.name)
            verdict = _when_used(context, process, spec, item)
            if spec is None or verdict is None:
                continue
            told.add(cause.name)
            yield _later(context, process, item, cause, spec, verdict)


def _later(
    context: Context,
    process: Process,
    item: Missing,
    cause: Missing,
    spec: LibrarySpec,
    verdict: tuple[Severity, str, tuple[Fact, ...]],
) -> Problem:
    severity, breaks, sources = verdict
    wanted = spec if cause is item else identify(context.matrix, cause.name)
    there = on_disk(context, cause.name, wanted)
    title = f"{named(process)} would not find {item.name[:56]} when it opens it"
    opened = f"opened by {base(item.needed_by) or 'TensorRT'}"
    facts = [FoundFact(item.name, opened, item.path or item.needed_by, "loader")]
    if cause is not item:
        title = f"{named(process)} would fail to open {item.name[:48]} for want of {cause.name[:40]}"
        facts.append(FoundFact(cause.name, f"needed by {base(cause.needed_by) or item.name}", None, "loader"))
    facts += [FoundFact("outside the search path", copy.version or "?", copy.path, "libraries") for copy in there[:2]]
    return Problem(
        severity,
        title[:MAX_TITLE],
        breaks=breaks,
        detail=f"{cause.name} lies in {folder(there[0].path)}, which is not searched." if there else "",
        facts=tuple(facts),
        sources=sources,
        components=(spec.component, "loader"),
        remedy=bring(context, process, cause.name, wanted, there),
    )


def _when_used(
    context: Context, process: Process, spec: LibrarySpec | None, item: Missing
) -> tuple[Severity, str, tuple[Fact, ...]] | None:
    """How bad it is, what breaks, and what says so; None where nobody can tell that it is ever opened."""
    if spec is None or spec.component == "driver":
        return None
    if spec.role == "builder-resource":
        # Newer releases have one for each GPU instead: only a file that exists is surely the one that is wanted.
        if not context.wants("build") or not on_disk(context, item.name, spec):
            return None
        return severity_of_failure(context, process), f"Building stops: Unable to load library: {item.name}.", ()
    if spec.component in ("cudnn", "cublas"):
        from trtdoctor.rules.cudnn import required

        made = made_for(context, process)
        needs = [(found, facts) for found, _, facts in required(context) if made is None or _is(found, made)]
        if not needs:
            return None  # this release does well without it
        return Severity.WARNING, f"Layers that use {spoken(spec.component)} stop, or the process aborts.", needs[0][1]
    if spec.component == "nvrtc":
        return Severity.WARNING, f"Kernels that are compiled at run time fail: failed to open {item.name}.", ()
    return None


def _is(item: Installation, made: Version) -> bool:
    return item.version is not None and item.version.may_be(made)


@rule(
    "LDR209",
    "preload-fails-silently",
    severity=Severity.WARNING,
    components=("loader", "tensorrt"),
    silenced_by=("TRT102", "DNN101", "DNN102", "CUD103", "CUD105", *(f"LDR20{number}" for number in range(1, 8))),
)
def preload_fails(context: Context) -> Iterator[Problem]:
    """A package opens each library of its directory before it needs them, and some of them fail without a word.

    Why it matters: TensorRT's wheels load their libraries so, and swallow every error. What is not loaded is searched
    for later, in other places: another copy may answer, or the first build stops.

    Example: tensorrt_libs/libnvinfer_plugin.so.8 cannot be opened for want of libcudnn.so.8; import tensorrt passes.

    How to fix: Bring what the named file lacks.

    Sources: engine_measured, tensorrt_wheels
    """
    for process in processes(context):
        if not stands_alone(context, process):
            continue
        got = {name for item in process.loaded for name in (item.soname, base(item.path), base(item.realpath)) if name}
        libs = {item.library for item in process.loaded}
        failed = [item for item in process.missing if item.swallowed and base(item.path or item.name) not in got]
        failed = [item for item in failed if not _loaded_after_all(context, item, libs)]
        failed = [item for item in failed if not for_want_of_driver(context, process, item)]
        causes = {item.detail for item in failed if item.problem == "dependency"}
        shown = [item for item in failed if item.name not in causes] or failed
        if not shown:
            continue
        first = shown[0]
        useful = [item for item in failed if _role(context, item) in ("builder", "plugin", "parser")]
        more = f" (and {len(shown) - 1} more)" if len(shown) > 1 else ""
        yield Problem(
            Severity.WARNING if useful else Severity.INFO,
            f"{named(process)} fails to preload {base(first.path or first.name)[:48]}{more} and says nothing",
            breaks="What needs it later searches in other places, or stops: "
            + (f"{_why(first)}." if useful else "nothing that TensorRT needs at first."),
            facts=tuple(
                FoundFact(base(item.path or item.name), _why(item), item.path or item.needed_by, "loader")
                for item in shown[:5]
            ),
            remedy=_first_cause(context, process, shown),
        )


def _loaded_after_all(context: Context, item: Missing, libs: set[str]) -> bool:
    spec = identify(context.matrix, base(item.path or item.name))
    return spec is not None and spec.name in libs


def _role(context: Context, item: Missing) -> str | None:
    spec = identify(context.matrix, base(item.path or item.name))
    return spec.role if spec is not None and spec.component == "tensorrt" else None


def _why(item: Missing) -> str:
    words = {
        "not-found": "cannot be found",
        "dependency": f"for want of {item.detail}" if item.detail else "for want of another library",
        "symbol-version": f"needs {item.detail}",
        "undefined-symbol": f"undefined symbol {item.detail}",
        "executable-stack": "asks for an executable stack",
        "not-elf": "is no library",
        "truncated": "is cut short",
    }
    return words.get(item.problem, "cannot be opened")


def _first_cause(context: Context, process: Process, shown: Iterable[Missing]) -> Remedy:
    for item in shown:
        name = item.detail if item.problem == "dependency" and item.detail else item.name
        spec = identify(context.matrix, name)
        of_driver = spec is not None and spec.component == "driver"
        if not of_driver and (absent(item) or item.problem == "dependency"):
            return bring(context, process, name, spec, on_disk(context, name, spec))
    return advice("loader", "Install again what the named files belong to, whole.")
