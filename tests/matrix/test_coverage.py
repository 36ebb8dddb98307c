"""Coverage counts what is there."""

from __future__ import annotations

from tests.conftest import ROOT
from trtdoctor.matrix import Matrix
from trtdoctor.matrix.coverage import coverage
from trtdoctor.matrix.load import FILES
from trtdoctor.yamlfile import parse


def test_every_file_is_counted_and_the_numbers_add_up(matrix: Matrix) -> None:
    found = {item.file: item for item in coverage(matrix)}
    assert set(found) == set(FILES) - {"sources"}
    for item in found.values():
        assert item.values == sum(item.certainties.values()) + item.unknown
        assert item.rows > 0
        assert 0 <= item.share(item.unknown) < 1


def test_rows_are_those_of_the_file(matrix: Matrix) -> None:
    plain = parse((ROOT / "matrix" / "gpus.yaml").read_bytes())
    found = {item.file: item for item in coverage(matrix)}
    assert found["gpus"].rows == len(plain["gpus"]) + 1  # and the mapping of rules for names


def test_the_newest_row_is_by_date_where_there_are_dates(matrix: Matrix) -> None:
    found = {item.file: item for item in coverage(matrix)}
    released = [row.text("released") or "" for row in matrix.rows("tensorrt", "releases")]
    assert max(text for text in released if text[:1].isdigit()) in (found["tensorrt"].newest or "")
    assert found["drivers"].newest == "620"


def test_a_small_matrix_by_hand() -> None:
    files = {name: {} for name in FILES} | {  # type: ignore[var-annotated]
        "cuda": {
            "source": "s",
            "certainty": "official",
            "toolkits": [
                {"version": "1.0", "a": "x", "b": {"value": "y", "certainty": "inferred"}, "c": "unknown"},
                {"version": "2.0", "certainty": "measured", "a": ["x"]},
            ],
        }
    }
    (item,) = [item for item in coverage(Matrix("2026.1.0", "0", files)) if item.file == "cuda"]
    assert (item.rows, item.values, item.unknown, item.newest) == (2, 6, 1, "2.0")
    assert item.certainties == {"official": 2, "measured": 2, "secondary": 0, "inferred": 1}
