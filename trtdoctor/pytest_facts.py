"""The facts that a test session rests on: taken at most once, by whoever runs the session, and handed to its workers.

Loaded only when a test asks for it; the plugin itself (``pytest_plugin``) imports nothing until then.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from trtdoctor.findings import Report
from trtdoctor.snapshot import MAX_BYTES, Canary, Snapshot, SnapshotError
from trtdoctor.text import clean

if TYPE_CHECKING:
    from trtdoctor.matrix import Matrix

FACTS, CANARY = "facts", "canary"
"""What can be asked for: the Snapshot without a canary of this session, and the one with it."""


class FactsError(Exception):
    """The check itself could not run; the message is one line."""


def take(snapshot_file: str | None) -> str:
    """Take the facts, as text for :class:`Facts`: of a file, or of this machine and the Python that runs the tests.

    Whatever goes wrong becomes part of the text.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is an error in somebody's tests is no reason to check less
            return json.dumps({"snapshot": _snapshot(snapshot_file).to_plain()})
    except Exception as error:
        return json.dumps({"error": clean(f"{type(error).__name__}: {error}", 300)})


def take_canary(facts: str, snapshot_file: str | None) -> str:
    """``facts`` with a canary that is run now; those of a file only ever have the one that is in it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            snapshot = _read(facts)
            found = snapshot if snapshot_file else _with_canary(snapshot)
            return json.dumps({"snapshot": found.to_plain()})
    except FactsError:
        return facts
    except Exception as error:
        return json.dumps({"error": clean(f"{type(error).__name__}: {error}", 300)})


def _snapshot(snapshot_file: str | None) -> Snapshot:
    if snapshot_file is None:
        from trtdoctor.probes import collect

        return collect(_matrix(), python=sys.executable or None)
    with open(snapshot_file, "rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise SnapshotError(f"{snapshot_file}: longer than {MAX_BYTES >> 20} MiB")
    return Snapshot.from_json(content)


def _with_canary(snapshot: Snapshot) -> Snapshot:
    from trtdoctor.canary.choice import choose
    from trtdoctor.canary.run import Options, run
    from trtdoctor.stack import Stack

    matrix = _matrix()
    choice = choose(Stack(snapshot, matrix), matrix)
    if isinstance(choice, str):
        made = Canary("tensorrt", outcome="not-started", reason=choice)
    else:
        made = run(choice, Options(), matrix).canary
    return Snapshot.from_plain(replace(snapshot, canaries=(made,)).to_plain())


def _matrix() -> Matrix:
    from trtdoctor.matrix import load

    return load()


def _read(text: str) -> Snapshot:
    document = json.loads(text)
    if "error" in document:
        raise FactsError(f"trtdoctor could not check this environment: {document['error']}")
    return Snapshot.from_plain(document["snapshot"])


class Facts:
    """The facts of one process of a session, and what the rules say of them."""

    def __init__(self, fetch: Callable[[str], str]) -> None:
        """``fetch`` gives the text of ``facts`` or of ``canary``."""
        self._fetch = fetch
        self._reports: dict[tuple[bool, bool, tuple[str, ...]], Report] = {}

    def report(self, *, canary: bool = False, shown: bool = False, goal: tuple[str, ...] = ()) -> Report:
        """What the rules say, judged once for each question. Raises :class:`FactsError`.

        Args:
            canary: whether the canary of this session is among the facts; it is run when this is first asked for.
            shown: whether the facts are redacted: for what goes into JUnit files and logs.
            goal: what the environment is for; the usual when empty.
        """
        key = (canary, shown, goal)
        if key not in self._reports:
            snapshot = self.report(canary=canary, goal=goal).snapshot if shown else self._snapshot(canary)
            self._reports[key] = _judged(_redacted(snapshot) if shown else snapshot, goal)
        return self._reports[key]

    def canary(self) -> Canary:
        """The canary of this session. Raises :class:`FactsError`."""
        found: Snapshot = self.report(canary=True).snapshot
        if not found.canaries:
            return Canary("tensorrt", outcome="not-started", reason="the facts are those of a file, and it has none")
        return found.canaries[-1]

    def _snapshot(self, canary: bool) -> Snapshot:
        try:
            return _read(self._fetch(CANARY if canary else FACTS))
        except OSError as error:
            raise FactsError(f"trtdoctor could not get the facts of this session: {error}") from None


def _judged(snapshot: Snapshot, goal: tuple[str, ...]) -> Report:
    from trtdoctor.judge import judge

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return judge(snapshot, _matrix(), as_of=date.today(), goal=goal)
    except Exception as error:
        said = clean(f"{type(error).__name__}: {error}", 200)
        raise FactsError(f"trtdoctor could not judge this environment: {said}") from None


def _redacted(snapshot: Snapshot) -> Snapshot:
    from trtdoctor.redaction import redact

    return redact(snapshot)
