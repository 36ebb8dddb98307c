"""The simulated loader against the real one of this machine, case by case."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.probes.loader.objects import NODEFLIB, library, shared_object
from tests.probes.loader.reality import CALLER, OPENER, agree, gcc, needs_gcc, predict, run
from tests.probes.loader.test_other_loaders import KEPT
from trtdoctor.snapshot import Missing

pytestmark = needs_gcc


@pytest.fixture(scope="module")
def opener(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program without any path of its own."""
    return gcc(tmp_path_factory.mktemp("opener") / "opener", OPENER, "-ldl")


def problems(missing: list[Missing]) -> list[tuple[str, str]]:
    return [(item.name, item.problem) for item in missing]


def test_runpath_is_for_the_object_itself_and_rpath_for_all_below(tmp_path: Path, opener: Path) -> None:
    for kind in ("rpath", "runpath"):
        here = tmp_path / kind
        library(here / "top.so", needed=["libmiddle.so"], **{kind: "$ORIGIN/middle:$ORIGIN/low"})
        library(here / "middle" / "libmiddle.so", needed=["liblow.so"])
        library(here / "low" / "liblow.so")
    process, _ = agree(opener, [f"{tmp_path}/rpath/top.so", f"{tmp_path}/runpath/top.so"], tmp_path)
    assert [(item.soname, item.step, item.entry) for item in process.loaded if str(tmp_path) in item.path] == [
        ("top.so", "path", None),
        ("libmiddle.so", "rpath", "$ORIGIN/middle"),
        ("liblow.so", "rpath", "$ORIGIN/low"),
        # Both are known by their sonames now: the second top.so finds them loaded.
        ("top.so", "path", None),
    ]
    process, real = agree(opener, [f"{tmp_path}/runpath/top.so"], tmp_path)
    assert real.opened == (False,)
    assert process.missing == [
        Missing("liblow.so", f"{tmp_path}/runpath/middle/libmiddle.so", "not-found", swallowed=False, lazy=False),
        Missing(
            "top.so",
            str(opener),
            "dependency",
            "liblow.so",
            f"{tmp_path}/runpath/top.so",
            swallowed=False,
            lazy=False,
        ),
    ]
    assert not [item for item in process.loaded if str(tmp_path) in item.path]


def test_rpath_counts_before_and_runpath_after_the_variable(tmp_path: Path, opener: Path) -> None:
    for place in ("own", "variable"):
        library(tmp_path / place / "libwanted.so")
    for kind, place in (("rpath", "own"), ("runpath", "variable")):
        top = library(tmp_path / f"{kind}.so", needed=["libwanted.so"], **{kind: f"{tmp_path}/own"})
        process, _ = agree(opener, [str(top)], tmp_path, {"LD_LIBRARY_PATH": f"{tmp_path}/variable"})
        wanted = process.get("libwanted.so")
        assert wanted is not None
        assert wanted.path == f"{tmp_path}/{place}/libwanted.so"


def test_an_rpath_beside_a_runpath_is_ignored(tmp_path: Path, opener: Path) -> None:
    top = library(
        tmp_path / "top.so", needed=["liba.so"], rpath=f"{tmp_path}/by-rpath", runpath=f"{tmp_path}/by-runpath"
    )
    library(tmp_path / "by-rpath" / "liba.so")
    assert agree(opener, [str(top)], tmp_path)[1].opened == (False,)
    library(tmp_path / "by-runpath" / "liba.so")
    process, _ = agree(opener, [str(top)], tmp_path)
    assert [item.step for item in process.loaded if item.soname == "liba.so"] == ["runpath"]


def test_an_object_with_runpath_neither_inherits_nor_stops_an_rpath(tmp_path: Path, opener: Path) -> None:
    top = library(tmp_path / "top.so", needed=["liba.so"], rpath=f"{tmp_path}/far:{tmp_path}")
    library(tmp_path / "liba.so", needed=["libb.so"], runpath=f"{tmp_path}/near")
    library(tmp_path / "near" / "libb.so", needed=["libc1.so"])
    library(tmp_path / "far" / "libb.so")  # liba.so does not see it
    library(tmp_path / "far" / "libc1.so")  # but libb.so, which has no RUNPATH, does
    process, _ = agree(opener, [str(top)], tmp_path)
    assert [item.path for item in process.loaded][-1] == f"{tmp_path}/far/libc1.so"


