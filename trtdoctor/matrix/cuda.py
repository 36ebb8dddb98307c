"""What the matrix says of CUDA toolkits, CUDA majors, architectures and JetPacks."""

from __future__ import annotations

from trtdoctor.matrix import jetpack as _jetpack
from trtdoctor.matrix.judgement import Judgement
from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import Fact, Row
from trtdoctor.versions import Answer, Version

NONE = "none"
"""The matrix's word for "there is none", which is not the same as unknown."""


def major(matrix: Matrix, cuda: Version) -> Row | None:
    """The row of the CUDA major that ``cuda`` belongs to; None for one that the matrix does not know."""
    return next((row for row in matrix.rows("cuda", "majors") if row.key == str(cuda.major)), None)


def major_floor(matrix: Matrix, cuda: Version, os_family: str) -> Fact | None:
    """The oldest driver that runs ``cuda`` at all: that of the CUDA major, by minor-version compatibility.

    Before CUDA 11 there is no such compatibility and the floor is the driver of the toolkit itself. ``os_family`` is
    ``linux`` or ``windows`` (WSL counts as windows). None when the matrix does not know.
    """
    row = major(matrix, cuda)
    if row is None:
        return None
    if row.get("minor_version_compatibility").value is True:
        return _known(row.get("driver_floor", os_family))
    rows = toolkits(matrix, cuda)
    floors = [_known(item.get("driver", os_family)) for item in rows]
    return floors[0] if rows and len({fact.value if fact else None for fact in floors}) == 1 else None


def toolkits(matrix: Matrix, version: Version) -> list[Row]:
    """The toolkits that ``version`` may be, newest first: one for "12.8.1", several for "12.8", none if unknown."""
    wanted = _first(version, 3)
    return [row for row in matrix.rows("cuda", "toolkits") if Version.parse(row.key).may_be(wanted)]


def toolkit_serves(row: Row, capability: str) -> Judgement:
    """Whether the compilers of a toolkit (nvcc, nvrtc) generate code for a compute capability such as ``"8.6"``."""
    fact = row.get("compute_capabilities")
    if not isinstance(fact.value, list):
        return Judgement(Answer.UNKNOWN, f"what CUDA {row.key} generates code for is not known", (fact,))
    if capability in fact.value:
        return Judgement(Answer.YES, f"CUDA {row.key} generates code for {capability}", (fact,))
    return Judgement(Answer.NO, f"CUDA {row.key} does not generate code for {capability}", (fact,))


def serves(matrix: Matrix, version: Version, capability: str) -> Judgement:
    """Like :func:`toolkit_serves` for all toolkits that ``version`` may be: UNKNOWN where they differ or none is."""
    judged = [toolkit_serves(row, capability) for row in toolkits(matrix, version)]
    answer = Answer.agreed(item.answer for item in judged)
    if answer is Answer.UNKNOWN:
        facts = tuple(fact for item in judged for fact in item.facts)
        return Judgement(answer, f"whether CUDA {version} generates code for {capability} is not known", facts)
    return judged[0]


def newer_than_matrix(matrix: Matrix, version: Version) -> bool:
    """Whether ``version`` is surely newer than every toolkit of the matrix, judged by major and minor."""
    newest = Version.parse(matrix.rows("cuda", "toolkits")[0].key)
    known, wanted = newest.parts[:2], version.parts[:2]
    return wanted > known[: len(wanted)]


def architecture(matrix: Matrix, capability: str) -> Row | None:
    """The row of a compute capability: architecture name, first and last CUDA."""
    return next((row for row in matrix.rows("cuda", "architectures") if row.key == capability), None)


def first_cuda(matrix: Matrix, capability: str) -> Fact | None:
    """The first CUDA minor with code for a compute capability; None when the matrix does not know."""
    row = architecture(matrix, capability)
    return _known(row.get("first_cuda")) if row else None


def last_cuda(matrix: Matrix, capability: str) -> Fact | None:
    """The last CUDA minor with code for a compute capability, value ``"none"`` while it goes on."""
    row = architecture(matrix, capability)
    return _known(row.get("last_cuda"), none=True) if row else None


def jetpack(matrix: Matrix, version: Version | None = None, l4t: Version | None = None) -> Row | None:
    """The JetPack of a version or of an L4T release, as :func:`trtdoctor.matrix.jetpack.one` finds it."""
    return _jetpack.one(matrix, version, l4t)


def _known(fact: Fact, *, none: bool = False) -> Fact | None:
    return fact if fact.known and (none or fact.value != NONE) else None


def _first(version: Version, parts: int) -> Version:
    return version if len(version.parts) <= parts else Version.parse(version.short(parts))
