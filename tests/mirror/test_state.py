"""The state file: whole after any death, one writer at a time, and nothing in it is believed."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.mirror.places import source
from trtdoctor.mirror import state as kept
from trtdoctor.mirror.change import Change
from trtdoctor.mirror.state import SCHEMA, State, StateError, default_path, read, update, write
from trtdoctor.mirror_facts import MirrorFile, MirrorItem, MirrorSource

AT = "2026-11-22T12:00:00Z"
FULL = State(
    taken=AT,
    sources=(source({"26.10-py3": "missing", "26.09-py3": "same"}),),
    first_seen={"m": {"26.10-py3": AT}},
    since={"m": AT},
    asked={"m": "0123"},
    settled={"m": {"26.09-py3": "same"}},
    late={"m": AT},
    changes=(Change(AT, "m", "lost", "26.08-py3: gone", ("26.08-py3",), 1, "why", "https://x.example/"),),
    owed={"stdout": ("abc",), "webhook 0123": ()},
)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    place = tmp_path / "a" / "b" / "mirror.json"
    assert read(place) is None
    write(place, FULL)
    assert read(place) == FULL
    assert place.stat().st_mode & 0o777 == 0o600
    assert place.parent.stat().st_mode & 0o777 == 0o700
    assert [item.name for item in place.parent.iterdir()] == ["mirror.json"]


def test_fields_of_a_newer_program_are_ignored(tmp_path: Path) -> None:
    place = tmp_path / "s.json"
    document = FULL.to_plain() | {"new": [1]}
    document["sources"][0]["new"] = {"a": 1}
    place.write_text(json.dumps(document))
    assert read(place) == FULL


def test_where_it_lies_by_default(tmp_path: Path) -> None:
    assert default_path({"XDG_STATE_HOME": "/s"}) == "/s/trtdoctor/mirror.json"
    assert default_path({"XDG_STATE_HOME": "s", "HOME": "/h"}) == "/h/.local/state/trtdoctor/mirror.json"
    with pytest.raises(StateError, match="--state"):
        default_path({"HOME": "here"})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"{", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[1]", "no schema"),
        (b"\xff\x00", "no JSON"),
        (b'{"schema": "trtdoctor-snapshot/1"}', "it says trtdoctor-snapshot/1"),
        (b'{"schema": "\\u001b[2J\\n"}', "it says"),
        (json.dumps({"schema": SCHEMA, "sources": 3}).encode(), "sources: wanted a list"),
        (json.dumps({"schema": SCHEMA, "sources": [{"items": [{"name": 3}]}]}).encode(), "name: wanted text"),
    ],
)
def test_garbage_is_refused_in_one_line_and_left_alone(tmp_path: Path, content: bytes, words: str) -> None:
    place = tmp_path / "s.json"
    place.write_bytes(content)
    with pytest.raises(StateError, match=words) as caught:
        update(place, lambda state: FULL)
    assert str(caught.value).isprintable()
    assert str(place) in str(caught.value)
    assert place.read_bytes() == content


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="no plain file"):
        read(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StateError, match="no plain file"):
        read(tmp_path / "pipe")
    with pytest.raises(StateError, match="null"):
        read("a\0b")
    with pytest.raises(StateError, match="no plain file"):
        read("/dev/zero")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StateError, match=r"File exists|Not a directory"):
        write(tmp_path / "file" / "s.json", FULL)


def test_what_others_wrote_is_cleaned_and_bounded(tmp_path: Path) -> None:
    place = tmp_path / "s.json"
    evil = "\x1b]0;x\x07\u202e https://u:s3cret@h.example/?k=s3cret"
    document = FULL.to_plain()
    document["sources"][0]["notes"] = [evil]
    document["changes"] = [{"at": evil, "kind": evil, "text": evil, "names": [evil] * 500, "count": -1}, 3, {}] * 600
    document["owed"] = {evil: [evil] * 5000, "x": 3}
    document["first_seen"] = {"m": {evil: "2026-11-22T12:00:00Z", "bad": "yesterday"}, "n": 3}
    document["late"] = [1]
    place.write_text(json.dumps(document))
    found = read(place)
    assert found is not None
    assert "s3cret" not in repr(found)
    assert "\\x1b" not in repr(found)
    assert "\\u202e" not in repr(found)
    assert len(found.changes) <= kept.KEPT
    assert all(len(item.names) <= 20 and item.count == 1 for item in found.changes)
    assert all(len(ids) <= kept.KEPT for ids in found.owed.values())
    assert list(found.first_seen["m"].values()) == ["2026-11-22T12:00:00Z"]
    assert found.late == {}


def test_a_link_in_the_place_of_what_is_written_beside_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    place = tmp_path / "s.json"
    (tmp_path / ".s.json.new").symlink_to(victim)
    write(place, FULL)
    assert victim.read_text() == "mine"
    (tmp_path / ".s.json.lock").symlink_to(victim)
    with pytest.raises(StateError, match="symbolic"):
        update(place, lambda state: FULL)
    assert victim.read_text() == "mine"


def test_a_state_behind_a_link_stays_behind_it(tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "s.json", tmp_path / "s.json"
    write(real, State(taken=AT))
    link.symlink_to(real)
    update(link, lambda state: FULL)
    assert link.is_symlink()
    assert read(real) == FULL


def test_a_state_that_could_not_be_read_again_goes_without_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MAX_BYTES", 5000)
    files = tuple(MirrorFile(f"{number}.whl", 1, "0" * 64) for number in range(100))
    big = State(taken=AT, sources=(MirrorSource(id="m", items=(MirrorItem("a", files=files),)),))
    write(tmp_path / "s.json", big)
    found = read(tmp_path / "s.json")
    assert found is not None
    assert found.sources[0].items == (MirrorItem("a"),)
    with pytest.raises(StateError, match="longer than"):
        write(tmp_path / "s.json", State(first_seen={"m": {f"i{number}": AT for number in range(1000)}}))
    assert read(tmp_path / "s.json") == found


WRITER = """
import sys
from tests.mirror.test_state import FULL
from trtdoctor.mirror.state import State, update
from dataclasses import replace
items = FULL.sources[0].items * 400
big = replace(FULL.sources[0], items=items)
for number in range(100000):
    update(sys.argv[1], lambda state: replace(FULL, sources=(big,), first_seen={"m": {str(number): FULL.taken}}))
    if number == 0:
        print("ready", flush=True)
