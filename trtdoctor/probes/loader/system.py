"""The dynamic loader of one root: which C library it belongs to, its version, and where it looks by itself.

The loader's own file tells: a C library is built with its list of default directories (glibc ``system_dirs`` of
elf/dl-load.c), so Debian's, Red Hat's, Arch's and Nix's differ.
"""

from __future__ import annotations

import os
import re

from trtdoctor.probes.files import read_regular
from trtdoctor.probes.loader.filecache import FILE, FileCache
from trtdoctor.record import record

_LOADER_BYTES = 4 * 1024 * 1024
_USUAL = (
    *("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib64/ld64.so.2", "/lib/ld-linux.so.2"),
    *("/lib/ld-musl-x86_64.so.1", "/lib/ld-musl-aarch64.so.1"),
)
"""The names that the ABIs of the machines fix."""
_CACHE_FLAGS = {"x86_64": 0x303, "aarch64": 0xA03, "ppc64le": 0x503, "i386": 0x3}
"""What ld.so.cache says of a library for this machine (glibc ldconfig.h); 1 is an ELF library of any."""
_TRIPLES = {"x86_64": "x86_64-linux-gnu", "aarch64": "aarch64-linux-gnu", "ppc64le": "powerpc64le-linux-gnu"}
_EXECUTABLE_BY_DEFAULT = frozenset({"x86_64", "i386", "arm"})
"""Machines on which an object without PT_GNU_STACK asks for an executable stack (glibc ``stackinfo.h``)."""


@record
class System:
    """One dynamic loader."""

    interpreter: str | None
    """Its path; None when there is none."""
    libc: str | None
    """``glibc``, ``musl``; None when it cannot be told."""
    version: tuple[int, int] | None
    """Of glibc."""
    directories: tuple[str, ...]
    """Its default directories, in order."""
    library: str
    """What it writes for ``$LIB``."""
    machine: str | None
    """For which machine its libraries must be."""
    bits: int | None

    def before(self, major: int, minor: int) -> bool | None:
        """Whether glibc is older; None when its version is not known."""
        return None if self.version is None else self.version < (major, minor)

    def serves(self, flags: int) -> bool:
        """Whether an entry of ld.so.cache with these flags is for this machine."""
        return self.machine not in _CACHE_FLAGS or flags in (1, _CACHE_FLAGS[self.machine])

    def wants_executable_stack(self, said: bool | None) -> bool:
        """Whether an object asks for an executable stack, given what its PT_GNU_STACK says."""
        return self.machine in _EXECUTABLE_BY_DEFAULT if said is None else said


def system(files: FileCache, interpreter: str | None) -> System:
    """What is known of the loader at ``interpreter`` (None: the one that the root's shell asks for). Never raises."""
    if interpreter is None:
        interpreter = _of_shell(files)
    head = files.look(interpreter) if interpreter else None
    if interpreter is None or head is None or head.state != FILE or head.elf is None:
        own = os.uname().machine if os.fspath(files.context.root) == "/" else None
        return System(interpreter, None, None, _guess(files, own), "lib", own, None)
    machine, bits = head.machine, head.bits
    if os.path.basename(interpreter).startswith("ld-musl-"):
        return System(interpreter, "musl", None, _of_musl(files, interpreter), "lib", machine, bits)
    content = files.text(interpreter, _LOADER_BYTES)
    directories = _system_directories(content) or _guess(files, machine)
    return System(
        interpreter, "glibc", _version(files, interpreter, content), directories, _library(directories), machine, bits
    )


def _of_shell(files: FileCache) -> str | None:
    shell = files.look("/bin/sh")
    if shell.elf is not None and shell.elf.interpreter:
        return shell.elf.interpreter
    return next((path for path in _USUAL if files.look(path).elf is not None), None)


_LISTS = re.compile(rb"(?:(?:/[\w.+-]+)+/\0)+")
_LIBRARY_FOLDERS = re.compile(r"/lib(?:32|64|x32)?(?:/[\w-]+)?/$")


