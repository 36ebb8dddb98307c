"""The client against real servers on this machine: slow, broken, hostile, and asking for patience."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.matrix.tls import Answer as Served
from tests.matrix.tls import authority, server
from trtdoctor.net.cache import Cache
from trtdoctor.net.credentials import CredentialsError, bearer, find
from trtdoctor.net.gates import Gates
from trtdoctor.net.http import Client, NetError
from trtdoctor.net.words import host_of, shown

CONNECT = socket.socket.connect


@pytest.fixture(autouse=True)
def _sockets(_no_sockets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests speak to servers of their own."""
    monkeypatch.setattr(socket.socket, "connect", CONNECT)


@contextmanager
def raw(speak: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that says whatever ``speak`` says to each connection, HTTP or not."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                try:
                    speak(connection)
                except OSError:
                    pass  # the client has seen enough

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def get(url: str, *, seconds: float = 5, most: int = 1000, client: Client | None = None) -> bytes:
    with client or Client(seconds) as asking:
        return asking.get(url, most=most).body


def test_a_body_without_end_is_cut_off() -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with raw(endless) as address, pytest.raises(NetError, match="longer than 64 KiB") as caught:
        get(address, most=65536)
    assert caught.value.kind == "hostile"


def test_a_body_that_trickles_ends_with_the_time() -> None:
    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        for _ in range(100):
            connection.sendall(b"x")
            time.sleep(0.1)

    started = time.monotonic()
    with raw(trickle) as address, pytest.raises(NetError, match="did not end in time"):
        get(address, seconds=0.5)
    assert time.monotonic() - started < 5


def test_a_gzip_bomb_is_no_way_around_the_limit() -> None:
    import gzip

    packed = gzip.compress(b"0" * (50 << 20))
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    with raw(lambda connection: connection.sendall(head + packed)) as address, pytest.raises(NetError, match="1 MiB"):
        get(address, most=1 << 20)


@pytest.mark.parametrize("packing", ["gzip, gzip", "br", "zstd", "x\x01y"])
def test_a_body_that_is_packed_in_another_way_is_refused(packing: str) -> None:
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: {packing}\r\ncontent-length: 2\r\n\r\nok".encode()
    with raw(lambda connection: connection.sendall(head)) as address, pytest.raises(NetError, match="packed"):
        get(address)


def test_a_proxy_is_used_but_for_this_machine_and_its_refusal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(connection: socket.socket) -> None:
        asked.append("proxy")
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")

    whole = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with raw(answer) as proxy, raw(lambda connection: connection.sendall(whole)) as here:
        monkeypatch.setenv("http_proxy", proxy)
        assert get(here) == b"ok"
        assert asked == []
        with pytest.raises(NetError, match=r"registry\.example/v2/: the proxy wants a login, or another one \(407\)"):
            get("http://registry.example/v2/")
    assert asked == ["proxy"]


def test_a_broken_answer_and_no_server_are_one_line() -> None:
    cut = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"
    with raw(lambda connection: connection.sendall(cut)) as address, pytest.raises(NetError, match="broke off"):
        get(address)
    other = b"220 ftp ready\r\n"
    with raw(lambda connection: connection.sendall(other)) as address, pytest.raises(NetError, match="no connection"):
        get(address)
    with pytest.raises(NetError, match="no connection"):
        get("http://127.0.0.1:1/")


def test_patience_is_given_where_it_is_asked_for_and_there_is_time() -> None:
    asked: list[float] = []

    def answer(path: str, headers: dict[str, str]) -> Served:
        asked.append(time.monotonic())
        return (429, {"retry-after": "1"}, b"") if len(asked) == 1 else (200, {}, b"ok")

    with server(answer) as address:
        assert get(f"http://{address}/", seconds=10) == b"ok"
    assert asked[1] - asked[0] >= 1
    with server(lambda path, headers: (503, {"retry-after": "3600"}, b"later")) as address, Client(10) as client:
        started = time.monotonic()
        assert client.get(f"http://{address}/", most=100).status == 503
        assert time.monotonic() - started < 1
        assert client.requests == 1


def test_an_error_that_stays_is_given_as_it_is() -> None:
    with server(lambda path, headers: (500, {}, b"no")) as address, Client(20) as client:
        assert client.get(f"http://{address}/", most=100).status == 500
        assert client.counts["GET"] == 4


def test_redirections_are_followed_without_credentials_for_others() -> None:
    seen: dict[str, str | None] = {}

    def target(path: str, headers: dict[str, str]) -> Served:
        seen["target"] = headers.get("authorization")
        return 200, {}, b"there"

    with server(target) as there:
        elsewhere = there.replace("127.0.0.1", "localhost")

        def answer(path: str, headers: dict[str, str]) -> Served:
            seen[path] = headers.get("authorization")
            place = {"/a": "/b", "/b": f"http://{elsewhere}/c", "/loop": "/loop"}[path]
            return 307, {"location": place}, b""

        with server(answer) as address, Client(5) as client:
            found = client.get(f"http://{address}/a", most=100, auth=bearer("t0ken"))
            assert (found.body, found.redirected, found.host) == (b"there", True, elsewhere)
            assert seen == {"/a": "Bearer t0ken", "/b": "Bearer t0ken", "target": None}
            with pytest.raises(NetError, match="more than 5 redirections") as caught:
                client.get(f"http://{address}/loop", most=100)
            assert caught.value.kind == "hostile"


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/"])
def test_no_redirection_leaves_the_web(place: str) -> None:
    moved: Served = (302, {"location": place}, b"")
    with server(lambda path, headers: moved) as address, pytest.raises(NetError, match="only http and https"):
        get(f"http://{address}/")


def test_a_redirection_to_nowhere_is_one_line() -> None:
    nowhere: Served = (302, {"location": "http://[::1"}, b"")
    with server(lambda path, headers: nowhere) as address, pytest.raises(NetError, match="an address that is none"):
        get(f"http://{address}/")


def test_certificates_are_checked_and_nothing_falls_back_to_plain_http(tmp_path: Path) -> None:
    certificate, context = authority(tmp_path)
    with server(lambda path, headers: (302, {"location": "http://127.0.0.1:1/"}, b""), context) as address:
        with pytest.raises(NetError, match="its certificate is not trusted"):
            get(f"https://{address}/")
        with pytest.raises(NetError, match="redirects from https"):
            get(f"https://{address}/", client=Client(5, verify=str(certificate)))


def test_netrc_does_not_replace_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password s3cret\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    seen: list[str | None] = []

    def answer(path: str, headers: dict[str, str]) -> Served:
        seen.append(headers.get("authorization"))
        return 200, {}, b""

    with server(answer) as address, Client(5) as client:
        client.get(f"http://{address}/", most=10, auth=bearer("t0ken"))
        client.get(f"http://{address}/", most=10)
        login = find(f"http://{address}/", {"HOME": str(tmp_path)})
        assert login is not None
        client.get(f"http://{address}/", most=10, auth=login.auth())
    assert seen == ["Bearer t0ken", None, "Basic bWU6czNjcmV0"]
    assert "s3cret" not in repr(login)


def test_logins_of_docker_and_of_variables(tmp_path: Path) -> None:
    entry = {"auth": "Y2k6czNjcmV0"}
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"registry.example:5000": entry, "x": {"auth": "%"}}}))
    environ = {"DOCKER_CONFIG": str(tmp_path), "NAME": "n", "WORD": "w"}
    login = find("https://registry.example:5000/v2/", environ)
    assert login is not None
    assert (login.username, login.password, login.origin) == ("ci", "s3cret", "docker configuration")
    assert find("https://registry.example/v2/", environ) is None
    named = find("https://registry.example/", environ, username_env="NAME", password_env="WORD")
    assert named is not None
    assert (named.username, named.password) == ("n", "w")
    with pytest.raises(CredentialsError, match="ABSENT"):
        find("https://registry.example/", environ, token_env="ABSENT")
    (tmp_path / "config.json").write_text("[1, 2")
    assert find("https://registry.example:5000/v2/", environ) is None


