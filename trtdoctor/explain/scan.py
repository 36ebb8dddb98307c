"""A log, however long, looked through in bounded memory: which lines the catalogue knows.

The bytes are searched for the fixed texts that patterns need (``matrix.needles``); only lines that hold one are decoded
and shown to the patterns. No line is kept but the first of each family.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

from trtdoctor.explain import numbers
from trtdoctor.explain.prefixes import message_of, plain_line
from trtdoctor.matrix import Matrix, failures
from trtdoctor.record import record
from trtdoctor.text import clean

CHUNK = 1 << 18
"""Bytes that are looked through at once: few enough to stay in the processor's cache."""
LONGEST = failures.LONGEST_LINE
"""Bytes of a line that are looked at."""
_BEFORE = LONGEST // 2
"""So many of them may stand before the fixed text that was found."""
MOST_VALUES = 40
"""Named groups of one family that are kept."""
_LONG_LINE = 1 << 16
_MOST_UNEXPLAINED = 12
_REMEMBERED = 2048
_ERROR_SIGNS = (b"rror", b"[E]", b"[F]", b"FATAL", b"atal:", b"Exception", b"Traceback", b"ailed", b"Aborted", b"ERROR")
_LOOKS_LIKE_ERROR = re.compile(
    r"(?:\w{0,40}(?:Error|Exception)|ERROR|FATAL|Fatal|fatal error)\s?[:(\]]|\[[EF]\]|"
    r"\b(?:[Ee]rror|[Ff]ailed) (?:to|while|in|loading|with)\b|^Aborted"
)
_NUMBER_SIGNS = tuple(
    sign.encode() for sign in (*numbers.NAMED, "CUDA error", "CUDA failure", "Cuda failure", "Cuda error")
)


class Seen:
    """What the lines of one family, or of one error number, say; it grows while a log is read."""

    def __init__(self, family: failures.Family | None, number: numbers.Known | None, line: int, text: str) -> None:
        """``line`` is the number of the first of them, from 1; ``text`` that line without prefixes."""
        self.family = family
        self.number = number
        self.line = line
        self.text = text
        self.values: dict[str, str] = {}
        """Named groups; the first line that gives one counts."""
        self.count = 0
        """How many lines say it."""

    def again(self, values: dict[str, str]) -> None:
        """One more line."""
        self.count += 1
        for name, value in values.items():
            if len(self.values) < MOST_VALUES:
                self.values.setdefault(name, clean(value, 200))


@record
class Scanned:
    """What a whole text holds."""

    seen: tuple[Seen, ...]
    """In the order of their first lines."""
    unexplained: tuple[tuple[int, str], ...]
    """The first lines that look like errors and that nothing knows: number and text."""
    lines: int
    bytes: int


def scan(matrix: Matrix, chunks: Iterable[bytes]) -> Scanned:
    """Look through a text that comes in pieces of any size; text in UTF-16 with its mark is understood."""
    scanner = _Scanner(matrix)
    for block in _blocks(_as_utf8(chunks)):
        scanner.look(block)
    return scanner.result()


