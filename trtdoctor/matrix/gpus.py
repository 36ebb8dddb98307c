"""From the name of a GPU to its row: compute capability, class, architecture. An ambiguous name gives nothing."""

from __future__ import annotations

import re

from trtdoctor.lazyre import pattern
from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import UNKNOWN, Row
from trtdoctor.record import record

_LONGEST = 200
_MIG = pattern(r"\bmig\s+\d+g\.\d+gb\b.*|\bmig\b.*", re.IGNORECASE)
_MARKS = pattern(r"\((?:r|tm|nvgpu)\)|®|™", re.IGNORECASE)
_WORDS = pattern(r"[a-z0-9.+]+")
_MEMORY = pattern(r"\d+(?:g|gb|gib)")


@record
class _Index:
    exact: dict[tuple[str, ...], tuple[Row, ...]]
    loose: dict[tuple[str, ...], tuple[Row, ...]]
    always: frozenset[str]
    brands: frozenset[str]
    forms: frozenset[str]
    ambiguous: frozenset[tuple[str, ...]]


def find(matrix: Matrix, name: str) -> Row | None:
    """The row of a GPU name such as ``NVIDIA GeForce RTX 3080 Ti``, ``Tesla T4``, ``A100-SXM4-80GB`` or ``RTX 5090``.

    First the name as it is (without the vendor's), then without words that do not change the chip (brand, form
    factor, memory size). Rows that fit must agree on the compute capability, else the name says nothing: None.
    """
    spelled = matrix.remember("gpus names", lambda: {row.key: row for row in matrix.rows("gpus", "gpus")})
    if name in spelled:  # just as the driver spells it, which is the rule on a real machine
        return spelled[name]
    index = matrix.remember("gpus index", lambda: _build(matrix))
    words = _split(name, index.always)
    if not words:
        return None
    found = index.exact.get(words)
    if not found:
        brands = {word for word in words if word in index.brands}
        loose = _loosen(words, index)
        if loose in index.ambiguous and not brands:
            return None
        found = tuple(row for row in index.loose.get(loose, ()) if _fits(row, brands, index))
    return _one(found, words, index)


def compute_capability(matrix: Matrix, name: str) -> str | None:
    """The compute capability of a GPU name; None when the name is unknown or ambiguous."""
    row = find(matrix, name)
    return row.text("compute_capability") if row else None


def by_pci_id(matrix: Matrix, device: str) -> Row | None:
    """The row of a PCI device id (four hexadecimal digits); None when unknown or of chips that differ."""
    index = matrix.remember("gpus pci", lambda: _by_id(matrix))
    found = index.get(device.upper().removeprefix("0X"), ())
    return found[0] if found and _agree(found) else None


def _one(found: tuple[Row, ...], words: tuple[str, ...], index: _Index) -> Row | None:
    """The nearest of rows that agree, with an unknown class where their classes differ."""
    if not found or not _agree(found):
        return None
    nearest = min(found, key=lambda row: len(set(words) ^ set(_split(row.key, index.always))))
    if len({row.text("class") for row in found}) == 1:
        return nearest
    return Row({**nearest.plain, "class": UNKNOWN}, nearest.origin, nearest.key)


def _by_id(matrix: Matrix) -> dict[str, tuple[Row, ...]]:
    index: dict[str, tuple[Row, ...]] = {}
    for row in matrix.rows("gpus", "gpus"):
        ids = row.get("pci_ids").value
        for device in ids if isinstance(ids, list) else ():
            index[device] = (*index.get(device, ()), row)
    return index


def _build(matrix: Matrix) -> _Index:
    rules = matrix.row("gpus", "matching")
    always = frozenset(rules.get("dropped_always").value)
    index = _Index(
        exact={},
        loose={},
        always=always,
        brands=frozenset(rules.get("brands").value),
        forms=frozenset(rules.get("dropped_forms").value),
        ambiguous=frozenset(tuple(name.split()) for name in rules.get("ambiguous").value),
    )
    for row in matrix.rows("gpus", "gpus"):
        also = row.get("also").value
        for name in (row.key, *(also if isinstance(also, list) else ())):
            words = _split(name, always)
            _add(index.exact, words, row)
            _add(index.loose, _loosen(words, index), row)
    return index


def _add(table: dict[tuple[str, ...], tuple[Row, ...]], words: tuple[str, ...], row: Row) -> None:
    if words and row not in table.get(words, ()):
        table[words] = (*table.get(words, ()), row)


def _split(name: str, dropped: frozenset[str]) -> tuple[str, ...]:
    plain = _MIG.sub("", _MARKS.sub(" ", name[:_LONGEST])).lower()
    return tuple(word for word in _WORDS.findall(plain) if word not in dropped)


def _loosen(words: tuple[str, ...], index: _Index) -> tuple[str, ...]:
    gone = index.forms | index.brands
    return tuple(word for word in words if word not in gone and not _MEMORY.fullmatch(word))


def _fits(row: Row, brands: set[str], index: _Index) -> bool:
    """A brand that was written must be the row's own, where the row has one: "GeForce RTX 6000" is no Quadro."""
    also = row.get("also").value
    own = {word for name in (row.key, *(also if isinstance(also, list) else ())) for word in _split(name, index.always)}
    of_row = own & index.brands
    return not brands or not of_row or brands <= of_row


def _agree(rows: tuple[Row, ...]) -> bool:
    return len({row.text("compute_capability") for row in rows}) == 1
