"""The library's front door: functions that do what ``trtdoctor check`` and ``trtdoctor libs`` do."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from trtdoctor.findings import Report

if TYPE_CHECKING:
    from typing import Any

    from trtdoctor.planned import Planned
    from trtdoctor.resolution import Libs
    from trtdoctor.snapshot import Snapshot


FAIL_ON = ("error", "warning", "unknown", "never")
"""Thresholds of :func:`assert_ready` and of ``--fail-on``."""


class NotReadyError(Exception):
    """This is no environment to start in; the message says why in one line."""

    def __init__(self, message: str, report: Report) -> None:
        super().__init__(message)
        self.report = report

    def __reduce__(self) -> tuple[Any, ...]:
        return (NotReadyError, (str(self), self.report))


def check(
    snapshot: Snapshot | None = None,
    *,
    python: str | None = None,
    root: str = "/",
    observe: bool = False,
    goal: Iterable[str] = (),
    matrix: str | Path | None = None,
    as_of: date | None = None,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    require: Iterable[str] = (),
    against: str | Path | Planned | None = None,
) -> Report:
    """Judge ``snapshot``, or this machine when none is given.

    The calling process never loads a native library: what has to be loaded is asked in a child process.

    Args:
        snapshot: facts taken elsewhere; None to inspect this machine.
        python: path of the interpreter whose packages are looked at; None for the usual choice.
        root: the directory that is taken for ``/``; of another one only files are looked at (``python`` is below it).
        observe: whether what is there is also imported, in child processes, to see which libraries come.
        goal: what the environment is for: ``build``, ``run``, ``python``, ``fp16``, …
        matrix: directory of another matrix.
        as_of: the day to judge by; None for today.
        select: codes or prefixes of codes to report; all when empty.
        ignore: codes or prefixes of codes to leave out.
        require: what else is required, such as ``tensorrt>=10.3,<11`` or ``gpu.memory>=16GiB``; one that is not met is
            an error of the report. To ask one afterwards: ``report.require(...)``.
        against: the plan that the environment is to match (``trtdoctor plan --write``), or the path of its file; what
            differs is a finding, and ``report.against.matches`` the answer.

    Raises:
        trtdoctor.matrix.MatrixError: the matrix cannot be read.
        trtdoctor.demands.DemandError: one of ``require`` cannot be read (a ValueError).
        trtdoctor.planned.PlannedError: the file that ``against`` names is no plan (a ValueError).
        OSError: it cannot be read.
        ValueError: ``python`` is no interpreter, or ``root`` no directory.
    """
    from trtdoctor.demands import parse_all
    from trtdoctor.judge import judge
    from trtdoctor.matrix import load

    demands = parse_all(require)
    planned = _planned(against)
    known = load(matrix)
    if snapshot is None:
        from trtdoctor.probes import collect

        snapshot = collect(known, python=python, root=root, observe=observe)
    day = as_of or date.today()
    return judge(snapshot, known, as_of=day, goal=goal, select=select, ignore=ignore, demands=demands, planned=planned)


def _planned(against: str | Path | Planned | None) -> Planned | None:
    from trtdoctor.planned import MAX_BYTES, Planned, from_yaml

    if against is None or isinstance(against, Planned):
        return against
    with open(against, "rb") as stream:
        return from_yaml(stream.read(MAX_BYTES + 1))


def assert_ready(
    *require: str, fail_on: str = "unknown", python: str | None = None, snapshot: Snapshot | None = None, **options: Any
) -> Report:
    """Check once, at a service's start-up, and refuse to go on where TensorRT cannot work.

    CUDA is not touched in the calling process: nothing native is loaded, no context is made, no variable is set.

    Args:
        require: requirements such as ``tensorrt>=10.3,<11``.
        fail_on: what is too bad to go on: ``error``, ``warning``, ``unknown`` (errors, and what nobody can judge) or
            ``never`` (then only the requirements count).
        python: path of the interpreter whose packages are looked at; None for the one that runs this.
        snapshot: facts taken elsewhere; None to inspect this machine.
        options: as for :func:`check`: ``goal``, ``matrix``, ``as_of``, ``select``, ``ignore``, ``observe``, ``root``,
            ``against``.

    Returns:
        The report, which is good enough.

    Raises:
        NotReadyError: the verdict is not; it has the ``report``.
        RequirementError: the verdict is, and a requirement is not met, or nobody can tell.
        ValueError: ``fail_on`` is none of these words; and as for :func:`check`.
    """
    import sys

    from trtdoctor.demands import parse_all

    if fail_on not in FAIL_ON:
        raise ValueError(f"fail_on is one of {', '.join(FAIL_ON)}, not {fail_on!r}")
    parse_all(require)  # a mistyped one is told before a second goes by
    if snapshot is None and options.get("root", "/") == "/":
        python = python or sys.executable or None
    report = check(snapshot, python=python, **options)
    if report.fails(fail_on):
        raise NotReadyError(report.in_short, report)
    report.require(*require)
    return report


def libs(
    snapshot: Snapshot | None = None,
    *,
    python: str | None = None,
    root: str = "/",
    observe: bool = True,
    importers: Iterable[str] | None = None,
    matrix: str | Path | None = None,
    as_of: date | None = None,
) -> Libs:
    """Who gets which NVIDIA library, on this machine or in ``snapshot``, and by which step of the loader's search.

    The calling process never loads a native library: what is observed is observed in child processes.

    Args:
        snapshot: facts taken elsewhere; None to inspect this machine.
        python: path of the interpreter whose packages are looked at; None for the usual choice.
        root: the directory that is taken for ``/``; of another one only files are looked at, and nothing is observed.
        observe: whether what is there is also imported, in child processes.
        importers: whose libraries are told of: ``python``, ``trtexec``, the path of a file, a module's name; all that
            are known when None.
        matrix: directory of another matrix.
        as_of: the day to judge by; None for today.

    Raises:
        trtdoctor.matrix.MatrixError: the matrix cannot be read.
        ValueError: ``python`` is no interpreter, or ``root`` no directory.
    """
    from trtdoctor.matrix import load
    from trtdoctor.resolution import resolve, restricted

    known = load(matrix)
    words = None if importers is None else tuple(importers)
    if snapshot is None:
        from trtdoctor.probes import collect

        seen = observe and root == "/"
        snapshot = collect(known, python=python, root=root, observe=seen, importers=words, symbols=True)
    if words is not None:
        snapshot = restricted(snapshot, words)
    return resolve(snapshot, known, as_of=as_of or date.today(), complete=words is None)
