"""What changed between two looks, and the state that a look leaves behind.

A state that is not known is no change: it is compared with the last one that was known. The first look at a source,
or the first after it is asked for something else, is what later ones are held against and changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from trtdoctor.config.mirrors import Mirror
from trtdoctor.mirror.change import NAMES, Change
from trtdoctor.mirror.state import KEPT, State
from trtdoctor.mirror.take import upstream_has
from trtdoctor.mirror_facts import MirrorItem, MirrorSide, MirrorSource
from trtdoctor.record import record
from trtdoctor.text import clean
from trtdoctor.times import iso

_HELD = ("same", "present")
_PARTLY = ("missing-platform", "stub-only", "listed-not-held")
_LACKING = ("missing", *_PARTLY, "differs")
_FAILING = ("failed", "paused", "disabled")
_MOST_KNOWN = 20_000
_MOST_SOURCES = 200
_T = TypeVar("_T")


@record
class Looked:
    """What a look leaves behind."""

    state: State
    changes: tuple[Change, ...]
    begun: tuple[str, ...]
    """Sources that later looks are held against from now on."""


def merged(
    before: State | None,
    found: Sequence[MirrorSource],
    mirrors: Sequence[Mirror],
    *,
    now: datetime,
    late: Mapping[str, str | None] | None = None,
) -> Looked:
    """The state after a look that found ``found`` of ``mirrors``, and what changed since ``before``.

    ``late`` says of sources why they are further behind than is allowed, in words, or None where they are not; of what
    it does not name that is not known. Sources that were not looked at stay as they were.
    """
    before = before or State()
    asked = {mirror.id: _digest(mirror) for mirror in mirrors}
    changes: list[Change] = []
    begun: list[str] = []
    first_seen, settled = dict(before.first_seen), dict(before.settled)
    since, overdue, memory = dict(before.since), dict(before.late), dict(before.asked)
    for source in found:
        earlier = before.source(source.id)
        other = memory.get(source.id) != asked.get(source.id)
        if earlier is None or source.id not in since or other or _blank(earlier):
            if earlier is None or other or not _blank(source):
                begun.append(source.id)
            changes += _of_sides(earlier, source, now) if earlier is not None and not other else ()
            since[source.id], memory[source.id] = iso(now), asked.get(source.id, "")
            first_seen[source.id], settled[source.id] = {}, {}
            overdue.pop(source.id, None)
            earlier = None
        else:
            changes += _of_source(earlier, source, before, now)
        if late is not None and source.id in late:
            changes += _of_lag(source.id, late[source.id], overdue, now, first=earlier is None)
        first_seen[source.id] = _seen(first_seen.get(source.id, {}), source, now)
        settled[source.id] = _settled(settled.get(source.id, {}), earlier, source)
    looked_at = {source.id for source in found}
    others = [source for source in before.sources if source.id not in looked_at]
    kept = (*before.changes, *changes)[-KEPT:]
    known = {item.id for item in kept}
    fresh = tuple(item.id for item in changes)
    state = State(
        taken=iso(now),
        sources=(*found, *others)[:_MOST_SOURCES],
        first_seen=first_seen,
        since=since,
        asked=memory,
        settled={name: items for name, items in settled.items() if items},
        late=overdue,
        changes=kept,
        owed={target: tuple(item for item in (*ids, *fresh) if item in known) for target, ids in before.owed.items()},
    )
    return Looked(_pruned(state), tuple(changes), tuple(begun))


def _digest(mirror: Mirror) -> str:
    """Of everything that decides which items there are; another one makes lists incomparable."""
    said = (mirror.kind, mirror.mirror, mirror.upstream, mirror.tags, mirror.projects, mirror.packages, mirror.job)
    return hashlib.sha256(repr(said).encode("utf-8", "replace")).hexdigest()[:16]


def _blank(source: MirrorSource) -> bool:
    """Whether a look found nothing because it could not: there is nothing to hold a later one against."""
    return not source.items and any(side.state != "ok" for side in source.sides if side.role != "news")


def _pruned(state: State) -> State:
    """Without what belongs to sources that are no longer kept."""
    names = {source.id for source in state.sources}

    def of(table: Mapping[str, _T]) -> dict[str, _T]:
        return {name: value for name, value in table.items() if name in names}

    return replace(
        state,
        first_seen=of(state.first_seen),
        since=of(state.since),
        asked=of(state.asked),
        settled=of(state.settled),
        late=of(state.late),
    )


def _seen(known: Mapping[str, str], source: MirrorSource, now: datetime) -> dict[str, str]:
    """When upstream was first seen to have each item; of too many, those that are still listed."""
    listed = {item.name: known.get(item.name, iso(now)) for item in source.items if upstream_has(item)}
    rest = {name: when for name, when in known.items() if name not in listed}
    room = max(0, _MOST_KNOWN - len(listed))
    return {**dict(list(rest.items())[-room:] if room else []), **listed}


def _settled(known: Mapping[str, str], earlier: MirrorSource | None, source: MirrorSource) -> dict[str, str]:
    """The last known states of items whose state is not known now."""
    last = {item.name: item.state for item in earlier.items} if earlier is not None else {}
    found = {}
    for item in source.items:
        if item.state == "unknown":
            state = last.get(item.name, "unknown")
            state = known.get(item.name, "") if state == "unknown" else state
            if state:
                found[item.name] = state
    return found


# -- one source --------------------------------------------------------------------------------------------------------


def _of_source(earlier: MirrorSource, source: MirrorSource, before: State, now: datetime) -> list[Change]:
    found = [*_of_sides(earlier, source, now)]
    if source.kind == "status":
        found += _of_jobs(earlier, source, now)
    else:
        found += _grouped(list(_of_items(earlier, source, before)), source, now)
    known = {(entry.link, entry.title) for entry in earlier.news}
    for entry in source.news:
        if (entry.link, entry.title) not in known:
            found.append(Change(iso(now), source.id, "news", entry.title, detail=entry.published, link=entry.link))
    return found


def _of_sides(earlier: MirrorSource, source: MirrorSource, now: datetime) -> Iterator[Change]:
    for side in source.sides:
        was = earlier.side(side.role)
        if was is None:
            continue
        at = side.address or side.role
        if was.state == "ok" != side.state:
            text = f"{_role(side)} cannot be asked: {side.state}"
            yield Change(iso(now), source.id, "unreachable", text, (side.role,), detail=side.detail)
        elif was.state != "ok" == side.state:
            yield Change(iso(now), source.id, "reachable", f"{_role(side)} can be asked again", (side.role,))
        elif side.state == "ok" and side.served_by != was.served_by and side.served_by:
            text = f"{_role(side)} sends its readers to {clean(side.served_by, 100)}"
            yield Change(iso(now), source.id, "served-by", text, (side.role,), detail=f"asked was {clean(at, 200)}")


def _role(side: MirrorSide) -> str:
    names = {"mirror": "the mirror", "upstream": "upstream", "wheels": "the index of wheels"}
    return names.get(side.role, f"the {side.role} page" if side.role == "status" else f"the {side.role}")


def _of_items(earlier: MirrorSource, source: MirrorSource, before: State) -> Iterator[tuple[str, MirrorItem, str]]:
    """Kind of change, the item, and the words for it."""
    known = before.first_seen.get(source.id, {})
    last = {item.name: item for item in earlier.items}
    settled = before.settled.get(source.id, {})
    for item in source.items:
        was = last.get(item.name)
        if item.state == "unknown" and not upstream_has(item):
            continue
        if was is None:
            if item.name not in known and upstream_has(item):
                yield "upstream-release", item, _holding(item.state)
            continue
        state = settled.get(item.name, was.state) if was.state == "unknown" else was.state
        change = _step(state, was, item)
        if change is not None:
            yield change[0], item, change[1]
    yield from _gone(earlier, source)


def _holding(state: str) -> str:
    words = {"same": "the mirror has it", "present": "the mirror lists it", "missing": "the mirror lacks it"}
    return words.get(state, f"on the mirror: {state}")


def _step(state: str, was: MirrorItem, item: MirrorItem) -> tuple[str, str] | None:
    """What it means that an item that was in ``state`` is as it is now."""
    if item.state == "unknown" or (item.as_of is not None and item.state == was.state):
        return None
    if item.state == "gone-upstream" != state:
        return "gone-upstream", "upstream has it no longer, the mirror still does"
    return _lost(state, item) or _moved(state, was, item) or _better(state, item)


def _lost(state: str, item: MirrorItem) -> tuple[str, str] | None:
    if {state, item.state} == {"present", "listed-not-held"}:
        # Nobody may have asked for it before, or now: only one of the two says more than the list.
        return ("incomplete", "the mirror lists it and does not give it") if state == "present" else None
    if state in (*_HELD, "differs", *_PARTLY) and item.state == "missing":
        return "lost", "the mirror has it no longer"
    if state in _HELD and item.state in _PARTLY:
        return "lost", f"on the mirror now: {item.state}"
    return None


def _moved(state: str, was: MirrorItem, item: MirrorItem) -> tuple[str, str] | None:
    if _other(was.upstream_digest, item.upstream_digest):
        followed = "the mirror follows" if item.state in _HELD else "the mirror has the old one"
        return "moved", f"upstream has another one now; {followed}"
    ours = state in _HELD and _other(was.mirror_digest, item.mirror_digest)
    if ours or (state == "same" and item.state == "differs"):
        return "moved", "the mirror has another one now"
    if state == "present" and item.state == "differs":
        return "differs", "compared for the first time, the mirror's is not upstream's"
    return None


def _better(state: str, item: MirrorItem) -> tuple[str, str] | None:
    if {state, item.state} == {"present", "listed-not-held"}:
        return None
    if state in _LACKING and item.state in _HELD:
        return "caught-up", f"it was {state}"
    if state == "missing" and item.state in (*_PARTLY, "differs"):
        return "incomplete", f"on the mirror: {item.state}"
    return None


def _other(was: str | None, now: str | None) -> bool:
    return was is not None and now is not None and was != now


def _gone(earlier: MirrorSource, source: MirrorSource) -> Iterator[tuple[str, MirrorItem, str]]:
    """Items that nobody lists any more; those that only fell off the end of a bounded list are none."""
    if any(side.state != "ok" for side in source.sides if side.role in ("mirror", "upstream")):
        return
    listed = {item.name for item in source.items}
    stays: set[str | None] = set()
    for item in reversed(earlier.items):  # the newest come first: what is older and still there is no end
        if item.name in listed:
            stays.add(item.project)
        elif item.project in stays and upstream_has(item):
            yield "gone-upstream", item, "upstream has it no longer, and the mirror does not have it"


def _of_jobs(earlier: MirrorSource, source: MirrorSource, now: datetime) -> Iterator[Change]:
    last = {item.name: item for item in earlier.items}
    for item in source.items:
        was = last.get(item.name)
        if was is None or item.as_of is not None:
            continue
        fails, failed = (one.sync in _FAILING or one.state == "missing" for one in (item, was))
        if fails and not failed:
            text = f"{item.name}: {item.sync or 'the page has no such job any more'}"
            detail = f"last success {item.mirrored or 'unknown'}"
            yield Change(iso(now), source.id, "sync-failed", text, (item.name,), detail=detail)
        elif failed and not fails and item.sync is not None:
            yield Change(iso(now), source.id, "sync-works", f"{item.name}: {item.sync}", (item.name,))


def _grouped(steps: Sequence[tuple[str, MirrorItem, str]], source: MirrorSource, now: datetime) -> Iterator[Change]:
    """Changes of one kind and with one meaning are told together: thirty packages of one release are one piece of news.

    Tags are told one by one as long as they are few.
    """
    groups: dict[tuple[str, str, str | None], list[MirrorItem]] = {}
    for kind, item, words in steps:
        version = item.version if source.kind in ("pypi", "apt") else item.name
        groups.setdefault((kind, words, version), []).append(item)
    if len(groups) > NAMES:
        every: dict[tuple[str, str, str | None], list[MirrorItem]] = {}
        for (kind, words, _), items in groups.items():
            every.setdefault((kind, words, None), []).extend(items)
        groups = every
    for (kind, words, _), items in groups.items():
        names = tuple(dict.fromkeys(clean(item.name, 200) for item in items))
        shown = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
        released = next((item.released for item in items if item.released), None)
        detail = items[0].detail or (f"released {released} by {items[0].released_by}" if released else None)
        yield Change(iso(now), source.id, kind, f"{shown}: {words}", names[:NAMES], len(names), detail)


def _of_lag(name: str, why: str | None, overdue: dict[str, str], now: datetime, *, first: bool) -> Iterator[Change]:
    """Whether a source came to be late, or is no longer; ``overdue`` is brought up to date."""
    if why is not None and name not in overdue:
        overdue[name] = iso(now)
        if not first:
            yield Change(iso(now), name, "late", clean(why, 300))
    elif why is None and name in overdue:
        since = overdue.pop(name)
        yield Change(iso(now), name, "in-time", f"no longer behind what the policy allows; it was since {since}")