def _system_directories(content: bytes) -> tuple[str, ...]:
    """The longest run of library directories in the loader's file, each of which ends with a slash there."""
    best: list[str] = []
    for match in _LISTS.finditer(content):
        run: list[str] = []
        for part in match.group().split(b"\0"):
            folder = part.decode("ascii", "replace")
            run = [*run, folder] if _LIBRARY_FOLDERS.search(folder) else []
            if len(run) > len(best):
                best = run
    return tuple(folder.rstrip("/") for folder in best)


def _guess(files: FileCache, machine: str | None) -> tuple[str, ...]:
    triple = _TRIPLES.get(machine or "")
    if triple and files.is_directory(f"/usr/lib/{triple}"):
        return (f"/lib/{triple}", f"/usr/lib/{triple}", "/lib", "/usr/lib")
    return ("/lib64", "/usr/lib64") if files.is_directory("/usr/lib64") else ("/lib", "/usr/lib")


def _library(directories: tuple[str, ...]) -> str:
    first = directories[0] if directories else "/lib"
    multiarch = re.fullmatch(r"(?:/usr)?/(lib/[\w-]+)", first)
    return multiarch[1] if multiarch else first.rpartition("/")[2]


_BANNER = re.compile(rb"(?:stable|development) release version (\d{1,3})\.(\d{1,4})")
_FILE_NAME = re.compile(r"ld-(\d{1,3})\.(\d{1,4})\.so")


def _version(files: FileCache, interpreter: str, content: bytes) -> tuple[int, int] | None:
    """By what the loader says of itself (from 2.33), by its file's name (before), else by its own symbol versions."""
    banner = _BANNER.search(content)
    if banner:
        return int(banner[1]), int(banner[2])
    named = _FILE_NAME.fullmatch(os.path.basename(files.real(interpreter)))
    if named:
        return int(named[1]), int(named[2])
    return None


def _of_musl(files: FileCache, interpreter: str) -> tuple[str, ...]:
    """The list of musl: a file beside which it is installed, else a fixed one (musl ldso/dynlink.c)."""
    name = os.path.basename(interpreter).removeprefix("ld-musl-").partition(".so")[0]
    said = files.text(f"/etc/ld-musl-{name}.path").decode("utf-8", "replace")
    listed = tuple(part for part in re.split(r"[:\n]", said) if part)
    return listed or ("/lib", "/usr/local/lib", "/usr/lib")


# -- subdirectories for better processors ------------------------------------------------------------------------------

_LEVELS = (
    ("x86-64-v2", {"cx16", "lahf_lm", "popcnt", "pni", "ssse3", "sse4_1", "sse4_2"}),
    ("x86-64-v3", {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"}),
    ("x86-64-v4", {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}),
)
"""Level and what it adds, in the words of /proc/cpuinfo. Source: glibc sysdeps/x86/get-isa-level.h."""
LEGACY = ("tls", "haswell", "x86_64", "aarch64", "atomics")
"""The first words of what :func:`legacy` gives."""
_CPU_BYTES = 16 * 1024


def levels(machine: str | None) -> tuple[str, ...]:
    """The subdirectories of ``glibc-hwcaps`` that this machine's processor is good for, best first."""
    if machine != "x86_64" or os.uname().machine != "x86_64":
        return ()
    found: list[str] = []
    flags = _processor("flags")
    for level, wanted in _LEVELS:
        if not wanted <= flags:
            break
        found.insert(0, level)
    return tuple(found)


def legacy(machine: str | None) -> tuple[str, ...]:
    """The subdirectories that glibc looked into before 2.37, best first: subsets of ``tls``, platform, capability."""
    if machine == "x86_64":
        flags = _processor("flags")
        modern = {"avx2", "bmi1", "bmi2", "abm", "movbe", "popcnt", "fma"} <= flags
        intel = "GenuineIntel" in _processor("vendor_id")
        parts = ["tls", "haswell" if modern and intel else "x86_64", "x86_64"]
    elif machine == "aarch64":
        parts = ["tls", "aarch64", "atomics"]
    else:
        return ()
    found: dict[str, None] = {}
    for chosen in range(7, 0, -1):
        found.setdefault("/".join(part for place, part in enumerate(parts) if chosen & (4 >> place)))
    return tuple(found)


def _processor(key: str) -> set[str]:
    text = (read_regular("/proc/cpuinfo", _CPU_BYTES) or b"").decode("ascii", "replace")
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return set(value.split())
    return set()
