"""What an importer asks the dynamic loader for, step by step, in a simulated process.

The steps are data (matrix/loading.yaml, whose head explains the words); what each of them gets is the loader's doing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from trtdoctor.probes import wheels
from trtdoctor.probes.base import ProbeContext
from trtdoctor.probes.loader import modules
from trtdoctor.probes.loader.filecache import FileCache
from trtdoctor.probes.loader.process import Mapped, Process
from trtdoctor.probes.python import inspected
from trtdoctor.probes.searchpaths import MOST_ENTRIES, exists, host, once, read_text, real
from trtdoctor.record import record
from trtdoctor.snapshot import Missing
from trtdoctor.versions import Answer, Version, within

OK, FAILED, CRASHED, UNKNOWN = "ok", "failed", "crashed", "unknown"
_TEXT_BYTES = 512 * 1024
_MOST_ROUNDS = 10
_MOST_DEPTH = 20
_PLACEHOLDER = re.compile(r"\{(\w+)(?::([\w-]+))?\}")
_INTERPRETER_LIBRARY = re.compile(r"lib(?:python|pypy)")


@record
class _Later:
    """A library that is opened only on use."""

    path: str
    caller: str | None


class Run:
    """One simulated process of an importer."""

    def __init__(self, context: ProbeContext, files: FileCache, executable: str | None) -> None:
        """``executable`` is the program; None for a process of which nothing is known but what it opens."""
        self.context = context
        self.table = context.loading() if context.loading is not None else None
        self.process = Process(context, files, executable)
        self.outcome = OK
        self.asked_by: dict[str, str | None] = {}
        """The library that opened another one by itself, by the path of that other one."""
        self._modules: dict[str, str] = {}
        self._later: list[_Later] = []
        self._opened: set[tuple[str, str]] = set()
        self._seen = 0
        self._extension: str | None = None
        self._importer: str | None = None
        self._ctypes: str | None = None

    def asking(self, path: str | None) -> str | None:
        """A file that asked for a library; None for the interpreter's own ones, which do what Python code tells."""
        return None if path in (self._importer, self._ctypes) else path

    @property
    def imported(self) -> frozenset[str]:
        """The modules that were imported on the way."""
        return frozenset(self._modules)

    # -- what is asked for ---------------------------------------------------------------------------------------------

    def python(self, executable: str | None) -> None:
        """Take the process for one of the chosen interpreter: who calls dlopen decides where is searched."""
        for mapped in self.process.loaded:
            if _INTERPRETER_LIBRARY.match(os.path.basename(mapped.soname or mapped.path)):
                self._importer = self._ctypes = mapped.path
                break
        extension = modules.ctypes_extension(self.context, executable) if executable else None
        if extension is not None and self._dlopen(extension, self._importer):
            self._ctypes = extension

    def imports(self, name: str) -> None:
        """``import name``; after a failure the process goes no further."""
        if self.outcome == OK:
            self.outcome = self._import(name, 0)
            self._initialise()

    def file(self, path: str) -> None:
        """``dlopen`` of one file by its path."""
        if not self._dlopen(path, self._ctypes):
            self.outcome = CRASHED if self.process.crashed else FAILED
        self._initialise()

    def names(self, names: tuple[str, ...], major: str) -> None:
        """A program opens libraries by name when it runs."""
        for name in names:
            self._dlopen(name.replace("{major}", major), None, lazy=True)

    def use(self) -> None:
        """What is opened only on use, after everything else."""
        if self.outcome != OK:
            return
        for later in self._later:
            self._dlopen(later.path, later.caller, lazy=True)
        for _ in range(_MOST_ROUNDS):
            before = len(self._opened)
            self._initialise(lazy=True)
            for mapped in tuple(self.process.loaded):
                self._opens(mapped, at_use=True, lazy=True)
            if len(self._opened) == before:
                break

    def _dlopen(self, name: str, caller: str | None, **words: Any) -> bool:
        """One dlopen; who asked for what is remembered, for libraries that open others."""
        before = len(self.process.loaded)
        done = self.process.open(name, caller=caller, **words)
        if caller not in (self._importer, self._ctypes):
            for mapped in self.process.loaded[before:]:
                if mapped.needed_by is None:
                    self.asked_by[mapped.path] = caller
        return done

    def _attempt(self, name: str, caller: str | None, **words: Any) -> tuple[bool, list[Missing]]:
        """One dlopen, and what it lacked, which is not yet told."""
        told, self.process.missing = self.process.missing, []
        done = self._dlopen(name, caller, **words)
        lacking, self.process.missing = self.process.missing, told
        return done, lacking

    # -- steps ---------------------------------------------------------------------------------------------------------

    def _import(self, name: str, depth: int) -> str:
        if name not in self._modules:
            self._modules[name] = UNKNOWN  # an import in a circle
            self._modules[name] = self._imported(name, depth)
        return self._modules[name]

    def _imported(self, name: str, depth: int) -> str:
        place = modules.find(self.context, name)
        if place is None:
            return FAILED if inspected(self.context).complete else UNKNOWN
        row = self._row(place)
        if row is None or depth > _MOST_DEPTH:
            return UNKNOWN
        ended: set[str] = set()
        for step in row.steps:
            if step.get("group") in ended or not all(self._holds(item, place) for item in step.get("when", ())):
                continue
            outcome = self._step(step, row, place, depth)
            self._initialise()
            if self.process.crashed:
                return CRASHED
            if outcome == FAILED and (step.get("swallow") or step.get("optional")):
                if "group" in step:
                    ended.add(step["group"])
            elif outcome != OK:
                return outcome
        return OK

    def _row(self, place: modules.Module) -> Any:
        rows = self.table.modules.get(place.name, ()) if self.table is not None else ()
        return next((row for row in rows if all(self._holds(item, place) for item in row.recognised_by)), None)

    def _holds(self, condition: dict[str, str], place: modules.Module) -> bool:
        if "extension" in condition:
            return modules.extension(self.context, condition["extension"]) is not None
        if "exists" in condition:
            return exists(self.context, self._filled(condition["exists"], place))
        if "mapped" in condition:
            return any(condition["mapped"] in mapped.realpath for mapped in self.process.loaded)
        content = self._text(self._filled(condition["in"], place))
        if "no_text" in condition:
            return condition["no_text"] not in content
        return condition["text"] in content

    def _step(self, step: dict[str, Any], row: Any, place: modules.Module, depth: int) -> str:
        if "import" in step:
            outcome = self._import(step["import"], depth + 1)
            return UNKNOWN if outcome == FAILED and step.get("on_failure") == UNKNOWN else outcome
        if "extension" in step:
            path = modules.extension(self.context, step["extension"])
            if path is None:
                return FAILED
            self._extension = path
            return _word(self._dlopen(path, self._importer))
        if "preload" in step:
            return self._preload(row, place, required=bool(step.get("required")), swallow=bool(step.get("swallow")))
        return self._open(step, row, place)

    def _open(self, step: dict[str, Any], row: Any, place: modules.Module) -> str:
        swallow = bool(step.get("swallow"))
        caller = self._extension if step.get("from") == "extension" else self._ctypes
        pattern = step["open"]
        if step.get("which") == "all":
            for path in self._matching(self._filled(pattern, place)):
                self._dlopen(path, caller, step="preloaded", swallow=swallow)
            return OK
        if pattern.startswith("{search}"):
            found = self._searched([pattern], place)
            if found is None:
                return FAILED if step.get("required") else OK
            return _word(self._dlopen(found, caller, step="preloaded", swallow=swallow))
        path = self._filled(pattern, place)
        if step.get("lazy"):
            self._later.append(_Later(path, caller))
            return OK
        again = step.get("on_failure")
        if not isinstance(again, dict):
            done = self._dlopen(path, caller, swallow=swallow)
            return OK if done else UNKNOWN if again == UNKNOWN else FAILED
        done, lacking = self._attempt(path, caller)
        if done:
            return OK
        named = lacking[0].name.partition(".so")[0] if lacking else ""
        if not any(named == item.partition(".so")[0] for item in again["naming"]):
            self.process.missing += lacking
            return FAILED
        self.process.missing += [replace(item, swallowed=True) for item in lacking]
        if self._preload(row, place, required=True) != OK:
            return FAILED
        return _word(self._dlopen(path, caller))

    def _preload(self, row: Any, place: modules.Module, *, required: bool, swallow: bool = False) -> str:
        spec = row.preload or {}
        content = self._text(self._filled(spec.get("named_in", ""), place))
        cuda = self._cuda(row, place)
        for item in spec.get("files", ()):
            # The list is that of the newest code; an older one has fewer.
            if item["file"] not in content:
                continue
            folders = [
                f"{folder.replace('{folder}', item['folder']).replace('{cuda}', cuda or '')}/{item['file']}"
                for folder in spec["folders"]
                if cuda is not None or "{cuda}" not in folder
            ]
            path = self._searched(folders, place)
            if path is None and required:
                return FAILED
            if path is not None and not self._dlopen(path, self._ctypes, step="preloaded", swallow=swallow):
                return FAILED
        return OK

    def _cuda(self, row: Any, place: modules.Module) -> str | None:
        if row.cuda is None:
            return None
        match = re.search(row.cuda["pattern"], self._text(self._filled(row.cuda["in"], place)), re.MULTILINE)
        return match[1] if match else None

    # -- files ---------------------------------------------------------------------------------------------------------

    def _filled(self, text: str, place: modules.Module) -> str:
        def fill(match: re.Match[str]) -> str:
            if match[1] == "real":
                return real(self.context, place.path)
            return place.path if match[1] == "package" else match[0]

        return _PLACEHOLDER.sub(fill, text)

    def _text(self, path: str) -> str:
        texts = once(self.context, "module texts", dict[str, str])
        if path not in texts:
            texts[path] = read_text(self.context, path, _TEXT_BYTES) or ""
        return texts[path]

    def _searched(self, patterns: list[str], place: modules.Module) -> str | None:
        """The first file that matches, directory of sys.path by directory, pattern by pattern."""
        for site in inspected(self.context).sites:
            for pattern in patterns:
                for path in self._matching(self._filled(pattern.replace("{search}", site), place)):
                    return path
        return None

    def _matching(self, pattern: str) -> Iterator[str]:
        """The files of one directory that match, in the order in which it lists them, as ``glob.iglob`` does."""
        folder, _, form = pattern.rpartition("/")
        if not re.search(r"[*?[]", form):
            if exists(self.context, pattern):
                yield pattern
            return
        for name in _listed(self.context, folder):
            if fnmatchcase(name, form) and not name.startswith("."):
                yield f"{folder}/{name}"

    # -- what libraries open by themselves -----------------------------------------------------------------------------

    def _initialise(self, *, lazy: bool = False) -> None:
        """What libraries open as soon as they are loaded."""
        while self._seen < len(self.process.loaded):
            mapped = self.process.loaded[self._seen]
            self._seen += 1
            self._opens(mapped, at_use=False, lazy=lazy)

    def _opens(self, mapped: Mapped, *, at_use: bool, lazy: bool) -> None:
        if self.table is None:
            return
        spec = self.context.libraries(os.path.basename(mapped.realpath)) or self.context.libraries(mapped.soname or "")
        if spec is None:
            return
        for row in self.table.opens.get(spec.name, ()):
            if row.lazy is not at_use or (row.id, mapped.path) in self._opened or not self._is_row(row, mapped):
                continue
            self._opened.add((row.id, mapped.path))
            for names in row.names:
                self._open_by_name(row, names, mapped, lazy)

    def _open_by_name(self, row: Any, names: tuple[str, ...], mapped: Mapped, lazy: bool) -> None:
        lacking: list[Missing] = []
        for name in (self._named(item, mapped) for item in names):
            if name is None:
                continue
            done, found = self._attempt(name, mapped.path, lazy=lazy, swallow=row.swallow or row.quiet)
            if done:
                return
            # Of several names the last one is the usual one; a file that is found and cannot be used says more.
            broken = [item for item in found if item.problem != "not-found" or item.needed_by != mapped.path]
            lacking = broken or (found if not any(item.problem != "not-found" for item in lacking) else lacking)
        if not row.quiet:
            self.process.missing += lacking

    def _is_row(self, row: Any, mapped: Mapped) -> bool:
        if row.versions is not None:
            version = version_of(self.context, mapped.realpath, mapped.soname)
            if version is None or within(version, row.versions) is not Answer.YES:
                return False
        if row.unless_beside is None:
            return True
        beside = _listed(self.context, os.path.dirname(mapped.realpath))
        return not any(fnmatchcase(name, row.unless_beside) for name in beside)

    def _named(self, template: str, mapped: Mapped) -> str | None:
        """A name with its placeholders filled; None when one of them is not known."""
        parts: dict[str, str | None] = {}
        for match in _PLACEHOLDER.finditer(template):
            if match[1] == "number":
                parts[match[0]] = self._number(match[2], mapped)
            else:
                wanted = {"full": 3, "minor": 2, "major": 1}[match[1]]
                version = version_of(self.context, mapped.realpath, mapped.soname)
                known = version is not None and len(version.parts) >= wanted
                parts[match[0]] = ".".join(map(str, version.parts[:wanted])) if known and version else None
        if None in parts.values():
            return None
        return _PLACEHOLDER.sub(lambda match: parts[match[0]] or "", template)

    def _number(self, stem: str, mapped: Mapped) -> str | None:
        """The number behind ``stem.so.`` among what a library needs, or what one beside it needs; None if several."""
        folder = os.path.dirname(mapped.realpath)
        own = [mapped]
        beside = [item for item in self.process.loaded if os.path.dirname(item.realpath) == folder]
        for group in (own, beside):
            found = {
                name.removeprefix(f"{stem}.so.")
                for item in group
                for name in item.elf.needed
                if name.startswith(f"{stem}.so.")
            }
            if found:
                return found.pop() if len(found) == 1 else None
        return None


