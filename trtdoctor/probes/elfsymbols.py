"""Which dynamic symbols a shared object asks for and which it gives, read from its own hash tables.

Only for questions that people ask (``libs``, ``--observe``), never in a plain ``check``. Read here and not with
pyelftools, which reads the same and is what the tests compare with: its import costs 50 to 80 ms and each symbol 0.1 to
0.8 ms (measured with 0.33 on the files of onnxruntime, torch and TensorRT), where this reads the 258 symbols of
onnxruntime's TensorRT provider in under a millisecond; and it puts no bound on what a hostile file makes it do.

No number from the file is trusted: each offset is checked against the file's length, each count against a fixed bound.
Only 64-bit little-endian objects: there is no TensorRT for others. Source: the System V ABI, chapter "Dynamic Linking";
glibc, elf/dl-lookup.c and elf/dl-setup_hash.c.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from functools import cached_property

from trtdoctor.probes.files import open_regular

MOST_UNDEFINED = 200_000
"""A table that lists more symbols before its first export is not read."""
_MOST_CHAIN = 4096
_MOST_SEGMENTS = 512
_MOST_STRINGS = 64 * 1024 * 1024
_DYNAMIC_BYTES = 64 * 1024
_LONGEST_NAME = 65536

_LOAD, _DYNAMIC = 1, 2
_HASH, _STRTAB, _SYMTAB, _STRSZ, _SYMENT, _GNU_HASH = 4, 5, 6, 10, 11, 0x6FFFFEF5
_TABLES = (_HASH, _STRTAB, _GNU_HASH, 7, 23, 12, 13, 25, 26, 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFE)
"""Tags whose value is an address: also RELA, JMPREL, INIT, FINI and their arrays, VERSYM, VERDEF, VERNEED."""
_WEAK = 2
_SYMBOL = struct.Struct("<IBBHQQ")


class SymbolsError(Exception):
    """The file's symbols cannot be read."""


class Wanted:
    """A symbol's name with its two hashes, each worked out once however many files are asked."""

    __slots__ = ("gnu", "name", "raw", "sysv")

    def __init__(self, name: bytes) -> None:
        """``name`` as it stands in the file."""
        self.raw = name
        self.name = name.decode("utf-8", "replace")
        gnu, sysv = 5381, 0
        for byte in name:
            gnu = (gnu * 33 + byte) & 0xFFFFFFFF
            sysv = (sysv << 4) + byte
            high = sysv & 0xF0000000
            sysv = (sysv ^ (high >> 24)) & ~high
        self.gnu, self.sysv = gnu, sysv


