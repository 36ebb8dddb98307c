"""What the head of an ELF file says: for which machine it is, its own name, what it needs and where it looks.

Nothing is loaded and little is read: the headers, the dynamic section and the few strings that it names. No number
from the file is trusted: each offset and each count is checked against the file's length and a fixed bound.
Source: the System V ABI, chapters "Object Files" and "Dynamic Linking", and <elf.h>.
"""

from __future__ import annotations

import os
import struct

from trtdoctor.probes.files import open_regular
from trtdoctor.record import record

NOT_ELF, TRUNCATED, UNREADABLE = "not-elf", "truncated", "unreadable"
"""What can be wrong with a file: the words of ``Copy.problem``."""

_PROGRAM_HEADERS = 512
_DYNAMIC_BYTES = 64 * 1024
_STRING = 4096
_STRINGS = 256

_LOAD, _DYNAMIC = 1, 2
_NEEDED, _STRTAB, _SONAME, _RPATH, _RUNPATH = 1, 5, 14, 15, 29

_MACHINES = {3: "i386", 21: "ppc64", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv"}


class ElfError(Exception):
    """The file is no ELF object that can be read; ``problem`` is one of the words above."""

    def __init__(self, problem: str, detail: str) -> None:
        """``problem`` is a word for a Snapshot, ``detail`` what was seen."""
        super().__init__(f"{problem}: {detail}")
        self.problem = problem


@record
class Elf:
    """The facts of one file."""

    bits: int
    """32 or 64."""
    machine: str
    """As ``uname -m`` writes it; ``machine-N`` for one without a name here. ppc64 with little end is ``ppc64le``."""
    shared: bool
    """Whether it is a shared object (position-independent programs are, too)."""
    soname: str | None
    needed: tuple[str, ...]
    rpath: str | None
    runpath: str | None


def read(path: str) -> Elf:
    """Read the head of the file at ``path``. Raises :class:`ElfError` only."""
    try:
        handle = open_regular(path)
    except (OSError, ValueError) as error:
        raise ElfError(UNREADABLE, type(error).__name__) from None
    try:
        return _File(handle).elf()
    except OSError as error:
        raise ElfError(UNREADABLE, type(error).__name__) from None
    finally:
        os.close(handle)


class _File:
    """One open file, and how its numbers are written."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.size = os.fstat(handle).st_size

    def at(self, offset: int, length: int, what: str) -> bytes:
        """Just ``length`` bytes at ``offset``; raises ElfError when the file has not got them."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise ElfError(TRUNCATED, f"{what} lies beyond the end")
        found = os.pread(self.handle, length, offset)
        if len(found) != length:
            raise ElfError(TRUNCATED, f"{what} cannot be read whole")
        return found

    def elf(self) -> Elf:
        if not self.size:
            raise ElfError(TRUNCATED, "an empty file")
        head = os.pread(self.handle, 16, 0)
        if not b"\x7fELF".startswith(head[:4]):
            raise ElfError(NOT_ELF, "another first four bytes")
        if len(head) < 16:
            raise ElfError(TRUNCATED, "no room for a header")
        if head[4] not in (1, 2) or head[5] not in (1, 2):
            raise ElfError(NOT_ELF, "unknown class or byte order")
        wide, end = head[4] == 2, "<" if head[5] == 1 else ">"
        form = struct.Struct(end + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"))
        kind, machine, _, _, first, _, _, _, entry, count, *_ = form.unpack(self.at(16, form.size, "the header"))
        segments = self.segments(wide, end, first, entry, count)
        for offset, _, length, _ in segments:
            if offset + length > self.size:
                raise ElfError(TRUNCATED, "a segment lies beyond the end")
        entries = self.dynamic(wide, end, segments)
        texts = self.texts(entries, segments)
        name = _MACHINES.get(machine, f"machine-{machine}")
        return Elf(
            bits=64 if wide else 32,
            machine="ppc64le" if name == "ppc64" and end == "<" else name,
            shared=kind == 3,
            soname=next(iter(texts.get(_SONAME, ())), None),
            needed=tuple(texts.get(_NEEDED, ())),
            rpath=next(iter(texts.get(_RPATH, ())), None),
            runpath=next(iter(texts.get(_RUNPATH, ())), None),
        )

    def segments(self, wide: bool, end: str, first: int, entry: int, count: int) -> list[tuple[int, int, int, int]]:
        """(offset, address, length in the file, type) of the segments that matter."""
        form = struct.Struct(end + ("IIQQQQQQ" if wide else "IIIIIIII"))
        if not count:
            return []
        if count > _PROGRAM_HEADERS or entry < form.size or entry > 4096:
            raise ElfError(NOT_ELF, "an impossible table of segments")
        table = self.at(first, entry * count, "the table of segments")
        found = []
        for number in range(count):
            if wide:
                kind, _, offset, address, _, length, _, _ = form.unpack_from(table, number * entry)
            else:
                kind, offset, address, _, length, _, _, _ = form.unpack_from(table, number * entry)
            if kind in (_LOAD, _DYNAMIC):
                found.append((offset, address, length, kind))
        return found

    def dynamic(self, wide: bool, end: str, segments: list[tuple[int, int, int, int]]) -> list[tuple[int, int]]:
        """(tag, value) of the dynamic section, up to its end mark."""
        place = next((item for item in segments if item[3] == _DYNAMIC), None)
        if place is None:
            return []
        form = struct.Struct(end + ("qQ" if wide else "iI"))
        length = min(place[2], _DYNAMIC_BYTES) // form.size * form.size
        found: list[tuple[int, int]] = []
        for tag, value in form.iter_unpack(self.at(place[0], length, "the dynamic section")):
            if tag == 0:
                break
            found.append((tag, value))
        return found

    def texts(self, entries: list[tuple[int, int]], segments: list[tuple[int, int, int, int]]) -> dict[int, list[str]]:
        """The strings that the dynamic section names, by tag."""
        address = next((value for tag, value in entries if tag == _STRTAB), None)
        wanted = [(tag, value) for tag, value in entries if tag in (_NEEDED, _SONAME, _RPATH, _RUNPATH)]
        if address is None or not wanted:
            return {}
        for offset, start, length, kind in segments:
            if kind == _LOAD and start <= address < start + length:
                table, rest = offset + address - start, length - (address - start)
                break
        else:
            raise ElfError(NOT_ELF, "a table of strings that no segment holds")
        found: dict[int, list[str]] = {}
        for tag, value in wanted[:_STRINGS]:
            if value >= rest:
                raise ElfError(NOT_ELF, "a string outside of its table")
            raw = os.pread(self.handle, min(_STRING, rest - value), table + value)
            found.setdefault(tag, []).append(raw.partition(b"\0")[0].decode("utf-8", "replace"))
        return found
