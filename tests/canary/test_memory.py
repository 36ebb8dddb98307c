"""Passes that are remembered, and when a check runs a canary by itself."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rules.judging import AS_OF, HEALTHY, L4, live
from trtdoctor.canary.choice import Choice
from trtdoctor.canary.decide import why_not
from trtdoctor.canary.memory import MOST, recall, remember, state_file
from trtdoctor.canary.run import Options, Outcome
from trtdoctor.judge import judge
from trtdoctor.matrix import Matrix
from trtdoctor.snapshot import Canary, Copy, GpuProcess, LogLine, Snapshot

CHOICE = Choice("tensorrt", "tensorrt", "/venv/bin/python", "10.13.3", "tensorrt", True)
PASSED = Canary("tensorrt", "10.13.3", "passed", taken="2026-11-23", log=(LogLine("info", "hello", None),))


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def library(tmp_path: Path) -> Path:
    path = tmp_path / "libnvinfer.so.10"
    path.write_bytes(b"one")
    return path


def kept(library: Path, snapshot: Snapshot | None = None) -> None:
    remember(snapshot or live(), CHOICE, Options(), Outcome(PASSED, (str(library),)))


def test_a_pass_is_recalled_with_its_date(library: Path) -> None:
    assert recall(live(), CHOICE, Options()) is None
    kept(library)
    found = recall(live(), CHOICE, Options())
    assert found is not None
    assert (found.outcome, found.remembered, found.taken, found.log) == ("passed", True, "2026-11-23", ())
    path = Path(state_file())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [item.name for item in path.parent.iterdir()] == ["canary.json"]


def test_another_file_another_driver_another_gpu_another_copy_forget_it(library: Path) -> None:
    kept(library)
    changed: list[dict[str, Any]] = [
        {"driver": replace(HEALTHY, version="581.1")},
        {"gpus": (replace(L4, name="NVIDIA L40S"),)},
        {"copies": (Copy(component="cudnn", path="/x/libcudnn.so.9"),)},
    ]
    for changes in changed:
        assert recall(live(**changes), CHOICE, Options()) is None
    assert recall(live(), replace(CHOICE, python="/other/bin/python"), Options()) is None
    assert recall(live(), CHOICE, Options(precision="fp16")) is None
    library.write_bytes(b"three")
    assert recall(live(), CHOICE, Options()) is None


def test_the_same_bytes_at_another_time_are_another_file(library: Path) -> None:
    kept(library)
    os.utime(library, (1, 1))
    assert recall(live(), CHOICE, Options()) is None
    library.unlink()
    assert recall(live(), CHOICE, Options()) is None


def test_a_failure_forgets_the_pass_before_it(library: Path) -> None:
    kept(library)
    remember(live(), CHOICE, Options(), Outcome(replace(PASSED, outcome="failed"), (str(library),)))
    assert recall(live(), CHOICE, Options()) is None


def test_a_pass_without_known_libraries_is_not_kept(library: Path) -> None:
    remember(live(), CHOICE, Options(), Outcome(PASSED, ()))
    assert recall(live(), CHOICE, Options()) is None


def test_only_so_many_are_kept(library: Path) -> None:
    for number in range(MOST + 3):
        kept(library, live(driver=replace(HEALTHY, version=f"580.{number}")))
    assert len(json.loads(Path(state_file()).read_text())["passes"]) == MOST
    assert recall(live(driver=replace(HEALTHY, version="580.0")), CHOICE, Options()) is None
    assert recall(live(driver=replace(HEALTHY, version=f"580.{MOST + 2}")), CHOICE, Options()) is not None


def test_what_others_may_write_is_not_believed(library: Path) -> None:
    kept(library)
    Path(state_file()).chmod(0o666)
    assert recall(live(), CHOICE, Options()) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    st.binary(max_size=200) | st.sampled_from([b'{"schema": "trtdoctor-canary-passes/1", "passes": {"x": 1}}', b"[]"])
)
def test_a_damaged_memory_is_no_memory(raw: bytes) -> None:
    path = Path(state_file())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)
    assert recall(live(), CHOICE, Options()) is None


def test_where_nothing_can_be_kept_nothing_is(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc")
    kept(library)
    assert recall(live(), CHOICE, Options()) is None


# -- whether a check runs one ------------------------------------------------------------------------------------------


def reason(matrix: Matrix, choice: Choice = CHOICE, goal: tuple[str, ...] = (), **changes: Any) -> str | None:
    return why_not(judge(live(**changes), matrix, as_of=AS_OF, goal=goal), choice)


def test_a_healthy_machine_runs_one(matrix: Matrix) -> None:
    assert reason(matrix) is None


def test_errors_make_it_pointless(matrix: Matrix) -> None:
    old = replace(HEALTHY, version="470.57.02", kernel_version="470.57.02", cuda=None, cuinit_error=None)
    assert "DRV201" in (reason(matrix, driver=old) or "")


def test_a_busy_or_closed_gpu_is_left_alone(matrix: Matrix) -> None:
    other = GpuProcess(1, "trainer")
    assert "200 MiB free" in (reason(matrix, gpus=(replace(L4, memory_free_bytes=200 << 20),)) or "")
    assert reason(matrix, gpus=(replace(L4, compute_mode="prohibited"),))
    assert reason(matrix, gpus=(replace(L4, compute_mode="exclusive-process", processes=(other,)),))
    assert reason(matrix, gpus=(replace(L4, compute_mode="exclusive-process"),)) is None
    assert reason(matrix, gpus=(replace(L4, memory_free_bytes=None),)) is None
    assert reason(matrix, gpus=(replace(L4, memory_free_bytes=1 << 30),)) is None


def test_a_runtime_is_not_asked_to_build(matrix: Matrix) -> None:
    lean = replace(CHOICE, builds=False, distribution="tensorrt-lean")
    assert reason(matrix, lean) == "tensorrt-lean can run engines, not build them"


def test_without_a_gpu_only_what_builds_ahead_of_time_is_tried(matrix: Matrix) -> None:
    rtx = replace(CHOICE, product="tensorrt-rtx", module="tensorrt_rtx")
    nothing: dict[str, Any] = {"gpus": None, "driver": replace(HEALTHY, cuinit_error=None)}
    assert reason(matrix, CHOICE, **nothing)
    assert reason(matrix, rtx, ("build", "run"), **nothing)
    assert reason(matrix, rtx, ("build",), **nothing) is None
