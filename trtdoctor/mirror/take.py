"""Looks at every source at once, each bounded in time, so that none can hide, hang or bring down the others."""

from __future__ import annotations

import importlib
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from trtdoctor.config.mirrors import Mirror
from trtdoctor.matrix import Matrix
from trtdoctor.mirror.state import State
from trtdoctor.mirror_facts import MirrorItem, MirrorSide, MirrorSource
from trtdoctor.net.gates import ALTOGETHER, Gates
from trtdoctor.text import clean
from trtdoctor.times import iso, parse

if TYPE_CHECKING:
    from trtdoctor.net.http import Client

LOOKS = {
    "oci": "trtdoctor.mirror.oci",
    "pypi": "trtdoctor.mirror.pypi",
    "apt": "trtdoctor.mirror.apt",
    "status": "trtdoctor.mirror.status",
}
"""Kind to the module whose ``look`` knows it."""
SECONDS = 120.0
MOST_ITEMS = 20_000
"""No source carries more items; more would not be read again from a state."""
_GRACE = 2.0
"""Seconds after the deadline that a source may take to come back by itself, with what it has."""


class Look(Protocol):
    """The function ``look`` of a kind."""

    def __call__(
        self,
        mirror: Mirror,
        matrix: Matrix,
        client: Client,
        *,
        before: MirrorSource | None,
        now: datetime,
        environ: Mapping[str, str],
    ) -> MirrorSource:
        """What a source is found to hold; never raises for what a server does."""


def take(
    mirrors: Sequence[Mirror],
    matrix: Matrix,
    *,
    state: State | None,
    now: datetime,
    environ: Mapping[str, str],
    seconds: float = SECONDS,
    keep_answers: bool = True,
) -> tuple[MirrorSource, ...]:
    """What the enabled ones of ``mirrors`` are found to hold, in their order.

    ``state`` is what was found before; what is taken from it carries its time in ``as_of``. A source that crashes or
    does not end after ``seconds`` becomes one whose side is ``unreachable``, one that is configured wrongly one whose
    side is ``denied``; neither is raised. ``keep_answers``: whether answers with an ETag are kept in the user's cache.
    """
    asked = [mirror for mirror in mirrors if mirror.enabled]
    found: dict[int, MirrorSource] = {}
    ends = time.monotonic() + seconds
    known = {mirror.id: state.source(mirror.id) if state is not None else None for mirror in asked}
    gates = Gates(ALTOGETHER)  # many sources often have one host

    def work(number: int, mirror: Mirror) -> None:
        found[number] = _one(mirror, matrix, known[mirror.id], now, environ, seconds, gates, keep_answers=keep_answers)

    threads = [
        threading.Thread(target=work, args=(number, mirror), name=f"mirror {mirror.id}", daemon=True)
        for number, mirror in enumerate(asked)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, ends + _GRACE - time.monotonic()))
    _prune(environ)
    late = f"it did not end within {seconds:.0f} s"
    taken = []
    for number, mirror in enumerate(asked):
        source = found.get(number) or _failed(mirror, now, "unreachable", late)
        taken.append(_dated(_whole(source, mirror, known[mirror.id]), state, now))
    return tuple(taken)


def _one(
    mirror: Mirror,
    matrix: Matrix,
    before: MirrorSource | None,
    now: datetime,
    environ: Mapping[str, str],
    seconds: float,
    gates: Gates,
    *,
    keep_answers: bool,
) -> MirrorSource:
    """One source; whatever is raised becomes a side."""
    from trtdoctor.mirror import news
    from trtdoctor.net.cache import Cache
    from trtdoctor.net.http import Client

    try:
        directory = cache_directory(environ) if keep_answers else None
        kept = Cache(directory) if directory else None
        look: Look = importlib.import_module(LOOKS[mirror.kind]).look
        trusted: dict[str, Any] = {"verify": trust(mirror), "verify_at": usual_trust(mirror, matrix)}
        with Client(seconds, kept=kept, gates=gates, **trusted) as client:
            source = look(mirror, matrix, client, before=before, now=now, environ=environ)
            return news.added(source, mirror, matrix, client, before=before, now=now)
    except ValueError as error:  # CredentialsError and its like: what the user configured
        return _failed(mirror, now, "denied", str(error))
    except BaseException as error:  # in this thread even SystemExit is a defect, and no wish to end
        return _failed(mirror, now, "unreachable", f"a defect of trtdoctor's own: {type(error).__name__}: {error}")


