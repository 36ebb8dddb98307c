"""``FILE.trtdoctor.json``: what a header cannot tell of an engine, written down where it was built.

It holds the engine's digest, so that nobody takes the words of another file for it. No host, user or path stands in it.
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import replace
from typing import Any

from trtdoctor.engine.header import numbers
from trtdoctor.record import record
from trtdoctor.snapshot import Engine, Snapshot
from trtdoctor.text import as_json, clean

SCHEMA = "trtdoctor-engine-stamp/1"
ENDING = ".trtdoctor.json"
MAX_BYTES = 1 << 18
_DIGEST = re.compile(r"[0-9a-f]{64}")
_VERSION = re.compile(r"\d{1,6}(?:\.[0-9A-Za-z+]{1,16}){0,5}")
_CAPABILITY = re.compile(r"\d{1,2}\.\d{1,2}")
_WORD = re.compile(r"[a-z][a-z0-9_.-]{0,40}")
_FORMS = {
    "tensorrt": _VERSION,
    "product": re.compile("full|rtx"),
    "compute_capability": _CAPABILITY,
    "gpu": re.compile(r".{1,100}"),
    "system": _WORD,
    "hardware_compatibility": _WORD,
    "precision": _WORD,
}
_FLAGS = ("version_compatible", "weights_stripped", "lean_runtime_excluded")
FIELDS = (*_FORMS, *_FLAGS)
"""What a stamp can say of an engine."""


@record
class Stamp:
    """What one sidecar says."""

    sha256: str
    size: int
    says: tuple[tuple[str, str | bool], ...] = ()
    """Fields of :class:`~trtdoctor.snapshot.Engine` with their values."""
    told: tuple[str, ...] = ()
    """Those of them that the user told; the others were read, from the machine or from the builder."""
    written: str | None = None
    """ISO date."""
    program: str | None = None
    built_with: tuple[tuple[str, str], ...] = ()
    """The machine in short: component to version."""

    def to_plain(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "schema": SCHEMA,
            "sha256": self.sha256,
            "size": self.size,
            "engine": dict(self.says),
            "told": list(self.told),
            "built_with": dict(self.built_with),
            "written": self.written,
            "program": self.program,
        }


def place_of(path: str) -> str:
    """Where the sidecar of a file lies."""
    return path + ENDING


def at_once(path: str, flags: int) -> int:
    """Open a file without waiting for what is at the other end of a pipe (an opener for ``open``)."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read(place: str) -> Stamp | None:
    """The stamp in a sidecar; None when it is none, whatever it is instead."""
    try:
        with open(place, "rb", opener=at_once) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                return None
            content = stream.read(MAX_BYTES + 1)
        document = json.loads(content) if len(content) <= MAX_BYTES else None
    except (OSError, ValueError, RecursionError):
        return None
    return _stamp(document)


def _stamp(document: Any) -> Stamp | None:
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        return None
    digest, size, says = (document.get(key) for key in ("sha256", "size", "engine"))
    if not (isinstance(digest, str) and _DIGEST.fullmatch(digest)) or not isinstance(says, dict):
        return None
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 62:
        return None
    fields = tuple((name, value) for name in FIELDS if (value := checked(name, says.get(name))) is not None)
    told, built_with = document.get("told"), document.get("built_with")
    names = tuple(name for name in FIELDS if name in told) if isinstance(told, list) else ()
    words = built_with.items() if isinstance(built_with, dict) else ()
    with_what = tuple((clean(key, 60), clean(value, 200)) for key, value in words if isinstance(value, str))[:32]
    return Stamp(digest, size, fields, names, _text(document.get("written")), _text(document.get("program")), with_what)


def checked(name: str, value: Any) -> str | bool | None:
    """A value as it may stand in a stamp; None for one that is none."""
    if name in _FLAGS:
        return value if isinstance(value, bool) else None
    text = clean(value, 100) if isinstance(value, str) else ""
    return text if _FORMS[name].fullmatch(text) else None


def _text(value: Any) -> str | None:
    return clean(value, 100) if isinstance(value, str) else None


def contradictions(engine: Engine, says: dict[str, str | bool]) -> list[str]:
    """What is said of an engine that its own header denies, a sentence each."""
    found = []
    product, release = says.get("product"), says.get("tensorrt")
    if product and engine.product and product != engine.product:
        found.append(f"its header is one of the product {engine.product}, not {product}")
    if isinstance(release, str) and engine.tensorrt:
        pairs = zip(numbers(engine.tensorrt), numbers(release), strict=False)
        if any(a != b and a != b % 256 for a, b in pairs):
            found.append(f"its header says TensorRT {engine.tensorrt}, not {release}")
    return found


def applied(engine: Engine, stamp: Stamp) -> Engine:
    """``engine`` with what its sidecar says, where its header says nothing; the header's own word stands."""
    says = dict(stamp.says)
    if contradictions(engine, says):
        return replace(engine, sidecar="contradicts")
    changes: dict[str, Any] = {}
    for name, value in says.items():
        known = getattr(engine, name, None)
        if known is None or name in engine.inferred or (name == "tensorrt" and _fuller(str(value), str(known))):
            changes[name] = value
    inferred = tuple(name for name in engine.inferred if name not in changes)
    return replace(engine, **changes, inferred=inferred, from_sidecar=tuple(changes))


def _fuller(said: str, known: str) -> bool:
    """Whether a version says more than the header's: a build above 255, which one byte does not hold."""
    return numbers(said)[:3] == numbers(known)[:3] and len(numbers(said)) >= len(numbers(known))


def built_with(snapshot: Snapshot) -> tuple[tuple[str, str], ...]:
    """A machine in short, for a stamp: no names of it, no paths."""
    platform = snapshot.platform
    system = " ".join(filter(None, (platform.distribution, platform.distribution_version, platform.architecture)))
    releases = [
        f"{copy.version}{' ' + copy.product if copy.product else ''}"
        for copy in snapshot.copies
        if copy.component == "tensorrt" and copy.role in (None, "builder", "runtime") and copy.version
    ]
    words = {
        "system": system,
        "driver": snapshot.driver.version or snapshot.driver.kernel_version,
        "cuda_of_driver": snapshot.driver.cuda,
        "gpus": ", ".join(dict.fromkeys(gpu.name for gpu in snapshot.gpus or () if gpu.name)),
        "tensorrt": ", ".join(dict.fromkeys(releases)),
        "container": snapshot.container.image if snapshot.container else None,
    }
    return tuple((key, value) for key, value in words.items() if value)


def write(path: str, stamp: Stamp) -> str:
    """Write the sidecar of a file, whole or not at all; its path. Raises OSError."""
    place = place_of(path)
    target = os.path.realpath(place)
    part = os.path.join(os.path.dirname(target), f".trtdoctor-{os.urandom(6).hex()}")
    try:
        with open(part, "x", encoding="utf-8") as stream:
            stream.write(as_json(stamp.to_plain()))
        os.replace(part, target)
    except BaseException:
        if os.path.exists(part):
            os.unlink(part)
        raise
    return place
