"""SARIF 2.1.0: what GitHub code scanning, Azure DevOps and editors read.

A waived finding is a suppressed result; what could not be judged is a notification of the run, never a result.
"""

from __future__ import annotations

from typing import Any

from trtdoctor.findings import Finding, Report, Severity, Verdict
from trtdoctor.render.ci import (
    About,
    Placed,
    lines_of,
    notes_of,
    one_line,
    only_redacted,
    placed,
    said_of,
    unknown_line,
)
from trtdoctor.text import as_json

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_HELP = ("Why it matters", "Example", "How to fix")


def render(report: Report, about: About | None = None) -> str:
    """One log with one run, in ASCII, with a final newline. Raises NotRedactedError."""
    only_redacted(report)
    about = about or About()
    found = placed(report, about)
    codes = list(dict.fromkeys(item.finding.code for item in found))
    run = {
        "tool": {
            "driver": {
                "name": "trtdoctor",
                "version": report.program,
                "semanticVersion": report.program,
                "rules": [_rule(next(item.finding for item in found if item.finding.code == code)) for code in codes],
            }
        },
        # One category for each command: a later upload of lint-deps does not close what check has found.
        "automationDetails": {"id": f"trtdoctor/{about.command}/"},
        "columnKind": "utf16CodeUnits",
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": _notifications(report),
            }
        ],
        "results": [_result(item, codes.index(item.finding.code)) for item in found],
        "properties": {
            "verdict": report.verdict.value,
            "goal": list(report.goal),
            "asOf": report.as_of,
            "matrix": report.matrix.version,
            "matrixDigest": report.matrix.digest,
        },
    }
    return as_json({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(finding: Finding) -> dict[str, Any]:
    from trtdoctor.ruledoc import sections_of
    from trtdoctor.rules import BY_CODE

    described: dict[str, Any] = {"id": finding.code, "name": finding.name}
    rule = BY_CODE.get(finding.code)
    if rule is None:
        return described
    sections = sections_of(rule)
    checks = one_line(sections["What it checks"])
    pages = [(title, sections[title]) for title in _HELP]
    more = f"trtdoctor rules {finding.code}"
    return {
        **described,
        "shortDescription": {"text": finding.name.replace("-", " ")},
        "fullDescription": {"text": checks},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "help": {
            "text": "\n\n".join([*(f"{title}:\n{body}" for title, body in pages), f"More: {more}"]),
            "markdown": "\n\n".join([*(f"**{title}**\n\n{body}" for title, body in pages), f"More: `{more}`"]),
        },
        "properties": {"tags": [finding.code[:3], *rule.components]},
    }


def _result(item: Placed, index: int) -> dict[str, Any]:
    finding = item.finding
    made: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": _message("\n".join(line for line in lines_of(finding) if not line.startswith("source:")))},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(item.file), "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": item.line or 1},
                },
                "logicalLocations": [{"name": name, "kind": "resource"} for name in finding.components],
            }
        ],
        "partialFingerprints": {
            # The name that GitHub looks for; the other one is what it stands for.
            "primaryLocationLineHash": f"{item.fingerprint[:16]}:1",
            "trtdoctor/v1": item.fingerprint,
        },
        "properties": {
            "name": finding.name,
            "facts": [text for label, text in said_of(finding) if label == "found"],
            "fix": [text for label, text in said_of(finding) if label == "fix"],
            "sources": [text for label, text in said_of(finding) if label == "source"],
        },
    }
    if finding.waived is not None:
        made["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": _message(one_line(finding.waived))}
        ]
    return made


def _notifications(report: Report) -> list[dict[str, Any]]:
    """What could not be judged, and what was not looked at."""
    level = "warning" if report.verdict is Verdict.UNKNOWN else "note"
    made = [{"level": level, "message": {"text": _message(unknown_line(item))}} for item in report.unknowns]
    return made + [{"level": "note", "message": {"text": _message(text)}} for text in notes_of(report)]


def _message(text: str) -> str:
    """A message string: braces are doubled (they hold places), and nothing in it is a link (``[text](target)``)."""
    return text.replace("{", "{{").replace("}", "}}").replace("](", "] (")


def _uri(file: str) -> str:
    from urllib.parse import quote

    return quote(file.encode("utf-8", "replace"))
