"""Headers of plans: each measured layout, built byte by byte, and the first KiB of real ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.canary.running import live
from tests.conftest import ROOT
from tests.engine.files import H200, RTX_4090, old_plan, plan, rtx_plan, ultralytics
from tests.test_environments import built
from trtdoctor.engine import header
from trtdoctor.engine.kinds import BYTES, identify, wrapper_end
from trtdoctor.engine.look import look
from trtdoctor.matrix import Matrix

REAL = ROOT / "tests" / "data" / "engines"


@pytest.mark.parametrize(
    "release", [(8, 6, 1, 6), (9, 3, 0, 1), (10, 0, 1, 6), (10, 13, 3, 9), (11, 4, 0, 106)], ids=str
)
def test_a_plan_of_8_6_or_newer(matrix: Matrix, release: tuple[int, ...]) -> None:
    found = header.read(matrix, plan(release)[:BYTES])
    assert found is not None
    assert (found.layout, found.version, found.likely_length, found.length) == ("tensorrt", release, 3228, None)
    assert found.serialization == 236
    assert header.length_is_sure(matrix, found) == (release[:2] == (8, 6))
    assert found.device is not None
    assert (found.device.compute_capability, found.device.multiprocessors) == ("8.9", 128)


def test_a_build_over_255_is_one_byte(matrix: Matrix) -> None:
    found = header.read(matrix, plan((11, 9, 0, 300)))
    assert found is not None
    assert found.shown == "11.9.0.44"


def test_a_plan_of_8_5(matrix: Matrix) -> None:
    found = header.read(matrix, old_plan())
    assert found is not None
    assert (found.layout, found.shown, found.length) == ("tensorrt-8.5", "8.5.3.1", 3000)
    assert found.serialization == 232
    assert found.device is not None
    assert found.device.compute_capability == "9.0"
    assert header.length_is_sure(matrix, found)


@pytest.mark.parametrize(
    ("mask", "named", "others"),
    [
        (0x7E, ("8.0", "8.6", "8.9", "12.0", "12.1"), True),
        (0x11, ("7.5", "12.0"), False),
        (0, (), False),
        (0x80000000, (), True),
    ],
)
def test_an_engine_of_rtx(matrix: Matrix, mask: int, named: tuple[str, ...], others: bool) -> None:
    found = header.read(matrix, rtx_plan(mask=mask))
    assert found is not None
    assert (found.layout, found.shown, found.length) == ("tensorrt-rtx", "1.7.1.116", 2000)
    assert (found.compute_capabilities, found.unnamed_capabilities) == (named, others)
    assert found.serialization == 100
    assert found.device is None  # it is for no GPU in particular


def test_the_building_gpu_is_told_only_where_each_tag_fits(matrix: Matrix) -> None:
    good = plan()
    place = good.index(b"\x12\x80\x01\x00\x10\x80\x01\x00") + 8
    for changed in (
        good[:place] + b"\x09" + good[place + 1 :],  # another tag
        good[: place + 4] + b"\xff\xff\xff\x7f" + good[place + 8 :],  # compute capability 2147483647
        good[: place + 20] + bytes(4) + good[place + 24 :],  # a clock that stands still
        good[: place + 50],
    ):
        found = header.read(matrix, changed)
        assert found is not None
        assert found.device is None
        assert found.shown == "8.6.1.6"


def test_another_layout_is_not_taken_for_the_one_that_is_known(matrix: Matrix) -> None:
    found = header.read(matrix, b"ftrt\x01" + plan()[5:])
    assert found is not None
    assert found.version is None
    assert found.serialization is None


@pytest.mark.parametrize(
    ("name", "length"), [("trt853-h200-fp32.head", 1_089_255), ("trt853-h200-int8-dynamic.head", 1_133_583)]
)
def test_a_real_plan_of_tensorrt_8_5_3_1(matrix: Matrix, name: str, length: int) -> None:
    first = (REAL / name).read_bytes()
    found = identify(matrix, first, length)
    assert (found.kind, found.problem) == ("plan", None)
    assert found.header is not None
    assert (found.header.shown, found.header.length, found.header.serialization) == ("8.5.3.1", length, 232)
    assert found.header.device == header.Device("9.0", 132)  # an H200 has 132
    assert identify(matrix, first, 1024).problem == "truncated"


def test_metadata_in_front_is_skipped(matrix: Matrix, tmp_path: Path) -> None:
    for inner, release in ((plan(), "8.6.1.6"), (old_plan(), "8.5.3.1"), (plan(size=9000), "8.6.1.6")):
        for names in ({}, {str(number): "x" * 40 for number in range(300)}):  # also more than is read at first
            file = tmp_path / "yolo.engine"
            file.write_bytes(ultralytics(inner, names=names))
            found = look(matrix, str(file))
            assert (found.kind, found.wrapper, found.tensorrt, found.problem) == ("plan", "ultralytics", release, None)


def test_a_length_in_front_is_not_trusted() -> None:
    for length in (-1, 0, 1, 1 << 30, 2**31 - 1):
        first = (length % 2**32).to_bytes(4, "little") + b"{" + bytes(100)
        assert wrapper_end(first, len(first)) is None
    assert wrapper_end(ultralytics(b"")[:5], 5) is None


@pytest.mark.parametrize("targets", [(), ("8.6",), ("7.5", "12.0"), ("8.0", "8.9", "12.1")])
def test_engines_that_rtx_really_builds(matrix: Matrix, targets: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "plan"
    request: dict[str, Any] = {"compute_capabilities": targets, "precision": "fp16"} if targets else {}
    live(tmp_path, built("rtx"), module="tensorrt_rtx", product="tensorrt-rtx", plan=str(path), **request)
    found = look(matrix, str(path))
    assert (found.kind, found.product, found.problem) == ("plan", "rtx", None)
    assert found.tensorrt is not None
    assert found.tensorrt.startswith("1.7.1")
    assert found.stated_bytes == found.size == path.stat().st_size
    expected = set(targets) or {"8.0", "8.6", "8.9", "12.0", "12.1"}
    assert set(found.compute_capabilities or ()) == expected
    assert found.other_capabilities == (not targets)
    content = path.read_bytes()
    for size in (*range(200), *range(200, len(content), len(content) // 60)):
        cut = identify(matrix, content[:size][:BYTES], size)
        assert (cut.kind, cut.problem) in (("plan", "truncated"), ("empty", None), ("unknown", None), ("text", None))
        assert cut.kind == "plan" or size < 4


def test_every_truncation_of_each_file_is_answered(matrix: Matrix, tmp_path: Path) -> None:
    files = [plan(), old_plan(), rtx_plan(), ultralytics(plan()), plan((10, 9, 0, 34))]
    path = tmp_path / "cut.engine"
    for content in files:
        with open(path, "wb") as stream:
            stream.write(content)
        for size in range(len(content) - 1, -1, -1):
            os.truncate(path, size)
            found = look(matrix, str(path))
            assert found.size == size
            assert found.kind != "unreadable"
            if found.kind == "plan":
                assert found.problem == "truncated", size


def test_the_board_is_the_one_that_was_written(matrix: Matrix) -> None:
    for board, capability in ((H200, "9.0"), (RTX_4090, "8.9"), ((12, 1, 2_000_000, 4_266_000, 256, 48), "12.1")):
        found = header.read(matrix, old_plan(board=board))
        assert found is not None
        assert found.device == header.Device(capability, board[5])
