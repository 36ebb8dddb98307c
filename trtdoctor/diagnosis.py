"""What the rules find in one environment: run them in order, let causes silence what follows from them.

Nothing here knows of commands: what would mend a finding stays a remedy, for the planner to turn into steps. So the
planner can ask what would be found in an environment that does not exist yet.
"""

from __future__ import annotations

from collections.abc import Callable

from trtdoctor.findings import Finding, SourceRef
from trtdoctor.matrix import Fact, Matrix
from trtdoctor.rules import AFTER_WAIVERS, RULES
from trtdoctor.rules.base import Context, Problem, Rule
from trtdoctor.rules.supposed import errors
from trtdoctor.stack import ABSENT, UNKNOWN

__all__ = ["diagnose", "errors", "on_waivers"]

MAX_COMPONENTS = 3

_HOW_TO_TELL = {
    "driver": ("the driver version", "nvidia-smi --query-gpu=driver_version --format=csv, or --set driver=VERSION"),
    "gpu": (
        "the GPU and its compute capability",
        "nvidia-smi --query-gpu=name,compute_cap --format=csv, or --set gpu=NAME",
    ),
    "tensorrt": (
        "the TensorRT version",
        "python3 -m pip show tensorrt, dpkg -l 'libnvinfer*', or --set tensorrt=VERSION",
    ),
    "tensorrt-rtx": (
        "the TensorRT for RTX version",
        "python3 -m pip show tensorrt-rtx, or --set tensorrt=VERSION,product=rtx",
    ),
    "cuda": ("the CUDA version", "nvcc --version, or --set cuda=VERSION"),
    "cudnn": ("the cuDNN version", "python3 -m pip list | grep cudnn, or --set cudnn=VERSION"),
    "cublas": ("the cuBLAS version", "python3 -m pip list | grep cublas, or --set cublas=VERSION"),
    "nvrtc": ("the NVRTC version", "python3 -m pip list | grep nvrtc, or --set nvrtc=VERSION"),
    "python": ("the Python version", "python3 --version, or --set python=VERSION"),
    "glibc": ("the glibc version", "ldd --version, or --set glibc=VERSION"),
    "platform": ("operating system and architecture", "uname -m, or --set os=NAME --set arch=NAME"),
}


def diagnose(context: Context, chosen: Callable[[str], bool] = lambda _: True) -> list[Finding]:
    """What the rules find. A rule is silenced only by a code that is ``chosen``: else the cause would go untold."""
    found: list[Finding] = []
    codes: set[str] = set()
    missing: dict[str, list[str]] = {}
    state = context.stack.state
    for rule in RULES:
        if rule.silenced_by and not codes.isdisjoint(rule.silenced_by):
            continue
        states = [state(need) for need in rule.needs]
        if ABSENT in states:
            continue
        if UNKNOWN in states:
            for need, answer in zip(rule.needs, states, strict=True):
                if answer == UNKNOWN:
                    missing.setdefault(need, []).append(rule.code)
            continue
        for problem in rule.check(context):
            finding = _finding(rule, problem, context)
            if not any(other.code == finding.code and other.title == finding.title for other in found):
                found.append(finding)
                codes.update([rule.code] if chosen(rule.code) else [])
    _tell_missing(context, missing)
    said_better = {code for rule in RULES if rule.code in codes for code in rule.instead_of}
    return [item for item in found if item.code not in said_better]


def _tell_missing(context: Context, missing: dict[str, list[str]]) -> None:
    """What had to be known, and the codes of the rules that could not run without it."""
    for need, rules in missing.items():
        needed, how = _HOW_TO_TELL[need]
        checks = "a check" if len(rules) == 1 else f"{len(rules)} checks"
        context.unknown(need, needed, f"not known; {checks} could not run without it", how)


def on_waivers(context: Context) -> list[Finding]:
    """What the rules say of waivers, once these have been applied (``context.uses``)."""
    return [_finding(rule, problem, context) for rule in AFTER_WAIVERS for problem in rule.check(context)]


def _finding(rule: Rule, problem: Problem, context: Context) -> Finding:
    return Finding(
        code=rule.code,
        name=rule.name,
        severity=problem.severity,
        components=(problem.components or rule.components)[:MAX_COMPONENTS],
        title=problem.title,
        detail=problem.detail,
        facts=problem.facts,
        sources=_sources(problem.sources, context.matrix),
        breaks=problem.breaks,
        remedy=problem.remedy,
        untested=problem.untested,
    )


def _sources(facts: tuple[Fact, ...], matrix: Matrix) -> tuple[SourceRef, ...]:
    refs: dict[str, SourceRef] = {}
    for fact in facts:
        for source in fact.sources:
            refs.setdefault(source, SourceRef(source, matrix.source_url(source), fact.certainty))
    return tuple(refs.values())
