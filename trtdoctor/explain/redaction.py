"""An explanation that may be shown to others: without the log's own words."""

from __future__ import annotations

import re
from dataclasses import replace

from trtdoctor.explain.answer import Explanation, Match

_TELLING = re.compile(r"\d+(?:[._]\d+){0,6}|lib[a-z_A-Z]{1,40}(?:\.so(?:\.\d+){0,4})?")
"""Versions, numbers and names of libraries: all that is kept of what patterns took out of lines."""


def redact(found: Explanation) -> Explanation:
    """``found`` without lines, names of files and values that may be private. Its facts are of a redacted Snapshot."""
    hidden = found.asked.kind in ("file", "text")
    return replace(
        found,
        asked=replace(found.asked, what=None) if hidden else found.asked,
        matches=tuple(_redacted(match) for match in found.matches),
        unexplained=tuple(replace(item, text=None) for item in found.unexplained),
    )


def _redacted(match: Match) -> Match:
    kept = {name: value for name, value in match.versions.items() if _TELLING.fullmatch(value)}
    return replace(match, text=None, versions=kept, says=match.says if kept == match.versions else None)
