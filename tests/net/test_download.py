"""Large files from real servers on this machine: broken off, carried on, changed meanwhile, and not what was said."""

from __future__ import annotations

import hashlib
import os
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trtdoctor.net.download import MismatchError, download
from trtdoctor.net.http import Client, NetError

CONNECT = socket.socket.connect
CONTENT = random.Random(8).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _sockets(_no_sockets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests speak to servers of their own."""
    monkeypatch.setattr(socket.socket, "connect", CONNECT)


class Shelf:
    """What a server has, and how it behaves."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.etag: str | None = '"one"'
        self.ranges = True
        self.breaks_after: list[int] = []
        """Bytes after which each answer ends, one after the other."""
        self.asked: list[str | None] = []
        """The ``Range`` of each request."""
        self.status = 0
        self.begins_wrong = False
        self.address = ""


@contextmanager
def serving() -> Iterator[Shelf]:
    shelf = Shelf()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("range")
            shelf.asked.append(wanted)
            content, status = shelf.content, 200
            condition = self.headers.get("if-range")
            if wanted and shelf.ranges and condition in (None, shelf.etag):
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                status = 206 if start < len(content) else 416
                content = content[start:]
            self.send_response(shelf.status or status)
            if status == 206:
                start += shelf.begins_wrong
                self.send_header("content-range", f"bytes {start}-{len(shelf.content) - 1}/{len(shelf.content)}")
            if shelf.etag:
                self.send_header("etag", shelf.etag)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: shelf.breaks_after.pop(0)] if shelf.breaks_after else content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    shelf.address = f"http://127.0.0.1:{server.server_port}/a.whl"
    try:
        yield shelf
    finally:
        server.shutdown()
        server.server_close()


def bring(shelf: Shelf, place: Path, *, size: int | None = None, sha256: str | None = None) -> str:
    with Client(10) as client:
        return download(client, shelf.address, str(place), size=size, sha256=sha256)


def test_a_file_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    told: list[int] = []
    with serving() as shelf, Client(10) as client:
        place = str(tmp_path / "a.whl")
        digest = download(client, shelf.address, place, size=len(CONTENT), sha256=SHA256.upper(), progress=told.append)
    assert digest == SHA256
    assert os.listdir(tmp_path) == ["a.whl"]
    assert (tmp_path / "a.whl").read_bytes() == CONTENT
    assert told == sorted(told)
    assert told[-1] == len(CONTENT)


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_what_broke_off_is_carried_on_at_once(tmp_path: Path, sha256: str | None) -> None:
    with serving() as shelf:
        shelf.breaks_after = [100_000, 50_000]
        assert bring(shelf, tmp_path / "a.whl", sha256=sha256) == SHA256
    assert shelf.asked == [None, "bytes=100000-", "bytes=150000-"]


@given(
    broken=st.lists(st.integers(0, len(CONTENT)), max_size=6),
    ranges=st.booleans(),
    etag=st.sampled_from(['"one"', None, 'W/"weak"']),
    known=st.booleans(),
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_it_breaks_off_what_comes_in_the_end_is_the_file(
    tmp_path_factory: pytest.TempPathFactory, broken: list[int], ranges: bool, etag: str | None, known: bool
) -> None:
    directory = tmp_path_factory.mktemp("broken")
    with serving() as shelf:
        shelf.ranges, shelf.etag, shelf.breaks_after = ranges, etag, broken
        for _ in range(len(broken) + 2):
            try:
                assert bring(shelf, directory / "a.whl", sha256=SHA256 if known else None) == SHA256
                break
            except MismatchError:
                raise
            except NetError as error:
                assert "broke off" in str(error)
                assert not (directory / "a.whl").exists()
    assert os.listdir(directory) == ["a.whl"]
    assert (directory / "a.whl").read_bytes() == CONTENT


def test_a_later_run_carries_on(tmp_path: Path) -> None:
    with serving() as shelf:
        shelf.breaks_after = [100_000, 0]
        with pytest.raises(NetError, match="broke off"):
            bring(shelf, tmp_path / "a.whl", sha256=SHA256)
        assert bring(shelf, tmp_path / "a.whl", sha256=SHA256) == SHA256
    assert shelf.asked == [None, "bytes=100000-", "bytes=100000-"]


def test_a_file_that_changed_meanwhile_is_begun_anew(tmp_path: Path) -> None:
    with serving() as shelf:
        shelf.breaks_after = [100_000, 0]
        with pytest.raises(NetError, match="broke off"):
            bring(shelf, tmp_path / "a.whl")
        shelf.content, shelf.etag = CONTENT[::-1], '"two"'
        assert bring(shelf, tmp_path / "a.whl") == hashlib.sha256(CONTENT[::-1]).hexdigest()


def test_a_beginning_of_another_file_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "a.whl.part").write_bytes(b"of an older build" * 100)
    with serving() as shelf:
        assert bring(shelf, tmp_path / "a.whl", sha256=SHA256) == SHA256
    assert len(shelf.asked) == 2
    assert os.listdir(tmp_path) == ["a.whl"]


