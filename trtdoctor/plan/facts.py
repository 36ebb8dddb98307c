"""Which fact of the machine an error rests on that nothing mends, so that many errors are one reason."""

from __future__ import annotations

from trtdoctor.matrix import drivers, tensorrt
from trtdoctor.plan.builds import Build
from trtdoctor.plan.driver import capability_fact
from trtdoctor.plan.model import Refusal
from trtdoctor.plan.question import Question
from trtdoctor.rules import BY_CODE
from trtdoctor.rules.base import Problem
from trtdoctor.versions import Answer

_WHEREVER = ("GPU601",)
"""Errors of a GPU that no other platform takes away: what its hardware lacks."""


def of_problem(question: Question, code: str, problem: Problem, build: Build | None) -> Refusal:
    """The error as a refusal: by the fact that it rests on, else by its own words. ``build`` None: what is there."""
    said = _fact(question, code, problem)
    beside = _beside(question, build, code) if said is not None else ()
    return Refusal(said or f"{code} {problem.title}", problem.title, beside)


def _fact(question: Question, code: str, problem: Problem) -> str | None:
    named = next((item for item in question.capabilities if item in problem.title), None)
    if code.startswith("GPU") and question.capabilities:
        return capability_fact(named or question.capabilities[0])
    if code.startswith("DRV"):
        return left_out(question) or (capability_fact(named) if named and code == "DRV501" else None)
    if code == "POL102":
        wanted = [demand.text for demand in question.demands if problem.title.startswith(f"{demand.text} is required")]
        return f"{wanted[0]}, which is required" if wanted else None
    if code == "PYT101" and question.python is not None:
        return f"Python {question.python.short(2)}"
    if code == "PYT102" and question.snapshot.platform.glibc:
        return f"glibc {question.snapshot.platform.glibc}"
    if code == "PYT104" and len(question.platforms) == 1:
        return question.platforms[0]
    if code.startswith("FWK"):
        there = question.environment.get("packages", {})
        spoken = problem.components or BY_CODE[code].components
        for name, version in there.items():
            if name.removesuffix("-gpu") in spoken and name != "torch":
                return f"{name} {version}"
    return None


def _beside(question: Question, build: Build | None, code: str) -> tuple[str, ...]:
    """The platform, where the same release serves the GPU on another one; the Python that is not the wanted one."""
    if code == "POL102" and question.python is not None and question.unmet("python", question.python) is not None:
        return (f"Python {question.python.short(2)}",)
    if not code.startswith("GPU") or code in _WHEREVER or len(question.platforms) != 1:
        return ()
    pairs = [(build.row, build.flavour or None)] if build is not None else []
    for item in question.installed if build is None else ():
        rows = tensorrt.releases(question.matrix, item.version, item.product or "full") if item.version else []
        pairs += [(row, item.flavour) for row in rows]
    judged = [
        tensorrt.serves(row, capability, flavour, None).answer
        for row, flavour in pairs
        for capability in question.capabilities
    ]
    return question.platforms if not judged or Answer.NO not in judged else ()


def left_out(question: Question) -> str | None:
    """The compute capability of a GPU that newer drivers no longer serve; None where there is none."""
    for number in question.capabilities:
        last = drivers.last_branch_for(question.matrix, number)
        if last is not None and last.value != drivers.NONE:
            return capability_fact(number)
    return None
