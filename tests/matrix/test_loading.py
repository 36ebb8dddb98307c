"""What the matrix says of loading: it can be read, and lint sees what nothing knows."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import AS_OF, ROOT
from trtdoctor.matrix import Matrix, loading
from trtdoctor.matrix.lint import lint
from trtdoctor.versions import Answer, Version, within


def test_each_module_has_rows_and_steps(matrix: Matrix) -> None:
    table = loading.table(matrix)
    assert {"tensorrt", "tensorrt_rtx", "torch", "onnxruntime"} <= set(table.modules)
    for name, rows in table.modules.items():
        assert all(row.module == name and row.steps and row.recognised_by for row in rows)
    assert table.modules["tensorrt_bindings"][0].part_of == "tensorrt"


def test_what_cudnn_opens_is_by_its_major(matrix: Matrix) -> None:
    rows = loading.table(matrix).opens["libcudnn"]

    def first(version: str) -> tuple[str, ...]:
        fitting = [row for row in rows if within(Version(version), row.versions or "") is Answer.YES and row.call]
        assert len(fitting) == 1
        return fitting[0].names[0]

    assert first("8.6.0") == ("libcudnn_ops_infer.so.8",)
    assert first("9.14.0")[0] == "libcudnn_graph.so.{full}"
    assert first("9")[-1] == "libcudnn_graph.so.9"


def test_the_table_is_made_once(matrix: Matrix) -> None:
    assert loading.table(matrix) is loading.table(matrix)


@pytest.mark.parametrize(
    ("old", "new", "kind", "says"),
    [
        ("{import: tensorrt_bindings}", "{import: tensorrt_bindins}", "relation", "tensorrt_bindins is no module"),
        ("part_of: tensorrt_rtx\n", "part_of: tensorrt_rtz\n", "relation", "tensorrt_rtz is no module"),
        ("library: libcudnn_graph\n", "library: libcudnn_grap\n", "relation", "libcudnn_grap has no row"),
        ("{full}", "{whole}", "row", "nothing fills {whole}"),
        ("{package}", "{packages}", "row", "nothing fills {packages}"),
        ("'(\\\\d+)\"", "'(\\\\d+\"", "row", "no regular expression with one group"),
        ("swallow: true", "swalow: true", "schema", "swalow"),
        ('versions: ">=8.4.1"', 'versions: "8.4.1 or so"', "row", "no specifier"),
    ],
)
def test_lint_sees_what_nothing_knows(tmp_path: Path, old: str, new: str, kind: str, says: str) -> None:
    folder = Path(shutil.copytree(ROOT / "matrix", tmp_path / "matrix"))
    file = folder / "loading.yaml"
    text = file.read_text("utf-8")
    head, body = text.split("schema: ", 1)
    assert old in body, old
    file.write_text(f"{head}schema: {body.replace(old, new, 1)}", "utf-8")
    found = [(item.kind, item.text) for item in lint(str(folder), AS_OF) if item.file == "loading.yaml"]
    assert any(item == kind and says in text for item, text in found), found
