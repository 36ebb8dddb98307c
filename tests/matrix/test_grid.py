"""Grids and ``--for``: they say what the look-ups say, for every pair that there is."""

from __future__ import annotations

import pytest

from trtdoctor.matrix import Matrix
from trtdoctor.matrix import tensorrt as releases
from trtdoctor.matrix.grid import Grid, GridError, grid, relations
from trtdoctor.matrix.serving import WantedError, that_serve, wanted
from trtdoctor.versions import Answer, Version


def cell(found: Grid, row: str, column: str) -> str:
    """One mark."""
    return found.cells[found.rows.index(row)][found.columns.index(column)]


@pytest.mark.parametrize("pair", relations(), ids=" ".join)
def test_every_relation_is_whole_and_turns(matrix: Matrix, pair: tuple[str, str]) -> None:
    found = grid(matrix, *pair)
    assert (found.rows_are, found.columns_are) == pair
    assert found.rows
    assert found.columns
    assert len(found.cells) == len(found.rows)
    assert all(len(line) == len(found.columns) for line in found.cells)
    marks = {mark for line in found.cells for mark in line}
    assert marks == set(found.legend), "each mark is explained, and none that is not there"
    if (pair[1], pair[0]) not in relations():
        turned = grid(matrix, pair[1], pair[0])
        assert turned.rows == found.columns
        assert tuple(zip(*turned.cells, strict=True)) == found.cells


def test_tensorrt_and_gpus_agree_with_the_look_up(matrix: Matrix) -> None:
    found = grid(matrix, "tensorrt", "gpus")
    marks = {"y": Answer.YES, "s": Answer.YES, "-": Answer.NO, "?": Answer.UNKNOWN}
    for row in releases.all_releases(matrix):
        for capability in found.columns:
            mark = cell(found, row.key, capability)
            assert marks[mark] is releases.serves(row, capability, platform="linux-x86_64").answer, (
                row.key,
                capability,
            )


@pytest.mark.parametrize(
    ("pair", "row", "column", "mark"),
    [
        (("tensorrt", "cuda"), "10.9.0", "12.8", "B"),
        (("tensorrt", "cuda"), "10.9.0", "12.9", "m"),
        (("tensorrt", "cuda"), "10.9.0", "13.0", "-"),
        (("tensorrt", "driver"), "10.16.1", "535", "s"),
        (("tensorrt", "python"), "10.9.0", "3.12", "y"),
        (("tensorrt", "python"), "8.6.1", "3.12", "-"),
        (("cuda", "driver"), "12.8.0", "570", "y"),
        (("cuda", "driver"), "12.8.0", "525", "m"),
        (("cuda", "driver"), "12.8.0", "515", "-"),
        (("cuda", "gpus"), "12.8.0", "12.0", "y"),
        (("driver", "gpus"), "620", "6.1", "-"),
        (("driver", "gpus"), "570", "12.0", "y"),
        (("cudnn", "cuda"), "9.28.1", "13", "y"),
    ],
)
def test_known_cells(matrix: Matrix, pair: tuple[str, str], row: str, column: str, mark: str) -> None:
    assert cell(grid(matrix, *pair), row, column) == mark


def test_a_flavour_narrows(matrix: Matrix) -> None:
    assert cell(grid(matrix, "tensorrt", "cuda", flavour="cu12"), "10.16.1", "13.0") == "-"


def test_other_names_and_no_relation(matrix: Matrix) -> None:
    assert grid(matrix, "trt", "compute_capability").rows == grid(matrix, "tensorrt", "gpus").rows
    with pytest.raises(GridError, match="there are: tensorrt cuda"):
        grid(matrix, "tensorrt", "weather")


def test_what_serves_a_gpu_is_exactly_what_the_look_up_says(matrix: Matrix) -> None:
    what = wanted(matrix, "gpu=RTX 5090")
    assert what.value == "12.0"
    found = {
        (item["version"], item["flavour"]): item["answer"]
        for item in that_serve(matrix, "tensorrt", [what], "linux-x86_64")
    }
    for row in releases.all_releases(matrix):
        for flavour in releases.flavours(row):
            answer = releases.serves(row, "12.0", flavour, "linux-x86_64").answer
            assert found.get((row.key, flavour), "no") == answer.value
    assert ("10.7.0", "cu12") not in found
    assert found["10.9.0", "cu12"] == "yes"


def test_several_wishes_must_all_be_served(matrix: Matrix) -> None:
    wishes = [wanted(matrix, text) for text in ("gpu=8.6", "driver=535.104.05", "python=3.8", "cuda=12.2")]
    found = that_serve(matrix, "tensorrt", wishes, "linux-x86_64")
    assert found
    assert {item["flavour"] for item in found} == {"cu12"}
    assert not any(Version.parse(item["version"]).major > 10 and item["flavour"] == "cu13" for item in found)


def test_a_partial_driver_is_unknown_and_listed_as_such(matrix: Matrix) -> None:
    found = that_serve(matrix, "tensorrt", [wanted(matrix, "driver=525")], "linux-x86_64")
    assert {"unknown"} >= {
        item["answer"] for item in found if item["version"] == "10.9.0" and item["flavour"] == "cu12"
    }


@pytest.mark.parametrize("text", ["gpu", "gpu=", "cpu=1", "gpu=No Such Board", "driver=new", "python=3"])
def test_wishes_that_make_no_sense(matrix: Matrix, text: str) -> None:
    with pytest.raises(WantedError):
        wanted(matrix, text)
