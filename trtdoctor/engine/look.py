"""One file looked at: what it is, what its header says, what its sidecar adds. Reads some KiB of it, and no more.

Only where there is a sidecar to be verified, or to be written, is the whole file read.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import replace
from datetime import datetime, timezone

from trtdoctor.engine import sidecar
from trtdoctor.engine.header import PlanHeader
from trtdoctor.engine.kinds import BYTES, PLAN, Identified, identify, wrapper_end
from trtdoctor.matrix import Matrix
from trtdoctor.snapshot import Engine
from trtdoctor.text import clean

DIGEST_SECONDS = 60.0
"""A digest that takes longer is given up."""
_CHUNK = 1 << 20


def look(matrix: Matrix, path: str, *, verify: bool = True) -> Engine:
    """The engine or cache in a file, as a record for a Snapshot; kind ``unreadable`` for what cannot be read.

    ``verify``: hold its sidecar, when it has one, against the file's digest.
    """
    shown = clean(os.path.abspath(path))
    try:
        with open(path, "rb", buffering=0, opener=sidecar.at_once) as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode):
                return Engine(path=shown, kind="unreadable")
            first = stream.read(BYTES)
            identified, wrapper = _unwrapped(matrix, stream.fileno(), first, found.st_size)
    except (OSError, ValueError):
        return Engine(path=shown, kind="unreadable")
    engine = engine_of(identified, found.st_size, wrapper)
    engine = replace(engine, path=shown, modified=_day(found.st_mtime))
    return _with_sidecar(engine, path, verify)


def engine_of(found: Identified, size: int, wrapper: str | None = None) -> Engine:
    """The record of an identified file of ``size`` bytes."""
    engine = Engine(kind=found.kind, problem=found.problem, problem_is_sure=found.sure, wrapper=wrapper, size=size)
    if found.kind == "calibration-cache":
        return replace(engine, tensorrt=found.tensorrt, calibrator=found.calibrator)
    if found.header is None:
        return engine
    return _with_header(engine, found.header)


def _with_header(engine: Engine, header: PlanHeader) -> Engine:
    device = header.device
    stated = header.length if header.length is not None else header.likely_length
    return replace(
        engine,
        tensorrt=header.shown if header.version else None,
        product="rtx" if header.layout == "tensorrt-rtx" else "full",
        layout=header.layout,
        stated_bytes=stated if stated is not None and stated < 1 << 62 else None,
        serialization=header.serialization,
        compute_capabilities=header.compute_capabilities,
        other_capabilities=header.unnamed_capabilities,
        compute_capability=device.compute_capability if device else None,
        multiprocessors=device.multiprocessors if device else None,
        inferred=("compute_capability", "multiprocessors") if device else (),
    )


def _unwrapped(matrix: Matrix, handle: int, first: bytes, size: int) -> tuple[Identified, str | None]:
    """What a file is, or what stands behind the metadata in front of it, and whose metadata that is."""
    end = wrapper_end(first, size)
    if end is None:
        return identify(matrix, first, size), None
    behind = first[end:] if len(first) == size else os.pread(handle, BYTES, end)
    found = identify(matrix, behind, size - end)
    if found.kind in (PLAN, "archive"):
        return found, "ultralytics"
    return identify(matrix, first, size), None


def digest(path: str, seconds: float = DIGEST_SECONDS) -> str | None:
    """SHA-256 of a whole regular file in hexadecimal digits; None when it takes longer, or cannot be read."""
    import hashlib

    made = hashlib.sha256()
    until = time.monotonic() + seconds
    try:
        with open(path, "rb", buffering=0, opener=sidecar.at_once) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                return None
            while chunk := stream.read(_CHUNK):
                made.update(chunk)
                if time.monotonic() > until:
                    return None
    except OSError:
        return None
    return made.hexdigest()


def _with_sidecar(engine: Engine, path: str, verify: bool) -> Engine:
    place = sidecar.place_of(path)
    if not os.path.lexists(place):
        return engine
    stamp = sidecar.read(place)
    if stamp is None:
        return replace(engine, sidecar="unreadable")
    if stamp.size != engine.size:
        return replace(engine, sidecar="stale")
    if not verify:
        return replace(engine, sidecar="unverified")
    found = digest(path)
    if found is None:
        return replace(engine, sidecar="unverified")
    if found != stamp.sha256:
        return replace(engine, sidecar="stale", sha256=found)
    return sidecar.applied(replace(engine, sidecar="verified", sha256=found), stamp)


def _day(seconds: float) -> str | None:
    """The day of a time in seconds since 1970, in UTC; None for what is no day of a calendar."""
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).date().isoformat()
    except (OverflowError, OSError, ValueError):
        return None
