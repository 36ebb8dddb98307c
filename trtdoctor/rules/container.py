"""Containers, WSL and Jetson: whose driver, whose libraries."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.matrix import Fact, cuda, tensorrt
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import advice, cuda_error, cuda_works, error_text, severity_without_cuda
from trtdoctor.rules.releases import label, rows_of
from trtdoctor.stack import Installation
from trtdoctor.versions import Answer, Version

_WSL_HOME = "/usr/lib/wsl/"
"""Where Windows puts the driver's libraries; a path of the WSL kernel, not a version."""
_DRIVER_PACKAGES = ("nvidia-driver-", "libnvidia-compute-", "nvidia-dkms-", "nvidia-kernel-", "cuda-drivers")


@rule(
    "CTR101",
    "container-without-gpu",
    severity=Severity.ERROR,
    components=("container", "driver", "gpu"),
)
def container_without_gpu(ctx: Context) -> Iterator[Problem]:
    """The container was started without access to a GPU.

    Why it matters: a container has no driver of its own. Device nodes and libcuda are put into it when it starts, and
    only when GPUs were asked for; without them every CUDA call fails, however good the image is.

    Example: `docker run nvcr.io/nvidia/tensorrt:25.08-py3 trtexec ...` without `--gpus all` ends in
    "CUDA initialization failure with error: 35" or 100.

    How to fix: start it with `--gpus all` (Docker), `--device nvidia.com/gpu=all` (Podman, CDI), `--nv` (Apptainer), or
    request `nvidia.com/gpu` (Kubernetes). The host needs a driver and the NVIDIA Container Toolkit.

    Sources: https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html
    """
    found = ctx.snapshot
    if found.container is None or cuda_works(ctx) or ctx.stack.jetson:
        return
    if found.container.gpu_access is False:
        if found.kind == "live" and found.gpus:
            return
        where = "declared" if found.kind == "declared" else "no device node of a GPU is in /dev"
    elif found.driver.installed is False and found.driver.kernel_version:
        where = "the host's kernel module is there, its libraries are not"
    elif found.driver.installed is False and found.container.gpu_access:
        where = "GPUs were asked for, but neither libraries nor device nodes were put in"
    else:
        return
    image = f" {found.container.image[:60]}" if found.container.image else ""
    facts = [FoundFact("container", found.container.runtime or found.container.image or "container", where, "host")]
    if found.driver.kernel_version:
        facts.append(
            FoundFact("driver of the host", found.driver.kernel_version, "/proc/driver/nvidia/version", "driver")
        )
    yield Problem(
        severity_without_cuda(ctx),
        f"Container{image} has no access to a GPU" if image else "This container has no access to a GPU",
        breaks=f"Every CUDA call fails: {error_text(ctx, 35)} or {error_text(ctx, 100)}, or libcuda.so.1 is not found.",
        facts=tuple(facts),
        remedy=advice(
            "container",
            "Start it again with GPUs: docker run --gpus all …, podman run --device nvidia.com/gpu=all …, "
            "apptainer --nv, or resources.limits nvidia.com/gpu: 1. The host needs the NVIDIA Container Toolkit.",
            "device nodes and driver libraries are put in only when GPUs are asked for",
        ),
        components=("container",),
    )


@rule(
    "CTR102",
    "container-without-compute",
    severity=Severity.ERROR,
    components=("container",),
    silenced_by=("CTR101",),
)
def container_without_compute(ctx: Context) -> Iterator[Problem]:
    """NVIDIA_DRIVER_CAPABILITIES leaves out `compute`, so libcuda is not put into the container.

    Why it matters: the variable says which of the driver's libraries a container gets. `utility` gives nvidia-smi and
    NVML only: nvidia-smi looks perfect while every CUDA call fails.

    Example: `NVIDIA_DRIVER_CAPABILITIES=utility` gives "libcuda.so.1: cannot open shared object file".

    How to fix: set it to `compute,utility` (or `all`) and start the container again.

    Sources: https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html
    """
    container = ctx.snapshot.container
    if container is None or not container.driver_capabilities or cuda_works(ctx):
        return
    words = {word.strip().lower() for word in container.driver_capabilities}
    if words & {"compute", "all"} or not words - {""}:
        return
    if ctx.snapshot.kind == "live" and ctx.snapshot.driver.library_path is not None:
        return  # libcuda is there all the same
    stated = ",".join(container.driver_capabilities)
    yield Problem(
        severity_without_cuda(ctx),
        f"NVIDIA_DRIVER_CAPABILITIES is {stated}: without compute the container gets no libcuda",
        breaks="libcuda.so.1 cannot be opened, although nvidia-smi works.",
        facts=(FoundFact("driver capabilities", stated, container.image, "host"),),
        remedy=advice(
            "container",
            "Start the container with NVIDIA_DRIVER_CAPABILITIES=compute,utility",
            "compute brings libcuda and the PTX compiler",
        ),
    )


