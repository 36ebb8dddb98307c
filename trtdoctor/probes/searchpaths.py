"""Where files are looked for, below the root of a ProbeContext, and what several probes find out together.

A path here is always absolute as processes under the root see it; :func:`host` gives the one to open.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from trtdoctor.probes.base import ProbeContext
from trtdoctor.probes.files import read_regular
from trtdoctor.record import record

_T = TypeVar("_T")
_LINKS = 40
"""As many symbolic links in one path as Linux follows."""
MOST_ENTRIES = 50_000
"""No directory is listed further."""

_guard = threading.Lock()
_shared: dict[str, tuple[ProbeContext, threading.Lock, list[Any]]] = {}


def once(context: ProbeContext, key: str, make: Callable[[], _T]) -> _T:
    """What ``make`` gives, worked out once for this context however many probes (threads) ask for it.

    Only the latest context of each key is remembered. An exception is not: the next caller tries again.
    """
    with _guard:
        slot = _shared.get(key)
        if slot is None or slot[0] is not context:
            slot = _shared[key] = (context, threading.Lock(), [])
    with slot[1]:
        if not slot[2]:
            slot[2].append(make())
        found: _T = slot[2][0]
        return found


def real(context: ProbeContext, path: str) -> str:
    """``path`` without symbolic links, as seen below the root; a link that leads nowhere stays as it is."""
    if os.fspath(context.root) == "/":
        try:
            return os.path.realpath(path)
        except (OSError, ValueError):  # a name that no file can have, out of somebody's list
            return path
    done, left, links = "/", [part for part in path.split("/") if part], 0
    while left:
        part = left.pop(0)
        if part in (".", ""):
            continue
        if part == "..":
            done = os.path.dirname(done)
            continue
        here = os.path.join(done, part)
        try:
            target = os.readlink(context.path(here))
        except (OSError, ValueError):
            done = here
            continue
        links += 1
        if links > _LINKS:
            return path
        left = [part for part in target.split("/") if part] + left
        if target.startswith("/"):
            done = "/"
    return done


def host(context: ProbeContext, path: str) -> str:
    """The path to open for ``path``: links are followed inside the root, never out of it."""
    if os.fspath(context.root) == "/":
        return path
    return str(context.path(real(context, path)))


def exists(context: ProbeContext, path: str) -> bool:
    """Whether there is something at ``path``."""
    return os.path.exists(host(context, path))


def is_there(context: ProbeContext, path: str) -> bool:
    """Like :func:`exists`, but a link that leads nowhere is there too."""
    folder, _, name = path.rpartition("/")
    return os.path.lexists(f"{host(context, folder or '/').rstrip('/')}/{name}")


def read_bytes(context: ProbeContext, path: str, longest: int) -> bytes | None:
    """The first ``longest`` bytes of a regular file; None when it cannot be read or is none."""
    return read_regular(host(context, path), longest)


def read_text(context: ProbeContext, path: str, longest: int = 65536) -> str | None:
    """Like :func:`read_bytes`, as text."""
    found = read_bytes(context, path, longest)
    return None if found is None else found.decode("utf-8", "replace")


def names(context: ProbeContext, directory: str, unreadable: list[str] | None = None) -> list[str]:
    """What ``directory`` holds, sorted; empty when there is none.

    One that may not be read, or holds more than anybody looks at, goes into ``unreadable``.
    """
    try:
        found = os.listdir(host(context, directory))
    except (OSError, ValueError) as error:
        # No process can look into what is not there, is no directory, or is a link that leads to itself.
        nowhere = getattr(error, "errno", None) in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
        if unreadable is not None and not nowhere and isinstance(error, OSError):
            unreadable.append(directory)
        return []
    if len(found) > MOST_ENTRIES and unreadable is not None:
        unreadable.append(directory)
    found.sort()
    return found[:MOST_ENTRIES]


def on_path(context: ProbeContext, program: str) -> list[str]:
    """Every file called ``program`` that PATH leads to and that may be run, first one first."""
    found = []
    for directory in context.environ.get("PATH", "").split(":"):
        if directory.startswith("/"):
            path = f"{directory.rstrip('/')}/{program}"
            if os.access(host(context, path), os.X_OK) and os.path.isfile(host(context, path)):
                found.append(path)
    return found


@record
class Place:
    """One directory to look into, and the word for how one gets there (``Copy.found_by``)."""

    directory: str
    found_by: str


_TRIPLES = ("x86_64-linux-gnu", "aarch64-linux-gnu", "powerpc64le-linux-gnu")
DEFAULTS = (
    *(f"{head}/{triple}" for triple in _TRIPLES for head in ("/lib", "/usr/lib", "/usr/local/lib")),
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
    "/usr/local/lib64",
    "/usr/local/lib",
)
"""Where the loader of one distribution or the other looks by itself, or where an installer puts things."""


def library_path(context: ProbeContext) -> list[Place]:
    """The directories of LD_LIBRARY_PATH, in order."""
    value = context.environ.get("LD_LIBRARY_PATH", "").replace(";", ":")
    return [Place(part, "ld_library_path") for part in value.split(":") if part.startswith("/")]


def default_places(context: ProbeContext) -> list[Place]:
    """The loader's own directories."""
    return [Place(directory, "default") for directory in DEFAULTS]


def unpacked_places(context: ProbeContext) -> list[Place]:
    """Where people unpack TensorRT's archive."""
    found = []
    for parent in ("/opt", "/usr/local", "/usr/src"):
        for name in names(context, parent):
            if name.lower().startswith("tensorrt"):
                root = f"{parent}/{name}"
                found += [Place(f"{root}/{tail}", "unpacked") for tail in ("lib", "lib64", *targets())]
    return found


def targets() -> tuple[str, ...]:
    """The folders of this kind of machine below a toolkit's root; those of others are for cross-compiling."""
    machine = os.uname().machine
    known = {
        "x86_64": ("x86_64-linux", "x86_64-linux-gnu"),
        "aarch64": ("sbsa-linux", "aarch64-linux", "aarch64-linux-gnu"),
    }
    return tuple(f"targets/{name}/lib" for name in known.get(machine, (f"{machine}-linux",)))
