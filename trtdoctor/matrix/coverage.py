"""How much the matrix holds and how well it is known, file by file."""

from __future__ import annotations

from collections import Counter
from typing import Any

from trtdoctor.matrix.identity import sort_versions
from trtdoctor.matrix.load import FILES, Matrix
from trtdoctor.matrix.rows import UNKNOWN, Row
from trtdoctor.matrix.show import values_of
from trtdoctor.record import record

CERTAINTIES = ("official", "measured", "secondary", "inferred")
_TIMES = ("released", "published", "month", "known_until")


@record
class FileCoverage:
    """What one file holds."""

    file: str
    rows: int
    values: int
    certainties: dict[str, int]
    """Values that are known, by certainty."""
    unknown: int
    newest: str | None
    """The newest row: by the date of its release where rows have one, else the highest version."""

    def share(self, number: int) -> float:
        """``number`` as a part of all values, 0 to 1."""
        return number / self.values if self.values else 0.0


def coverage(matrix: Matrix) -> list[FileCoverage]:
    """One entry a file, in the order of the files; ``sources`` is left out: it holds no values."""
    return [_file(matrix, name) for name in FILES if name != "sources"]


def _file(matrix: Matrix, name: str) -> FileCoverage:
    counts: Counter[str] = Counter()
    rows = 0
    newest: tuple[Any, str] | None = None
    for table in matrix.data[name]:
        for row in _rows(matrix, name, table):
            rows += 1
            for value in values_of(row):
                counts[UNKNOWN if value["value"] in (None, UNKNOWN) else value["certainty"]] += 1
            newest = max(filter(None, (newest, _age(row))), default=None)
    known = {certainty: counts[certainty] for certainty in CERTAINTIES}
    total = sum(known.values()) + counts[UNKNOWN]
    return FileCoverage(name, rows, total, known, counts[UNKNOWN], newest[1] if newest else None)


def _rows(matrix: Matrix, name: str, table: str) -> list[Row]:
    if table in matrix.tables(name):
        return matrix.rows(name, table)
    return [matrix.row(name, table)] if isinstance(matrix.data[name][table], dict) else []


def _age(row: Row) -> tuple[Any, str] | None:
    """Something to sort rows by, dates before versions, and what to print for it."""
    for key in _TIMES:
        text = row.text(key)
        if text is not None and text[:1].isdigit():
            return (1, text, ()), f"{row.key} ({text})"
    parts = sort_versions(row.key)
    return ((0, "", parts), row.key) if parts else None
