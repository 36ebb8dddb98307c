"""Whether the plan that somebody named still holds by what is known today."""

from __future__ import annotations

from collections.abc import Iterable

from trtdoctor.findings import FoundFact, Severity
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import advice
from trtdoctor.versions import Answer, Version

_MOST = 3


@rule("POL211", "plan-of-other-matrix", severity=Severity.WARNING, components=("policy",))
def plan_of_other_matrix(context: Context) -> Iterable[Problem]:
    """The matrix that judges now is older than the one that the plan rests on, or another of the same version.

    Why it matters: What the plan was chosen by may be unknown here, so that it is judged by less than was known then.
    A matrix of the same version with another digest was changed by somebody; that is mere information. A newer matrix
    is what one wants, and says nothing.

    Example: The plan rests on matrix 2026.11.0, and a machine without network still has 2026.8.0.

    How to fix: `trtdoctor matrix update FILE|URL`, or a newer trtdoctor.

    Sources: the plan that `--against` names
    """
    plan, matrix = context.planned, context.matrix
    if plan is None or plan.matrix_digest == matrix.digest:
        return
    here, there = Version.maybe(matrix.version), Version.maybe(plan.matrix)
    older = here is not None and there is not None and here.below(there) is Answer.YES
    if not older and matrix.version != plan.matrix:
        return
    yield Problem(
        Severity.WARNING if older else Severity.INFO,
        f"Matrix {matrix.version} judges here; the plan rests on {plan.matrix}"
        if older
        else f"Matrix {matrix.version} is not the one of this version that the plan rests on",
        breaks="Nothing by itself; what was known when the plan was made may be unknown here.",
        facts=(
            FoundFact("matrix", f"{matrix.version} ({matrix.digest[:12]})", matrix.origin),
            FoundFact("planned by", f"{plan.matrix} ({plan.matrix_digest[:12]})", "the plan"),
        ),
        remedy=advice("policy", "trtdoctor matrix update FILE|URL, or a newer trtdoctor."),
    )


@rule("POL212", "plan-outdated", severity=Severity.WARNING, components=("policy",))
def plan_outdated(context: Context) -> Iterable[Problem]:
    """By today's matrix and rules the plan itself has an error, wherever it is carried out.

    Why it matters: Whoever follows it comes to something that fails. It was made when this was not known; what was
    wrong with its machine in any case is left out.

    Example: The plan has TensorRT 10.14.1 for a Blackwell GPU, and a newer matrix knows that this release fails on it.

    How to fix: Make the plan anew: `trtdoctor plan --write FILE`.

    Sources: the matrix, as the finding names it
    """
    plan = context.planned
    if plan is None:
        return
    from trtdoctor.rules.planned_errors import planned_errors

    found = planned_errors(context)
    if not found:
        return
    codes = list(dict.fromkeys(code for code, _ in found))
    shown = ", ".join(codes[:_MOST]) + (f" and {len(codes) - _MOST} more" if len(codes) > _MOST else "")
    yield Problem(
        Severity.WARNING,
        f"The plan of {plan.made} is outdated: matrix {context.matrix.version} finds {shown} in it",
        breaks=found[0][1].breaks or "What follows the plan.",
        detail=" ".join(f"{code}: {problem.title}." for code, problem in found[:_MOST]),
        facts=(FoundFact("plan", plan.title, f"matrix {plan.matrix}"),),
        sources=tuple(fact for _, problem in found[:_MOST] for fact in problem.sources),
        remedy=advice("policy", "Make the plan anew: trtdoctor plan --write FILE"),
    )
