"""What stands at the head of everything that is emitted, and comments that stay comments."""

from __future__ import annotations

import hashlib
import json

from trtdoctor.mirror.emit import EmitOptions
from trtdoctor.policy import Policy
from trtdoctor.record import values
from trtdoctor.text import clean, harmless

LICENCE = "NVIDIA's licence governs the redistribution of its files: who copies them for others is bound by it."
_MOST = 200
"""Characters of a comment: what stands behind a name is half a sentence."""


def policy_digest(policy: Policy) -> str:
    """Twelve hexadecimal digits that change when anything in the policy does."""
    fields = [[values(part) if hasattr(part, "subject") else part for part in _list(value)] for value in values(policy)]
    return hashlib.sha256(json.dumps(fields).encode("ascii")).hexdigest()[:12]


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, tuple) else [value]


def title(tool: str, options: EmitOptions) -> str:
    """Who made it, for which tool, under which policy; no date, so that the same items give the same text."""
    from trtdoctor import __version__

    return f"trtdoctor {__version__}: mirror sync-config --tool {tool}, policy {policy_digest(options.policy)}"


def comments(*lines: str) -> list[str]:
    """Lines behind ``#``, whatever is in them: one line each, no control characters, nothing that a CI system obeys."""
    return [f"# {harmless(clean(line, _MOST))}".rstrip() for line in lines]


def head(tool: str, options: EmitOptions, *notes: str, run: str = "") -> list[str]:
    """The first lines of a text: the title, the licence, how it is ``run``, and what must be known of the tool.

    ``run`` is a command of names that were checked; it is never cut.
    """
    return [*comments(title(tool, options), LICENCE), *([f"# {run}"] if run else []), *comments(*notes)]


def quoted(text: str) -> str:
    """A text as YAML and JSON both write it; a tag such as 26.10 is a number where it is not quoted."""
    return json.dumps(text)
