"""Whether this is a container, of which runtime and image, and whether GPUs were handed in. Called by ``host``."""

from __future__ import annotations

import re

from trtdoctor.probes.base import ProbeContext
from trtdoctor.snapshot import Container

_RUNTIMES = (
    # (what is looked at, name of the runtime)
    ("/.dockerenv", "docker"),
    ("/run/.containerenv", "podman"),
)
_IMAGE_VARIABLES = (
    # (variable of NVIDIA's released images, repository of the image)
    ("NVIDIA_TRITON_SERVER_VERSION", "tritonserver"),
    ("NVIDIA_PYTORCH_VERSION", "pytorch"),
    ("NVIDIA_TENSORFLOW_VERSION", "tensorflow"),
    ("NVIDIA_TENSORRT_VERSION", "tensorrt"),
)


def container(context: ProbeContext) -> Container | None:
    """The container that the check runs in; None when nothing says that it is one."""
    runtime = _runtime(context)
    image = _image(context.environ)
    # NVIDIA_REQUIRE_CUDA is set by NVIDIA's base images and nowhere else: some runtimes leave no other trace.
    if runtime is None and image is None and "NVIDIA_REQUIRE_CUDA" not in context.environ:
        return None
    capabilities = context.environ.get("NVIDIA_DRIVER_CAPABILITIES")
    return Container(
        runtime=runtime,
        image=image,
        gpu_access=_gpu_access(context),
        driver_capabilities=None if capabilities is None else _words(capabilities),
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _runtime(context: ProbeContext) -> str | None:
    environ = context.environ
    if {"APPTAINER_CONTAINER", "APPTAINER_NAME"} & environ.keys():
        return "apptainer"
    if {"SINGULARITY_CONTAINER", "SINGULARITY_NAME"} & environ.keys():
        return "singularity"
    if "KUBERNETES_SERVICE_HOST" in environ or context.path("/var/run/secrets/kubernetes.io").exists():
        return "kubernetes"
    for mark, name in _RUNTIMES:
        if context.path(mark).exists():
            return name
    stated = environ.get("container") or (context.read("/run/systemd/container") or "").strip()
    if re.fullmatch(r"[a-z][a-z0-9-]{0,30}", stated):
        return stated
    groups = context.read("/proc/1/cgroup") or ""
    for word, name in (("kubepods", "kubernetes"), ("docker", "docker"), ("libpod", "podman"), ("/lxc", "lxc")):
        if word in groups:
            return name
    return None


def _image(environ: dict[str, str]) -> str | None:
    """Which of NVIDIA's released images this is, as far as its own variables say: ``nvcr.io/nvidia/tensorrt:24.05``.

    The tag is the release alone; the suffix that tells variants apart (``-py3``, ``-devel``) stands nowhere inside.
    """
    for variable, name in _IMAGE_VARIABLES:
        release = environ.get(variable, "")
        if re.fullmatch(r"\d\d\.\d\d(?:\.\d+)?", release):
            return f"nvcr.io/nvidia/{name}:{release}"
    return None


def _gpu_access(context: ProbeContext) -> bool | None:
    """Whether a GPU's device files are here. What NVIDIA_VISIBLE_DEVICES asks for is no proof: images set it to all."""
    dev = context.path("/dev")
    try:
        names = [entry.name for entry in dev.iterdir()]
    except OSError:
        return None
    return any(re.fullmatch(r"nvidia\d+|nvidiactl|dxg|nvhost-gpu|nvhost-ctrl-gpu|nvgpu", name) for name in names)
