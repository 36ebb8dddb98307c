"""Family CUD: CUDA libraries against the TensorRT that uses them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.rules.making import (
    SITE,
    codes,
    declared,
    got,
    judged,
    lacks,
    library,
    live,
    loading,
    of_family,
    only,
    package,
    tensorrt,
)
from trtdoctor.findings import Report, Severity
from trtdoctor.snapshot import Setting
from trtdoctor.yamlfile import parse

CUDNN8 = (library("libcudnn", "8.6.0"),)
CONTAINERS = Path(__file__).parents[3] / "shared" / "facts" / "containers.yaml"
BIN = f"{SITE}/tensorrt"


def stack(version: str, *cuda: str, origin: str = "tar", **more: Any) -> Report:
    return declared(
        os="linux",
        arch="x86_64",
        tensorrt=[{"version": version, "from": origin}],
        cuda=[{"version": number} for number in cuda],
        **more,
    )


def test_no_build_for_this_major() -> None:
    found = only(stack("8.5.3.1", "12.2"), "CUD101")
    assert found.severity is Severity.ERROR
    assert found.components == ("cuda", "tensorrt")
    assert "CUDA 12.2" in found.title


CU13 = [f"tensorrt{part}==10.16.1.11" for part in ("", "-cu13", "-cu13-bindings", "-cu13-libs")]


def test_release_that_does_not_need_cuda_beside_it_only_warns_for_its_flavour() -> None:
    found = only(stack("10.16.1.11", "13.0", origin="pip-cu12"), "CUD101")
    assert found.severity is Severity.WARNING
    assert [step.text for step in found.fix] == [
        "python3 -m pip uninstall -y tensorrt-cu12 tensorrt-cu12-bindings tensorrt-cu12-libs",
        f"python3 -m pip install --extra-index-url https://pypi.nvidia.com {' '.join(CU13)}",
    ]


@pytest.mark.parametrize(
    ("version", "cuda", "origin"),
    [
        ("8.5.3.1", "11.4", "tar"),
        ("8.5.3.1", "10.2", "tar"),
        ("8.6.1", "12.6", "tar"),  # newer than every minor that the documents list
        ("10.9.0", "11.8", "zip"),
        ("10.9.0", "12.9", "pip-cu12"),
        ("10", "13.0", "tar"),  # may be 10.13.2 or later
        ("8.5.3.1", "12.0", "container"),  # NVIDIA's own 23.02 image
        ("99.0", "13.0", "tar"),
    ],
)
def test_cuda_that_fits_or_cannot_be_told(version: str, cuda: str, origin: str) -> None:
    assert of_family(stack(version, cuda, origin=origin), "CUD") == []


def test_one_fitting_cuda_among_several_is_enough() -> None:
    assert of_family(stack("8.5.3.1", "12.2", "11.8"), "CUD") == []


def test_a_framework_without_its_cuda() -> None:
    report = declared(
        os="linux",
        arch="x86_64",
        cuda=[{"version": "13.0", "from": "pip"}],
        packages={"torch": "2.9.0+cu128"},
    )
    found = only(report, "CUD102")
    assert found.severity is Severity.WARNING
    assert "cuda" in found.components


def test_a_framework_with_its_cuda_or_with_a_toolkit_of_the_system() -> None:
    packages = {"torch": "2.9.0+cu128"}
    for entry in ({"version": "12.8", "from": "pip"}, {"version": "13.0", "from": "apt"}, {"version": "13.0"}):
        assert of_family(declared(cuda=[entry], packages=packages), "CUD") == []


def test_both_majors_whole_is_only_told_when_tensorrt_uses_the_other() -> None:
    packages = (
        package("torch", "2.9.0+cu128", libraries=True),
        package("nvidia-cuda-runtime-cu12", "12.8.90", libraries=True),
        package("nvidia-cuda-runtime", "13.0.96", libraries=True),
        package("tensorrt-cu13-bindings", "10.16.1.11", libraries=True),
        package("tensorrt-cu13-libs", "10.16.1.11", libraries=True),
    )
    copies = tensorrt("10.16.1", f"{SITE}/tensorrt_libs", flavour="cu13")
    assert only(judged(live(*copies, packages=packages)), "CUD102").severity is Severity.INFO
    without = tuple(item for item in packages if not item.name.startswith("tensorrt"))
    assert "CUD102" not in codes(judged(live(packages=without)))


def test_a_library_that_tensorrt_loads_by_name_is_missing() -> None:
    copies = tensorrt("8.5.3.1", BIN, flavour="cu11")
    found = only(judged(live(*copies, library("libcudnn", "8.6.0"))), "CUD103")
    assert found.severity is Severity.ERROR
    assert "libcublas.so.11" in found.breaks
    assert found.fix[0].text.endswith("nvidia-cublas-cu11")


def test_a_library_that_was_not_looked_for_is_not_missing() -> None:
    copies = tensorrt("8.5.3.1", BIN, flavour="cu11")
    assert "CUD103" not in codes(judged(live(*copies, searched=("tensorrt",))))
    assert "CUD103" not in codes(judged(live(*copies, library("libcublas", "11.11.3.6"))))
    assert "CUD103" not in codes(judged(live(*tensorrt("10.9.0", BIN))))


def test_cublas_of_another_major() -> None:
    copies = (*tensorrt("8.5.3.1", BIN, flavour="cu11"), library("libcublas", "12.8.4.1"))
    found = only(judged(live(*copies)), "CUD105")
    assert found.severity is Severity.ERROR
    assert "cuBLAS 11" in found.title
    fine = (*copies, library("libcublas", "11.11.3.6", f"{SITE}/nvidia/cublas/lib"))
    assert "CUD105" not in codes(judged(live(*fine)))
    assert "CUD105" not in codes(judged(live(*tensorrt("10.9.0", BIN), library("libcublas", "13.0.0"))))


def test_nvrtc_by_name() -> None:
    found = only(stack("7.2.2.3", "11.2"), "CUD104")
    assert found.severity is Severity.ERROR
    assert found.components == ("nvrtc", "cuda", "tensorrt")
    assert "11.1" in found.title


@pytest.mark.parametrize("cuda", [("11.1",), ("11.2", "11.1"), ("11.0",), ("10.2",), ("11",)])
def test_nvrtc_that_is_there_or_not_wanted(cuda: tuple[str, ...]) -> None:
    assert of_family(stack("7.2.2.3", *cuda), "CUD") == []


def test_nvrtc_stated_beside_a_newer_cuda() -> None:
    assert of_family(stack("7.2.2.3", "11.2", nvrtc=[{"version": "11.1"}]), "CUD") == []


def test_unknown_versions_say_nothing() -> None:
    report = declared(tensorrt=[{"from": "tar"}], cuda=[{"version": "12.2"}, {"from": "apt"}])
    assert of_family(report, "CUD") == []
    report = declared(tensorrt=[{"version": "8.5.3"}], cuda=[{"version": "12.2"}, {"from": "apt"}])
    assert of_family(report, "CUD") == []


def test_two_releases_of_which_one_fits() -> None:
    snapshot = live(
        *(replace(copy, flavour="cu11") for copy in tensorrt("8.5.3.1", BIN)),
        *tensorrt("10.9.0"),
        library("libcudart", "12.8.90"),
    )
    found = [item for item in judged(snapshot).findings if item.code == "CUD101"]
    assert [item.severity for item in found] == [Severity.WARNING]


def test_a_tensorrt_that_the_loader_gives_all_its_cuda_is_fine() -> None:
    # Measured: an archive of 8.5.3 with cuBLAS 11 and cuDNN 8 on LD_LIBRARY_PATH, and no runtime but that of CUDA 13.
    trt = [replace(copy, flavour="cu11") for copy in tensorrt("8.5.3", "/opt/TensorRT-8.5.3.1/lib")]
    cublas, runtime = (
        library("libcublas", "11", "/opt/cublas"),
        library("libcudart", "13.0", "/usr/local/cuda-13.0/lib"),
    )
    files = live(*trt, cublas, runtime, *CUDNN8)
    every = [got(copy) for copy in trt]
    seen = loading("trtexec", *every, got(cublas), method="observed")
    assert "CUD101" not in codes(judged(replace(files, loadings=(seen,))))
    for other in (
        loading("trtexec", *every, lacks("libcublas.so.11", lazy=True)),
        loading("trtexec", *every, got(runtime)),
        loading("trtexec", *every, got(cublas), outcome="unknown"),
        loading("torch", got(cublas)),
    ):
        assert "CUD101" in codes(judged(replace(files, loadings=(other,))))


@pytest.mark.parametrize("name", ["TRT_VERSION", "NVIDIA_TENSORRT_VERSION"])
def test_the_vendors_image_is_known_by_its_settings(name: str) -> None:
    snapshot = live(*tensorrt("8.5.3.1"), library("libcudart", "12.0.146"), *CUDNN8)
    assert "CUD101" in codes(judged(snapshot))
    inside = replace(snapshot, settings=(Setting(name, "8.5.3.1+cuda12.0"),))
    assert "CUD101" not in codes(judged(inside))
    other = replace(snapshot, settings=(Setting(name, "10.3.0.26"),))
    assert "CUD101" in codes(judged(other))


def test_a_wheel_in_the_vendors_image_is_judged() -> None:
    image = {"image": "nvcr.io/nvidia/tensorrt:23.02-py3"}
    assert of_family(stack("8.5.3.1", "12.0.1", origin="unknown", container=image), "CUD") == []
    assert of_family(stack("8.5.3.1", "12.0.1", origin="pip-cu11", container=image), "CUD") == ["CUD101"]


def _released(node: Any) -> Iterator[dict[str, Any]]:
    """The rows of NVIDIA's released images in the collected facts."""
    if isinstance(node, dict):
        if "tag" in node and "tensorrt" in node:
            yield node
        for value in node.values():
            yield from _released(value)
    elif isinstance(node, list):
        for value in node:
            yield from _released(value)


def _number(value: object) -> list[dict[str, str]] | None:
    match = re.match(r"\d+(\.\d+)*", str(value))
    return [{"version": match.group(), "from": "container"}] if match else None


@pytest.mark.skipif(not CONTAINERS.exists(), reason="../shared/facts is not beside this checkout")
def test_released_images_have_no_error_and_no_warning() -> None:
    rows = list(_released(parse(CONTAINERS.read_bytes())))
    assert len(rows) > 100
    for row in rows:
        parts = {name: _number(row.get(name)) for name in ("tensorrt", "cuda", "cudnn", "cublas")}
        report = declared(os="linux", arch="x86_64", **{name: value for name, value in parts.items() if value})
        ours = [item for item in report.findings if item.code[:3] in ("TRT", "CUD", "DNN", "PYT")]
        assert all(item.severity is Severity.INFO for item in ours), (row["tag"], ours)
