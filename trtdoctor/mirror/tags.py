"""Which tags of a repository are looked at, in which order, and which must be asked again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from fnmatch import fnmatchcase

from trtdoctor.lazyre import pattern
from trtdoctor.matrix import mirrors
from trtdoctor.matrix.load import Matrix
from trtdoctor.mirror.times import days_between, parse
from trtdoctor.mirror_facts import MirrorItem

DAYS = 7.0
"""How long a remembered digest is good for: a tag can be moved at any time."""
_SIGNATURE = pattern(r"sha256-[0-9a-f]{64}(?:\.[a-z]{1,10})?")
_VERSION = pattern(r"\d+\.\d+")
_NUMBER = pattern(r"\d{1,9}")


def relevant(matrix: Matrix, repository: str, names: Iterable[str], globs: tuple[str, ...]) -> tuple[str, ...]:
    """Those of ``names`` that are looked at, newest first; tags that say no version come last.

    By ``globs`` where the user has some, else by those that the matrix has for the repository, else those that a
    grammar of the matrix reads; all where it reads none. Signatures that lie beside images are no tags of images.
    """
    usual = [name for name in names if not _SIGNATURE.fullmatch(name)]
    wanted = globs or mirrors.default_tags(matrix, repository)
    if wanted:
        chosen = [name for name in usual if any(fnmatchcase(name, glob) for glob in wanted)]
    else:
        chosen = [name for name in usual if mirrors.read_tag(matrix, name, repository) is not None] or usual
    return newest_first(matrix, repository, chosen)


def newest_first(matrix: Matrix, repository: str, names: Iterable[str]) -> tuple[str, ...]:
    """By what the tags say: a grammar's order, else their numbers."""

    def order(name: str) -> tuple[bool, tuple[int, ...], str]:
        tag = mirrors.read_tag(matrix, name, repository)
        numbers = tag.order if tag is not None else tuple(int(part) for part in _NUMBER.findall(name)[:6])
        return not floats(name), numbers, name

    return tuple(sorted(set(names), key=order, reverse=True))


def floats(name: str) -> bool:
    """Whether a tag is moved from release to release: it names none."""
    return _VERSION.search(name) is None


def month(matrix: Matrix, repository: str, name: str) -> str | None:
    """The first day of the month in a tag (``2026-10-01T00:00:00Z``); None where it has none."""
    tag = mirrors.read_tag(matrix, name, repository)
    if tag is None or tag.month is None:
        return None
    year, _, number = tag.month.partition(".")
    return f"20{year}-{number}-01T00:00:00Z" if 1 <= int(number) <= 12 else None


def remembered(item: MirrorItem | None, checked: str | None, now: datetime) -> str | None:
    """From when the digests of an item are, where they may still be gone by; None where they must be asked again."""
    if item is None or floats(item.version or item.name):
        return None
    when = item.as_of or checked
    moment = parse(when)
    return when if moment is not None and 0 <= days_between(moment, now) <= DAYS else None


def by_tag(items: Iterable[MirrorItem]) -> Mapping[str, MirrorItem]:
    """The items of an earlier look by their tags."""
    return {item.version or item.name: item for item in items}
