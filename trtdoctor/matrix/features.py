"""What the matrix says of precisions, engine compatibility modes and ONNX opsets."""

from __future__ import annotations

from trtdoctor.matrix.judgement import Judgement
from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import Fact, Row
from trtdoctor.versions import Answer, Version

NONE = "none"
"""The matrix's word for "there is none", which is not the same as unknown."""


def precisions(matrix: Matrix) -> list[str]:
    """Names of the precisions that the matrix knows, such as ``fp16`` and ``fp8``."""
    return [row.key for row in matrix.rows("features", "precisions")]


def hardware(matrix: Matrix, capability: str) -> Row | None:
    """What GPUs of a compute capability such as ``"8.6"`` have; None for one that the matrix does not list."""
    return next((row for row in matrix.rows("features", "hardware") if row.key == capability), None)


def precision(matrix: Matrix, capability: str, name: str, tensorrt: Version | None = None) -> Judgement:
    """Whether a TensorRT release can use a precision on GPUs of a compute capability.

    Without ``tensorrt`` only the GPU is asked. Whether the release serves that GPU at all is for
    :func:`trtdoctor.matrix.tensorrt.serves`. Words: ``supported``, ``no-hardware`` (NO), ``not-yet`` (NO), ``gone``
    (NO), ``unknown``.
    """
    kind = next((row for row in matrix.rows("features", "precisions") if row.key == name.lower()), None)
    if kind is None:
        return Judgement(Answer.UNKNOWN, f"{name} is no precision that the matrix knows", (), "unknown")
    label = name.upper()
    row = hardware(matrix, capability)
    has = row.get(kind.key) if row else None
    if has is not None and has.value is False:
        return Judgement(Answer.NO, f"GPUs of compute capability {capability} have no {label}", (has,), "no-hardware")
    facts = (has,) if has is not None else ()
    if tensorrt is not None:
        state = _state(kind, label, tensorrt)
        if state.answer is not Answer.YES:
            return Judgement(state.answer, state.reason, (*facts, *state.facts), state.word)
        facts = (*facts, *state.facts)
    if has is None or not has.known:
        reason = f"no source says whether GPUs of compute capability {capability} have {label} with TensorRT"
        return Judgement(Answer.UNKNOWN, reason, facts, "unknown")
    return Judgement(Answer.YES, f"GPUs of compute capability {capability} have {label}", facts, "supported")


def sparsity(matrix: Matrix, capability: str) -> Judgement:
    """Whether GPUs of a compute capability gain from 2:4 sparse weights.

    Words: ``supported``, ``no-hardware`` (NO), ``unknown``.
    """
    row = hardware(matrix, capability)
    fact = row.get("sparsity") if row else None
    gpu = f"compute capability {capability}"
    if fact is None or not fact.known:
        return Judgement(Answer.UNKNOWN, f"no source names sparsity on {gpu}", (fact,) if fact else (), "unknown")
    if fact.value is True:
        return Judgement(Answer.YES, f"{gpu} has sparse tensor cores", (fact,), "supported")
    return Judgement(Answer.NO, f"{gpu} has no sparse tensor cores", (fact,), "no-hardware")


def mode(matrix: Matrix, name: str) -> Row | None:
    """An engine compatibility mode, such as ``version_compatible`` or ``ampere_plus``; None when there is none such."""
    return next((row for row in matrix.rows("features", "modes") if row.key == name.lower().replace("-", "_")), None)


def mode_state(row: Row, tensorrt: Version) -> Judgement:
    """Whether a release has a mode. Words: ``supported``, ``not-yet`` (NO), ``gone`` (NO), ``unknown``."""
    return _state(row, row.key.replace("_", " "), tensorrt)


def opsets(matrix: Matrix, tensorrt: Version) -> tuple[Fact | None, Fact | None, Fact | None]:
    """Oldest and newest ONNX opset of the parser, and one that it has at least where the newest is not known.

    Each None where the matrix does not know, or where the releases that ``tensorrt`` may be differ.
    """
    wanted = Version.parse(tensorrt.short(3))
    found = [row for row in matrix.rows("features", "onnx") if Version.parse(row.key).may_be(wanted)]
    oldest, newest, least = (_shared(found, key) for key in ("opset_min", "opset_max", "at_least"))
    return oldest, newest, least


def opset(matrix: Matrix, tensorrt: Version, number: int) -> Judgement:
    """Whether the parser of a release takes an ONNX opset.

    Words: ``supported``, ``newer`` (NO), ``older`` (NO), ``unknown``.
    """
    oldest, newest, least = opsets(matrix, tensorrt)
    if oldest is not None and number < oldest.value:
        reason = f"TensorRT {tensorrt} names opset {oldest.value} as its oldest"
        return Judgement(Answer.NO, reason, (oldest,), "older")
    if newest is not None and number > newest.value:
        reason = f"TensorRT {tensorrt} names opset {newest.value} as its newest"
        return Judgement(Answer.NO, reason, (newest,), "newer")
    top = newest or least
    if top is None or number > top.value:
        reason = f"no source names the newest opset of TensorRT {tensorrt}"
        return Judgement(Answer.UNKNOWN, reason, (top,) if top else (), "unknown")
    return Judgement(Answer.YES, f"TensorRT {tensorrt} takes opset {number}", (top,), "supported")


def _state(row: Row, label: str, tensorrt: Version) -> Judgement:
    first, last = row.get("first"), row.get("last")
    start, end = Version.maybe(first.value), Version.maybe(last.value)
    if end is not None and tensorrt.at_least(_after(end)) is Answer.YES:
        return Judgement(Answer.NO, f"TensorRT {end} was the last with {label}", (last,), "gone")
    if start is None:
        return Judgement(Answer.UNKNOWN, f"the first TensorRT with {label} is not known", (first,), "unknown")
    answer = tensorrt.at_least(start)
    words = {Answer.YES: "supported", Answer.NO: "not-yet", Answer.UNKNOWN: "unknown"}
    return Judgement(answer, f"{label} came with TensorRT {start}", (first,), words[answer])


def _after(version: Version) -> Version:
    # The first release after a partial one: 10.17 after 10.16.
    return Version.parse(".".join(str(part) for part in (*version.parts[:-1], version.parts[-1] + 1)))


def _shared(rows: list[Row], key: str) -> Fact | None:
    facts = [row.get(key) for row in rows]
    if not facts or not facts[0].known or len({fact.value for fact in facts}) != 1:
        return None
    return facts[0]
