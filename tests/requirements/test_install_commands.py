"""What the commands of a RUN install, whatever runs them, and where the files are that they name."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtdoctor.requirements import Files, Requirements, Target
from trtdoctor.requirements.dockerfile import parse

TARGET = Target(python="3.10")
WANTED = "tensorrt==10.9.0.34"


def of(place: Path, text: str, files: dict[str, str] | None = None) -> Requirements:
    """What a Dockerfile states, with files beside it."""
    for name, content in (files or {}).items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(content)
    return parse(text, str(place / "Dockerfile"), TARGET, Files())


def names(found: Requirements) -> list[str]:
    return [f"{item.name}{item.specifier}" for item in found.stated]


@pytest.mark.parametrize(
    "command",
    [
        "bash -c 'pip install {}'",
        'bash -lc "source /x && pip install {}"',
        "sh -ec 'pip install {}; true'",
        "conda run -n gpu pip install {}",
        "conda run --no-capture-output -n gpu python -m pip install {}",
        "micromamba run -n gpu uv pip install {}",
        "poetry run pip install {}",
        "uv run --with x pip install {}",
        "uv add {}",
        "poetry add {}",
        "sudo -H pip install {}",
        "nohup pip install {} &",
        "env -i B=c pip3.10 install {}",
        "python3 -m uv pip install {}",
        "(cd /x && pip install {})",
        "set -eux; pip install {}",
        "pip install a || true && pip install {}",
        "if true; then a; fi && pip install {}",
        "for a in b c; do pip install {}; done",
    ],
)
def test_whatever_runs_it(tmp_path: Path, command: str) -> None:
    found = of(tmp_path, f"FROM x\nRUN {command.format(WANTED)}\n")
    assert WANTED in names(found)
    assert {Path(item.where).name for item in found.stated} == {"Dockerfile:2"}


@pytest.mark.parametrize(
    "command",
    ["pip download {}", "pip wheel {}", "echo pip install {}", "pip uninstall -y {}", "bash script.sh -c 'pip {}'"],
)
def test_what_installs_nothing(tmp_path: Path, command: str) -> None:
    assert not of(tmp_path, f"FROM x\nRUN {command.format(WANTED)}\n").stated


def test_what_is_uninstalled_is_gone(tmp_path: Path) -> None:
    text = f"FROM x\nRUN pip install torch==2.5.1 {WANTED}\nRUN pip uninstall -y TensorRT\n"
    assert names(of(tmp_path, text)) == ["torch==2.5.1"]


@pytest.mark.parametrize(
    "command",
    [
        "if [ $A = 1 ]; then pip install {}; fi",
        "if a; then b; else pip install {}; fi",
        "if a; then if b; then c; fi; pip install {}; fi",
        "case $A in amd64) pip install {};; esac",
        "pip install x || pip install {}",
        "[ -z $A ] && pip install {}",
        "test -f x && a && pip install {}",
        "[[ $A ]] || pip install {}",
    ],
)
def test_what_hangs_on_a_condition_is_not_settled(tmp_path: Path, command: str) -> None:
    found = of(tmp_path, f"FROM x\nRUN {command.format(WANTED)}\n")
    assert WANTED not in names(found)
    assert [(item.name, marker) for item, marker in found.undecided] == [("tensorrt", "a condition of the shell")]


def test_system_packages_behind_a_condition_are_skipped_and_told(tmp_path: Path) -> None:
    found = of(tmp_path, "FROM x\nRUN if a; then apt-get install -y libnvinfer10=10.9.0.34-1+cuda12.8; fi\n")
    assert not found.packages
    assert [(item.text, item.why) for item in found.skipped] == [
        ("libnvinfer10", "it depends on a condition of the shell")
    ]


@pytest.mark.parametrize(
    ("before", "command"),
    [
        ("COPY requirements*.txt ./", "pip install -r requirements.txt"),
        ("COPY requirements.txt /tmp/other.txt", "pip install -r /tmp/other.txt"),
        ("COPY . /app", "cd /app && pip install -r requirements.txt"),
        ("COPY . /app", "cd /app; cd .. && pip install -r app/requirements.txt"),
        ("WORKDIR /app\nCOPY . .", "uv pip sync requirements.txt"),
        ("WORKDIR /app\nCOPY ./ ./", "pip-sync requirements.txt"),
        ("WORKDIR /a", "--mount=type=bind,source=requirements.txt,target=/r.txt pip install -r /r.txt"),
        ("WORKDIR /a", "--mount=type=bind,target=. pip install -r requirements.txt"),
    ],
)
def test_files_that_were_copied_are_found(tmp_path: Path, before: str, command: str) -> None:
    found = of(tmp_path, f"FROM x\n{before}\nRUN {command}\n", {"requirements.txt": f"\n{WANTED}\n"})
    assert [Path(item.where).name for item in found.stated] == ["requirements.txt:2"], found.skipped


def test_a_directory_holds_for_its_run_only(tmp_path: Path) -> None:
    text = "FROM x\nCOPY . /app\nRUN cd /app\nRUN pip install -r requirements.txt\n"
    assert not of(tmp_path, text, {"requirements.txt": WANTED}).stated