def test_a_part_that_is_longer_than_the_file_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "a.whl.part").write_bytes(CONTENT + b"more")
    with serving() as shelf:
        assert bring(shelf, tmp_path / "a.whl", sha256=SHA256) == SHA256


def test_a_part_that_is_whole_is_only_verified(tmp_path: Path) -> None:
    (tmp_path / "a.whl.part").write_bytes(CONTENT)
    with serving() as shelf:
        assert bring(shelf, tmp_path / "a.whl", size=len(CONTENT), sha256=SHA256) == SHA256
    assert shelf.asked == []


def test_a_server_that_always_breaks_off_in_another_file_is_refused_in_the_end(tmp_path: Path) -> None:
    with serving() as shelf, Client(20) as client:
        shelf.content, shelf.breaks_after = bytes(1000), [500] * 200
        with pytest.raises(MismatchError, match="refused"):
            download(client, shelf.address, str(tmp_path / "file"), sha256=SHA256)
    assert len(shelf.asked) == 4  # once carried on, once begun anew
    assert list(tmp_path.iterdir()) == []


def test_another_digest_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    with serving() as shelf, pytest.raises(MismatchError, match=r"with SHA-256 .*, not with 0000"):
        bring(shelf, tmp_path / "a.whl", sha256="0" * 64)
    assert os.listdir(tmp_path) == []
    assert len(shelf.asked) == 1


@pytest.mark.parametrize("size", [len(CONTENT) - 1, len(CONTENT) + 1])
def test_another_size_is_refused(tmp_path: Path, size: int) -> None:
    with serving() as shelf, pytest.raises(MismatchError, match=f"{len(CONTENT)} bytes, not"):
        bring(shelf, tmp_path / "a.whl", size=size)
    assert os.listdir(tmp_path) == []


def test_a_server_that_gives_another_part_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "a.whl.part").write_bytes(CONTENT[:1000])
    with serving() as shelf:
        shelf.begins_wrong = True
        with pytest.raises(NetError, match="another part"):
            bring(shelf, tmp_path / "a.whl", sha256=SHA256)
    assert not (tmp_path / "a.whl").exists()


@pytest.mark.parametrize("status", [401, 403, 404, 410, 500])
def test_what_is_not_given_is_an_error(tmp_path: Path, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trtdoctor.net.http.time.sleep", lambda _: None)
    with serving() as shelf:
        shelf.status = status
        with pytest.raises(NetError, match=f"answered {status}"):
            bring(shelf, tmp_path / "a.whl")
    assert os.listdir(tmp_path) == []


def test_a_link_in_the_place_of_a_part_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "a.whl.part").symlink_to(tmp_path / "precious")
    with serving() as shelf:
        bring(shelf, tmp_path / "a.whl", sha256=SHA256)
    assert (tmp_path / "precious").read_bytes() == b"precious"
