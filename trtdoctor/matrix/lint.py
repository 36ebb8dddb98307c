"""What is wrong with a matrix: its form, its sources, the order of its rows, and what its files say of each other."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from itertools import pairwise, product
from pathlib import Path
from typing import Any

from trtdoctor.matrix.identity import identity_of, key_name, label, sort_versions
from trtdoctor.matrix.load import FILES, VERSION, MatrixError
from trtdoctor.matrix.rows import UNKNOWN, as_ids
from trtdoctor.record import record
from trtdoctor.versions import Answer, Version, VersionError, within
from trtdoctor.yamlfile import YamlError, parse, repeated_keys

_CERTAINTIES = frozenset({"official", "measured", "secondary", "inferred"})
_PAST = frozenset({"released", "published", "uploaded", "known_until", "ended_by", "first_seen"})
"""Keys whose dates cannot lie in the future; an end of life can."""
_SPECIFIERS = frozenset({"versions", "affected", "serves"})
_WORDS = (UNKNOWN, "none", "below-fixed-in")
"""What can stand in the place of a specifier."""
_NEWEST_FIRST = ("releases", "toolkits", "branches", "majors", "onnxruntime", "torch", "torch_tensorrt", "triton")
_MOST = 20
"""No file gets more lines of one kind than this."""


@record
class Problem:
    """One thing that is wrong."""

    file: str
    """``cuda.yaml``."""
    kind: str
    """``yaml``, ``schema``, ``source``, ``certainty``, ``row``, ``order``, ``like``, ``date``, ``relation``."""
    text: str
    line: int | None = None


def lint(directory: str, today: date) -> list[Problem]:
    """Every problem of the matrix in ``directory``, file by file; ``today`` is what "the future" is measured by.

    Raises :class:`MatrixError` when ``directory`` holds no matrix at all, or jsonschema is not installed.
    """
    root = Path(directory)
    if not root.is_dir() or not any(root.glob("*.yaml")):
        raise MatrixError(f"{directory} is no matrix: it holds no .yaml files")
    found: list[Problem] = []
    data: dict[str, dict[str, Any]] = {}
    found += _version(root, today)
    for name in FILES:
        problems, document = _file(root, name)
        found += problems
        if document is not None:
            data[name] = document
    extra = sorted(path.name for path in root.glob("*.yaml") if path.stem not in FILES)
    found += [Problem(name, "row", "is no file that the program reads") for name in extra]
    found += _sources(data)
    for name, document in data.items():
        if name == "sources":
            continue
        found += _head(name, document)
        found += _dates(name, document, today)
        found += _specifiers(name, document)
        for table, rows in _tables(document):
            found += _rows(name, table, rows)
    found += _ranges(data)
    found += _relations(data)
    found += _failures(_list(data, "failures", "failures"))
    found += _error_numbers(data)
    found += _loading(data)
    return _bounded(found)


def _bounded(found: list[Problem]) -> list[Problem]:
    counts: Counter[tuple[str, str]] = Counter()
    kept = []
    for problem in found:
        counts[problem.file, problem.kind] += 1
        if counts[problem.file, problem.kind] <= _MOST:
            kept.append(problem)
    for (file, kind), number in counts.items():
        if number > _MOST:
            kept.append(Problem(file, kind, f"and {number - _MOST} more of this kind"))
    return kept


# -- one file ----------------------------------------------------------------------------------------------------------


def _version(root: Path, today: date) -> Iterator[Problem]:
    try:
        text = (root / "VERSION").read_text("ascii").strip()
    except (OSError, ValueError):
        yield Problem("VERSION", "row", "cannot be read")
        return
    if not VERSION.fullmatch(text):
        yield Problem("VERSION", "row", f"{text[:40]!r} is no calendar version such as 2026.11.0")
        return
    year, month = (int(part) for part in text.split(".")[:2])
    if (year, month) > (today.year, today.month):
        yield Problem("VERSION", "date", f"{text} lies in the future")


def _file(root: Path, name: str) -> tuple[tuple[Problem, ...], dict[str, Any] | None]:
    file = f"{name}.yaml"
    try:
        content = (root / file).read_bytes()
    except OSError as error:
        return (Problem(file, "yaml", error.strerror or "cannot be read"),), None
    try:
        schema = (root / "schema" / f"{name}.schema.json").read_bytes()
    except OSError:
        schema = b""
    return _read(name, content, schema)


@lru_cache(maxsize=64)
def _read(name: str, content: bytes, schema: bytes) -> tuple[tuple[Problem, ...], dict[str, Any] | None]:
    """A file by itself: what it holds is not to be changed. Who lints again pays only for the files that changed."""
    file = f"{name}.yaml"
    try:
        document = parse(content)
        repeated = repeated_keys(content)
    except YamlError as error:
        return (Problem(file, "yaml", str(error)),), None
    found = [Problem(file, "yaml", f"key {key!r} stands twice in one mapping", line) for line, key in repeated]
    if not isinstance(document, dict) or document.get("schema") != f"trtdoctor-matrix-{name}/1":
        return (*found, Problem(file, "schema", f"wanted schema: trtdoctor-matrix-{name}/1")), None
    return (*found, *_schema(name, document, schema)), document


def _schema(name: str, document: dict[str, Any], text: bytes) -> Iterator[Problem]:
    from trtdoctor.matrix.schemas import problems

    file = f"{name}.yaml"
    try:
        schema = json.loads(text)
    except ValueError:
        yield Problem(file, "schema", f"schema/{name}.schema.json is missing or no JSON")
        return
    for said in problems(schema, document):
        yield Problem(file, "schema", said)
    for table, rows in _tables(document):
        if table not in schema.get("properties", {}):
            yield Problem(file, "schema", f"{table}: {len(rows)} rows that the schema says nothing of")


def _head(name: str, document: dict[str, Any]) -> Iterator[Problem]:
    file = f"{name}.yaml"
    if "source" not in document:
        yield Problem(file, "source", "no source for the file")
    if document.get("certainty") not in _CERTAINTIES:
        yield Problem(file, "certainty", "no certainty for the file")
    for where, mapping in _mappings(document):
        certainty = mapping.get("certainty")
        if isinstance(certainty, str) and certainty not in _CERTAINTIES:
            yield Problem(file, "certainty", f"{where}: unknown certainty {certainty[:40]!r}")


def _rows(name: str, table: str, rows: list[dict[str, Any]]) -> Iterator[Problem]:
    file = f"{name}.yaml"
    key = key_name(rows)
    counts = Counter(repr(sorted(identity_of(row, key).items(), key=str)) for row in rows)
    keys = {str(row.get(key)) for row in rows}
    repeated = {text for text, number in counts.items() if number > 1}
    several = {(file_, table_) for file_, table_ in _SEVERAL}
    for row in rows:
        where = f"{table} {label(row, key, rows)}"
        if row.get(key) is None:
            yield Problem(file, "row", f"{where}: a row without {key}")
        text = repr(sorted(identity_of(row, key).items(), key=str))
        if text in repeated and (name, table) not in several:
            repeated.discard(text)
            yield Problem(file, "row", f"{where}: stands there {counts[text]} times")
        like = row.get("like")
        if like is not None and str(like) not in keys:
            yield Problem(file, "like", f"{where}: is like {like!r}, which is no row")
        if like is not None and str(like) == str(row.get(key)):
            yield Problem(file, "like", f"{where}: is like itself")
    if table in _NEWEST_FIRST:
        yield from _order(file, table, rows, key)


_SEVERAL = (("errors", "cuda"), ("errors", "nvml"))
"""Tables that are found by another value than their name."""


def _order(file: str, table: str, rows: list[dict[str, Any]], key: str) -> Iterator[Problem]:
    before: tuple[tuple[int, ...], str] | None = None
    for row in rows:
        parts = sort_versions(row.get(key))
        if parts is None:
            before = None
            continue
        if before is not None and parts > before[0]:
            yield Problem(file, "order", f"{table}: {row[key]} comes after {before[1]}: newest first")
        before = (parts, str(row[key]))


def _dates(name: str, document: dict[str, Any], today: date) -> Iterator[Problem]:
    for where, mapping in _mappings(document):
        for key in _PAST & set(mapping):
            value = mapping[key]
            text = value.get("value") if isinstance(value, dict) else value
            if not isinstance(text, str) or not re.fullmatch(r"\d{4}(-\d\d){0,2}", text):
                continue
            if text > today.isoformat()[: len(text)]:
                yield Problem(f"{name}.yaml", "date", f"{where}: {key} {text} lies in the future")


def _specifiers(name: str, document: dict[str, Any]) -> Iterator[Problem]:
    for where, mapping in _mappings(document):
        for key in _SPECIFIERS & set(mapping):
            value = mapping[key]
            text = value.get("value") if isinstance(value, dict) else value
            if not isinstance(text, str) or text in _WORDS:
                continue
            try:
                within(Version.parse("1.0"), text)
            except VersionError:
                yield Problem(
                    f"{name}.yaml", "row", f"{where}: {key}: {text[:60]!r} is no specifier such as '>=10.3,<11'"
                )


# -- what files say of each other --------------------------------------------------------------------------------------


def _sources(data: dict[str, dict[str, Any]]) -> Iterator[Problem]:
    known = data.get("sources", {}).get("sources")
    if not isinstance(known, dict):
        return
    cited: set[str] = set()
    for name, document in data.items():
        places = {} if name == "sources" else _cited(document)
        cited |= set(places)
        for item, where in places.items():
            if item not in known:
                yield Problem(f"{name}.yaml", "source", f"{where}: source {item!r} is not in sources.yaml")
    if len(data) == len(FILES):
        for item in known:
            if item not in cited:
                yield Problem("sources.yaml", "source", f"{item!r} is cited nowhere")


def _cited(document: dict[str, Any]) -> dict[str, str]:
    """Each source that a file cites, with the first place."""
    found: dict[str, str] = {}
    for where, mapping in _mappings(document):
        source = mapping.get("source")
        if isinstance(source, (str, list)):
            for item in as_ids(source):
                found.setdefault(str(item), where)
    return found


def _ranges(data: dict[str, dict[str, Any]]) -> Iterator[Problem]:
    """Ranges that overlap or run backwards."""
    yield from _cudnn_ranges(_list(data, "cudnn", "releases"))
    for row in _list(data, "api", "calls"):
        steps = [(key, Version.maybe(_plain(row.get(key)))) for key in ("first", "deprecated", "removed", "back")]
        known = [(key, version) for key, version in steps if version is not None]
        for (one, earlier), (other, later) in pairwise(known):
            if later.below(earlier) is Answer.YES:
                yield Problem(
                    "api.yaml", "order", f"calls {row.get('name')}: {other} {later} is before {one} {earlier}"
                )
    for row in _list(data, "drivers", "generations"):
        first, last = (sort_versions(_plain(row.get(key))) for key in ("first_branch", "last_branch"))
        if first and last and last < first:
            yield Problem("drivers.yaml", "order", f"generations {row.get('architecture')}: its last branch is older")
    yield from _listed_twice(_list(data, "wheels", "wheels"))


def _cudnn_ranges(rows: list[dict[str, Any]]) -> Iterator[Problem]:
    taken: tuple[tuple[int, ...], str] | None = None
    for row in reversed(rows):
        first, last = sort_versions(row.get("version")), sort_versions(row.get("last"))
        if first is None:
            continue
        if last is not None and last < first:
            yield Problem("cudnn.yaml", "order", f"releases {row['version']}: last is {row['last']}, which is older")
        if taken is not None and first <= taken[0]:
            yield Problem("cudnn.yaml", "order", f"releases {row['version']} lies inside the row of {taken[1]}")
        taken = (max(first, last or first), str(row["version"]))


def _listed_twice(rows: list[dict[str, Any]]) -> Iterator[Problem]:
    seen: dict[tuple[str, str], str] = {}
    for row in rows:
        mine = str(row.get("id"))
        for name, version in product(row.get("distributions") or (), row.get("versions") or ()):
            other = seen.setdefault((str(name), str(version)), mine)
            if other != mine:
                yield Problem("wheels.yaml", "row", f"{name} {version} is in {mine!r} and in {other!r}")


def _relations(data: dict[str, dict[str, Any]]) -> Iterator[Problem]:
    """Releases and images whose CUDA has no row."""
    toolkits = {Version.parse(str(row["version"])).short(2) for row in _list(data, "cuda", "toolkits")}
    # Documents count through minors; cuda.yaml says by a rule "no-12.7" which of them never came.
    toolkits |= {str(row.get("id"))[3:] for row in _list(data, "cuda", "rules") if str(row.get("id"))[:3] == "no-"}
    majors = {str(row.get("version")) for row in _list(data, "cuda", "majors")}
    if not majors or not toolkits:
        return
    for name, table in (("tensorrt", "releases"), ("tensorrt-rtx", "releases")):
        for row in _list(data, name, table):
            for where, cuda in _cudas(row):
                if where.startswith("cu") and where[2:] not in majors and not _before(where[2:], toolkits):
                    yield Problem(f"{name}.yaml", "relation", f"{table} {row.get('version')}: no CUDA major {where}")
                yield from _without_row(name, f"{table} {row.get('version')}: {where}", cuda, toolkits)
    for name, table in (("containers", "images"), ("jetpack", "jetpacks")):
        for row in _list(data, name, table):
            yield from _without_row(name, f"{table} {row.get('id')}: cuda", row.get("cuda"), toolkits)


def _cudas(row: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each CUDA version that a release names, with the flavour or platform that it is for."""
    builds, cuda = _plain(row.get("builds")), _plain(row.get("cuda"))
    for flavour, build in builds.items() if isinstance(builds, dict) else ():
        inner = _plain(build)
        if flavour.startswith("cu"):
            yield flavour, inner.get("built_with") if isinstance(inner, dict) else None
    for platform, minors in cuda.items() if isinstance(cuda, dict) else ():
        for minor in _plain(minors) if isinstance(_plain(minors), list) else ():
            yield platform, minor


