"""What mirrors were seen to hold, kept from run to run: one JSON file of the user's own, written whole or not at all.

A run that is killed at any moment leaves the file as it was before or as it is after, never something between. Two
runs at a time wait for each other (:func:`update`). What is read is decoded as a Snapshot is: cleaned and bounded,
whoever wrote it.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from typing import Any

from trtdoctor.mirror.change import Change, of_plain
from trtdoctor.mirror_facts import MirrorSource
from trtdoctor.record import record
from trtdoctor.snapshot import MAX_BYTES, MAX_ITEMS, Snapshot, SnapshotError
from trtdoctor.snapshot import SCHEMA as SNAPSHOT_SCHEMA
from trtdoctor.text import clean
from trtdoctor.times import parse

SCHEMA = "trtdoctor-mirror-state/1"
KEPT = 500
"""How many changes are kept, the newest ones."""
TARGETS = 16
"""To how many targets changes can be owed."""
WAIT_SECONDS = 30.0
"""How long a run waits for another one that writes the same file."""


class StateError(ValueError):
    """The file holds no state, or cannot be read or written; the message is one line."""


@record
class State:
    """Everything that is kept."""

    taken: str = ""
    """When the last look ended."""
    sources: tuple[MirrorSource, ...] = ()
    first_seen: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Source to item to the time when upstream was first seen to have it."""
    since: Mapping[str, str] = field(default_factory=dict)
    """Source to its first look: what was there then may be as old as it likes."""
    asked: Mapping[str, str] = field(default_factory=dict)
    """Source to a digest of what it is asked for; asked for something else it begins anew."""
    settled: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Source to item to the last state that was known, for items of which it is not known now."""
    late: Mapping[str, str] = field(default_factory=dict)
    """Sources that are further behind than the policy allows, and since when that is known."""
    changes: tuple[Change, ...] = ()
    """The newest ``KEPT``, oldest first."""
    owed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Target (``stdout``, a digest of a webhook's address) to the ids of changes that it was not told yet."""

    def source(self, name: str) -> MirrorSource | None:
        """The source with an id; None for one that was never looked at."""
        return next((item for item in self.sources if item.id == name), None)

    def to_plain(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "schema": SCHEMA,
            "taken": self.taken,
            "sources": _sparse(Snapshot(mirrors=self.sources).to_plain()["mirrors"]),
            "first_seen": {name: dict(items) for name, items in self.first_seen.items()},
            "since": dict(self.since),
            "asked": dict(self.asked),
            "settled": {name: dict(items) for name, items in self.settled.items()},
            "late": dict(self.late),
            "changes": [item.to_plain() for item in self.changes],
            "owed": {name: list(ids) for name, ids in self.owed.items()},
        }


def default_path(environ: Mapping[str, str]) -> str:
    """Where the state is kept where nobody names a file: in the user's own state directory.

    Raises :class:`StateError` where no such directory can be told.
    """
    named = environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(named):
        return os.path.join(named, "trtdoctor", "mirror.json")
    home = environ.get("HOME", "")
    if not os.path.isabs(home):
        raise StateError("neither XDG_STATE_HOME nor HOME says where the state is kept: name a file with --state")
    return os.path.join(home, ".local", "state", "trtdoctor", "mirror.json")


# -- reading -----------------------------------------------------------------------------------------------------------


def read(path: str | os.PathLike[str]) -> State | None:
    """What the file holds; None where there is none. Raises :class:`StateError` for anything that is no state."""
    name = os.fspath(path)
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _complaint(name, getattr(error, "strerror", None) or str(error)) from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _complaint(name, "is no plain file")
    with os.fdopen(handle, "rb") as stream:
        try:
            content = stream.read(MAX_BYTES + 1)
        except OSError as error:
            raise _complaint(name, error.strerror or "cannot be read") from None
    if len(content) > MAX_BYTES:
        raise _complaint(name, f"longer than {MAX_BYTES >> 20} MiB")
    if not content.strip():
        raise _complaint(name, "is empty; delete it to begin anew")
    try:
        return of_plain_state(json.loads(content))
    except (ValueError, RecursionError) as error:
        said = str(error) if isinstance(error, StateError) else "it is no JSON"
        raise _complaint(name, f"{said}; delete it to begin anew") from None


