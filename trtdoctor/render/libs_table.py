"""``trtdoctor libs`` for people: each library's files, who gets which and by which step, what is missing.

Libraries that come together and go to the same importers share one block, so that a machine with one TensorRT and one
cuDNN reads at a glance.
"""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.record import record
from trtdoctor.render import libs_words as words
from trtdoctor.render.libs_short import shortened
from trtdoctor.render.parts import WIDTH, Paint, finding_lines, foot, probe_lines
from trtdoctor.resolution import Absent, Library, LibraryCopy, Libs, Resolved
from trtdoctor.snapshot import SearchEntry
from trtdoctor.text import harmless

_VERSION = 11
_MOST_NAMES = 3
_MOST_ENTRIES = 40


def render(libs: Libs, *, tree: bool = False, verbose: bool = False, color: bool = False) -> str:
    """The whole text, with a final newline."""
    paint = Paint(color)
    short, site = (libs, None) if verbose else shortened(libs)
    lines = list(words.head(libs, paint, site))
    if tree:
        from trtdoctor.render.libs_tree import trees

        lines += trees(short, paint)
    else:
        lines += [*_importers(short, paint), *_blocks(short, paint, verbose), *_missing(short, paint)]
        lines += _search_path(libs, paint)
    for note in libs.notes:
        lines += ["", *words.indented(note, "", "", WIDTH)]
    for finding in libs.findings:
        lines += ["", *finding_lines(finding, paint, verbose)]
    if libs.probes:
        lines += ["", *(line for probe in libs.probes for line in probe_lines(probe))]
    lines += ["", *foot(libs.program, libs.matrix, libs.as_of, paint)]
    return "\n".join(harmless(line.rstrip()) for line in lines) + "\n"


# -- importers ---------------------------------------------------------------------------------------------------------


def _importers(libs: Libs, paint: Paint) -> Iterator[str]:
    """How each went."""
    shown = words.shown_importers(libs)
    if shown:
        yield ""
    for item in shown:
        for line in words.indented(f"{words.importer(item)}: {words.outcome(item)}", "  ", "    ", WIDTH):
            yield line if item.outcome == "ok" else paint("unknown" if item.outcome == "unknown" else "error", line)


# -- blocks ------------------------------------------------------------------------------------------------------------


@record
class _Row:
    """One file as its block shows it; libraries whose rows are equal share a block."""

    version: str
    place: str
    wins_for: tuple[str, ...]
    loses_to: tuple[str, ...]
    problem: str | None
    doubts: tuple[str, ...]
    """What is not as predicted."""


def _blocks(libs: Libs, paint: Paint, verbose: bool) -> Iterator[str]:
    blocks: dict[tuple[object, ...], list[Library]] = {}
    for library in libs.libraries:
        rows = tuple(_row(library, copy) for copy in _winners_first(library))
        key = (library.name,) if verbose else (library.component, rows)
        blocks.setdefault(key, []).append(library)
    idle = []
    for group in blocks.values():
        if not any(copy.wins_for or copy.loses_to for copy in group[0].copies):
            idle += group
            continue
        yield ""
        yield paint("bold", _few([library.name for library in group]))
        for number, copy in enumerate(_winners_first(group[0])):
            yield from _copy_lines(group, number, copy, paint, verbose)
    if not libs.complete:
        return  # what others load was not asked
    yield from _idle(idle, "loaded by none" if libs.importers else "on disk", paint)


def _winners_first(library: Library) -> list[LibraryCopy]:
    return sorted(library.copies, key=lambda copy: not copy.wins_for)


def _row(library: Library, copy: LibraryCopy) -> _Row:
    doubts = tuple(words.step(item) for item in _for(library, copy) if item.agreement not in (None, "same"))
    folders = tuple(dict.fromkeys(_folder(path) for path in copy.loses_to))
    return _Row(copy.version or "", _place(copy), copy.wins_for, folders, copy.problem, doubts)


def _few(names: list[str]) -> str:
    if len(names) <= _MOST_NAMES + 1:
        return ", ".join(names)
    return f"{', '.join(names[:_MOST_NAMES])} and {len(names) - _MOST_NAMES} more"


def _folder(path: str | None) -> str:
    folder, slash, _ = (path or "").rpartition("\\" if "\\" in (path or "") else "/")
    return folder or slash


def _place(copy: LibraryCopy) -> str:
    folder = _folder(copy.path or copy.realpath) or "place unknown"
    return f"{folder} ({copy.owner})" if copy.owner else folder


def _for(library: Library, copy: LibraryCopy) -> list[Resolved]:
    place = copy.realpath or copy.path
    return [item for item in library.resolved if place in (item.realpath or item.path, item.path)]


