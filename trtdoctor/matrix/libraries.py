"""What a shared library is, told by its file name alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from trtdoctor.lazyre import pattern
from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import Row
from trtdoctor.record import record

_LONGEST = 255
_FIELDS = {
    "major": r"(?P<major>\d{1,2})",
    "minor": r"(?P<minor>\d{1,4})",
    "sm": r"(?P<sm>\d{2,4})",
    "digits": r"(?P<digits>\d{2,4})",
}
_HASH = r"(?:-[0-9a-f]{8})?"
"""What auditwheel puts into the name of a library that it copies into a wheel."""
_HASHED = pattern(r"-[0-9a-f]{8}\.so")


@record
class LibrarySpec:
    """What a file name says."""

    name: str
    """Without version: ``libnvinfer_plugin``, on Windows too."""
    component: str
    """``tensorrt``, ``cuda`` (the runtime), ``cudnn``, ``cublas``, ``nvrtc``, ``nvjitlink``, ``driver``, …"""
    role: str
    """``builder``, ``plugin``, ``parser``, ``builder-resource``, ``lean``, ``runtime``, ``sublibrary``, …"""
    product: str | None
    """TensorRT only: ``full``, ``lean``, ``dispatch``, ``rtx``; None when the file belongs to several."""
    version: str | None
    """The version in the file name, of what ``counts`` says; a soname gives the first number only."""
    counts: str
    """``own`` (the component's version), ``cuda`` (a CUDA version), ``driver``, ``none``."""
    capability: str | None = None
    """Compute capability that a per-GPU builder resource is for: ``"8.6"``."""


@record
class _Template:
    row: Row
    text: str
    windows: bool


def identify(matrix: Matrix, filename: str) -> LibrarySpec | None:
    """What the file ``filename`` (no directories) is; None when it is none of the stack's libraries."""
    if len(filename) > _LONGEST:
        return None
    index = matrix.remember("libraries index", lambda: _build(matrix))
    for template in index.get(_stem(filename.lower()), ()):
        match = _compiled(template.text, template.windows).fullmatch(filename)
        if match is not None:
            return _spec(template.row, filename, match.groupdict())
    return None


def sonames(matrix: Matrix, name: str) -> tuple[str, ...]:
    """The sonames of a library as templates (``libnvinfer.so.{major}``), newest first."""
    row = next((item for item in matrix.rows("libraries", "libraries") if item.key == name), None)
    return tuple(row.get("linux", "soname").value) if row else ()


def _spec(row: Row, filename: str, parts: dict[str, str | None]) -> LibrarySpec:
    stands = row.get("stands_for").value
    plain = _HASHED.sub(".so", filename).lower()
    version = next((means for soname, means in (stands or {}).items() if soname.lower() == plain), None)
    if version is None:
        version = parts.get("version") or _joined(parts)
    counts = row.text("version_is") or "none"
    if counts == "driver" and version is not None and "." not in version:
        version = None  # libcuda.so.1 is a soname and says nothing of the driver
    product, number = row.text("product"), parts.get("sm")
    return LibrarySpec(
        name=row.key,
        component=str(row.text("component")),
        role=str(row.text("role")),
        product=None if product == "any" else product,
        version=version,
        counts=counts,
        capability=f"{number[:-1]}.{number[-1]}" if number else None,
    )


def _joined(parts: dict[str, str | None]) -> str | None:
    if parts.get("major"):
        return f"{parts['major']}.{parts['minor']}" if parts.get("minor") else parts["major"]
    digits = parts.get("digits")
    return f"{digits[:-1]}.{digits[-1]}" if digits else None


def _build(matrix: Matrix) -> dict[str, tuple[_Template, ...]]:
    index: dict[str, tuple[_Template, ...]] = {}
    for row in matrix.rows("libraries", "libraries"):
        for template in _templates(row):
            stem = _stem(template.text.lower())
            index[stem] = (*index.get(stem, ()), template)
    return index


def _templates(row: Row) -> Iterator[_Template]:
    yield from (_Template(row, text, windows=False) for text in row.get("linux", "files").value or ())
    yield from (_Template(row, text, windows=True) for text in row.get("windows", "dll").value or ())


@lru_cache(maxsize=512)
def _compiled(template: str, windows: bool) -> re.Pattern[str]:
    """Compiled when a name of that stem is first seen: compiling all of them costs more than a whole check."""
    text = re.escape(template).replace(r"\{", "{").replace(r"\}", "}")
    text = text if windows else text.replace(r"\.so", _HASH + r"\.so", 1)
    text = text.replace(r"\.{version}", r"(?:\.(?P<version>\d{1,9}(?:\.\d{1,9}){0,5}))?")
    for name, field in _FIELDS.items():
        text = text.replace("{" + name + "}", field)
    return re.compile(text, re.ASCII | (re.IGNORECASE if windows else 0))


_STEM = pattern(r"[a-z]+(?:[-_][a-z]+)*")


def _stem(name: str) -> str:
    """The letters that a name begins with, so that only few templates are tried."""
    match = _STEM.match(name)
    head = match.group() if match else ""
    return head[:8]


def owner_of_symbol(matrix: Matrix, symbol: str) -> str | None:
    """The component that a dynamic symbol belongs to, by its (mangled) name; None when nothing says so."""
    for row in matrix.rows("libraries", "symbols"):
        if any(part in symbol for part in row.get("contains").value):
            return row.text("component")
    return None


def from_host(matrix: Matrix, filename: str) -> str | None:
    """``jetpack`` for a library that a Jetson's images get from the host; None for any other."""
    row = next((item for item in matrix.rows("libraries", "host_libraries") if item.key == filename), None)
    return row.text("component") if row else None
