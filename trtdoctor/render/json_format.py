"""The report as JSON (``trtdoctor-report/1``)."""

from __future__ import annotations

from trtdoctor.findings import Report
from trtdoctor.text import as_json


def render(report: Report) -> str:
    """One object, one space deep and in ASCII (any terminal and any log takes it), with a final newline."""
    return as_json(report.to_plain())