def test_the_program_has_an_rpath_for_everybody_and_a_runpath_for_itself(tmp_path: Path) -> None:
    library(tmp_path / "lib" / "liba.so", needed=["libb.so"])
    library(tmp_path / "lib" / "libb.so")
    top = library(tmp_path / "top.so", needed=["liba.so"])
    for flag, whole in (("--disable-new-dtags", True), ("--enable-new-dtags", False)):
        program = gcc(tmp_path / f"program{flag}", OPENER, "-ldl", f"-Wl,{flag},-rpath,$ORIGIN/lib")
        _, real = agree(program, [str(top)], tmp_path)
        assert real.opened == (whole,)
        # By a link from elsewhere: the program's $ORIGIN is where it really lies.
        link = tmp_path / "bin" / f"link{flag}"
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(program)
        _, real = agree(link, [str(top), "libb.so"], tmp_path)
        assert real.opened == (whole, True)


def test_the_chain_ends_at_dlopen(tmp_path: Path, opener: Path) -> None:
    """What an object opens does not inherit its RPATH; the name that it asks for is searched by it."""
    caller = gcc(
        tmp_path / "caller.so",
        CALLER,
        *("-shared", "-fPIC", "-ldl", f"-Wl,--disable-new-dtags,-rpath,{tmp_path}/seen"),
    )
    library(tmp_path / "seen" / "liba.so", needed=["libb.so"])
    library(tmp_path / "seen" / "libb.so")
    library(tmp_path / "seen" / "liblone.so")
    _, real = agree(opener, [f"{caller}@liblone.so", f"{caller}@liba.so", "liblone.so"], tmp_path)
    assert real.opened == (True, False, True)


def test_dlopen_from_an_extension_uses_the_extensions_runpath(tmp_path: Path, opener: Path) -> None:
    caller = gcc(
        tmp_path / "site" / "caller.so",
        CALLER,
        *("-shared", "-fPIC", "-ldl", "-Wl,--enable-new-dtags,-rpath,$ORIGIN/../libs"),
    )
    library(tmp_path / "libs" / "liba.so")
    process, real = agree(opener, ["liba.so", f"{caller}@liba.so", f"{caller}@$ORIGIN/../libs/liba.so"], tmp_path)
    assert real.opened == (False, True, True)
    found = process.get("liba.so")
    assert found is not None
    assert (found.step, found.entry, found.needed_by) == ("runpath", "$ORIGIN/../libs", None)


@pytest.mark.parametrize("separator", [":", ";"])
def test_the_variable_in_its_order_with_empty_and_relative_entries(
    tmp_path: Path, opener: Path, separator: str
) -> None:
    for number, place in enumerate(("first", "here", "here/relative", "last")):
        for name in "abcd"[: number + 1]:
            library(tmp_path / place / f"lib{name}.so")
    entries = ("/nowhere", f"{tmp_path}/first/", "", "relative//", f"{tmp_path}/first", f"{tmp_path}/last")
    process, _ = agree(
        opener,
        [f"lib{name}.so" for name in "abcd"],
        tmp_path,
        {"LD_LIBRARY_PATH": separator.join(entries)},
        cwd=tmp_path / "here",
    )
    assert [(item.path.removeprefix(f"{tmp_path}/"), item.entry) for item in process.loaded[-4:]] == [
        ("first/liba.so", f"{tmp_path}/first/"),
        ("here/libb.so", ""),
        ("here/relative/libc.so", "relative//"),
        ("last/libd.so", f"{tmp_path}/last"),
    ]


