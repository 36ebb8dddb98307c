"""Status pages of mirror sites, read into one form: tunasync's, mirrorz's and yuki's JSON.

Shapes: tunasync ``internal/status_web.go`` at 6be7eeb, mirrorz README of format 1.7 at 96050b6, yuki's
``/api/v1/metas`` as mirrorz-parser's ``ustclug-v1.js`` at dbbb9a0 reads it. No site was asked live for this.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from trtdoctor.lazyre import pattern
from trtdoctor.record import record
from trtdoctor.text import clean
from trtdoctor.times import iso, of_unix

MOST_JOBS = 5000
"""No more jobs of a page are read."""


class PageError(ValueError):
    """What was read is no status page; the message is half a line."""


@record
class Job:
    """One mirror of a site, as its status page has it."""

    name: str
    sync: str = "unknown"
    """One of ``mirror_facts.SYNCS``."""
    word: str | None = None
    """The page's own word where that is not known."""
    succeeded: str | None = None
    """When it last got everything."""
    tried: str | None = None
    scheduled: str | None = None
    upstream: str | None = None


@record
class Page:
    """A status page."""

    format: str
    """``tunasync``, ``mirrorz`` or ``yuki``."""
    jobs: tuple[Job, ...]
    notes: tuple[str, ...] = ()


def read(document: Any) -> Page:
    """A page from its JSON, the format told by its content. Raises :class:`PageError`."""
    if isinstance(document, dict) and isinstance(document.get("mirrors"), list):
        return _mirrorz(document)
    if not isinstance(document, list):
        raise PageError("it is JSON, and no list of mirrors")
    rows = [row for row in document[:MOST_JOBS] if isinstance(row, dict) and isinstance(row.get("name"), str)]
    notes = _cut(len(document))
    if any("lastSuccess" in row or "exitCode" in row for row in rows):
        return Page("yuki", tuple(_yuki(row) for row in rows if row["name"]), notes)
    if any("last_update_ts" in row or "last_update" in row or isinstance(row.get("status"), str) for row in rows):
        return Page("tunasync", tuple(_tunasync(row) for row in rows if row["name"]), notes)
    if not document:
        raise PageError("it is an empty list")
    raise PageError("it is a list of something else than mirrors")


def _cut(number: int) -> tuple[str, ...]:
    return (f"{number} jobs: only the first {MOST_JOBS} were read",) if number > MOST_JOBS else ()


# -- tunasync ----------------------------------------------------------------------------------------------------------

_TUNASYNC = {
    "success": "success",
    "syncing": "syncing",
    "pre-syncing": "pending",
    "failed": "failed",
    "fail": "failed",
    "paused": "paused",
    "disabled": "disabled",
    "none": "unknown",
    "unknown": "unknown",
    "cache": "cache",  # NJU's addition.json
}


def _tunasync(row: dict[str, Any]) -> Job:
    word = row.get("status")
    sync = _TUNASYNC.get(word) if isinstance(word, str) else None
    return Job(
        name=clean(row["name"], 200),
        sync=sync or "unknown",
        word=clean(word, 40) if sync is None and isinstance(word, str) else None,
        succeeded=_moment(row, "last_update"),
        tried=_moment(row, "last_ended") or _moment(row, "last_started"),
        scheduled=_moment(row, "next_schedule"),
        upstream=_address(row),
    )


def _moment(row: dict[str, Any], name: str) -> str | None:
    """``last_update_ts``, else ``last_update`` as text: ``2026-11-22 19:05:11 +0800``; a year 1 was never."""
    stamp = row.get(f"{name}_ts")
    if stamp is not None:
        return of_unix(stamp)
    text = row.get(name)
    if not isinstance(text, str) or len(text) > 40:
        return None
    try:
        found = datetime.strptime(text.strip(), "%Y-%m-%d %H:%M:%S %z")
    except ValueError:
        return None
    return of_unix(found.timestamp()) and iso(found)


def _address(row: dict[str, Any]) -> str | None:
    text = row.get("upstream")
    return clean(text, 200) or None if isinstance(text, str) else None


# -- mirrorz -----------------------------------------------------------------------------------------------------------

_STATUS = pattern(r"([A-Z])(\d{1,12})?((?:[A-Z](?:\d{1,12})?){0,8})", re.ASCII)
_PART = pattern(r"([A-Z])(\d{1,12})?", re.ASCII)
_LETTERS = {
    "S": "success",
    "D": "pending",
    "Y": "syncing",
    "F": "failed",
    "P": "paused",
    "C": "cache",
    "R": "proxy",
    "U": "unknown",
}


def _mirrorz(document: dict[str, Any]) -> Page:
    rows = document["mirrors"]
    found = [row for row in rows[:MOST_JOBS] if isinstance(row, dict) and isinstance(row.get("cname"), str)]
    if rows and not found:
        raise PageError("it has a list of mirrors without names")
    site = document.get("site")
    off = isinstance(site, dict) and site.get("disable") is True
    notes = (*_cut(len(rows)), *(("the site says of itself that it is out of service",) if off else ()))
    return Page("mirrorz", tuple(_one_of_mirrorz(row, off) for row in found if row["cname"]), notes)


def _one_of_mirrorz(row: dict[str, Any], off: bool) -> Job:
    text = row.get("status")
    match = _STATUS.fullmatch(text) if isinstance(text, str) and len(text) <= 120 else None
    letter, stamp, rest = match.groups() if match else ("", None, "")
    more: dict[str, str] = dict(_PART.findall(rest))
    sync = _LETTERS.get(letter)
    moment = of_unix(stamp) if stamp else None
    old = of_unix(more.get("O") or None)
    return Job(
        name=clean(row["cname"], 200),
        sync="disabled" if off or row.get("disable") is True else sync or "unknown",
        word=clean(text, 40) if sync is None and isinstance(text, str) else None,
        succeeded=moment if letter == "S" else old,
        tried=moment if letter in ("S", "F") else None,
        scheduled=of_unix(more.get("X") or None),
        upstream=_address(row),
    )


# -- yuki --------------------------------------------------------------------------------------------------------------


def _yuki(row: dict[str, Any]) -> Job:
    scheduled, code = row.get("nextRun"), row.get("exitCode")
    if isinstance(scheduled, (int, float)) and not isinstance(scheduled, bool) and scheduled < 0:
        sync = "paused"
    elif row.get("syncing") is True:
        sync = "syncing"
    elif isinstance(code, int) and not isinstance(code, bool):
        sync = "success" if code == 0 else "failed"
    else:
        sync = "unknown"
    return Job(
        name=clean(row["name"], 200),
        sync=sync,
        succeeded=of_unix(row.get("lastSuccess")),
        tried=of_unix(row.get("prevRun")),
        scheduled=of_unix(scheduled),
        upstream=_address(row),
    )
