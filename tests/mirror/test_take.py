"""All sources at once: none hides, hangs or brings down another, and what is remembered says from when it is."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from tests.mirror import standin
from tests.mirror.places import NOW, mirror, source
from trtdoctor.matrix import Matrix
from trtdoctor.mirror import take as taking
from trtdoctor.mirror.state import State
from trtdoctor.mirror.take import take, usual_trust
from trtdoctor.mirror_facts import MirrorItem, MirrorNews, MirrorSide, MirrorSource
from trtdoctor.times import iso

THEN = iso(NOW - timedelta(days=3))


@pytest.fixture(autouse=True)
def _kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(taking.LOOKS, "oci", "tests.mirror.standin")
    standin.MAKE.clear()


def looked(
    matrix: Matrix, *names: str, state: State | None = None, seconds: float = 5, **said: Any
) -> tuple[MirrorSource, ...]:
    wanted = [mirror(f"https://{name}.example/r", "oci", id=name, **said) for name in names]
    return take(wanted, matrix, state=state, now=NOW, environ={}, seconds=seconds)


def found(name: str, made: MirrorSource) -> None:
    standin.MAKE[name] = lambda: made


def test_one_that_hangs_crashes_or_is_denied_hides_no_other(matrix: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "_GRACE", 0.0)
    found("fine", source({"26.10-py3": "missing"}, name="fine"))
    started = time.monotonic()
    sources = looked(matrix, "hang", "crash", "fine", "denied", "exit", seconds=1)
    assert time.monotonic() - started < 5
    assert [item.id for item in sources] == ["hang", "crash", "fine", "denied", "exit"]
    said = {item.id: (item.sides[-1].state, item.sides[-1].detail or "") for item in sources}
    assert said["hang"] == ("unreachable", "it did not end within 1 s")
    assert said["crash"][0] == "unreachable"
    assert "KeyError" in said["crash"][1]
    assert "s3cret" not in said["crash"][1]
    assert said["crash"][1].isprintable()
    assert said["denied"] == ("denied", "the environment variable ABSENT, which is to hold a credential, is not set")
    assert said["exit"][0] == "unreachable"
    assert said["fine"] == ("ok", "")
    assert sources[2].items[0].state == "missing"


def test_sources_are_looked_at_at_the_same_time(matrix: Matrix) -> None:
    def slow(name: str) -> MirrorSource:
        time.sleep(0.3)
        return source(name=name)

    for number in range(8):
        standin.MAKE[f"s{number}"] = partial(slow, f"s{number}")
    started = time.monotonic()
    assert len(looked(matrix, *standin.MAKE)) == 8
    assert time.monotonic() - started < 1.5


def test_a_mirror_that_is_off_is_not_looked_at(matrix: Matrix) -> None:
    assert looked(matrix, "crash", enabled=False) == ()


def test_what_failed_keeps_what_it_had_with_its_time(matrix: Matrix) -> None:
    before = source({"a": "same", "b": "missing"}, checked=THEN, news=(MirrorNews("x"),))
    older = replace(before, items=(replace(before.items[0], as_of="2026-01-01T00:00:00Z"), before.items[1]))
    state = State(sources=(replace(older, id="crash"), replace(older, id="down")), since={"down": THEN})
    down = MirrorSource("down", "oci", sides=(MirrorSide("mirror", state="unreachable"),))
    found("down", down)
    for made in looked(matrix, "crash", "down", state=state):
        assert [(item.name, item.state, item.as_of) for item in made.items] == [
            ("a", "same", "2026-01-01T00:00:00Z"),
            ("b", "missing", THEN),
        ]
        assert made.news == (MirrorNews("x"),)
        assert THEN in made.notes[-1]
        assert made.sides[-1].state == "unreachable"
    emptied = replace(down, sides=(MirrorSide("mirror"),))
    found("down", emptied)
    assert looked(matrix, "down", state=state)[0].items == ()


def test_what_is_seen_for_the_first_time_is_dated_by_that_but_not_at_the_first_look(matrix: Matrix) -> None:
    items = (
        MirrorItem("new", state="missing"),
        MirrorItem("dated", state="missing", released="2026-11-01", released_by="pushed"),
        MirrorItem("known", state="same"),
        MirrorItem("later", state="same"),
        MirrorItem("own", state="extra"),
    )
    found("m", MirrorSource("m", "oci", sides=(MirrorSide("mirror"),), items=items))
    first = looked(matrix, "m")[0]
    assert {item.released_by for item in first.items} == {None, "pushed"}
    seen = {"m": {"known": THEN, "later": iso(NOW - timedelta(days=1))}}
    state = State(sources=(first,), since={"m": THEN}, first_seen=seen)
    dates = {item.name: (item.released, item.released_by) for item in looked(matrix, "m", state=state)[0].items}
    assert dates == {
        "new": (iso(NOW), "first seen"),
        "dated": ("2026-11-01", "pushed"),
        "known": (None, None),
        "later": (iso(NOW - timedelta(days=1)), "first seen"),
        "own": (None, None),
    }


def test_no_source_is_longer_than_a_state_can_carry(matrix: Matrix) -> None:
    found("m", MirrorSource("m", "oci", items=tuple(MirrorItem(f"i{number}") for number in range(20_500))))
    (made,) = looked(matrix, "m")
    assert len(made.items) == 20_000
    assert "20500 items" in made.notes[0]


def test_a_site_s_own_authority_speaks_for_no_public_host(matrix: Matrix) -> None:
    found("m", source())
    looked(matrix, "m", ca_file="/ca.pem")
    asking = standin.CLIENTS["m"]
    assert asking.verification("https://m.example/v2/") == "/ca.pem"
    assert asking.verification("https://auth.corp.example/token") == "/ca.pem"
    for public in ("https://nvcr.io/v2/", "https://authn.nvidia.com/token", "https://api.ngc.nvidia.com/v2/x"):
        assert asking.verification(public) is True
    (made,) = looked(matrix, "m", verify_tls=False)
    asking = standin.CLIENTS["m"]
    assert asking.verification("https://m.example/") is False
    assert asking.verification("https://nvcr.io/") is True
    assert [side.unverified for side in made.sides] == [None, True]
    looked(matrix, "m")
    assert standin.CLIENTS["m"].verification("https://m.example/") is True


def test_the_index_that_pip_has_is_checked_as_pip_does(matrix: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple/")
    monkeypatch.setenv("PIP_CERT", "/pip.pem")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    wanted = mirror("https://m.example/simple", "pypi", ca_file="/ca.pem")
    assert usual_trust(wanted, matrix)["index.example"] == "/pip.pem"
    assert "index.example" not in usual_trust(replace(wanted, upstream="https://other.example/simple"), matrix)
