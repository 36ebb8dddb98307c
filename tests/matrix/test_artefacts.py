"""The recorded files of the package index in the real matrix, their look-ups, and the tool that records them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.tags import sys_tags
from packaging.utils import parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

from tests.conftest import ROOT
from tests.matrix.tls import Answer, server
from tests.tools.index_metadata import Setup, metadata_of_wheel, of_metadata
from tests.tools.record_index import KINDS, OTHERS, wanted
from trtdoctor.matrix import Matrix, artefacts, distributions, wheels
from trtdoctor.matrix.artefacts import Artefact, fitting
from trtdoctor.matrix.rows import Row
from trtdoctor.versions import Version as Written

ROWS: list[dict[str, Any]] = yaml.load(
    (ROOT / "matrix" / "artefacts.yaml").read_text("utf-8"),
    Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader),
)["artefacts"]
SCHEMA = json.loads((ROOT / "matrix" / "schema" / "artefacts.schema.json").read_text("utf-8"))
IDS = [tuple(str(row["id"]).split(" ")) for row in ROWS]
LINUX = {"platform": "linux-x86_64", "glibc": "2.35"}


def normal(requirement: str) -> tuple[str, str]:
    found = Requirement(requirement)
    return distributions.normalise(found.name), str(found.specifier)


# -- the file ----------------------------------------------------------------------------------------------------------


def test_the_file_fits_its_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    row = jsonschema.Draft202012Validator({**SCHEMA["properties"]["artefacts"]["items"], "$defs": SCHEMA["$defs"]})
    assert not [f"{one['id']}: {error.message[:200]}" for one in ROWS for error in row.iter_errors(one)]
    assert len(set(IDS)) == len(IDS)


def test_every_name_is_one_of_its_version_and_no_digest_stands_twice(matrix: Matrix) -> None:
    digests: dict[str | None, str] = {}
    for distribution, version in IDS:
        found = artefacts.files(matrix, distribution, version)
        assert found
        for item in found:
            named = (parse_wheel_filename if item.name.endswith(".whl") else parse_sdist_filename)(item.name)
            assert (named[0], named[1]) == (distribution, Version(version))
            assert item.size is not None
            assert digests.setdefault(item.sha256, item.name) == item.name


def test_rows_are_newest_first_and_no_day_is_that_of_a_later_release(matrix: Matrix) -> None:
    for distribution in {name for name, _ in IDS}:
        listed = [Version(version) for name, version in IDS if name == distribution]
        assert listed == sorted(listed, reverse=True)
    assert all(date(2019, 1, 1) < date.fromisoformat(row["uploaded"]) <= date.today() for row in ROWS)


def in_scope(matrix: Matrix) -> Iterator[tuple[str, str]]:
    """What the matrix knows and the recording should have, by its own words: see the head of artefacts.yaml."""
    for name in wheels.distributions(matrix):
        final = [text for text in wheels.versions(matrix, name) if not Version(text).is_prerelease]
        known = [text for text in final if wheels.kind(row_of(matrix, name, text)) in KINDS]
        if re.search(r"lean|dispatch", name):
            known = list({Version(text).major: text for text in reversed(known)}.values())
        yield from ((name, text) for text in known)
    for row in matrix.rows("cudnn", "releases"):
        flavours = row.get("flavours").value
        for flavour in flavours if isinstance(flavours, dict) else ():
            version = row.text("flavours", flavour, "wheel")
            if version not in (None, "none"):
                yield f"nvidia-cudnn-{flavour}", str(version)
    for row in matrix.rows("cuda", "toolkits"):
        for version in row.get("cudart_wheels").value or ():
            major = int(version.partition(".")[0])
            yield "nvidia-cuda-runtime" + (f"-cu{major}" if major < 13 else ""), version


def row_of(matrix: Matrix, name: str, version: str) -> Row:
    found = wheels.of(matrix, name, Written.parse(version))
    assert found is not None
    return found


def test_every_version_of_the_matrix_in_scope_is_recorded_and_nothing_else(matrix: Matrix) -> None:
    scope = set(in_scope(matrix))
    assert not {" ".join(item) for item in scope} - {row["id"] for row in ROWS}
    beyond = {name for name, version in IDS if (name, version) not in scope}
    assert beyond <= set(OTHERS)
    assert set(OTHERS) <= {name for name, _ in IDS}


def test_wheels_yaml_and_the_recording_say_the_same(matrix: Matrix) -> None:
    differing = []
    for row, (name, version) in zip(ROWS, IDS, strict=True):
        if name not in wheels.distributions(matrix):
            continue
        said = row_of(matrix, name, version)
        kind = "stub" if "stub_of" in row else "real" if "wheels" in row else "meta"
        tags = {(platform.split(".")[-1], one) for platform, of in row.get("wheels", {}).items() for one in of}
        listed = {(platform, one) for platform, of in wheels.tags(said).items() for one in of}
        if kind != wheels.kind(said) or {(place, one.rpartition("-")[2]) for place, one in tags} != {
            item for item in listed if item[1] not in ("cp36", "cp37")
        }:
            differing.append(row["id"])
        if kind == "meta" and row.get("nested") != "unknown":
            found = dict(map(normal, row["requires"] or row["nested"]))
            brought = wheels.resolves_to(said)
            both = {*(brought.value if brought else ()), *(said.get("resolves_to_windows").value or ())}
            own = "==" + version.replace("8.6.1.post1", "8.6.1")
            pins = {True: {own}, False: {""}}[bool(wheels.pins(said))]
            if set(found) != both or set(found.values()) != pins:
                differing.append(f"{row['id']}: {found}")
    assert differing == []


# -- look-ups ----------------------------------------------------------------------------------------------------------


def test_the_file_that_pip_takes(matrix: Matrix) -> None:
    taken = fitting(matrix, "tensorrt_cu12.bindings", "10.9.0.34", python="3.10.12", **LINUX)
    assert taken == Artefact(
        "tensorrt_cu12_bindings-10.9.0.34-cp310-none-manylinux_2_28_x86_64.whl",
        1163408,
        "7241fa4d0f9b87f20b5f8c490d9c36fdbb61313535555be46037cf7a0640a1b8",
    )


@pytest.mark.parametrize(
    ("distribution", "version", "python", "platform", "glibc", "name"),
    [
        ("tensorrt-cu12-bindings", "10.9.0.34", "3.10", "linux-x86_64", "2.27", None),  # glibc too old
        ("tensorrt-cu12-bindings", "10.9.0.34", "3.14", "linux-x86_64", "2.35", None),  # no such Python yet
        ("tensorrt-cu12-bindings", "10.9.0.34", "3.7", "linux-x86_64", "2.35", None),  # not recorded
        ("tensorrt-cu12-bindings", "10.9.0.34", "3.12", "linux-x86_64", None, "cp312-none-manylinux_2_28_x86_64"),
        ("tensorrt-cu12-bindings", "10.9.0.34", None, "linux-x86_64", "2.35", None),  # one for each Python
        ("tensorrt-cu12-bindings", "10.9.0.34", "3.12", "windows-x86_64", None, "cp312-none-win_amd64"),
        ("tensorrt-cu13-bindings", "11.4.0.106", "3.12", "windows-arm64", None, "cp312-none-win_arm64"),
        ("tensorrt-cu13-bindings", "11.4.0.106", "3.12", "jetson", "2.35", "cp312-none-manylinux_2_35_aarch64"),
        ("tensorrt-cu13-bindings", "11.4.0.106", "3.12", None, None, None),
        ("tensorrt-cu13-bindings", "10.14.1.48", "3.12", "linux-x86_64", "2.35", None),  # Windows alone
        ("nvidia-cudnn-cu12", "8.9.7.29", None, "linux-x86_64", None, "py3-none-manylinux1_x86_64"),
        ("nvidia-cudnn-cu11", "8.5.0.96", "3.8", "linux-x86_64", "2.31", "2-py3-none-manylinux1_x86_64"),  # build 2
        ("polygraphy", "0.49.26", None, None, None, "py2.py3-none-any"),
    ],
)
def test_which_wheel_fits(
    matrix: Matrix,
    distribution: str,
    version: str,
    python: str | None,
    platform: str | None,
    glibc: str | None,
    name: str | None,
) -> None:
    found = fitting(matrix, distribution, version, python=python, platform=platform, glibc=glibc)
    stem = f"{distribution.replace('-', '_')}-{version}"
    assert (found.name if found else None) == (f"{stem}-{name}.whl" if name else None)


def test_a_source_archive_where_there_is_no_wheel(matrix: Matrix) -> None:
    for known in (LINUX, {"platform": None, "glibc": None}):
        found = fitting(matrix, "tensorrt-cu13-libs", "11.4.0.106", python=None, **known)
        assert found is not None
        assert (found.name, found.size) == ("tensorrt_cu13_libs-11.4.0.106.tar.gz", 15508)
        assert found.sha256 == "fc29af15a9bb5489567a58a98a56d457de64c16ab3c8ea010ef21447ff29bbea"


def test_stubs_and_what_they_require(matrix: Matrix) -> None:
    """They lost their requirement in 10.15.1; before that it changed its name twice."""

    def stub(version: str, flavour: str = "cu12") -> tuple[str, ...] | None:
        assert artefacts.is_stub(matrix, f"tensorrt-{flavour}-libs", version)
        return artefacts.requires(matrix, f"tensorrt-{flavour}-libs", version)

    assert stub("11.4.0.106") == stub("10.15.1.29") == ()
    assert stub("10.14.1.48") == ("cuda-toolkit[cudart]<13,>=12",)
    assert stub("10.13.3.9") == stub("10.0.1") == ("nvidia-cuda-runtime-cu12",)
    assert stub("10.13.3.9", "cu13") == ("nvidia-cuda-runtime-cu13",)  # which is a placeholder
    assert artefacts.build_requires(matrix, "tensorrt-cu12-libs", "10.6.0.post1") == ("wheel-stub",)
    assert artefacts.build_requires(matrix, "tensorrt-cu12-libs", "10.6.0") == ("nvidia-stub",)
    assert artefacts.stub_of(matrix, "tensorrt-cu12-libs", "10.6.0") == "https://pypi.nvidia.com"


def test_what_is_no_stub(matrix: Matrix) -> None:
    assert artefacts.is_stub(matrix, "tensorrt", "10.9.0.34") is False
    assert artefacts.is_stub(matrix, "tensorrt-cu12-bindings", "10.9.0.34") is False
    assert artefacts.is_stub(matrix, "tensorrt", "99.0") is None
    assert artefacts.stub_of(matrix, "tensorrt", "10.9.0.34") is None
    assert artefacts.build_requires(matrix, "tensorrt-cu12-bindings", "10.9.0.34") is None


def test_requirements_extras_and_what_a_build_installs(matrix: Matrix) -> None:
    assert artefacts.requires(matrix, "tensorrt", "10.9.0.34") == ("tensorrt_cu12==10.9.0.34",)
    assert artefacts.requires(matrix, "TensorRT", "8.6.0") == (
        "nvidia-cuda-runtime-cu12",
        "nvidia-cudnn-cu12",
        "nvidia-cublas-cu12",
    )
    assert artefacts.requires(matrix, "tensorrt", "99.0") is None
    windows = artefacts.requires(matrix, "tensorrt", "10.13.2.6")  # PKG-INFO knows nothing of Windows, setup.py does
    assert windows is not None
    assert [normal(item) for item in windows if "==" in item.partition(";")[2]] == [("tensorrt-cu12", "==10.13.2.6")]
    assert artefacts.extra(matrix, "cuda-toolkit", "13.4.3", "cudart") == ("nvidia-cuda-runtime==13.4.92.*",)
    assert artefacts.extra(matrix, "cuda-toolkit", "13.4.3", "nvjpeg") is None
    assert artefacts.requires(matrix, "tensorrt-cu12", "10.8.0.43") == ()
    assert artefacts.nested(matrix, "tensorrt-cu12", "10.8.0.43") == (
        "tensorrt_cu12_libs==10.8.0.43",
        "tensorrt_cu12_bindings==10.8.0.43",
    )
    assert artefacts.nested(matrix, "tensorrt-cu12", "10.9.0.34") == ()
    assert artefacts.nested(matrix, "tensorrt", "8.6.1") is artefacts.nested(matrix, "tensorrt", "99.0") is None


def test_days_and_what_was_withdrawn(matrix: Matrix) -> None:
    assert artefacts.uploaded(matrix, "tensorrt-cu13-libs", "11.4.0.106") == date(2026, 10, 8)
    assert artefacts.uploaded(matrix, "tensorrt", "99.0") is None
    assert artefacts.yanked(matrix, "nvidia-cudnn-cu13", "9.25.0.15") is True
    assert artefacts.yanked(matrix, "nvidia-cudnn-cu13", "9.28.1.4") is False
    assert artefacts.yanked(matrix, "nvidia-cudnn-cu13", "99.0") is None
    listed = artefacts.versions(matrix, "nvidia-cudnn-cu13")
    assert listed[0] == "9.28.1.4"
    assert "9.25.0.15" not in listed
    assert artefacts.versions(matrix, "no-such-thing") == []


@settings(max_examples=300, deadline=None)
@given(
    row=st.sampled_from([item for item, row in zip(IDS, ROWS, strict=True) if "wheels" in row]),
    minor=st.integers(6, 16),
    platform=st.sampled_from([*artefacts.PLATFORMS, "jetson", "linux-ppc64le", "darwin-arm64", "x", ""]),
    glibc=st.sampled_from(["2.5", "2.17", "2.28", "2.31", "2.35", "2.43", "", "3.1", None]),
)
def test_no_file_is_given_that_the_python_or_the_platform_excludes(
    matrix: Matrix, row: tuple[str, str], minor: int, platform: str, glibc: str | None
) -> None:
    found = fitting(matrix, *row, python=f"3.{minor}", platform=platform, glibc=glibc)
    if found is None or not found.name.endswith(".whl"):
        return
    python, abi, where = found.name.removesuffix(".whl").rsplit("-", 3)[1:]
    assert python in (f"cp3{minor}", "py3", "py2.py3")
    assert abi == "none"
    if where != "any":
        machine = "aarch64" if platform == "jetson" else platform.partition("-")[2]
        assert where.endswith({"windows-x86_64": "win_amd64"}.get(platform, machine))
        least = re.search(r"manylinux_2_(\d+)_", where)
        if least and glibc is not None:
            assert int(least[1]) <= int(glibc.partition(".")[2])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the glibc of this machine")
def test_here_it_is_the_file_that_packaging_would_choose(matrix: Matrix) -> None:
    glibc = str(os.confstr("CS_GNU_LIBC_VERSION")).split()[-1]
    here: dict[str, Any] = {
        "python": f"3.{sys.version_info.minor}",
        "platform": f"linux-{os.uname().machine}",
        "glibc": glibc,
    }
    order = {tag: place for place, tag in reversed(list(enumerate(sys_tags())))}
    for name, version in IDS[::3]:
        found = artefacts.files(matrix, name, version)
        fit = [
            (-min(order[tag] for tag in tags if tag in order), build, item)
            for item in found
            if item.name.endswith(".whl")
            for _, _, build, tags in [parse_wheel_filename(item.name)]
            if tags & order.keys()
        ]
        sdist = next((item for item in found if item.name.endswith(".tar.gz")), None)
        assert fitting(matrix, name, version, **here) == (max(fit)[2] if fit else sdist)


# -- the recorder ------------------------------------------------------------------------------------------------------


def sdist(name: str, version: str, files: dict[str, str], root: bool = False) -> tuple[str, bytes]:
    """A source archive; ``root``: without a folder, as nvidia-stub made them."""
    stem = f"{name.replace('-', '_')}-{version}"
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for inner, text in files.items():
            entry = tarfile.TarInfo(inner if root else f"{stem}/{inner}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return f"{stem}.tar.gz", content.getvalue()


def wheel(name: str, version: str, tags: str, metadata: str, padding: int = 0) -> tuple[str, bytes]:
    """A wheel, its METADATA before as much ``padding``."""
    stem = f"{name.replace('-', '_')}-{version}"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"{stem}.dist-info/METADATA", metadata)
        archive.writestr("lib.so", b"\0" * padding)
    return f"{stem}-{tags}.whl", content.getvalue()


STUB = {
    "PKG-INFO": "Metadata-Version: 2.1\nName: x\nVersion: 1\nRequires-Dist: nvidia-cuda-runtime\n\nText: no header\n",
    "pyproject.toml": '[build-system]\nrequires = ["wheel-stub"]\n[tool.wheel_stub]\nindex_url = "https://pypi.nvidia.com/"\n',
}
NESTED = """
import os, subprocess, sys
from setuptools import setup
from setuptools.command.install import install
name, version = "unreadable", sys.version
name = "tensorrt_cu13"
parts = ["{}_libs=={}".format(name, "11.3.0.99"), f"{name}_bindings==11.3.0.99"]
off = os.environ.get("SOME_SWITCH", DEFAULT)
class Install(install):
    def run(self):
        subprocess.check_call([sys.executable] + ["-m", "pip"] + ["install", *parts])
