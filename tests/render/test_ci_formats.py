"""SARIF, JUnit, GitHub, GitLab, Markdown: each held against its schema or read by a real consumer."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest
import xmlschema
from hypothesis import given
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped
from markdown_it import MarkdownIt

from tests.conftest import AS_OF, ROOT, SNAPSHOTS
from trtdoctor.declared import environment_of, snapshot_of
from trtdoctor.findings import Report, Severity, Verdict
from trtdoctor.judge import judge
from trtdoctor.matrix import Matrix
from trtdoctor.redaction import redact
from trtdoctor.render import CI_FORMATS, render
from trtdoctor.render.ci import PLACE, About, NotRedactedError, repository_name
from trtdoctor.render.github_format import escape_data, escape_property
from trtdoctor.render.markdown_format import inline
from trtdoctor.snapshot import ProbeOutcome, Snapshot

SCHEMAS = ROOT / "tests" / "data" / "schemas"
RECORDED = (
    "h200-trt853-no-sublibraries",
    "h200",
    "two-cudnn",
    "bindings-only",
    "no-gpu",
    "two-flavours",
    "h200-hidden",
)
THRESHOLDS = ("error", "warning", "unknown", "never")
ESCAPED = st.lists(
    st.sampled_from(("%", "%0A", "%25", "%3A", "0A", ":", ",", "\r\n", "##[", "a", " ")), max_size=9
).map("".join)
MARKED = st.lists(
    st.sampled_from(
        ("<b>", "</b>", "<!--", "&lt;", "`", "``", "*", "**", "_", "~~", "|", "\\", "[", "](", ")", "!", "a", " ")
    )
    | st.sampled_from(
        ("https://x.example", "#", "@a", "$", "<https://x>", "a_b_c", "&#60;", "- ", "1. ", "=", "{x}", "^")
    ),
    max_size=12,
).map("".join)
GITLAB = {
    # As GitLab documents the format; its own schema asks for less.
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "pattern": "^[^/]"},
                    "lines": {"type": "object", "required": ["begin"], "properties": {"begin": {"minimum": 1}}},
                },
            },
        },
    },
}


@cache
def sarif_schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SCHEMAS / "sarif-2.1.0-rtm.5.json").read_text("utf-8"))
    return loaded


@cache
def junit_schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(str(SCHEMAS / "junit-10.xsd"))


def recorded(name: str, matrix: Matrix) -> Report:
    found = Snapshot.from_json((SNAPSHOTS / f"{name}.json").read_bytes())
    return judge(redact(found), matrix, as_of=AS_OF)


def stated(matrix: Matrix, *settings: str, **more: Any) -> Report:
    return judge(redact(snapshot_of(environment_of(settings))), matrix, as_of=AS_OF, **more)


def waived(report: Report, code: str) -> Report:
    """The report, one of its findings waived: what the configuration's waivers do."""
    findings = tuple(
        replace(item, waived="known, until 2027-01-01") if item.code == code else item for item in report.findings
    )
    return replace(report, findings=findings)


def run_of(report: Report, about: About | None = None) -> dict[str, Any]:
    log = json.loads(render(report, "sarif", about=about))
    jsonschema.Draft4Validator(sarif_schema()).validate(log)
    (run,) = log["runs"]
    assert isinstance(run, dict)
    return run


def cases_of(report: Report, about: About | None = None) -> JUnitXml:
    text = render(report, "junit", about=about)
    junit_schema().validate(io.StringIO(text))
    return JUnitXml.fromstring(text.encode())


# -- every format ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CI_FORMATS)
def test_an_open_report_is_refused(kind: str, matrix: Matrix) -> None:
    found = Snapshot.from_json((SNAPSHOTS / "h200.json").read_bytes())
    report = judge(replace(found, redacted=False), matrix, as_of=AS_OF)
    with pytest.raises(NotRedactedError):
        render(report, kind)


@pytest.mark.parametrize("kind", CI_FORMATS)
@pytest.mark.parametrize("name", RECORDED)
def test_every_finding_is_told_once_in_every_format(name: str, kind: str, matrix: Matrix) -> None:
    report = recorded(name, matrix)
    text = render(report, kind)
    assert text == render(report, kind)
    assert text.endswith("\n")
    for finding in report.findings:
        assert finding.code in text
    if kind == "gitlab":
        assert len(json.loads(text)) == len(report.findings) + len(report.unknowns)
    elif kind == "sarif":
        assert len(json.loads(text)["runs"][0]["results"]) == len(report.findings)
    elif kind == "github":
        assert len(re.findall(r"^::(?:error|warning|notice) title=[A-Z]{3}\d{3} ", text, re.MULTILINE)) == len(
            report.findings
        )
    elif kind == "markdown":
        assert len(re.findall(r"^- \*\*(?:error|warning|info) [A-Z]{3}\d{3}\*\*", text, re.MULTILINE)) == len(
            report.findings
        )
    else:
        assert len(re.findall(r'<testcase name="[A-Z]{3}\d{3} ', text)) == len(report.findings)


