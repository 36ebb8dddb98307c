"""The driver: whether it is there and healthy, which CUDA it serves, and whose libcuda is in front."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.matrix import Fact, drivers, tensorrt
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
    needs_gpu,
    numbered,
    severity_without_cuda,
)
from trtdoctor.rules.driver_needs import Need, compat_of, is_major_compatible, needs_of, strictest, upgrade
from trtdoctor.rules.releases import label, rows_of
from trtdoctor.stack import ABSENT, GpuFact, Installation
from trtdoctor.versions import Answer, Version

_NO_PERMISSION, _NOT_LOADED, _LOST, _MISMATCH = 4, 9, 15, 18
"""Return codes of NVML that have a rule of their own; their meanings are in errors.yaml."""
_HARMLESS = (0, 3, 12, 13, 28)
"""NVML cannot be asked, which TensorRT does not need: not supported, no library, an old library, no GPU."""
_CONTROL_NODES = ("/dev/nvidiactl", "/dev/nvidia-uvm")
_REFUSED = ("class", "older")
"""Words of drivers.forward_compatible for a pair that cannot work. ``branch`` is none of them: the vendor's table lists
only the branches of its day, and a pair that it no longer lists may have been one."""


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
        f"The driver's kernel module and libraries are of different versions{versions}",
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
    gpus = [node for node in found.nodes if node.path.removeprefix("/dev/nvidia").isdigit()]
    no_gpu = bool(gpus) and all(node.accessible is False for node in gpus)
    if found.nvml_error != _NO_PERMISSION and not control and not no_gpu:
        return
    paths = ", ".join(node.path for node in (control or shut)[:4]) or "the driver's device nodes"
    yield Problem(
        severity_without_cuda(ctx),
        f"This user may not open {paths}",
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
        f"The NVIDIA kernel module is not loaded, though the driver's libraries{version} are installed",
        breaks=f"CUDA finds no GPU: {error_text(ctx, 100)} or {error_text(ctx, 999)}.",
        facts=(FoundFact("NVML", f"error {_NOT_LOADED}", found.library_path, "driver"),),
        sources=(row.get("meaning"),) if row else (),
        remedy=command("driver", "modprobe nvidia nvidia-uvm", "it tells why the module cannot be loaded")
        if ctx.snapshot.container is None
        else advice("driver", "Load the kernel module on the host: modprobe nvidia"),
    )


# -- the CUDA that a driver serves -------------------------------------------------------------------------------------


@rule(
    "DRV201",
    "driver-below-cuda-floor",
    severity=Severity.ERROR,
    components=("driver", "cuda"),
    needs=("driver",),
    silenced_by=("CTR101", "DRV102"),
)
def driver_below_cuda_floor(ctx: Context) -> Iterator[Problem]:
    """The driver is older than any that runs this CUDA major.

    Why it matters: within a CUDA major an older driver runs newer minors, down to one floor for the whole major.
    Under that floor no CUDA call works. Newer drivers run all older CUDA.

    Example: driver 470 with TensorRT for CUDA 12: "CUDA initialization failure with error: 35".

    How to fix: upgrade the driver, or install the TensorRT that was built for an older CUDA major (tensorrt-cu11,
    tensorrt-cu12). On data-centre GPUs a cuda-compat package is a third way.

    Sources: cuda_compat_mvc, rn_132u2_copy
    """
    driver = ctx.stack.driver
    if driver is None or ctx.stack.jetson or cuda_works(ctx):
        return  # where cuInit succeeded the machine itself shows that the driver will do
    needs = needs_of(ctx)
    failed = [need for need in needs if _reaches(ctx, driver, need) is Answer.NO]
    if not failed:
        return
    compat = compat_of(ctx)
    refused = next((judged for _, judged in compat or () if judged.word in _REFUSED), None)
    if compat is not None and refused is None:
        _say_compat_unknown(ctx, compat)
        return
    worst = max(failed, key=lambda need: need.floor.sort_key() if need.floor else ())
    code, note = 35, ""
    if refused is not None:
        code = 804 if refused.word == "class" else 803
        note = f" The forward-compatibility library in front does not help: {refused.reason}."
    serious = len(failed) == len(needs) and (worst.component != "cuda" or ctx.stack.state("tensorrt") != ABSENT)
    if _image_may_help(ctx):
        serious = False
        note = " An image may bring a forward-compatibility library, which serves data-centre GPUs on an older driver."
    windows = " in Windows" if ctx.snapshot.platform.wsl else ""
    wanted = f"CUDA {worst.cuda.major} needs driver {worst.floor} or newer"
    yield Problem(
        Severity.ERROR if serious else Severity.WARNING,
        f"Driver {driver} is too old for {worst.label}: CUDA {worst.cuda.major} needs {worst.floor} or newer{windows}",
        breaks=f"No CUDA call works: {error_text(ctx, code)}. The builder is not even created.{note}",
        facts=(
            ctx.stack.driver_found(),
            *(need.found for need in failed if need.found),
            *(gpu.found() for gpu, _ in compat or () if gpu),
        ),
        sources=tuple(dict.fromkeys(fact for need in failed for fact in need.facts)),
        remedy=upgrade(ctx, worst.floor, f"{wanted}; or install the build for an older CUDA"),
        components=("driver", "cuda", "gpu" if refused else worst.component)
        if refused or worst.component != "cuda"
        else None,
    )


def _image_may_help(ctx: Context) -> bool:
    """Whether a container's forward-compatibility library may be in use without anybody having said so.

    NVIDIA's images put one in front when they start on a data-centre GPU with an older driver.
    """
    found = ctx.snapshot
    if found.container is None or found.driver.library_kind is not None:
        return False
    return not ctx.stack.gpus or any(gpu.kind in (None, "datacenter") for gpu in ctx.stack.gpus)


def _reaches(ctx: Context, driver: Version, need: Need) -> Answer:
    """Whether the driver is at or over a floor; what cannot be told is said."""
    if need.floor is None:
        ctx.unknown(
            "cuda",
            f"the driver floor of CUDA {need.cuda}",
            f"matrix {ctx.matrix.version} has none",
            "its release notes",
        )
        return Answer.UNKNOWN
    answer = driver.at_least(need.floor)
    if answer is Answer.UNKNOWN:
        why = f"{driver} may be over or under {need.floor}"
        ctx.unknown("driver", "the full driver version", why, "nvidia-smi --query-gpu=driver_version --format=csv")
    return answer


def _say_compat_unknown(ctx: Context, compat: list[tuple[GpuFact | None, Judgement]]) -> None:
    """The driver alone would be too old; whether the forward-compatibility library serves may be open."""
    if not compat or any(judged.answer is Answer.UNKNOWN for _, judged in compat):
        ctx.unknown(
            "driver",
            "whether the forward-compatibility library in front serves this GPU",
            "the driver alone is under the floor of its CUDA",
            "python3 -c 'import ctypes; print(ctypes.CDLL(\"libcuda.so.1\").cuInit(0))' (0 is good)",
        )


@rule(
    "DRV202",
    "driver-below-tensorrt-floor",
    severity=Severity.WARNING,
    components=("driver", "tensorrt"),
    needs=("driver", "tensorrt"),
    silenced_by=("CTR101", "DRV201"),
)
def driver_below_tensorrt_floor(ctx: Context) -> Iterator[Problem]:
    """The driver is older than TensorRT's own documents ask for, though new enough for its CUDA.

    Why it matters: CUDA runs, so TensorRT mostly does too; but NVIDIA neither tests nor supports the pair.

    Example: driver 525.147 with TensorRT 10.16 (cu12), whose documents ask for R535.

    How to fix: upgrade the driver when there is a chance to.

    Sources: pre_10_16, pre_11_4
    """
    driver = ctx.stack.driver
    if driver is None or ctx.stack.jetson or ctx.snapshot.driver.library_kind == "compat":
        return
    judged: dict[int, tuple[Version, Fact]] = {}

    def reaches(item: Installation) -> Answer:
        answers = []
        for floor in _own_floors(ctx, item):
            bound = Version.maybe(floor.value) if floor else None
            if bound is None or floor is None:
                return Answer.UNKNOWN
            answers.append(driver.at_least(bound))
            judged[id(item)] = min(
                judged.get(id(item), (bound, floor)), (bound, floor), key=lambda pair: pair[0].sort_key()
            )
        return Answer.agreed(answers)

    failed, every = ctx.stack.failing((item for item in ctx.stack.tensorrts if item.version), reaches)
    for item in failed:
        floor, fact = judged[id(item)]
        yield Problem(
            Severity.WARNING if every else Severity.INFO,
            f"Driver {driver} is under what {label(item)} asks for: {floor} or newer",
            breaks="It mostly works, because CUDA itself runs; NVIDIA does not support the pair.",
            facts=(ctx.stack.driver_found(), item.found()),
            sources=(fact,),
            remedy=upgrade(ctx, floor, f"the documents of {label(item)} ask for it"),
        )


def _own_floors(ctx: Context, item: Installation) -> list[Fact | None]:
    """The driver that TensorRT's documents name, for each build that the installation may be."""
    if item.version is None:
        return []
    key = (
        "tensorrt driver floors",
        item.version,
        item.flavour,
        item.origin,
        ctx.stack.driver_system,
        _cuda_majors(ctx),
    )
    return ctx.matrix.remember(
        key,
        lambda: [
            tensorrt.driver_floor(row, flavour, ctx.stack.driver_system)
            for row in rows_of(ctx, item)
            for flavour in flavours_of(ctx.stack, row, item)
        ],
    )


