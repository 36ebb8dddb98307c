"""What the parent makes of a child: its answer, its plan's header, and how it ended, with modules that misbehave."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtdoctor.canary import answer
from trtdoctor.canary.choice import Choice, choose, untold
from trtdoctor.canary.guard import Guard, Limits
from trtdoctor.canary.run import Options, Outcome, run
from trtdoctor.engine import header
from trtdoctor.matrix import Matrix
from trtdoctor.snapshot import Distribution, Interpreter, Snapshot
from trtdoctor.stack import Stack

HERE = Path(__file__).resolve().parent
STAGES = '{"stage": "import", "status": "started"}\n{"stage": "import", "status": "passed", "seconds": 0.1}\n'


# -- the answer --------------------------------------------------------------------------------------------------------


def test_an_answer_is_put_together() -> None:
    raw = (
        STAGES
        + '{"log": {"severity": "error", "text": "bad\\u001b[31m"}}\n{"fact": {"version": "1"}}\n'
        + '{"fact": {"version": "2", "error": 0.5}}\n{"stage": "build", "status": "started"}\nnonsense\n'
    )
    found = answer.read(raw.encode())
    assert [(stage.name, stage.status, stage.seconds) for stage in found.stages] == [("import", "passed", 0.1)]
    assert (found.current, found.done, found.understood, found.muddled) == ("build", False, 6, 1)
    assert found.facts == {"version": "2", "error": 0.5}
    assert found.log[0].text == "bad[31m"


def test_serious_lines_outlive_chatter() -> None:
    lines = ['{"log": {"severity": "error", "text": "first"}}']
    lines += ['{"log": {"severity": "info", "text": "' + str(number) + '"}}' for number in range(1000)]
    lines += ['{"log": {"severity": "warning", "text": "late"}}']
    found = answer.read("\n".join(lines).encode())
    assert [found.log[0].text, found.log[1].text, found.log[-1].text] == [
        "first",
        str(1000 - answer.MOST_CHATTER),
        "late",
    ]


@given(st.binary(max_size=400))
def test_whatever_is_on_the_pipe_is_read(raw: bytes) -> None:
    found = answer.read(raw)
    assert found.understood + found.muddled <= raw.count(b"\n") + 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(["stage", "log", "fact", "done", "status", "seconds"]),
)
def test_values_of_any_kind_are_no_trouble(value: Any, key: str) -> None:
    import json

    found = answer.read(json.dumps({"stage": "build", "status": "failed", key: value}).encode())
    Snapshot.from_plain({"schema": "trtdoctor-snapshot/1"})
    for stage in found.stages:
        assert stage.seconds is None or abs(stage.seconds) < 1e18
    answer.number_of(found.facts, key), answer.text_of(found.facts, key), answer.texts_of(found.facts, key)


# -- the header --------------------------------------------------------------------------------------------------------

PLAIN = b"ftrt" + bytes(12) + (3228).to_bytes(8, "little") + bytes([8, 6, 1, 6]) + bytes(36)
OLD = bytearray(64)
OLD[0:4], OLD[8], OLD[16:24] = b"ptrt", 232, (1000).to_bytes(8, "little")
OLD[24:28] = bytes([2, 0x80, 1, 0])
for _place, _number in zip((28, 33, 38, 43), (8, 5, 3, 1), strict=True):
    OLD[_place] = _number
RTX = b"vtrt" + bytes(12) + (500).to_bytes(8, "little") + bytes([1, 7, 1, 116]) + b"vtrt" + bytes([0x14]) + bytes(31)


def test_headers_of_each_layout_are_read(matrix: Matrix) -> None:
    found = header.read(matrix, PLAIN)
    assert found is not None
    assert (found.layout, found.shown, found.length) == ("tensorrt", "8.6.1.6", None)  # measured on 8.6 only
    found = header.read(matrix, bytes(OLD))
    assert found is not None
    assert (found.layout, found.shown, found.length) == ("tensorrt-8.5", "8.5.3.1", 1024)
    found = header.read(matrix, RTX)
    assert found is not None
    assert (found.shown, found.length, found.compute_capabilities) == ("1.7.1.116", 500, ("8.6", "12.0"))


def agree(matrix: Matrix, first: bytes, **said: Any) -> list[str]:
    settings: dict[str, Any] = {"product": "tensorrt", "version": None, "length": None, **said}
    return header.disagreements(header.read(matrix, first), **settings)


def test_what_a_header_says_is_compared(matrix: Matrix) -> None:
    assert agree(matrix, PLAIN, version="8.6.1.6", length=3229) == []
    assert agree(matrix, PLAIN, version="8.6.1.post1", length=3228) == []
    assert "8.6.1.6" in agree(matrix, PLAIN, version="8.6.2")[0]
    assert "500 bytes" in agree(matrix, RTX, product="tensorrt-rtx", length=501)[0]
    other = OLD.copy()
    other[24] = 7  # no version stands there
    assert agree(matrix, bytes(other), version="8.4.1", length=1024) == []
    assert agree(matrix, PLAIN, product="tensorrt-rtx") == ["it is a plan of TensorRT"]
    assert agree(matrix, RTX, product="tensorrt-rtx", capabilities=("12.0", "8.6")) == []
    assert "asked for was 8.9" in agree(matrix, RTX, product="tensorrt-rtx", capabilities=("8.9",))[0]
    assert agree(matrix, b"PK\3\4", version="8.6.1") == []
    # The number of a build is one byte: 300 is 44.
    wrapped = PLAIN[:27] + bytes([300 % 256]) + PLAIN[28:]
    assert agree(matrix, wrapped, version="8.6.1.300") == []


@given(first=st.binary(max_size=80), begin=st.sampled_from([b"", b"ftrt", b"ptrt", b"vtrt"]))
def test_no_bytes_are_too_strange_for_a_header(matrix: Matrix, first: bytes, begin: bytes) -> None:
    found = header.read(matrix, begin + first)
    assert (found is None) == (not (begin + first).startswith((b"ftrt", b"ptrt", b"vtrt")))
    header.disagreements(found, product="tensorrt", version="10.9.0.34", length=80)


# -- which TensorRT ----------------------------------------------------------------------------------------------------


def with_packages(*names: str) -> Snapshot:
    packages = tuple(Distribution(name, "1.0", "/site") for name in names)
    return Snapshot(interpreters=(Interpreter("/venv/bin/python", "3.12", distributions=packages),))


@pytest.mark.parametrize(
    ("packages", "product", "module"),
    [
        (("tensorrt", "tensorrt-cu12-bindings", "tensorrt-rtx"), "auto", "tensorrt"),
        (("tensorrt-lean", "tensorrt-rtx-cu13"), "auto", "tensorrt_rtx"),
        (("tensorrt-cu13-bindings",), "auto", "tensorrt_bindings"),
        (("tensorrt", "tensorrt-rtx"), "tensorrt-rtx", "tensorrt_rtx"),
        (("tensorrt-dispatch-cu12",), "auto", "tensorrt_dispatch"),
    ],
)
def test_the_one_that_builds_is_chosen(matrix: Matrix, packages: tuple[str, ...], product: str, module: str) -> None:
    chosen = choose(Stack(with_packages(*packages), matrix), matrix, product)
    assert isinstance(chosen, Choice)
    assert (chosen.module, chosen.python) == (module, "/venv/bin/python")
    assert chosen.builds is ("lean" not in module and "dispatch" not in module)


def test_without_a_module_the_reason_is_said(matrix: Matrix) -> None:
    assert choose(Stack(with_packages("nvidia-tensorrt", "torch"), matrix), matrix) == (
        "/venv/bin/python has no Python module of TensorRT"
    )
    assert choose(Stack(Snapshot(), matrix), matrix) == "there is no Python to run it with"


def test_without_facts_all_modules_are_tried_in_the_same_order(matrix: Matrix) -> None:
    first, modules = untold(matrix, "auto", "/p")
    assert (first.module, modules[0], modules[1]) == (
        "tensorrt",
        ("tensorrt", "tensorrt"),
        ("tensorrt", "tensorrt_bindings"),
    )
    assert [module for _, module in modules].index("tensorrt_rtx") < [module for _, module in modules].index(
        "tensorrt_lean"
    )
    assert {product for product, _ in untold(matrix, "tensorrt-rtx", "/p")[1]} == {"tensorrt-rtx"}


# -- how it ends -------------------------------------------------------------------------------------------------------


def canary(
    folder: Path, matrix: Matrix, code: str | None, *, environ: dict[str, str] | None = None, **options: Any
) -> Outcome:
    """A canary with a module of this code; None for no module at all."""
    site = folder / "site"
    site.mkdir(exist_ok=True)
    if code is not None:
        (site / "tensorrt.py").write_text(code, "utf-8")
    chosen = Choice("tensorrt", "tensorrt", sys.executable, "9.9", "tensorrt", True, str(site))
    settings = Options(**{"limits": Limits(30.0), **options})
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    environ = {**os.environ, "TMPDIR": str(temporary), **(environ or {})}
    outcome = run(chosen, settings, matrix, guard=Guard(settings.limits, environ=environ))
    assert list(temporary.iterdir()) == []
    Snapshot.from_plain(Snapshot(canaries=(outcome.canary,)).to_plain())
    return outcome


def ended(outcome: Outcome) -> tuple[str, str | None, str, str]:
    """Outcome, reason, and the stage that decided it with its status."""
    made = outcome.canary
    stage = next((item for item in made.stages if item.status not in ("passed", "skipped")), made.stages[-1])
    return made.outcome, made.reason, stage.name, stage.status


BUILDER = "__version__ = '9.9.1'\nclass ILogger:\n    def __init__(self): pass\nclass Runtime: pass\n"


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("import os; os.abort()", ("crashed", "SIGABRT", "import", "crashed")),
        ("import ctypes; ctypes.string_at(0)", ("crashed", "SIGSEGV", "import", "crashed")),
        ("import os; os._exit(3)", ("crashed", "exit 3", "import", "crashed")),
        ("raise ImportError('libcudnn.so.8: cannot open shared object file')", ("failed", None, "import", "failed")),
        ("raise MemoryError('no more')", ("out-of-memory", "host", "import", "failed")),
        (BUILDER, ("failed", None, "builder", "failed")),
        (BUILDER + "def Builder(logger):\n    import os; os.abort()\n", ("crashed", "SIGABRT", "builder", "crashed")),
        (
            BUILDER + "def Builder(logger):\n    raise TypeError('Error Code 2: OutOfMemory (no further information)')",
            ("out-of-memory", "device", "builder", "failed"),
        ),
    ],
    ids=["abort", "segfault", "exit", "import", "memory", "lean", "abort-builder", "device-memory"],
)
def test_endings_are_told_apart(tmp_path: Path, matrix: Matrix, code: str, wanted: tuple[str, ...]) -> None:
    assert ended(canary(tmp_path, matrix, code)) == wanted


def test_a_hang_is_told_with_its_stage(tmp_path: Path, matrix: Matrix) -> None:
    code = BUILDER + "def Builder(logger):\n    import time; time.sleep(60)\n"
    found = canary(tmp_path, matrix, code, limits=Limits(1.5))
    assert ended(found) == ("timed-out", None, "builder", "timed-out")
    assert found.canary.version == "9.9.1"
    assert 0.5 < (found.canary.stages[-1].seconds or 0) < 2.5


def test_a_memory_limit_is_told_as_a_limit(tmp_path: Path, matrix: Matrix) -> None:
    code = BUILDER + "def Builder(logger):\n    kept = []\n    while True: kept.append(b'x' * (8 << 20))\n"
    found = canary(tmp_path, matrix, code, limits=Limits(30.0, 300 << 20))
    assert ended(found) == ("out-of-memory", "limit", "builder", "crashed")


def test_what_a_library_prints_before_it_aborts_is_kept(tmp_path: Path, matrix: Matrix) -> None:
    code = "import os; os.write(2, b'Could not load library libcudnn_ops_infer.so.8.\\n'); os.abort()"
    found = canary(tmp_path, matrix, code).canary
    assert found.log[-1].severity == "output"
    assert found.log[-1].text == "Could not load library libcudnn_ops_infer.so.8."


def test_without_the_module_it_was_not_started(tmp_path: Path, matrix: Matrix) -> None:
    found = canary(tmp_path, matrix, None).canary
    assert (found.outcome, found.reason) == ("not-started", "no-module")


def test_without_the_interpreter_it_was_not_started(matrix: Matrix) -> None:
    chosen = Choice("tensorrt", "tensorrt", "/no/such/python", None, "tensorrt", True)
    found = run(chosen, Options(), matrix).canary
    assert (found.outcome, found.stages) == ("not-started", ())
    assert found.log[-1].text == "No such file or directory"


def test_a_program_that_is_no_python_was_not_started(matrix: Matrix) -> None:
    chosen = Choice("tensorrt", "tensorrt", "/bin/echo", None, "tensorrt", True)
    found = run(chosen, Options(), matrix).canary
    assert (found.outcome, found.reason) == ("not-started", "no-answer")


@pytest.mark.parametrize(
    "garbage", ["b'x' * 70000 + b'\\n'", "b'{\"stage\": 1}\\n[]\\n\\xff\\n'", "b'{' * 5000 + b'\\n'"]
)
def test_garbage_on_the_pipe_changes_nothing(tmp_path: Path, matrix: Matrix, garbage: str) -> None:
    code = (
        "import os\nfor name in os.listdir('/proc/self/fd'):\n"
        "    if int(name) > 2 and os.path.exists('/proc/self/fd/' + name):\n"
        f"        try: os.write(int(name), {garbage})\n"
        "        except OSError: pass\n"
    )
    assert ended(canary(tmp_path, matrix, code + BUILDER)) == ("failed", None, "builder", "failed")


def test_garbage_without_end_is_told(tmp_path: Path, matrix: Matrix) -> None:
    code = (
        "import os\nwhile True:\n  for name in os.listdir('/proc/self/fd'):\n"
        "    try: os.write(int(name), b'x' * 65536)\n    except OSError: pass\n"
    )
    assert ended(canary(tmp_path, matrix, code)) == ("failed", "garbage", "import", "failed")


# -- a whole life with stand-ins ---------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def cuda(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a stand-in libcuda.so.1 and a stand-in TensorRT."""
    folder = tmp_path_factory.mktemp("cuda")
    source = HERE / "fake_cuda.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(folder / "libcuda.so.1"), str(source)], check=True)
    shutil.copy(HERE / "standin_trt.py", folder)
    shutil.copy(HERE.parent.parent / "trtdoctor" / "canary" / "child_model.py", folder / "trtdoctor_reference.py")
    return folder


