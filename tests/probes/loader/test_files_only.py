"""Another root, the cache of the loader, the cost in bytes and calls, and auditwheel's answer beside ours."""

from __future__ import annotations

import os
import struct
import sys
import time
from pathlib import Path

import pytest

from tests.probes.loader.objects import library, shared_object
from tests.probes.loader.reality import OPENER, gcc, needs_gcc, predict
from tests.probes.loader.test_other_loaders import KEPT
from tests.probes.roots import context
from trtdoctor.probes.loader.filecache import FileCache
from trtdoctor.probes.loader.process import Mapped, Process
from trtdoctor.probes.loader.system import legacy, levels

ORDER = "<" if sys.byteorder == "little" else ">"
INTERPRETER = "/lib64/ld-linux-x86-64.so.2"
DEBIAN = ("/lib/x86_64-linux-gnu/", "/usr/lib/x86_64-linux-gnu/", "/lib/", "/usr/lib/")
RED_HAT = ("/lib64/", "/usr/lib64/")


def loader(directories: tuple[str, ...], version: str) -> bytes:
    """A dynamic loader as far as one looks into it."""
    listed = b"".join(name.encode() + b"\0" for name in directories)
    banner = f"ld.so (test GLIBC {version}) stable release version {version}.\n".encode()
    return shared_object("ld-linux-x86-64.so.2", machine="x86_64", content=b"\0/proc/\0" + listed + banner)


def image(root: Path, directories: tuple[str, ...] = RED_HAT, version: str = "2.34") -> Path:
    """An unpacked image of x86_64 with a program."""
    (root / "lib64").mkdir(parents=True)
    (root / INTERPRETER.lstrip("/")).write_bytes(loader(directories, version))
    put(root, "/app/program", interpreter=INTERPRETER)
    return root


def put(root: Path, path: str, **fields: object) -> None:
    library(root / path.lstrip("/"), **{"machine": "x86_64", **fields})


def start(root: Path, environ: dict[str, str] | None = None, program: str | None = "/app/program") -> Process:
    here = context(root, environ)
    return Process(here, FileCache(here), program)


def last(process: Process) -> Mapped:
    return process.loaded[-1]


def cache(*rows: tuple[str, str, int, int]) -> bytes:
    """ld.so.cache with name, path, flags and capabilities."""
    head = 48 + 24 * len(rows)
    table, strings = b"", b""
    for name, path, flags, hwcap in rows:
        at = head + len(strings)
        strings += name.encode() + b"\0" + path.encode() + b"\0"
        table += struct.pack(ORDER + "iIIIQ", flags, at, at + len(name) + 1, 0, hwcap)
    return b"glibc-ld.so.cache1.1" + struct.pack(ORDER + "II20x", len(rows), len(strings)) + table + strings


@pytest.mark.parametrize("directories", [DEBIAN, RED_HAT, ("/nix/store/abc-glibc-2.40-66/lib/",)])
def test_the_loaders_own_file_tells_where_it_looks(tmp_path: Path, directories: tuple[str, ...]) -> None:
    image(tmp_path, directories, "2.40")
    for name in DEBIAN + RED_HAT + directories:
        put(tmp_path, f"{name}liba.so.1")
    process = start(tmp_path)
    assert process.started
    assert process.known
    assert process.system.version == (2, 40)
    assert process.system.directories == tuple(name.rstrip("/") for name in directories)
    assert process.open("liba.so.1", caller=None)
    assert (last(process).path, last(process).step, last(process).entry) == (
        f"{directories[0]}liba.so.1",
        "default",
        directories[0].rstrip("/"),
    )


def test_links_stay_inside_the_root(tmp_path: Path) -> None:
    image(tmp_path / "root")
    put(tmp_path / "root", "/opt/real/libtop.so", needed=["libside.so"], runpath="$ORIGIN/../side")
    put(tmp_path / "root", "/opt/side/libside.so")
    put(tmp_path, "/opt/side/libside.so")
    (tmp_path / "root" / "opt" / "link").symlink_to("/opt/real")
    (tmp_path / "root" / "usr").mkdir()
    (tmp_path / "root" / "usr" / "lib64").symlink_to("/opt/link/../../../../opt/real")
    process = start(tmp_path / "root")
    assert process.open("libtop.so", caller=None)
    assert [(item.path, item.realpath) for item in process.loaded] == [
        ("/usr/lib64/libtop.so", "/opt/real/libtop.so"),
        # As found: the kernel goes through the link before it goes up.
        ("/usr/lib64/../side/libside.so", "/opt/side/libside.so"),
    ]


