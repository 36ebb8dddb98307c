"""How much is asked: a quick version of ``benchmarks/mirror.py``, by the registries' own logs."""

from __future__ import annotations

import socket

import pytest

from benchmarks.mirror import CAUGHT_UP, DIFFERING, LACKING, NEW, measure

CONNECT = socket.socket.connect


@pytest.fixture(autouse=True)
def _sockets(_no_sockets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests speak to servers of their own."""
    monkeypatch.setattr(socket.socket, "connect", CONNECT)


def test_no_more_is_asked_than_must_be() -> None:
    found = measure(60, sample=0)
    assert found.missed == []
    assert found.first.states == {"missing": LACKING, "same": 60 - LACKING - DIFFERING, "differs": DIFFERING}
    assert found.first.heads == 60 + 60 - LACKING
    assert found.second.heads == found.allowed == NEW + 2 * (CAUGHT_UP + DIFFERING)
    assert found.second.states == {
        "missing": LACKING - CAUGHT_UP + NEW,
        "same": 60 - LACKING - DIFFERING + CAUGHT_UP,
        "differs": DIFFERING,
    }
    assert found.first.layer_bytes == found.second.layer_bytes == 0
    # Lists, the kind of mirror, the newest images' manifests and configurations: bounded, whatever the number of tags.
    assert found.first.others <= 2 + 1 + 24 * 2 + 4 * DIFFERING + 4 * 5
    assert found.second.others <= 2 + 1 + 2 * (NEW + CAUGHT_UP) + 4
