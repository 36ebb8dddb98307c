"""Family CAN: what a canary's end means, and what it does to other findings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.rules.judging import HEALTHY, L4, TENSORRT, codes, live, one, report
from trtdoctor.findings import Finding, Severity
from trtdoctor.matrix import Matrix
from trtdoctor.reconcile import reconcile
from trtdoctor.snapshot import Canary, CanaryStage, Copy, LogLine, Platform, Snapshot

ORDER = (
    *("import", "builder", "network", "configuration", "build", "serialize", "header"),
    *("deserialize", "context", "run", "compare"),
)


def canary(
    outcome: str = "passed",
    stage: str | None = None,
    detail: str | None = None,
    *,
    status: str = "failed",
    **fields: Any,
) -> Canary:
    """A canary that went well up to ``stage``."""
    stages = []
    for name in ORDER:
        if name == stage:
            stages.append(CanaryStage(name, status, 0.5, detail))
            break
        stages.append(CanaryStage(name, "passed", 0.1))
    lines = fields.pop("log", ())
    log = tuple(LogLine(severity, text, stage) for severity, text in lines)
    settings = {"network": "built-in", "precision": "fp32", "device": 0, "taken": "2026-11-23", **fields}
    return Canary("tensorrt", "10.13.3", outcome, stages=tuple(stages), log=log, **settings)


def found(*canaries: Canary, **changes: Any) -> Any:
    return report(live(canaries=canaries, **changes))


def test_a_pass_says_nothing_and_stands_in_the_inventory() -> None:
    told = found(canary())
    assert codes(told, "CAN") == {}
    row = next(item for item in told.inventory if item.component == "canary")
    assert (row.version, row.status) == ("passed", "ok")
    assert "GPU 0" in (row.origin or "")


def test_a_remembered_pass_says_when() -> None:
    row = next(item for item in found(canary(remembered=True)).inventory if item.component == "canary")
    assert row.version == "passed on 2026-11-23"


def test_error_35_reads_as_what_it_is() -> None:
    log = [("warning", "CUDA initialization failure with error: 35. Please check your CUDA installation")]
    failed = canary("failed", "builder", "pybind11::init(): factory function returned nullptr", log=log)
    told = one(found(failed), "CAN101")
    assert told.severity is Severity.ERROR
    assert "driver 580.95.05 is too old for CUDA 12" in told.title
    assert "35" in told.title
    assert told.components == ("driver", "cuda")
    assert told.sources
    assert told.fix


def test_error_35_without_a_driver_reads_as_no_driver() -> None:
    failed = canary("failed", "builder", "CUDA initialization failure with error: 35")
    driver = replace(HEALTHY, version=None, kernel_version=None, cuda=None, cuinit_error=None, installed=False)
    told = report(live(canaries=(failed,), driver=driver, gpus=()))
    assert codes(told, "CAN") == {}
    none = one(told, "DRV101")
    assert "there is no driver" in none.detail


def test_errors_weigh_more_than_warnings_and_symptoms() -> None:
    log = [
        ("warning", "CUDA initialization failure with error: 2"),
        ("error", "Error Code 6: Internal Error (Unable to load library: libnvinfer_builder_resource.so.10.13.3)"),
    ]
    told = one(found(canary("failed", "build", "no engine was built", log=log)), "CAN101")
    assert "builder resource" in told.title
    assert told.components == ("tensorrt", "loader")


def test_an_unknown_reason_is_told_as_it_stands() -> None:
    told = one(found(canary("failed", "build", "the moon is in the wrong quarter")), "CAN101")
    assert "the moon is in the wrong quarter" in told.title
    assert told.components == ("tensorrt",)
    assert not told.sources


def test_a_crash_names_signal_stage_and_library() -> None:
    log = [("output", "Could not load library libcudnn_ops_infer.so.8. Error: no such file")]
    crashed = canary("crashed", "build", "ended by SIGABRT", status="crashed", reason="SIGABRT", log=log)
    told = one(found(crashed), "CAN102")
    assert "SIGABRT" in told.title
    assert "stage build" in told.title
    assert told.components[0] == "cudnn"
    assert any("libcudnn_ops_infer.so.8" in fact.value for fact in told.facts)


def test_a_hang_is_a_warning() -> None:
    told = one(found(canary("timed-out", "build", "no end within 120 s", status="timed-out")), "CAN103")
    assert told.severity is Severity.WARNING


@pytest.mark.parametrize(
    ("reason", "severity", "components"),
    [
        ("host", "error", ("memory",)),
        ("device", "error", ("memory", "gpu")),
        ("limit", "warning", ("memory",)),
    ],
)
def test_memory_is_told_apart(reason: str, severity: str, components: tuple[str, ...]) -> None:
    told = one(found(canary("out-of-memory", "build", "no more", status="crashed", reason=reason)), "CAN104")
    assert (told.severity.value, told.components) == (severity, components)


def test_wrong_numbers_are_an_error_of_their_own() -> None:
    wrong = canary("failed", "compare", "wrong numbers: 0.3", error=0.3, tolerance=1e-3)
    told = found(wrong)
    assert codes(told, "CAN") == {"CAN105": "error"}
    assert "0.3" in one(told, "CAN105").title


def test_numbers_within_the_tolerance_say_nothing() -> None:
    assert codes(found(canary(error=4.9e-8, tolerance=1e-3)), "CAN") == {}


@pytest.mark.parametrize(
    ("asked", "used", "network", "severity"),
    [
        ("fp16", ("fp32",), "onnx", "warning"),
        ("fp16", ("fp32",), "built-in", "info"),
        ("fp16", ("fp16", "fp32"), "onnx", None),
        ("fp16", (), "onnx", None),
        ("fp32", ("fp16",), "onnx", None),
    ],
)
def test_a_precision_that_no_layer_took(asked: str, used: tuple[str, ...], network: str, severity: str | None) -> None:
    told = codes(found(canary(precision=asked, precision_used=used, network=network)), "CAN")
    assert told == ({"CAN106": severity} if severity else {})


def test_a_header_that_lies_is_told_alone() -> None:
    made = canary()
    stages = tuple(
        replace(stage, status="failed", detail="it names version 10.7") if stage.name == "header" else stage
        for stage in made.stages
    )
    told = found(replace(made, outcome="failed", stages=stages))
    assert codes(told, "CAN") == {"CAN107": "warning"}


def test_what_did_not_start_is_no_defect() -> None:
    told = found(Canary("tensorrt", None, "not-started", "no-module", log=(LogLine("error", "no such file", None),)))
    assert codes(told, "CAN") == {"CAN108": "info"}
    assert "no such file" in one(told, "CAN108").title


def test_a_runtime_is_told_what_it_is() -> None:
    lean = canary("failed", "builder", "tensorrt_lean can run engines, not build them: it has no builder")
    assert codes(found(lean), "CAN") == {"CAN109": "warning"}


def test_wanting_only_a_gpu_is_told_by_others() -> None:
    assert codes(found(canary("failed", "header", status="passed", reason="no-gpu")), "CAN") == {}


# -- reconcile ---------------------------------------------------------------------------------------------------------

OLD_DRIVER = replace(HEALTHY, version="535.104.05", kernel_version="535.104.05", cuda=None, cuinit_error=None)


def test_a_failure_confirms_what_a_rule_said_before() -> None:
    driver = replace(OLD_DRIVER, version="470.57.02", kernel_version="470.57.02")
    failed = canary("failed", "builder", "CUDA initialization failure with error: 35")
    before = report(live(driver=driver))
    after = report(live(driver=driver, canaries=(failed,)))
    assert codes(before) == codes(after)
    assert "DRV201" in codes(after)
    told = one(after, "DRV201")
    assert "The canary confirms it" in told.detail
    assert any(fact.key == "canary" for fact in told.facts)


def test_a_failure_makes_an_error_of_the_warning_that_names_it() -> None:
    small = replace(L4, memory_free_bytes=200 << 20)
    out = canary("out-of-memory", "build", "no more", status="failed", reason="device")
    assert codes(found(gpus=(small,)), "GPU301", "CAN") == {"GPU301": "warning"}
    assert codes(found(out, gpus=(small,)), "GPU301", "CAN") == {"GPU301": "error"}


def test_a_failure_of_another_kind_stays_a_finding_of_its_own() -> None:
    small = replace(L4, memory_free_bytes=200 << 20)
    failed = canary("failed", "import", "version `GLIBC_2.44' not found")
    assert codes(found(failed, gpus=(small,)), "GPU301", "CAN") == {"GPU301": "warning", "CAN101": "error"}


def test_security_fixes_are_no_cause() -> None:
    failed = canary("failed", "builder", "CUDA initialization failure with error: 35")
    told = found(failed)
    assert codes(told, "CAN") == {"CAN101": "error"}
    assert all(item.severity is not Severity.ERROR for item in told.findings if item.code.endswith("601"))


UNTESTED = Finding("DRV202", "x", Severity.WARNING, ("driver", "tensorrt"), "not supported", untested=True)
BROKEN = Finding("DRV201", "x", Severity.ERROR, ("driver",), "too old")


def after(finding: Finding, made: Canary) -> Finding:
    return reconcile([finding], Snapshot(canaries=(made,)))[0]


def test_a_pass_lowers_what_was_only_untested() -> None:
    lowered = after(UNTESTED, canary())
    assert lowered.severity is Severity.INFO
    assert lowered.facts[-1].value == "passed"
    assert after(replace(UNTESTED, untested=False), canary()).severity is Severity.WARNING


def test_an_error_beside_a_pass_stays_with_a_note() -> None:
    told = after(BROKEN, canary())
    assert told.severity is Severity.ERROR
    assert "matrix and machine disagree" in told.detail


def test_only_what_really_ran_refutes() -> None:
    built = canary("passed", "deserialize", "no GPU", status="skipped")
    assert after(UNTESTED, built) == UNTESTED
    assert after(BROKEN, built) == BROKEN
    assert after(UNTESTED, canary("failed", "run", "no")).severity is Severity.WARNING


def test_other_products_gpus_and_families_are_not_concerned() -> None:
    from trtdoctor.findings import FoundFact

    rtx = replace(BROKEN, code="GPU204", components=("gpu", "tensorrt-rtx"))
    assert after(rtx, canary()) == rtx
    second = replace(UNTESTED, facts=(FoundFact("gpu 1", "old"),))
    assert after(second, canary()) == second
    frame = replace(BROKEN, code="FWK101", components=("onnxruntime",))
    assert after(frame, canary()) == frame


def test_a_real_untested_pair_is_lowered_by_a_pass() -> None:
    old = Copy(
        component="tensorrt", name="libnvinfer", role="builder", version="10.16.1", origin="apt", flavour="cu12",
        product="full", path="/usr/lib/x86_64-linux-gnu/libnvinfer.so.10.16.1",
    )  # fmt: skip
    driver = replace(HEALTHY, version="525.147.05", kernel_version="525.147.05", cuda="12.0")
    before = report(live(copies=(old,), driver=driver))
    assert codes(before, "DRV202") == {"DRV202": "warning"}
    assert codes(report(live(copies=(old,), driver=driver, canaries=(canary(),))), "DRV202") == {"DRV202": "info"}


def test_each_failure_of_the_catalogue_makes_one_finding(matrix: Matrix) -> None:
    """Whatever TensorRT says, there is one finding, with at most three components and a title of one line."""
    for row in matrix.rows("failures", "failures"):
        for sample in row.get("samples").value:
            told = report(
                Snapshot(
                    platform=Platform(system="linux", architecture="x86_64"),
                    copies=(TENSORRT,),
                    canaries=(canary("failed", "build", sample),),
                )
            )
            mine = [item for item in told.findings if any(fact.key == "canary" for fact in item.facts)]
            assert len(mine) == 1, (row.key, [item.code for item in told.findings])
            assert mine[0].severity is Severity.ERROR
            assert len(mine[0].title) <= 110
            assert 1 <= len(mine[0].components) <= 3


# -- what was asked for ------------------------------------------------------------------------------------------------

NO_ACCESS = Finding("CTR101", "x", Severity.ERROR, ("container", "gpu"), "no access to a GPU")


@pytest.mark.parametrize("stage", ["network", "configuration"])
def test_a_request_that_does_not_fit_blames_nobody_else(stage: str) -> None:
    driver = replace(OLD_DRIVER, version="470.57.02", kernel_version="470.57.02")
    unfit = canary("failed", stage, "m.onnx: it is empty", reason="unfit", network="onnx")
    told = found(unfit, driver=driver)
    assert codes(told, "CAN") == {"CAN110": "error"}
    assert "m.onnx: it is empty" in one(told, "CAN110").title
    assert all("The canary confirms it" not in item.detail for item in told.findings)


def test_an_environment_that_is_broken_outweighs_the_request() -> None:
    log = [("error", "no kernel image is available for execution on the device")]
    unfit = canary("failed", "network", "m.onnx: no", reason="unfit", log=log)
    assert "CAN101" in codes(found(unfit), "CAN")


def test_a_warning_of_an_old_model_is_not_the_reason() -> None:
    log = [("warning", "ONNX model has a newer ir_version (0.0.10) than this parser was built against (0.0.9).")]
    told = found(canary("failed", "build", "the moon", network="onnx", log=log))
    assert codes(told, "CAN") == {"CAN101": "error"}


def test_what_is_built_ahead_is_not_kept_back_by_a_missing_gpu() -> None:
    failed = replace(canary("failed", "build", "the moon"), product="tensorrt-rtx")
    own = one(report(live(canaries=(failed,))), "CAN101")
    assert reconcile([NO_ACCESS, own], Snapshot(canaries=(failed,))) == [NO_ACCESS, own]
    late = replace(canary("failed", "deserialize", "the moon"), product="tensorrt-rtx")
    own = one(report(live(canaries=(late,))), "CAN101")
    (told,) = reconcile([NO_ACCESS, own], Snapshot(canaries=(late,)))
    assert "The canary confirms it" in told.detail