def version_of(context: ProbeContext, path: str, soname: str | None) -> Version | None:
    """The version of a library, as exactly as its file name, its wheel, its package or else its soname says."""
    spec = context.libraries(os.path.basename(path))
    named = Version.maybe(spec.version) if spec is not None else None
    if named is not None and len(named.parts) > 2:
        return named
    versions = once(context, "loader owners", lambda: _versions(context))
    owned = Version.maybe(versions.get(path))
    inner = context.libraries(soname) if soname else None
    said = Version.maybe(inner.version) if inner is not None else None
    best = named or said
    if owned is not None and (best is None or owned.may_be(best)):
        return owned
    return best


def _versions(context: ProbeContext) -> dict[str, str]:
    """Real path of a library to the version of the one wheel that lists it and is of its component."""
    found: dict[str, str] = {}
    doubtful: set[str] = set()
    for item in wheels.installed(context):
        for entry in item.listed or ():
            spec = context.libraries(os.path.basename(entry.path))
            if spec is None or entry.changed or item.version is None or item.known.component != spec.component:
                continue
            place = real(context, entry.path)
            if found.setdefault(place, item.version) != item.version:
                doubtful.add(place)
    return {place: version for place, version in found.items() if place not in doubtful}


def _listed(context: ProbeContext, folder: str) -> list[str]:
    """What a directory holds, unsorted: the order in which it is listed decides what is opened first."""
    listings: dict[str, list[str]] = once(context, "unsorted listings", dict[str, list[str]])
    if folder not in listings:
        try:
            listings[folder] = os.listdir(host(context, folder))[:MOST_ENTRIES]
        except (OSError, ValueError):
            listings[folder] = []
    return listings[folder]


def _word(done: bool) -> str:
    return OK if done else FAILED


def settled(missing: list[Missing]) -> tuple[Missing, ...]:
    """Each missing library once: what was not swallowed even once was not swallowed."""
    found: dict[tuple[Any, ...], Missing] = {}
    for item in missing:
        key = (item.name, item.needed_by, item.problem, item.detail, item.path)
        other = found.get(key)
        if other is None:
            found[key] = item
        else:
            found[key] = replace(
                other, swallowed=_both(other.swallowed, item.swallowed), lazy=_both(other.lazy, item.lazy)
            )
    return tuple(found.values())


def _both(one: bool | None, other: bool | None) -> bool:
    return bool(one and other)