def whole(cuda: Path, matrix: Matrix, wrong: str = "", **options: Any) -> Outcome:
    settings = Options(**options)
    chosen = Choice("tensorrt", "standin_trt", sys.executable, None, "tensorrt", True, str(cuda))
    environ = {**os.environ, "LD_LIBRARY_PATH": str(cuda), "STANDIN": wrong}
    return run(chosen, settings, matrix, guard=Guard(settings.limits, environ=environ))


def test_a_whole_life_ends_with_a_header_that_is_a_lie(cuda: Path, matrix: Matrix, tmp_path: Path) -> None:
    # The stand-in's plan begins like one of TensorRT and names version 0.0.0.0: all else passes.
    found = whole(cuda, matrix, save=str(tmp_path / "kept.engine"))
    assert ended(found) == ("failed", None, "header", "failed")
    assert [stage.name for stage in found.canary.stages if stage.status == "passed"][-1] == "compare"
    assert (tmp_path / "kept.engine").read_bytes() == b"ftrt" + bytes(60)
    assert found.saved == str(tmp_path / "kept.engine")
    assert [path.name for path in tmp_path.iterdir()] == ["kept.engine"]


def test_an_engine_that_cannot_be_kept_is_told(cuda: Path, matrix: Matrix) -> None:
    found = whole(cuda, matrix, save="/no/such/directory/engine")
    assert (found.saved, found.not_saved) == (None, "No such file or directory")
