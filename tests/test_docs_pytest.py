"""docs/pytest.md does what it says: its files are written, its commands run; so does the demonstration project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, SNAPSHOTS

PAGE = ROOT / "docs" / "pytest.md"
PROJECT = ROOT / "docs" / "examples" / "pytest-project"
BROKEN = SNAPSHOTS / "no-gpu.json"


def shell(command: str, place: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as somebody would whose virtual environment is this one."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environ["PYTEST_ADDOPTS"] = "-p no:hypothesispytest"  # it has nothing to do with it and takes its time
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    return subprocess.run(["bash", "-c", command], cwd=place, env=environ, capture_output=True, text=True, check=False)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_commands_of_the_page_end_as_it_says(tmp_path: Path) -> None:
    """On recorded facts, so that the codes are the same on every machine."""
    for content in blocks("python"):
        name = re.match(r"# (\S+\.py)\n", content)
        assert name is not None, content
        (tmp_path / name[1]).write_text(content, "utf-8")
    (tmp_path / "pytest.ini").write_text(f"[pytest]\naddopts = --strict-markers\ntrtdoctor_snapshot = {BROKEN}\n")
    ran = 0
    for line in filter(None, "".join(blocks("sh")).splitlines()):
        command, _, code = line.partition("# exit ")
        done = shell(command, tmp_path)
        assert done.returncode == int(code), f"{command}\n{done.stdout}{done.stderr}"
        assert "Error:" not in done.stderr
        ran += 1
    assert ran >= 3
    assert "trtdoctor.verdict" in (tmp_path / "results.xml").read_text("utf-8")


def test_the_page_names_every_option_keyword_and_mode() -> None:
    from trtdoctor.demands import SUBJECTS
    from trtdoctor.pytest_gate import KEYWORDS
    from trtdoctor.pytest_plugin import FAIL_ON, MODES

    page = PAGE.read_text("utf-8")
    for mode in MODES:
        assert f"`--trtdoctor={mode}`" in page
    for word in (*FAIL_ON, "trtdoctor_snapshot", "trtdoctor_fail_on"):
        assert f"`{word}`" in page, word
    for keyword in KEYWORDS:
        assert f"    {keyword}=" in page
    for subject in SUBJECTS:
        assert re.search(rf"`{re.escape(subject.partition(':')[0])}[^`]*`", page), subject


@pytest.mark.parametrize(
    ("options", "code", "outcome"),
    [
        ("", 0, "1 passed, 3 skipped"),
        ("-n 2", 0, "1 passed, 3 skipped"),
        ("--trtdoctor=strict", 1, "1 failed, 1 passed, 2 errors"),
    ],
)
def test_the_demonstration_project_runs_its_own_tests(tmp_path: Path, options: str, code: int, outcome: str) -> None:
    place = tmp_path / "project"
    shutil.copytree(PROJECT, place, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    done = shell(f"python -m pytest -p no:cacheprovider --trtdoctor-snapshot={BROKEN} {options}", place)
    assert done.returncode == code, done.stdout + done.stderr
    assert outcome in done.stdout
    assert "verdict: broken" in done.stdout
    assert "builds an engine: tensorrt>=8.5 is not met: found none, wanted >=8.5" in done.stdout


def test_the_demonstration_project_runs_on_this_machine(tmp_path: Path) -> None:
    """Whatever it is: where there is no TensorRT the tests are skipped, where there is one they pass."""
    place = tmp_path / "project"
    shutil.copytree(PROJECT, place, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    done = shell("python -m pytest -p no:cacheprovider", place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d passed", done.stdout)
    assert "verdict: " in done.stdout
