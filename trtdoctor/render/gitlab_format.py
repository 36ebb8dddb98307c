"""GitLab's Code Quality report: a JSON array that the merge request's widget reads."""

from __future__ import annotations

from typing import Any

from trtdoctor.findings import Report, Severity, Unknown, Verdict
from trtdoctor.render.ci import About, Placed, lines_of, only_redacted, placed, unknown_line
from trtdoctor.text import as_json

_SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "major", Severity.INFO: "info"}


def render(report: Report, about: About | None = None) -> str:
    """The array, in ASCII, with a final newline. Raises NotRedactedError."""
    only_redacted(report)
    about = about or About()
    issues = [_issue(item) for item in placed(report, about)]
    # GitLab has no word for what could not be judged: it is an issue too, so that an empty list means nothing is wrong.
    issues += [_open(item, report, about) for item in report.unknowns]
    return as_json(issues)


def _issue(item: Placed) -> dict[str, Any]:
    finding = item.finding
    title, *rest = lines_of(finding)
    waived = finding.waived is not None
    told = [line for line in rest if line.startswith("waived:" if waived else ("breaks:", "fix:"))]
    return {
        "type": "issue",
        "description": " ".join([f"{finding.code} {title}", *(f"[{line}]" for line in told)]),
        "check_name": finding.code,
        "fingerprint": item.fingerprint,
        "severity": "info" if waived else _SEVERITIES[finding.severity],
        "categories": ["Compatibility"],
        "location": {"path": item.file, "lines": {"begin": item.line or 1}},
    }


def _open(item: Unknown, report: Report, about: About) -> dict[str, Any]:
    import hashlib

    name = f"{about.command}\0{about.place}\0unknown\0{item.component}\0{item.needed}\0{item.why}"
    return {
        "type": "issue",
        "description": unknown_line(item),
        "check_name": "not-judged",
        "fingerprint": hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32],
        "severity": "minor" if report.verdict is Verdict.UNKNOWN else "info",
        "categories": ["Compatibility"],
        "location": {"path": about.place, "lines": {"begin": 1}},
    }
