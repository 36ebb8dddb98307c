"""Which importers there are: Python modules of the stack, programs, plug-ins of servers; and what each of them gets.

Predicted from files alone. What an importer asks for is data (matrix/loading.yaml); what it gets is the loader's doing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from typing import Any

from trtdoctor.probes import elf
from trtdoctor.probes.base import ProbeContext
from trtdoctor.probes.loader import modules
from trtdoctor.probes.loader.filecache import FileCache
from trtdoctor.probes.loader.steps import FAILED, OK, UNKNOWN, Run, settled
from trtdoctor.probes.searchpaths import exists, host, real
from trtdoctor.record import record
from trtdoctor.snapshot import Loaded, Loading, Missing
from trtdoctor.versions import Answer, Version, within

PYTHON, TRTEXEC = "python", "trtexec"
"""Words of ``--for`` besides a path and the name of a module."""
MOST_PAIRS = 8
"""Orders of two imports that are looked at."""
MOST_MISSING = 200
_FILE_NAME = re.compile(r".*\.so(?:\.[0-9][0-9.]*)?")


@record
class Importer:
    """Something that loads native libraries."""

    name: str
    kind: str
    """``import``, ``program`` or ``file``, as in ``Loading.kind``."""
    imports: tuple[str, ...] = ()
    """Names of the modules, in order."""
    path: str | None = None
    owner: str | None = None
    version: str | None = None
    """Of the TensorRT that a program was built in."""


def here(context: ProbeContext) -> list[Importer]:
    """Every importer that the matrix knows and that is installed, without pairs."""
    table = context.loading() if context.loading is not None else None
    if table is None:
        return []
    found = [_module(context, name) for name in _top(context, table)]
    found += [item for item in (_program(context, program.name) for program in table.programs) if item is not None]
    found += [_file(context, path) for path in table.files if exists(context, path)]
    return found


def named(context: ProbeContext, words: tuple[str, ...]) -> list[Importer]:
    """The importers that the user named. Raises ValueError, with one line for the user, for what can be none."""
    found: list[Importer] = []
    for word in words:
        if word == PYTHON:
            found += [item for item in here(context) if item.kind == "import"]
        elif word == TRTEXEC:
            program = _program(context, word)
            if program is None:
                raise ValueError("no trtexec: neither on PATH nor where TensorRT's packages and archives put it")
            found.append(program)
        elif "/" in word or _FILE_NAME.fullmatch(word):
            found.append(_user_file(context, word))
        elif modules.is_import_name(word):
            found.append(_module(context, word))
        else:
            raise ValueError(f"no importer: {word} is neither a path nor the name of a module")
    return list({(item.kind, item.name): item for item in found}.values())


def predict(context: ProbeContext, wanted: tuple[str, ...] | None) -> tuple[Loading, ...]:
    """What each importer would get; None: all that are here, and the orders of imports that share a library.

    Raises ValueError for a word that can be no importer.
    """
    chosen = here(context) if wanted is None else named(context, wanted)
    if not chosen:
        return ()
    files = FileCache(context)
    runs = [(item, _run(context, files, item)) for item in chosen]
    found = [_loading(context, item, run) for item, run in runs]
    if wanted is None or PYTHON in wanted:
        found += [_loading(context, pair, _run(context, files, pair)) for pair in _pairs(context, runs)]
    return tuple(found)


# -- which -------------------------------------------------------------------------------------------------------------


def _top(context: ProbeContext, table: Any) -> list[str]:
    """The modules that people import: not the parts of one that is there."""
    there = [name for name in table.modules if modules.find(context, name) is not None]
    parts = {name: table.modules[name][0].part_of for name in there}
    return [name for name in there if parts[name] is None or parts[name] not in there]


def _module(context: ProbeContext, name: str) -> Importer:
    place = modules.find(context, name.partition(".")[0])
    return Importer(
        name,
        "import",
        (name,),
        path=place.path if place else None,
        owner=modules.owner(context, place) if place else None,
    )


def _program(context: ProbeContext, name: str) -> Importer | None:
    from trtdoctor.probes import tools

    found = next(iter(tools.programs(context, name)), None)
    if found is None:
        return None
    return Importer(name, "program", path=found.path, owner=found.owner, version=found.version)


def _file(context: ProbeContext, path: str) -> Importer:
    owner = modules.owner_of_file(context, path)
    return Importer(os.path.basename(path), "file", path=path, owner=owner)


def _user_file(context: ProbeContext, word: str) -> Importer:
    path = word
    if not path.startswith("/"):
        path = os.path.normpath(os.path.join(FileCache(context).cwd, path))
    if not exists(context, path):
        raise ValueError(f"no such file: {word}")
    try:
        head = elf.read(host(context, path))
    except elf.ElfError as error:
        raise ValueError(f"{word} is no library that can be read: {error.problem}") from None
    if head.interpreter is not None and head.soname is None:
        return Importer(os.path.basename(path), "program", path=path, owner=modules.owner_of_file(context, path))
    return _file(context, path)


def _pairs(context: ProbeContext, runs: list[tuple[Importer, Run]]) -> list[Importer]:
    """Two modules in both orders, where both ask for the same library and neither imports the other."""
    shown = [
        (item, run, _asked(context, run)) for item, run in runs if item.kind == "import" and run.outcome != UNKNOWN
    ]
    found = []
    for (one, run, asked), (other, other_run, other_asked) in permutations(shown, 2):
        imported = other.name in run.imported or one.name in other_run.imported
        if not imported and asked & other_asked:
            found.append(Importer(f"{one.name}, {other.name}", "import", (*one.imports, *other.imports)))
    return found[:MOST_PAIRS]


def _asked(context: ProbeContext, run: Run) -> set[str]:
    """Names of the stack's libraries that a process has or lacks."""
    specs = [_spec(context, item.realpath, item.soname) for item in run.process.loaded]
    specs += [context.libraries(item.name) for item in run.process.missing]
    return {spec.name for spec in specs if spec is not None and spec.component != "driver"}


