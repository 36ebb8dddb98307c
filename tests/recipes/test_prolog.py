"""The Slurm prolog: what drains a node, and what must not."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import SNAPSHOTS
from tests.recipes.shell import AS_OF, EXAMPLES, Ended

PROLOG = EXAMPLES / "slurm" / "prolog.sh"
PROGRAM = str(Path(sys.executable).parent / "trtdoctor")


def prolog(snapshot: str | None = None, **settings: str) -> Ended:
    """Run it with the little that slurmd gives: no PATH, no HOME."""
    arguments = f"--as-of {AS_OF}"
    if snapshot:
        arguments += f" --snapshot {SNAPSHOTS / snapshot}"
    environ = {
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_GPUS": "0",
        "CUDA_VISIBLE_DEVICES": "0",
        "TRTDOCTOR_PROGRAM": PROGRAM,
        "TRTDOCTOR_ARGUMENTS": arguments,
        **settings,
    }
    done = subprocess.run(
        ["/bin/bash", str(PROLOG)], env=environ, cwd="/", capture_output=True, text=True, timeout=120, check=False
    )
    return Ended(done.returncode, done.stdout + done.stderr)


def program(place: Path, text: str) -> str:
    file = place / "trtdoctor"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return str(file)


def test_a_fit_node_takes_the_job_in_silence() -> None:
    for snapshot in ("h200.json", "h200-x2.json", "h200-trt853-no-sublibraries.json"):  # a job's TensorRT is its own
        assert prolog(snapshot) == Ended(0, "")


@pytest.mark.parametrize(("mode", "code"), [("report", 0), ("enforce", 1), ("strict", 1)])
def test_a_node_that_is_not_fit_is_drained_unless_only_reported(mode: str, code: int) -> None:
    ended = prolog("h200-no-access.json", TRTDOCTOR_PROLOG_MODE=mode)
    assert ended.code == code
    assert ended.text.startswith("broken")


def test_a_job_without_gpus_is_not_looked_at(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    stand_in = program(tmp_path, f"touch {touched}; exit 1")
    assert prolog(SLURM_JOB_GPUS="", TRTDOCTOR_PROGRAM=stand_in).code == 0
    assert not touched.exists()


def test_a_requirement_of_the_site_drains() -> None:
    site = f"--as-of {AS_OF} --snapshot {SNAPSHOTS / 'h200.json'} --require "
    assert prolog(TRTDOCTOR_ARGUMENTS=f"{site} driver>=570").code == 0
    assert prolog(TRTDOCTOR_ARGUMENTS=f"{site} driver>=999").code == 1


@pytest.mark.parametrize(("mode", "code"), [("report", 0), ("enforce", 0), ("strict", 2)])
def test_a_check_that_cannot_run_drains_only_in_strict_mode(mode: str, code: int, tmp_path: Path) -> None:
    for settings in (
        {"TRTDOCTOR_PROGRAM": "/nonexistent/trtdoctor"},
        {"TRTDOCTOR_PROGRAM": program(tmp_path, "kill -SEGV $$")},
        {"TRTDOCTOR_ARGUMENTS": "--no-such-option"},
        {"TRTDOCTOR_ARGUMENTS": "--snapshot /nonexistent.json"},
    ):
        ended = prolog(TRTDOCTOR_PROLOG_MODE=mode, **settings)
        assert ended.code == code, (settings, ended)
        assert ended.text, "it is told"


def test_a_check_that_hangs_holds_up_no_job(tmp_path: Path) -> None:
    began = time.monotonic()
    stand_in = program(tmp_path, "exec sleep 60")
    assert prolog(TRTDOCTOR_PROGRAM=stand_in, TRTDOCTOR_SECONDS="1").code == 0
    assert prolog(TRTDOCTOR_PROGRAM=stand_in, TRTDOCTOR_SECONDS="1", TRTDOCTOR_PROLOG_MODE="strict").code == 2
    assert time.monotonic() - began < 20


def test_this_node_is_judged_as_the_command_line_would() -> None:
    command = [PROGRAM, "check", "--canary", "never", "--select", "CTR,DRV,GPU,POL"]
    direct = subprocess.run(command, cwd="/", capture_output=True, timeout=120, check=False)
    assert direct.returncode in (0, 1)
    assert prolog(TRTDOCTOR_ARGUMENTS="").code == direct.returncode
