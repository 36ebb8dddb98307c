"""The feed of a mirror site's news: entries that speak of the removal or the rest of what is looked at.

Never a measure of lag: such feeds hold a handful of posts and know nothing of syncs.
"""

from __future__ import annotations

import calendar
import io
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from trtdoctor.config.mirrors import Mirror
from trtdoctor.matrix import Matrix
from trtdoctor.matrix.mirrors import news_words, site_of
from trtdoctor.mirror.status import refusal
from trtdoctor.mirror_facts import MirrorNews, MirrorSide, MirrorSource
from trtdoctor.net.http import Client, NetError
from trtdoctor.net.words import host_of, without_addresses
from trtdoctor.text import clean
from trtdoctor.times import iso

MOST_BYTES = 1 << 20
"""feedparser needs six seconds at most for the worst of this length that could be thought of (measured)."""
MOST_ENTRIES = 200
MOST_KEPT = 20
_SPOKEN_OF = 20_000
"""So many characters of an entry are looked through."""
OLDEST = timedelta(days=400)
"""Older posts are history."""


def address_of(mirror: Mirror, matrix: Matrix) -> str | None:
    """The feed that is to be asked: the one that the user names, or the known one at the very host that he named."""
    if mirror.news:
        return mirror.news
    site = site_of(matrix, mirror.mirror) if mirror.kind == "status" else None
    return site.news if site and site.news and host_of(site.news) == host_of(mirror.mirror) else None


def added(
    source: MirrorSource, mirror: Mirror, matrix: Matrix, client: Client, *, before: MirrorSource | None, now: datetime
) -> MirrorSource:
    """``source`` with the side ``news`` and the entries that matter; as it is where there is no feed to ask.

    Never raises for what a server does. A feed that cannot be read leaves the entries as they were ``before``.
    """
    address = address_of(mirror, matrix)
    if address is None:
        return source
    side = MirrorSide(role="news", address=address)
    if not mirror.verify_tls and host_of(address) == host_of(mirror.mirror):
        side = replace(side, unverified=True)
    kept = before.news if before is not None else ()
    accept = "application/atom+xml, application/rss+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.1"
    try:
        answer = client.get(address, most=MOST_BYTES, accept=accept, keep=True)
    except NetError as error:
        side = replace(side, state=error.kind, detail=clean(without_addresses(str(error)), 300))
        return replace(source, sides=(*source.sides, side), news=kept, requests=client.requests)
    side = replace(side, served_by=answer.host if answer.redirected else None)
    if answer.status != 200:
        state, detail = refusal(answer)
        side = replace(side, state=state, detail=detail)
        return replace(source, sides=(*source.sides, side), news=kept, requests=client.requests)
    entries = read(answer.body, answer.headers.get("content-type", ""))
    if entries is None:
        side = replace(side, state="other-kind", detail=f"no feed: {clean(answer.kind, 40) or 'of no type'}")
        return replace(source, sides=(*source.sides, side), news=kept, requests=client.requests)
    words = [word for name in (mirror.job, *mirror.projects) if name for word in (name, name.replace("-", " "))]
    found = matters(entries, matrix, words, now=now)
    return replace(source, sides=(*source.sides, side), news=found, requests=client.requests)


def read(body: bytes, content_type: str = "") -> list[dict[str, Any]] | None:
    """The entries of a feed (``title``, ``text``, ``published``, ``link``), of any kind; None for no feed."""
    import feedparser

    headers = {"content-type": content_type} if content_type.isascii() else {}
    try:
        # As a stream: a mere string it would take for an address or the name of a file.
        parsed = feedparser.parse(
            io.BytesIO(body), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
        )
    except Exception:  # whatever it falls over, the feed is none
        return None
    if not parsed.get("version") and not parsed.get("entries"):
        return None
    return [_entry(entry) for entry in parsed["entries"][:MOST_ENTRIES]]


def _entry(entry: Any) -> dict[str, Any]:
    """Plain values of an entry; a feed may hold anything in any field."""

    def get(name: str) -> Any:
        return dict.get(entry, name)  # feedparser's own get answers for other keys too, and warns of it

    content = get("content")
    texts = [_text(get("summary"))]
    texts += [_text(part.get("value")) for part in content[:5] if isinstance(part, dict)] if content else []
    link = _text(get("link"))
    moment = get("published_parsed") or get("updated_parsed")
    try:
        published = iso(datetime.fromtimestamp(calendar.timegm(moment), timezone.utc)) if moment else None
    except (ValueError, OverflowError, OSError, TypeError):
        published = None
    return {
        "title": _text(get("title"))[:500],
        "text": " ".join(texts)[:_SPOKEN_OF],
        "published": published,
        "link": link if link.startswith(("https://", "http://")) and len(link) <= 1000 else None,
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def matters(
    entries: Iterable[dict[str, Any]], matrix: Matrix, more: Iterable[str], *, now: datetime
) -> tuple[MirrorNews, ...]:
    """The entries whose title speaks of a removal, a rest or a return, and that are about what is looked at.

    That is: about a subject of the matrix or one of the words ``more``, anywhere; or about the site itself, by title.
    """
    topics = _any_of(word for words in news_words(matrix, "topic").values() for word in words)
    subjects = _any_of([*(word for words in news_words(matrix, "subject").values() for word in words), *more])
    sites = _any_of(word for words in news_words(matrix, "site").values() for word in words)
    oldest = iso(now - OLDEST)
    found = []
    for entry in entries:
        title, text = entry["title"], entry["text"]
        if entry["published"] is not None and entry["published"] < oldest:
            continue
        if topics.search(title) and (subjects.search(f"{title} {text}") or sites.search(title)):
            link = clean(entry["link"], 1000) if entry["link"] else None
            found.append(MirrorNews(clean(title, 300), entry["published"], link))
    return tuple(found[:MOST_KEPT])


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """Any of some words; those of Latin letters only where no other Latin letter touches them (``移除PyPI镜像``)."""
    known = dict.fromkeys(word for word in words if word)
    parts = [
        rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])" if word.isascii() else re.escape(word) for word in known
    ]
    return re.compile("|".join(parts) or r"(?!)", re.IGNORECASE)
