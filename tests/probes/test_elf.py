from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.probes import roots
from trtdoctor.probes import elf

PLACES = ("/usr/local/cuda/lib64", "/lib64", "/usr/lib64", f"/usr/lib/{os.uname().machine}-linux-gnu", "/usr/lib")
SAMPLE = roots.elf("libnvinfer.so.10", "x86_64")


def real_libraries() -> list[Path]:
    found: dict[Path, None] = {}
    for place in PLACES:
        for path in sorted(Path(place).glob("*.so*"))[::3] if Path(place).is_dir() else ():
            if path.is_file() and begins_as_elf(path):
                found.setdefault(path.resolve())
    return list(found)[:60]


def begins_as_elf(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"\x7fELF"


def as_readelf_says(path: Path) -> tuple[str | None, tuple[str, ...], str | None, str | None]:
    text = subprocess.run(["readelf", "-dW", path], capture_output=True, text=True, check=True).stdout

    def told(tag: str) -> list[str]:
        return re.findall(rf"\({tag}\).*\[(.*)\]", text)

    one = [next(iter(told(tag)), None) for tag in ("SONAME", "RPATH", "RUNPATH")]
    return one[0], tuple(told("NEEDED")), one[1], one[2]


@pytest.mark.skipif(not shutil.which("readelf"), reason="no readelf to compare with")
def test_real_libraries_are_read_as_readelf_reads_them() -> None:
    paths = real_libraries()
    assert len(paths) >= 10
    for path in paths:
        found = elf.read(str(path))
        assert (found.soname, found.needed, found.rpath, found.runpath) == as_readelf_says(path), path
        assert (found.machine, found.bits, found.shared) == (os.uname().machine, 64, True), path


def test_every_cut_of_a_library_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "libnvinfer.so.10"
    for length in range(len(SAMPLE)):
        path.write_bytes(SAMPLE[:length])
        with pytest.raises(elf.ElfError) as caught:
            elf.read(str(path))
        assert caught.value.problem == elf.TRUNCATED, length
    path.write_bytes(SAMPLE)
    assert elf.read(str(path)).soname == "libnvinfer.so.10"


def test_a_32_bit_big_endian_object_is_read(tmp_path: Path) -> None:
    strings = b"\0libx.so.1\0libc.so.6\0"
    dynamic = struct.pack(">iIiIiIiI", 14, 1, 1, 11, 5, 0x1000 + 148, 0, 0)
    header = (
        b"\x7fELF\x01\x02\x01" + bytes(9) + struct.pack(">HHIIIIIHHHHHH", 3, 40, 1, 0, 52, 0, 0, 52, 32, 2, 0, 0, 0)
    )
    size = 148 + len(strings)
    load = struct.pack(">IIIIIIII", 1, 0, 0x1000, 0, size, size, 4, 4096)
    place = struct.pack(">IIIIIIII", 2, 116, 0x1000 + 116, 0, 32, 32, 4, 4)
    path = tmp_path / "libx.so.1"
    path.write_bytes(header + load + place + dynamic + strings)
    found = elf.read(str(path))
    assert (found.bits, found.machine, found.soname, found.needed) == (32, "arm", "libx.so.1", ("libc.so.6",))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "truncated"),
        (b"\x7fE", "truncated"),
        (b"version https://git-lfs.github.com/spec/v1\n", "not-elf"),
        (b"MZ" + bytes(200), "not-elf"),
        (b"\x7fELF\x09\x09" + bytes(200), "not-elf"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_apart(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "libnvinfer.so"
    path.write_bytes(content)
    with pytest.raises(elf.ElfError) as caught:
        elf.read(str(path))
    assert caught.value.problem == problem


def test_what_is_no_file_is_unreadable_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder", "missing", "nul\0name"):
        with pytest.raises(elf.ElfError) as caught:
            elf.read(str(tmp_path / name))
        assert caught.value.problem in ("unreadable", "truncated"), name


@given(content=st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    read_or_refuse(tmp_path_factory, b"\x7fELF\x02\x01" + content)
    read_or_refuse(tmp_path_factory, content)


@given(changes=st.lists(st.tuples(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255)), min_size=1, max_size=12))
def test_a_damaged_library_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    content = bytearray(SAMPLE)
    for place, value in changes:
        content[place] = value
    read_or_refuse(tmp_path_factory, bytes(content))


def read_or_refuse(factory: pytest.TempPathFactory, content: bytes) -> None:
    path = factory.getbasetemp() / "any.so"
    path.write_bytes(content)
    try:
        found = elf.read(str(path))
    except elf.ElfError as error:
        problem: str | None = error.problem
    else:
        problem = None
        assert found.bits in (32, 64)
        assert len(found.needed) <= 256
    assert problem in (None, "not-elf", "truncated", "unreadable")
