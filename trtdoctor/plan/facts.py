"""Which fact of the machine an error rests on that nothing mends, so that many errors are one reason."""

from __future__ import annotations

from trtdoctor.matrix import drivers
from trtdoctor.plan.model import Refusal
from trtdoctor.plan.question import Question
from trtdoctor.rules import BY_CODE
from trtdoctor.rules.base import Problem


def of_problem(question: Question, code: str, problem: Problem) -> Refusal:
    """The error as a refusal: by the fact that it rests on, else by its own words."""
    return Refusal(_fact(question, code, problem) or f"{code} {problem.title}", problem.title)


def _fact(question: Question, code: str, problem: Problem) -> str | None:
    if code.startswith("GPU") and question.capabilities:
        return capability(
            next((item for item in question.capabilities if item in problem.title), None) or _all(question)
        )
    if code.startswith("DRV"):
        return left_out(question)
    if code == "PYT101" and question.python is not None:
        return f"Python {question.python.short(2)}"
    if code == "PYT102" and question.snapshot.platform.glibc:
        return f"glibc {question.snapshot.platform.glibc}"
    if code == "PYT104" and len(question.platforms) == 1:
        return question.platforms[0]
    if code.startswith("FWK"):
        named = question.environment.get("packages", {})
        spoken = problem.components or BY_CODE[code].components
        for name, version in named.items():
            if name.removesuffix("-gpu") in spoken and name != "torch":
                return f"{name} {version}"
    return None


def capability(number: str) -> str:
    """``compute capability 6.1``."""
    return f"compute capability {number}"


def _all(question: Question) -> str:
    return " and ".join(question.capabilities)


def left_out(question: Question) -> str | None:
    """The compute capability of a GPU that newer drivers no longer serve; None where there is none."""
    for number in question.capabilities:
        last = drivers.last_branch_for(question.matrix, number)
        if last is not None and last.value != drivers.NONE:
            return capability(number)
    return None
