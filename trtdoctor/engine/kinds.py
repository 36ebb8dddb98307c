"""What a file is, by its first bytes: a plan, what is often mistaken for one, or a plan that something has happened to.

Pure, and for any bytes.
"""

from __future__ import annotations

import codecs
import re

from trtdoctor.engine import header
from trtdoctor.engine.header import PlanHeader
from trtdoctor.matrix import Matrix
from trtdoctor.record import record
from trtdoctor.versions import Version, decode_tensorrt

BYTES = 4096
"""So many first bytes are looked at, and as many behind a wrapper."""
PLAN = "plan"
CACHES = ("timing-cache", "calibration-cache")
MOST_METADATA = 1 << 24
"""Bytes of metadata in front of a plan: more is no metadata."""
_CALIBRATION = re.compile(rb"TRT-([0-9A-Za-z]{3,8})-([A-Za-z]{3,24}Calibration[0-9]?)\r?\n")
_ONNX_SECOND = frozenset((0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42, 0x72))
"""Tags of the fields that can follow ``ir_version`` in an ONNX ModelProto (onnx.proto): fields 2 to 8, and 14."""
_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs.github.com/spec/", "lfs-pointer"),
    (b"PK\3\4", "zip"),
    (b"\x7fELF", "elf"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"\x1f\x8b", "gzip"),
)
_FEWEST_SEQUENCES = 4
"""So many characters of several bytes, and no byte that is none, are no accident in binary data."""


@record
class Identified:
    """What a file is."""

    kind: str
    """``plan``, ``timing-cache``, ``calibration-cache``, ``archive`` (of TensorRT: an old plan or a cache),
    ``lfs-pointer``, ``onnx``, ``zip``, ``gzip``, ``hdf5``, ``elf``, ``html``, ``text``, ``empty``, ``unknown``."""
    header: PlanHeader | None = None
    problem: str | None = None
    """What has happened to a plan: ``truncated``, ``longer`` (than its header says), ``line-ends`` (line feeds were
    changed), ``utf-8`` (read as text and written as UTF-8), ``replaced`` (bytes replaced on the way), ``utf-16``."""
    sure: bool = True
    """False when the problem rests on a place that is known of other releases only."""
    tensorrt: str | None = None
    """TensorRT that wrote a calibration cache."""
    calibrator: str | None = None
    """Its algorithm, ``EntropyCalibration2``."""


def wrapper_end(first: bytes, size: int) -> int | None:
    """Where a plan begins that has a length and as much JSON in front of it (Ultralytics); None when it has not."""
    if len(first) < 6 or first[4:5] != b"{":
        return None
    length = int.from_bytes(first[:4], "little", signed=True)
    if not 2 <= length <= MOST_METADATA or 4 + length > size:
        return None
    return 4 + length if 4 + length > len(first) or first[3 + length : 4 + length] == b"}" else None


def identify(matrix: Matrix, first: bytes, size: int) -> Identified:
    """What a file of ``size`` bytes is that begins with ``first`` (at most ``BYTES``; the whole of a shorter file)."""
    if not size or not first:
        return Identified("empty")
    archive = _archive(matrix, first)
    if archive is not None:
        return Identified(archive)
    found = header.read(matrix, first)
    if found is not None:
        return _plan(matrix, found, first, size)
    if first[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = first[2 : len(first) // 2 * 2].decode("utf-16-le" if first[0] == 0xFF else "utf-16-be", "replace")
        inner = header.read(matrix, text.encode("latin-1", "replace"))
        return Identified(PLAN, problem="utf-16") if inner else Identified("text")
    if first.startswith(b"\xef\xbb\xbf") and header.read(matrix, first[3:]):
        return Identified(PLAN, problem="utf-8")
    calibration = _CALIBRATION.match(first)
    if calibration:
        return _calibration(calibration[1].decode("ascii"), calibration[2].decode("ascii"))
    return Identified(_other(first))


def _archive(matrix: Matrix, first: bytes) -> str | None:
    """The kind of an archive that is no plan."""
    for row in matrix.rows("engines", "archives"):
        place, tag = row.get("tag_at").value, bytes.fromhex(row.text("tag") or "")
        if first.startswith(str(row.text("magic")).encode("ascii")) and first[place : place + len(tag)] == tag:
            return row.key
    return None


def _plan(matrix: Matrix, found: PlanHeader, first: bytes, size: int) -> Identified:
    changed = _changed(found, first, size)
    if changed is not None:
        return Identified(PLAN, None, changed)  # what such a header says is not what was written
    if found.version is None and found.layout == "tensorrt-8.5" and len(first) > header.BYTES:
        # A plan from before 8.5, or something else that TensorRT writes: nobody has measured those.
        return Identified("archive", found)
    if found.version is None or (len(first) == size and size < header.BYTES):
        return Identified(PLAN, found, "truncated" if size < header.BYTES else None)
    stated = found.length if found.length is not None else found.likely_length
    sure = header.length_is_sure(matrix, found)
    if stated is None or stated == size:
        return Identified(PLAN, found)
    if sure or _can_be_a_length(stated):
        return Identified(PLAN, found, "truncated" if size < stated else "longer", sure)
    return Identified(PLAN, found)


def _can_be_a_length(stated: int) -> bool:
    """Whether a number where a length likely stands can be the size of a file."""
    return header.BYTES <= stated < 1 << 42


def _changed(found: PlanHeader, first: bytes, size: int) -> str | None:
    """What a program that took the plan for text has done to it."""
    tail = first[4:]
    if not tail.isascii():
        try:
            text = codecs.getincrementaldecoder("utf-8")().decode(tail)
        except UnicodeDecodeError:
            text = ""
        wide = sum(character > "\x7f" for character in text)
        if wide >= _FEWEST_SEQUENCES:
            return "replaced" if text.count("\ufffd") * 2 > wide else "utf-8"
    feeds, pairs = first.count(b"\n"), first.count(b"\r\n")
    stated = found.length if found.length is not None else found.likely_length
    disagrees = stated is None or stated != size
    if feeds and feeds == pairs and disagrees and (feeds >= _FEWEST_SEQUENCES or _moved(first)):
        return "line-ends"
    return None


def _moved(first: bytes) -> bool:
    """Whether the numbers of the version are pushed back by a carriage return that was put in front of one of them."""
    return b"\r\n" in first[16:30]


def _calibration(number: str, algorithm: str) -> Identified:
    version: Version | None = decode_tensorrt(int(number)) if number.isdecimal() else None
    return Identified("calibration-cache", tensorrt=str(version) if version else None, calibrator=algorithm)


def _other(first: bytes) -> str:
    for start, kind in _STARTS:
        if first.startswith(start):
            return kind
    if first[0] == 0x08 and len(first) > 2 and 1 <= first[1] <= 32 and first[2] in _ONNX_SECOND:
        return "onnx"
    head = first.lstrip()[:64].lower()
    if head.startswith((b"<!doctype html", b"<html")):
        return "html"
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(first)
    except UnicodeDecodeError:
        return "unknown"
    return "text" if all(character.isprintable() or character in "\t\r\n" for character in text) else "unknown"
