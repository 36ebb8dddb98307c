"""No hostile name gets out of its field: it is refused, or what is emitted says the same as without it."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mirror.items import debs, dist, everything, image, stack
from trtdoctor.mirror.emit import TOOLS, EmitOptions, emit
from trtdoctor.mirror.emit.names import EmitError, check, place, sound
from trtdoctor.mirror.emit.tags import named
from trtdoctor.mirror.tools import ToolError, complaint, run
from trtdoctor.mirror.wants import SyncItem

PLAIN = EmitOptions()
SNIPPETS = [
    *(
        "'",
        '"',
        "\n",
        "\r",
        "\x00",
        "\x1b[31m",
        "$(touch x)",
        "`id`",
        '{{env "X"}}',
        "{a,b}",
        "..",
        "/../",
        "\\",
        "|",
        ";",
    ),
    *(
        "&",
        "#",
        " # ",
        "END",
        "\nEND\n",
        ": ",
        "- ",
        "%(x)s",
        "%0a",
        "*",
        "?",
        "[a]",
        "::add-mask::x",
        "@",
        "://",
        "\u202e",
    ),
    *(" --dest-creds=a:b", "-", "--", "~", "=", "<", ">", "é", "\u2028", ")", " | Name", "\t", "?x=y", "#x", ""),
]
FORBIDDEN = re.compile(r"""["'\s$`{}<>|;&()\\*?\[\]#]|[^ -~]""")
"""What no name that is let through may hold."""
HARMFUL = re.compile(r"(^|/)\.\.(/|$)|^-")
FIELDS = ("upstream", "mirror", "project", "version", "digest", "origin")


def read(tool: str, text: str) -> Any:
    """What a program understands of what is emitted."""
    if tool == "harbor":
        return json.loads(text)
    if tool == "bandersnatch":
        parsed = configparser.ConfigParser(delimiters="=")
        parsed.read_string(text)
        return {name: dict(parsed[name]) for name in parsed.sections()}
    if tool == "regsync" or not re.search(r"^failed=0$", text, re.MULTILINE):
        return yaml.safe_load(text)
    return [shlex.split(line) for line in text.splitlines() if not line.startswith("# ") and line != "#"]


def hostile(plain: str) -> st.SearchStrategy[str]:
    """A name with something in it, or something else altogether."""

    def put(at: int, snippet: str) -> str:
        at %= len(plain) + 1
        return plain[:at] + snippet + plain[at:]

    return st.builds(put, st.integers(0, 200), st.sampled_from(SNIPPETS)) | st.text(max_size=300)


@given(data=st.data())
@settings(max_examples=400, deadline=None)
def test_names_that_are_let_through_are_harmless(data: st.DataObject) -> None:
    item = data.draw(st.sampled_from([image(platforms=("linux/amd64",)), *stack(), *debs()]))
    field = data.draw(st.sampled_from([*FIELDS, "platform", "file", "sha256"]))
    if field == "platform":
        bad = replace(item, platforms=(data.draw(hostile("linux/amd64")),))
    elif field in ("file", "sha256"):
        name, size, sha256 = item.files[0] if item.files else ("x-1.tar.gz", 1, "0" * 64)
        changed = data.draw(hostile(name if field == "file" else str(sha256)))
        file = (changed, size, sha256) if field == "file" else (name, size, changed)
        bad = replace(item, files=(file, *item.files[1:]))
    else:
        changes: dict[str, Any] = {field: data.draw(hostile(getattr(item, field) or "https://x.example/y"))}
        bad = replace(item, **changes)
    good, refused = sound([bad])
    assert len(good) + len(refused) == 1
    assert all(line.isprintable() and len(line) < 500 for line in refused)
    if good:
        names = [bad.version, bad.project, bad.digest or "", *bad.platforms, *(name for name, _, _ in bad.files)]
        assert not any(FORBIDDEN.search(name) or HARMFUL.search(name) for name in names), names
        for address in filter(None, (bad.upstream, bad.mirror, bad.origin)):
            assert not FORBIDDEN.search(address)
            assert "@" not in address
        for tool, kind in TOOLS.items():
            if kind == bad.kind:
                try:
                    text = emit(tool, [bad], PLAIN)
                except EmitError as error:
                    assert str(error).isprintable()
                else:
                    read(tool, text)


@pytest.mark.parametrize("tool", TOOLS)
@given(why=st.text(max_size=120) | st.sampled_from(SNIPPETS), source=st.text(max_size=80) | st.sampled_from(SNIPPETS))
@settings(max_examples=40, deadline=None)
def test_words_beside_the_names_say_nothing_to_a_program(tool: str, why: str, source: str) -> None:
    def said(why: str, source: str) -> Any:
        items = [replace(item, why=why, source=source) for item in everything()]
        text = emit(tool, items, PLAIN)
        assert not any(line.startswith("::") or "\x1b" in line for line in text.splitlines())
        found = read(tool, text)
        return json.loads(re.sub(r"trtdoctor-(?:[A-Za-z0-9._-]+-)?[0-9a-f]{8}", "", json.dumps(found)))

    assert said(why, source) == said("", "x")


