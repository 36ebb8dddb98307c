"""What a version specifier says without an index: one version, a range that pins the first numbers, or nothing."""

from __future__ import annotations

import re
from functools import lru_cache

_CLAUSE = re.compile(r"\s*(===|==|~=|!=|<=|>=|<|>)\s*([^\s,;]{1,80}?)(\.\*)?\s*")
_NUMBERS = re.compile(r"[vV]?(?:0!)?(\d{1,9}(?:\.\d{1,9}){0,7})(.*)")
_FORM = re.compile(r"[0-9][0-9A-Za-z.+_-]{0,79}")
_Parts = tuple[int, ...]


@lru_cache(maxsize=4096)
def pinned(specifier: str) -> str | None:
    """The one version that a specifier allows: of ``==10.9.0.34`` that; None where it allows several."""
    for clause in specifier.split(","):
        match = _CLAUSE.fullmatch(clause)
        if match is not None and match[1] in ("==", "===") and match[3] is None and _FORM.fullmatch(match[2]):
            return match[2]
    return None


@lru_cache(maxsize=4096)
def known_part(specifier: str) -> str | None:
    """The first numbers that every allowed version begins with: ``10`` of ``>=10.2,<11``; None where there are none.

    A version with fewer parts is an interval everywhere in this program, so this is never more than what is stated.
    """
    exact = pinned(specifier)
    if exact is not None:
        return exact
    lowest: _Parts | None = None
    bound: _Parts | None = None  # nothing from here on is allowed
    for clause in filter(str.strip, specifier.split(",")):
        match = _CLAUSE.fullmatch(clause)
        numbers = _NUMBERS.fullmatch(match[2]) if match else None
        if match is None or numbers is None:
            return None
        parts = tuple(int(part) for part in numbers[1].split("."))
        operator = match[1]
        low, high = _limits(operator, parts, starred=match[3] is not None)
        lowest = low if lowest is None or (low is not None and low > lowest) else lowest
        bound = high if bound is None or (high is not None and high < bound) else bound
    if lowest is None or bound is None or lowest >= bound:
        return None
    common: list[int] = []
    for position, part in enumerate(lowest):
        head = (*common, part)
        if bound > _next(head):
            break
        common.append(part)
        if position + 1 == len(lowest):
            break
    return ".".join(map(str, common)) or None


def _limits(operator: str, parts: _Parts, *, starred: bool) -> tuple[_Parts | None, _Parts | None]:
    if operator == "==" and starred:
        return parts, _next(parts)
    if operator == "~=" and len(parts) > 1:
        return parts, _next(parts[:-1])
    if operator in (">=", ">"):
        return parts, None
    if operator == "<":
        return None, parts
    if operator == "<=":
        return None, _next(parts)
    return None, None


def _next(parts: _Parts) -> _Parts:
    return (*parts[:-1], parts[-1] + 1)


def allows(specifier: str, version: str) -> bool:
    """Whether a specifier allows a version that is a final release; False for what cannot be read."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        found = Version(version)
        return not found.is_prerelease and SpecifierSet(specifier).contains(found)
    except (InvalidSpecifier, InvalidVersion, ValueError):
        return False


def joined(specifiers: list[str]) -> str:
    """Several specifiers of one distribution as one."""
    return ",".join(dict.fromkeys(part.strip() for text in specifiers for part in text.split(",") if part.strip()))


def of_caret(text: str) -> str | None:
    """Poetry's specifiers as PEP 440: ``^10.2`` is ``>=10.2,<11``; None for what has no such form (``a || b``)."""
    clauses = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        match = re.fullmatch(r"(\^|~(?!=)|)\s*(\d{1,9}(?:\.\d{1,9}){0,6})([0-9A-Za-z.+-]*)", word)
        if word == "*":
            continue
        if match is None:
            if not _CLAUSE.fullmatch(word) and not re.fullmatch(r"\d{1,9}(\.\d{1,9}){0,5}\.\*", word):
                return None
            clauses.append(word if _CLAUSE.fullmatch(word) else f"=={word}")
            continue
        sign, number, rest = match.groups()
        parts = tuple(int(part) for part in number.split("."))
        if not sign:
            clauses.append(f"=={number}{rest}")
            continue
        if sign == "^":
            kept = next((index for index, part in enumerate(parts) if part), len(parts) - 1) + 1
        else:
            kept = min(2, len(parts))
        clauses += [f">={number}{rest}", f"<{'.'.join(map(str, _next(parts[:kept])))}"]
    return ",".join(clauses)


def of_conda(text: str) -> str | None:
    """Conda's specifiers as PEP 440: ``=12.4`` is ``==12.4.*``; None for what has no such form (``a|b``)."""
    clauses = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        if word == "*":
            continue
        match = re.fullmatch(r"(==|>=|<=|!=|~=|<|>|=|)\s*(\d{1,9}(?:\.\d{1,9}){0,6}[0-9A-Za-z.+]*?)(\.?\*)?", word)
        if match is None:
            return None
        sign, number, star = match.groups()
        if sign == "=" or star:
            clauses.append(f"=={number}.*")
        elif sign == "":
            clauses.append(f"=={number}")
        else:
            clauses.append(f"{sign}{number}")
    return ",".join(clauses)


def as_marker(specifier: str) -> str:
    """A specifier of the Python's version as a marker: of ``>=3.9,<3.13`` one with ``and`` between its clauses."""
    return " and ".join(f"python_version {_spaced(clause)}" for clause in specifier.split(",") if clause)


def _spaced(clause: str) -> str:
    operator = clause[: len(clause) - len(clause.lstrip("=<>!~"))]
    return f"{operator} '{clause[len(operator) :].strip()}'"
