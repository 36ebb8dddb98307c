"""Just enough of a shell's grammar to find ``pip install`` in a RUN instruction, with the line of each word.

Nothing is run. A word that depends on what only a shell would know (``$(…)``, an unknown variable) is marked as such.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from trtdoctor.record import record

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-+])([^{}]*))?\}|([A-Za-z_][A-Za-z0-9_]*))")
_ENDS = ";|&\n()"
_MOST_WORDS = 20_000


@record
class Word:
    """One word of a command."""

    text: str
    line: int
    known: bool = True
    """False when a part of it depends on what only a shell would know."""


def commands(text: str, first: int, variables: Mapping[str, str]) -> list[list[Word]]:
    """The simple commands in ``text``, whose first line has the number ``first``.

    A backslash at the end of a line continues it. Comments, redirections and the words of control structures are left
    in or out as they fall: who looks for a command finds it.
    """
    found: list[list[Word]] = []
    current: list[Word] = []
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
                found.append(current)
                current = []
            line += character == "\n"
            position += 1
        else:
            word, position, next_line = _word(text, position, line, variables)
            current.append(word)
            line, count = next_line, count + 1
    if current:
        found.append(current)
    return found


def _word(text: str, position: int, line: int, variables: Mapping[str, str]) -> tuple[Word, int, int]:
    parts: list[str] = []
    known, begun, quote = True, line, ""
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
            parts.append(value)
            known = known and sure
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
    """``text`` with its variables, and whether all of them are known."""
    sure = True

    def replaced(match: re.Match[str]) -> str:
        nonlocal sure
        value, known = substitute_one(match, variables)
        sure = sure and known
        return value

    return _VARIABLE.sub(replaced, text), sure