"""


def test_killed_at_any_moment_the_state_is_the_one_before_or_the_one_after(tmp_path: Path) -> None:
    place = tmp_path / "s.json"
    seen = set()
    for turn in range(6):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(place)], cwd=ROOT, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.02 + 0.013 * turn)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        found = read(place)
        assert found is not None, "a state that was there is gone"
        assert len(found.sources[0].items) == 800
        seen.add(tuple(found.first_seen["m"]))
    update(place, lambda state: FULL)
    assert read(place) == FULL
    assert sorted(item.name for item in tmp_path.iterdir()) == [".s.json.lock", "s.json"]
    assert stat.S_IMODE((tmp_path / ".s.json.lock").stat().st_mode) == 0o600


def _count(place: str, name: str) -> None:
    for number in range(25):
        update(
            place,
            lambda state, number=number: State(  # type: ignore[misc]
                since={**(state or State()).since, f"{name}{number}": AT},
            ),
        )


def test_two_writers_lose_nothing_of_each_other(tmp_path: Path) -> None:
    place = str(tmp_path / "s.json")
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_count, args=(place, name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    found = read(place)
    assert found is not None
    assert len(found.since) == 50


def test_a_lock_that_is_held_is_waited_for_and_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    monkeypatch.setattr(kept, "WAIT_SECONDS", 0.2)
    place = tmp_path / "s.json"
    update(place, lambda state: FULL)
    with (tmp_path / ".s.json.lock").open() as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(StateError, match="another run holds it"):
            update(place, lambda state: State())
    assert read(place) == FULL


TEXT = st.text(max_size=30)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(TEXT, st.dictionaries(TEXT, TEXT | st.integers())),
    st.lists(
        st.dictionaries(st.sampled_from(["at", "source", "kind", "text", "names", "count"]), TEXT | st.integers())
    ),
    st.dictionaries(TEXT, st.lists(TEXT) | TEXT),
)
def test_whatever_a_state_holds_it_is_read_and_written_alike(
    tmp_path: Path, seen: dict[str, object], changes: list[object], owed: dict[str, object]
) -> None:
    place = tmp_path / "s.json"
    document = {"schema": SCHEMA, "first_seen": seen, "settled": seen, "since": seen, "changes": changes, "owed": owed}
    place.write_text(json.dumps(document))
    found = read(place)
    assert found is not None
    write(place, found)
    assert read(place) == found
