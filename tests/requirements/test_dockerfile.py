"""Dockerfiles: base image, stages, arguments, and what RUN installs."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtdoctor.requirements import FileError, Files, Requirements, Target, read
from trtdoctor.requirements.dockerfile import parse
from trtdoctor.requirements.dockerfile_lines import instructions
from trtdoctor.requirements.shellwords import commands

TARGET = Target(python="3.10")

SERVING = r"""# syntax=docker/dockerfile:1
ARG CUDA=12.4.1
ARG TRT=10.9.0.34
FROM --platform=linux/amd64 nvidia/cuda:${CUDA}-cudnn-devel-ubuntu22.04 AS base
ENV PIP_NO_CACHE_DIR=1 \
    LD_LIBRARY_PATH=/opt/trt/lib:$LD_LIBRARY_PATH
WORKDIR /srv

FROM python:3.12 AS docs
RUN pip install sphinx torch==1.13.1

FROM base
ARG TRT
ARG WHL
COPY requirements.txt constraints.txt ./
COPY app/ /srv/app/
RUN --mount=type=cache,target=/root/.cache/pip \
    apt-get update && apt-get install -y --no-install-recommends \
      # the interpreter
      python3.11-dev python3-pip \
      libnvinfer10=${TRT}-1+cuda12.8 \
      libcudnn9-cuda-12=9.1.0.70-1 \
 && rm -rf /var/lib/apt/lists/*
RUN python3 -m pip install --upgrade pip && \
    pip3 install --extra-index-url https://user:pw@mirror.example/whl/cu124 \
      "torch==2.5.1" \
      'onnxruntime-gpu>=1.20' \
      "tensorrt==$TRT" polygraphy==$UNSET -r requirements.txt -c constraints.txt
RUN ["pip", "install", "numpy<2"]
RUN <<EOF
set -e
pip install \
  torch-tensorrt==2.5.0
if true; then pip install -r app/extra.txt; fi
EOF
CMD ["pip", "install", "tensorrt==1"]
"""


def pip(found: Requirements) -> dict[str, tuple[str, str]]:
    return {item.name: (item.specifier, Path(item.where).name) for item in found.stated}


def test_a_real_file(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(SERVING)
    (tmp_path / "requirements.txt").write_text("\nnvidia-cudnn-cu12==9.1.0.70\n")
    (tmp_path / "constraints.txt").write_text("onnxruntime-gpu==1.22.0\n")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "extra.txt").write_text("tensorrt-lean==10.9.0.34\n")
    found = read(str(tmp_path / "Dockerfile"), TARGET, Files())
    assert found.base is not None
    assert found.base.image == "nvidia/cuda:12.4.1-cudnn-devel-ubuntu22.04"
    assert (found.base.platform, Path(found.base.where).name) == ("linux/amd64", "Dockerfile:4")
    assert pip(found) == {
        "pip": ("", "Dockerfile:24"),
        "torch": ("==2.5.1", "Dockerfile:26"),
        "onnxruntime-gpu": ("==1.22.0", "constraints.txt:1"),
        "tensorrt": ("==10.9.0.34", "Dockerfile:28"),
        "nvidia-cudnn-cu12": ("==9.1.0.70", "requirements.txt:2"),
        "numpy": ("<2", "Dockerfile:29"),
        "torch-tensorrt": ("==2.5.0", "Dockerfile:33"),
    }
    assert [(item.name, marker) for item, marker in found.undecided] == [("tensorrt-lean", "a condition of the shell")]
    stated = [(item.specifier, item.constraint) for item in found.stated if item.name == "onnxruntime-gpu"]
    assert stated == [(">=1.20", False), ("==1.22.0", True)]
    assert {package.name: (package.version, Path(package.where).name) for package in found.packages} == {
        "python3.11-dev": (None, "Dockerfile:20"),
        "python3-pip": (None, "Dockerfile:20"),
        "libnvinfer10": ("10.9.0.34-1+cuda12.8", "Dockerfile:21"),
        "libcudnn9-cuda-12": ("9.1.0.70-1", "Dockerfile:22"),
    }
    assert found.python == "3.11"
    assert found.settings == (("LD_LIBRARY_PATH", "/opt/trt/lib"),)
    assert found.flavour_hint == "cu124"
    assert [Path(item.where).name for item in found.skipped] == ["Dockerfile:28"]
    assert "pw@" not in repr(found)


def test_a_stage_by_name_or_number(tmp_path: Path) -> None:
    for stage in ("docs", "1"):
        found = parse(SERVING, str(tmp_path / "Dockerfile"), TARGET, Files(), stage)
        assert found.base is not None
        assert found.base.image == "python:3.12"
        assert set(pip(found)) == {"sphinx", "torch"}
    with pytest.raises(FileError, match="no stage 'nope'; stages: base, docs, 2"):
        parse(SERVING, "Dockerfile", TARGET, Files(), "nope")


def test_what_is_copied_from_a_stage_counts_when_it_is_a_python_environment() -> None:
    text = (
        "FROM python:3.11 AS build\nRUN pip install tensorrt==8.6.1\nFROM python:3.11-slim\nCOPY --from=build {} /x\n"
    )
    assert pip(parse(text.format("/opt/venv"), "D", TARGET)) == {"tensorrt": ("==8.6.1", "D:2")}
    assert not parse(text.format("/src/README.md"), "D", TARGET).stated


def test_uv_sync_poetry_and_projects_read_the_files_beside(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text('version = 1\n[[package]]\nname = "tensorrt"\nversion = "8.6.1"\n')
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["torch==2.5.1"]\n')
    text = "FROM python:3.11\nWORKDIR /app\nCOPY . .\nRUN uv sync --frozen\n"
    locked = parse(text, str(tmp_path / "Dockerfile"), TARGET, Files())
    assert pip(locked) == {"tensorrt": ("==8.6.1", "uv.lock:3")}
    assert locked.complete
    text = "FROM python:3.11\nWORKDIR /app\nCOPY . .\nRUN pip install -e .\n"
    assert pip(parse(text, str(tmp_path / "Dockerfile"), TARGET, Files())) == {"torch": ("==2.5.1", "pyproject.toml:2")}


def test_no_file_outside_of_the_context_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("tensorrt==8.6.1\n")
    (tmp_path / "context").mkdir()
    file = tmp_path / "context" / "Dockerfile"
    file.write_text("FROM python:3.11\nCOPY ../secret.txt /r/secret.txt\nRUN pip install -r /r/secret.txt\n")
    found = read(str(file), TARGET, Files())
    assert not found.stated
    assert [item.why for item in found.skipped] == ["the file is not found beside the Dockerfile"]


def test_the_escape_directive_and_windows_line_ends() -> None:
    text = "# escape=`\r\nFROM python:3.11\r\nRUN pip install `\r\n  tensorrt==8.6.1\r\n"
    assert [item.name for item in instructions(text.replace("\r\n", "\n"))] == ["FROM", "RUN"]


def test_conda_in_an_image(tmp_path: Path) -> None:
    (tmp_path / "environment.yml").write_text("dependencies:\n  - python=3.9\n  - cudnn=8.9\n")
    text = (
        "FROM condaforge/miniforge3:24.3.0-0\nCOPY environment.yml /tmp/\n"
        "RUN conda env update -n base -f /tmp/environment.yml && mamba install -y -c nvidia cuda-version=12.4\n"
    )
    found = parse(text, str(tmp_path / "Dockerfile"), TARGET, Files())
    assert {item.name: item.specifier for item in found.conda} == {
        "python": "==3.9.*",
        "cudnn": "==8.9.*",
        "cuda-version": "==12.4.*",
    }
    assert found.python == "3.9"


@pytest.mark.parametrize("opening", ["cat <<< hello", "echo $((1<<SHIFT))", "cat <<NEVER_ENDS", "a<<b"])
def test_what_only_looks_like_a_heredoc_swallows_nothing(opening: str) -> None:
    found = parse(f"FROM x\nRUN {opening}\nRUN pip install tensorrt==8.6.1\n", "D", TARGET)
    assert pip(found) == {"tensorrt": ("==8.6.1", "D:3")}


@pytest.mark.parametrize("line", ["ENV A=$A$A\n", "ARG A=$A$A\n", "ENV A $A$A\n"])
def test_a_variable_that_doubles_itself_is_not_followed(line: str) -> None:
    first = f"{line[:3]} A=abcdefgh\n"
    text = f"FROM x\n{first}{line * 60}RUN pip install $A $A tensorrt==8.6.1\n"
    tracemalloc.start()
    found = parse(text, "D", TARGET)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert pip(found) == {"tensorrt": ("==8.6.1", "D:63")}
    assert peak < 10_000_000


@pytest.mark.parametrize("text", ["", "RUN pip install tensorrt\n", "# only a comment\n"])
def test_without_from_it_is_no_dockerfile(text: str) -> None:
    with pytest.raises(FileError, match="it has no FROM"):
        parse(text, "Dockerfile", TARGET)


FRAGMENTS = st.lists(
    st.sampled_from(
        [
            "FROM a AS b\n",
            "FROM b\n",
            "RUN ",
            "pip install ",
            "tensorrt==1 ",
            "\\\n",
            "<<EOF\n",
            "EOF\n",
            "# x\n",
            "'",
            '"',
            "$(",
            ")",
        ]
        + [
            "${A:-",
            "}",
            "&& ",
            "COPY --from=b / /\n",
            "ARG A=1\n",
            "ENV A $A\n",
            "[",
            '"pip"',
            "\n",
            "--mount=type=bind,target=x ",
        ]
    ),
    max_size=30,
).map("".join)


@given(FRAGMENTS)
def test_no_text_makes_it_fail_and_lines_are_those_of_the_file(text: str) -> None:
    text = "FROM x\n" + text
    found = parse(text, "D", TARGET)
    places = [
        *(item.where for item in found.stated),
        *(item.where for item in found.skipped),
        *(item.where for item in found.packages),
    ]
    assert all(1 <= int(where.rpartition(":")[2]) <= text.count("\n") + 1 for where in places)


@given(st.text(max_size=200))
def test_no_shell_text_makes_it_fail(text: str) -> None:
    for command in commands(text, 1, {}):
        for word in command.words:
            assert 1 <= word.line <= text.count("\n") + 1


@given(
    st.lists(st.sampled_from(["tensorrt==10.9.0.34", "torch==2.5.1", "numpy<2"]), min_size=1, max_size=6, unique=True)
)
def test_each_requirement_of_a_continued_run_has_its_own_line(lines: list[str]) -> None:
    text = "FROM x\nRUN pip install \\\n" + " \\\n".join(f'  "{line}"' for line in lines) + "\n"
    found = parse(text, "D", TARGET)
    assert [item.where for item in found.stated] == [f"D:{number}" for number in range(3, 3 + len(lines))]
