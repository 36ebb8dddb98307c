"""What ``trtdoctor mirror check`` answers: what can be had, how far that is behind, what is wrong, what to sync.

``trtdoctor-mirror/1``. The findings are those of the rules of family MIR; formats for CI take them as any Report.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from trtdoctor import __version__
from trtdoctor.findings import Finding, InventoryItem, MatrixInfo, Report, Severity, Unknown, Verdict, plain
from trtdoctor.judge import judge, primary_of, verdict_of
from trtdoctor.matrix import Matrix
from trtdoctor.mirror.headline import headline_of
from trtdoctor.mirror.sync_list import as_plain
from trtdoctor.mirror.wanted import LeftOut, context_of, worked_out
from trtdoctor.mirror.wants import SyncItem
from trtdoctor.mirror_facts import MirrorItem, MirrorNews, MirrorSide, MirrorSource
from trtdoctor.obtainable import HeldStack
from trtdoctor.obtainable.model import spoken
from trtdoctor.policy import Policy
from trtdoctor.record import record
from trtdoctor.rules.base import Context
from trtdoctor.rules.mirror_asked import SUBJECT
from trtdoctor.rules.mirror_fit import FITS, allowed, of_use
from trtdoctor.rules.mirror_gap import Lag, gaps, lag_of, main_gap
from trtdoctor.rules.mirror_view import View, views
from trtdoctor.snapshot import Snapshot
from trtdoctor.versions import Answer
from trtdoctor.waivers import Waiver

SCHEMA = "trtdoctor-mirror/1"
_HEADS = "MIR202"
"""A fix for security that cannot be had heads the report."""
_NOT_ASKED = (
    *("driver", "gpu", "tensorrt", "tensorrt-rtx", "cuda", "cudnn", "cublas", "nvrtc", "python", "glibc", "platform"),
)


@record
class Entry:
    """One tag, version or job."""

    name: str
    project: str | None
    version: str | None
    state: str
    """One of the states of mirror_facts."""
    evidence: str | None
    detail: str | None
    as_of: str | None
    """When what it rests on was seen, where that was earlier than now."""
    released: str | None
    released_by: str | None
    mirrored: str | None
    missing: tuple[str, ...]
    """Platforms or files that upstream has and the mirror has not."""
    fits: str | None
    """Whether a machine that was asked about can use it: yes, no or unknown; null where that is no question."""
    allowed: str | None
    """Whether the policy lets it in."""
    why: str | None
    """Why it does not fit, or is not let in."""
    counts: bool
    """Whether it is newer than the newest that is here, fits and is let in: what the lag rests on."""


@record
class HeldSaid:
    """One TensorRT as a side has it."""

    source: str
    kind: str
    """pip, image or apt."""
    name: str
    line: str
    """Stacks are newer or older than each other within one line."""
    release: str | None
    version: str | None
    flavour: str | None
    complete: str
    """yes, no or unknown."""
    missing: tuple[str, ...]
    unsure: tuple[str, ...]
    """Parts of which nobody could tell whether they are there."""
    elsewhere: tuple[str, ...]
    """Parts whose files come from NVIDIA's own index."""
    released: str | None
    released_by: str | None
    fits: str
    allowed: str
    why: str | None


@record
class Stacks:
    """What is complete, and what is not, on both sides."""

    mirror: tuple[HeldSaid, ...]
    upstream: tuple[HeldSaid, ...]


@record
class SourceSaid:
    """One pair of upstream and mirror."""

    id: str
    kind: str
    upstream: str | None
    mirror: str | None
    headline: str
    newest: str | None
    """The newest that can be had whole from the mirror, fits and is let in."""
    newest_upstream: str | None
    """The newest that upstream has, that fits and is let in."""
    behind: int
    """By how many releases, or tags."""
    checked: str | None
    lag: Lag
    sides: tuple[MirrorSide, ...]
    states: dict[str, int]
    """How many entries are in which state."""
    entries: tuple[Entry, ...]
    notes: tuple[str, ...]
    news: tuple[MirrorNews, ...]
    requests: int | None


