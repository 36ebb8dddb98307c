"""Environments of real wheels, built anew, look to the probes as they did when they were recorded.

The light ones run with every test run (about 150 MB of wheels, kept between runs); those of more than 300 MB are
marked ``heavy`` and run by ``.ci/heavy``. Their recordings are replayed by ``test_recordings.py`` everywhere.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import AS_OF, ROOT, SNAPSHOTS
from tests.tools.environments import ENVIRONMENTS
from trtdoctor.judge import judge
from trtdoctor.matrix import Matrix
from trtdoctor.probes import collect
from trtdoctor.redaction import redact
from trtdoctor.snapshot import Snapshot

FAMILIES = ("TRT", "CUD", "DNN", "PYT")
"""What the environment decides; the rest depends on the machine that the test runs on."""
KEPT = Path(os.environ.get("TRTDOCTOR_TEST_ENVIRONMENTS") or Path("~/.cache/trtdoctor-test-environments").expanduser())


def built(name: str) -> str:
    """Path of the environment's Python, built when it is not there yet."""
    python = KEPT / name / "bin" / "python"
    report = KEPT / f"{name}.txt"
    if not (python.exists() and report.exists() and "NOT BUILT" not in report.read_text("utf-8")[:200]):
        script = ROOT / "tests" / "tools" / "environments.py"
        command = [sys.executable, str(script), name, "--into", str(KEPT), "--wheels", str(KEPT / ".wheels")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = f"{name} cannot be built here: {(done.stderr or done.stdout).strip()[-300:]}"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
    return str(python)


def facts(found: Snapshot) -> dict[str, Any]:
    """What the wheels themselves decide."""
    copies = {
        (copy.component, copy.name, copy.version, copy.how, copy.owner, copy.flavour, copy.product, copy.problem)
        for copy in found.copies
        if copy.origin == "pip"
    }
    distributions = {
        (item.name, item.version, item.has_libraries, item.files_missing, item.files_changed)
        for item in found.interpreters[0].distributions
        if item.name.startswith(("tensorrt", "nvidia"))
    }
    return {"copies": copies, "distributions": distributions}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(item.name, marks=[pytest.mark.heavy] if item.heavy else [])
        for item in ENVIRONMENTS
        if item.recorded
    ],
)
def test_a_real_environment_looks_as_recorded(name: str, matrix: Matrix) -> None:
    live = redact(collect(matrix, python=built(name)))
    recorded = Snapshot.from_json((SNAPSHOTS / f"{name}.json").read_bytes())
    assert facts(live) == facts(recorded)
    for family in FAMILIES:
        said, before = (
            sorted(item.code for item in judge(snapshot, matrix, as_of=AS_OF, select=[family]).findings)
            for snapshot in (live, recorded)
        )
        assert said == before
