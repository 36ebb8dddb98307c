"""Pieces of the texts for people that every command prints alike: labelled lines, one finding, the last lines."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import TYPE_CHECKING

from trtdoctor.findings import STALE_DAYS, Against, Finding, Fix, MatrixInfo, Severity, Verdict

if TYPE_CHECKING:
    from trtdoctor.snapshot import ProbeOutcome

WIDTH = 80
MEANS = {
    Verdict.READY: "nothing found that stands in the way",
    Verdict.AT_RISK: "it may work, but not surely",
    Verdict.BROKEN: "it will fail",
    Verdict.UNKNOWN: "too little is known to say",
}
_LABEL = 9
_CHOSEN = {
    "--python": "named by --python",
    "VIRTUAL_ENV": "the active virtual environment",
    "CONDA_PREFIX": "the active conda environment",
    "PATH": "python3 on PATH",
    "own": "trtdoctor's own",
}
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


class Paint:
    """Colours words, or does not."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def __call__(self, style: str, text: str) -> str:
        """``text`` in the style of this name (a severity, ``ok``, ``bold``, ``dim``)."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.on and style in _STYLES else text


Told = dict[tuple[Fix, ...], str]
"""Steps that stand above already, to the code of their finding: one way out often mends several findings."""


def finding_lines(finding: Finding, paint: Paint, verbose: bool, told: Told | None = None) -> Iterator[str]:
    """One finding: what was found, what it breaks, what mends it; steps that were ``told`` are not told again."""
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
        yield from labelled("", finding.detail, paint)
    for fact in finding.facts:
        where = f" ({fact.where})" if fact.where else ""
        yield from labelled("found", f"{fact.key} {fact.value}{where}", paint)
    if finding.breaks:
        yield from labelled("breaks", finding.breaks, paint)
    above = said_above(finding, told)
    if above is not None:
        yield from labelled("fix", f"as for {above}, above", paint)
    for fix in finding.fix if above is None else ():
        yield from _fix(fix, paint)
    yield from _sources(finding, paint, every=verbose)


def said_above(finding: Finding, told: Told | None) -> str | None:
    """The code of the finding above that has the same steps, which ``told`` grows by otherwise; None for the first."""
    if told is None or not finding.fix:
        return None
    above = told.get(finding.fix)
    told.setdefault(finding.fix, finding.code)
    return above


def waived_lines(finding: Finding, paint: Paint) -> list[str]:
    """One finding that does not count, and why."""
    by = f", by {finding.waived_by}" if finding.waived_by else ""
    text = f"waived {finding.code} {finding.title}: {finding.waived}{by}"
    lines = wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)
    return [paint("dim", line) for line in lines]


def _sources(finding: Finding, paint: Paint, *, every: bool = False, only_site: bool = False) -> Iterator[str]:
    """The first source, or all; a site's overlay always: what a site says is never passed off as the vendor's."""
    for number, source in enumerate(finding.sources):
        site = source.id.startswith("overlay:")
        if site or (not only_site and (every or number == 0)):
            text = f"{source.id} {source.url or ''}" if site else source.url or source.id
            yield from labelled("source", f"{source.certainty}: {text}", paint)


def _fix(fix: Fix, paint: Paint) -> Iterator[str]:
    notes = [note for flag, note in ((fix.needs_root, "as root"), (fix.needs_reboot, "then reboot")) if flag]
    note = f"  # {', '.join(notes)}" if notes else ""
    if fix.kind == "shell":
        # A command stays on one line, whatever its length: it is there to be copied.
        yield f"  {paint('bold', 'fix'.ljust(_LABEL))}$ {fix.text}{note}"
    else:
        yield from labelled("fix", f"{fix.text}{' (' + ', '.join(notes) + ')' if notes else ''}", paint)


def cell_lines(text: str, width: int) -> list[str]:
    """The lines of a cell; a path is broken behind a slash where that can be."""
    lines = []
    while len(text) > width and " " not in text and (end := text.rfind("/", 1, width)) > 0:
        lines.append(text[: end + 1])
        text = text[end + 1 :]
    return [*lines, *(wrap(text, width) or ([] if lines else [""]))]


def probe_lines(probe: ProbeOutcome, seconds: str = "") -> Iterator[str]:
    """How one probe went."""
    detail = f": {probe.detail}" if probe.detail else ""
    text = f"probe {probe.name} {probe.outcome}{detail}{seconds}"
    yield from wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)


def labelled(label: str, text: str, paint: Paint) -> Iterator[str]:
    """A label and a text that is wrapped under itself."""
    indent = " " * (2 + max(_LABEL, len(label) + 1))
    lines = wrap(text, WIDTH - len(indent), break_on_hyphens=False, break_long_words=False) or [""]
    yield f"  {paint('bold', label.ljust(len(indent) - 2))}{lines[0]}"
    for line in lines[1:]:
        yield indent + line


def foot(program: str, matrix: MatrixInfo, as_of: str, paint: Paint) -> Iterator[str]:
    """Which program and which matrix said it."""
    yield paint("dim", f"trtdoctor {program}, matrix {matrix.version} ({matrix.age_days} days old), as of {as_of}")
    if matrix.origin != "packaged":
        yield paint("dim", f"matrix digest {matrix.digest}")
    if matrix.overlays:
        yield from wrap(f"overlays {', '.join(matrix.overlays)}", WIDTH)
    if matrix.age_days > STALE_DAYS:
        yield "The matrix is old: trtdoctor matrix update FILE|URL, or a newer trtdoctor."
    for note in matrix.notes:
        yield from wrap(note, WIDTH, break_on_hyphens=False)


def python_line(python: dict[str, str | None] | None, paint: Paint) -> Iterator[str]:
    """Which interpreter was looked at, and why that one."""
    if python and python.get("path"):
        chosen = _CHOSEN.get(python["chosen_by"] or "", python["chosen_by"])
        yield from labelled("python", f"{python['path']}, {python['version'] or 'version unknown'} ({chosen})", paint)


def compared_with(plan: Against) -> str:
    """The plan that was named, and whether this is it."""
    answer = {"yes": "this is what was planned", "no": "this is not what was planned"}
    words = answer.get(plan.matches, "not known whether this is what was planned")
    return f"{plan.title}, made {plan.made}: {words}"


def said(counts: dict[str, int]) -> str:
    """How many findings of each severity, in words."""
    words = [
        f"{number} {name}{'s' if number > 1 and name != 'info' else ''}" for name, number in counts.items() if number
    ]
    return ", ".join(words) or "no findings"
