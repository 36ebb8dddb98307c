"""What the matrix says of cuDNN: releases, the rules between versions, and the files of a whole installation."""

from __future__ import annotations

from trtdoctor.matrix.judgement import Judgement
from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import Fact, Row
from trtdoctor.versions import Answer, Version


def releases(matrix: Matrix, version: Version) -> list[Row]:
    """The releases that ``version`` may be, newest first; a row can stand for a range of releases."""
    wanted = version.parts[:3]
    found = []
    for row in matrix.rows("cudnn", "releases"):
        first = Version.parse(row.key).parts
        last = Version.maybe(row.text("last"))
        upper = last.parts if last else first
        if first[: len(wanted)] <= wanted <= upper[: len(wanted)]:
            found.append(row)
    return found


def release(matrix: Matrix, version: Version, flavour: str | None = None) -> Row | None:
    """The one release that ``version`` is; None when several fit, none is known, or it has no build of ``flavour``."""
    found = releases(matrix, version)
    if len(found) != 1:
        return None
    flavours = found[0].get("flavours").value
    if flavour is not None and isinstance(flavours, dict) and flavour not in flavours:
        return None
    return found[0]


def driver_floor(matrix: Matrix, version: Version, flavour: str, os_family: str) -> Fact | None:
    """The oldest driver of a cuDNN build; None when it is not known."""
    row = release(matrix, version, flavour)
    fact = row.get("flavours", flavour, "driver", os_family) if row else None
    return fact if fact is not None and fact.known else None


def minimum_capability(matrix: Matrix, version: Version) -> Fact | None:
    """The oldest compute capability that a release serves; None when it is not known, or not one for all that fit."""
    facts = [row.get("minimum_compute_capability") for row in releases(matrix, version)]
    if not facts or not facts[0].known or len({fact.value for fact in facts}) != 1:
        return None
    return facts[0]


def abi(matrix: Matrix, built_against: Version, found: Version) -> Judgement:
    """Whether a program built against one cuDNN may run with another.

    Words: ``same-minor``, ``newer-minor``, ``older-minor`` (not guaranteed: NO), ``other-major``, ``unknown``.
    """
    rules = matrix.row("cudnn", "abi")
    if built_against.major != found.major:
        reason = f"cuDNN {found.major} cannot stand in for cuDNN {built_against.major}"
        return Judgement(Answer.NO, reason, (rules.get("other_major"),), "other-major")
    if built_against.minor is None or found.minor is None:
        return Judgement(Answer.UNKNOWN, f"the minor of cuDNN {found} or {built_against} is not known", (), "unknown")
    if found.minor == built_against.minor:
        return Judgement(Answer.YES, "patch releases stand in for each other", (rules.get("same_minor"),), "same-minor")
    if found.minor > built_against.minor:
        reason = f"cuDNN {found.short(2)} runs what was built against {built_against.short(2)}"
        return Judgement(Answer.YES, reason, (rules.get("newer_minor_found"),), "newer-minor")
    reason = f"no promise that cuDNN {found.short(2)} runs what was built against {built_against.short(2)}"
    return Judgement(Answer.NO, reason, (rules.get("older_minor_found"),), "older-minor")


def sublibraries(matrix: Matrix, major: int, *, later: bool = False) -> tuple[str, ...]:
    """Names of the libraries beside the shim that every release of a major has, such as ``libcudnn_graph``.

    ``later`` adds those that only newer releases of it have. Empty for a major that the matrix does not know.
    """
    row = next((item for item in matrix.rows("cudnn", "sublibraries") if item.key == str(major)), None)
    if row is None:
        return ()
    names = [*row.get("always").value, *(row.get("later").value if later else ())]
    return tuple(f"libcudnn_{name}" for name in names)


def newer_than_matrix(matrix: Matrix, version: Version) -> bool:
    """Whether ``version`` is surely newer than every release of the matrix."""
    newest = Version.parse(matrix.rows("cudnn", "releases")[0].key).parts
    wanted = version.parts[:3]
    return wanted > newest[: len(wanted)]
