"""How old a release is, by the best evidence there is: its date, its upload, or a later release of the same major."""

from __future__ import annotations

from datetime import date

from trtdoctor.matrix import Matrix, Row, artefacts, tensorrt
from trtdoctor.plan.builds import Build
from trtdoctor.plan.question import Question


def too_young(question: Question, build: Build, days: int) -> str | None:
    """Why a build is not old enough, or that nobody knows; None when it is."""
    released = out_by(question.matrix, build)
    if released is None:
        return f"its date is not known, so nobody can tell whether it is {days} days old"
    age = (question.as_of - released).days
    return f"out by {released}, {age} days ago; wanted {days}" if age < days else None


def out_by(matrix: Matrix, build: Build) -> date | None:
    """A day by which a build was out: the release's, or that of its upload to the index, whichever is earlier."""
    days = [no_later_than(matrix, build.row, build.product)]
    if build.way == "pip":
        days.append(artefacts.uploaded(matrix, build.name, build.version.text))
    return min((day for day in days if day is not None), default=None)


def no_later_than(matrix: Matrix, row: Row, product: str = "full") -> date | None:
    """A day by which a release was out: its own, else the day of the next known one above it. None when none is known.

    Dates are those of the matrix; a month counts as its last day.
    """

    def make() -> dict[str, date]:
        found: dict[str, date] = {}
        later: date | None = None
        major = None
        for item in tensorrt.all_releases(matrix, product):  # newest first
            if (item_major := item.key.partition(".")[0]) != major:
                later, major = None, item_major  # majors overlap in time
            own = of_text(item.text("released"))
            known = [day for day in (own, later) if day is not None]
            if known:
                later = found[item.key] = own or min(known)
        return found

    return matrix.remember(("plan: dates", product), make).get(row.key)


def of_text(text: str | None) -> date | None:
    """``2026-11-18``, or the last day of the month for ``2026-11``; None for anything else."""
    if text is None:
        return None
    try:
        if len(text) == 7:
            first = date.fromisoformat(f"{text}-01")
            following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
            return date.fromordinal(following.toordinal() - 1)
        return date.fromisoformat(text)
    except ValueError:
        return None
