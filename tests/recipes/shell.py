"""Run a recipe's own script, as the system that it is for would: in a process, in an empty directory."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT, SNAPSHOTS

EXAMPLES = ROOT / "docs" / "examples"
READY = SNAPSHOTS / "h200-trt853.json"
"""A recorded machine without a defect."""
BROKEN = SNAPSHOTS / "h200-trt853-no-sublibraries.json"
AS_OF = "2026-11-22"
_NOT_INHERITED = (
    *("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "NO_COLOR"),
    *("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE", "CI_PROJECT_DIR"),
)


@dataclass(frozen=True)
class Ended:
    """How a script ended, and what it said on both streams."""

    code: int
    text: str


def environment(**settings: str) -> dict[str, str]:
    """This process's environment without what would tell the script of our own virtual environment or CI system."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _NOT_INHERITED and not name.startswith(("TRTDOCTOR_", "PYTEST_", "COV_"))
    }
    return {**kept, "PIP_NO_COMPILE": "1", **settings}


def bash(script: str, directory: Path, environ: Mapping[str, str], shell: Sequence[str] = ("bash",)) -> Ended:
    """Run a script from its text."""
    file = directory / ".script"
    file.write_text(script, "utf-8")
    done = subprocess.run(
        [*shell, str(file)],
        cwd=directory,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=400,
        check=False,
    )
    file.unlink()
    return Ended(done.returncode, done.stdout.decode("utf-8", "replace"))
