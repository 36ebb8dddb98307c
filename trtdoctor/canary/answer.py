"""What the child said: its lines read without trusting them, however they are cut off or muddled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import field
from typing import Any

from trtdoctor.record import record
from trtdoctor.snapshot import CanaryStage, LogLine
from trtdoctor.text import clean

LONGEST_LINE = 64 * 1024
MOST_STAGES = 32
MOST_SERIOUS, MOST_CHATTER = 200, 60
"""Log lines that are kept: the first so many warnings and errors, the last so many others."""
LONGEST_TEXT = 2000
_SERIOUS = ("internal-error", "error", "warning")
_STATUSES = ("passed", "failed", "skipped")


@record
class Answer:
    """The child's lines, put together."""

    stages: tuple[CanaryStage, ...] = ()
    """Those that have ended, in their order."""
    current: str | None = None
    """The one that had begun and not ended."""
    log: tuple[LogLine, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    done: bool = False
    """Whether it came to its end."""
    understood: int = 0
    """How many lines made sense."""
    muddled: int = 0
    """How many did not."""


def read(raw: bytes) -> Answer:
    """Put the child's lines together. Never raises: what makes no sense is counted."""
    reader = _Reader()
    for number, line in enumerate(_lines(raw)):
        value = _object(line)
        if value is None:
            reader.muddled += 1
        else:
            reader.take(number, value)
    return reader.answer()


class _Reader:
    """What was said so far."""

    def __init__(self) -> None:
        self.muddled = 0
        self._understood = 0
        self._stages: list[CanaryStage] = []
        self._current: str | None = None
        self._serious: list[tuple[int, LogLine]] = []
        self._chatter: list[tuple[int, LogLine]] = []
        self._facts: dict[str, Any] = {}
        self._done = False

    def take(self, number: int, value: dict[str, Any]) -> None:
        """One line, the ``number``-th."""
        self._understood += 1
        name, log, fact = value.get("stage"), value.get("log"), value.get("fact")
        if isinstance(name, str):
            self._stage(name, value)
        elif isinstance(log, dict):
            self._log(number, log)
        elif isinstance(fact, dict):
            self._facts.update(fact)
        self._done = self._done or value.get("done") is True

    def _stage(self, name: str, value: dict[str, Any]) -> None:
        if value.get("status") in _STATUSES and len(self._stages) < MOST_STAGES:
            self._stages.append(_stage(name, value))
            self._current = None
        elif value.get("status") == "started":
            self._current = clean(name, 40)

    def _log(self, number: int, log: dict[str, Any]) -> None:
        text = clean(str(log.get("text")), LONGEST_TEXT)
        found = LogLine(clean(str(log.get("severity")), 20), text, self._current)
        if found.severity not in _SERIOUS:
            self._chatter = [*self._chatter[1 - MOST_CHATTER :], (number, found)]
        elif len(self._serious) < MOST_SERIOUS:
            self._serious.append((number, found))

    def answer(self) -> Answer:
        """All of it."""
        lines = sorted([*self._serious, *self._chatter], key=lambda pair: pair[0])
        log = tuple(line for _, line in lines)
        return Answer(tuple(self._stages), self._current, log, self._facts, self._done, self._understood, self.muddled)


def output_lines(raw: bytes, stage: str | None) -> tuple[LogLine, ...]:
    """What libraries printed themselves: its last lines, as log lines."""
    lines = [clean(line, LONGEST_TEXT) for line in raw.decode("utf-8", "replace").splitlines() if line.strip()]
    return tuple(LogLine("output", line, stage) for line in lines[-MOST_CHATTER:])


def text_of(facts: dict[str, Any], key: str) -> str | None:
    """A fact that is a text."""
    value = facts.get(key)
    return clean(value, LONGEST_TEXT) if isinstance(value, str) else None


def number_of(facts: dict[str, Any], key: str) -> float | None:
    """A fact that is a number, and a finite one."""
    value = facts.get(key)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not abs(value) < 1e18:  # no NaN either
        return None
    return value


def texts_of(facts: dict[str, Any], key: str, most: int = 512) -> tuple[str, ...]:
    """A fact that is a list of texts."""
    value = facts.get(key)
    return tuple(clean(item) for item in value[:most] if isinstance(item, str)) if isinstance(value, list) else ()


def _lines(raw: bytes) -> Iterator[bytes]:
    return (line[:LONGEST_LINE] for line in raw.split(b"\n") if line.strip())


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _stage(name: str, value: dict[str, Any]) -> CanaryStage:
    seconds, detail = number_of(value, "seconds"), value.get("detail")
    told = clean(detail, LONGEST_TEXT) if isinstance(detail, str) else None
    return CanaryStage(clean(name, 40), value["status"], None if seconds is None else float(seconds), told)
