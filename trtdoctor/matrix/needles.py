"""What a line must hold before a pattern can match it: fixed texts, taken out of the pattern itself.

A log of hundreds of megabytes is looked through for these alone; patterns see only the lines that hold one.
"""

from __future__ import annotations

import re

_MOST = 12
"""A pattern that needs one of more texts than this is not worth splitting up."""
_Needles = frozenset[str]
_ANCHORS = "bBAZ"
_CLASSES = "dDwWsS"
_REPEAT = re.compile(r"\{(\d+)(?:,\d*)?\}")
_GROUP = re.compile(r"\?(?:P<\w+>|:)")


class _NotUnderstoodError(Exception):
    """A construct that this module does not know."""


def needles_of(pattern: str) -> frozenset[str]:
    """Texts of which every match of ``pattern`` holds at least one; empty when nothing can be said.

    Reads the forms that the failure catalogue uses: literals, classes, groups, alternatives, repetitions.
    """
    reader = _Reader(pattern)
    try:
        found = reader.alternatives()
        if reader.place != len(pattern):
            return frozenset()
    except (_NotUnderstoodError, IndexError):
        return frozenset()
    return found


class _Reader:
    """A place in a pattern."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.place = 0

    def alternatives(self) -> _Needles:
        """As far as the end of the pattern, or of the group."""
        found = [self._sequence()]
        while self.pattern[self.place : self.place + 1] == "|":
            self.place += 1
            found.append(self._sequence())
        if not all(found):
            return frozenset()
        every = frozenset[str]().union(*found)
        return every if len(every) <= _MOST else frozenset()

    def _sequence(self) -> _Needles:
        candidates: list[_Needles] = []
        run = ""
        while self.place < len(self.pattern) and self.pattern[self.place] not in "|)":
            literal, inner = self._atom()
            least, plain = self._repetition()
            if literal is not None:
                if least:
                    run += literal
                if plain:
                    continue
            if run:
                candidates.append(frozenset((run,)))
                run = ""
            if least and inner:
                candidates.append(inner)
        if run:
            candidates.append(frozenset((run,)))
        return max(candidates, key=lambda texts: (min(map(len, texts)), -len(texts)), default=frozenset())

    def _atom(self) -> tuple[str | None, _Needles]:
        """A literal character, or what a group needs."""
        sign = self.pattern[self.place]
        self.place += 1
        if sign == "(":
            kind = _GROUP.match(self.pattern, self.place)
            if kind:
                self.place = kind.end()
            elif self.pattern[self.place] == "?":
                raise _NotUnderstoodError
            inner = self.alternatives()
            self._expect(")")
            return None, inner
        if sign == "[":
            self._class()
            return None, frozenset()
        if sign in ".^$":
            return None, frozenset()
        if sign == "\\":
            following = self.pattern[self.place]
            self.place += 1
            if following in _ANCHORS + _CLASSES:
                return None, frozenset()
            if following.isalnum():
                raise _NotUnderstoodError
            return following, frozenset()
        return sign, frozenset()

    def _class(self) -> None:
        if self.pattern[self.place] == "^":
            self.place += 1
        self.place += 1  # the first sign is one of the class, "]" too
        while self.pattern[self.place] != "]":
            self.place += 2 if self.pattern[self.place] == "\\" else 1
        self.place += 1

    def _repetition(self) -> tuple[int, bool]:
        """The least number of times, and whether it is once and no more."""
        sign = self.pattern[self.place : self.place + 1]
        counted = _REPEAT.match(self.pattern, self.place)
        if sign and sign in "?*+":
            self.place += 1
            least = int(sign == "+")
        elif counted:
            self.place = counted.end()
            least = int(counted[1])
        else:
            return 1, True
        if self.pattern[self.place : self.place + 1] == "?":
            self.place += 1
        return min(least, 1), False

    def _expect(self, sign: str) -> None:
        if self.pattern[self.place] != sign:
            raise _NotUnderstoodError
        self.place += 1
