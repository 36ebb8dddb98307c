"""What is asked for (``--goal fp8``, ``wants: [bf16]``) against what the GPUs have."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.findings import FoundFact, Severity
from trtdoctor.matrix import Fact, Row, features
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import advice, alike, gpu_labels
from trtdoctor.stack import GpuFact

_FAILS = "fails"


@rule(
    "GPU601",
    "precision-not-on-this-gpu",
    severity=Severity.ERROR,
    components=("gpu", "tensorrt"),
    needs=("gpu",),
    silenced_by=("GPU201", "API202"),
)
def precision_not_on_gpu(ctx: Context) -> Iterator[Problem]:
    """A precision is asked for that this GPU does not have.

    Why it matters: BF16 begins with Ampere, FP8 with Ada and Hopper, FP4 with Blackwell; without it the build stops.
    FP16 on an older GPU builds, with a warning, and is slower than FP32.

    Example: `--goal fp8` on an A100 (8.0): FP8 is not supported.

    How to fix: Ask for a precision that the GPU has, or build and run on a GPU that has this one.

    Sources: modelopt_matrix, te_matrix, lean_strings
    """
    for row in ctx.matrix.rows("features", "precisions"):
        if row.key not in ctx.goal:
            continue
        lacking: list[GpuFact] = []
        facts: list[Fact] = []
        for capability, members in alike(ctx.stack.gpus):
            judged = features.precision(ctx.matrix, capability, row.key)
            if judged.word == "no-hardware":
                lacking += members
                facts += judged.facts
        if lacking:
            yield _problem(ctx, row, lacking, tuple(facts))


def _problem(ctx: Context, row: Row, lacking: list[GpuFact], facts: tuple[Fact, ...]) -> Problem:
    how = row.get("without_gpu")
    fails = how.value == _FAILS
    every = len(lacking) == len(ctx.stack.gpus)
    capability = lacking[0].compute_capability
    name = row.key.upper()
    return Problem(
        Severity.ERROR if fails and every else Severity.WARNING,
        f"{name} is asked for; {gpu_labels(lacking)} (compute capability {capability}) has no {name}",
        breaks=f"The build stops: {name} is not supported."
        if fails
        else f"The engine builds without gain from {name}, or slower than in FP32.",
        facts=(FoundFact("goal", row.key, "wants", None), *(gpu.found() for gpu in lacking)),
        sources=(*facts, how),
        remedy=advice("gpu", f"Ask for another precision: {_others(ctx, lacking)}.", f"this GPU has no {name}"),
    )


def _others(ctx: Context, gpus: list[GpuFact]) -> str:
    """The precisions that all of these GPUs surely have."""
    words = []
    for name in features.precisions(ctx.matrix):
        answers = [features.precision(ctx.matrix, gpu.compute_capability or "", name).word for gpu in gpus]
        if all(word == "supported" for word in answers):
            words.append(name)
    return f"these GPUs have {', '.join(words)}" if words else "FP32 always works"
