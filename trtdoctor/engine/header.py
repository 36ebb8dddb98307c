"""What the first bytes of a plan (a serialized engine) say; where things stand in them is in matrix/engines.yaml.

Pure, and for any bytes: no number that is read is used as a length or a place.
"""

from __future__ import annotations

from trtdoctor.matrix import Matrix, Row
from trtdoctor.record import record

BYTES = 64
"""So many are enough for version, length and compute capabilities."""
_MARK_WITHIN = 256
"""The mark of the record of the building GPU stands within so many bytes of the archive's beginning."""
_MOST_SERIALIZATION = 1 << 16
"""Numbers of the archive's format are small: what is greater stands there for something else."""
_CLOCKS = range(10_000, 20_000_000)
"""Clocks of a GPU, in kHz: what lies outside is no clock, and the record none."""


@record
class Device:
    """The GPU that built a plan, as it stands in a place that is documented nowhere."""

    compute_capability: str
    multiprocessors: int | None
    """How many streaming multiprocessors it has."""


@record
class PlanHeader:
    """The header of a plan."""

    layout: str
    """``tensorrt``, ``tensorrt-8.5`` (the one before 8.6), ``tensorrt-rtx``."""
    version: tuple[int, ...] | None
    """Of the TensorRT that built it: four numbers, the last one modulo 256; None where it was cut off."""
    length: int | None
    """Bytes of the whole plan, by its own word; None where nobody is sure where it stands."""
    compute_capabilities: tuple[str, ...] | None = None
    """What it was built for, as far as the matrix has names for it; None where the header does not say it."""
    likely_length: int | None = None
    """The same where it stands in other releases than those of which it is known."""
    serialization: int | None = None
    """Number of the archive's format."""
    device: Device | None = None
    """The GPU that built it: inferred."""
    unnamed_capabilities: bool | None = None
    """Whether it was built for more than the matrix has names for; None where the header does not say it."""

    @property
    def shown(self) -> str:
        """The version for a sentence."""
        return ".".join(map(str, self.version)) if self.version else "unknown"


def read(matrix: Matrix, first: bytes) -> PlanHeader | None:
    """The header at the beginning of ``first``; None when it is none that the matrix knows."""
    for row in matrix.rows("engines", "headers"):
        if not first.startswith(str(row.text("magic")).encode("ascii")):
            continue
        length, mask = _number(row, "length_at", 8, first), _number(row, "capabilities_at", 4, first)
        adds = row.get("length_adds").value or 0
        likely = length if length is not None else _number(row, "length_seen_at", 8, first)
        return PlanHeader(
            row.key,
            _version(row, first),
            length + adds if length is not None else None,
            _capabilities(matrix, mask) if mask is not None else None,
            likely + adds if likely is not None else None,
            _serialization(matrix, row, first),
            _device(matrix, row, first),
            _unnamed(matrix, mask) if mask is not None else None,
        )
    return None


def length_is_sure(matrix: Matrix, header: PlanHeader) -> bool:
    """Whether the length stands where it was read in plans of just that release."""
    if header.length is not None:
        return True
    row = next((row for row in matrix.rows("engines", "headers") if row.key == header.layout), None)
    return row is not None and _seen_in(row, header.version)


def _seen_in(row: Row, version: tuple[int, ...] | None) -> bool:
    releases: list[str] = row.get("length_seen_in").value or []
    shown = ".".join(map(str, version or ()))
    return any(f"{shown}.".startswith(f"{release}.") for release in releases)


def _version(row: Row, first: bytes) -> tuple[int, ...] | None:
    places: list[int] = row.get("version_at").value
    before = bytes.fromhex(row.text("version_after") or "")
    if len(first) <= max(places) or not first[: places[0]].endswith(before):
        return None
    return tuple(first[place] for place in places) if _as_known(row, first) else None


def _as_known(row: Row, first: bytes) -> bool:
    """Whether what is zero in the layout that is known is zero here."""
    zero: int | None = row.get("zero_at").value
    return zero is None or not any(first[zero : zero + 4])


