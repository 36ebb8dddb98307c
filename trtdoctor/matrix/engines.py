"""What the matrix says of serialized engines (plans): which runtime loads one, and on which GPU.

Versions are those of TensorRT, a compute capability is a text such as ``"8.6"``, and whether a plan has a mode is
True, False, or None where nobody said.
"""

from __future__ import annotations

from trtdoctor.matrix.judgement import Judgement
from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import Fact, Row
from trtdoctor.versions import Answer, Version

NO_LEVEL = "none"
"""The level of a plan that was built for its own GPU alone."""
SAME_COMPUTE_CAPABILITY = "same_compute_capability"
"""The level for every model of one compute capability."""
_FLOOR = "builds_on"
"""Key of the lowest compute capability of a level: of the GPU that builds, and for ampere_plus of the one that runs."""


def loads(matrix: Matrix, built: Version, runtime: Version, version_compatible: bool | None) -> Judgement:
    """Whether ``runtime`` loads a plan of ``built``, as far as the versions decide it.

    Words: ``same``, ``other-release`` (and no mode that would help), ``too-old`` (a release before the flag),
    ``newer-plan``, ``other-major``, ``compatible``, ``unstated`` (another release; only a version-compatible plan
    would load), ``unknown``.
    """
    same = built.same_as(runtime)
    if same is Answer.YES:
        return Judgement(Answer.YES, "both are one release", (rule(matrix, "exact-version"),), "same")
    by_flag = runs_version_compatible(matrix, built, runtime)
    if same is Answer.UNKNOWN:
        return Judgement(Answer.UNKNOWN, f"{built} and {runtime} may be one release", (), "unknown")
    if version_compatible:
        return by_flag
    exact = rule(matrix, "exact-version")
    if version_compatible is None and by_flag.answer is not Answer.NO:
        reason = "only a version-compatible plan runs on another release"
        return Judgement(Answer.UNKNOWN, reason, (exact, *by_flag.facts), "unstated")
    reason = "a plan that is not version-compatible runs on the release that built it and on no other"
    if version_compatible is None:
        reason = f"a plan runs on the release that built it, and {by_flag.reason}"
    return Judgement(Answer.NO, reason, (exact,), "other-release")


def runs_version_compatible(matrix: Matrix, built: Version, runtime: Version) -> Judgement:
    """Whether ``runtime`` runs a version-compatible plan of ``built``. Words as for :func:`loads`."""
    flag = mode(matrix, "version_compatible")
    first = flag.get("first") if flag else None
    bound = Version.maybe(first.value) if first else None
    if first is None or bound is None:
        return Judgement(Answer.UNKNOWN, "since when plans can be version-compatible is not known", (), "unknown")
    if Answer.YES in (built.below(bound), runtime.below(bound)):
        return Judgement(Answer.NO, f"version compatibility begins with TensorRT {bound}", (first,), "too-old")
    if runtime.below(built) is Answer.YES:
        never = rule(matrix, "newer-plan")
        return Judgement(Answer.NO, "a plan never runs on an older release", (never,), "newer-plan")
    if built.major == runtime.major:
        answer = Answer.all((built.at_least(bound), runtime.at_least(built)))
        return Judgement(answer, "a newer release of the same major runs it", (first,), "compatible")
    for row in matrix.rows("engines", "across_majors"):
        if (row.text("built"), row.text("runtime")) == (str(built.major), str(runtime.major)):
            fact = row.get("supported")
            if not fact.known:
                reason = f"the documents disagree on plans of TensorRT {built.major} under {runtime.major}"
                return Judgement(Answer.UNKNOWN, reason, (fact,), "unknown")
            reason = f"TensorRT {runtime.major} runs version-compatible plans of {built.major}"
            return Judgement(Answer.of(bool(fact.value)), reason, (fact,), "compatible")
    facts = tuple(row.get("supported") for row in matrix.rows("engines", "across_majors")[:1])
    reason = f"TensorRT {runtime.major} runs no plans of TensorRT {built.major}"
    return Judgement(Answer.NO, reason, facts, "other-major")


def serves(matrix: Matrix, built_on: str, runs_on: str, level: str | None, release: Version | None = None) -> Judgement:
    """Whether a plan built on one compute capability runs on another; ``release`` is the TensorRT that built it.

    Words: ``same``, ``tied`` (no level helps), ``not-covered`` (its level does not reach so far), ``covered``,
    ``unstated`` (nobody said which level it has, and there is one that would help), ``unknown``.
    """
    tied = rule(matrix, "tied-to-architecture")
    if built_on == runs_on:
        return Judgement(Answer.YES, "it was built on this compute capability", (tied,), "same")
    if level is None:
        helps = [row for row in _levels(matrix) if _covers(row, built_on, runs_on) and _may_have(row, release)]
        if helps:
            reason = f"only a plan of the level {helps[0].key} runs on other compute capabilities"
            return Judgement(Answer.UNKNOWN, reason, (tied, helps[0].get(_FLOOR)), "unstated")
        return Judgement(Answer.NO, "no hardware-compatibility level reaches from one to the other", (tied,), "tied")
    if level == NO_LEVEL:
        return Judgement(Answer.NO, "it was built without hardware compatibility", (tied,), "tied")
    row = next((row for row in _levels(matrix) if row.key == level), None)
    if row is None:
        return Judgement(Answer.UNKNOWN, f"the level {level} is not in the matrix", (), "unknown")
    if row.key == SAME_COMPUTE_CAPABILITY:
        return Judgement(Answer.NO, f"{level} stays on one compute capability", (row.get("first"),), "not-covered")
    if _covers(row, built_on, runs_on):
        return Judgement(Answer.YES, f"{level} covers it", (row.get(_FLOOR),), "covered")
    bound = row.get(_FLOOR)
    reason = f"{level} begins with compute capability {bound.value}"
    return Judgement(Answer.NO, reason, (bound,), "not-covered")


