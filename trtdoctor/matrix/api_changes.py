"""Which calls, flags and precisions went away, or will go, between two TensorRT releases."""

from __future__ import annotations

from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import Row
from trtdoctor.matrix.tensorrt import api_state
from trtdoctor.versions import Answer, Version


def removed_between(matrix: Matrix, before: Version, after: Version) -> list[Row]:
    """The rows of what ``before`` surely has and ``after`` surely has not, as they stand in the matrix."""
    rows = (*matrix.rows("api", "calls"), *matrix.rows("api", "precisions"))
    return [
        row for row in rows if api_state(row, before).answer is Answer.YES and api_state(row, after).word == "removed"
    ]


def deprecated_in(matrix: Matrix, version: Version) -> list[Row]:
    """The rows of what a release still has and the vendor means to take away."""
    return [row for row in matrix.rows("api", "calls") if api_state(row, version).word == "deprecated"]


def instead(row: Row) -> str | None:
    """What takes the place of a call; None where the matrix does not say."""
    return row.text("replacement") or row.text("instead")
