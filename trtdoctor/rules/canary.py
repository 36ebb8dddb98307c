"""What a canary (a small engine, really built and run) says of this machine.

Why it failed is read from TensorRT's own words by the failure catalogue (failures.yaml). Where another rule has told
the cause already, ``reconcile`` joins the two.
"""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.findings import FoundFact, Severity
from trtdoctor.matrix import failures
from trtdoctor.rules.base import MAX_TITLE, Context, Problem, rule
from trtdoctor.rules.common import advice, numbered
from trtdoctor.snapshot import Canary, CanaryStage
from trtdoctor.stack import ABSENT

_DRIVER_TOO_OLD = 35
"""Number of the error in errors.yaml."""
_NO_BUILDER = "can run engines, not build them"
"""The child's own words for a module that has no builder."""
_SERIOUS = ("internal-error", "error")
_LINES = 5
"""So many lines of the log stand with a finding."""
_LATE = ("deserialize", "context", "run", "compare")
_TYPES = {"fp32": ("fp32",), "fp16": ("fp16",), "bf16": ("bf16",), "int8": ("int8",), "fp8": ("fp8",)}


def _label(canary: Canary) -> str:
    name = "TensorRT for RTX" if canary.product == "tensorrt-rtx" else "TensorRT"
    return f"{name} {canary.version}" if canary.version else name


def _cut_at(canary: Canary) -> CanaryStage | None:
    """The stage that decided the outcome: the first that neither passed nor was left out; the header alone does not."""
    bad = [stage for stage in canary.stages if stage.status in ("failed", "crashed", "timed-out")]
    return next((stage for stage in bad if stage.name != "header"), bad[0] if bad else None)


def _cause(ctx: Context, canary: Canary, stage: CanaryStage | None) -> failures.Match | None:
    """The first of TensorRT's words that the catalogue knows: errors first, what surely blames something first."""
    told = [stage.detail or ""] if stage else []
    told += [line.text or "" for line in canary.log if line.severity in _SERIOUS]
    told += [line.text or "" for line in canary.log if line.severity == "output"]
    warned = [line.text or "" for line in canary.log if line.severity == "warning"]
    known = [match for line in told for match in failures.match(ctx.matrix, line)]
    known += [match for line in warned for match in failures.match(ctx.matrix, line)]
    useful = [match for match in known if match.family.blames != "harmless" and not match.family.symptom]
    sure = [match for match in useful if match.family.blames == "environment"]
    return next(iter(sure or useful), None)


def _needs_driver(cause: failures.Match) -> bool:
    """Whether the line is error 35, which also stands for no driver at all."""
    return "driver" in cause.family.components and f"error {_DRIVER_TOO_OLD}" in cause.family.title


def _without_driver(ctx: Context) -> bool:
    return ctx.stack.state("driver") == ABSENT or ctx.snapshot.driver.installed is False


def _why(ctx: Context, canary: Canary, cause: failures.Match) -> str:
    """The cause in words, with versions where they are known: "driver 470.57.02 too old for CUDA 12"."""
    row = numbered(ctx.matrix, "cuda").get(_DRIVER_TOO_OLD)
    name = f" ({row.text('name')})" if row else ""
    if not _needs_driver(cause):
        return cause.family.title
    if _without_driver(ctx):
        return f"there is no driver, error {_DRIVER_TOO_OLD}{name}"
    items = ctx.stack.rtxs if canary.product == "tensorrt-rtx" else ctx.stack.builders
    flavours = {item.flavour for item in items if item.flavour}
    wanted = f"CUDA {flavours.pop().removeprefix('cu')}" if len(flavours) == 1 else "the CUDA that it is built for"
    driver = f"driver {ctx.stack.driver}" if ctx.stack.driver else "the driver"
    return f"{driver} is too old for {wanted}, error {_DRIVER_TOO_OLD}{name}"


def _title(text: str) -> str:
    return text if len(text) <= MAX_TITLE else text[: MAX_TITLE - 1].rstrip() + "\u2026"


def _facts(canary: Canary, stage: CanaryStage | None, cause: failures.Match | None) -> tuple[FoundFact, ...]:
    where = f"stage {stage.name}" if stage else None
    facts = [FoundFact("canary", canary.outcome, where, "canary")]
    lines = [cause.line] if cause else []
    lines += [line.text or "" for line in canary.log if line.severity in _SERIOUS]
    lines += [line.text or "" for line in canary.log if line.severity == "output"][-2:]
    distinct = list(dict.fromkeys(filter(None, lines)))[:_LINES]
    return (*facts, *(FoundFact("log", line[:400], None, "canary") for line in distinct))


