"""The formats for CI systems as users ask for them, and what a job of GitHub Actions gets without asking."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.run import complains, run
from tests.cli.test_check import BROKEN, FINE
from tests.cli.test_streams import PROGRAM, shell
from tests.conftest import ROOT, SNAPSHOTS
from tests.render.test_ci_formats import GITLAB, read_command, sarif_schema
from trtdoctor.render import CI_FORMATS, FORMATS

AS_OF = ("--as-of", "2026-11-22")
UNKNOWN = ("--set", "tensorrt=10.9.0.34", *AS_OF)
FILES = {
    "docker/requirements.txt": "tensorrt==10.9.0.34\n\nonnxruntime-gpu==1.16\n-r more.txt\n",
    "docker/more.txt": "numpy\nnvidia-cudnn-cu11==8.6.0.163\n",
}


def read(kind: str, text: str) -> Any:
    """A text of each format, taken in as those do whom it is for."""
    import io

    import jsonschema
    from junitparser import JUnitXml

    from tests.render.test_ci_formats import html, junit_schema

    if kind == "sarif":
        log = json.loads(text)
        jsonschema.Draft4Validator(sarif_schema()).validate(log)
        return log["runs"][0]
    if kind == "gitlab":
        issues = json.loads(text)
        jsonschema.validate(issues, GITLAB)
        return issues
    if kind == "junit":
        junit_schema().validate(io.StringIO(text))
        return JUnitXml.fromstring(text.encode())
    if kind == "github":
        return [read_command(line) for line in text.splitlines() if line.startswith("::")]
    return html(text) if kind == "markdown" else text


def test_one_run_feeds_them_all(tmp_path: Path) -> None:
    outputs = [word for kind in FORMATS for word in ("-o", f"{kind}:{tmp_path / kind}")]
    ran = run("check", *BROKEN, *AS_OF, *outputs)
    assert ran.code == 1
    assert ran.err == ""
    for kind in CI_FORMATS:
        text = (tmp_path / kind).read_text("utf-8")
        read(kind, text)
        assert "GPU201" in text
    assert (tmp_path / "table").read_text("utf-8") == ran.out
    assert json.loads((tmp_path / "json").read_text("utf-8"))["verdict"] == "broken"


@pytest.mark.parametrize("kind", CI_FORMATS)
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (FINE, 0),
        (BROKEN, 1),
        ((*BROKEN, "--fail-on", "never"), 0),
        (UNKNOWN, 0),
        ((*UNKNOWN, "--fail-on", "unknown"), 1),
    ],
    ids=["fine", "broken", "never", "unknown", "unknown fails"],
)
def test_the_exit_code_is_the_same_in_every_format(kind: str, arguments: tuple[str, ...], code: int) -> None:
    ran = run("check", *arguments, "--format", kind)
    assert (ran.code, ran.err) == (code, "")
    found = read(kind, ran.out)
    if kind == "junit":
        assert (sum(suite.failures for suite in found) > 0) is bool(code)


def test_findings_lie_in_the_snapshot_that_was_named(tmp_path: Path) -> None:
    ran = run("check", "--snapshot", str(SNAPSHOTS / "rtx.json"), "--format", "gitlab", *AS_OF)
    paths = {item["location"]["path"] for item in read("gitlab", ran.out)}
    assert paths == {"tests/data/snapshots/rtx.json"}
    elsewhere = tmp_path / "private-host.json"
    elsewhere.write_bytes((SNAPSHOTS / "rtx.json").read_bytes())
    ran = run("check", "--snapshot", str(elsewhere), "--format", "gitlab", *AS_OF)
    assert {item["location"]["path"] for item in read("gitlab", ran.out)} == {"private-host.json"}


def test_a_file_that_cannot_be_written_is_said_and_nothing_is_half(tmp_path: Path) -> None:
    line = complains(run("check", *FINE, "-o", f"sarif:{tmp_path / 'no' / 'where.sarif'}"))
    assert "No such file or directory" in line
    assert list(tmp_path.iterdir()) == []


def test_the_commands_of_the_page_do_what_it_says(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "formats.md").read_text("utf-8")
    (tmp_path / "host.json").write_bytes((SNAPSHOTS / "h200-trt853-no-sublibraries.json").read_bytes())
    (tmp_path / "requirements.txt").write_text(FILES["docker/requirements.txt"])
    (block,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    for line in block.splitlines():
        done = shell(f"cd {tmp_path} && {line.replace('trtdoctor', PROGRAM, 1)}", PYTHONPATH=str(ROOT))
        assert (done.returncode, done.stderr) == (1, ""), line
    for kind, name in (("sarif", "trtdoctor.sarif"), ("junit", "trtdoctor.xml"), ("gitlab", "codequality.json")):
        read(kind, (tmp_path / name).read_text("utf-8"))
    for kind in CI_FORMATS:
        assert f"| `{kind}` |" in page


# -- lint-deps ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CI_FORMATS)
def test_linted_findings_stand_at_their_line(kind: str, tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    requirements = str(tmp_path / "docker" / "requirements.txt")
    ran = run("lint-deps", requirements, *AS_OF, "--format", kind, GITHUB_WORKSPACE=str(tmp_path))
    assert (ran.code, ran.err) == (1, "")
    found = read(kind, ran.out)
    if kind == "sarif":
        (result,) = (item for item in found["results"] if item["ruleId"] == "FWK101")
        place = result["locations"][0]["physicalLocation"]
        assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("docker/requirements.txt", 3)
        assert found["automationDetails"]["id"] == "trtdoctor/lint-deps/"
    elif kind == "gitlab":
        (issue,) = (item for item in found if item["check_name"] == "FWK101")
        assert issue["location"] == {"path": "docker/requirements.txt", "lines": {"begin": 3}}
    elif kind == "github":
        (properties,) = (item[1] for item in found if "FWK101" in item[1]["title"])
        assert (properties["file"], properties["line"]) == ("docker/requirements.txt", "3")
    else:
        assert "docker/requirements.txt:3" in ran.out
    assert str(tmp_path) not in ran.out


def test_a_fingerprint_does_not_follow_the_line(tmp_path: Path) -> None:
    def prints(text: str) -> dict[str, str]:
        (tmp_path / "requirements.txt").write_text(text)
        ran = run("lint-deps", str(tmp_path / "requirements.txt"), *AS_OF, "--format", "gitlab")
        return {item["check_name"]: item["fingerprint"] for item in read("gitlab", ran.out)}

    text = FILES["docker/requirements.txt"]
    assert prints(text)["FWK101"] == prints(f"# a line\nnumpy\n{text}")["FWK101"]


@pytest.mark.parametrize("kind", CI_FORMATS)
def test_a_file_without_anything_of_the_stack_is_a_whole_document(kind: str, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("numpy\n")
    ran = run("lint-deps", str(tmp_path / "requirements.txt"), "--format", kind, "--fail-on", "unknown")
    assert (ran.code, ran.err) == (0, "")
    found = read(kind, ran.out)
    if kind == "junit":
        assert [(suite.tests, suite.failures) for suite in found] == [(1, 0)]


# -- a job of GitHub Actions -------------------------------------------------------------------------------------------


def job(summary: Path | str) -> Any:
    return {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}


def test_a_job_gets_annotations_and_a_summary_without_asking(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("# what an earlier command wrote")
    plain = run("check", *BROKEN, *AS_OF, "--format", "json")
    ran = run("check", *BROKEN, *AS_OF, "--format", "json", **job(summary))
    assert (ran.code, ran.out) == (plain.code, plain.out)
    names = {read_command(line)[1]["title"].split()[0] for line in ran.err.splitlines() if line.startswith("::")}
    assert "GPU201" in names
    text = summary.read_text("utf-8")
    assert text.startswith("# what an earlier command wrote\n## trtdoctor check: broken\n")
    assert run("check", *FINE, *AS_OF, **job(summary)).code == 0
    assert summary.read_text("utf-8").count("## trtdoctor check: ") == 2


def test_what_was_asked_for_is_not_said_twice(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    ran = run("check", *BROKEN, "--format", "github", "-o", f"markdown:{summary}", **job(summary))
    assert "::error title=GPU201" in ran.out
    assert ran.err == ""
    assert summary.read_text("utf-8").count("## trtdoctor check: ") == 1


@pytest.mark.parametrize("told", ["", "false", "1"])
def test_elsewhere_nothing_is_written(told: str, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    environ: Any = {**job(summary), "GITHUB_ACTIONS": told}
    ran = run("check", *BROKEN, **environ)
    assert (ran.code, ran.err) == (1, "")
    assert not summary.exists()


@pytest.mark.parametrize("place", ["directory", "missing", "pipe", "link to nowhere", "full", "device"])
def test_a_summary_that_cannot_be_written_changes_nothing(place: str, tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    if place == "directory":
        summary.mkdir()
    elif place == "missing":
        summary = summary / "no" / "where"
    elif place == "pipe":
        os.mkfifo(summary)
    elif place == "link to nowhere":
        summary.symlink_to("/proc/nowhere/x")
    elif place == "full":
        summary.write_bytes(b"x" * (1024 * 1024 - 10))
    else:
        summary = Path("/dev/full")
    ran = run("check", *FINE, *AS_OF, seconds=20, **job(summary))
    assert ran.code == 0
    assert ran.out.startswith("ready: ")
    complaints = [line for line in ran.err.splitlines() if line.startswith("trtdoctor: ")]
    assert len(complaints) == 1
    assert "summary could not be written" in complaints[0]
    if place == "full":
        assert summary.stat().st_size == 1024 * 1024 - 10


def test_a_closed_stderr_changes_nothing(tmp_path: Path) -> None:
    settings = " ".join(BROKEN).replace("GeForce RTX 5090", "'GeForce RTX 5090'").replace("gpu='", "'gpu=", 1)
    for closed in ("2>&-", "2>/dev/full"):
        done = shell(f"{PROGRAM} check {settings} {closed}", **job(tmp_path / "summary.md"))
        assert done.returncode == 1
        assert done.stdout.startswith("broken: ")


def test_lint_deps_tells_a_job_too(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(FILES["docker/requirements.txt"])
    environ: Any = {**job(tmp_path / "summary.md"), "GITHUB_WORKSPACE": str(tmp_path)}
    ran = run("lint-deps", str(tmp_path / "requirements.txt"), *AS_OF, **environ)
    assert "file=requirements.txt,line=3::" in ran.err
    assert "## trtdoctor lint-deps: broken" in (tmp_path / "summary.md").read_text("utf-8")
