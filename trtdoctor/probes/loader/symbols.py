"""Symbols that libraries of the stack ask for and that no object of the process has: what loading would stop at.

From the files alone, and only for those whose mix of versions fails so: TensorRT's own libraries, its extensions and
programs, and what is built on them. A symbol counts as there when any object of the process defines it, in whatever
scope and version: what is told as lacking is lacking everywhere. When one object cannot be read nothing is told.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator

from trtdoctor.probes.base import ProbeContext
from trtdoctor.probes.elfsymbols import Symbols, SymbolsError, Wanted
from trtdoctor.probes.loader.process import Mapped, Process
from trtdoctor.probes.searchpaths import host
from trtdoctor.snapshot import Missing

SECONDS = 1.0
"""No process is looked at longer; then nothing is told of it."""
MOST_TOLD = 10
"""Symbols of one file that are told; they have one cause."""
_MOST_OBJECTS = 1000
_COMPONENTS = ("tensorrt", "onnxruntime")
_PLACES = re.compile(r"/(?:tensorrt[^/]*|torch_tensorrt|onnxruntime|tritonserver)/")


def lacking(context: ProbeContext, process: Process, *, seconds: float = SECONDS) -> list[Missing]:
    """The undefined symbols of a process's libraries of the stack. Never raises; empty, too, when it cannot be told."""
    everything = _objects(process)
    if process.program is None or not process.started or not process.known or len(everything) > _MOST_OBJECTS:
        return []
    deadline = time.monotonic() + seconds
    try:
        left = {item.path: _undefined(context, item) for item in everything if _is_consumer(context, item)}
        for path in {*(item.path for item in everything), *_loader(process)} if any(left.values()) else ():
            if time.monotonic() > deadline:
                return []
            _take_out(context, path, left, deadline)
    except (SymbolsError, TimeoutError):
        return []
    return [found for item in everything for found in _told(item, left.get(item.path, []))]


def _objects(process: Process) -> list[Mapped]:
    return [*([process.program] if process.program else []), *process.loaded]


def _loader(process: Process) -> tuple[str, ...]:
    """The dynamic loader itself has symbols that every process gets."""
    return (process.system.interpreter,) if process.system.interpreter else ()


def _is_consumer(context: ProbeContext, item: Mapped) -> bool:
    spec = context.libraries(os.path.basename(item.realpath)) or context.libraries(item.soname or "")
    if spec is not None:
        return spec.component in _COMPONENTS
    return _PLACES.search(item.path) is not None or os.path.basename(item.realpath) == "trtexec"


def _undefined(context: ProbeContext, item: Mapped) -> list[Wanted]:
    with Symbols(host(context, item.path)) as symbols:
        return symbols.undefined()


def _take_out(context: ProbeContext, path: str, left: dict[str, list[Wanted]], deadline: float) -> None:
    """Take out of ``left`` what the file at ``path`` defines."""
    with Symbols(host(context, path)) as symbols:
        for asker, wanted in left.items():
            if time.monotonic() > deadline:
                raise TimeoutError
            if wanted:
                left[asker] = [item for item in wanted if not symbols.exports(item)]


def _told(item: Mapped, wanted: list[Wanted]) -> Iterator[Missing]:
    for symbol in wanted[:MOST_TOLD]:
        yield Missing(
            name=os.path.basename(item.path),
            needed_by=item.path,
            problem="undefined-symbol",
            detail=symbol.name,
            path=item.path,
            swallowed=False,
            lazy=item.lazy,
        )