def test_the_cache_of_a_root(tmp_path: Path) -> None:
    image(tmp_path)
    for name in ("libfirst.so", "libforeign.so", "libdefault.so"):
        put(tmp_path, f"/cached/{name}")
        put(tmp_path, f"/usr/lib64/{name}")
    put(tmp_path, "/arm/libforeign.so", machine="aarch64")
    put(tmp_path, "/usr/lib64/libgone.so")
    put(tmp_path, "/cached/glibc-hwcaps/x86-64-v2/libfirst.so")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "ld.so.cache").write_bytes(
        cache(
            ("libfirst.so", "/nowhere/glibc-hwcaps/x86-64-v9/libfirst.so", 0x303, 1 << 62),
            ("libfirst.so", "/nowhere/legacy/libfirst.so", 0x303, 1 << 40),
            ("libfirst.so", "/32/libfirst.so", 0x3, 0),
            ("libfirst.so", "/cached/libfirst.so", 0x303, 0),
            ("libfirst.so", "/later/libfirst.so", 0x303, 0),
            ("libforeign.so", "/arm/libforeign.so", 0x303, 0),
            ("libgone.so", "/cached/libgone.so", 0x303, 0),
            ("libdefault.so", "/cached/libdefault.so", 0xA03, 0),
        )
    )
    process = start(tmp_path)
    for name in ("libfirst.so", "libforeign.so", "libgone.so", "libdefault.so"):
        assert process.open(name, caller=None), name
    assert [(item.path, item.step) for item in process.loaded] == [
        ("/cached/libfirst.so", "ld.so.cache"),
        ("/usr/lib64/libforeign.so", "default"),
        ("/usr/lib64/libgone.so", "default"),
        ("/usr/lib64/libdefault.so", "default"),
    ]


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    (tmp_path / "lib64").mkdir()
    put(tmp_path, "/lib64/liba.so")
    process = start(tmp_path, program=None)
    assert not process.known
    assert process.program is None
    assert process.open("/lib64/liba.so", caller=None)
    process = start(image(tmp_path / "other"), program="/app/nowhere")
    assert process.known
    assert process.program is None
    assert not process.open("libnone.so", caller="/app/nowhere/either")


def test_the_executable_stack_rule_by_version(tmp_path: Path) -> None:
    for version, whole in (("2.31", True), ("2.40", True), ("2.41", False), ("2.44", False)):
        root = image(tmp_path / version, version=version)
        put(root, "/lib64/libx.so", stack="rwx")
        assert start(root).open("libx.so", caller=None) == whole
        assert start(root, {"GLIBC_TUNABLES": "a=b:glibc.rtld.execstack=2"}).open("libx.so", caller=None)
        put(root, "/app/program", interpreter=INTERPRETER, needed=["libx.so"])
        assert start(root).started


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="levels of x86_64 processors")
def test_levels_begin_with_the_best() -> None:
    found = levels("x86_64")
    assert list(found) == sorted(found, reverse=True)
    assert levels("aarch64") == ()
    assert legacy("x86_64")[-1] == "x86_64"
    assert legacy("x86_64")[0].startswith("tls/")


# -- cost --------------------------------------------------------------------------------------------------------------


