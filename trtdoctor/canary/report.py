"""What ``trtdoctor canary`` answers: one canary with what the rules say of it (``trtdoctor-canary/1``)."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from trtdoctor.findings import Finding, MatrixInfo, plain
from trtdoctor.record import record
from trtdoctor.snapshot import Canary, Snapshot

SCHEMA = "trtdoctor-canary/1"


@record
class CanaryReport:
    """One canary: how it went, stage by stage, and what that means."""

    canary: Canary
    findings: tuple[Finding, ...]
    """What the rules say of it; also what they said before, where the canary confirms it."""
    saved: str | None
    """Where the engine was written."""
    program: str
    matrix: MatrixInfo
    interpreter: dict[str, str | None] | None = field(default=None)
    facts: Snapshot | None = None
    """The Snapshot that it was judged with, which is no part of the JSON form; None when it was not judged."""

    @property
    def code(self) -> int:
        """The exit code: 0 passed, or stopped only for want of a GPU that nobody asked for; 1 failed; 2 not started."""
        return {"passed": 0, "not-started": 2}.get(self.canary.outcome, 1)

    def to_plain(self) -> dict[str, Any]:
        """The JSON form, as plain data: the fields of the canary, then the others."""
        return {
            "schema": SCHEMA,
            **plain(self.canary),
            "saved": self.saved,
            "findings": [plain(item) for item in self.findings],
            "program": self.program,
            "matrix": plain(self.matrix),
            "interpreter": self.interpreter,
        }
