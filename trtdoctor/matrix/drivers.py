"""What the matrix says of driver branches, their life, the GPUs they serve, and forward compatibility."""

from __future__ import annotations

from datetime import date

from trtdoctor.matrix.judgement import Judgement
from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import UNKNOWN, Fact, Row
from trtdoctor.versions import Answer, Version

NONE = "none"
"""The matrix's word for a generation that no branch has left out so far."""
_SPAN = 8
"""How far Windows counts on inside a branch: 551 to 553 are R550, 471 to 475 are R470."""
_SPAN_NEWEST = 4
"""The same for the newest branch: branches lie at least five apart, so 625 would be one we do not know."""


def branches(matrix: Matrix) -> list[Row]:
    """The branches, newest first."""
    return matrix.rows("drivers", "branches")


def branch_of(matrix: Matrix, driver: Version) -> Row | None:
    """The branch of a driver: the first number on Linux; on Windows numbers count on (576.57 is R575).

    None for a driver that the matrix has no branch for, older or newer.
    """
    span = _SPAN_NEWEST
    for row in branches(matrix):
        ahead = driver.major - int(row.key)
        if ahead >= 0:
            return row if ahead <= span else None
        span = _SPAN
    return None


def newer_than_matrix(matrix: Matrix, driver: Version) -> bool:
    """Whether a driver is of a branch newer than any that the matrix knows."""
    return driver.major > int(branches(matrix)[0].key) + _SPAN_NEWEST


def cuda_of(matrix: Matrix, driver: Version) -> Fact:
    """The highest CUDA that the driver's libcuda serves; value ``unknown`` for a branch that the matrix lacks."""
    row = branch_of(matrix, driver)
    return row.get("cuda") if row else _nothing(f"drivers.yaml: branches, no row for {driver.major}")


def end_of_life(matrix: Matrix, driver: Version) -> Fact:
    """The month (``2026-06``) until which the vendor keeps the driver's branch; value ``unknown`` if it names none."""
    row = branch_of(matrix, driver)
    return row.get("end_of_life") if row else _nothing(f"drivers.yaml: branches, no row for {driver.major}")


def ended(matrix: Matrix, driver: Version, as_of: date) -> Judgement:
    """Whether the vendor has ended the driver's branch by ``as_of``: no more fixes; it goes on working."""
    row = branch_of(matrix, driver)
    if row is None:
        return Judgement(Answer.UNKNOWN, f"no branch for driver {driver} in the matrix")
    return _ended(row, as_of)


def _ended(row: Row, as_of: date) -> Judgement:
    now = f"{as_of.year:04d}-{as_of.month:02d}"
    month = row.get("end_of_life")
    if isinstance(month.value, str) and month.known:
        over = now > month.value
        return Judgement(Answer.of(over), f"the vendor keeps R{row.key} until {month.value}", (month,))
    listed = row.get("ended_by")
    if isinstance(listed.value, str) and listed.known and now >= listed.value:
        return Judgement(Answer.YES, f"the vendor listed R{row.key} as ended by {listed.value}", (listed,))
    return Judgement(Answer.UNKNOWN, f"how long the vendor keeps R{row.key} is not known", (month,))


def generation(matrix: Matrix, capability: str) -> Row | None:
    """The GPU generation of a compute capability: its first and last driver branch. Jetson chips have none."""
    for row in matrix.rows("drivers", "generations"):
        if capability in (row.get("compute_capabilities").value or ()):
            return row
    return None


def first_branch_for(matrix: Matrix, capability: str) -> Fact | None:
    """The first driver branch that serves a compute capability; None when it is not known."""
    row = generation(matrix, capability)
    fact = row.get("first_branch") if row else None
    return fact if fact is not None and fact.known else None


def last_branch_for(matrix: Matrix, capability: str) -> Fact | None:
    """The last driver branch for a compute capability, value ``"none"`` while it goes on; None when not known."""
    row = generation(matrix, capability)
    fact = row.get("last_branch") if row else None
    return fact if fact is not None and fact.known else None


def serves(matrix: Matrix, driver: Version, capability: str) -> Judgement:
    """Whether a driver's branch serves GPUs of a compute capability.

    Words: ``too-old`` (the GPU came later), ``dropped`` (the branch left it out), ``fits``, ``unknown``.
    """
    first, last = first_branch_for(matrix, capability), last_branch_for(matrix, capability)
    row = branch_of(matrix, driver)
    branch = int(row.key) if row else driver.major
    gpu = f"compute capability {capability}"
    if last is not None and last.value != NONE and branch > int(last.value):
        return Judgement(Answer.NO, f"R{last.value} is the last driver branch for {gpu}", (last,), "dropped")
    if first is not None and branch < int(first.value):
        return Judgement(Answer.NO, f"{gpu} needs a driver of R{first.value} or newer", (first,), "too-old")
    if first is None or last is None:
        return Judgement(Answer.UNKNOWN, f"the first driver for {gpu} is not known", (), "unknown")
    return Judgement(Answer.YES, f"R{branch} serves {gpu}", (first, last), "fits")


