"""Items to be synced, as the judge makes them."""

from __future__ import annotations

from typing import Any

from trtdoctor.mirror.wants import SyncItem

DIGEST = "sha256:" + "a1" * 32
INDEX = "https://index.example/simple"
APT = "https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2204/x86_64"


def image(tag: str = "26.10-py3", **more: Any) -> SyncItem:
    """An image of NVIDIA's registry that a private one lacks."""
    said: dict[str, Any] = {
        "source": "corp",
        "kind": "oci",
        "upstream": "https://nvcr.io/nvidia/tensorrt",
        "mirror": "https://registry.corp.example:5000/ngc/nvidia/tensorrt",
        "project": "nvidia/tensorrt",
        "version": tag,
        "digest": DIGEST,
    }
    return SyncItem(**{**said, **more})


def dist(project: str, version: str, *names: str, sha256: str | None = "b2" * 32, **more: Any) -> SyncItem:
    """A release of a Python distribution."""
    said: dict[str, Any] = {
        "source": "idx",
        "kind": "pypi",
        "upstream": INDEX,
        "mirror": "https://mirror.example/simple",
        "project": project,
        "version": version,
        "files": tuple((name, 15508, sha256) for name in names),
    }
    return SyncItem(**{**said, **more})


def stack() -> list[SyncItem]:
    """A release of TensorRT for pip: what requires the others, a stub and its wheel, bindings, what builds need."""
    version = "11.4.0.106"
    return [
        dist("tensorrt", version, f"tensorrt-{version}.tar.gz"),
        dist("tensorrt-cu13-libs", version, f"tensorrt_cu13_libs-{version}.tar.gz"),
        dist(
            "tensorrt-cu13-libs",
            version,
            f"tensorrt_cu13_libs-{version}-py2.py3-none-manylinux_2_28_x86_64.whl",
            origin="https://pypi.nvidia.com",
            sha256="c3" * 32,
        ),
        dist(
            "tensorrt-cu13-bindings", version, f"tensorrt_cu13_bindings-{version}-cp312-none-manylinux_2_28_x86_64.whl"
        ),
        dist("wheel-stub", "0.5.0", "wheel_stub-0.5.0-py3-none-any.whl"),
    ]


def deb(package: str, version: str, *architectures: str, **more: Any) -> SyncItem:
    """A package of an apt repository."""
    said: dict[str, Any] = {
        "source": "apt",
        "kind": "apt",
        "upstream": APT,
        "mirror": "https://mirror.example/cuda/ubuntu2204/x86_64",
        "project": package,
        "version": version,
        "files": tuple((f"{package}_{version}_{name}.deb", 1, "d4" * 32) for name in architectures),
    }
    return SyncItem(**{**said, **more})


def debs() -> list[SyncItem]:
    """TensorRT for apt."""
    return [
        deb("libnvinfer10", "10.16.1.11-1+cuda13.2", "amd64"),
        deb("tensorrt", "10.16.1.11-1+cuda13.2", "all", "amd64"),
    ]


def everything() -> list[SyncItem]:
    """Items of every kind."""
    images = [image("26.07-py3"), image(), image(platforms=("linux/amd64", "linux/arm64"), version="26.09-py3")]
    return [*images, *stack(), *debs()]
