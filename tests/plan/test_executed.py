"""A plan that was carried out for real on a GPU: its file and the machine afterwards, as they were recorded.

Made here for the H200's snapshot and Python 3.10, fetched (1.6 GB), carried over, installed there with no network by
the command that ``plan fetch`` told; ``check --against`` said that this is what was planned, and the canary passed.
"""

from __future__ import annotations

from dataclasses import replace

from tests.conftest import ROOT, SNAPSHOTS
from tests.rules.judging import AS_OF
from trtdoctor.demands import parse
from trtdoctor.findings import Severity
from trtdoctor.judge import judge
from trtdoctor.matrix import Matrix
from trtdoctor.plan.answer import answer
from trtdoctor.plan.question import Question
from trtdoctor.planned import from_yaml
from trtdoctor.snapshot import Snapshot

PLAN = ROOT / "tests" / "data" / "plans" / "h200-trt853.yaml"


def test_the_machine_is_what_was_planned(matrix: Matrix) -> None:
    planned = from_yaml(PLAN.read_bytes())
    machine = Snapshot.from_json((SNAPSHOTS / "h200-planned.json").read_bytes())
    report = judge(machine, matrix, as_of=AS_OF, planned=planned)
    assert report.against is not None
    assert report.against.matches == "yes"
    assert not [item.code for item in report.findings if item.severity is Severity.ERROR]
    assert all(item.sha256 for item in planned.files)


def test_before_it_was_not(matrix: Matrix) -> None:
    planned = from_yaml(PLAN.read_bytes())
    machine = Snapshot.from_json((SNAPSHOTS / "h200.json").read_bytes())
    report = judge(machine, matrix, as_of=AS_OF, planned=planned)
    found = {item.code: item for item in report.findings if item.code.startswith("POL2")}
    assert report.against is not None
    assert report.against.matches == "no"
    assert {"POL201", "POL206"} <= found.keys()  # not one of its distributions is there, and the Python is another one
    (command,) = {fix.text for fix in found["POL201"].fix if "pip install" in fix.text}
    assert all(f"{name}=={version}" in command for name, version in planned.pins)


def test_a_driver_below_the_floor_is_drift(matrix: Matrix) -> None:
    planned = replace(from_yaml(PLAN.read_bytes()), driver_floor="590.44.01")
    machine = Snapshot.from_json((SNAPSHOTS / "h200-planned.json").read_bytes())
    report = judge(machine, matrix, as_of=AS_OF, planned=planned)
    assert "POL204" in {item.code for item in report.findings}


def test_what_is_required_and_not_there_is_no_change_of_its_own(matrix: Matrix) -> None:
    machine = Snapshot.from_json((SNAPSHOTS / "h200.json").read_bytes())
    asked = Question(machine, matrix, as_of=AS_OF, goal=("build", "run"), demands=(parse("tensorrt==11.4.*"),))
    (first, *_) = answer(asked, top=1).plans
    assert [change.component for change in first.changes] == ["tensorrt"]
    assert len(first.commands) == 1
