"""Directories searched by first bytes."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.engine.files import CALIBRATION, LFS, ONNX, TIMING, old_plan, plan, rtx_plan, ultralytics
from trtdoctor.engine import sidecar
from trtdoctor.engine.look import look
from trtdoctor.engine.scan import scan
from trtdoctor.engine.sidecar import Stamp
from trtdoctor.matrix import Matrix


def test_engines_and_caches_are_found_whatever_they_are_called(matrix: Matrix, tmp_path: Path) -> None:
    files = {
        "a/model.bin": plan(),
        "a/b/yolo.dat": ultralytics(old_plan()),
        "a/b/c/x": rtx_plan(),
        "timing.cache": TIMING,
        "calibration.txt": CALIBRATION,
        "old": old_plan(None, 205),
        "lfs.engine": LFS,
        "empty.plan": b"",
        "model.onnx": ONNX,
        "lfs.bin": LFS,
        "notes.txt": b"hello\n",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    sidecar.write(str(tmp_path / "a/model.bin"), Stamp("0" * 64, 1))
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "again.engine").symlink_to(tmp_path / "a/model.bin")
    os.mkfifo(tmp_path / "pipe.engine")
    found = scan(matrix, str(tmp_path))
    kinds = {os.path.relpath(item.path or "", tmp_path): item.kind for item in found.engines}
    assert kinds == {
        "a/model.bin": "plan",
        "a/b/yolo.dat": "plan",
        "a/b/c/x": "plan",
        "timing.cache": "timing-cache",
        "calibration.txt": "calibration-cache",
        "old": "archive",
        "lfs.engine": "lfs-pointer",
        "empty.plan": "empty",
    }
    assert (found.files, found.unreadable, found.complete) == (len(files), 0, True)


def test_thousands_of_files_take_seconds(matrix: Matrix, tmp_path: Path) -> None:
    for number in range(40):
        folder = tmp_path / str(number)
        folder.mkdir()
        for inner in range(100):
            (folder / f"{inner}.bin").write_bytes(b"\0" * 5000)
        (folder / "model.engine").write_bytes(plan())
    started = time.monotonic()
    found = scan(matrix, str(tmp_path))
    assert time.monotonic() - started < 10
    assert (len(found.engines), found.files) == (40, 4040)


def test_it_is_given_up_in_time(matrix: Matrix, tmp_path: Path) -> None:
    (tmp_path / "model.engine").write_bytes(plan())
    found = scan(matrix, str(tmp_path), seconds=-1)
    assert (found.engines, found.complete) == ((), False)


def test_what_cannot_be_read_is_counted(matrix: Matrix, tmp_path: Path) -> None:
    assert scan(matrix, str(tmp_path / "none")).unreadable == 1
    assert look(matrix, str(tmp_path)).kind == "unreadable"
    assert look(matrix, str(tmp_path / "a\0b")).kind == "unreadable"


def test_age(matrix: Matrix, tmp_path: Path) -> None:
    path = tmp_path / "timing.cache"
    path.write_bytes(TIMING)
    os.utime(path, (86_400 * 365, 86_400 * 365))
    assert look(matrix, str(path)).modified == "1971-01-01"
