"""The dynamic loader's cache, ``/etc/ld.so.cache``, read without running ldconfig.

Format: glibc, sysdeps/generic/dl-cache.h. There are two: the old one (``ld.so-1.7.0``), the new one
(``glibc-ld.so.cache1.1``), and files that hold both, the new one after the old one. Numbers are in the byte order of
the machine. Nothing in the file is trusted: an entry that points outside of it is left out.
"""

from __future__ import annotations

import struct
import sys

from trtdoctor.record import record

_OLD = b"ld.so-1.7.0"
_NEW = b"glibc-ld.so.cache1.1"
_OLD_HEAD = 16  # magic (11), padding (1), number of entries (4)
_NEW_HEAD = 48  # magic (20), entries (4), length of the strings (4), flags and padding (4), extension (4), unused (12)
_OLD_ENTRY = 12  # flags, offset of the name, offset of the path
_NEW_ENTRY = 24  # the same three, OS version (4), hardware capabilities (8)
_LIMIT = 200_000
_LONGEST = 4096


_NAMED = 1 << 62
"""In the capabilities of an entry: it lies in a subdirectory of ``glibc-hwcaps``."""
_SUBDIRECTORY = "/glibc-hwcaps/"


@record
class Entry:
    """One library in the cache."""

    name: str
    path: str
    flags: int
    """Kind of library and machine; 0x303 for x86_64, see ``sysdeps/generic/ldconfig.h``."""
    capabilities: str | None
    """What a machine must have to use it: ``""`` nothing, ``x86-64-v3``; None for one of the numbers that glibc 2.37
    ceased to use."""


def entries(content: bytes) -> list[tuple[str, str]]:
    """Name and path of each library in the cache, in its order; empty when ``content`` is no such cache.

    One name may stand there several times (32 and 64 bit, or hardware capabilities): the caller looks at the files.
    Never raises.
    """
    return [(name, path) for name, path, _, _ in _rows(content)]


def libraries(content: bytes) -> list[Entry]:
    """Like :func:`entries`, with what the loader chooses by when one name stands there several times. Never raises."""
    found = []
    for name, path, flags, hwcap in _rows(content):
        inner = path.rpartition(_SUBDIRECTORY)[2].partition("/")[0] if hwcap & _NAMED else ""
        capabilities = None if hwcap and not inner else inner
        found.append(Entry(name, path, flags, capabilities))
    return found


def _rows(content: bytes) -> list[tuple[str, str, int, int]]:
    order = "<" if sys.byteorder == "little" else ">"
    start = 0
    if content.startswith(_OLD):
        count = _number(content, 12, order)
        # The new cache follows the old one's entries at the next multiple of eight, when there is one.
        after = _OLD_HEAD + count * _OLD_ENTRY
        aligned = (after + 7) & ~7
        if content[aligned : aligned + len(_NEW)] != _NEW:
            return _read(content, order, _OLD_HEAD, count, size=_OLD_ENTRY, strings=after)
        start = aligned
    if content[start : start + len(_NEW)] != _NEW:
        return []
    count = _number(content, start + len(_NEW), order)
    return _read(content, order, start + _NEW_HEAD, count, size=_NEW_ENTRY, strings=start)


def _number(content: bytes, offset: int, order: str) -> int:
    field = content[offset : offset + 4]
    return int(struct.unpack(f"{order}I", field)[0]) if len(field) == 4 else 0


def _read(
    content: bytes, order: str, first: int, count: int, *, size: int, strings: int
) -> list[tuple[str, str, int, int]]:
    found = []
    form = struct.Struct(f"{order}iII" if size == _OLD_ENTRY else f"{order}iIIIQ")
    last = min(first + min(count, _LIMIT) * size, len(content))
    for offset in range(first, last - size + 1, size):
        flags, name_at, path_at, *rest = form.unpack_from(content, offset)
        name, path = _string(content, strings + name_at), _string(content, strings + path_at)
        if name and path.startswith("/"):
            found.append((name, path, flags, rest[1] if rest else 0))
    return found


def _string(content: bytes, offset: int) -> str:
    end = content.find(b"\0", offset, offset + _LONGEST)
    return content[offset:end].decode("utf-8", "surrogateescape") if end > offset else ""
