"""Lint: the matrix of this checkout is clean, and each kind of mistake is seen where it is."""

from __future__ import annotations

import re
import shutil
from datetime import date
from pathlib import Path

import pytest

from tests.conftest import AS_OF, ROOT
from trtdoctor.matrix import MatrixError
from trtdoctor.matrix.lint import lint


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A matrix that a test may spoil."""
    return Path(shutil.copytree(ROOT / "matrix", tmp_path / "matrix"))


def test_the_matrix_is_clean() -> None:
    assert [f"{item.file}: {item.text}" for item in lint(str(ROOT / "matrix"), AS_OF)] == []


def replaced(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text("utf-8")
    assert old in text, old
    (folder / file).write_text(text.replace(old, new, 1), "utf-8")


FIRST_RELEASE = '- version: "11.5.0"\n'


@pytest.mark.parametrize(
    ("file", "old", "new", "kind", "says"),
    [
        ("tensorrt.yaml", FIRST_RELEASE, FIRST_RELEASE + "  status: ga\n", "yaml", "'status' stands twice"),
        ("tensorrt.yaml", FIRST_RELEASE, FIRST_RELEASE + "  colour: red\n", "schema", "colour"),
        ("tensorrt.yaml", "certainty: official\n", "", "certainty", "no certainty for the file"),
        ("tensorrt.yaml", "  certainty: official\n", "  certainty: sure\n", "certainty", "unknown certainty 'sure'"),
        ("tensorrt.yaml", "source: rn_11_5\n", "source: rn_11_55\n", "source", "'rn_11_55' is not in sources.yaml"),
        ("sources.yaml", "sources:\n", "sources:\n  nobody: {url: unknown, title: x}\n", "source", "cited nowhere"),
        ("tensorrt.yaml", FIRST_RELEASE, '- version: "11.5.0"\n  like: "1.0.0"\n', "like", "'1.0.0', which is no row"),
        ("tensorrt.yaml", FIRST_RELEASE, '- version: "11.4.1"\n', "row", "releases 11.4.1: stands there 2 times"),
        ("tensorrt.yaml", FIRST_RELEASE, '- version: "1.5.0"\n', "order", "11.4.1 comes after 1.5.0: newest first"),
        ("tensorrt.yaml", 'value: "2026-11-18"', 'value: "2027-11-18"', "date", "2027-11-18 lies in the future"),
        ("tensorrt.yaml", 'built_with: "13.5"', 'built_with: "13.9"', "relation", "CUDA 13.9 has no row"),
        ("failures.yaml", "- '\\bcudaError(?: =)?", "- '\\bcudaError(?: =?", "row", "is no regular expression"),
        ("failures.yaml", "lib[-+.\\w]{1,120}", "lib[-+.\\w]+", "row", "repeats without a bound"),
        ("failures.yaml", "CUDA GPU properties: cudaError 35", "properties: 35", "row", "no pattern matches"),
        ("failures.yaml", "  also: [library-missing]\n", "", "relation", "library-missing claims a sample of it too"),
        ("failures.yaml", "also: [library-missing]", "also: [none-such]", "relation", "also: none-such is no family"),
        ("failures.yaml", "also: [library-missing]", "also: [library-missing, mpi-missing]", "relation", "none of its"),
        ("failures.yaml", "  follows: [gpu-oom-build", "  follows: [gpu-oom", "relation", "gpu-oom is no family"),
        ("failures.yaml", "load a plan of {got}", "load a plan of {gotten}", "row", "no pattern has a group 'gotten'"),
        ("error_numbers.yaml", "family: no-kernel-image", "family: no-such", "relation", "no-such is no family"),
        ("known_issues.yaml", 'versions: "==10.2.0"', 'versions: "10.2"', "row", "no specifier"),
        ("cudnn.yaml", '- version: "9.28.1"', '- version: "9.27.9"', "order", "9.28.0 comes after 9.27.9"),
        ("api.yaml", 'deprecated: "8.3"\n', 'deprecated: "10.1"\n', "order", "removed 10.0 is before deprecated 10.1"),
    ],
)
def test_each_mistake_is_seen(copied: Path, file: str, old: str, new: str, kind: str, says: str) -> None:
    replaced(copied, file, old, new)
    found = [(item.kind, item.text) for item in lint(str(copied), AS_OF) if item.file == file]
    assert any(item == kind and says in text for item, text in found), found


def test_a_repeated_key_is_named_with_its_line(copied: Path) -> None:
    replaced(copied, "cuda.yaml", "majors:\n", "majors: []\nmajors:\n")
    (item,) = [item for item in lint(str(copied), AS_OF) if item.kind == "yaml"]
    lines = (copied / "cuda.yaml").read_text("utf-8").splitlines()
    assert item.line is not None
    assert re.fullmatch("majors:", lines[item.line - 1])


def test_files_that_are_missing_broken_or_none_of_ours(copied: Path) -> None:
    (copied / "gpus.yaml").unlink()
    (copied / "cuda.yaml").write_text("a: [\n")
    (copied / "errors.yaml").write_text("schema: x\n")
    (copied / "schema" / "api.schema.json").unlink()
    (copied / "more.yaml").write_text("a: 1\n")
    (copied / "VERSION").write_text("2027.1.0\n")
    found = {(item.file, item.kind) for item in lint(str(copied), date(2026, 11, 22))}
    assert {
        ("gpus.yaml", "yaml"),
        ("cuda.yaml", "yaml"),
        ("errors.yaml", "schema"),
        ("api.yaml", "schema"),
        ("more.yaml", "row"),
        ("VERSION", "date"),
    } <= found


def test_a_table_that_no_schema_knows(copied: Path) -> None:
    replaced(copied, "errors.yaml", "cuda:\n", "extra: [{name: a}]\ncuda:\n")
    assert any("extra" in item.text for item in lint(str(copied), AS_OF) if item.kind == "schema")


def test_a_folder_that_is_no_matrix(tmp_path: Path) -> None:
    with pytest.raises(MatrixError, match="is no matrix"):
        lint(str(tmp_path), AS_OF)