@rule(
    "CTR103",
    "container-needs-fabric-manager",
    severity=Severity.ERROR,
    components=("fabric-manager", "container"),
    silenced_by=("CTR101",),
)
def container_needs_fabric_manager(ctx: Context) -> Iterator[Problem]:
    """The container runs on an NVSwitch system whose Fabric Manager does not run.

    Why it matters: on HGX and DGX machines CUDA waits for the fabric, which the daemon `nvidia-fabricmanager` of the
    host sets up. A container cannot do that for itself.

    Example: every CUDA call returns error 802 (system not yet initialized) while nvidia-smi works.

    How to fix: on the host, install and start `nvidia-fabricmanager` of exactly the driver's version.

    Sources: cuda_headers_135
    """
    container, code = ctx.snapshot.container, ctx.snapshot.driver.cuinit_error
    if container is None or container.fabric_manager is not False or code == 0:
        return
    waiting = [gpu for gpu in ctx.snapshot.gpus or () if gpu.fabric_state in ("not-started", "in-progress")]
    if code != 802 and not waiting:
        ctx.unknown(
            "fabric-manager",
            "whether this is an NVSwitch system",
            "the container has no Fabric Manager; only NVSwitch systems need one",
            "nvidia-smi -q | grep -A 3 Fabric, on the host",
        )
        return
    error = cuda_error(ctx)
    yield Problem(
        Severity.ERROR,
        "Fabric Manager does not run on this NVSwitch system",
        breaks=f"Every CUDA call fails: {error_text(ctx, 802)}.",
        facts=(
            *((error,) if error else ()),
            *(FoundFact(f"gpu {gpu.index} fabric", gpu.fabric_state or "", None, "gpu") for gpu in waiting),
        ),
        remedy=_fabric_manager(),
    )


def _fabric_manager() -> Remedy:
    text = "On the host: systemctl enable --now nvidia-fabricmanager, which must be of the driver's own version."
    return advice("fabric-manager", text, "a container cannot set up the fabric")


@rule(
    "CTR201",
    "wsl-foreign-libcuda",
    severity=Severity.ERROR,
    components=("wsl", "driver"),
)
def wsl_foreign_libcuda(ctx: Context) -> Iterator[Problem]:
    """Inside WSL another libcuda than that of Windows is found first.

    Why it matters: the driver of WSL is the Windows driver; its libcuda lies in /usr/lib/wsl/lib. A Linux driver
    package installed inside WSL puts another libcuda before it, and that one has no kernel module to talk to.

    Example: after `apt install nvidia-driver-535` inside Ubuntu on WSL, libcuda.so.1 is that of
    /lib/x86_64-linux-gnu, and CUDA says that no GPU is there.

    How to fix: remove the Linux driver packages inside WSL (the toolkit alone is fine), and run ldconfig.

    Sources: https://docs.nvidia.com/cuda/wsl-user-guide/index.html
    """
    found = ctx.snapshot
    if not found.platform.wsl or found.container is not None or cuda_works(ctx):
        return
    path = found.driver.library_path
    packages = [item for item in found.packages if item.name.startswith(_DRIVER_PACKAGES)]
    foreign = (
        path is not None and not path.startswith(_WSL_HOME) and found.driver.library_kind in (None, "driver", "other")
    )
    if not foreign and not packages:
        return
    failed = found.driver.cuinit_error not in (None, 0)
    facts = [FoundFact("libcuda", path, "found first by the loader", "driver")] if path is not None else []
    facts += [
        FoundFact("package", f"{item.name} {item.version or ''}".strip(), item.manager, "packages") for item in packages
    ]
    error = cuda_error(ctx)
    yield Problem(
        Severity.ERROR if failed and foreign else Severity.WARNING,
        f"WSL: libcuda comes from {path}, not from {_WSL_HOME}lib"
        if foreign
        else f"WSL: a Linux driver package ({packages[0].name}) is installed inside",
        breaks="A libcuda without its Windows driver finds no GPU, or crashes.",
        facts=(*facts, *((error,) if error else ())),
        remedy=advice(
            "wsl",
            "Remove the NVIDIA driver packages inside WSL (apt list --installed 'libnvidia-*'), then ldconfig.",
            "the driver of WSL is the one in Windows",
        ),
    )