def _as_utf8(chunks: Iterable[bytes]) -> Iterator[bytes]:
    decoder = None
    first = True
    for chunk in chunks:
        if first and chunk:
            first = False
            if chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # PowerShell writes its logs so
                decoder = codecs.getincrementaldecoder("utf-16")("replace")
        yield decoder.decode(chunk).encode("utf-8", "replace") if decoder else chunk


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in blocks that end with a line; one that is very long is cut, and a part of it told again."""
    rest = b""
    for chunk in chunks:
        for start in range(0, len(chunk), CHUNK):
            data = rest + chunk[start : start + CHUNK]
            end = data.rfind(b"\n") + 1
            rest = data[end:]
            if end:
                yield data[:end]
            if len(rest) > _LONG_LINE:
                yield rest
                rest = rest[-LONGEST:]
    if rest:
        yield rest


class _Scanner:
    """What has been seen so far."""

    def __init__(self, matrix: Matrix) -> None:
        self.matrix = matrix
        self.families = failures.families(matrix)
        self.seen: dict[str, Seen] = {}
        self.unexplained: dict[str, int] = {}
        self.lines = 0
        self.bytes = 0
        self.open = False
        self.needles = _needles(self.families)
        self.always = any(not texts for family in self.families for texts in family.needles)
        """Whether a pattern needs no fixed text: then each line is looked at."""
        self.remembered: dict[bytes, list[Seen]] = {}

    def look(self, block: bytes) -> None:
        """Look through whole lines."""
        spans = self._spans(block)
        at, line = 0, self.lines
        for start, end in sorted(spans):
            line += block.count(b"\n", at, start)
            at = start
            self._line(block[start:end], line + 1)
        ends = block.count(b"\n")
        self.lines += ends
        self.bytes += len(block)
        self.open = not block.endswith(b"\n")

    def _spans(self, block: bytes) -> set[tuple[int, int]]:
        """Where the lines lie that may say something."""
        found: set[tuple[int, int]] = set()
        signs = self.needles
        if len(self.unexplained) < _MOST_UNEXPLAINED:
            signs = signs + _ERROR_SIGNS
        if self.always:
            signs = (*signs, b"\n")
        for sign in signs:
            place = block.find(sign)
            while place >= 0:
                start = max(block.rfind(b"\n", max(0, place - _BEFORE), place) + 1, place - _BEFORE, 0)
                start = max(start, block.rfind(b"\r", start, place) + 1)
                most = min(start + LONGEST, len(block))
                end = block.find(b"\n", place + (sign != b"\n"), most)
                end = most if end < 0 else end
                found.add((start, end))
                place = block.find(sign, max(end, place + len(sign)))
        return found

    def _line(self, raw: bytes, line: int) -> None:
        known = self.remembered.get(raw)
        if known is not None:
            for seen in known:
                seen.again({})
            return
        whole = plain_line(raw.decode("utf-8", "replace"))
        text = message_of(whole)
        found = self._explained(text, line)
        if not found and len(self.unexplained) < _MOST_UNEXPLAINED and _LOOKS_LIKE_ERROR.search(whole):
            self.unexplained.setdefault(clean(text, 400), line)
        if len(self.remembered) < _REMEMBERED:
            self.remembered[raw] = found

    def _explained(self, text: str, line: int) -> list[Seen]:
        first = failures.first(self.matrix, text)
        if first is not None:
            return [self._add(first.family.id, first.family, None, text, first.values, line)]
        number = numbers.in_line(self.matrix, text)
        if number is None:
            return []
        if number.family:
            family = next((item for item in self.families if item.id == number.family), None)
            return [self._add(number.family, family, number, text, {}, line)]
        return [self._add(f"number {number.number.names[0]}", None, number, text, {}, line)]

    def _add(
        self,
        key: str,
        family: failures.Family | None,
        number: numbers.Known | None,
        text: str,
        values: dict[str, str],
        line: int,
    ) -> Seen:
        seen = self.seen.get(key)
        if seen is None:
            seen = self.seen[key] = Seen(family, number, line, clean(text, 400))
        seen.again(values)
        return seen

    def result(self) -> Scanned:
        """After the last block."""
        lines = self.lines + (self.bytes > 0 and self.open)
        told = tuple((line, text) for text, line in self.unexplained.items())
        return Scanned(tuple(sorted(self.seen.values(), key=lambda item: item.line)), told, lines, self.bytes)


def _needles(families: Iterable[failures.Family]) -> tuple[bytes, ...]:
    """The texts that are looked for; one that holds another of them is found with it."""
    every = {text.encode() for family in families for texts in family.needles for text in texts} | set(_NUMBER_SIGNS)
    return tuple(text for text in every if not any(other != text and other in text for other in every))