# -- what it gets ------------------------------------------------------------------------------------------------------


def _run(context: ProbeContext, files: FileCache, importer: Importer) -> Run:
    if importer.kind == "program":
        return _of_program(context, files, importer)
    executable = modules.program(context)
    run = Run(context, files, executable)
    if executable is not None:
        run.python(executable)
    if importer.kind == "file":
        run.file(importer.path or "")
    elif executable is None:
        run.outcome = UNKNOWN
    else:
        for name in importer.imports:
            top, dot, _ = name.partition(".")
            run.imports(top)
            # A module that no directory of packages holds may be there all the same, by an import hook; and of the
            # inner ones nobody knows what they open.
            if modules.find(context, top) is None or (dot and run.outcome == OK):
                run.outcome = UNKNOWN
    return _finished(run)


def _of_program(context: ProbeContext, files: FileCache, importer: Importer) -> Run:
    run = Run(context, files, importer.path)
    run.outcome = OK if run.process.started else FAILED
    table = context.loading() if context.loading is not None else None
    row = next((item for item in table.programs if item.name == importer.name), None) if table is not None else None
    if row is not None and row.names:
        version = Version.maybe(importer.version)
        opens = within(version, row.versions or ">=0") if version is not None else Answer.UNKNOWN
        if opens is Answer.YES and version is not None:
            run.names(row.names, str(version.major))
        elif opens is Answer.UNKNOWN and run.outcome == OK and not _asked(context, run):
            run.outcome = UNKNOWN
    return _finished(run)


def _finished(run: Run) -> Run:
    run.use()
    if not run.process.known:
        run.outcome = UNKNOWN
    return run


def _loading(context: ProbeContext, importer: Importer, run: Run) -> Loading:
    return Loading(
        importer=importer.name,
        kind=importer.kind,
        method="predicted",
        outcome=run.outcome,
        path=importer.path,
        owner=importer.owner,
        loaded=tuple(_loaded(context, run)),
        missing=settled(
            [
                *(replace(item, needed_by=run.asking(item.needed_by)) for item in run.process.missing[:MOST_MISSING]),
                *_symbols(context, importer, run),
            ]
        ),
    )


def _symbols(context: ProbeContext, importer: Importer, run: Run) -> list[Missing]:
    """Undefined symbols, where the user asked for them; two imports in one process have no others than each alone."""
    if not context.symbols or len(importer.imports) > 1:
        return []
    from trtdoctor.probes.loader.symbols import lacking

    return lacking(context, run.process)


def _loaded(context: ProbeContext, run: Run) -> Iterator[Loaded]:
    for item in run.process.loaded:
        spec = _spec(context, item.realpath, item.soname)
        if spec is not None:
            yield Loaded(
                library=spec.name,
                soname=os.path.basename(item.asked) if item.asked else item.soname,
                path=item.path,
                realpath=item.realpath,
                step=item.step,
                entry=item.entry,
                needed_by=item.needed_by or run.asked_by.get(item.path),
                lazy=item.lazy,
            )


def _spec(context: ProbeContext, path: str, soname: str | None) -> Any:
    """What the matrix says of a library, by its file's name or, where people named it otherwise, its own."""
    return context.libraries(os.path.basename(path)) or (context.libraries(soname) if soname else None)


def library_name(context: ProbeContext, path: str) -> str | None:
    """Name without version of the stack's library at ``path``; None when it is none of them."""
    place = real(context, path)
    spec = context.libraries(os.path.basename(place))
    if spec is None:
        try:
            spec = _spec(context, place, elf.read(host(context, place)).soname)
        except elf.ElfError:
            return None
    return spec.name if spec is not None else None
