"""Undefined symbols in the closure that a library would get, against what the real loader says of the same files."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.probes.test_elfsymbols import built, needs_gcc
from trtdoctor.matrix import libraries, load, loading
from trtdoctor.probes.base import ProbeContext
from trtdoctor.probes.loader import importers, symbols
from trtdoctor.probes.loader.filecache import FileCache
from trtdoctor.probes.loader.process import Process
from trtdoctor.snapshot import Missing

PYTHON = os.path.realpath(sys.executable)


def context(**environ: str) -> ProbeContext:
    matrix = load()
    return ProbeContext(
        Path("/"),
        {"PATH": os.environ.get("PATH", ""), **environ},
        partial(libraries.identify, matrix),
        lambda name: None,
        loading=partial(loading.table, matrix),
    )


def predicted(path: Path, **environ: str) -> list[Missing]:
    here = context(**environ)
    process = Process(here, FileCache(here), PYTHON)
    assert process.open(str(path), caller=None)
    return symbols.lacking(here, process)


def real_error(path: Path, **environ: str) -> str:
    """What the loader of this machine says when everything is bound at once."""
    code = "import ctypes, sys\ntry: ctypes.CDLL(sys.argv[1])\nexcept OSError as error: print(error)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(path)],
        capture_output=True,
        text=True,
        env={**os.environ, **environ},
        check=True,
        timeout=30,
    )
    return done.stdout.strip()


def layout(tmp_path: Path, exported: str) -> Path:
    """A parser that needs what libnvinfer may or may not export, linked against a libnvinfer that has everything."""
    whole = tmp_path / "whole"
    whole.mkdir()
    code = "int getBuilderPluginRegistry(int x) { return x; } int getPluginRegistry(void) { return 0; }"
    built(whole / "libnvinfer.so.8", code, "-Wl,-soname,libnvinfer.so.8")
    built(tmp_path / "libnvinfer.so.8", exported, "-Wl,-soname,libnvinfer.so.8")
    uses = "extern int getBuilderPluginRegistry(int), getPluginRegistry(void); int parse(void) { return "
    uses += "getBuilderPluginRegistry(0) + getPluginRegistry(); }"
    options = (str(whole / "libnvinfer.so.8"), "-Wl,-soname,libnvonnxparser.so.8,-rpath,$ORIGIN")
    return built(tmp_path / "libnvonnxparser.so.8", uses, *options)


@needs_gcc
def test_a_symbol_that_nobody_has_is_told_as_the_loader_tells_it(tmp_path: Path) -> None:
    path = layout(tmp_path, "int getPluginRegistry(void) { return 0; }")
    [found] = predicted(path)
    assert (found.name, found.problem, found.detail) == (path.name, "undefined-symbol", "getBuilderPluginRegistry")
    assert (found.path, found.needed_by) == (str(path), str(path))
    assert "undefined symbol: getBuilderPluginRegistry" in real_error(path)


@needs_gcc
def test_nothing_is_told_when_everything_is_there(tmp_path: Path) -> None:
    path = layout(
        tmp_path, "int getPluginRegistry(void) { return 0; } int getBuilderPluginRegistry(int x) { return x; }"
    )
    assert predicted(path) == []
    assert real_error(path) == ""


@needs_gcc
def test_a_preloaded_library_may_have_it(tmp_path: Path) -> None:
    path = layout(tmp_path, "int getPluginRegistry(void) { return 0; }")
    other = built(tmp_path / "libother.so", "int getBuilderPluginRegistry(int x) { return x; }")
    assert predicted(path, LD_PRELOAD=str(other)) == []
    assert real_error(path, LD_PRELOAD=str(other)) == ""


@needs_gcc
def test_an_extension_gets_the_interpreter_s_own_symbols(tmp_path: Path) -> None:
    folder = tmp_path / "tensorrt"
    folder.mkdir()
    code = "extern void *PyModule_Create2(void *, int); void *PyInit_tensorrt(void) { return PyModule_Create2(0, 3); }"
    extension = built(folder / "tensorrt.so", code)
    assert predicted(extension) == []


@needs_gcc
def test_nothing_is_told_when_an_object_cannot_be_read(tmp_path: Path) -> None:
    """One without a hash table might have anything."""
    path = layout(tmp_path, "int getPluginRegistry(void) { return 0; }")
    silent = tmp_path / "libsilent.so"
    built(silent, "int something(void) { return 1; }", "-Wl,--hash-style=sysv")
    here = context(LD_PRELOAD=str(silent))
    process = Process(here, FileCache(here), PYTHON)
    assert process.open(str(path), caller=None)
    assert symbols.lacking(here, process) != []
    silent.write_bytes(b"")  # between the two looks
    assert symbols.lacking(here, process) == []


@needs_gcc
def test_it_ends_in_time(tmp_path: Path) -> None:
    path = layout(tmp_path, "int getPluginRegistry(void) { return 0; }")
    here = context()
    process = Process(here, FileCache(here), PYTHON)
    assert process.open(str(path), caller=None)
    assert symbols.lacking(here, process, seconds=-1.0) == []


KEPT = Path(os.environ.get("TRTDOCTOR_TEST_ENVIRONMENTS") or Path("~/.cache/trtdoctor-test-environments").expanduser())


@pytest.mark.parametrize("name", ["trt853", "torch113", "torch", "ort", "rtx", "lean-cu12", "lean-cu13"])
def test_real_environments_lack_nothing(name: str) -> None:
    """Whatever NVIDIA and PyTorch publish is whole: a symbol told as lacking would be our own mistake."""
    python = KEPT / name / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no {python}: see tests/tools/environments.py")
    from trtdoctor.matrix import distributions

    matrix = load()
    here = ProbeContext(
        Path("/"),
        {"PATH": os.environ.get("PATH", "")},
        partial(libraries.identify, matrix),
        partial(distributions.identify, matrix),
        python=str(python),
        loading=partial(loading.table, matrix),
        symbols=True,
    )
    found = importers.predict(here, None)
    assert found
    assert [item for one in found for item in one.missing if item.problem == "undefined-symbol"] == []