def _cuda_majors(ctx: Context) -> frozenset[int]:
    return frozenset(item.version.major for item in ctx.stack.of("cuda") if item.version)


@rule(
    "DRV203",
    "minor-version-compatibility",
    severity=Severity.INFO,
    components=("driver", "cuda"),
    needs=("driver",),
    silenced_by=("CTR101", "DRV102", "DRV201"),
)
def minor_version_compatibility(ctx: Context) -> Iterator[Problem]:
    """CUDA is a newer minor than the driver knows: minor-version compatibility is at work.

    Why it matters: it is supported and mostly unnoticed. It does not cover code that reaches the driver as PTX, nor
    calls that need a newer driver.

    Example: CUDA 12.9 on driver 535 (CUDA 12.2): engines build and run; a plugin that ships only PTX ends with 222.

    How to fix: nothing to do; upgrade the driver if one of these limits is met.

    Sources: cuda_compat_mvc, fwd_compat_615
    """
    level = ctx.stack.cuda_level
    if level is None or level.minor is None or ctx.stack.jetson:
        return
    newer = [
        item
        for item in ctx.stack.of("cuda")
        if item.version and item.version.major == level.major and (item.version.minor or 0) > level.minor
    ]
    if not newer or not is_major_compatible(ctx, level.major):
        return
    newest = max(newer, key=lambda item: item.version.sort_key() if item.version else ())
    limits = ctx.matrix.rows("cuda", "minor_version_limits")
    yield Problem(
        Severity.INFO,
        f"CUDA {newest.version} runs on driver {ctx.stack.driver} (CUDA {level}) by minor-version compatibility",
        detail="Not covered: " + "; ".join(str(row.get("text").value) for row in limits) + ".",
        breaks="Nothing as a rule.",
        facts=(ctx.stack.driver_found(), newest.found()),
        sources=tuple(row.get("text") for row in limits),
    )


