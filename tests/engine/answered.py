"""One input of the fuzzer put through all that reads engine files: for the fuzzer, and for the replay of its corpus."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.engine.files import CALIBRATION, LFS, ONNX, TIMING, old_plan, plan, rtx_plan, ultralytics
from trtdoctor.engine import sidecar
from trtdoctor.engine.kinds import BYTES, identify, wrapper_end
from trtdoctor.engine.look import engine_of
from trtdoctor.matrix import Matrix
from trtdoctor.snapshot import Snapshot


def answer(matrix: Matrix, data: bytes) -> None:
    """The last byte says how long the file is said to be; the rest is the file, and then a sidecar."""
    content, size = data[:-1], len(data) - 1 + (data[-1] << 4 if data else 0)
    end = wrapper_end(content[:BYTES], max(0, size))
    assert end is None or 4 < end <= size
    engine = engine_of(identify(matrix, content[:BYTES], max(0, size)), max(0, size))
    if end is not None:
        identify(matrix, content[end : end + BYTES], size - end)
    made = Snapshot(engines=(engine,))
    assert Snapshot.from_plain(made.to_plain()).engines == (engine,)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return
    stamp = sidecar._stamp(document)
    if stamp is not None:
        sidecar.applied(engine, stamp)


def seeds() -> Iterator[bytes]:
    """What the fuzzer begins with."""
    stamp = sidecar.Stamp("0" * 64, 1, (("gpu", "NVIDIA L4"), ("version_compatible", False)), ("gpu",))
    yield json.dumps(stamp.to_plain()).encode() + b"\0"
    plans = (
        plan(size=700),
        plan((10, 13, 3, 9), size=600),
        old_plan(size=700),
        old_plan(None, 205, size=300),
        rtx_plan(size=600),
    )
    for content in (*plans, LFS, ONNX[:60], CALIBRATION, TIMING, ultralytics(plan(size=400)), b"\xff\xfef\0t\0r\0t\0"):
        yield content + b"\0"
        yield content + b"\x40"
