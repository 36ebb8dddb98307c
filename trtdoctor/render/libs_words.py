"""The words in which the table and the tree of ``trtdoctor libs`` speak of importers, steps and what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from trtdoctor.render.libs_short import SITE
from trtdoctor.render.parts import Paint, cell_lines, labelled, python_line, said
from trtdoctor.resolution import Absent, Importer, Library, Libs, Resolved

_STEPS = {
    "preloaded": "preloaded",
    "path": "by path",
    "rpath": "RPATH",
    "runpath": "RUNPATH",
    "ld_library_path": "LD_LIBRARY_PATH",
    "default": "default directory",
}
_PROBLEMS = {
    "not-found": "not found",
    "not-elf": "{path} is no ELF file",
    "foreign-architecture": "only for another machine: {path}",
    "truncated": "{path} is cut short",
    "unreadable": "{path} may not be read",
    "executable-stack": "{path} asks for an executable stack, which this glibc refuses",
    "symbol-version": "{path} needs {detail}, which is not here",
    "undefined-symbol": "{path} has the undefined symbol {detail}",
    "dependency": "{path} needs {detail}, which fails",
}
_FAILURES = {"failed": "fails", "crashed": "crashes", "timed-out": "does not come to an end"}


def head(libs: Libs, paint: Paint, site: str | None = None) -> Iterator[str]:
    """The answer in one line, which Python it is about, and the directory that ``<site>`` stands for."""
    copies = sum(len(item.copies) for item in libs.libraries)
    parts = [
        f"{_number(len(libs.libraries), 'library', 'libraries')} in {_number(copies, 'file')}",
        _number(len(libs.importers), "importer"),
        f"{len({item.name for item in causes(libs)})} missing" if libs.missing else "nothing missing",
    ]
    if not libs.importers:
        skipped = any(item.name == "loader" for item in libs.probes)
        parts = [parts[0], "who loads them is not known" if skipped else "nothing here that would load them"]
    others = sum(item.agreement not in (None, "same") for library in libs.libraries for item in library.resolved)
    if others:
        parts.append(f"{others} not as predicted")
    worst = next((name for name, number in libs.counts.items() if number), None)
    yield f"{paint(worst or 'ok', 'libraries')}: {', '.join(parts)} ({said(libs.counts)})"
    yield from python_line(libs.interpreter, paint)
    if site:
        yield from labelled(SITE, site, paint)


def causes(libs: Libs) -> list[Absent]:
    """What is missing, without those that only lack something that is missing itself."""
    named = {(item.importer, item.name) for item in libs.missing}
    return [item for item in libs.missing if item.problem != "dependency" or (item.importer, item.detail) not in named]


def shown_importers(libs: Libs) -> list[Importer]:
    """All, but an order of imports only when it changes something."""
    return [
        item
        for item in libs.importers
        if ", " not in item.name
        or item.outcome != "ok"
        or any(_order_matters(item.name, library) for library in libs.libraries)
    ]


def _order_matters(name: str, library: Library) -> bool:
    """Whether importing several modules gives another file than each of them alone."""
    members = name.split(", ")
    alone = {(item.soname, item.realpath or item.path) for item in library.resolved if item.importer in members}
    together = {(item.soname, item.realpath or item.path) for item in library.resolved if item.importer == name}
    if not together:
        return False
    return together != alone or len(alone) != len({soname for soname, _ in alone})


def _number(count: int, one: str, many: str | None = None) -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def importer(item: Importer) -> str:
    """Its name and who brought it."""
    return f"{spoken(item.name)} ({item.owner})" if item.owner else spoken(item.name)


def spoken(name: str) -> str:
    """``torch, tensorrt`` as people say it: one is imported after the other."""
    return name.replace(", ", " then ")


def outcome(item: Importer) -> str:
    """How it went, or would go."""
    if item.outcome == "unknown":
        return "nobody knows how it opens its libraries"
    if item.observed is None:
        return "would load" if item.predicted == "ok" else "would fail"
    text = "loads" if item.observed == "ok" else _FAILURES.get(item.observed, item.observed)
    text += f": {item.error}" if item.error and item.observed != "ok" else ""
    foreseen = item.predicted in (None, "unknown") or (item.predicted == "ok") == (item.observed == "ok")
    return text if foreseen else f"{text} (predicted to {'load' if item.predicted == 'ok' else 'fail'})"


def step(item: Resolved, *, entry: bool = False, lazy_alike: bool = False) -> str:
    """By which step of the search it came, and whether that is what was predicted.

    ``entry``: with the search-path entry; ``lazy_alike``: without telling whether it is opened only on use.
    """
    word = _STEPS.get(item.step or "", item.step) or ("seen in the process" if item.observed else "step unknown")
    if item.entry == "LD_PRELOAD":
        word = item.entry
    elif entry and item.entry:
        word = f"{word} {item.entry}"
    if item.lazy and not lazy_alike:
        word = f"{word}, on use"
    if item.agreement == "different":
        return f"{word}, predicted was {item.predicted}"
    return word + {"not-observed": ", predicted but not seen", "not-predicted": ", not predicted"}.get(
        item.agreement or "", ""
    )


def problem(item: Absent) -> str:
    """Why it is missing."""
    form = _PROBLEMS.get(item.problem)
    if form is None:
        text = " ".join(filter(None, (item.path, item.problem, item.detail)))
    else:  # replaced one by one: what comes from outside is no format
        text = form.replace("{path}", item.path or "the file").replace("{detail}", item.detail or "a name")
        text += f" ({item.detail})" if item.detail and "{detail}" not in form else ""
    return f"{text}, on use" if item.lazy else text


def flow(text: str, width: int) -> list[str]:
    """``text`` in lines of ``width``; a path that is longer is broken behind a slash."""
    words = [part for word in text.split() for part in (cell_lines(word, width) if len(word) > width else [word])]
    return wrap(" ".join(words), width, break_on_hyphens=False, break_long_words=False) or [""]


def indented(text: str, first: str, further: str, width: int) -> Iterator[str]:
    """``text`` behind ``first``, its other lines behind ``further``, in lines of ``width``."""
    narrow = max(width - max(len(first), len(further)), width // 4)
    for number, line in enumerate(flow(text, narrow)):
        yield (further if number else first) + line
