"""Times as facts carry them (ISO 8601 in UTC, to the second), and as servers write them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from trtdoctor.lazyre import pattern

_FRACTION = pattern(r"[.,]\d+(?=\D|$)")
_EARLIEST, _LATEST = 946684800, 4102444800
"""The years 2000 to 2100: what lies outside was never a time (a Go program's zero is one)."""


def iso(moment: datetime) -> str:
    """``2026-11-22T19:05:11Z``."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def of_unix(value: Any) -> str | None:
    """A time from seconds since 1970, a number or its digits; None for zero, for less, and for what is none."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not _EARLIEST <= value <= _LATEST:
        return None
    return iso(datetime.fromtimestamp(int(value), timezone.utc))


def parse(text: str | None) -> datetime | None:
    """A moment from ISO 8601, or a mere date; without an offset it is UTC. None for anything else."""
    if not text or len(text) > 40:
        return None
    text = _FRACTION.sub("", text)  # nanoseconds, which Python 3.10 cannot read
    try:
        found = datetime.fromisoformat(text.strip().replace("Z", "+00:00").replace("z", "+00:00"))
    except ValueError:
        return None
    if found.tzinfo is None:
        found = found.replace(tzinfo=timezone.utc)
    return found if 1970 < found.year < 9000 else None


def days_between(earlier: datetime, later: datetime) -> float:
    """Days, negative where ``later`` is earlier."""
    return (later - earlier) / timedelta(days=1)
