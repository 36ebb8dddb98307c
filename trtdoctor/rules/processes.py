"""What each process gets from the loader, as the LDR rules look at it. No rule is registered here.

A prediction and an observation of one importer are one process here: what was seen counts, and the prediction adds what
an import alone does not show (libraries that are opened only on use) and by which step of the search each was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from trtdoctor.findings import Severity
from trtdoctor.record import record
from trtdoctor.rules.base import Context
from trtdoctor.rules.loaded_files import base, identify, place
from trtdoctor.rules.windows_path import foretold
from trtdoctor.snapshot import Loaded, Loading, Missing

FULL = frozenset({"tensorrt", "tensorrt_bindings", "trtexec"})
"""Importers that use the same libraries: one that works shows that they are there."""
_ABSENT = frozenset({"not-found", "foreign-architecture"})
_UNUSABLE = frozenset({"not-elf", "truncated", "unreadable"})


@record
class Process:
    """What one importer gets: observed where somebody looked, predicted otherwise."""

    importer: str
    names: tuple[str, ...]
    """``("torch", "tensorrt")`` for ``torch, tensorrt``."""
    kind: str
    outcome: str
    error: str | None
    path: str | None
    owner: str | None
    observed: bool
    seen: frozenset[str]
    """Real paths of what was seen in the process; what is loaded beside it was only predicted."""
    loaded: tuple[Loaded, ...]
    missing: tuple[Missing, ...]

    @property
    def single(self) -> bool:
        """Whether it is one importer, not several in an order."""
        return len(self.names) == 1

    @property
    def where(self) -> str | None:
        """What is loaded: the package, the program, the file."""
        return self.path or self.owner


def processes(context: Context) -> tuple[Process, ...]:
    """Every importer once, in the order of the Snapshot."""
    return context.remember("processes", lambda: tuple(_processes(context)))


def pairs(loadings: Iterable[Loading]) -> Iterator[tuple[Loading | None, Loading | None]]:
    """Prediction and observation of each importer; one of them may be lacking."""
    found: dict[tuple[str, str], dict[str, Loading]] = {}
    for item in loadings:
        found.setdefault((item.importer, item.kind), {}).setdefault(item.method, item)
    for ways in found.values():
        yield ways.get("predicted"), ways.get("observed")


def _processes(context: Context) -> Iterator[Process]:
    for predicted, observed in pairs((*context.snapshot.loadings, *foretold(context))):
        first = observed or predicted
        if first is None:
            continue  # a method that this reader does not know
        ways = [item for item in (observed, predicted) if item is not None]
        loaded, missing = _together(predicted, observed)
        yield Process(
            importer=first.importer,
            names=tuple(first.importer.split(", ")),
            kind=first.kind,
            outcome=first.outcome,
            error=first.error,
            path=next((item.path for item in ways if item.path), None),
            owner=next((item.owner for item in ways if item.owner), None),
            observed=observed is not None,
            seen=frozenset(place(item) for item in observed.loaded) if observed else frozenset(),
            loaded=loaded,
            missing=missing,
        )


def _together(predicted: Loading | None, observed: Loading | None) -> tuple[tuple[Loaded, ...], tuple[Missing, ...]]:
    if observed is None or predicted is None:
        only = observed or predicted
        return (only.loaded, only.missing) if only else ((), ())
    steps = {place(item): item for item in predicted.loaded}
    loaded = [_with_step(item, steps.get(place(item))) for item in observed.loaded]
    seen = {item.library for item in observed.loaded}
    loaded += [item for item in predicted.loaded if item.lazy and item.library not in seen]
    got = {name for item in observed.loaded for name in (item.soname, base(item.path), base(item.realpath)) if name}
    told = {item.name for item in observed.missing}
    # A process that came through refutes what was foretold to stop it.
    kept = [
        item
        for item in predicted.missing
        if item.name not in told | got and (observed.outcome != "ok" or item.lazy or item.swallowed)
    ]
    return tuple(loaded), (*observed.missing, *kept)


def _with_step(item: Loaded, foretold: Loaded | None) -> Loaded:
    if foretold is None or item.step is not None:
        return item
    asked = foretold.soname or item.soname
    return replace(item, step=foretold.step, entry=foretold.entry, needed_by=foretold.needed_by, soname=asked)


def is_tensorrt(context: Context, process: Process) -> bool:
    """Whether it is TensorRT's own module or program, not a framework on top of it."""

    def make() -> frozenset[str]:
        rows = context.matrix.rows("distributions", "distributions")
        ours = [row for row in rows if row.text("component") in ("tensorrt", "tensorrt-rtx")]
        return frozenset(name for row in ours for name in row.get("imports").value or () if isinstance(name, str))

    modules = context.matrix.remember("rules: modules of TensorRT", make)
    if process.kind == "import":
        return all(name in modules for name in process.names)
    return process.importer == "trtexec"


def stands_alone(context: Context, process: Process) -> bool:
    """Whether a process is judged by the LDR rules on missing libraries: TensorRT's own, or a file that was named."""
    return process.single and (is_tensorrt(context, process) or (process.kind == "file" and not _framework(process)))


def _framework(process: Process) -> bool:
    """A file of a framework's package; rules of family FWK speak for those."""
    path = process.path or process.importer
    return any(word in path for word in ("onnxruntime", "torch", "triton", "tensorrt_llm", "tensorflow"))


def works(process: Process) -> bool:
    """Whether nothing is known to stop it."""
    return process.outcome in ("ok", "unknown") and not any(stops(item) for item in process.missing)


def stops(item: Missing) -> bool:
    """Whether whoever asks for it fails at once."""
    return not item.lazy and not item.swallowed


def severity_of_failure(context: Context, process: Process) -> Severity:
    """How bad it is that an importer cannot start: an error unless another way to the same TensorRT works."""
    if process.kind == "file" or (process.kind == "import" and context.wants("python")):
        return Severity.ERROR
    if process.kind == "program" and context.wants("cpp"):
        return Severity.ERROR
    names = FULL if process.importer in FULL else frozenset({process.importer})
    others = (item for item in processes(context) if item.single and item.importer in names and item is not process)
    return Severity.WARNING if any(works(item) for item in others) else Severity.ERROR


def absent(item: Missing) -> bool:
    """Whether the search found nothing that serves; files for another architecture are passed over."""
    return item.problem in _ABSENT


def root_of(process: Process, item: Missing) -> Missing:
    """What is lacking in the end: the library that fails, for one that fails only because another one does."""
    *_, last = _causes(process, item)
    return last


def for_want_of_driver(context: Context, process: Process, item: Missing) -> bool:
    """Whether a library fails only because the driver's own are not there, of which family DRV speaks."""
    specs = (identify(context.matrix, cause.name) for cause in _causes(process, item))
    return any(spec is not None and spec.component == "driver" for spec in specs)


def _causes(process: Process, item: Missing) -> Iterator[Missing]:
    """A library that fails, the one that it fails for, and so on."""
    lacking = {other.name: other for other in process.missing}
    for _ in range(len(lacking) + 1):
        yield item
        if item.problem != "dependency" or not item.detail:
            return
        item = lacking.get(item.detail, Missing(item.detail, needed_by=item.path))


def unusable(item: Missing) -> bool:
    """Whether the search stopped at a file that is no library."""
    return item.problem in _UNUSABLE
