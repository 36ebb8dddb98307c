"""Run one canary: make the request, run the child under guard, and say what became of it as a Canary record."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import field, replace
from datetime import date
from pathlib import Path
from typing import Any

from trtdoctor.canary.answer import Answer, number_of, output_lines, read, text_of, texts_of
from trtdoctor.canary.choice import Choice
from trtdoctor.canary.guard import Ended, Guard, Limits
from trtdoctor.engine import header
from trtdoctor.matrix import Matrix, failures
from trtdoctor.record import record
from trtdoctor.snapshot import Canary, CanaryStage, LogLine

CHILD = Path(__file__).with_name("child.py")
_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); import child; del sys.path[0]; child.main()"
"""Start the child as a module, not as a script: then Python need not compile it each time."""
PRECISIONS = ("fp32", "fp16", "bf16", "int8", "fp8")
NO_MEMORY = "gpu-oom-build"
"""Family of failures.yaml whose lines say that the device ran out of memory."""
_BUILT = ("serialize", "header")
_RUN = ("deserialize", "context", "run", "compare")


@record
class Options:
    """What was asked for."""

    product: str = "auto"
    stage: str | None = None
    """``build``, ``run``; None: as far as it goes here."""
    device: int = 0
    precision: str | None = None
    """None: fp32, or what the matrix says that there is instead for a GPU."""
    onnx: str | None = None
    """Path of the user's model; None for the built-in network."""
    batch: int | None = None
    shapes: dict[str, tuple[tuple[int, ...], ...]] = field(default_factory=dict)
    """Smallest, usual and largest shape by the name of an input."""
    workspace_bytes: int = 1 << 30
    tolerance: float | None = None
    compute_capabilities: tuple[str, ...] = ()
    """TensorRT for RTX: what to build for."""
    limits: Limits = Limits()
    save: str | None = None
    """Where the engine is kept."""


@record
class Outcome:
    """A canary, and what only its user or its memory needs."""

    canary: Canary
    libraries: tuple[str, ...] = ()
    """Real paths of the libraries of the stack that it had loaded."""
    saved: str | None = None
    """Where the engine was written."""
    not_saved: str | None = None
    """Why it was not."""
    python: str | None = None
    """Version of the interpreter, by its own word."""
    gpu: str | None = None
    """The GPU that it ran on, by CUDA's word; None when there was none."""
    compute_capability: str | None = None


def run(
    choice: Choice,
    options: Options,
    matrix: Matrix,
    *,
    modules: tuple[tuple[str, str], ...] = (),
    guard: Guard | None = None,
) -> Outcome:
    """Run a canary with ``choice``, or with the first of ``modules`` (product, module) that is there.

    ``guard`` is one that has been started already.
    Raises nothing but KeyboardInterrupt: what goes wrong is its outcome.
    """
    saved: list[str] = []
    refused: list[str] = []

    def command(directory: str, answer: int) -> list[str]:
        request = os.path.join(directory, "request.json")
        with open(request, "w", encoding="utf-8") as stream:
            plan = os.path.join(directory, "plan")
            request_made = _request(choice, options, plan, answer)
            request_made.update(modules=[list(pair) for pair in modules], no_fp32=_no_fp32(matrix))
            json.dump(request_made, stream)
        return [choice.python, "-I", "-c", _START, str(CHILD.parent), request]

    def keep(directory: str) -> None:
        plan = os.path.join(directory, "plan")
        if options.save is None or not os.path.isfile(plan):
            return
        try:
            _move(plan, options.save)
            saved.append(options.save)
        except OSError as error:
            refused.append(error.strerror or str(error))

    with closing(guard or Guard(options.limits)) as watched:
        ended = watched.run(command)
        keep(watched.directory)
    answer = read(ended.answer)
    choice = replace(
        choice,
        product=text_of(answer.facts, "product") or choice.product,
        module=text_of(answer.facts, "module") or choice.module,
    )
    canary = _canary(choice, options, matrix, ended, answer)
    libraries = texts_of(answer.facts, "libraries")
    python = text_of(answer.facts, "python")
    not_written = text_of(answer.facts, "not_written")
    if options.save is not None and not_written:
        refused.append(f"not written, for the temporary directory: {not_written}")
    return Outcome(
        canary,
        libraries,
        saved[0] if saved else None,
        refused[0] if refused else None,
        python,
        text_of(answer.facts, "gpu"),
        text_of(answer.facts, "compute_capability"),
    )