def test_tokens_in_every_form(tmp_path: Path, opener: Path) -> None:
    lib = agree(opener, [], tmp_path)[0].system.library
    library(tmp_path / lib / "liba.so")
    library(tmp_path / os.uname().machine / "libb.so")
    library(tmp_path / "$ORIGINAL" / "libc1.so")
    library(tmp_path / "libd.so", needed=["${ORIGIN}/plain/libe.so"])
    library(tmp_path / "plain" / "libe.so")
    top = library(
        tmp_path / "top.so",
        needed=["liba.so", "libb.so", "libc1.so"],
        runpath=f"$ORIGIN/$LIB:${{ORIGIN}}/$PLATFORM:{tmp_path}/$ORIGINAL",
    )
    _, real = agree(opener, [str(top), f"{tmp_path}/libd.so"], tmp_path)
    assert real.opened == (True, True)


def test_a_farm_of_links_and_origin(tmp_path: Path, opener: Path) -> None:
    """$ORIGIN is where an object was found, not where it lies; one file is one object, however it is named."""
    library(tmp_path / "store" / "liba.so.1", needed=["libb.so.1"], runpath="$ORIGIN/../side")
    library(tmp_path / "store" / "side" / "libb.so.1")
    library(tmp_path / "side" / "libb.so.1")
    library(tmp_path / "farm" / "side" / "libb.so.1")
    links = tmp_path / "farm" / "lib"
    links.mkdir()
    (links / "liba.so.1").symlink_to("../../store/liba.so.1")
    (links / "other.so").symlink_to("liba.so.1")
    process, _ = agree(opener, [f"{links}/liba.so.1", f"{links}/other.so", f"{tmp_path}/store/liba.so.1"], tmp_path)
    mine = [item for item in process.loaded if str(tmp_path) in item.path]
    assert [item.path for item in mine] == [f"{links}/liba.so.1", f"{tmp_path}/farm/lib/../side/libb.so.1"]
    assert mine[0].realpath == f"{tmp_path}/store/liba.so.1"
    assert mine[0].names >= {f"{links}/other.so", "liba.so.1"}


@pytest.mark.parametrize("skipped", ["machine", "class", "absent", "broken-link", "unreadable-folder"])
def test_what_is_skipped(tmp_path: Path, opener: Path, skipped: str) -> None:
    library(tmp_path / "second" / "liba.so")
    first = tmp_path / "first"
    first.mkdir()
    if skipped == "machine":
        other = "aarch64" if os.uname().machine == "x86_64" else "x86_64"
        library(first / "liba.so", machine=other)
    elif skipped == "class":
        content = bytearray(shared_object("liba.so"))
        content[4] = 1
        (first / "liba.so").write_bytes(content)
    elif skipped == "broken-link":
        (first / "liba.so").symlink_to("nowhere")
    elif skipped == "unreadable-folder":
        first.rmdir()
        first.write_text("a file")
    path = {"LD_LIBRARY_PATH": f"{first}:{tmp_path}/second"}
    _, real = agree(opener, ["liba.so"], tmp_path, path)
    assert real.mapped == {f"{tmp_path}/second/liba.so"}
    # Alone it is no more than not found, unless a file for others is there.
    process, real = agree(opener, ["liba.so"], tmp_path, {"LD_LIBRARY_PATH": str(first)})
    assert real.opened == (False,)
    foreign = skipped in ("machine", "class")
    assert problems(process.missing) == [("liba.so", "foreign-architecture" if foreign else "not-found")]


