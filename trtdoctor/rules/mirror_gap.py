"""How far a mirror is behind its upstream: what the gap is, since when, and by which evidence that is known.

A mirror is behind since upstream got the oldest of the releases that are newer than the newest that can be had here;
only what fits a machine that is asked about and what the policy lets in counts. Stacks compare within their line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, time, timezone

from trtdoctor import times
from trtdoctor.matrix import distributions
from trtdoctor.matrix.judgement import Judgement
from trtdoctor.mirror_facts import MirrorSource
from trtdoctor.obtainable import MIRROR, UPSTREAM, HeldStack, Part
from trtdoctor.obtainable.sides import answers, held
from trtdoctor.record import record
from trtdoctor.rules.base import Context
from trtdoctor.rules.mirror_fit import allowed, fits, no_earlier
from trtdoctor.rules.mirror_view import View, machines, views
from trtdoctor.versions import Answer, Version

_PROXIES = ("cache", "proxy")


@record
class Lag:
    """How long a mirror has been behind."""

    seconds: int | None
    """0 where nothing that counts is missing; None where it cannot be told."""
    evidence: str | None
    """What it rests on: ``upload-time``, ``pushed``, ``Release Date``, …; where nothing is missing, what says so."""

    @property
    def days(self) -> int | None:
        """Whole days."""
        return self.seconds // 86400 if self.seconds is not None else None


@record
class Gap:
    """One line of one source, for one machine."""

    view: View
    line: str
    machine: Context
    newest_here: HeldStack | None
    """The newest that can be had whole from the mirror, fits and is not denied."""
    newest: HeldStack | None
    """The newest that upstream has, that fits and is allowed; the one that is here where there is no newer one."""
    newer: tuple[HeldStack, ...]
    """What upstream has that is newer than what is here, newest first, each release in one CUDA flavour."""
    unsure: tuple[HeldStack, ...]
    """What is newer and may be here: that could not be told."""
    lag: Lag

    @property
    def releases(self) -> int:
        """How many releases (or tags) it is behind."""
        return len({stack.release if stack.kind != "image" else stack.name for stack in self.newer})


def gaps(context: Context) -> tuple[Gap, ...]:
    """The gap of each line of each source that could be asked, for the machine that it is widest for."""

    def make() -> tuple[Gap, ...]:
        found: dict[tuple[int, str], Gap] = {}
        for gap in every_gap(context):
            key = (gap.view.number, gap.line)
            if key not in found or _width(gap) > _width(found[key]):
                found[key] = gap
        return tuple(found.values())

    return context.remember("mirror: gaps", make)


def every_gap(context: Context) -> tuple[Gap, ...]:
    """The gaps of each line of each source that could be asked, for every machine."""

    def make() -> tuple[Gap, ...]:
        return tuple(gap for view in views(context) for one in machines(context) for gap in _of_view(view, one))

    return context.remember("mirror: every gap", make)


def _width(gap: Gap) -> tuple[bool, int, int]:
    return bool(gap.newer), gap.lag.seconds or 0, len(gap.newer)


def main_gap(context: Context, source: MirrorSource) -> Gap | None:
    """The gap that a source is spoken of by: that of the line with the newest release that both or either side has."""
    found = [gap for gap in gaps(context) if gap.view.source is source and (gap.newest or gap.newest_here)]
    return max(found, key=_weight, default=None)


def _weight(gap: Gap) -> tuple[bool, tuple[int, ...], int]:
    best = gap.newest or gap.newest_here
    return gap.newest_here is not None, best.order if best else (), -len(gap.line)


def lag_of(context: Context, source: MirrorSource) -> Lag:
    """How long a source has been behind: the longest of its lines, else what the mirror itself says."""
    if source.kind == "status":
        return _of_jobs(context, source)
    found = [gap for gap in gaps(context) if gap.view.source is source]
    lines = [gap for gap in found if gap.newest_here is not None] or found
    known = [gap.lag for gap in lines if gap.lag.seconds is not None]
    if known and len(known) == len(lines):
        return max(known, key=lambda lag: lag.seconds or 0)
    behind = [lag for lag in known if lag.seconds]
    return max(behind, key=lambda lag: lag.seconds or 0) if behind else _by_word(context, source)


# -- one source --------------------------------------------------------------------------------------------------------


def _of_view(view: View, machine: Context) -> Iterator[Gap]:
    source = view.source
    if source.kind not in ("oci", "pypi", "apt") or not answers(source, MIRROR):
        return
    here, above = view.stacks(machine)
    if not here and not above:
        here, above = (tuple(_others(view, side)) for side in (MIRROR, UPSTREAM))
    for line in dict.fromkeys(stack.line for stack in (*above, *here) if stack.order):
        ours = [stack for stack in here if stack.line == line and _counts(machine, stack, view, policy=False)]
        theirs = [stack for stack in above if stack.line == line]
        yield _gap(view, line, machine, ours, theirs)


def _counts(machine: Context, stack: HeldStack, view: View, *, policy: bool = True) -> bool:
    """Whether a stack fits and is let in; what is here already must only not be denied."""
    if fits(machine, stack, view).answer is not Answer.YES:
        return False
    judged = allowed(machine, stack)
    return judged.answer is Answer.YES or (not policy and judged.word not in ("denied", "channel"))


def _gap(view: View, line: str, machine: Context, ours: Sequence[HeldStack], theirs: Sequence[HeldStack]) -> Gap:
    newest_here = next((stack for stack in _newest_first(ours) if stack.complete is Answer.YES), None)
    maybe = {stack.name for stack in ours if stack.complete is Answer.UNKNOWN}
    have = newest_here.order if newest_here is not None else ()
    counted = [
        stack
        for stack in theirs
        if stack.complete is Answer.YES and stack.order > have and _counts(machine, stack, view)
    ]
    counted = [stack for stack in counted if not _same_release(stack, newest_here)]
    unsure = tuple(stack for stack in counted if stack.name in maybe)
    flavour = newest_here.flavour if newest_here is not None else None
    newer = _each_release([stack for stack in counted if stack.name not in maybe], flavour)
    known = [stack for stack in _newest_first(theirs) if _counts(machine, stack, view)]
    newest = newer[0] if newer else newest_here or next(iter(known), None)
    return Gap(view, line, machine, newest_here, newest, newer, unsure, _lag(machine, view, newest_here, newer, unsure))


def _newest_first(stacks: Iterable[HeldStack]) -> list[HeldStack]:
    return sorted(stacks, key=lambda stack: (stack.order, stack.flavour or ""), reverse=True)


def _same_release(stack: HeldStack, other: HeldStack | None) -> bool:
    """Whether one is only packaged anew (a post-release, another build for apt) beside the other."""
    return other is not None and stack.kind != "image" and stack.version is not None and stack.release == other.release


def _each_release(stacks: Iterable[HeldStack], flavour: str | None) -> tuple[HeldStack, ...]:
    """Each release once, newest first: in the CUDA flavour that is here, else in the newest."""
    found: dict[object, HeldStack] = {}
    for stack in _newest_first(stacks):
        key = stack.release if stack.kind != "image" and stack.version else stack.order
        if key not in found or (found[key].flavour != flavour and stack.flavour == flavour):
            found[key] = stack
    return tuple(found.values())


def _others(view: View, side: str) -> Iterator[HeldStack]:
    """What a source has where TensorRT is no part of it: each project a line of its own."""
    kind = {"pypi": "pip", "apt": "apt"}.get(view.source.kind)
    for item in view.source.items if kind else ():
        version = Version.maybe(item.version)
        there = held(item, side, view.source)
        if version is None or item.project is None or there is Answer.NO or kind is None:
            continue
        if item.state == "missing-platform" and side == MIRROR and not item.files:
            there = Answer.UNKNOWN
        spec = distributions.identify(view.here.matrix, item.project)
        part = Part(item.project, f"=={item.version}", there, own=True)
        flavour = spec.flavour if spec is not None else None
        order = (*version.parts, 0, 0, 0, 0)[:5]
        yield HeldStack(
            kind,
            item.name,
            item.project,
            order,
            None,
            flavour,
            there,
            (part,),
            view.source.id,
            item.released,
            item.released_by,
        )


# -- since when --------------------------------------------------------------------------------------------------------


def moment_of(context: Context, source: MirrorSource) -> datetime:
    """The time that a source is judged for: when it was looked at, or the end of the day that is judged for."""
    end = datetime.combine(context.as_of, time(23, 59, 59), timezone.utc)
    checked = times.parse(source.checked)
    return min(end, checked) if checked is not None else end


def _lag(
    machine: Context,
    view: View,
    newest_here: HeldStack | None,
    newer: Sequence[HeldStack],
    unsure: Sequence[HeldStack],
) -> Lag:
    source = view.source
    if newest_here is None or unsure or not answers(source, UPSTREAM):
        return Lag(None, None)
    if not newer:
        return Lag(0, _evidence(source, newest_here))
    dated = [(no_earlier(stack.released, stack.released_by), stack) for stack in newer]
    known = [(moment, stack) for moment, stack in dated if moment is not None]
    if not known:
        return _by_word(machine, source)
    oldest, stack = min(known, key=lambda pair: pair[0])
    seconds = int((moment_of(machine, source) - oldest).total_seconds())
    return Lag(max(0, seconds), stack.released_by)


def _evidence(source: MirrorSource, stack: HeldStack) -> str | None:
    """What says that it is there."""
    names = {f"{part.name} {part.wanted.removeprefix('==')}" for part in stack.parts if part.own}
    tag = stack.name.rpartition(":")[2]
    return next((item.evidence for item in source.items if item.name in names or item.version == tag), None)


def _by_word(context: Context, source: MirrorSource) -> Lag:
    """By what both sides, or the mirror alone, say of their last change."""
    ours, theirs = source.side(MIRROR), source.side(UPSTREAM)
    here = times.parse(ours.synced) if ours is not None else None
    above = times.parse(theirs.synced) if theirs is not None else None
    if ours is None or here is None:
        return Lag(None, None)
    if theirs is not None and above is not None and theirs.synced_by == ours.synced_by:
        return Lag(max(0, int((above - here).total_seconds())), ours.synced_by)
    if ours.synced_by == "push_time":
        return Lag(None, None)  # when somebody last pushed something says nothing of what is not there
    return Lag(max(0, int((moment_of(context, source) - here).total_seconds())), ours.synced_by)


def _of_jobs(context: Context, source: MirrorSource) -> Lag:
    """Of a status page: how long ago the job that is longest without success had one; of a reverse proxy nothing."""
    found = [times.parse(item.mirrored) for item in source.items if item.sync not in _PROXIES]
    known = [moment for moment in found if moment is not None]
    side = source.side("status")
    if not known or len(known) < len(found):
        return Lag(None, None)
    seconds = int((moment_of(context, source) - min(known)).total_seconds())
    return Lag(max(0, seconds), side.product if side is not None else None)


def why_left_out(context: Context, gap: Gap) -> Iterator[tuple[HeldStack, Judgement]]:
    """What upstream has that is newer than what is here and does not count, with the reason."""
    here, above = gap.view.stacks(gap.machine)
    have = gap.newest_here.order if gap.newest_here is not None else ()
    whole = {stack.name for stack in here if stack.complete is Answer.YES}
    for stack in above:
        newer = stack.line == gap.line and stack.order > have and stack.name not in whole
        if newer and not _same_release(stack, gap.newest_here):
            for judged in (fits(gap.machine, stack, gap.view), allowed(gap.machine, stack)):
                if judged.answer is not Answer.YES:
                    yield stack, judged
                    break
