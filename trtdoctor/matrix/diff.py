"""Two matrices compared row by row, value by value, with what changed in source and certainty."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from trtdoctor.matrix.identity import key_name, label
from trtdoctor.matrix.load import FILES, PACKAGED, VERSION, Matrix, MatrixError, digest_of, load
from trtdoctor.matrix.show import values_of
from trtdoctor.record import record


@record
class Change:
    """One difference."""

    kind: str
    """``added`` or ``removed`` (a whole row), ``changed`` (a value)."""
    file: str
    table: str
    row: str
    value: str | None = None
    """Name of the value, None for a whole row."""
    before: Any = None
    after: Any = None
    certainty_before: str | None = None
    certainty_after: str | None = None
    sources_before: tuple[str, ...] = ()
    sources_after: tuple[str, ...] = ()


def open_any(place: str) -> Matrix:
    """A matrix from a directory, a bundle, or ``packaged``. A directory may lack files that came later.

    Raises :class:`MatrixError`.
    """
    if place == PACKAGED:
        return load(PACKAGED)
    if os.path.isdir(place):
        return _directory(place)
    from trtdoctor.matrix.bundle import MAX_BYTES, read

    try:
        with open(place, "rb") as stream:
            bundle = read(stream.read(MAX_BYTES + 1))
    except (OSError, ValueError) as error:
        if isinstance(error, MatrixError):
            raise MatrixError(f"{place}: {error}") from None
        raise MatrixError(f"{place}: {getattr(error, 'strerror', None) or error}") from None
    return _matrix(bundle.version, {name: bundle.raw[name] for name in FILES if name in bundle.raw}, place)


def diff(before: Matrix, after: Matrix) -> list[Change]:
    """Every difference, in the order of files and rows of ``after``; what is gone comes last in its table."""
    return [change for name in FILES if name != "sources" for change in _file(before, after, name)]


def _directory(place: str) -> Matrix:
    raw: dict[str, bytes] = {}
    try:
        for name in FILES:
            path = os.path.join(place, f"{name}.yaml")
            if os.path.exists(path):
                with open(path, "rb") as stream:
                    raw[name] = stream.read()
    except OSError as error:
        raise MatrixError(f"{error.filename}: {error.strerror}") from None
    try:
        with open(os.path.join(place, "VERSION"), encoding="ascii", errors="replace") as text:
            version = text.read(100).strip()
    except OSError:
        version = ""
    if not raw or not VERSION.fullmatch(version):
        raise MatrixError(f"{place} is no matrix")
    return _matrix(version, raw, place)


def _matrix(version: str, raw: dict[str, bytes], place: str) -> Matrix:
    from trtdoctor.matrix.compiled import compile_files

    files: dict[str, dict[str, Any]] = {name: {} for name in FILES}
    return Matrix(version, digest_of(version, raw), files | compile_files(raw, place))


def _file(before: Matrix, after: Matrix, name: str) -> Iterator[Change]:
    if before.data[name] == after.data[name]:
        return
    tables = dict.fromkeys([*after.data[name], *before.data[name]])
    for table in tables:
        old, new = _rows(before, name, table), _rows(after, name, table)
        for key, values in new.items():
            if key not in old:
                yield Change("added", name, table, key)
            elif old[key] != values:
                yield from _values(name, table, key, old[key], values)
        for key in old:
            if key not in new:
                yield Change("removed", name, table, key)


def _rows(matrix: Matrix, name: str, table: str) -> dict[str, dict[str, Any]]:
    """The rows of a table by their names, each as its values by theirs."""
    data = matrix.data[name].get(table)
    if table in matrix.tables(name):
        rows = matrix.rows(name, table)
        plain = [row.plain for row in rows]
        key = key_name(plain)
        return {label(row.plain, key, plain): {item["name"]: item for item in values_of(row)} for row in rows}
    if isinstance(data, dict):
        return {"": {item["name"]: item for item in values_of(matrix.row(name, table))}}
    return {}


def _values(file: str, table: str, row: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    nothing: dict[str, Any] = {"value": None, "certainty": None, "sources": []}
    for name in dict.fromkeys([*new, *old]):
        was, now = old.get(name, nothing), new.get(name, nothing)
        if was == now:
            continue
        if all(was[key] == now[key] for key in ("value", "certainty", "sources")):
            continue  # only the note
        yield Change(
            "changed",
            file,
            table,
            row,
            name,
            was["value"],
            now["value"],
            was["certainty"],
            now["certainty"],
            tuple(was["sources"]),
            tuple(now["sources"]),
        )