def test_what_is_kept_is_asked_for_again_by_its_validator(tmp_path: Path) -> None:
    asked: list[str | None] = []

    def answer(path: str, headers: dict[str, str]) -> Served:
        asked.append(headers.get("if-none-match"))
        if headers.get("if-none-match") == '"1"':
            return 304, {}, b""
        return 200, {"etag": '"1"', "content-type": "application/json"}, b'{"a": 1}'

    place = tmp_path / "kept"
    with server(answer) as address:
        for number in range(3):
            if number == 2:  # a file that is not whole counts for nothing
                next(place.iterdir()).write_text("{}")
            with Client(5, kept=Cache(str(place))) as client:
                found = client.get(f"http://{address}/?token=s3cret", most=100, keep=True)
                assert found.json() == {"a": 1}
                assert found.cached is (number == 1)
    assert asked == [None, '"1"', None]
    assert place.stat().st_mode & 0o777 == 0o700
    assert "s3cret" not in next(place.iterdir()).read_text()


def test_addresses_are_shown_without_secrets() -> None:
    assert shown("https://u:s3cret@h.example:5000/a/b?token=t#f") == "https://h.example:5000/a/b"
    assert shown("http://[::1/") == "an address that is none"
    assert host_of("https://H.example:443/x") == "h.example"
    assert host_of("http://h.example:5000/x") == "h.example:5000"


def test_an_address_that_is_shown_can_still_be_asked() -> None:
    assert shown("http://u:s3cret@[2001:DB8::1]:5000/a?q") == "http://[2001:db8::1]:5000/a"
    assert (host_of("http://[::1]:5000/a"), host_of("https://[::1]/a")) == ("[::1]:5000", "[::1]")
    long = f"https://{'h' * 60}.example:5000/{'n' * 255}"
    assert shown(long) == long
    assert len(shown(f"https://h.example/{'n' * 9000}")) < 1000


