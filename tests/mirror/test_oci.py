"""A repository at a mirror beside its upstream: real registries on this machine, filled as people fill theirs."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.mirror.registries import Pusher, Server, copy, registry
from trtdoctor.config.mirrors import Mirror
from trtdoctor.matrix import Matrix
from trtdoctor.mirror.oci import look
from trtdoctor.mirror_facts import MirrorItem, MirrorSource
from trtdoctor.net.http import Client

CONNECT = socket.socket.connect
NOW = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)
REPOSITORY, TARGET = "nvidia/tensorrt", "ngc/nvidia/tensorrt"
BOTH = ("linux/amd64", "linux/arm64")
MONTHS = ("26.06", "26.07", "26.08", "26.09", "26.10")


@pytest.fixture(autouse=True)
def _sockets(_no_sockets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests speak to servers of their own."""
    monkeypatch.setattr(socket.socket, "connect", CONNECT)


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry with five months of two images, for two platforms each."""
    with registry(tmp_path_factory.mktemp("upstream")) as server:
        fill(Pusher(server, REPOSITORY))
        yield server


def fill(pusher: Pusher) -> None:
    for number, month in enumerate(MONTHS):
        for flavour in ("py3", "py3-igpu"):
            pusher.image(
                f"{month}-{flavour}",
                BOTH,
                labels={"com.nvidia.tensorrt.version": f"11.{number}.0.106+cuda13.4", "com.nvidia.cuda.version": "9.0"},
                env=["CUDA_VERSION=13.4.3.001", "SECRET_KEY=pl4nted"],
                created=f"2026-{number + 6:02}-20T10:11:12.123456789Z",
                layer=f"{month} {flavour}".encode(),
                attested=True,
            )


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Server]:
    """An empty registry."""
    with registry(tmp_path / "mirror") as server:
        yield server


def bring(upstream: Server, mirror: Server, *tags: str, options: tuple[str, ...] = ("--all",)) -> None:
    for tag in tags:
        copy(f"{upstream.address}/{REPOSITORY}:{tag}", f"{mirror.address}/{TARGET}:{tag}", *options)


def taken(
    matrix: Matrix,
    ours: Server | str,
    theirs: Server | str,
    *,
    before: MirrorSource | None = None,
    now: datetime = NOW,
    target: str = TARGET,
    environ: Mapping[str, str] | None = None,
    counts: Counter[str] | None = None,
    **more: Any,
) -> MirrorSource:
    """One look."""
    addresses = [server if isinstance(server, str) else server.address for server in (ours, theirs)]
    mirror = Mirror("corp", "oci", f"{addresses[1]}/{target}", f"{addresses[0]}/{REPOSITORY}", **more)
    with Client(20) as client:
        found = look(mirror, matrix, client, before=before, now=now, environ=environ or {})
        if counts is not None:
            counts.clear()
            counts.update(client.counts)
    return found


def states(source: MirrorSource) -> dict[str, str]:
    """Tag to state, without the ``-igpu`` images."""
    return {item.name: item.state for item in source.items if not item.name.endswith("-igpu")}


def item(source: MirrorSource, name: str) -> MirrorItem:
    return next(item for item in source.items if item.name == name)


def test_a_mirror_two_releases_behind(matrix: Matrix, upstream: Server, mirror: Server) -> None:
    bring(upstream, mirror, "26.06-py3", "26.07-py3", "26.08-py3")
    counts = Counter[str]()
    found = taken(matrix, upstream, mirror, counts=counts)
    assert states(found) == {
        "26.10-py3": "missing",
        "26.09-py3": "missing",
        "26.08-py3": "same",
        "26.07-py3": "same",
        "26.06-py3": "same",
    }
    assert [side.state for side in found.sides] == ["ok", "ok"]
    assert [side.product for side in found.sides] == [None, "registry"]
    newest = item(found, "26.10-py3")
    assert (newest.evidence, newest.platforms, newest.project) == ("listed", BOTH, REPOSITORY)
    assert (newest.released, newest.released_by) == ("2026-10-20T10:11:12Z", "image created")
    assert newest.upstream_digest
    assert newest.mirror_digest is None
    assert [(one.name, one.version, one.where, one.on) for one in newest.components] == [
        ("tensorrt", "11.4.0.106", "com.nvidia.tensorrt.version", "upstream"),
        ("cuda", "13.4.3.001", "CUDA_VERSION", "upstream"),
    ]
    assert {one.on for one in item(found, "26.08-py3").components} == {"both"}
    assert counts["HEAD"] == 10 + 3  # one for each tag and side
    assert found.requests == counts["HEAD"] + counts["GET"]
    assert "pl4nted" not in repr(found)

    # The mirror catches up; of what was the same nothing is asked again, and the report says from when it is.
    bring(upstream, mirror, "26.09-py3")
    later = NOW + timedelta(days=2)
    again = taken(matrix, upstream, mirror, before=found, now=later, counts=counts)
    assert states(again) == {**states(found), "26.09-py3": "same"}
    assert counts["HEAD"] == 2
    assert item(again, "26.08-py3").as_of == found.checked == "2026-11-22T12:00:00Z"
    assert item(again, "26.09-py3").as_of is None
    assert item(again, "26.08-py3").components == item(found, "26.08-py3").components
    assert {one.on for one in item(again, "26.09-py3").components} == {"both"}
    third = taken(matrix, upstream, mirror, before=again, now=later + timedelta(days=1), counts=counts)
    assert item(third, "26.08-py3").as_of == "2026-11-22T12:00:00Z"
    assert counts["HEAD"] == 0
    old = taken(matrix, upstream, mirror, before=third, now=NOW + timedelta(days=8), counts=counts)
    assert item(old, "26.08-py3").as_of is None  # a digest that was seen 8 days ago is asked for again
    assert item(old, "26.09-py3").as_of == "2026-11-24T12:00:00Z"


def test_a_copy_for_one_platform(matrix: Matrix, upstream: Server, mirror: Server) -> None:
    bring(upstream, mirror, "26.10-py3", options=("--override-arch", "amd64"))
    found = item(taken(matrix, upstream, mirror), "26.10-py3")
    assert (found.state, found.evidence, found.missing) == ("missing-platform", "platforms", ("linux/arm64",))
    assert found.detail == "the mirror has linux/amd64"
    source = taken(matrix, upstream, mirror, platforms=("linux/amd64",))
    enough = item(source, "26.10-py3")
    assert (enough.state, enough.evidence, enough.missing) == ("same", "platforms", ())
    counts = Counter[str]()
    again = taken(matrix, upstream, mirror, platforms=("linux/amd64",), before=source, counts=counts)
    assert item(again, "26.10-py3").state == "same"
    assert counts["HEAD"] == 0
    arm = item(taken(matrix, upstream, mirror, platforms=("linux/arm64",)), "26.10-py3")
    assert (arm.state, arm.missing) == ("missing-platform", ("linux/arm64",))


def test_a_tag_that_upstream_moved(matrix: Matrix, mirror: Server, tmp_path: Path) -> None:
    with registry(tmp_path / "up") as ours:
        pusher = Pusher(ours, REPOSITORY)
        for tag in ("26.10-py3", "latest"):
            pusher.image(tag, BOTH, labels={"com.nvidia.tensorrt.version": "11.4.0.106"})
            bring(ours, mirror, tag)
        first = taken(matrix, ours, mirror, tags=("*",))
        assert states(first) == {"26.10-py3": "same", "latest": "same"}
        for tag in ("26.10-py3", "latest"):
            pusher.image(tag, BOTH, labels={"com.nvidia.tensorrt.version": "11.4.1.7"})
        soon = taken(matrix, ours, mirror, tags=("*",), before=first)
        assert states(soon) == {"26.10-py3": "same", "latest": "differs"}  # one that names no release is always asked
        assert item(soon, "26.10-py3").as_of == first.checked
        late = taken(matrix, ours, mirror, tags=("*",), before=first, now=NOW + timedelta(days=8))
        moved = item(late, "26.10-py3")
        assert (moved.state, moved.detail) == ("differs", "upstream moved the tag")
        assert moved.upstream_digest != item(first, "26.10-py3").upstream_digest
        said = {(one.on, one.version) for one in moved.components}
        assert said == {("upstream", "11.4.1.7"), ("mirror", "11.4.0.106")}
        counts = Counter[str]()
        again = taken(matrix, ours, mirror, tags=("*",), before=late, now=NOW + timedelta(days=8), counts=counts)
        assert item(again, "26.10-py3") == moved
        assert (counts["HEAD"], counts["GET"]) == (4, 3)  # nothing but lists, the kind of mirror, and what differs


def test_what_is_only_at_the_mirror(matrix: Matrix, mirror: Server, tmp_path: Path) -> None:
    with registry(tmp_path / "up") as ours:
        pusher = Pusher(ours, REPOSITORY)
        old = pusher.image("25.01-py3")
        pusher.image("26.10-py3")
        bring(ours, mirror, "25.01-py3")
        own = Pusher(mirror, TARGET)
        own.image("26.10-py3-corp", labels={"com.nvidia.tensorrt.version": "11.4.0.106"})
        first = taken(matrix, ours, mirror, tags=("*",))
        assert states(first) == {"26.10-py3": "missing", "26.10-py3-corp": "extra", "25.01-py3": "same"}
        corp = item(first, "26.10-py3-corp")
        assert corp.detail == "upstream does not list it; whether it ever did is not known"
        assert (corp.upstream_digest, bool(corp.mirror_digest), corp.released) == (None, True, None)
        assert [(one.version, one.on) for one in corp.components] == [("11.4.0.106", "mirror")]
        assert pusher._session.delete(f"{ours.address}/v2/{REPOSITORY}/manifests/{old}").status_code == 202
        second = taken(matrix, ours, mirror, tags=("*",), before=first)
        gone = item(second, "25.01-py3")
        assert (gone.state, gone.released, gone.released_by) == ("gone-upstream", "2025-01-01T00:00:00Z", "month")
        assert states(taken(matrix, ours, mirror, tags=("*",), before=second))["25.01-py3"] == "gone-upstream"


def test_a_new_release_is_dated_by_when_it_was_first_seen(matrix: Matrix, mirror: Server, tmp_path: Path) -> None:
    with registry(tmp_path / "up") as ours:
        pusher = Pusher(ours, REPOSITORY)
        pusher.image("26.09-py3")
        first = taken(matrix, ours, mirror)
        assert item(first, "26.09-py3").released_by == "month"  # it may have been there for long
        pusher.image("26.10-py3", created="1970-01-01T00:00:00Z")  # a builder that writes no times
        later = NOW + timedelta(hours=5)
        second = taken(matrix, ours, mirror, before=first, now=later)
        seen = ("2026-11-22T17:00:00Z", "first seen")
        assert (item(second, "26.10-py3").released, item(second, "26.10-py3").released_by) == seen
        third = taken(matrix, ours, mirror, before=second, now=later + timedelta(days=9))
        assert (item(third, "26.10-py3").released, item(third, "26.10-py3").released_by) == seen
        pusher.image("26.11-py3", annotations={"org.opencontainers.image.created": "2026-11-21T01:02:03Z"})
        fourth = taken(matrix, ours, mirror, before=third, now=later + timedelta(days=9))
        assert item(fourth, "26.11-py3").released_by == "annotation"


def test_upstream_is_down(matrix: Matrix, mirror: Server, tmp_path: Path) -> None:
    with registry(tmp_path / "up") as ours:
        fill(Pusher(ours, REPOSITORY))
        bring(ours, mirror, "26.08-py3", "26.09-py3")
        first = taken(matrix, ours, mirror)
        ours.stop()
        blind = taken(matrix, ours, mirror)
        assert [side.state for side in blind.sides] == ["unreachable", "ok"]
        assert states(blind) == {"26.09-py3": "unknown", "26.08-py3": "unknown"}
        assert "upstream could not be asked" in (item(blind, "26.09-py3").detail or "")
        assert item(blind, "26.09-py3").components  # what can be had from the mirror is told all the same
        assert item(blind, "26.09-py3").mirror_digest
        assert item(blind, "26.09-py3").released is None
        recalled = taken(matrix, ours, mirror, before=first, now=NOW + timedelta(days=3))
        assert states(recalled) == states(first)
        assert item(recalled, "26.10-py3").as_of == item(recalled, "26.09-py3").as_of == first.checked
        forgotten = taken(matrix, ours, mirror, before=recalled, now=NOW + timedelta(days=8))
        assert set(states(forgotten).values()) == {"unknown"}
        assert "too long ago" in (item(forgotten, "26.10-py3").detail or "")


def test_the_mirror_is_down_or_has_no_such_repository(matrix: Matrix, upstream: Server, mirror: Server) -> None:
    absent = taken(matrix, upstream, mirror)
    assert [side.state for side in absent.sides] == ["ok", "absent"]
    assert set(states(absent).values()) == {"missing"}
    mirror.stop()
    down = taken(matrix, upstream, mirror)
    assert [side.state for side in down.sides] == ["ok", "unreachable"]
    assert set(states(down).values()) == {"unknown"}
    assert (item(down, "26.10-py3").detail or "").startswith("the mirror could not be asked: ")
    assert item(down, "26.10-py3").components  # what upstream has is told all the same
    both = taken(matrix, "http://127.0.0.1:1", mirror)
    assert [side.state for side in both.sides] == ["unreachable", "unreachable"]
    assert both.items == ()


def test_a_pull_through_mirror_with_nothing_in_it(matrix: Matrix, upstream: Server, tmp_path: Path) -> None:
    with registry(tmp_path / "cache", upstream=upstream.address) as cache:
        found = taken(matrix, upstream, cache, target=REPOSITORY)
        side = found.sides[1]
        assert (side.state, side.product) == ("ok", "pull-through")
        assert "proves nothing" in (side.detail or "")
        assert set(states(found).values()) == {"listed-not-held"}  # it lists all, and holds nothing
        assert item(found, "26.10-py3").evidence == "catalogue"
        assert cache.blobs() == set()  # looking changed nothing
        again = taken(matrix, upstream, cache, target=REPOSITORY, before=found)
        assert states(again) == states(found)
        assert cache.blobs() == set()

        # Probed, it gives the manifests that it is asked for, and gets and keeps those alone: no layer.
        probed = taken(matrix, upstream, cache, target=REPOSITORY, held="probe")
        assert set(states(probed).values()) == {"same"}
        layers = {digest for digest in upstream.blobs() if _is_layer(upstream, digest)}
        assert len(layers) == 20
        assert cache.blobs()
        assert not cache.blobs() & layers

        # Only who asks for every layer makes it get them.
        deep = taken(matrix, upstream, cache, target=REPOSITORY, held="deep", tags=("26.10-py3",))
        assert states(deep) == {"26.10-py3": "same"}
        assert any("2 layers of the newest 1 images" in note for note in deep.notes)
        ends = time.monotonic() + 10
        while len(cache.blobs() & layers) < 2 and time.monotonic() < ends:
            time.sleep(0.05)  # it answers first and keeps afterwards
        kept = cache.blobs() & layers
        assert 0 < len(kept) <= 2
        some = taken(matrix, upstream, cache, target=REPOSITORY)  # it holds something now: of which, it does not say
        assert set(states(some).values()) == {"present"}
        assert item(some, "26.10-py3").detail == "not compared: a question would change what the mirror holds"
        assert cache.blobs() & layers == kept


def _is_layer(server: Server, digest: str) -> bool:
    algorithm, _, name = digest.partition(":")
    path = next(server.data.rglob(f"blobs/{algorithm}/*/{name}/data"))
    return path.read_bytes()[:2] == b"\x1f\x8b"


def test_a_pull_through_mirror_that_cannot_reach_its_upstream(matrix: Matrix, upstream: Server, tmp_path: Path) -> None:
    with (
        registry(tmp_path / "up") as ours,
        registry(tmp_path / "cache", upstream=ours.address) as cache,
        registry(tmp_path / "empty", upstream=ours.address) as empty,
    ):
        fill(Pusher(ours, REPOSITORY))
        taken(matrix, ours, cache, target=REPOSITORY, held="probe", tags=("26.09-py3",))
        ours.stop()
        part = taken(matrix, upstream, cache, target=REPOSITORY, tags=("26.*-py3",))
        assert "cannot reach" in (part.sides[1].detail or "")
        assert states(part)["26.10-py3"] == "unknown"  # never missing
        assert item(part, "26.10-py3").detail == "the mirror could not be asked: it cannot reach its upstream"
        found = taken(matrix, upstream, empty, target=REPOSITORY)
        assert found.sides[1].state == "unreachable"
        assert found.sides[1].product == "pull-through"
        assert set(states(found).values()) == {"unknown"}


def test_every_layer_is_asked_for_where_that_is_wanted(matrix: Matrix, upstream: Server, mirror: Server) -> None:
    bring(upstream, mirror, "26.09-py3", "26.10-py3")
    whole = taken(matrix, upstream, mirror, held="deep")
    assert states(whole)["26.10-py3"] == "same"
    for path in mirror.data.rglob("_layers/sha256/*/link"):  # a clean-up that went wrong
        if b"26.10" in _content(mirror, path):
            path.unlink()
    half = taken(matrix, upstream, mirror, held="deep")
    assert (item(half, "26.10-py3").state, item(half, "26.10-py3").evidence) == ("listed-not-held", "layers")
    assert item(half, "26.10-py3").detail == "2 of 2 layers are not there"
    assert states(half)["26.09-py3"] == "same"
    assert states(taken(matrix, upstream, mirror))["26.10-py3"] == "same"  # a list and a digest do not show it


def _content(server: Server, link: Path) -> bytes:
    import gzip

    name = link.read_text().partition(":")[2]
    content = next(server.data.rglob(f"blobs/sha256/*/{name}/data")).read_bytes()
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else b""


def test_usual_tags_and_named_ones(matrix: Matrix, mirror: Server, tmp_path: Path) -> None:
    with registry(tmp_path / "up") as ours:
        Pusher(ours, REPOSITORY).many(
            ["26.10-py3", "26.9-dev", "26.10-py3-igpu", "26.10-py3-sdk", "latest", "sha256-" + "a" * 64 + ".sig"]
        )
        usual = taken(matrix, ours, mirror)
        assert [one.name for one in usual.items] == ["26.10-py3-igpu", "26.10-py3"]
        assert any("4 other tags" in note for note in usual.notes)
        named = taken(matrix, ours, mirror, tags=("*-sdk", "latest"))
        assert [one.name for one in named.items] == ["26.10-py3-sdk", "latest"]
        every = taken(matrix, ours, mirror, tags=("*",))
        assert [one.name for one in every.items][-1] == "latest"
        assert len(every.items) == 5


def test_what_is_configured_wrong_is_said(matrix: Matrix, mirror: Server) -> None:
    with Client(5) as client:

        def ask(one: Mirror) -> None:
            look(one, matrix, client, before=None, now=NOW, environ={})

        with pytest.raises(ValueError, match="name it with upstream"):
            ask(Mirror("a", "oci", f"{mirror.address}/some/thing"))
        with pytest.raises(ValueError, match="address of a repository"):
            ask(Mirror("a", "oci", mirror.address, f"{mirror.address}/{REPOSITORY}"))
        with pytest.raises(ValueError, match="ABSENT"):
            ask(Mirror("a", "oci", f"{mirror.address}/{TARGET}", f"{mirror.address}/{REPOSITORY}", token_env="ABSENT"))
        assert client.requests == 0
