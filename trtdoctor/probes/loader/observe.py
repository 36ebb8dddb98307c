"""What importers really get: each is loaded in a child process that then reads its own memory map.

A child has a time limit, a group of its own, a directory for its temporary files, and no core file; what it prints
never mixes with its answer. Programs are not run: the dynamic loader itself lists what it would map for them.
"""

from __future__ import annotations

import json
import os
import queue
import re
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from trtdoctor.probes import elf
from trtdoctor.probes.base import Children, ChildResult, ProbeContext, adopt, run_child, run_program
from trtdoctor.probes.loader.filecache import FileCache
from trtdoctor.probes.loader.importers import library_name
from trtdoctor.probes.python import inspected
from trtdoctor.snapshot import Loaded, Loading, Missing, ProbeOutcome, Snapshot

CHILD_SECONDS = 20.0
"""One importer has so long."""
TOTAL_SECONDS = 100.0
"""All of them together; what has not begun by then is not observed."""
AT_ONCE = 2
_LOADERS = re.compile(r"ld(?:-linux.*|64)\.so\.\d|ld\.so\.\d")
_TRACED = re.compile(r"^\s+(?P<name>\S+) => (?:(?P<path>/.+) \(0x[0-9a-f]+\)|not found)$")
_BARE = re.compile(r"^\s+(?P<path>/.+) \(0x[0-9a-f]+\)$")


def observe(context: ProbeContext, predicted: Sequence[Loading], children: Children) -> Snapshot:
    """The observed counterpart of each predicted loading; only where processes of this machine are meant."""
    if os.fspath(context.root) != "/" or os.name != "posix":
        return Snapshot()
    started = time.monotonic()
    waiting: queue.SimpleQueue[tuple[int, Loading]] = queue.SimpleQueue()
    for numbered in enumerate(predicted):
        waiting.put(numbered)
    found: dict[int, Loading | str] = {}

    def work() -> None:
        adopt(children)
        while True:
            try:
                number, item = waiting.get_nowait()
            except queue.Empty:
                return
            left = TOTAL_SECONDS - (time.monotonic() - started)
            if left < 1:
                found[number] = "there was no time left"
                continue
            try:
                found[number] = _one(context, item, min(CHILD_SECONDS, left))
            except Exception as error:
                found[number] = f"{type(error).__name__}: {error}"

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(AT_ONCE, len(predicted)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, TOTAL_SECONDS + 5 - (time.monotonic() - started)))
    complaints = [
        f"{item.importer} could not be observed: {found.get(number, 'no answer')}"
        for number, item in enumerate(predicted)
        if not isinstance(found.get(number), Loading)
    ]
    return Snapshot(
        loadings=tuple(item for _, item in sorted(found.items()) if isinstance(item, Loading)),
        probes=(
            ProbeOutcome(
                "observation",
                "partial" if complaints else "ok",
                "; ".join(complaints) or None,
                round(time.monotonic() - started, 3),
            ),
        ),
    )


def _one(context: ProbeContext, item: Loading, seconds: float) -> Loading | str:
    if item.kind == "program":
        return _program(context, item, seconds)
    python = inspected(context).interpreter
    if python is None or python.path is None:
        return "there is no interpreter"
    import tempfile

    wanted = {
        "imports": item.importer.split(", ") if item.kind == "import" else [],
        "files": [item.path] if item.kind == "file" else [],
        "calls": _calls(context),
        "cwd": FileCache(context).cwd,
    }
    with tempfile.TemporaryDirectory(prefix="trtdoctor-", ignore_cleanup_errors=True) as folder:
        result = run_child(
            python.path, "mapped", [json.dumps(wanted)], seconds=seconds, environ=_environ(context, folder)
        )
    return _told(context, item, result)


def _environ(context: ProbeContext, folder: str) -> dict[str, str]:
    """The user's own environment, but what is written on the way goes into ``folder``."""
    kept = {name: value for name, value in context.environ.items() if not name.startswith("LD_DEBUG")}
    aside = (
        "TMPDIR",
        "XDG_CACHE_HOME",
        "CUDA_CACHE_PATH",
        "TRITON_CACHE_DIR",
        "TORCHINDUCTOR_CACHE_DIR",
        "MPLCONFIGDIR",
    )
    return {**kept, **dict.fromkeys(aside, folder), "PYTHONDONTWRITEBYTECODE": "1"}


def _calls(context: ProbeContext) -> list[tuple[str, str]]:
    table = context.loading() if context.loading is not None else None
    rows = [row for rows in table.opens.values() for row in rows] if table is not None else []
    return sorted({(f"{row.library}.so", row.call) for row in rows if row.call})


