"""The composite GitHub Action's own steps, run as a runner runs them, from a clean virtual environment."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.recipes.action import Runner
from tests.recipes.shell import AS_OF, BROKEN, READY

DAY = f"--as-of\n{AS_OF}"
CHANGES = "Tell what changed since the last good run"


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """A runner on which the action has installed what it installs by default: the checkout that it is part of."""
    made = Runner(tmp_path_factory.mktemp("runner"))
    ran = made.run({"snapshot": str(READY), "arguments": DAY}, install=True)
    assert ran.code == 0, ran.log
    return made


def test_a_ready_machine_passes_and_every_report_is_written(runner: Runner) -> None:
    ran = runner.run({"snapshot": str(READY), "arguments": DAY, "require": "tensorrt>=8.5,<9\n\n  driver>=535  \n"})
    assert ran.code == 0, ran.log
    assert (ran.outputs["verdict"], ran.outputs["exit-code"]) == ("ready", "0")
    directory = Path(ran.outputs["directory"])
    report = json.loads((directory / "trtdoctor.json").read_text())
    assert report["verdict"] == "ready"
    assert report["snapshot"]["redacted"] is True
    assert json.loads((directory / "trtdoctor.sarif").read_text())["version"] == "2.1.0"
    assert ET.parse(directory / "trtdoctor.xml").getroot().tag in ("testsuite", "testsuites")
    assert ran.used == {
        "github/codeql-action/upload-sarif": {
            "sarif_file": str(directory / "trtdoctor.sarif"),
            "category": "trtdoctor",
        }
    }
    assert "ready" in ran.summary
    assert "::error" not in ran.log


def test_findings_end_with_1_and_are_uploaded_all_the_same(runner: Runner) -> None:
    ran = runner.run({"snapshot": str(BROKEN), "arguments": DAY})
    assert ran.code == 1, ran.log
    assert (ran.outputs["verdict"], ran.outputs["exit-code"]) == ("broken", "1")
    assert "github/codeql-action/upload-sarif" in ran.used
    assert "::error" in ran.log
    assert "DNN106" in ran.summary


def test_an_unmet_requirement_ends_with_1(runner: Runner) -> None:
    ran = runner.run({"snapshot": str(READY), "arguments": DAY, "require": "tensorrt>=8\ntensorrt>=10.3,<11"})
    assert ran.code == 1, ran.log
    assert "10.3" in ran.log


@pytest.mark.parametrize(("fail_on", "code"), [("", 1), ("unknown", 1), ("error", 0), ("never", 0)])
def test_what_is_not_known_does_not_pass_by_default(runner: Runner, fail_on: str, code: int) -> None:
    inputs = {"arguments": f"--set\ntensorrt=10.9\n{DAY}", **({"fail-on": fail_on} if fail_on else {})}
    ran = runner.run(inputs)
    assert ran.outputs["verdict"] == "unknown"
    assert ran.code == code, ran.log


@pytest.mark.parametrize(
    "inputs",
    [
        {"require": "tensorrt>>10"},
        {"require": "$(touch pwned)"},
        {"goal": "build; touch pwned"},
        {"snapshot": '"; touch pwned; "'},
        {"snapshot": "missing.json"},
        {"fail-on": "`touch pwned`"},
        {"python": "$(touch pwned)"},
        {"arguments": "--no-such-option\n; touch pwned"},
    ],
)
def test_what_cannot_be_checked_ends_with_2_and_runs_nothing(runner: Runner, inputs: dict[str, str]) -> None:
    ran = runner.run(inputs)
    assert ran.code == 2, ran.log
    assert ran.outputs["exit-code"] == "2"
    assert ran.outputs["verdict"] == ""
    assert "github/codeql-action/upload-sarif" not in ran.used
    assert list(runner.workspace.iterdir()) == []


def test_the_sarif_is_not_uploaded_where_that_is_not_wanted(runner: Runner) -> None:
    ran = runner.run({"snapshot": str(READY), "arguments": DAY, "upload-sarif": "false"})
    assert (ran.code, ran.used) == (0, {})


def test_reports_are_written_where_it_is_said(runner: Runner, tmp_path: Path) -> None:
    place = tmp_path / "a b"
    ran = runner.run({"snapshot": str(READY), "arguments": DAY, "directory": str(place)})
    assert ran.code == 0, ran.log
    assert ran.outputs["directory"] == str(place)
    assert sorted(item.name for item in place.iterdir()) == ["trtdoctor.json", "trtdoctor.sarif", "trtdoctor.xml"]


def test_this_machine_is_judged_and_a_good_snapshot_is_kept_and_compared(runner: Runner) -> None:
    first = runner.run({"canary": "never"})
    assert first.code in (0, 1), first.log
    assert CHANGES in first.ran
    keys = {name: used["key"] for name, used in first.used.items() if "cache" in name}
    assert keys["actions/cache/restore"] == "trtdoctor-runner-1-engines-7-1"
    good = runner.temporary / "trtdoctor-good" / "snapshot.json"
    if first.outputs["verdict"] in ("broken", "unknown"):  # no GPU here: nothing good to keep
        assert "actions/cache/save" not in first.used
        assert not good.exists()
    shutil.rmtree(good.parent, ignore_errors=True)
    passed = runner.run({"canary": "never", "arguments": "--select\nCAN"})  # nothing that is wrong here is looked for
    assert passed.code == 0, passed.log
    assert passed.used["actions/cache/save"]["path"] == str(good.parent)
    assert json.loads(good.read_text())["redacted"] is True


def test_changes_since_a_good_snapshot_are_told_and_judge_nothing(runner: Runner) -> None:
    good = runner.temporary / "trtdoctor-good" / "snapshot.json"
    good.parent.mkdir(exist_ok=True)
    shutil.copy(READY, good)
    alone = runner.run({"canary": "never", "cache": "false"})
    assert CHANGES not in alone.ran
    compared = runner.run({"canary": "never"})
    assert compared.code == alone.code
    told = compared.log.removeprefix(alone.log)
    assert "8.5.3.1" in told, compared.log
    if compared.outputs["verdict"] == "broken":
        assert good.read_text() == READY.read_text(), "a bad run replaces no good snapshot"


def test_what_is_not_this_machine_is_not_kept_as_a_good_snapshot(runner: Runner) -> None:
    for inputs in ({"snapshot": str(READY)}, {"arguments": "--set\ntensorrt=10.9", "fail-on": "error"}):
        ran = runner.run(inputs)
        assert ran.code == 0, ran.log
        assert CHANGES not in ran.ran
        assert "actions/cache/save" not in ran.used


def test_what_cannot_be_installed_is_no_finding(tmp_path: Path) -> None:
    ran = Runner(tmp_path).run({"source": str(tmp_path / "missing.whl")}, install=True)
    assert ran.code == 2
    assert "::error title=trtdoctor::trtdoctor cannot be installed" in ran.log
    assert ran.ran == ["Install trtdoctor"]
    assert ran.outputs["exit-code"] == ""


def test_a_runner_without_a_fitting_python_is_told(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "mkdir", "rm"):
        (tools / name).symlink_to(str(shutil.which(name)))
    ran = Runner(tmp_path).run({}, install=True, PATH=str(tools))
    assert ran.code == 2
    assert "use actions/setup-python" in ran.log