@pytest.mark.parametrize(
    ("first", "problem", "words"),
    [
        (b"", "truncated", "file too short"),
        (b"\x7fELF\x02\x01", "truncated", "file too short"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0000000000000", "not-elf", "invalid ELF header"),
        (None, "unreadable", "Is a directory"),
    ],
)
def test_what_ends_the_search(tmp_path: Path, opener: Path, first: bytes | None, problem: str, words: str) -> None:
    library(tmp_path / "second" / "liba.so")
    bad = tmp_path / "first" / "liba.so"
    bad.parent.mkdir()
    if first is None:
        bad.mkdir()
    else:
        bad.write_bytes(first)
    process, real = agree(opener, ["liba.so"], tmp_path, {"LD_LIBRARY_PATH": f"{tmp_path}/first:{tmp_path}/second"})
    assert real.opened == (False,)
    assert words in real.errors[0]
    assert [(item.problem, item.path) for item in process.missing] == [(problem, str(bad))]


def test_a_loop_of_links_ends_one_list_only(tmp_path: Path, opener: Path) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "liba.so").symlink_to("liba.so")
    library(tmp_path / "second" / "liba.so")
    library(tmp_path / "third" / "liba.so")
    top = library(tmp_path / "top.so", needed=["liba.so"], runpath=f"{tmp_path}/third")
    process, _ = agree(opener, [str(top)], tmp_path, {"LD_LIBRARY_PATH": f"{tmp_path}/first:{tmp_path}/second"})
    assert process.loaded[-1].path == f"{tmp_path}/third/liba.so"


def test_what_no_process_can_dlopen(tmp_path: Path, opener: Path) -> None:
    gcc(tmp_path / "program", "int main(void) { return 0; }")
    gcc(tmp_path / "fixed", "int main(void) { return 0; }", "-no-pie")
    subprocess.run(["objcopy", "--only-keep-debug", opener, tmp_path / "debug"], check=True)
    names = [str(tmp_path / name) for name in ("program", "fixed", "debug")]
    process, real = agree(opener, names, tmp_path)
    assert real.opened == (False, False, False)
    assert [item.detail for item in process.missing] == ["a program", "a program", "no dynamic section"]


def test_a_failed_dlopen_takes_back_what_it_mapped(tmp_path: Path, opener: Path) -> None:
    where = f"{tmp_path}"
    library(tmp_path / "liba.so", needed=["libshared.so", "libabsent.so"], runpath=where)
    library(tmp_path / "libshared.so")
    library(tmp_path / "libb.so", needed=["libshared.so"])
    # libb.so has no path of its own: it gets libshared.so only where that has stayed.
    process, real = agree(opener, [f"{where}/liba.so", f"{where}/libb.so"], tmp_path)
    assert real.opened == (False, False)
    assert [(item.name, item.detail) for item in process.missing] == [
        ("libabsent.so", None),
        ("liba.so", "libabsent.so"),
        ("libshared.so", None),
        ("libb.so", "libshared.so"),
    ]
    process, real = agree(opener, [f"{where}/libshared.so", f"{where}/liba.so", f"{where}/libb.so"], tmp_path)
    assert real.opened == (True, False, True)


def test_a_name_is_learnt_after_a_failure_too(tmp_path: Path) -> None:
    program = gcc(tmp_path / "program", OPENER, "-ldl", f"-Wl,--enable-new-dtags,-rpath,{tmp_path}/here")
    library(tmp_path / "here" / "liblow.so", soname="libother.so")
    library(tmp_path / "here" / "libtop.so", needed=["liblow.so"])
    names = [f"{tmp_path}/here/liblow.so", "libtop.so", "liblow.so", "libtop.so"]
    _, real = agree(program, names, tmp_path, steps=False)
    # Found by its own name it is the file that is loaded already, and answers to that name from then on.
    assert real.opened == (True, False, True, True)


def test_a_soname_that_is_loaded_needs_no_search(tmp_path: Path, opener: Path) -> None:
    library(tmp_path / "one" / "real-name.so", soname="libcudnn.so.9")
    library(tmp_path / "two" / "libcudnn.so.9")
    top = library(tmp_path / "top.so", needed=["libcudnn.so.9"], rpath=f"{tmp_path}/two")
    process, _ = agree(opener, [f"{tmp_path}/one/real-name.so", str(top)], tmp_path)
    assert [item.path for item in process.loaded if item.soname == "libcudnn.so.9"] == [f"{tmp_path}/one/real-name.so"]
    process, _ = agree(opener, [str(top), f"{tmp_path}/one/real-name.so"], tmp_path)
    assert [item.path for item in process.loaded if item.soname == "libcudnn.so.9"] == [
        f"{tmp_path}/two/libcudnn.so.9",
        f"{tmp_path}/one/real-name.so",
    ]


