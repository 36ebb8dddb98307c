"""``trtdoctor matrix`` as users type it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.run import ROOT, complains, run
from trtdoctor.cli.matrix import COMMANDS

OVERLAY = """schema: trtdoctor-matrix-overlay/1
name: site
certainty: measured
tensorrt: {releases: [{version: "10.9.0", glibc: {linux-x86_64: "2.31"}}]}
forbid: [{component: tensorrt, versions: ">=10.3,<10.4", reason: wrong numbers}]
"""


@pytest.fixture
def overlay(tmp_path: Path) -> str:
    """A file with a small overlay."""
    file = tmp_path / "site.yaml"
    file.write_text(OVERLAY)
    return str(file)


def narrow(text: str) -> bool:
    """Whether a text fits 80 columns but for addresses, which are there to be copied."""
    return all(len(line) <= 80 or "://" in line for line in text.splitlines())


def document(name: str, *arguments: str, code: int = 0) -> dict[str, Any]:
    """The JSON that a command prints."""
    ran = run("matrix", *arguments, "--format", "json")
    assert (ran.code, ran.err) == (code, "")
    found: dict[str, Any] = json.loads(ran.out)
    assert found["schema"] == f"trtdoctor-matrix-{name}/1"
    return found


def test_help_names_every_command() -> None:
    text = run("matrix", "--help").out
    assert all(name in text for name in COMMANDS)


def test_a_row_is_pleasant_to_read() -> None:
    ran = run("matrix", "show", "tensorrt", "10.9.0")
    assert ran.code == 0
    assert ran.out.startswith("releases 10.9.0\n")
    assert narrow(ran.out)
    assert "  rn_10_8_0: https://" in ran.out


def test_table_and_json_of_a_row_hold_the_same_values() -> None:
    values = document("show", "show", "cuda", "12.8.1")["rows"][0]["values"]
    text = " ".join(run("matrix", "show", "cuda", "12.8.1").out.split())
    for value in values:
        assert value["name"] in text
        assert {"name", "value", "sources", "certainty", "note", "overlay"} == set(value)


def test_what_serves_a_gpu() -> None:
    ran = run("matrix", "show", "--for", "gpu=RTX 5090")
    assert ran.code == 0
    assert narrow(ran.out)
    assert "compute capability 12.0" in ran.out
    rows = [line.split() for line in ran.out.splitlines()]
    assert ["10.8.0", "12", "yes"] in [row[:3] for row in rows]
    assert not any(row[:1] == ["10.7.0"] for row in rows)
    builds = document("serving", "show", "tensorrt", "--for", "gpu=RTX 5090")["builds"]
    assert {(item["version"], item["flavour"][2:]) for item in builds} == {
        (row[0], row[1]) for row in rows if len(row) > 2 and row[2] in ("yes", "unknown")
    }


def test_a_grid_in_every_format() -> None:
    table = run("matrix", "grid", "tensorrt", "cuda").out
    assert narrow(table)
    found = document("grid", "grid", "tensorrt", "cuda")
    rows = list(csv.reader(io.StringIO(run("matrix", "grid", "tensorrt", "cuda", "--format", "csv").out)))
    assert rows[0][0] == "tensorrt/cuda"
    assert {row[0]: dict(zip(rows[0][1:], row[1:], strict=True)) for row in rows[1:]} == found["cells"]
    markdown = run("matrix", "grid", "tensorrt", "cuda", "--format", "markdown").out.splitlines()
    assert markdown[0].count("|") == len(rows[0]) + 1
    assert len([line for line in markdown if line.startswith("|")]) == len(rows) + 1
    assert found["cells"]["10.9.0"]["12.8"] == "B"
    assert found["legend"]["B"] in table


def test_coverage_and_lint() -> None:
    assert narrow(run("matrix", "coverage").out)
    files = document("coverage", "coverage")["files"]
    assert {"tensorrt", "cuda", "gpus"} <= {item["file"] for item in files}
    ran = run("matrix", "lint", "--as-of", "2026-11-22")
    assert (ran.code, ran.err) == (0, ""), ran.out


def test_lint_of_a_spoiled_matrix_exits_1_and_says_where(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ROOT / "matrix", tmp_path / "matrix"))
    (folder / "cuda.yaml").write_text("majors: []\n" + (folder / "cuda.yaml").read_text("utf-8"), "utf-8")
    ran = run("matrix", "lint", str(folder), "--as-of", "2026-11-22")
    assert ran.code == 1
    assert "cuda.yaml:" in ran.out
    assert "key 'majors' stands twice" in ran.out
    found = document("lint", "lint", str(folder), "--as-of", "2026-11-22", code=1)["problems"]
    assert any(item["file"] == "cuda.yaml" and item["line"] for item in found)


def test_diff_says_what_changed_and_its_certainty(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ROOT / "matrix", tmp_path / "matrix"))
    text = (folder / "cuda.yaml").read_text("utf-8")
    changed = text.replace('{linux: "525.60.13"', '{linux: {value: "525.1", certainty: secondary}', 1)
    (folder / "cuda.yaml").write_text(changed, "utf-8")
    ran = run("matrix", "diff", "packaged", str(folder))
    line = "~ cuda majors 12, driver_floor linux: 525.60.13 -> 525.1; certainty official -> secondary"
    assert line in ran.out.splitlines()
    assert ran.code == 0
    assert run("matrix", "diff", "packaged", str(folder), "--exit-code").code == 1
    assert run("matrix", "diff", "packaged", "packaged", "--exit-code").code == 0
    assert len(document("diff", "diff", "packaged", str(folder))["changes"]) == 1


def test_bundle_writes_what_it_says(tmp_path: Path) -> None:
    file = tmp_path / "b.tar.gz"
    ran = run("matrix", "bundle", "-o", str(file))
    assert (ran.code, ran.err) == (0, "")
    assert hashlib.sha256(file.read_bytes()).hexdigest() in ran.out
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar.gz"]


def test_an_overlay_is_named_wherever_it_speaks(overlay: str) -> None:
    checked = run("check", "--set", "tensorrt=10.3.0", "--overlay", overlay)
    assert checked.code == 1
    assert "POL101" in checked.out
    assert "overlay:site" in checked.out
    assert "overlays site@" in checked.out
    assert "POL101" in run("check", "--set", "tensorrt=10.3.0", TRTDOCTOR_OVERLAY=overlay).out
    assert "POL101" not in run("check", "--set", "tensorrt=10.3.0").out
    assert "(overlay measured, overlay:site)" in run("matrix", "show", "tensorrt", "10.9.0", "--overlay", overlay).out


def test_an_overlay_changes_the_report_and_its_schema_still_fits(overlay: str) -> None:
    import jsonschema

    ran = run("check", "--set", "tensorrt=10.3.0", "--overlay", overlay, "--format", "json")
    found = json.loads(ran.out)
    jsonschema.validate(found, json.loads((ROOT / "trtdoctor" / "schemas" / "report.schema.json").read_text()))
    assert found["matrix"]["overlays"][0].startswith("site@")
    assert found["matrix"]["age_days"] >= 0


def test_an_overlay_that_contradicts_itself_exits_2(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(OVERLAY.replace('"10.9.0"', '"10.3.0"'))
    line = complains(run("check", "--set", "tensorrt=10.9.0", "--overlay", str(file)))
    assert "the overlay contradicts itself" in line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["show"], "name a COMPONENT"),
        (["show", "tensort"], "did you mean tensorrt?"),
        (["show", "cuda", "--for", "gpu=8.6"], "tensorrt or tensorrt-rtx"),
        (["show", "--for", "gpu=Nothing 3000"], "no GPU 'Nothing 3000'"),
        (["show", "--for", "gpu=8.6", "--platform", "mac"], "known are linux-x86_64"),
        (["grid", "tensorrt", "weather"], "there are: tensorrt cuda"),
        (["grid", "tensorrt", "cuda", "--flavour", "12"], "wanted one such as cu12"),
        (["lint", "/nowhere"], "is no matrix"),
        (["diff", "packaged", "/nowhere"], "No such file"),
        (["bundle", "/nowhere"], "is no matrix"),
        (["bundle", "-o", "/nowhere/b.tar.gz"], "/nowhere/b.tar.gz"),
        (["shwo"], "did you mean show?"),
        (["coverage", "--overlay", "/nowhere.yaml"], "No such file"),
    ],
)
def test_bad_usage_gets_one_line(arguments: list[str], says: str) -> None:
    assert says in complains(run("matrix", *arguments))
