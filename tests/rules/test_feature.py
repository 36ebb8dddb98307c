"""GPU601: a precision that is asked for against the GPUs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.judging import board, codes, declared, one, trt


def asked(word: str, *names: str, tensorrt: str = "10.9.0", **environment: Any) -> Any:
    gpus = [entry for name in names for entry in board(name)]
    return declared(os="linux", arch="x86_64", tensorrt=trt(tensorrt), gpus=gpus, wants=["build", word], **environment)


@pytest.mark.parametrize(
    ("word", "gpu", "found"),
    [
        ("fp8", "A100-SXM4-80GB", {"GPU601": "error"}),
        ("fp8", "NVIDIA L4", {}),
        ("fp8", "NVIDIA H100", {}),
        ("fp4", "NVIDIA H100", {"GPU601": "error"}),
        ("fp4", "GeForce RTX 5090", {}),
        ("bf16", "Tesla T4", {"GPU601": "error"}),
        ("bf16", "NVIDIA A10", {}),
        ("int8", "Tesla T4", {}),
        ("fp16", "Tesla T4", {}),
        ("fp8", "a GPU that nobody knows", {}),
    ],
)
def test_precisions(word: str, gpu: str, found: dict[str, str]) -> None:
    assert codes(asked(word, gpu), "GPU6") == found


def test_fp16_on_pascal_builds_and_is_a_warning() -> None:
    assert codes(asked("fp16", "TITAN Xp", tensorrt="8.6.1"), "GPU6") == {"GPU601": "warning"}


def test_one_of_two_gpus_has_it() -> None:
    finding = one(asked("fp8", "NVIDIA L4", "Tesla T4"), "GPU601")
    assert finding.severity.value == "warning"
    assert "GPU 1" in finding.title


def test_the_finding_says_what_the_gpu_has() -> None:
    finding = one(asked("fp8", "A100-SXM4-80GB"), "GPU601")
    assert finding.fix
    assert "bf16" in finding.fix[0].text
    assert "fp4" not in finding.fix[0].text


def test_a_release_without_the_precision_is_one_finding() -> None:
    found = codes(asked("fp8", "A100-SXM4-80GB", tensorrt="8.5.3"), "GPU6", "API")
    assert found == {"API202": "error"}
