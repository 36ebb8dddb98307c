"""Run the program as a user does: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Ran:
    """What a run printed and returned."""

    code: int
    out: str
    err: str


def run(*arguments: str, stdin: bytes | None = None, seconds: float = 60, cwd: Path = ROOT, **environ: str) -> Ran:
    """``trtdoctor ARGUMENTS``."""
    done = subprocess.run(
        [sys.executable, "-m", "trtdoctor", *arguments],
        cwd=cwd,
        input=stdin if stdin is not None else b"",
        capture_output=True,
        timeout=seconds,
        env={**os.environ, **environ},
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def complains(ran: Ran) -> str:
    """The one clear line that bad input gets: exit code 2, nothing on stdout, no traceback."""
    assert ran.code == 2, (ran.code, ran.out, ran.err)
    assert ran.out == ""
    lines = ran.err.strip().splitlines()
    assert len(lines) == 1, ran.err
    assert lines[0].startswith("trtdoctor: ")
    assert "Traceback" not in ran.err
    return lines[0]
