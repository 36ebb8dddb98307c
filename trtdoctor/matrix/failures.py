"""The failure catalogue: which lines of a log mean what, what they speak of, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.needles import needles_of
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
    says: tuple[str, ...] = ()
    """Sentences with named groups in braces."""
    follows: tuple[str, ...] = ()
    """Ids of families that, in the same log, are the cause of this one."""
    rules: tuple[str, ...] = ()
    """Codes of the rules that find the cause on a machine."""
    needles: tuple[frozenset[str], ...] = ()
    """For each pattern, texts of which a line must hold one; empty when nothing can be said."""

    def said(self, values: dict[str, str]) -> str | None:
        """The first sentence all of whose groups are among ``values``, filled in; None when there is none."""
        for text in self.says:
            if all(name in values for name in _BRACES.findall(text)):
                return _BRACES.sub(lambda name: values[name[1]], text)
        return None


_BRACES = re.compile(r"\{(\w+)\}")


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
    return tuple(_matches(matrix, line))


def first(matrix: Matrix, line: str) -> Match | None:
    """The first of ``match``, found sooner."""
    return next(_matches(matrix, line[:LONGEST_LINE]), None)


def _matches(matrix: Matrix, line: str) -> Iterator[Match]:
    told: Family | None = None
    for family, pattern in _candidates(matrix, line):
        if family is told:
            continue
        hit = pattern.search(line)
        if hit:
            told = family
            yield Match(family, line, {key: value for key, value in hit.groupdict().items() if value})


def _candidates(matrix: Matrix, line: str) -> Iterator[tuple[Family, re.Pattern[str]]]:
    """The patterns whose fixed texts a line holds, in the order of the catalogue."""
    every, places_of, always = matrix.remember("failures by needle", lambda: _by_needle(families(matrix)))
    places = set(always)
    for text, numbers in places_of:
        if text in line:
            places.update(numbers)
    return (every[number] for number in sorted(places))


_Index = tuple[list[tuple[Family, re.Pattern[str]]], list[tuple[str, list[int]]], list[int]]


def _by_needle(known: tuple[Family, ...]) -> _Index:
    """Every pattern; where those stand that need a text; those that need none."""
    every = [(family, pattern) for family in known for pattern in family.patterns]
    needed = [texts for family in known for texts in family.needles]
    places_of: dict[str, list[int]] = {}
    for number, texts in enumerate(needed):
        for text in texts:
            places_of.setdefault(text, []).append(number)
    return every, list(places_of.items()), [number for number, texts in enumerate(needed) if not texts]


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
        says=tuple(row.get("says").value or ()),
        follows=tuple(row.get("follows").value or ()),
        rules=tuple(row.get("rules").value or ()),
        needles=tuple(needles_of(text) for text in row.get("patterns").value),
    )
