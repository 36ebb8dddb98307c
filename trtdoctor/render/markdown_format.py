"""Markdown (CommonMark with GitHub's tables): for a job's summary or a comment on a change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from trtdoctor.findings import Finding, Fix, InventoryItem, Report, SourceRef
from trtdoctor.render.ci import About, canary_of, counted, notes_of, one_line, only_redacted, said_of
from trtdoctor.render.parts import MEANS, Told, compared_with, said_above
from trtdoctor.text import harmless

_SIGNS = re.compile(r"[\\`*_{}\[\]<>|~&$#!^]")
_ADDRESS = re.compile(r"https?://[\w./?=&%+~:@#-]+")
_MENTION = re.compile(r"@(?=\w)")


def render(report: Report, about: About | None = None) -> str:
    """The whole text, with a final newline. Raises NotRedactedError."""
    only_redacted(report)
    about = about or About()
    lines = [f"## trtdoctor {about.command}: {report.verdict.prose}", "", _summary(report), ""]
    above: Told = {}
    for finding in report.standing:
        lines += [*_finding(finding, above), ""]
    waived = [item for item in report.findings if item.waived is not None]
    if waived:
        lines += ["Waived:", ""]
        lines += [f"- {item.code} {inline(item.title)}: {inline(item.waived or '')}" for item in waived]
        lines.append("")
    if report.unknowns:
        lines += ["Not judged:", ""]
        for item in report.unknowns:
            told = f"{item.needed}: {item.why}. Tell: {item.how_to_tell}"
            lines.append(f"- **{inline(item.component)}** {inline(told)}")
        lines.append("")
    notes = notes_of(report)
    if notes:
        lines += ["Not looked at:", "", *(f"- {inline(text)}" for text in notes), ""]
    lines += [*_stages(report, about), *_table(report.inventory)]
    lines.append(
        f"trtdoctor {report.program}, matrix {inline(report.matrix.version)} ({report.matrix.age_days} days old), "
        f"as of {report.as_of}"
    )
    return "\n".join(line.rstrip() for line in lines) + "\n"


def inline(text: str) -> str:
    """``text`` from outside as plain words: no markup, no HTML, no address that becomes a link, nobody mentioned."""
    escaped = _SIGNS.sub(r"\\\g<0>", one_line(text)).replace("://", "\\://")
    return _MENTION.sub("@<!-- -->", escaped)


def _summary(report: Report) -> str:
    goal = f" Goal: {inline(', '.join(report.goal))}." if report.goal else ""
    plan = f" Plan: {inline(compared_with(report.against))}." if report.against is not None else ""
    return f"{MEANS[report.verdict].capitalize()} ({counted(report)}).{goal}{plan}"


def _finding(finding: Finding, told: Told) -> Iterator[str]:
    yield f"- **{finding.severity.value} {finding.code}** {inline(finding.title)}"
    for label, text in said_of(finding):
        if label in ("detail", "found", "breaks"):
            yield f"  - {label}: {inline(text)}"
    above = said_above(finding, told)
    if above is not None:
        yield f"  - fix: as for {above}, above"
    for fix in finding.fix if above is None else ():
        yield from _fix(fix)
    for source in finding.sources:
        yield f"  - source: {_source(source)}"


def _fix(fix: Fix) -> Iterator[str]:
    notes = [note for flag, note in ((fix.needs_root, "as root"), (fix.needs_reboot, "then reboot")) if flag]
    note = f" ({', '.join(notes)})" if notes else ""
    if fix.kind != "shell":
        yield f"  - fix: {inline(fix.text)}{note}"
        return
    longest = max((len(run) for run in re.findall("`+", fix.text)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"  - fix{note}:"
    yield ""
    yield f"    {fence}sh"
    yield f"    {harmless(one_line(fix.text))}"
    yield f"    {fence}"


def _source(source: SourceRef) -> str:
    url = source.url or ""
    if _ADDRESS.fullmatch(url):
        return f"[{inline(source.id)}](<{url}>), {inline(source.certainty)}"
    return f"{inline(url or source.id)}, {inline(source.certainty)}"


def _stages(report: Report, about: About) -> Iterator[str]:
    canary = canary_of(report, about)
    if canary is not None and canary.stages:
        rows = [
            (stage.name, stage.status, "" if stage.seconds is None else f"{stage.seconds:.3f}", stage.detail or "")
            for stage in canary.stages
        ]
        yield from _rows(("stage", "status", "seconds", "detail"), rows)


def _table(items: tuple[InventoryItem, ...]) -> Iterator[str]:
    rows = [(item.component, item.version or "-", item.origin or "-", item.how or "-", item.status) for item in items]
    if rows:
        yield from _rows(("component", "version", "from", "how", "status"), rows)


def _rows(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |"
    yield f"|{'---|' * len(titles)}"
    for row in rows:
        yield f"| {' | '.join(map(inline, row))} |"
    yield ""