def _number(row: Row, key: str, size: int, first: bytes) -> int | None:
    """A little-endian number; None where the layout has none, or it was cut off."""
    start: int | None = row.get(key).value
    return int.from_bytes(first[start : start + size], "little") if start is not None and len(first) >= BYTES else None


def _serialization(matrix: Matrix, row: Row, first: bytes) -> int | None:
    inner, start, size = (row.get(key).value for key in ("inner_at", "serialization_at", "serialization_bytes"))
    if start is None or len(first) < start + size or not _as_known(row, first):
        return None
    plain = [
        str(other.text("magic")) for other in matrix.rows("engines", "headers") if other.get("inner_at").value == 0
    ]
    if not first[inner:].startswith(tuple(magic.encode("ascii") for magic in plain)):
        return None
    found = int.from_bytes(first[start : start + size], "little")
    return found if found < _MOST_SERIALIZATION else None


def _device(matrix: Matrix, row: Row, first: bytes) -> Device | None:
    """The building GPU; None unless each tag stands where it should and the values can be those of a GPU."""
    inner = row.get("inner_at").value
    for record_row in matrix.rows("engines", "device_records") if inner is not None else ():
        mark = bytes.fromhex(record_row.text("after") or "")
        start = first.find(mark, inner, inner + _MARK_WITHIN)
        values = _values(record_row, first, start + len(mark)) if start >= 0 else None
        if values is None or any(values.get(key) not in _CLOCKS for key in ("clock_khz", "memory_clock_khz")):
            continue
        if values["major"] not in range(1, 64) or values["minor"] not in range(10):
            continue
        return Device(f"{values['major']}.{values['minor']}", values.get("multiprocessors"))
    return None


def _values(row: Row, first: bytes, place: int) -> dict[str, int] | None:
    """The named values that follow one another from ``place`` on, each behind its tag."""
    found: dict[str, int] = {}
    for field in row.get("fields").value:
        name, _, digits = field.partition(":")
        size = int(digits)
        tag = bytes.fromhex(row.text(f"tag_{size}") or "")
        if first[place : place + 4] != tag or len(first) < place + 4 + size:
            return None
        found[name] = int.from_bytes(first[place + 4 : place + 4 + size], "little")
        place += 4 + size
    return found


def disagreements(
    header: PlanHeader | None,
    *,
    product: str,
    version: str | None,
    length: int | None,
    capabilities: tuple[str, ...] = (),
) -> list[str]:
    """What a header says that is not so: who built the plan, how long it is, what it was asked to be for.

    ``product`` is ``tensorrt`` or ``tensorrt-rtx``, ``version`` what the builder calls itself, ``length`` the bytes
    of the plan, ``capabilities`` what was asked for. Empty when all agrees, or nothing can be compared.
    """
    if header is None:
        return []
    found = []
    if (header.layout == "tensorrt-rtx") != (product == "tensorrt-rtx"):
        found.append(f"it is a plan of {'TensorRT for RTX' if header.layout == 'tensorrt-rtx' else 'TensorRT'}")
    said = numbers(version)
    if header.version and said and any(a != b % 256 for a, b in zip(header.version, said, strict=False)):
        found.append(f"it names version {header.shown}, the builder calls itself {version}")
    if header.length is not None and length is not None and header.length != length:
        found.append(f"it names {header.length} bytes, the plan has {length}")
    built_for = header.compute_capabilities
    if capabilities and built_for is not None and set(built_for) != set(capabilities):
        names = ", ".join(built_for) or "none that is known"
        found.append(f"it is for compute capability {names}, asked for was {', '.join(capabilities)}")
    return found


def numbers(version: str | None) -> list[int]:
    """The leading numbers of ``10.13.3.9.post1``, at most four."""
    found: list[int] = []
    for part in (version or "").split(".")[:4]:
        if not (part.isdecimal() and len(part) < 9):
            break
        found.append(int(part))
    return found


def _capabilities(matrix: Matrix, mask: int) -> tuple[str, ...]:
    return tuple(row.key for row in matrix.rows("engines", "header_capabilities") if mask & row.get("bit").value)


def _unnamed(matrix: Matrix, mask: int) -> bool:
    named = sum(row.get("bit").value for row in matrix.rows("engines", "header_capabilities"))
    return bool(mask & ~named)
