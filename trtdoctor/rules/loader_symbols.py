"""Symbols that TensorRT's own libraries ask for and that nothing they get has."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.findings import FoundFact, Severity
from trtdoctor.matrix import libraries
from trtdoctor.rules.base import MAX_TITLE, Context, Problem, rule
from trtdoctor.rules.common import advice
from trtdoctor.rules.loaded_files import base
from trtdoctor.rules.loader_words import named
from trtdoctor.rules.processes import processes, severity_of_failure, stands_alone

_MOST = 5


@rule(
    "LDR210",
    "undefined-symbol",
    severity=Severity.ERROR,
    components=("tensorrt", "loader"),
    silenced_by=("TRT101", "TRT102", "LDR201", "LDR204", "LDR206"),
)
def undefined_symbol(context: Context) -> Iterator[Problem]:
    """A library of TensorRT needs a symbol that is in none of the libraries which it would get.

    Why it matters: The names of the files fit, but not their contents: libnvonnxparser or a plugin of one release
    beside libnvinfer of another, or a Jetson's host library older than the image. Loading stops with "undefined
    symbol". Looked for only where somebody asks: trtdoctor libs, or check --observe.

    Example: libnvinfer.so.10: undefined symbol _ZN5nvdla19IConcatenationLayer7setAxisEi, in an image for a newer Jetson
    Linux than that of the host.

    How to fix: Leave one TensorRT whose files are all of one release; on a Jetson run the image of the host's release.

    Sources: https://github.com/NVIDIA/TensorRT/issues/3810, https://github.com/dusty-nv/jetson-containers/issues/714
    """
    told: set[str] = set()
    for process in processes(context):
        if not stands_alone(context, process):
            continue
        lacking: dict[str, list[str]] = {}
        for item in process.missing:
            if item.problem == "undefined-symbol" and item.detail and not item.swallowed:
                lacking.setdefault(item.path or item.name, []).append(item.detail)
        for path, symbols in lacking.items():
            if path in told:
                continue
            told.add(path)
            owners = {libraries.owner_of_symbol(context.matrix, symbol) for symbol in symbols} - {None}
            owner = owners.pop() if len(owners) == 1 else None
            on_jetson = owner == "jetpack"
            yield Problem(
                severity_of_failure(context, process),
                f"{base(path)} needs {symbols[0]}, which nothing that {named(process)} gets has"[:MAX_TITLE],
                breaks=f"Loading stops: {base(path)}: undefined symbol: {symbols[0]}.",
                detail=f"{len(symbols)} symbols are lacking." if len(symbols) > 1 else "",
                facts=tuple(FoundFact("undefined symbol", symbol, path, "loader") for symbol in symbols[:_MOST]),
                components=_components(context, owner),
                remedy=advice(
                    "jetpack" if on_jetson else "tensorrt",
                    "Run an image made for the Jetson Linux of this host, or bring the host to that of the image."
                    if on_jetson
                    else "Install one TensorRT whose libraries are all of the same release.",
                ),
            )


def _components(context: Context, owner: str | None) -> tuple[str, ...]:
    if owner == "jetpack":
        return ("jetpack", "container", "tensorrt") if context.snapshot.container else ("jetpack", "tensorrt")
    return tuple(dict.fromkeys(("tensorrt", owner or "loader")))
