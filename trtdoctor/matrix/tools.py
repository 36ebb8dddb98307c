"""What the matrix says of the programs that people use beside the libraries: ``trtexec``, ``polygraphy``."""

from __future__ import annotations

from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import Fact, Row
from trtdoctor.versions import Answer, Version

NONE = "none"


def row(matrix: Matrix, name: str) -> Row | None:
    """The row of a program; None for one that the matrix does not have."""
    return next((item for item in matrix.rows("tools", "tools") if item.key == name), None)


def comes_with(tool: Row, origin: str | None) -> Answer:
    """Whether a TensorRT that came this way (``apt``, ``tar``, ``pip``) brings the program."""
    if origin in (tool.get("brought_by").value or ()):
        return Answer.YES
    return Answer.NO if origin in (tool.get("not_brought_by").value or ()) else Answer.UNKNOWN


def understands_rtx(tool: Row, version: Version) -> tuple[Answer, Fact]:
    """Whether this release of a program can use TensorRT for RTX, and the fact that says so."""
    fact = tool.get("rtx_since")
    if fact.value == NONE:
        return Answer.NO, fact
    since = Version.maybe(fact.value)
    if since is None:
        return Answer.UNKNOWN, fact
    return {Answer.YES: Answer.NO, Answer.NO: Answer.YES}.get(version.below(since), Answer.UNKNOWN), fact
