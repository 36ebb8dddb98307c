"""From a Snapshot to a Report: run the rules, order what they found, say what could not be judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from functools import partial

from trtdoctor import __version__
from trtdoctor.demands import Answers, Demand
from trtdoctor.findings import (
    REQUIREMENT,
    Finding,
    InventoryItem,
    MatrixInfo,
    Report,
    Severity,
    SourceRef,
    Unknown,
    Verdict,
)
from trtdoctor.fixes import fixes_for
from trtdoctor.inventory import inventory_of
from trtdoctor.matrix import Fact, Matrix
from trtdoctor.reconcile import reconcile
from trtdoctor.rules import AFTER_WAIVERS, RULES
from trtdoctor.rules.base import Context, Problem, Rule
from trtdoctor.snapshot import Snapshot
from trtdoctor.stack import ABSENT, UNKNOWN, Stack
from trtdoctor.waivers import Waiver, waive

DEFAULT_GOAL = ("build", "run")
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
_VITAL = ("driver", "gpu", "tensorrt", REQUIREMENT)


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
    configuration: str | None = None,
) -> Report:
    """Judge a Snapshot. ``select`` and ``ignore`` are codes or their prefixes (``DRV``, ``DRV1``, ``DRV101``).

    ``outside`` are components that the question leaves out: that they are not known is not told, and plays no part in
    the verdict. ``demands`` are what is required beside the goal: one that is not met is an error, one that nobody can
    judge an unknown. What ``waivers`` cover counts for nothing; ``configuration`` is where they and the rest come from.
    """
    words = tuple(dict.fromkeys(goal)) or snapshot.wants or DEFAULT_GOAL
    stack = Stack(snapshot, matrix)
    context = Context(stack, matrix, as_of, frozenset(words), tuple(demands))
    chosen = partial(_chosen, select=tuple(select), ignore=tuple(ignore))
    found = reconcile(_findings(context, chosen), snapshot)
    findings = [item for item in found if chosen(item.code)]
    answered = [item for item in waivers if chosen(item.code)]
    if answered:
        findings, uses = waive(findings, answered, as_of)
        told = _findings_on_waivers(replace(context, uses=uses))
        findings += [item for item in told if chosen(item.code)]
    findings.sort(key=lambda item: item.severity.rank)
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
        answers=Answers(stack),
    )


def _findings(context: Context, chosen: Callable[[str], bool]) -> list[Finding]:
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
    return found


def _tell_missing(context: Context, missing: dict[str, list[str]]) -> None:
    """What had to be known, and the codes of the rules that could not run without it."""
    for need, rules in missing.items():
        needed, how = _HOW_TO_TELL[need]
        checks = "a check" if len(rules) == 1 else f"{len(rules)} checks"
        context.unknown(need, needed, f"not known; {checks} could not run without it", how)


def _findings_on_waivers(context: Context) -> list[Finding]:
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
        fix=fixes_for(problem.remedy, context.stack) if problem.remedy else (),
        untested=problem.untested,
    )


def _sources(facts: tuple[Fact, ...], matrix: Matrix) -> tuple[SourceRef, ...]:
    refs: dict[str, SourceRef] = {}
    for fact in facts:
        for source in fact.sources:
            refs.setdefault(source, SourceRef(source, matrix.source_url(source), fact.certainty))
    return tuple(refs.values())


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


def _interpreter(stack: Stack) -> dict[str, str | None] | None:
    found = stack.interpreter
    if found is None:
        return None
    return {"path": found.path, "version": found.version, "chosen_by": found.chosen_by}


__all__ = ["DEFAULT_GOAL", "InventoryItem", "judge", "primary_of", "verdict_of"]
