"""Overlays: what they set is theirs by name, what they do not set stays, and they cannot contradict themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import AS_OF, ROOT
from trtdoctor.declared import snapshot_of
from trtdoctor.findings import Report
from trtdoctor.judge import judge
from trtdoctor.matrix import Matrix, MatrixError, Row, load
from trtdoctor.matrix.rows import Fact

HEAD = "schema: trtdoctor-matrix-overlay/1\nname: site\nurl: https://wiki.example.com/gpu\ncertainty: measured\n"


def laid(tmp_path: Path, *texts: str) -> Matrix:
    """The matrix of this checkout with overlays of these texts over it."""
    files = []
    for number, text in enumerate(texts):
        file = tmp_path / f"overlay-{number}.yaml"
        file.write_text(text, "utf-8")
        files.append(file)
    return load(ROOT / "matrix", files)


def row(matrix: Matrix, file: str, table: str, key: str) -> Row:
    """One row."""
    return next(item for item in matrix.rows(file, table) if item.key == key)


def refused(tmp_path: Path, text: str) -> str:
    """The one line that an overlay gets."""
    with pytest.raises(MatrixError) as caught:
        laid(tmp_path, text)
    said = str(caught.value)
    assert "\n" not in said
    assert "overlay-0.yaml" in said
    return said


def report(matrix: Matrix, **environment: Any) -> Report:
    """What ``check`` says of a declared environment."""
    return judge(snapshot_of(environment), matrix, as_of=AS_OF)


TIGHTER = (
    HEAD
    + """
tensorrt:
  releases:
  - version: "10.9.0"
    glibc: {linux-x86_64: "2.31"}
    builds: {cu12: {compute_capabilities: {linux-x86_64: {supported: ["7.5"]}}}}
cuda:
  majors:
  - version: "12"
    driver_floor: {linux: {value: "550.54.14", note: older ones hang here}}
