"""Whether a check runs a canary by itself: only where it can tell something, and disturbs nobody."""

from __future__ import annotations

from trtdoctor.canary.choice import Choice
from trtdoctor.findings import Report, Severity
from trtdoctor.snapshot import Gpu, Snapshot

FREE_BYTES = 1 << 30
"""So much GPU memory must be free: a CUDA context and a small engine take some hundred MiB. Our own choice."""
_ELSEWHERE = ("API", "ENG", "FWK", "MIR", "POL", "TOL")
"""Families that speak of code, engines, frameworks, tools and policies: the canary can pass all the same."""


def why_not(report: Report, choice: Choice) -> str | None:
    """Why no canary is run on its own accord; None when it is worth running."""
    errors = [
        item.code
        for item in report.standing
        if item.severity is Severity.ERROR and not item.code.startswith(_ELSEWHERE)
    ]
    if errors:
        return f"{', '.join(dict.fromkeys(errors))} must be mended first"
    if not choice.builds:
        return f"{choice.distribution} can run engines, not build them"
    snapshot: Snapshot = report.snapshot
    gpus = [gpu for gpu in snapshot.gpus or () if gpu.visible is not False]
    if not gpus:
        if choice.product != "tensorrt-rtx":
            return "no GPU is known of here"
        return "no GPU is known of here, and running is part of the goal" if "run" in report.goal else None
    return _busy(gpus[0])


def _busy(gpu: Gpu) -> str | None:
    """Why the GPU that CUDA calls 0 should be left alone."""
    if gpu.error:
        return f"GPU {gpu.index} cannot be asked ({gpu.error})"
    if gpu.compute_mode == "prohibited":
        return f"GPU {gpu.index} is in compute mode prohibited"
    if gpu.compute_mode == "exclusive-process" and gpu.processes:
        return f"GPU {gpu.index} is in compute mode exclusive-process, and in use"
    free = gpu.memory_free_bytes
    if free is not None and free < FREE_BYTES and not gpu.mig:
        return f"GPU {gpu.index} has {free / (1 << 20):.0f} MiB free, {FREE_BYTES >> 20} MiB are wanted"
    return None
