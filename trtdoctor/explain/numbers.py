"""Error numbers of CUDA, NVML, cuDNN and TensorRT, alone or by name (error_numbers.yaml, errors.yaml)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from trtdoctor.explain.answer import ErrorNumber
from trtdoctor.matrix import Fact, Matrix
from trtdoctor.record import record

_TABLES = (
    ("cuda_driver", "cuda", None),
    ("cuda_runtime", "cuda", None),
    ("cuda_runtime_before_101", "cuda", "CUDA runtime before 10.1"),
    ("nvml", "nvml", None),
    ("cudnn", "cudnn", "cuDNN 9"),
    ("cudnn_8", "cudnn", "cuDNN 8 and older"),
    ("tensorrt", "tensorrt", None),
)
"""Table of error_numbers.yaml, its library, the versions that it holds for."""
_ALONE = re.compile(
    r"(?:(?P<library>cuda|nvml|cudnn|tensorrt|trt)\s{0,4})?(?:(?:error|failure|status)(?:\s{1,4}code)?\s{0,4}[:=#(]?\s{0,4})?"
    r"(?P<code>\d{1,5}|0x[0-9a-f]{1,4})\)?",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?:CUDA_ERROR_|NVML_ERROR_|CUDNN_STATUS_|cudaError|kINTERNAL_|kINVALID_|kFAILED_|kUNS)\w{2,60}")
NAMED = ("CUDA_ERROR_", "NVML_ERROR_", "CUDNN_STATUS_", "cudaError")
"""How names begin that are looked for in logs."""
_IN_TEXT = re.compile(
    r"\bc(?:uda|UDA)(?: (?:driver|runtime|initialization))?[ _]?(?:error|failure|Error)"
    r"(?: with error)?(?: code)?\s{0,2}[:=#(]{0,2}\s{0,2}(?P<code>\d{1,4})\b",
    re.IGNORECASE,
)


@record
class Known:
    """One number with the family that tells what to do, if one does."""

    number: ErrorNumber
    family: str | None
    next: str | None
    fact: Fact


def asked_for(matrix: Matrix, text: str) -> tuple[Known, ...] | None:
    """What a number or a name alone stands for; empty for one that nobody has; None when ``text`` is neither."""
    text = text.strip()
    alone = _ALONE.fullmatch(text)
    if alone:
        library = {"trt": "tensorrt"}.get((alone["library"] or "").lower(), (alone["library"] or "").lower())
        return by_code(matrix, int(alone["code"], 0) if "x" in alone["code"].lower() else int(alone["code"]), library)
    found = by_name(matrix, text)
    if found:
        return found
    return () if _NAME.fullmatch(text) else None


def by_code(matrix: Matrix, code: int, library: str = "") -> tuple[Known, ...]:
    """Every library's meaning of a number, or that of one library."""
    return tuple(known for known in _all(matrix) if known.number.code == code and library in ("", known.number.library))


def by_name(matrix: Matrix, name: str) -> tuple[Known, ...]:
    """The numbers of this name, whatever its letters' case."""
    wanted = name.lower()
    found = [known for known in _all(matrix) if wanted in (word.lower() for word in known.number.names)]
    usual = [known for known in found if known.number.versions != "CUDA runtime before 10.1"]
    return tuple(usual or found)


def in_line(matrix: Matrix, line: str) -> Known | None:
    """The first number that a line of a log names, by name or as a CUDA error."""
    for hit in _NAME.finditer(line):
        found = by_name(matrix, hit.group())
        if found:
            return found[0]
    hit_code = _IN_TEXT.search(line)
    if hit_code:
        return next(iter(by_code(matrix, int(hit_code["code"]), "cuda")), None)
    return None


def names(matrix: Matrix) -> tuple[str, ...]:
    """Every name."""
    return tuple(name for known in _all(matrix) for name in known.number.names)


def _all(matrix: Matrix) -> tuple[Known, ...]:
    return matrix.remember("error numbers", lambda: tuple(_read(matrix)))


def _read(matrix: Matrix) -> Iterable[Known]:
    said = {
        (library, int(row.get("code").value)): row
        for library in ("cuda", "nvml")
        for row in matrix.rows("errors", library)
    }
    found: dict[tuple[str, int, str | None], Known] = {}
    for table, library, versions in _TABLES:
        for row in matrix.rows("error_numbers", table):
            code = int(row.get("code").value)
            key = (library, code, versions)
            told = said.get((library, code)) if versions is None else None
            other = found.get(key)
            words = (*other.number.names, row.key) if other else (row.key,)
            meaning = told.text("meaning") if told else None
            found[key] = Known(
                ErrorNumber(library, code, words, meaning, versions),
                row.text("family") or (other.family if other else None),
                told.text("next") if told else None,
                row.get("name"),
            )
    return found.values()
