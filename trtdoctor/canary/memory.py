"""Passes that are remembered: a canary costs seconds, and tells nothing new while everything it rests on is the same.

Kept in the user's own state directory (mode 0700), as JSON. What a pass rests on: the driver, the GPUs, the Python, the
search path, every copy of a library of the stack that is known of, and path, size and time of each library that the
process really had loaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from dataclasses import replace
from typing import Any

from trtdoctor import __version__
from trtdoctor.canary.choice import Choice
from trtdoctor.canary.run import Options, Outcome
from trtdoctor.matrix.load import _user_directory
from trtdoctor.record import values
from trtdoctor.snapshot import Canary, Snapshot, SnapshotError

SCHEMA = "trtdoctor-canary-passes/1"
MOST = 32
"""Passes that are kept; the oldest go first."""
MAX_BYTES = 4 * 1024 * 1024


def state_file() -> str:
    """Where passes are kept."""
    return os.path.join(_user_directory("XDG_STATE_HOME", ".local/state"), "trtdoctor", "canary.json")


def recall(snapshot: Snapshot, choice: Choice, options: Options) -> Canary | None:
    """The pass that still holds; None when there is none."""
    entry = _read().get(_key(snapshot, choice, options))
    if not isinstance(entry, dict) or not isinstance(entry.get("libraries"), dict):
        return None
    if not entry["libraries"] or any(_stamp(path) != stamp for path, stamp in entry["libraries"].items()):
        return None
    try:
        found = Snapshot.from_plain({"schema": "trtdoctor-snapshot/1", "canaries": [entry.get("canary")]}).canaries
    except SnapshotError:
        return None
    return replace(found[0], remembered=True) if found and found[0].outcome == "passed" else None


def remember(snapshot: Snapshot, choice: Choice, options: Options, outcome: Outcome) -> None:
    """Keep a pass, or forget one that no longer holds. What cannot be written is not kept."""
    key = _key(snapshot, choice, options)
    passes = _read()
    passes.pop(key, None)
    stamps = {path: _stamp(path) for path in outcome.libraries}
    if outcome.canary.outcome == "passed" and stamps and None not in stamps.values():
        kept = replace(outcome.canary, log=())
        passes[key] = {"libraries": stamps, "canary": Snapshot(canaries=(kept,)).to_plain()["canaries"][0]}
    with contextlib.suppress(OSError):
        _write(dict(list(passes.items())[-MOST:]))


def _key(snapshot: Snapshot, choice: Choice, options: Options) -> str:
    """What the pass rests on, as far as it is known before it runs."""
    driver = snapshot.driver
    facts: list[Any] = [
        __version__,
        [driver.version, driver.kernel_version, driver.library_version, driver.library_path, driver.cuda],
        [[gpu.index, gpu.name, gpu.uuid, gpu.compute_capability, gpu.visible] for gpu in snapshot.gpus or ()],
        [[copy.path, copy.realpath, copy.version, copy.problem] for copy in snapshot.copies],
        [[item.name, item.value] for item in snapshot.settings],
        [snapshot.platform.kernel, snapshot.platform.glibc],
        list(values(choice)),
        [options.stage, options.device, options.precision, options.workspace_bytes, options.tolerance],
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _stamp(path: str) -> list[int] | None:
    """Size and time of a file; None when it is not there."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return [found.st_size, found.st_mtime_ns]


def _read() -> dict[str, Any]:
    """The passes; empty when the file is not there, no JSON, or somebody else's."""
    path = state_file()
    try:
        with open(path, "rb") as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
                return {}
            document = json.loads(stream.read(MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    passes = document.get("passes") if isinstance(document, dict) and document.get("schema") == SCHEMA else None
    return passes if isinstance(passes, dict) else {}


def _write(passes: dict[str, Any]) -> None:
    path = state_file()
    directory = os.path.dirname(path)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    os.chmod(directory, 0o700)
    part = f"{path}.{os.urandom(6).hex()}"
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            json.dump({"schema": SCHEMA, "passes": passes}, stream)
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
