"""TOML with line numbers: ``tomllib`` reads it, the text is searched for the line of an entry."""

from __future__ import annotations

import importlib
import re
from typing import Any

from trtdoctor.requirements.files import FileError


def parse(text: str, file: str) -> dict[str, Any]:
    """The document. Raises :class:`FileError` when it is no TOML."""
    reader: Any
    try:
        reader = importlib.import_module("tomllib")
    except ImportError:  # Python 3.10
        reader = importlib.import_module("tomli")
    try:
        document: dict[str, Any] = reader.loads(text)
        return document
    except (RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())[:160] or "nested too deep"
        raise FileError(f"{file}: not TOML: {reason}") from None


_KEY = re.compile(r"""\s*["']?([A-Za-z0-9_.-]{1,200}?)["']?\s*(?:=|\.)""")
_FAR = 2000
"""Lines that are looked through for one string: what is not found there was written with escapes."""
_MOST_MISSED = 50
_HEADER = re.compile(r"\s*\[\[?\s*(.+?)\s*\]\]?\s*(?:#.*)?")


class Lines:
    """Finds the lines of entries: each search goes on where the one before it ended, so equal entries stay apart."""

    def __init__(self, text: str) -> None:
        """The text that was parsed."""
        self.lines = text.split("\n")
        self._headers: dict[str, list[int]] = {}
        self._missed = 0
        self._keys: dict[tuple[int, int], dict[str, int]] = {}
        for number, line in enumerate(self.lines, 1):
            match = _HEADER.fullmatch(line) if line.lstrip().startswith("[") and len(line) < 500 else None
            if match is not None:
                self._headers.setdefault(_plain(match[1]), []).append(number)
        self._begins = sorted(number for numbers in self._headers.values() for number in numbers)

    def headers(self, name: str) -> list[int]:
        """The lines of ``[name]`` and ``[[name]]``."""
        return self._headers.get(_plain(name), [])

    def section(self, name: str) -> tuple[int, int]:
        """First and last line of the table ``[name]``; the whole text when it has no header of its own."""
        found = self.headers(name)
        if not found:
            return 1, len(self.lines)
        return found[0], self.end(found[0])

    def end(self, header: int) -> int:
        """The last line of the table that begins at ``header``."""
        import bisect

        following = bisect.bisect_right(self._begins, header)
        return self._begins[following] - 1 if following < len(self._begins) else len(self.lines)

    def key(self, name: str, first: int, last: int) -> int | None:
        """The line of ``name = …`` between two lines."""
        return self.keys(first, last).get(name)

    def keys(self, first: int, last: int) -> dict[str, int]:
        """The first line of each ``name = …`` between two lines."""
        if (first, last) not in self._keys:
            found: dict[str, int] = {}
            for number in range(first, last + 1):
                match = _KEY.match(self.lines[number - 1])
                if match is not None:
                    found.setdefault(match[1], number)
            self._keys = {(first, last): found}  # the last one asked for: entries of a table are asked for in a row
        return self._keys[first, last]

    def strings(self, values: list[str], first: int, last: int) -> list[int]:
        """The line of each string of a list that begins at ``first``, in order; ``first`` for one that is not found."""
        found: list[int] = []
        at, column = first, 0
        for value in values:
            line, end = self._string(value, at, column, last)
            if line is None:
                self._missed += 1
                found.append(at)
                continue
            found.append(line)
            at, column = line, end
        return found

    def _string(self, value: str, at: int, column: int, last: int) -> tuple[int | None, int]:
        for number in range(at, min(last, at + (_FAR if self._missed < _MOST_MISSED else 2)) + 1):
            line = self.lines[number - 1]
            if line.lstrip().startswith("#"):
                continue
            for quote in ('"', "'"):
                position = line.find(f"{quote}{value}{quote}", column if number == at else 0)
                if position >= 0:
                    return number, position + len(value) + 2
        return None, 0


def _plain(name: str) -> str:
    return re.sub(r"\s*\.\s*", ".", name).replace('"', "").replace("'", "")