"""
)


def test_a_value_is_named_as_the_overlays_and_its_neighbours_are_not(tmp_path: Path) -> None:
    found = row(laid(tmp_path, TIGHTER), "tensorrt", "releases", "10.9.0")
    plain = row(load(ROOT / "matrix"), "tensorrt", "releases", "10.9.0")
    mine = found.get("glibc", "linux-x86_64")
    assert (mine.value, mine.sources, mine.certainty, mine.overlay) == ("2.31", ("overlay:site",), "measured", "site")
    for path in (("glibc", "linux-aarch64"), ("status",), ("released",), ("builds", "cu12", "built_with")):
        assert found.get(*path) == plain.get(*path), path


def test_a_list_that_cannot_carry_a_source_lends_it_from_the_mapping_around_it(tmp_path: Path) -> None:
    matrix = laid(tmp_path, TIGHTER)
    path = ("builds", "cu12", "compute_capabilities", "linux-x86_64")
    found: Fact = row(matrix, "tensorrt", "releases", "10.9.0").get(*path)
    before: Fact = row(load(ROOT / "matrix"), "tensorrt", "releases", "10.9.0").get(*path)
    assert found.value == {"supported": ["7.5"], "unconfirmed": before.value["unconfirmed"]}
    assert found.sources == ("overlay:site", *before.sources)
    assert found.overlay == "site"


def test_a_note_and_the_address_of_the_overlay_come_along(tmp_path: Path) -> None:
    matrix = laid(tmp_path, TIGHTER)
    floor = row(matrix, "cuda", "majors", "12").get("driver_floor", "linux")
    assert floor.note == "older ones hang here"
    assert matrix.source_url("overlay:site") == "https://wiki.example.com/gpu"
    assert len(matrix.overlays) == 1
    assert matrix.overlays[0].startswith("site@")


def test_the_matrix_below_is_not_touched(tmp_path: Path) -> None:
    laid(tmp_path, TIGHTER)
    assert row(load(ROOT / "matrix"), "cuda", "majors", "12").text("driver_floor", "linux") == "525.60.13"


def test_a_finding_that_rests_on_an_overlay_says_so(tmp_path: Path) -> None:
    environment = {
        "os": "ubuntu-22.04",
        "arch": "x86_64",
        "gpus": [{"name": "Tesla T4"}],
        "driver": "525.147.05",
        "cuda": "12.8",
        "tensorrt": [{"version": "10.9.0", "from": "pip-cu12"}],
    }
    floor = HEAD + 'cuda: {majors: [{version: "12", driver_floor: {linux: "530.30.02"}}]}\n'
    before = report(load(ROOT / "matrix"), **environment)
    after = report(laid(tmp_path, floor), **environment)
    assert not any(source.id.startswith("overlay:") for item in before.findings for source in item.sources)
    named = [item.code for item in after.findings if any(source.id == "overlay:site" for source in item.sources)]
    assert named, [item.title for item in after.findings]
    assert after.matrix.overlays[0].startswith("site@")


def test_a_new_release_takes_the_rest_from_the_row_it_is_like(tmp_path: Path) -> None:
    text = HEAD + 'tensorrt: {releases: [{version: "10.9.7", like: "10.9.0", glibc: {linux-x86_64: "2.35"}}]}\n'
    matrix = laid(tmp_path, text)
    keys = [item.key for item in matrix.rows("tensorrt", "releases")]
    assert keys.index("10.9.7") == keys.index("10.9.0") - 1
    made, base = (row(matrix, "tensorrt", "releases", key) for key in ("10.9.7", "10.9.0"))
    assert made.get("glibc", "linux-x86_64").overlay == "site"
    assert made.get("released").sources == base.get("released").sources
    assert base.text("glibc", "linux-x86_64") == "2.31" or base.get("glibc", "linux-x86_64").overlay is None


def test_a_whole_new_row_is_the_overlays(tmp_path: Path) -> None:
    cells = 'name: Board X, compute_capability: "8.6", class: geforce, architecture: Ampere, pci_ids: []'
    text = HEAD + f"gpus: {{gpus: [{{{cells}}}]}}\n"
    found = row(laid(tmp_path, text), "gpus", "gpus", "Board X").get("compute_capability")
    assert (found.value, found.sources, found.overlay) == ("8.6", ("overlay:site",), "site")


def test_a_change_does_not_reach_rows_that_are_like_the_changed_one(tmp_path: Path) -> None:
    plain = load(ROOT / "matrix")
    pair = next(
        (item["like"], item["version"])
        for item in plain.data["tensorrt"]["releases"]
        if "like" in item and "glibc" not in item
    )
    text = HEAD + f'tensorrt: {{releases: [{{version: "{pair[0]}", glibc: {{linux-x86_64: "2.39"}}}}]}}\n'
    matrix = laid(tmp_path, text)
    assert row(matrix, "tensorrt", "releases", pair[0]).text("glibc", "linux-x86_64") == "2.39"
    assert row(matrix, "tensorrt", "releases", pair[1]).get("glibc") == row(plain, "tensorrt", "releases", pair[1]).get(
        "glibc"
    )


def test_the_later_overlay_wins_and_both_are_named(tmp_path: Path) -> None:
    second = HEAD.replace("site", "lab") + 'cuda: {majors: [{version: "12", driver_floor: {linux: "560.1"}}]}\n'
    matrix = laid(tmp_path, TIGHTER, second)
    floor = row(matrix, "cuda", "majors", "12").get("driver_floor", "linux")
    assert (floor.value, floor.overlay) == ("560.1", "lab")
    assert [item.split("@")[0] for item in matrix.overlays] == ["site", "lab"]


def test_own_sources_are_cited_beside_the_overlay(tmp_path: Path) -> None:
    text = HEAD + (
        "source: lab-2026\nsources: {lab-2026: {url: 'https://lab.example.com/1', title: Lab}}\n"
        'cuda: {majors: [{version: "12", driver_floor: {linux: "550.1"}}]}\n'
    )
    matrix = laid(tmp_path, text)
    floor = row(matrix, "cuda", "majors", "12").get("driver_floor", "linux")
    assert floor.sources == ("overlay:site", "lab-2026")
    assert matrix.source_url("lab-2026") == "https://lab.example.com/1"


def test_the_environment_names_overlays_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(TIGHTER)
    monkeypatch.setenv("TRTDOCTOR_OVERLAY", str(file))
    assert load(ROOT / "matrix").overlays[0].startswith("site@")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "wanted schema"),
        ("a: [\n", "line"),
        ("- 1\n", "wanted schema"),
        ("schema: trtdoctor-matrix-overlay/2\n", "wanted schema"),
        (HEAD + "name: again\n", "'name' stands there twice"),
        (HEAD.replace("name: site", "name: 'a b'"), "name:"),
        (HEAD + "tensort: {}\n", "did you mean tensorrt?"),
        (HEAD + "tensorrt: {relases: []}\n", "did you mean releases?"),
        (HEAD + "tensorrt: {releases: [{glibc: unknown}]}\n", "each row needs version"),
        (HEAD + 'tensorrt: {releases: [{version: "10.9.0", glibs: "2.31"}]}\n', "glibs"),
        (HEAD + 'tensorrt: {releases: [{version: "10.9.0", status: 7}]}\n', "status"),
        (HEAD + 'tensorrt: {releases: [{version: "10.99.0", glibc: unknown}]}\n', "a new row"),
        (HEAD + 'tensorrt: {releases: [{version: "10.99.0", like: "1.2.3"}]}\n', "is like '1.2.3', which is no row"),
        (HEAD.replace("certainty: measured", "") + "tensorrt: {releases: []}\n", "certainty"),
        (HEAD + "source: nowhere\ncuda: {majors: [{version: '12', driver_branch: '530'}]}\n", "'nowhere' is not in"),
        (
            HEAD + "cuda: {majors: [{version: '12', driver_branch: '530'}, {version: '12', driver_branch: '550'}]}\n",
            "driver_branch is 530 and 550: the overlay contradicts itself",
        ),
        (
            HEAD
            + 'forbid: [{component: tensorrt, versions: ">=10.9,<10.10", reason: why}]\n'
            + 'tensorrt: {releases: [{version: "10.9.0", glibc: {linux-x86_64: "2.31"}}]}\n',
            "has a row and is forbidden",
        ),
        (HEAD + 'forbid: [{component: tensort, versions: "<10", reason: why}]\n', "did you mean tensorrt?"),
        (HEAD + "forbid: [{component: tensorrt, versions: soon, reason: why}]\n", "wanted a specifier"),
        (HEAD + 'forbid: [{component: tensorrt, versions: "<10"}]\n', "wanted component, versions and reason"),
        (HEAD + "forbid: {a: 1}\n", "wanted a list"),
        (
            HEAD
            + 'forbid: [{component: cuda, versions: "<9", reason: a}, {component: cuda, versions: "<9", reason: b}]\n',
            "stands there twice, and not alike",
        ),
        (HEAD + "sources: {pypi: {url: 'https://elsewhere.example'}}\n", "the matrix has another pypi"),
    ],
)
def test_what_is_wrong_gets_one_clear_line(text: str, says: str, tmp_path: Path) -> None:
    assert says in refused(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MatrixError, match="No such file"):
        load(ROOT / "matrix", [tmp_path / "none.yaml"])


def test_two_overlays_of_one_name(tmp_path: Path) -> None:
    with pytest.raises(MatrixError, match="of the name site already"):
        laid(tmp_path, TIGHTER, HEAD)


# -- forbid ------------------------------------------------------------------------------------------------------------

FORBID = (
    HEAD
    + """
