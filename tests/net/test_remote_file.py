"""Wheels read in parts from servers on this machine."""

from __future__ import annotations

import io
import socket
import zipfile
from typing import IO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.matrix.tls import Answer, server
from trtdoctor.net.http import Client, NetError
from trtdoctor.net.remote_file import RemoteFile

CONNECT = socket.socket.connect


@pytest.fixture(autouse=True)
def _sockets(_no_sockets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests speak to servers of their own."""
    monkeypatch.setattr(socket.socket, "connect", CONNECT)


def archive(*, padding: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as written:
        written.writestr("early.dist-info/METADATA", "Name: a\n")
        written.writestr("library.so", bytes(padding))
        written.writestr("late.dist-info/METADATA", "Name: b\n")
    return made.getvalue()


class Ranged:
    """A server with one file, which it gives in parts."""

    def __init__(self, content: bytes, *, shifted: int = 0, whole: bool = False) -> None:
        self.content = content
        self.shifted = shifted
        self.whole = whole
        self.sent = 0

    def __call__(self, _: str, headers: dict[str, str]) -> Answer:
        start, _, end = headers["range"].removeprefix("bytes=").partition("-")
        size = len(self.content)
        first = int(start) if start else max(0, size - int(end))
        last = min(int(end), size - 1) if start and end else size - 1
        body = self.content[first : last + 1]
        self.sent += len(body)
        if self.whole:
            return 200, {}, self.content
        return 206, {"content-range": f"bytes {first + self.shifted}-{last + self.shifted}/{size}"}, body


@pytest.mark.parametrize("padding", [0, 10, 3_000_000])
def test_a_zip_file_is_read_with_few_bytes(padding: int) -> None:
    held = Ranged(archive(padding=padding))
    with server(held) as place, Client(10) as client:
        found = zipfile.ZipFile(cast("IO[bytes]", RemoteFile(client, f"http://{place}/a.whl")))
        assert found.read("late.dist-info/METADATA") == b"Name: b\n"
        assert found.read("early.dist-info/METADATA") == b"Name: a\n"
    assert held.sent < 200_000


@given(
    content=st.binary(min_size=1, max_size=200_000),
    reads=st.lists(st.tuples(st.integers(0, 210_000), st.integers(0, 5000)), max_size=5),
)
@settings(max_examples=20, deadline=None)
def test_it_reads_as_the_file_itself(content: bytes, reads: list[tuple[int, int]]) -> None:
    local = io.BytesIO(content)
    with server(Ranged(content)) as place, Client(10) as client:
        remote = RemoteFile(client, f"http://{place}/a.whl")
        assert remote.seek(0, io.SEEK_END) == len(content)
        for offset, size in reads:
            assert remote.seek(offset) == local.seek(offset)
            assert remote.read(size) == local.read(size)
            assert remote.tell() == local.tell()


def test_a_server_without_parts_and_one_that_gives_others_are_told() -> None:
    for held in (Ranged(b"x" * 100, whole=True), Ranged(b"x" * 100, shifted=5)):
        with server(held) as place, Client(10) as client, pytest.raises(NetError, match=r"gave another|gives no parts"):
            RemoteFile(client, f"http://{place}/a.whl")
