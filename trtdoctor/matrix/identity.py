"""What names a row, for the tools that compare rows: its key, and what tells rows of one key apart."""

from __future__ import annotations

from typing import Any

from trtdoctor.matrix.load import _key_name
from trtdoctor.versions import Version

_ALSO = (
    "flavour",
    "platform",
    "major",
    "jetpack",
    "numbering",
    "product",
    "component",
    "language",
    "image",
    "first_branch",
)
"""Besides the key: 1.31.1 for CUDA 12 and 1.31.1 for CUDA 13 are two rows."""


def key_name(rows: list[dict[str, Any]]) -> str:
    """The key that names the rows of a table."""
    return _key_name(rows)


def identity_of(row: dict[str, Any], key: str) -> dict[str, Any]:
    """The values that tell a row from every other one."""
    also = (*_ALSO, "compute_capabilities") if key == "architecture" else _ALSO
    return {name: row[name] for name in (key, *also) if name in row and not isinstance(row[name], dict)}


def same_row(row: dict[str, Any], stated: dict[str, Any], key: str) -> bool:
    """Whether ``stated``, which may leave out what it need not name, can mean ``row``."""
    if str(row.get(key)) != str(stated.get(key)):
        return False
    return all(row[name] == stated[name] for name in _ALSO if name in row and name in stated)


def label(row: dict[str, Any], key: str, among: list[dict[str, Any]]) -> str:
    """A row's name: its key, with what else it takes where several rows share the key."""
    shared = [other for other in among if str(other.get(key)) == str(row.get(key))]
    if len(shared) < 2:
        return str(row.get(key))
    return " ".join(_word(value) for value in identity_of(row, key).values())


def sort_versions(value: Any) -> tuple[int, ...] | None:
    """A version's numbers to sort by; None for what is none."""
    found = Version.maybe(value)
    return found.parts if found else None


def _word(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
