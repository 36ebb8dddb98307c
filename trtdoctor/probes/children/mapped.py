"""Run by the interpreter that is looked at (Python 3.6 or newer, ``-I``): really loads something, says what is mapped.

The one argument is a JSON object: ``imports`` (names of modules) or ``files`` (paths to dlopen), in order; ``calls``
(pairs: how a library's file name begins, a harmless function of it to call afterwards); ``cwd``. One JSON object a line
goes to standard output. What is loaded prints into a pipe of its own, read by the process that waits for it, so that
a crash, too, can be told with its last words.
"""

import sys

sys.dont_write_bytecode = True  # nothing is left behind

import json  # noqa: E402
import os  # noqa: E402
import select  # noqa: E402
import signal  # noqa: E402

TAIL = 8192
LONGEST = 1000


def main() -> None:
    """Fork: the child loads, the parent reads what it prints and tells how it ended."""
    wanted = json.loads(sys.argv[1])
    facts = os.dup(1)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            os.dup2(writer, 1)
            os.dup2(writer, 2)
            work(wanted, facts)
        finally:
            os._exit(0)  # no destructor of what was loaded is run: they are not what is asked
    os.close(writer)
    tail, status = watch(child, reader)
    if os.WIFSIGNALED(status):
        say(facts, {"signal": os.WTERMSIG(status), "tail": last_line(tail)})
    else:
        say(facts, {"ended": True, "tail": last_line(tail)})
    # What the child started and left behind ends with it; in a group that is another's, nothing is ended.
    if os.getpgrp() == os.getpid():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        try:
            os.killpg(0, signal.SIGTERM)
        except OSError:
            pass


def work(wanted: "dict[str, object]", facts: int) -> None:
    """Load one thing after the other, and say what is mapped after each."""
    no_core_file()
    try:
        os.chdir(str(wanted.get("cwd") or "/"))
    except OSError:
        pass
    search_as_usual()
    try:
        for name in wanted.get("imports") or ():  # type: ignore[attr-defined]
            say(facts, {"at": name})
            __import__(name)
            say(facts, {"libraries": mapped()})
        for path in wanted.get("files") or ():  # type: ignore[attr-defined]
            say(facts, {"at": path})
            open_library(path)
            say(facts, {"libraries": mapped()})
    except BaseException as error:
        say(facts, {"error": told(error), "libraries": mapped()})
        return
    say(facts, {"loaded": True})
    for stem, function in wanted.get("calls") or ():  # type: ignore[attr-defined]
        for path in mapped():
            if os.path.basename(path).startswith(stem):
                use(path, function)
                say(facts, {"after_use": mapped()})


def open_library(path: str) -> None:
    """Dlopen a file."""
    import ctypes

    ctypes.CDLL(path)


def use(path: str, function: str) -> None:
    """Call a function without arguments of a library that is loaded."""
    import ctypes

    try:
        getattr(ctypes.CDLL(path), function)()
    except (OSError, AttributeError):
        pass


def mapped() -> "list[str]":
    """Every shared object that this process has mapped, by its path without links."""
    found = []
    with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as stream:
        for line in stream:
            parts = line.rstrip("\n").split(None, 5)
            if len(parts) == 6 and parts[5].startswith("/") and ".so" in parts[5]:
                path = parts[5].replace("\\012", "\n")
                found.append(path[: -len(" (deleted)")] if path.endswith(" (deleted)") else path)
    return list(dict.fromkeys(found))


def search_as_usual() -> None:
    """Take back what ``-I`` leaves out: PYTHONPATH and the user's own directory of packages."""
    for path in reversed(os.environ.get("PYTHONPATH", "").split(os.pathsep)):
        if path.startswith("/"):
            sys.path.insert(0, path)
    import site

    try:
        own = site.getusersitepackages()
        shared = sys.prefix == sys.base_prefix or site.getsitepackages()[-1].startswith(sys.base_prefix)
        if shared and not os.environ.get("PYTHONNOUSERSITE") and os.path.isdir(own):
            site.addsitedir(own)
    except Exception:  # no home directory
        pass


def no_core_file() -> None:
    """A crash is a fact, not a file of many gigabytes."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except Exception:
        pass


def watch(child: int, reader: int) -> "tuple[bytes, int]":
    """The end of what the child printed, and its status; others may go on holding the pipe open."""
    tail = b""
    while True:
        ready = select.select([reader], [], [], 0.05)[0]
        if ready:
            chunk = os.read(reader, 65536)
            tail = (tail + chunk)[-TAIL:]
            if chunk:
                continue
        ended, status = os.waitpid(child, 0 if ready else os.WNOHANG)
        if ended:
            return tail, status


def told(error: BaseException) -> str:
    """The line of an exception that says most: the one that names a library, else the last one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    line = next((line for line in lines if ".so" in line), lines[-1] if lines else "")
    return (type(error).__name__ + ": " + line)[:LONGEST]


def last_line(text: bytes) -> "str | None":
    """The last line that is not empty."""
    lines = [line.strip() for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1][:LONGEST] if lines else None


def say(facts: int, answer: "dict[str, object]") -> None:
    """One line of the answer, at once."""
    data = (json.dumps(answer) + "\n").encode("ascii")
    while data:
        data = data[os.write(facts, data) :]


main()
