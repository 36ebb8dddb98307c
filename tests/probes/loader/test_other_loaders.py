"""The simulation against loaders that this machine does not use: older and newer glibc, and musl.

They are read from ``$TRTDOCTOR_TEST_ENVIRONMENTS/loaders/NAME``, each a flat folder with what the distribution's
package holds: ``glibc-2.31`` and ``glibc-2.41`` (Debian 11's and 13's libc6: ld-linux-x86-64.so.2, libc.so.6,
libdl.so.2 and the files that these are links to), ``musl-1.2.3`` (Debian 12's musl and musl-dev: libc.so,
ld-musl-x86_64.so.1 as a link to it, crt1.o, crti.o, crtn.o, include). Nothing of them is installed; tests whose loader
is absent are skipped.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.probes.loader.objects import library
from tests.probes.loader.reality import OPENER, agree, gcc, needs_gcc, predict, run

KEPT = Path(os.environ.get("TRTDOCTOR_TEST_ENVIRONMENTS") or Path("~/.cache/trtdoctor-test-environments").expanduser())
pytestmark = [needs_gcc, pytest.mark.skipif(os.uname().machine != "x86_64", reason="these loaders are for x86_64")]


def opener(name: str, output: Path, *options: str) -> Path:
    """The test's program, to be run by another loader."""
    kept = KEPT / "loaders" / name
    if not kept.is_dir():
        pytest.skip(f"no {kept}: see the head of this file")
    if name.startswith("musl"):
        # The compiler's own libc would be found first: only musl's files, one by one.
        objects = [str(kept / item) for item in ("crt1.o", "crti.o", "crtn.o", "libc.so")]
        code = OPENER.replace("#define _GNU_SOURCE", "")
        options = ("-nostdinc", f"-isystem{kept}/include", "-nostdlib", "-fno-stack-protector", *objects, *options)
        return gcc(output, code, *options, f"-Wl,--dynamic-linker={kept}/ld-musl-x86_64.so.1")
    libraries = [str(kept / item) for item in ("libc.so.6", "libdl.so.2", "ld-linux-x86-64.so.2")]
    return gcc(
        output,
        OPENER,
        *("-nodefaultlibs", *libraries, "-lgcc", "-fno-stack-protector", *options),
        f"-Wl,--dynamic-linker={kept}/ld-linux-x86-64.so.2,--disable-new-dtags,-rpath,{kept}",
    )


@pytest.mark.parametrize(("name", "version"), [("glibc-2.31", (2, 31)), ("glibc-2.41", (2, 41))])
def test_the_version_and_the_subdirectories(tmp_path: Path, name: str, version: tuple[int, int]) -> None:
    program = opener(name, tmp_path / "opener")
    for folder in ("", "glibc-hwcaps/x86-64-v2", "glibc-hwcaps/x86-64-v3", "tls", "x86_64", "tls/x86_64", "haswell"):
        library(tmp_path / "lib" / folder / "liba.so")
    library(tmp_path / "lib" / "libb.so")
    library(tmp_path / "lib" / "x86_64" / "libb.so")
    process, real = agree(program, ["liba.so", "libb.so"], tmp_path, {"LD_LIBRARY_PATH": f"{tmp_path}/lib"})
    assert process.system.version == version
    assert real.opened == (True, True)
    found = [item.path.removeprefix(f"{tmp_path}/lib/") for item in process.loaded if str(tmp_path) in item.path]
    assert ("glibc-hwcaps" in found[0]) == (version > (2, 32))
    assert (found[1] == "libb.so") == (version > (2, 36))


@pytest.mark.parametrize("tunable", [None, 0, 1, 2])
@pytest.mark.parametrize("name", ["glibc-2.31", "glibc-2.41"])
def test_an_executable_stack(tmp_path: Path, name: str, tunable: int | None) -> None:
    """Asked for by PT_GNU_STACK or by having none; opened, needed at start, and by a program that has one itself."""
    library(tmp_path / "libx.so", stack="rwx")
    library(tmp_path / "libnone.so", stack=None)
    library(tmp_path / "libplain.so")
    environ = {"GLIBC_TUNABLES": f"glibc.rtld.execstack={tunable}"} if tunable is not None else {}
    names = [f"{tmp_path}/lib{one}.so" for one in ("plain", "x", "none")]
    plain = opener(name, tmp_path / "plain")
    for program, options in (
        (plain, {}),
        (plain, {"LD_PRELOAD": f"{tmp_path}/libx.so"}),
        (opener(name, tmp_path / "executable", "-Wl,-z,execstack"), {}),
    ):
        process, real = agree(program, names, tmp_path, {**environ, **options})
        if name == "glibc-2.31":
            assert real.opened == (True, True, True)
        elif program is plain and not options and tunable in (None, 1):
            assert real.opened == (True, False, False)
            assert "cannot enable executable stack" in real.errors[0]
            assert [(item.name, item.problem) for item in process.missing] == [
                ("libx.so", "executable-stack"),
                ("libnone.so", "executable-stack"),
            ]


def test_musl_has_an_order_of_its_own(tmp_path: Path) -> None:
    program = opener("musl-1.2.3", tmp_path / "opener", f"-Wl,--enable-new-dtags,-rpath,{tmp_path}/program")
    # A RUNPATH is passed on to what is needed below, and comes after the variable.
    library(tmp_path / "top.so", needed=["liba.so"], runpath=f"{tmp_path}/own")
    library(tmp_path / "own" / "liba.so", needed=["libb.so", "libc.so.6", "libfar.so"])
    library(tmp_path / "own" / "libb.so")
    library(tmp_path / "program" / "libfar.so")
    library(tmp_path / "variable" / "libb.so")
    top = f"{tmp_path}/top.so"
    process, real = agree(program, [top], tmp_path, {"LD_LIBRARY_PATH": f"{tmp_path}/variable"}, steps=False)
    assert process.system.libc == "musl"
    assert process.known
    assert real.mapped >= {f"{tmp_path}/variable/libb.so", f"{tmp_path}/program/libfar.so"}
    # What was opened by its path is not known by its soname; a foreign file ends the search.
    library(tmp_path / "elsewhere" / "libb.so")
    process, real = agree(program, [f"{tmp_path}/elsewhere/libb.so", top], tmp_path, steps=False)
    assert real.mapped >= {f"{tmp_path}/elsewhere/libb.so", f"{tmp_path}/own/libb.so"}
    (tmp_path / "own" / "libb.so").write_bytes(b"")
    process, real = agree(program, [top], tmp_path, steps=False)
    assert real.opened == (False,)
    assert [item.problem for item in process.missing] == ["truncated", "dependency"]


def test_a_glibc_library_under_musl(tmp_path: Path) -> None:
    program = opener("musl-1.2.3", tmp_path / "opener")
    library(tmp_path / "libnv.so", needed=["libc.so.6", "libm.so.6", "libgcc_absent.so.1", "ld-linux-x86-64.so.2"])
    process, opened = predict(program, [f"{tmp_path}/libnv.so"])
    assert opened == run(program, [f"{tmp_path}/libnv.so"], tmp_path).opened == (False,)
    assert [item.name for item in process.missing] == ["libgcc_absent.so.1", "ld-linux-x86-64.so.2", "libnv.so"]
