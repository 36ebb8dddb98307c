"""Overlays: what a team knows or demands beyond the matrix, laid over it value by value.

Rows merge by what names them. Every value that an overlay sets carries its name (``Fact.overlay``) and the source
``overlay:NAME``; values that it does not set keep theirs. Imported only when an overlay is used.
"""

from __future__ import annotations

import copy
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from trtdoctor.lazyre import pattern
from trtdoctor.matrix.identity import identity_of, key_name, same_row, sort_versions
from trtdoctor.matrix.load import FILES, Matrix, MatrixError
from trtdoctor.matrix.overlay_types import Forbidden
from trtdoctor.matrix.rows import Fact, Origin, Row, as_ids
from trtdoctor.matrix.schemas import FileSchema, RowSchema
from trtdoctor.record import record
from trtdoctor.text import clean
from trtdoctor.versions import Answer, Version, VersionError, within
from trtdoctor.yamlfile import MAX_BYTES, YamlError, parse, repeated_keys

SCHEMA = "trtdoctor-matrix-overlay/1"
CERTAINTIES = ("official", "measured", "secondary", "inferred")
COMPONENTS = ("tensorrt", "tensorrt-rtx", "cuda", "cudnn", "cublas", "nvrtc", "driver", "gpu", "python", "glibc")
"""What ``forbid`` can name, beside ``package:NAME``; for ``gpu`` the versions are compute capabilities."""

