"""What changed, for people: whether it matters, then component by component, then the findings."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from trtdoctor.diff import Change, Diff, FindingChange, State
from trtdoctor.findings import Severity
from trtdoctor.render.parts import WIDTH, Paint, finding_lines, foot, labelled, said, waived_lines
from trtdoctor.text import harmless

_NONE = "none"
_LONGEST = 160


def render(diff: Diff, *, verbose: bool = False, color: bool = False) -> str:
    """The whole text, with a final newline."""
    paint = Paint(color)
    lines = [*_head(diff, paint)]
    lines += [""] if diff.changes else []
    for change in diff.changes:
        lines += _change(change, paint)
    for item in diff.findings:
        lines += ["", *_finding(item, paint, verbose)]
    for note in diff.notes:
        lines += ["", *wrap(f"note: {note}", WIDTH, subsequent_indent="  ", break_on_hyphens=False)]
    lines += ["", *foot(diff.program, diff.matrix, diff.as_of, paint)]
    if diff.configuration:
        lines.append(paint("dim", f"configuration {diff.configuration}"))
    return "\n".join(harmless(line.rstrip()) for line in lines) + "\n"


def _head(diff: Diff, paint: Paint) -> Iterator[str]:
    if diff.matters:
        yield f"{paint('error', 'changed')}: what matters to the verdict is not what it was"
        for reason in diff.reasons:
            yield from labelled("because", reason, paint)
    elif diff.changes or diff.findings:
        yield f"{paint('ok', 'changed')}: nothing that matters to the verdict"
    else:
        yield f"{paint('ok', 'same')}: nothing changed"
    yield from labelled("was", _state(diff.before), paint)
    yield from labelled("is", _state(diff.now), paint)
    yield from labelled("goal", ", ".join(diff.goal), paint)


def _state(state: State) -> str:
    taken = f", taken {state.taken}" if state.taken else ""
    return f"{state.verdict.prose} ({said(state.counts)}){taken}"


def _change(change: Change, paint: Paint) -> Iterator[str]:
    before, now = _short(change.before), _short(change.now)
    if change.what == "moved":
        text = f"{change.label} now comes from another place: {before} to {now}"
    elif change.what in ("new", "gone"):
        text = f"{change.label} is {change.what}: {before if change.now is None else now}"
    else:
        text = f"{change.label} {before} to {now}"
    yield from wrap(f"- {text}", WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)
    if change.means:
        means = wrap(change.means, WIDTH - 4, break_on_hyphens=False, break_long_words=False)
        yield from (f"    {paint(change.status, line)}" for line in means)


def _short(text: str | None) -> str:
    if text is None:
        return _NONE
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\u2026"


def _finding(item: FindingChange, paint: Paint, verbose: bool) -> Iterator[str]:
    if item.state == "gone":
        text = f"gone: {item.finding.severity.value} {item.finding.code} {item.finding.title}"
        yield from wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)
        return
    if item.before is None:
        yield f"new{'' if item.matters else ', but it does not decide'}:"
    else:
        was = f"{item.before.severity.value} {item.before.code} {item.before.title}"
        waived = " (waived)" if item.before.waived is not None else ""
        text = f"changed from: {was}{waived}"
        yield from wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)
    if item.finding.waived is not None:
        yield from waived_lines(item.finding, paint)
    elif item.finding.severity is Severity.INFO and not verbose:
        yield from wrap(f"info {item.finding.code} {item.finding.title}", WIDTH, subsequent_indent="  ")
    else:
        yield from finding_lines(item.finding, paint, verbose)
