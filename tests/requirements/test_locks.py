"""Lock files: what is installed for one target, not everything that they hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtdoctor.requirements import FileError, Requirements, Target
from trtdoctor.requirements.locks import parse

# As uv 0.13 writes it, without the addresses of files.
UV = """\
version = 1
revision = 5
requires-python = ">=3.11, <3.14"
resolution-markers = [
    "python_full_version >= '3.12'",
    "python_full_version < '3.12'",
]
conflicts = [[
    { package = "serving", extra = "cu12" },
    { package = "serving", extra = "cu13" },
]]

[[package]]
name = "numpy"
version = "2.4.6"
source = { SOURCE }
resolution-markers = [
    "python_full_version < '3.12'",
]

[[package]]
name = "numpy"
version = "2.5.5"
source = { SOURCE }
resolution-markers = [
    "python_full_version >= '3.12'",
]

[[package]]
name = "nvidia-cublas-cu12"
version = "12.9.1.4"
source = { SOURCE }

[[package]]
name = "nvidia-cudnn-cu12"
version = "9.10.2.21"
source = { SOURCE }
dependencies = [
    { name = "nvidia-cublas-cu12" },
]

[[package]]
name = "nvidia-cudnn-cu13"
version = "9.19.0.56"
source = { SOURCE }

[[package]]
name = "onnxruntime-gpu"
version = "1.24.4"
source = { SOURCE }
dependencies = [
    { name = "numpy", version = "2.4.6", source = { SOURCE }, marker = "python_full_version < '3.12'" },
    { name = "numpy", version = "2.5.5", source = { SOURCE }, marker = "python_full_version >= '3.12'" },
]

[package.optional-dependencies]
cuda = [
    { name = "nvidia-cublas-cu12" },
]

[[package]]
name = "polygraphy"
version = "0.49.26"
source = { git = "https://github.com/NVIDIA/TensorRT.git?rev=main#0000000000000000000000000000000000000000" }

[[package]]
name = "serving"
version = "1.0"
source = { editable = "." }
dependencies = [
    { name = "onnxruntime-gpu", marker = "sys_platform == 'linux'" },
    { name = "tensorrt-cu12", marker = "sys_platform == 'linux' and extra == 'extra-7-serving-cu12'" },
]

[package.optional-dependencies]
cu12 = [
    { name = "nvidia-cudnn-cu12" },
]
cu13 = [
    { name = "nvidia-cudnn-cu13" },
]

[package.dev-dependencies]
dev = [
    { name = "polygraphy" },
]

[[package]]
name = "tensorrt-cu12"
version = "10.9.0.34"
source = { SOURCE }
""".replace("SOURCE", 'registry = "https://mirror.example/simple"')

POETRY = """\
[[package]]
name = "numpy"
version = "1.26.4"
description = ""
optional = false
python-versions = ">=3.9"
groups = ["main"]
markers = "python_version < \\"3.12\\""
files = []

[[package]]
name = "numpy"
version = "2.2.0"
description = ""
optional = false
python-versions = ">=3.10"
groups = ["main", "dev"]
markers = {main = "python_version >= \\"3.12\\""}
files = []

[[package]]
name = "nvidia-cudnn-cu12"
version = "9.1.0.70"
description = ""
optional = true
python-versions = ">=3"
groups = ["main"]
markers = "extra == \\"cudnn\\""
files = []

[[package]]
name = "pytest"
version = "8.3.0"
optional = false
python-versions = ">=3.8"
groups = ["dev"]
files = []

[[package]]
name = "TensorRT"
version = "8.6.1"
optional = false
python-versions = "*"
category = "main"
files = []

[package.source]
type = "url"
url = "https://user:pw@mirror.example/tensorrt-8.6.1.tar.gz"

[extras]
cudnn = ["nvidia-cudnn-cu12"]

