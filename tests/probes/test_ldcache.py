"""The loader's cache: the real one, built ones of each form, and any bytes at all."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtdoctor.probes.ldcache import Entry, entries, libraries

CACHE = Path("/etc/ld.so.cache")
ORDER = "<" if sys.byteorder == "little" else ">"
LIBRARIES = [("libcuda.so.1", "/usr/lib/x86_64-linux-gnu/libcuda.so.1"), ("libm.so.6", "/lib/libm.so.6")]


def built(libraries: list[tuple[str, str]], *, new: bool, offset: int = 0) -> bytes:
    """A cache of one form; ``offset`` is added to every place of a string."""
    size, head = (24, 48) if new else (12, 16)
    strings = b""
    table = b""
    base = head + size * len(libraries) if new else 0
    for name, path in libraries:
        name_at, path_at = base + len(strings), base + len(strings) + len(name) + 1
        strings += name.encode() + b"\0" + path.encode() + b"\0"
        table += struct.pack(ORDER + "iII", 0x303, name_at + offset, path_at + offset)
        table += struct.pack(ORDER + "IQ", 0, 0) if new else b""
    if new:
        header = b"glibc-ld.so.cache1.1" + struct.pack(ORDER + "II20x", len(libraries), len(strings))
    else:
        header = b"ld.so-1.7.0\0" + struct.pack(ORDER + "I", len(libraries))
    return header + table + strings


@pytest.mark.parametrize("new", [True, False])
def test_each_form(new: bool) -> None:
    assert entries(built(LIBRARIES, new=new)) == LIBRARIES


def test_what_the_loader_chooses_by() -> None:
    """Flags and capabilities: none, a named subdirectory, one of the old numbers."""
    rows = (("/lib/a.so", 0), ("/lib/glibc-hwcaps/x86-64-v3/a.so", 1 << 62 | 1 << 34), ("/lib/haswell/a.so", 1 << 52))
    content = bytearray(built([("a.so", path) for path, _ in rows], new=True))
    for number, (_, hwcap) in enumerate(rows):
        struct.pack_into(ORDER + "Q", content, 48 + 24 * number + 16, hwcap)
    assert libraries(bytes(content)) == [
        Entry("a.so", "/lib/a.so", 0x303, ""),
        Entry("a.so", "/lib/glibc-hwcaps/x86-64-v3/a.so", 0x303, "x86-64-v3"),
        Entry("a.so", "/lib/haswell/a.so", 0x303, None),
    ]
    assert libraries(built(LIBRARIES, new=False)) == [Entry(*item, 0x303, "") for item in LIBRARIES]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_the_new_form_behind_the_old_one_wins(count: int) -> None:
    old = b"ld.so-1.7.0\0" + struct.pack(ORDER + "I", count) + b"\0" * (12 * count)
    padded = old + b"\0" * (-len(old) % 8)
    assert entries(padded + built(LIBRARIES, new=True)) == LIBRARIES


@pytest.mark.parametrize("new", [True, False])
def test_an_offset_beyond_the_end_is_left_out(new: bool) -> None:
    assert entries(built(LIBRARIES, new=new, offset=1 << 20)) == []


@pytest.mark.parametrize("new", [True, False])
def test_a_cut_file_gives_what_is_whole(new: bool) -> None:
    whole = built(LIBRARIES, new=new)
    for length in range(len(whole)):
        assert set(entries(whole[:length])) < set(LIBRARIES)


@pytest.mark.skipif(
    not CACHE.exists() or not shutil.which("ldconfig", path="/sbin:/usr/sbin:/bin"), reason="no ldconfig"
)
def test_the_cache_of_this_machine_reads_as_ldconfig_reads_it() -> None:
    ldconfig = shutil.which("ldconfig", path="/sbin:/usr/sbin:/bin")
    assert ldconfig
    printed = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=True).stdout
    wanted = re.findall(r"^\t(\S+) \(.*\) => (.*)$", printed, re.MULTILINE)
    assert wanted
    assert entries(CACHE.read_bytes()) == wanted


@given(st.binary(max_size=400), st.sampled_from([b"", b"ld.so-1.7.0\0", b"glibc-ld.so.cache1.1"]))
def test_any_bytes_give_absolute_paths_or_nothing(rest: bytes, magic: bytes) -> None:
    assert all(name and path.startswith("/") for name, path in entries(magic + rest))


@given(st.data())
def test_a_damaged_cache_never_raises(data: st.DataObject) -> None:
    content = bytearray(built(LIBRARIES, new=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    entries(bytes(content))
