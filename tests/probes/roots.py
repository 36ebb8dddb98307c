"""Roots in a temporary directory for the probes' tests: real files, real links, the smallest honest ELF."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from pathlib import Path

from trtdoctor.probes.base import ProbeContext

MACHINES = {"x86_64": 62, "aarch64": 183}


def context(root: Path, environ: Mapping[str, str] | None = None) -> ProbeContext:
    """A context that knows no libraries and no distributions."""
    return ProbeContext(root, dict(environ or {}), lambda name: None, lambda name: None)


def write(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files below ``root``; a text that begins with ``->`` makes a symbolic link."""
    for name, content in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content.startswith("->"):
            path.symlink_to(content[2:])
        else:
            path.write_text(content)
    return root


def elf(soname: str, machine: str | None = None) -> bytes:
    """A shared object that holds nothing but its name."""
    strings = b"\0" + soname.encode() + b"\0"
    head, entry = 64, 56
    dynamic_at = head + 2 * entry
    dynamic = struct.pack("<qQqQqQqQ", 14, 1, 5, dynamic_at + 64, 10, len(strings), 0, 0)
    size = dynamic_at + len(dynamic) + len(strings)
    number = MACHINES.get(machine or os.uname().machine, 62)
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, number, 1, 0, head, 0, 0, 64, entry, 2, 64, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, size, size, 4096)
    place = struct.pack("<IIQQQQQQ", 2, 4, dynamic_at, dynamic_at, dynamic_at, len(dynamic), len(dynamic), 8)
    return header + load + place + dynamic + strings
