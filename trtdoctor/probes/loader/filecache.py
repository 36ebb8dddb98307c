"""What lies at the paths that a dynamic loader tries, each file opened once however many processes are simulated."""

from __future__ import annotations

import errno
import os
import stat

from trtdoctor.probes import elf, ldcache
from trtdoctor.probes.base import ProbeContext
from trtdoctor.probes.searchpaths import host, read_bytes, real
from trtdoctor.record import record

_CACHE = "/etc/ld.so.cache"
_CACHE_BYTES = 32 * 1024 * 1024
MOST_LOOKS = 200_000
"""So many paths are tried in one collection; a real one needs some thousand."""

ABSENT, DENIED, STUCK, FILE, OTHER = "absent", "denied", "stuck", "file", "other"


@record
class Found:
    """What lies at one path."""

    path: str
    state: str
    """``absent``; ``denied`` (may not be read); ``stuck`` (too many links or too long a name: the loader gives up the
    list of directories that led here); ``file``; ``other`` (a directory, a FIFO, a device)."""
    identity: tuple[int, int] | None = None
    """Device and inode."""
    elf: elf.Elf | None = None
    """The head of a ``file`` that is an ELF object."""
    problem: str | None = None
    """Why a ``file`` is none: a word of ``Copy.problem``."""
    bits: int | None = None
    machine: str | None = None
    """What the header says, as far as it could be read."""
    cut: bool = False
    """Whether the loader would map it and the process would die: what its head describes is not all there."""


class FileCache:
    """The files of one root, for all simulated processes of one collection of facts."""

    def __init__(self, context: ProbeContext, cwd: str | None = None) -> None:
        """``cwd`` is the current directory that relative entries start from; None: this process's (``/`` in a root)."""
        self.context = context
        self.exhausted = False
        """Whether more paths were asked for than anybody looks at: what was not found may be there."""
        self.cwd = cwd or _current(context)
        self._left = MOST_LOOKS
        self._at: dict[str, Found] = {}
        self._files: dict[tuple[int, int], tuple[elf.Elf | None, elf.ElfError | None]] = {}
        self._real: dict[str, str] = {}
        self._directories: dict[str, bool] = {}
        self._cache: dict[str, list[ldcache.Entry]] | None = None
        self._texts: dict[str, bytes] = {}

    def look(self, path: str) -> Found:
        """What lies at an absolute path; links are followed. Never raises."""
        found = self._at.get(path)
        if found is None:
            found = self._at[path] = self._look(path)
        return found

    def real(self, path: str) -> str:
        """The path without links, as seen below the root."""
        found = self._real.get(path)
        if found is None:
            found = self._real[path] = real(self.context, path)
        return found

    def is_directory(self, path: str) -> bool:
        """Whether there is a directory at ``path``."""
        found = self._directories.get(path)
        if found is None:
            if not self._may_look():
                return False
            try:
                found = os.path.isdir(host(self.context, path))
            except ValueError:
                found = False
            self._directories[path] = found
        return found

    def cached(self, name: str) -> list[ldcache.Entry]:
        """The entries of ld.so.cache for one soname, in their order."""
        if self._cache is None:
            self._cache = {}
            for entry in ldcache.libraries(self.text(_CACHE, _CACHE_BYTES)):
                self._cache.setdefault(entry.name, []).append(entry)
        return self._cache.get(name, [])

    def text(self, path: str, longest: int = 65536) -> bytes:
        """The beginning of a file; empty when it cannot be read."""
        if path not in self._texts:
            self._texts[path] = read_bytes(self.context, path, longest) or b""
        return self._texts[path]

    def absolute(self, path: str) -> str:
        """``path``, from the current directory when it is relative."""
        return path if path.startswith("/") else f"{self.cwd.rstrip('/')}/{path}"

    def _may_look(self) -> bool:
        self._left -= 1
        if self._left < 0:
            self.exhausted = True
        return self._left >= 0

    def _look(self, path: str) -> Found:
        if not self._may_look():
            return Found(path, ABSENT)
        try:
            place = host(self.context, path)
            status = os.stat(place)
        except OSError as error:
            states = {errno.ENOENT: ABSENT, errno.ENOTDIR: ABSENT, errno.EACCES: DENIED}
            return Found(path, states.get(error.errno or 0, STUCK))
        except ValueError:
            return Found(path, ABSENT)
        identity = (status.st_dev, status.st_ino)
        if not stat.S_ISREG(status.st_mode):
            return Found(path, OTHER, identity)
        if identity not in self._files and not os.access(place, os.R_OK):
            return Found(path, DENIED, identity)
        head, error_ = self._file(identity, place)
        if head is not None:
            return Found(path, FILE, identity, elf=head, bits=head.bits, machine=head.machine)
        return Found(
            path,
            FILE,
            identity,
            problem=error_.problem if error_ else elf.UNREADABLE,
            bits=error_.bits if error_ else None,
            machine=error_.machine if error_ else None,
            cut=error_ is not None and error_.cut,
        )

    def _file(self, identity: tuple[int, int], place: str) -> tuple[elf.Elf | None, elf.ElfError | None]:
        if identity not in self._files:
            try:
                self._files[identity] = elf.read(place), None
            except elf.ElfError as error:
                self._files[identity] = None, error
        return self._files[identity]


def _current(context: ProbeContext) -> str:
    if os.fspath(context.root) != "/":
        return "/"
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return "/"
