"""The report for people: a verdict line, the findings from worst to mildest, one table of components.

Readable at 80 columns, in a CI log and through ``less``; colour only when asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import TYPE_CHECKING

from trtdoctor.findings import STALE_DAYS, Finding, Fix, InventoryItem, Report, Severity, Verdict
from trtdoctor.text import harmless

if TYPE_CHECKING:
    from trtdoctor.snapshot import ProbeOutcome

WIDTH = 80
_LABEL = 9
_TITLES = ("component", "version", "from", "how", "status")
_WIDEST = (13, 23, 22, 10, 8)
_LONGEST_CELL = 72
_STYLES = {
    "error": "31;1",
    "warning": "33;1",
    "info": "36",
    "ok": "32",
    "unknown": "35",
    "absent": "2",
    "bold": "1",
    "dim": "2",
}
_VERDICTS = {Verdict.READY: "ok", Verdict.AT_RISK: "warning", Verdict.BROKEN: "error", Verdict.UNKNOWN: "unknown"}
_MEANS = {
    Verdict.READY: "nothing found that stands in the way",
    Verdict.AT_RISK: "it may work, but not surely",
    Verdict.BROKEN: "it will fail",
    Verdict.UNKNOWN: "too little is known to say",
}
_CHOSEN = {
    "--python": "named by --python",
    "VIRTUAL_ENV": "the active virtual environment",
    "CONDA_PREFIX": "the active conda environment",
    "PATH": "python3 on PATH",
    "own": "trtdoctor's own",
}


def render(report: Report, *, verbose: bool = False, color: bool = False) -> str:
    """The whole text, with a final newline."""
    paint = _Paint(color)
    lines = [*_head(report, paint)]
    for finding in report.findings:
        lines += ["", *_finding(finding, paint, verbose)]
    if report.unknowns:
        lines += ["", *_unknowns(report, paint)]
    # What could not be looked at is said without being asked: an empty report must not pass for a clean one.
    short = [probe for probe in report.snapshot.probes if probe.outcome not in ("ok", "skipped")]
    if short and not verbose:
        lines += ["", *(line for probe in short for line in _probe(probe))]
    lines += ["", *_table(report.inventory, paint), "", *_foot(report, paint, verbose)]
    return "\n".join(harmless(line.rstrip()) for line in lines) + "\n"


class _Paint:
    """Colours words, or does not."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def __call__(self, style: str, text: str) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.on and style in _STYLES else text


def _head(report: Report, paint: _Paint) -> Iterator[str]:
    counts = [
        f"{number} {name}{'s' if number > 1 and name != 'info' else ''}"
        for name, number in report.counts.items()
        if number
    ]
    said = ", ".join(counts) or "no findings"
    verdict = paint(_VERDICTS[report.verdict], report.verdict.prose)
    yield f"{verdict}: {_MEANS[report.verdict]} ({said})"
    primary = next((item for item in report.findings if item.code == report.primary), None)
    if primary is not None:
        yield from _labelled("cause", f"{primary.code} {primary.title}", paint)
    yield from _labelled("goal", ", ".join(report.goal), paint)
    python = report.interpreter
    if python and python.get("path"):
        chosen = _CHOSEN.get(python["chosen_by"] or "", python["chosen_by"])
        yield from _labelled("python", f"{python['path']}, {python['version'] or 'version unknown'} ({chosen})", paint)


def _finding(finding: Finding, paint: _Paint, verbose: bool) -> Iterator[str]:
    head = wrap(
        f"{finding.severity.value} {finding.code} {finding.title}",
        WIDTH,
        subsequent_indent="  ",
        break_on_hyphens=False,
    )
    word = finding.severity.value
    yield paint(word, word) + head[0][len(word) :]
    yield from head[1:]
    if finding.severity is Severity.INFO and not verbose:
        yield from _sources(finding, paint, only_site=True)
        return
    if finding.detail:
        yield from _labelled("", finding.detail, paint)
    for fact in finding.facts:
        where = f" ({fact.where})" if fact.where else ""
        yield from _labelled("found", f"{fact.key} {fact.value}{where}", paint)
    if finding.breaks:
        yield from _labelled("breaks", finding.breaks, paint)
    for fix in finding.fix:
        yield from _fix(fix, paint)
    yield from _sources(finding, paint, every=verbose)


