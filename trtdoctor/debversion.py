"""Versions of Debian packages in the order that dpkg gives them.

Source: deb-version(7): epoch, upstream version and revision; in each, letters come before other characters, ``~``
before everything, even before the end, and numbers count as numbers.
"""

from __future__ import annotations

from functools import lru_cache

from trtdoctor.lazyre import pattern

_Part = tuple[tuple[int, ...], int]
Order = tuple[int, tuple[_Part, ...], tuple[_Part, ...]]

_FORM = pattern(r"(?:\d{1,9}:)?[0-9A-Za-z][0-9A-Za-z.+~:-]{0,199}")
_PIECE = pattern(r"([^0-9]*)([0-9]*)")
_END: _Part = ((0,), 0)


def is_version(text: str) -> bool:
    """Whether ``text`` has the form of a version, of at most 200 characters."""
    return _FORM.fullmatch(text) is not None


@lru_cache(maxsize=16384)
def order(text: str) -> Order:
    """A key to sort by: of two versions the one that dpkg holds newer has the greater key, equal ones the same."""
    epoch, colon, rest = text.partition(":")
    if not colon or not epoch.isdecimal():
        epoch, rest = "0", text
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return int(epoch), _parts(upstream), _parts(revision)


def upstream_of(text: str) -> str:
    """The upstream version: ``10.16.1.11`` of ``1:10.16.1.11-1+cuda13.2``."""
    rest = text.partition(":")[2] if ":" in text else text
    return rest.rpartition("-")[0] if "-" in rest else rest


def _parts(text: str) -> tuple[_Part, ...]:
    """Letters and numbers by turns, the letters first, be they none; then the end, which only ``~`` comes before."""
    pieces = _PIECE.findall(text)
    if len(pieces) > 1:
        pieces.pop()  # an empty one, at the end
    return (*(((*map(_weight, letters), 0), int(digits or "0")) for letters, digits in pieces), _END)


def _weight(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256
