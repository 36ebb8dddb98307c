"""Pages of the documentation whose commands are run: what they print stands on the page as it is now."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

_FILE = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", re.DOTALL)
_CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)


def executed(text: str, place: Path) -> str:
    """The page with the output of each command; they run in ``place``, one after the other, beside the page's files."""
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
