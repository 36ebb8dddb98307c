"""The instructions of a Dockerfile: continued lines, comments, heredocs, and the ``escape`` directive.

dockerfile-parse was looked at: it gives lines and multi-stage structure, but reads no heredocs, ignores the escape
directive, and opens the file by itself; what it gives beyond this module is not needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from trtdoctor.record import record

_DIRECTIVE = re.compile(r"\s*#\s*([A-Za-z]+)\s*=\s*(\S+)\s*")
_NAME = re.compile(r"\s*([A-Za-z]+)(?:\s+|$)")
_HEREDOC = re.compile(r"<<(-?)([\"']?)([A-Za-z_][A-Za-z0-9_]*)\2")
_MOST_LINES = 200_000


@record
class Instruction:
    """One instruction."""

    name: str
    """Upper case: ``RUN``."""
    text: str
    """What follows the name. Continued lines keep their breaks (a backslash before each), so that lines can be told."""
    line: int
    """Of the name."""
    heredocs: tuple[tuple[int, str], ...] = ()
    """Number of the first line, and the text, of each heredoc."""


def instructions(text: str) -> Iterator[Instruction]:
    """The instructions in order. Whatever the text is, it ends; what is no instruction is one with a strange name."""
    lines = text.split("\n")[:_MOST_LINES]
    escape, number = _escape(lines), 0
    while number < len(lines):
        line = lines[number]
        if not line.strip() or line.lstrip().startswith("#"):
            number += 1
            continue
        match = _NAME.match(line)
        begun = number
        name = match[1].upper() if match else "?"
        parts = [line[match.end() :] if match else line]
        number += 1
        while parts[-1].rstrip().endswith(escape) and number < len(lines):
            parts[-1] = parts[-1].rstrip()[: -len(escape)]
            following = lines[number]
            if not following.strip() or following.lstrip().startswith("#"):
                following = escape  # comments and empty lines inside do not end it
            parts.append(following)
            number += 1
        if parts[-1].rstrip().endswith(escape):
            parts[-1] = parts[-1].rstrip()[: -len(escape)]
        whole = "\\\n".join(parts)
        bodies: list[tuple[int, str]] = []
        for opened in _HEREDOC.finditer(whole) if name in ("RUN", "COPY", "ADD") else ():
            body, number = _heredoc(lines, number, opened[3], tabs=bool(opened[1]))
            bodies.append(body)
        yield Instruction(name, whole, begun + 1, tuple(bodies))


def _escape(lines: list[str]) -> str:
    """The character that continues a line: a directive at the very top may change it."""
    for line in lines[:20]:
        match = _DIRECTIVE.fullmatch(line)
        if match is None:
            break
        if match[1].lower() == "escape" and match[2] in ("\\", "`"):
            return match[2]
    return "\\"


def _heredoc(lines: list[str], number: int, word: str, *, tabs: bool) -> tuple[tuple[int, str], int]:
    begun, body = number, []
    while number < len(lines):
        line = lines[number].lstrip("\t") if tabs else lines[number]
        number += 1
        if line == word:
            break
        body.append(line)
    return (begun + 1, "\n".join(body)), number