def _sources(finding: Finding, paint: _Paint, *, every: bool = False, only_site: bool = False) -> Iterator[str]:
    """The first source, or all; a site's overlay always: what a site says is never passed off as the vendor's."""
    for number, source in enumerate(finding.sources):
        site = source.id.startswith("overlay:")
        if site or (not only_site and (every or number == 0)):
            text = f"{source.id} {source.url or ''}" if site else source.url or source.id
            yield from _labelled("source", f"{source.certainty}: {text}", paint)


def _fix(fix: Fix, paint: _Paint) -> Iterator[str]:
    notes = [note for flag, note in ((fix.needs_root, "as root"), (fix.needs_reboot, "then reboot")) if flag]
    note = f"  # {', '.join(notes)}" if notes else ""
    if fix.kind == "shell":
        # A command stays on one line, whatever its length: it is there to be copied.
        yield f"  {paint('bold', 'fix'.ljust(_LABEL))}$ {fix.text}{note}"
    else:
        yield from _labelled("fix", f"{fix.text}{' (' + ', '.join(notes) + ')' if notes else ''}", paint)


def _unknowns(report: Report, paint: _Paint) -> Iterator[str]:
    yield paint("unknown", "not judged")
    for item in report.unknowns:
        yield from _labelled(item.component, f"{item.needed}: {item.why}. Tell: {item.how_to_tell}", paint)


def _table(items: tuple[InventoryItem, ...], paint: _Paint) -> Iterator[str]:
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
    cells = [["\n".join(_cell(*cell)) for cell in zip(row, widths, strict=True)] for row in rows]
    painted = [[*row[:-1], paint(row[-1], row[-1])] for row in cells]
    text = tabulate(painted, headers=_TITLES, tablefmt="simple", disable_numparse=True)
    for number, line in enumerate(text.splitlines()):
        yield paint("dim", line) if number < 2 else line


def _cell(text: str, width: int) -> list[str]:
    """The lines of a cell; a path is broken behind a slash where that can be."""
    lines = []
    while len(text) > width and " " not in text and (end := text.rfind("/", 1, width)) > 0:
        lines.append(text[: end + 1])
        text = text[end + 1 :]
    return [*lines, *(wrap(text, width) or ([] if lines else [""]))]


def _begin(text: str) -> str:
    """A name of any length keeps its beginning."""
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "\u2026"


def _end(text: str) -> str:
    """A long path keeps its end, which says more than its beginning."""
    return text if len(text) <= _LONGEST_CELL else "\u2026" + text[1 - _LONGEST_CELL :]


def _foot(report: Report, paint: _Paint, verbose: bool) -> Iterator[str]:
    matrix = report.matrix
    yield paint(
        "dim", f"trtdoctor {report.program}, matrix {matrix.version} ({matrix.age_days} days old), as of {report.as_of}"
    )
    if matrix.origin != "packaged":
        yield paint("dim", f"matrix digest {matrix.digest}")
    if matrix.overlays:
        yield from wrap(f"overlays {', '.join(matrix.overlays)}", WIDTH)
    if matrix.age_days > STALE_DAYS:
        yield "The matrix is old: trtdoctor matrix update FILE|URL, or a newer trtdoctor."
    for note in matrix.notes:
        yield from wrap(note, WIDTH, break_on_hyphens=False)
    if verbose:
        for probe in report.snapshot.probes:
            seconds = f" ({probe.seconds} s)" if probe.seconds is not None else ""
            yield from _probe(probe, seconds)


def _probe(probe: ProbeOutcome, seconds: str = "") -> Iterator[str]:
    detail = f": {probe.detail}" if probe.detail else ""
    text = f"probe {probe.name} {probe.outcome}{detail}{seconds}"
    yield from wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)


def _labelled(label: str, text: str, paint: _Paint) -> Iterator[str]:
    indent = " " * (2 + max(_LABEL, len(label) + 1))
    lines = wrap(text, WIDTH - len(indent), break_on_hyphens=False, break_long_words=False) or [""]
    yield f"  {paint('bold', label.ljust(len(indent) - 2))}{lines[0]}"
    for line in lines[1:]:
        yield indent + line
