"""Text from outside in every field of a Snapshot and of a description, through every renderer."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.conftest import AS_OF, ROOT
from trtdoctor.declared import DeclarationError, environment_of, snapshot_of
from trtdoctor.judge import judge
from trtdoctor.matrix import Matrix, load
from trtdoctor.redaction import redact
from trtdoctor.render import CI_FORMATS, FORMATS, render
from trtdoctor.snapshot import Snapshot
from trtdoctor.text import as_json, clean, harmless

HOSTILE = (
    "\x1b[31m\x1b]8;;http://x\x07",
    "\n::add-mask::x\n::error::x\r\n::stop-commands::x",
    " " * 70 + "::add-mask::x",
    "a " * 40 + "::set-output name=x::y " * 40,
    "##[add-mask]x ##vso[task.setvariable]x ##teamcity[x]",
    "$(touch /tmp/pwned)`id`; reboot && x | y > z",
    "a|b|c <script>alert(1)</script> &amp; ]]> -->",
    "\u202e\u2066\u200b\ufeff\u2028\u2029\x85abc",
    "\ud800 lone \udfff",
    "x" * 50_000,
    "'\"\\ %s {0} {x!r} \x00",
    "--index-url=evil",
)
JUNIT_TAGS = {"testsuites", "testsuite", "properties", "property", "testcase"}
JUNIT_TAGS |= {"failure", "skipped", "system-out"}
MARKDOWN_TAGS = {"h2", "p", "ul", "li", "strong", "pre", "code", "a"} | {"table", "thead", "tbody", "tr", "th", "td"}
ADDRESSES = set(re.findall(r'url: "([^"]+)"', (ROOT / "matrix" / "sources.yaml").read_text("utf-8")))
KEYS = ("os", "driver", "gpu", "container", "wants", "package.tensorrt", "engine.gpu", "python")
BAD_SIGNS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
OPEN = tuple(kind for kind in FORMATS if kind not in CI_FORMATS)
COMMAND = re.compile(r"^\s*::|##\[|##vso\[|##teamcity\[", re.MULTILINE)


def filled(value: Any, text: str, path: tuple[str, ...] = ()) -> Any:
    """A Snapshot's JSON form with every text in it ended by ``text``, but for the words that it is recognised by."""
    if isinstance(value, dict):
        return {key: filled(item, text, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, text, path) for item in value]
    kept = ("schema", "component", "kind", "product", "role", "problem", "outcome")
    return value + text if isinstance(value, str) and path[-1] not in kept else value


def documents(text: str) -> Iterator[dict[str, Any]]:
    for name in ("two-flavours", "h200-stub", "trt853-unpinned"):
        document = json.loads((ROOT / "tests" / "data" / "snapshots" / f"{name}.json").read_text("utf-8"))
        yield filled(document, text)
        # And where versions stay what they are, so that rules have something to say.
        plain = {**document, "notes": [text], "wants": ["build", text]}
        plain["interpreters"] = [{**item, "path": f"/home/{text}/bin/python3"} for item in document["interpreters"]]
        plain["copies"] = [{**item, "path": f"/opt/{text}/x.so", "owner": text} for item in document["copies"]]
        plain["container"] = {"runtime": text, "image": text, "gpu_access": False}
        plain["settings"] = [
            {"name": "LD_LIBRARY_PATH", "value": text},
            {"name": "CUDA_VISIBLE_DEVICES", "value": text},
        ]
        yield plain


def check_text(text: str) -> None:
    assert not BAD_SIGNS.search(text)
    assert not COMMAND.search(text)
    assert len(text) < 4_000_000


