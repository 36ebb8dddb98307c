"""What wheels and source archives say of themselves, whatever is in them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.markers import default_environment
from packaging.tags import sys_tags

from trtdoctor.fetch.contents import ContentError, Stub, of_archive, of_metadata, of_wheel
from trtdoctor.fetch.target import Target

# As in tensorrt_cu12_libs-10.3.0.tar.gz, whose files lie in no directory.
OLD_STUB = '[build-system]\nrequires = ["nvidia-stub"]\nbuild-backend = "nvidia_stub.buildapi"\n'
# As in tensorrt_cu13_libs-11.4.0.106.tar.gz.
NEW_STUB = (
    '[build-system]\nrequires = ["wheel-stub"]\nbuild-backend = "wheel_stub.buildapi"\n'
    '[tool.wheel_stub]\nindex_url = "https://pypi.nvidia.com/"\ninclude_cuda_debuginfo = true\n'
)


def archive(place: Path, files: dict[str, str]) -> str:
    with tarfile.open(place, "w:gz") as made:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            made.addfile(entry, io.BytesIO(text.encode()))
    return str(place)


@pytest.mark.parametrize(
    ("text", "folder", "stub"),
    [
        (OLD_STUB, "", Stub("https://pypi.nvidia.com", "NVIDIA_PIP_INDEX_URL")),
        (NEW_STUB, "tensorrt_cu13_libs-11.4.0.106/", Stub("https://pypi.nvidia.com", "WHEEL_STUB_PIP_INDEX_URL")),
        ('[build-system]\nrequires = []\nbuild-backend = "setuptools.build_meta"\n', "a-1/", None),
    ],
)
def test_a_stub_is_told_by_its_build_backend(tmp_path: Path, text: str, folder: str, stub: Stub | None) -> None:
    found = of_archive(archive(tmp_path / "a.tar.gz", {f"{folder}pyproject.toml": text}))
    assert found.stub == stub


def test_requirements_of_an_archive_count_only_where_they_are_final(tmp_path: Path) -> None:
    said = {"2.1": None, "2.2": ["b>=1"], "2.4": ["b>=1"]}
    for version, wanted in said.items():
        text = f"Metadata-Version: {version}\nName: a\nVersion: 1\nRequires-Dist: b>=1\n"
        found = of_archive(archive(tmp_path / "a.tar.gz", {"a-1/PKG-INFO": text}))
        assert (found.requires and [str(item) for item in found.requires]) == wanted
        assert [str(item) for item in found.build_requires] == ["setuptools>=40.8.0"]
    text = "Metadata-Version: 2.2\nName: a\nVersion: 1\nDynamic: Requires-Dist\n"
    assert of_archive(archive(tmp_path / "a.tar.gz", {"a-1/PKG-INFO": text})).requires is None


def test_a_file_of_a_deeper_folder_counts_for_nothing(tmp_path: Path) -> None:
    found = of_archive(archive(tmp_path / "a.tar.gz", {"a-1/vendored/b-1/pyproject.toml": NEW_STUB}))
    assert found.stub is None


@given(content=st.binary(max_size=300) | st.binary(max_size=200).map(b"PK\x03\x04".__add__))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_garbage_is_told_as_such(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    for read in (of_wheel, of_archive):
        with pytest.raises(ContentError) as caught:
            read(str(tmp_path / "a"))
        assert str(caught.value).isprintable()


@cache
def packed(kind: int) -> bytes:
    """A wheel, packed in one of the ways that there are; made once, for it holds the time."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", kind) as file:
        file.writestr("a-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: a\nVersion: 1.0\n" * 20)
        file.writestr("a/\u00e9.py", "x")
    return made.getvalue()


@cache
def rolled(mode: str) -> bytes:
    """A source archive, packed in one of the ways, with what later formats add."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode, format=tarfile.PAX_FORMAT) as file:  # type: ignore[call-overload]
        for name in ("x", "PKG-INFO"):
            entry = tarfile.TarInfo(f"a-1.0/{name}")
            entry.size, entry.pax_headers = 20, {"mtime": "1.5", "GNU.sparse.map": "1,2"} if name == "x" else {}
            file.addfile(entry, io.BytesIO(b"Name: a\nVersion: 1.0"))
    return made.getvalue()


WHOLE = {
    **{
        packed(kind): of_wheel
        for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    },
    **{rolled(mode): of_archive for mode in ("w:", "w:gz", "w:xz", "w:bz2")},
}


def read_or_refused(place: Path, content: bytes, whole: bytes) -> None:
    place.write_bytes(content)
    try:
        WHOLE[whole](str(place))
    except ContentError as error:
        assert str(error).isprintable()


@given(
    whole=st.sampled_from(list(WHOLE)),
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=6),
    end=st.integers(1, 3000),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_damaged_is_refused_or_read(
    tmp_path: Path, whole: bytes, changes: list[tuple[int, int]], end: int
) -> None:
    content = bytearray(whole)
    for place, value in changes:
        content[place % len(content)] = value
    read_or_refused(tmp_path / "a", bytes(content[:end]), whole)


def test_names_and_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    name = packed(zipfile.ZIP_STORED)
    read_or_refused(tmp_path / "a", name.replace("\u00e9".encode(), b"\xff\xfe"), name)
    number = rolled("w:")
    read_or_refused(tmp_path / "a", number.replace(b"GNU.sparse.map=1,2", b"GNU.sparse.map=x,y"), number)


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_metadata_raise_nothing_else(content: bytes) -> None:
    for body in (content, b"Metadata-Version: 2.1\nName: a\nRequires-Dist: " + content):
        assert "\n" not in complaint(body)


def complaint(content: bytes) -> str:
    try:
        of_metadata(content)
    except ContentError as error:
        return str(error)
    return ""


def test_a_wheel_with_two_metadata_is_none(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as made:
        made.writestr("a-1.dist-info/METADATA", "Name: a\n")
        made.writestr("b-1.dist-info/METADATA", "Name: b\n")
    with pytest.raises(ContentError, match="no metadata"):
        of_wheel(str(tmp_path / "a.whl"))


def test_a_target_like_this_machine_answers_as_this_machine_does() -> None:
    """Every marker that does not name a patch release or a kernel."""
    here = default_environment()
    if here["sys_platform"] != "linux":
        pytest.skip("the other side of this comparison is a Linux machine")
    target = Target(here["python_version"], f"linux-{here['platform_machine']}", "2.36")
    same = {key: value for key, value in here.items() if not key.endswith(("_release", "full_version", "_version"))}
    assert {key: target.markers()[key] for key in same} == same
    assert target.markers().keys() >= here.keys()
    generic = {tag for tag in sys_tags() if tag.platform == "any"}
    assert generic <= target.tags().keys()
