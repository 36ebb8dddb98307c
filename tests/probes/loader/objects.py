"""Shared objects that the real loader takes, written without a linker: each field as a test wants it."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path

from tests.probes.roots import MACHINES

NEEDED, HASH, STRTAB, SYMTAB, STRSZ, SYMENT, SONAME, RPATH, RUNPATH = 1, 4, 5, 6, 10, 11, 14, 15, 29
FLAGS_1 = 0x6FFFFFFB
NODEFLIB, PIE = 0x800, 0x08000000


def shared_object(
    soname: str | None = None,
    *,
    needed: Sequence[str] = (),
    rpath: str | None = None,
    runpath: str | None = None,
    flags_1: int = 0,
    stack: str | None = "rw",
    machine: str | None = None,
    interpreter: str | None = None,
    content: bytes = b"",
) -> bytes:
    """A 64 bit little-endian object without code. ``stack``: flags of PT_GNU_STACK, None for no such segment."""
    strings = bytearray(b"\0")

    def text(value: str) -> int:
        place = len(strings)
        strings.extend(value.encode() + b"\0")
        return place

    entries = [(NEEDED, text(name)) for name in needed]
    entries += [(tag, text(value)) for tag, value in ((SONAME, soname), (RPATH, rpath), (RUNPATH, runpath)) if value]
    entries += [(FLAGS_1, flags_1)] if flags_1 else []
    count = 2 + (stack is not None) + (interpreter is not None)
    hash_at = 64 + 56 * count
    symbols_at = hash_at + 16
    dynamic_at = symbols_at + 24
    strings_at = dynamic_at + 16 * (len(entries) + 6)
    interpreter_at = strings_at + len(strings)
    name = interpreter.encode() + b"\0" if interpreter else b""
    size = interpreter_at + len(name) + len(content)
    entries += [(HASH, hash_at), (SYMTAB, symbols_at), (STRTAB, strings_at), (STRSZ, len(strings)), (SYMENT, 24)]
    dynamic = b"".join(struct.pack("<qQ", tag, value) for tag, value in [*entries, (0, 0)])
    number = MACHINES[machine or os.uname().machine]
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, number, 1, 0, 64, 0, 0, 64, 56, count, 64, 0, 0)
    rows = struct.pack("<IIQQQQQQ", 1, 6, 0, 0, 0, size, size, 0x10000)
    if interpreter:
        rows += struct.pack("<IIQQQQQQ", 3, 4, interpreter_at, interpreter_at, 0, len(name), len(name), 1)
    rows += struct.pack("<IIQQQQQQ", 2, 6, dynamic_at, dynamic_at, dynamic_at, len(dynamic), len(dynamic), 8)
    if stack is not None:
        flags = sum({"r": 4, "w": 2, "x": 1}[letter] for letter in stack)
        rows += struct.pack("<IIQQQQQQ", 0x6474E551, flags, 0, 0, 0, 0, 0, 16)
    hashes = struct.pack("<IIII", 1, 1, 0, 0)
    return head + rows + hashes + bytes(24) + dynamic + bytes(strings) + name + content


def library(path: Path | str, **fields: object) -> Path:
    """Write a library under its file's name as soname, unless another is given."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    fields.setdefault("soname", path.name)
    path.write_bytes(shared_object(**fields))  # type: ignore[arg-type]
    return path