# -- whose libcuda -----------------------------------------------------------------------------------------------------


@rule(
    "DRV301",
    "forward-compatibility-refused",
    severity=Severity.ERROR,
    components=("driver", "gpu"),
    needs=("driver",),
    silenced_by=("CTR101", "DRV201"),
)
def forward_compatibility_refused(ctx: Context) -> Iterator[Problem]:
    """A forward-compatibility libcuda is in front where it may not be used.

    Why it matters: the cuda-compat packages bring a newer libcuda for older drivers, for data-centre GPUs and listed
    branches only. Elsewhere they break a driver that would work alone.

    Example: a CUDA image on a GeForce card with /usr/local/cuda/compat on LD_LIBRARY_PATH: error 804.

    How to fix: take the compat directory out of LD_LIBRARY_PATH and ld.so.conf, or upgrade the driver of the host.

    Sources: fwd_compat_615, cuda_headers_135
    """
    judged = compat_of(ctx)
    if judged is None or cuda_works(ctx):
        return
    code = ctx.snapshot.driver.cuinit_error
    if code in (803, 804):
        known = judged[0] if judged else None
        note = f" ({known[1].reason})" if known else ""
        yield _refusal(ctx, f"CUDA does not start{note}", code, Severity.ERROR, known)
        return
    if not judged:
        ctx.unknown(
            "driver",
            "the CUDA of the forward-compatibility library",
            "a forward-compatibility libcuda is in front",
            "readlink -f $(ldconfig -p | awk '/libcuda.so.1/ {print $NF; exit}')",
        )
    for gpu, found in judged:
        if found.word in _REFUSED:
            number = 804 if found.word == "class" else 803
            yield _refusal(ctx, found.reason, number, Severity.ERROR, (gpu, found))
        elif found.word == "branch" or (found.word == "needless" and _older_than_kernel(ctx)):
            yield _refusal(ctx, found.reason, 803, Severity.WARNING, (gpu, found))