def kernel_modules(matrix: Matrix, architecture: str) -> Fact | None:
    """Which Linux kernel modules an architecture can run: ``open``, ``proprietary`` or ``either``."""
    row = next((item for item in matrix.rows("drivers", "kernel_modules") if item.key == architecture), None)
    return row.get("flavour") if row else None


def open_by_default(matrix: Matrix, branch: int) -> bool:
    """Whether a driver of that branch comes with the open kernel modules unless one asks for the others."""
    since = matrix.row("drivers", "open_kernel_modules").text("default_since")
    return since is not None and branch >= int(since)


def forward_compatible(matrix: Matrix, package: Version, driver: Version, gpu_class: str | None) -> Judgement:
    """Whether the cuda-compat package of CUDA ``package`` may serve above this kernel driver on such a GPU.

    Words: ``usable``, ``needless`` (the driver has that CUDA itself), ``older`` (the driver has a newer one),
    ``class`` (not for such boards: error 804), ``branch`` (the vendor lists no such pair), ``unknown``.
    """
    rules = matrix.row("drivers", "forward_compatibility")
    pair = _pair(matrix, package, driver)
    if pair.word in ("needless", "older"):
        return pair
    refused = rules.get("unsupported_classes")
    if gpu_class is not None and gpu_class in (refused.value or ()):
        reason = f"forward compatibility is not for {gpu_class} boards (error 804)"
        return Judgement(Answer.NO, reason, (refused,), "class")
    if pair.answer is not Answer.YES:
        return pair
    allowed = rules.get("supported_classes")
    if gpu_class in (allowed.value or ()):
        return Judgement(Answer.YES, pair.reason, (*pair.facts, allowed), "usable")
    if gpu_class in (rules.get("selected_classes").value or ()):
        reason = "forward compatibility is for some professional boards only"
        return Judgement(Answer.UNKNOWN, reason, (rules.get("selected_classes"),), "unknown")
    reason = "whether forward compatibility is for this kind of board is not known"
    return Judgement(Answer.UNKNOWN, reason, (), "unknown")


def _pair(matrix: Matrix, package: Version, driver: Version) -> Judgement:
    branch = branch_of(matrix, driver)
    wanted = package.short(2)
    row = next((item for item in matrix.rows("drivers", "forward_packages") if item.text("cuda") == wanted), None)
    cell = row.get("cells", branch.key) if row and branch else None
    if cell is not None and cell.value in ("C", "N", "X") and branch is not None:
        word = {"C": "usable", "N": "needless", "X": "older"}[str(cell.value)]
        reason = {
            "usable": f"cuda-compat of CUDA {wanted} may run above R{branch.key}",
            "needless": f"R{branch.key} serves CUDA {wanted} itself",
            "older": f"R{branch.key} serves a newer CUDA than the cuda-compat of {wanted}",
        }[word]
        return Judgement(Answer.of(word == "usable"), reason, (cell,), word)
    level = cuda_of(matrix, driver)
    served = Version.maybe(level.value)
    if served is None:
        return Judgement(Answer.UNKNOWN, f"the CUDA of driver {driver} is not known", (level,), "unknown")
    if served.parts[:2] >= package.parts[:2]:
        word = "needless" if served.parts[:2] == package.parts[:2] else "older"
        return Judgement(Answer.NO, f"driver {driver} serves CUDA {served} itself", (level,), word)
    if row is not None and row.get("cells").value != UNKNOWN:
        table = matrix.row("drivers", "forward_compatibility").get("table_of")
        return Judgement(Answer.NO, f"the vendor lists no cuda-compat above driver {driver}", (table,), "branch")
    return Judgement(Answer.UNKNOWN, f"no table for cuda-compat of CUDA {wanted}", (), "unknown")


def oldest_serving(matrix: Matrix, cuda: Version) -> Row | None:
    """The oldest branch that serves ``cuda`` itself, without minor-version compatibility; for remedies."""
    found = None
    for row in branches(matrix):
        level = Version.maybe(row.text("cuda"))
        if level is None or level.at_least(cuda) is not Answer.YES:
            break
        found = row
    return found


def advised(matrix: Matrix, floor: Version, as_of: date) -> Row | None:
    """The branch to advise for "at least ``floor``": the oldest that the vendor still keeps, long-term ones first.

    None when the matrix knows none; then the floor itself is the advice.
    """
    living = [row for row in branches(matrix) if int(row.key) >= floor.major and _ended(row, as_of).answer is Answer.NO]
    lasting = [row for row in living if row.text("type") == "lts"]
    chosen = lasting or living
    return chosen[-1] if chosen else None


def _nothing(where: str) -> Fact:
    return Fact(UNKNOWN, (), "inferred", where)
