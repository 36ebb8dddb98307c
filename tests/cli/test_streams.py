"""Standard streams, signals, locales and places that are not what a program expects: one clear line, no traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.run import ROOT, complains, run

PROGRAM = f"{sys.executable} -m trtdoctor"
BROKEN = "--set tensorrt=10.7.0 --set 'gpu=GeForce RTX 5090' --set driver=580.65.06 --set cuda=12.6"


def shell(command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, **environ},
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", [f"check {BROKEN}", f"check {BROKEN} --format json", "--help", "matrix show gpus"])
def test_a_full_disk_behind_stdout_is_said_once(words: str) -> None:
    done = shell(f"{PROGRAM} {words} >/dev/full")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [line for line in done.stderr.splitlines() if "No space left on device" in line]
    assert len(done.stderr.splitlines()) == 1


def test_a_reader_that_goes_away_does_not_make_it_fine() -> None:
    done = shell(f"{PROGRAM} check {BROKEN} | head -1")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("broken")


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_leave_the_exit_code(closed: str) -> None:
    done = shell(f"{PROGRAM} check {BROKEN} {closed}")
    assert (done.returncode, done.stderr) == (1, "")


def test_a_snapshot_from_a_closed_stdin() -> None:
    done = shell(f"{PROGRAM} check --snapshot - <&-")
    assert (done.returncode, done.stderr) == (2, "trtdoctor: snapshot stdin: is closed\n")


def test_a_snapshot_from_a_fifo_is_read() -> None:
    done = shell(f"{PROGRAM} check --snapshot <(cat tests/data/snapshots/rtx.json) --format json")
    assert json.loads(done.stdout)["verdict"] == "broken"


LOCALES = {
    "C, no coercion": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "POSIX": {"LC_ALL": "POSIX", "PYTHONUTF8": "0"},
    "none": {"LC_ALL": "", "LANG": "", "PYTHONUTF8": "0"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
}


@pytest.mark.parametrize("name", LOCALES)
def test_any_locale_gets_the_same_answer(name: str) -> None:
    environ = LOCALES[name]
    for words in (f"check {BROKEN}", f"check {BROKEN} --format json", "check --snapshot tests/data/snapshots/rtx.json"):
        done = shell(f"{PROGRAM} {words} -v", **environ)
        assert (done.returncode, done.stderr) == (1, ""), words
        if "json" in words.split()[-1]:
            continue
        assert "\\u" not in done.stdout.replace("\\u0023", "")
    assert json.loads(shell(f"{PROGRAM} check {BROKEN} --format json", **environ).stdout)["verdict"] == "broken"
    assert shell(f"{PROGRAM} check --help", **environ).returncode == 0
    done = shell(f"{PROGRAM} check --snapshot $'/tmp/\\xff\\xe9 \\e[31m'", **environ)
    assert done.returncode == 2
    assert done.stderr.startswith("trtdoctor: snapshot /tmp/")
    assert "\x1b" not in done.stderr


def test_a_current_directory_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    for words, code in (
        ("check --fail-on never", 0),
        ("snapshot", 0),
        ("snapshot -o x.json", 2),
        ("check --python bin/python", 2),
        ("check --snapshot x.json", 2),
    ):
        gone.mkdir()
        done = shell(f"cd {gone} && rmdir {gone} && {PROGRAM} {words}", PYTHONPATH=str(ROOT))
        assert done.returncode == code, (words, done.stderr)
        assert "Traceback" not in done.stderr
        assert len(done.stderr.splitlines()) == (code == 2)


@pytest.mark.parametrize("home", ["/proc/nowhere", "/dev/null", ""])
def test_a_home_that_cannot_be_written(home: str) -> None:
    ran = run("check", "--set", "tensorrt=10.9", HOME=home, XDG_CACHE_HOME="/proc/nowhere")
    assert (ran.code, ran.err) == (0, "")


def test_several_at_once_with_an_empty_cache(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "trtdoctor", "check", "--set", "tensorrt=10.9", "--format", "json"]
    environ = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    running = [
        subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    answers = [process.communicate(timeout=60) for process in running]
    assert {out for out, _ in answers} == {answers[0][0]}
    assert all(err == b"" for _, err in answers)
    assert [path.suffix for path in (tmp_path / "trtdoctor").iterdir()] == [".jsonl"]


@pytest.mark.parametrize(
    ("number", "code", "says"),
    [
        (signal.SIGINT, 2, "trtdoctor: interrupted"),
        (signal.SIGTERM, -signal.SIGTERM, ""),
        (signal.SIGHUP, -signal.SIGHUP, ""),
    ],
)
def test_a_signal_ends_it_and_its_children(number: signal.Signals, code: int, says: str, tmp_path: Path) -> None:
    started = tmp_path / "started"
    fake = tmp_path / "bin" / "python3"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\nsleep 300 &\necho $$ $! >{started}.new\nmv {started}.new {started}\nwait\n")
    fake.chmod(0o755)
    environ = {**os.environ, "PATH": f"{fake.parent}:/usr/bin:/bin"}
    environ.pop("VIRTUAL_ENV", None)
    environ.pop("CONDA_PREFIX", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "trtdoctor", "check"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 20
    while not started.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err.strip()) == (code, "", says)
    children = [int(word) for word in started.read_text().split()]
    while any(_alive(child) for child in children):
        assert time.monotonic() < deadline, "a child was left behind"
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_an_interpreter_by_name_directory_or_not_at_all(tmp_path: Path) -> None:
    assert "is a directory" in complains(run("check", "--python", str(tmp_path)))
    assert "neither on PATH" in complains(run("check", "--python", "python-of-nobody"))
    plain = tmp_path / "python"
    plain.write_text("")
    assert "can be run" in complains(run("check", "--python", str(plain)))
    report = json.loads(run("check", "--python", "python3", "--format", "json").out)
    assert report["interpreter"]["chosen_by"] == "--python"
    assert os.path.isabs(report["interpreter"]["path"])
    assert "--python" in complains(run("check", "--python", "python3", "--set", "tensorrt=10.9"))


def test_a_mistyped_goal_is_refused_with_the_right_one() -> None:
    assert "did you mean fp16" in complains(run("check", "--set", "tensorrt=10.9", "--goal", "fp61"))
    assert "known: build, run" in complains(run("check", "--set", "tensorrt=10.9", "--goal", "world-peace"))
    for word in ("build,run", "fp16", "api:num_bindings", "onnx-opset-19", "cpp"):
        assert run("check", "--set", "tensorrt=10.9", "--goal", word).code in (0, 1)


def test_a_dash_is_stdout() -> None:
    ran = run("check", "--set", "tensorrt=10.9", "-o", "json:-")
    assert ran.code == 0
    assert '"schema": "trtdoctor-report/1"' in ran.out
    assert not (ROOT / "-").exists()
    assert json.loads(run("snapshot", "-o", "-").out)["kind"] == "live"


def test_a_defect_of_our_own_gets_one_line(tmp_path: Path) -> None:
    """A rule that raises, as a real process meets it."""
    script = (
        "import trtdoctor.judge\n"
        "def judge(*_, **__): raise ZeroDivisionError('planted')\n"
        "trtdoctor.judge.judge = judge\n"
        "from trtdoctor.cli import main\n"
        "main(['check', '--set', 'tensorrt=10.9'])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "planted" in done.stderr
    assert "cli" in done.stderr
    environ = {**os.environ, "TRTDOCTOR_TRACEBACK": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, env=environ, check=False
    )
    assert "Traceback" in done.stderr
