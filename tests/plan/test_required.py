"""What is required is put in place: libraries, a driver, the CUDA of TensorRT; what is there already stays."""

from __future__ import annotations

import pytest

from tests.conftest import AS_OF, SNAPSHOTS
from tests.plan.asking import ask, demands, errors_in, first, machine, question, trt
from trtdoctor.cli.plan import _usual
from trtdoctor.declared import snapshot_of
from trtdoctor.judge import DEFAULT_GOAL, judge
from trtdoctor.matrix import load
from trtdoctor.plan.answer import answer
from trtdoctor.render import plan_table
from trtdoctor.snapshot import Snapshot
from trtdoctor.versions import Version


def test_a_library_that_is_required_takes_the_place_of_the_one_that_is_there() -> None:
    wheels = machine(tensorrt=trt("10.9.0", "pip-cu12"), cudnn="8.9", cuda="12.4")
    plan = first(wheels, "cudnn>=9.10,<9.11")
    assert [(change.component, change.kind) for change in plan.changes] == [("cudnn", "pip")]
    assert dict(plan.pins)["nvidia-cudnn-cu12"].startswith("9.10.")
    toolkit = first(wheels, "cuda==12.8.*")
    assert dict(toolkit.pins) == {"nvidia-cuda-runtime-cu12": "12.8.90"}
    assert not ask(wheels, "cudnn>=9.10", keep=("cudnn",)).plans


def test_a_required_cuda_is_the_one_that_tensorrt_is_built_for() -> None:
    plans = ask(machine(), "cuda==12.8.*", "tensorrt", top=5).plans
    assert plans
    assert all("for CUDA 12" in plan.title for plan in plans)


@pytest.mark.parametrize(
    ("require", "branch"), [("driver<570", "535"), ("driver<535", "470"), ("driver>=590", "595"), ("driver<595", None)]
)
def test_a_driver_that_must_be_older_is_the_newest_that_lives_long(require: str, branch: str | None) -> None:
    plan = first(machine(gpus=[{"name": "Tesla T4"}]), require)
    (after,) = [change.after for change in plan.changes if change.kind == "driver"] or [None]
    assert (after or "").partition(".")[0] == (branch or "")


def test_tensorrt_and_the_one_for_rtx_are_two_plans() -> None:
    report = ask(machine(), "tensorrt", "tensorrt-rtx")
    assert report.impossible is not None
    (reason,) = report.impossible.reasons
    assert reason.startswith("tensorrt and tensorrt-rtx are both required")


def test_no_word_of_ours_stands_before_a_package() -> None:
    told = first(machine(), "package:numpy>=2", "tensorrt").warnings
    assert told == ("not known whether numpy>=2 is met: found nothing that tells",)
    image = first(machine(), "torch", "torch-tensorrt", install=("container",))
    assert not any("torch" in text for text in image.warnings)  # it is in the image


def test_the_fix_of_a_requirement_is_the_plan() -> None:
    there = machine(tensorrt=trt("10.3.0", "pip-cu12"))
    for text, of_all in (("tensorrt>=10.9,<11", True), ("python>=3.13", True), ("tensorrt==99", False)):
        report = judge(snapshot_of(there), load(), as_of=AS_OF, demands=demands(text))
        (finding,) = [item for item in report.findings if item.code == "POL102"]
        commands = ask(there, text, top=1, install=("pip",)).plans
        assert (tuple(commands[0].commands) == finding.fix) if of_all else (not commands), text
        assert all((step.kind == "manual") != of_all for step in finding.fix), text


def test_a_required_python_gets_the_tensorrt_that_was_in_the_other() -> None:
    plan = first(machine(python="3.10", tensorrt=trt("10.3.0", "pip-cu12")), "python>=3.12")
    assert [change.kind for change in plan.changes] == ["pip", "python"]
    assert dict(plan.pins)["tensorrt-cu12"] == "10.3.0"
    made, install = (step.text for step in plan.commands)
    assert made == "python3.12 -m venv .venv"
    assert install.startswith(".venv/bin/python -m pip install ")


# -- what is there -----------------------------------------------------------------------------------------------------

HALF = machine(
    packages={
        "tensorrt-cu12": "10.9.0.34",
        "tensorrt-cu12-bindings": "10.9.0.34",
        "tensorrt-cu12-libs": "10.8.0.43",
    }
)


