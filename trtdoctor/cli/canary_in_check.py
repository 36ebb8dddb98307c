"""The canary as the last probe of ``trtdoctor check``: whether it runs, and how it gets into the Snapshot."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from trtdoctor.snapshot import ProbeOutcome, Snapshot

if TYPE_CHECKING:
    from trtdoctor.matrix import Matrix
    from trtdoctor.waivers import Waiver

MODES = ("auto", "always", "never")


def with_canary(
    snapshot: Snapshot,
    matrix: Matrix,
    mode: str,
    *,
    as_of: date,
    goal: tuple[str, ...],
    waivers: tuple[Waiver, ...] = (),
) -> Snapshot:
    """``snapshot`` with a canary, or with the reason why there is none among its probes.

    ``auto``: run it where the rules found nothing that makes it pointless, and take an earlier pass that still holds.
    ``always``: run it whatever the rules say.
    """
    from trtdoctor.canary.choice import choose
    from trtdoctor.stack import Stack

    choice = choose(Stack(snapshot, matrix), matrix)
    if isinstance(choice, str):
        return _skipped(snapshot, choice)
    if mode == "auto":
        from trtdoctor.canary.decide import why_not
        from trtdoctor.judge import judge

        reason = why_not(judge(snapshot, matrix, as_of=as_of, goal=goal, waivers=waivers), choice)
        if reason is not None:
            return _skipped(snapshot, reason)
    from trtdoctor.canary.memory import recall, remember
    from trtdoctor.canary.run import Options, run

    options = Options()
    known = recall(snapshot, choice, options) if mode == "auto" else None
    if known is not None:
        return replace(snapshot, canaries=(known,), probes=(*snapshot.probes, ProbeOutcome("canary", "ok")))
    outcome = run(choice, options, matrix)
    remember(snapshot, choice, options, outcome)
    seconds = round(sum(stage.seconds or 0.0 for stage in outcome.canary.stages), 3)
    told = ProbeOutcome("canary", "ok", None, seconds)
    made = replace(snapshot, canaries=(outcome.canary,), probes=(*snapshot.probes, told))
    return Snapshot.from_plain(made.to_plain())  # what came from outside is cleaned there, at one place


def _skipped(snapshot: Snapshot, reason: str) -> Snapshot:
    return replace(snapshot, probes=(*snapshot.probes, ProbeOutcome("canary", "skipped", reason)))