_HEAD = ("schema", "name", "url", "source", "certainty", "note", "sources", "forbid")
_PROVENANCE = frozenset({"source", "certainty", "note", "like"})
_NAME = pattern(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
_PACKAGE = pattern(r"package:[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_RELEASES = {"tensorrt": ("tensorrt", "releases"), "tensorrt-rtx": ("tensorrt-rtx", "releases")} | {
    "cuda": ("cuda", "toolkits"),
    "cudnn": ("cudnn", "releases"),
}


class OverlayError(MatrixError):
    """An overlay cannot be used; the message is one line that names it."""


@record
class _Leaf:
    """One value that an overlay sets."""

    path: tuple[str, ...]
    value: Any
    sources: tuple[str, ...]
    certainty: str
    note: str | None


def apply(matrix: Matrix, files: Sequence[str]) -> Matrix:
    """``matrix`` with the overlays in ``files`` laid over it, the later over the earlier.

    Raises :class:`OverlayError` when one cannot be read, does not fit the matrix, or contradicts itself.
    """
    data = dict(matrix.data)
    names: list[str] = []
    forbidden: list[Forbidden] = []
    digests: list[str] = []
    for file in files:
        overlay = _Overlay(file)
        if overlay.name in names:
            raise OverlayError(f"{file}: there is an overlay of the name {overlay.name} already")
        names.append(overlay.name)
        digests.append(f"{overlay.name}@{overlay.digest[:12]}")
        overlay.lay_over(data)
        forbidden += overlay.forbidden()
    made = Matrix(matrix.version, matrix.digest, data)
    made.origin, made.notes = matrix.origin, matrix.notes
    made.overlays = (*matrix.overlays, *digests)
    made.forbidden = (*matrix.forbidden, *forbidden)
    return made


class _Overlay:
    """One file, read and checked against itself."""

    def __init__(self, file: str) -> None:
        self.file = clean(file, 200)
        content = self._content(file)
        self.digest = hashlib.sha256(content).hexdigest()
        self.data = self._parsed(content)
        name = self.data.get("name", os.path.basename(file).rpartition(".")[0])
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise self._error("name: wanted letters, digits, '.', '_' and '-' (set it with name:)")
        self.name = name
        self.sections = {key: value for key, value in self.data.items() if key not in _HEAD}
        for key, value in self.sections.items():
            if key not in FILES or key == "sources":
                raise self._error(f"unknown key {clean(str(key), 60)!r}{_close(key, [*FILES, *_HEAD])}")
            if not isinstance(value, dict):
                raise self._error(f"{key}: wanted tables such as {key}: {{releases: [...]}}")
        if self.sections and self.data.get("certainty") not in CERTAINTIES:
            raise self._error(f"certainty: wanted one of {', '.join(CERTAINTIES)}")

    def lay_over(self, data: dict[str, dict[str, Any]]) -> None:
        """Replace the files in ``data`` that this overlay touches by merged ones."""
        self._check_forbidden_rows()
        data["sources"] = self._sources(data["sources"])
        known = set(data["sources"].get("sources", {}))
        for file, tables in self.sections.items():
            schema = FileSchema(file)
            merged = dict(data[file])
            for table, stated in tables.items():
                if table in _PROVENANCE or table == "schema":
                    raise self._error(f"{file}: {table} cannot be set for a whole file here")
                base = merged.get(table)
                where = f"{file}.yaml: {table}"
                if isinstance(base, list) and isinstance(stated, list):
                    origin = Origin(as_ids(data[file].get("source", "none")), data[file].get("certainty", ""), where)
                    merged[table] = self._table(base, stated, schema.rows(table), origin, known)
                elif isinstance(base, dict) and isinstance(stated, dict):
                    leaves = list(self._leaves(stated, known, where))
                    self._contradictions(leaves, where)
                    origin = Origin(as_ids(data[file].get("source", "none")), data[file].get("certainty", ""), where)
                    merged[table] = self._merged(base, leaves, schema.mapping(table), origin, where)
                else:
                    tables_known = [name for name, value in merged.items() if isinstance(value, (list, dict))]
                    raise self._error(f"{where}: no such table{_close(table, tables_known)}")
            data[file] = merged

    def forbidden(self) -> list[Forbidden]:
        """What the overlay forbids."""
        entries = self.data.get("forbid", [])
        if not isinstance(entries, list):
            raise self._error("forbid: wanted a list")
        found: dict[tuple[str, str], Forbidden] = {}
        for number, entry in enumerate(entries, 1):
            made = self._forbidden(entry, f"forbid {number}")
            other = found.setdefault((made.component, made.versions), made)
            if (other.reason, other.severity) != (made.reason, made.severity):
                raise self._error(f"forbid: {made.component} {made.versions} stands there twice, and not alike")
        return list(found.values())

    # -- reading -------------------------------------------------------------------------------------------------------

    def _content(self, file: str) -> bytes:
        try:
            with open(file, "rb") as stream:
                content = stream.read(MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            raise self._error(getattr(error, "strerror", None) or str(error)) from None
        return content

    def _parsed(self, content: bytes) -> dict[str, Any]:
        try:
            data = parse(content)
            repeated = repeated_keys(content) if isinstance(data, dict) else []
        except YamlError as error:
            raise self._error(str(error)) from None
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise self._error(f"wanted schema: {SCHEMA}")
        if repeated:
            line, key = repeated[0]
            raise self._error(f"line {line}: {clean(key, 60)!r} stands there twice")
        return data

    def _error(self, text: str) -> OverlayError:
        return OverlayError(f"overlay {self.file}: {text}")

    # -- rows ----------------------------------------------------------------------------------------------------------

    def _table(
        self, base: list[dict[str, Any]], stated: list[Any], schema: RowSchema, origin: Origin, known: set[str]
    ) -> list[dict[str, Any]]:
        rows = [_whole(row, base) for row in base]
        key = key_name(base)
        told: dict[int, list[_Leaf]] = {}
        for entry in stated:
            where = f"{origin.where} {clean(str(entry.get(key)), 60)}" if isinstance(entry, dict) else origin.where
            if not isinstance(entry, dict) or key not in entry:
                raise self._error(f"{where}: each row needs {key}")
            number = self._number(rows, entry, key, where)
            named = set(identity_of(entry, key))
            leaves = [
                leaf
                for leaf in self._leaves(entry, known, where)
                if leaf.path[0] not in named or number is None or rows[number].get(leaf.path[0]) != leaf.value
            ]
            if number is None:
                row = self._new(entry, rows, key, leaves, schema, origin, where)
                at = _place(rows, row, key)
                rows.insert(at, row)
                told = {(old + 1 if old >= at else old): value for old, value in told.items()}
                told[at] = leaves
            else:
                told.setdefault(number, []).extend(leaves)
                self._contradictions(told[number], where)
                inherited = origin.narrowed(rows[number], where)
                rows[number] = self._merged(rows[number], leaves, schema, inherited, where)
        return rows

    def _number(self, rows: list[dict[str, Any]], entry: dict[str, Any], key: str, where: str) -> int | None:
        found = [number for number, row in enumerate(rows) if str(row.get(key)) == str(entry[key])]
        fits = [number for number in found if same_row(rows[number], entry, key)]
        if len(fits) > 1:
            differ = [name for name in identity_of(rows[fits[0]], key) if name != key]
            raise self._error(
                f"{where}: the matrix has {len(fits)} such rows; name one by {' or '.join(differ) or key}"
            )
        return fits[0] if fits else None

    def _new(
        self,
        entry: dict[str, Any],
        rows: list[dict[str, Any]],
        key: str,
        leaves: list[_Leaf],
        schema: RowSchema,
        origin: Origin,
        where: str,
    ) -> dict[str, Any]:
        self._contradictions(leaves, where)
        like = entry.get("like")
        if like is not None:
            base = next((row for row in rows if str(row.get(key)) == str(like)), None)
            if base is None:
                raise self._error(f"{where}: is like {clean(str(like), 60)!r}, which is no row")
            inherited = origin.narrowed(base, where)
            start = {**copy.deepcopy(base), key: entry[key]}
            return self._merged(start, [leaf for leaf in leaves if leaf.path != (key,)], schema, inherited, where)
        row: dict[str, Any] = {}
        for leaf in leaves:
            _put(row, leaf.path, leaf.value)
        row.update({"source": list(self._ids(entry)), "certainty": entry.get("certainty", self.data["certainty"])})
        if "note" in entry:
            row["note"] = entry["note"]
        problem = schema.problem(row)
        if problem:
            raise self._error(f"{where}: a new row: {problem} (or name a row that it is like:)")
        row["overlay"] = self.name
        return row

    def _merged(
        self, base: dict[str, Any], leaves: list[_Leaf], schema: RowSchema, origin: Origin, where: str
    ) -> dict[str, Any]:
        """``base`` with the values of ``leaves``, each marked as the overlay's, as narrowly as its schema allows."""
        row = copy.deepcopy(base)
        for leaf in leaves:
            _put(row, leaf.path, leaf.value)
        problem = schema.problem(row)
        if problem:
            raise self._error(f"{where}: {problem}")
        plain = Row(base, origin, "")
        for leaf in leaves:
            for depth in range(len(leaf.path), 0, -1):
                before = plain.get(*leaf.path[:depth]).sources if depth < len(leaf.path) else ()
                marked = self._marked(row, leaf, depth, before)
                if not schema.problem(marked):
                    row = marked
                    break
            else:
                sources = dict.fromkeys((*self._id(), *leaf.sources, *origin.sources))
                row = {**row, "source": list(sources), "certainty": leaf.certainty, "overlay": self.name}
        return row

    def _marked(self, row: dict[str, Any], leaf: _Leaf, depth: int, before: tuple[str, ...]) -> dict[str, Any]:
        marked = copy.deepcopy(row)
        path = leaf.path[:depth]
        parent = _parent(marked, path)
        current = parent[path[-1]]
        if isinstance(current, dict) and "value" in current:
            current = current["value"]
        made = {
            "value": current,
            "source": list(dict.fromkeys((*self._id(), *leaf.sources, *before))),
            "certainty": leaf.certainty,
            "overlay": self.name,
        }
        if leaf.note is not None:
            made["note"] = leaf.note
        parent[path[-1]] = made
        return marked

    # -- values --------------------------------------------------------------------------------------------------------

    def _leaves(
        self,
        mapping: dict[str, Any],
        known: set[str],
        where: str,
        path: tuple[str, ...] = (),
        inherited: tuple[tuple[str, ...], str] | None = None,
    ) -> Iterator[_Leaf]:
        """Every value of a row that says nothing of the row itself."""
        provenance = self._provenance(
            mapping, known, where, inherited or (self._own(self.data), self.data["certainty"])
        )
        for key, value in mapping.items():
            if key in _PROVENANCE or key == "overlay":
                continue
            below = (*path, str(key))
            if isinstance(value, dict) and "value" in value:
                yield _Leaf(
                    below, value["value"], *self._provenance(value, known, where, provenance), value.get("note")
                )
            elif isinstance(value, dict) and value:
                yield from self._leaves(value, known, where, below, provenance)
            else:
                yield _Leaf(below, value, *provenance, None)

    def _provenance(
        self, mapping: dict[str, Any], known: set[str], where: str, inherited: tuple[tuple[str, ...], str]
    ) -> tuple[tuple[str, ...], str]:
        sources = self._own(mapping) or inherited[0]
        certainty = mapping.get("certainty", inherited[1])
        if certainty not in CERTAINTIES:
            raise self._error(f"{where}: certainty: wanted one of {', '.join(CERTAINTIES)}")
        unknown = [source for source in sources if source not in known]
        if unknown:
            raise self._error(f"{where}: source {clean(unknown[0], 60)!r} is not in sources: of the overlay or matrix")
        return sources, certainty

    def _contradictions(self, leaves: Iterable[_Leaf], where: str) -> None:
        """Raise when two rows of this overlay set one value differently, or a value and something inside it."""
        seen: dict[tuple[str, ...], Any] = {}
        for leaf in leaves:
            name = " ".join(leaf.path)
            if leaf.path in seen and seen[leaf.path] != leaf.value:
                first, second = clean(str(seen[leaf.path]), 60), clean(str(leaf.value), 60)
                raise self._error(f"{where}: {name} is {first} and {second}: the overlay contradicts itself")
            for length in range(1, len(leaf.path)):
                if leaf.path[:length] in seen:
                    raise self._error(f"{where}: {name} lies inside a value that the overlay sets elsewhere")
            seen[leaf.path] = leaf.value

    def _own(self, mapping: Mapping[str, Any]) -> tuple[str, ...]:
        source = mapping.get("source")
        return as_ids(source) if source is not None else ()

    def _ids(self, mapping: Mapping[str, Any]) -> tuple[str, ...]:
        return (*self._id(), *(self._own(mapping) or self._own(self.data)))

    def _id(self) -> tuple[str, ...]:
        return (f"overlay:{self.name}",)

    def _sources(self, base: dict[str, Any]) -> dict[str, Any]:
        stated = self.data.get("sources", {})
        if not isinstance(stated, dict) or not all(isinstance(entry, dict) for entry in stated.values()):
            raise self._error("sources: wanted a mapping of ids to {url, title}")
        table = dict(base.get("sources", {}))
        for name, entry in stated.items():
            if table.get(name, entry) != entry:
                raise self._error(f"sources: the matrix has another {clean(str(name), 60)}")
            table[name] = entry
        url = self.data.get("url")
        if url is not None and not isinstance(url, str):
            raise self._error("url: wanted an address")
        table[self._id()[0]] = {"url": clean(url, 500) if url else None, "title": f"overlay {self.name}"}
        return {**base, "sources": table}

    # -- forbid --------------------------------------------------------------------------------------------------------

    def _forbidden(self, entry: Any, where: str) -> Forbidden:
        if not isinstance(entry, dict) or not {"component", "versions", "reason"} <= set(entry):
            raise self._error(f"{where}: wanted component, versions and reason")
        extra = set(entry) - {"component", "versions", "reason", "severity"}
        if extra:
            raise self._error(f"{where}: unknown key {clean(str(min(extra, key=str)), 60)!r}")
        component = str(entry["component"])
        if component not in COMPONENTS and not _PACKAGE.fullmatch(component):
            raise self._error(
                f"{where}: unknown component {clean(component, 60)!r}{_close(component, [*COMPONENTS, 'package:NAME'])}"
            )
        if component.startswith("package:"):
            component = "package:" + re.sub(r"[-_.]+", "-", component[8:]).lower()
        versions = entry["versions"]
        try:
            within(Version.parse("1.0"), versions if isinstance(versions, str) else "?")
        except VersionError:
            raise self._error(
                f"{where}: versions: wanted a specifier such as '>=10.3,<10.4', found {clean(str(versions), 60)!r}"
            ) from None
        severity = entry.get("severity", "error")
        if severity not in ("error", "warning"):
            raise self._error(f"{where}: severity: wanted error or warning")
        if not isinstance(entry["reason"], str) or not entry["reason"].strip():
            raise self._error(f"{where}: reason: wanted a sentence")
        place = f"overlay {self.name}: {where}"
        certainty = str(self.data.get("certainty", "inferred"))
        fact = Fact(versions, self._id(), certainty, place, None, self.name)
        return Forbidden(component, versions, clean(entry["reason"], 400), severity, fact)

    def _check_forbidden_rows(self) -> None:
        """A release that the overlay both describes and forbids is a contradiction."""
        for item in self.forbidden():
            file, table = _RELEASES.get(item.component, ("", ""))
            for row in self.sections.get(file, {}).get(table, []) if file else []:
                key = Version.maybe(row.get("version")) if isinstance(row, dict) else None
                if key is not None and within(key, item.versions) is Answer.YES:
                    said = f"{item.component} {key} has a row and is forbidden ({item.versions})"
                    raise self._error(f"{said}: the overlay contradicts itself")


# -- rows as data ------------------------------------------------------------------------------------------------------


def _whole(row: dict[str, Any], rows: list[dict[str, Any]], depth: int = 0) -> dict[str, Any]:
    """A row with what it takes from another by ``like``: a change of that one must not reach it."""
    like = row.get("like")
    if like is None or depth > 20:
        return row
    key = key_name(rows)
    base = next((other for other in rows if other.get(key) == like), None)
    if base is None:
        return row
    made = {**_whole(base, rows, depth + 1), **row}
    del made["like"]
    return made


def _place(rows: list[dict[str, Any]], row: dict[str, Any], key: str) -> int:
    """Where a new row goes: newest first where rows are versions, else at the end."""
    mine = sort_versions(row.get(key))
    if mine is None:
        return len(rows)
    for number, other in enumerate(rows):
        theirs = sort_versions(other.get(key))
        if theirs is None:
            return len(rows)
        if theirs < mine:
            return number
    return len(rows)


def _parent(row: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """The mapping that holds the last key of ``path``; what is no mapping on the way becomes one."""
    node = row
    for key in path[:-1]:
        child = node.get(key)
        if isinstance(child, dict) and "value" in child:
            if not isinstance(child["value"], dict):
                child["value"] = {}
            node = child["value"]
        elif isinstance(child, dict):
            node = child
        else:
            node[key] = {}
            node = node[key]
    return node


def _put(row: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    _parent(row, path)[path[-1]] = copy.deepcopy(value)


def _close(word: Any, known: Sequence[str]) -> str:
    import difflib

    close = difflib.get_close_matches(str(word), known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"