def test_nodeflib(tmp_path: Path, opener: Path) -> None:
    """A default library that nobody has loaded, so that it must be searched for."""
    absent = next(
        (name for name in ("libutil.so.1", "libanl.so.1", "libnsl.so.1") if opens(opener, name, tmp_path)), None
    )
    if absent is None:
        pytest.skip("no small library in the default directories")
    plain = library(tmp_path / "plain.so", needed=[absent])
    strict = library(tmp_path / "strict.so", needed=[absent], flags_1=NODEFLIB)
    assert agree(opener, [str(plain)], tmp_path)[1].opened == (True,)
    process, real = agree(opener, [str(strict)], tmp_path)
    assert real.opened == (False,)
    assert problems(process.missing)[0] == (absent, "not-found")


def opens(opener: Path, name: str, below: Path) -> bool:
    return run(opener, [name], below).opened == (True,)


def test_preloaded_objects_come_first_and_their_absence_is_passed_over(tmp_path: Path, opener: Path) -> None:
    library(tmp_path / "hooks" / "liba.so", soname="libwanted.so", needed=["libb.so"], rpath="$ORIGIN")
    library(tmp_path / "hooks" / "libb.so")
    library(tmp_path / "libwanted.so")
    environ = {"LD_PRELOAD": f"libnowhere.so {tmp_path}/hooks/liba.so:/nowhere/x.so"}
    process, _ = agree(opener, ["libwanted.so"], tmp_path, environ)
    assert [(item.soname, item.step, item.entry) for item in process.loaded if str(tmp_path) in item.path] == [
        ("libwanted.so", "preloaded", "LD_PRELOAD"),
        ("libb.so", "rpath", "$ORIGIN"),
    ]
    assert [(item.name, item.swallowed) for item in process.missing] == [("libnowhere.so", True), ("x.so", True)]
    # What a preloaded object needs is not passed over: the program does not start.
    (tmp_path / "hooks" / "libb.so").unlink()
    process, real = agree(opener, [], tmp_path, environ)
    assert real.code != 0
    assert not process.started


def test_a_program_that_lacks_a_library_does_not_start(tmp_path: Path) -> None:
    gcc(tmp_path / "libgone.so", "int gone(void) { return 1; }", "-shared", "-fPIC", "-Wl,-soname,libgone.so")
    program = gcc(
        tmp_path / "program", "int gone(void); int main(void) { return !gone(); }", str(tmp_path / "libgone.so")
    )
    process, real = agree(program, [], tmp_path)
    assert real.code == 127
    assert not process.started
    assert problems(process.missing) == [("libgone.so", "not-found")]
    assert run(program, [], tmp_path, {"LD_LIBRARY_PATH": str(tmp_path)}).code == 0
    assert predict(program, [], {"LD_LIBRARY_PATH": str(tmp_path)})[0].started


def versioned(path: Path, *versions: str) -> Path:
    """A library ``libv.so`` that has these versions, each with a function."""
    script = path.parent / f"{path.name}.map"
    path.parent.mkdir(parents=True, exist_ok=True)
    script.write_text("".join(f"{version} {{ global: f{number}; }};\n" for number, version in enumerate(versions)))
    code = "".join(f"int f{number}(void) {{ return {number}; }}\n" for number in range(len(versions)))
    options = ["-shared", "-fPIC", "-nostdlib", "-Wl,-soname,libv.so"]
    return gcc(path, code, *options, *([f"-Wl,--version-script={script}"] if versions else []))


