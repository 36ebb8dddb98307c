"""A Python that its distribution keeps from pip (PEP 668): an environment beside it, with all that is to stay."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conftest import AS_OF, SNAPSHOTS
from tests.plan.asking import ask, first, machine, question
from trtdoctor.declared import snapshot_of
from trtdoctor.findings import Remedy
from trtdoctor.judge import judge
from trtdoctor.matrix import Matrix
from trtdoctor.plan.steps import fixes_for
from trtdoctor.plan.write import planned
from trtdoctor.planned import from_yaml, to_yaml
from trtdoctor.snapshot import Snapshot
from trtdoctor.stack import Stack

PACKAGES = {"torch": "2.11.0"}


def kept_from_pip(managed: bool | None, **changes: object) -> Snapshot:
    snapshot = snapshot_of(machine(os="ubuntu-24.04", **changes))
    (python,) = snapshot.interpreters
    return replace(snapshot, interpreters=(replace(python, path="/usr/bin/python3", managed=managed),))


def test_an_environment_is_made_beside_it() -> None:
    plan = first(kept_from_pip(True, packages=PACKAGES), "tensorrt>=11", install=("pip",))
    made, install = (step.text for step in plan.commands)
    assert made == "/usr/bin/python3 -m venv .venv"
    assert install.startswith(".venv/bin/python -m pip install ")
    assert dict(plan.pins)["torch"] == "2.11.0"  # the new environment begins empty
    assert "torch==2.11.0" in install.split()


@pytest.mark.parametrize("managed", [False, None])
def test_another_python_is_used_as_it_is(managed: bool | None) -> None:
    plan = first(kept_from_pip(managed, packages=PACKAGES), "tensorrt>=11", install=("pip",))
    (install,) = (step.text for step in plan.commands)
    assert install.startswith("/usr/bin/python3 -m pip install ")
    assert "torch" not in dict(plan.pins)


def test_what_needs_no_pip_makes_none() -> None:
    plan = first(kept_from_pip(True, packages=PACKAGES), "driver>=590")
    assert plan.pins == ()
    assert not any("venv" in step.text for step in plan.commands)


def test_the_step_of_a_single_rule_does_the_same() -> None:
    details = (("distributions", "tensorrt==10.9.0.34"), ("remove", "tensorrt-cu11"))
    remedy = Remedy("tensorrt", "replace", None, "", details)
    asked = question(kept_from_pip(True))
    steps = [fix.text for fix in fixes_for(remedy, Stack(asked.snapshot, asked.matrix))]
    assert steps == [
        "/usr/bin/python3 -m venv .venv",
        ".venv/bin/python -m pip install tensorrt==10.9.0.34",
    ]


def test_on_windows_the_command_is_one_for_cmd_and_for_powershell() -> None:
    windows = machine(os="windows-11", python="3.9", driver="581.80", gpus=[{"name": "GeForce RTX 4090"}])
    report = ask(windows, "python>=3.12", "tensorrt", top=1)
    made, install = (step.text for step in report.plans[0].commands)
    assert made == "py -3.12 -m venv .venv"
    assert install.startswith(".venv\\Scripts\\python -m pip install ")
    written = planned(report, report.plans[0])
    assert from_yaml(to_yaml(written).encode()).commands == (("shell", made), ("shell", install))


def test_a_recorded_python_that_pip_refused_gets_an_environment_beside_it(matrix: Matrix) -> None:
    machine = Snapshot.from_json((SNAPSHOTS / "h200-managed.json").read_bytes())
    (finding,) = (item for item in judge(machine, matrix, as_of=AS_OF).findings if item.code == "TRT101")
    made, install = (fix.text for fix in finding.fix)
    assert made == "/usr/bin/python3 -m venv .venv"
    assert install.startswith(".venv/bin/python -m pip install ")
