"""How far a mirror is behind: over what the policy allows, without a fix for security, or merely behind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from trtdoctor.findings import FoundFact, Severity
from trtdoctor.record import record
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import advice
from trtdoctor.rules.mirror_asked import asked
from trtdoctor.rules.mirror_stack import torn
from trtdoctor.versions import Answer, Version

if TYPE_CHECKING:
    from trtdoctor.obtainable import HeldStack
    from trtdoctor.rules.advisory import Fixes
    from trtdoctor.rules.mirror_gap import Gap
    from trtdoctor.rules.mirror_view import View

_FACTS = 6
_SYNC = "trtdoctor mirror sync-config writes down what is missing, for the tool that fills the mirror."


@rule("MIR201", "lag-over-limit", severity=Severity.ERROR, components=("mirror", "tensorrt"))
def lag_over_limit(context: Context) -> Iterable[Problem]:
    """The mirror is further behind than the policy allows (max-lag-days).

    Why it matters: Whoever set the limit wants to know when a mirror stops to follow. Without a limit this rule says
    nothing.

    Example: max-lag-days = 30, and TensorRT 11.3.0, which fits the fleet, has been upstream for 74 days.

    How to fix: Sync what is missing, or mend the job that should have done so.

    Sources: https://archlinux.org/mirrors/status/
    """
    limit = context.policy.max_lag_days
    if limit is None:
        return
    for view in asked(context):
        from trtdoctor.rules.mirror_gap import lag_of, main_gap
        from trtdoctor.rules.mirror_view import some

        if _is_absent(view):
            continue  # MIR206 speaks
        days, gap = days_behind(context, view), main_gap(context, view.source)
        if days is None and not _is_down(view):
            why = "neither side says when it last changed, or a side could not be asked"
            how = "an index with upload times, or a status page"
            context.unknown("mirror", f"how far {view.name} is behind", why, how)
        if days is None or days <= limit:
            continue
        newer = [stack.short for stack in gap.newer] if gap is not None else []
        what = f": {some(newer, 1)} {'is' if len(newer) == 1 else 'are'} not here" if newer else ""
        evidence = lag_of(context, view.source).evidence
        yield Problem(
            Severity.ERROR,
            f"{view.name} is {days} days behind; the policy allows {limit}{what}",
            breaks="The rules of this site: the mirror is to follow within that time.",
            detail=f"By {evidence}." if evidence else "",
            facts=(view.found(f"{days} days behind"), FoundFact("max-lag-days", str(limit), None, "policy")),
            remedy=advice("mirror", _SYNC),
        )


def days_behind(context: Context, view: View) -> int | None:
    """For how many days a mirror has been behind; one that has nothing that would do, since the newest came out."""
    from trtdoctor.rules.mirror_fit import no_earlier
    from trtdoctor.rules.mirror_gap import lag_of, main_gap, moment_of

    gap = main_gap(context, view.source)
    if gap is None or gap.newest_here is not None or not gap.newer:
        return lag_of(context, view.source).days
    newest = gap.newer[0]
    moment = no_earlier(newest.released, newest.released_by)
    return (moment_of(context, view.source) - moment).days if moment is not None else None


def _is_absent(view: View) -> bool:
    """Whether the mirror does not carry this at all."""
    side = view.source.side("mirror")
    return side is not None and side.state == "absent"


def _is_down(view: View) -> bool:
    """Whether another rule says that a side could not be asked."""
    return any(side.state != "ok" for side in view.source.sides if side.role in ("mirror", "upstream", "status"))


# -- security ----------------------------------------------------------------------------------------------------------


@record
class Unfixed:
    """A line of a source whose newest release has a published flaw that a newer one upstream mends."""

    gap: Gap
    fixes: Fixes
    fixed: HeldStack
    """The newest that is not here and is not touched."""
    torn: bool
    """Whether that one is here in part: then that is told as what it is."""


@rule("MIR202", "missing-security-fix", severity=Severity.WARNING, components=("mirror", "tensorrt"))
def missing_security_fix(context: Context) -> Iterable[Problem]:
    """The newest release on the mirror has a flaw that NVIDIA has published, and upstream has one without it.

    Why it matters: Until the mirror has it, nobody behind it can install the fix. It heads the report.

    Example: The mirror ends at TensorRT 10.16.1, which bulletin 5855 names; upstream has 11.4.0, which fits the fleet.

    How to fix: Sync the release that the finding names first.

    Sources: nvidia_product_security
    """
    for item in unfixed(context):
        here, gap = item.gap.newest_here, item.gap
        if here is None or item.torn:
            continue
        yield Problem(
            Severity.WARNING,
            f"{gap.view.name} lacks {item.fixed.short}; its newest, {_own(here)}, has known security flaws",
            breaks="Whoever installs from this mirror gets the flaw (worst: "
            f"{item.fixes.worst}), and cannot get the fix.",
            detail=f"NVIDIA bulletins {item.fixes.numbers}: {item.fixes.page}",
            facts=(
                gap.view.found(f"newest: {here.short}"),
                gap.view.found(f"newest with the fixes: {item.fixed.short}", "upstream"),
            ),
            sources=item.fixes.sources,
            remedy=advice("mirror", f"Sync {item.fixed.short} first. {_SYNC}"),
        )


def unfixed(context: Context) -> tuple[Unfixed, ...]:
    """The lines with a published flaw, of each source the one that it is spoken of by, or else the first."""
    return context.remember("mirror: unfixed", lambda: tuple(_unfixed(context))) if asked(context) else ()


def _unfixed(context: Context) -> Iterator[Unfixed]:
    from trtdoctor.rules.mirror_gap import gaps, main_gap

    for view in asked(context):
        main = main_gap(context, view.source)
        lines = [gap for gap in gaps(context) if gap.view.source is view.source]
        for gap in sorted(lines, key=lambda one: one is not main):
            found = _unfixed_line(context, gap)
            if found is not None:
                yield found
                break


def _unfixed_line(context: Context, gap: Gap) -> Unfixed | None:
    from trtdoctor.rules.advisory import known_fixes

    subject = _subject(context, gap.newest_here) if gap.newest_here is not None else None
    fixes = known_fixes(context, *subject) if subject is not None else None
    if fixes is None:
        return None
    broken = torn_names(context, gap.view)
    mended = []
    for stack in gap.newer:  # newest first
        other = _subject(context, stack)
        if other is not None and other[1].at_least(fixes.fixed) is Answer.YES and known_fixes(context, *other) is None:
            mended.append(stack)
    best = next((stack for stack in mended if stack.name not in broken), None) or next(iter(mended), None)
    return Unfixed(gap, fixes, best, best.name in broken) if best is not None else None


def torn_names(context: Context, view: View) -> frozenset[str]:
    """What the mirror has only in part (MIR101, MIR102), or not for a platform that is needed (MIR103)."""
    from trtdoctor.rules.mirror_view import machines

    found = {stack.name for item in torn(context) if item.view is view for stack in item.stacks}
    for machine in machines(context):
        here, _ = view.stacks(machine)
        found |= {stack.name for stack in here if stack.kind == "image" and stack.complete is Answer.NO}
    return frozenset(found)


def _subject(context: Context, stack: HeldStack) -> tuple[str, Version] | None:
    """Component and version by which bulletins speak of a stack: Triton's images by their month."""
    if stack.kind == "image" and "tritonserver" in stack.line:
        from trtdoctor.matrix import mirrors

        repository, _, tag = stack.name.rpartition(":")
        read = mirrors.read_tag(context.matrix, tag, repository)
        month = Version.maybe(read.month) if read is not None else None
        return ("triton", month) if month is not None else None
    version = Version.maybe(stack.version)
    return ("tensorrt", version) if version is not None else None


