"""What the matrix says of NVIDIA's security bulletins."""

from __future__ import annotations

from datetime import date

from trtdoctor.matrix import drivers
from trtdoctor.matrix.judgement import Judgement
from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import Row
from trtdoctor.versions import Answer, Version, within

COMPONENTS = ("driver", "cuda", "tensorrt", "tensorrt-llm", "triton")
"""The components that the matrix has bulletins of."""

_PAGE = "https://nvidia.custhelp.com/app/answers/detail/a_id/"
_FIRST_MONTH = 19
"""Triton images are numbered by the month from 19.01 on; the server's own versions are far below."""


def of(matrix: Matrix, component: str, version: Version, os_family: str = "linux") -> list[Row]:
    """The bulletins that a version surely falls under, newest first; ``os_family`` matters for drivers only.

    For ``triton`` the version of an image (``25.07``) or of the server (``2.40``), for ``cuda`` with the update as its
    last part (``12.6.2``).
    """
    return [
        row
        for row in matrix.rows("advisories", "advisories")
        if row.get("component").value == component and judge(matrix, row, version, os_family).answer is Answer.YES
    ]


def judge(matrix: Matrix, row: Row, version: Version, os_family: str = "linux") -> Judgement:
    """Whether a version falls under a bulletin.

    Words: ``affected``, ``fixed``, ``other-platform``, ``other-numbering``, ``unlisted-branch`` (a driver branch older
    than the newest of the bulletin that it does not list: UNKNOWN), ``partial`` (UNKNOWN).
    """
    affected = row.get("affected")
    fixed = row.get("fixed_in")
    if row.get("component").value == "driver":
        return _judge_driver(matrix, row, version, os_family)
    numbering = row.text("numbering")
    if numbering is not None and (numbering == "container") is not (version.major >= _FIRST_MONTH):
        return Judgement(Answer.NO, "the bulletin counts in other versions", (affected,), "other-numbering")
    whole = len(version.parts) > 1 and numbering == "container"
    answer = within(Version.parse(f"{version.short(2)}.0") if whole else version, str(affected.value))
    words = {Answer.YES: "affected", Answer.NO: "fixed", Answer.UNKNOWN: "partial"}
    reason = f"bulletin {row.get('bulletin').value} is fixed in {fixed.value}"
    return Judgement(answer, reason, (affected, fixed), words[answer])


def fixed_in(matrix: Matrix, row: Row, version: Version) -> Version | None:
    """The first version with the fix; for a driver that of its own branch. None where the bulletin names none."""
    if row.get("component").value != "driver":
        return Version.maybe(row.get("fixed_in").value)
    branch = drivers.branch_of(matrix, version)
    return Version.maybe(row.get("fixed_in", branch.key).value) if branch else None


def url(row: Row) -> str:
    """The page of the bulletin."""
    return _PAGE + str(row.get("bulletin").value)


def known_until(matrix: Matrix) -> date:
    """The day until which the matrix has NVIDIA's bulletins."""
    return date.fromisoformat(str(matrix.row("advisories", "state").get("known_until").value))


def _judge_driver(matrix: Matrix, row: Row, version: Version, os_family: str) -> Judgement:
    if row.get("os").value != os_family:
        return Judgement(Answer.NO, "the bulletin is for another system", (row.get("os"),), "other-platform")
    fixes = row.get("fixed_in")
    branch = drivers.branch_of(matrix, version)
    key = branch.key if branch else str(version.major)
    fixed = Version.maybe(row.get("fixed_in", key).value)
    bulletin = f"bulletin {row.get('bulletin').value}"
    if fixed is None:
        if int(key) > max(int(name) for name in fixes.value):
            return Judgement(Answer.NO, f"R{key} is newer than {bulletin}", (fixes,), "fixed")
        return Judgement(Answer.UNKNOWN, f"{bulletin} names no fix for R{key}", (fixes,), "unlisted-branch")
    answer = version.below(fixed)
    words = {Answer.YES: "affected", Answer.NO: "fixed", Answer.UNKNOWN: "partial"}
    return Judgement(answer, f"{bulletin} is fixed in {fixed}", (row.get("fixed_in", key),), words[answer])
