"""What a site demands beyond the vendor's limits: the ``forbid`` lists of its overlays."""

from __future__ import annotations

from collections.abc import Iterable

from trtdoctor.findings import FoundFact, Severity
from trtdoctor.matrix.overlay_types import Forbidden
from trtdoctor.record import record
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import advice
from trtdoctor.stack import KNOWN, UNKNOWN
from trtdoctor.versions import Answer, Version, within

_TITLES = {"tensorrt": "TensorRT", "tensorrt-rtx": "TensorRT for RTX", "cuda": "CUDA", "cudnn": "cuDNN"} | {
    "cublas": "cuBLAS",
    "nvrtc": "NVRTC",
    "gpu": "compute capability",
}


@record
class _Subject:
    """One thing that a line of ``forbid`` can hit."""

    version: Version
    fact: FoundFact


@rule("POL101", "forbidden-by-overlay", severity=Severity.ERROR, components=("policy",))
def forbidden_by_overlay(context: Context) -> Iterable[Problem]:
    """A version is installed that an overlay of this site forbids.

    Why it matters: Whoever wrote the overlay had a reason, which the finding repeats; NVIDIA's own limits know
    nothing of it. Without overlays this rule says nothing.

    Example: An overlay has `forbid: [{component: tensorrt, versions: ">=10.3,<10.4", reason: ...}]`, and TensorRT
    10.3.0 is installed.

    How to fix: Install a version that the overlay does not forbid, or have the overlay changed.

    Sources: the overlay that the finding names
    """
    for item in context.matrix.forbidden:
        if not _about(context, item):
            continue
        subjects = _subjects(context, item.component)
        answers = [(subject, within(subject.version, item.versions)) for subject in subjects]
        hit = [subject for subject, answer in answers if answer is Answer.YES]
        if any(answer is Answer.UNKNOWN for _, answer in answers) and not hit:
            _not_judged(context, item)
        if hit:
            yield _problem(item, hit, every=len(hit) == len(subjects))


def _about(context: Context, item: Forbidden) -> bool:
    """Whether there is something to judge; what nobody knows is said once."""
    if item.component.startswith("package:"):
        return True
    state = context.stack.state(item.component)
    if state == UNKNOWN:
        _not_judged(context, item)
    return state == KNOWN


def _not_judged(context: Context, item: Forbidden) -> None:
    name = item.fact.overlay
    why = f"overlay {name} forbids {item.versions}, and what is known of it does not tell"
    context.unknown(item.component, "the exact version", why, "state it, e.g. --set KEY=VERSION")


def _subjects(context: Context, component: str) -> list[_Subject]:
    stack = context.stack
    if component.startswith("package:"):
        found = stack.distributions.get(component[8:])
        version = Version.maybe(found.version) if found else None
        return [_Subject(version, FoundFact(component[8:], str(version), None, "python"))] if version else []
    if component == "driver":
        return [_Subject(stack.driver, stack.driver_found())] if stack.driver else []
    if component == "gpu":
        known = [(Version.maybe(gpu.compute_capability), gpu.found()) for gpu in stack.gpus]
        return [_Subject(version, fact) for version, fact in known if version]
    if component in ("python", "glibc"):
        text = stack.interpreter.version if component == "python" and stack.interpreter else None
        version = Version.maybe(text if component == "python" else stack.snapshot.platform.glibc)
        return [_Subject(version, FoundFact(component, str(version), None, "host"))] if version else []
    chosen = {"tensorrt": stack.tensorrts, "tensorrt-rtx": stack.rtxs}.get(component) or stack.of(component)
    return [_Subject(one.version, one.found()) for one in chosen if one.version]


def _problem(item: Forbidden, hit: list[_Subject], *, every: bool) -> Problem:
    package = item.component.startswith("package:")
    component = "package" if package else item.component.removesuffix("-rtx")
    name = item.component[8:] if package else _TITLES.get(item.component, item.component)
    versions = ", ".join(dict.fromkeys(str(subject.version) for subject in hit))
    # As with any copy: an error only when every one that may be used is hit.
    severity = Severity(item.severity) if every else Severity.WARNING
    text = f"Use a {name} that overlay {item.fact.overlay} allows (it forbids {item.versions})."
    return Problem(
        severity,
        f"{name} {versions} is forbidden by overlay {item.fact.overlay}: {item.reason}",
        breaks="The rules of this site, whatever the vendor allows.",
        facts=tuple(subject.fact for subject in hit),
        sources=(item.fact,),
        remedy=advice(component, text, item.reason),
        components=("policy", component),
    )