def _breaks(canary: Canary, stage: CanaryStage | None) -> str:
    if stage is not None and stage.name in _LATE:
        return "Engines are built here, but do not run."
    return f"No engine can be built here with {_label(canary)}."


def _own(canary: Canary) -> tuple[str, ...]:
    return ("tensorrt-rtx",) if canary.product == "tensorrt-rtx" else ("tensorrt",)


def _ended_badly(ctx: Context, canary: Canary, how: str, severity: Severity = Severity.ERROR) -> Problem:
    """A canary that did not come to its end: what it said last, and what that means."""
    stage = _cut_at(canary)
    cause = _cause(ctx, canary, stage)
    if cause is not None:
        said = _why(ctx, canary, cause)
    else:
        said = (stage.detail or "it gave no reason") if stage else "it gave no reason"
    place = f" in stage {stage.name}" if stage else ""
    no_driver = cause is not None and _needs_driver(cause) and _without_driver(ctx)
    details = (stage.detail or "" if stage else "") if cause is None or no_driver else " ".join(cause.family.causes)
    advices = cause.family.next[:2] if cause else ()
    if no_driver:
        advices = ("Install an NVIDIA driver, or start the container with access to its GPUs.",)
    return Problem(
        severity,
        _title(f"{_label(canary)} {how}{place}: {said}"),
        breaks=_breaks(canary, stage),
        detail=details,
        facts=_facts(canary, stage, cause),
        sources=(cause.family.fact,) if cause else (),
        remedy=advice(cause.family.components[0], " ".join(advices)) if cause else None,
        components=cause.family.components if cause else _own(canary),
    )


def _unfit(ctx: Context, canary: Canary, stage: CanaryStage) -> bool:
    """Whether what was asked for is at fault: by the child's word, or by TensorRT's own that the catalogue knows."""
    cause = _cause(ctx, canary, stage)
    if cause is None or cause.family.blames == "maybe":
        return canary.reason == "unfit"
    # A warning of a model that is old or new stands in many logs, and need not be the reason.
    serious = [stage.detail or "", *(line.text or "" for line in canary.log if line.severity in _SERIOUS)]
    return cause.family.blames == "model" and (canary.reason == "unfit" or cause.line in serious)


@rule("CAN101", "canary-failed", severity=Severity.ERROR, components=("tensorrt",))
def canary_failed(ctx: Context) -> Iterator[Problem]:
    """A small engine was built and run here, and TensorRT refused.

    Why it matters: this is the very thing that the engine is wanted for; what fails here fails for every model.

    Example: import and builder pass, the build ends with "CUDA initialization failure with error: 35".

    How to fix: the finding names the cause as far as TensorRT's own words tell it; `trtdoctor canary -v` shows the log.

    Sources: engine_measured, rtx_measured
    """
    for canary in ctx.snapshot.canaries:
        stage = _cut_at(canary)
        if canary.outcome != "failed" or canary.reason == "no-gpu" or stage is None:
            continue
        told_elsewhere = (
            stage.name == "header"
            or _unfit(ctx, canary, stage)
            or _NO_BUILDER in (stage.detail or "")
            or _wrong(canary, stage)
        )
        if not told_elsewhere:
            yield _ended_badly(ctx, canary, "failed")


@rule("CAN102", "canary-crashed", severity=Severity.ERROR, components=("tensorrt",))
def canary_crashed(ctx: Context) -> Iterator[Problem]:
    """The process that built and ran a small engine was ended by a signal, or ended itself.

    Why it matters: it will end the user's process in the same way, without an exception that could be caught.

    Example: a sub-library of cuDNN is missing: import and builder pass, the build ends with SIGABRT.

    How to fix: the finding names the cause as far as the last words of the libraries tell it.

    Sources: engine_measured
    """
    for canary in ctx.snapshot.canaries:
        if canary.outcome == "crashed":
            yield _ended_badly(ctx, canary, f"crashed ({canary.reason})" if canary.reason else "crashed")


@rule("CAN103", "canary-timed-out", severity=Severity.WARNING, components=("tensorrt",))
def canary_timed_out(ctx: Context) -> Iterator[Problem]:
    """A small engine was not built and run within the time limit.

    Why it matters: it takes seconds where all is well. It may hang, or the machine is very slow: the first use of CUDA
    compiles kernels for a GPU that the libraries have no code for, which takes minutes.

    Example: a GPU that has fallen off the bus: the first call never returns.

    How to fix: try again with more time (`trtdoctor canary --timeout 600`); look for Xid messages in dmesg.

    Sources: engine_measured
    """
    for canary in ctx.snapshot.canaries:
        if canary.outcome == "timed-out":
            yield _ended_badly(ctx, canary, "did not end", Severity.WARNING)