def test_symbol_versions(tmp_path: Path, opener: Path) -> None:
    new = versioned(tmp_path / "new" / "libv.so", "V_1.2", "V_1.10", "V_1.9", "W_1")
    versioned(tmp_path / "old" / "libv.so", "V_1.2")
    versioned(tmp_path / "none" / "libv.so")
    code = "int f0(void), f1(void), f2(void), f3(void); int user(void) { return f0() + f1() + f2() + f3(); }"
    user = gcc(tmp_path / "user.so", code, "-shared", "-fPIC", "-nostdlib", str(new))
    assert agree(opener, [str(user)], tmp_path, {"LD_LIBRARY_PATH": f"{tmp_path}/new"})[1].opened == (True,)
    process, real = agree(opener, [str(user)], tmp_path, {"LD_LIBRARY_PATH": f"{tmp_path}/old"})
    assert "version `V_1.10' not found" in real.errors[0]
    assert [(item.name, item.problem, item.detail, item.path) for item in process.missing] == [
        ("libv.so", "symbol-version", "V_1.10", f"{tmp_path}/old/libv.so"),
        ("libv.so", "symbol-version", "W_1", f"{tmp_path}/old/libv.so"),
        ("user.so", "dependency", "libv.so", str(user)),
    ]
    # A library without any versions passes the loader's check (what it lacks are symbols, another matter).
    assert not predict(opener, [str(user)], {"LD_LIBRARY_PATH": f"{tmp_path}/none"})[0].missing
    assert "not found" not in run(opener, [str(user)], tmp_path, {"LD_LIBRARY_PATH": f"{tmp_path}/none"}).errors[0]


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="subdirectories by CPU level are x86_64's")
def test_subdirectories_for_better_processors(tmp_path: Path, opener: Path) -> None:
    for level in ("", "glibc-hwcaps/x86-64-v2", "glibc-hwcaps/x86-64-v3", "glibc-hwcaps/x86-64-v4", "tls", "x86_64"):
        library(tmp_path / "lib" / level / "liba.so")
    library(tmp_path / "lib" / "tls" / "x86_64" / "libb.so")
    library(tmp_path / "lib" / "libb.so")
    library(tmp_path / "lib" / "glibc-hwcaps" / "x86-64-v9" / "libc1.so")
    library(tmp_path / "lib" / "libc1.so")
    names = ["liba.so", "libb.so", "libc1.so"]
    process, _ = agree(opener, names, tmp_path, {"LD_LIBRARY_PATH": f"{tmp_path}/lib"})
    assert len([item for item in process.loaded if str(tmp_path) in item.path]) == 3


def test_names_that_no_file_can_have(tmp_path: Path, opener: Path) -> None:
    top = library(tmp_path / "top.so", needed=["lib\x01.so", "x" * 300, "../" * 2000 + "a"], runpath="\ud7ff:/:$ORIGIN")
    process, real = agree(opener, [str(top)], tmp_path)
    assert real.opened == (False,)
    assert len(process.missing) == 4
    assert process.open("nul\0name", caller=None) is False
    assert process.open("/lone\ud800surrogate", caller="/nowhere") is False
    assert process.open("", caller=None) is True


@pytest.mark.parametrize(
    ("environment", "patterns"),
    [
        ("trt853", ["tensorrt/lib*.so*"]),
        ("trt853-unpinned", ["tensorrt/lib*.so*"]),
        ("rtx", ["tensorrt_rtx_libs/*.so*"]),
        ("lean-cu13", ["tensorrt_lean_libs/*.so*"]),
        ("ort", ["onnxruntime/capi/libonnxruntime_providers_*.so"]),
        ("two-cudnn", ["nvidia/cudnn/lib/*.so*", "nvidia/cublas/lib/libcublas.so*"]),
        ("torch", ["torch/lib/libtorch_global_deps.so", "nvidia/cusolver/lib/*.so*"]),
    ],
)
def test_real_libraries_of_nvidia(tmp_path: Path, opener: Path, environment: str, patterns: list[str]) -> None:
    site = next((KEPT / environment).glob("lib/python3*/site-packages"), None)
    if site is None:
        pytest.skip(f"no {KEPT}/{environment}")
    names = [str(path) for pattern in patterns for path in sorted(site.glob(pattern))]
    assert names
    # LD_DEBUG calls a directory by the list that named it first: libcudnn.so.9 has an RPATH, its parts have RUNPATHs.
    agree(opener, names, KEPT / environment, steps=environment != "two-cudnn")
