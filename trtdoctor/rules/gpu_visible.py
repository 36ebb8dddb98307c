"""Whether a GPU can be used at all, and why not."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.findings import FoundFact, Severity
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import (
    advice,
    cuda_error,
    cuda_works,
    error_text,
    gpu_labels,
    severity_without_cuda,
)


@rule(
    "GPU401",
    "mig-without-instance",
    severity=Severity.ERROR,
    components=("mig", "gpu"),
    silenced_by=("CTR101", "CTR102"),
)
def mig_without_instance(ctx: Context) -> Iterator[Problem]:
    """MIG is on, but CUDA finds no instance to run on.

    Why it matters: with MIG on, a GPU itself is no CUDA device any more; only its compute instances are. Without one
    CUDA sees nothing, while nvidia-smi lists the GPU.

    Example: after `nvidia-smi -mig 1` nobody created instances: "no CUDA-capable device is detected" (error 100).

    How to fix: create instances (`nvidia-smi mig -cgi ... -C`), or switch MIG off.

    Sources: https://docs.nvidia.com/datacenter/tesla/mig-user-guide/
    """
    parents = [gpu for gpu in ctx.stack.gpus if gpu.gpu.mig]
    if not parents or len(parents) < len(ctx.stack.gpus) or cuda_works(ctx):
        return
    instances = [gpu.gpu.mig_instances for gpu in parents]
    none = all(number == 0 for number in instances)
    if not none and (ctx.snapshot.driver.cuinit_error != 100 or any(instances)):
        return
    error = cuda_error(ctx)
    yield Problem(
        severity_without_cuda(ctx),
        f"MIG is on for {gpu_labels(parents)}, and CUDA finds no instance",
        breaks=f"CUDA finds no device: {error_text(ctx, 100)}.",
        facts=(*(gpu.found() for gpu in parents), *((error,) if error else ())),
        remedy=advice(
            "mig",
            "nvidia-smi mig -lgip lists profiles, nvidia-smi mig -cgi PROFILE -C makes one; or nvidia-smi -mig 0",
            "with MIG on only instances are CUDA devices",
        ),
    )


@rule(
    "GPU101",
    "no-visible-gpu",
    severity=Severity.ERROR,
    components=("gpu",),
    silenced_by=(
        "CTR101",
        "CTR102",
        "CTR201",
        "DRV101",
        "DRV102",
        "DRV103",
        "DRV104",
        "DRV105",
        "DRV106",
        "DRV301",
        "DRV303",
        "DRV304",
        "DRV501",
        "GPU401",
    ),
)
def no_visible_gpu(ctx: Context) -> Iterator[Problem]:
    """No GPU is visible to this process, with the reason where it can be told.

    Why it matters: TensorRT times kernels on the GPU while it builds; without one neither build nor run starts.

    Example: CUDA_VISIBLE_DEVICES= (set, but empty) hides every GPU: "no CUDA-capable device is detected" (error 100).

    How to fix: unset CUDA_VISIBLE_DEVICES or name a GPU that exists; see the finding for other reasons.

    Sources: cuda_headers_135
    """
    found = ctx.snapshot
    none = found.gpus is not None and not ctx.stack.gpus
    if (not none and found.driver.cuinit_error != 100) or cuda_works(ctx):
        return
    hidden = [gpu for gpu in ctx.stack.all_gpus if gpu.gpu.visible is False]
    setting = found.setting("CUDA_VISIBLE_DEVICES")
    error = cuda_error(ctx)
    facts = [*(gpu.found() for gpu in hidden), *((error,) if error else ())]
    text = "nvidia-smi -L lists what the driver sees; lspci -d 10de: lists what is plugged in."
    if hidden and setting is not None:
        shown = setting if setting.strip() else "set, but empty"
        title = f"CUDA_VISIBLE_DEVICES ({shown[:24]}) hides {gpu_labels(hidden)}"
        facts.append(FoundFact("CUDA_VISIBLE_DEVICES", shown, "environment", "host"))
        text = "unset CUDA_VISIBLE_DEVICES, or set it to the index of a GPU that exists"
    elif found.driver.nodes and not any(
        node.path.removeprefix("/dev/nvidia").isdecimal() for node in found.driver.nodes
    ):
        title = "No GPU has a device node (/dev/nvidia0), though the driver is there"
        facts.append(
            FoundFact("device nodes", ", ".join(node.path for node in found.driver.nodes[:4]), "/dev", "driver")
        )
        if found.container is not None:
            text = "Start the container with a GPU: --gpus all, or the right NVIDIA_VISIBLE_DEVICES."
    elif ctx.stack.all_gpus:
        title = f"CUDA does not see {gpu_labels(ctx.stack.all_gpus)}"
        if setting is not None:
            facts.append(FoundFact("CUDA_VISIBLE_DEVICES", setting or "set, but empty", "environment", "host"))
            text = "unset CUDA_VISIBLE_DEVICES and try again; " + text
    else:
        title = "No NVIDIA GPU was found"
    yield Problem(
        severity_without_cuda(ctx),
        title,
        breaks=f"TensorRT cannot be started: {error_text(ctx, 100)}."
        if severity_without_cuda(ctx) is Severity.ERROR
        else "Engines can be built ahead of time here, but not run.",
        facts=tuple(facts),
        remedy=advice("gpu", text),
    )
