"""Who gets which library, and by which step of the loader's search: the answer of ``trtdoctor libs``.

Made from a Snapshot alone: its copies on disk, and what each importer gets, as predicted from files and as observed in
a process. Where both are known the observed one is shown, with what was predicted beside it when that was another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

from trtdoctor.findings import Finding, MatrixInfo, Report, Severity, plain
from trtdoctor.judge import judge
from trtdoctor.matrix import Matrix, libraries
from trtdoctor.record import record
from trtdoctor.rules import RULES
from trtdoctor.rules.base import Context
from trtdoctor.snapshot import Copy, Loaded, Loading, Missing, ProbeOutcome, SearchEntry, Snapshot
from trtdoctor.stack import KNOWN, Stack

SCHEMA = "trtdoctor-libs/1"
FAMILIES = ("LDR", "FWK10", "FWK7", "TOL")
"""Codes, or their beginnings, of the findings that belong to this answer."""
_OF_FILES = ("TRT", "CUD", "DNN", "PYT", "FWK")
"""Families that judge what lies on disk: where one of them speaks for a silent rule, the others do not."""
_PROBES = ("libraries", "loader", "python")
"""Probes without which nobody can say who gets what."""


@record
class LibraryCopy:
    """One file of a library."""

    path: str | None
    realpath: str | None
    version: str | None
    how: str | None
    """How the version was learnt, in the words of the snapshot."""
    owner: str | None
    """NAME VERSION of the wheel or system package that owns it."""
    origin: str | None
    size: int | None
    """Bytes; null when the file was only seen in a process."""
    needs_glibc: str | None
    needs_glibcxx: str | None
    executable_stack: bool | None
    problem: str | None
    """Why the file cannot be what its name says."""
    wins_for: tuple[str, ...] = ()
    """Importers that get this file."""
    loses_to: tuple[str, ...] = ()
    """Real paths of the files that importers get instead when they ask for this name."""


@record
class Resolved:
    """What one importer gets for one name."""

    importer: str
    path: str | None
    """As the loader found it, links not followed; the observed one where it is another file than the predicted one."""
    realpath: str | None
    soname: str | None
    step: str | None
    """Step of the loader's search that led to it, in the words of the snapshot; null when it is not known."""
    entry: str | None
    """The search-path entry that led to it, as written."""
    needed_by: str | None
    lazy: bool | None
    """True when it is opened only on use."""
    observed: bool
    """Whether it was seen in a process."""
    agreement: str | None
    """same, different, not-observed, not-predicted; null when there is only a prediction or only an observation."""
    predicted: str | None
    """The path that was predicted, when another was observed."""


@record
class Library:
    """One library of the stack: its files, and who gets which."""

    name: str
    component: str | None
    copies: tuple[LibraryCopy, ...]
    resolved: tuple[Resolved, ...]


@record
class Importer:
    """A Python module (or several, imported in this order), a program, or a file that is opened."""

    name: str
    kind: str
    """import, program, file."""
    path: str | None
    owner: str | None
    predicted: str | None
    """Outcome of the prediction (ok, failed, unknown); null when nothing was predicted."""
    observed: str | None
    """Outcome in a process (ok, failed, crashed, timed-out); null when it was not run."""
    error: str | None
    """The last line that the failure printed."""

    @property
    def outcome(self) -> str:
        """The observed outcome where there is one, else the predicted one."""
        return self.observed or self.predicted or "unknown"


@record
class Absent:
    """A library that an importer asks for and does not get."""

    importer: str
    name: str
    needed_by: str | None
    problem: str
    """not-found, or why the file that is found cannot be used, in the words of the snapshot."""
    detail: str | None
    path: str | None
    swallowed: bool | None
    """True when whoever asked goes on without it and says nothing."""
    lazy: bool | None
    observed: bool
    """Whether a process was seen to go without it."""