@record
class MirrorReport:
    """The whole answer."""

    headline: str
    verdict: Verdict
    primary: str | None
    counts: dict[str, int]
    """How many findings of each severity count."""
    sources: tuple[SourceSaid, ...]
    findings: tuple[Finding, ...]
    unknowns: tuple[Unknown, ...]
    stacks: Stacks
    sync: tuple[SyncItem, ...]
    """What is to be synced: what is missing, fits and is let in."""
    left_out: tuple[LeftOut, ...]
    """What is newer and is not to be synced, and why."""
    machines: int
    """For how many machines it was judged; 0 for any."""
    requests: int
    as_of: str
    program: str
    matrix: MatrixInfo
    configuration: str | None = None

    def fails(self, threshold: str) -> bool:
        """Whether the exit code is 1: ``threshold`` is ``error``, ``warning``, ``unknown`` or ``never``."""
        if threshold == "never":
            return False
        if threshold == "unknown":
            # A source that was asked for and could not be told about is no answer, whatever else the verdict rests on.
            return bool(self.unknowns) or self.verdict in (Verdict.BROKEN, Verdict.UNKNOWN)
        limit = Severity(threshold).rank
        return any(item.severity.rank <= limit for item in self.findings if item.waived is None)

    def to_plain(self) -> dict[str, Any]:
        """The JSON form, as plain data."""
        document = {name: plain(getattr(self, name)) for name in self.__dataclass_fields__}
        document["sync"] = [as_plain(item) for item in self.sync]
        return {"schema": SCHEMA, **document}


def judged(
    sources: Sequence[MirrorSource],
    matrix: Matrix,
    *,
    as_of: date,
    machines: Sequence[Snapshot] = (),
    policy: Policy | None = None,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    waivers: Iterable[Waiver] = (),
    configuration: str | None = None,
    redacted: bool = False,
) -> tuple[MirrorReport, Report]:
    """What mirrors come to, whole, and the same as the Report that formats for CI take.

    ``machines`` is the fleet that it must matter to; without any, everything that the policy lets in does.
    """
    rules = policy or Policy()
    about = context_of(sources, matrix, rules, machines, as_of)
    found = _report(sources, matrix, as_of, machines, rules, tuple(select), tuple(ignore), tuple(waivers))
    found = replace(found, snapshot=replace(found.snapshot, redacted=redacted), configuration=configuration)
    said = tuple(_source(about, view) for view in views(about))
    sync, left_out = worked_out(about)
    report = MirrorReport(
        headline=_headline(said, found.findings),
        verdict=found.verdict,
        primary=found.primary,
        counts=found.counts,
        sources=said,
        findings=found.findings,
        unknowns=found.unknowns,
        stacks=_stacks(about),
        sync=sync,
        left_out=left_out,
        machines=len(machines),
        requests=sum(source.requests or 0 for source in sources),
        as_of=as_of.isoformat(),
        program=__version__,
        matrix=MatrixInfo.of(matrix, as_of),
        configuration=configuration,
    )
    return report, replace(found, inventory=tuple(_inventory(report)))


def _report(
    sources: Sequence[MirrorSource],
    matrix: Matrix,
    as_of: date,
    machines: Sequence[Snapshot],
    policy: Policy,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    waivers: tuple[Waiver, ...],
) -> Report:
    base = machines[0] if len(machines) == 1 else Snapshot(kind="declared")
    found = judge(
        replace(base, mirrors=tuple(sources)),
        matrix,
        as_of=as_of,
        goal=(SUBJECT,),
        select=tuple(code for code in select if code.startswith("MIR")) or ("MIR",),
        ignore=ignore,
        outside=_NOT_ASKED,
        waivers=tuple(item for item in waivers if item.code.startswith("MIR")),
        policy=policy,
        fleet=machines if len(machines) > 1 else (),
    )
    findings = tuple(sorted(found.findings, key=lambda item: item.code != _HEADS))
    unknowns = tuple(item for item in found.unknowns if item.component == SUBJECT)
    verdict = verdict_of(findings, ())
    if verdict is Verdict.READY and unknowns:
        verdict = Verdict.UNKNOWN
    return replace(found, findings=findings, unknowns=unknowns, verdict=verdict, primary=primary_of(findings))


# -- sources -----------------------------------------------------------------------------------------------------------


def _headline(sources: Sequence[SourceSaid], findings: Sequence[Finding]) -> str:
    """That of the source that is worst off; how many more there are."""
    if not sources:
        return "no mirror was looked at"
    named = [source for finding in findings for source in sources if _is_about(finding, source)]
    worst = named[0] if named and findings[0].severity is not Severity.INFO else None
    chosen = worst or max(sources, key=lambda source: (source.lag.seconds or 0, source.kind != "status"))
    others = len(sources) - 1
    more = f" (and {others} more source{'s' if others > 1 else ''})" if others else ""
    return f"{chosen.headline}{more}"


