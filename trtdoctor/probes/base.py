"""What a probe is: a function from a ProbeContext to a partial Snapshot. It collects facts and never judges."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from trtdoctor.snapshot import Snapshot

PROBE_SECONDS = 10.0
"""A probe that has not answered by then is told as timed out."""
CHILD_SECONDS = 8.0
CHILD_OUTPUT = 4 * 1024 * 1024
CHILDREN = Path(__file__).with_name("children")
"""Scripts that run in a process of their own: single files, standard library only, Python 3.6 syntax."""


class ProbeError(Exception):
    """A probe could not learn what it is for; the message says why, in a few words."""


@dataclass(frozen=True, slots=True)
class ChildResult:
    """How a child process ended."""

    outcome: str
    """``ok``, ``failed`` (exit code), ``crashed`` (signal), ``timed-out``, ``garbage`` (no JSON), ``not-started``."""
    answer: dict[str, Any] = field(default_factory=dict)
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ProbeContext:
    """Everything that a probe may look at, so that tests can give it another root, environment or clock."""

    root: Path
    """``/``, or the root of an unpacked image."""
    environ: dict[str, str]
    libraries: Callable[[str], Any]
    """``matrix.libraries.identify`` bound to the matrix: file name to what it is, or None."""
    distributions: Callable[[str], Any]
    """``matrix.distributions.identify`` bound to the matrix: distribution name to what it is, or None."""
    python: str | None = None
    """Path of the interpreter that the user named."""

    def path(self, absolute: str) -> Path:
        """``absolute`` below the root."""
        return self.root / absolute.lstrip("/")

    def read(self, absolute: str, longest: int = 65536) -> str | None:
        """The beginning of a text file below the root; None when it cannot be read."""
        try:
            with open(self.path(absolute), "rb") as stream:
                return stream.read(longest).decode("utf-8", "replace")
        except (OSError, ValueError):
            return None


Probe = Callable[[ProbeContext], Snapshot]


def run_child(
    interpreter: str,
    script: str,
    arguments: Sequence[str] = (),
    *,
    seconds: float = CHILD_SECONDS,
    environ: dict[str, str] | None = None,
) -> ChildResult:
    """Run one of :data:`CHILDREN` with ``interpreter -I`` in a process group of its own and read its JSON answer.

    Whatever it does (crash, hang, print garbage without end), this returns within ``seconds`` and a little.
    """
    command = [interpreter, "-I", str(CHILDREN / f"{script}.py"), *arguments]
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environ,
            cwd="/" if os.name == "posix" else None,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return ChildResult("not-started", detail=type(error).__name__)
    return _await(child, seconds)


def _await(child: subprocess.Popen[bytes], seconds: float) -> ChildResult:
    import selectors
    import time

    output = bytearray()
    stream = child.stdout
    if stream is None:  # cannot be: it was asked for
        raise ProbeError("no pipe to the child")
    deadline = time.monotonic() + seconds
    timed_out = False
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or len(output) > CHILD_OUTPUT:
                timed_out = left <= 0
                break
            if selector.select(left):
                chunk = os.read(stream.fileno(), 65536)
                if not chunk:
                    break
                output += chunk
    stream.close()
    if not timed_out and len(output) <= CHILD_OUTPUT:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            timed_out = True
    if child.poll() is None:
        _kill(child)
    if timed_out:
        # What it had said by then is kept: the last step may be the only one that hangs.
        return ChildResult("timed-out", _answer(bytes(output)) or {}, f"no answer within {seconds:g} s")
    return _result(child.returncode, bytes(output))


def _kill(child: subprocess.Popen[bytes]) -> None:
    import signal

    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (OSError, AttributeError):
        child.kill()
    # A process in uninterruptible sleep (a dead GPU) is left to the kernel.
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(2)


def _result(code: int, output: bytes) -> ChildResult:
    if code < 0:
        return ChildResult("crashed", _answer(output) or {}, f"ended by signal {-code}")
    answer = _answer(output)
    if code != 0:
        return ChildResult("failed", answer or {}, f"exit code {code}")
    if answer is None:
        return ChildResult("garbage", detail="its answer was no JSON object")
    return ChildResult("ok", answer)


def _answer(output: bytes) -> dict[str, Any] | None:
    """The last line that is a JSON object: children write one line per thing learnt, so that a crash loses little."""
    merged: dict[str, Any] | None = None
    for line in output.splitlines():
        if not line.startswith(b"{"):
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            merged = {**(merged or {}), **value}
    return merged


def merge(first: Snapshot, second: Snapshot) -> Snapshot:
    """Two partial Snapshots as one: lists are joined, what is not known is filled in."""
    merged: Snapshot = _merge(first, second)
    return merged


def _merge(first: Any, second: Any) -> Any:
    if is_dataclass(first) and not isinstance(first, type):
        if type(first) is not type(second):
            return first
        parts = {item.name: _merge(getattr(first, item.name), getattr(second, item.name)) for item in fields(first)}
        return replace(first, **parts)
    if isinstance(first, tuple) and isinstance(second, tuple):
        return first + tuple(item for item in second if item not in first)
    return second if first is None else first


OWN_PYTHON = sys.executable