# -- merely behind -----------------------------------------------------------------------------------------------------


@rule("MIR203", "newest-fitting-not-here", severity=Severity.WARNING, components=("mirror", "tensorrt"))
def newest_fitting_not_here(context: Context) -> Iterable[Problem]:
    """Upstream has a release that fits and is let in, and the mirror does not have it whole.

    Why it matters: This is what a team that installs from the mirror waits for. Releases that no machine that was named
    can use do not count. It is worth knowing, and a warning only where the mirror has nothing at all that would do.

    Example: From the mirror TensorRT 10.16.1 can be had, upstream has 11.4.0, both for CUDA 13.

    How to fix: Sync the release; trtdoctor mirror sync-config writes down what that takes.

    Sources: package_index, triton_notes
    """
    told = {item.gap.view.number for item in unfixed(context)}
    limit = context.policy.max_lag_days
    for view in asked(context):
        from trtdoctor.rules.mirror_gap import gaps

        if view.number in told or _is_absent(view) or (limit is not None and (days_behind(context, view) or 0) > limit):
            continue  # the same cause, told with its worse consequence
        broken = torn_names(context, view)
        for gap in gaps(context):
            if gap.view is not view or not gap.newer or gap.newer[0].name in broken:
                continue
            if gap.newest_here is not None or not (broken or _has_other_line(context, gap)):
                yield _behind(gap, context)


def _has_other_line(context: Context, gap: Gap) -> bool:
    """Whether the mirror has something of another line: then it leaves this one out on purpose."""
    from trtdoctor.rules.mirror_gap import gaps

    return any(one.newest_here is not None for one in gaps(context) if one.view is gap.view)


def _behind(gap: Gap, context: Context) -> Problem:
    from trtdoctor.rules.mirror_view import called, machines

    here, newest = gap.newest_here, gap.newer[0]
    days = f", {gap.lag.days} days behind" if gap.lag.days else ""
    number = "tag" if newest.kind == "image" else "release"
    many = f"{gap.releases} {number}s" if gap.releases > 1 else f"1 {number}"
    whom = f" (for {called(gap.machine, context)})" if len(machines(context)) > 1 else ""
    facts = [
        gap.view.found(f"{'also' if number else 'newest'}: {stack.short}", "upstream")
        for number, stack in enumerate(gap.newer[:_FACTS])
    ]
    if here is None:
        return Problem(
            Severity.WARNING,
            f"{gap.view.name} has nothing whole that would do{whom}; upstream has {newest.short}",
            breaks="Nothing that fits can be installed from this mirror.",
            facts=tuple(facts),
            remedy=advice("mirror", _SYNC),
        )
    return Problem(
        Severity.INFO,
        f"{gap.view.name} ends at {here.short}{whom}; upstream has {newest.short}: {many}{days}",
        breaks="Nothing; newer releases cannot be had from here.",
        facts=(gap.view.found(f"newest: {here.short}"), *facts),
        remedy=advice("mirror", _SYNC),
    )


def _own(stack: HeldStack) -> str:
    """A stack in few words: its release, or the tag of an image."""
    return stack.name.rpartition(":")[2] if stack.kind == "image" else stack.release or stack.name
