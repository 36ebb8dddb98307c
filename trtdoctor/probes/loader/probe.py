"""What the dynamic loader would give each importer, and the search path that the environment sets."""

from __future__ import annotations

import os
from collections.abc import Iterator

from trtdoctor.probes.base import ProbeContext
from trtdoctor.probes.loader.importers import predict
from trtdoctor.probes.searchpaths import MOST_ENTRIES, host
from trtdoctor.snapshot import SearchEntry, Snapshot

_VARIABLE = "LD_LIBRARY_PATH"
_MOST_PARTS = 1000


def probe(context: ProbeContext) -> Snapshot:
    """Predictions, from files alone; nothing is loaded. Raises ValueError for an importer that can be none."""
    if os.name != "posix":
        return Snapshot()
    return Snapshot(search_entries=tuple(_entries(context)), loadings=predict(context, context.importers))


def _entries(context: ProbeContext) -> Iterator[SearchEntry]:
    value = context.environ.get(_VARIABLE)
    if not value:
        return
    # The loader takes either separator.
    for position, path in enumerate(value.replace(";", ":").split(":")[:_MOST_PARTS]):
        state, count = _look(context, path)
        yield SearchEntry(variable=_VARIABLE, position=position, path=path, state=state, libraries=count)


def _look(context: ProbeContext, path: str) -> tuple[str, int | None]:
    """The word for an entry, and how many files named like libraries of the stack it holds."""
    relative = not path.startswith("/")
    if relative and os.fspath(context.root) != "/":
        return "relative", None
    if "$" in path:
        return ("relative" if relative else "missing"), None  # $ORIGIN and the like: another place for each program
    place = host(context, path) if not relative else path or "."
    try:
        names = os.listdir(place)[:MOST_ENTRIES]
    except (FileNotFoundError, ValueError):
        return ("relative" if relative else "missing"), None
    except NotADirectoryError:
        return ("relative" if relative else "not-a-directory"), None
    except OSError:
        return ("relative" if relative else "unreadable"), None
    count = sum(1 for name in names if ".so" in name and context.libraries(name) is not None)
    return ("relative" if relative else "ok"), count
