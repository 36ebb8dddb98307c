"""Whether TensorRT and CUDA have kernels for the GPU."""

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
    cuda_works,
    error_text,
    gpu_labels,
)
from trtdoctor.rules.releases import candidates, identity, joined, label, platforms_of
from trtdoctor.stack import KNOWN, GpuFact, Installation
from trtdoctor.versions import Answer, Version


def _served(ctx: Context, item: Installation, capability: str) -> Judgement:
    """Whether a TensorRT serves a compute capability: NO only where every build and platform it may be says so."""
    product = "rtx" if item.product == "rtx" else "full"
    version = item.version or Version.parse("0")
    platforms = platforms_of(ctx.stack)
    key = ("serves", product, identity(ctx, item), platforms, capability)

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
    return tuple(sorted({flavour for _, flavour in candidates(ctx, item)})) or (None,)


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
            remedy=_other_release(ctx, item, reason),
        )


def _other_release(ctx: Context, item: Installation, reason: str) -> Remedy:
    from trtdoctor.rules.offers import replacement

    return replacement(ctx, item, reason, otherwise="Use a newer GPU" if reason.startswith("no release") else "")


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
    from trtdoctor.rules.offers import fitting

    reason = f"TensorRT itself serves compute capability {capability}, TensorRT for RTX does not"
    offer = fitting(ctx)
    text = f"Use TensorRT itself: {reason}."
    return offer.remedy(reason) if offer else Remedy("tensorrt", "choose", None, text)


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
                f"{label(item)} needs CUDA {bound} for {gpu_labels(members)} ({capability}), found is CUDA {versions}",
                breaks="The build fails, or its engines do not run, although the release lists that CUDA.",
                facts=(item.found(), *(found.found() for found in failed), *(gpu.found() for gpu in members)),
                sources=(floor,),
                remedy=advice(
                    "cuda",
                    f"Install CUDA {bound} or a newer minor of CUDA {bound.major}.",
                    f"the first CUDA with code for {capability}",
                ),
                untested=True,
            )


def _reaches(bound: Version, item: Installation) -> Answer:
    return item.version.at_least(bound) if item.version else Answer.UNKNOWN


def _cuda_floor(ctx: Context, item: Installation, capability: str) -> Fact | None:
    """The least CUDA for this GPU when every build that the installation may be names one; the lowest of them."""
    if item.version is None:
        return None
    key = ("gpu cuda floor", identity(ctx, item), capability)
    return ctx.matrix.remember(key, lambda: _lowest_floor(ctx, item, capability))


def _lowest_floor(ctx: Context, item: Installation, capability: str) -> Fact | None:
    floors = [
        tensorrt.cuda_floor(row, capability, flavour)
        for row, flavour in candidates(ctx, item)
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
