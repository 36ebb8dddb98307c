"""Whether the driver is new enough for the CUDA, the TensorRT and the GPU, and still kept by the vendor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from trtdoctor.findings import Remedy, Severity
from trtdoctor.matrix import Fact, drivers, tensorrt
from trtdoctor.matrix.judgement import Judgement
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import (
    alike,
    cuda_works,
    error_text,
    gpu_labels,
)
from trtdoctor.rules.driver_needs import (
    REFUSED,
    Need,
    compat_of,
    image_may_help,
    is_major_compatible,
    needs_of,
    upgrade,
)
from trtdoctor.rules.releases import candidates, identity, label
from trtdoctor.stack import ABSENT, GpuFact, Installation
from trtdoctor.versions import Answer, Version


@rule(
    "DRV201",
    "driver-below-cuda-floor",
    severity=Severity.ERROR,
    components=("driver", "cuda"),
    needs=("driver",),
    silenced_by=("CTR101", "CTR401", "DRV102"),
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
    refused = next((judged for _, judged in compat or () if judged.word in REFUSED), None)
    if compat is not None and refused is None:
        _say_compat_unknown(ctx, compat)
        return
    worst = max(failed, key=lambda need: need.floor.sort_key() if need.floor else ())
    code, note = 35, ""
    if refused is not None:
        code = 804 if refused.word == "class" else 803
        note = f" The forward-compatibility library in front does not help: {refused.reason}."
    serious = len(failed) == len(needs) and (worst.component != "cuda" or ctx.stack.state("tensorrt") != ABSENT)
    if image_may_help(ctx):
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
            untested=True,
        )


def _own_floors(ctx: Context, item: Installation) -> list[Fact | None]:
    """The driver that TensorRT's documents name, for each build that the installation may be."""
    if item.version is None:
        return []
    system = ctx.stack.driver_system
    return ctx.matrix.remember(
        ("tensorrt driver floors", identity(ctx, item), system),
        lambda: [tensorrt.driver_floor(row, flavour, system) for row, flavour in candidates(ctx, item)],
    )


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
def driver_branch_unknown(ctx: Context) -> Iterable[Problem]:
    """The driver is of a branch that the matrix does not know yet.

    Why it matters: a newer driver runs everything that older ones ran, so floors are met; its own CUDA level and the
    GPUs that it dropped are not known here.

    Example: driver 640 with a matrix that ends at R620.

    How to fix: nothing; `trtdoctor matrix update` when there is a newer matrix.

    Sources: arch_matrix
    """
    driver = ctx.stack.driver
    if driver is None or ctx.stack.jetson or not drivers.newer_than_matrix(ctx.matrix, driver):
        return ()
    ctx.unknown(
        "cuda",
        f"the CUDA level of driver branch {driver.major}",
        f"newer than matrix {ctx.matrix.version}",
        "nvidia-smi prints it as CUDA Version",
    )
    return ()  # it only says what is unknown


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
