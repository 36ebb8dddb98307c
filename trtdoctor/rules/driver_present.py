"""Whether the driver is there, loaded, of one version, and lets CUDA start."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import (
    advice,
    command,
    cuda_error,
    cuda_works,
    error_text,
    gpu_labels,
    needs_gpu,
    numbered,
    severity_without_cuda,
)
from trtdoctor.rules.driver_needs import strictest, upgrade
from trtdoctor.stack import ABSENT

_NO_PERMISSION, _NOT_LOADED, _LOST, _MISMATCH = 4, 9, 15, 18
"""Return codes of NVML that have a rule of their own; their meanings are in errors.yaml."""

_HARMLESS = (0, 3, 12, 13, 28)
"""NVML cannot be asked, which TensorRT does not need: not supported, no library, an old library, no GPU."""

_CONTROL_NODES = ("/dev/nvidiactl", "/dev/nvidia-uvm")


@rule("DRV101", "no-driver", severity=Severity.ERROR, components=("driver",), silenced_by=("CTR101", "CTR102"))
def no_driver(ctx: Context) -> Iterator[Problem]:
    """No NVIDIA driver is installed.

    Why it matters: TensorRT times its kernels on the GPU while it builds, so without a driver it can neither build nor
    run. Only TensorRT for RTX builds engines ahead of time without one.

    Example: "CUDA initialization failure with error: 35", although 35 speaks of a driver that is too old.

    How to fix: install a driver of a branch that serves the CUDA which TensorRT was built for, and reboot.

    Sources: cuda_compat_mvc
    """
    found = ctx.snapshot.driver
    if found.installed is not False or ctx.stack.driver is not None or ctx.stack.jetson:
        return
    need = strictest(ctx)
    floor = need.floor if need else None
    missing = "No NVIDIA driver is installed"
    if needs_gpu(ctx):
        breaks = f"TensorRT can neither build nor run an engine: {error_text(ctx, 35)}, or libcuda.so.1 is not found."
    else:
        breaks = "Engines can be built ahead of time here, but not run."
        missing += ": TensorRT for RTX can build all the same"
    yield Problem(
        severity_without_cuda(ctx),
        missing,
        breaks=breaks,
        facts=(FoundFact("driver", "none", "no kernel module, no libcuda, no device nodes", "driver"),),
        sources=need.facts if need else (),
        remedy=upgrade(ctx, floor, f"{need.label} needs it" if need else "CUDA needs a driver", "install"),
    )


def _without_cuda(ctx: Context) -> Severity:
    """An error where CUDA cannot work; a warning when cuInit shows that it does all the same."""
    return Severity.WARNING if cuda_works(ctx) else severity_without_cuda(ctx)


@rule("DRV102", "driver-library-mismatch", severity=Severity.ERROR, components=("driver",), silenced_by=("CTR101",))
def driver_library_mismatch(ctx: Context) -> Iterator[Problem]:
    """The driver's libraries were upgraded while the old kernel module is still loaded.

    Why it matters: a driver upgrade replaces the libraries at once and the kernel module only with the next boot (or
    when the module is loaded anew). Until then the two refuse to work together.

    Example: nvidia-smi prints "Failed to initialize NVML: Driver/library version mismatch", CUDA ends with error 803.

    How to fix: reboot, or unload and load the modules (nvidia_uvm, nvidia_drm, nvidia_modeset, nvidia). In a container:
    restart it after the host was rebooted.

    Sources: nvml_h, cuda_headers_135
    """
    found = ctx.snapshot.driver
    if found.nvml_error != _MISMATCH:
        return
    versions = f": kernel module {found.kernel_version}" if found.kernel_version else ""
    other = found.nvml_version or found.library_version
    if other and other != found.kernel_version:
        versions += f", libraries {other}"
    row = numbered(ctx.matrix, "nvml").get(_MISMATCH)
    facts = [FoundFact("NVML", f"error {_MISMATCH}", None, "driver")]
    if found.kernel_version:
        facts.append(FoundFact("kernel module", found.kernel_version, "/proc/driver/nvidia/version", "driver"))
    yield Problem(
        _without_cuda(ctx),
        f"Driver kernel module and libraries are of different versions{versions}",
        breaks=f"Every CUDA call fails with {error_text(ctx, 803)}; nvidia-smi says: Driver/library version mismatch.",
        facts=tuple(facts),
        sources=(row.get("meaning"),) if row else (),
        remedy=Remedy("driver", "reboot", reason="the new kernel module is loaded with the next boot"),
    )


@rule(
    "DRV103", "driver-no-permission", severity=Severity.ERROR, components=("driver",), silenced_by=("CTR101", "DRV102")
)
def driver_no_permission(ctx: Context) -> Iterator[Problem]:
    """This user may not open the driver's device nodes.

    Why it matters: CUDA opens /dev/nvidiactl, /dev/nvidia-uvm and /dev/nvidiaN for reading and writing. Distributions
    that give them to a group (video, render) shut out users who are not in it; so does a device control group.

    Example: it works as root only; NVML says "Insufficient Permissions", CUDA says error 100 or 304.

    How to fix: add the user to the group that owns the nodes and log in again, or give the container its devices anew.

    Sources: nvml_h, cuda_headers_135
    """
    found = ctx.snapshot.driver
    if cuda_works(ctx):
        return
    shut = [node for node in found.nodes if node.accessible is False]
    control = [node for node in shut if node.path in _CONTROL_NODES]
    gpus = [node for node in found.nodes if node.path.removeprefix("/dev/nvidia").isdecimal()]
    no_gpu = bool(gpus) and all(node.accessible is False for node in gpus)
    if found.nvml_error != _NO_PERMISSION and not control and not no_gpu:
        return
    paths = ", ".join(node.path for node in (control or shut)[:4]) or "the driver's device nodes"
    yield Problem(
        severity_without_cuda(ctx),
        f"Driver device nodes are closed to this user: {paths}",
        breaks=f"CUDA finds no GPU: {error_text(ctx, 100)} or {error_text(ctx, 304)}. As root it may work.",
        facts=(
            *(FoundFact("device node", "no access", node.path, "driver") for node in shut[:8]),
            *(
                (FoundFact("NVML", f"error {_NO_PERMISSION}", None, "driver"),)
                if found.nvml_error == _NO_PERMISSION
                else ()
            ),
        ),
        remedy=advice(
            "driver",
            "ls -l /dev/nvidia*; add this user to the group that owns them (usermod -aG) and log in again.",
            "CUDA opens these nodes for reading and writing",
        ),
    )


@rule("DRV104", "gpu-lost", severity=Severity.ERROR, components=("gpu", "driver"), silenced_by=("DRV102", "DRV103"))
def gpu_lost(ctx: Context) -> Iterator[Problem]:
    """A GPU fell off the bus.

    Why it matters: the driver no longer reaches the board, after a hardware, power or thermal fault (Xid 79).
    Calls that touch it hang or fail; the other GPUs may go on.

    Example: nvidia-smi prints "Unable to determine the device handle for GPU: GPU is lost".

    How to fix: look for Xid messages in dmesg, reboot; if it comes back, check power, seating and cooling.

    Sources: nvml_h
    """
    found = ctx.snapshot
    lost = [gpu for gpu in ctx.stack.all_gpus if gpu.gpu.error == "lost"]
    if found.driver.nvml_error != _LOST and not lost:
        return
    others = len(ctx.stack.gpus) > len(lost) > 0 and cuda_works(ctx)
    row = numbered(ctx.matrix, "nvml").get(_LOST)
    yield Problem(
        Severity.WARNING if others else severity_without_cuda(ctx),
        f"{gpu_labels(lost)} fell off the bus" if lost else "A GPU fell off the bus",
        breaks="CUDA calls that touch it hang or fail.",
        facts=tuple(FoundFact(f"gpu {gpu.gpu.index}", "lost", None, "gpu") for gpu in lost)
        or (FoundFact("NVML", f"error {_LOST}", None, "driver"),),
        sources=(row.get("meaning"),) if row else (),
        remedy=Remedy("gpu", "reboot", reason="a lost GPU comes back with a reset of the machine, if at all"),
    )


@rule(
    "DRV105",
    "kernel-module-not-loaded",
    severity=Severity.ERROR,
    components=("driver",),
    silenced_by=("CTR101", "CTR201", "DRV101", "DRV102"),
)
def kernel_module_not_loaded(ctx: Context) -> Iterator[Problem]:
    """The driver's libraries are there, its kernel module is not loaded.

    Why it matters: without the module there are no devices. It is missing after a kernel upgrade for which DKMS built
    none, with Secure Boot refusing an unsigned one, or with nouveau holding the GPU.

    Example: nvidia-smi prints "couldn't communicate with the NVIDIA driver"; CUDA says error 100 or 999.

    How to fix: `modprobe nvidia` and read what it says; install the running kernel's headers and rebuild the module.

    Sources: nvml_h
    """
    found = ctx.snapshot.driver
    if found.nvml_error != _NOT_LOADED or cuda_works(ctx) or ctx.stack.jetson:
        return
    row = numbered(ctx.matrix, "nvml").get(_NOT_LOADED)
    version = f" ({found.library_version})" if found.library_version else ""
    yield Problem(
        severity_without_cuda(ctx),
        f"Driver kernel module is not loaded, though the driver's libraries{version} are installed",
        breaks=f"CUDA finds no GPU: {error_text(ctx, 100)} or {error_text(ctx, 999)}.",
        facts=(FoundFact("NVML", f"error {_NOT_LOADED}", found.library_path, "driver"),),
        sources=(row.get("meaning"),) if row else (),
        remedy=command("driver", "modprobe -a nvidia nvidia-uvm", "it tells why the module cannot be loaded")
        if ctx.snapshot.container is None
        else advice("driver", "Load the kernel module on the host: modprobe nvidia"),
    )


@rule(
    "DRV106",
    "cuda-does-not-start",
    severity=Severity.ERROR,
    components=("driver",),
    silenced_by=(
        "CTR101",
        "CTR102",
        "CTR103",
        "CTR201",
        "DRV101",
        "DRV102",
        "DRV103",
        "DRV104",
        "DRV105",
        "DRV201",
        "DRV301",
        "DRV303",
        "DRV304",
        "DRV501",
    ),
)
def cuda_does_not_start(ctx: Context) -> Iterator[Problem]:
    """A failure of cuInit or NVML whose number no other rule explains.

    Why it matters: when cuInit fails, nothing that uses CUDA works; the number is the best clue there is.

    Example: error 999 after a suspend: nvidia-uvm must be loaded anew.

    How to fix: what the number means and where to look stands with the finding.

    Sources: cuda_headers_135, nvml_h
    """
    found = ctx.snapshot.driver
    code = found.cuinit_error
    if code and code != 100 and not (code == 802 and _fabric_waits(ctx)):
        row = numbered(ctx.matrix, "cuda").get(code)
        meaning = f" It means: {row.text('meaning')}." if row else ""
        fact = cuda_error(ctx)
        yield Problem(
            severity_without_cuda(ctx),
            f"CUDA does not start: cuInit returned {error_text(ctx, code)}",
            breaks=f"TensorRT says: CUDA initialization failure with error: {code}.{meaning}",
            facts=(fact,) if fact else (),
            sources=(row.get("meaning"),) if row else (),
            remedy=advice("driver", _sentence(row.text("next"))) if row else None,
            components=("fabric-manager", "driver") if code == 802 else None,
        )
    elif code is None and found.nvml_error is not None and found.nvml_error not in _HARMLESS:
        if ctx.stack.state("driver") == ABSENT or found.nvml_error in (_NO_PERMISSION, _NOT_LOADED, _LOST, _MISMATCH):
            return
        row = numbered(ctx.matrix, "nvml").get(found.nvml_error)
        meaning = f": {row.text('meaning')}" if row else ""
        yield Problem(
            Severity.WARNING if needs_gpu(ctx) else Severity.INFO,
            f"NVML fails with error {found.nvml_error}{meaning}",
            breaks="The driver is not healthy; whether CUDA works was not seen.",
            facts=(FoundFact("NVML", f"error {found.nvml_error}", found.library_path, "driver"),),
            sources=(row.get("meaning"),) if row else (),
            remedy=advice("driver", "Look at nvidia-smi and at the NVRM and Xid lines of dmesg."),
        )


def _fabric_waits(ctx: Context) -> bool:
    """Whether a GPU says itself that its fabric is not up: then GPU501 speaks."""
    return any(gpu.fabric_state in ("not-started", "in-progress") for gpu in ctx.snapshot.gpus or ())


def _sentence(text: str | None) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""