forbid:
- {component: tensorrt, versions: ">=10.3,<10.4", reason: wrong numbers in our models}
- {component: driver, versions: "<550", reason: hangs, severity: warning}
- {component: "package:Torch", versions: "==2.5.*", reason: slow}
- {component: gpu, versions: "<7.5", reason: too old for us}
"""
)


def test_what_is_forbidden_is_an_error_that_names_the_overlay(tmp_path: Path) -> None:
    found = report(laid(tmp_path, FORBID), tensorrt="10.3.0", driver="560.35.03")
    (item,) = [item for item in found.findings if item.code == "POL101"]
    assert item.severity.value == "error"
    assert item.title == "TensorRT 10.3.0 is forbidden by overlay site: wrong numbers in our models"
    assert [source.id for source in item.sources] == ["overlay:site"]
    assert item.components == ("policy", "tensorrt")
    assert item.fix


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"tensorrt": "10.4.0", "driver": "560.35.03"}, []),
        ({"tensorrt": "10.2.0", "driver": "550.54.14"}, []),
        ({"driver": "535.104.05"}, ["warning driver"]),
        ({"packages": {"torch": "2.5.1"}}, ["error torch"]),
        ({"packages": {"torch": "2.6.0"}}, []),
        ({"gpus": [{"name": "Tesla V100"}]}, ["error compute capability"]),
        ({"gpus": [{"name": "Tesla T4"}]}, []),
    ],
)
def test_only_what_is_forbidden(environment: dict[str, Any], said: list[str], tmp_path: Path) -> None:
    found = report(laid(tmp_path, FORBID), **environment)
    titles = [f"{item.severity.value} {item.title}" for item in found.findings if item.code == "POL101"]
    assert len(titles) == len(said)
    assert all(title.startswith(start) for title, start in zip(titles, said, strict=True)), titles


def test_a_version_too_partial_to_tell_is_unknown_and_no_error(tmp_path: Path) -> None:
    text = HEAD + 'forbid: [{component: tensorrt, versions: "==10.3.1", reason: why}]\n'
    found = report(laid(tmp_path, text), tensorrt="10.3")
    assert not [item for item in found.findings if item.code == "POL101"]
    assert any("overlay site forbids ==10.3.1" in item.why for item in found.unknowns)


def test_of_several_copies_some_forbidden_ones_warn(tmp_path: Path) -> None:
    two = [{"version": "10.3.0", "from": "apt"}, {"version": "10.4.0", "from": "pip"}]
    found = report(laid(tmp_path, FORBID), tensorrt=two)
    assert [item.severity.value for item in found.findings if item.code == "POL101"] == ["warning"]