class Calls:
    """Counts what is read, by the one call that reads libraries, and which files are opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bytes = 0
        self.opened: list[str] = []
        pread, opening = os.pread, os.open

        def counted(handle: int, length: int, offset: int) -> bytes:
            found = pread(handle, length, offset)
            self.bytes += len(found)
            return found

        def noted(path: str, *rest: int, **more: int) -> int:
            self.opened.append(os.fspath(path))
            return opening(path, *rest, **more)

        monkeypatch.setattr(os, "pread", counted)
        monkeypatch.setattr(os, "open", noted)


def test_a_gigabyte_costs_what_a_kilobyte_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("small", "large"):
        library(tmp_path / name / "libnvinfer.so.10", needed=["libb.so"], runpath="$ORIGIN")
        library(tmp_path / name / "libb.so")
    with open(tmp_path / "large" / "libnvinfer.so.10", "r+b") as stream:
        stream.truncate(1 << 30)
    costs = []
    for name in ("small", "large"):
        with monkeypatch.context() as patched:
            calls = Calls(patched)
            process, opened = predict(None, [f"{tmp_path}/{name}/libnvinfer.so.10"])
            costs.append((calls.bytes, len(calls.opened)))
        assert opened == (True,)
        assert len(process.loaded) == 2
    assert costs[0] == costs[1]


def test_each_file_is_opened_once_for_all_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"lib{number}.so" for number in range(20)]
    for number, name in enumerate(names):
        library(tmp_path / "lib" / name, needed=names[number + 1 : number + 4], runpath="$ORIGIN:$ORIGIN/../links")
    (tmp_path / "links").mkdir()
    for name in names:
        (tmp_path / "links" / name).symlink_to(f"../lib/{name}")
    here = context(Path("/"), {"LD_LIBRARY_PATH": f"{tmp_path}/links"})
    calls = Calls(monkeypatch)
    files = FileCache(here)
    for _ in range(3):
        process = Process(here, files, sys.executable)
        for name in names:
            assert process.open(f"{tmp_path}/lib/{name}", caller=None)
            assert process.open(name, caller=None)
    opened = [path for path in map(os.path.realpath, calls.opened) if path.startswith(str(tmp_path.resolve()))]
    assert sorted(opened) == sorted(str(tmp_path.resolve() / "lib" / name) for name in names)


def test_a_hostile_graph_ends_in_time(tmp_path: Path) -> None:
    """Each of many libraries needs many others that nobody has, by a path of a thousand folders."""
    names = [f"lib{number}.so" for number in range(60)]
    folders = ":".join(f"$ORIGIN/f{number}" for number in range(300))
    for number in range(300):
        (tmp_path / f"f{number}").mkdir()
    for name in names:
        absent = [f"no{number}-{name}" for number in range(60)]
        library(tmp_path / name, needed=[*names, *absent], runpath=f"$ORIGIN:{folders}"[:4000])
    started = time.monotonic()
    process, opened = predict(None, [f"{tmp_path}/lib0.so"], {"LD_LIBRARY_PATH": ":".join(["/nowhere/x"] * 5000)})
    assert time.monotonic() - started < 8
    assert opened == (False,)
    assert not process.known  # it was given up: what is not found may be there


# -- auditwheel --------------------------------------------------------------------------------------------------------


def as_auditwheel_says(path: str) -> dict[str, str | None]:
    lddtree = pytest.importorskip("auditwheel.lddtree")
    found = lddtree.ldd(Path(path)).libraries
    return {name: str(item.realpath) if item.realpath else None for name, item in found.items()}


def compared(path: str, process: Process) -> None:
    theirs = as_auditwheel_says(path)
    ours = {item.asked: item.realpath for item in process.loaded if item.asked and "/" not in item.asked}
    assert ours, path
    assert {name: os.path.realpath(theirs[name] or "") for name in ours} == ours


@needs_gcc
def test_a_plain_graph_as_auditwheel_resolves_it(tmp_path: Path) -> None:
    program = gcc(tmp_path / "program", OPENER, "-ldl")
    library(tmp_path / "lib" / "libtop.so", needed=["liba.so", "libb.so", "libc.so.6"], rpath="$ORIGIN/deep")
    library(tmp_path / "lib" / "deep" / "liba.so", needed=["libb.so", "libm.so.6"])
    library(tmp_path / "lib" / "deep" / "libb.so", needed=["libd.so"], runpath="$ORIGIN/../far")
    library(tmp_path / "lib" / "far" / "libd.so")
    opened = predict(program, [f"{tmp_path}/lib/libtop.so"])[1]
    assert opened == (True,)
    compared(f"{tmp_path}/lib/libtop.so", predict(None, [f"{tmp_path}/lib/libtop.so"])[0])


@pytest.mark.parametrize(
    ("environment", "pattern"),
    [
        ("trt853", "tensorrt/libnvinfer_plugin.so.8"),
        ("trt853", "tensorrt/tensorrt.so"),
        ("torch", "torch/lib/libtorch_python.so"),
        ("torch113", "torch/lib/libtorch_python.so"),
        ("lean-cu13", "tensorrt_lean_libs/libnvinfer_lean.so*"),
    ],
)
def test_real_wheels_as_auditwheel_resolves_them(environment: str, pattern: str) -> None:
    paths = sorted((KEPT / environment).glob(f"lib/python3*/site-packages/{pattern}"))
    if not paths:
        pytest.skip(f"no {KEPT}/{environment}")
    process, opened = predict(None, [str(paths[0])])
    assert opened == (True,)
    compared(str(paths[0]), process)
