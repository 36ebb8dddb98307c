"""Family FWK: what frameworks link and pin against what is there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.rules.judging import board, codes, cuda_of, declared, one, report, trt
from trtdoctor.declared import snapshot_of
from trtdoctor.snapshot import Snapshot


def fwk(**environment: Any) -> dict[str, str]:
    return codes(declared(**environment), "FWK")


# -- onnxruntime ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "cuda", "more", "found"),
    [
        ("1.16", "12.1", {}, {"FWK102": "error"}),  # both releases that it may be link CUDA 11
        ("1.16.3", "11.8", {}, {}),
        ("1.18.1", "12.4", {}, {"FWK102": "warning"}),  # a build for CUDA 12 lay on another index
        ("1.22.0", "12.9", {}, {}),  # a newer minor of the major
        ("1.22.0", "13.0", {}, {"FWK102": "error"}),
        ("1.16.3", "12.1", {"packages": {"torch": "2.0.1"}}, {}),  # torch brings CUDA 11
        ("1.16.3", "12.1", {"packages": {"nvidia-cublas-cu11": "11.11.3.6"}}, {}),
        ("99.0", "13.0", {}, {}),
    ],
)
def test_onnxruntime_and_cuda(version: str, cuda: str, more: dict[str, Any], found: dict[str, str]) -> None:
    packages = {"onnxruntime-gpu": version, **more.get("packages", {})}
    assert fwk(cuda=cuda_of(cuda), packages=packages) == found


@pytest.mark.parametrize(
    ("version", "tensorrt", "found"),
    [
        ("1.29.0", "11.3.0", {"FWK101": "error"}),
        ("1.29.0", "10.16.1", {}),
        ("1.22.0", "10.9.0", {}),
        ("1.22.0", "10.13.3", {"FWK104": "info"}),  # tested with another minor
        ("1.17.1", "10.3.0", {"FWK101": "error"}),
        ("1.17.1", "8.6.1", {}),
    ],
)
def test_onnxruntime_and_tensorrt(version: str, tensorrt: str, found: dict[str, str]) -> None:
    assert fwk(tensorrt=trt(tensorrt), packages={"onnxruntime-gpu": version}) == found


def test_onnxruntime_that_only_lies_there_is_a_warning() -> None:
    stated = snapshot_of({"tensorrt": trt("11.3.0", "tar"), "packages": {"onnxruntime-gpu": "1.29.0"}})
    live = Snapshot(kind="live", copies=stated.copies, interpreters=stated.interpreters)
    assert codes(report(live), "FWK") == {"FWK101": "warning"}
    assert codes(report(live, "build", "onnxruntime"), "FWK") == {"FWK101": "error"}


@pytest.mark.parametrize(
    ("version", "cudnn", "found"),
    [
        ("1.22.0", "8.9.7", {"FWK103": "error"}),
        ("1.22.0", "9.8.0", {}),
        ("1.31.1", "8.9.7", {}),  # its CUDA provider needs none
        ("1.18.1", "9.1.0", {"FWK103": "warning"}),  # another build of it may link 9
    ],
)
def test_onnxruntime_and_cudnn(version: str, cudnn: str, found: dict[str, str]) -> None:
    assert fwk(cudnn=[{"version": cudnn, "from": "apt"}], packages={"onnxruntime-gpu": version}) == found


def test_one_cause_one_finding() -> None:
    """CUDA, TensorRT and cuDNN are all of other majors: the onnxruntime is too old, and that is said once."""
    found = fwk(
        cuda=cuda_of("12.4"),
        cudnn=[{"version": "9.1.0", "from": "apt"}],
        tensorrt=trt("10.3.0"),
        packages={"onnxruntime-gpu": "1.16.3"},
    )
    assert found == {"FWK102": "error"}


# -- torch ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("torch", "tensorrt", "flavour", "found"),
    [
        ("2.0.1", "8.6.1", "cu12", {"FWK201": "error"}),
        ("2.0.1", "8.6.1", "cu11", {}),
        ("2.0.1", "10.9.0.34", "cu12", {}),  # needs no cuDNN: two CUDA majors live side by side
        ("2.0.1+cu118", "8.6.1", "cu12", {"FWK201": "error"}),
        ("2.9.1+cu128", "10.13.3.9", "cu13", {}),
    ],
)
def test_torch_and_tensorrt_share_cudnn(torch: str, tensorrt: str, flavour: str, found: dict[str, str]) -> None:
    stated = {"tensorrt": [{"version": tensorrt, "from": f"pip-{flavour}"}], "packages": {"torch": torch}}
    assert fwk(**stated) == found
    if found:
        assert "CUD102" not in codes(declared(**stated)), "one root cause, one finding"


@pytest.mark.parametrize(
    ("gpu", "packages", "found"),
    [
        ("GeForce RTX 5090", {"torch": "2.6.0"}, {"FWK202": "warning"}),
        ("GeForce RTX 5090", {"torch": "2.6.0", "tensorrt-llm": "0.19.0"}, {"FWK202": "error"}),
        ("some Blackwell", {"torch": "2.6.0"}, {"FWK202": "warning"}),
        ("GeForce RTX 5090", {"torch": "2.9.1+cu128"}, {}),
        ("DGX Spark (GB10)", {"torch": "2.9.1+cu128"}, {}),  # 12.0 code runs on 12.1
        ("GeForce RTX 4090", {"torch": "2.0.1+cu117"}, {}),  # 8.6 code runs on 8.9
        ("a GPU that nobody knows", {"torch": "2.6.0"}, {}),
        ("GeForce RTX 5090", {"torch": "2.6.0+custom"}, {}),
    ],
)
def test_torch_without_kernels(gpu: str, packages: dict[str, str], found: dict[str, str]) -> None:
    assert fwk(gpus=board(gpu), packages=packages) == found


def test_what_torch_without_kernels_names() -> None:
    found = declared(gpus=board("RTX 5090"), packages={"torch": "2.6.0", "tensorrt-llm": "0.19.0"})
    assert set(one(found, "FWK202").components) == {"torch", "gpu", "tensorrt-llm"}


# -- Torch-TensorRT ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("packages", "tensorrt", "found"),
    [
        ({"torch-tensorrt": "2.12.1", "torch": "2.12.0"}, ("10.16.1.11", "cu13"), {}),
        ({"torch-tensorrt": "2.12.1", "torch": "2.13.0"}, ("10.16.1.11", "cu13"), {"FWK301": "error"}),
        ({"torch-tensorrt": "2.12.1", "torch": "2.12.0a0+5228986"}, ("10.16.1.11", "cu13"), {}),  # NVIDIA's own build
        ({"torch-tensorrt": "2.12.1", "torch": "2.12.0"}, ("10.14.1.48.post1", "cu13"), {"FWK302": "warning"}),
        ({"torch-tensorrt": "2.12.1", "torch": "2.12.0"}, ("11.1.0.106", "cu13"), {"FWK302": "error"}),
        ({"torch-tensorrt": "2.12.1+cu130", "torch": "2.12.0"}, ("10.16.1.11", "cu12"), {"FWK303": "error"}),
        ({"torch-tensorrt": "2.12.1", "torch": "2.12.0"}, ("10.16.1.11", "cu12"), {"FWK303": "warning"}),
        ({"torch-tensorrt": "2.12.1", "torch": "2.12.0+cu126"}, ("10.16.1.11", "cu13"), {"FWK303": "warning"}),
        ({"torch-tensorrt": "2.12.1+cu126", "torch": "2.12.0+cu126"}, ("10.16.1.11", "cu12"), {}),
    ],
)
def test_torch_tensorrt(packages: dict[str, str], tensorrt: tuple[str, str], found: dict[str, str]) -> None:
    version, flavour = tensorrt
    assert fwk(tensorrt=[{"version": version, "from": f"pip-{flavour}"}], packages=packages) == found


# -- TensorRT-LLM, TensorFlow -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "tensorrt", "found"),
    [
        ("1.2.0", "11.1.0", {"FWK401": "warning"}),
        ("1.2.0", "10.9.0", {}),
        ("1.2.0rc2", "11.1.0", {}),  # not in the matrix
    ],
)
def test_tensorrt_llm(version: str, tensorrt: str, found: dict[str, str]) -> None:
    assert fwk(tensorrt=trt(tensorrt), packages={"tensorrt-llm": version}) == found


@pytest.mark.parametrize(
    ("version", "tensorrt", "found"),
    [
        ("2.11.0", "8.6.1", {"FWK501": "warning"}),
        ("2.11.0", "7.2.3", {}),
        ("2.18.0", "10.9.0", {"FWK501": "info"}),
        ("2.20.0", "10.9.0", {"FWK501": "info"}),  # newer than the matrix: it did not come back
        ("2.17.0", "8.6.1", {}),  # what it links is not known
    ],
)
def test_tensorflow(version: str, tensorrt: str, found: dict[str, str]) -> None:
    assert fwk(tensorrt=trt(tensorrt), packages={"tensorflow": version}) == found


# -- the driver that a framework needs ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("package", "driver", "found"),
    [
        ("torch 2.11.0+cu130", "535.104.05", {"FWK105": "error"}),
        ("torch 2.11.0+cu130", "580.65.06", {}),
        ("torch 2.11.0+cu126", "535.104.05", {}),
        ("torch 2.11.0", "535.104.05", {"FWK105": "warning"}),  # by conda, or from its sources, for CUDA 12?
        ("torch 2.9.1", "535.104.05", {}),
        ("torch 2.11.0+gitabc", "535.104.05", {}),
        ("torch 99.0", "535.104.05", {}),
        ("onnxruntime-gpu 1.31.1", "535.104.05", {"FWK105": "error"}),
        ("onnxruntime-gpu 1.31.1", "595.71.05", {}),
    ],
)
def test_the_cuda_of_a_framework_and_the_driver(package: str, driver: str, found: dict[str, str]) -> None:
    name, version = package.split()
    there = {"driver": driver, "gpus": [{"name": "NVIDIA L4"}], "tensorrt": trt("10.9.0", "pip-cu12")}
    assert fwk(**there, packages={name: version}) == found


def test_the_driver_of_a_framework_that_only_lies_there_is_a_warning() -> None:
    stated = snapshot_of({"driver": "535.104.05", "packages": {"torch": "2.11.0+cu130"}})
    live = Snapshot(kind="live", driver=stated.driver, interpreters=stated.interpreters)
    assert codes(report(live), "FWK") == {"FWK105": "warning"}
    assert codes(report(live, "build", "torch"), "FWK") == {"FWK105": "error"}
    inside = snapshot_of({"driver": "535.104.05", "packages": {"torch": "2.11.0+cu130"}, "container": {}})
    assert codes(report(inside), "FWK") == {"FWK105": "warning"}  # it may bring cuda-compat
    in_front = replace(stated.driver, library_kind="compat")
    assert codes(report(replace(live, driver=in_front)), "FWK") == {}


def test_what_mends_a_framework_for_a_driver_leads_to_no_finding() -> None:
    there = {"os": "ubuntu-22.04", "arch": "x86_64", "python": "3.10", "driver": "535.104.05"}
    for package in ({"torch": "2.11.0+cu130"}, {"onnxruntime-gpu": "1.31.1"}):
        (fix,) = one(declared(**there, tensorrt=trt("10.9.0", "pip-cu12"), packages=package), "FWK105").fix
        name, _, version = fix.text.split()[-1].partition("==")
        assert name in package
        assert fwk(**there, tensorrt=trt("10.9.0", "pip-cu12"), packages={name: version}) == {}