def check_ci_text(text: str, kind: str) -> None:
    """As ``check_text``; and nothing from outside has become a part of the format."""
    if kind == "github":
        for line in text.splitlines():
            annotation = re.fullmatch(r"::(?:error|warning|notice) ((?:,?[a-z]+=[^,:\r\n]*)+)::(.*)", line)
            check_text(line if annotation is None else f"{annotation[1]} {annotation[2]}")
        return
    check_text(text)
    if kind in ("sarif", "gitlab"):
        json.loads(text)
        assert text.isascii()
    elif kind == "junit":
        assert {item.tag for item in ET.fromstring(text).iter()} <= JUNIT_TAGS
    else:
        page = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)
        assert set(re.findall(r"</?([a-zA-Z]\w*)", page)) <= MARKDOWN_TAGS
        assert set(re.findall(r'href="([^"]*)"', page)) <= ADDRESSES
        for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL):
            assert len(re.findall("<t[dh]>", row)) == 5


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_every_renderer_carries_hostile_text_harmlessly(text: str, matrix: Matrix) -> None:
    for document in documents(text):
        found = Snapshot.from_json(json.dumps(document))
        report = judge(found, matrix, as_of=AS_OF)
        for kind in OPEN:
            for verbose in (False, True):
                shown = render(report, kind, verbose=verbose, color=False)
                check_text(shown)
                if kind == "json":
                    # What is escaped reads back as it was.
                    assert json.loads(shown) == json.loads(json.dumps(report.to_plain()))
        closed = judge(redact(found), matrix, as_of=AS_OF)
        for kind in CI_FORMATS:
            check_ci_text(render(closed, kind), kind)
        check_text(found.to_json())
        assert Snapshot.from_json(found.to_json()) == found
        for finding in report.findings:
            for fix in finding.fix:
                if fix.kind == "shell":
                    assert not {";", "&&", "|", ">", "reboot", "--index-url=evil"} & set(shlex.split(fix.text)), (
                        fix.text
                    )
                    bare = re.sub(r"""'[^']*'|"'\"""", "", fix.text)
                    assert not any(sign in bare for sign in ("`", "$(", ";", "|", ">")), fix.text


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
@pytest.mark.parametrize("key", KEYS)
def test_a_hostile_description_is_judged_or_refused_in_one_line(key: str, text: str, matrix: Matrix) -> None:
    try:
        found = snapshot_of(environment_of(["tensorrt=10.9.0", f"{key}={text}"]))
    except DeclarationError as error:
        assert len(str(error)) < 400
        check_text(harmless(str(error)))
        assert "\n" not in str(error)
        return
    for kind in OPEN:
        check_text(render(judge(found, matrix, as_of=AS_OF), kind, verbose=True, color=False))
    for kind in CI_FORMATS:
        check_ci_text(render(judge(redact(found), matrix, as_of=AS_OF), kind), kind)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_any_name_of_a_gpu_can_be_shown(name: str) -> None:
    document = {"schema": "trtdoctor-snapshot/1", "gpus": [{"index": 0, "name": name, "compute_capability": "8.6"}]}
    found = Snapshot.from_json(json.dumps(document))
    report = judge(found, load(ROOT / "matrix"), as_of=AS_OF)
    for kind in OPEN:
        check_text(render(report, kind, verbose=True, color=False))
    closed = judge(redact(found), load(ROOT / "matrix"), as_of=AS_OF)
    for kind in CI_FORMATS:
        check_ci_text(render(closed, kind), kind)


@given(st.text(alphabet='#:[a \n"\\', max_size=40))
def test_no_line_is_taken_for_a_command_and_json_reads_back(text: str) -> None:
    for line in text.split("\n"):
        assert not COMMAND.search(harmless(line))
    assert json.loads(as_json({"text": text})) == {"text": text}
    assert "##" not in as_json({"text": text})
    assert "\n" not in clean(text)


def test_a_long_cell_does_not_make_a_long_table(matrix: Matrix) -> None:
    found = snapshot_of(environment_of([f"gpu={'G' * 5000},cc=8.6", "driver=580.65.06"]))
    shown = render(judge(found, matrix, as_of=AS_OF), "table")
    table = shown[shown.index("component") :]
    assert len(table.splitlines()) < 20
    assert "…" in table
