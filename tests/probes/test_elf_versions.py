"""Symbol versions, the stack and the flags of ELF files, as pyelftools reads them and as gcc writes them."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.probes.loader.objects import NODEFLIB, library
from tests.probes.loader.test_other_loaders import KEPT
from tests.probes.test_elf import real_libraries
from trtdoctor.probes import elf

needs_gcc = pytest.mark.skipif(not shutil.which("gcc"), reason="no gcc")


def as_pyelftools_says(path: Path) -> dict[str, Any]:
    """The same facts by another reader, which goes by sections where there are some."""
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as stream:
        file = ELFFile(stream)
        segments: list[Any] = list(file.iter_segments())
        sections: list[Any] = list(file.iter_sections())
        dynamic = next((item for item in segments if item.header.p_type == "PT_DYNAMIC"), None)
        flags = 0
        for tag in dynamic.iter_tags() if dynamic is not None else ():
            if tag.entry.d_tag == "DT_FLAGS_1":
                flags = tag.entry.d_val
        stack = next((item.header.p_flags for item in segments if item.header.p_type == "PT_GNU_STACK"), None)
        interpreter = next((item for item in segments if item.header.p_type == "PT_INTERP"), None)
        needs = next((item for item in sections if item.header.sh_type == "SHT_GNU_verneed"), None)
        defines = next((item for item in sections if item.header.sh_type == "SHT_GNU_verdef"), None)
        wanted = []
        for head, versions in needs.iter_versions() if needs is not None else ():
            wanted.append((head.name, tuple(item.name for item in versions if not item.entry.vna_flags & 2)))
        return {
            "interpreter": interpreter.get_interp_name() if interpreter is not None else None,
            "executable_stack": bool(stack & 1) if stack is not None else None,
            "nodeflib": bool(flags & NODEFLIB),
            "versions_needed": tuple(wanted),
            "versions_defined": tuple(
                next(iter(names)).name for _, names in (defines.iter_versions() if defines is not None else ())
            ),
        }


def as_we_say(path: Path) -> dict[str, Any]:
    found = elf.read(str(path))
    return {
        "interpreter": found.interpreter,
        "executable_stack": found.executable_stack,
        "nodeflib": found.nodeflib,
        "versions_needed": found.versions_needed,
        "versions_defined": found.versions_defined,
    }


def test_the_libraries_and_programs_of_this_machine() -> None:
    programs = [Path(path) for path in ("/bin/sh", "/bin/ls", "/usr/bin/env") if Path(path).exists()]
    libraries = real_libraries()
    for path in [*programs, *libraries]:
        assert as_we_say(path) == as_pyelftools_says(path), path
    assert any(as_we_say(path)["versions_defined"] for path in libraries)
    assert any(as_we_say(path)["interpreter"] for path in programs)


@pytest.mark.parametrize("environment", ["trt853", "rtx", "lean-cu13", "ort", "two-cudnn"])
def test_real_nvidia_libraries(environment: str) -> None:
    site = next((KEPT / environment).glob("lib/python3*/site-packages"), None)
    if site is None:
        pytest.skip(f"no {KEPT}/{environment}")
    paths = [
        path
        for pattern in ("tensorrt*/*.so*", "nvidia/*/lib/*.so*", "onnxruntime/capi/*.so")
        for path in site.glob(pattern)
    ]
    assert paths
    for path in paths:
        assert as_we_say(path) == as_pyelftools_says(path), path


@needs_gcc
def test_what_gcc_writes(tmp_path: Path) -> None:
    script = tmp_path / "map"
    script.write_text("V_1 { global: one; local: *; };\nV_2 { global: two; } V_1;\n")
    code = "int one(void) { return 1; }\nint two(void) { return 2; }\n"
    build(tmp_path / "libv.so", code, "-shared", "-fPIC", "-Wl,-soname,libv.so.3", f"-Wl,--version-script={script}")
    found = elf.read(str(tmp_path / "libv.so"))
    assert found.versions_defined == ("libv.so.3", "V_1", "V_2")
    assert (found.executable_stack, found.nodeflib, found.program, found.dynamic) == (False, False, False, True)
    user = "int two(void); int main(void) { return two(); }\n"
    options = [str(tmp_path / "libv.so"), "-Wl,-z,execstack", "-Wl,-z,nodefaultlib"]
    build(tmp_path / "program", user, *options, "-Wl,--disable-new-dtags,-rpath,/x")
    found = elf.read(str(tmp_path / "program"))
    assert dict(found.versions_needed)["libv.so.3"] == ("V_2",)
    assert (found.executable_stack, found.nodeflib, found.program) == (True, True, True)
    assert found.interpreter is not None
    assert Path(found.interpreter).name.startswith("ld")
    for name in ("libv.so", "program"):
        assert as_we_say(tmp_path / name) == as_pyelftools_says(tmp_path / name)


@needs_gcc
def test_a_weak_version_need_not_be_there(tmp_path: Path) -> None:
    """The loader passes over a weak one, so it is not among those that are needed."""
    path = versioned(tmp_path)
    content = bytearray(path.read_bytes())
    before = elf.read(str(path)).versions_needed
    assert before
    # One row of the table: hash, flags, index, name, next. The only one that names V_1 is made weak.
    name = bytes(content).index(b"\0V_1\0") + 1
    row = next(
        place
        for place in range(0, len(content) - 16, 4)
        if struct.unpack_from("<I", content, place)[0] == system_v_hash("V_1")
        and struct.unpack_from("<H", content, place + 4)[0] == 0
    )
    assert name
    struct.pack_into("<H", content, row + 4, 2)
    path.write_bytes(content)
    assert elf.read(str(path)).versions_needed == (("libv.so", ()), *before[1:])


def system_v_hash(name: str) -> int:
    value = 0
    for letter in name.encode():
        value = (value << 4) + letter
        high = value & 0xF0000000
        value = (value ^ (high >> 24)) & ~high
    return value


def build(output: Path, code: str, *options: str) -> None:
    subprocess.run(["gcc", "-x", "c", "-", "-x", "none", "-o", output, *options], input=code, text=True, check=True)


def versioned(folder: Path) -> Path:
    """A library that needs version V_1 of another."""
    script = folder / "map"
    script.write_text("V_1 { global: one; };\n")
    plain = ("-shared", "-fPIC", "-nostdlib")
    build(
        folder / "libv.so",
        "int one(void) { return 1; }",
        *plain,
        "-Wl,-soname,libv.so",
        f"-Wl,--version-script={script}",
    )
    build(folder / "user.so", "int one(void); int user(void) { return one(); }", *plain, str(folder / "libv.so"))
    return folder / "user.so"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    if not shutil.which("gcc"):
        pytest.skip("no gcc")
    folder = tmp_path_factory.mktemp("sample")
    versioned(folder)
    return (folder / "libv.so").read_bytes() + b"---" + (folder / "user.so").read_bytes()


@given(data=st.data())
def test_damaged_tables_are_read_or_refused(
    sample: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(
        sample.split(b"---\x7fELF")[0] if data.draw(st.booleans()) else b"\x7fELF" + sample.split(b"---\x7fELF")[1]
    )
    whole = len(content)
    # Within what is loaded, where the tables lie; gcc puts them into the first pages.
    for _ in range(data.draw(st.integers(1, 12))):
        content[data.draw(st.integers(64, min(whole, 0x3100) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.so"
    path.write_bytes(content)
    try:
        found = elf.read(str(path))
    except elf.ElfError as error:
        assert error.problem in ("not-elf", "truncated")
        assert error.machine is None or error.machine
    else:
        assert len(found.versions_defined) <= 4096
        assert sum(len(names) for _, names in found.versions_needed) <= 4096


@pytest.mark.parametrize("step", [1, 16, 0xFFFFFFFF])
def test_a_chain_without_end_ends(tmp_path: Path, step: int) -> None:
    """A table of needs that leads on and on."""
    from tests.probes.loader import objects

    path = library(tmp_path / "liba.so")
    content = bytearray(path.read_bytes())
    # DT_SYMENT, which nobody reads, becomes DT_VERNEED at a table behind the end that is loaded, too.
    table = struct.pack("<HHIII", 1, 0xFFFF, 1, 0, step) * 20_000
    place = next(
        at for at in range(len(content) - 16) if struct.unpack_from("<qQ", content, at) == (objects.SYMENT, 24)
    )
    struct.pack_into("<qQ", content, place, 0x6FFFFFFE, len(content))
    size = len(content) + len(table)
    struct.pack_into("<QQ", content, 64 + 32, size, size)
    path.write_bytes(bytes(content) + table)
    found = elf.read(str(path))
    assert sum(1 + len(names) for _, names in found.versions_needed) <= 2 * 4096
    assert os.path.getsize(path) > 300_000


def test_a_foreign_file_that_is_cut_still_says_for_whom_it_is(tmp_path: Path) -> None:
    path = library(tmp_path / "liba.so", machine="aarch64")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(elf.ElfError) as caught:
        elf.read(str(path))
    assert (caught.value.problem, caught.value.machine, caught.value.bits) == ("truncated", "aarch64", 64)
