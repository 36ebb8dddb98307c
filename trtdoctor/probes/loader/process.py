"""One simulated process: which files the dynamic loader would map, by which step of its search, and which it lacks.

From files alone; nothing is loaded or run. It follows glibc 2.17 to 2.43: elf/dl-load.c (search, names, what ends a
search and what is only skipped), dl-deps.c (breadth first), dl-open.c (a dlopen that fails takes back what it mapped),
dl-version.c, rtld.c (what is preloaded), and ld.so(8); musl's order is in :mod:`~trtdoctor.probes.loader.musl`.

Left out: set-user-ID programs, LD_AUDIT, dlmopen, filters (DT_FILTER, DT_AUXILIARY), and the capability masks of
GLIBC_TUNABLES. Relocation is no part of it: undefined symbols are another module's.

Beyond the real loader it goes on where that one stops at the first library that it lacks, so that all are named.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from trtdoctor.probes import elf
from trtdoctor.probes.base import ProbeContext
from trtdoctor.probes.loader import musl, search
from trtdoctor.probes.loader.filecache import ABSENT, DENIED, OTHER, STUCK, FileCache, Found
from trtdoctor.probes.loader.search import Directory
from trtdoctor.probes.loader.system import LEGACY, System, legacy, levels, system
from trtdoctor.record import record
from trtdoctor.snapshot import Missing

MOST_OBJECTS = 4000
"""No process maps more; a hostile one would map files without end."""
MOST_MISSING = 1000
"""No more failures are told of one process."""
FOREIGN = "foreign-architecture"


@record
class Answer:
    """How one search ended."""

    found: Found | None = None
    """The file to map; None when there is none."""
    step: str | None = None
    entry: str | None = None
    problem: str = "not-found"
    detail: str | None = None
    path: str | None = None
    """The file that cannot be used."""


class Mapped:
    """One object that the loader has mapped."""

    __slots__ = ("asked", "elf", "entry", "identity", "lazy", "lists", "loader", "names", "path", "realpath", "step")

    def __init__(
        self, head: elf.Elf, *, path: str, realpath: str, identity: tuple[int, int] | None, asked: str | None = None
    ) -> None:
        self.elf = head
        self.path = path
        """As the loader found it: absolute, links not followed."""
        self.realpath = realpath
        self.identity = identity
        self.asked = asked
        """The name that it was first asked for by."""
        self.names: set[str] = {name for name in (asked, path, head.soname) if name}
        """Every name by which a later request finds it without a search."""
        self.step: str | None = None
        """The step of the search that gave it, in the words of ``snapshot.Loaded.step``."""
        self.entry: str | None = None
        """The entry of the search path, as written."""
        self.loader: Mapped | None = None
        """The object whose DT_NEEDED asked for it; None for what was opened by dlopen or preloaded."""
        self.lazy = False
        self.lists: dict[str, list[Directory]] = {}

    @property
    def soname(self) -> str | None:
        """Its DT_SONAME."""
        return self.elf.soname

    @property
    def needed_by(self) -> str | None:
        """The path of the object that asked for it first; None when no object did."""
        return self.loader.path if self.loader is not None else None

    @property
    def origin(self) -> str:
        """What ``$ORIGIN`` stands for in it."""
        return os.path.dirname(self.path)


class Process:
    """One process, from its start."""

    def __init__(self, context: ProbeContext, files: FileCache, program: str | None) -> None:
        """Start ``program`` (a path; None: one that nobody knows), and map what it needs and what is preloaded.

        Its environment is that of ``context``, its root that of ``files``. Never raises.
        """
        self.files = files
        self.loaded: list[Mapped] = []
        """The libraries, in the order in which they were mapped; neither the program nor the loader itself."""
        self.missing: list[Missing] = []
        self.started = True
        """Whether the program starts; False when the loader would end it for something missing."""
        self.crashed = False
        """Whether it has died: a library was mapped whose pages lie beyond the end of its file (SIGBUS)."""
        self.program: Mapped | None = None
        self._environ = context.environ
        self._objects: list[Mapped] = []
        self._by_name: dict[str, Mapped] = {}
        self._by_identity: dict[tuple[int, int], Mapped] = {}
        self._folders: dict[str, tuple[str, ...]] = {}
        self._starting = True
        self._lazy = self._swallow = False
        self._failed: list[str] = []
        self._told: set[tuple[object, ...]] = set()
        self._start(program)

    @property
    def known(self) -> bool:
        """Whether the loader of this root is one whose order is known, and every path was looked at."""
        return self.system.libc is not None and not self.files.exhausted

    def get(self, name: str) -> Mapped | None:
        """The object that a request for ``name`` (a soname, a path) gets without a search."""
        return self._by_name.get(name)

    def open(
        self, name: str, *, caller: str | None, step: str | None = None, lazy: bool = False, swallow: bool = False
    ) -> bool:
        """``dlopen(name)``, called by the object whose path is ``caller`` (None: the program). False when it fails.

        ``step`` is the word for how the object itself was found, when it is not the search's (``preloaded``); what it
        needs has its own. ``lazy``: it is opened only on use. ``swallow``: the caller goes on without it and says
        nothing. What fails is told in :attr:`missing`. Never raises.
        """
        self._lazy, self._swallow, self._starting = lazy, swallow, False
        if not name:
            return True
        if self.crashed:
            return False
        self._failed = []
        requester = self._caller(caller)
        count = len(self._objects)
        opened = self._known(name) or self._map(name, requester, direct=True)
        if opened is None:
            return False
        if opened in self._objects[:count]:
            return True
        if step is not None:
            opened.step = step
        whole = self._map_needed([opened], self._objects[count:])
        whole = self._check_versions(self._objects[count:]) and whole
        if not whole:
            self._take_back(count)
            self._fail(
                Answer(problem="dependency", detail=next(iter(self._failed), None), path=opened.path),
                os.path.basename(name),
                requester.path if requester else None,
            )
        return whole

    # -- start ---------------------------------------------------------------------------------------------------------

    def _start(self, program: str | None) -> None:
        main = self.files.look(self.files.absolute(program)) if program is not None else None
        head = main.elf if main is not None else None
        self.system: System = system(self.files, head.interpreter if head is not None else None)
        if program is not None and main is not None and head is not None:
            # The kernel says where the program lies, without links; its name to others is empty.
            path = self.files.real(main.path)
            self.program = Mapped(head, path=path, realpath=path, identity=main.identity)
            self._add(self.program)
        self._add_loader()
        origin = self.program.origin if self.program else None
        self._library_path = self._list(self._environ.get("LD_LIBRARY_PATH", ""), ":;", origin)
        self._defaults = search.named(self.system.directories, self.files)
        self._stack = self.program is None or self.system.wants_executable_stack(self.program.elf.executable_stack)
        if self._forbidden() and self.program is not None and self._stack:
            self.started = False
            self._fail(
                Answer(problem="executable-stack", path=self.program.path), os.path.basename(self.program.path), None
            )
        preloads = self._preload() if self.system.libc is not None else []
        roots = [*([self.program] if self.program else []), *preloads]
        whole = self._map_needed(roots, self._objects[:])
        self.started = self._check_versions(self._objects[:]) and whole and self.started

    def _add_loader(self) -> None:
        """The loader itself is an object of each process, under its own names."""
        path = self.system.interpreter
        head = self.files.look(path) if path else None
        if path is None or head is None or head.elf is None:
            return
        self._add(Mapped(head.elf, path=path, realpath=self.files.real(path), identity=head.identity, asked=path))

    def _preload(self) -> list[Mapped]:
        """What LD_PRELOAD and /etc/ld.so.preload name; what cannot be had is passed over."""
        wanted = re.split(r"[ :]", self._environ.get("LD_PRELOAD", ""))
        if self.system.libc == "glibc":
            wanted += re.split(r"[ :\t\n]", self.files.text("/etc/ld.so.preload").decode("utf-8", "replace"))
        found: list[Mapped] = []
        for name in wanted[: search.MOST_ENTRIES]:
            if not name:
                continue
            self._swallow = True
            count = len(self._objects)
            mapped = self._known(name) or self._map(name, self.program, direct=True)
            if mapped is not None and mapped in self._objects[count:]:
                mapped.step, mapped.entry = "preloaded", "LD_PRELOAD"
                found.append(mapped)
        self._swallow, self._failed = False, []
        return found

    # -- objects -------------------------------------------------------------------------------------------------------

    def _caller(self, path: str | None) -> Mapped | None:
        if path is None:
            return self.program
        mine = next((item for item in self._objects if path in (item.path, item.realpath)), None)
        if mine is not None:
            return mine
        found = self.files.look(self.files.absolute(path))
        if found.elf is None:
            return self.program
        # Not mapped here (nobody said how it got in): its own RUNPATH and $ORIGIN count all the same.
        return Mapped(found.elf, path=found.path, realpath=self.files.real(found.path), identity=found.identity)

    def _known(self, name: str) -> Mapped | None:
        if self.system.libc == "musl":
            return musl.known(name, self._objects, self.system)
        return self._by_name.get(name)

    def _add(self, mapped: Mapped) -> None:
        self._objects.append(mapped)
        if mapped.identity is not None:
            self._by_identity.setdefault(mapped.identity, mapped)
        names = mapped.names
        if mapped is self.program:
            names.discard(mapped.path)
        for name in names:
            self._by_name.setdefault(name, mapped)

    def _take_back(self, count: int) -> None:
        """Forget every object but the first ``count``."""
        gone = self._objects[count:]
        del self._objects[count:]
        self.loaded = [item for item in self.loaded if item not in gone]
        self._by_name.clear()
        self._by_identity.clear()
        for mapped in self._objects:
            for name in mapped.names:
                self._by_name.setdefault(name, mapped)
            if mapped.identity is not None:
                self._by_identity.setdefault(mapped.identity, mapped)

    def _map_needed(self, roots: list[Mapped], fresh: list[Mapped]) -> bool:
        """Map what ``roots`` need, and what that needs, breadth first. ``fresh``: objects not gone through before."""
        whole = True
        queue, seen = list(roots), set(map(id, roots))
        unseen = set(map(id, [*fresh, *roots]))
        for item in queue:
            if id(item) not in unseen:
                continue  # all that it needs has been there since it was opened
            for text in item.elf.needed:
                name = self._expand(text, item)
                count = len(self._objects)
                found = self._known(name) or self._map(name, item)
                if found is None:
                    whole = False
                    continue
                unseen.update(map(id, self._objects[count:]))
                if id(found) not in seen:
                    seen.add(id(found))
                    queue.append(found)
        return whole

    def _map(self, name: str, requester: Mapped | None, *, direct: bool = False) -> Mapped | None:
        """Search for ``name`` and map it; ``direct``: for dlopen or a preload, not for DT_NEEDED."""
        answer = self._search(name, requester)
        found = answer.found
        if found is not None and found.identity in self._by_identity:
            mapped = self._by_identity[found.identity]
            if self.system.libc == "musl":
                musl.name_again(mapped, name)
                return mapped
            # The real loader has stopped at the first failure, and learns no more names.
            if not self._failed:
                mapped.names.add(name)
                self._by_name.setdefault(name, mapped)
            return mapped
        if found is not None and found.elf is not None:
            answer = self._refused(found, answer)
        needed_by = requester.path if requester is not None else None
        if answer.found is None or found is None or found.elf is None or len(self._objects) >= MOST_OBJECTS:
            self._fail(answer, os.path.basename(name), needed_by)
            return None
        mapped = Mapped(
            found.elf, path=found.path, realpath=self.files.real(found.path), identity=found.identity, asked=name
        )
        if self.system.libc == "musl":
            mapped.names = musl.names_of(name, found.path)
        mapped.step, mapped.entry, mapped.lazy = answer.step, answer.entry, self._lazy
        mapped.loader = None if direct else requester
        self._add(mapped)
        self.loaded.append(mapped)
        return mapped

    def _refused(self, found: Found, answer: Answer) -> Answer:
        """The answer again, without its file when that is an ELF object that cannot be mapped."""
        head = found.elf
        if head is None or head.program or not head.dynamic:
            detail = "a program" if head is not None and head.program else "no dynamic section"
            return Answer(problem=elf.NOT_ELF, detail=detail, path=found.path)
        if self.system.libc == "glibc" and self.system.wants_executable_stack(head.executable_stack):
            if self._stack_refused():
                return Answer(problem="executable-stack", path=found.path)
            self._stack = True
        return answer

    def _stack_refused(self) -> bool:
        """Whether the stack can no more be made executable: from 2.41 that is done at start only, if ever.

        Source: NEWS of glibc 2.41 ("dlopen and dlmopen no longer make the stack executable"), and the tunable
        ``glibc.rtld.execstack`` in manual/tunables.texi: 0 forbids it at start, too, 2 starts every program with one.
        """
        if self._stack or self.system.before(2, 41) is not False:
            return False
        return self._forbidden() if self._starting else self._execstack() != 2

    def _forbidden(self) -> bool:
        return self.system.before(2, 41) is False and self._execstack() == 0

    def _execstack(self) -> int:
        setting = re.search(r"(?:^|:)glibc\.rtld\.execstack=([012])(?::|$)", self._environ.get("GLIBC_TUNABLES", ""))
        return int(setting[1]) if setting else 1

    # -- search --------------------------------------------------------------------------------------------------------

    def _search(self, name: str, requester: Mapped | None) -> Answer:
        if "/" in name:
            path = self._expand(name, requester) if requester is not None else name
            return self._at(path)
        musls = self.system.libc == "musl"
        lists = self._musl_lists(requester) if musls else self._lists(name, requester)
        skipped: Answer | None = None
        for step, directories in lists:
            for directory, found in self._tries(name, step, directories):
                if found.state == STUCK or self.files.exhausted:
                    break
                answer = self._judge(found, step, directory.entry if step != "ld.so.cache" else None)
                if answer.found is not None or answer.problem not in ("not-found", FOREIGN, "denied"):
                    return answer
                if answer.path is not None:
                    skipped = skipped or answer
        if skipped is None:
            return Answer()
        problem = elf.UNREADABLE if skipped.problem == "denied" else skipped.problem
        return Answer(problem=problem, detail=skipped.detail, path=skipped.path)

    def _at(self, path: str) -> Answer:
        found = self.files.look(self.files.absolute(path)) if path else Found("", ABSENT)
        answer = self._judge(found, "path", None)
        if answer.problem == "denied":
            return Answer(problem=elf.UNREADABLE, path=answer.path)
        return answer

    def _judge(self, found: Found, step: str, entry: str | None) -> Answer:
        """Whether this file ends the search, for good or ill, or is passed over."""
        if found.state in (ABSENT, STUCK):
            return Answer()
        if found.state == DENIED:
            return Answer(problem="denied", path=found.path)
        if found.state == OTHER:
            return Answer(problem=elf.UNREADABLE, path=found.path)
        if self._foreign(found):
            detail = found.machine if found.machine != self.system.machine else f"{found.bits}-bit"
            return Answer(problem=FOREIGN, detail=detail, path=found.path)
        if found.elf is None:
            self.crashed = self.crashed or found.cut
            return Answer(problem=found.problem or elf.NOT_ELF, path=found.path)
        return Answer(found=found, step=step, entry=entry)

    def _foreign(self, found: Found) -> bool:
        wanted, bits = self.system.machine, self.system.bits
        return (found.machine is not None and wanted is not None and found.machine != wanted) or (
            found.bits is not None and bits is not None and found.bits != bits
        )

    def _tries(self, name: str, step: str, directories: Iterable[Directory]) -> Iterator[tuple[Directory, Found]]:
        for directory in directories:
            if step == "ld.so.cache":
                yield directory, self.files.look(directory.path)
                continue
            for folder in self._subdirectories(directory.path):
                yield directory, self.files.look(f"{directory.path.rstrip('/')}/{folder}{name}")

    def _lists(self, name: str, requester: Mapped | None) -> Iterator[tuple[str, list[Directory]]]:
        """The steps of glibc's search, each with its directories (the cache: with its file)."""
        if requester is None or requester.elf.runpath is None:
            item, through_main = requester, False
            while item is not None:
                yield "rpath", self._of(item, "rpath")
                through_main = through_main or item is self.program
                item = item.loader
            if self.program is not None and not through_main:
                yield "rpath", self._of(self.program, "rpath")
        yield "ld_library_path", self._library_path
        if requester is not None:
            yield "runpath", self._of(requester, "runpath")
        asking = requester or self.program
        nodeflib = asking is not None and asking.elf.nodeflib
        path = self._cached(name)
        if path is not None and not (nodeflib and any(path.startswith(f"{one}/") for one in self.system.directories)):
            yield "ld.so.cache", [Directory(path, path)]
        if not nodeflib:
            yield "default", self._defaults

    def _musl_lists(self, requester: Mapped | None) -> Iterator[tuple[str, list[Directory]]]:
        """The steps of musl's search: a RUNPATH counts as an RPATH, and is passed on to what is needed below."""
        yield "ld_library_path", self._library_path
        item = requester
        while item is not None:
            kind = "rpath" if item.elf.runpath is None else "runpath"
            yield kind, self._of(item, kind)
            item = item.loader or (self.program if item is not self.program else None)
        yield "default", self._defaults

    def _of(self, item: Mapped, kind: str) -> list[Directory]:
        """The directories of an object's RPATH (when it has no RUNPATH) or RUNPATH."""
        found = item.lists.get(kind)
        if found is None:
            text = item.elf.runpath if kind == "runpath" else item.elf.rpath if item.elf.runpath is None else None
            found = item.lists[kind] = self._list(text or "", ":", item.origin)
        return found

    def _list(self, text: str, separators: str, origin: str | None) -> list[Directory]:
        if not text:
            return []
        return search.split(
            text, separators, self.files, origin=origin, library=self.system.library, platform=self.system.machine
        )

    def _expand(self, text: str, item: Mapped) -> str:
        if "$" not in text:
            return text
        return search.expand(text, origin=item.origin, library=self.system.library, platform=self.system.machine)

    def _cached(self, name: str) -> str | None:
        """The file that ld.so.cache gives for a name: the best of those for better processors, else the first."""
        entries = [item for item in self.files.cached(name) if self.system.serves(item.flags)]
        if any(item.capabilities for item in entries) and self.system.before(2, 33) is not True:
            for level in levels(self.system.machine):
                for item in entries:
                    if item.capabilities == level:
                        return item.path
        return next((item.path for item in entries if item.capabilities == ""), None)

    def _subdirectories(self, directory: str) -> tuple[str, ...]:
        """What of a directory is searched, best first: subdirectories for better processors, then itself (``""``)."""
        found = self._folders.get(directory)
        if found is None:
            found = self._folders[directory] = (*self._better(directory), "")
        return found

    def _better(self, directory: str) -> list[str]:
        if self.system.libc != "glibc":
            return []
        base = directory.rstrip("/")
        wanted: list[str] = []
        if self.system.before(2, 33) is not True and self.files.is_directory(f"{base}/glibc-hwcaps"):
            wanted += [f"glibc-hwcaps/{level}/" for level in levels(self.system.machine)]
        if self.system.before(2, 37) is True:
            heads = {head for head in LEGACY if self.files.is_directory(f"{base}/{head}")}
            if heads:
                wanted += [f"{one}/" for one in legacy(self.system.machine) if one.partition("/")[0] in heads]
        return [folder for folder in wanted if self.files.is_directory(f"{base}/{folder}")]

    # -- versions ------------------------------------------------------------------------------------------------------

    def _check_versions(self, objects: list[Mapped]) -> bool:
        """Whether each symbol version that these objects must find is defined by the library that is to have it."""
        if self.system.libc != "glibc":
            return True
        whole = True
        for item in objects:
            for name, wanted in item.elf.versions_needed:
                provider = self._by_name.get(name)
                # A library without any versions is taken as it is, with no more than a warning.
                if provider is None or not provider.elf.versions_defined:
                    continue
                lacking = set(wanted) - set(provider.elf.versions_defined)
                for version in _highest(lacking):
                    whole = False
                    self._fail(Answer(problem="symbol-version", detail=version, path=provider.path), name, item.path)
        return whole

    # -- failures ------------------------------------------------------------------------------------------------------

    def _fail(self, answer: Answer, name: str, needed_by: str | None) -> None:
        self._failed.append(name)
        key = (name, needed_by, answer.problem, answer.detail, answer.path, self._swallow, self._lazy)
        if key in self._told or len(self._told) >= MOST_MISSING:
            return
        self._told.add(key)
        self.missing.append(
            Missing(
                name=name,
                needed_by=needed_by,
                problem=answer.problem,
                detail=answer.detail,
                path=answer.path,
                swallowed=self._swallow,
                lazy=self._lazy,
            )
        )


_NUMBERED = re.compile(r"(.*?)((?:\d+\.)*\d+)")


def _highest(versions: set[str]) -> list[str]:
    """The highest of each family: GLIBC_2.38 of GLIBC_2.34 and GLIBC_2.38."""
    best: dict[str, tuple[tuple[int, ...], str]] = {}
    for version in sorted(versions):
        match = _NUMBERED.fullmatch(version)
        family, number = (match[1], tuple(int(part[:9]) for part in match[2].split("."))) if match else (version, ())
        if family not in best or number > best[family][0]:
            best[family] = number, version
    return [version for _, version in best.values()]
