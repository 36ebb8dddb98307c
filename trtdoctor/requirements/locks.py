"""Lock files of uv and Poetry: every version that will be installed, for the target that is asked about.

Both are universal: they hold packages for other Pythons and platforms too, and uv's for extras that exclude each
other. So uv's is walked from the project by the markers on its edges; Poetry's, which does not hold the project's own
requirements, is filtered by the markers and groups of each package.
"""

from __future__ import annotations

import re
from typing import Any

from trtdoctor.record import record
from trtdoctor.requirements import toml
from trtdoctor.requirements.specifiers import as_marker, of_caret
from trtdoctor.requirements.stated import MAX_STATED, Builder, Requirements, Stated, normalise
from trtdoctor.requirements.target import Target, applies
from trtdoctor.text import clean

_MAIN = ("main", "default")
_MOST_FORKS = 50
"""More versions of one package than this are those of no real lock file."""
_VERSION = re.compile(r"[0-9][0-9A-Za-z.!+_-]{0,79}")


def parse(text: str, file: str, target: Target) -> Requirements:
    """What a uv.lock or poetry.lock holds for the target. Raises FileError when it is no TOML."""
    document = toml.parse(text, file)
    entries = document.get("package")
    made, lines = Builder(file), toml.Lines(text)
    packages = _packages(made, lines, entries if isinstance(entries, list) else [])
    requires = document.get("requires-python")
    if isinstance(requires, str):
        made.facts["requires_python"] = clean(requires, 200)
    metadata = document.get("metadata")
    poetry = isinstance(metadata, dict) and "lock-version" in metadata
    if poetry and isinstance(metadata, dict):
        allowed = of_caret(str(metadata.get("python-versions", ""))[:200])
        if allowed:
            made.facts["requires_python"] = clean(allowed, 200)
        _poetry(made, packages, document.get("extras"), target)
    else:
        _uv(made, packages, target)
    return made.done(complete=True)


@record
class _Package:
    name: str
    version: str | None
    line: int
    data: dict[str, Any]


def _packages(made: Builder, lines: toml.Lines, entries: list[Any]) -> list[_Package]:
    headers = lines.headers("package")
    found = []
    for number, entry in enumerate(entries[:MAX_STATED]):
        header = headers[number] if number < len(headers) else 1
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            made.skip(header, str(entry), "a package without a name")
            continue
        line = lines.key("name", header, lines.end(header)) or header
        version = entry.get("version")
        known = isinstance(version, str) and _VERSION.fullmatch(version)
        found.append(_Package(normalise(entry["name"]), version if known else None, line, entry))
    return found


def _stated(made: Builder, package: _Package) -> Stated:
    source = package.data.get("source")
    kind = "index"
    if isinstance(source, dict):
        for key, word in (("git", "vcs"), ("url", "url"), ("path", "path"), ("directory", "path")):
            if key in source and "registry" not in source:
                kind = word
        if source.get("type") in ("git", "url", "file", "directory"):
            kind = {"git": "vcs", "url": "url"}.get(source["type"], "path")
    specifier = f"=={package.version}" if package.version else ""
    return Stated(package.name, made.at(package.line), specifier, source=kind, hashed=True)


# -- uv ----------------------------------------------------------------------------------------------------------------


def _uv(made: Builder, packages: list[_Package], target: Target) -> None:
    by_name: dict[str, list[_Package]] = {}
    for package in packages:
        by_name.setdefault(package.name, []).append(package)
    roots = [package for package in packages if _is_project(package)]
    extras = _uv_extras(roots, target)
    if roots:
        reached = _reached(roots, by_name, target, extras)
    else:
        reached = {id(package): (package, _resolves(package, target, extras)) for package in packages}
    for package, holds in sorted(reached.values(), key=lambda pair: pair[0].line):
        made.add(_stated(made, package), holds)
    _tell_optional(made, roots, by_name, target, extras)


_Reached = dict[int, tuple[_Package, bool | None]]
"""Packages by identity, each with whether it is surely installed (else: when a marker holds that is not settled)."""


def _reached(
    roots: list[_Package], by_name: dict[str, list[_Package]], target: Target, extras: tuple[str, ...]
) -> _Reached:
    """Every package that the projects lead to."""
    found: _Reached = {}
    waiting: list[tuple[_Package, bool, tuple[str, ...]]] = [(package, True, ()) for package in roots]
    seen: set[tuple[int, bool, tuple[str, ...]]] = set()
    while waiting:
        package, surely, wanted = waiting.pop()
        if (id(package), surely, wanted) in seen:
            continue
        seen.add((id(package), surely, wanted))
        project = _is_project(package)
        if not project and (surely or id(package) not in found):
            found[id(package)] = (package, True if surely else None)
        for edge in _edges(package, wanted, target if project else None):
            marker = edge.get("marker")
            holds = applies(marker if isinstance(marker, str) else None, target, extras)
            if holds is False:
                continue
            asked = edge.get("extra")
            names = tuple(sorted(str(name) for name in asked))[:20] if isinstance(asked, list) else ()
            ends = _ends(edge, by_name, target, extras)
            waiting += [(other, surely and holds is True and len(ends) == 1, names) for other in ends]
    return found


def _is_project(package: _Package) -> bool:
    """The project itself, or another of its workspace."""
    source = package.data.get("source")
    return isinstance(source, dict) and ("editable" in source or "virtual" in source)


