"""Differences between two matrices, each one and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT
from trtdoctor.matrix import MatrixError
from trtdoctor.matrix.bundle import make
from trtdoctor.matrix.diff import diff, open_any

MATRIX = ROOT / "matrix"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A matrix that a test may change."""
    return Path(shutil.copytree(MATRIX, tmp_path / "matrix"))


def edit(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text("utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), "utf-8")


def test_a_matrix_does_not_differ_from_itself_or_its_bundle(copied: Path, tmp_path: Path) -> None:
    (tmp_path / "b.tar.gz").write_bytes(make(str(copied)))
    places = [open_any(place) for place in (str(copied), str(tmp_path / "b.tar.gz"), "packaged")]
    assert diff(places[0], places[1]) == []
    assert diff(places[1], places[2]) == []


def test_a_comment_or_another_order_of_keys_is_no_difference(copied: Path) -> None:
    edit(copied, "cuda.yaml", "majors:\n", "# more\nmajors:\n")
    assert diff(open_any(str(MATRIX)), open_any(str(copied))) == []


def test_a_value_its_certainty_and_its_source(copied: Path) -> None:
    edit(copied, "cuda.yaml", '{linux: "525.60.13"', '{linux: {value: "525.1", certainty: secondary}')
    (found,) = diff(open_any(str(MATRIX)), open_any(str(copied)))
    assert (found.kind, found.file, found.table, found.row) == ("changed", "cuda", "majors", "12")
    assert found.value == "driver_floor linux"
    assert (found.before, found.after) == ("525.60.13", "525.1")
    assert (found.certainty_before, found.certainty_after) == ("official", "secondary")


def test_rows_that_came_and_went(copied: Path) -> None:
    edit(copied, "drivers.yaml", '- branch: "620"', '- branch: "621"')
    found = {(item.kind, item.row) for item in diff(open_any(str(MATRIX)), open_any(str(copied)))}
    assert found == {("added", "621"), ("removed", "620")}
    back = {(item.kind, item.row) for item in diff(open_any(str(copied)), open_any(str(MATRIX)))}
    assert back == {("added", "620"), ("removed", "621")}


def test_a_file_that_came_later(copied: Path) -> None:
    (copied / "errors.yaml").unlink()
    found = diff(open_any(str(copied)), open_any(str(MATRIX)))
    assert {item.file for item in found} == {"errors"}
    assert {item.kind for item in found} == {"added"}


@pytest.mark.parametrize("place", ["/nowhere", "/etc/hostname", "/etc"])
def test_what_is_no_matrix(place: str) -> None:
    with pytest.raises(MatrixError):
        open_any(place)
