"""What the first bytes of a plan (a serialized engine) say; where things stand in them is in matrix/engines.yaml."""

from __future__ import annotations

from trtdoctor.matrix import Matrix, Row
from trtdoctor.record import record

BYTES = 64
"""So many are enough."""


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
        return PlanHeader(
            row.key,
            _version(row, first),
            length + row.get("length_adds").value if length is not None else None,
            _capabilities(matrix, mask) if mask is not None else None,
        )
    return None


def _version(row: Row, first: bytes) -> tuple[int, ...] | None:
    places: list[int] = row.get("version_at").value
    before = bytes.fromhex(row.text("version_after") or "")
    if len(first) <= max(places) or not first[: places[0]].endswith(before):
        return None
    return tuple(first[place] for place in places)


def _number(row: Row, key: str, size: int, first: bytes) -> int | None:
    """A little-endian number; None where the layout has none, or it was cut off."""
    start: int | None = row.get(key).value
    return int.from_bytes(first[start : start + size], "little") if start is not None and len(first) >= BYTES else None


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
    said = _numbers(version)
    if header.version and said and any(a != b % 256 for a, b in zip(header.version, said, strict=False)):
        found.append(f"it names version {header.shown}, the builder calls itself {version}")
    if header.length is not None and length is not None and header.length != length:
        found.append(f"it names {header.length} bytes, the plan has {length}")
    built_for = header.compute_capabilities
    if capabilities and built_for is not None and set(built_for) != set(capabilities):
        names = ", ".join(built_for) or "none that is known"
        found.append(f"it is for compute capability {names}, asked for was {', '.join(capabilities)}")
    return found


def _numbers(version: str | None) -> list[int]:
    """The leading numbers of ``10.13.3.9.post1``, at most four."""
    found: list[int] = []
    for part in (version or "").split(".")[:4]:
        if not part.isdecimal():
            break
        found.append(int(part))
    return found


def _capabilities(matrix: Matrix, mask: int) -> tuple[str, ...]:
    return tuple(row.key for row in matrix.rows("engines", "header_capabilities") if mask & row.get("bit").value)