def _told(context: ProbeContext, item: Loading, result: ChildResult) -> Loading | str:
    answer = result.answer
    error: str | None = None
    if answer.get("loaded") is True:
        outcome = "ok"  # what crashes when it is used afterwards was loaded all the same
    elif isinstance(answer.get("error"), str):
        outcome, error = "failed", answer["error"]
    elif result.outcome == "timed-out":
        outcome, error = "timed-out", result.detail
    elif isinstance(answer.get("signal"), int):
        outcome = "crashed"
        tail = answer.get("tail")
        error = tail if isinstance(tail, str) else f"ended by signal {answer['signal']}"
    elif answer.get("ended") is True:
        outcome, error = "failed", answer.get("tail") if isinstance(answer.get("tail"), str) else "it ended the process"
    else:
        return f"{result.outcome}, {result.detail}"
    paths = _paths(answer.get("libraries"))
    later = [path for path in _paths(answer.get("after_use")) if path not in paths]
    return Loading(
        importer=item.importer,
        kind=item.kind,
        method="observed",
        outcome=outcome,
        error=error,
        path=item.path,
        owner=item.owner,
        loaded=(*_loaded(context, paths, lazy=False), *_loaded(context, later, lazy=True)),
        missing=tuple(missing_in(error)) if error else (),
    )


def _paths(answer: Any) -> list[str]:
    return [path for path in answer if isinstance(path, str)] if isinstance(answer, list) else []


def _loaded(context: ProbeContext, paths: Sequence[str], *, lazy: bool) -> Iterator[Loaded]:
    for path in paths:
        name = library_name(context, path)
        if name is not None:
            yield Loaded(library=name, soname=_soname(path), path=path, realpath=path, lazy=lazy)


def _soname(path: str) -> str | None:
    try:
        return elf.read(path).soname
    except elf.ElfError:
        return None


# -- programs ----------------------------------------------------------------------------------------------------------


def _program(context: ProbeContext, item: Loading, seconds: float) -> Loading | str:
    """What the dynamic loader lists for a program; it runs nothing of the program itself."""
    path = item.path or ""
    try:
        head = elf.read(path)
        mode = os.stat(path).st_mode
    except (elf.ElfError, OSError) as error:
        return str(error)
    # Another interpreter, or none, would run the program.
    if head.interpreter is None or not _LOADERS.fullmatch(os.path.basename(head.interpreter)):
        return "it is not for the dynamic loader of glibc"
    if mode & (stat.S_ISUID | stat.S_ISGID):
        return "it runs with the rights of others"
    kept = {name: value for name, value in context.environ.items() if not name.startswith("LD_DEBUG")}
    code, output, detail = run_program([path], seconds=seconds, environ={**kept, "LD_TRACE_LOADED_OBJECTS": "1"})
    if code is None:
        return detail
    found = Loading(
        importer=item.importer, kind="program", method="observed", path=path, owner=item.owner, outcome="ok"
    )
    loaded: list[Loaded] = []
    lacking: list[Missing] = []
    for line in output.decode("utf-8", "replace").splitlines():
        match = _TRACED.match(line) or _BARE.match(line)
        if match is None:
            continue
        place = match["path"]
        if place is None:
            lacking.append(Missing(name=os.path.basename(match["name"])))
            continue
        name = library_name(context, place)
        if name is not None:
            loaded.append(
                Loaded(library=name, soname=_soname(place), path=place, realpath=os.path.realpath(place), lazy=False)
            )
    failed = bool(lacking) or code != 0
    said = f"{lacking[0].name} => not found" if lacking else f"exit code {code}" if failed else None
    return replace(
        found, outcome="failed" if failed else "ok", error=said, loaded=tuple(loaded), missing=tuple(lacking)
    )


# -- what an error says ------------------------------------------------------------------------------------------------

_NAME = r"(?P<name>[^\s:'\"]+\.so[^\s:'\"]*)"
_FAILURES = (
    (re.compile(rf"{_NAME}: cannot open shared object file: No such file"), "not-found"),
    (re.compile(rf"{_NAME}: version [`'](?P<detail>[^']+)' not found \(required by (?P<by>[^)]+)\)"), "symbol-version"),
    (re.compile(rf"{_NAME}: undefined symbol: (?P<detail>[^\s,]+)"), "undefined-symbol"),
    (re.compile(rf"{_NAME}: cannot enable executable stack"), "executable-stack"),
    (re.compile(rf"{_NAME}: file too short"), "truncated"),
    (re.compile(rf"{_NAME}: invalid ELF header"), "not-elf"),
    (re.compile(rf"{_NAME}: wrong ELF class"), "foreign-architecture"),
    (re.compile(rf"{_NAME}: cannot open shared object file: Permission denied"), "unreadable"),
)
"""What glibc says when it cannot load something. Source: glibc, elf/dl-load.c, dl-version.c, dl-lookup.c."""


def missing_in(text: str) -> Iterator[Missing]:
    """The library that the text of an error names, in glibc's words; nothing for another text."""
    for pattern, problem in _FAILURES:
        match = pattern.search(text)
        if match is None:
            continue
        parts = match.groupdict()
        path = parts["name"] if parts["name"].startswith("/") else None
        yield Missing(
            name=os.path.basename(parts["name"]),
            needed_by=parts.get("by"),
            problem=problem,
            detail=parts.get("detail"),
            path=path if problem != "not-found" else None,
            swallowed=False,
            lazy=False,
        )
        return
