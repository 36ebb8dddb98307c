"""Which versions of the stack matter to a mirror, and when they came out: general releases, and newer ones."""

from __future__ import annotations

from trtdoctor.matrix import Matrix, cudnn, tensorrt
from trtdoctor.matrix.rows import Row
from trtdoctor.versions import Version

_GENERAL = (*tensorrt.INSTALLABLE, "documented")
"""States of a release that anybody may meet in an index, or will."""


def counts(matrix: Matrix, component: str | None, version: Version, product: str = "full") -> bool:
    """Whether a release is a general one, or newer than all that the matrix knows.

    Only releases of ``tensorrt`` (of a ``product``) and ``cudnn`` are known one by one: all others count.
    """
    if component == "tensorrt":
        rows = tensorrt.releases(matrix, version, product)
        if rows:
            return any(row.get("status").value in _GENERAL for row in rows)
        return tensorrt.newer_than_matrix(matrix, version, product)
    if component == "cudnn":
        return bool(cudnn.releases(matrix, version)) or version.parts[:3] > _newest_cudnn(matrix)
    return True


def released(matrix: Matrix, component: str | None, version: Version, product: str = "full") -> str | None:
    """The day on which a release came out, ``2026-11-04``; None where the matrix has no day for that very release."""
    row: Row | None = None
    if component == "tensorrt":
        row = tensorrt.release(matrix, version, product)
    elif component == "cudnn":
        found = cudnn.releases(matrix, version)
        row = found[0] if len(found) == 1 and not found[0].get("last").known else None
    text = row.text("released") if row is not None else None
    return text if text is not None and len(text) == 10 else None


def _newest_cudnn(matrix: Matrix) -> tuple[int, ...]:
    return matrix.remember(
        "mirror: newest cudnn", lambda: max(Version.parse(row.key).parts for row in matrix.rows("cudnn", "releases"))
    )
