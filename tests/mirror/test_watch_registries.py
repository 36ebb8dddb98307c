"""A mirror watched through its life: two real registries, filled, copied, re-pointed, emptied, stopped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.mirror.places import NOW, loopback
from tests.mirror.registries import Pusher, Server, copy, registry
from trtdoctor.config.mirrors import Mirror
from trtdoctor.matrix import Matrix
from trtdoctor.mirror import rounds
from trtdoctor.mirror.lags import lags, late
from trtdoctor.mirror.state import read
from trtdoctor.policy import Policy

__all__ = ["loopback"]
REPOSITORY = "nvidia/tensorrt"
BOTH = ("linux/amd64", "linux/arm64")


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Server]:
    with registry(tmp_path / "upstream") as server:
        yield server


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Server]:
    with registry(tmp_path / "mirror") as server:
        yield server


@pytest.mark.usefixtures("loopback")
def test_the_life_of_a_mirror_is_told_step_by_step(
    matrix: Matrix, upstream: Server, mirror: Server, tmp_path: Path
) -> None:
    pusher = Pusher(upstream, REPOSITORY)
    here, above = f"{mirror.address}/{REPOSITORY}", f"{upstream.address}/{REPOSITORY}"
    watched = Mirror(id="corp", kind="oci", mirror=here, upstream=above)
    policy = Policy(max_lag_days=30)
    place, days = str(tmp_path / "mirror.json"), 0.0

    def push(month: str, day: str, layer: str = "") -> None:
        labels = {"com.nvidia.tensorrt.version": "11.4.0.106", "com.nvidia.cuda.version": "9.0"}
        pusher.image(f"{month}-py3", BOTH, labels=labels, created=f"{day}T00:00:00Z", layer=(month + layer).encode())

    def told(after: float = 1) -> list[tuple[str, str]]:
        nonlocal days
        days += after
        now = NOW + timedelta(days=days)
        looked = rounds.look(
            [watched],
            matrix,
            place,
            now=now,
            environ={},
            judge=lambda found, at: late(lags(found, matrix, policy, (), at), policy),
        )
        owed = rounds.owed(looked.state, rounds.STDOUT)
        assert [item.id for item in owed] == [item.id for item in looked.changes]
        rounds.told(place, {rounds.STDOUT: [item.id for item in owed]})
        return [(item.kind, item.text) for item in looked.changes]

    push("26.09", "2026-09-20")
    push("26.10", "2026-10-20")
    for month in ("26.09", "26.10"):
        copy(f"{above}:{month}-py3", f"{here}:{month}-py3", "--all")
    assert told() == []
    state = read(place)
    assert state is not None
    assert {item.name: item.state for item in state.sources[0].items} == {"26.10-py3": "same", "26.09-py3": "same"}

    push("26.11", "2026-11-22")
    assert told() == [("upstream-release", "26.11-py3: the mirror lacks it")]
    assert told() == []
    assert [kind for kind, _ in told(40)] == ["late"]
    copy(f"{above}:26.11-py3", f"{here}:26.11-py3", "--override-arch", "amd64", "--override-os", "linux")
    partly = told()
    assert partly[0] == ("incomplete", "26.11-py3: on the mirror: missing-platform")
    copy(f"{above}:26.11-py3", f"{here}:26.11-py3", "--all")
    # Whether one platform of two ends the lag is the rules' judgement, and not this test's.
    assert sorted(kind for kind, _ in partly[1:] + told()) == ["caught-up", "in-time"]

    push("26.11", "2026-11-25", layer="again")
    assert told(10) == [("moved", "26.11-py3: upstream has another one now; the mirror has the old one")]
    shutil.rmtree(mirror.data / "docker/registry/v2/repositories" / REPOSITORY / "_manifests/tags/26.10-py3")
    assert told() == [("lost", "26.10-py3: the mirror has it no longer")]
    mirror.stop()
    assert told() == [("unreachable", "the mirror cannot be asked: unreachable")]
    assert told() == []
    mirror.start()
    assert told() == [("reachable", "the mirror can be asked again")]
