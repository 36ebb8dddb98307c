"""Draw values of the matrix at random, for an audit by hand: ``python docs/audits/draw.py SEED COUNT``.

Prints one value a line: file, row, path, value, source, certainty, separated by tabs. Each file is a stratum, weighted
by the square root of its number of values, with two draws at least, one where COUNT is too small for that (``sources``
may get fewer). What a row takes from another one by ``like`` counts once, in the row that writes it. Notes, what only
names a row, and values that are ``unknown`` are not drawn: there is nothing to hold against a source.
"""

from __future__ import annotations

import json
import math
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from trtdoctor.matrix.load import FILES, Matrix, load
from trtdoctor.matrix.rows import UNKNOWN, Row
from trtdoctor.matrix.show import values_of

ROOT = Path(__file__).resolve().parents[2]

LEAST = 2
"""Draws a file gets at least, except ``sources``, when there are enough."""


class Leaf(NamedTuple):
    """One value of the matrix."""

    file: str
    row: str
    path: str
    value: str
    source: str
    certainty: str


def rows(matrix: Matrix, file: str) -> Iterator[tuple[str, Row, set[str]]]:
    """Every row of a file: its table, the row, and the keys that it writes itself and that do not only name it."""
    for table, data in matrix.data[file].items():
        if table in matrix.tables(file):
            for written, row in zip(data, matrix.rows(file, table), strict=True):
                named = next((key for key, value in written.items() if str(value) == row.key), None)
                yield table, row, {key for key in written if key != named}
        elif isinstance(data, dict):
            row = matrix.row(file, table)
            yield table, row, set(row.names())


def leaves(matrix: Matrix, file: str) -> list[Leaf]:
    """Every known value of a file, in the order of the file."""
    return [
        Leaf(
            f"{file}.yaml",
            f"{table} {row.key}" if row.key != table else table,
            value["name"],
            json.dumps(value["value"], ensure_ascii=False),
            ",".join(value["sources"]),
            value["certainty"],
        )
        for table, row, own in rows(matrix, file)
        for value in values_of(row)
        if value["name"].split(" ")[0] in own and value["value"] not in (None, UNKNOWN)
    ]


def shares(sizes: dict[str, int], count: int) -> dict[str, int]:
    """How many draws each file gets: by the square root of its size, largest remainders first."""
    floor = max(0, min(LEAST, count // (len(sizes) - 1)))
    least = {file: min(size, floor if file != "sources" else 0) for file, size in sizes.items()}
    weights = {file: math.sqrt(size) for file, size in sizes.items()}
    exact = {file: count * weight / sum(weights.values()) for file, weight in weights.items()}
    given = {file: min(sizes[file], max(least[file], math.floor(exact[file]))) for file in sizes}
    while (missing := count - sum(given.values())) != 0:
        step = 1 if missing > 0 else -1
        able = [file for file in sizes if given[file] < sizes[file]] if step > 0 else []
        able = able or [file for file in sizes if given[file] > least[file]]
        chosen = max(able, key=lambda file: (step * (exact[file] - given[file]), file))
        given[chosen] += step
    return given


def draw(matrix: Matrix, seed: int, count: int) -> list[Leaf]:
    """``count`` values drawn without replacement, file by file."""
    chance = random.Random(seed)
    every = {file: leaves(matrix, file) for file in FILES}
    given = shares({file: len(values) for file, values in every.items()}, count)
    return [leaf for file in FILES for leaf in chance.sample(every[file], given[file])]


def main(arguments: list[str]) -> int:
    """Print the draw."""
    if len(arguments) != 2 or not all(argument.isdigit() for argument in arguments):
        print("usage: python docs/audits/draw.py SEED COUNT", file=sys.stderr)
        return 2
    for leaf in draw(load(ROOT / "matrix"), int(arguments[0]), int(arguments[1])):
        print("\t".join(leaf))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
