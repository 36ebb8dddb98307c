"""The fix of each finding: the planner's way out where versions have to change, else the step that the rule knows.

What ``check`` prints comes from here. One search answers all findings of a report together, so that the way out of one
never leads into another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from trtdoctor.findings import Finding, Fix, Severity
from trtdoctor.plan.steps import fixes_for
from trtdoctor.rules.base import Context

if TYPE_CHECKING:
    from trtdoctor.plan.question import Question
    from trtdoctor.plan.settle import Candidate

MOST = 24
"""So many environments are judged for one report: at a millisecond each that stays within 50 ms."""
_MOVES = ("install", "upgrade", "downgrade", "replace", "choose")
"""Actions that put another version in place."""
_MOVED = frozenset(
    ("tensorrt", "tensorrt-rtx", "cuda", "cudnn", "cublas", "nvrtc", "driver", "python", "jetpack", "engine")
    + ("onnxruntime", "torch", "torch-tensorrt", "tensorrt-llm", "package", "glibc")
)
"""Components that the planner moves."""
_PRODUCTS = ("tensorrt", "tensorrt-rtx")
_APART = {"ENG": "rebuild-engine", "API": "change-code"}
"""Families whose way out is a step of its own, by the kind of its change."""


def with_fixes(findings: Sequence[Finding], context: Context) -> list[Finding]:
    """The findings, each with the steps that mend it."""
    stack = context.stack
    answer = _Answer(context, findings)
    mended = []
    for item in findings:
        steps = answer.steps(item)
        if not steps and item.remedy is not None:
            steps = fixes_for(item.remedy, stack)
        mended.append(replace(item, fix=steps) if steps else item)
    return mended


def _is_planned(finding: Finding) -> bool:
    """Whether it asks for another version.

    One that repairs what is there (``options``), or puts a whole set of distributions back (no version), is a step of
    its own.
    """
    remedy = finding.remedy
    if finding.severity is Severity.INFO or remedy is None:
        return False
    if finding.code == "POL102":
        return any(fact.key in _MOVED for fact in finding.facts) or remedy.action in _MOVES
    if remedy.action not in _MOVES or remedy.component not in _MOVED:
        return False
    if remedy.detail("options") is not None or (remedy.detail("remove") and remedy.component not in _PRODUCTS):
        return False
    return remedy.wanted is not None or remedy.detail("distributions") is None


class _Answer:
    """One search for a whole report, made when the first finding asks."""

    def __init__(self, context: Context, findings: Sequence[Finding]) -> None:
        self._context = context
        self._wrong = [item for item in findings if _is_planned(item)]

    @cached_property
    def _back(self) -> tuple[Fix, ...]:
        """The way back to the plan that the environment is to match: nothing else is chosen then."""
        context = self._context
        if context.planned is None:
            return ()
        from trtdoctor.rules.back_to_plan import way_back

        return tuple(step for remedy in way_back(context) for step in fixes_for(remedy, context.stack))

    @cached_property
    def _way_out(self) -> tuple[Question, Candidate] | None:
        return way_out(self._context, self._wrong)

    @cached_property
    def _seen(self) -> frozenset[str]:
        """Codes that the description of the environment shows as well: only of those the planner knows."""
        from trtdoctor.diagnosis import errors

        question = self._way_out[0] if self._way_out is not None else None
        found = errors(question.context, unwanted=_warned(self._wrong)) if question is not None else ()
        return frozenset(code for code, _ in found)

    def steps(self, finding: Finding) -> tuple[Fix, ...]:
        """The part of the way out that this finding needs; empty where there is none."""
        if finding not in self._wrong:
            return ()
        if self._back and finding.code[:3] not in _APART:
            return self._back
        if self._way_out is None:
            return ()
        from trtdoctor.plan.commands import commands

        question, candidate = self._way_out
        absent = question.absent and finding.remedy is not None and finding.remedy.action == "install"
        if not absent and finding.code not in self._seen:
            return ()  # what only files show: the rule knows better what to do
        apart = _APART.get(finding.code[:3])
        kinds = {change.kind for change in candidate.changes}
        if not kinds:
            return ()
        if apart is not None and apart in kinds:
            return commands(question, candidate, only=frozenset((apart,)))
        moved = frozenset(kinds) - set(_APART.values())
        if moved != {"configure"} and not any(change.remedy == finding.remedy for change in candidate.changes):
            moved -= {"configure"}  # how the container is started is told by the finding that is about it
        return commands(question, candidate, only=moved)


def way_out(context: Context, findings: Sequence[Finding]) -> tuple[Question, Candidate] | None:
    """What takes all that is wrong away at once, the least invasive; None where nothing is, or nothing known does.

    First without the warnings and in the way in which TensorRT came, then with less and less insisted on.
    """
    from trtdoctor.plan.question import Question
    from trtdoctor.plan.search import search

    wrong = [item for item in findings if _is_planned(item)]
    warned = _warned(wrong)
    tries = dict.fromkeys(((warned, True), (warned, False), (frozenset[str](), False))) if wrong else ()
    for unwanted, narrow in tries:
        question = Question(
            context.snapshot,
            context.matrix,
            as_of=context.as_of,
            goal=tuple(sorted(context.goal)),
            demands=context.demands,
            policy=context.policy,
            unwanted=unwanted,
            repairs=False,
        )
        if context.policy.install is not None:
            question.install = (context.policy.install,)
        elif narrow:
            question.install = (question.way or "pip",)
        found = search(question, top=1, most=MOST)
        if found.candidates:
            return question, found.candidates[0]
    return None


def _warned(findings: Sequence[Finding]) -> frozenset[str]:
    return frozenset(item.code for item in findings if item.severity is Severity.WARNING)