# -- Jetson ------------------------------------------------------------------------------------------------------------


@rule(
    "CTR301",
    "jetson-pip-tensorrt",
    severity=Severity.ERROR,
    components=("jetpack", "tensorrt"),
    needs=("tensorrt",),
)
def jetson_pip_tensorrt(ctx: Context) -> Iterator[Problem]:
    """TensorRT on a Jetson came by pip, as a build for Arm servers.

    Why it matters: the Arm wheels of the package index are made for servers. On a Jetson TensorRT is part of JetPack;
    the server build has no kernels for most Jetson chips and lacks their DLA.

    Example: `pip install tensorrt` on an Orin with JetPack 6 stops with "TensorRT does not currently build wheels for
    Tegra systems"; a wheel forced in finds no kernel for compute capability 8.7.

    How to fix: use JetPack's own TensorRT (`apt install tensorrt python3-libnvinfer`), in a virtual environment made
    with `--system-site-packages`.

    Sources: https://github.com/NVIDIA/TensorRT/issues/4176
    """
    if not ctx.stack.jetson:
        return
    for item in ctx.stack.tensorrts:
        if item.origin != "pip" or item.version is None:
            continue
        answer, facts = _server_wheel(ctx, item)
        if answer is Answer.YES:
            continue
        yield Problem(
            Severity.ERROR if answer is Answer.NO else Severity.WARNING,
            f"{label(item)} from pip on a Jetson: that wheel is built for Arm servers",
            breaks="The builder finds no kernels for this chip, or the library does not load beside JetPack's CUDA.",
            facts=(item.found(), *(gpu.found() for gpu in ctx.stack.gpus)),
            sources=facts,
            remedy=advice(
                "jetpack",
                "Use JetPack's TensorRT (apt-get install tensorrt python3-libnvinfer) in a virtual environment "
                "made with python3 -m venv --system-site-packages; uninstall the pip one.",
                "JetPack brings the TensorRT that fits this chip",
            ),
        )


def _server_wheel(ctx: Context, item: Installation) -> tuple[Answer, tuple[Fact, ...]]:
    """Whether the Arm-server build of this release serves every GPU that is there."""
    answers: list[Answer] = []
    facts: list[Fact] = []
    for gpu in ctx.stack.gpus:
        if gpu.compute_capability is None or item.version is None:
            answers.append(Answer.UNKNOWN)
            continue
        for row in rows_of(ctx, item):
            judged = tensorrt.serves(row, gpu.compute_capability, item.flavour, "linux-aarch64")
            answers.append(judged.answer)
            facts.extend(judged.facts)
    return Answer.agreed(answers), tuple(facts)


@rule(
    "CTR302",
    "jetson-not-supported",
    severity=Severity.ERROR,
    components=("jetpack", "tensorrt"),
    needs=("tensorrt",),
    silenced_by=("CTR301",),
)
def jetson_not_supported(ctx: Context) -> Iterator[Problem]:
    """This TensorRT release does not support Jetson.

    Why it matters: not every release is made for JetPack; between 11.2.1 and 11.4.0 for example there is none for it.

    Example: TensorRT 11.3.0 unpacked on a Jetson Thor.

    How to fix: use the TensorRT that comes with the JetPack, or a release whose documents name Jetson.

    Sources: rn_11_4, rn_11_3
    """
    if not ctx.stack.jetson:
        return
    judged: dict[int, Fact] = {}

    def supports(item: Installation) -> Answer:
        if item.version is None or item.origin in ("jetpack", "pip"):
            return Answer.UNKNOWN
        facts = [row.get("cuda", "jetson") for row in rows_of(ctx, item)]
        if facts and all(fact.value == tensorrt.NOT_SUPPORTED for fact in facts):
            judged[id(item)] = facts[0]
            return Answer.NO
        return Answer.UNKNOWN

    failed, every = ctx.stack.failing(ctx.stack.tensorrts, supports)
    for item in failed:
        yield Problem(
            Severity.ERROR if every else Severity.WARNING,
            f"{label(item)} does not support Jetson",
            breaks="NVIDIA publishes no Jetson build of this release: it does not load, or has no kernels here.",
            facts=(item.found(),),
            sources=(judged[id(item)],),
            remedy=_jetpack_tensorrt("this release has no Jetson build"),
        )


