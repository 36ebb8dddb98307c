"""What the matrix lacks, asked of real servers on this machine; and that it lacks nothing of the recorded day."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.run import complains, run
from tests.conftest import ROOT
from tests.matrix.tls import Answer, authority, server
from trtdoctor.matrix import Matrix
from trtdoctor.matrix.outdated import lacks, projects
from trtdoctor.net.simple_page import version_of

RECORDED: dict[str, Any] = json.loads((ROOT / "tests" / "data" / "index-2026-11-22.json").read_text("utf-8"))
JSON = "application/vnd.pypi.simple.v1+json"


@pytest.mark.parametrize("project", sorted(RECORDED["projects"]))
def test_the_matrix_knows_every_version_of_the_recorded_day(matrix: Matrix, project: str) -> None:
    assert [item.version for item in lacks(matrix, project, RECORDED["projects"][project])] == []


def test_what_came_later_is_missed_and_told_from_a_gap(matrix: Matrix) -> None:
    found = lacks(matrix, "tensorrt", ["99.1.0.5", "10.9.9.1", "10.9.0.34", "99.2.0.dev3", "x"])
    assert [(item.version, item.newer) for item in found] == [("99.1.0.5", True), ("10.9.9.1", False)]
    assert lacks(matrix, "tensorrt-rtx", ["9.0.0.1"])[0].newer
    assert lacks(matrix, "nvidia-cudnn-cu13", ["10.0.0.1"])[0].newer
    assert lacks(matrix, "requests", ["1.0"]) == []


def test_the_projects_are_those_of_the_matrix(matrix: Matrix) -> None:
    names = projects(matrix)
    assert {"tensorrt", "tensorrt-cu12", "tensorrt-cu13", "tensorrt-rtx-cu13", "nvidia-cudnn-cu12"} <= set(names)
    assert {"nvidia-cudnn-cu13", "tensorrt-rtx"} <= set(names)
    assert len(names) < 20


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("tensorrt_cu12-10.9.0.34.tar.gz", "10.9.0.34"),
        ("tensorrt_cu12-10.9.0.34-py2.py3-none-manylinux_2_28_x86_64.whl", "10.9.0.34"),
        ("tensorrt-cu12-10.9.0.post1.zip", "10.9.0.post1"),
        ("tensorrt_cu12_libs-10.9.0.34.tar.gz", None),
        ("tensorrt_cu12-10.9.0.34.tar.gz.asc", None),
        ("other-1.0.tar.gz", None),
    ],
)
def test_versions_in_file_names(name: str, version: str | None) -> None:
    assert version_of(name, "tensorrt-cu12") == version


def index(more: dict[str, list[str]], kind: str) -> Callable[[str, dict[str, str]], Answer]:
    """An index with what was recorded and ``more``, as JSON with versions, JSON with files only, or HTML."""

    def answer(path: str, headers: dict[str, str]) -> Answer:
        project = path.strip("/").split("/")[-1]
        listed = [*RECORDED["projects"].get(project, []), *more.get(project, [])]
        if not listed:
            return 404, {}, b""
        assert JSON in headers["accept"]
        names = [f"{project.replace('-', '_')}-{version}.tar.gz" for version in listed]
        if kind == "html":
            links = "".join(f'<a href="{name}#sha256=0">{name}</a><br>' for name in names)
            return 200, {"content-type": "text/html"}, f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
        document: dict[str, Any] = {"name": project, "files": [{"filename": name} for name in names]}
        if kind == "json":
            document["versions"] = listed
        return 200, {"content-type": JSON}, json.dumps(document).encode()

    return answer


@pytest.mark.parametrize("kind", ["json", "files", "html"])
def test_an_index_with_something_new(kind: str) -> None:
    new = {"tensorrt-cu13": ["11.9.0.1"], "nvidia-cudnn-cu13": ["9.99.0.1", "9.99.1.1.dev5"]}
    with server(index(new, kind)) as place:
        ran = run("matrix", "outdated", "--format", "json", PIP_INDEX_URL=f"http://user:SECRET@{place}/simple/")
    assert ran.code == 1, ran.err
    found = json.loads(ran.out)
    assert {(item["name"], item["version"], item["newer"]) for item in found["missing"]} == {
        ("tensorrt-cu13", "11.9.0.1", True),
        ("nvidia-cudnn-cu13", "9.99.0.1", True),
    }
    assert found["asked"][0]["place"] == f"http://{place}/simple/"
    assert "SECRET" not in ran.out + ran.err


def test_an_index_with_nothing_new() -> None:
    with server(index({}, "json")) as place:
        ran = run("matrix", "outdated", PIP_INDEX_URL=f"http://{place}/simple")
    assert (ran.code, ran.err) == (0, "")
    assert "has them all" in ran.out


def test_the_index_of_pips_configuration_file(tmp_path: Path) -> None:
    with server(index({"tensorrt": ["99.0.0.1"]}, "json")) as place:
        (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = http://{place}/simple\n")
        ran = run("matrix", "outdated", PIP_CONFIG_FILE=str(tmp_path / "pip.conf"), PIP_INDEX_URL="")
    assert ran.code == 1, ran.err
    assert "tensorrt 99.0.0.1: newer than the matrix" in ran.out


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((500, {}, b""), "the index answered 500"),
        ((200, {"content-type": JSON}, b"{"), "no list of files"),
        ((200, {"content-type": JSON}, b"[]"), "no list of files"),
        ((200, {"content-type": "text/html"}, b"moved"), "no list of files"),
        ((404, {}, b""), "it has none of tensorrt"),
    ],
)
def test_an_index_that_makes_no_sense(answer: Answer, says: str) -> None:
    with server(lambda *_: answer) as place:
        assert says in complains(run("matrix", "outdated", PIP_INDEX_URL=f"http://{place}/simple"))


def test_offline_it_says_so_and_exits_2() -> None:
    line = complains(run("matrix", "outdated", PIP_INDEX_URL="http://user:SECRET@127.0.0.1:9/simple"))
    assert "no connection" in line
    assert "SECRET" not in line
    assert "PIP_NO_INDEX" in complains(run("matrix", "outdated", PIP_NO_INDEX="1"))


def test_a_registry_with_a_new_month(matrix: Matrix, tmp_path: Path) -> None:
    months: dict[str, set[str]] = {}
    for row in matrix.rows("containers", "images"):
        months.setdefault(str(row.text("image")), set()).add(str(row.text("month")))
    (tmp_path / "ca").mkdir()
    ca, context = authority(tmp_path / "ca")

    def answer(path: str, headers: dict[str, str]) -> Answer:
        if path.startswith("/token"):
            return 200, {}, b'{"token": "abc"}'
        if path.startswith("/simple"):
            return index({}, "json")(path, headers)
        if headers.get("authorization") != "Bearer abc":
            realm = f'Bearer realm="https://{place}/token",scope="x"'
            return 401, {"www-authenticate": realm}, b""
        known = max(months["nvcr.io/" + path.removeprefix("/v2/").partition("/tags")[0]])
        if "last=" in path:
            return 200, {}, f'{{"tags": ["31.02-py3", "{known}-py3", "latest"]}}'.encode()
        link = f"<{path}&last=1>; rel=next"
        return 200, {"link": link}, b'{"tags": ["31.01-py3-igpu", "16.01-py3"]}'

    with server(answer, context) as place:
        folder = tmp_path / "matrix"
        folder.mkdir()
        for source in [*(ROOT / "matrix").glob("*.yaml"), ROOT / "matrix" / "VERSION"]:
            text = source.read_text("utf-8").replace("image: nvcr.io/", f"image: {place}/")
            (folder / source.name).write_text(text, "utf-8")
        ran = run(
            *("matrix", "outdated", "--nvcr", "--matrix", str(folder), "--format", "json"),
            PIP_INDEX_URL=f"https://{place}/simple",
            REQUESTS_CA_BUNDLE=str(ca),
        )
    assert ran.code == 1, ran.err
    assert {(item["version"], item["newer"]) for item in json.loads(ran.out)["missing"]} == {("31.02", True)}
