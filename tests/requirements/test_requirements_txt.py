"""requirements.txt as pip reads it: names, pins, markers, includes, and the line of each."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtdoctor.requirements import FileError, Files, Requirements, Target, read
from trtdoctor.requirements.requirements_txt import parse, requirement
from trtdoctor.requirements.specifiers import pinned

TARGET = Target(python="3.10")

SERVING = """\
# Serving image, see DEPLOY.md
--extra-index-url https://pypi.nvidia.com
--extra-index-url=https://mirror.example/whl/cu124   # torch

torch==2.5.1
TensorRT_cu12[extra] >= 10.2 , <11 ; python_version >= "3.8"
tensorrt-cu11==8.6.1 ; sys_platform == "win32"
onnxruntime-gpu==1.22.0 \\
    --hash=sha256:1111111111111111111111111111111111111111111111111111111111111111 \\
    --hash=sha256:2222222222222222222222222222222222222222222222222222222222222222
numpy
https://mirror.example/tensorrt_cu12_libs-10.9.0.34-py2.py3-none-manylinux_2_28_x86_64.whl
torchvision @ https://mirror.example/torchvision-0.20.1%2Bcu124-cp310-cp310-linux_x86_64.whl#sha256=00
polygraphy @ git+https://github.com/NVIDIA/TensorRT@main#subdirectory=tools/Polygraphy
./wheels/nvidia_cudnn_cu12-9.1.0.70-py3-none-manylinux2014_x86_64.whl
-e ./plugins
${PRIVATE}==1.0
this is no requirement
"""


def names(found: Requirements) -> dict[str, tuple[str, int]]:
    return {item.name: (item.specifier, int(item.where.rpartition(":")[2])) for item in found.stated}


def test_a_real_file_gives_names_specifiers_and_exact_lines() -> None:
    found = parse(SERVING, "serving/requirements.txt", TARGET)
    assert names(found) == {
        "torch": ("==2.5.1", 5),
        "tensorrt-cu12": ("<11,>=10.2", 6),
        "onnxruntime-gpu": ("==1.22.0", 8),
        "numpy": ("", 11),
        "tensorrt-cu12-libs": ("==10.9.0.34", 12),
        "torchvision": ("==0.20.1+cu124", 13),
        "polygraphy": ("", 14),
        "nvidia-cudnn-cu12": ("==9.1.0.70", 15),
    }
    assert {item.name: item.source for item in found.stated if item.source != "index"} == {
        "tensorrt-cu12-libs": "url",
        "torchvision": "url",
        "polygraphy": "vcs",
        "nvidia-cudnn-cu12": "path",
    }
    assert found.flavour_hint == "cu124"
    assert found.other_index == "serving/requirements.txt:2"  # PyTorch's is none of those
    assert [int(item.where.rpartition(":")[2]) for item in found.skipped] == [16, 17, 18]
    hashed = [item.name for item in found.stated if item.hashed]
    assert hashed == ["onnxruntime-gpu"]


def test_a_marker_that_depends_on_an_unknown_python_is_undecided() -> None:
    text = "tensorrt==10.9.0.34 ; python_version < '3.12'\ntensorrt==11.4.0.106 ; python_version >= '3.12'\n"
    assert names(parse(text, "r.txt", Target(python="3.10"))) == {"tensorrt": ("==10.9.0.34", 1)}
    assert names(parse(text, "r.txt", Target(python="3.12"))) == {"tensorrt": ("==11.4.0.106", 2)}
    unknown = parse(text, "r.txt", Target())
    assert not unknown.stated
    assert [marker for _, marker in unknown.undecided] == ['python_version < "3.12"', 'python_version >= "3.12"']


def test_a_marker_on_the_platform_is_for_the_target() -> None:
    text = "tensorrt==10.9.0.34 ; platform_machine == 'aarch64'\n"
    assert parse(text, "r.txt", Target("linux-aarch64")).stated
    assert not parse(text, "r.txt", Target("linux-x86_64")).stated
    assert not parse(text, "r.txt", Target("linux-x86_64")).undecided


def test_included_files_keep_their_own_lines(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "gpu.txt").write_text("\n\ntensorrt==10.9.0.34\n-r ../requirements.txt\n")
    (tmp_path / "pins.txt").write_text("torch==2.5.1\n")
    (tmp_path / "requirements.txt").write_text(
        "torch\n-r base/gpu.txt\n-cpins.txt\n-r missing.txt\n-r https://x.y/r.txt\n"
    )
    found = read(str(tmp_path / "requirements.txt"), TARGET, Files())
    places = {(item.name, Path(item.where).name, item.constraint) for item in found.stated}
    assert places == {
        ("torch", "requirements.txt:1", False),
        ("tensorrt", "gpu.txt:3", False),
        ("torch", "pins.txt:1", True),
    }
    reasons = [item.why for item in found.skipped]
    assert reasons[0] == "it includes itself, or lies too deep"
    assert "No such file" in reasons[1]
    assert reasons[2] == "an included address is not fetched"


def test_an_index_in_place_of_the_usual_one_is_told_without_its_address() -> None:
    found = parse("-i https://user:pw@mirror.example/simple\ntensorrt\n", "r.txt", TARGET)
    assert found.other_index == "r.txt:1"
    assert "mirror" not in repr(found)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00", "text"),
        (b"tensorrt\x00==1", "NUL"),
        (b"tensorrt==\xff\xff", "no UTF-8 text"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "requirements.txt"
    file.write_bytes(content)
    with pytest.raises(FileError, match=said):
        read(str(file), TARGET, Files())


def test_utf16_with_a_mark_is_read(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("tensorrt==10.9.0.34\n", "utf-16")
    assert names(read(str(file), TARGET, Files())) == {"tensorrt": ("==10.9.0.34", 1)}


@given(st.text(max_size=400))
def test_no_text_makes_it_fail_and_every_line_is_one_of_the_file(text: str) -> None:
    lines = text.count("\n") + 1
    found = parse(text, "r.txt", TARGET)
    places = [
        *(item.where for item in found.stated),
        *(item.where for item in found.skipped),
        *(item.where for item, _ in found.undecided),
    ]
    assert all(1 <= int(where.rpartition(":")[2]) <= lines for where in places)


LINES = st.lists(
    st.sampled_from(
        ["", "# note", "--pre", "torch==2.5.1", "tensorrt>=10", "numpy \\", " --hash=sha256:00", "\\", "-r x.txt", "!!"]
    ),
    max_size=12,
)


@given(LINES)
def test_what_is_stated_stands_in_its_line(lines: list[str]) -> None:
    found = parse("\n".join(lines), "r.txt", TARGET)
    for item in found.stated:
        assert item.name in lines[int(item.where.rpartition(":")[2]) - 1]


@given(
    st.from_regex(r"[a-z][a-z0-9]{0,8}([-_.][a-z0-9]{1,5}){0,2}", fullmatch=True),
    st.from_regex(r"[1-9][0-9]{0,2}(\.[0-9]{1,3}){0,3}(\.post[0-9])?(\+cu1[0-9]{2})?", fullmatch=True),
    st.sampled_from(["", " ", "\t"]),
)
def test_a_pin_survives_the_round_trip(name: str, version: str, space: str) -> None:
    item = requirement(f"{name}{space}=={space}{version}", "r.txt:1")
    assert item is not None
    assert pinned(item.specifier) == version
    again = requirement(f"{item.name}{item.specifier}", "r.txt:1")
    assert again == item