# -- SARIF -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECORDED)
def test_sarif_follows_its_schema_and_what_github_asks_for(name: str, matrix: Matrix) -> None:
    report = recorded(name, matrix)
    run = run_of(report)
    rules = run["tool"]["driver"]["rules"]
    for result, finding in zip(run["results"], report.findings, strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == finding.code
        assert result["level"] == {"error": "error", "warning": "warning", "info": "note"}[finding.severity.value]
        (location,) = result["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"] == PLACE
        assert location["physicalLocation"]["region"]["startLine"] == 1
        assert [item["name"] for item in location["logicalLocations"]] == list(finding.components)
        for fix in finding.fix:
            assert any(fix.text in said for said in result["properties"]["fix"])
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert "How to fix" in rule["help"]["markdown"]
        assert f"trtdoctor rules {rule['id']}" in rule["help"]["text"]
    fingerprints = [json.dumps(result["partialFingerprints"]) for result in run["results"]]
    assert len(set(fingerprints)) == len(fingerprints)
    assert run["invocations"][0]["executionSuccessful"] is True


def test_a_fingerprint_outlives_a_version_but_not_the_defect(matrix: Matrix) -> None:
    def prints(*settings: str) -> dict[str, str]:
        run = run_of(stated(matrix, "gpu=GeForce RTX 5090", *settings))
        return {item["ruleId"]: item["partialFingerprints"]["trtdoctor/v1"] for item in run["results"]}

    older, newer = prints("tensorrt=10.6.0", "cuda=12.6"), prints("tensorrt=10.7.0", "cuda=12.6")
    assert older["GPU201"] == newer["GPU201"]
    assert older["GPU201"] != older["TRT601"]
    run = run_of(stated(matrix, "gpu=GeForce RTX 5090", "tensorrt=10.7.0"), About(place="other.json"))
    other = next(item for item in run["results"] if item["ruleId"] == "GPU201")
    assert other["partialFingerprints"]["trtdoctor/v1"] != newer["GPU201"]


def test_a_waived_finding_is_a_suppression(matrix: Matrix) -> None:
    run = run_of(waived(recorded("h200-trt853-no-sublibraries", matrix), "DNN106"))
    (result,) = (item for item in run["results"] if item["ruleId"] == "DNN106")
    assert result["suppressions"] == [
        {"kind": "external", "status": "accepted", "justification": "known, until 2027-01-01"}
    ]
    assert all("suppressions" not in item for item in run["results"] if item["ruleId"] != "DNN106")


def test_what_is_not_judged_is_no_result_and_is_not_lost(matrix: Matrix) -> None:
    report = stated(matrix, "tensorrt=10.9.0.34")
    assert report.verdict is Verdict.UNKNOWN
    (invocation,) = run_of(report)["invocations"]
    said = {item["message"]["text"].split(":")[0]: item["level"] for item in invocation["toolExecutionNotifications"]}
    assert said["driver"] == said["gpu"] == "warning"
    blind = judge(redact(Snapshot(probes=(ProbeOutcome("python", "failed", "secret"),))), matrix, as_of=AS_OF)
    (invocation,) = run_of(blind)["invocations"]
    told = [item["message"]["text"] for item in invocation["toolExecutionNotifications"]]
    assert "probe python failed" in told


def test_a_message_holds_no_placeholder_and_no_link(matrix: Matrix) -> None:
    name = "{0} [here](https://evil.example)"
    run = run_of(stated(matrix, f"gpu={name},cc=12.0", "tensorrt=10.7.0"))
    (text,) = (item["message"]["text"] for item in run["results"] if item["ruleId"] == "GPU201")
    assert "{{0}} [here] (https://evil.example)" in text


def test_a_file_with_odd_signs_is_an_address(matrix: Matrix) -> None:
    place = "a b/ü%[1].json"
    run = run_of(stated(matrix, "gpu=GeForce RTX 5090", "tensorrt=10.7.0"), About(place=place))
    uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert re.fullmatch(r"[\w./%-]+", uri, re.ASCII)
    assert unquote(uri) == place


# -- JUnit -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fail_on", THRESHOLDS)
@pytest.mark.parametrize("name", RECORDED)
def test_junit_fails_exactly_when_the_command_does(name: str, fail_on: str, matrix: Matrix) -> None:
    report = recorded(name, matrix)
    (suite,) = cases_of(report, About(fail_on=fail_on))
    results = [result for case in suite for result in case.result]
    assert (suite.failures + suite.errors > 0) is report.fails(fail_on)
    assert suite.tests == len(list(suite)) == max(1, len(report.findings) + len(report.unknowns))
    assert suite.failures == sum(isinstance(result, Failure) for result in results)
    assert suite.skipped == sum(isinstance(result, Skipped) for result in results)


@pytest.mark.parametrize("fail_on", THRESHOLDS)
def test_an_unknown_verdict_fails_where_it_counts(fail_on: str, matrix: Matrix) -> None:
    report = stated(matrix, "tensorrt=10.9.0.34")
    (suite,) = cases_of(report, About(fail_on=fail_on))
    assert (suite.failures > 0) is (fail_on == "unknown") is report.fails(fail_on)
    assert suite.skipped == (0 if fail_on == "unknown" else len(report.unknowns))


def test_a_waived_finding_is_skipped_with_its_reason(matrix: Matrix) -> None:
    (suite,) = cases_of(waived(recorded("h200-trt853-no-sublibraries", matrix), "DNN106"))
    (case,) = (case for case in suite if case.name.startswith("DNN106"))
    (result,) = case.result
    assert isinstance(result, Skipped)
    assert "known, until 2027-01-01" in (result.text or "")
    assert suite.failures == 0


def test_a_clean_report_has_a_test_that_passes(matrix: Matrix) -> None:
    report = replace(recorded("h200", matrix), findings=(), unknowns=(), verdict=Verdict.READY)
    (suite,) = cases_of(report)
    assert [(case.name, case.is_passed) for case in suite] == [("ready", True)]


def test_every_stage_of_a_canary_is_a_test_with_its_time(matrix: Matrix) -> None:
    from trtdoctor.snapshot import Canary, CanaryStage

    stages = (
        CanaryStage("import", "passed", 0.25),
        CanaryStage("build", "crashed", 1.5, "signal 11 in <libnvinfer> & more"),
        CanaryStage("run", "skipped", None, "build crashed"),
    )
    found = redact(Snapshot(canaries=(Canary(outcome="crashed", stages=stages),)))
    report = replace(judge(found, matrix, as_of=AS_OF), findings=(), unknowns=())
    (suite,) = cases_of(report, About("canary"))
    assert [(case.name, case.time) for case in suite] == [("import", 0.25), ("build", 1.5), ("run", None)]
    kinds = [[type(result) for result in case.result] for case in suite]
    assert kinds == [[], [Error], [Skipped]]
    assert "| build | crashed | 1.500 |" in render(report, "markdown", about=About("canary"))


@given(st.text(max_size=60))
def test_any_text_is_xml(text: str) -> None:
    from xml.etree import ElementTree as ET

    from trtdoctor.render.junit_format import _text

    kept = _text(text)
    ET.fromstring(ET.tostring(ET.Element("a", b=kept)))
    assert [sign for sign in text if sign.isalnum() and sign not in kept] == []


# -- GitHub ------------------------------------------------------------------------------------------------------------


def read_command(line: str) -> tuple[str, dict[str, str], str]:
    """One workflow command as GitHub's runner takes it apart: split first, then unescape, ``%25`` last."""
    head, _, data = line[2:].partition("::")
    name, _, said = head.partition(" ")
    properties = dict(pair.split("=", 1) for pair in said.split(",") if pair)
    for sign, code in (("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C"), ("%", "%25")):
        properties = {key: value.replace(code, sign) for key, value in properties.items()}
    for sign, code in (("\r", "%0D"), ("\n", "%0A"), ("%", "%25")):
        data = data.replace(code, sign)
    return name, properties, data


@pytest.mark.parametrize("name", RECORDED)
def test_annotations_are_read_back_by_the_runners_rules(name: str, matrix: Matrix) -> None:
    report = recorded(name, matrix)
    headline, *lines = render(report, "github").splitlines()
    assert headline.startswith(f"trtdoctor check: {report.verdict.prose}: ")
    commands = [read_command(line) for line in lines]
    levels = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}
    for (command, properties, data), finding in zip(commands, report.findings, strict=False):
        assert command == levels[finding.severity]
        assert properties == {"title": f"{finding.code} {finding.name}"}
        assert data.splitlines()[0] == finding.title
        assert all(f"fix: {'$ ' if fix.kind == 'shell' else ''}{fix.text}" in data for fix in finding.fix)
    assert len(commands) >= len(report.findings) + len(report.unknowns)


