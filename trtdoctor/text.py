"""Text from outside made safe to carry: no control characters, no bidirectional tricks, bounded length."""

from __future__ import annotations

import re

# C0 and C1 controls (tab and newline are turned into a space first), zero-width and bidirectional formatting
# characters, line and paragraph separators, lone surrogates, the byte-order mark.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_BREAKS = re.compile(r"[\t\r\n\x0b\x0c]+")
LONGEST = 4096
"""No single string that a Snapshot carries is longer (in characters)."""


def clean(text: str, longest: int = LONGEST) -> str:
    """``text`` on one line, without control or bidirectional characters, cut to ``longest`` characters."""
    if text.isascii() and text.isprintable() and len(text) <= longest:
        return text
    text = _UNSAFE.sub("", _BREAKS.sub(" ", text[: longest * 4]))
    return text if len(text) <= longest else text[: longest - 1] + "…"
