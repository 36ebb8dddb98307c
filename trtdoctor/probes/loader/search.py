"""The lists of directories in which a dynamic loader searches, as text and as directories that are there.

Source: ld.so(8); glibc elf/dl-load.c (``_dl_dst_substitute``, ``fillin_rpath``, ``open_path``).
"""

from __future__ import annotations

import re

from trtdoctor.probes.loader.filecache import FileCache
from trtdoctor.record import record

_TOKEN = re.compile(r"\$(?:\{(ORIGIN|PLATFORM|LIB)\}|(ORIGIN|PLATFORM|LIB)(?![A-Za-z0-9_]))")
MOST_ENTRIES = 10_000
"""No list is followed further."""


@record
class Directory:
    """One directory of a list."""

    path: str
    """Absolute, as the loader writes it: tokens expanded, links not followed."""
    entry: str
    """As it stands in the list."""


def expand(text: str, *, origin: str | None, library: str, platform: str | None) -> str:
    """``text`` with ``$ORIGIN``, ``$LIB`` and ``$PLATFORM`` replaced; empty when one of them is not known."""
    known = {"ORIGIN": origin, "LIB": library, "PLATFORM": platform}
    if any(known[match[1] or match[2]] is None for match in _TOKEN.finditer(text)):
        return ""
    return _TOKEN.sub(lambda match: known[match[1] or match[2]] or "", text)


def split(
    text: str,
    separators: str,
    files: FileCache,
    *,
    origin: str | None,
    library: str,
    platform: str | None,
) -> list[Directory]:
    """The directories of a list that are there, each once; an empty entry is the current directory."""
    found: dict[str, Directory] = {}
    for entry in re.split(f"[{re.escape(separators)}]", text)[:MOST_ENTRIES]:
        path = expand(entry, origin=origin, library=library, platform=platform)
        if entry and not path:
            continue
        path = files.absolute(path).rstrip("/") or "/"
        # The loader, too, forgets a directory that is not there.
        if path not in found and files.is_directory(path):
            found[path] = Directory(path, entry)
    return list(found.values())


def named(directories: tuple[str, ...], files: FileCache) -> list[Directory]:
    """Fixed directories, those that are there."""
    return [Directory(path, path) for path in directories if files.is_directory(path)]
