"""What counts as a change between two looks, and what does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mirror.places import NOW, mirror, source
from trtdoctor.mirror.change import KINDS, Change
from trtdoctor.mirror.state import KEPT, State
from trtdoctor.mirror.watch import Looked, merged
from trtdoctor.mirror_facts import STATES, MirrorItem, MirrorNews, MirrorSide, MirrorSource
from trtdoctor.times import iso

HERE = mirror("https://m.example/r", "oci")


def look(
    before: State | None,
    *found: MirrorSource,
    late: Mapping[str, str | None] | None = None,
    hours: int = 0,
    **said: Any,
) -> Looked:
    mirrors = [replace(HERE, id=item.id, kind=item.kind, **said) for item in found]
    return merged(before, found, mirrors, now=NOW + timedelta(hours=hours), late=late)


def kinds(looked: Looked) -> list[tuple[str, str]]:
    return [(item.kind, item.text) for item in looked.changes]


def step(before: Mapping[str, str] | MirrorSource, after: Mapping[str, str] | MirrorSource) -> list[tuple[str, str]]:
    first, second = (item if isinstance(item, MirrorSource) else source(item) for item in (before, after))
    begun = look(None, first)
    assert begun.changes == ()
    assert begun.begun == ("m",)
    later = look(begun.state, second, hours=1)
    assert later.begun == ()
    return kinds(later)


def test_nothing_changed_is_nothing_said() -> None:
    every = {f"t{number}": state for number, state in enumerate(STATES)}
    assert step(every, every) == []


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("missing", "same", "caught-up"),
        ("missing", "present", "caught-up"),
        ("stub-only", "same", "caught-up"),
        ("differs", "same", "caught-up"),
        ("missing", "stub-only", "incomplete"),
        ("missing", "missing-platform", "incomplete"),
        ("same", "missing", "lost"),
        ("present", "missing", "lost"),
        ("missing-platform", "missing", "lost"),
        ("same", "missing-platform", "lost"),
        ("same", "listed-not-held", "lost"),
        ("present", "listed-not-held", "incomplete"),
        ("listed-not-held", "present", None),
        ("listed-not-held", "same", "caught-up"),
        ("same", "differs", "moved"),
        ("present", "differs", "differs"),
        ("same", "gone-upstream", "gone-upstream"),
        ("extra", "missing", None),
        ("present", "same", None),
        ("same", "unknown", None),
        ("unknown", "same", None),
        ("gone-upstream", "gone-upstream", None),
    ],
)
def test_steps_of_one_item(before: str, after: str, kind: str | None) -> None:
    assert [item for item, _ in step({"26.10-py3": before}, {"26.10-py3": after})] == ([kind] if kind else [])


def test_a_new_release_says_whether_the_mirror_has_it() -> None:
    before = {"26.09-py3": "same"}
    assert step(before, before | {"26.10-py3": "missing"}) == [("upstream-release", "26.10-py3: the mirror lacks it")]
    assert step(before, before | {"26.10-py3": "same"}) == [("upstream-release", "26.10-py3: the mirror has it")]
    assert step(before, before | {"own": "extra"}) == []


def test_what_was_not_known_in_between_is_compared_with_what_was_known_last() -> None:
    state = look(None, source({"a": "missing", "b": "same"})).state
    unknown = look(state, source({"a": "unknown", "b": "unknown"}), hours=1)
    assert unknown.changes == ()
    again = look(unknown.state, source({"a": "unknown", "b": "unknown"}), hours=2)
    after = look(again.state, source({"a": "same", "b": "missing"}), hours=3)
    assert sorted(kinds(after)) == [("caught-up", "a: it was missing"), ("lost", "b: the mirror has it no longer")]
    assert after.state.settled == {}


def test_a_tag_that_moves() -> None:
    def tag(state: str, upstream: str, here: str | None) -> MirrorSource:
        item = MirrorItem("t", "p", "t", state, upstream_digest=upstream, mirror_digest=here)
        return source(items=None) if item is None else replace(source(), items=(item,))

    old = tag("same", "sha256:1", "sha256:1")
    assert step(old, tag("differs", "sha256:2", "sha256:1")) == [
        ("moved", "t: upstream has another one now; the mirror has the old one")
    ]
    assert step(old, tag("same", "sha256:2", "sha256:2")) == [
        ("moved", "t: upstream has another one now; the mirror follows")
    ]
    assert step(old, tag("differs", "sha256:1", "sha256:3")) == [("moved", "t: the mirror has another one now")]
    assert step(tag("differs", "sha256:2", "sha256:1"), tag("same", "sha256:2", "sha256:2")) == [
        ("caught-up", "t: it was differs")
    ]


def test_the_end_of_a_bounded_list_is_no_loss_and_a_gap_is_one() -> None:
    before = {"26.10": "missing", "26.09": "same", "26.08": "same"}
    assert step(before, {"26.11": "missing", "26.10": "missing", "26.09": "same"}) == [
        ("upstream-release", "26.11: the mirror lacks it")
    ]
    gap = step(before, {"26.09": "same", "26.08": "same"})
    assert [item for item, _ in gap] == ["gone-upstream"]
    down = (MirrorSide("upstream", state="unreachable"), MirrorSide("mirror"))
    assert [item for item, _ in step(source(before), source({"26.08": "same"}, sides=down))] == ["unreachable"]


def test_sides_that_go_and_come_back() -> None:
    up, down = MirrorSide("mirror"), MirrorSide("mirror", state="unreachable", detail="no connection")
    items = source({"a": "same"}).items
    first = replace(source(), items=items, sides=(up,))
    state = look(None, first).state
    gone = look(state, replace(first, sides=(down,)), hours=1)
    assert kinds(gone) == [("unreachable", "the mirror cannot be asked: unreachable")]
    assert gone.changes[0].detail == "no connection"
    still = look(gone.state, replace(first, sides=(down,)), hours=2)
    assert still.changes == ()
    back = look(still.state, first, hours=3)
    assert kinds(back) == [("reachable", "the mirror can be asked again")]
    other = replace(up, served_by="other.example")
    assert kinds(look(back.state, replace(first, sides=(other,)), hours=4)) == [
        ("served-by", "the mirror sends its readers to other.example")
    ]


def test_a_first_look_that_found_nothing_because_it_could_not_is_no_base_line() -> None:
    down = replace(source(), sides=(MirrorSide("mirror", state="unreachable"),))
    state = look(None, down).state
    again = look(state, down, hours=1)
    assert (again.begun, again.changes) == ((), ())
    up = look(again.state, source({"a": "missing"}), hours=2)
    assert (up.begun, kinds(up)) == (("m",), [("reachable", "the mirror can be asked again")])
    assert up.state.since == {"m": iso(NOW + timedelta(hours=2))}


def test_asked_for_something_else_a_source_begins_anew() -> None:
    state = look(None, source({"a": "same", "b": "same"})).state
    other = look(state, source({"a": "missing"}), hours=1, tags=("a*",))
    assert (other.changes, other.begun) == ((), ("m",))
    assert look(other.state, source({"a": "missing"}), hours=2, tags=("a*",)).begun == ()


def test_many_packages_of_one_release_are_one_piece_of_news() -> None:
    def packages(*versions: str) -> MirrorSource:
        names = [f"libnvinfer-{letter}" for letter in "abcdefgh"]
        items = tuple(MirrorItem(f"{name} {item}", name, item, "missing") for item in versions for name in names)
        return replace(source(kind="apt"), items=items)

    state = look(None, packages("10.1")).state
    (change,) = look(state, packages("10.2", "10.1"), hours=1).changes
    assert (change.kind, change.count, len(change.names)) == ("upstream-release", 8, 8)
    assert change.text == "libnvinfer-a 10.2 and 7 more: the mirror lacks it"
    many = {f"t{number}": "missing" for number in range(5000)}
    state = look(None, source({"old": "same"})).state
    (change,) = look(state, source(many | {"old": "same"}), hours=1).changes
    assert (change.count, len(change.names)) == (5000, 20)


def test_jobs_that_fail_and_work_again() -> None:
    def job(sync: str, state: str = "present") -> MirrorSource:
        item = MirrorItem("pypi", "pypi", None, state, sync=sync, mirrored="2026-11-20T00:00:00Z")
        return replace(source(kind="status"), items=(item,), sides=(MirrorSide("status"),))

    assert step(job("success"), job("failed")) == [("sync-failed", "pypi: failed")]
    assert step(job("success"), job("syncing")) == []
    assert step(job("failed"), job("syncing")) == [("sync-works", "pypi: syncing")]
    missing = replace(source(kind="status"), items=(MirrorItem("pypi", "pypi", None, "missing"),))
    assert step(job("success"), missing) == [("sync-failed", "pypi: the page has no such job any more")]


def test_news_are_told_once() -> None:
    old, new = MirrorNews("old", "2026-11-01T00:00:00Z", "https://x/1"), MirrorNews("new", None, "https://x/2")
    assert step(replace(source(), news=(old,)), replace(source(), news=(new, old))) == [("news", "new")]


def test_late_is_told_when_it_begins_and_when_it_ends() -> None:
    why = {"m": "40 days behind, 30 are allowed"}
    first = look(None, source({"a": "missing"}), late=why)
    assert (first.changes, first.state.late) == ((), {"m": iso(NOW)})
    still = look(first.state, source({"a": "missing"}), late=why, hours=1)
    assert still.changes == ()
    unknown = look(still.state, source({"a": "missing"}), late={}, hours=2)
    assert (unknown.changes, unknown.state.late) == ((), {"m": iso(NOW)})
    done = look(unknown.state, source({"a": "missing"}), late={"m": None}, hours=3)
    assert [item for item, _ in kinds(done)] == ["in-time"]
    assert kinds(look(done.state, source({"a": "missing"}), late=why, hours=4)) == [("late", why["m"])]


def test_sources_that_were_not_looked_at_stay() -> None:
    state = look(None, source({"a": "same"}, name="a"), source({"b": "same"}, name="b")).state
    after = look(state, source({"a": "missing"}, name="a"), hours=1)
    assert [item.id for item in after.state.sources] == ["a", "b"]
    assert after.state.since.keys() == {"a", "b"}


def test_changes_are_kept_but_not_for_ever_and_are_owed() -> None:
    state: State = replace(look(None, source({"t": "same"})).state, owed={"stdout": (), "hook": ("lost",)})
    for number in range(KEPT + 20):
        state = look(state, source({"t": ("missing", "same")[number % 2]}), hours=number + 1).state
    assert len(state.changes) == KEPT
    assert state.owed["stdout"] == tuple(item.id for item in state.changes)
    assert "lost" not in state.owed["hook"]
    assert len({item.id for item in state.changes}) == KEPT


def test_every_kind_has_a_weight_and_a_meaning() -> None:
    assert {weight for weight, _ in KINDS.values()} == {"error", "warning", "unknown", "info"}
    assert Change(kind="of a newer program").weight == "info"


ITEMS = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(sorted(STATES)), max_size=6)


@settings(max_examples=60)
@given(st.lists(st.tuples(ITEMS, st.booleans()), min_size=1, max_size=6))
def test_whatever_is_seen_every_change_is_told_whole_and_the_same_again_changes_nothing(
    looks: list[tuple[dict[str, str], bool]],
) -> None:
    state: State | None = None
    for number, (items, up) in enumerate(looks):
        sides = (MirrorSide("upstream"), MirrorSide("mirror", state="ok" if up else "unreachable"))
        made = source(items, sides=sides)
        looked = look(state, made, hours=number)
        assert all(item.kind in KINDS and item.text and item.source == "m" for item in looked.changes)
        again = look(looked.state, made, hours=number)
        assert again.changes == ()
        state = looked.state
