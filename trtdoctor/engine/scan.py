"""Directories searched for engines and their caches, by first bytes: thousands of files in seconds."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from trtdoctor.engine.look import look
from trtdoctor.engine.sidecar import ENDING
from trtdoctor.matrix import Matrix
from trtdoctor.record import record
from trtdoctor.snapshot import Engine

MAX_FILES = 200_000
SECONDS = 60.0
NAMES = (".engine", ".plan", ".trt")
"""Files called so are told of also when they are no engines: a pointer, an empty file, something else."""
_WANTED = ("plan", "archive", "timing-cache", "calibration-cache")


@record
class Scan:
    """What lies below a directory."""

    engines: tuple[Engine, ...]
    files: int
    """How many files were looked at."""
    unreadable: int
    """How many directories and files could not be read."""
    complete: bool
    """False when it was given up: too many files, or too long."""


def scan(matrix: Matrix, directory: str, *, verify: bool = True, seconds: float = SECONDS) -> Scan:
    """The engines and caches below ``directory``; links are not followed. Never raises OSError."""
    found: list[Engine] = []
    files = 0
    until = time.monotonic() + seconds
    refused: list[str] = []
    for path in _files(directory, refused):
        if files >= MAX_FILES or time.monotonic() > until:
            return Scan(tuple(found), files, len(refused), complete=False)
        files += 1
        engine = look(matrix, path, verify=verify)
        if engine.kind == "unreadable":
            refused.append(path)
        elif engine.kind in _WANTED or path.lower().endswith(NAMES):
            found.append(engine)
    return Scan(tuple(found), files, len(refused), complete=True)


def _files(directory: str, refused: list[str]) -> Iterator[str]:
    """Regular files below a directory, by name; what cannot be listed goes into ``refused``."""
    waiting = [directory]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(place) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            refused.append(place)
            continue
        below = []
        for entry in listed:
            kind = _kind(entry)
            if kind == "directory":
                below.append(entry.path)
            elif kind == "file" and not entry.name.endswith(ENDING):
                yield entry.path
            elif kind is None:
                refused.append(entry.path)
        waiting.extend(reversed(below))


def _kind(entry: os.DirEntry[str]) -> str | None:
    try:
        if entry.is_dir(follow_symlinks=False):
            return "directory"
        return "file" if entry.is_file(follow_symlinks=False) else "other"
    except OSError:
        return None
