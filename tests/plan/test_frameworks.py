"""Frameworks in plans: a release of which nobody knows what it brings is none, and no two TensorRTs are brought."""

from __future__ import annotations

import pytest

from tests.plan.asking import ask, first, machine, trt


def test_tensorrt_llm_comes_with_the_tensorrt_and_the_cuda_that_it_was_made_with() -> None:
    plans = ask(machine(), "tensorrt-llm", top=4, install=("pip",)).plans
    found = {(dict(plan.pins)["tensorrt-llm"], plan.title) for plan in plans}
    assert ("1.2.1", "TensorRT 10.14.1.48.post1 for CUDA 13 by pip") in found
    assert ("1.0.0", "TensorRT 10.11.0.33 for CUDA 12 by pip") in found
    assert all("torch" in dict(plan.pins) for plan in plans)  # it brings one, so it must be known which
    assert not any("for CUDA 11" in plan.title for plan in plans)


def test_a_release_of_which_nobody_knows_what_it_brings_is_not_offered() -> None:
    report = ask(machine(), "tensorrt-llm==0.8.0", install=("pip",))
    assert report.impossible is not None
    assert "which TensorRT and which torch tensorrt-llm 0.8.0 brings is not known" in str(report.impossible.reasons)


def test_torch_tensorrt_is_not_moved_beside_a_tensorrt_that_it_does_not_take() -> None:
    there = machine(tensorrt=trt("11.4.0"), packages={"torch": "2.5.0", "torch-tensorrt": "2.5.0"})
    plans = ask(there, top=2).plans
    assert plans
    assert not any("FWK302" in text for plan in plans for text in plan.warnings)
    back = next(plan for plan in plans if plan.title.startswith("TensorRT 10.3.0 "))
    assert [change.component for change in back.changes] == ["tensorrt"]  # 2.5.0 takes ==10.3.0, and stays


def test_what_onnxruntime_loads_is_named_where_nothing_brings_it() -> None:
    old = first(machine(), "onnxruntime-gpu==1.18.*", "tensorrt==10.13.*", install=("pip",))
    (told,) = [text for text in old.warnings if text.startswith("nobody said")]
    assert told == "nobody said which cuDNN there is, whose libraries onnxruntime-gpu 1.18.1 loads"


@pytest.mark.parametrize(
    ("require", "built"),
    [("tensorrt-llm==1.0.0", "shell"), ("tensorrt-llm==1.2.1", "manual")],
)
def test_what_only_the_project_has_goes_into_an_image_before_what_asks_for_it(require: str, built: str) -> None:
    plan = first(machine(), require, install=("container",))
    (step,) = [fix for fix in plan.commands if "trtdoctor-plan" in fix.text and "docker run" not in fix.text]
    assert step.kind == built
    assert step.text.index("torch==") < step.text.index(
        "pip install tensorrt-llm" if built == "manual" else " tensorrt-llm"
    )


def test_another_python_says_what_it_is_for() -> None:
    plan = first(machine(python="3.10"), "python>=3.12", "tensorrt")
    (change,) = [change for change in plan.changes if change.kind == "python"]
    assert change.why == "python>=3.12 is required"


def test_no_wheel_of_the_index_is_put_on_a_jetson() -> None:
    there = trt("10.3.0", "jetpack")
    orin = {"os": "jetpack-6.2", "arch": "aarch64", "gpus": [{"name": "Jetson AGX Orin"}], "tensorrt": there}
    report = ask(orin, "torch")
    assert report.impossible is not None
    assert "none that is known to be for a Jetson" in str(report.impossible.reasons)
    tools = first(orin, "polygraphy")  # pure Python
    assert [change.component for change in tools.changes] == ["package:polygraphy"]
    thor = {**orin, "os": "jetpack-7.1", "gpus": [{"name": "Jetson Thor"}], "tensorrt": trt("10.13.3", "jetpack")}
    assert (first(thor, "torch").image or "").startswith("nvcr.io/nvidia/pytorch:")
