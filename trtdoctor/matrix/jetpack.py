"""What the matrix says of JetPacks: which components a Jetson system brings."""

from __future__ import annotations

from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import Fact, Row
from trtdoctor.versions import Version

PREVIEW = "preview"
"""Stage of developer previews and early access."""


def find(matrix: Matrix, version: Version) -> list[Row]:
    """The stacks that a JetPack ``version`` may be, newest first.

    Exactly that JetPack where there is one (7.0 gives two rows, because it moved to another TensorRT), else every one
    that starts with ``version``: several for "6", none when the matrix has none. Previews only count where no release
    fits: JetPack 5.0 is 5.0.2.
    """
    rows = matrix.rows("jetpack", "jetpacks")
    width = len(version.parts)
    exact = [row for row in rows if width > 1 and _padded(_version(row), version) == _padded(version, _version(row))]
    begins = [row for row in rows if _version(row).parts[:width] == version.parts]
    for found in (exact, begins):
        released = [row for row in found if row.text("stage") != PREVIEW]
        if released:
            return released
    return exact or begins


def of_l4t(matrix: Matrix, l4t: Version) -> Row | None:
    """The stack of a Jetson Linux release such as 36.4.3 (36.4 is 36.4.0); None when the matrix has none."""
    for row in matrix.rows("jetpack", "jetpacks"):
        for release in _l4t(row):
            if _padded(release, l4t) == _padded(l4t, release):
                return row
    return None


def component(matrix: Matrix, name: str, version: Version | None = None, l4t: Version | None = None) -> Fact | None:
    """The ``cuda``, ``tensorrt``, ``cudnn``, … of a JetPack; L4T decides where it is given.

    None when it is not known, or when the stacks that fit bring different ones.
    """
    row = of_l4t(matrix, l4t) if l4t is not None else None
    rows = [row] if row is not None else find(matrix, version) if version is not None else []
    facts = [item.get(name) for item in rows]
    if not facts or not facts[0].known or any(fact.value != facts[0].value for fact in facts):
        return None
    return facts[0]


def one(matrix: Matrix, version: Version | None = None, l4t: Version | None = None) -> Row | None:
    """The stack of a JetPack or of an L4T release; the newest that fits when all that fit bring the same CUDA.

    None when there is none, or when those that fit differ in CUDA.
    """
    if l4t is not None:
        row = of_l4t(matrix, l4t)
        if row is not None or version is None:
            return row
    rows = find(matrix, version) if version is not None else []
    return rows[0] if rows and len({row.text("cuda") for row in rows}) == 1 else None


def _version(row: Row) -> Version:
    return Version.parse(row.text("jetpack") or "0")


def _l4t(row: Row) -> list[Version]:
    value = row.get("l4t").value
    return [Version.parse(item) for item in value] if isinstance(value, list) else []


def _padded(version: Version, other: Version) -> tuple[int, ...]:
    # "35.1" is 35.1.0 here: that is how JetPacks and L4T releases are written.
    return version.parts + (0,) * (len(other.parts) - len(version.parts))
