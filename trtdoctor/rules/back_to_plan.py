"""What leads back to the plan that somebody named, as remedies: the plan's own versions, nothing chosen anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from trtdoctor.findings import PLAN, Remedy
from trtdoctor.matrix import distributions as known_distributions
from trtdoctor.planned import Planned, is_pin
from trtdoctor.rules.base import Context
from trtdoctor.rules.common import advice
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
    for aspect, make in (("driver", driver), ("image", image)):
        differing = compared(context, aspect).differing
        if differing:
            yield make(context, differing)
        if differing and aspect == "image":
            return  # the rest is in it
    yield from installations(context)


def installations(context: Context) -> Iterator[Remedy]:
    """What differs of the packages and pins; where another TensorRT is used, those too of which nobody knows."""
    plan = context.planned
    used = any(item.name.startswith("tensorrt") for item in compared(context, "components").differing)
    for aspect, make in (("packages", packages), ("pins", distributions)):
        found = compared(context, aspect)
        differing = found.differing
        if used and not differing and plan is not None:
            pairs = plan.pins if aspect == "pins" else plan.apt
            differing = tuple(Difference(name, version) for name, version in pairs if name in found.open)
        if differing:
            yield make(context, differing)


def distributions(context: Context, differing: Sequence[Difference]) -> Remedy:
    """These distributions, from where the plan has them, into a Python that it is for."""
    plan = context.planned
    wanted = {item.name: item.planned for item in differing}
    python = [("python", item.planned) for item in compared(context, "python").differing]
    removed = [] if python or plan is None else _in_the_way(context, plan, wanted)
    if plan is not None:  # an environment of another Python begins empty
        wanted |= {name: version for name, version in plan.pins if python or name in removed}
    pins = [f"{name}=={version}" for name, version in wanted.items() if is_pin(name, version)]
    details = [("pins", " ".join(pins)), *python]
    if plan is not None:
        sources = (("index", plan.index), ("extra_index", plan.extra_index))
        details += [(name, address) for name, address in sources if address]
    if removed:
        details.append(("remove", " ".join(removed)))
    return _restore(context, *details)


def _in_the_way(context: Context, plan: Planned, wanted: Iterable[str]) -> list[str]:
    """What must go before a TensorRT comes back: all of its distributions, where the plan does not have one of them.

    Those of several flavours install the same modules; uninstalling one later would take files of the others.
    """
    products = {_product(context, name) for name in wanted}
    known = {*dict(plan.pins), *((plan.environment or {}).get("packages") or {})}
    there = [name for name in context.stack.distributions if (_product(context, name) or "none") in products]
    return there if any(name not in known for name in there) else []


def _product(context: Context, name: str) -> str | None:
    """The product of TensorRT that a distribution is a part of; None for any other."""
    spec = known_distributions.identify(context.matrix, name)
    return (spec.product or "full") if spec is not None and spec.component == "tensorrt" else None


def packages(context: Context, differing: Sequence[Difference]) -> Remedy:
    """These Debian packages, held at their versions."""
    pairs = " ".join(f"{item.name}={item.planned}" for item in differing)
    return _restore(context, ("apt", pairs))


def image(context: Context, differing: Sequence[Difference]) -> Remedy:
    """The image; where the plan installs into it, one that is built on it."""
    plan = context.planned
    built = (("built", "yes"),) if plan is not None and plan.pins else ()
    return _restore(context, ("image", differing[0].planned), *built)


def driver(context: Context, differing: Sequence[Difference]) -> Remedy:
    """A driver that is new enough."""
    return _restore(context, ("driver", f">={differing[0].planned}"))


def _restore(context: Context, *details: tuple[str, str]) -> Remedy:
    if planned_errors(context):
        return advice("policy", "The plan itself is outdated; make it anew: trtdoctor plan --write FILE")
    return Remedy(PLAN, "restore", None, _REASON, details)
