"""Two states of an environment beside each other: what changed, and what that means."""

from __future__ import annotations

from trtdoctor.diff.compare import SCHEMA, Diff, FindingChange, State, compare, only_new
from trtdoctor.diff.components import Change

__all__ = ["SCHEMA", "Change", "Diff", "FindingChange", "State", "compare", "only_new"]