def cross_built(matrix: Matrix, built_on: str, runs_on: str, release: Version | None) -> Answer:
    """Whether a builder can make plans of ``built_on`` (``linux``) for ``runs_on`` (``windows``): UNKNOWN if it may."""
    row = mode(matrix, "windows_amd64")
    first = Version.maybe(row.get("first").value) if row else None
    if (built_on, runs_on) != ("linux", "windows") or first is None:
        return Answer.NO
    return Answer.NO if release is not None and release.below(first) is Answer.YES else Answer.UNKNOWN


def wants_version_compatible(matrix: Matrix, product: str | None) -> Fact | None:
    """Whether a runtime (``lean``, ``dispatch``) runs version-compatible plans only: the row that says so, or None."""
    return next((row.get("id") for row in matrix.rows("engines", "limited_products") if row.key == product), None)


def mode(matrix: Matrix, name: str) -> Row | None:
    """The row of a mode in features.yaml: ``version_compatible``, ``ampere_plus``, ``windows_amd64``."""
    return next((row for row in matrix.rows("features", "modes") if row.key == name), None)


def rule(matrix: Matrix, name: str) -> Fact:
    """A rule of plans by its id, as a fact to cite. Raises :class:`KeyError` when there is none."""
    for row in matrix.rows("engines", "rules"):
        if row.key == name:
            return row.get("text")
    raise KeyError(name)


def _levels(matrix: Matrix) -> list[Row]:
    return [row for row in matrix.rows("features", "modes") if _FLOOR in row]


def _covers(row: Row, built_on: str, runs_on: str) -> bool:
    bound = Version.maybe(row.get(_FLOOR).value)
    if row.key == SAME_COMPUTE_CAPABILITY or bound is None:
        return False
    return all(Version.parse(item).at_least(bound) is Answer.YES for item in (built_on, runs_on))


def _may_have(row: Row, release: Version | None) -> bool:
    first = Version.maybe(row.get("first").value)
    return release is None or first is None or release.at_least(first) is not Answer.NO


def accepts_serialization(matrix: Matrix, number: int, runtime: Version) -> Judgement:
    """Whether ``runtime`` reads plans of this serialization version.

    Words: ``same`` (its plans have that number), ``other`` (its plans have another), ``other-major`` (only releases of
    other majors are known to have that number), ``unknown``.
    """
    rows = list(matrix.rows("engines", "serializations"))
    own = [row for row in rows if _written_by(row, runtime)]
    if any(_number_of(row) == number for row in own):
        return Judgement(Answer.YES, f"plans of {runtime} have serialization version {number}", (_why(own[0]),), "same")
    if own:
        reason = f"plans of TensorRT {runtime} have serialization version {_number_of(own[0])}, this one has {number}"
        return Judgement(Answer.NO, reason, (rule(matrix, "serialization-version"), _why(own[0])), "other")
    same = [row for row in rows if _number_of(row) == number]
    releases = [str(item) for row in same for item in row.get("releases").value]
    if releases and all(Version.parse(item).major != runtime.major for item in releases):
        reason = f"serialization version {number} is known of TensorRT {', '.join(releases)}"
        return Judgement(Answer.NO, reason, (rule(matrix, "serialization-version"), _why(same[0])), "other-major")
    return Judgement(Answer.UNKNOWN, f"nobody has noted which releases have serialization version {number}", ())


def _number_of(row: Row) -> int:
    stated = row.get("number").value
    return int(stated if stated is not None else row.key)


def _written_by(row: Row, release: Version) -> bool:
    """Whether a release is surely one of those that the row names to the third number."""
    named = [Version.parse(str(item)) for item in row.get("releases").value]
    return any(len(item.parts) >= 2 and release.parts[: len(item.parts)] == item.parts for item in named)


def _why(row: Row) -> Fact:
    return row.get("releases")


def built_for(matrix: Matrix, targets: tuple[str, ...], others: bool | None, runs_on: str) -> Judgement:
    """Whether an engine of TensorRT for RTX runs on a compute capability.

    ``targets`` are those that it was built for, ``others``: whether also for some that have no name. Words: ``named``,
    ``left-out``, ``unknown``.
    """
    fact = rule(matrix, "rtx-compute-capabilities")
    if runs_on in targets:
        return Judgement(Answer.YES, f"it was built for compute capability {runs_on}", (fact,), "named")
    known = {row.key for row in matrix.rows("engines", "header_capabilities")}
    if runs_on in known or others is False:
        return Judgement(Answer.NO, f"it was built for {', '.join(targets) or 'others'}", (fact,), "left-out")
    return Judgement(Answer.UNKNOWN, "it was built for others too, which have no name", (), "unknown")
