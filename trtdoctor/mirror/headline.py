"""What a source comes to in one sentence: what can be had from it, and how far that is behind."""

from __future__ import annotations

from trtdoctor.mirror_facts import MirrorItem, MirrorSource
from trtdoctor.obtainable import HeldStack
from trtdoctor.rules.base import Context
from trtdoctor.rules.mirror_gap import Gap, lag_of, main_gap
from trtdoctor.rules.mirror_lag import unfixed
from trtdoctor.rules.mirror_sides import MEANS, lacks
from trtdoctor.rules.mirror_view import is_blank, machines


def headline_of(context: Context, source: MirrorSource) -> str:
    """The sentence, without a full stop."""
    side = source.side("status" if source.kind == "status" else "mirror")
    name = source.id or source.kind
    known = lacks(context.matrix, source)
    if known is not None and (side is None or side.state != "ok"):
        return f"{known[0]} does not carry this at all"
    if side is not None and side.state == "absent":
        return f"{name} does not carry this at all"
    if side is not None and side.state in MEANS:
        return f"{name} {MEANS[side.state]}: what can be had from it is not known"
    if source.kind == "status":
        return f"{name}: {'; '.join(_job(item) for item in source.items[:3]) or 'no job that was asked for'}"
    if side is not None and side.state == "inconsistent":
        return f"{name} contradicts itself: what can be had from it is not known"
    gap = main_gap(context, source)
    if gap is None:
        fitting = "" if all(is_blank(machine) for machine in machines(context)) else " that fits"
        return f"neither {name} nor its upstream has a TensorRT{fitting}, as far as was looked"
    return f"{_of_gap(context, gap, name)}{_flaws(context, gap)}"


def _job(item: MirrorItem) -> str:
    last = f", last success {item.mirrored}" if item.mirrored else ""
    return f"{item.name} {item.sync or item.state}{last}"


def _of_gap(context: Context, gap: Gap, name: str) -> str:
    here, upstream = gap.newest_here, gap.view.source.side("upstream")
    if here is None:
        if gap.newest is None:
            return f"nothing that would do can be had whole from {name}"
        return f"nothing that would do can be had whole from {name}; upstream has {gap.newest.short}"
    other = f" (its libraries come from {_elsewhere(gap)})" if here.elsewhere else ""
    said = f"from {name} {here.short} can be had{other}"
    if upstream is None or upstream.state != "ok":
        return f"{said}; whether upstream has anything newer is not known"
    if gap.unsure:
        return f"{said}; whether it has {gap.unsure[0].short}, as upstream does, could not be told"
    if not gap.newer:
        return f"{said}, and upstream has nothing newer{_that_counts(context)}"
    number = "tag" if here.kind == "image" else "release"
    many = f"{gap.releases} {number}{'s' if gap.releases > 1 else ''}"
    days = lag_of(context, gap.view.source).days
    return f"{said}; upstream has {_newest(gap.newer[0], here)}: {many}{f', {days} days' if days else ''} behind"


def _newest(stack: HeldStack, here: HeldStack) -> str:
    """What is said of the newest beside what is here: only what differs."""
    if stack.kind == "image":
        return stack.name.rpartition(":")[2]
    return stack.release or stack.name if stack.flavour == here.flavour and stack.version else stack.short


def _elsewhere(gap: Gap) -> str:
    place = gap.view.source.side("wheels")
    return (place.address or "NVIDIA's own index").partition("://")[2] if place and place.address else "NVIDIA's index"


def _that_counts(context: Context) -> str:
    if not all(is_blank(machine) for machine in machines(context)):
        return " that fits"
    return " that the policy lets in" if context.policy.age or context.policy.deny or context.policy.allow else ""


def _flaws(context: Context, gap: Gap) -> str:
    for item in unfixed(context):
        if item.gap.view is gap.view:
            return f"; its newest has known security flaws (bulletins {item.fixes.numbers})"
    return ""
