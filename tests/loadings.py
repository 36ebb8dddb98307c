"""Hand-made snapshots that say who gets which library: a machine with two cuDNNs, and one with a plain TensorRT."""

from __future__ import annotations

from typing import Any

from trtdoctor.snapshot import (
    Copy,
    Driver,
    Interpreter,
    Loaded,
    Loading,
    Missing,
    Platform,
    SearchEntry,
    Snapshot,
)

SITE = "/srv/app/venv/lib/python3.12/site-packages"
SYSTEM = "/usr/lib/x86_64-linux-gnu"
TORCH_CUDNN = f"{SITE}/nvidia/cudnn/lib/libcudnn.so.9"
SYSTEM_CUDNN = f"{SYSTEM}/libcudnn.so.9"
SYSTEM_CUDNN_FILE = f"{SYSTEM}/libcudnn.so.9.14.0"
NVINFER = f"{SITE}/tensorrt_libs/libnvinfer.so.10"
CUDA_PYTHON = f"{SITE}/torch/lib/libtorch_cuda.so"


def loaded(library: str, path: str, **values: Any) -> Loaded:
    """A loaded file; the soname is the file's name."""
    settings: dict[str, Any] = {"soname": path.rpartition("/")[2], "path": path, "realpath": path, **values}
    return Loaded(library, **settings)


def copy(component: str, name: str, version: str, path: str, **values: Any) -> Copy:
    """A file on disk."""
    settings: dict[str, Any] = {
        "how": "wheel",
        "path": path,
        "realpath": path,
        "soname": path.rpartition("/")[2],
        "size": 1000,
        **values,
    }
    return Copy(component, name, version=version, **settings)


def torch_cudnn() -> Loaded:
    return loaded(
        "libcudnn", TORCH_CUDNN, step="runpath", entry="$ORIGIN/../../nvidia/cudnn/lib", needed_by=CUDA_PYTHON
    )


def system_cudnn() -> Loaded:
    return loaded(
        "libcudnn", SYSTEM_CUDNN, realpath=SYSTEM_CUDNN_FILE, step="ld.so.cache", needed_by=NVINFER, lazy=True
    )


def nvinfer(**values: Any) -> Loaded:
    return loaded("libnvinfer", NVINFER, **{"step": "preloaded", **values})


COPIES = (
    copy("tensorrt", "libnvinfer", "10.9.0.34", NVINFER, owner="tensorrt-cu12-libs 10.9.0.34", needs_glibc="2.27"),
    copy("cudnn", "libcudnn", "9.19.0", TORCH_CUDNN, owner="nvidia-cudnn-cu12 9.19.0", origin="pip"),
    copy(
        *("cudnn", "libcudnn", "9.14.0", SYSTEM_CUDNN),
        realpath=SYSTEM_CUDNN_FILE,
        owner="libcudnn9-cuda-12 9.14.0",
        how="file-name",
    ),
    copy("nvrtc", "libnvrtc", "12.8.93", f"{SYSTEM}/libnvrtc.so.12", problem="truncated"),
)
PLATFORM = Platform(system="linux", distribution="ubuntu", architecture="x86_64", libc="glibc", glibc="2.39")
PYTHON = Interpreter(path="/srv/app/venv/bin/python", version="3.12.3", chosen_by="--python")


def two_cudnns(**changes: Any) -> Snapshot:
    """torch brings its own cuDNN, TensorRT takes the system's; together the one that is first serves both."""
    loadings = (
        Loading("torch", owner="torch 2.7.1", loaded=(torch_cudnn(),)),
        Loading("torch", method="observed", owner="torch 2.7.1", loaded=(torch_cudnn(),)),
        Loading("tensorrt", owner="tensorrt 10.9.0.34", loaded=(nvinfer(), system_cudnn())),
        Loading("tensorrt", method="observed", owner="tensorrt 10.9.0.34", loaded=(nvinfer(step=None),)),
        Loading("torch, tensorrt", loaded=(torch_cudnn(), nvinfer())),
        Loading("tensorrt, torch", loaded=(nvinfer(), system_cudnn())),
    )
    values: dict[str, Any] = {
        "platform": PLATFORM,
        "driver": Driver(library_path=f"{SYSTEM}/libcuda.so.1", library_version="580.95.05", library_kind="driver"),
        "copies": COPIES,
        "interpreters": (PYTHON,),
        "loadings": loadings,
        "search_entries": (
            SearchEntry(position=0, path="/usr/local/cuda/lib64", libraries=4),
            SearchEntry(position=1, path="/no/such/place", state="missing"),
        ),
    }
    return Snapshot(**{**values, **changes})


def not_found(name: str = "libcudnn.so.8", **values: Any) -> Missing:
    """A library that is found nowhere."""
    return Missing(name, **{"needed_by": NVINFER, **values})
