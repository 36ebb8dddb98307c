"""Caches that are kept beside engines: INT8 calibration, timing."""

from __future__ import annotations

from collections.abc import Iterable

from trtdoctor.findings import Severity
from trtdoctor.matrix import engines, gpus
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import advice
from trtdoctor.rules.engine_words import found, subject
from trtdoctor.rules.releases import labels
from trtdoctor.snapshot import Engine
from trtdoctor.stack import GpuFact, Installation
from trtdoctor.versions import Answer, Version


@rule("ENG207", "calibration-cache-from-elsewhere", severity=Severity.WARNING, components=("engine", "tensorrt", "gpu"))
def calibration_cache_from_elsewhere(context: Context) -> Iterable[Problem]:
    """The INT8 calibration cache was made with another TensorRT, or on a GPU of another architecture.

    Why it matters: The cache names the TensorRT that wrote it. Another one skips it and calibrates anew, or fails where
    there is no data to calibrate with; and scales that were measured with other kernels cost accuracy without a word.

    Example: A cache that begins with TRT-8502-EntropyCalibration2, under TensorRT 10.3.

    How to fix: Calibrate again with the TensorRT and the GPU that the engine is for.

    Sources: trt_1378, retinanet_261, trt_2036
    """
    for engine in _caches(context, "calibration-cache"):
        runtimes = _other_releases(context, engine)
        if runtimes:
            yield Problem(
                Severity.WARNING,
                f"{subject(engine)} was calibrated by TensorRT {engine.tensorrt}; found is {labels(runtimes)}",
                breaks="It is skipped, or the INT8 engine loses accuracy.",
                facts=(found(engine), *(item.found() for item in runtimes)),
                sources=(engines.rule(context.matrix, "calibration-cache"),),
                remedy=advice("engine", "Calibrate again with the TensorRT that builds the engine."),
            )
            continue
        others = _other_architectures(context, engine)
        if others:
            yield Problem(
                Severity.WARNING,
                f"{subject(engine)} was calibrated on compute capability {_capability(context, engine)}; "
                f"here is {', '.join(sorted({item.compute_capability or '' for item in others}))}",
                breaks="The INT8 engine may lose accuracy.",
                facts=(found(engine), *(item.found() for item in others)),
                sources=(engines.rule(context.matrix, "calibration-architecture"),),
                remedy=advice("engine", "Calibrate again on the GPU that runs the engine."),
            )


@rule("ENG208", "timing-cache-from-elsewhere", severity=Severity.WARNING, components=("engine", "tensorrt", "gpu"))
def timing_cache_from_elsewhere(context: Context) -> Iterable[Problem]:
    """The timing cache was made with another TensorRT, or on another GPU: its sidecar says so.

    Why it matters: A timing cache is used by the very release that made it. Another one says that the timing cache will
    not be used and times every tactic anew: the build takes as long as without it.

    Example: A cache that is kept over an upgrade of the image.

    How to fix: Delete it, and let the next build write it.

    Sources: timing_cache_api, trt_3566
    """
    for engine in _caches(context, "timing-cache", "archive"):
        runtimes = _other_releases(context, engine)
        others = _other_architectures(context, engine)
        if engine.kind == "archive" and "tensorrt" not in engine.from_sidecar:
            continue
        if runtimes or others:
            made = f"TensorRT {engine.tensorrt}" if runtimes else f"compute capability {_capability(context, engine)}"
            here = labels(runtimes) or ", ".join(sorted({item.compute_capability or "" for item in others}))
            yield Problem(
                Severity.WARNING if runtimes else Severity.INFO,
                f"{subject(engine)} was made with {made}; found is {here}",
                breaks="It is not used: the build takes as long as without it.",
                facts=(found(engine), *(item.found() for item in runtimes), *(item.found() for item in others)),
                sources=(engines.rule(context.matrix, "timing-cache"),),
                remedy=advice("engine", "Delete the timing cache, and let the next build write it."),
            )


def _caches(context: Context, *kinds: str) -> Iterable[Engine]:
    return (engine for engine in context.snapshot.engines if engine.kind in kinds)


def _other_releases(context: Context, engine: Engine) -> list[Installation]:
    """The builders here, where none of them is the release that made a cache."""
    made, builders = Version.maybe(engine.tensorrt), list(context.stack.builders)
    if made is None or not builders:
        return []
    same = [item.version.same_as(made) if item.version else Answer.UNKNOWN for item in builders]
    return builders if all(answer is Answer.NO for answer in same) else []


def _other_architectures(context: Context, engine: Engine) -> list[GpuFact]:
    """The GPUs here, where none of them has the compute capability of the one that a cache was made on."""
    made = _capability(context, engine)
    here = [item for item in context.stack.gpus if item.compute_capability]
    return here if made and all(item.compute_capability != made for item in here) else []


def _capability(context: Context, engine: Engine) -> str | None:
    if engine.compute_capability is not None:
        return engine.compute_capability
    row = gpus.find(context.matrix, engine.gpu) if engine.gpu else None
    return row.text("compute_capability") if row else None
