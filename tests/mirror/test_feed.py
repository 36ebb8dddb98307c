"""The own Atom feed, read by a real feed parser and held against RFC 4287's musts."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import feedparser

from trtdoctor.mirror import news
from trtdoctor.mirror.change import Change
from trtdoctor.mirror.feed import ENTRIES, atom

AT = "2026-11-22T12:00:00Z"
EVIL = "]]><script>alert(1)</script>&amp;&x; \"'\x0b\x1b[2J\u202e\ufffe\ud800 ##[x] ::add-mask::y"
ATOM = "{http://www.w3.org/2005/Atom}"


def parsed(text: str) -> feedparser.FeedParserDict:
    found = feedparser.parse(text.encode("utf-8"))
    assert not found.bozo, found.get("bozo_exception")
    assert found.version == "atom10"
    return found


def test_a_feed_of_changes_is_valid_and_says_everything() -> None:
    changes = [
        Change(AT, "corp", "lost", "26.09-py3: the mirror has it no longer", ("26.09-py3",), 1, "why"),
        Change("2026-11-22T13:00:00Z", "corp", "upstream-release", "a and 2 more", ("a", "b", "c"), 30),
        Change("2026-11-22T14:00:00Z", "tuna", "news", "PyPI removed", link="https://m.example/n&b"),
    ]
    found = parsed(atom(changes, name="/s/mirror.json", updated=AT))
    assert [entry.title for entry in found.entries] == [
        "tuna: PyPI removed",
        "corp: a and 2 more",
        "corp: 26.09-py3: the mirror has it no longer",
    ]
    assert found.entries[0].link == "https://m.example/n&b"
    assert found.entries[1].content[0].value == "a and 2 more\na\nb\nc\nand 27 more"
    assert [tag.term for tag in found.entries[2].tags] == ["lost", "error"]
    assert found.feed.updated == "2026-11-22T14:00:00Z"
    root = ET.fromstring(atom(changes, name="x", updated=AT).encode())
    for element in (root, *root.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            assert len(element.findall(f"{ATOM}{name}")) == 1
    assert root.find(f"{ATOM}author/{ATOM}name") is not None


def test_identifiers_stay_and_are_each_entry_s_own() -> None:
    changes = [Change(AT, "m", "lost", f"t{number}") for number in range(ENTRIES + 50)]
    first = parsed(atom(changes, name="x", updated=AT))
    later = parsed(atom([*changes, Change(AT, "m", "lost", "new")], name="x", updated=AT))
    other = parsed(atom(changes, name="y", updated=AT))
    ids = [entry.id for entry in first.entries]
    assert len(ids) == len(set(ids)) == ENTRIES
    assert [entry.id for entry in later.entries][1:] == ids[:-1]
    assert first.feed.id == later.feed.id != other.feed.id


def test_an_empty_feed_is_a_feed() -> None:
    found = parsed(atom([], name="x", updated=AT))
    assert (found.entries, found.feed.updated) == ([], AT)


def test_nothing_in_a_change_breaks_out() -> None:
    change = Change(AT, EVIL, EVIL, EVIL, (EVIL, EVIL + "x"), 2, EVIL, "javascript:alert(1)")
    text = atom([change], name=EVIL, updated=AT)
    ET.fromstring(text.encode("utf-8"))
    found = parsed(text)
    assert len(found.entries) == 1
    assert "link" not in found.entries[0] or "javascript" not in found.entries[0].link
    assert "<script>" not in text
    assert "\u202e" not in text
    assert news.read(text.encode()) is not None
