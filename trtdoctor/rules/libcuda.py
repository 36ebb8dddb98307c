"""Whose libcuda is in front: the driver's own, a forward-compatibility one, a stub, or a foreign one."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.matrix.judgement import Judgement
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import (
    advice,
    cuda_error,
    cuda_works,
    error_text,
    numbered,
    severity_without_cuda,
)
from trtdoctor.rules.driver_needs import REFUSED, compat_of
from trtdoctor.stack import GpuFact
from trtdoctor.versions import Answer, Version


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
        why = known[1].reason if known else "CUDA does not start"
        yield _refusal(ctx, why, code, Severity.ERROR, known)
        return
    if not judged:
        ctx.unknown(
            "driver",
            "the CUDA of the forward-compatibility library",
            "a forward-compatibility libcuda is in front",
            "readlink -f $(ldconfig -p | awk '/libcuda.so.1/ {print $NF; exit}')",
        )
    for gpu, found in judged:
        if found.word in REFUSED:
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
        f"libcuda{shown} of cuda-compat is in front of driver {ctx.stack.driver}: {why}",
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
            f"libcuda of cuda-compat in front of driver {ctx.stack.driver} is not needed: {found.reason}",
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
