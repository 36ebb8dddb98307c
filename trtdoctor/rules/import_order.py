"""Which copy a process gets depends on the order of its imports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.loaded_files import component_of, copy_of, major_of, place, version_of
from trtdoctor.rules.loader_words import loaded_fact, path_of, step_of
from trtdoctor.rules.processes import Process, processes
from trtdoctor.rules.releases import joined
from trtdoctor.snapshot import Loaded
from trtdoctor.versions import Answer, Version


@rule(
    "LDR107",
    "import-order-matters",
    severity=Severity.WARNING,
    components=("loader", "torch", "tensorrt"),
    silenced_by=("LDR103", "DNN104"),
)
def import_order(context: Context) -> Iterator[Problem]:
    """Two Python packages get another copy of a library depending on which of them is imported first.

    Why it matters: The first request loads a library, and whoever asks for that name later gets the same file. One of
    the two orders gives a package a library that it was not built with: crashes and refusals that come and go with an
    import line.

    Example: On Windows tensorrt imported before torch loads the toolkit's cublas64_11.dll, and torch's own libraries
    cannot be loaded beside it (WinError 127).

    How to fix: Import them in the order that gives each its own library; nearly always torch first.

    Sources: https://github.com/NVIDIA/TensorRT/issues/1693, https://github.com/pytorch/pytorch/issues/103852
    """
    by_names: dict[frozenset[str], list[Process]] = {}
    for process in processes(context):
        if not process.single and process.kind == "import":
            by_names.setdefault(frozenset(process.names), []).append(process)
    for orders in by_names.values():
        if len(orders) < 2:
            continue
        first, second = orders[0], orders[1]
        differing = list(_differing(context, first, second))
        if differing:
            yield _order_problem(context, first, second, differing)


_Pair = tuple[Loaded, Loaded]


def _differing(context: Context, first: Process, second: Process) -> Iterator[_Pair]:
    """Libraries of which the two orders give different files of one major."""
    others = {(item.library, major_of(context, item)): item for item in second.loaded}
    for item in first.loaded:
        other = others.get((item.library, major_of(context, item)))
        if other is not None and place(other) != place(item):
            yield item, other


def _order_problem(context: Context, first: Process, second: Process, differing: list[_Pair]) -> Problem:
    matters = [pair for pair in differing if _minors_differ(context, pair)]
    one, other = (matters or differing)[0]
    better = _better(context, first, second, (matters or differing))
    versions = [str(version_of(context, item) or "?") for item in (one, other)]
    component = component_of(context, one) or "cuda"
    frameworks = [name for name in first.names if not name.startswith("tensorrt")]
    facts = [fact for pair in (matters or differing)[:3] for fact in _both(context, first, second, pair)]
    return Problem(
        Severity.WARNING if matters else Severity.INFO,
        f"The order of imports decides on {one.library}: {_arrow(first)} gives {versions[0]}, {_arrow(second)} "
        f"{versions[1]}",
        breaks="In one of the orders a package gets a library that it was not built with: crashes or refusals."
        if matters
        else _harmless(context, differing),
        detail=f"{_arrow(first)}: {path_of(one)}, {step_of(one)}. "
        f"{_arrow(second)}: {path_of(other)}, {step_of(other)}.",
        facts=tuple(facts),
        components=(component, "loader", frameworks[0] if frameworks else "tensorrt"),
        remedy=Remedy(
            "python",
            "change-code",
            None,
            "each package then gets the library that it brought",
            (("text", f"Import {better.names[0]} before {joined(list(better.names[1:]))}."),),
        )
        if matters and better is not None
        else None,
    )


def _both(context: Context, first: Process, second: Process, pair: _Pair) -> Iterable[FoundFact]:
    return (loaded_fact(context, first, pair[0]), loaded_fact(context, second, pair[1]))


def _harmless(context: Context, differing: list[_Pair]) -> str:
    known = all(len(version.parts) > 1 for pair in differing for version in _versions(context, pair))
    if known and all(len(_versions(context, pair)) == len(pair) for pair in differing):
        return "Nothing that is known: both are of one minor release."
    return "Not known: of one of the two only the major can be told."


def _versions(context: Context, pair: _Pair) -> list[Version]:
    return [version for version in (version_of(context, item) for item in pair) if version is not None]


def _minors_differ(context: Context, pair: _Pair) -> bool:
    versions = _versions(context, pair)
    if len(versions) < len(pair):
        return False
    one, other = versions
    return Version.parse(one.short(2)).same_as(Version.parse(other.short(2))) is Answer.NO


def _better(context: Context, first: Process, second: Process, pairs: list[_Pair]) -> Process | None:
    """The order in which the library comes from a Python package's own files; None when that does not tell."""

    def own(item: Loaded) -> bool:
        copy = copy_of(context, item)
        of_wheel = (copy.owner or "").partition(" ")[0] if copy else ""
        path = place(item).replace("\\", "/")
        return of_wheel in context.stack.distributions or "/site-packages/" in path or "/torch/lib/" in path

    kept = {own(one) for one, _ in pairs}, {own(other) for _, other in pairs}
    if kept == ({True}, {False}):
        return first
    if kept == ({False}, {True}):
        return second
    return None


def _arrow(process: Process) -> str:
    return ", then ".join(process.names)
