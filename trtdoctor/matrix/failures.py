"""The failure catalogue: which lines of a log mean what, what they speak of, and what to do."""

from __future__ import annotations

import re

from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import Fact, Row
from trtdoctor.record import record

LONGEST_LINE = 2000
"""Characters of a line that are looked at; what follows is hardly ever the message."""


@record
class Family:
    """One kind of failure."""

    id: str
    title: str
    """What it is, as the end of a sentence."""
    components: tuple[str, ...]
    blames: str
    """``environment``, ``maybe``, ``model``, ``harmless``."""
    symptom: bool
    """Whether such a line only follows from an earlier one."""
    causes: tuple[str, ...]
    next: tuple[str, ...]
    """What to do, the likeliest first."""
    fact: Fact
    """The title with its provenance."""
    patterns: tuple[re.Pattern[str], ...]


@record
class Match:
    """One line that is known."""

    family: Family
    line: str
    values: dict[str, str]
    """The named groups of the pattern that matched: versions, names of files."""


def families(matrix: Matrix) -> tuple[Family, ...]:
    """Every family, specific ones first."""
    return matrix.remember("failures", lambda: tuple(_family(row) for row in matrix.rows("failures", "failures")))


def match(matrix: Matrix, line: str) -> tuple[Match, ...]:
    """What ``line`` means: a match for each family that knows it, the most specific first; empty when none does."""
    line = line[:LONGEST_LINE]
    found = []
    for family in families(matrix):
        for pattern in family.patterns:
            hit = pattern.search(line)
            if hit:
                found.append(Match(family, line, {key: value for key, value in hit.groupdict().items() if value}))
                break
    return tuple(found)


def _family(row: Row) -> Family:
    return Family(
        id=row.key,
        title=str(row.text("title")),
        components=tuple(row.get("components").value),
        blames=str(row.text("blames")),
        symptom=row.get("symptom").value is True,
        causes=tuple(row.get("causes").value),
        next=tuple(row.get("next").value),
        fact=row.get("title"),
        patterns=tuple(re.compile(text) for text in row.get("patterns").value),
    )
