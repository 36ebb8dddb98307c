"""What today's matrix finds wrong with a plan itself, whatever there is on the machine."""

from __future__ import annotations

from typing import Any

from trtdoctor import __version__
from trtdoctor.declared import machine_of, snapshot_of
from trtdoctor.planned import Planned
from trtdoctor.rules.base import Context, Problem
from trtdoctor.rules.supposed import errors
from trtdoctor.stack import Stack


def planned_errors(context: Context) -> tuple[tuple[str, Problem], ...]:
    """Code and problem of each error in the environment of the plan, but those that its machine has anyway.

    Nothing is looked at where the same program judges with the same matrix: then the planner has seen it.
    """
    plan = context.planned
    if plan is None or not plan.environment:
        return ()
    if plan.matrix_digest == context.matrix.digest and plan.program == __version__ and not context.matrix.overlays:
        return ()
    return context.remember("plan: errors", lambda: _errors(context, plan))


def _errors(context: Context, plan: Planned) -> tuple[tuple[str, Problem], ...]:
    bare = _supposed(context, machine_of(plan.environment), ("build", "run"))
    own = frozenset(code for code, _ in errors(bare))
    return tuple(errors(_supposed(context, plan.environment, plan.goal), own))


def _supposed(context: Context, environment: dict[str, Any], goal: tuple[str, ...]) -> Context:
    snapshot = snapshot_of(environment)
    words = frozenset(snapshot.wants or goal or ("build", "run"))
    return Context(Stack(snapshot, context.matrix), context.matrix, context.as_of, words, policy=context.policy)