@record
class Libs:
    """Who gets which NVIDIA library in one environment."""

    libraries: tuple[Library, ...]
    importers: tuple[Importer, ...]
    missing: tuple[Absent, ...]
    search_path: tuple[SearchEntry, ...]
    findings: tuple[Finding, ...]
    probes: tuple[ProbeOutcome, ...]
    """Probes that did not learn everything."""
    notes: tuple[str, ...]
    program: str
    matrix: MatrixInfo
    as_of: str
    interpreter: dict[str, str | None] | None
    redacted: bool
    complete: bool
    """False when only some importers were asked for."""

    @property
    def counts(self) -> dict[str, int]:
        """How many findings of each severity."""
        return {level.value: sum(item.severity is level for item in self.findings) for level in Severity}

    @property
    def unknown(self) -> bool:
        """Whether there is somebody of whom it cannot be said what he gets."""
        return any(item.outcome == "unknown" for item in self.importers) or any(
            item.name in _PROBES for item in self.probes
        )

    def fails(self, threshold: str) -> bool:
        """Whether the exit code is 1: ``threshold`` is ``error``, ``warning``, ``unknown`` or ``never``."""
        if threshold == "never":
            return False
        if threshold == "unknown":
            return bool(self.counts["error"]) or self.unknown
        return any(item.severity.rank <= Severity(threshold).rank for item in self.findings)

    def to_plain(self) -> dict[str, Any]:
        """The JSON form (``trtdoctor-libs/1``), as plain data."""
        return {"schema": SCHEMA, "counts": self.counts, **plain(self)}


def resolve(
    snapshot: Snapshot, matrix: Matrix, *, as_of: date, goal: Iterable[str] = (), complete: bool = True
) -> Libs:
    """The whole answer for one Snapshot; ``complete`` is False when it holds only some importers."""
    importers: list[Importer] = []
    resolved: list[tuple[str, Resolved]] = []
    missing: list[Absent] = []
    for predicted, observed in _pairs(snapshot.loadings):
        importers.append(_importer(predicted, observed))
        got = list(_resolved(predicted, observed))
        resolved += got
        missing += _missing(predicted, observed, {_asked_for(item) for _, item in got})
    report = judge(snapshot, matrix, as_of=as_of, goal=goal)
    codes = _speaking(report, matrix, as_of)
    return Libs(
        libraries=tuple(_libraries(snapshot, matrix, resolved)),
        importers=tuple(importers),
        missing=tuple(missing),
        search_path=snapshot.search_entries,
        findings=tuple(item for item in report.findings if item.code in codes),
        probes=tuple(_short(snapshot)),
        notes=snapshot.notes,
        program=report.program,
        matrix=report.matrix,
        as_of=report.as_of,
        interpreter=report.interpreter,
        redacted=snapshot.redacted,
        complete=complete,
    )


def _speaking(report: Report, matrix: Matrix, as_of: date) -> set[str]:
    """Codes of the findings that belong here: of the families, and those that keep one of the families silent.

    A wheel that lacks a file is found by its own rule; that this file is then missing for an importer is not said a
    second time, but it is what this answer is about.
    """
    found = {item.code for item in report.findings}
    codes = {code for code in found if code.startswith(FAMILIES)}
    context = Context(Stack(report.snapshot, matrix), matrix, as_of, frozenset(report.goal))
    for rule in RULES:
        speakers = found.intersection(rule.silenced_by)
        if not rule.code.startswith(FAMILIES) or not speakers or speakers & codes:
            continue
        if all(context.stack.state(need) == KNOWN for need in rule.needs) and any(True for _ in rule.check(context)):
            codes |= {code for code in speakers if code.startswith(_OF_FILES)} or speakers
    return codes


def _short(snapshot: Snapshot) -> Iterator[ProbeOutcome]:
    """Probes that did not learn everything, and the loader's where it never ran."""
    for item in snapshot.probes:
        if item.outcome not in ("ok", "skipped"):
            yield item
    if not snapshot.loadings and not any(item.name == "loader" for item in snapshot.probes):
        yield ProbeOutcome("loader", "skipped", "these facts do not say who loads what")


def restricted(snapshot: Snapshot, wanted: Iterable[str]) -> Snapshot:
    """The Snapshot with what these importers get alone; ``wanted`` holds the words of ``--for``."""
    words = tuple(wanted)
    return replace(
        snapshot, loadings=tuple(item for item in snapshot.loadings if any(_is(item, word) for word in words))
    )


def _is(loading: Loading, word: str) -> bool:
    if word == "python":
        return loading.kind == "import"
    if loading.kind == "import":
        return word == loading.importer or word in loading.importer.split(", ")
    return word in (loading.importer, loading.path, _base(loading.path))


def _base(path: str | None) -> str:
    return (path or "").replace("\\", "/").rpartition("/")[2]


# -- one importer ------------------------------------------------------------------------------------------------------


