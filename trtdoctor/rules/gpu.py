"""The GPU: whether one can be used, whether TensorRT and CUDA have kernels for it, and its health."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.matrix import Fact, Row, cuda, tensorrt
from trtdoctor.matrix.judgement import Judgement
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import (
    advice,
    alike,
    command,
    cuda_error,
    cuda_works,
    error_text,
    flavours_of,
    gpu_labels,
    platforms_of,
    severity_without_cuda,
)
from trtdoctor.rules.releases import Offer, fitting, joined, label, other_release, python_tag, rows_of
from trtdoctor.stack import ABSENT, KNOWN, GpuFact, Installation
from trtdoctor.versions import Answer, Version

_SMALL = 1 << 30
"""Bytes of free memory under which a build is at risk: a CUDA context alone takes a few hundred MiB. Our own choice."""


# -- is one there ------------------------------------------------------------------------------------------------------


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
        title = f"CUDA_VISIBLE_DEVICES ({shown}) hides {gpu_labels(hidden)}"
        facts.append(FoundFact("CUDA_VISIBLE_DEVICES", shown, "environment", "host"))
        text = "unset CUDA_VISIBLE_DEVICES, or set it to the index of a GPU that exists"
    elif found.driver.nodes and not any(node.path.removeprefix("/dev/nvidia").isdigit() for node in found.driver.nodes):
        title = "The driver is there, but no GPU has a device node (/dev/nvidia0)"
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
        title = "There is no NVIDIA GPU"
    yield Problem(
        severity_without_cuda(ctx),
        title,
        breaks=f"TensorRT cannot be started: {error_text(ctx, 100)}."
        if severity_without_cuda(ctx) is Severity.ERROR
        else "Engines can be built ahead of time here, but not run.",
        facts=tuple(facts),
        remedy=advice("gpu", text),
    )


# -- TensorRT and the compute capability -------------------------------------------------------------------------------


def _served(ctx: Context, item: Installation, capability: str) -> Judgement:
    """Whether a TensorRT serves a compute capability: NO only where every build and platform it may be says so."""
    product = "rtx" if item.product == "rtx" else "full"
    version = item.version or Version.parse("0")
    present = (
        frozenset()
        if item.flavour
        else frozenset(found.version.major for found in ctx.stack.of("cuda") if found.version)
    )
    platforms = platforms_of(ctx.stack)
    key = ("serves", product, version, item.flavour, item.origin == "pip", present, platforms, capability)

    def judge() -> Judgement:
        judged = [
            tensorrt.serves_version(
                ctx.matrix, version, capability, flavour=flavour, platform=platform, product=product
            )
            for flavour in _flavours(ctx, item)
            for platform in (platforms or (None,))
        ]
        real = [found for found in judged if found.word not in ("no-build", "no-flavour")] or judged
        for answer in (Answer.YES, Answer.UNKNOWN):
            for found in real:
                if found.answer is answer:
                    return found
        return real[0]

    return ctx.matrix.remember(key, judge)


def _answer(ctx: Context, capability: str, item: Installation) -> Answer:
    return _served(ctx, item, capability).answer


def _flavours(ctx: Context, item: Installation) -> tuple[str | None, ...]:
    """The builds that an installation may be; ``None`` stands for any where nothing narrows them down."""
    if item.flavour is not None or item.product == "rtx":
        return (item.flavour,)
    rows = rows_of(ctx, item)
    found = {flavour for row in rows for flavour in flavours_of(ctx.stack, row, item)}
    return tuple(sorted(found)) or (None,)


def _not_served(
    ctx: Context, items: tuple[Installation, ...]
) -> Iterator[tuple[Installation, Judgement, str, list[GpuFact], bool]]:
    """Each kind of GPU with each TensorRT that does not serve it, and whether that holds for every TensorRT here."""
    known = [item for item in items if item.version is not None]
    for capability, members in alike(ctx.stack.gpus):
        failed, every = ctx.stack.failing(known, partial(_answer, ctx, capability))
        for item in failed:
            judged = _served(ctx, item, capability)
            if judged.word not in ("no-build", "no-flavour"):
                yield item, judged, capability, members, every and len(known) == len(items)
        for item in known:
            judged = _served(ctx, item, capability)
            if judged.answer is Answer.UNKNOWN and judged.facts:
                ctx.unknown(
                    "tensorrt-rtx" if item.product == "rtx" else "tensorrt",
                    f"whether {label(item)} serves compute capability {capability}",
                    judged.reason,
                    "build a small network: trtexec --onnx=MODEL, or a release whose documents name it",
                )


@rule(
    "GPU201",
    "compute-capability-not-served",
    severity=Severity.ERROR,
    components=("gpu", "tensorrt"),
    needs=("gpu", "tensorrt"),
    silenced_by=("CTR301", "CTR302"),
)
def compute_capability_not_served(ctx: Context) -> Iterator[Problem]:
    """This TensorRT build has no kernels for the GPU's compute capability: the GPU is too new or too old for it.

    Why it matters: TensorRT ships compiled kernels for the compute capabilities that its release and CUDA build name.
    A newer GPU needs a newer release, and each release drops old GPUs for good.

    Example: an RTX 5090 (12.0) with TensorRT 10.7: "SM 120 is not supported", or an assertion about the SM version.

    How to fix: install a release that serves the GPU; for an old GPU the last one that does.

    Sources: oss_readme, sm_1010, https://github.com/NVIDIA/TensorRT/issues/4317
    """
    for item, judged, capability, members, every in _not_served(ctx, ctx.stack.tensorrts):
        way, reason = _way_out(ctx, item, capability)
        yield Problem(
            Severity.ERROR if every else Severity.WARNING,
            f"{label(item)} has no kernels for compute capability {capability} of {gpu_labels(members)}",
            breaks=f"The builder refuses the GPU (unsupported SM) or ends with {error_text(ctx, 209)}; {way}.",
            detail=judged.reason + ".",
            facts=(item.found(), *(gpu.found() for gpu in members)),
            sources=judged.facts,
            remedy=other_release(ctx, item, _offer(ctx), reason),
        )


def _offer(ctx: Context) -> Offer | None:
    """The newest TensorRT that fits here, worked out once for each kind of environment."""
    stack = ctx.stack
    capabilities = tuple(gpu.compute_capability for gpu in stack.gpus)
    key = (
        "offer",
        platforms_of(stack),
        stack.platform,
        stack.driver,
        stack.driver_system,
        python_tag(ctx),
        capabilities,
    )
    return ctx.matrix.remember(key, lambda: fitting(ctx))


def _way_out(ctx: Context, item: Installation, capability: str) -> tuple[str, str]:
    """Whether the GPU is too new or too old, and which release serves it."""
    platform = ctx.stack.platform
    product = "rtx" if item.product == "rtx" else "full"
    oldest, newest = ctx.matrix.remember(
        ("span", capability, platform, product),
        lambda: (
            tensorrt.oldest_serving(ctx.matrix, capability, platform=platform, product=product),
            tensorrt.newest_serving(ctx.matrix, capability, platform=platform, product=product),
        ),
    )
    version = item.version
    if oldest is None or newest is None or version is None:
        return (
            "the GPU is not served by any release",
            f"no release of the matrix serves compute capability {capability}",
        )
    if Version.parse(oldest.key).at_least(version) is Answer.YES:
        return (
            "the GPU is newer than this release",
            f"{oldest.key} is the first that serves compute capability {capability}",
        )
    if version.at_least(Version.parse(newest.key)) is Answer.YES:
        return (
            "the GPU is too old for this release",
            f"{newest.key} is the last that serves compute capability {capability}",
        )
    return (
        "another build of the release serves it",
        f"the build for another CUDA serves compute capability {capability}",
    )


@rule(
    "GPU205",
    "gpu-not-served-by-rtx",
    severity=Severity.ERROR,
    components=("gpu", "tensorrt-rtx"),
    needs=("gpu", "tensorrt-rtx"),
)
def gpu_not_served_by_rtx(ctx: Context) -> Iterator[Problem]:
    """TensorRT for RTX does not serve this GPU.

    Why it matters: TensorRT for RTX is made for RTX boards. Data-centre architectures such as Hopper (9.0) are not
    among its targets, although the library loads there.

    Example: TensorRT for RTX 1.7 on an H200: engines build, their deserialisation or execution fails.

    How to fix: use TensorRT itself on such a GPU.

    Sources: rtx_sm_15, rtx_measured
    """
    for item, judged, capability, members, every in _not_served(ctx, ctx.stack.rtxs):
        other = bool(ctx.stack.tensorrts)
        yield Problem(
            Severity.ERROR if every and not other and ctx.wants("run") else Severity.WARNING,
            f"{label(item)} does not serve compute capability {capability} of {gpu_labels(members)}",
            breaks="Engines that it builds do not run on this GPU.",
            detail=judged.reason + ".",
            facts=(item.found(), *(gpu.found() for gpu in members)),
            sources=judged.facts,
            remedy=_instead_of_rtx(ctx, capability),
        )


def _instead_of_rtx(ctx: Context, capability: str) -> Remedy:
    reason = f"TensorRT itself serves compute capability {capability}, TensorRT for RTX does not"
    offer = _offer(ctx)
    return offer.remedy(reason) if offer else Remedy("tensorrt", "choose", None, reason)


@rule(
    "GPU202",
    "cuda-below-gpu-floor",
    severity=Severity.ERROR,
    components=("gpu", "tensorrt", "cuda"),
    needs=("gpu", "tensorrt", "cuda"),
    silenced_by=("CTR301", "CTR302", "GPU201"),
)
def cuda_below_gpu_floor(ctx: Context) -> Iterator[Problem]:
    """TensorRT serves this GPU, but only with a newer CUDA than the one that is there.

    Why it matters: a release lists many CUDA minors, yet a new architecture needs the first CUDA that knows it.

    Example: TensorRT 10.12 lists CUDA 12.1; on Blackwell (10.0, 12.0) it needs CUDA 12.8.

    How to fix: install the newer CUDA minor (the driver must be new enough for the GPU anyway).

    Sources: trt_4525
    """
    for capability, members in alike(ctx.stack.gpus):
        for item in ctx.stack.tensorrts:
            floor = _cuda_floor(ctx, item, capability)
            if floor is None:
                continue
            bound = Version.parse(floor.value)
            present = [found for found in ctx.stack.of("cuda") if found.version and found.version.major == bound.major]
            failed, every = ctx.stack.failing(present, partial(_reaches, bound))
            if not every:
                continue
            # A runtime wheel of another package need not be what TensorRT uses; the CUDA that was stated or set up is.
            wheel = all(found.origin == "pip" for found in failed)
            versions = joined(list(dict.fromkeys(str(found.version) for found in failed)))
            yield Problem(
                Severity.WARNING if wheel or cuda_works(ctx) or len(ctx.stack.tensorrts) > 1 else Severity.ERROR,
                f"{label(item)} needs CUDA {bound} or newer for compute capability {capability} "
                f"of {gpu_labels(members)}; here is CUDA {versions}",
                breaks="The build fails, or its engines do not run, although the release lists that CUDA.",
                facts=(item.found(), *(found.found() for found in failed), *(gpu.found() for gpu in members)),
                sources=(floor,),
                remedy=advice(
                    "cuda",
                    f"Install CUDA {bound} or a newer minor of CUDA {bound.major}.",
                    f"the first CUDA with code for {capability}",
                ),
            )


def _reaches(bound: Version, item: Installation) -> Answer:
    return item.version.at_least(bound) if item.version else Answer.UNKNOWN


def _cuda_floor(ctx: Context, item: Installation, capability: str) -> Fact | None:
    """The least CUDA for this GPU when every build that the installation may be names one; the lowest of them."""
    if item.version is None:
        return None
    present = frozenset(found.version.major for found in ctx.stack.of("cuda") if found.version)
    key = ("gpu cuda floor", item.version, item.flavour, item.origin == "pip", present, capability)
    return ctx.matrix.remember(key, lambda: _lowest_floor(ctx, item, capability))


def _lowest_floor(ctx: Context, item: Installation, capability: str) -> Fact | None:
    floors = [
        tensorrt.cuda_floor(row, capability, flavour)
        for row in rows_of(ctx, item)
        for flavour in flavours_of(ctx.stack, row, item)
        if _has(row, flavour, capability)
    ]
    known = [floor for floor in floors if floor is not None]
    if not known or len(known) < len(floors):
        return None
    return min(known, key=lambda floor: Version.parse(floor.value).sort_key())


def _has(row: Row, flavour: str, capability: str) -> bool:
    return tensorrt.serves(row, capability, flavour).answer is not Answer.NO


@rule(
    "GPU203",
    "cuda-without-code-for-gpu",
    severity=Severity.WARNING,
    components=("gpu", "cuda"),
    needs=("gpu",),
    silenced_by=("DRV201", "GPU201", "GPU202"),
)
def cuda_without_code_for_gpu(ctx: Context) -> Iterator[Problem]:
    """The CUDA compilers that are there generate no code for this GPU.

    Why it matters: TensorRT brings its own kernels, so engines without plugins do not mind. Plugins and other code that
    nvcc or NVRTC compile here cannot be made for the GPU.

    Example: nvcc 12.4 for an RTX 5090: "Unsupported gpu architecture 'compute_120'".

    How to fix: install a toolkit that knows the GPU (or, for an old GPU, the last one that still does).

    Sources: nvrtc_measured, arch_matrix
    """
    present = _compilers(ctx)
    if not present:
        return
    for capability, members in alike(ctx.stack.gpus):
        judged = [
            ctx.matrix.remember(
                ("cuda serves", version, capability), partial(cuda.serves, ctx.matrix, version, capability)
            )
            for version, _ in present
        ]
        if any(item.answer is not Answer.NO for item in judged):
            continue
        compiles = ctx.wants("cpp", "plugin") or ctx.stack.state("tensorrt") != KNOWN
        versions = joined(list(dict.fromkeys(str(version) for version, _ in present)))
        first, last = cuda.first_cuda(ctx.matrix, capability), cuda.last_cuda(ctx.matrix, capability)
        span = f"CUDA {first.value} or newer" if first else "another CUDA"
        if first and last and last.value != cuda.NONE:
            span = f"CUDA {first.value} to {last.value}"
        yield Problem(
            Severity.WARNING if compiles else Severity.INFO,
            f"CUDA {versions} generates no code for compute capability {capability} of {gpu_labels(members)}",
            breaks="Plugins and kernels compiled here do not run on the GPU; TensorRT's own kernels are not concerned.",
            facts=(*(fact for _, fact in present), *(gpu.found() for gpu in members)),
            sources=tuple(fact for item in judged for fact in item.facts)[:4],
            remedy=advice("cuda", f"To compile for this GPU install {span}.", f"{span} knows {capability}"),
        )


def _compilers(ctx: Context) -> list[tuple[Version, FoundFact]]:
    """The CUDA versions that something could be compiled with: toolkits, or what was declared."""
    found = []
    for toolkit in ctx.snapshot.toolkits:
        version = Version.maybe(toolkit.version)
        if version is not None:
            found.append((version, FoundFact("cuda toolkit", str(version), toolkit.root, "toolkits")))
    if not found and ctx.snapshot.kind == "declared":
        found = [(item.version, item.found()) for item in ctx.stack.of("cuda") if item.version and item.origin != "pip"]
    return found


# -- health ------------------------------------------------------------------------------------------------------------


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
            breaks="The build may end for want of memory: CUDA initialization failure with error 2, or out of memory.",
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
        breaks="Possibly: cuMemGetAllocationGranularity or pinned memory end with operation not supported.",
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