class Symbols:
    """The dynamic symbols of one open file. Use it in a ``with`` statement."""

    def __init__(self, path: str) -> None:
        """Open ``path``, the file as this process sees it. Raises SymbolsError."""
        try:
            self._handle = open_regular(path)
        except (OSError, ValueError) as error:
            raise SymbolsError(type(error).__name__) from None
        try:
            self._size = os.fstat(self._handle).st_size
            self._loads, dynamic = self._segments()
            self._entries = self._tags(dynamic)
        except (OSError, struct.error) as error:
            os.close(self._handle)
            raise SymbolsError(type(error).__name__) from None
        except SymbolsError:
            os.close(self._handle)
            raise

    def __enter__(self) -> Symbols:  # noqa: PYI034 - no Self before Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)

    # -- what is asked -------------------------------------------------------------------------------------------------

    def undefined(self) -> list[Wanted]:
        """The symbols that the loader must find elsewhere: undefined and not weak. Raises SymbolsError."""
        table, count = self._table
        if count > MOST_UNDEFINED:
            raise SymbolsError("more symbols than anybody looks at")
        raw = self._at(table, count * _SYMBOL.size)
        strings = self._at(self._offset(_STRTAB), min(self._entries.get(_STRSZ, 0), _MOST_STRINGS))
        found: dict[bytes, None] = {}
        for name, info, _, section, _, _ in _SYMBOL.iter_unpack(raw):
            if section or not name or info >> 4 == _WEAK:
                continue
            end = strings.find(b"\0", name, name + _LONGEST_NAME)
            if end < 0:
                raise SymbolsError("a name outside of its table")
            found[strings[name:end]] = None
        return [Wanted(name) for name in found if name]

    def exports(self, wanted: Wanted) -> bool:
        """Whether the file defines a symbol of that name, of whatever version. Raises SymbolsError."""
        if self._gnu is not None:
            numbers = self._by_gnu(wanted)
        elif self._sysv is not None:
            numbers = self._by_sysv(wanted)
        else:
            raise SymbolsError("no hash table")
        strings, table = self._offset(_STRTAB), self._table[0]
        for number in numbers:
            name, _, _, section, _, _ = _SYMBOL.unpack(self._at(table + number * _SYMBOL.size, _SYMBOL.size))
            length = len(wanted.raw) + 1
            if (
                section
                and strings + name + length <= self._size
                and self._at(strings + name, length) == wanted.raw + b"\0"
            ):
                return True
        return False

    # -- tables --------------------------------------------------------------------------------------------------------

    def _at(self, offset: int, length: int) -> bytes:
        if offset < 0 or length < 0 or offset + length > self._size:
            raise SymbolsError("a table beyond the end")
        try:
            found = os.pread(self._handle, length, offset)
        except OSError as error:
            raise SymbolsError(type(error).__name__) from None
        if len(found) != length:
            raise SymbolsError("a table that cannot be read whole")
        return found

    def _word(self, offset: int) -> int:
        return int.from_bytes(self._at(offset, 4), "little")

    def _segments(self) -> tuple[list[tuple[int, int, int]], tuple[int, int]]:
        """(offset, address, length) of what is loaded, and (offset, length) of the dynamic section."""
        head = self._at(0, 64)
        if head[:6] != b"\x7fELF\x02\x01":
            raise SymbolsError("no 64-bit little-endian ELF")
        first = int.from_bytes(head[32:40], "little")
        entry, count = struct.unpack_from("<HH", head, 54)
        if entry != 56 or count > _MOST_SEGMENTS:
            raise SymbolsError("an impossible table of segments")
        loads, dynamic = [], None
        for kind, _, offset, address, _, length, _, _ in struct.iter_unpack("<IIQQQQQQ", self._at(first, 56 * count)):
            if kind == _LOAD:
                loads.append((offset, address, length))
            elif kind == _DYNAMIC:
                dynamic = (offset, length)
        if dynamic is None:
            raise SymbolsError("no dynamic section")
        return loads, dynamic

    def _tags(self, place: tuple[int, int]) -> dict[int, int]:
        found: dict[int, int] = {}
        raw = self._at(place[0], min(place[1], _DYNAMIC_BYTES) // 16 * 16)
        for tag, value in struct.iter_unpack("<QQ", raw):
            if tag == 0:
                break
            found.setdefault(tag, value)
        if found.get(_SYMENT, _SYMBOL.size) != _SYMBOL.size:
            raise SymbolsError("symbols of another size")
        return found

    def _offset(self, tag: int) -> int:
        """Where in the file the table lies whose address the dynamic section gives."""
        address = self._entries.get(tag)
        if address is None:
            raise SymbolsError("no such table")
        for offset, start, length in self._loads:
            if start <= address < start + length:
                return offset + address - start
        raise SymbolsError("a table that no segment holds")

    @cached_property
    def _gnu(self) -> tuple[int, int, int, int, int, int, int] | None:
        """Buckets, first symbol, bloom words, bloom shift; offsets of bloom, buckets and chains."""
        if _GNU_HASH not in self._entries:
            return None
        start = self._offset(_GNU_HASH)
        buckets, first, words, shift = struct.unpack("<IIII", self._at(start, 16))
        if not buckets or not words:
            raise SymbolsError("an empty hash table")
        bloom = start + 16
        return buckets, first, words, shift, bloom, bloom + 8 * words, bloom + 8 * words + 4 * buckets

    @cached_property
    def _sysv(self) -> tuple[int, int, int] | None:
        """Buckets, symbols, offset of the first bucket."""
        if _HASH not in self._entries:
            return None
        start = self._offset(_HASH)
        buckets, symbols = struct.unpack("<II", self._at(start, 8))
        if not buckets:
            raise SymbolsError("an empty hash table")
        return buckets, symbols, start + 8

    @cached_property
    def _table(self) -> tuple[int, int]:
        """Offset of the symbols, and how many stand before the first that is exported: the undefined are all there."""
        table = self._offset(_SYMTAB)
        if self._sysv is not None:
            return table, self._sysv[1]
        if self._gnu is None:
            raise SymbolsError("no hash table")
        if self._gnu[0] > 1 or self._word(self._gnu[5]):
            return table, self._gnu[1]
        # An object that exports nothing has a hash table of no use: the symbols end where the next table begins.
        start = self._entries[_SYMTAB]
        ends = [self._entries[tag] for tag in _TABLES if self._entries.get(tag, 0) > start]
        return table, (min(ends) - start) // _SYMBOL.size if ends else 0

    # -- look-up -------------------------------------------------------------------------------------------------------

    def _by_gnu(self, wanted: Wanted) -> Iterator[int]:
        if self._gnu is None:
            return
        buckets, first, words, shift, bloom, heads, chains = self._gnu
        hashed = wanted.gnu
        word = int.from_bytes(self._at(bloom + 8 * (hashed // 64 % words), 8), "little")
        if not word >> (hashed % 64) & 1 or not word >> ((hashed >> (shift & 31)) % 64) & 1:
            return
        number = self._word(heads + 4 * (hashed % buckets))
        if number < first:
            return
        for step in range(number, number + _MOST_CHAIN):
            found = self._word(chains + 4 * (step - first))
            if found | 1 == hashed | 1:
                yield step
            if found & 1:
                return
        raise SymbolsError("a chain without end")

    def _by_sysv(self, wanted: Wanted) -> Iterator[int]:
        if self._sysv is None:
            return
        buckets, symbols, heads = self._sysv
        number = self._word(heads + 4 * (wanted.sysv % buckets))
        for _ in range(_MOST_CHAIN):
            if not number:
                return
            if number >= symbols:
                raise SymbolsError("a symbol outside of its table")
            yield number
            number = self._word(heads + 4 * (buckets + number))
        raise SymbolsError("a chain without end")