def _older_than_kernel(ctx: Context) -> bool:
    """Whether the library in front is of an older build than the kernel module: seen to fail with 803 on an H200."""
    driver, library = ctx.stack.driver, Version.maybe(ctx.snapshot.driver.library_version)
    return driver is not None and library is not None and library.below(driver) is Answer.YES


def _refusal(
    ctx: Context, why: str, code: int, severity: Severity, judged: tuple[GpuFact | None, Judgement] | None
) -> Problem:
    gpu, found = judged or (None, None)
    error = cuda_error(ctx)
    version = ctx.snapshot.driver.library_version
    shown = f" ({version})" if version else ""
    return Problem(
        severity,
        f"A forward-compatibility libcuda{shown} is in front of driver {ctx.stack.driver}: {why}",
        breaks=f"CUDA does not start: {error_text(ctx, code)}.",
        facts=(
            _libcuda(ctx),
            ctx.stack.driver_found(),
            *((gpu.found(),) if gpu else ()),
            *((error,) if error else ()),
        ),
        sources=found.facts if found else (),
        remedy=_no_compat("the driver's own libcuda is the one to use here"),
        components=("driver", "gpu") if code == 804 else ("driver", "cuda"),
    )


@rule(
    "DRV302",
    "forward-compatibility-needless",
    severity=Severity.INFO,
    components=("driver", "cuda"),
    needs=("driver",),
    silenced_by=("CTR101", "DRV201", "DRV301"),
)
def forward_compatibility_needless(ctx: Context) -> Iterator[Problem]:
    """A forward-compatibility libcuda is in front although the driver serves that CUDA itself.

    Why it matters: it does no good and turns into an error with the next driver upgrade.

    Example: cuda-compat-12-8 over driver 570, which is CUDA 12.8 itself.

    How to fix: take the compat directory out of LD_LIBRARY_PATH and ld.so.conf.

    Sources: fwd_compat_615
    """
    for gpu, found in compat_of(ctx) or ():
        if found.word != "needless" and not (found.word == "older" and cuda_works(ctx)):
            continue
        yield Problem(
            Severity.INFO,
            f"The forward-compatibility libcuda in front of driver {ctx.stack.driver} is not needed: {found.reason}",
            breaks="Nothing now; an upgrade of the driver will make it an error.",
            facts=(_libcuda(ctx), ctx.stack.driver_found(), *((gpu.found(),) if gpu else ())),
            sources=found.facts,
            remedy=_no_compat("the driver serves this CUDA itself"),
        )


def _libcuda(ctx: Context) -> FoundFact:
    found = ctx.snapshot.driver
    return FoundFact("libcuda", found.library_version or found.library_kind or "unknown", found.library_path, "driver")


def _no_compat(reason: str) -> Remedy:
    text = "Take the compat directory out of LD_LIBRARY_PATH (and /etc/ld.so.conf.d, then ldconfig)."
    return advice("driver", text, reason)


