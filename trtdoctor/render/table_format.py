"""The report for people: a verdict line, the findings from worst to mildest, one table of components.

Readable at 80 columns, in a CI log and through ``less``; colour only when asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from trtdoctor.findings import Finding, Fix, InventoryItem, Report, Severity, Verdict

WIDTH = 80
_LABEL = 9
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
    lines += ["", *_table(report.inventory, paint), "", *_foot(report, paint, verbose)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


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
    if finding.detail:
        yield from _labelled("", finding.detail, paint)
    quiet = finding.severity is Severity.INFO and not verbose
    for fact in () if quiet else finding.facts:
        where = f" ({fact.where})" if fact.where else ""
        yield from _labelled("found", f"{fact.key} {fact.value}{where}", paint)
    if finding.breaks:
        yield from _labelled("breaks", finding.breaks, paint)
    for fix in finding.fix:
        yield from _fix(fix, paint)
    for source in finding.sources if verbose else finding.sources[:1]:
        if not quiet:
            yield from _labelled("source", f"{source.certainty}: {source.url or source.id}", paint)


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
        [item.component, item.version or "-", _short(item.origin or "-", 44), item.how or "-", item.status]
        for item in items
    ]
    text = tabulate(
        rows,
        headers=["component", "version", "from", "how", "status"],
        tablefmt="simple",
        maxcolwidths=[13, 21, 22, 9, 7],
        disable_numparse=True,
    )
    for number, line in enumerate(text.splitlines()):
        yield paint("dim", line) if number < 2 else line


def _short(text: str, longest: int) -> str:
    """A long path keeps its end, which says more than its beginning."""
    return text if len(text) <= longest else "…" + text[-(longest - 1) :]


def _foot(report: Report, paint: _Paint, verbose: bool) -> Iterator[str]:
    matrix = report.matrix
    yield paint(
        "dim", f"trtdoctor {report.program}, matrix {matrix.version} ({matrix.age_days} days old), as of {report.as_of}"
    )
    if verbose:
        for probe in report.snapshot.probes:
            detail = f": {probe.detail}" if probe.detail else ""
            yield f"probe {probe.name} {probe.outcome}{detail}" + (
                f" ({probe.seconds} s)" if probe.seconds is not None else ""
            )


def _labelled(label: str, text: str, paint: _Paint) -> Iterator[str]:
    indent = " " * (2 + max(_LABEL, len(label) + 1))
    lines = wrap(text, WIDTH - len(indent), break_on_hyphens=False, break_long_words=False) or [""]
    yield f"  {paint('bold', label.ljust(len(indent) - 2))}{lines[0]}"
    for line in lines[1:]:
        yield indent + line
