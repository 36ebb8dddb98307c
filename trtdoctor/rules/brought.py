"""What the packages of TensorRT that requirements name bring along: their parts come with them, under one flavour."""

from __future__ import annotations

from trtdoctor.matrix import wheels
from trtdoctor.matrix.distributions import DistributionSpec
from trtdoctor.rules.base import Context
from trtdoctor.rules.releases import known_spec
from trtdoctor.snapshot import Distribution
from trtdoctor.versions import Version

_DEEPEST = 3


def parts_of(context: Context, dist: Distribution, spec: DistributionSpec) -> list[DistributionSpec]:
    """A distribution, and for one that is only named the distributions that installing it brings.

    Which those are stands in the matrix, by version. A version that may be several releases brings what they all do.
    """
    if dist.stated_at is None or spec.real == "placeholder":
        return [spec]
    found: dict[str, DistributionSpec] = {}
    _gather(context, dist.name, Version.maybe(dist.version), found, 0)
    return [spec, *(other for name, other in found.items() if name != spec.name)]


def flavour_of(context: Context, dist: Distribution) -> str | None:
    """The CUDA flavour that a distribution is or brings: ``cu13`` of tensorrt 10.14; None where it is not known."""
    spec = known_spec(context.matrix, dist.name)
    flavours = {part.flavour for part in parts_of(context, dist, spec) if part.flavour} if spec else set()
    return flavours.pop() if len(flavours) == 1 else None


def _gather(
    context: Context, name: str, version: Version | None, found: dict[str, DistributionSpec], depth: int
) -> None:
    spec = known_spec(context.matrix, name)
    if spec is None or name in found or depth > _DEEPEST:
        return
    found[name] = spec
    family = "windows" if context.snapshot.platform.system == "windows" else "linux"
    rows = [
        row
        for text in wheels.versions(context.matrix, name)
        if version is None or Version.parse(text).may_be(version)
        for row in (wheels.of(context.matrix, name, Version.parse(text)),)
        if row is not None
    ]
    facts = [wheels.resolves_to(row, family) for row in rows]
    brought = [set(fact.value) if fact is not None and isinstance(fact.value, list) else set() for fact in facts]
    for other in sorted(set.intersection(*brought)) if brought else ():
        _gather(context, other, version, found, depth + 1)
