"""Observation survives whatever an import does, leaves nothing behind, and says what happened."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.probes.loader.layouts import context, environment, one, picked, site_of
from tests.probes.loader.objects import library
from tests.probes.loader.reality import gcc, needs_gcc
from tests.probes.roots import write
from trtdoctor.matrix import Matrix
from trtdoctor.probes import collect
from trtdoctor.probes.base import Children
from trtdoctor.probes.loader import observe as room
from trtdoctor.probes.loader.importers import predict
from trtdoctor.probes.loader.observe import missing_in, observe
from trtdoctor.snapshot import Loading


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment(tmp_path_factory.mktemp("observed") / "venv")


def seen(matrix: Matrix, python: Path, *modules: str, environ: dict[str, str] | None = None) -> list[Loading]:
    around = context(matrix, python, environ)
    return list(observe(around, predict(around, modules), Children()).loadings)


def module(python: Path, name: str, code: str) -> str:
    write(site_of(python), {f"{name}.py": code})
    return name


@pytest.mark.parametrize(
    ("name", "code", "outcome", "error"),
    [
        ("fine", 'print(\'{"loaded": false, "error": "not the answer"}\')', "ok", None),
        ("loud", "import os\nfor _ in range(200): os.write(1, b'x' * 65536)", "ok", None),
        ("raises", "print('first')\nraise RuntimeError('no such luck')", "failed", "RuntimeError: no such luck"),
        ("leaves", "import sys\nsys.exit(4)", "failed", "SystemExit: 4"),
        ("drops", "import os\nprint('gone', flush=True)\nos._exit(3)", "failed", "gone"),
        ("closes", "import os\nos.closerange(0, 3)", "ok", None),
    ],
)
def test_what_an_import_does_becomes_its_outcome(
    matrix: Matrix, python: Path, name: str, code: str, outcome: str, error: str | None
) -> None:
    loading = seen(matrix, python, module(python, name, code))[0]
    assert (loading.outcome, loading.error) == (outcome, error)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (
            "aborts",
            "import os, sys\nprint('a first line')\nprint('the last words', file=sys.stderr, flush=True)\nos.abort()",
        ),
        ("faults", "import ctypes, os\nos.write(2, b'the last words\\n')\nctypes.string_at(0)"),
        ("killed", "import os, signal\nos.write(2, b'the last words\\n')\nos.kill(os.getpid(), signal.SIGKILL)"),
    ],
)
def test_a_crash_is_told_with_its_last_words(matrix: Matrix, python: Path, name: str, code: str) -> None:
    loading = seen(matrix, python, module(python, name, code))[0]
    assert (loading.outcome, loading.error) == ("crashed", "the last words")


def test_what_hangs_is_ended_in_time_with_all_that_it_started(
    matrix: Matrix, python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "CHILD_SECONDS", 1.5)
    pids = tmp_path / "pids"
    code = (
        "import os, subprocess, time\n"
        f"other = subprocess.Popen(['sleep', '60'])\nopen({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{other.pid}}')\n"
        "while True: time.sleep(1)\n"
    )
    started = time.monotonic()
    loading = seen(matrix, python, module(python, "hangs", code))[0]
    assert loading.outcome == "timed-out"
    assert time.monotonic() - started < 6
    for pid in pids.read_text().split():
        assert gone(int(pid)), f"{pid} still runs"


def test_what_an_import_starts_and_leaves_ends_with_it(matrix: Matrix, python: Path, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = f"import subprocess\nopen({str(pids)!r}, 'w').write(str(subprocess.Popen(['sleep', '60']).pid))\n"
    assert seen(matrix, python, module(python, "forgets", code))[0].outcome == "ok"
    assert gone(int(pids.read_text()))


def gone(pid: int) -> bool:
    for _ in range(100):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as stream:
                if stream.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_nothing_is_left_behind(matrix: Matrix, python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    write(site_of(python), {"messy/inner.py": "", "messy/__init__.py": ""})
    code = (
        "import os, tempfile\nfrom messy import inner\n"
        "open(os.path.join(tempfile.mkdtemp(), 'kept'), 'w').write('x')\n"
        "os.makedirs(os.path.join(os.environ['XDG_CACHE_HOME'], 'a', 'b'))\nos.abort()\n"
    )
    before = sorted(str(path) for path in site_of(python).rglob("*"))
    loading = seen(matrix, python, module(python, "untidy", code), environ=dict(os.environ))[0]
    assert loading.outcome == "crashed"
    assert list(tmp_path.iterdir()) == []
    after = sorted(str(path) for path in site_of(python).rglob("*"))
    assert [path for path in after if path not in before] == [str(site_of(python) / "untidy.py")]


def test_an_import_sees_what_the_user_s_own_would(matrix: Matrix, python: Path, tmp_path: Path) -> None:
    write(
        tmp_path,
        {"elsewhere.py": "import os\nassert os.environ['MINE'] == '1', 'no MINE'\nassert os.getcwd() != '/'\n"},
    )
    environ = {"PYTHONPATH": str(tmp_path), "MINE": "1", "PATH": "/bin"}
    assert seen(matrix, python, "elsewhere", environ=environ)[0].outcome == "ok"


@needs_gcc
def test_what_a_call_opens_afterwards_is_told_as_opened_on_use(matrix: Matrix, python: Path, tmp_path: Path) -> None:
    """The shim of cuDNN opens its parts when it is first called; here one that crashes then."""
    part = library(tmp_path / "libcudnn_graph.so.9")
    opens = (
        '#include <dlfcn.h>\n#include <stdlib.h>\nlong cudnnGetVersion(void) { dlopen("%s", RTLD_NOW); %s return 9; }'
    )
    shim = gcc(tmp_path / "libcudnn.so.9", opens % (part, ""), "-shared", "-fPIC", "-Wl,-soname,libcudnn.so.9")
    around = context(matrix, python)
    loading = observe(around, predict(around, (str(shim),)), Children()).loadings[0]
    assert (loading.outcome, picked(loading)) == ("ok", {"libcudnn": str(shim)})
    assert picked(loading, lazy=True) == {"libcudnn": str(shim), "libcudnn_graph": str(part)}
    gcc(shim, opens % (part, "abort();"), "-shared", "-fPIC", "-Wl,-soname,libcudnn.so.9")
    again = observe(around, predict(around, (str(shim),)), Children()).loadings[0]
    assert (again.outcome, picked(again)) == ("ok", {"libcudnn": str(shim)})


@needs_gcc
def test_a_program_is_listed_by_the_loader_and_not_run(matrix: Matrix, python: Path, tmp_path: Path) -> None:
    builder = gcc(tmp_path / "lib" / "libnvinfer.so.8", "", "-shared", "-nostdlib", "-Wl,-soname,libnvinfer.so.8")
    trace = tmp_path / "was-run"
    code = f'#include <stdio.h>\nint main(void) {{ fopen("{trace}", "w"); return 0; }}'
    options = ["-Wl,--no-as-needed", str(builder), "-Wl,-rpath,$ORIGIN/../lib"]
    program = gcc(tmp_path / "bin" / "trtexec", code, *options)
    around = context(matrix, python, {"PATH": str(program.parent)})
    predicted = predict(around, ("trtexec",))
    observed = observe(around, predicted, Children()).loadings[0]
    assert not trace.exists()
    assert picked(one(predicted, "trtexec")) == picked(observed) == {"libnvinfer": str(builder)}
    assert (observed.outcome, observed.kind) == ("ok", "program")
    builder.unlink()
    around = context(matrix, python, {"PATH": str(program.parent)})
    predicted = predict(around, ("trtexec",))
    observed = observe(around, predicted, Children()).loadings[0]
    assert (predicted[0].outcome, observed.outcome) == ("failed", "failed")
    assert [item.name for item in observed.missing] == ["libnvinfer.so.8"]


def test_a_program_that_the_loader_of_glibc_does_not_load_is_not_run(
    matrix: Matrix, python: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "was-run"
    program = tmp_path / "trtexec"
    program.write_text(f"#!/bin/sh\ntouch {trace}\n")
    program.chmod(0o755)
    around = context(matrix, python, {"PATH": str(tmp_path)})
    found = observe(around, predict(around, ("trtexec",)), Children())
    assert found.loadings == ()
    assert "trtexec could not be observed" in (found.probes[0].detail or "")
    assert not trace.exists()


def test_an_interpreter_that_cannot_be_run_is_no_failure_of_the_import(matrix: Matrix, tmp_path: Path) -> None:
    script = tmp_path / "bin" / "python"
    write(tmp_path, {"bin/python": "#!/bin/sh\necho '{\"loaded\": 3}'\nexit 3\n", "site/tensorrt/__init__.py": ""})
    script.chmod(0o755)
    around = context(matrix, script, {"PYTHONPATH": str(tmp_path / "site"), "PATH": "/bin"})
    found = observe(around, predict(around, ("tensorrt",)), Children())
    assert found.loadings == ()
    assert [item.outcome for item in found.probes] == ["partial"]


def test_collect_observes_only_when_asked(matrix: Matrix, python: Path) -> None:
    name = module(python, "quiet", "")
    plain = collect(matrix, python=str(python), importers=[name])
    assert {item.method for item in plain.loadings} == {"predicted"}
    asked = collect(matrix, python=str(python), importers=[name], observe=True)
    assert [(item.method, item.outcome) for item in asked.loadings] == [("predicted", "unknown"), ("observed", "ok")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "ImportError: libnvinfer.so.10: cannot open shared object file: No such file or directory",
            ("libnvinfer.so.10", "not-found", None, None, None),
        ),
        (
            "OSError: /lib/libc.so.6: version `GLIBC_2.38' not found (required by /x/libnvinfer.so.10)",
            ("libc.so.6", "symbol-version", "GLIBC_2.38", "/x/libnvinfer.so.10", "/lib/libc.so.6"),
        ),
        (
            "ImportError: /x/libth_common.so: undefined symbol: _ZN3c105ErrorE, version X",
            ("libth_common.so", "undefined-symbol", "_ZN3c105ErrorE", None, "/x/libth_common.so"),
        ),
        (
            "OSError: libnvinfer.so.8: cannot enable executable stack as shared object requires: Invalid argument",
            ("libnvinfer.so.8", "executable-stack", None, None, None),
        ),
        (
            "OSError: /x/libnvinfer.so.7.1.3: file too short",
            ("libnvinfer.so.7.1.3", "truncated", None, None, "/x/libnvinfer.so.7.1.3"),
        ),
        ("OSError: /x/libcuda.so.1: invalid ELF header", ("libcuda.so.1", "not-elf", None, None, "/x/libcuda.so.1")),
        ("ModuleNotFoundError: No module named 'numpy'", None),
        ("RuntimeError: CUDA error 35", None),
    ],
)
def test_the_loader_s_own_words_are_understood(text: str, told: tuple[str | None, ...] | None) -> None:
    found = [(item.name, item.problem, item.detail, item.needed_by, item.path) for item in missing_in(text)]
    assert found == ([told] if told else [])


@given(st.text(max_size=300))
def test_no_text_of_an_error_breaks_its_reader(text: str) -> None:
    for item in missing_in(text):
        assert item.name
        assert "/" not in item.name


def test_a_real_failure_of_the_loader_is_understood(matrix: Matrix, python: Path, tmp_path: Path) -> None:
    if not shutil.which("python3"):
        pytest.skip("no python3")
    path = tmp_path / "libnvinfer.so.10"
    code = f"import ctypes\nctypes.CDLL({str(path)!r})\n"
    name = module(python, "opens", code)
    for content, problem in ((None, "not-found"), (b"", "truncated"), (b"no library " * 99, "not-elf")):
        if content is not None:
            path.write_bytes(content)
        loading = seen(matrix, python, name)[0]
        assert loading.outcome == "failed"
        assert [(item.name, item.problem) for item in loading.missing] == [("libnvinfer.so.10", problem)]
