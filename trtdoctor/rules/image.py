"""NVIDIA's container images and JetPacks by what the matrix says of them: their driver, their GPUs, their Python."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from trtdoctor.findings import FoundFact, Severity
from trtdoctor.matrix import Fact, Row, containers, cuda, jetpack
from trtdoctor.matrix.judgement import Judgement
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import advice, cuda_works, error_text, gpu_labels
from trtdoctor.rules.driver_needs import upgrade
from trtdoctor.versions import Answer, Version

_DATACENTER = "datacenter"


@rule(
    "CTR401",
    "driver-below-image",
    severity=Severity.ERROR,
    components=("driver", "container"),
    needs=("driver",),
    silenced_by=("CTR101",),
)
def driver_below_image(ctx: Context) -> Iterator[Problem]:
    """The host's driver is too old for this image of NVIDIA's, and none of the older ones that it allows.

    Why it matters: The image brings CUDA, the host brings the driver. On data-centre GPUs the image can start on some
    older driver branches, through the forward-compatibility library in it; it works on just those.

    Example: tensorrtserver:19.02-py3 (CUDA 10.0, driver 410) on driver 396.26: R384 is allowed on Tesla boards, the
    newer R396 is not.

    How to fix: Upgrade the driver of the host, or take an older image.

    Sources: triton_notes, triton_notes_2019, cuda_compat_mvc
    """
    row = _image(ctx)
    driver = ctx.stack.driver
    if row is None or driver is None or cuda_works(ctx) or ctx.snapshot.driver.library_kind is not None:
        return
    if driver_serves(ctx, row).answer is not Answer.NO:
        return
    needed, allowed = (row.get("driver", "needed", key) for key in ("minimum_branch", "compat_branches"))
    bound = Version.maybe(needed.value)
    older = ", ".join(f"R{Version.parse(text).major}" for text in allowed.value) if _may_be_datacenter(ctx) else ""
    yield Problem(
        Severity.ERROR,
        f"Driver {driver} is too old for {row.key}, which asks for {bound} or newer",
        breaks=f"CUDA does not start in the container: {error_text(ctx, 803)}, or the driver is insufficient.",
        detail=f"On data-centre GPUs it also allows {older}; {driver} is none of them." if older else "",
        facts=(ctx.stack.driver_found(), _image_found(row), *(gpu.found() for gpu in ctx.stack.gpus)),
        sources=(needed, allowed, row.get("cuda")),
        remedy=upgrade(ctx, bound, f"{row.key} asks for it"),
    )


def driver_serves(ctx: Context, row: Row) -> Judgement:
    """Whether the host's driver runs an image: by the image's notes, by minor-version or by forward compatibility."""
    needed, allowed = (row.get("driver", "needed", key) for key in ("minimum_branch", "compat_branches"))
    driver, bound = ctx.stack.driver, Version.maybe(needed.value)
    if driver is None or bound is None or driver.at_least(bound) is not Answer.NO:
        return Judgement(Answer.YES, "")
    if not _out_of_reach(ctx, row, driver):
        return Judgement(Answer.YES, "")
    reason = f"{row.key} asks for driver {bound} or newer"
    if _may_be_datacenter(ctx):
        if not isinstance(allowed.value, list):
            return Judgement(Answer.UNKNOWN, reason, (needed,))
        if _allows(allowed.value, driver):
            return Judgement(Answer.YES, "")
    return Judgement(Answer.NO, reason, (needed, allowed))


def _may_be_datacenter(ctx: Context) -> bool:
    kinds = {gpu.kind for gpu in ctx.stack.gpus}
    return not kinds or bool(kinds & {_DATACENTER, None})


def _out_of_reach(ctx: Context, row: Row, driver: Version) -> bool:
    """Whether minor-version compatibility does not help either: it has a floor for each CUDA major from 11 on."""
    version = Version.maybe(row.get("cuda").value)
    major = cuda.major(ctx.matrix, version) if version else None
    if version is None:
        return False
    if major is None or major.get("minor_version_compatibility").value is not True:
        return True
    floor = cuda.major_floor(ctx.matrix, version, ctx.stack.driver_system)
    bound = Version.maybe(floor.value) if floor else None
    return bound is not None and driver.below(bound) is Answer.YES


def _allows(branches: list[object], driver: Version) -> bool:
    """Whether a driver is of one of the branches; a whole version is the least of its branch."""
    bounds = [Version.parse(str(text)) for text in branches]
    return any(driver.major == bound.major and driver.at_least(bound) is not Answer.NO for bound in bounds)


@rule(
    "CTR402",
    "gpu-below-image",
    severity=Severity.WARNING,
    components=("gpu", "container"),
    needs=("gpu",),
    silenced_by=("CTR101", "GPU201", "GPU202"),
)
def gpu_below_image(ctx: Context) -> Iterator[Problem]:
    """The GPU is older than what the notes of this image of NVIDIA's support.

    Why it matters: The libraries and the framework in an image are compiled for the architectures that its notes name.

    Example: tensorrt:24.08-py3 on a GTX 970 (5.2): the notes begin with 6.0.

    How to fix: Take an image of a month that names the GPU's architecture, or another GPU.

    Sources: triton_notes
    """
    row = _image(ctx)
    if row is None:
        return
    floor = row.get("compute_capabilities", "minimum")
    bound = Version.maybe(floor.value)
    below = [
        gpu
        for gpu in ctx.stack.gpus
        if bound and gpu.compute_capability and Version.parse(gpu.compute_capability).below(bound) is Answer.YES
    ]
    if below:
        yield Problem(
            Severity.WARNING,
            f"{row.key} supports compute capability {bound} and newer; {gpu_labels(below)} is older",
            breaks="Libraries in the image can have no kernels for it.",
            facts=(_image_found(row), *(gpu.found() for gpu in below)),
            sources=(floor,),
            remedy=advice("container", "Take an image of a month whose notes name this architecture."),
        )


@rule(
    "CTR304",
    "jetpack-has-other-python",
    severity=Severity.ERROR,
    components=("python", "jetpack"),
    needs=("python",),
    silenced_by=("CTR301",),
)
def jetpack_other_python(ctx: Context) -> Iterator[Problem]:
    """Python is wanted, and JetPack's TensorRT bindings are for another Python than the judged one.

    Why it matters: JetPack brings bindings for the Python of its Ubuntu and for no other; there are no wheels for it.

    Example: Python 3.8 on JetPack 4.6, whose bindings are for 3.6: No module named 'tensorrt'.

    How to fix: Use the Python of the system (a virtual environment with --system-site-packages), or build the bindings
    of TensorRT for the other Python.

    Sources: jetpack_recipes
    """
    if not ctx.stack.jetson or not ctx.wants("python") or "tensorrt" in ctx.stack.distributions:
        return
    origins = {item.origin for item in ctx.stack.tensorrts}
    if not origins <= {"jetpack", None}:
        return
    found = ctx.stack.interpreter
    version = Version.maybe(found.version) if found else None
    fact = _jetpack_python(ctx)
    brought = Version.maybe(fact.value) if fact else None
    if fact is None or version is None or brought is None or version.may_be(brought):
        return
    if Version.parse(version.short(2)).same_as(Version.parse(brought.short(2))) is not Answer.NO:
        return
    yield Problem(
        Severity.ERROR if origins == {"jetpack"} else Severity.WARNING,
        f"JetPack {ctx.snapshot.platform.jetpack or ''} has TensorRT bindings for Python {brought}; "
        f"this is Python {version}".replace("  ", " "),
        breaks="import tensorrt fails: No module named 'tensorrt'.",
        facts=(
            FoundFact("python", str(version), found.path if found else None, "python"),
            FoundFact("jetpack", ctx.snapshot.platform.jetpack or ctx.snapshot.platform.l4t or "", None, "host"),
        ),
        sources=(fact,),
        remedy=advice(
            "python",
            f"Use Python {brought} of the system: python{brought} -m venv --system-site-packages DIR.",
            "JetPack's bindings are for that Python",
        ),
    )


def _jetpack_python(ctx: Context) -> Fact | None:
    """The Python of this JetPack; None when it is not known or several fit that differ."""
    platform = ctx.snapshot.platform
    return jetpack.component(ctx.matrix, "python", Version.maybe(platform.jetpack), Version.maybe(platform.l4t))


@rule(
    "CTR403",
    "image-has-other-tensorrt",
    severity=Severity.WARNING,
    components=("container", "tensorrt", "package"),
)
def image_other_tensorrt(ctx: Context) -> Iterator[Problem]:
    """A file installs another TensorRT into an image of NVIDIA's that brings one.

    Why it matters: The image's trtexec, plugins, C++ libraries and what was compiled against them stay with its own
    release. Engines that one of the two builds do not load in the other.

    Example: FROM nvcr.io/nvidia/tensorrt:24.08-py3, which has TensorRT 10.3.0, and RUN pip install tensorrt==8.6.1.

    How to fix: Take the image whose TensorRT is the wanted one, or leave the image's TensorRT alone.

    Sources: triton_notes
    """
    row = _image(ctx)
    if row is None:
        return
    served = ctx.snapshot.platform.architecture == "aarch64" and row.text("tensorrt_sbsa") is not None
    fact = row.get("tensorrt_sbsa" if served else "tensorrt")
    brought = Version.maybe(fact.value)
    if brought is None:
        return
    stated = [item for item in ctx.stack.builders if item.origin != "container" and item.stated_at]
    other = [item for item in stated if item.version and not item.version.may_be(Version.parse(brought.short(3)))]
    other = [item for item in other if item.version and not Version.parse(item.version.short(3)).may_be(brought)]
    if other:
        yield Problem(
            Severity.WARNING,
            f"{row.key} brings TensorRT {brought}; {other[0].version} is installed into it",
            breaks="The image's trtexec, C++ libraries and plugins stay with its own release; engines of one do not "
            "load in the other.",
            facts=(replace(_image_found(row), where=_stated_at(ctx) or row.text("image")), other[0].found()),
            sources=(fact,),
            remedy=advice(
                "container",
                f"Take the image of a month that has TensorRT {other[0].version}, or leave out the second TensorRT.",
            ),
        )


# -- what the rules share ---------------------------------------------------------------------------------------------


def _image(ctx: Context) -> Row | None:
    """The row of the image that this is, by its name; None when there is none."""
    found = ctx.snapshot.container
    return containers.find(ctx.matrix, found.image) if found is not None and found.image else None


def _stated_at(ctx: Context) -> str | None:
    found = ctx.snapshot.container
    return found.stated_at if found is not None else None


def _image_found(row: Row) -> FoundFact:
    return FoundFact("container", f"{row.key} (CUDA {row.get('cuda').value})", row.text("image"), "host")
