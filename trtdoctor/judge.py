"""From a Snapshot to a Report: run the rules, order what they found, say what could not be judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from trtdoctor import __version__
from trtdoctor.demands import Answers, Demand
from trtdoctor.diagnosis import diagnose, on_waivers
from trtdoctor.findings import (
    ASKED,
    Against,
    Finding,
    InventoryItem,
    MatrixInfo,
    Report,
    Severity,
    Unknown,
    Verdict,
)
from trtdoctor.inventory import inventory_of
from trtdoctor.matrix import Matrix
from trtdoctor.plan.fixes import with_fixes
from trtdoctor.policy import Policy
from trtdoctor.reconcile import reconcile
from trtdoctor.rules.base import Context
from trtdoctor.snapshot import Snapshot
from trtdoctor.stack import Stack
from trtdoctor.waivers import Waiver, waive

if TYPE_CHECKING:
    from trtdoctor.planned import Planned

DEFAULT_GOAL = ("build", "run")
_VITAL = ("driver", "gpu", "tensorrt", *ASKED)


def judge(
    snapshot: Snapshot,
    matrix: Matrix,
    *,
    as_of: date,
    goal: Iterable[str] = (),
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    outside: Iterable[str] = (),
    demands: Iterable[Demand] = (),
    waivers: Iterable[Waiver] = (),
    policy: Policy | None = None,
    fleet: Iterable[Snapshot] = (),
    planned: Planned | None = None,
    configuration: str | None = None,
) -> Report:
    """Judge a Snapshot. ``select`` and ``ignore`` are codes or their prefixes (``DRV``, ``DRV1``, ``DRV101``).

    ``outside`` are components that the question leaves out: that they are not known is not told, and plays no part in
    the verdict. ``demands`` are what is required beside the goal: one that is not met is an error, one that nobody can
    judge an unknown. What ``waivers`` cover counts for nothing; ``policy`` is what the site lets in; ``fleet`` are the
    machines that mirrors are judged for, where they are several; ``planned`` is the plan that the Snapshot is to match;
    ``configuration`` is where all of that comes from.
    """
    words = tuple(dict.fromkeys(goal)) or snapshot.wants or DEFAULT_GOAL
    stack = Stack(snapshot, matrix)
    machines = tuple(Stack(item, matrix) for item in fleet)
    context = Context(
        stack, matrix, as_of, frozenset(words), tuple(demands), policy or Policy(), fleet=machines, planned=planned
    )
    chosen = partial(_chosen, select=tuple(select), ignore=tuple(ignore))
    found = reconcile(diagnose(context, chosen), snapshot)
    findings = [item for item in found if chosen(item.code)]
    answered = [item for item in waivers if chosen(item.code)]
    if answered:
        findings, uses = waive(findings, answered, as_of)
        told = on_waivers(replace(context, uses=uses))
        findings += [item for item in told if chosen(item.code)]
    findings.sort(key=lambda item: item.severity.rank)
    findings = with_fixes(findings, context)
    left_out = frozenset(outside)
    unknowns = tuple(item for item in context.unknowns.values() if item.component not in left_out)
    inventory = inventory_of(stack, findings, unknowns)
    return Report(
        verdict=verdict_of(findings, unknowns),
        primary=primary_of(findings),
        findings=tuple(findings),
        inventory=inventory,
        unknowns=unknowns,
        snapshot=snapshot,
        program=__version__,
        matrix=MatrixInfo.of(matrix, as_of),
        as_of=as_of.isoformat(),
        goal=words,
        interpreter=_interpreter(stack),
        configuration=configuration,
        against=_against(context),
        answers=Answers(stack),
    )


def _chosen(code: str, select: tuple[str, ...], ignore: tuple[str, ...]) -> bool:
    return (not select or code.startswith(select)) and not (ignore and code.startswith(ignore))


def primary_of(findings: Iterable[Finding]) -> str | None:
    """The code of the first finding that counts and is more than worth knowing."""
    return next((item.code for item in findings if item.severity is not Severity.INFO and item.waived is None), None)


def verdict_of(findings: Iterable[Finding], unknowns: Iterable[Unknown]) -> Verdict:
    """What findings and unknowns come to; what is waived plays no part."""
    severities = {item.severity for item in findings if item.waived is None}
    if Severity.ERROR in severities:
        return Verdict.BROKEN
    if Severity.WARNING in severities:
        return Verdict.AT_RISK
    if any(item.component in _VITAL for item in unknowns):
        return Verdict.UNKNOWN
    return Verdict.READY


def _against(context: Context) -> Against | None:
    """Whether this is what was planned, whatever findings were asked for."""
    plan = context.planned
    if plan is None:
        return None
    from trtdoctor.rules.planned_view import matches

    return Against(plan.title, plan.made, plan.matrix, matches(context).value)


def _interpreter(stack: Stack) -> dict[str, str | None] | None:
    found = stack.interpreter
    if found is None:
        return None
    return {"path": found.path, "version": found.version, "chosen_by": found.chosen_by}


__all__ = ["DEFAULT_GOAL", "InventoryItem", "judge", "primary_of", "verdict_of"]