def _uv_extras(roots: list[_Package], target: Target) -> tuple[str, ...]:
    """The extras that are asked for, also as uv writes those that exclude each other: ``extra-7-project-cu12``."""
    mangled = [
        f"{kind}-{len(root.name)}-{root.name}-{normalise(name)}"
        for root in roots
        for kind, names in (("extra", target.extras), ("group", target.groups))
        for name in names
    ]
    return (*target.extras, *mangled)


def _edges(package: _Package, wanted: tuple[str, ...], project: Target | None) -> list[dict[str, Any]]:
    """The dependencies of a package, with those of its extras that are wanted; of a project its groups too."""
    found = _mappings(package.data.get("dependencies"))
    extras = package.data.get("optional-dependencies")
    chosen = {normalise(name) for name in (*wanted, *(project.extras if project else ()))}
    for name, entries in extras.items() if isinstance(extras, dict) else ():
        if normalise(name) in chosen:
            found = [*found, *_mappings(entries)]
    groups = package.data.get("dev-dependencies") if project else None
    for name, entries in groups.items() if isinstance(groups, dict) else ():
        if project and normalise(name) in {normalise(group) for group in project.groups}:
            found = [*found, *_mappings(entries)]
    return found


def _ends(
    edge: dict[str, Any], by_name: dict[str, list[_Package]], target: Target, extras: tuple[str, ...]
) -> list[_Package]:
    """The package that an edge leads to; several where the target does not settle which."""
    name = edge.get("name")
    every = by_name.get(normalise(name), []) if isinstance(name, str) else []
    version = edge.get("version")
    if version is not None:
        every = [package for package in every if package.version == version]
    source = edge.get("source")
    if isinstance(source, dict):
        every = [package for package in every if package.data.get("source") == source] or every
    if len(every) < 2:
        return every
    if len(every) > _MOST_FORKS:
        return []
    return [package for package in every if _resolves(package, target, extras) is not False]


def _resolves(package: _Package, target: Target, extras: tuple[str, ...]) -> bool | None:
    """Whether the fork of the resolution that a package belongs to is the target's."""
    markers = package.data.get("resolution-markers")
    if not isinstance(markers, list) or not markers:
        return True
    answers = {applies(marker, target, extras) for marker in markers if isinstance(marker, str)}
    return True if True in answers else None if None in answers else False


def _tell_optional(
    made: Builder, roots: list[_Package], by_name: dict[str, list[_Package]], target: Target, extras: tuple[str, ...]
) -> None:
    """The packages that extras and groups name which nobody asked for."""
    for root in roots:
        for kind, key, chosen in (
            ("extra", "optional-dependencies", target.extras),
            ("group", "dev-dependencies", target.groups),
        ):
            table = root.data.get(key)
            for name, entries in table.items() if isinstance(table, dict) else ():
                if normalise(name) in {normalise(word) for word in chosen}:
                    continue
                for edge in _mappings(entries):
                    for package in _ends(edge, by_name, target, (*extras, name))[:1]:
                        made.optional.append((_stated(made, package), f"{kind} {clean(str(name), 60)}"))


def _mappings(entries: Any) -> list[dict[str, Any]]:
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


# -- Poetry ------------------------------------------------------------------------------------------------------------


def _poetry(made: Builder, packages: list[_Package], extras: Any, target: Target) -> None:
    chosen = {normalise(name) for name in target.extras}
    by_extra: set[str] = set()
    for name, members in extras.items() if isinstance(extras, dict) else ():
        if normalise(name) in chosen and isinstance(members, list):
            by_extra |= {normalise(str(member).split(" ", 1)[0]) for member in members}
    groups = {normalise(name) for name in target.groups} | set(_MAIN)
    for package in packages:
        named = package.data.get("groups", package.data.get("category", "main"))
        mine = [str(name) for name in named] if isinstance(named, list) else [str(named)]
        item = _stated(made, package)
        holds = _poetry_marker(package, mine, groups, target)
        if holds is False:
            continue
        if not {normalise(name) for name in mine} & groups:
            made.optional.append((item, f"group {clean(mine[0], 60) if mine else '?'}"))
        elif package.data.get("optional") is True and package.name not in by_extra and not _by_extra(package, target):
            made.optional.append((item, "an extra"))
        else:
            made.add(item, holds)


def _by_extra(package: _Package, target: Target) -> bool:
    """Whether an optional package is required by another optional package that was asked for: its marker says so."""
    marker = package.data.get("markers")
    return isinstance(marker, str) and "extra" in marker and applies(marker, target, target.extras) is True


def _poetry_marker(package: _Package, mine: list[str], groups: set[str], target: Target) -> bool | None:
    """Whether the markers of a package hold: one text, or one for each group."""
    markers = package.data.get("markers")
    if isinstance(markers, dict):
        chosen = [markers.get(name) for name in mine if normalise(name) in groups]
        answers = {applies(text if isinstance(text, str) else None, target, target.extras) for text in chosen}
        holds = True if True in answers or not answers else None if None in answers else False
    else:
        holds = applies(markers if isinstance(markers, str) else None, target, target.extras)
    pythons = package.data.get("python-versions")
    allowed = of_caret(pythons) if isinstance(pythons, str) else None
    if allowed and target.python is not None and applies(as_marker(allowed), target) is False:
        return False
    return holds
