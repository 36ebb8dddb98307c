"""The instructions of a Dockerfile: continued lines, comments, heredocs, and the ``escape`` directive.

dockerfile-parse 2.0.1 was tried. It is quick and knows the escape directive, but takes the lines of a heredoc for
instructions (a FROM in a copied file becomes a stage), joins continued lines so that the line of a package is lost,
ends an instruction at an empty line within it, and makes ``:-12.4.1}-devel`` of ``${B:-12.4.1}-devel``. dockerfile
3.4.0 binds BuildKit's own parser and reads heredocs, but it joins continued lines too, refuses a file with one line of
64 KiB, and is a binary of 4 MB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from trtdoctor.record import record

_DIRECTIVE = re.compile(r"\s*#\s*([A-Za-z]+)\s*=\s*(\S+)\s*")
_NAME = re.compile(r"\s*([A-Za-z]+)(?:\s+|$)")
_HEREDOC = re.compile(r"(?<!\S)\d*<<(-?)([\"']?)([A-Za-z_][A-Za-z0-9_]*)\2(?=[\s;|&)>]|$)")
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
            found = _heredoc(lines, number, opened[3], tabs=bool(opened[1]))
            if found is not None:
                body, number = found
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


def _heredoc(lines: list[str], number: int, word: str, *, tabs: bool) -> tuple[tuple[int, str], int] | None:
    """The number of the first line, and the text, of a heredoc, and where it ends; None for one that has no end."""
    begun = number
    body: list[str] = []
    while number < len(lines):
        line = lines[number].lstrip("\t") if tabs else lines[number]
        number += 1
        if line == word:
            return (begun + 1, "\n".join(body)), number
        body.append(line)
    return None