@rule(
    "CTR303",
    "jetson-other-jetpack",
    severity=Severity.ERROR,
    components=("jetpack", "tensorrt"),
    needs=("tensorrt",),
    silenced_by=("CTR301",),
)
def jetson_other_jetpack(ctx: Context) -> Iterator[Problem]:
    """TensorRT for Jetson that was built for the CUDA major of another JetPack.

    Why it matters: TensorRT on a Jetson is tied to the JetPack: CUDA and driver come with the flashed system, and a
    TensorRT of another JetPack needs a CUDA that is not there.

    Example: TensorRT 8.5 (made for CUDA 11.4 of JetPack 5) on JetPack 4.6.3, which has CUDA 10.2.

    How to fix: keep JetPack's TensorRT, or move to the JetPack that brings the release you want.

    Sources: jetpack_461, jetpack_512
    """
    if not ctx.stack.jetson:
        return
    present = _jetpack_cuda(ctx)
    if present is None:
        return
    version, fact = present
    judged: dict[int, Fact] = {}

    def fits(item: Installation) -> Answer:
        if item.version is None or item.product == "rtx" or item.origin in ("jetpack", "pip"):
            return Answer.UNKNOWN
        facts = [row.get("cuda", "jetson") for row in rows_of(ctx, item)]
        facts = [found for found in facts if found.value != tensorrt.NOT_SUPPORTED]
        known = [found for found in facts if isinstance(found.value, list) and found.value]
        if not known or len(known) < len(facts):
            return Answer.UNKNOWN
        majors = {Version.parse(word).major for found in known for word in found.value}
        if version.major in majors:
            return Answer.YES
        judged[id(item)] = known[0]
        return Answer.NO

    loaded = {id(item) for item in ctx.stack.tensorrts}
    every_one = ctx.stack.installations.get("tensorrt", ())
    failed, every = ctx.stack.failing(every_one, fits)
    for item in failed:
        wanted = judged[id(item)]
        used = every or (len(loaded) == 1 and id(item) in loaded)
        yield Problem(
            Severity.ERROR if used else Severity.WARNING,
            f"{label(item)} for Jetson needs CUDA {'/'.join(wanted.value)}, this JetPack has CUDA {version}",
            breaks="The library does not load: the CUDA libraries it needs are not part of this JetPack.",
            facts=(item.found(), FoundFact("cuda", str(version), fact.where if fact else None, None)),
            sources=(wanted, *((fact,) if fact else ())),
            remedy=_jetpack_tensorrt("TensorRT on a Jetson is tied to the JetPack"),
        )


def _jetpack_cuda(ctx: Context) -> tuple[Version, Fact | None] | None:
    """The CUDA of this Jetson: what is there, else what the matrix says of its JetPack."""
    versions = {item.version for item in ctx.stack.of("cuda") if item.version}
    if versions:
        return (versions.pop(), None) if len({version.major for version in versions}) == 1 else None
    platform = ctx.snapshot.platform
    row = cuda.jetpack(ctx.matrix, Version.maybe(platform.jetpack), Version.maybe(platform.l4t))
    fact = row.get("cuda") if row else None
    version = Version.maybe(fact.value) if fact else None
    return (version, fact) if version else None


def _jetpack_tensorrt(reason: str) -> Remedy:
    text = (
        "Use the TensorRT of the JetPack (apt-get install tensorrt), or flash the JetPack that brings the one you want."
    )
    return advice("jetpack", text, reason)