def _failed(mirror: Mirror, now: datetime, state: str, detail: str) -> MirrorSource:
    role = "status" if mirror.kind == "status" else "mirror"
    side = MirrorSide(role=role, address=mirror.mirror, state=state, detail=clean(detail, 300))
    return MirrorSource(mirror.id, mirror.kind, mirror.upstream, mirror.mirror, iso(now), (side,))


# -- certificates ------------------------------------------------------------------------------------------------------


def trust(mirror: Mirror) -> bool | str:
    """How certificates are checked: by the site's own authorities, as usual, or not at all."""
    if not mirror.verify_tls:
        return False
    return mirror.ca_file or True


def usual_trust(mirror: Mirror, matrix: Matrix) -> dict[str, bool | str]:
    """The public hosts, which are checked as usual whatever holds for the site's own.

    A site's authority speaks for none of them, and who turns the check off for a mirror does not mean NVIDIA's
    registry.
    """
    if trust(mirror) is True:
        return {}
    usual: dict[str, bool | str] = {}
    for row in matrix.rows("mirrors", "upstreams"):
        host = urlsplit(row.text("address") or "").hostname
        if host:
            usual[".".join(host.split(".")[-2:])] = True
    if mirror.kind == "pypi" and mirror.upstream is None:
        from trtdoctor.matrix.pipindex import IndexUnreachableError, certificates, index_url

        try:
            host = urlsplit(index_url()).hostname
        except IndexUnreachableError:
            host = None
        if host:
            usual[host] = certificates()
    own = urlsplit(mirror.mirror).hostname
    return {name: value for name, value in usual.items() if own is None or own != name}


def cache_directory(environ: Mapping[str, str]) -> str | None:
    """Where answers are kept; None where the user has no cache directory."""
    named = environ.get("XDG_CACHE_HOME", "")
    home = environ.get("HOME", "")
    root = named if os.path.isabs(named) else os.path.join(home, ".cache") if os.path.isabs(home) else ""
    return os.path.join(root, "trtdoctor", "http") if root else None


def _prune(environ: Mapping[str, str]) -> None:
    """Let go of answers that are old, or too many."""
    from trtdoctor.net.cache import Cache

    directory = cache_directory(environ)
    if directory is not None:
        Cache(directory).prune()


# -- what is remembered ------------------------------------------------------------------------------------------------


def _whole(source: MirrorSource, mirror: Mirror, before: MirrorSource | None) -> MirrorSource:
    """With what was found before where nothing was found now, and not longer than a state can carry."""
    failed = [side for side in source.sides if side.state != "ok" and side.role != "news"]
    if failed and not source.items and before is not None and before.items:
        items = tuple(replace(item, as_of=item.as_of or before.checked) for item in before.items)
        note = f"what it has is from {before.checked}: it could not be asked now"
        source = replace(source, items=items, notes=(*source.notes, note), news=source.news or before.news)
    if len(source.items) > MOST_ITEMS:
        note = f"{len(source.items)} items: only the first {MOST_ITEMS} are told"
        source = replace(source, items=source.items[:MOST_ITEMS], notes=(*source.notes, note))
    if not mirror.verify_tls and not any(side.unverified for side in source.sides):
        sides = tuple(
            replace(side, unverified=True) if side.role in ("mirror", "status") else side for side in source.sides
        )
        source = replace(source, sides=sides)
    return source


def _dated(source: MirrorSource, state: State | None, now: datetime) -> MirrorSource:
    """With the time when upstream was first seen to have an item, where nothing better dates it.

    What was there at the first look may be as old as it likes, so that look dates nothing.
    """
    begun = parse(state.since.get(source.id)) if state is not None else None
    if state is None or begun is None:
        return source
    seen = state.first_seen.get(source.id, {})
    items = []
    for item in source.items:
        first = seen.get(item.name) or (iso(now) if upstream_has(item) else None)
        moment = parse(first)
        if item.released is None and moment is not None and moment > begun:
            items.append(replace(item, released=first, released_by="first seen"))
        else:
            items.append(item)
    return replace(source, items=tuple(items))


def upstream_has(item: MirrorItem) -> bool:
    """Whether upstream is known to have an item."""
    if item.state == "unknown":
        return item.upstream_digest is not None or item.released is not None
    return item.state not in ("extra", "gone-upstream")
