"""What a probe is: a function from a ProbeContext to a partial Snapshot. It collects facts and never judges."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import field, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtdoctor.record import record
from trtdoctor.snapshot import Snapshot

if TYPE_CHECKING:
    import subprocess

PROBE_SECONDS = 10.0
"""A probe that has not answered by then is told as timed out."""
CHILD_SECONDS = 8.0
CHILD_OUTPUT = 4 * 1024 * 1024
CHILDREN = Path(__file__).with_name("children")
"""Scripts that run in a process of their own: single files, standard library only, Python 3.6 syntax."""


class ProbeError(Exception):
    """A probe could not learn what it is for; the message says why, in a few words."""


@record
class ChildResult:
    """How a child process ended."""

    outcome: str
    """``ok``, ``failed`` (exit code), ``crashed`` (signal), ``timed-out``, ``garbage`` (no JSON), ``not-started``."""
    answer: dict[str, Any] = field(default_factory=dict)
    detail: str = ""


@record
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
    loading: Callable[[], Any] | None = None
    """``matrix.loading.table`` bound to the matrix: what importers open; None when nobody asks for that."""
    importers: tuple[str, ...] | None = None
    """What the user wants to know the libraries of (words of ``--for``); None for all that are known."""
    symbols: bool = False
    """Whether undefined symbols are looked for, too."""

    def path(self, absolute: str) -> Path:
        """``absolute`` below the root."""
        return self.root / absolute.lstrip("/")

    def read(self, absolute: str, longest: int = 65536) -> str | None:
        """The beginning of a text file below the root, links followed inside of it; None when it cannot be read."""
        from trtdoctor.probes.searchpaths import read_bytes

        found = read_bytes(self, absolute, longest)
        return None if found is None else found.decode("utf-8", "replace")


Probe = Callable[[ProbeContext], Snapshot]


def run_child(
    interpreter: str,
    script: str,
    arguments: Sequence[str] = (),
    *,
    seconds: float = CHILD_SECONDS,
    environ: dict[str, str] | None = None,
) -> ChildResult:
    """Run one of :data:`CHILDREN` with ``interpreter -I`` and read its JSON answer; see :func:`run_program`."""
    code, output, detail = run_program(
        [interpreter, "-I", str(CHILDREN / f"{script}.py"), *arguments], seconds=seconds, environ=environ
    )
    if code is not None:
        return _result(code, output)
    if detail == TOO_MUCH:
        return ChildResult("garbage", _answer(output) or {}, detail)
    # What it had said by then is kept: the last step may be the only one that hangs.
    return ChildResult("timed-out" if detail.startswith(NO_ANSWER) else "not-started", _answer(output) or {}, detail)


NO_ANSWER = "no answer within"
TOO_MUCH = "it printed without end"


class Children:
    """The child processes of one collection of facts, so that none outlives it.

    A probe's thread may be just about to start one when the program is told to end: from then on none is started.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._over = False
        _collections.add(self)

    def start(self, command: Sequence[str], environ: dict[str, str] | None) -> subprocess.Popen[bytes] | None:
        """Start a program in a process group of its own; None when it is too late. Raises OSError, ValueError."""
        import subprocess  # most machines without a GPU need no child: its import is a tenth of the whole check

        with self._guard:
            if self._over:
                return None
            child = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environ,
                cwd="/" if os.name == "posix" else None,
                start_new_session=True,
            )
            self._running.add(child)
        return child

    def ended(self, child: subprocess.Popen[bytes]) -> None:
        """This one needs no more care."""
        self._running.discard(child)

    def end(self) -> None:
        """End all that still run, and start no more."""
        self._over = True
        if self._guard.acquire(timeout=1):  # one that is being started in this moment counts too
            self._guard.release()
        for child in tuple(self._running):
            _kill(child, patience=0)
        _collections.discard(self)


_collections: set[Children] = set()
_current = threading.local()


def adopt(children: Children | None) -> None:
    """Count what this thread starts from now on among ``children``; None for nobody's."""
    _current.children = children


def end_children() -> None:
    """End every child of every collection that goes on: the program was told to end."""
    for children in tuple(_collections):
        children.end()


def run_program(
    command: Sequence[str], *, seconds: float, environ: dict[str, str] | None = None
) -> tuple[int | None, bytes, str]:
    """Run a program in a process group of its own: exit code (negative: signal), what it printed, what went wrong.

    Whatever it does (crash, hang, print garbage without end), this returns within ``seconds`` and a little, with
    nothing left running; the code is None when it did not end by itself.
    """
    adopted: Children | None = getattr(_current, "children", None)
    children = adopted or Children()
    try:
        child = children.start(command, environ)
        if child is None:
            return None, b"", "the check was ended"
        try:
            return _await(child, seconds)
        finally:
            children.ended(child)
    except (OSError, ValueError) as error:
        return None, b"", f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}"
    finally:
        if adopted is None:
            children.end()


def _await(child: subprocess.Popen[bytes], seconds: float) -> tuple[int | None, bytes, str]:
    import selectors
    import subprocess
    import time

    output = bytearray()
    stream = child.stdout
    if stream is None:  # cannot be: it was asked for
        raise ProbeError("no pipe to the child")
    deadline = time.monotonic() + seconds
    ended = False
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while len(output) <= CHILD_OUTPUT and (left := deadline - time.monotonic()) > 0:
            if selector.select(left):
                chunk = os.read(stream.fileno(), 65536)
                if not chunk:
                    ended = True
                    break
                output += chunk
    stream.close()
    if ended:
        try:
            return child.wait(max(0.0, deadline - time.monotonic())), bytes(output), ""
        except subprocess.TimeoutExpired:
            pass
    _kill(child)
    return None, bytes(output), TOO_MUCH if len(output) > CHILD_OUTPUT else f"{NO_ANSWER} {seconds:g} s"


def _kill(child: subprocess.Popen[bytes], patience: float = 1) -> None:
    """End it with all that it started, which may hold its pipe open when itself has gone."""
    import signal
    import subprocess

    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (OSError, AttributeError):
        child.kill()
    # A process in uninterruptible sleep (a dead GPU) is left to the kernel.
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(patience)


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