@given(template=st.text("{}tagmonthdigest12repository-._$(')\n /", max_size=40) | st.text(max_size=40))
@settings(max_examples=300, deadline=None)
def test_a_template_gives_a_tag_or_is_refused(template: str) -> None:
    try:
        made = named(template, "26.10-py3", "nvidia/tensorrt", "sha256:" + "a" * 64)
    except EmitError as error:
        assert str(error).isprintable()
    else:
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", made)


@pytest.mark.parametrize(
    "address",
    [
        "https://user:secret@nvcr.io/x",
        "https://nvcr.io/x?token=secret",
        "https://nvcr.io/x#y",
        "https://nvcr.io/a/../b",
        "https://nvcr.io/./b",
        "ftp://nvcr.io/x",
        "nvcr.io/x",
        "https:///x",
        "https://nvcr.io:123456/x",
        "https://nvcr.io/x y",
        "https://-nvcr.io/x",
        "https://nvcr.io/" + "x" * 600,
    ],
)
def test_addresses_that_are_refused(address: str) -> None:
    with pytest.raises(EmitError) as caught:
        place(address)
    assert "secret" not in str(caught.value)


def test_addresses_that_are_taken() -> None:
    assert place("https://[::1]:5000/a/b/").image == "[::1]:5000/a/b"
    assert place("http://10.0.0.1").url == "http://10.0.0.1"
    assert place("https://devpi.example/root/pypi/+simple/").path == "root/pypi/+simple"


@pytest.mark.parametrize(
    "item",
    [
        dist("tensorrt", "11.4.0.106", "tensorrt-11.4.0.107.tar.gz"),  # another version
        dist("tensorrt", "11.4.0.106", "requests-11.4.0.106.tar.gz"),  # another project
        dist("tensorrt", "11.4.0.106", "../tensorrt-11.4.0.106.tar.gz"),
        dist("Tensorrt", "11.4.0.106"),
        dist("tensorrt", "not a version"),
        replace(image(), kind="status"),
        image(project="Nvidia/x", upstream="https://nvcr.io"),
        replace(stack()[0], files=(("tensorrt-11.4.0.106.tar.gz", -1, None),)),
        replace(stack()[0], files=(("tensorrt-11.4.0.106.tar.gz", True, None),)),
    ],
)
def test_items_that_are_refused(item: SyncItem) -> None:
    with pytest.raises(EmitError):
        check(item)
    tools: list[str] = [tool for tool, kind in TOOLS.items() if kind == item.kind]
    for tool in tools:
        with pytest.raises(EmitError):
            emit(tool, [item], PLAIN)


def test_one_that_is_refused_does_not_hide_the_others() -> None:
    good, refused = sound([*everything(), image("$(id)"), image("$(id)")])
    assert len(good) == len(everything())
    assert refused == ("'nvidia/tensorrt' '$(id)': '$(id)' is no tag",)


@pytest.mark.parametrize("make", [lambda: "1" * 300_000, lambda: "a" * 250, lambda: "1!" * 120, lambda: "-_." * 80])
def test_long_names_take_no_time(make: Callable[[], str]) -> None:
    started = time.monotonic()
    for item in (*stack(), *debs(), image()):
        sound([replace(item, project=make()), replace(item, version=make()), replace(item, upstream=make())])
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("errors", "says"),
    [
        ("", ""),
        ("one\ntwo\n\n", "two"),
        ("ERROR: no\nWARNING: pip is old", "ERROR: no"),
        ('time="2026-12-01T02:32:45Z" level=fatal msg="a: \\"b\\": unauthorized"', 'a: "b": unauthorized'),
        ("see https://user:secret@x.example/y?token=z", "see https://x.example/y"),
        ("x" * 1000 + "reason", "…" + "x" * 293 + "reason"),
    ],
)
def test_what_a_program_complained_of(errors: str, says: str) -> None:
    assert complaint(errors) == says


def test_a_secret_is_taken_out_before_anything_is_cut() -> None:
    script = "import sys; sys.stderr.write('x' + 'pl4nted-secret ' + 'y' * 290)"
    ended = run([sys.executable, "-c", script], {}, 20, secrets=["pl4nted-secret"])
    assert ended.code == 0
    assert "secret" not in ended.complaint
    assert ended.complaint.endswith("yyy")


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("import os, time; os.fork() or time.sleep(60)", ""),  # something that it started holds the pipe open
        ("import sys\nwhile True: sys.stderr.write('e' * 65536)", "it did not end in time"),
    ],
)
def test_programs_that_do_not_end_well_are_bounded(script: str, says: str) -> None:
    started = time.monotonic()
    ended = run([sys.executable, "-c", script], {}, 2)
    assert time.monotonic() - started < 5
    assert ended.complaint == says
    assert (
        run([sys.executable, "-c", "print('x' * 100)"], {}, 20, most=50).complaint == "it printed more than it should"
    )
    with pytest.raises(ToolError, match="No such file"):
        run(["/no/such/program"], {}, 1)