@rule(
    "DRV303", "libcuda-stub", severity=Severity.ERROR, components=("driver", "loader"), silenced_by=("CTR101", "DRV101")
)
def libcuda_stub(ctx: Context) -> Iterator[Problem]:
    """The loader finds the stub libcuda of a CUDA toolkit first.

    Why it matters: lib64/stubs holds an empty libcuda to link against where no driver is. At run time every call of it
    fails.

    Example: LD_LIBRARY_PATH=/usr/local/cuda/lib64/stubs: "CUDA driver is a stub library" (error 34), or error 35.

    How to fix: use the stubs directory with the linker (-L) only, never in LD_LIBRARY_PATH.

    Sources: cuda_headers_135
    """
    found = ctx.snapshot.driver
    if (found.library_kind != "stub" and found.cuinit_error != 34) or cuda_works(ctx):
        return
    row = numbered(ctx.matrix, "cuda").get(34)
    yield Problem(
        severity_without_cuda(ctx),
        f"libcuda is the stub of a CUDA toolkit{f': {found.library_path}' if found.library_path else ''}",
        breaks=f"Every CUDA call fails: {error_text(ctx, 34)}.",
        facts=(_libcuda(ctx),),
        sources=(row.get("meaning"),) if row else (),
        remedy=advice(
            "driver",
            "Take the stubs directory out of LD_LIBRARY_PATH and /etc/ld.so.conf.d.",
            "the stub is for linking only",
        ),
    )


@rule(
    "DRV304",
    "foreign-libcuda",
    severity=Severity.ERROR,
    components=("driver", "loader"),
    silenced_by=("CTR101", "CTR201", "DRV102", "DRV201", "DRV301", "DRV303"),
)
def foreign_libcuda(ctx: Context) -> Iterator[Problem]:
    """The libcuda in front is not the one that came with the loaded kernel module.

    Why it matters: libcuda and the kernel module talk to each other in a way that changes with every build of the
    driver. A libcuda baked into an image, or left by another driver, does not fit.

    Example: an image that installed libnvidia-compute-535 runs on a host with 550: error 803.

    How to fix: remove the foreign libcuda; in an image install no driver packages at all; after an upgrade reboot.

    Sources: cuda_headers_135, fwd_compat_615
    """
    found = ctx.snapshot.driver
    if found.library_kind == "compat" or cuda_works(ctx):
        return
    module, library = Version.maybe(found.kernel_version), Version.maybe(found.library_version)
    differ = module is not None and library is not None and module.same_as(library) is Answer.NO
    failed = found.cuinit_error not in (None, 0, 34, 100)
    foreign = found.library_kind == "other"
    if not (differ or found.library_kind == "mismatched" or found.cuinit_error == 803 or (foreign and failed)):
        if foreign and found.cuinit_error is None:
            ctx.unknown(
                "driver",
                "whether this libcuda fits the kernel module",
                f"libcuda is {found.library_path}",
                "nvidia-smi",
            )
        return
    versions = (
        f" ({library}) is not that of the kernel module ({module})"
        if differ
        else " does not belong to the kernel module"
    )
    facts = [_libcuda(ctx)]
    if module is not None:
        facts.append(FoundFact("kernel module", str(module), "/proc/driver/nvidia/version", "driver"))
    error = cuda_error(ctx)
    row = numbered(ctx.matrix, "cuda").get(803)
    yield Problem(
        severity_without_cuda(ctx),
        f"libcuda{versions}",
        breaks=f"CUDA does not start: {error_text(ctx, 803)}; nvidia-smi may look fine.",
        facts=(*facts, *((error,) if error else ())),
        sources=(row.get("meaning"),) if row else (),
        remedy=advice(
            "driver",
            "Reboot if the driver was upgraded; else remove the libcuda that is not the driver's, then ldconfig.",
            "libcuda and kernel module must be of one build",
        ),
    )


# -- the branch --------------------------------------------------------------------------------------------------------


@rule("DRV401", "driver-branch-ended", severity=Severity.INFO, components=("driver",), needs=("driver",))
def driver_branch_ended(ctx: Context) -> Iterator[Problem]:
    """The vendor no longer keeps the driver's branch.

    Why it matters: it goes on working as before, but gets no fixes, security fixes among them.

    Example: R535 after June 2026.

    How to fix: plan the move to a long-term branch.

    Sources: drivers_615, drivers_2025
    """
    driver = ctx.stack.driver
    if driver is None or ctx.stack.jetson:
        return
    ended = ctx.matrix.remember(("ended", driver, ctx.as_of), lambda: drivers.ended(ctx.matrix, driver, ctx.as_of))
    if ended.answer is not Answer.YES:
        return
    yield Problem(
        Severity.INFO,
        f"Driver {driver} is of an ended branch: NVIDIA {_when_ended(ended)}",
        breaks="Nothing; there are no more fixes for it.",
        facts=(ctx.stack.driver_found(),),
        sources=ended.facts,
        remedy=upgrade(ctx, driver, "a branch that still gets fixes"),
    )


