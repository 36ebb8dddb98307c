"""What the tests of looking and watching share: sources, states of them, and sockets to this machine."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import pytest

from trtdoctor.config.mirrors import Mirror
from trtdoctor.mirror_facts import MirrorItem, MirrorSide, MirrorSource

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
CONNECT = socket.socket.connect


@pytest.fixture
def loopback(_no_sockets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets, but to this machine alone."""

    def connect(self: socket.socket, address: Any) -> None:
        assert address[0] in ("127.0.0.1", "::1", "localhost"), address
        CONNECT(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)


def mirror(address: str, kind: str = "status", **said: Any) -> Mirror:
    """A mirror that is looked at; an address without scheme is on this machine."""
    whole = address if "://" in address else f"http://{address}"
    return Mirror(**{"id": "m", **said}, kind=kind, mirror=whole)


def source(items: Mapping[str, str] | None = None, *, name: str = "m", kind: str = "oci", **said: Any) -> MirrorSource:
    """A source with items by name and state, its sides in order."""
    made = tuple(MirrorItem(item, "p", item, state) for item, state in (items or {}).items())
    sides = (MirrorSide("upstream"), MirrorSide("mirror"))
    return MirrorSource(
        **{"id": name, "kind": kind, "items": made, "sides": sides, "checked": "2026-11-22T12:00:00Z", **said}
    )