def _without_row(name: str, where: str, value: Any, toolkits: set[str]) -> Iterator[Problem]:
    version = Version.maybe(_plain(value))
    if version is not None and version.short(2) not in toolkits and not _before(version.short(2), toolkits):
        yield Problem(f"{name}.yaml", "relation", f"{where}: CUDA {version} has no row in cuda.yaml")


def _before(version: str, toolkits: set[str]) -> bool:
    """Whether a CUDA is older than where cuda.yaml begins."""
    return Version.parse(version).parts < min(Version.parse(item).parts for item in toolkits)


_UNBOUNDED = re.compile(r"(?:\\[wWsSD]|(?<!\\)\.|(?<!\\)\])[*+]")
"""A repetition without a bound of what matches nearly everything: a long line could hold the search up."""


def _failures(rows: list[dict[str, Any]]) -> Iterator[Problem]:
    """Patterns that are no regular expressions, may take forever, or do not match their own samples; ``_claims``."""
    patterns: dict[str, list[re.Pattern[str]]] = {}
    for row in rows:
        where = f"failures {row.get('id')}"
        patterns[str(row.get("id"))] = found = []
        for text in map(str, row.get("patterns") or ()):
            try:
                found.append(re.compile(text))
            except re.error as error:
                yield Problem("failures.yaml", "row", f"{where}: {text[:60]!r} is no regular expression: {error}")
            if _UNBOUNDED.search(text):
                yield Problem("failures.yaml", "row", f"{where}: {text[:60]!r} repeats without a bound")
        for sample in map(str, row.get("samples") or ()):
            if not any(pattern.search(sample) for pattern in found):
                yield Problem("failures.yaml", "row", f"{where}: no pattern matches the sample {sample[:60]!r}")
        groups = {name for pattern in found for name in pattern.groupindex}
        for text in map(str, row.get("says") or ()):
            for name in sorted(set(re.findall(r"\{(\w+)\}", text)) - groups):
                yield Problem("failures.yaml", "row", f"{where}: no pattern has a group {name!r} for {text[:60]!r}")
    yield from _claims(rows, patterns)


