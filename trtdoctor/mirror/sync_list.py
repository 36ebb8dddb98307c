"""What is to be synced as JSON: ``trtdoctor-mirror-sync/1``, written to be looked at, and read again to be carried out.

Reading trusts nothing: types, counts and lengths are checked here, names by the emitters.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from trtdoctor.mirror.emit.head import policy_digest
from trtdoctor.mirror.wants import SyncItem
from trtdoctor.policy import Policy
from trtdoctor.text import clean

SCHEMA = "trtdoctor-mirror-sync/1"
READ = (SCHEMA, "trtdoctor-mirror/1")
"""Documents that have items: our own, and that of ``mirror check``, where they stand in ``sync``."""
MOST_ITEMS = 20_000
MOST_FILES = 2_000
_LONGEST = 4096
_TEXTS = ("source", "kind", "upstream", "mirror", "project", "version")
_OPTIONAL = ("digest", "origin")


class SyncListError(ValueError):
    """The document has no items that could be read; the message is one line."""


def document(items: Sequence[SyncItem], refused: Sequence[str], policy: Policy) -> dict[str, Any]:
    """The items, why others cannot be written down, and under which policy they were chosen."""
    from trtdoctor import __version__

    return {
        "schema": SCHEMA,
        "program": f"trtdoctor {__version__}",
        "policy": policy_digest(policy),
        "items": [as_plain(item) for item in items],
        "refused": list(refused),
    }


def as_plain(item: SyncItem) -> dict[str, Any]:
    """An item as JSON has it."""
    return {
        **{name: getattr(item, name) for name in (*_TEXTS, *_OPTIONAL, "why")},
        "platforms": list(item.platforms),
        "files": [{"name": name, "size": size, "sha256": sha256} for name, size, sha256 in item.files],
    }


def read(content: bytes) -> tuple[SyncItem, ...]:
    """The items of a document. Raises :class:`SyncListError`."""
    try:
        found: Any = json.loads(content)
    except (ValueError, RecursionError):
        raise SyncListError("is no JSON") from None
    if not isinstance(found, dict) or found.get("schema") not in READ:
        raise SyncListError(f"is none of {', '.join(READ)}")
    listed = found.get("items" if found["schema"] == SCHEMA else "sync")
    if not isinstance(listed, list):
        raise SyncListError("has no list of items")
    if len(listed) > MOST_ITEMS:
        raise SyncListError(f"has more than {MOST_ITEMS} items")
    return tuple(_item(entry, f"item {number}") for number, entry in enumerate(listed, 1))


def _item(entry: Any, where: str) -> SyncItem:
    if not isinstance(entry, dict):
        raise SyncListError(f"{where}: is no object")
    said: dict[str, Any] = {name: _text(entry.get(name), f"{where}: {name}") for name in _TEXTS}
    maybe: dict[str, Any] = {name: _maybe(entry.get(name), f"{where}: {name}") for name in _OPTIONAL}
    platforms = _list(entry.get("platforms", []), f"{where}: platforms")
    files = _list(entry.get("files", []), f"{where}: files")
    return SyncItem(
        **said,
        **maybe,
        why=clean(_maybe(entry.get("why"), f"{where}: why") or ""),
        platforms=tuple(_text(name, f"{where}: platforms") for name in platforms),
        files=tuple(_file(file, f"{where}: files") for file in files),
    )


def _file(entry: Any, where: str) -> tuple[str, int | None, str | None]:
    """``{name, size, sha256}``, or the three in a row."""
    if isinstance(entry, list) and len(entry) == 3:
        entry = dict(zip(("name", "size", "sha256"), entry, strict=True))
    if not isinstance(entry, dict):
        raise SyncListError(f"{where}: wanted objects with name, size and sha256")
    size = entry.get("size")
    if size is not None and type(size) is not int:
        raise SyncListError(f"{where}: size: wanted a number of bytes")
    return _text(entry.get("name"), f"{where}: name"), size, _maybe(entry.get("sha256"), f"{where}: sha256")


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > MOST_FILES:
        raise SyncListError(f"{where}: wanted a list of at most {MOST_FILES}")
    return value


def _maybe(value: Any, where: str) -> str | None:
    return None if value is None else _text(value, where)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise SyncListError(f"{where}: wanted text")
    return value
