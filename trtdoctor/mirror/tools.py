"""Programs that copy and fetch: started as lists, never by a shell, bounded in time and in what is kept of their words.

However this program is ended meanwhile, no child stays behind. A login is handed over in memory that no file system
shows and that goes with the child.
"""

from __future__ import annotations

import base64
import json
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

from trtdoctor.lazyre import pattern
from trtdoctor.net.credentials import Login
from trtdoctor.record import record
from trtdoctor.text import clean

MOST_ERRORS = 64 << 10
"""Bytes of what a program complains that are kept: the last ones."""
_LONGEST = 300
_MESSAGE = pattern(r'\bmsg="((?:[^"\\]|\\.)*)"')
_PATIENCE = 3.0
"""Seconds that a program gets to clean up when it is told to end."""


class ToolError(ValueError):
    """A program cannot be run at all; the message is one line."""


@record
class Ended:
    """How a program ended."""

    code: int | None
    """None when it was ended, at the end of its time or for its output."""
    complaint: str
    """What it said last of what went wrong, made safe to show; why it was ended, where it was."""
    output: bytes = b""


def find(name: str, why: str) -> str:
    """The path of a program. Raises :class:`ToolError`."""
    found = shutil.which(name)
    if found is None:
        raise ToolError(f"{name} is not installed: {why}")
    return found


def run(
    command: Sequence[str],
    environ: Mapping[str, str],
    seconds: float,
    *,
    descriptors: Sequence[int] = (),
    secrets: Sequence[str] = (),
    most: int = 0,
) -> Ended:
    """Run a program to its end, or to the end of ``seconds``.

    Of what it writes the end of stderr is kept, or with ``most`` its output instead, that many bytes at most.
    ``secrets`` are taken out of what it says. Raises :class:`ToolError` when it cannot be started.
    """
    try:
        child = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if most else subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if most else subprocess.PIPE,
            env=dict(environ),
            pass_fds=tuple(descriptors),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise ToolError(f"{command[0]}: {getattr(error, 'strerror', None) or error}") from None
    ends = time.monotonic() + seconds
    with _ended_with_us(child):
        kept, over = _read(child, ends, most)
        while not over and child.poll() is None:
            over = "it did not end in time" if time.monotonic() >= ends else ""
            time.sleep(0.01)
        code = None if over else child.returncode
    said = "" if most else kept.decode("utf-8", "replace")
    for secret in filter(None, secrets):  # before anything is cut: a part of one is a secret too
        said = said.replace(secret, "***")
    return Ended(code, over or complaint(said), kept if most else b"")


def _read(child: subprocess.Popen[bytes], ends: float, most: int) -> tuple[bytes, str]:
    """What is kept of the child's one pipe, and why the child must be ended, if it must."""
    stream = child.stdout if most else child.stderr
    kept = bytearray()
    if stream is None:  # cannot be: it was asked for
        return b"", "no pipe to the program"
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while (left := ends - time.monotonic()) > 0:
            if not selector.select(min(left, 0.2)):
                if child.poll() is not None:
                    return bytes(kept), ""  # something that it started holds the pipe open
                continue
            part = os.read(stream.fileno(), 65536)
            if not part:
                return bytes(kept), ""
            kept += part
            if most and len(kept) > most:
                return b"", "it printed more than it should"
            if not most:
                del kept[:-MOST_ERRORS]
    return b"", "it did not end in time"


@contextmanager
def _ended_with_us(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """When we are told to end, so is the child and all that it started; when the block ends, nothing of it is left."""

    def end(number: int, _: FrameType | None) -> None:
        _end(child, patience=0.5)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    try:
        before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    except ValueError:  # not the main thread: who started us sees to it
        before = {}
    try:
        yield
    finally:
        _end(child, patience=_PATIENCE)
        for stream in (child.stdout, child.stderr):
            if stream is not None:
                stream.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(child: subprocess.Popen[bytes], patience: float) -> None:
    if child.poll() is None:
        _signal(child, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            child.wait(patience)
    _signal(child, signal.SIGKILL)
    child.wait()


def _signal(child: subprocess.Popen[bytes], number: int) -> None:
    """To the whole process group, which outlives the child where it started others."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def complaint(errors: str) -> str:
    """The line that says what went wrong: pip's last ``ERROR:``, the message of skopeo's last line, else the last one.

    Of a long one its end is kept: errors are told from the outside in.
    """
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    line = next((line for line in reversed(lines) if line.startswith("ERROR:")), lines[-1] if lines else "")
    message = _MESSAGE.search(line)
    text = clean(message[1].replace('\\"', '"') if message else line)
    return text if len(text) <= _LONGEST else f"…{text[1 - _LONGEST :]}"


# -- logins ------------------------------------------------------------------------------------------------------------


@contextmanager
def login_file(logins: Mapping[str, Login]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """A path that a child can read logins from as docker's configuration has them, and the descriptor to hand it.

    It lies in memory, without a name in any file system. Raises :class:`ToolError` where the system has no such memory.
    """
    if not hasattr(os, "memfd_create"):
        raise ToolError("a login from variables can be handed to skopeo on Linux only; elsewhere: skopeo login")
    known = {
        host: {"auth": base64.b64encode(f"{login.username}:{login.password}".encode()).decode("ascii")}
        for host, login in logins.items()
    }
    handle = os.memfd_create("trtdoctor-login")
    try:
        os.write(handle, json.dumps({"auths": known}).encode("ascii"))
        yield f"/proc/self/fd/{handle}", (handle,)
    finally:
        os.close(handle)