@rule("CAN104", "canary-out-of-memory", severity=Severity.ERROR, components=("memory",))
def canary_out_of_memory(ctx: Context) -> Iterator[Problem]:
    """Memory ran out while a small engine was built and run: of the host, of the GPU, or up to the canary's own limit.

    Why it matters: a real model needs many times as much.

    Example: a container limited to 1 GiB: the kernel kills the process while TensorRT loads its kernels.

    How to fix: raise the limit, or free memory: `nvidia-smi` shows who uses that of the GPU.

    Sources: engine_measured
    """
    for canary in ctx.snapshot.canaries:
        if canary.outcome != "out-of-memory":
            continue
        stage = _cut_at(canary)
        whose = {"host": "host memory ran out", "device": "GPU memory ran out"}.get(
            canary.reason or "", "it reached the memory limit that was set for it"
        )
        advices = {
            "host": "Raise the memory limit of the container, or free memory.",
            "device": "Free the GPU (nvidia-smi shows who uses it), choose another, or lower the workspace limit.",
        }
        yield Problem(
            Severity.WARNING if canary.reason == "limit" else Severity.ERROR,
            _title(f"{_label(canary)} failed{f' in stage {stage.name}' if stage else ''}: {whose}"),
            breaks=_breaks(canary, stage) if canary.reason != "limit" else "Whether engines can be built is not known.",
            detail=stage.detail or "" if stage else "",
            facts=_facts(canary, stage, None),
            remedy=advice("memory", advices.get(canary.reason or "", "Allow it more: --memory-limit.")),
            components=("memory", "gpu") if canary.reason == "device" else ("memory",),
        )


def _wrong(canary: Canary, stage: CanaryStage) -> bool:
    """Whether the comparison was made, and came out badly."""
    if stage.name != "compare" or stage.status != "failed":
        return False
    return canary.error is not None or (stage.detail or "").startswith("wrong numbers")


@rule("CAN105", "canary-wrong-numbers", severity=Severity.ERROR, components=("tensorrt", "gpu", "driver"))
def canary_wrong_numbers(ctx: Context) -> Iterator[Problem]:
    """A small engine was built and run, and its result is not what it should be.

    Why it matters: everything seems to work, and every answer of every model is in doubt.

    Example: one pair of driver and TensorRT gave wrong numbers that vanished with the next driver.

    How to fix: try another driver and another TensorRT release; check the GPU (`nvidia-smi -q -d ECC`, dmesg).

    Sources: https://github.com/NVIDIA/TensorRT/issues/2062
    """
    for canary in ctx.snapshot.canaries:
        stage = _cut_at(canary)
        if canary.outcome != "failed" or stage is None or not _wrong(canary, stage):
            continue
        size = f"{canary.error:.3g}" if canary.error is not None else "not finite"
        allowed = f", allowed is {canary.tolerance:.3g}" if canary.tolerance is not None else ""
        yield Problem(
            Severity.ERROR,
            f"{_label(canary)} computes wrong numbers: the relative error is {size}{allowed}",
            breaks="The results of engines are wrong on this machine.",
            detail=f"The {canary.network} network in {canary.precision} was computed a second time without TensorRT.",
            facts=_facts(canary, stage, None),
            remedy=advice("driver", "Try another driver and another TensorRT release; look for Xid and ECC errors."),
            components=(*_own(canary), "gpu", "driver"),
        )


@rule("CAN106", "canary-precision-not-taken", severity=Severity.WARNING, components=("tensorrt",))
def canary_precision_not_taken(ctx: Context) -> Iterator[Problem]:
    """A precision was asked for, and no layer of the engine has it.

    Why it matters: the engine is as large and as slow as without, and nothing says so.

    Example: a builder flag FP16 on a small network: TensorRT finds FP32 faster, layer for layer.

    How to fix: give TensorRT a model that is typed (casts to FP16, or Q/DQ for INT8 and FP8): then its types decide.

    Sources: engine_measured, rf_detr_1453
    """
    for canary in ctx.snapshot.canaries:
        asked = canary.precision or "fp32"
        wanted = _TYPES.get(asked, (asked,))
        if asked == "fp32" or not canary.precision_used or set(wanted) & set(canary.precision_used):
            continue
        yield Problem(
            Severity.WARNING if canary.network == "onnx" else Severity.INFO,
            f"{asked.upper()} was asked for, {_label(canary)} built the engine in {_words(canary.precision_used)}",
            breaks=f"The engine gains nothing from {asked.upper()}: neither speed nor memory.",
            facts=(FoundFact("precision", ", ".join(canary.precision_used), "engine inspector", "canary"),),
            remedy=advice("tensorrt", f"Give it a model whose tensors are {asked.upper()}: then its types decide."),
            components=_own(canary),
        )


