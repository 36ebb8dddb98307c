"""Symbols of shared objects, compared with what pyelftools reads, and on files that lie."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.probes.test_elf import real_libraries
from trtdoctor.probes.elfsymbols import Symbols, SymbolsError, Wanted

needs_gcc = pytest.mark.skipif(not shutil.which("gcc"), reason="no gcc to build objects with symbols")
CODE = """
extern int asked_for(int); extern int asked_weakly(int) __attribute__((weak)); extern int variable;
int given(int x) { return asked_for(x) + (asked_weakly ? asked_weakly(x) : 0) + variable; }
__thread int per_thread = 1; int zero;
"""


def built(path: Path, code: str, *options: str) -> Path:
    command = ["gcc", "-x", "c", "-", "-x", "none", "-shared", "-fPIC", "-nostdlib", "-o", str(path), *options]
    done = subprocess.run(command, input=code, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return path


def by_pyelftools(path: Path) -> tuple[set[str], set[str]]:
    """Undefined names that are not weak, and defined names."""
    undefined, defined = set(), set()
    with path.open("rb") as stream:
        file = ELFFile(stream)
        segment = next(item for item in file.iter_segments() if isinstance(item, DynamicSegment))
        section = file.get_section_by_name(".dynsym")
        table = section if isinstance(section, SymbolTableSection) else segment
        for symbol in table.iter_symbols():
            if not symbol.name:
                continue
            if symbol["st_shndx"] != "SHN_UNDEF":
                if symbol["st_info"]["bind"] != "STB_LOCAL":
                    defined.add(symbol.name)
            elif symbol["st_info"]["bind"] != "STB_WEAK":
                undefined.add(symbol.name)
    return undefined, defined


def asked(path: Path) -> set[str]:
    with Symbols(str(path)) as symbols:
        return {item.name for item in symbols.undefined()}


def test_real_libraries_are_read_as_pyelftools_reads_them() -> None:
    paths = real_libraries()[:12]
    assert len(paths) >= 5
    for path in paths:
        undefined, defined = by_pyelftools(path)
        with Symbols(str(path)) as symbols:
            assert {item.name for item in symbols.undefined()} == undefined, path
            sample = sorted(defined)[:: max(1, len(defined) // 50)]
            assert all(symbols.exports(Wanted(name.encode())) for name in sample), path
            assert not any(symbols.exports(Wanted(name.encode() + b"_not")) for name in sample), path
            assert not any(symbols.exports(Wanted(name.encode())) for name in sorted(undefined - defined)[:50]), path


@needs_gcc
@pytest.mark.parametrize("style", ["sysv", "gnu", "both"])
def test_each_form_of_hash_table(tmp_path: Path, style: str) -> None:
    path = built(tmp_path / "liba.so", CODE, f"-Wl,--hash-style={style}")
    assert asked(path) - {"__tls_get_addr"} == {"asked_for", "variable"}, "the weak one need not be anywhere"
    with Symbols(str(path)) as symbols:
        found = {name: symbols.exports(Wanted(name)) for name in (b"given", b"per_thread", b"zero", b"asked_for", b"")}
    assert found == {b"given": True, b"per_thread": True, b"zero": True, b"asked_for": False, b"": False}


@needs_gcc
@pytest.mark.parametrize("style", ["sysv", "gnu"])
def test_an_object_that_exports_nothing(tmp_path: Path, style: str) -> None:
    """Its GNU hash table does not say how many symbols there are."""
    code = "extern int one(void), two(void); static int (*uses[])(void) __attribute__((used)) = {one, two};"
    path = built(tmp_path / "liba.so", code, f"-Wl,--hash-style={style}")
    assert asked(path) == {"one", "two"}
    with Symbols(str(path)) as symbols:
        assert not symbols.exports(Wanted(b"one"))


@needs_gcc
def test_every_cut_and_every_changed_byte_ends_well(tmp_path: Path) -> None:
    content = built(tmp_path / "whole.so", CODE, "-Wl,--hash-style=both,-z,noseparate-code").read_bytes()
    path = tmp_path / "liba.so"

    def look(found: bytes) -> None:
        path.write_bytes(found)
        started = time.monotonic()
        try:
            with Symbols(str(path)) as symbols:
                for item in symbols.undefined():
                    assert not item.raw.startswith(b"\0")
                symbols.exports(Wanted(b"given"))
        except SymbolsError:
            pass
        assert time.monotonic() - started < 2

    for length in range(0, len(content), 97):
        look(content[:length])

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.tuples(st.integers(0, min(len(content), 4096) - 1), st.sampled_from((0, 1, 0x7F, 0x80, 0xFF))),
            min_size=1,
            max_size=12,
        )
    )
    def changed(places: list[tuple[int, int]]) -> None:
        found = bytearray(content)
        for place, value in places:
            found[place] = value
        look(bytes(found))

    changed()


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"\x7fELF\x02\x01" + bytes(58), b"#!/bin/sh\n" * 20])
def test_what_is_no_object_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "liba.so"
    path.write_bytes(content)
    with pytest.raises(SymbolsError):
        Symbols(str(path))
    with pytest.raises(SymbolsError):
        Symbols(str(tmp_path / "absent.so"))
    with pytest.raises(SymbolsError):
        Symbols(str(tmp_path))
