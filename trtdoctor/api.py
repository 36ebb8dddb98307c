"""The library's front door: one function that does what ``trtdoctor check`` does."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from trtdoctor.findings import Report

if TYPE_CHECKING:
    from trtdoctor.snapshot import Snapshot


def check(
    snapshot: Snapshot | None = None,
    *,
    python: str | None = None,
    goal: Iterable[str] = (),
    matrix: str | Path | None = None,
    as_of: date | None = None,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
) -> Report:
    """Judge ``snapshot``, or this machine when none is given.

    The calling process never loads a native library: what has to be loaded is asked in a child process.

    Args:
        snapshot: facts taken elsewhere; None to inspect this machine.
        python: path of the interpreter whose packages are looked at; None for the usual choice.
        goal: what the environment is for: ``build``, ``run``, ``python``, ``fp16``, …
        matrix: directory of another matrix.
        as_of: the day to judge by; None for today.
        select: codes or prefixes of codes to report; all when empty.
        ignore: codes or prefixes of codes to leave out.

    Raises:
        trtdoctor.matrix.MatrixError: the matrix cannot be read.
        ValueError: ``python`` is no interpreter.
    """
    from trtdoctor.judge import judge
    from trtdoctor.matrix import load

    known = load(matrix)
    if snapshot is None:
        from trtdoctor.probes import collect

        snapshot = collect(known, python=python)
    return judge(snapshot, known, as_of=as_of or date.today(), goal=goal, select=select, ignore=ignore)
