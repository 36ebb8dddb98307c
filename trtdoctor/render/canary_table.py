"""A canary for people: what came of it, its stages with their times, what it means, and its log when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from trtdoctor.canary.report import CanaryReport
from trtdoctor.render.parts import WIDTH, Paint, finding_lines, labelled, python_line
from trtdoctor.snapshot import Canary, CanaryStage
from trtdoctor.text import harmless

_STATUS = {"passed": "ok", "skipped": "dim", "failed": "error", "crashed": "error", "timed-out": "error"}
_OUTCOMES = {
    "passed": "passed",
    "failed": "failed",
    "crashed": "crashed",
    "timed-out": "timed out",
    "out-of-memory": "out of memory",
    "not-started": "could not start",
}
_LONGEST = 600
"""Characters of a detail that are shown without ``-v``."""


def render(report: CanaryReport, *, verbose: bool = False, color: bool = False) -> str:
    """The whole text, with a final newline."""
    paint = Paint(color)
    canary = report.canary
    lines = [*_head(report, paint)]
    if canary.stages:
        lines += ["", *_stages(canary.stages, paint, verbose)]
    for finding in report.findings:
        lines += ["", *finding_lines(finding, paint, verbose)]
    if verbose and canary.log:
        lines += ["", "log"]
        for entry in canary.log:
            text = f"[{entry.stage or '-'}] {entry.severity}: {entry.text or ''}"
            lines += wrap(text, WIDTH - 2, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    matrix = report.matrix
    lines += ["", paint("dim", f"trtdoctor {report.program}, matrix {matrix.version}, {canary.taken or 'no date'}")]
    return "\n".join(harmless(line.rstrip()) for line in lines) + "\n"


def _head(report: CanaryReport, paint: Paint) -> Iterator[str]:
    canary = report.canary
    word = _OUTCOMES.get(canary.outcome, canary.outcome)
    why = f" ({canary.reason})" if canary.reason else ""
    style = "ok" if canary.outcome == "passed" else "error"
    first, *rest = wrap(f"{word}{why}: {_what(canary)}", WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    yield paint(style, word) + first[len(word) :]
    yield from rest
    yield from python_line(report.interpreter, paint)
    if canary.precision_used:
        yield from labelled("precision", f"{canary.precision} asked, {', '.join(canary.precision_used)} used", paint)
    if canary.engine_bytes is not None:
        yield from labelled("engine", f"{canary.engine_bytes} bytes", paint)
    if canary.error is not None and canary.tolerance is not None:
        yield from labelled("error", f"{canary.error:.3g}, allowed {canary.tolerance:.3g}", paint)
    if report.saved:
        yield from labelled("saved", report.saved, paint)


def _what(canary: Canary) -> str:
    name = "TensorRT for RTX" if canary.product == "tensorrt-rtx" else "TensorRT"
    ran = any(stage.name == "run" and stage.status == "passed" for stage in canary.stages)
    built = any(stage.name == "build" and stage.status == "passed" for stage in canary.stages)
    done = "built and run" if ran else "built, not run" if built else "not built"
    network = "your model" if canary.network == "onnx" else "the built-in network"
    return f"{name} {canary.version or 'of unknown version'}, {network} in {canary.precision or 'fp32'}, {done}"


def _stages(stages: tuple[CanaryStage, ...], paint: Paint, verbose: bool) -> Iterator[str]:
    """One line a stage; those that were left out for one reason share it."""
    groups: list[list[CanaryStage]] = []
    for stage in stages:
        last = groups[-1][0] if groups else None
        alike = last is not None and (last.status, last.detail) == (stage.status, stage.detail)
        if alike and stage.status == "skipped" and not verbose:
            groups[-1].append(stage)
        else:
            groups.append([stage])
    for group in groups:
        if len(group) == 1:
            yield from _stage(group[0], paint, verbose)
        else:
            names = ", ".join(stage.name for stage in group)
            text = f"{group[0].status}: {names} ({group[0].detail or 'no reason given'})"
            yield from wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def _stage(stage: CanaryStage, paint: Paint, verbose: bool) -> Iterator[str]:
    seconds = f"{stage.seconds:8.3f} s" if stage.seconds is not None and stage.status != "skipped" else " " * 10
    head = f"  {stage.name:<14}{stage.status:<10}{seconds}  "
    detail = stage.detail or ""
    if not verbose and len(detail) > _LONGEST:
        detail = detail[: _LONGEST - 1] + "\u2026"
    lines = wrap(detail, WIDTH - len(head), break_on_hyphens=False) or [""]
    yield head.replace(stage.status, paint(_STATUS.get(stage.status, ""), stage.status), 1) + lines[0]
    for line in lines[1:]:
        yield " " * len(head) + line
