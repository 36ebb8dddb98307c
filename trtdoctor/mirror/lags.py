"""How far sources are behind, by the same judgement as the rules', and which of them further than the policy allows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from trtdoctor.matrix import Matrix
from trtdoctor.mirror.wanted import context_of
from trtdoctor.mirror_facts import MirrorSource
from trtdoctor.policy import Policy
from trtdoctor.rules.mirror_gap import Lag, lag_of
from trtdoctor.snapshot import Snapshot

_DAY = 86400


def lags(
    sources: Sequence[MirrorSource], matrix: Matrix, policy: Policy, fleet: Iterable[Snapshot], now: datetime
) -> dict[str, Lag]:
    """The lag of each source by its id; ``fleet`` are the machines that it must matter to, none for any."""
    context = context_of(sources, matrix, policy, fleet, now.date())
    return {source.id: lag_of(context, source) for source in sources}


def late(found: Mapping[str, Lag], policy: Policy) -> dict[str, str | None] | None:
    """Why a source is further behind than is allowed, in words; None for one that is not, no entry where nobody knows.

    None where the policy sets no limit.
    """
    if policy.max_lag_days is None:
        return None
    limit = policy.max_lag_days
    said: dict[str, str | None] = {}
    for name, lag in found.items():
        if lag.seconds is not None:
            by = f" by {lag.evidence}" if lag.evidence else ""
            behind = f"{lag.seconds // _DAY} days behind{by}, {limit} are allowed"
            said[name] = behind if lag.seconds > limit * _DAY else None
    return said
