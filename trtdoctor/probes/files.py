"""The one place where probes open files that others wrote.

What lies under a library's name need not be a file: opening a FIFO waits for a writer that never comes, opening a
device may do something to it. So only regular files are opened, without waiting, and read up to a bound.
"""

from __future__ import annotations

import os
import stat

_CHUNK = 1 << 24


class NotRegularError(OSError):
    """There is something at the path, but no regular file."""


def open_regular(path: str | os.PathLike[str]) -> int:
    """A file descriptor to read a regular file from; the caller closes it.

    Raises :class:`NotRegularError` for a directory, a FIFO, a socket or a device, OSError for what cannot be opened,
    and ValueError for a path that no file can have.
    """
    # Asked before as well as after opening: a device must not even be opened, and the path may change in between.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise NotRegularError(f"no regular file: {os.fspath(path)}")
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotRegularError(f"no regular file: {os.fspath(path)}")
    return handle


def read_regular(path: str | os.PathLike[str], longest: int) -> bytes | None:
    """The first ``longest`` bytes of a regular file; None when it cannot be read or is none. Never raises."""
    try:
        handle = open_regular(path)
    except (OSError, ValueError):
        return None
    try:
        parts, left = [], longest
        chunk = min(max(os.fstat(handle).st_size + 1, 65536), _CHUNK)  # files under /proc say that they are empty
        while left > 0 and (part := os.read(handle, min(left, chunk))):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)
    except OSError:
        return None
    finally:
        os.close(handle)
