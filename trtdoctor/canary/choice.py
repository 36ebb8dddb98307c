"""Which TensorRT a canary is built with: by what the judged Python has, and whether it can build at all."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.matrix import Matrix, distributions
from trtdoctor.record import record
from trtdoctor.stack import Stack

PRODUCTS = ("tensorrt", "tensorrt-rtx")
_ORDER = ("full", "rtx", "lean", "dispatch")


@record
class Choice:
    """What the child is to import, and by whom."""

    product: str
    """``tensorrt`` or ``tensorrt-rtx``."""
    module: str
    """``tensorrt``, ``tensorrt_rtx``, ``tensorrt_lean``, …"""
    python: str
    """Path of the interpreter."""
    version: str | None
    """Of the distribution that brought the module."""
    distribution: str
    builds: bool
    """False for a runtime that has no builder (lean, dispatch)."""
    location: str | None = None
    """The directory that the distribution is installed in."""


def choose(stack: Stack, matrix: Matrix, product: str = "auto") -> Choice | str:
    """The TensorRT of a product in the judged Python, or why there is none.

    ``product`` is ``auto``, ``tensorrt`` or ``tensorrt-rtx``. TensorRT comes before TensorRT for RTX, and what can
    build before what cannot.
    """
    found = stack.interpreter
    if found is None or not found.path or found.path.startswith("<"):
        return "there is no Python to run it with"
    for choice in _choices(stack, matrix, found.path):
        if product in ("auto", choice.product):
            return choice
    name = {"auto": "TensorRT", "tensorrt": "TensorRT"}.get(product, "TensorRT for RTX")
    return f"{found.path} has no Python module of {name}"


def untold(matrix: Matrix, product: str, python: str) -> tuple[Choice, tuple[tuple[str, str], ...]]:
    """What to try before anything is known of what ``python`` has: a first choice, and all in their order.

    The pairs are product and module; the child takes the first that is there.
    """
    modules: dict[str, tuple[tuple[int, bool], str]] = {}
    for row in matrix.rows("distributions", "distributions"):
        spec = distributions.identify(matrix, row.key)
        if spec is None or spec.component != "tensorrt" or spec.part not in ("meta", "bindings") or not spec.imports:
            continue
        if spec.product in _ORDER and spec.real != "placeholder":
            named = "tensorrt-rtx" if spec.product == "rtx" else "tensorrt"
            rank = (_ORDER.index(spec.product), spec.part != "meta")
            if product in ("auto", named):
                modules.setdefault(spec.imports[0], (rank, named))
    ordered = sorted(modules.items(), key=lambda item: item[1][0])
    pairs = tuple((named, module) for module, (_, named) in ordered)
    first = pairs[0] if pairs else ("tensorrt", "tensorrt")
    return Choice(first[0], first[1], python, None, first[1], True), pairs


def _choices(stack: Stack, matrix: Matrix, python: str) -> Iterator[Choice]:
    ranked = []
    for dist in stack.distributions.values():
        spec = distributions.identify(matrix, dist.name)
        if spec is None or spec.component != "tensorrt" or spec.part not in ("meta", "bindings"):
            continue
        if spec.real == "placeholder" or not spec.imports or spec.product not in _ORDER:
            continue
        # The module that people import comes before the one that it wraps.
        rank = (_ORDER.index(spec.product), spec.part != "meta", dist.name)
        chosen = Choice(
            product="tensorrt-rtx" if spec.product == "rtx" else "tensorrt",
            module=spec.imports[0],
            python=python,
            version=dist.version,
            distribution=dist.name,
            builds=spec.product in ("full", "rtx"),
            location=dist.location,
        )
        ranked.append((rank, chosen))
    return (choice for _, choice in sorted(ranked, key=lambda pair: pair[0]))
