"""Run a child process under guard: bounded time, memory and output, nothing left behind.

The child stands under a warden (``warden.py``), a small process that watches it and ends everything that it started,
also when this process is killed. Why no RLIMIT_AS and no RLIMIT_DATA: CUDA reserves address space for all of the GPU's
and the machine's memory, so a limit on it stops what would have worked; what is counted is memory in use.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from trtdoctor.record import record

if TYPE_CHECKING:
    import subprocess

WARDEN = Path(__file__).with_name("warden.py")
_START = "import sys; sys.path.insert(0, sys.argv[1]); import warden; del sys.path[0]; warden.main(sys.argv[2:])"
"""Start the warden as a module, not as a script: then Python need not compile it each time."""
OUTPUT_BYTES = 256 * 1024
"""So much of what the child prints last is kept."""
ANSWER_BYTES = 8 * 1024 * 1024
"""An answer that is longer is cut off, and the child ended."""
GRACE = 0.8
"""Seconds after the time limit within which everything has ended, the warden too."""


@record
class Limits:
    """What a child may take."""

    seconds: float = 120.0
    memory_bytes: int | None = 8 << 30
    """Of it and all that it starts, without pages of files; None for no limit."""


@record
class Ended:
    """How a guarded child ended."""

    how: str
    """``exited``, ``signalled``, ``timed-out``, ``memory-limit``, ``too-much`` (its answer had no end),
    ``not-started``, ``lost`` (its warden was killed)."""
    number: int = 0
    """Exit code, or number of the signal."""
    answer: bytes = b""
    output: bytes = b""
    """The end of what it printed."""
    seconds: float = 0.0
    peak_bytes: int = 0
    out_of_memory: bool = False
    """Whether the kernel killed processes for want of memory meanwhile."""
    detail: str = ""
    """Why it did not start."""

    @property
    def signal(self) -> str | None:
        """Name of the signal that ended it, ``SIGSEGV``; None when none did."""
        if self.how != "signalled":
            return None
        import signal

        try:
            return signal.Signals(self.number).name
        except ValueError:
            return f"signal {self.number}"


def run_guarded(
    command: Callable[[str, int], Sequence[str]],
    limits: Limits,
    *,
    environ: dict[str, str] | None = None,
    use: Callable[[str], None] | None = None,
) -> Ended:
    """Run what ``command`` makes of a private directory and of the file descriptor that takes the child's answer.

    ``use`` is called with that directory after the child has ended and before the directory is removed. Returns within
    the time limit and a second; raises only what ``command`` and ``use`` raise, and KeyboardInterrupt after everything
    was ended.
    """
    with contextlib.closing(Guard(limits, environ=environ)) as guard:
        ended = guard.run(command)
        if use is not None and ended.how != "not-started":
            use(guard.directory)
        return ended


def _make_directory(base: str) -> str:
    """A new directory that only this user can look into."""
    path = os.path.join(base, f"trtdoctor-canary-{os.urandom(8).hex()}")
    os.mkdir(path, 0o700)
    return os.path.realpath(path)


class Guard:
    """The warden, the pipes and the private directory of one child. To be closed, whatever happens."""

    def __init__(self, limits: Limits, *, environ: dict[str, str] | None = None) -> None:
        """Start the warden, which takes a moment to be ready; what goes wrong is told by :meth:`run`."""
        self.directory = ""
        self._limits = limits
        self._environ = dict(os.environ if environ is None else environ)
        self._open: set[int] = set()
        self._warden: subprocess.Popen[bytes] | None = None
        self._answers = -1
        self._problem = ""
        try:
            self._start()
        except BaseException as error:
            self.close()
            if not isinstance(error, (OSError, ValueError)):
                raise
            where = f" in {error.filename}" if isinstance(error, OSError) and error.filename else ""
            self._problem = f"{getattr(error, 'strerror', None) or error}{where}"

    def _start(self) -> None:
        import subprocess

        if os.name != "posix" or not os.path.isdir("/proc/self"):
            raise ValueError("a canary needs Linux")
        self.directory = _make_directory(self._environ.get("TMPDIR") or "/tmp")  # noqa: S108  (a private one in it)
        self._environ["TMPDIR"] = self.directory
        # What the driver compiles on the way would stay in the user's home.
        self._environ.setdefault("CUDA_CACHE_PATH", os.path.join(self.directory, "cuda"))
        control, self._control = self._pipe()
        self._report, says = self._pipe()
        self._answer, self._answers = self._pipe()
        self._output, prints = self._pipe()
        passed = (control, says, self._answers)
        limits = [f"{self._limits.seconds:.3f}", str(self._limits.memory_bytes or 0), self.directory]
        self._warden = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _START, str(WARDEN.parent), *map(str, passed), *limits],
            stdin=subprocess.DEVNULL,
            stdout=prints,
            stderr=prints,
            pass_fds=passed,
            env=self._environ,
            cwd=self.directory,
            start_new_session=True,  # Ctrl-C reaches this process only
        )
        for number in (*passed, prints):
            self._close(number)

    def run(self, command: Callable[[str, int], Sequence[str]]) -> Ended:
        """Run what ``command`` makes of the directory and of the file descriptor for the answer; once only."""
        import time

        if self._problem:
            return Ended("not-started", detail=self._problem)
        begun = time.monotonic()
        words = [os.fsencode(word) for word in command(self.directory, self._answers)]
        with contextlib.suppress(OSError):  # a warden that has gone is told below
            os.write(self._control, b"\0".join(words) + b"\n")
        read = self._listen({self._report: 256, self._answer: ANSWER_BYTES, self._output: OUTPUT_BYTES}, begun)
        ended = _told(read[self._report].decode("ascii", "replace"), len(read[self._answer]) > ANSWER_BYTES)
        seconds = time.monotonic() - begun
        return replace(ended, answer=bytes(read[self._answer]), output=bytes(read[self._output]), seconds=seconds)

    def _listen(self, most: dict[int, int], begun: float) -> dict[int, bytearray]:
        """Read the pipes until the warden has reported, the answer is too long, or time is long up."""
        import selectors
        import time

        read = {number: bytearray() for number in most}
        deadline = begun + self._limits.seconds + GRACE
        with selectors.DefaultSelector() as selector:
            for number in most:
                os.set_blocking(number, False)
                selector.register(number, selectors.EVENT_READ)
            waiting = True
            while waiting and (left := deadline - time.monotonic()) > 0:
                for key, _ in selector.select(left):
                    if not self._take(key.fd, read[key.fd], most[key.fd]):
                        selector.unregister(key.fd)
                        waiting = waiting and key.fd != self._report  # it went without a word
                waiting = waiting and not read[self._report] and len(read[self._answer]) <= ANSWER_BYTES
        for number, longest in most.items():  # what is still in the pipes
            for _ in range(64):
                if not self._take(number, read[number], longest):
                    break
        return read

    def _take(self, number: int, into: bytearray, most: int) -> bool:
        """Read once; False when there is nothing to be read, now or ever."""
        try:
            chunk = os.read(number, 65536)
        except OSError:
            return False
        into += chunk
        if most == OUTPUT_BYTES and len(into) > most:
            del into[:-most]
        return bool(chunk) and len(into) <= most

    def _pipe(self) -> tuple[int, int]:
        pair = os.pipe()
        self._open |= set(pair)
        return pair

    def _close(self, number: int) -> None:
        self._open.discard(number)
        os.close(number)

    def close(self) -> None:
        """End whatever is left: the warden ends the child and clears up as soon as nobody listens any more."""
        import subprocess

        if self.directory:
            _clear(self.directory)
        for number in tuple(self._open):
            self._close(number)
        if self._warden is not None:
            try:
                self._warden.wait(GRACE)
            except subprocess.TimeoutExpired:
                self._warden.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._warden.wait(0.2)
        if self.directory and os.path.isdir(self.directory):
            from trtdoctor.canary.warden import remove

            remove(self.directory)


def _clear(directory: str) -> None:
    """Remove a directory that holds plain files only; else the warden does it."""
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):
            os.unlink(os.path.join(directory, name))
        os.rmdir(directory)


def _told(line: str, too_much: bool) -> Ended:
    """The warden's line."""
    if too_much:
        return Ended("too-much")
    words = line.split()
    if len(words) != 4:
        return Ended("lost")
    how, number, peak, kills = words[0], int(words[1]), int(words[2]), int(words[3])
    detail = os.strerror(number) if how == "not-started" else ""
    return Ended(how, number, peak_bytes=peak, out_of_memory=kills > 0, detail=detail)
