"""What the matrix says of the frameworks on top of TensorRT: what they link, require and were tested with.

A framework is named as people name it: ``onnxruntime-gpu``, ``torch``, ``torch-tensorrt``, ``tensorrt-llm``,
``triton``, ``tensorflow``, ``polygraphy``, ``onnx-graphsurgeon``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from trtdoctor.lazyre import pattern
from trtdoctor.matrix.judgement import Judgement
from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import Fact, Row
from trtdoctor.versions import Answer, Version, within

NONE = "none"
"""The matrix's word for "there is none", which is not the same as unknown."""

TABLES = {
    "onnxruntime": "onnxruntime",
    "onnxruntime-gpu": "onnxruntime",
    "torch": "torch",
    "torch-tensorrt": "torch_tensorrt",
    "tensorrt-llm": "tensorrt_llm",
    "triton": "triton",
    "tensorflow": "tensorflow",
    "polygraphy": "polygraphy",
    "onnx-graphsurgeon": "onnx_graphsurgeon",
}
"""Name of a framework to its table."""

_BEFORE_RELEASE = pattern(r"(?:a|b|c|rc|alpha|beta|dev|pre|preview|ea)[._-]?\d*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Links:
    """The sonames that a framework asks the loader for; value ``"none"`` where it surely asks for none."""

    tensorrt: Fact | None
    cuda: Fact | None
    cudnn: Fact | None


def rows(matrix: Matrix, framework: str) -> list[Row]:
    """The releases of a framework, newest first; empty for one that the matrix does not have."""
    table = TABLES.get(framework.lower().replace("_", "-"))
    return matrix.rows("frameworks", table) if table else []


def row(matrix: Matrix, framework: str, version: Version) -> Row | None:
    """The release that ``version`` is; None when several fit, none is known, or it is a build from before a release."""
    found = [item for item in rows(matrix, framework) if item.key == version.text]
    if not found:
        if _BEFORE_RELEASE.search(version.suffix.partition("+")[0]):
            return None
        wanted = Version.parse(version.short(3))
        found = [item for item in rows(matrix, framework) if Version.parse(item.key).may_be(wanted)]
    return found[0] if len(found) == 1 else None


def newer_than_matrix(matrix: Matrix, framework: str, version: Version) -> bool:
    """Whether ``version`` is surely newer than every release of the framework that the matrix has."""
    known = rows(matrix, framework)
    if not known:
        return False
    newest = Version.parse(known[0].key).parts
    wanted = version.parts[:3]
    return wanted > newest[: len(wanted)]


def links(release: Row) -> Links:
    """What a release links; each None where the matrix does not know or the framework has no such table."""
    return Links(*(_known(release.get("links", name), none=True) for name in ("tensorrt", "cuda", "cudnn")))


def loads(release: Row, tensorrt: Version) -> Judgement:
    """Whether a release can load a TensorRT, told by the soname that it asks for.

    Words: ``same-major``, ``other-major`` (NO), ``no-tensorrt`` (it asks for none: NO), ``unknown``.
    """
    fact = links(release).tensorrt
    if fact is None:
        return Judgement(Answer.UNKNOWN, f"what {_name(release)} links is not known", (), "unknown")
    if fact.value == NONE:
        return Judgement(Answer.NO, f"{_name(release)} is built without TensorRT", (fact,), "no-tensorrt")
    major = int(str(fact.value).rpartition(".")[2])
    if tensorrt.major == major:
        return Judgement(Answer.YES, f"{_name(release)} asks for {fact.value}", (fact,), "same-major")
    reason = f"{_name(release)} asks for {fact.value}, not for TensorRT {tensorrt.major}"
    return Judgement(Answer.NO, reason, (fact,), "other-major")


def accepts(release: Row, distribution: str, version: Version) -> Judgement:
    """Whether the metadata of a release accepts a version of a distribution that it requires.

    Words: ``within``, ``outside`` (NO), ``not-required``, ``unknown`` (not known, or ``version`` is too partial).
    """
    if not release.get("requires").known:
        return Judgement(Answer.UNKNOWN, f"what {_name(release)} requires is not known", (), "unknown")
    fact = release.get("requires", distribution)
    if not isinstance(fact.value, str):
        return Judgement(Answer.YES, f"{_name(release)} does not require {distribution}", (), "not-required")
    answer = within(version, fact.value)
    words = {Answer.YES: "within", Answer.NO: "outside", Answer.UNKNOWN: "unknown"}
    return Judgement(answer, f"{_name(release)} requires {distribution} {fact.value}", (fact,), words[answer])


def serves(release: Row, tensorrt: Version) -> Judgement:
    """Whether a Torch-TensorRT release accepts a TensorRT; words as :func:`accepts`.

    ``tensorrt`` is a release: a repackaged build (``10.7.0.post1``) is the same one.
    """
    fact = _known(release.get("serves"))
    if fact is None:
        return Judgement(Answer.UNKNOWN, f"which TensorRT {_name(release)} accepts is not known", (), "unknown")
    answer = within(tensorrt, re.sub(r"\.post\d+", "", str(fact.value)))
    words = {Answer.YES: "within", Answer.NO: "outside", Answer.UNKNOWN: "unknown"}
    return Judgement(answer, f"{_name(release)} accepts TensorRT {fact.value}", (fact,), words[answer])


def tested_with(release: Row) -> Row | None:
    """The versions that the documents name (``tensorrt``, ``cuda``): never a limit. None where they name none."""
    return release.sub("tested_with")


def _name(release: Row) -> str:
    table = release.origin.where.partition(": ")[2].partition(" ")[0]
    return f"{table.replace('_', '-')} {release.key}"


def _known(fact: Fact, *, none: bool = False) -> Fact | None:
    return fact if fact.known and (none or fact.value != NONE) else None
