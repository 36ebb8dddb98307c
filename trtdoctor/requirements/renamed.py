"""What files state under other names for the files: in a report that others read, no path tells of its writer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from trtdoctor.requirements.stated import Requirements, Skipped

_PLACES = ("where", "python_at", "other_index")
"""Fields that hold ``FILE:LINE``."""


def renamed(found: Requirements, name: Callable[[str], str]) -> Requirements:
    """``found`` with the file of each place, and each file that was read for it, as ``name`` calls it.

    Of a line that was skipped only its place and the reason in short stay: the rest may name any path.
    """
    changed: Requirements = _walk(found, name)
    return replace(changed, includes=tuple(name(file) for file in found.includes))


def _walk(value: Any, name: Callable[[str], str]) -> Any:
    if isinstance(value, tuple):
        return tuple(_walk(item, name) for item in value)
    if not hasattr(value, "__dataclass_fields__"):
        return value
    if isinstance(value, Skipped):
        value = Skipped(value.where, "", value.why.partition(": ")[0])
    changed: dict[str, Any] = {}
    for key in value.__dataclass_fields__:
        inner = getattr(value, key)
        if key in _PLACES and isinstance(inner, str):
            file, colon, line = inner.rpartition(":")
            changed[key] = f"{name(file)}{colon}{line}"
        else:
            changed[key] = _walk(inner, name)
    return replace(value, **changed)