def _request(choice: Choice, options: Options, plan: str, answer: int) -> dict[str, Any]:
    return {
        "product": choice.product,
        "module": choice.module,
        "paths": [choice.location] if choice.location else [],
        "stage": options.stage or "run",
        "device": options.device,
        "precision": options.precision,
        "onnx": os.path.abspath(options.onnx) if options.onnx else None,
        "batch": options.batch,
        "shapes": {name: [list(shape) for shape in shapes] for name, shapes in options.shapes.items()},
        "workspace": options.workspace_bytes,
        "save": options.save,
        "tolerance": options.tolerance,
        "compute_capabilities": list(options.compute_capabilities),
        "plan": plan,
        "answer_fd": answer,
        "reference": {},
    }


def _no_fp32(matrix: Matrix) -> dict[str, list[str]]:
    """By product the compute capabilities for which the built-in network cannot be had in fp32."""
    rows = matrix.rows("tensorrt-rtx", "majors")
    found = [item for row in rows for item in row.get("no_fp32_matrix_product").value or ()]
    return {"tensorrt-rtx": found} if found else {}


def _precision(options: Options, facts: dict[str, Any]) -> str:
    chosen = text_of(facts, "precision")
    return options.precision or (chosen if chosen in PRECISIONS else "fp32")


def _move(plan: str, target: str) -> None:
    """Write the engine whole or not at all, beside its place first: that may be another file system."""
    import shutil

    place = os.path.realpath(target)
    part = os.path.join(os.path.dirname(place), f".trtdoctor-{os.urandom(6).hex()}")
    try:
        shutil.copyfile(plan, part)
        os.replace(part, place)
    except BaseException:
        if os.path.exists(part):
            os.unlink(part)
        raise


def _canary(choice: Choice, options: Options, matrix: Matrix, ended: Ended, answer: Answer) -> Canary:
    facts = answer.facts
    size, device = number_of(facts, "engine_bytes"), number_of(facts, "device")
    made = Canary(
        product=choice.product,
        version=text_of(facts, "version") or choice.version,
        network="onnx" if options.onnx else "built-in",
        precision=_precision(options, facts),
        precision_used=texts_of(facts, "precision_used", 16),
        device=options.device if device is None else int(device),
        stages=tuple(_stages(matrix, choice, options, answer)),
        error=number_of(facts, "error"),
        tolerance=number_of(facts, "tolerance"),
        engine_bytes=None if size is None else int(size),
        taken=date.today().isoformat(),
    )
    where = answer.current or (made.stages[-1].name if made.stages else None)
    made = replace(made, log=(*answer.log, *output_lines(ended.output, where)))
    told = replace(made, **_ENDINGS.get(ended.how, _exited)(choice, options, matrix, ended, answer, made))
    if told.outcome != "passed":
        return told
    return replace(told, log=tuple(line for line in told.log if line.severity != "verbose"))


def _stages(matrix: Matrix, choice: Choice, options: Options, answer: Answer) -> Iterator[CanaryStage]:
    """The child's stages; the header is judged here."""
    for stage in answer.stages:
        if stage.name == "header" and stage.status == "passed":
            yield _header(matrix, choice, options, answer.facts, stage)
        else:
            yield stage


def _header(matrix: Matrix, choice: Choice, options: Options, facts: dict[str, Any], stage: CanaryStage) -> CanaryStage:
    digits = text_of(facts, "header") or ""
    first = bytes.fromhex(digits) if re.fullmatch(r"(?:[0-9a-f]{2}){1,512}", digits) else b""
    found = header.read(matrix, first)
    length = number_of(facts, "engine_bytes")
    wrong = header.disagreements(
        found,
        product=choice.product,
        version=text_of(facts, "version"),
        length=None if length is None else int(length),
        capabilities=texts_of(facts, "compute_capabilities", 32) or options.compute_capabilities,
    )
    if found is None:
        return replace(stage, detail="its header is none that is known")
    if wrong:
        return replace(stage, status="failed", detail="the plan's header: " + "; ".join(wrong))
    served = ""
    if found.compute_capabilities is not None:
        served = f", for compute capability {', '.join(found.compute_capabilities)}"
    return replace(stage, detail=f"version {found.shown}{served}")


# -- how it ended ------------------------------------------------------------------------------------------------------

_Told = dict[str, Any]


