"""The report for people: a verdict line, the findings from worst to mildest, one table of components.

Readable at 80 columns, in a CI log and through ``less``; colour only when asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from trtdoctor.findings import InventoryItem, Report, Verdict
from trtdoctor.render.parts import (
    MEANS,
    WIDTH,
    Paint,
    Told,
    cell_lines,
    compared_with,
    finding_lines,
    foot,
    labelled,
    probe_lines,
    python_line,
    said,
    waived_lines,
)
from trtdoctor.snapshot import ProbeOutcome
from trtdoctor.text import harmless

_TITLES = ("component", "version", "from", "how", "status")
_WIDEST = (13, 23, 22, 10, 8)
_LONGEST_CELL = 72
_VERDICTS = {Verdict.READY: "ok", Verdict.AT_RISK: "warning", Verdict.BROKEN: "error", Verdict.UNKNOWN: "unknown"}


def render(report: Report, *, verbose: bool = False, color: bool = False) -> str:
    """The whole text, with a final newline."""
    paint = Paint(color)
    lines = [*_head(report, paint)]
    told: Told = {}
    for finding in report.standing:
        lines += ["", *finding_lines(finding, paint, verbose, told)]
    waived = [item for item in report.findings if item.waived is not None]
    if waived:
        lines += ["", *(line for item in waived for line in waived_lines(item, paint))]
    if report.unknowns:
        lines += ["", *_unknowns(report, paint)]
    # What could not be looked at is said without being asked: an empty report must not pass for a clean one.
    short = [probe for probe in report.snapshot.probes if probe.outcome not in ("ok", "skipped")]
    if short and not verbose:
        lines += ["", *(line for probe in short for line in probe_lines(probe))]
    left_out = [probe for probe in report.snapshot.probes if probe.name == "canary" and probe.outcome == "skipped"]
    lines += [line for probe in left_out for line in ("", *_left_out(probe))]
    lines += ["", *_table(report.inventory, paint), "", *_foot(report, paint, verbose)]
    return "\n".join(harmless(line.rstrip()) for line in lines) + "\n"


def _left_out(probe: ProbeOutcome) -> list[str]:
    """Why no engine was built: nobody may take that for a pass."""
    text = f"no canary was run: {probe.detail or 'no reason given'}"
    return wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)


def _head(report: Report, paint: Paint) -> Iterator[str]:
    verdict = paint(_VERDICTS[report.verdict], report.verdict.prose)
    waived = len(report.findings) - len(report.standing)
    notes = [f"{waived} waived"] if waived else []
    notes += [f"{report.known} known from the baseline"] if report.known else []
    yield f"{verdict}: {MEANS[report.verdict]} ({said(report.counts)})"
    primary = next((item for item in report.standing if item.code == report.primary), None)
    if primary is not None:
        yield from labelled("cause", f"{primary.code} {primary.title}", paint)
    if notes:
        yield from labelled("besides", ", ".join(notes), paint)
    yield from labelled("goal", ", ".join(report.goal), paint)
    if report.against is not None:
        yield from labelled("plan", compared_with(report.against), paint)
    yield from python_line(report.interpreter, paint)


def _unknowns(report: Report, paint: Paint) -> Iterator[str]:
    yield paint("unknown", "not judged")
    for item in report.unknowns:
        yield from labelled(item.component, f"{item.needed}: {item.why}. Tell: {item.how_to_tell}", paint)


def _table(items: tuple[InventoryItem, ...], paint: Paint) -> Iterator[str]:
    from tabulate import tabulate

    rows = [
        (item.component, _begin(item.version or "-"), _end(item.origin or "-"), item.how or "-", item.status)
        for item in items
    ]
    # tabulate keeps a column two wider than its title.
    longest = [max(len(column[0]) + 2, *map(len, column)) for column in zip(_TITLES, *rows, strict=True)]
    widths = [min(long, most) for long, most in zip(longest, _WIDEST, strict=True)]
    # Where a component is from gets the room that the other columns leave.
    widths[2] = min(longest[2], WIDTH - 2 * (len(widths) - 1) - sum(widths) + widths[2])
    cells = [["\n".join(cell_lines(*cell)) for cell in zip(row, widths, strict=True)] for row in rows]
    painted = [[*row[:-1], paint(row[-1], row[-1])] for row in cells]
    text = tabulate(painted, headers=_TITLES, tablefmt="simple", disable_numparse=True)
    for number, line in enumerate(text.splitlines()):
        yield paint("dim", line) if number < 2 else line


def _begin(text: str) -> str:
    """A name of any length keeps its beginning."""
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "\u2026"


def _end(text: str) -> str:
    """A long path keeps its end, which says more than its beginning."""
    return text if len(text) <= _LONGEST_CELL else "\u2026" + text[1 - _LONGEST_CELL :]


def _foot(report: Report, paint: Paint, verbose: bool) -> Iterator[str]:
    yield from foot(report.program, report.matrix, report.as_of, paint)
    if report.configuration:
        yield paint("dim", f"configuration {report.configuration}")
    if verbose:
        for probe in report.snapshot.probes:
            seconds = f" ({probe.seconds} s)" if probe.seconds is not None else ""
            yield from probe_lines(probe, seconds)
