"""pyproject.toml: the standard table, groups, and Poetry's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtdoctor.requirements import FileError, Requirements, Target
from trtdoctor.requirements.pyproject import parse

TARGET = Target(python="3.11")

STANDARD = """\
[build-system]
requires = ["hatchling", "tensorrt"]

[project]
name = "serving"  # dependencies = ["tensorrt"]
requires-python = ">=3.10"
dependencies = [
  # "tensorrt==8.6.1",
  "tensorrt-cu12==10.9.0.34",
  "onnxruntime-gpu==1.22.0 ; sys_platform == 'linux'", 'torch>=2.4',
  "numpy",
]

[project.optional-dependencies]
cu12 = ["nvidia-cudnn-cu12==9.10.2.21"]
cu13 = ["nvidia-cudnn-cu13==9.19.0.56", "numpy"]

[dependency-groups]
base = ["polygraphy==0.49.26"]
dev = ["pytest", {include-group = "base"}]

[[tool.uv.index]]
name = "torch"
url = "https://mirror.example/whl/cu128"
"""

POETRY = """\
[tool.poetry]
name = "serving"

[tool.poetry.dependencies]
python = "^3.10"
"TensorRT" = "^10.2"
torch = {version = "2.5.1", python = "<3.13"}
onnxruntime-gpu = [
  {version = "1.22.0", markers = "sys_platform == 'linux'"}, {version = "1.20.0", markers = "os_name == 'nt'"},
]
polygraphy = {git = "https://github.com/NVIDIA/TensorRT.git"}
tensorrt-lean = {version = "10.9.0.34", optional = true}
nvidia-cudnn-cu12 = "^8 || ^9"

[tool.poetry.dependencies.torch-tensorrt]
version = "~2.5.0"

[tool.poetry.group.dev.dependencies]
torchvision = "*"
"""


def stated(found: Requirements) -> dict[str, tuple[str, int]]:
    return {item.name: (item.specifier, int(item.where.rpartition(":")[2])) for item in found.stated}


def test_the_standard_table() -> None:
    found = parse(STANDARD, "pyproject.toml", TARGET)
    assert stated(found) == {
        "tensorrt-cu12": ("==10.9.0.34", 9),
        "onnxruntime-gpu": ("==1.22.0", 10),
        "torch": (">=2.4", 10),
        "numpy": ("", 11),
    }
    assert found.requires_python == ">=3.10"
    assert found.flavour_hint == "cu128"
    assert {(item.name, group) for item, group in found.optional} == {
        ("nvidia-cudnn-cu12", "extra cu12"),
        ("nvidia-cudnn-cu13", "extra cu13"),
        ("numpy", "extra cu13"),
        ("polygraphy", "group base"),
        ("polygraphy", "group dev"),
        ("pytest", "group dev"),
    }


def test_extras_and_groups_count_when_they_are_asked_for() -> None:
    found = parse(STANDARD, "pyproject.toml", Target(python="3.11", extras=("CU12",), groups=("dev",)))
    assert stated(found)["nvidia-cudnn-cu12"] == ("==9.10.2.21", 15)
    assert stated(found)["polygraphy"] == ("==0.49.26", 19)
    assert "nvidia-cudnn-cu13" not in stated(found)


def test_poetrys_tables() -> None:
    found = parse(POETRY, "pyproject.toml", TARGET)
    assert stated(found) == {
        "tensorrt": (">=10.2,<11", 6),
        "torch": ("==2.5.1", 7),
        "onnxruntime-gpu": ("==1.22.0", 8),
        "polygraphy": ("", 11),
        "torch-tensorrt": (">=2.5.0,<2.6", 15),
    }
    assert found.requires_python == ">=3.10,<4"
    assert {(item.name, group) for item, group in found.optional} == {
        ("tensorrt-lean", "extra tensorrt-lean"),
        ("torchvision", "group dev"),
    }
    assert [item.where for item in found.skipped] == ["pyproject.toml:13"]


@pytest.mark.parametrize("text", ["[project\n", "x = [" * 5000, "a = 1\na = 2\n", "\x01"])
def test_what_is_no_toml_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(FileError, match="not TOML") as caught:
        parse(text, "pyproject.toml", TARGET)
    assert "\n" not in str(caught.value)


VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(0, 9), st.text(max_size=8), st.sampled_from(["tensorrt==10.9", "torch"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)


def toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{toml(key)} = {toml(entry)}' for key, entry in value.items())}}}"
    return str(value) if isinstance(value, int) else quoted(str(value))


def quoted(text: str) -> str:
    return (
        '"'
        + "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 and not 0xD800 <= ord(c) < 0xE000 else "?" for c in text)
        + '"'
    )


@given(st.dictionaries(st.sampled_from(["dependencies", "optional-dependencies", "requires-python"]), VALUES))
def test_tables_of_any_shape_are_taken(table: dict[str, object]) -> None:
    text = "[project]\n" + "\n".join(f"{key} = {toml(value)}" for key, value in table.items())
    lines = text.count("\n") + 1
    found = parse(text, "p.toml", TARGET)
    places = [
        *(item.where for item in found.stated),
        *(item.where for item in found.skipped),
        *(item.where for item, _ in found.optional),
    ]
    assert all(1 <= int(where.rpartition(":")[2]) <= lines for where in places)


def test_groups_that_include_each_other_many_times_are_read_once() -> None:
    includes = ", ".join(['{ include-group = "g%d" }'] * 50)
    groups = "".join(f"g{number} = [{includes % ((number + 1,) * 50)}]\n" for number in range(8))
    text = f'[dependency-groups]\n{groups}g8 = ["tensorrt==10.9.0.34"]\n'
    found = parse(text, "pyproject.toml", Target(groups=("g0",)))
    assert [item.name for item in found.stated] == ["tensorrt"]