class _Counting(BaseHTTPRequestHandler):
    now = 0
    most = 0
    lock = threading.Lock()

    def do_HEAD(self) -> None:
        kind = type(self)
        with self.lock:
            kind.now += 1
            kind.most = max(kind.most, kind.now)
        time.sleep(0.02)
        with self.lock:
            kind.now -= 1
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_single_hosts_may_be_trusted_otherwise(tmp_path: Path) -> None:
    ca, context = authority(tmp_path)
    with server(lambda path, headers: (200, {}, b"ok"), context) as address:
        url = f"https://{address}/"
        with pytest.raises(NetError, match="not trusted"):
            get(url)
        assert get(url, client=Client(5, verify_at={"127.0.0.1": str(ca)})) == b"ok"
        assert get(url, client=Client(5, verify=str(ca))) == b"ok"
        assert get(url, client=Client(5, verify=False)) == b"ok"
        with pytest.raises(NetError, match="not trusted"):
            get(url, client=Client(5, verify=False, verify_at={"127.0.0.1": True}))
    with Client(1, verify="ca.pem", verify_at={"nvidia.com": True}) as client:
        assert client.verification("https://API.ngc.nvidia.com/v2") is True
        assert client.verification("https://notnvidia.com/") == "ca.pem"
        assert client.verification("https://nvidia.com.example/") == "ca.pem"


def test_a_redirection_that_is_not_to_be_followed_is_given_as_it_is() -> None:
    with (
        server(lambda path, headers: (302, {"location": "http://127.0.0.1:1/"}, b"")) as address,
        Client(5) as client,
        client.open("GET", f"http://{address}/", follow=False) as (answer, final),
    ):
        assert (answer.status_code, final, client.requests) == (302, f"http://{address}/", 1)


def test_one_host_gets_no_more_than_a_few_requests_at_a_time() -> None:
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _Counting)
    threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    url = f"http://127.0.0.1:{httpd.server_address[1]}/"
    with Client(10, at_once=3) as client:
        threads = [threading.Thread(target=client.head, args=(url,)) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.counts["HEAD"] == 12
    httpd.shutdown()
    httpd.server_close()
    assert 1 <= _Counting.most <= 3


def test_clients_that_share_gates_wait_for_each_other() -> None:
    gates = Gates(1)
    with gates.through("http://h.example:5000/a", 1) as first, gates.through("http://other.example/", 0) as other:
        assert (first, other) == (True, True)
        with Client(0.2, gates=gates) as client, pytest.raises(NetError, match="no time left"):
            client.head("http://h.example:5000/b")
    with gates.through("http://h.example:5000/c", 0) as again:
        assert again


def test_a_stream_is_the_file_as_it_lies_there_and_is_bounded() -> None:
    import gzip

    packed = gzip.compress(b"Package: x\n" * 1000)

    def answer(path: str, headers: dict[str, str]) -> Served:
        assert headers["accept-encoding"] == "identity"
        return 200, {"content-encoding": "gzip"}, packed

    with server(answer) as address, Client(5) as client:
        with client.stream(f"http://{address}/Packages.gz", most=1000) as (head, parts):
            assert (head.status, head.body) == (200, b"")
            assert b"".join(parts) == packed
        with (
            pytest.raises(NetError, match="longer") as caught,
            client.stream(f"http://{address}/", most=10) as (_, parts),
        ):
            list(parts)
        assert caught.value.kind == "hostile"


def test_what_is_asked_together_comes_in_order_and_what_hangs_is_left() -> None:
    from trtdoctor.net.together import each

    def call(number: int) -> int:
        time.sleep(30 if number == 3 else 0.01 * (5 - number))
        return number

    started = time.monotonic()
    assert each(call, range(5), at_once=5, seconds=0.5) == [0, 1, 2, None, 4]
    assert time.monotonic() - started < 5
    with pytest.raises(ZeroDivisionError):
        each(lambda number: 1 // number, [1, 0], at_once=2, seconds=5)


def test_a_login_in_an_address_is_taken_out_of_it() -> None:
    from trtdoctor.net.credentials import of_address

    bare, login = of_address("https://user:p%40ss@index.example:8443/simple/?x=1")
    assert bare == "https://index.example:8443/simple/?x=1"
    assert login is not None
    assert (login.username, login.password) == ("user", "p@ss")
    assert "p@ss" not in repr(login)
    assert of_address("https://index.example/simple") == ("https://index.example/simple", None)


def test_what_went_wrong_can_be_told_without_where() -> None:
    from trtdoctor.net.words import without_addresses

    assert without_addresses("https://pypi.corp.example:8443/simple/x/: no answer in time") == "no answer in time"
    moved = "https://a.example/x: it redirects from https to http://b.corp.example/x"
    assert without_addresses(moved) == "it redirects from https to another address"
    assert without_addresses("file:///etc/passwd: only http and https are asked") == "only http and https are asked"
    with Client(5) as client, pytest.raises(NetError) as caught:
        client.get("http://127.0.0.1:1/secret", most=10)
    assert without_addresses(str(caught.value)) == "no connection"