def _claims(rows: list[dict[str, Any]], patterns: dict[str, list[re.Pattern[str]]]) -> Iterator[Problem]:
    """Which family claims whose samples: the first in the file is told, and the others must be declared (``also``)."""
    places = {name: number for number, name in enumerate(patterns)}
    for row in rows:
        name = str(row.get("id"))
        where = f"failures {name}"
        also = set(map(str, row.get("also") or ()))
        for key in ("also", "follows"):
            for other in map(str, row.get(key) or ()):
                if other not in patterns:
                    yield Problem("failures.yaml", "relation", f"{where}: {key}: {other} is no family")
        claimed = {
            other
            for sample in map(str, row.get("samples") or ())
            for other, found in patterns.items()
            if other != name and any(pattern.search(sample) for pattern in found)
        }
        for other in sorted(claimed - also):
            yield Problem("failures.yaml", "relation", f"{where}: {other} claims a sample of it too: also: [{other}]?")
        for other in sorted(also - claimed & set(patterns)):
            yield Problem("failures.yaml", "relation", f"{where}: also: {other} matches none of its samples")
        for other in sorted(claimed):
            if places[other] < places[name]:
                yield Problem("failures.yaml", "order", f"{where}: {other} stands before it and takes its sample")


def _error_numbers(data: dict[str, dict[str, Any]]) -> Iterator[Problem]:
    """Families that error numbers name and that are not there."""
    families = {str(row.get("id")) for row in _list(data, "failures", "failures")}
    for table, rows in _tables(data.get("error_numbers", {})):
        for row in rows:
            family = row.get("family")
            if family is not None and families and str(family) not in families:
                text = f"{table} {row.get('name')}: {family} is no family of failures.yaml"
                yield Problem("error_numbers.yaml", "relation", text)


