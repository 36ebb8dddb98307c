"""What can change in an environment, as pairs of a value and a place; what changes by the minute is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trtdoctor.findings import FoundFact
from trtdoctor.record import record
from trtdoctor.snapshot import Gpu
from trtdoctor.stack import GpuFact, Installation, Stack

_HIDDEN = re.compile(r"<dir\d+>(?:/lib(?:64)?/python[\d.]+(?=/(?:site|dist)-packages))?")
_LIBRARIES = ("tensorrt", "cuda", "cublas", "nvrtc", "cudnn")
_PRODUCTS = {"rtx": "tensorrt-rtx", "lean": "tensorrt-lean", "dispatch": "tensorrt-dispatch"}
NAMES = {
    "tensorrt": "TensorRT",
    "tensorrt-rtx": "TensorRT for RTX",
    "tensorrt-lean": "TensorRT lean",
    "tensorrt-dispatch": "TensorRT dispatch",
    "cuda": "CUDA",
    "cudnn": "cuDNN",
    "cublas": "cuBLAS",
    "nvrtc": "NVRTC",
    "gpu": "GPU",
    "python": "Python",
    "os": "operating system",
}
"""Components as they stand in a sentence."""


@record
class Aspect:
    """One thing that is there."""

    component: str
    """The word that findings use."""
    label: str
    """What it is called; only aspects of one label are compared."""
    value: str | None
    """Its version, or what else may change."""
    place: str | None = None
    """Where it is, as far as it can be compared: never the name of a directory that redaction hides."""
    kind: str | None = None
    """What tells it from others of its label: the CUDA flavour."""
    shown: str | None = None
    """Where it is, for people."""
    fact: FoundFact | None = None
    """As findings name it; None where they name just the component."""
    owner: str | None = None
    """``package NAME`` of the one that owns it."""


def aspects_of(stack: Stack) -> Iterator[Aspect]:
    """Everything that is compared, component by component."""
    yield from _driver(stack)
    for gpu in stack.all_gpus:
        yield _gpu(gpu)
    for component in _LIBRARIES:
        for item in stack.installations.get(component, ()):
            yield _installation(item)
    yield from _python(stack)
    for tool in stack.snapshot.tools:
        yield Aspect(tool.name, tool.name, tool.version or "version unknown", comparable(tool.path), None, tool.path)
    for toolkit in stack.snapshot.toolkits:
        place = comparable(toolkit.root)
        yield Aspect("cuda", "CUDA toolkit", toolkit.version or "version unknown", place, None, toolkit.root)
    yield from _platform(stack)
    yield from _surroundings(stack)


def comparable(path: str | None) -> str | None:
    """A path without what redaction numbers anew each time, and newer programs leave more of."""
    return _HIDDEN.sub("<dir>", path) if path else path


def _driver(stack: Stack) -> Iterator[Aspect]:
    found = stack.snapshot.driver
    level = f" (CUDA {stack.cuda_level})" if stack.cuda_level else ""
    if stack.driver:
        yield Aspect("driver", "driver", f"{stack.driver}{level}", fact=stack.driver_found())
    if found.kernel_flavour:
        yield Aspect("driver", "kernel module", found.kernel_flavour)
    if found.library_path or found.library_kind:
        kind = found.library_kind if found.library_kind != "driver" else found.library_version
        shown = found.library_path
        yield Aspect("driver", "libcuda", kind or "version unknown", comparable(shown), None, shown)
    if found.cuinit_error is not None:
        yield Aspect("driver", "cuInit", f"error {found.cuinit_error}" if found.cuinit_error else "succeeds")


def _gpu(item: GpuFact) -> Aspect:
    gpu = item.gpu
    words = [gpu.name or "unnamed", f"compute capability {item.compute_capability or 'unknown'}", *_of_gpu(gpu)]
    return Aspect("gpu", f"GPU {gpu.index}", ", ".join(words), fact=item.found())


def _of_gpu(gpu: Gpu) -> Iterator[str]:
    if gpu.memory_bytes:
        yield f"{gpu.memory_bytes >> 20} MiB"
    if gpu.visible is False:
        yield "hidden"
    if gpu.mig:
        yield "MIG"
    if gpu.compute_mode not in (None, "default"):
        yield gpu.compute_mode or ""
    if gpu.error:
        yield gpu.error


def _installation(item: Installation) -> Aspect:
    component = _PRODUCTS.get(item.product or "", item.component) if item.component == "tensorrt" else item.component
    flavour = f" ({item.flavour})" if item.flavour else ""
    place = comparable(item.directory) or item.stated_at or item.origin
    value = f"{item.version or 'version unknown'}{flavour}"
    owner = f"package {item.owner.rpartition(' ')[0]}" if item.owner else None
    shown = item.place or item.origin
    return Aspect(component, NAMES.get(component, component), value, place, item.flavour, shown, item.found(), owner)


def _python(stack: Stack) -> Iterator[Aspect]:
    python = stack.interpreter
    if python is None:
        return
    yield Aspect("python", "Python", python.version or "version unknown", comparable(python.path), None, python.path)
    for name, item in stack.distributions.items():
        value = item.version or "version unknown"
        yield Aspect("package", f"package {name}", value, fact=FoundFact(f"package {name}", value, None, None))


def _platform(stack: Stack) -> Iterator[Aspect]:
    platform = stack.snapshot.platform
    if platform.glibc or platform.libc:
        yield Aspect("glibc", "glibc", platform.glibc or platform.libc)
    name = " ".join(filter(None, (platform.distribution or platform.system, platform.distribution_version)))
    if name or platform.architecture:
        yield Aspect("os", NAMES["os"], " ".join(filter(None, (name, platform.architecture))))
    for component, label, value in (
        ("os", "kernel", platform.kernel),
        ("jetpack", "JetPack", platform.jetpack or platform.l4t),
        ("wsl", "WSL", "yes" if platform.wsl else None),
    ):
        if value:
            yield Aspect(component, label, value)


def _surroundings(stack: Stack) -> Iterator[Aspect]:
    snapshot, container = stack.snapshot, stack.snapshot.container
    if container is not None:
        access = {True: ", with GPUs", False: ", without GPUs", None: ""}[container.gpu_access]
        image = container.image or container.runtime or "one"
        yield Aspect("container", "container", f"{image}{access}")
        if container.driver_capabilities is not None:
            yield Aspect("container", "driver capabilities", ",".join(container.driver_capabilities) or "none")
    for setting in snapshot.settings:
        yield Aspect("environment", setting.name, comparable(setting.value) or "(empty)", shown=None)
    for canary in snapshot.canaries[-1:]:
        yield Aspect("canary", "canary", canary.outcome)
    for probe in snapshot.probes:
        if probe.outcome not in ("ok", "skipped"):
            yield Aspect("probe", f"probe {probe.name}", probe.outcome)