def _pairs(loadings: tuple[Loading, ...]) -> Iterator[tuple[Loading | None, Loading | None]]:
    """Prediction and observation of each importer, one of them may be lacking."""
    found: dict[tuple[str, str], dict[str, Loading]] = {}
    for item in loadings:
        found.setdefault((item.importer, item.kind), {}).setdefault(item.method, item)
    for ways in found.values():
        if ways.keys() & {"predicted", "observed"}:  # not those told by a word that this reader does not know
            yield ways.get("predicted"), ways.get("observed")


def _importer(predicted: Loading | None, observed: Loading | None) -> Importer:
    ways = [item for item in (observed, predicted) if item is not None]
    return Importer(
        name=ways[0].importer,
        kind=ways[0].kind,
        path=next((item.path for item in ways if item.path), None),
        owner=next((item.owner for item in ways if item.owner), None),
        predicted=predicted.outcome if predicted else None,
        observed=observed.outcome if observed else None,
        error=next((item.error for item in ways if item.error), None),
    )


def _resolved(predicted: Loading | None, observed: Loading | None) -> Iterator[tuple[str, Resolved]]:
    """Library name and what it resolves to: in the order of the prediction, then what nobody predicted."""
    foretold = list(predicted.loaded) if predicted else []
    seen = list(observed.loaded) if observed else []
    # A process that failed half-way, and an importer of which nobody knows what it opens, contradict nothing.
    complete = observed is not None and observed.outcome == "ok"
    foreseeable = predicted is not None and predicted.outcome == "ok"
    pairs = _matched(foretold, seen)
    for item in foretold:
        match = pairs.get(id(item))
        if match is None:
            doubt = "not-observed" if complete and not item.lazy else None
            yield item.library, _one(predicted, item, observed=False, agreement=doubt)
        elif _same(item, match):
            both = replace(item, path=item.path or match.path, realpath=match.realpath or item.realpath)
            yield item.library, _one(predicted, both, observed=True, agreement="same")
        else:
            shown = _one(observed, match, observed=True, agreement="different")
            yield match.library, replace(shown, predicted=item.path or item.realpath, lazy=item.lazy)
    taken = {id(item) for item in pairs.values()}
    for item in seen:
        if id(item) not in taken:
            agreement = "not-predicted" if foreseeable else None
            yield item.library, _one(observed, item, observed=True, agreement=agreement)


def _matched(foretold: list[Loaded], seen: list[Loaded]) -> dict[int, Loaded]:
    """The observed library for each predicted one: the same file, else the same name, else the same library."""
    pairs: dict[int, Loaded] = {}
    left = list(seen)
    for alike in (_same, _same_soname, _same_library):
        for item in foretold:
            if id(item) in pairs:
                continue
            found = next((other for other in left if alike(item, other)), None)
            if found is not None:
                pairs[id(item)] = found
                left.remove(found)
    return pairs


def _same(one: Loaded, other: Loaded) -> bool:
    return bool(_real(one)) and _real(one) == _real(other)


def _same_soname(one: Loaded, other: Loaded) -> bool:
    return bool(one.soname) and one.soname == other.soname


def _same_library(one: Loaded, other: Loaded) -> bool:
    """Only where at least one of the two has no soname: libcudnn.so.8 is never what libcudnn.so.9 was foretold for."""
    return one.library == other.library and not (one.soname and other.soname)


def _real(item: Loaded | LibraryCopy | Resolved | Copy) -> str | None:
    return item.realpath or item.path


def _is_file(copy: LibraryCopy, item: Resolved) -> bool:
    """Whether this copy is what is got; of the driver's library only one name is known."""
    return _real(copy) == _real(item) or (copy.realpath is None and copy.path == item.path)


def _one(loading: Loading | None, item: Loaded, *, observed: bool, agreement: str | None) -> Resolved:
    return Resolved(
        importer=loading.importer if loading else "",
        path=item.path or item.realpath,
        realpath=item.realpath,
        soname=item.soname,
        step=item.step,
        entry=item.entry,
        needed_by=item.needed_by,
        lazy=item.lazy,
        observed=observed,
        agreement=agreement,
        predicted=None,
    )


def _missing(predicted: Loading | None, observed: Loading | None, got: set[str]) -> Iterator[Absent]:
    """What is not found; not what the process got after all, or came through without."""
    foretold, seen = (
        {item.name: item for item in loading.missing} if loading else {} for loading in (predicted, observed)
    )
    through = observed is not None and observed.outcome == "ok"
    for name, item in {**foretold, **seen}.items():
        if name in seen:
            yield _absent(observed, _filled(item, foretold.get(name)), observed=True)
        elif name not in got and not (through and not item.lazy and not item.swallowed):
            yield _absent(predicted, item, observed=False)


