"""What is required on the command line, in the configuration or by the caller: ``tensorrt>=10.3,<11``."""

from __future__ import annotations

import re
from collections.abc import Iterable

from trtdoctor.demands import PRODUCTS, Met, answer
from trtdoctor.findings import REQUIREMENT, FoundFact, Remedy, Severity
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import advice
from trtdoctor.versions import Answer

_HOW_TO_TELL = "run trtdoctor check on the machine itself, or state it, e.g. --set KEY=VALUE"


@rule("POL102", "requirement-not-met", severity=Severity.ERROR, components=("policy",))
def requirement_not_met(context: Context) -> Iterable[Problem]:
    """Something is required of this environment that it is not, or does not have.

    Why it matters: Whoever wrote the requirement has code that needs it. `tensorrt` means the full product: TensorRT
    for RTX, lean and dispatch do not meet it. Every visible GPU must meet what is required of GPUs. Without
    requirements this rule says nothing.

    Example: `trtdoctor check --require "tensorrt>=10.3,<11"` where TensorRT 8.5.3.1 is installed.

    How to fix: Install what is required, or take the requirement back.

    Sources: the requirement that the finding names
    """
    for demand in context.demands:
        met = answer(demand, context.stack)
        if met.answer is Answer.UNKNOWN:
            context.unknown(REQUIREMENT, demand.text, met.said, _HOW_TO_TELL)
        elif met.answer is Answer.NO:
            yield _problem(met)


def _problem(met: Met) -> Problem:
    subject = met.demand.subject
    return Problem(
        Severity.ERROR,
        f"{met.demand.text} is required; found {met.found}",
        breaks=f"Whatever requires {met.demand.text} here.",
        facts=(FoundFact(subject, met.found, met.where, "requirement"),),
        remedy=_remedy(met),
        components=("policy", _component(subject)),
    )


def _component(subject: str) -> str:
    if subject in PRODUCTS:
        return "tensorrt"
    if subject.startswith(("gpu.", "precision:")):
        return "gpu"
    return subject.partition(":")[0]


def _remedy(met: Met) -> Remedy:
    demand = met.demand
    reason = f"{demand.text} is required"
    if demand.subject.startswith("package:"):
        wanted = demand.specifier or None
        return Remedy("package", "install", wanted, reason, (("distributions", demand.name),))
    if demand.subject == "driver" and re.fullmatch(r">=[\d.]+", demand.specifier):
        return Remedy("driver", "upgrade", demand.specifier, reason)
    return advice(_component(demand.subject), _SENTENCES.get(demand.subject, _provide(met)), reason)


def _provide(met: Met) -> str:
    demand = met.demand
    if demand.subject.startswith("precision:"):
        return f"Use a GPU and a TensorRT that have {demand.name.upper()}, or require another precision."
    if demand.subject.startswith("gpu."):
        return f"Use GPUs with {demand.text}, make only such visible (CUDA_VISIBLE_DEVICES), or require less."
    return f"Install {demand.subject} {demand.specifier}".rstrip() + ", or change the requirement."


_SENTENCES = {"canary": "Mend what stopped the canary (trtdoctor canary -v shows its log)."}
