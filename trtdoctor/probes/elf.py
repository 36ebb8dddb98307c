"""What the head of an ELF file says: for which machine it is, its own name, what it needs and where it looks.

Nothing is loaded and little is read: the headers, the dynamic section, the tables of symbol versions and the few
strings that these name. No number from the file is trusted: each offset and each count is checked against the file's
length and a fixed bound.

Why not pyelftools, with which the tests compare: its import costs 50 to 100 ms and a file 3 to 7 ms, this 0.1 to
0.3 ms, and ``check`` reads every library of the stack; and it has no bounds for hostile files.

Source: the System V ABI, chapters "Object Files" and "Dynamic Linking", <elf.h>, and for symbol versions the Linux
Standard Base, "Symbol Versioning".
"""

from __future__ import annotations

import contextlib
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
_VERSIONS = 4096
"""So many symbol versions are read of one table; libc, which has the most, defines some fifty."""
_VERSION_TABLE = 8 * 1024, 256 * 1024
"""So much of a table of versions is read at first, and at most."""

_LOAD, _DYNAMIC, _INTERP, _GNU_STACK = 1, 2, 3, 0x6474E551
_EXECUTABLE = 1
_NEEDED, _STRTAB, _SONAME, _RPATH, _RUNPATH = 1, 5, 14, 15, 29
_FLAGS_1, _VERDEF, _VERNEED = 0x6FFFFFFB, 0x6FFFFFFC, 0x6FFFFFFE
_NODEFLIB, _PIE = 0x800, 0x08000000
_WEAK = 2
_PAGE = 4096
_ET_EXEC, _ET_DYN = 2, 3

