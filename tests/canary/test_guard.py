"""Children that misbehave, for real: each outcome is told, in time, and no process and no file remains."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from trtdoctor.canary.guard import ANSWER_BYTES, OUTPUT_BYTES, Ended, Limits, _told, run_guarded

ROOT = Path(__file__).resolve().parent.parent.parent
MARK = "TRTDOCTOR_TEST_MARK"


def guarded(folder: Path, code: str, *, seconds: float = 20.0, memory: int | None = None) -> Ended:
    """Run Python code under guard; everything that it starts carries a mark in its environment."""
    environ = {**os.environ, MARK: str(folder), "TMPDIR": str(folder)}

    def command(directory: str, answer: int) -> list[str]:
        return [sys.executable, "-I", "-c", code, str(answer), directory]

    return run_guarded(command, Limits(seconds, memory), environ=environ)


def marked(folder: Path) -> list[int]:
    """Processes that carry the mark, however far they went; zombies have no environment."""
    found = []
    wanted = f"{MARK}={folder}".encode()
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if wanted in Path(f"/proc/{name}/environ").read_bytes().split(b"\0"):
                found.append(int(name))
    return found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where temporary directories go; empty, and without processes, when the test is over."""
    return tmp_path


def left_clean(folder: Path) -> None:
    assert marked(folder) == []
    assert list(folder.iterdir()) == []


def test_a_child_that_ends_well_is_heard(place: Path) -> None:
    ended = guarded(place, "import os, sys; os.write(int(sys.argv[1]), b'yes'); print('no', file=sys.stderr)")
    assert (ended.how, ended.number, ended.answer, ended.output) == ("exited", 0, b"yes", b"no\n")
    assert ended.signal is None
    left_clean(place)


def test_its_directory_is_private_and_it_works_in_it(place: Path) -> None:
    code = (
        "import os, sys, tempfile; s = os.stat(sys.argv[2]);"
        "print(oct(s.st_mode & 0o777), os.getcwd() == sys.argv[2] == tempfile.gettempdir())"
    )
    assert guarded(place, code).output == b"0o700 True\n"
    left_clean(place)


def test_its_stdin_is_empty(place: Path) -> None:
    assert guarded(place, "import sys; print(repr(sys.stdin.read()))").output == b"''\n"


def test_no_core_is_dumped(place: Path) -> None:
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"
    assert guarded(place, code).output == b"(0, 0)\n"


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import os; os.abort()", "SIGABRT"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGBUS)", "SIGBUS"),
    ],
)
def test_a_crash_is_told_by_its_signal(place: Path, code: str, name: str) -> None:
    ended = guarded(place, f"import os, sys; os.write(int(sys.argv[1]), b'before'); {code}")
    assert (ended.how, ended.signal, ended.answer) == ("signalled", name, b"before")
    assert not ended.out_of_memory
    left_clean(place)


def test_an_exit_code_is_told(place: Path) -> None:
    assert guarded(place, "raise SystemExit(7)").number == 7


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "import time; time.sleep(60)",
        "import signal, time\nfor n in (1, 2, 3, 15): signal.signal(n, signal.SIG_IGN)\ntime.sleep(60)",
        "import os, time\nfor _ in range(8):\n    if os.fork() == 0: os.setsid()\ntime.sleep(60)",
    ],
    ids=["loop", "sleep", "deaf", "many"],
)
def test_a_child_without_end_is_ended_in_time(place: Path, code: str) -> None:
    started = time.monotonic()
    ended = guarded(place, code, seconds=1.0)
    assert ended.how == "timed-out"
    assert time.monotonic() - started < 2.0
    left_clean(place)


def test_a_child_that_eats_memory_is_ended_at_its_limit(place: Path) -> None:
    limit = 200 << 20
    ended = guarded(place, "kept = []\nwhile True: kept.append(b'x' * (8 << 20))", memory=limit)
    assert ended.how == "memory-limit"
    assert limit < ended.peak_bytes < limit + (2 << 30)
    left_clean(place)


def test_what_its_own_children_eat_counts_too(place: Path) -> None:
    code = "import os, time\nif os.fork() == 0:\n    kept = b'x' * (300 << 20)\ntime.sleep(60)"
    ended = guarded(place, code, memory=150 << 20, seconds=15)
    assert ended.how == "memory-limit"
    left_clean(place)


def test_address_space_is_not_memory(place: Path) -> None:
    # CUDA reserves terabytes that it never touches.
    code = (
        "import mmap; kept = mmap.mmap(-1, 1 << 40, flags=mmap.MAP_PRIVATE | 0x4000, prot=mmap.PROT_READ); print('ok')"
    )
    ended = guarded(place, code, memory=100 << 20)
    assert (ended.how, ended.output) == ("exited", b"ok\n")


def test_grandchildren_that_leave_session_and_parent_do_not_survive(place: Path) -> None:
    code = (
        "import os, time\n"
        "for _ in range(3):\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        if os.fork() == 0:\n"
        "            os.setsid(); time.sleep(120)\n"
        "        os._exit(0)\n"
        "time.sleep(0.3)\n"
    )
    started = time.monotonic()
    ended = guarded(place, code)
    assert (ended.how, ended.number) == ("exited", 0)
    assert time.monotonic() - started < 5
    left_clean(place)


def test_an_answer_without_end_is_cut_off(place: Path) -> None:
    started = time.monotonic()
    ended = guarded(place, "import os, sys\nwhile True: os.write(int(sys.argv[1]), b'x' * 65536)")
    assert ended.how == "too-much"
    assert len(ended.answer) < ANSWER_BYTES + (1 << 20)
    assert time.monotonic() - started < 10
    left_clean(place)