def _words(names: tuple[str, ...]) -> str:
    return " and ".join(name.upper() for name in names)


@rule("CAN107", "canary-header", severity=Severity.WARNING, components=("tensorrt", "engine"))
def canary_header(ctx: Context) -> Iterator[Problem]:
    """The engine's header does not say what was asked for.

    Why it matters: another TensorRT built it than the one that was imported, or it is for other GPUs.

    Example: the Python module is of 10.9, LD_LIBRARY_PATH leads to the libnvinfer of 10.7.

    How to fix: look at which libraries the process loads: `trtdoctor libs`.

    Sources: oss_trtexec, rtx_measured, engine_measured
    """
    for canary in ctx.snapshot.canaries:
        for stage in canary.stages:
            if stage.name == "header" and stage.status == "failed":
                yield Problem(
                    Severity.WARNING,
                    _title(f"The engine of {_label(canary)} is not what was asked for: {stage.detail or ''}"),
                    breaks="A runtime may refuse the engine: it goes by the header.",
                    facts=(FoundFact("canary", canary.outcome, "stage header", "canary"),),
                    components=(*_own(canary), "engine"),
                )


@rule("CAN108", "canary-not-started", severity=Severity.INFO, components=("tensorrt",))
def canary_not_started(ctx: Context) -> Iterator[Problem]:
    """The canary could not be started, so that it says nothing.

    Why it matters: what it would have shown stays unknown.

    Example: the temporary directory cannot be written to, or the Python has no module tensorrt.

    How to fix: see the reason that stands with the finding.

    Sources: engine_measured
    """
    for canary in ctx.snapshot.canaries:
        if canary.outcome != "not-started":
            continue
        why = next((line.text for line in reversed(canary.log) if line.text), None)
        why = why or next((stage.detail for stage in canary.stages if stage.status == "failed"), None)
        yield Problem(
            Severity.INFO,
            _title(
                f"The canary with {_label(canary)} could not be started: {why or canary.reason or 'no reason given'}"
            ),
            breaks="Whether an engine can be built was not tried.",
            facts=(FoundFact("canary", canary.outcome, canary.reason, "canary"),),
            components=_own(canary),
        )


@rule("CAN109", "canary-without-builder", severity=Severity.WARNING, components=("tensorrt",))
def canary_without_builder(ctx: Context) -> Iterator[Problem]:
    """The TensorRT of this Python can run engines, not build them.

    Why it matters: the lean and dispatch runtimes have no builder; they are for engines that were built elsewhere.

    Example: `pip install tensorrt-lean` and `import tensorrt_lean`: Builder is no attribute of it.

    How to fix: install TensorRT itself where engines are built.

    Sources: version_compat
    """
    for canary in ctx.snapshot.canaries:
        stage = _cut_at(canary)
        if stage is None or _NO_BUILDER not in (stage.detail or ""):
            continue
        yield Problem(
            Severity.WARNING if ctx.wants("build") else Severity.INFO,
            f"{_label(canary)} of this Python can run engines, not build them",
            breaks="No engine can be built here; version-compatible ones that were built elsewhere run.",
            facts=(FoundFact("canary", canary.outcome, f"stage {stage.name}", "canary"),),
            remedy=advice("tensorrt", "Install TensorRT itself (not lean or dispatch) where engines are built."),
        )


@rule("CAN110", "canary-request-unfit", severity=Severity.ERROR, components=("tensorrt",))
def canary_request_unfit(ctx: Context) -> Iterator[Problem]:
    """What the canary was asked to build cannot be built: the model, a shape or an option is at fault.

    Why it matters: of this machine it says nothing; with another model or other options an engine may well be built.

    Example: `trtdoctor canary --onnx model.onnx`, and the weights that the model keeps in another file are not there.

    How to fix: the finding says what is wrong with what was asked for.

    Sources: engine_measured, rtx_measured
    """
    for canary in ctx.snapshot.canaries:
        stage = _cut_at(canary)
        if canary.outcome != "failed" or canary.reason == "no-gpu" or stage is None or not _unfit(ctx, canary, stage):
            continue
        cause = _cause(ctx, canary, stage)
        said = cause.family.title if cause else stage.detail or "no reason given"
        yield Problem(
            Severity.ERROR,
            _title(f"This cannot be built as asked: {said}"),
            breaks="This engine is not built. Whether others are was not tried.",
            detail=stage.detail or "",
            facts=_facts(canary, stage, cause),
            sources=(cause.family.fact,) if cause else (),
            remedy=advice(_own(canary)[0], " ".join(cause.family.next[:2])) if cause else None,
            components=_own(canary),
        )
