"""The report as JSON (``trtdoctor-report/1``)."""

from __future__ import annotations

import json

from trtdoctor.findings import Report


def render(report: Report) -> str:
    """One object, two spaces deep, with a final newline."""
    return json.dumps(report.to_plain(), indent=1, ensure_ascii=False) + "\n"
