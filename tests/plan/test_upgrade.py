"""What if: another release, another GPU."""

from __future__ import annotations

import pytest

from tests.plan.asking import Environment, first, machine, question, trt
from trtdoctor.matrix import Matrix, api_changes, tensorrt
from trtdoctor.plan.answer import answer
from trtdoctor.plan.model import PlanReport, Upgrade
from trtdoctor.versions import Answer, Version

ON_10: Environment = machine(
    driver="535.104.05", python="3.10", gpus=[{"name": "Tesla T4"}], tensorrt=trt("10.3.0", "pip-cu12")
)


def going(environment: Environment, to: str, **more: object) -> tuple[PlanReport, Upgrade]:
    """As ``--to tensorrt==TO`` asks."""
    specifier = f"tensorrt=={to}" if to.count(".") > 2 else f"tensorrt=={to}.*"
    report = answer(question(environment, specifier, **more), top=3, upgrade=Version.parse(to))  # type: ignore[arg-type]
    assert report.upgrade is not None
    return report, report.upgrade


@pytest.mark.parametrize("to", ["11", "11.4", "11.4.0.106"])
def test_going_to_a_release_names_what_it_no_longer_has(to: str, matrix: Matrix) -> None:
    report, upgrade = going(ON_10, to)
    assert report.plans
    assert all(Version.parse(plan.title.split()[1]).may_be(Version.parse(to)) for plan in report.plans)
    assert (upgrade.before, upgrade.after) == ("10.3.0", "11.4.0.106")
    rows = api_changes.removed_between(matrix, Version.parse("10.3.0"), Version.parse("11.4.0.106"))
    assert len(upgrade.removed) == len(rows) >= 30
    for row in rows:
        assert tensorrt.api_state(row, Version.parse("10.3.0")).answer is Answer.YES
        assert tensorrt.api_state(row, Version.parse("11.4.0.106")).word == "removed"
    told = dict(text.partition(": ")[::2] for text in upgrade.removed)
    assert {"BuilderFlag.FP16", "BuilderFlag.INT8", "NetworkDefinitionCreationFlag.EXPLICIT_BATCH"} <= told.keys()
    assert "typed model" in told["BuilderFlag.FP16"]


def test_engines_have_to_be_built_again() -> None:
    _, upgrade = going(ON_10, "11.4")
    assert upgrade.engines == ("every engine that TensorRT 10.3.0 built",)
    engine = {**ON_10, "engine": {"tensorrt": "10.3.0", "compute_capability": "7.5"}, "wants": ["run"]}
    report, upgrade = going(engine, "11.4")
    assert upgrade.engines == ("the engine that TensorRT 10.3.0 built",)
    (change,) = [item for item in report.plans[0].changes if item.kind == "rebuild-engine"]
    assert "11.4.0.106" in (change.after or "")
    assert report.plans[0].commands[-1].text.startswith("Build the engine")


def test_the_calls_that_are_used_become_changes_of_the_code() -> None:
    used = {**ON_10, "wants": ["build", "api:BuilderFlag.FP16", "api:set_memory_pool_limit"]}
    report, _ = going(used, "11.4")
    changed = [item for item in report.plans[0].changes if item.kind == "change-code"]
    assert [item.before for item in changed] == ["BuilderFlag.FP16"]
    assert any(step.kind == "edit" and "In place of BuilderFlag.FP16" in step.text for step in report.plans[0].commands)
    kept = {**used, "wants": ["build", "api:BuilderFlag.FP16"]}
    assert not going(kept, "11.4", keep=("code",))[0].plans


def test_what_else_must_move_is_part_of_the_plan() -> None:
    report, _ = going({**ON_10, "packages": {"onnxruntime-gpu": "1.22.0"}}, "11.4")
    assert report.impossible is not None, "no onnxruntime loads TensorRT 11"
    moved = going({**ON_10, "packages": {"torch": "2.5.1", "torch-tensorrt": "2.5.0"}, "driver": "580.95.05"}, "11.1")[
        0
    ]
    components = {change.component for change in moved.plans[0].changes}
    assert {"tensorrt", "package:torch", "package:torch-tensorrt"} <= components
    driver = going({**ON_10, "driver": "470.256.02"}, "11.4")[0]
    assert "driver" in {change.component for change in driver.plans[0].changes}


def test_going_back_loses_no_calls_and_says_what_it_gives_up() -> None:
    report, upgrade = going(machine(tensorrt=trt("11.4.0.106", "pip-cu13")), "10.16.1")
    assert upgrade.removed == ()
    assert any(text.startswith("what came after TensorRT 10.16.1") for text in report.plans[0].gives_up)


def test_within_a_major_nothing_is_lost_but_engines() -> None:
    _, upgrade = going(ON_10, "10.16.1")
    assert upgrade.removed == ()
    assert upgrade.engines


def test_where_nothing_is_there_nothing_is_lost() -> None:
    _, upgrade = going(machine(), "11.4")
    assert (upgrade.before, upgrade.removed, upgrade.engines) == (None, (), ())


def test_a_release_that_does_not_exist_is_impossible() -> None:
    report, upgrade = going(ON_10, "11.99")
    assert report.plans == ()
    assert report.impossible is not None
    assert any("tensorrt==11.99.*, which is required" in reason for reason in report.impossible.reasons)
    assert upgrade.after == "11.99"


# -- another GPU -------------------------------------------------------------------------------------------------------


def test_a_new_gpu_in_an_old_stack_says_what_must_come_first() -> None:
    old = machine(driver="535.104.05", python="3.10", tensorrt=trt("8.6.1", "pip-cu12"), cuda=[{"version": "12.1"}])
    plan = first({**old, "gpus": [{"name": "GeForce RTX 5090"}]})
    changes = {change.component: change for change in plan.changes}
    assert {"driver", "tensorrt"} <= changes.keys()
    assert changes["driver"].after is not None
    assert Version.parse(changes["driver"].after).at_least(Version.parse("570")) is Answer.YES
    assert plan.commands[0].needs_root, "the driver first"
    assert any(step.needs_reboot for step in plan.commands[:2])


def test_a_gpu_that_the_stack_serves_changes_nothing() -> None:
    there = machine(tensorrt=trt("10.16.1.11", "pip-cu13"), gpus=[{"name": "NVIDIA H200"}])
    assert first(there).changes == ()


def test_an_older_gpu_takes_an_older_release() -> None:
    there = machine(tensorrt=trt("10.16.1.11", "pip-cu12"), gpus=[{"name": "GeForce GTX 1080 Ti"}], python="3.10")
    plan = first(there)
    assert Version.parse(plan.title.split()[1]).major == 8
    assert any(text.startswith("what came after") for text in plan.gives_up)
