"""Rows of the matrix flattened for reading: each value with its source and certainty."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trtdoctor.matrix.load import FILES, Matrix
from trtdoctor.matrix.rows import Row
from trtdoctor.versions import Version

_ALIASES = {
    "driver": "drivers",
    "gpu": "gpus",
    "rtx": "tensorrt-rtx",
    "trt": "tensorrt",
    "library": "libraries",
    "toolkit": "cuda",
}


class ShowError(ValueError):
    """There is nothing of that name; the message suggests what there is."""


def overview(matrix: Matrix, component: str) -> list[dict[str, Any]]:
    """Every row of a file: its table and what names it. Raises :class:`ShowError`."""
    file = _file(component)
    return [{"table": table, "key": row.key} for table, row in _rows(matrix, file)]


def row_values(matrix: Matrix, component: str, wanted: str) -> list[dict[str, Any]]:
    """The rows of a file that ``wanted`` (a version or a name) may mean, value by value. Raises :class:`ShowError`."""
    file = _file(component)
    every = list(_rows(matrix, file))
    found = [(table, row) for table, row in every if _means(row, wanted)]
    found.sort(key=lambda item: item[1].key.lower() != wanted.lower())  # what is meant exactly comes first
    if not found and file == "gpus":
        from trtdoctor.matrix import gpus

        gpu = gpus.find(matrix, wanted)
        found = [("gpus", gpu)] if gpu is not None else []
    if not found:
        import difflib

        close = difflib.get_close_matches(wanted, [row.key for _, row in every], n=3)
        hint = f"; near it: {', '.join(close)}" if close else f"; list all with: trtdoctor matrix show {component}"
        raise ShowError(f"the matrix {matrix.version} holds no {component} {wanted!r}{hint}")
    return [{"table": table, "key": row.key, "values": list(values_of(row))} for table, row in found]


def _file(component: str) -> str:
    file = _ALIASES.get(component, component)
    if file not in FILES or file == "sources":
        import difflib

        known = [name for name in FILES if name != "sources"]
        close = difflib.get_close_matches(component, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"
        raise ShowError(f"no component {component!r}{hint}")
    return file


def _rows(matrix: Matrix, file: str) -> Iterator[tuple[str, Row]]:
    for table in matrix.tables(file):
        for row in matrix.rows(file, table):
            yield table, row


def _means(row: Row, wanted: str) -> bool:
    if row.key.lower() == wanted.lower():
        return True
    asked, has = Version.maybe(wanted), Version.maybe(row.key)
    if asked is None or has is None:
        return False
    return asked.may_be(has) and asked.parts[: len(has.parts)] == has.parts[: len(asked.parts)]


def values_of(row: Row, prefix: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
    """Every value of a row, those inside mappings under joined names, each with its provenance."""
    for key in row.names():
        path = (*prefix, key)
        fact = row.get(key)
        inner = row.sub(key)
        if inner is not None and inner.plain:
            yield from values_of(inner, path)
        else:
            yield {
                "name": " ".join(path),
                "value": fact.value,
                "sources": list(fact.sources),
                "certainty": fact.certainty,
                "note": fact.note,
                "overlay": fact.overlay,
            }
