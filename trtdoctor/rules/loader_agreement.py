"""What was seen in a process: imports that fail there, and where it is not what was predicted from files."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.findings import FoundFact, Severity
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import advice
from trtdoctor.rules.frameworks_found import is_meant
from trtdoctor.rules.loaded_files import major_of, place
from trtdoctor.rules.loader_words import named, path_of, step_of
from trtdoctor.rules.processes import Process, is_tensorrt, pairs, processes, severity_of_failure, stops
from trtdoctor.snapshot import Loaded, Loading


@rule("LDR401", "prediction-differs", severity=Severity.INFO, components=("loader",))
def prediction_differs(context: Context) -> Iterator[Problem]:
    """A process got another file than the one that was predicted from the loader's rules.

    Why it matters: What was seen holds, and every finding rests on it. But where nothing can be run (another root, a
    recorded machine) the same prediction would be wrong, so the difference is worth a report.

    Example: predicted /usr/lib/x86_64-linux-gnu/libcudnn.so.9, seen /opt/conda/lib/libcudnn.so.9.

    How to fix: Nothing on this machine; please report it with the output of trtdoctor snapshot.

    Sources: https://man7.org/linux/man-pages/man8/ld.so.8.html
    """
    for predicted, observed in pairs(context.snapshot.loadings):
        if predicted is None or observed is None or observed.outcome != "ok" or predicted.outcome == "unknown":
            continue
        for foretold, seen in _different(context, predicted, observed):
            yield Problem(
                Severity.INFO,
                f"{predicted.importer[:40]} loads another {foretold.library} than was predicted",
                breaks="Nothing: what was seen is what is judged.",
                detail=f"Predicted {path_of(foretold)} ({step_of(foretold)}); seen {path_of(seen)}.",
                facts=(
                    FoundFact("predicted", step_of(foretold), place(foretold) or None, "loader"),
                    FoundFact("seen", step_of(seen), place(seen) or None, "loader"),
                ),
                remedy=advice("loader", "Please report it, with the output of trtdoctor snapshot --observe --redact."),
            )
            break  # one a process: a wrong turn early on brings others with it
        else:
            yield from _refuted(predicted, observed)


def _different(context: Context, predicted: Loading, observed: Loading) -> Iterator[tuple[Loaded, Loaded]]:
    """Libraries of one name of which another file was predicted than was seen."""
    seen: dict[tuple[str, int | None], list[Loaded]] = {}
    for item in observed.loaded:
        seen.setdefault(_name(context, item), []).append(item)
    for item in predicted.loaded:
        others = seen.get(_name(context, item), [])
        if others and not item.lazy and place(item) not in {place(other) for other in others}:
            yield item, others[0]


def _name(context: Context, item: Loaded) -> tuple[str, int | None]:
    return item.library, major_of(context, item)


def _refuted(predicted: Loading, observed: Loading) -> Iterator[Problem]:
    """Something was predicted to stop an import that came through."""
    wrong = [item for item in predicted.missing if stops(item)]
    if wrong:
        yield Problem(
            Severity.INFO,
            f"{predicted.importer[:40]} loads, though {wrong[0].name[:40]} was predicted to stop it",
            breaks="Nothing: what was seen is what is judged.",
            facts=(FoundFact("predicted", f"{wrong[0].name}: {wrong[0].problem}", wrong[0].needed_by, "loader"),),
            remedy=advice("loader", "Please report it, with the output of trtdoctor snapshot --observe --redact."),
        )


@rule(
    "LDR402",
    "import-fails",
    severity=Severity.ERROR,
    components=("loader", "python", "tensorrt"),
    silenced_by=(
        *("CTR101", "CTR102", "DRV101", "TRT101", "TRT102", "TRT103", "TRT104", "TRT111", "PYT101", "PYT103"),
        *("PYT102", "DNN101", "DNN102", "DNN104", "CUD101", "CUD103", "CUD105", "FWK201", "FWK301", "FWK302", "FWK303"),
        *("LDR201", "LDR202", "LDR203", "LDR204", "LDR205", "LDR206", "LDR207"),
    ),
)
def import_fails(context: Context) -> Iterator[Problem]:
    """A Python package or program was really started here, and failed, crashed or did not come back.

    Why it matters: This is no table: it happened on this machine. The last line that it printed names the cause.

    Example: import tensorrt ends with "undefined symbol: getBuilderPluginRegistry".

    How to fix: What the last line says.

    Sources: https://man7.org/linux/man-pages/man8/ld.so.8.html
    """
    alone = {item.importer: item for item in processes(context) if item.single}
    for process in processes(context):
        if not process.observed or process.outcome not in ("failed", "crashed", "timed-out"):
            continue
        if not process.single and any(alone[name].outcome != "ok" for name in process.names if name in alone):
            continue  # the one that fails alone is told
        how = {"failed": "fails", "crashed": "crashes"}.get(process.outcome, "does not come back")
        what = "Importing" if process.kind == "import" else "Starting" if process.kind == "program" else "Opening"
        then = ", in this order" if not process.single else ""
        yield Problem(
            _how_bad(context, process),
            f"{what} {named(process)}{then} {how} here",
            breaks=f"{what} {named(process)} {how}: {(process.error or 'it printed nothing')[:160]}",
            detail=f"Its last line: {process.error[:300]}" if process.error else "",
            facts=(FoundFact(named(process), process.outcome, process.where, "loader"),),
            components=("loader", _component(context, process)),
            remedy=advice("loader", "Start it by hand and read all that it prints.")
            if process.single
            else advice("python", f"Import them the other way round: {', then '.join(reversed(process.names))}."),
        )


def _how_bad(context: Context, process: Process) -> Severity:
    if process.outcome == "timed-out" or not process.single:
        return Severity.WARNING
    if is_tensorrt(context, process):
        return severity_of_failure(context, process)
    return Severity.ERROR if process.kind == "file" or is_meant(context, process.importer) else Severity.WARNING


def _component(context: Context, process: Process) -> str:
    if is_tensorrt(context, process):
        return "tensorrt-rtx" if process.importer == "tensorrt_rtx" else "tensorrt"
    known = {"torch": "torch", "onnxruntime": "onnxruntime", "torch_tensorrt": "torch-tensorrt"}
    return known.get(process.names[0], known.get(process.importer, "python"))
