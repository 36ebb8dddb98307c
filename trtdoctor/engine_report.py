"""What ``trtdoctor engine`` answers: files of engines, what each is, and whether an environment can load it.

``trtdoctor-engine/1``. Each file is judged on its own, by the rules of the family ENG.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

from trtdoctor import __version__
from trtdoctor.findings import Finding, MatrixInfo, Severity, Unknown, Verdict, plain
from trtdoctor.judge import judge, verdict_of
from trtdoctor.matrix import Matrix
from trtdoctor.record import record
from trtdoctor.snapshot import Engine, Snapshot
from trtdoctor.stack import Stack
from trtdoctor.versions import Version

SCHEMA = "trtdoctor-engine/1"
_HOW = "trtdoctor engine stamp FILE, where it was built"


@record
class Scanned:
    """What was searched."""

    files: int
    unreadable: int
    """Files and directories that could not be read."""
    complete: bool
    """False when it was given up: too many files, or too long."""


@record
class EngineFile:
    """One file, and what there is to say of it."""

    engine: Engine
    verdict: Verdict | None
    """Whether the environment can load it; None when that was not asked."""
    findings: tuple[Finding, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    """What its header does not tell, or the environment does not."""


@record
class EngineReport:
    """All files that were asked for."""

    verdict: Verdict | None
    """The worst of them; None when that was not asked."""
    files: tuple[EngineFile, ...]
    scanned: Scanned | None
    """None when each file was named."""
    program: str
    matrix: MatrixInfo
    as_of: str

    def fails(self, threshold: str) -> bool:
        """Whether the exit code is 1: ``threshold`` is ``error``, ``warning``, ``unknown`` or ``never``."""
        if threshold == "never":
            return False
        if threshold == "unknown":
            return any(item.verdict in (Verdict.BROKEN, Verdict.UNKNOWN) for item in self.files)
        limit = Severity(threshold).rank
        return any(finding.severity.rank <= limit for item in self.files for finding in item.findings)

    def to_plain(self) -> dict[str, Any]:
        """The JSON form, as plain data."""
        return {
            "schema": SCHEMA,
            "verdict": plain(self.verdict),
            "files": [
                {
                    **plain(item.engine),
                    "verdict": plain(item.verdict),
                    "findings": [plain(finding) for finding in item.findings],
                    "unknown": [plain(unknown) for unknown in item.unknown],
                }
                for item in self.files
            ],
            "scanned": plain(self.scanned),
            "program": self.program,
            "matrix": plain(self.matrix),
            "as_of": self.as_of,
        }


def inspected(
    engines: Iterable[Engine], matrix: Matrix, *, as_of: date, scanned: Scanned | None = None
) -> EngineReport:
    """What the files themselves say; no environment is judged."""
    empty = Snapshot(kind="declared")
    files = tuple(
        EngineFile(item, None, _of_the_file(item, empty, matrix, as_of), tuple(_untold(item))) for item in engines
    )
    return EngineReport(None, files, scanned, __version__, MatrixInfo.of(matrix, as_of), as_of.isoformat())


def _of_the_file(engine: Engine, snapshot: Snapshot, matrix: Matrix, as_of: date) -> tuple[Finding, ...]:
    return judge(replace(snapshot, engines=(engine,)), matrix, as_of=as_of, select=("ENG2",)).findings


def checked(
    engines: Iterable[Engine],
    snapshot: Snapshot,
    matrix: Matrix,
    *,
    as_of: date,
    goal: Iterable[str] = (),
    scanned: Scanned | None = None,
) -> EngineReport:
    """Whether the environment of ``snapshot`` can load each of the files."""
    words = tuple(goal)
    stack = Stack(snapshot, matrix)
    files = []
    for engine in engines:
        report = judge(replace(snapshot, engines=(engine,)), matrix, as_of=as_of, goal=words, select=("ENG",))
        verdict = verdict_of(report.findings, ())
        unknown = tuple(item for item in report.unknowns if item.component == "engine")
        if verdict is not Verdict.BROKEN:
            unknown += tuple(_undecided(engine, stack))
        if verdict is Verdict.READY and unknown:
            verdict = Verdict.UNKNOWN
        files.append(EngineFile(engine, verdict, report.findings, (*unknown, *_untold(engine))))
    worst = max((item.verdict for item in files if item.verdict), key=_WORST.index, default=Verdict.READY)
    return EngineReport(worst, tuple(files), scanned, __version__, MatrixInfo.of(matrix, as_of), as_of.isoformat())


_WORST = [Verdict.READY, Verdict.UNKNOWN, Verdict.AT_RISK, Verdict.BROKEN]


def _undecided(engine: Engine, stack: Stack) -> Iterable[Unknown]:
    """What has to be known, and is not, before a file that nothing speaks against can be called loadable."""
    if engine.kind not in ("plan", "archive"):
        if engine.tensorrt is None and engine.kind in ("timing-cache", "calibration-cache"):
            yield Unknown("engine", "the TensorRT that made the cache", "the file does not say it", _HOW)
        return
    if engine.tensorrt is None:
        yield Unknown("engine", "the TensorRT that built the engine", "its header does not say it", _HOW)
    runtimes = stack.rtxs if engine.product == "rtx" else stack.tensorrts
    if not any(item.version for item in runtimes):
        yield Unknown("tensorrt", "the TensorRT that loads it", "none is known here", "--set tensorrt=VERSION")
    elif engine.tensorrt and not engine.version_compatible and not any(_whole(item.version) for item in runtimes):
        how = "--set tensorrt=VERSION with all four numbers"
        yield Unknown("tensorrt", "the whole version of the TensorRT that loads it", "its build counts too", how)
    if not any(item.compute_capability for item in stack.gpus):
        yield Unknown("gpu", "the GPU that runs it", "none is known here", "--set gpu=NAME")


def _whole(version: Version | None) -> bool:
    return version is not None and len(version.parts) > 3


def _untold(engine: Engine) -> Iterable[Unknown]:
    """What no header of a plan tells, and no sidecar beside this one says."""
    if engine.kind != "plan" or engine.problem in ("line-ends", "utf-8", "replaced", "utf-16"):
        return
    names = {
        "system": "operating system",
        "version_compatible": "version compatibility",
        "hardware_compatibility": "hardware compatibility",
        "weights_stripped": "stripped weights",
    }
    if engine.product == "rtx":
        names = {"weights_stripped": "stripped weights"}
    missing = [text for name, text in names.items() if getattr(engine, name) is None]
    if missing:
        yield Unknown("flags", ", ".join(missing), "the header does not tell", _HOW)