_MACHINES = {3: "i386", 21: "ppc64", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv"}


class ElfError(Exception):
    """The file is no ELF object that can be read; ``problem`` is one of the words above.

    ``bits`` and ``machine`` are what its header says, when there was one that could be read.
    """

    bits: int | None = None
    machine: str | None = None
    cut: bool = False
    """Whether the head is whole and what it describes is not all there: the loader maps it, and the process dies."""

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
    dynamic: bool = True
    """Whether it has a dynamic section; a static program and a file of debugging information have none."""
    program: bool = False
    """Whether it says that it is a program, which no process can dlopen: ET_EXEC, or DF_1_PIE."""
    interpreter: str | None = None
    """The dynamic loader that a program asks for (PT_INTERP)."""
    executable_stack: bool | None = None
    """What PT_GNU_STACK asks for; None when there is no such segment, and the machine's default counts."""
    nodeflib: bool = False
    """DF_1_NODEFLIB: the default directories are not for what this object needs."""
    versions_needed: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Symbol versions that it must find, by the soname of the library that is to have them; weak ones left out."""
    versions_defined: tuple[str, ...] = ()
    """Symbol versions that it has. The first is its own name, as linkers write it."""


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
        name = _MACHINES.get(machine, f"machine-{machine}")
        name = "ppc64le" if name == "ppc64" and end == "<" else name
        bits = 64 if wide else 32
        try:
            segments = self.segments(wide, end, first, entry, count)
            entries = self.dynamic(wide, end, segments)
            strings = self.strings(entries, segments)
            texts = self.texts(entries, strings)
            needed = self.versions_needed(end, entries, segments, strings)
            defined = self.versions_defined(end, entries, segments, strings)
        except ElfError as error:
            error.bits, error.machine = bits, name
            raise
        flags = next((value for tag, value in entries if tag == _FLAGS_1), 0)
        stack = next((item for item in segments if item.kind == _GNU_STACK), None)
        return Elf(
            bits=bits,
            machine=name,
            shared=kind == _ET_DYN,
            soname=next(iter(texts.get(_SONAME, ())), None),
            needed=tuple(texts.get(_NEEDED, ())),
            rpath=next(iter(texts.get(_RPATH, ())), None),
            runpath=next(iter(texts.get(_RUNPATH, ())), None),
            dynamic=any(item.kind == _DYNAMIC and item.length for item in segments),
            program=kind == _ET_EXEC or bool(flags & _PIE),
            interpreter=self.interpreter(segments),
            executable_stack=bool(stack.flags & _EXECUTABLE) if stack else None,
            nodeflib=bool(flags & _NODEFLIB),
            versions_needed=needed,
            versions_defined=defined,
        )

    def segments(self, wide: bool, end: str, first: int, entry: int, count: int) -> list[_Segment]:
        """The segments that matter."""
        form = struct.Struct(end + ("IIQQQQQQ" if wide else "IIIIIIII"))
        if not count:
            return []
        if count > _PROGRAM_HEADERS or entry < form.size or entry > 4096:
            raise ElfError(NOT_ELF, "an impossible table of segments")
        table = self.at(first, entry * count, "the table of segments")
        found = []
        for number in range(count):
            if wide:
                kind, flags, offset, address, _, length, _, _ = form.unpack_from(table, number * entry)
            else:
                kind, offset, address, _, length, _, flags, _ = form.unpack_from(table, number * entry)
            if kind in (_LOAD, _DYNAMIC, _INTERP, _GNU_STACK):
                found.append(_Segment(offset, address, length, kind, flags))
                if offset + length > self.size and kind != _GNU_STACK:
                    error = ElfError(TRUNCATED, "a segment lies beyond the end")
                    error.cut = kind == _LOAD and offset + length > -(-self.size // _PAGE) * _PAGE
                    raise error
        return found

    def interpreter(self, segments: list[_Segment]) -> str | None:
        """The path in PT_INTERP."""
        place = next((item for item in segments if item.kind == _INTERP), None)
        if place is None:
            return None
        raw = os.pread(self.handle, min(place.length, _STRING), place.offset)
        return raw.partition(b"\0")[0].decode("utf-8", "replace") or None

    def dynamic(self, wide: bool, end: str, segments: list[_Segment]) -> list[tuple[int, int]]:
        """(tag, value) of the dynamic section, up to its end mark."""
        place = next((item for item in segments if item.kind == _DYNAMIC), None)
        if place is None:
            return []
        form = struct.Struct(end + ("qQ" if wide else "iI"))
        length = min(place.length, _DYNAMIC_BYTES) // form.size * form.size
        found: list[tuple[int, int]] = []
        for tag, value in form.iter_unpack(self.at(place.offset, length, "the dynamic section")):
            if tag == 0:
                break
            found.append((tag, value))
        return found

    def strings(self, entries: list[tuple[int, int]], segments: list[_Segment]) -> _Strings | None:
        """The table of strings that the dynamic section names; None when it names none."""
        address = next((value for tag, value in entries if tag == _STRTAB), None)
        if address is None:
            return None
        place = _in_file(address, segments)
        # An object that needs nothing and has no name may have a table in no segment: nobody reads it.
        return _Strings(self.handle, *place) if place is not None else _Strings(self.handle, 0, 0)

    def texts(self, entries: list[tuple[int, int]], strings: _Strings | None) -> dict[int, list[str]]:
        """The strings that the dynamic section names, by tag."""
        wanted = [(tag, value) for tag, value in entries if tag in (_NEEDED, _SONAME, _RPATH, _RUNPATH)]
        if strings is None:
            return {}
        found: dict[int, list[str]] = {}
        for tag, value in wanted[:_STRINGS]:
            found.setdefault(tag, []).append(strings.at(value, _STRING))
        return found

    def versions_needed(
        self, end: str, entries: list[tuple[int, int]], segments: list[_Segment], strings: _Strings | None
    ) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """DT_VERNEED: a chain of files, each with a chain of versions."""
        table = self.table(_VERNEED, entries, segments)
        if table is None or strings is None:
            return ()
        found: list[tuple[str, tuple[str, ...]]] = []
        # What is garbage here is left out: nothing is said of versions that cannot be read.
        with contextlib.suppress(ElfError):
            _chain_of_needs(end, table, strings, found)
        return tuple(found)

    def versions_defined(
        self, end: str, entries: list[tuple[int, int]], segments: list[_Segment], strings: _Strings | None
    ) -> tuple[str, ...]:
        """DT_VERDEF: a chain of versions, each with a chain of names of which the first is its own."""
        table = self.table(_VERDEF, entries, segments)
        if table is None or strings is None:
            return ()
        head, item = struct.Struct(f"{end}HHHHIII"), struct.Struct(f"{end}II")
        found: list[str] = []
        place = 0
        try:
            while len(found) < _VERSIONS:
                _, _, _, _, _, first, following = head.unpack(table.at(place, head.size))
                name, _ = item.unpack(table.at(place + first, item.size))
                found.append(strings.at(name, _STRING))
                if not following:
                    return tuple(found)
                place += following
        except ElfError:
            pass
        return ()  # a list that is not whole would make a version look missing

    def table(self, tag: int, entries: list[tuple[int, int]], segments: list[_Segment]) -> _Table | None:
        """A table whose address the dynamic section gives under ``tag``."""
        address = next((value for found, value in entries if found == tag), None)
        if address is None:
            return None
        place = _in_file(address, segments)
        return _Table(self.handle, *place) if place is not None else None


def _chain_of_needs(end: str, table: _Table, strings: _Strings, found: list[tuple[str, tuple[str, ...]]]) -> None:
    head, item = struct.Struct(f"{end}HHIII"), struct.Struct(f"{end}IHHII")
    place, left = 0, _VERSIONS
    while left > 0:
        _, count, name, first, following = head.unpack(table.at(place, head.size))
        inner, versions = place + first, []
        for _ in range(min(count, left)):
            _, flags, _, version, step = item.unpack(table.at(inner, item.size))
            left -= 1
            if not flags & _WEAK:
                versions.append(strings.at(version, _STRING))
            inner += step
            if not step:
                break
        left -= 1
        found.append((strings.at(name, _STRING), tuple(versions)))
        if not following:
            break
        place += following


@record
class _Segment:
    """One row of the table of segments."""

    offset: int
    address: int
    length: int
    """In the file."""
    kind: int
    flags: int


def _in_file(address: int, segments: list[_Segment]) -> tuple[int, int] | None:
    """Where an address of the loaded object lies in the file, and how much of its segment follows."""
    for item in segments:
        if item.kind == _LOAD and item.address <= address < item.address + item.length:
            return item.offset + address - item.address, item.length - (address - item.address)
    return None


class _Strings:
    """The table of strings, read one string at a time."""

    def __init__(self, handle: int, start: int, length: int) -> None:
        self.handle, self.start, self.length = handle, start, length
        self.known: dict[int, str] = {}

    def at(self, place: int, longest: int) -> str:
        """The string at ``place``; raises ElfError when that is outside of the table."""
        if place not in self.known:
            if place >= self.length:
                raise ElfError(NOT_ELF, "a string outside of its table")
            # Most are short; a long RPATH costs a second call.
            raw = os.pread(self.handle, min(128, self.length - place), self.start + place)
            if b"\0" not in raw:
                raw = os.pread(self.handle, min(longest, self.length - place), self.start + place)
            self.known[place] = raw.partition(b"\0")[0].decode("utf-8", "replace")
        return self.known[place]


class _Table:
    """A table of unknown length, of which more is read only when something points there."""

    def __init__(self, handle: int, start: int, length: int) -> None:
        self.handle, self.start, self.length = handle, start, length
        self.content = os.pread(handle, min(length, _VERSION_TABLE[0]), start)

    def at(self, place: int, length: int) -> bytes:
        """``length`` bytes; raises ElfError when the table has not got them within the bound."""
        if place + length > len(self.content) < min(self.length, _VERSION_TABLE[1]):
            self.content = os.pread(self.handle, min(self.length, _VERSION_TABLE[1]), self.start)
        found = self.content[place : place + length]
        if len(found) < length:
            raise ElfError(NOT_ELF, "a version outside of its table")
        return found
