"""Changes sent to an address: real servers that take them, refuse them, are busy, or send one elsewhere."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.mirror.places import loopback
from trtdoctor.mirror.change import Change
from trtdoctor.mirror.webhook import MOST, Webhook, WebhookError, of_options, send

__all__ = ["loopback"]
AT = "2026-11-22T12:00:00Z"
CHANGES = [Change(AT, "m", "lost", f"t{number}: gone") for number in range(3)]
Taken = list[tuple[str, dict[str, str], Any]]


@contextmanager
def taker(answer: Callable[[int], tuple[int, dict[str, str]]]) -> Iterator[tuple[str, Taken]]:
    """A server that notes what is sent to it; ``answer`` gives status and headers for the first, second, … time."""
    taken: Taken = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            taken.append((self.path, {name.lower(): value for name, value in self.headers.items()}, json.loads(body)))
            status, headers = answer(len(taken))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_address[1]}", taken
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


@pytest.mark.usefixtures("loopback")
def test_changes_are_sent_as_json_with_the_token() -> None:
    with taker(lambda turn: (204, {})) as (address, taken):
        hook = of_options(f"{address}/hook?x=1", None, "TOKEN", {"TOKEN": "s3cret"})
        assert hook is not None
        assert send(hook, CHANGES, at=AT) == tuple(item.id for item in CHANGES)
    ((path, headers, document),) = taken
    assert (path, headers["authorization"]) == ("/hook?x=1", "Bearer s3cret")
    assert headers["content-type"] == "application/json"
    assert document["schema"] == "trtdoctor-mirror-changes/1"
    assert document["text"] == "m: t0: gone\nm: t1: gone\nm: t2: gone"
    assert [item["id"] for item in document["changes"]] == [item.id for item in CHANGES]
    assert "s3cret" not in repr(taken[0][2])


@pytest.mark.usefixtures("loopback")
def test_a_busy_server_is_tried_again() -> None:
    with taker(lambda turn: (503, {"retry-after": "0"}) if turn < 3 else (200, {})) as (address, taken):
        assert len(send(Webhook(address), CHANGES, at=AT)) == 3
    assert len(taken) == 3


@pytest.mark.usefixtures("loopback")
def test_a_redirection_is_not_followed_and_nobody_else_is_told() -> None:
    with (
        taker(lambda turn: (200, {})) as (other, never),
        taker(lambda turn: (307, {"location": other})) as (address, _),
    ):
        with pytest.raises(WebhookError, match="HTTP 307"):
            send(Webhook(address, "s3cret"), CHANGES, at=AT)
        assert never == []


@pytest.mark.usefixtures("loopback")
def test_what_was_taken_before_a_refusal_is_known_and_no_message_names_the_address() -> None:
    many = [Change(AT, "m", "lost", f"t{number}") for number in range(MOST + 5)]
    with (
        taker(lambda turn: (200, {}) if turn == 1 else (404, {})) as (address, _),
        pytest.raises(WebhookError) as caught,
    ):
        send(Webhook(f"{address}/services/s3cret/T0?k=s3cret", "s3cret"), many, at=AT)
    assert len(caught.value.taken) == MOST
    assert str(caught.value) == f"the webhook at {address[7:]} did not take the changes (HTTP 404)"
    with pytest.raises(WebhookError, match="no connection") as caught:
        send(Webhook("http://127.0.0.1:1/s3cret/x"), CHANGES, at=AT, seconds=0.5)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("http://h.example/", None, None), "wanted https"),
        (("ftp://127.0.0.1/", None, None), "wanted https"),
        (("http://127.0.0.1.h.example/", None, None), "wanted https"),
        (("https://u:s3cret@h.example/", None, None), "no credentials"),
        (("https://h.example/a b", None, None), "no address"),
        (("https://h.example/\n", None, None), "no address"),
        (("https://[::1", None, None), "no address"),
        (("s3cret", None, None), "no address"),
        (("https://h.example/", None, "ABSENT"), "ABSENT"),
        ((None, "ABSENT", None), "ABSENT"),
        ((None, None, "TOKEN"), "--webhook"),
        (("https://h.example/", "URL", None), "exclude"),
    ],
)
def test_addresses_that_are_refused(options: tuple[str | None, str | None, str | None], words: str) -> None:
    with pytest.raises(WebhookError, match=words) as caught:
        of_options(*options, {"TOKEN": "x", "URL": "https://h.example/"})
    assert "s3cret" not in str(caught.value)


def test_addresses_that_are_taken() -> None:
    for url in (
        "https://h.example/x",
        "http://127.0.0.1:80/",
        "http://localhost/",
        "http://[::1]:9/",
        "http://127.9.9.9/",
    ):
        assert of_options(url, None, None, {}) == Webhook(url)
    assert of_options(None, "URL", None, {"URL": "https://h.example/s3cret"}) == Webhook("https://h.example/s3cret")
    assert of_options(None, None, None, {}) is None
    assert "s3cret" not in Webhook("https://h.example/s3cret").target


@pytest.mark.usefixtures("loopback")
def test_names_of_others_mention_nobody() -> None:
    with taker(lambda turn: (200, {})) as (address, taken):
        send(Webhook(address), [Change(AT, "m", "news", "<!channel> @everyone <https://x|y> &lt;")], at=AT)
    assert not set("<>@&") & set(taken[0][2]["text"])