def _cut(made: Canary, answer: Answer, status: str, seconds: float, detail: str) -> tuple[CanaryStage, ...]:
    """The stages with the one that was cut short."""
    name = answer.current or "start"
    spent = sum(stage.seconds or 0.0 for stage in made.stages)
    return (*made.stages, CanaryStage(name, status, round(max(0.0, seconds - spent), 3), detail))


def _not_started(_: Choice, __: Options, ___: Matrix, ended: Ended, ____: Answer, made: Canary) -> _Told:
    detail = ended.detail or "the watching process was ended"
    return {
        "outcome": "not-started",
        "reason": "not-started" if ended.how == "not-started" else "lost",
        "log": (*made.log, LogLine("error", detail, None)),
    }


def _timed_out(_: Choice, options: Options, ___: Matrix, ended: Ended, answer: Answer, made: Canary) -> _Told:
    detail = f"no end within {options.limits.seconds:g} s"
    return {"outcome": "timed-out", "stages": _cut(made, answer, "timed-out", ended.seconds, detail)}


def _at_limit(_: Choice, options: Options, ___: Matrix, ended: Ended, answer: Answer, made: Canary) -> _Told:
    limit = options.limits.memory_bytes or 0
    shown = f"{limit / (1 << 30):.3g} GiB" if limit >= 1 << 30 else f"{limit / (1 << 20):.3g} MiB"
    detail = f"it took more than the {shown} that it may have"
    stages = _cut(made, answer, "crashed", ended.seconds, detail)
    return {"outcome": "out-of-memory", "reason": "limit", "stages": stages}


def _too_much(_: Choice, __: Options, ___: Matrix, ended: Ended, answer: Answer, made: Canary) -> _Told:
    stages = _cut(made, answer, "failed", ended.seconds, "it answered without end")
    return {"outcome": "failed", "reason": "garbage", "stages": stages}


def _signalled(_: Choice, __: Options, matrix: Matrix, ended: Ended, answer: Answer, made: Canary) -> _Told:
    name = ended.signal or "a signal"
    if name == "SIGKILL" and ended.out_of_memory:
        stages = _cut(made, answer, "crashed", ended.seconds, "the kernel ended it: memory ran out")
        return {"outcome": "out-of-memory", "reason": "host", "stages": stages}
    return {
        "outcome": "crashed",
        "reason": name,
        "stages": _cut(made, answer, "crashed", ended.seconds, f"ended by {name}"),
    }


def _exited(choice: Choice, options: Options, matrix: Matrix, ended: Ended, answer: Answer, made: Canary) -> _Told:
    failed = next((stage for stage in made.stages if stage.status == "failed"), None)
    if failed is None and not answer.done:
        if not answer.understood:
            said = made.log[-1].text if made.log else f"it ended with exit code {ended.number} and said nothing"
            return {"outcome": "not-started", "reason": "no-answer", "log": (*made.log, LogLine("error", said, None))}
        reason = f"exit {ended.number}"
        stages = _cut(made, answer, "crashed", ended.seconds, f"it ended with exit code {ended.number}")
        return {"outcome": "crashed", "reason": reason, "stages": stages}
    if failed is None:
        wanting = [stage for stage in made.stages if stage.name in _RUN and stage.status == "skipped"]
        if options.stage == "run" and any(stage.name == "run" for stage in wanting):
            return {"outcome": "failed", "reason": "no-gpu"}
        return {"outcome": "passed"}
    if failed.name == "import" and f"No module named '{choice.module}'" in (failed.detail or ""):
        return {"outcome": "not-started", "reason": "no-module"}
    oom = text_of(answer.facts, "oom")
    if oom in ("host", "device"):
        return {"outcome": "out-of-memory", "reason": oom}
    lines = [line.text or "" for line in made.log if line.severity in ("internal-error", "error")]
    for line in [failed.detail or "", *lines]:
        if any(item.family.id == NO_MEMORY for item in failures.match(matrix, line)):
            return {"outcome": "out-of-memory", "reason": "device"}
    return {"outcome": "failed", "reason": "unfit" if answer.facts.get("unfit") is True else None}


_ENDINGS: dict[str, Callable[[Choice, Options, Matrix, Ended, Answer, Canary], _Told]] = {
    "not-started": _not_started,
    "lost": _not_started,
    "timed-out": _timed_out,
    "memory-limit": _at_limit,
    "too-much": _too_much,
    "signalled": _signalled,
}