def test_a_stack_of_two_releases_is_made_one_again_at_the_release_that_it_was() -> None:
    stays, whole = ask(HALF, top=2).plans
    assert stays.changes == ()
    assert "nothing has to change, though check warns" in plan_table.render(ask(HALF, top=1))
    assert [change.text for change in whole.changes] == ["tensorrt-cu12-libs: 10.8.0.43 to 10.9.0.34 (pip)"]
    assert dict(whole.pins)["tensorrt-cu12-libs"] == "10.9.0.34"
    assert not any("uninstall" in step.text for step in whole.commands)
    assert errors_in(whole.environment) == []
    good = {**HALF, "packages": {**HALF["packages"], "tensorrt-cu12-libs": "10.9.0.34"}}
    assert "fine: nothing has to change\n" in plan_table.render(ask(good, top=1))
    assert not any(plan.title.startswith("TensorRT 10.9.0.34 for CUDA 12 by pip") for plan in ask(good, top=9).plans)


def test_of_what_is_named_nothing_is_guessed_that_pip_should_uninstall() -> None:
    good = machine(packages=dict.fromkeys(HALF["packages"], "10.9.0.34"))
    plan = first(good, "tensorrt>=10.16,<11", install=("pip",))
    assert [step.text.split()[3] for step in plan.commands] == ["install"]


def test_the_cuda_that_is_there_counts_where_tensorrt_does_not_tell_its_own() -> None:
    odd = machine(python="3.10", tensorrt="8.6.1", cudnn="9.1", cuda="12.4", packages={"onnxruntime-gpu": "1.20.0"})
    plan = first(odd)
    assert plan.title.startswith("TensorRT 10.16.1.11 for CUDA 12")
    assert [change.component for change in plan.changes] == ["tensorrt"]


def test_nobody_goes_where_he_is() -> None:
    report = answer(question(machine(tensorrt="10.9.0"), "tensorrt==10.*"), top=1, upgrade=Version.parse("10"))
    assert report.plans[0].changes == ()
    assert report.upgrade is None


# -- the runtimes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("product", ["lean", "dispatch"])
def test_a_runtime_is_its_own_distribution(product: str) -> None:
    plan = first(machine(), f"tensorrt-{product}", goal=("run",))
    stem = f"tensorrt-{product}"
    assert plan.title.startswith(f"TensorRT {product} ")
    assert {name for name, _ in plan.pins} == {stem, *(f"{stem}-cu13{part}" for part in ("", "-bindings", "-libs"))}
    report = ask(machine(), stem, goal=("build",))
    assert report.impossible is not None
    (reason,) = report.impossible.reasons
    assert reason.startswith("building engines, which is wanted: ")


def test_who_asks_for_a_runtime_alone_wants_to_run() -> None:
    assert _usual(demands("tensorrt-lean>=10"), DEFAULT_GOAL) == ("run",)
    assert _usual(demands("tensorrt-lean", "tensorrt"), DEFAULT_GOAL) == DEFAULT_GOAL
    assert _usual(demands("driver>=580"), DEFAULT_GOAL) == _usual((), DEFAULT_GOAL) == DEFAULT_GOAL


def test_a_cuda_before_11_needs_the_driver_of_its_own_branch() -> None:
    turing = machine(gpus=[{"name": "GeForce GTX 1660 Ti"}], driver="390.157")
    assert not any("TensorRT 6.0" in plan.title for plan in ask(turing, top=9).plans)
    archive = first({**turing, "driver": "418.211.00"}, "tensorrt==6.*")
    assert archive.driver_floor == "418"


# -- recorded machines -------------------------------------------------------------------------------------------------


def recorded(name: str) -> Snapshot:
    return Snapshot.from_json((SNAPSHOTS / f"{name}.json").read_text("utf-8"))


def test_what_goes_away_is_not_mended_as_well() -> None:
    plan = first(recorded("placeholder"))
    lines = [step.text for step in plan.commands if " -m pip " in step.text]
    assert [line.split()[3] for line in lines] == ["uninstall", "install"]
    assert lines[0].endswith(" nvidia-tensorrt")


def test_a_gpu_that_tensorrt_for_rtx_never_served_is_the_whole_reason() -> None:
    report = ask(recorded("canary-rtx-unserved"))
    assert report.impossible is not None
    assert [text.partition(": ")[0] for text in report.impossible.reasons] == ["compute capability 9.0"]
