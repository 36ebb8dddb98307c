"""Files of engines built byte by byte from the measured layouts (matrix/engines.yaml); no byte of anybody's plan."""

from __future__ import annotations

import json
import struct

U8, I32, U64 = b"\x02\x80\x01\x00", b"\x07\x80\x01\x00", b"\x08\x80\x01\x00"
RECORD = b"\x12\x80\x01\x00\x10\x80\x01\x00"
H200 = (9, 0, 1_980_000, 3_201_000, 6144, 132)
RTX_4090 = (8, 9, 2_520_000, 10_501_000, 384, 128)
Board = tuple[int, int, int, int, int, int]


def device(board: Board) -> bytes:
    """The record of the GPU that builds."""
    major, minor, clock, memory_clock, bus, multiprocessors = board
    values = b"".join(I32 + struct.pack("<i", value) for value in (major, minor, clock, memory_clock, bus))
    values += b"".join(U64 + struct.pack("<Q", value) for value in (75_497_472, 56_623_104))
    return values + b"".join(I32 + struct.pack("<i", value) for value in (49_152, 102_400, 512, multiprocessors))


def versions(release: tuple[int, ...]) -> bytes:
    return b"".join(U8 + bytes([part % 256]) for part in release)


def filler(size: int) -> bytes:
    """Something binary: every byte there is, and the small records that plans are full of."""
    return (bytes(range(256)) + b"\n\x80\x01\x00\x00" * 20)[:size].ljust(size, b"\x07")


def old_plan(
    release: tuple[int, ...] | None = (8, 5, 3, 1),
    serialization: int = 232,
    board: Board | None = H200,
    size: int = 3000,
) -> bytes:
    """A plan of 8.5 or older, which is the bare archive; without ``release`` it does not name one."""
    body = versions(release) if release else b"\x21\x80\x01\x00" + bytes(8)
    body += RECORD + device(board) if board else b""
    body += filler(size - 24 - len(body))
    return b"ptrt" + bytes(4) + struct.pack("<QQ", serialization, len(body)) + body


def plan(
    release: tuple[int, ...] = (8, 6, 1, 6),
    serialization: int = 236,
    board: Board | None = RTX_4090,
    size: int = 3228,
    stated: int | None = None,
) -> bytes:
    """A plan of 8.6 or newer: a header, a section, the archive in it."""
    body = versions(release) + b"\xe5\x80\x01\x00" + I32 + bytes(4)
    body += RECORD + device(board) if board else b""
    body += filler(size - 80 - len(body))
    inner = b"ptrt" + bytes(4) + struct.pack("<QQ", serialization, len(body)) + body
    head = b"ftrt" + bytes(4) + struct.pack("<QQ", 1, size if stated is None else stated)
    head += bytes(part % 256 for part in release) + bytes(4)
    return head + b"NGNE" + bytes(4) + struct.pack("<QQ", 56, len(inner) - 24)[:16] + inner


def rtx_plan(release: tuple[int, ...] = (1, 7, 1, 116), mask: int = 0x7E, size: int = 2000) -> bytes:
    """An engine of TensorRT for RTX."""
    head = (
        b"vtrt"
        + bytes(4)
        + struct.pack("<QQ", 2, size)
        + bytes(release)
        + b"vtrt"
        + struct.pack("<I", mask)
        + bytes(28)
    )
    sections = b"NGNE" + bytes(4) + struct.pack("<QQ", 0x70, size) + b"THGW" + bytes(20)
    inner = b"ptrt" + struct.pack("<IQI", 100, size - 132, 0) + versions(release) + b"\x4e\x80\x01\x00" + I32 + bytes(4)
    made = (head + sections).ljust(112, b"\0") + inner
    return made + filler(size - len(made))


def ultralytics(inner: bytes, **metadata: object) -> bytes:
    """A plan with metadata in front."""
    text = json.dumps({"description": "a model", "names": {"0": "person"}, **metadata}).encode()
    return struct.pack("<i", len(text)) + text + inner


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 34709711\n"
ONNX = b"\x08\x08\x12\x07pytorch\x1a\x052.7.1:\x80\x01" + filler(300)
CALIBRATION = b"TRT-8503-EntropyCalibration2\ninput: 3f800000\noutput: 3c010a14\n"
TIMING = b"ptrt" + struct.pack("<IQI", 100, 152, 0) + b"\x13\x80\x01\x00" + bytes(148)
