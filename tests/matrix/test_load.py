"""Finding, compiling and remembering the matrix."""

from __future__ import annotations

import json
import os
import shutil
from datetime import date
from pathlib import Path

import jsonschema
import pytest

from tests.conftest import ROOT
from trtdoctor.matrix import MatrixError, load
from trtdoctor.matrix.compiled import compile_files
from trtdoctor.matrix.load import FILES, digest_of
from trtdoctor.matrix.rows import Origin, Row
from trtdoctor.yamlfile import parse

MATRIX = ROOT / "matrix"
CERTAINTIES = {"official", "measured", "secondary", "inferred"}


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A matrix that a test may change."""
    return Path(shutil.copytree(MATRIX, tmp_path / "matrix"))


@pytest.mark.parametrize("name", FILES)
def test_every_file_fits_its_schema(name: str) -> None:
    schema = json.loads((MATRIX / "schema" / f"{name}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(parse((MATRIX / f"{name}.yaml").read_bytes()), schema)


def walk(value: object) -> list[dict[str, object]]:
    if isinstance(value, dict):
        return [value, *(inner for item in value.values() for inner in walk(item))]
    return [inner for item in value for inner in walk(item)] if isinstance(value, list) else []


@pytest.mark.parametrize("name", [name for name in FILES if name != "sources"])
def test_every_value_has_a_known_source_and_certainty(name: str) -> None:
    known = set(parse((MATRIX / "sources.yaml").read_bytes())["sources"])
    data = parse((MATRIX / f"{name}.yaml").read_bytes())
    assert "source" in data
    assert data["certainty"] in CERTAINTIES
    for mapping in walk(data):
        if isinstance(mapping.get("certainty"), str):
            assert mapping["certainty"] in CERTAINTIES
        source = mapping.get("source")
        if isinstance(source, (str, list)):
            cited = set(source) if isinstance(source, list) else {source}
            assert cited <= known, cited - known


def test_no_source_is_there_for_nothing() -> None:
    cited: set[str] = set()
    for name in FILES:
        if name != "sources":
            for mapping in walk(parse((MATRIX / f"{name}.yaml").read_bytes())):
                source = mapping.get("source")
                if isinstance(source, (str, list)):
                    cited |= set(source) if isinstance(source, list) else {source}
    assert set(parse((MATRIX / "sources.yaml").read_bytes())["sources"]) - cited == set()


def test_no_registry_host_is_named() -> None:
    words = ["pypi" + ".org", "pythonhosted" + ".org", "deb.debian" + ".org", "registry.npmjs" + ".org"]
    for path in [
        *MATRIX.rglob("*.yaml"),
        *(ROOT / "trtdoctor").rglob("*.py"),
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "README.md",
    ]:
        text = path.read_text("utf-8").lower()
        assert not any(word in text for word in words), path


def test_an_edit_is_never_hidden_by_the_cache(copied: Path) -> None:
    before = load(copied)
    text = (copied / "cuda.yaml").read_text("utf-8")
    assert "525.60.13" in text
    (copied / "cuda.yaml").write_text(text.replace("525.60.13", "525.99.99"), "utf-8")
    shutil.copytree(copied, copied.parent / "again" / "matrix")
    after = load(copied.parent / "again" / "matrix")
    assert after.digest != before.digest
    assert "525.99.99" in json.dumps([row.plain for row in after.rows("cuda", "majors")])


def test_a_damaged_compiled_form_is_not_believed(copied: Path) -> None:
    good = load(copied)
    for content in (b"", b"{", b"[]", f"{good.digest} {'0' * 64}\n{{}}".encode(), b"[" * 100000):
        place = copied.parent / f"m{len(content)}"
        shutil.copytree(copied, place / "matrix")
        (place / "matrix.jsonl").write_bytes(content)
        assert load(place / "matrix").rows("cuda", "majors")


def test_a_home_that_cannot_be_written_only_costs_time(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    assert load(copied).rows("tensorrt", "releases")


def test_the_cache_is_private(copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    load(copied)
    folder = tmp_path / "c" / "trtdoctor"
    assert os.stat(folder).st_mode & 0o777 == 0o700
    assert [path.suffix for path in folder.iterdir()] == [".jsonl"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda folder: (folder / "gpus.yaml").unlink(), "gpus.yaml"),
        (lambda folder: (folder / "gpus.yaml").write_bytes(b"\x00\xff"), "gpus.yaml"),
        (lambda folder: (folder / "gpus.yaml").write_text("schema: x\n"), "wanted schema"),
        (lambda folder: (folder / "gpus.yaml").write_text("a: [\n"), "gpus.yaml: line"),
        (lambda folder: (folder / "VERSION").unlink(), "VERSION"),
        (lambda folder: (folder / "VERSION").write_text("soon"), "VERSION"),
    ],
)
def test_a_broken_matrix_is_one_clear_line(copied: Path, change: object, says: str) -> None:
    change(copied)  # type: ignore[operator]
    with pytest.raises(MatrixError) as caught:
        load(copied)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_provenance_is_inherited_and_overridden() -> None:
    row = Row(
        {
            "version": "1",
            "plain": ["a"],
            "over": {"value": "b", "source": "s2", "certainty": "measured", "note": "seen"},
            "nest": {"source": "s3", "x": {"y": "deep"}, "z": {"value": "q", "certainty": "inferred"}},
            "nothing": "unknown",
        },
        Origin(("s1",), "official", "f.yaml: t 1"),
        "1",
    )
    assert (row.get("plain").value, row.get("plain").sources, row.get("plain").certainty) == (
        ["a"],
        ("s1",),
        "official",
    )
    over = row.get("over")
    assert (over.value, over.sources, over.certainty, over.note) == ("b", ("s2",), "measured", "seen")
    assert (row.get("nest", "x", "y").value, row.get("nest", "x", "y").sources) == ("deep", ("s3",))
    assert (row.get("nest", "z").value, row.get("nest", "z").sources, row.get("nest", "z").certainty) == (
        "q",
        ("s3",),
        "inferred",
    )
    assert not row.get("nothing").known
    assert not row.get("nothing", "below").known
    assert row.get("absent").value is None
    assert row.get("plain", "below").value is None


def test_age_and_digest() -> None:
    found = load(MATRIX)
    assert found.age_days(date(2026, 11, 22)) == 21
    assert found.age_days(date(2020, 1, 1)) == 0
    raw = {name: (MATRIX / f"{name}.yaml").read_bytes() for name in FILES}
    assert digest_of(found.version, raw) == found.digest
    assert set(compile_files(raw)) == set(FILES)
