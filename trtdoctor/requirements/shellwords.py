"""Just enough of a shell's grammar to find ``pip install`` in a RUN instruction, with the line of each word.

Nothing is run. A word that depends on what only a shell would know (``$(…)``, an unknown variable) is marked as such,
and so is a command that only some builds come to: in a branch of ``if`` or ``case``, behind ``||`` or behind a test.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from trtdoctor.record import record

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-+])([^{}]*))?\}|([A-Za-z_][A-Za-z0-9_]*))")
_ENDS = ";|&\n()"
_LEADS = frozenset({"then", "else", "elif", "do", "{", "!"})
"""Words of control structures that may stand before a command."""
_TESTS = frozenset({"[", "[[", "test"})
_MOST_WORDS = 20_000
_LONGEST_VALUE = 4000
"""A variable that is longer is not known: ``A=$A$A`` in forty lines would fill any memory."""
_LONGEST_WORD = 20_000


@record
class Word:
    """One word of a command."""

    text: str
    line: int
    known: bool = True
    """False when a part of it depends on what only a shell would know."""


@record
class Command:
    """One simple command."""

    words: tuple[Word, ...]
    sure: bool = True
    """False for one that is run only when a condition of the shell holds."""


def commands(text: str, first: int, variables: Mapping[str, str]) -> list[Command]:
    """The simple commands in ``text``, whose first line has the number ``first``.

    A backslash at the end of a line continues it. Comments, redirections and the words of control structures are left
    in or out as they fall: who looks for a command finds it.
    """
    found: list[Command] = []
    current: list[Word] = []
    branches = _Branches()
    position, line, count = 0, first, 0
    length = len(text)
    while position < length and count < _MOST_WORDS:
        character = text[position]
        if character == "\\" and text[position + 1 : position + 2] == "\n":
            position, line = position + 2, line + 1
        elif character in " \t":
            position += 1
        elif character == "#":
            end = text.find("\n", position)
            position = length if end < 0 else end
        elif character in _ENDS:
            if current:
                found.append(Command(tuple(current), branches.enter(current)))
                current = []
                branches.behind(text[position : position + 2])
            line += character == "\n"
            position += 1
        else:
            word, position, next_line = _word(text, position, line, variables)
            current.append(word)
            line, count = next_line, count + 1
    if current:
        found.append(Command(tuple(current), branches.enter(current)))
    return found


class _Branches:
    """Whether the next command is surely run."""

    def __init__(self) -> None:
        self._depth = 0
        self._hangs_on = ""
        """``test`` or ``failure``: what decides up to the end of the list whether it is run."""
        self._test = False

    def enter(self, words: list[Word]) -> bool:
        """Take note of a command; whether it is surely run."""
        texts = [word.text for word in words]
        head = next((text for text in texts if text not in _LEADS), texts[0])
        if head in ("fi", "esac"):
            self._depth = max(0, self._depth - 1)
        sure = not self._depth and not self._hangs_on
        if head in ("if", "case"):
            self._depth += 1
        self._test = head in _TESTS
        return sure

    def behind(self, sign: str) -> None:
        """Take note of what separates a command from the next one: ``||``, ``&&``, ``;``, the end of a line."""
        if sign == "&&" and (self._test or self._hangs_on == "test"):
            self._hangs_on = "test"
        elif sign == "||":
            self._hangs_on = "failure"
        elif sign == "&&" or sign[:1] in ("\n", ";"):
            self._hangs_on = ""


def _word(text: str, position: int, line: int, variables: Mapping[str, str]) -> tuple[Word, int, int]:
    parts: list[str] = []
    known, begun, quote, size = True, line, "", 0
    length = len(text)
    while position < length:
        character = text[position]
        if quote != "'" and character == "\\" and position + 1 < length:
            following = text[position + 1]
            line += following == "\n"
            if following != "\n":
                parts.append(following if not quote or following in '"\\$`' else f"\\{following}")
            position += 2
        elif quote and character == quote:
            quote = ""
            position += 1
        elif not quote and character in "\"'":
            quote = character
            position += 1
        elif quote != "'" and character == "$":
            value, position, sure = _expanded(text, position, variables)
            size += len(value)
            known = known and sure and size < _LONGEST_WORD
            parts.append(value if size < _LONGEST_WORD else "")
        elif quote != "'" and character == "`":
            end = text.find("`", position + 1)
            position, known = (length if end < 0 else end + 1), False
        elif not quote and (character in " \t" or character in _ENDS):
            if not (character in "&|" and parts and parts[-1][-1:] == ">"):
                break
            parts.append(character)  # a redirection, 2>&1
            position += 1
        else:
            line += character == "\n"
            parts.append(character)
            position += 1
    return Word("".join(parts), begun, known), position, line


def _expanded(text: str, position: int, variables: Mapping[str, str]) -> tuple[str, int, bool]:
    """What a ``$`` stands for, where it ends, and whether that is known."""
    if text.startswith("$(", position):
        depth, end = 0, position + 1
        while end < len(text):
            depth += (text[end] == "(") - (text[end] == ")")
            end += 1
            if not depth:
                break
        return "", end, False
    match = _VARIABLE.match(text, position)
    if match is None:
        return "$", position + 1, True
    value, sure = substitute_one(match, variables)
    return value, match.end(), sure


def substitute_one(match: re.Match[str], variables: Mapping[str, str]) -> tuple[str, bool]:
    """The value of one variable, with ``${NAME:-default}`` and ``${NAME:+other}``, and whether it is known."""
    name, operator, other = match[1] or match[4], match[2], match[3] or ""
    value = variables.get(name)
    if operator in ("-", ":-"):
        use = value if value or (value == "" and operator == "-") else other
        return use, "$" not in use
    if operator in ("+", ":+"):
        return (other if value else ""), value is not None
    return (value, True) if value is not None else ("", False)


def substitute(text: str, variables: Mapping[str, str]) -> tuple[str, bool]:
    """``text`` with its variables, and whether all of them are known; nothing that is longer than any real value."""
    sure, size = True, len(text)

    def replaced(match: re.Match[str]) -> str:
        nonlocal sure, size
        value, known = substitute_one(match, variables)
        size += len(value)
        sure = sure and known and size < _LONGEST_VALUE
        return value if size < _LONGEST_VALUE else ""

    return _VARIABLE.sub(replaced, text), sure
