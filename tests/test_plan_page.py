"""docs/plan.md: its commands say what the page says that they say, and its weights are those that rank.

To write both into the page anew: ``python -m tests.test_plan_page``.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conftest import ROOT
from trtdoctor.cli.plan import command
from trtdoctor.plan import model

PAGE = ROOT / "docs" / "plan.md"
ADDED = {
    "each further package": model.ONE_MORE,
    "comes another way": model.OTHER_WAY,
    "leaves its image": model.LEAVING,
    "becomes another release": model.OTHER_RELEASE,
    "becomes another major": model.OTHER_MAJOR,
    "moves on by more": model.FARTHER,
    "is for another CUDA": model.OTHER_CUDA,
    "becomes older": model.OLDER,
    "is not confirmed": model.UNSURE,
}
"""What a row of the page begins with to its weight."""
_FILE = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", re.DOTALL)
_CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
_WEIGHT = re.compile(r"^\| (`([a-z-]+)`: .*|[a-z].*?) \| \d+ \|$", re.MULTILINE)


def weighed(text: str) -> tuple[str, list[str]]:
    """The page with the weights as they are now, and what it gives a weight for."""
    told: list[str] = []

    def row(match: re.Match[str]) -> str:
        kind = match[2]
        words = next((words for words in ADDED if match[1].startswith(words)), None)
        told.append(kind or words or match[1])
        return f"| {match[1]} | {model.KINDS[kind] if kind else ADDED[told[-1]]} |"

    return _WEIGHT.sub(row, text), told


def executed(place: Path) -> str:
    """The page with the output of each command as it is now; they run in ``place``, one after the other."""
    text, _ = weighed(PAGE.read_text("utf-8"))
    for name, content in _FILE.findall(text):
        (place / name).write_text(content)
    program = place / "bin" / "trtdoctor"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m trtdoctor "$@"\n')
    program.chmod(0o755)
    environ = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}

    def run(match: re.Match[str]) -> str:
        shown = []
        for line in (line for line in match[1].splitlines() if line.startswith("$ ")):
            done = subprocess.run(
                ["bash", "-c", line[2:]], cwd=place, env=environ, capture_output=True, text=True, check=False
            )
            shown.append(f"{line}\n{done.stderr}{done.stdout}")
        return f"```console\n{''.join(shown)}```"

    return _CONSOLE.sub(run, text)


def test_the_commands_of_the_page_say_what_it_says(tmp_path: Path) -> None:
    now = executed(tmp_path)
    assert "Traceback" not in now
    assert now == PAGE.read_text("utf-8"), "write it anew: python -m tests.test_plan_page"


def test_the_page_gives_every_weight_as_it_is() -> None:
    text = PAGE.read_text("utf-8")
    now, told = weighed(text)
    assert now == text, "write it anew: python -m tests.test_plan_page"
    assert sorted(told) == sorted([*model.KINDS, *ADDED])
    numbers = [value for name, value in vars(model).items() if name.isupper() and isinstance(value, int)]
    assert len(numbers) == len(ADDED), "a weight that the page does not have"


def test_the_page_names_what_the_command_takes() -> None:
    text = PAGE.read_text("utf-8")
    shared = {"--matrix", "--overlay", "--config", "--no-config", "--output", "--as-of", "--python", "--help"}
    for parameter in command.params:
        names = {name for name in parameter.opts if name.startswith("--")}
        assert not names or names & shared or any(name in text for name in names), names


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(executed(Path(folder)), "utf-8")