def _when_ended(ended: Judgement) -> str:
    month = ended.facts[0]
    return (
        f"kept it until {month.value}"
        if month.where.endswith("end_of_life")
        else f"listed it as ended by {month.value}"
    )


@rule("DRV402", "driver-branch-unknown", severity=Severity.INFO, components=("driver",), needs=("driver",))
def driver_branch_unknown(ctx: Context) -> Iterator[Problem]:
    """The driver is of a branch that the matrix does not know yet.

    Why it matters: a newer driver runs everything that older ones ran, so floors are met; its own CUDA level and the
    GPUs that it dropped are not known here.

    Example: driver 640 with a matrix that ends at R620.

    How to fix: nothing; `trtdoctor matrix update` when there is a newer matrix.

    Sources: arch_matrix
    """
    driver = ctx.stack.driver
    if driver is None or ctx.stack.jetson or not drivers.newer_than_matrix(ctx.matrix, driver):
        return
    ctx.unknown(
        "cuda",
        f"the CUDA level of driver branch {driver.major}",
        f"newer than matrix {ctx.matrix.version}",
        "nvidia-smi prints it as CUDA Version",
    )
    return
    yield  # a generator like every other rule, though it only says what is unknown


@rule(
    "DRV501",
    "driver-does-not-know-gpu",
    severity=Severity.ERROR,
    components=("driver", "gpu"),
    needs=("driver", "gpu"),
    silenced_by=("CTR101",),
)
def driver_does_not_know_gpu(ctx: Context) -> Iterator[Problem]:
    """The driver's branch does not serve this generation of GPU: too old for it, or the branch dropped it.

    Why it matters: a driver older than the GPU does not start it; newer branches leave old generations out.

    Example: a GTX 1080 Ti with driver 590: R580 is the last branch for Pascal. An RTX 5090 needs R570 or newer.

    How to fix: install a driver of a branch that serves the GPU.

    Sources: arch_matrix, cudnn_9102_matrix
    """
    driver = ctx.stack.driver
    if driver is None or ctx.stack.jetson or cuda_works(ctx):
        return
    for capability, gpus in alike(ctx.stack.gpus):
        # A GPU that this very driver reported is known to it, whatever a table says.
        described = [gpu for gpu in gpus if ctx.snapshot.kind != "live" or gpu.gpu.compute_capability is None]
        judged = ctx.matrix.remember(
            ("driver serves", driver, capability), partial(drivers.serves, ctx.matrix, driver, capability)
        )
        if not described or judged.answer is not Answer.NO:
            continue
        sure = all(fact.certainty in ("official", "measured") for fact in judged.facts)
        bound = Version.maybe(judged.facts[0].value) if judged.facts else None
        dropped = judged.word == "dropped"
        yield Problem(
            Severity.ERROR if sure else Severity.WARNING,
            f"Driver {driver} does not serve {gpu_labels(described)}: {judged.reason}",
            breaks="The driver does not start the GPU: nvidia-smi lists none, CUDA says "
            f"{error_text(ctx, 100)}; dmesg names an unsupported GPU.",
            facts=(ctx.stack.driver_found(), *(gpu.found() for gpu in described)),
            sources=judged.facts,
            remedy=Remedy("driver", "install", f"=={bound}.*" if bound else None, judged.reason)
            if dropped
            else upgrade(ctx, bound, judged.reason),
        )


# -- what is left: told by number --------------------------------------------------------------------------------------


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
        meaning = f": {row.text('meaning')}" if row else ""
        fact = cuda_error(ctx)
        yield Problem(
            severity_without_cuda(ctx),
            f"CUDA does not start, cuInit returned {error_text(ctx, code)}{meaning}",
            breaks=f"TensorRT says: CUDA initialization failure with error: {code}.",
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
