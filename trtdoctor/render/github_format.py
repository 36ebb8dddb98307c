"""Workflow commands of GitHub Actions: one annotation for each finding and each thing that could not be judged.

Values are escaped by GitHub's rules: ``%``, CR and LF in messages, ``:`` and ``,`` too in properties.
"""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.findings import Report, Severity, Verdict
from trtdoctor.render.ci import About, headline, lines_of, notes_of, one_line, only_redacted, placed, unknown_line

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
_LONGEST = 4000
"""Characters of one message; GitHub cuts it at 64 KiB."""


def render(report: Report, about: About | None = None) -> str:
    """The verdict as a plain line, then the annotations from worst to mildest. Raises NotRedactedError."""
    only_redacted(report)
    return "".join(f"{line}\n" for line in _lines(report, about or About()))


def _lines(report: Report, about: About) -> Iterator[str]:
    yield headline(report, about)
    for item in placed(report, about):
        finding = item.finding
        waived = finding.waived is not None
        properties = {"title": f"{finding.code} {finding.name}{' (waived)' if waived else ''}"}
        if item.line is not None:
            properties |= {"file": item.file, "line": str(item.line)}
        lines = lines_of(finding)
        yield _command("notice" if waived else _COMMANDS[finding.severity], properties, lines[:2] if waived else lines)
    for unknown in report.unknowns:
        command = "warning" if report.verdict is Verdict.UNKNOWN else "notice"
        yield _command(command, {"title": "not judged"}, [unknown_line(unknown)])
    notes = notes_of(report)
    if notes:
        yield _command("notice", {"title": "not looked at"}, notes)


def _command(name: str, properties: dict[str, str], lines: list[str]) -> str:
    text = "\n".join(lines)
    message = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "\u2026"
    said = ",".join(f"{key}={escape_property(value)}" for key, value in properties.items())
    return f"::{name} {said}::{escape_data(message)}"


def escape_data(text: str) -> str:
    """``text`` as the message of a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """``text`` as the value of a property; ``##`` begins a command of the older kind wherever it stands."""
    single = one_line(text).replace("##", "# #").replace("##", "# #")
    return escape_data(single).replace(":", "%3A").replace(",", "%2C")
