"""What a file is: told apart by first bytes, and what has happened to a plan on its way."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.engine.files import CALIBRATION, LFS, ONNX, TIMING, old_plan, plan, rtx_plan
from trtdoctor.engine.kinds import BYTES, identify
from trtdoctor.matrix import Matrix

PLANS = {"8.6": plan(), "10.13": plan((10, 13, 3, 9), 240), "8.5": old_plan(), "rtx": rtx_plan()}


def told(matrix: Matrix, content: bytes, size: int | None = None) -> tuple[str, str | None]:
    found = identify(matrix, content[:BYTES], len(content) if size is None else size)
    return found.kind, found.problem


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (LFS, "lfs-pointer"),
        (ONNX, "onnx"),
        (CALIBRATION, "calibration-cache"),
        (CALIBRATION.replace(b"\n", b"\r\n"), "calibration-cache"),
        (TIMING, "timing-cache"),
        (old_plan(None, 205), "archive"),
        (b"PK\x03\x04" + bytes(100), "zip"),
        (b"\x7fELF" + bytes(100), "elf"),
        (b"\x1f\x8b\x08" + bytes(100), "gzip"),
        (b"\n<!DOCTYPE html><html>", "html"),
        (b"name: yolov8\n", "text"),
        ("größe: 3\n".encode(), "text"),
        (b"", "empty"),
        (bytes(100), "unknown"),
        (b"\x80\x04\x95" + bytes(100), "unknown"),
        (b"\x08", "unknown"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_kinds(matrix: Matrix, content: bytes, kind: str) -> None:
    assert told(matrix, content) == (kind, None)


@pytest.mark.parametrize("name", PLANS)
def test_a_whole_plan_has_no_problem(matrix: Matrix, name: str) -> None:
    assert told(matrix, PLANS[name]) == ("plan", None)


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_that_was_taken_for_text(matrix: Matrix, name: str) -> None:
    content = PLANS[name]
    assert told(matrix, content.decode("utf-8", "replace").encode()) == ("plan", "replaced")
    assert told(matrix, content.decode("latin-1").encode()) == ("plan", "utf-8")
    assert told(matrix, codecs.BOM_UTF8 + content.decode("latin-1").encode()) == ("plan", "utf-8")
    assert told(matrix, content.replace(b"\n", b"\r\n")) == ("plan", "line-ends")
    for codec, mark in (("utf-16-le", codecs.BOM_UTF16_LE), ("utf-16-be", codecs.BOM_UTF16_BE)):
        assert told(matrix, mark + content.decode("latin-1").encode(codec)) == ("plan", "utf-16")


def test_a_plan_that_was_changed_says_nothing_more(matrix: Matrix) -> None:
    # The version of a plan of TensorRT 10 holds a line feed: 10.13.3 becomes 13.10.13.
    found = identify(matrix, plan((10, 13, 3, 9)).replace(b"\n", b"\r\n"), 4000)
    assert found.problem == "line-ends"
    assert found.header is None


@pytest.mark.parametrize(("name", "sure"), [("8.6", True), ("10.13", False), ("8.5", True), ("rtx", True)])
def test_shorter_or_longer_than_it_says(matrix: Matrix, name: str, sure: bool) -> None:
    content = PLANS[name]
    for changed, problem in ((content[:-1], "truncated"), (content + b"x", "longer")):
        found = identify(matrix, changed, len(changed))
        assert (found.kind, found.problem, found.sure) == ("plan", problem, sure)


def test_a_place_that_holds_no_length_is_no_problem(matrix: Matrix) -> None:
    for stated in (0, 7, 1 << 63):
        assert told(matrix, plan((11, 4, 0, 106), stated=stated)) == ("plan", None)


@pytest.mark.parametrize(
    ("head", "release", "algorithm"),
    [
        (b"TRT-8503-EntropyCalibration2\n", "8.5.3", "EntropyCalibration2"),
        (b"TRT-7103-MinMaxCalibration\n", "7.1.3", "MinMaxCalibration"),
        (b"TRT-100300-LegacyCalibration\n", "10.3.0", "LegacyCalibration"),
        (b"TRT-8XXX-EntropyCalibration2\n", None, "EntropyCalibration2"),
    ],
)
def test_a_calibration_cache_names_its_writer(matrix: Matrix, head: bytes, release: str | None, algorithm: str) -> None:
    found = identify(matrix, head + b"input: 3f800000\n", 60)
    assert (found.kind, found.tensorrt, found.calibrator) == ("calibration-cache", release, algorithm)


@given(
    content=st.binary(max_size=600),
    begin=st.sampled_from(
        [b"", b"ftrt", b"ptrt", b"vtrt", b"\xff\xfe", b"\xfe\xfff\0", b"TRT-", b"\x08\x07", LFS[:40]]
    ),
    size=st.integers(0, 1 << 64),
)
@example(content=b"", begin=b"ptrt", size=4)
def test_no_bytes_are_too_strange(matrix: Matrix, content: bytes, begin: bytes, size: int) -> None:
    found = identify(matrix, begin + content, size)
    assert found.kind
    assert found.problem is None or found.kind == "plan"


@given(data=st.data(), name=st.sampled_from(sorted(PLANS)))
def test_a_plan_with_changed_bytes_is_answered(matrix: Matrix, data: st.DataObject, name: str) -> None:
    content = bytearray(PLANS[name])
    for place, value in data.draw(st.dictionaries(st.integers(0, 400), st.integers(0, 255), max_size=12)).items():
        content[place] = value
    found = identify(matrix, bytes(content[:BYTES]), len(content))
    assert found.kind
