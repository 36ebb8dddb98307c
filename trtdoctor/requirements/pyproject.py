"""``pyproject.toml``: the project's dependencies, its extras, dependency groups, and Poetry's own tables.

Extras and groups are alternatives (``cu12`` beside ``cu13``): they count only when they are asked for, and are told
otherwise. ``build-system.requires`` is for building, not for running.
"""

from __future__ import annotations

import os
from typing import Any

from trtdoctor.record import record
from trtdoctor.requirements import toml
from trtdoctor.requirements.files import FileError
from trtdoctor.requirements.requirements_txt import note_index, requirement
from trtdoctor.requirements.specifiers import as_marker, of_caret
from trtdoctor.requirements.stated import Builder, Requirements, Stated, normalise
from trtdoctor.requirements.target import Target, applies
from trtdoctor.text import clean

_MOST_INCLUDES = 50
_TABLES = frozenset({"project", "dependency-groups", "tool"})


def parse(text: str, file: str, target: Target) -> Requirements:
    """What a pyproject.toml states. Raises :class:`~trtdoctor.requirements.files.FileError` when it is no TOML."""
    document = toml.parse(text, file)
    if os.path.basename(file) != "pyproject.toml" and not _TABLES & document.keys():
        raise FileError(f"{file}: of no format that is read: it has none of the tables of a pyproject.toml")
    reading = _Reading(Builder(file), toml.Lines(text), target)
    project = _table(document, "project")
    requires = project.get("requires-python")
    if isinstance(requires, str):
        reading.made.facts["requires_python"] = clean(requires, 200)
    first, last = reading.lines.section("project")
    _list(reading, project.get("dependencies"), (first, last), "dependencies", None)
    extras = _table(project, "optional-dependencies")
    for name, entries in extras.items():
        limits = reading.lines.section("project.optional-dependencies")
        _list(reading, entries, limits, name, ("extra", name))
    groups = _table(document, "dependency-groups")
    for name in groups:
        _group(reading, groups, name, name, set())
    tool = _table(document, "tool")
    uv = _table(tool, "uv")
    _list(reading, uv.get("dev-dependencies"), reading.lines.section("tool.uv"), "dev-dependencies", ("group", "dev"))
    _indexes(reading, uv.get("index"))
    poetry = _table(tool, "poetry")
    _poetry(reading, poetry.get("dependencies"), "tool.poetry.dependencies", None)
    for name, group in _table(poetry, "group").items():
        if isinstance(group, dict):
            header = f"tool.poetry.group.{name}.dependencies"
            _poetry(reading, group.get("dependencies"), header, ("group", name))
    return reading.made.done()


@record
class _Reading:
    made: Builder
    lines: toml.Lines
    target: Target


_Kind = tuple[str, str] | None
"""None for what is always installed, else ``("extra", NAME)`` or ``("group", NAME)``."""


def _table(document: dict[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _wanted(reading: _Reading, kind: _Kind) -> bool:
    if kind is None:
        return True
    chosen = reading.target.extras if kind[0] == "extra" else reading.target.groups
    return normalise(kind[1]) in {normalise(name) for name in chosen}


def _take(reading: _Reading, item: Stated, kind: _Kind) -> None:
    holds = applies(item.marker, reading.target, reading.target.extras)
    if kind is not None and not _wanted(reading, kind):
        if holds is not False:
            reading.made.optional.append((item, f"{kind[0]} {clean(kind[1], 60)}"))
        return
    reading.made.add(item, holds)


def _list(reading: _Reading, entries: Any, limits: tuple[int, int], key: str, kind: _Kind) -> None:
    """A list of requirements in the PEP 508 form."""
    if not isinstance(entries, list):
        return
    begin = reading.lines.key(key, *limits) or limits[0]
    texts = [entry for entry in entries if isinstance(entry, str)]
    for text, line in zip(texts, reading.lines.strings(texts, begin, limits[1]), strict=True):
        item = requirement(text, reading.made.at(line))
        if item is None:
            reading.made.skip(line, text, "no name or version can be told by it")
        else:
            _take(reading, item, kind)


def _group(reading: _Reading, groups: dict[str, Any], name: str, asked: str, seen: set[str]) -> None:
    """A dependency group and those that it includes (PEP 735), each once."""
    seen.add(name)
    entries = groups.get(name)
    _list(reading, entries, reading.lines.section("dependency-groups"), name, ("group", asked))
    for entry in entries[:_MOST_INCLUDES] if isinstance(entries, list) and len(seen) < _MOST_INCLUDES else ():
        other = entry.get("include-group") if isinstance(entry, dict) else None
        if isinstance(other, str) and other in groups and other not in seen:
            _group(reading, groups, other, asked, seen)


def _indexes(reading: _Reading, entries: Any) -> None:
    """Indexes of uv: an address of PyTorch's names a CUDA; one with ``default`` takes the place of the usual index."""
    lines = reading.lines.headers("tool.uv.index")
    for number, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict) and isinstance(entry.get("url"), str):
            line = lines[number] if number < len(lines) else 1
            option = "--default-index" if entry.get("default") is True else "--extra-index-url"
            note_index(reading.made, option, entry["url"], line)


def _poetry(reading: _Reading, table: Any, header: str, kind: _Kind) -> None:
    """Poetry's table of names to specifiers."""
    first, last = reading.lines.section(header)
    for name, value in table.items() if isinstance(table, dict) else ():
        own = reading.lines.headers(f"{header}.{name}")
        line = own[0] if own else reading.lines.key(name, first, last) or first
        for entry in value if isinstance(value, list) else [value]:
            if normalise(name) == "python":
                if isinstance(entry, str) and (allowed := of_caret(entry)):
                    reading.made.facts.setdefault("requires_python", clean(allowed, 200))
                continue
            _poetry_entry(reading, name, entry, line, kind)


def _poetry_entry(reading: _Reading, name: str, entry: Any, line: int, kind: _Kind) -> None:
    details = entry if isinstance(entry, dict) else {"version": entry}
    version = details.get("version")
    source = "index"
    for key, word in (("git", "vcs"), ("path", "path"), ("url", "url")):
        if key in details:
            source = word
    specifier = of_caret(version) if isinstance(version, str) else "" if source != "index" else None
    if specifier is None or not isinstance(name, str):
        reading.made.skip(line, f"{name} {version}", "its versions cannot be told")
        return
    markers = details.get("markers")
    parts = [f"({markers})"] if isinstance(markers, str) else []
    if isinstance(details.get("python"), str) and (allowed := of_caret(details["python"])):
        parts.append(as_marker(allowed))
    optional = details.get("optional") is True
    item = Stated(
        normalise(name),
        reading.made.at(line),
        specifier,
        clean(" and ".join(parts), 1000) or None,
        source=source,
    )
    _take(reading, item, kind or (("extra", name) if optional else None))
