"""What the machine itself showed, against what the tables say: the one place where a severity changes after the rules.

A canary that passed lowers findings of the kind "nobody has tested this" to info; an error beside it stays an error,
with a note that matrix and machine disagree. A canary that failed beats any table: where a rule has told the cause
already, that finding takes its facts, and one root cause stays one finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from trtdoctor.findings import Finding, FoundFact, Severity
from trtdoctor.snapshot import Canary, Snapshot

_CUT = "\u2026"
"""What ends a title that was cut."""
_NO_MEMORY = "CAN104"
_CONFIRMING = ("CAN101", "CAN102", _NO_MEMORY)
"""Failures whose cause another rule may have told."""
_MACHINE = ("CTR", "DRV", "GPU", "CUD", "DNN", "TRT", "LDR", "PYT")
"""Families that speak of what a canary needs itself."""
_PUBLISHED = "601"
"""Rules that end so say that a security fix is published: no cause of anything."""
_GATES, _BEHIND = frozenset(("container", "wsl", "fabric-manager", "mig")), frozenset(("driver", "gpu"))
"""What keeps a process from the driver and the GPU, and what then seems to be missing."""
_VAGUE = frozenset(("loader", "package"))
"""Components that say nothing of which library it is."""


def reconcile(findings: Sequence[Finding], snapshot: Snapshot) -> list[Finding]:
    """The findings in the light of the canaries of ``snapshot``."""
    found = list(findings)
    for canary in snapshot.canaries:
        if canary.outcome == "passed" and _ran(canary):
            found = [_after_pass(finding, canary) for finding in found]
    for own in [finding for finding in found if finding.code in _CONFIRMING and finding.severity is Severity.ERROR]:
        told = _told_before(own, found, _canary_of(own, snapshot))
        if told is not None:
            found[found.index(told)] = _confirmed(told, own)
            found.remove(own)
    return found


def _ran(canary: Canary) -> bool:
    return any(stage.name == "run" and stage.status == "passed" for stage in canary.stages)


# -- after a pass ------------------------------------------------------------------------------------------------------


def _after_pass(finding: Finding, canary: Canary) -> Finding:
    if not finding.code.startswith(_MACHINE) or not _concerns(finding, canary):
        return finding
    name = f"{'TensorRT for RTX' if canary.product == 'tensorrt-rtx' else 'TensorRT'} {canary.version or ''}".strip()
    fact = FoundFact("canary", "passed", f"{name}, GPU {canary.device or 0}, {canary.taken or 'no date'}", "canary")
    if finding.untested and finding.severity is Severity.WARNING:
        note = f"A small engine was built and run here with {name}, with the right result."
        return replace(
            finding, severity=Severity.INFO, detail=_joined(finding.detail, note), facts=(*finding.facts, fact)
        )
    if finding.severity is Severity.ERROR:
        note = (
            f"A small engine was built and run here with {name} all the same: matrix and machine disagree. "
            "The canary is a small network; a real model may still fail."
        )
        return replace(finding, detail=_joined(finding.detail, note), facts=(*finding.facts, fact))
    return finding


def _concerns(finding: Finding, canary: Canary) -> bool:
    """Whether the canary needed what the finding speaks of: its product, its GPU."""
    rtx = canary.product == "tensorrt-rtx"
    if "tensorrt-rtx" in finding.components and not rtx:
        return "tensorrt" in finding.components
    if rtx and {"tensorrt", "cudnn"} & set(finding.components) and "tensorrt-rtx" not in finding.components:
        return False
    gpus = {fact.key.split()[1] for fact in finding.facts if fact.key.startswith("gpu ") and len(fact.key.split()) > 1}
    return not gpus or str(canary.device or 0) in gpus


# -- after a failure ---------------------------------------------------------------------------------------------------


def _canary_of(own: Finding, snapshot: Snapshot) -> Canary | None:
    """The canary that a finding speaks of, by its first fact."""
    said = {(fact.value, fact.where) for fact in own.facts if fact.key == "canary"}
    for canary in snapshot.canaries:
        if any((canary.outcome, f"stage {stage.name}") in said for stage in canary.stages):
            return canary
    return snapshot.canaries[0] if len(snapshot.canaries) == 1 else None


def _rests_on(canary: Canary | None, finding: Finding) -> bool:
    """Whether a failure for which no reason is known may come from an error that a rule found.

    Once the builder stands, a model of the user's fails for reasons of its own, unless the process crashes. TensorRT
    for RTX builds without driver and GPU: what keeps from them is no reason before the engine is to run.
    """
    if canary is None:
        return True
    passed = {stage.name for stage in canary.stages if stage.status == "passed"}
    if "builder" not in passed:
        return True
    if canary.network == "onnx" and canary.outcome == "failed":
        return False
    ahead = canary.product == "tensorrt-rtx" and "header" not in passed
    return not (ahead and (_GATES | _BEHIND) & set(finding.components))


def _told_before(own: Finding, found: Iterable[Finding], canary: Canary | None) -> Finding | None:
    """The finding that names the cause of a canary's failure; None when none does.

    An error that shares a component, or says why driver and GPU are out of reach; else, when the canary gave no reason
    that is known, the first error of all that it may come from; else a warning about the very thing that failed.
    """
    others = [
        finding for finding in found if finding.code.startswith(_MACHINE) and not finding.code.endswith(_PUBLISHED)
    ]
    unexplained = not own.sources and own.code != _NO_MEMORY
    errors = [
        finding
        for finding in others
        if finding.severity is Severity.ERROR and (not unexplained or _rests_on(canary, finding))
    ]
    shared = [finding for finding in errors if set(finding.components) & set(own.components)]
    if shared:
        sharp = set(own.components) - _VAGUE
        return next((finding for finding in shared if sharp & set(finding.components)), shared[0])
    keeping_out = [finding for finding in errors if _GATES & set(finding.components)]
    if keeping_out and _BEHIND & set(own.components):
        return keeping_out[0]
    if errors and unexplained:
        return errors[0]
    if unexplained or own.components[0] in _VAGUE:
        return None
    warned = [finding for finding in others if finding.severity is Severity.WARNING]
    return next((finding for finding in warned if own.components[0] in finding.components), None)


def _confirmed(told: Finding, own: Finding) -> Finding:
    stop = "" if own.title.endswith(_CUT) else "."
    return replace(
        told,
        severity=Severity.ERROR,
        detail=_joined(told.detail, f"The canary confirms it: {own.title}{stop}"),
        facts=(*told.facts, *own.facts),
        sources=(*told.sources, *(item for item in own.sources if item not in told.sources)),
    )


def _joined(*parts: str) -> str:
    return " ".join(filter(None, parts))
