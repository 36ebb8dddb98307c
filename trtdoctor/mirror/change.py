"""What changed between two looks at mirrors, as plain data: made by ``watch``, kept by ``state``, told by the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from trtdoctor.record import record, values
from trtdoctor.text import clean

KINDS: Mapping[str, tuple[str, str]] = {
    "upstream-release": ("info", "upstream has something new"),
    "caught-up": ("info", "the mirror got what it lacked"),
    "incomplete": ("warning", "the mirror got something in part"),
    "lost": ("error", "the mirror lost something that upstream has"),
    "moved": ("warning", "a tag or a file is another one than before"),
    "differs": ("warning", "the mirror has something else by the name than upstream"),
    "gone-upstream": ("info", "upstream deleted something"),
    "late": ("error", "the mirror is further behind than the policy allows"),
    "in-time": ("info", "the mirror is no longer further behind than the policy allows"),
    "unreachable": ("unknown", "one side cannot be asked"),
    "reachable": ("info", "a side that could not be asked can be asked again"),
    "served-by": ("warning", "another host than before gives the answers"),
    "sync-failed": ("warning", "by the mirror's own word it does not sync"),
    "sync-works": ("info", "by the mirror's own word it syncs again"),
    "news": ("warning", "the mirror's news speak of what is looked at"),
}
"""Kind to how much it matters (``error``, ``warning``, ``unknown``, ``info``) and its meaning."""
NAMES = 20
"""A change names no more items than this one by one."""


@record
class Change:
    """One thing that is not as it was."""

    at: str = ""
    """When it was noticed."""
    source: str = ""
    """Id of the pair of upstream and mirror."""
    kind: str = ""
    """One of ``KINDS``."""
    text: str = ""
    """What happened, in one line, without the source."""
    names: tuple[str, ...] = ()
    """The items that it is about, at most ``NAMES``."""
    count: int = 1
    """How many items it is about."""
    detail: str | None = None
    link: str | None = None
    """Of a news entry."""

    @property
    def id(self) -> str:
        """The same for the same change however often it is told: 32 hexadecimal digits."""
        return hashlib.sha256("\0".join(map(repr, values(self))).encode("utf-8", "replace")).hexdigest()[:32]

    @property
    def weight(self) -> str:
        """``error``, ``warning``, ``unknown`` or ``info``."""
        return KINDS.get(self.kind, ("info", ""))[0]

    def to_plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "id": self.id,
            "at": self.at,
            "source": self.source,
            "kind": self.kind,
            "weight": self.weight,
            "text": self.text,
            "names": list(self.names),
            "count": self.count,
            "detail": self.detail,
            "link": self.link,
        }


def of_plain(document: Any) -> Change | None:
    """A change from JSON, bounded and cleaned; None for what is none."""
    if not isinstance(document, dict):
        return None
    said = {name: document.get(name) for name in ("at", "source", "kind", "text", "detail", "link")}
    texts = {name: clean(value, 1000) for name, value in said.items() if isinstance(value, str)}
    names, count = document.get("names"), document.get("count")
    found = Change(
        **texts,
        names=tuple(clean(name, 300) for name in names if isinstance(name, str))[:NAMES]
        if isinstance(names, list)
        else (),
        count=count if isinstance(count, int) and 0 < count < 1 << 31 else 1,
    )
    return found if found.kind and found.text else None