def _is_about(finding: Finding, source: SourceSaid) -> bool:
    return any(fact.key == f"mirror {source.id or source.kind}" for fact in finding.facts)


def _source(context: Context, view: View) -> SourceSaid:
    source = view.source
    gap, upstream = main_gap(context, source), source.side("upstream")
    asked = upstream is not None and upstream.state == "ok"
    states: dict[str, int] = {}
    for item in source.items:
        states[item.state] = states.get(item.state, 0) + 1
    return SourceSaid(
        id=source.id,
        kind=source.kind,
        upstream=source.upstream,
        mirror=source.mirror,
        headline=headline_of(context, source),
        newest=gap.newest_here.short if gap is not None and gap.newest_here is not None else None,
        newest_upstream=gap.newest.short if gap is not None and gap.newest is not None and asked else None,
        behind=gap.releases if gap is not None else 0,
        checked=source.checked,
        lag=lag_of(context, source),
        sides=source.sides,
        states=states,
        entries=tuple(_entries(context, view)),
        notes=source.notes,
        news=source.news,
        requests=source.requests,
    )


def _entries(context: Context, view: View) -> Iterator[Entry]:
    stacks = _by_item(view)
    counting = {stack.name for gap in gaps(context) if gap.view is view for stack in gap.newer}
    for item in view.source.items:
        stack = stacks.get((item.project, item.version))
        use = of_use(context, stack, view) if stack is not None else FITS
        may = allowed(context, stack) if stack is not None else FITS
        yield Entry(
            name=item.name,
            project=item.project,
            version=item.version,
            state=item.state,
            evidence=item.evidence,
            detail=item.detail,
            as_of=item.as_of,
            released=item.released,
            released_by=item.released_by,
            mirrored=item.mirrored,
            missing=item.missing,
            fits=use.answer.value if stack is not None else None,
            allowed=may.answer.value if stack is not None else None,
            why=next((one.reason for one in (use, may) if one.answer is not Answer.YES), None),
            counts=stack is not None and stack.name in counting and _is_lacking(item),
        )


def _is_lacking(item: MirrorItem) -> bool:
    return item.state not in ("same", "present", "extra", "gone-upstream")


def _by_item(view: View) -> dict[tuple[str | None, str | None], HeldStack]:
    """The stack that an item is an own part of; of several the newest CUDA."""
    found: dict[tuple[str | None, str | None], HeldStack] = {}
    for stack in (*view.above.stacks(), *view.here.stacks()):
        for part in stack.parts:
            if part.own:
                found.setdefault((part.name, part.wanted.removeprefix("==")), stack)
    return found


# -- stacks ------------------------------------------------------------------------------------------------------------


def _stacks(context: Context) -> Stacks:
    def of(name: str) -> tuple[HeldSaid, ...]:
        every = ((view, stack) for view in views(context) for stack in getattr(view, name).stacks())
        return tuple(_held(context, view, stack) for view, stack in every)

    return Stacks(of("here"), of("above"))


def _held(context: Context, view: View, stack: HeldStack) -> HeldSaid:
    use, may = of_use(context, stack, view), allowed(context, stack)
    return HeldSaid(
        source=view.source.id,
        kind=stack.kind,
        name=stack.name,
        line=stack.line,
        release=stack.release,
        version=stack.version,
        flavour=stack.flavour,
        complete=stack.complete.value,
        missing=stack.missing,
        unsure=tuple(spoken(part) for part in stack.parts if part.answer is Answer.UNKNOWN),
        elsewhere=stack.elsewhere,
        released=stack.released,
        released_by=stack.released_by,
        fits=use.answer.value,
        allowed=may.answer.value,
        why=next((one.reason for one in (use, may) if one.answer is not Answer.YES), None),
    )


def _inventory(report: MirrorReport) -> Iterator[InventoryItem]:
    """A line for each source, for the formats that have a table."""
    for source in report.sources:
        about = [item.severity for item in report.findings if item.waived is None and _is_about(item, source)]
        status = min(about, key=lambda severity: severity.rank).value if about else "ok"
        if any(side.state not in ("ok", "absent") for side in source.sides) and not about:
            status = "unknown"
        days = source.lag.days
        lag = f"{days} day{'s' if days != 1 else ''} behind" if days else "not behind" if days == 0 else None
        upstream = f"upstream has {source.newest_upstream}" if source.newest_upstream else None
        place = ", ".join(filter(None, (upstream if source.behind else None, lag))) or "how far behind is not known"
        yield InventoryItem(f"mirror {source.id}", source.newest, place, source.lag.evidence, status)
