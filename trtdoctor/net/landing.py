"""A folder that files are fetched into: one run at a time, and nothing that lies there is overwritten."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from trtdoctor.net.download import digest_of
from trtdoctor.text import clean

UNDER_WAY = ".trtdoctor-incoming"
"""A directory in the folder, for what is not whole or not verified yet."""
SET_ASIDE = "set-aside"


class LandingError(ValueError):
    """Nothing can be put into the folder; the message is one line."""


@contextmanager
def opened(path: str) -> Iterator[str]:
    """The directory for what is under way, made where it is not there, for this run alone.

    What broke off (``NAME.part``) stays in it for the next run; all else in it is thrown away at the end. Raises
    :class:`LandingError`.
    """
    import fcntl

    under_way = os.path.join(path, UNDER_WAY)
    try:
        os.makedirs(under_way, mode=0o700, exist_ok=True)
        handle = os.open(under_way, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    except OSError as error:
        raise LandingError(f"{clean(path, 200)}: {error.strerror or error}") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LandingError(f"{clean(path, 200)}: another run is fetching files there") from None
        try:
            yield under_way
        finally:
            _tidy(under_way)
    finally:
        os.close(handle)


def _tidy(under_way: str) -> None:
    with os.scandir(under_way) as entries:
        found = [entry for entry in entries if not entry.name.endswith((".part", ".part.json"))]
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            os.unlink(entry.path)
    if not os.listdir(under_way):
        os.rmdir(under_way)


def is_there(place: str, size: int | None, sha256: str | None) -> bool:
    """Whether a file lies there already: by its digest, else by its size in bytes. Raises OSError."""
    if os.path.islink(place) or not os.path.isfile(place):
        return False
    if sha256 is not None:
        return digest_of(place) == sha256
    return size is not None and os.path.getsize(place) == size


def settle(coming: str, place: str) -> str | None:
    """Give a file its place; where the one of that name that was there is now. Raises OSError."""
    aside = set_aside(place, os.path.dirname(place)) if os.path.lexists(place) else None
    os.replace(coming, place)
    return aside


def set_aside(path: str, folder: str) -> str:
    """Move a file to where no installer looks; its new place, from the folder on. Raises OSError."""
    directory = os.path.join(folder, SET_ASIDE)
    os.makedirs(directory, exist_ok=True)
    known = os.path.isfile(path) and not os.path.islink(path)
    kept = f"{os.path.basename(path)}.{digest_of(path)[:12] if known else 'link'}"
    os.replace(path, os.path.join(directory, kept))
    return os.path.join(SET_ASIDE, kept)
