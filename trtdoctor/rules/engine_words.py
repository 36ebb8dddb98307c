"""What the rules of family ENG share: which engines they judge, whose they are, and how they speak of them."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.findings import FoundFact, Remedy
from trtdoctor.matrix import tensorrt
from trtdoctor.rules.base import Context
from trtdoctor.rules.common import advice
from trtdoctor.snapshot import Engine
from trtdoctor.stack import Installation
from trtdoctor.versions import Version

RTX, FULL = "rtx", "full"
NAMES = {RTX: "TensorRT for RTX", FULL: "TensorRT"}
_LONGEST_NAME = 40
_GARBLED = ("line-ends", "utf-8", "replaced", "utf-16")
"""Problems after which nothing in a plan is what was written."""


def plans(context: Context) -> Iterator[Engine]:
    """The engines that were declared, and the files that are plans; those that were garbled say nothing more."""
    for engine in context.snapshot.engines:
        if engine.kind in (None, "plan", "archive") and engine.problem not in _GARBLED:
            yield engine


def plans_of_tensorrt(context: Context) -> Iterator[tuple[Engine, list[Installation]]]:
    """Engines of TensorRT with the installations that are to load them; none where no TensorRT is known of."""
    runtimes = list(context.stack.tensorrts)
    for engine in plans(context):
        if runtimes and product_of(context, engine) != RTX:
            yield engine, runtimes


def product_of(context: Context, engine: Engine) -> str | None:
    """``rtx`` or ``full``: as stated, else by the majors that the two products have; None when nothing tells."""
    if engine.product is not None:
        return RTX if engine.product == RTX else FULL
    version = Version.maybe(engine.tensorrt)
    if version is None:
        return None
    majors = context.matrix.remember(
        "rules: majors of products",
        lambda: {
            product: {Version.parse(row.key).major for row in tensorrt.all_releases(context.matrix, product)}
            for product in (RTX, FULL)
        },
    )
    named = [product for product, known in majors.items() if version.major in known]
    return named[0] if len(named) == 1 else None


def subject(engine: Engine) -> str:
    """An engine at the beginning of a sentence: "The engine", or the name of its file."""
    name = (engine.path or "").replace("\\", "/").rpartition("/")[2]
    if not name:
        return "The engine"
    half = _LONGEST_NAME // 2
    return name if len(name) <= _LONGEST_NAME else f"{name[:half]}\u2026{name[1 - half :]}"


def found(engine: Engine) -> FoundFact:
    """The engine as a fact for a finding."""
    capability = f"compute capability {engine.compute_capability}" if engine.compute_capability else ""
    if capability and "compute_capability" in engine.inferred:
        capability += " (inferred)"
    targets = ", ".join(engine.compute_capabilities or ())
    words = [
        "" if engine.kind in (None, "plan") else str(engine.kind).replace("-", " "),
        f"{NAMES[RTX] if engine.product == RTX else 'TensorRT'} {engine.tensorrt}" if engine.tensorrt else "",
        f"serialization version {engine.serialization}" if engine.serialization and not engine.tensorrt else "",
        engine.gpu or "",
        capability,
        f"for compute capability {targets}" if targets else "",
        engine.system or "",
        {None: "", True: "version-compatible", False: "not version-compatible"}[engine.version_compatible],
        f"hardware compatibility {engine.hardware_compatibility}" if engine.hardware_compatibility else "",
    ]
    return FoundFact("engine", ", ".join(filter(None, words)) or "an engine", engine.path or "stated", "engine")


def rebuild(text: str) -> Remedy:
    """The usual remedy: build it again."""
    return advice("engine", text, "a plan is made for one release and one GPU")
