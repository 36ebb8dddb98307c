"""The dynamic loader's cache, ``/etc/ld.so.cache``, read without running ldconfig.

Format: glibc, sysdeps/generic/dl-cache.h. There are two: the old one (``ld.so-1.7.0``), the new one
(``glibc-ld.so.cache1.1``), and files that hold both, the new one after the old one. Numbers are in the byte order of
the machine. Nothing in the file is trusted: an entry that points outside of it is left out.
"""

from __future__ import annotations

import struct
import sys

_OLD = b"ld.so-1.7.0"
_NEW = b"glibc-ld.so.cache1.1"
_OLD_HEAD = 16  # magic (11), padding (1), number of entries (4)
_NEW_HEAD = 48  # magic (20), entries (4), length of the strings (4), flags and padding (4), extension (4), unused (12)
_OLD_ENTRY = 12  # flags, offset of the name, offset of the path
_NEW_ENTRY = 24  # the same three, OS version (4), hardware capabilities (8)
_LIMIT = 200_000
_LONGEST = 4096


def entries(content: bytes) -> list[tuple[str, str]]:
    """Name and path of each library in the cache, in its order; empty when ``content`` is no such cache.

    One name may stand there several times (32 and 64 bit, or hardware capabilities): the caller looks at the files.
    Never raises.
    """
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


def _read(content: bytes, order: str, first: int, count: int, *, size: int, strings: int) -> list[tuple[str, str]]:
    found = []
    record = struct.Struct(f"{order}iII")
    last = min(first + min(count, _LIMIT) * size, len(content))
    for offset in range(first, last - size + 1, size):
        _, name_at, path_at = record.unpack_from(content, offset)
        name, path = _string(content, strings + name_at), _string(content, strings + path_at)
        if name and path.startswith("/"):
            found.append((name, path))
    return found


def _string(content: bytes, offset: int) -> str:
    end = content.find(b"\0", offset, offset + _LONGEST)
    return content[offset:end].decode("utf-8", "surrogateescape") if end > offset else ""