@given(st.text() | ESCAPED, st.text() | ESCAPED)
def test_escaped_values_read_back_as_they_were(data: str, value: str) -> None:
    line = f"::notice title={escape_property(value)}::{escape_data(data)}"
    assert "\n" not in line
    assert "\r" not in line
    _, properties, read = read_command(line)
    assert read == data
    assert properties["title"].replace(" ", "") == "".join(value.split())
    assert "##" not in properties["title"]


def test_a_waived_error_is_a_notice(matrix: Matrix) -> None:
    lines = render(waived(recorded("h200-trt853-no-sublibraries", matrix), "DNN106"), "github").splitlines()
    (name, properties, data) = next(read_command(line) for line in lines[1:] if "DNN106" in line)
    assert (name, properties["title"]) == ("notice", "DNN106 cudnn-incomplete (waived)")
    assert data.splitlines()[1] == "waived: known, until 2027-01-01"


# -- GitLab ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECORDED)
def test_gitlab_takes_it(name: str, matrix: Matrix) -> None:
    report = recorded(name, matrix)
    issues = json.loads(render(report, "gitlab"))
    jsonschema.validate(issues, GITLAB)
    assert len({item["fingerprint"] for item in issues}) == len(issues)
    severities = {Severity.ERROR: "critical", Severity.WARNING: "major", Severity.INFO: "info"}
    assert [item["severity"] for item in issues[: len(report.findings)]] == [
        severities[item.severity] for item in report.findings
    ]


