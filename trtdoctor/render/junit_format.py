"""JUnit XML: one test case for each finding, one for each thing that could not be judged.

A test fails exactly when what it stands for makes the exit code 1; what is waived or not judged is skipped.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trtdoctor.findings import ASKED, Report, Verdict
from trtdoctor.render.ci import About, canary_of, lines_of, notes_of, only_redacted, placed, unknown_line
from trtdoctor.text import harmless

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_STAGES = {"failed": "failure", "crashed": "error", "timed-out": "error", "skipped": "skipped"}
_NOT_XML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 forbids, or advises against."""


def render(report: Report, about: About | None = None) -> str:
    """One suite, in ASCII, with a final newline. Raises NotRedactedError."""
    from xml.etree.ElementTree import Element, SubElement, indent, tostring

    only_redacted(report)
    about = about or About()
    suites = Element("testsuites", name="trtdoctor")
    suite = SubElement(suites, "testsuite", name=f"trtdoctor {about.command}")
    _properties(suite, report)
    _stages(suite, report, about)
    _findings(suite, report, about)
    _unknowns(suite, report, about)
    if suite.find("testcase") is None:
        _case(suite, report.verdict.value, about.command, None)  # a suite without a test is an error to its readers
    notes = notes_of(report)
    if notes:
        SubElement(suite, "system-out").text = _text("\n".join(notes))
    for name, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(1 for _ in suite.iter(tag))))
    for name in ("tests", "failures", "errors"):
        suites.set(name, suite.get(name) or "0")
    indent(suites, " ")
    # Characters beyond ASCII become references: any terminal and any log takes them.
    text: bytes = tostring(suites, "us-ascii", xml_declaration=False)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text.decode("ascii")}\n'


def _properties(suite: Element, report: Report) -> None:
    from xml.etree.ElementTree import SubElement

    properties = SubElement(suite, "properties")
    for name, value in (
        ("verdict", report.verdict.value),
        ("goal", ",".join(report.goal)),
        ("program", report.program),
        ("matrix", report.matrix.version),
        ("as_of", report.as_of),
    ):
        SubElement(properties, "property", name=name, value=_text(harmless(value)))


def _findings(suite: Element, report: Report, about: About) -> None:
    from xml.etree.ElementTree import SubElement

    for item in placed(report, about):
        finding = item.finding
        case = _case(suite, f"{finding.code} {finding.name}", finding.code[:3], None)
        title, *rest = lines_of(finding)
        if finding.waived is not None:
            _outcome(case, "skipped", "waived", title, rest)
        elif item.fails:
            _outcome(case, "failure", finding.severity.value, title, rest)
        else:
            SubElement(case, "system-out").text = _text("\n".join([f"{finding.severity.value}: {title}", *rest]))


def _unknowns(suite: Element, report: Report, about: About) -> None:
    """What could not be judged: a failure only where that makes the exit code 1."""
    for unknown in report.unknowns:
        case = _case(suite, f"{unknown.component} judged", "unknown", None)
        counts = report.verdict is Verdict.UNKNOWN or unknown.component in ASKED
        fails = about.fail_on == "unknown" and counts
        _outcome(case, "failure" if fails else "skipped", "unknown", unknown_line(unknown), [])


def _stages(suite: Element, report: Report, about: About) -> None:
    """The stages of ``trtdoctor canary``, each a test with its time."""
    canary = canary_of(report, about)
    if canary is None:
        return
    for stage in canary.stages:
        case = _case(suite, stage.name, "stage", stage.seconds)
        outcome = _STAGES.get(stage.status)
        if outcome is not None:
            _outcome(case, outcome, stage.status, harmless(stage.detail or stage.status), [])
    if not canary.stages:
        reason = harmless(f"{canary.outcome}{f': {canary.reason}' if canary.reason else ''}")
        _outcome(_case(suite, "start", "stage", None), "error", canary.outcome, reason, [])


def _case(suite: Element, name: str, group: str, seconds: float | None) -> Element:
    from xml.etree.ElementTree import SubElement

    case = SubElement(suite, "testcase", name=_text(harmless(name)), classname=f"trtdoctor.{_text(group)}")
    if seconds is not None:
        case.set("time", f"{seconds:.3f}")
    return case


def _outcome(case: Element, tag: str, kind: str, message: str, rest: list[str]) -> None:
    from xml.etree.ElementTree import SubElement

    SubElement(case, tag, type=_text(kind), message=_text(message)).text = _text("\n".join(rest)) or None


def _text(text: str) -> str:
    """``text`` with characters that no XML document may hold taken out."""
    return _NOT_XML.sub("", text)