def test_of_output_without_end_the_last_is_kept(place: Path) -> None:
    code = "import sys\nfor n in range(300000): print(n)\nprint('last words')"
    ended = guarded(place, code)
    assert ended.how == "exited"
    assert len(ended.output) <= OUTPUT_BYTES
    assert ended.output.endswith(b"last words\n")


def test_a_pipe_that_is_closed_early_is_no_end(place: Path) -> None:
    code = (
        "import os, sys, time; n = int(sys.argv[1]); os.write(n, b'a')\n"
        "for number in (n, 1, 2): os.close(number)\n"
        "time.sleep(0.3)"
    )
    ended = guarded(place, code)
    assert (ended.how, ended.answer) == ("exited", b"a")


def test_files_that_forbid_everything_are_removed(place: Path) -> None:
    code = (
        "import os, sys; p = os.path.join(sys.argv[2], 'a', 'b'); os.makedirs(p);"
        "open(os.path.join(p, 'c'), 'w').close(); os.symlink('/etc', os.path.join(p, 'd'));"
        "os.mkfifo(os.path.join(p, 'e')); os.chmod(p, 0); os.chmod(os.path.dirname(p), 0)"
    )
    assert guarded(place, code).how == "exited"
    assert Path("/etc/passwd").exists()
    left_clean(place)


def test_a_program_that_is_not_there_is_told(place: Path) -> None:
    ended = run_guarded(lambda *_: ["/no/such/program"], Limits(5), environ={"TMPDIR": str(place)})
    assert (ended.how, ended.detail) == ("not-started", "No such file or directory")
    left_clean(place)


@pytest.mark.parametrize("where", ["/proc", "/dev/null", "/no/such/directory"])
def test_a_temporary_directory_that_cannot_be_written_to_is_told(where: str) -> None:
    ended = run_guarded(lambda *_: [sys.executable], Limits(5), environ={"TMPDIR": where})
    assert ended.how == "not-started"
    assert where in ended.detail


def test_the_files_can_be_used_before_they_go(place: Path) -> None:
    seen: list[str] = []

    def use(directory: str) -> None:
        seen.append((Path(directory) / "plan").read_text())

    run_guarded(
        lambda directory, _: [sys.executable, "-c", "open('plan', 'w').write('whole')"],
        Limits(10),
        environ={**os.environ, "TMPDIR": str(place)},
        use=use,
    )
    assert seen == ["whole"]
    left_clean(place)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_parent_that_is_ended_leaves_nothing(place: Path, number: signal.Signals) -> None:
    child = "import os, sys, time; os.fork(); open('here', 'w'); os.write(int(sys.argv[1]), b'x'); time.sleep(90)"
    code = (
        "import sys; from trtdoctor.canary.guard import *\n"
        f"run_guarded(lambda d, n: [sys.executable, '-I', '-c', {child!r}, str(n)], Limits(60))"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(place), MARK: str(place)},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 20
    while not list(place.glob("*/here")) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert list(place.glob("*/here"))
    parent.send_signal(number)
    parent.wait(10)
    while (marked(place) or any(place.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.02)
    left_clean(place)


def test_fifty_at_once_do_not_disturb_each_other(place: Path) -> None:
    kinds = {
        "exited": "import os, sys; os.write(int(sys.argv[1]), b'me')",
        "signalled": "import os; os.abort()",
        "timed-out": "import time; time.sleep(120)",
    }
    wanted = [*kinds] * 16 + ["exited", "signalled"]
    told: list[str | None] = [None] * len(wanted)

    def one(index: int) -> None:
        told[index] = guarded(place, kinds[wanted[index]], seconds=8 if wanted[index] == "timed-out" else 60).how

    threads = [threading.Thread(target=one, args=(index,)) for index in range(len(wanted))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert told == wanted
    left_clean(place)


def test_what_the_warden_says_is_understood() -> None:
    # A kill by the kernel for want of memory cannot be made here without a control group of one's own.
    ended = _told("signalled 9 4096 1\n", False)
    assert (ended.signal, ended.out_of_memory, ended.peak_bytes) == ("SIGKILL", True, 4096)
    assert _told("signalled 9 4096 -1\n", False).out_of_memory is False
    assert _told("", False).how == "lost"


def test_no_descriptor_is_left_open(place: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        guarded(place, "pass")
    run_guarded(lambda *_: ["/no/such/program"], Limits(5), environ={"TMPDIR": str(place)})
    run_guarded(lambda *_: [sys.executable], Limits(5), environ={"TMPDIR": "/proc"})
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_kill_by_the_kernel_is_told_as_want_of_memory(place: Path) -> None:
    group = Path(f"/sys/fs/cgroup/memory/trtdoctor-test-{os.getpid()}")
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(200 << 20))
    except OSError:
        pytest.skip("no memory control group of one's own can be made here")
    code = (
        "import os, sys; open(os.path.join(sys.argv[1], 'cgroup.procs'), 'w').write(str(os.getpid()))\n"
        "from trtdoctor.canary.guard import *\n"
        "hog = 'kept = []\\nwhile True: kept.append(bytes([1]) * (4 << 20))'\n"
        "ended = run_guarded(lambda *_: [sys.executable, '-I', '-c', hog], Limits(60, None))\n"
        "print(ended.how, ended.signal, ended.out_of_memory)"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, str(group)],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(place), MARK: str(place)},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    finally:
        deadline = time.monotonic() + 5
        while marked(place) and time.monotonic() < deadline:
            time.sleep(0.02)
        with contextlib.suppress(OSError):
            group.rmdir()
    assert done.stdout == "signalled SIGKILL True\n", done.stderr
    left_clean(place)
