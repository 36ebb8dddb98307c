"""Canaries that really ran on an H200 (``tests/tools/canary_runs.py``), judged again from their recordings."""

from __future__ import annotations

import pytest

from tests.conftest import AS_OF, SNAPSHOTS
from trtdoctor.findings import Finding, Report, Verdict
from trtdoctor.judge import judge
from trtdoctor.matrix import Matrix
from trtdoctor.snapshot import Canary, Snapshot


def recorded(name: str, matrix: Matrix) -> tuple[Canary, Report]:
    found = Snapshot.from_json((SNAPSHOTS / f"{name}.json").read_bytes())
    (canary,) = found.canaries
    return canary, judge(found, matrix, as_of=AS_OF)


def worst(report: Report) -> Finding:
    return next(item for item in report.findings if item.code == report.primary)


@pytest.mark.parametrize(
    ("name", "largest_error"),
    [
        ("canary-trt853", 1e-6),
        ("canary-trt853-batch", 1e-6),
        ("canary-trt853-fp16", 1e-2),
        ("canary-trt853-int8", 0.15),
    ],
)
def test_full_tensorrt_passed_and_its_numbers_are_right(name: str, largest_error: float, matrix: Matrix) -> None:
    canary, report = recorded(name, matrix)
    assert canary.outcome == "passed"
    assert [stage.status for stage in canary.stages] == ["passed"] * 11
    assert canary.error is not None
    assert canary.tolerance is not None
    assert 0 < canary.error <= min(largest_error, canary.tolerance)
    assert report.verdict is Verdict.READY


def test_the_header_that_was_read_back_names_the_builder(matrix: Matrix) -> None:
    canary, _ = recorded("canary-trt853", matrix)
    assert next(stage.detail for stage in canary.stages if stage.name == "header") == "version 8.5.3.1"


@pytest.mark.parametrize("name", ["canary-trt853-onnx", "canary-trt853-fp16-not-taken"])
def test_an_engine_silently_in_fp32_is_told(name: str, matrix: Matrix) -> None:
    canary, report = recorded(name, matrix)
    assert (canary.outcome, canary.precision, canary.precision_used) == ("passed", "fp16", ("fp32",))
    assert worst(report).code == "CAN106"
    assert "FP16 was asked for" in worst(report).title


@pytest.mark.parametrize("name", ["canary-trt853-no-sublibraries", "canary-trt853-no-sublibraries-alone"])
def test_the_abort_in_the_build_confirms_the_missing_library(name: str, matrix: Matrix) -> None:
    canary, report = recorded(name, matrix)
    assert (canary.outcome, canary.reason) == ("crashed", "SIGABRT")
    assert canary.stages[-1].name == "build"
    told = worst(report)
    assert told.code == "DNN106"
    assert "The canary confirms it" in told.detail
    assert any("libcudnn_ops_infer.so.8" in fact.value for fact in told.facts)
    assert any("nvidia-cudnn-cu11==8.6.0.163" in step.text for step in told.fix)


def test_unpinned_cudnn_is_told_before_and_confirmed(matrix: Matrix) -> None:
    canary, report = recorded("canary-trt853-cudnn9", matrix)
    assert canary.outcome == "failed"
    assert (canary.stages[-1].name, canary.stages[0].status) == ("compare", "failed")
    told = worst(report)
    assert told.code == "DNN102"
    assert "The canary confirms it" in told.detail


def test_an_unserved_gpu_is_told_before_and_the_refusal_afterwards(matrix: Matrix) -> None:
    found = Snapshot.from_json((SNAPSHOTS / "canary-rtx-unserved.json").read_bytes())
    assert found.canaries == (), "the rule makes the canary pointless"
    canary, report = recorded("canary-rtx-unserved-forced", matrix)
    stages = {stage.name: stage.status for stage in canary.stages}
    assert (stages["build"], stages["deserialize"]) == ("passed", "failed")
    told = worst(report)
    assert told.code == "GPU205"
    assert any("The engine cannot run on this GPU" in fact.value for fact in told.facts)


def test_a_device_that_is_not_there(matrix: Matrix) -> None:
    _, report = recorded("canary-trt853-no-gpu", matrix)
    assert worst(report).code == "CAN110"
    assert "CUDA_ERROR_INVALID_DEVICE" in worst(report).title