def _filled(seen: Missing, foretold: Missing | None) -> Missing:
    """What was seen, with what only the prediction knows of it."""
    if foretold is None or foretold.problem != seen.problem:
        return seen
    return replace(
        seen,
        needed_by=seen.needed_by or foretold.needed_by,
        detail=seen.detail or foretold.detail,
        path=seen.path or foretold.path,
        swallowed=foretold.swallowed if seen.swallowed is None else seen.swallowed,
        lazy=foretold.lazy if seen.lazy is None else seen.lazy,
    )


def _absent(loading: Loading | None, item: Missing, *, observed: bool) -> Absent:
    return Absent(
        importer=loading.importer if loading else "",
        name=item.name,
        needed_by=item.needed_by,
        problem=item.problem,
        detail=item.detail,
        path=item.path,
        swallowed=item.swallowed,
        lazy=item.lazy,
        observed=observed,
    )


def _asked_for(item: Resolved) -> str:
    """The name by which a file is asked for."""
    return item.soname or _base(item.path)


# -- all importers -----------------------------------------------------------------------------------------------------


def _libraries(snapshot: Snapshot, matrix: Matrix, resolved: list[tuple[str, Resolved]]) -> Iterator[Library]:
    """Each library that lies somewhere or that somebody gets, in the order of the matrix."""
    copies: dict[str, list[LibraryCopy]] = {}
    asked: dict[str, str] = {}
    components: dict[str, str] = {}
    for copy in (*snapshot.copies, *_driver_copies(snapshot)):
        if copy.name is not None and copy.role != "header":
            made = _copy(copy)
            components.setdefault(copy.name, copy.component)
            copies.setdefault(copy.name, []).append(made)
            asked[_real(copy) or ""] = copy.soname or _base(copy.path)
    gets: dict[str, list[Resolved]] = {}
    for name, item in resolved:
        gets.setdefault(name, []).append(item)
        known = copies.setdefault(name, [])
        if _real(item) and not any(_is_file(other, item) for other in known):
            known.append(_only_loaded(matrix, item))
    order = {row.key: number for number, row in enumerate(matrix.rows("libraries", "libraries"))}
    for name in sorted(copies, key=lambda name: order.get(name, len(order))):
        items = tuple(gets.get(name, ()))
        yield Library(
            name=name,
            component=components.get(name) or _component(matrix, items),
            copies=tuple(_judged(copy, asked.get(_real(copy) or "", ""), items) for copy in copies[name]),
            resolved=items,
        )


def _driver_copies(snapshot: Snapshot) -> Iterator[Copy]:
    """The driver's own library, which its own probe found."""
    driver = snapshot.driver
    if driver.library_path:
        yield Copy(
            component="driver",
            name="libcuda",
            version=driver.library_version,
            how="file-name" if driver.library_version else None,
            path=driver.library_path,
            soname="libcuda.so.1",
        )


def _copy(copy: Copy) -> LibraryCopy:
    return LibraryCopy(
        path=copy.path,
        realpath=copy.realpath,
        version=copy.version,
        how=copy.how,
        owner=copy.owner,
        origin=copy.origin,
        size=copy.size,
        needs_glibc=copy.needs_glibc,
        needs_glibcxx=copy.needs_glibcxx,
        executable_stack=copy.executable_stack,
        problem=copy.problem,
    )


def _only_loaded(matrix: Matrix, item: Resolved) -> LibraryCopy:
    """A file that lies where nobody looked: all that is known of it is its name."""
    spec = libraries.identify(matrix, _base(_real(item)))
    version = spec.version if spec is not None and spec.version and "." in spec.version else None
    how = "file-name" if version else None
    return LibraryCopy(item.path, item.realpath, version, how, None, None, None, None, None, None, None)


def _component(matrix: Matrix, items: tuple[Resolved, ...]) -> str | None:
    specs = (libraries.identify(matrix, name) for item in items for name in (_base(item.path), item.soname or ""))
    return next((spec.component for spec in specs if spec is not None), None)


def _judged(copy: LibraryCopy, name: str, items: tuple[Resolved, ...]) -> LibraryCopy:
    """The copy with who gets it, and with what others get who ask for the same name."""
    wins = [item.importer for item in items if _is_file(copy, item)]
    instead = [_real(item) or "" for item in items if item.importer not in wins and name and _asked_for(item) == name]
    return replace(copy, wins_for=tuple(dict.fromkeys(wins)), loses_to=tuple(dict.fromkeys(filter(None, instead))))
