"""Whether mirrors are what is asked about. Light, because every check imports it; no rule is registered here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtdoctor.rules.base import Context

if TYPE_CHECKING:
    from trtdoctor.rules.mirror_view import View

SUBJECT = "mirror"
"""The word of the goal when mirrors themselves are asked about; else only what is installed is held against them."""


def asked(context: Context) -> tuple[View, ...]:
    """Every source of the Snapshot; none, and nothing is worked out, where mirrors are not asked about."""
    if not context.snapshot.mirrors or SUBJECT not in context.goal:
        return ()
    from trtdoctor.rules.mirror_view import views

    return views(context)
