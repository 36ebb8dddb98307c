"""What leads back to the plan that somebody named, as remedies: the plan's own versions, nothing chosen anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trtdoctor.findings import PLAN, Remedy
from trtdoctor.planned import is_pin
from trtdoctor.rules.base import Context
from trtdoctor.rules.planned_errors import planned_errors
from trtdoctor.rules.planned_view import Difference, compared

_REASON = "that is what the plan has"


def way_back(context: Context) -> tuple[Remedy, ...]:
    """All that has to be done; nothing where the plan is for another machine, or has errors itself by now."""
    if context.planned is None or compared(context, "system").differing or compared(context, "gpus").differing:
        return ()
    if planned_errors(context):
        return ()
    return tuple(_steps(context))


def _steps(context: Context) -> Iterator[Remedy]:
    makers = (("driver", driver), ("image", image), ("packages", packages), ("pins", distributions))
    for aspect, make in makers:
        differing = compared(context, aspect).differing
        if differing:
            yield make(context, differing)
        if differing and aspect == "image":
            return  # the rest is in it


def distributions(context: Context, differing: Sequence[Difference]) -> Remedy:
    """These distributions, from where the plan has them, into a Python that it is for."""
    plan = context.planned
    pins = [f"{item.name}=={item.planned}" for item in differing if is_pin(item.name, item.planned)]
    details = [("pins", " ".join(pins))]
    if plan is not None and plan.extra_index:
        details.append(("extra_index", plan.extra_index))
    details += [("python", item.planned) for item in compared(context, "python").differing]
    return Remedy(PLAN, "restore", None, _REASON, tuple(details))


def packages(_: Context, differing: Sequence[Difference]) -> Remedy:
    """These Debian packages, held at their versions."""
    pairs = " ".join(f"{item.name}={item.planned}" for item in differing)
    return Remedy(PLAN, "restore", None, _REASON, (("apt", pairs),))


def image(context: Context, differing: Sequence[Difference]) -> Remedy:
    """The image; where the plan installs into it, one that is built on it."""
    plan = context.planned
    built = (("built", "yes"),) if plan is not None and plan.pins else ()
    return Remedy(PLAN, "restore", None, _REASON, (("image", differing[0].planned), *built))


def driver(_: Context, differing: Sequence[Difference]) -> Remedy:
    """A driver that is new enough."""
    return Remedy(PLAN, "restore", None, _REASON, (("driver", f">={differing[0].planned}"),))
