"""The state of the GPU: memory, compute mode, virtualisation, fabric."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.findings import FoundFact, Severity
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import (
    advice,
    command,
    cuda_error,
    cuda_works,
    error_text,
    gpu_labels,
    severity_without_cuda,
)
from trtdoctor.rules.releases import joined
from trtdoctor.stack import ABSENT

_SMALL = 1 << 30
"""Bytes of free memory under which a build is at risk: a CUDA context alone takes a few hundred MiB. Our own choice."""


@rule("GPU301", "little-gpu-memory", severity=Severity.WARNING, components=("memory", "gpu"))
def little_gpu_memory(ctx: Context) -> Iterator[Problem]:
    """The GPU has hardly any memory left.

    Why it matters: a CUDA context alone takes a few hundred MiB, and the builder tries kernels that need workspace.
    With too little it skips fast kernels, or fails.

    Example: another process holds 23 of 24 GiB: "CUDA initialization failure with error: 2", or out of memory.

    How to fix: end the other process, choose another GPU with CUDA_VISIBLE_DEVICES, or use a smaller model.

    Sources: https://github.com/NVIDIA/TensorRT/issues/149
    """
    for gpu in ctx.stack.gpus:
        found = gpu.gpu
        left = found.memory_free_bytes if found.memory_free_bytes is not None else found.memory_bytes
        if left is None or left >= _SMALL or found.mig:
            continue
        total = f" of {found.memory_bytes / _SMALL:.1f} GiB" if found.memory_bytes else ""
        used = found.memory_free_bytes is not None
        holders = sorted(found.processes, key=lambda item: -(item.memory_bytes or 0))[:3]
        names = joined([f"{item.name or 'a process'} (pid {item.pid})" for item in holders])
        held = f", held by {names}" if names else ""
        yield Problem(
            Severity.WARNING,
            f"{gpu.label} has {left / (1 << 20):.0f} MiB{total} {'free' if used else 'in all'}{held}",
            breaks="Building skips fast kernels for want of workspace, or ends: CUDA error 2, out of memory.",
            facts=(FoundFact(f"gpu {found.index} memory free", f"{left / (1 << 20):.0f} MiB", None, "gpu"),),
            remedy=advice(
                "memory", "Free the GPU (nvidia-smi shows who uses it), or choose another with CUDA_VISIBLE_DEVICES."
            ),
        )


@rule("GPU302", "compute-mode", severity=Severity.ERROR, components=("gpu",))
def compute_mode(ctx: Context) -> Iterator[Problem]:
    """The compute mode of the GPU keeps this process out.

    Why it matters: "prohibited" allows no CUDA process at all, "exclusive process" allows one.

    Example: a display server or another job holds an exclusive GPU: "CUDA-capable device(s) is/are busy or unavailable"
    (error 46).

    How to fix: `nvidia-smi -c 0`, or end the process that holds it.

    Sources: cuda_headers_135
    """
    if cuda_works(ctx) and not any(gpu.gpu.compute_mode not in (None, "default") for gpu in ctx.stack.gpus):
        return
    for gpu in ctx.stack.gpus:
        mode = gpu.gpu.compute_mode
        holder = next(iter(gpu.gpu.processes), None)
        if mode != "prohibited" and not (mode == "exclusive-process" and holder is not None):
            continue
        by = f" and {holder.name or 'a process'} (pid {holder.pid}) holds it" if holder and mode != "prohibited" else ""
        others = len(ctx.stack.gpus) > 1
        yield Problem(
            Severity.WARNING if others else severity_without_cuda(ctx),
            f"{gpu.label} is in compute mode {mode}{by}",
            breaks=f"CUDA cannot use it: {error_text(ctx, 46)}.",
            facts=(FoundFact(f"gpu {gpu.gpu.index} compute mode", str(mode), None, "gpu"),),
            remedy=command(
                "gpu", f"nvidia-smi -i {gpu.gpu.index} -c 0", "the default mode lets every process use the GPU"
            ),
        )


@rule("GPU402", "vgpu-limits", severity=Severity.INFO, components=("vgpu", "driver"))
def vgpu_limits(ctx: Context) -> Iterator[Problem]:
    """The GPU is a virtual one: its profile and licence decide what works.

    Why it matters: vGPU profiles can refuse virtual memory management, unified memory and some NVML queries although
    the versions all fit; an unlicensed guest is slowed down.

    Example: "cuMemGetAllocationGranularity: operation not supported" on a vGPU.

    How to fix: switch unified memory on for the profile on the host, choose another profile, check the licence.

    Sources: https://github.com/NVIDIA/TensorRT-LLM/issues/1861
    """
    virtual = [gpu for gpu in ctx.stack.gpus if gpu.gpu.vgpu]
    if not virtual:
        return
    yield Problem(
        Severity.INFO,
        f"{gpu_labels(virtual)} is a vGPU: its profile decides which memory functions work",
        breaks="What the profile refuses ends with operation not supported, such as cuMemGetAllocationGranularity.",
        facts=tuple(gpu.found() for gpu in virtual),
    )


@rule(
    "GPU501",
    "fabric-not-ready",
    severity=Severity.ERROR,
    components=("fabric-manager", "gpu"),
    silenced_by=("CTR101", "CTR103", "DRV102"),
)
def fabric_not_ready(ctx: Context) -> Iterator[Problem]:
    """The NVSwitch fabric of the GPU is not set up.

    Why it matters: on NVSwitch systems (HGX, DGX) CUDA starts only when nvidia-fabricmanager, of exactly the driver's
    version, has set up the fabric.

    Example: error 802 (system not yet initialized) from every CUDA call, while nvidia-smi lists all GPUs.

    How to fix: install nvidia-fabricmanager of the driver's version, start it, wait for fabric state Completed.

    Sources: cuda_headers_135
    """
    if cuda_works(ctx):
        return
    waiting = [gpu for gpu in ctx.stack.gpus if gpu.gpu.fabric_state in ("not-started", "in-progress")]
    if not waiting:
        return
    sure = ctx.snapshot.driver.cuinit_error is not None
    driver = f" {ctx.stack.driver}" if ctx.stack.driver else ""
    error = cuda_error(ctx)
    yield Problem(
        severity_without_cuda(ctx) if sure or ctx.stack.state("driver") != ABSENT else Severity.INFO,
        f"The NVSwitch fabric of {gpu_labels(waiting)} is {waiting[0].gpu.fabric_state}",
        breaks=f"Every CUDA call fails: {error_text(ctx, 802)}.",
        facts=(
            *(FoundFact(f"gpu {gpu.gpu.index} fabric", gpu.gpu.fabric_state or "", None, "gpu") for gpu in waiting),
            *((error,) if error else ()),
        ),
        remedy=command(
            "fabric-manager",
            "systemctl enable --now nvidia-fabricmanager",
            f"nvidia-fabricmanager of the driver's version{driver} sets up the fabric",
        ),
    )
