"""docs/policy.md: its commands say what the page says that they say.

To write their output into the page anew: ``python -m tests.test_policy_page``.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.conftest import ROOT, SNAPSHOTS
from trtdoctor.config import KEYS, Key

PAGE = ROOT / "docs" / "policy.md"
MACHINES = {"host.json": "h200-trt853.json", "broken.json": "h200-trt853-no-sublibraries.json"}
_FILE = re.compile(r"<!-- file: (\S+) -->\n```toml\n(.*?)```", re.DOTALL)
_CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)


def executed(place: Path) -> str:
    """The page with the output of each command as it is now; they run in ``place``, one after the other."""
    for name, recorded in MACHINES.items():
        shutil.copy(SNAPSHOTS / recorded, place / name)
    text = PAGE.read_text("utf-8")
    for name, content in _FILE.findall(text):
        (place / name).write_text(content)
    program = place / "bin" / "trtdoctor"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m trtdoctor "$@"\n')
    program.chmod(0o755)
    environ = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}

    def run(match: re.Match[str]) -> str:
        shown = []
        for command in (line for line in match[1].splitlines() if line.startswith("$ ")):
            done = subprocess.run(
                ["bash", "-c", command[2:]], cwd=place, env=environ, capture_output=True, text=True, check=False
            )
            shown.append(f"{command}\n{done.stderr}{done.stdout}")
        return f"```console\n{''.join(shown)}```"

    return _CONSOLE.sub(run, text)


def test_the_commands_of_the_page_say_what_it_says(tmp_path: Path) -> None:
    now = executed(tmp_path)
    assert "Traceback" not in now
    assert now == PAGE.read_text("utf-8"), "write it anew: python -m tests.test_policy_page"


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_the_page_names_every_key_and_its_variable(key: Key) -> None:
    text = PAGE.read_text("utf-8")
    assert f"`{key.name}`" in text
    assert (key.variable or "`") in text


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(executed(Path(folder)), "utf-8")