def _loading(data: dict[str, dict[str, Any]]) -> Iterator[Problem]:
    """Modules, libraries and placeholders of loading.yaml that nothing knows."""
    rows = _list(data, "loading", "modules")
    modules = {str(row.get("module")) for row in rows}
    libraries = {str(row.get("name")) for row in _list(data, "libraries", "libraries")}
    for row in rows:
        where = f"modules {row.get('id')}"
        steps = row.get("steps")
        named = [step.get("import") for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
        for name in (*named, row.get("part_of")):
            if name is not None and name not in modules:
                yield Problem("loading.yaml", "relation", f"{where}: {name} is no module of this file")
        yield from _placeholders(where, [row.get("recognised_by"), steps, row.get("preload"), row.get("cuda")], _PATHS)
        cuda = row.get("cuda")
        if isinstance(cuda, dict) and not _groups(str(cuda.get("pattern"))):
            yield Problem("loading.yaml", "row", f"{where}: cuda: pattern is no regular expression with one group")
    for row in _list(data, "loading", "opens"):
        where = f"opens {row.get('id')}"
        if libraries and row.get("library") not in libraries:
            yield Problem("loading.yaml", "relation", f"{where}: {row.get('library')} has no row in libraries.yaml")
        yield from _placeholders(where, row.get("names"), _NAMES)
    for row in _list(data, "loading", "programs"):
        yield from _placeholders(f"programs {row.get('id')}", row.get("names"), frozenset({"major"}))


_PATHS = frozenset({"package", "real", "search", "folder", "cuda"})
_NAMES = frozenset({"full", "minor", "major", "number"})


def _placeholders(where: str, value: Any, known: frozenset[str]) -> Iterator[Problem]:
    found = {match for text in _texts(value) for match in re.findall(r"\{(\w+)(?::[\w-]+)?\}", text)}
    for name in sorted(found - known):
        yield Problem("loading.yaml", "row", f"{where}: nothing fills {{{name}}}")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key != "pattern":
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _groups(pattern: str) -> bool:
    try:
        return re.compile(pattern).groups == 1
    except re.error:
        return False


# -- walking -----------------------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    return value["value"] if isinstance(value, dict) and "value" in value else value


def _list(data: dict[str, dict[str, Any]], name: str, table: str) -> list[dict[str, Any]]:
    rows = data.get(name, {}).get(table)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _tables(document: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for table, rows in document.items():
        if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows):
            yield table, rows


def _mappings(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping of a file with where it stands."""
    yield "the file", document
    for table, value in document.items():
        if isinstance(value, list):
            rows = [row for row in value if isinstance(row, dict)]
            key = key_name(rows) if rows else ""
            for row in rows:
                yield from _below(f"{table} {row.get(key)}", row)
        elif isinstance(value, dict):
            yield from _below(table, value)


def _below(where: str, value: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield where, value
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _below(f"{where} {key}" if key != "value" else where, inner)
        elif isinstance(inner, list):
            for item in inner:
                if isinstance(item, dict):
                    yield from _below(f"{where} {key}", item)
