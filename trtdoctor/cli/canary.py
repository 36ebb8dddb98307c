"""``trtdoctor canary``."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING

import click

from trtdoctor.cli.canary_options import (
    check_model,
    check_target,
    parse_capabilities,
    parse_seconds,
    parse_shapes,
    parse_size,
    parse_tolerance,
)
from trtdoctor.cli.inputs import collect_here, load_matrix
from trtdoctor.findings import MatrixInfo
from trtdoctor.render import CI_FORMATS, FORMATS

if TYPE_CHECKING:
    from trtdoctor.canary.guard import Guard
    from trtdoctor.canary.report import CanaryReport
    from trtdoctor.canary.run import Options, Outcome
    from trtdoctor.findings import Finding
    from trtdoctor.matrix import Matrix
    from trtdoctor.snapshot import Canary, Snapshot

_PRECISIONS = ("fp32", "fp16", "bf16", "int8", "fp8")


@click.command(
    "canary",
    epilog="""\b
Exit codes: 0 passed (or nothing but a GPU to run on was wanting), 1 failed, 2 it could not start.
Examples:
  trtdoctor canary
  trtdoctor canary --onnx model.onnx --precision fp16 --batch 8 --save model.engine""",
)
@click.option("--python", metavar="PATH", help="Interpreter whose TensorRT is tried.")
@click.option("--product", type=click.Choice(("auto", "tensorrt", "tensorrt-rtx")), default="auto", show_default=True)
@click.option("--stage", type=click.Choice(("build", "run")), help="Stop after the build; or insist on the run.")
@click.option("--device", type=click.IntRange(0, 1023), default=0, show_default=True, help="GPU, as CUDA numbers it.")
@click.option("--precision", type=click.Choice(_PRECISIONS), show_default="fp32, fp16 where there is no fp32")
@click.option(
    "--onnx",
    type=click.Path(),
    callback=check_model,
    is_eager=True,
    metavar="MODEL",
    help="Your own model instead of the built-in network.",
)
@click.option("--batch", type=click.IntRange(1, 65536), metavar="N", help="Dynamic batch: build for 1, N and 2N.")
@click.option(
    "--shape",
    "shapes",
    multiple=True,
    callback=parse_shapes,
    metavar="NAME:MIN:OPT:MAX",
    help="Shapes of an input, such as image:1x3x8x8:2x3x8x8:4x3x8x8 (repeatable).",
)
@click.option(
    "--compute-capability",
    "capabilities",
    multiple=True,
    callback=parse_capabilities,
    metavar="CC",
    help="TensorRT for RTX: build for these (repeatable).",
)
@click.option("--workspace", default="1GiB", show_default=True, callback=parse_size, metavar="SIZE")
@click.option("--timeout", type=float, default=120.0, show_default=True, callback=parse_seconds, metavar="SECONDS")
@click.option(
    "--memory-limit", default="8GiB", show_default=True, callback=parse_size, metavar="SIZE", help="Of the host."
)
@click.option("--save", type=click.Path(), callback=check_target, metavar="ENGINE", help="Keep the engine here.")
@click.option(
    "--compare", "tolerance", type=float, callback=parse_tolerance, metavar="RTOL", help="Largest relative error."
)
@click.option("--matrix", "matrix_directory", metavar="DIR|packaged", help="Another compatibility matrix.")
@click.option("--format", "format_", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option(
    "-o", "--output", "outputs", multiple=True, metavar="[FORMAT:]FILE", help="Write to a file as well (repeatable)."
)
@click.option("-v", "--verbose", is_flag=True, help="Show the log of TensorRT too.")
def command(
    python: str | None,
    product: str,
    stage: str | None,
    device: int,
    precision: str | None,
    onnx: str | None,
    batch: int | None,
    shapes: dict[str, tuple[tuple[int, ...], ...]],
    capabilities: tuple[str, ...],
    workspace: int,
    timeout: float,
    memory_limit: int,
    save: str | None,
    tolerance: float | None,
    matrix_directory: str | None,
    format_: str,
    outputs: tuple[str, ...],
    verbose: bool,
) -> int:
    """Really build a small engine, run it, and compare its result: in a guarded child process."""
    from trtdoctor.canary.guard import Guard, Limits

    if shapes and onnx is None:
        raise click.UsageError("--shape is for a model of your own: --onnx MODEL")
    limits = Limits(timeout, memory_limit)
    with closing(Guard(limits)) as guard:  # started first: it is made ready while the rest is imported
        from trtdoctor.canary.run import Options
        from trtdoctor.cli.output import deliver

        options = Options(
            product=product,
            stage=stage,
            device=device,
            precision=precision,
            onnx=onnx,
            batch=batch,
            shapes=shapes,
            workspace_bytes=workspace,
            tolerance=tolerance,
            compute_capabilities=capabilities,
            limits=limits,
            save=save,
        )
        matrix = load_matrix(matrix_directory)
        report = _report(matrix, python, _interpreter(python), options, guard)

    def make(kind: str, color: bool) -> str:
        from trtdoctor.render import render, render_canary

        if kind in CI_FORMATS:
            from trtdoctor.cli.reports import about_of, canary_for_others

            return render(canary_for_others(report, matrix), kind, about=about_of("canary", "error")())
        return render_canary(report, kind, verbose=verbose, color=color)

    deliver(make, format_, outputs, FORMATS)
    return report.code


def _report(
    matrix: Matrix, python: str | None, found: tuple[str, str] | None, options: Options, guard: Guard
) -> CanaryReport:
    """Run it. A canary that passes needs no facts about the machine; one that fails is judged together with them."""
    from trtdoctor.canary.choice import untold
    from trtdoctor.canary.run import run

    if found is not None:
        path, chosen_by = found
        first, modules = untold(matrix, options.product, path)
        outcome = run(first, options, matrix, modules=modules, guard=guard)
        if _nothing_to_say(outcome.canary):
            _saved(outcome, options)
            interpreter = {"path": path, "version": outcome.python, "chosen_by": chosen_by}
            return _made(outcome, (), MatrixInfo.of(matrix, date.today()), interpreter, None)
        if outcome.canary.reason != "no-module":
            return _judged(matrix, collect_here(matrix, python), outcome, options)
    from trtdoctor.canary.choice import choose
    from trtdoctor.stack import Stack

    snapshot = collect_here(matrix, python)
    choice = choose(Stack(snapshot, matrix), matrix, options.product)
    if isinstance(choice, str):
        raise click.ClickException(choice)
    return _judged(matrix, snapshot, run(choice, options, matrix), options)


def _judged(matrix: Matrix, snapshot: Snapshot, outcome: Outcome, options: Options) -> CanaryReport:
    from dataclasses import replace

    from trtdoctor.judge import judge

    _saved(outcome, options)
    report = judge(replace(snapshot, canaries=(outcome.canary,)), matrix, as_of=date.today())
    about = [item for item in report.findings if item.code.startswith("CAN") or _confirmed(item.facts)]
    return _made(outcome, tuple(about), report.matrix, report.interpreter, snapshot)


def _nothing_to_say(canary: Canary) -> bool:
    """Whether it passed in every way: no rule has anything to add."""
    wanted = canary.precision in ("fp32", *canary.precision_used) or not canary.precision_used
    return canary.outcome == "passed" and wanted


def _saved(outcome: Outcome, options: Options) -> None:
    if outcome.not_saved:
        raise click.ClickException(f"{options.save}: {outcome.not_saved}")
    if outcome.saved:
        from trtdoctor.cli.canary_stamp import stamp

        stamp(outcome.saved, outcome, options)


def _made(
    outcome: Outcome,
    findings: tuple[Finding, ...],
    matrix: MatrixInfo,
    interpreter: dict[str, str | None] | None,
    facts: Snapshot | None,
) -> CanaryReport:
    from trtdoctor import __version__
    from trtdoctor.canary.report import CanaryReport

    return CanaryReport(outcome.canary, findings, outcome.saved, __version__, matrix, interpreter, facts)


def _interpreter(python: str | None) -> tuple[str, str] | None:
    """The interpreter that is meant, and the rule that picks it, where that is known at once; None: ask the probe."""
    import os

    if python is not None:
        usable = os.sep in python and os.path.isfile(python) and os.access(python, os.X_OK)
        return (os.path.abspath(python), "--python") if usable else None
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        prefix = os.environ.get(variable)
        if prefix:
            path = f"{prefix.rstrip('/')}/bin/python"
            return (path, variable) if prefix.startswith("/") and os.access(path, os.X_OK) else None
    return None


def _confirmed(facts: tuple[object, ...]) -> bool:
    return any(getattr(fact, "key", None) == "canary" for fact in facts)