def of_plain_state(document: Any) -> State:
    """Read the JSON form. Raises :class:`StateError`."""
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        said = document.get("schema") if isinstance(document, dict) else None
        shown = clean(str(said), 60) if said is not None else "no schema"
        raise StateError(f"it says {shown}, wanted {SCHEMA}")
    try:
        plain = {"schema": SNAPSHOT_SCHEMA, "mirrors": document.get("sources", [])}
        sources = Snapshot.from_plain(plain).mirrors
    except SnapshotError as error:
        raise StateError(str(error).replace("snapshot.mirrors", "sources")) from None
    changes = document.get("changes")
    found = [of_plain(item) for item in changes[-KEPT:]] if isinstance(changes, list) else []
    owed = document.get("owed")
    return State(
        taken=_time(document.get("taken")),
        sources=sources,
        first_seen=_nested(document.get("first_seen"), _time),
        since=_flat(document.get("since"), _time),
        asked=_flat(document.get("asked"), _text),
        settled=_nested(document.get("settled"), _text),
        late=_flat(document.get("late"), _time),
        changes=tuple(item for item in found if item is not None),
        owed={
            clean(name, 100): tuple(_text(item) for item in ids[-KEPT:])
            for name, ids in list(owed.items())[-TARGETS:]
            if isinstance(ids, list)
        }
        if isinstance(owed, dict)
        else {},
    )


def _text(value: Any) -> str:
    return clean(value, 300) if isinstance(value, str) else ""


def _time(value: Any) -> str:
    return value if isinstance(value, str) and parse(value) is not None else ""


def _flat(value: Any, read_one: Callable[[Any], str]) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    pairs = ((clean(name, 300), read_one(item)) for name, item in list(value.items())[:MAX_ITEMS])
    return {name: item for name, item in pairs if name and item}


def _nested(value: Any, read_one: Callable[[Any], str]) -> dict[str, dict[str, str]]:
    if not isinstance(value, dict):
        return {}
    return {clean(name, 300): _flat(items, read_one) for name, items in list(value.items())[:MAX_ITEMS]}


def _complaint(path: str, text: str) -> StateError:
    return StateError(f"state {clean(path, 300)}: {text}")


# -- writing -----------------------------------------------------------------------------------------------------------


def update(path: str | os.PathLike[str], change: Callable[[State | None], State]) -> State:
    """Read the state, let ``change`` make a new one of it, and write that; other runs wait meanwhile.

    Raises :class:`StateError`.
    """
    name = os.fspath(path)
    with _alone(name):
        made = change(read(name))
        write(name, made)
    return made


def write(path: str | os.PathLike[str], state: State) -> None:
    """Put the state in the place of what was there, whole, readable by its owner alone. Raises :class:`StateError`."""
    text = _text_of(state)
    name = os.path.realpath(os.fspath(path))
    folder = os.path.dirname(name)
    beside = os.path.join(folder, f".{os.path.basename(name)}.new")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        _remove(beside)  # of a run that was killed
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(beside, flags, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(beside, name)
        except BaseException:
            _remove(beside)
            raise
        _sync_folder(folder)
    except OSError as error:
        raise _complaint(os.fspath(path), error.strerror or str(error)) from None


def _text_of(state: State) -> str:
    """The JSON form, without the files of items where it could not be read again. Raises :class:`StateError`."""
    document = state.to_plain()
    text = json.dumps(document, separators=(",", ":"))
    if len(text) > MAX_BYTES:
        for source in document["sources"]:
            for item in source.get("items", ()):
                item.pop("files", None)
        text = json.dumps(document, separators=(",", ":"))
    if len(text) > MAX_BYTES:
        raise StateError(f"what is to be kept is longer than {MAX_BYTES >> 20} MiB: look at fewer items or sources")
    return text + "\n"


def _sparse(value: Any) -> Any:
    """Without what is not known: most fields of most items."""
    if isinstance(value, dict):
        return {name: _sparse(item) for name, item in value.items() if item is not None and item != []}
    return [_sparse(item) for item in value] if isinstance(value, list) else value


def _remove(name: str) -> None:
    try:
        os.unlink(name)
    except FileNotFoundError:
        return


def _sync_folder(folder: str) -> None:
    """See to it that the new name is on the disk too; a file system that cannot do so has done what it can."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


@contextmanager
def _alone(path: str) -> Iterator[None]:
    """Hold the lock beside the file. Its file stays: who removed it could let two in at once."""
    import fcntl

    name = os.path.realpath(path)
    folder = os.path.dirname(name)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(os.path.join(folder, f".{os.path.basename(name)}.lock"), flags, 0o600)
    except OSError as error:
        raise _complaint(path, error.strerror or str(error)) from None
    try:
        ends = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES, errno.EINTR):
                    break  # a file system without locks
                if time.monotonic() > ends:
                    raise _complaint(path, "another run holds it") from None
                time.sleep(0.05)
        yield
    finally:
        os.close(handle)