def test_gitlab_is_told_what_is_waived_and_what_is_unknown(matrix: Matrix) -> None:
    issues = json.loads(render(waived(recorded("h200-trt853-no-sublibraries", matrix), "DNN106"), "gitlab"))
    (issue,) = (item for item in issues if item["check_name"] == "DNN106")
    assert (issue["severity"], "waived: known" in issue["description"]) == ("info", True)
    open_ = json.loads(render(stated(matrix, "tensorrt=10.9.0.34"), "gitlab"))
    assert {item["severity"] for item in open_ if item["check_name"] == "not-judged"} == {"minor"}


# -- Markdown ----------------------------------------------------------------------------------------------------------


def html(text: str) -> str:
    page: str = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)
    return page


def words(page: str) -> str:
    import html as entities

    return " ".join(entities.unescape(re.sub(r"<[^>]*>", " ", page)).split())


@pytest.mark.parametrize("name", RECORDED)
def test_markdown_says_what_the_report_says(name: str, matrix: Matrix) -> None:
    report = recorded(name, matrix)
    page = html(render(report, "markdown"))
    said = words(page)
    assert page.startswith(f"<h2>trtdoctor check: {report.verdict.prose}</h2>")
    for finding in report.findings:
        assert " ".join(finding.title.split()) in said
        for fix in finding.fix:
            assert " ".join(fix.text.split()) in said
            if fix.kind == "shell":
                assert re.search(r"<li>fix[^<]*<pre><code class=\"language-sh\">|<code class=\"language-sh\">", page)
    assert page.count("<tr>") == len(report.inventory) + 1
    for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL):
        assert row.count("<td") + row.count("<th") == 5
    for item in report.unknowns:
        assert " ".join(item.why.split()) in said


@given(st.text(max_size=80) | MARKED)
def test_any_text_in_markdown_is_only_words(text: str) -> None:
    from trtdoctor.text import clean

    text = clean(text)
    for page in (html(f"- **error** {inline(text)}"), html(f"| a | b |\n|---|---|\n| {inline(text)} | x |")):
        tags = set(re.findall(r"</?(\w+)", page))
        assert tags <= {"ul", "li", "strong", "table", "thead", "tbody", "tr", "th", "td"}
    page = html(f"| a | b |\n|---|---|\n| {inline(text)} | x |")
    assert page.count("<td>") == 2
    # Nothing is lost but the way in which blanks stand.
    assert "".join(text.split()) in "".join(words(page.replace("<!-- -->", "")).split())


def test_a_mention_and_an_address_stay_words() -> None:
    assert html(inline("@everyone see https://evil.example")).startswith("<p>@<!-- -->everyone see https:")
    assert "<a" not in html(inline("<https://evil.example> [a](https://evil.example)"))


# -- names of files ----------------------------------------------------------------------------------------------------


def test_a_file_is_named_as_in_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "checkout" / "docker" / "requirements.txt"
    inside.parent.mkdir(parents=True)
    inside.write_text("")
    monkeypatch.chdir(inside.parent)
    assert repository_name("requirements.txt") == "requirements.txt"
    assert repository_name(str(inside)) == "requirements.txt"
    assert repository_name("/home/somebody/private/x.txt") == "x.txt"
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path / "checkout"))
    assert repository_name("requirements.txt") == "docker/requirements.txt"
    monkeypatch.setenv("GITHUB_WORKSPACE", "/nowhere")
    monkeypatch.setenv("CI_PROJECT_DIR", str(tmp_path / "checkout"))
    assert repository_name(str(inside)) == "docker/requirements.txt"
