"""Rows of the matrix: plain YAML data, read together with where each value comes from.

``source`` and ``certainty`` are inherited file → row → value; a value overrides them by being written as
``{value, source, certainty, note}``. A :class:`Row` resolves that on the way down, so that every look-up gives a
:class:`Fact` with its provenance, and nothing has to be expanded when the matrix is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trtdoctor.record import record

UNKNOWN = "unknown"
"""The legal value that says: looked for, not found."""


@record
class Fact:
    """One value of the matrix with its provenance."""

    value: Any
    sources: tuple[str, ...]
    """Ids of ``sources.yaml``."""
    certainty: str
    """``official``, ``measured``, ``secondary`` or ``inferred``."""
    where: str
    """File and row: ``tensorrt.yaml: releases 10.9.0, glibc linux-x86_64``."""
    note: str | None = None
    overlay: str | None = None
    """Name of the overlay that set it, None for the matrix itself."""

    @property
    def known(self) -> bool:
        """Whether there is a value at all."""
        return self.value is not None and self.value != UNKNOWN


@record
class Origin:
    """The provenance that values inherit."""

    sources: tuple[str, ...]
    certainty: str
    where: str
    overlay: str | None = None

    def narrowed(self, data: dict[str, Any], where: str) -> Origin:
        """The provenance inside ``data``, which may override ``source`` and ``certainty``."""
        sources = data.get("source")
        return Origin(
            as_ids(sources) if sources is not None else self.sources,
            data.get("certainty", self.certainty),
            where,
            data.get("overlay", self.overlay if sources is None else None),
        )


def as_ids(source: Any) -> tuple[str, ...]:
    """Source ids from the YAML form: one id or a list of them."""
    return tuple(source) if isinstance(source, list) else (str(source),)


class Row:
    """One row (a mapping) of the matrix, or a mapping inside one."""

    __slots__ = ("_data", "key", "origin")

    def __init__(self, data: dict[str, Any], origin: Origin, key: str) -> None:
        """``data`` as in the file, ``origin`` what it inherits, ``key`` what names the row (a version, a name)."""
        self._data = data
        self.origin = origin
        self.key = key

    def __repr__(self) -> str:
        return f"Row({self.origin.where})"

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def names(self) -> Iterator[str]:
        """Names of the values, without the provenance keys."""
        return (key for key in self._data if key not in _PROVENANCE)

    def get(self, *path: str) -> Fact:
        """The value at ``path`` with its provenance; value None when the path leads nowhere.

        A path that runs into ``unknown`` gives ``unknown``: what holds nothing cannot hold more.
        """
        value: Any = self._data
        origin = self.origin
        note: str | None = None
        for key in path:
            if not isinstance(value, dict):
                value = value if value == UNKNOWN else None
                break
            value = value.get(key)
            if isinstance(value, dict):
                origin = origin.narrowed(value, origin.where)
                if "value" in value:
                    note = value.get("note", note)
                    value = value["value"]
        where = f"{origin.where}, {' '.join(path)}" if path else origin.where
        return Fact(value, origin.sources, origin.certainty, where, note, origin.overlay)

    def text(self, *path: str) -> str | None:
        """The value at ``path`` when it is a known text, else None."""
        value = self.get(*path).value
        return value if isinstance(value, str) and value != UNKNOWN else None

    def sub(self, *path: str) -> Row | None:
        """The mapping at ``path`` as a row of its own; None when there is none."""
        fact = self.get(*path)
        if not isinstance(fact.value, dict):
            return None
        origin = Origin(fact.sources, fact.certainty, fact.where, fact.overlay)
        return Row(fact.value, origin.narrowed(fact.value, fact.where), path[-1])

    @property
    def plain(self) -> dict[str, Any]:
        """The data as written (do not change it)."""
        return self._data


_PROVENANCE = frozenset({"source", "certainty", "note", "like", "overlay"})
