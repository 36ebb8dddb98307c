"""Watch over one child process and everything that it starts; a process of its own, standard library only.

Arguments of :func:`main`: CONTROL REPORT KEPT SECONDS BYTES DIRECTORY. CONTROL, REPORT and KEPT are file descriptors:
CONTROL gives one line, the words of the command separated by NUL, and its end means that nobody waits any more; REPORT
takes one line; KEPT is the one that the child inherits. BYTES is the memory limit, 0 for none.

It is the reaper of all its descendants: one that leaves its session, or loses its parent, still ends here. So nothing
survives, also when the program that wanted the answer is killed itself. The line says ``HOW NUMBER PEAK KILLS``: how
the child ended (``exited``, ``signalled``, ``timed-out``, ``memory-limit``, ``abandoned``, ``not-started``), its exit
code, signal or errno, the peak of its memory in bytes, and how many processes the kernel killed for want of memory
meanwhile (-1 when it cannot be told).
"""

import contextlib
import ctypes
import os
import resource
import select
import signal
import time

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
TURN = 0.025
"""Seconds between two looks at the child's memory: what it can take meanwhile is what a limit may be overrun by."""
TREE_TURNS = 20
"""Every so many turns its descendants count too."""
PATIENCE = 0.6
"""Seconds to wait for killed processes to go; one in uninterruptible sleep (a dead GPU) is left to the kernel."""


def main(arguments: list[str]) -> None:
    """Run, watch, end, report, clean up. Never returns: nothing of Python's own farewell is needed."""
    control, report, kept, seconds, limit = int(arguments[0]), int(arguments[1]), int(arguments[2]), *arguments[3:5]
    directory = arguments[5]
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in (control, report):
        os.set_inheritable(number, False)
    command = listen(control)
    if command:
        wakes, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(wakes, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        before = kills()
        started = time.monotonic()
        child, errno = start(command, kept, libc)
        how, number, peak = "not-started", errno, 0
        if child:
            os.close(kept)
            how, number, peak = watch(child, control, wakes, started + float(seconds), int(limit))
            end_all(child)
        after = kills()
        with contextlib.suppress(OSError):
            killed = -1 if after is None or before is None else after - before
            os.write(report, f"{how} {number} {peak} {killed}\n".encode())
        with contextlib.suppress(OSError):
            os.read(control, 1)  # until nobody needs the directory any more
    remove(directory)
    os._exit(0)


def listen(control: int) -> list[bytes]:
    """The command; empty when nobody waits any more."""
    line = b""
    while not line.endswith(b"\n"):
        chunk = os.read(control, 65536)
        if not chunk:
            return []
        line += chunk
    return line[:-1].split(b"\0")


def start(command: list[bytes], kept: int, libc: ctypes.CDLL) -> tuple[int, int]:
    """Start the child in a session of its own: its pid, or 0 and the errno that kept it from starting."""
    failed, failing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as stream:
                stream.write("1000")  # when memory runs out, the canary is the one to go
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            os.set_inheritable(kept, True)
            os.execv(command[0], command)  # noqa: S606
        except OSError as error:
            os.write(failing, str(error.errno or 0).encode())
        finally:
            os._exit(127)
    os.close(failing)
    said = os.read(failed, 16)
    os.close(failed)
    if said:
        os.waitpid(child, 0)
        return 0, int(said)
    return child, 0


def watch(child: int, control: int, wakes: int, deadline: float, limit: int) -> tuple[str, int, int]:
    """Wait until the child ends, or must be ended: how, its code or signal, its peak of memory."""
    peak = turn = 0
    while True:
        status = reap(child)
        if status is not None:
            code = os.waitstatus_to_exitcode(status)
            return ("exited", code, peak) if code >= 0 else ("signalled", -code, peak)
        now = time.monotonic()
        if now >= deadline:
            return "timed-out", 0, peak
        used = memory([child] if turn % TREE_TURNS else [child, *descendants()])
        turn += 1
        peak = max(peak, used)
        if limit and used > limit:
            return "memory-limit", 0, peak
        ready, _, _ = select.select([control, wakes], [], [], min(TURN, deadline - now))
        if control in ready:
            return "abandoned", 0, peak
        if wakes in ready:
            with contextlib.suppress(OSError):
                os.read(wakes, 4096)


def reap(child: int) -> int | None:
    """Take in whoever has ended; the status of ``child`` when it is among them."""
    found = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == child:
                found = status
    return found


def end_all(child: int) -> None:
    """Kill until there is no descendant left: each that loses its parent becomes a child of this process."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            os.killpg(child, signal.SIGKILL)
        for pid in descendants():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)


def descendants() -> list[int]:
    """Pids of the children of this process, their children, and so on."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat", "rb") as stream:
                # A process may call itself anything, brackets and blanks included: the last bracket ends its name.
                parent = int(stream.read().rpartition(b")")[2].split()[1])
                children.setdefault(parent, []).append(int(name))
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        below = children.pop(waiting.pop(), [])
        found += below
        waiting += below
    return found


def memory(pids: list[int]) -> int:
    """Bytes that cannot be given back without swapping: anonymous and shared memory, no pages of files.

    Address space would be no measure: CUDA reserves far more than it ever uses.
    """
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/status", "rb") as stream:
            for line in stream:
                if line.startswith((b"RssAnon:", b"RssShmem:")):
                    total += int(line.split()[1]) * 1024
    return total


def kills() -> int | None:
    """How many processes the kernel has killed for want of memory so far, in this control group where it says so."""
    places = []
    with contextlib.suppress(OSError, ValueError), open("/proc/self/cgroup", encoding="ascii") as stream:
        for line in stream:
            _, names, path = line.rstrip("\n").split(":", 2)
            if not names:
                places += [f"/sys/fs/cgroup{path}/memory.events", "/sys/fs/cgroup/memory.events"]
            elif "memory" in names.split(","):
                places += [f"/sys/fs/cgroup/memory{path}/memory.oom_control"]
    for place in [*places, "/proc/vmstat"]:
        with contextlib.suppress(OSError, ValueError), open(place, encoding="ascii") as stream:
            for line in stream:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return None


def remove(directory: str) -> None:
    """The directory with all that is in it, also what forbids to be looked into."""
    if not os.path.isdir(directory):
        return
    for place, _, _ in os.walk(directory):
        with contextlib.suppress(OSError):
            os.chmod(place, 0o700)
    import shutil

    shutil.rmtree(directory, ignore_errors=True)