def _copy_lines(group: list[Library], number: int, copy: LibraryCopy, paint: Paint, verbose: bool) -> Iterator[str]:
    version = copy.version or "-"
    margin = " " * (2 + _VERSION)
    first = f"  {version}".ljust(len(margin))
    if not first.endswith(" "):  # longer than any that was seen: a line of its own
        yield from words.indented(version, "  ", margin, WIDTH)
        first = margin
    place = _place(copy)
    if verbose:
        place = " ".join(filter(None, (copy.realpath or copy.path, f"({copy.owner})" if copy.owner else "")))
    text = list(words.indented(place, first, margin, WIDTH))
    yield from text if copy.wins_for else (paint("dim", line) for line in text)
    if verbose and (facts := _facts(copy)):
        yield from words.indented(facts, margin, margin, WIDTH)
    if copy.problem:
        yield margin + paint("error", f"unusable: {copy.problem}")
    if copy.wins_for:
        said = _who(group, [item for library in group for item in _for(library, _winners_first(library)[number])])
        yield from words.indented(said, margin, margin + "  ", WIDTH)
    elif copy.loses_to:
        folders = dict.fromkeys(_folder(path) for path in copy.loses_to)
        yield from words.indented(f"loses to {', '.join(folders)}", margin, margin + "  ", WIDTH)
    else:
        yield f"{margin}loaded by none"


def _facts(copy: LibraryCopy) -> str:
    needs = {"GLIBC": copy.needs_glibc, "GLIBCXX": copy.needs_glibcxx}
    facts = [
        f"version by {copy.how}" if copy.how else "",
        f"{copy.size} bytes" if copy.size is not None else "",
        *(f"{name}_{version}" for name, version in needs.items() if version),
        "executable stack" if copy.executable_stack else "",
    ]
    return ", ".join(filter(None, facts))


def _who(group: list[Library], items: list[Resolved]) -> str:
    """``torch: RPATH; tensorrt: preloaded``; an order of imports only where one of them alone gets another file."""
    every = {item.importer for library in group for item in library.resolved}
    here: dict[str, dict[str, None]] = {}
    for name in dict.fromkeys(item.importer for item in items):
        own = [item for item in items if item.importer == name]
        prompt = {words.step(item) for item in own if not item.lazy}
        for item in own:
            said = words.step(item, lazy_alike=words.step(item, lazy_alike=True) in prompt)
            here.setdefault(name, {}).setdefault(said)
    by_steps: dict[str, list[str]] = {}
    for name, ways in here.items():
        members = every.intersection(name.split(", "))
        if ", " not in name or not members or not members.issubset(here):
            by_steps.setdefault(" or ".join(ways), []).append(words.spoken(name))
    return "; ".join(f"{_and(names)}: {ways}" for ways, names in by_steps.items())


def _and(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _idle(group: list[Library], title: str, paint: Paint) -> Iterator[str]:
    """Files that nobody gets."""
    places: dict[tuple[str, str], list[str]] = {}
    for library in group:
        for copy in library.copies:
            key = (copy.version or "-", _place(copy))
            names = places.setdefault(key, [])
            names.append(f"{library.name} ({copy.problem})" if copy.problem else library.name)
    if places:
        yield ""
        yield paint("bold", title)
    for (version, place), names in places.items():
        yield from words.indented(f"{_few(list(dict.fromkeys(names)))} {version}: {place}", "  ", "    ", WIDTH)


# -- what is missing, and the search path ------------------------------------------------------------------------------


def _missing(libs: Libs, paint: Paint) -> Iterator[str]:
    found: dict[tuple[object, ...], list[Absent]] = {}
    for item in words.causes(libs):
        key = (item.needed_by, words.problem(item), item.swallowed, item.importer)
        found.setdefault(key, []).append(item)
    by_names: dict[tuple[object, ...], list[Absent]] = {}
    for items in found.values():
        names = tuple(dict.fromkeys(item.name for item in items))
        by_names.setdefault((names, *_likeness(items[0])), []).extend(items)
    if by_names:
        yield ""
        yield paint("bold", "missing")
    for items in by_names.values():
        item = items[0]
        lacking = ", ".join(dict.fromkeys(item.name for item in items))
        importers = _and([words.spoken(name) for name in dict.fromkeys(item.importer for item in items)])
        by = f"; needed by {item.needed_by}" if item.needed_by else ""
        quiet = "; whoever asks goes on without it" if item.swallowed else ""
        yield from words.indented(f"{lacking}: {words.problem(item)}{by}; for {importers}{quiet}", "  ", "    ", WIDTH)


def _likeness(item: Absent) -> tuple[object, ...]:
    return item.needed_by, words.problem(item), item.swallowed


def _search_path(libs: Libs, paint: Paint) -> Iterator[str]:
    for variable in dict.fromkeys(entry.variable for entry in libs.search_path):
        yield ""
        yield paint("bold", variable)
        # Only the first of several equal entries changes anything.
        entries = dict.fromkeys(_entry(entry) for entry in libs.search_path if entry.variable == variable)
        for text in list(entries)[:_MOST_ENTRIES]:
            yield from words.indented(text, "  ", "    ", WIDTH)
        if len(entries) > _MOST_ENTRIES:
            yield f"  and {len(entries) - _MOST_ENTRIES} more"


def _entry(entry: SearchEntry) -> str:
    held = "no library of the stack" if entry.libraries == 0 else None
    if entry.libraries:
        held = f"{entry.libraries} {'library' if entry.libraries == 1 else 'libraries'} of the stack"
    state = entry.state if entry.state != "ok" else None
    path = entry.path or "(empty: the current directory)"
    return f"{path}: {', '.join(filter(None, (state, held))) or 'not looked into'}"
