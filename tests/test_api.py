"""The Python API."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import trtdoctor
from tests.conftest import AS_OF, ROOT, SNAPSHOTS
from tests.loadings import two_cudnns


def test_the_public_names_are_there_and_nothing_else_is() -> None:
    for name in trtdoctor.__all__:
        assert getattr(trtdoctor, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = trtdoctor.nonsense


def test_check_judges_a_snapshot() -> None:
    snapshot = trtdoctor.Snapshot.from_json((SNAPSHOTS / "no-gpu.json").read_bytes())
    report = trtdoctor.check(snapshot, as_of=AS_OF)
    assert isinstance(report, trtdoctor.Report)
    assert report.verdict is trtdoctor.Verdict.BROKEN
    assert all(isinstance(item, trtdoctor.Finding) for item in report.findings)
    assert report.counts["error"] >= 1


def test_check_inspects_this_machine_without_loading_a_native_library() -> None:
    script = (
        "import trtdoctor\n"
        "report = trtdoctor.check()\n"
        "maps = open('/proc/self/maps').read()\n"
        "assert not any(word in maps for word in ('libcuda', 'libnvidia-ml', 'libnvinfer', 'libcudnn')), maps\n"
        "print(report.verdict.value)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("ready", "at-risk", "broken", "unknown")


def test_libs_tells_who_gets_what_of_a_snapshot() -> None:
    answer = trtdoctor.libs(two_cudnns(), as_of=AS_OF)
    assert isinstance(answer, trtdoctor.Libs)
    assert [item.name for item in answer.importers][:2] == ["torch", "tensorrt"]
    only = trtdoctor.libs(two_cudnns(), importers=["tensorrt"], as_of=AS_OF)
    assert "torch" not in [item.name for item in only.importers]


def test_libs_is_a_function_whatever_was_imported_before() -> None:
    import trtdoctor.cli.libs
    import trtdoctor.resolution

    assert callable(trtdoctor.libs)


def test_libs_inspects_another_root_and_runs_nothing(tmp_path: Path) -> None:
    answer = trtdoctor.libs(root=str(tmp_path), as_of=AS_OF)
    assert answer.libraries == ()
    assert answer.unknown
    with pytest.raises(ValueError, match="no directory"):
        trtdoctor.libs(root=str(tmp_path / "nowhere"))


def test_importing_the_package_imports_nothing_else() -> None:
    script = "import sys; before = set(sys.modules); import trtdoctor; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['trtdoctor']"


def test_check_starts_at_most_two_children() -> None:
    script = (
        "import subprocess, trtdoctor\n"
        "started = []\n"
        "real = subprocess.Popen.__init__\n"
        "def counted(self, command, *a, **k):\n"
        "    started.append(command)\n"
        "    real(self, command, *a, **k)\n"
        "subprocess.Popen.__init__ = counted\n"
        "trtdoctor.check()\n"
        "print(len(started))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 2