needs = []
if off or "https" in read_the_settings():
    needs.extend(parts)
    commands = {}
else:
    commands = {"install": Install}
setup(name=name, install_requires=needs, cmdclass=commands, setup_requires=["wheel", "pip"])
"""
PKG_INFO = "Metadata-Version: 2.1\nName: x\nVersion: 1\nRequires-Dist: numpy; extra == 'numpy'\n"
PARTS = ["tensorrt_cu13_libs==11.3.0.99", "tensorrt_cu13_bindings==11.3.0.99"]
FILES: dict[str, list[tuple[str, bytes]]] = {
    "tensorrt-cu13": [
        sdist(
            "tensorrt-cu13", "11.4.0.106", {"PKG-INFO": PKG_INFO + "Requires-Dist: tensorrt_cu13_libs==11.4.0.106\n"}
        ),
        sdist("tensorrt-cu13", "11.3.0.99", {"PKG-INFO": PKG_INFO, "setup.py": NESTED.replace("DEFAULT", "False")}),
        sdist("tensorrt-cu13", "0.0.0a0", {"PKG-INFO": PKG_INFO}),
        sdist("tensorrt-cu13", "99.1.0.1", {"PKG-INFO": PKG_INFO}),
    ],
    "tensorrt-cu13-libs": [
        sdist("tensorrt-cu13-libs", "11.4.0.106", STUB),
        sdist("tensorrt-cu13-libs", "11.3.0.99", STUB, root=True),
        sdist("tensorrt-cu13-libs", "11.2.1.2", {"README": "nothing"}),
    ],
    "nvidia-cudnn-cu13": [
        wheel("nvidia-cudnn-cu13", "9.28.1.4", tags, "Name: x\nRequires-Dist: nvidia-cublas\n", 5 << 20)
        for tags in ("py3-none-win_amd64", "py3-none-manylinux_2_27_x86_64", "py3-none-musllinux_1_2_x86_64")
    ],
    "polygraphy": [
        wheel("polygraphy", "1.0", "py2.py3-none-any", "Name: x\n"),
        sdist("polygraphy", "1.0", {"PKG-INFO": PKG_INFO}),
    ],
}


def index(asked: list[str], ranges: bool) -> Any:
    """An index of FILES, as JSON; ``ranges``: whether it gives parts of files."""
    contents = {name: content for files in FILES.values() for name, content in files}

    def answer(path: str, headers: dict[str, str]) -> Answer:
        asked.append(path)
        name = path.rstrip("/").rpartition("/")[2]
        if path.startswith("/simple/"):
            listed = [
                {
                    "filename": file,
                    "url": f"../../files/{file}",
                    "size": len(content),
                    "hashes": {"sha256": hashlib.sha256(content).hexdigest()},
                    "upload-time": f"2026-10-{number + 8:02d}T23:59:59.5Z",
                    "yanked": "a reason" if "cudnn" in file else False,
                }
                for number, (file, content) in enumerate(FILES.get(name, ()))
            ]
            document = {"meta": {"api-version": "1.1"}, "name": name, "files": listed}
            kind = {"content-type": "application/vnd.pypi.simple.v1+json"}
            return (200, kind, json.dumps(document).encode()) if listed else (404, {}, b"")
        content = contents.get(name)
        if content is None:
            return 404, {}, b""
        if ranges and "range" in headers:
            first, last = map(int, headers["range"].removeprefix("bytes=").split("-"))
            return 206, {}, content[first : last + 1]
        return 200, {}, content

    return answer


def record(place: str, into: Path) -> subprocess.CompletedProcess[str]:
    names = [*FILES, "nvidia-stub"]
    options = ["--into", str(into), "--cache", str(into.parent / "cache"), "--day", "2026-11-22"]
    return subprocess.run(
        [sys.executable, "-m", "tests.tools.record_index", *options, *names],
        cwd=ROOT,
        env={**os.environ, "PIP_INDEX_URL": f"http://user:SECRET@{place}/simple/"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def facts(name: str) -> list[Any]:
    content = next(content for files in FILES.values() for file, content in files if file == name)
    return [len(content), hashlib.sha256(content).hexdigest()]


def test_recording_an_index(tmp_path: Path) -> None:
    asked: list[str] = []
    with server(index(asked, ranges=True)) as place:
        ran = record(place, tmp_path / "made.yaml")
        assert ran.returncode == 0, ran.stderr
        first, number = (tmp_path / "made.yaml").read_bytes(), len(asked)
        again = record(place, tmp_path / "made.yaml")
    assert again.returncode == 0, again.stderr
    assert ("0 requests" in again.stderr, len(asked)) == (True, number)
    assert (tmp_path / "made.yaml").read_bytes() == first
    assert "SECRET" not in ran.stderr + first.decode() + "".join(map(str, (tmp_path / "cache").rglob("*")))
    made = yaml.safe_load(first)
    jsonschema.Draft202012Validator(SCHEMA).validate(made)
    libs, dnn = "tensorrt_cu13_libs", "nvidia_cudnn_cu13-9.28.1.4-py3-none"
    stub = {
        "requires": ["nvidia-cuda-runtime"],
        "build_requires": ["wheel-stub"],
        "stub_of": "https://pypi.nvidia.com/",
    }
    assert made["artefacts"] == [
        {
            "id": "tensorrt-cu13 11.4.0.106",
            "uploaded": "2026-10-08",
            "requires": ["tensorrt_cu13_libs==11.4.0.106"],
            "build_requires": ["setuptools", "wheel"],
            "sdist": ["tensorrt_cu13-11.4.0.106.tar.gz", *facts("tensorrt_cu13-11.4.0.106.tar.gz")],
        },
        {
            "id": "tensorrt-cu13 11.3.0.99",
            "uploaded": "2026-10-09",
            "requires": [],
            "build_requires": ["setuptools", "wheel", "pip"],
            "nested": PARTS,
            "sdist": ["tensorrt_cu13-11.3.0.99.tar.gz", *facts("tensorrt_cu13-11.3.0.99.tar.gz")],
        },
        *(
            {
                "id": f"tensorrt-cu13-libs {version}",
                "uploaded": day,
                **known,
                "sdist": [f"{libs}-{version}.tar.gz", *facts(f"{libs}-{version}.tar.gz")],
            }
            for version, day, known in (
                ("11.4.0.106", "2026-10-08", stub),
                ("11.3.0.99", "2026-10-09", stub),
                ("11.2.1.2", "2026-10-10", {"requires": "unknown"}),
            )
        ),
        {
            "id": "nvidia-cudnn-cu13 9.28.1.4",
            "uploaded": "2026-10-08",
            "yanked": True,
            "requires": ["nvidia-cublas"],
            "wheels": {
                "manylinux_2_27_x86_64": {"py3": facts(f"{dnn}-manylinux_2_27_x86_64.whl")},
                "win_amd64": {"py3": facts(f"{dnn}-win_amd64.whl")},
            },
        },
        {
            "id": "polygraphy 1.0",
            "uploaded": "2026-10-08",
            "requires": [],
            "wheels": {"any": {"py2.py3": facts("polygraphy-1.0-py2.py3-none-any.whl")}},
        },
    ]
    assert "nvidia-stub: the index does not have it" in ran.stderr
    assert "tensorrt-cu13-libs 11.2.1.2: metadata not read" in ran.stderr
    assert {path for path in asked if "99.1.0.1" in path or "0.0.0a0" in path} == set()


def test_an_index_that_gives_no_parts_of_files_leaves_large_wheels_unread(tmp_path: Path) -> None:
    with server(index([], ranges=False)) as place:
        ran = record(place, tmp_path / "made.yaml")
    assert ran.returncode == 0, ran.stderr
    made = {row["id"]: row for row in yaml.safe_load((tmp_path / "made.yaml").read_bytes())["artefacts"]}
    assert made["nvidia-cudnn-cu13 9.28.1.4"]["requires"] == "unknown"
    assert made["polygraphy 1.0"]["requires"] == []
    assert "gives no parts" in ran.stderr


def test_an_index_that_cannot_be_asked_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "made.yaml").write_text("as it was")
    ran = record("127.0.0.1:9", tmp_path / "made.yaml")
    assert (ran.returncode, len(ran.stderr.splitlines())) == (2, 1), ran.stderr
    assert "SECRET" not in ran.stderr
    assert (tmp_path / "made.yaml").read_text() == "as it was"


def test_what_a_setup_py_states() -> None:
    nested, off, plain = (
        Setup(NESTED.replace("DEFAULT", "False")),
        Setup(NESTED.replace("DEFAULT", '"1"')),
        Setup("from setuptools import setup\nsetup(install_requires=['a==1'], setup_requires=unknown())"),
    )
    assert (nested.nested, nested.requires) == (PARTS, "unknown")
    assert (off.nested, off.requires, off.setup_requires) == (None, PARTS, ["wheel", "pip"])
    assert (plain.nested, plain.requires, plain.setup_requires) == (None, ["a==1"], [])
    with pytest.raises(ValueError, match="no Python"):
        Setup("setup(")


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_any_text_as_setup_py_or_metadata_gives_an_answer(text: str) -> None:
    of_metadata(text)
    try:
        Setup(text)
    except ValueError:
        return


def test_of_a_wheel_only_what_is_needed_is_asked_for() -> None:
    _, content = wheel("x", "1", "py3-none-any", "Name: x\n", 4 << 20)
    asked: list[tuple[int, int]] = []

    def read(first: int, last: int) -> bytes:
        asked.append((first, last))
        return content[first : last + 1]

    assert metadata_of_wheel(read, len(content)) == "Name: x\n"
    assert len(asked) == 2
    assert sum(last - first for first, last in asked) < 1 << 18
    with pytest.raises(ValueError, match="no METADATA"):
        metadata_of_wheel(lambda first, last: wheel_without()[first : last + 1], len(wheel_without()))


def wheel_without() -> bytes:
    """A zip file that is no wheel."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("x", b"")
    return content.getvalue()


def test_only_final_releases_that_the_matrix_knows_are_wanted(matrix: Matrix) -> None:
    def of(name: str, *listed: str) -> list[str]:
        return list(map(str, wanted(matrix, name, map(Version, listed))))

    assert of("tensorrt", "99.1.0.1", "10.9.0.34", "10.0.0b6", "9.3.0.post12.dev1", "0.0.1") == ["10.9.0.34"]
    assert of("tensorrt-lean", "11.4.0.106", "11.3.0.99", "10.16.1.11", "10.9.0.34") == ["11.4.0.106", "10.16.1.11"]
    assert of("nvidia-cublas", "13.4.0.1", "13.7.0.10rc1", "0.0.1", "99.0.0") == ["13.4.0.1"]
    assert of("wheel-stub", "0.5.0", "0.4.2") == ["0.5.0", "0.4.2"]