[metadata]
lock-version = "2.1"
python-versions = ">=3.10,<3.14"
content-hash = "00"
"""


def stated(found: Requirements) -> dict[str, tuple[str, int]]:
    return {item.name: (item.specifier, int(item.where.rpartition(":")[2])) for item in found.stated}


def test_uv_is_walked_from_the_project() -> None:
    found = parse(UV, "uv.lock", Target(python="3.12"))
    assert stated(found) == {"numpy": ("==2.5.5", 22), "onnxruntime-gpu": ("==1.24.4", 48)}
    assert found.complete
    assert found.requires_python == ">=3.11, <3.14"
    assert {(item.name, name) for item, name in found.optional} == {
        ("nvidia-cudnn-cu12", "extra cu12"),
        ("nvidia-cudnn-cu13", "extra cu13"),
        ("polygraphy", "group dev"),
    }


def test_uv_with_an_extra_takes_its_branch_alone() -> None:
    found = stated(parse(UV, "uv.lock", Target(python="3.11", extras=("cu12",))))
    assert set(found) == {"numpy", "nvidia-cublas-cu12", "nvidia-cudnn-cu12", "onnxruntime-gpu", "tensorrt-cu12"}
    assert found["numpy"] == ("==2.4.6", 14)
    assert set(stated(parse(UV, "uv.lock", Target("windows-x86_64", python="3.11", extras=("cu13",))))) == {
        "nvidia-cudnn-cu13"
    }


def test_uv_without_a_python_does_not_choose_between_two_versions() -> None:
    found = parse(UV, "uv.lock", Target())
    assert "numpy" not in stated(found)
    assert {item.specifier for item, _ in found.undecided if item.name == "numpy"} == {"==2.4.6", "==2.5.5"}
    assert stated(found)["onnxruntime-gpu"] == ("==1.24.4", 48)


def test_a_group_of_uv_brings_its_repository() -> None:
    found = parse(UV, "uv.lock", Target(python="3.12", groups=("dev",)))
    assert next(item.source for item in found.stated if item.name == "polygraphy") == "vcs"


def test_poetry_is_filtered_by_markers_groups_and_extras() -> None:
    found = parse(POETRY, "poetry.lock", Target(python="3.10"))
    assert stated(found) == {"numpy": ("==1.26.4", 2), "tensorrt": ("==8.6.1", 40)}
    assert {(item.name, name) for item, name in found.optional} == {("pytest", "group dev")}
    assert "pw@" not in repr(found)
    newer = parse(POETRY, "poetry.lock", Target(python="3.12", extras=("cudnn",), groups=("dev",)))
    assert stated(newer) == {
        "numpy": ("==2.2.0", 12),
        "nvidia-cudnn-cu12": ("==9.1.0.70", 22),
        "pytest": ("==8.3.0", 32),
        "tensorrt": ("==8.6.1", 40),
    }


@pytest.mark.parametrize("text", ["", "package = 3", "[[package]]\n", "[[package]]\nname = 7\n", "[package]\na = 1\n"])
def test_a_lock_of_another_shape_states_nothing(text: str) -> None:
    assert not parse(text, "uv.lock", Target()).stated


def test_what_is_no_toml_is_refused() -> None:
    with pytest.raises(FileError, match=r"uv\.lock: not TOML"):
        parse("[[package]", "uv.lock", Target())


NAMES = st.sampled_from(["a", "b", "tensorrt", "torch"])
EDGES = st.lists(
    st.tuples(NAMES, st.sampled_from(["", "sys_platform == 'win32'", "python_version < '3.11'", "no marker"])),
    max_size=3,
)


@given(st.lists(st.tuples(NAMES, st.sampled_from(["1", "2", "?"]), EDGES, st.booleans()), max_size=6))
def test_graphs_of_any_shape_come_to_an_end(packages: list[tuple[str, str, list[tuple[str, str]], bool]]) -> None:
    text = ""
    for name, version, edges, project in packages:
        source = '{ editable = "." }' if project else '{ registry = "https://mirror.example" }'
        written = ", ".join(f'{{ name = "{other}", marker = "{marker}" }}' for other, marker in edges)
        text += f'[[package]]\nname = "{name}"\nversion = "{version}"\nsource = {source}\ndependencies = [{written}]\n'
    lines = text.split("\n")
    for target in (Target(), Target(python="3.10")):
        for item in parse(text, "uv.lock", target).stated:
            assert lines[int(item.where.rpartition(":")[2]) - 1] == f'name = "{item.name}"'
