"""Family CTR, NVIDIA's images and JetPacks by their rows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.judging import board, codes, declared, one
from trtdoctor.declared import snapshot_of
from trtdoctor.matrix import load
from trtdoctor.stack import Stack


def image(name: str, **environment: Any) -> Any:
    container = {"image": f"nvcr.io/nvidia/{name}", "gpu_access": True}
    return declared(os="linux", arch="x86_64", container=container, **environment)


@pytest.mark.parametrize(
    ("name", "driver", "gpu", "found"),
    [
        ("tensorrtserver:19.02-py3", "396.26", "Tesla P100", {"CTR401": "error"}),
        ("tensorrtserver:19.02-py3", "384.145", "Tesla P100", {}),  # allowed on Tesla boards
        ("tensorrtserver:19.02-py3", "384.145", "GeForce GTX 1080", {"CTR401": "error"}),
        ("tensorrtserver:19.02-py3", "410.48", "GeForce GTX 1080", {}),
        ("tensorrt:24.05-py3", "535.104.05", "GeForce RTX 3090", {}),  # minor-version compatibility
        ("tensorrt:24.05-py3", "470.57.02", "Tesla T4", {"DRV201": "warning"}),  # forward compatibility may serve
        ("tensorrt:24.05-py3", "510.47.03", "Tesla T4", {"CTR401": "error"}),  # not one of the branches
        ("tensorrt:24.05-py3", "510.47.03", "GeForce RTX 3090", {"CTR401": "error"}),
        ("notatthere:24.05-py3", "510.47.03", "Tesla T4", {}),
    ],
)
def test_driver(name: str, driver: str, gpu: str, found: dict[str, str]) -> None:
    serious = codes(image(name, driver=driver, gpus=board(gpu)), "CTR4", "DRV1", "DRV2")
    assert {code: level for code, level in serious.items() if level != "info"} == found


def test_the_finding_names_the_branches_that_the_image_allows() -> None:
    finding = one(image("tensorrtserver:19.02-py3", driver="396.26", gpus=board("Tesla P4")), "CTR401")
    assert "R384" in finding.detail
    assert set(finding.components) == {"driver", "container"}


def test_the_name_of_an_image_says_what_is_inside() -> None:
    environment = {"container": {"image": "nvcr.io/nvidia/tensorrt:22.07-py3"}, "arch": "x86_64"}
    stack = Stack(snapshot_of(environment), load())
    assert [str(item.version) for item in stack.builders] == ["8.4.1.5"]
    assert codes(image("tensorrt:22.07-py3", gpus=board("GeForce RTX 5090")), "GPU")["GPU201"] == "error"


def test_what_is_stated_counts_more_than_the_name() -> None:
    environment = {
        "container": {"image": "tensorrt:22.07-py3"},
        "tensorrt": [{"version": "10.9.0.34", "from": "pip-cu12"}],
        "packages": {"nvidia-cudnn-cu12": "9.1.0.70"},
    }
    stack = Stack(snapshot_of(environment), load())
    assert [str(item.version) for item in stack.builders] == ["10.9.0.34"]
    assert [str(item.version) for item in stack.of("cudnn")] == ["9.1.0.70"]
    assert [item.major for item in stack.of("cuda")] == [11]


@pytest.mark.parametrize(
    ("gpu", "found"), [("GeForce GTX 970", {"CTR402": "warning"}), ("GeForce GTX 1080", {}), ("what is that", {})]
)
def test_gpu(gpu: str, found: dict[str, str]) -> None:
    assert codes(image("tritonserver:21.10-py3", gpus=board(gpu)), "CTR4") == found


@pytest.mark.parametrize(
    ("jetpack", "python", "origin", "wants", "found"),
    [
        ("4", "3.8", "jetpack", ["python"], {"CTR304": "error"}),
        ("4.6", "3.6.9", "jetpack", ["python"], {}),
        ("6.2", "3.12", "jetpack", ["python"], {"CTR304": "error"}),
        ("6.2", "3.12", "unknown", ["python"], {"CTR304": "warning"}),  # the bindings may have been built
        ("6.2", "3.10", "jetpack", ["python"], {}),
        ("6.2", "3.12", "jetpack", ["cpp"], {}),
        ("99", "3.12", "jetpack", ["python"], {}),
    ],
)
def test_jetpack_python(jetpack: str, python: str, origin: str, wants: list[str], found: dict[str, str]) -> None:
    stated = declared(os=f"jetpack-{jetpack}", arch="aarch64", python=python, tensorrt=[{"from": origin}], wants=wants)
    assert codes(stated, "CTR3") == found
