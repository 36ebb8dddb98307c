"""Challenges as servers write them, and the token flow: against a real token service, and the traps of nvcr.io."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.mirror.fakes import JSON, Answer, Fake, ok, serve
from trtdoctor.mirror.challenge import Challenge, parse
from trtdoctor.mirror.registry import Registry, RegistryError
from trtdoctor.net.credentials import Login
from trtdoctor.net.http import Client

CONNECT = socket.socket.connect
TOKEN, KEY = "t0ken-of-a-test", "nvapi-pl4nted"


@pytest.fixture(autouse=True)
def _sockets(_no_sockets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests speak to servers of their own."""
    monkeypatch.setattr(socket.socket, "connect", CONNECT)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            'Bearer realm="https://h/token",service="reg",scope="repository:x:pull,push",error="invalid_token"',
            [("bearer", "https://h/token", "repository:x:pull,push")],
        ),
        ('Bearer realm="https://nvcr.io/proxy_auth"', [("bearer", "https://nvcr.io/proxy_auth", None)]),
        (  # MESOS-9968: a realm that holds a scope of its own
            'Bearer realm="https://h/auth?scope=repository:a/b:pull,push"',
            [("bearer", "https://h/auth?scope=repository:a/b:pull,push", None)],
        ),
        (
            'bearer realm="https://h/t" service="s" scope="repository:a:pull"',
            [("bearer", "https://h/t", "repository:a:pull")],
        ),
        (
            'Negotiate, Bearer realm=https://h/t , Basic realm="a \\"b\\", c"',
            [("negotiate", None, None), ("bearer", "https://h/t", None), ("basic", 'a "b", c', None)],
        ),
        ("Basic", [("basic", None, None)]),
        ('Bearer realm="no end', [("bearer", "", None)]),
        ('realm="of nobody"', []),
        ("", []),
    ],
)
def test_challenges_as_servers_write_them(text: str, found: list[tuple[str, str | None, str | None]]) -> None:
    read = [(item.scheme, item.parameters.get("realm"), item.parameters.get("scope")) for item in parse(text)]
    assert read == found


_QUOTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Bearer", "Basic"]),
            st.dictionaries(st.sampled_from(["realm", "service", "scope"]), _QUOTABLE),
        ),
        max_size=4,
    )
)
def test_what_is_written_is_read_back(wanted: list[tuple[str, dict[str, str]]]) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    text = ", ".join(
        f"{scheme} " + ",".join(f"{name}={quoted(value)}" for name, value in said.items()) for scheme, said in wanted
    )
    assert parse(text) == tuple(Challenge(scheme.lower(), said) for scheme, said in wanted)


@given(st.text(max_size=300))
def test_no_text_brings_it_down(text: str) -> None:
    for item in parse(text):
        assert item.scheme
        assert item.scheme == item.scheme.lower()


def basic(name: str, word: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{word}".encode()).decode()


def locked(realm: str, good: Callable[[str | None], bool], fake: Fake, more: str = "") -> Any:
    """A registry that answers 401 with a challenge unless what it is shown is good."""

    def speak(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        if not good(headers.get("authorization")):
            fake.seen.append((method, f"401 {path}"))
            html = b"<html><head><title>401 Authorization Required</title></head></html>"
            return 401, {"content-type": "text/html", "www-authenticate": f'Bearer realm="{realm}"{more}'}, html
        return fake.speak(method, path, headers)

    return speak


def refusal(address: str, login: Login | None = None) -> RegistryError:
    """What a list of tags that is not given ends in."""
    with Client(10) as client, pytest.raises(RegistryError) as caught:
        Registry(client, f"{address}/nvidia/tensorrt", login).tags()
    return caught.value


def test_nvcr_io_asks_without_scope_and_answers_in_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shape: go-containerregistry#728 (challenge), NERSC/shifter#238 (type). Never seen live."""
    asked: list[tuple[str, str | None]] = []

    def tokens(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        asked.append((path, headers.get("authorization")))
        return 200, {"content-type": "text/plain"}, b'{"token": "%s", "expires_in": 300}' % TOKEN.encode()

    fake = Fake()
    fake.image("26.10-py3")
    with (
        serve(tokens) as service,
        serve(locked(f"{service}/proxy_auth", lambda shown: shown == f"Bearer {TOKEN}", fake)) as address,
    ):
        for login in (None, Login("$KEY", token=KEY), Login("docker configuration", "$oauthtoken", KEY)):
            with Client(10) as client:
                registry = Registry(client, f"{address}/nvidia/tensorrt", login, "$oauthtoken")
                assert registry.tags().names == ("26.10-py3",)
                assert registry.look("26.10-py3").state == "there"  # with the token that it has
    place = "/proxy_auth?scope=repository:nvidia/tensorrt:pull"
    assert asked == [(place, None), (place, basic("$oauthtoken", KEY)), (place, basic("$oauthtoken", KEY))]


def test_a_token_that_is_over_is_made_from_a_question_without_it() -> None:
    """nvcr.io names another realm with ``invalid_token``. Shape: nvidia-container-toolkit#1945, oras-dotnet#400."""
    fake, given_out, dead = Fake(), list[str](), list[str]()
    fake.image("26.10-py3")

    def tokens(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        given_out.append(f"{TOKEN}{len(given_out)}")
        return ok({"access_token": given_out[-1]})

    def nobody(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        dead.append(path)
        return 401, {}, b""

    with serve(tokens) as service, serve(nobody) as wrong:

        def speak(method: str, path: str, headers: Mapping[str, str]) -> Answer:
            shown = headers.get("authorization")
            if shown == f"Bearer {given_out[-1] if given_out else None}":
                return fake.speak(method, path, headers)
            trap = f'Bearer realm="{wrong}/token",error="invalid_token"'
            challenge = trap if shown else f'Bearer realm="{service}/proxy_auth"'
            return 401, {"www-authenticate": challenge}, b"<html>"

        with serve(speak) as address, Client(10) as client:
            registry = Registry(client, f"{address}/nvidia/tensorrt")
            assert registry.tags().names == ("26.10-py3",)
            given_out.append("another one")  # what the registry gave out is over now
            assert registry.look("26.10-py3").state == "there"
            given_out.append("another one")
            threads = [threading.Thread(target=registry.look, args=("26.10-py3",)) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert fake.count("HEAD", "/manifests/") == 7
    assert len([token for token in given_out if token != "another one"]) == 3  # one for all threads
    assert dead == []


def test_a_token_is_renewed_by_the_clock_from_the_first_challenge(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, count = Fake(), list[str]()
    fake.image("26.10-py3")

    def tokens(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        count.append(path)
        return ok({"token": f"{TOKEN}{len(count)}", "expires_in": 600})

    clock = [time.monotonic()]
    with serve(tokens) as service:
        newest = locked(f"{service}/t", lambda shown: shown == f"Bearer {TOKEN}{len(count)}", fake)
        with serve(newest) as address, Client(10_000) as client:
            registry = Registry(client, f"{address}/nvidia/tensorrt")
            registry.tags()
            monkeypatch.setattr("trtdoctor.mirror.challenge.time.monotonic", lambda: clock[0] + 595)
            assert registry.look("26.10-py3").state == "there"
    assert len(count) == 2
    assert sum(path.startswith("401") for _, path in fake.seen) == 1


def test_a_token_that_covers_too_little_is_refused_once() -> None:
    asked: list[str] = []

    def tokens(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        asked.append(path)
        return ok({"token": TOKEN})

    fake = Fake()
    more = ',service="reg",scope="repository:nvidia/tensorrt:pull",error="insufficient_scope"'
    with serve(tokens) as service, serve(locked(f"{service}/token", lambda shown: False, fake, more)) as address:
        error = refusal(address)
    assert (error.state, "401" in str(error)) == ("denied", True)
    assert asked == ["/token?service=reg&scope=repository:nvidia/tensorrt:pull"]
    assert len(fake.seen) == 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, {}, b""), "refuses us without a login"),
        ((503, {"retry-after": "3600"}, b""), "says 503"),
        ((200, {}, b"<html>"), "gave no token"),
        ((200, {}, b'{"token": 5}'), "gave no token"),
        ((200, {}, b'{"token": "a\\nb"}'), "gave no token"),
        ((200, {}, b"[" * 100_000), "gave no token"),
        ((200, {}, b"x" * 300_000), "gave no answer"),
    ],
)
def test_a_token_service_that_gives_none(answer: Answer, words: str) -> None:
    with serve(lambda *_: answer) as service, serve(locked(f"{service}/token", lambda _: False, Fake())) as address:
        error = refusal(address)
    assert (error.state, words in str(error)) == ("denied", True)


@pytest.mark.parametrize(
    ("base", "realm", "words"),
    [
        ("https://127.0.0.1:1", "http://127.0.0.1:1/token", "without TLS"),
        ("http://127.0.0.1:1", "ftp://127.0.0.1/token", "names no token service"),
        ("http://127.0.0.1:1", "file:///etc/passwd", "names no token service"),
        ("http://127.0.0.1:1", "http://a:b@127.0.0.1/", "names no token service"),
        ("http://127.0.0.1:1", "http://[::1/", "names no token service"),
    ],
)
def test_a_login_never_goes_where_it_is_not_for(base: str, realm: str, words: str) -> None:
    from trtdoctor.mirror.challenge import Access
    from trtdoctor.net.http import Answer as Said

    refused = Said(base, 401, {"www-authenticate": f'Bearer realm="{realm}"'}, b"", "127.0.0.1:1")
    with Client(5) as client:
        access = Access(client, base, "a/b", Login("x", "name", "w0rd"), None)
        assert access.ask(lambda auth: refused).status == 401
        assert words in (access.problem or "")
        assert client.requests == 0


def test_a_challenge_of_another_host_is_not_answered() -> None:
    """A registry that redirects to a place of its own: the login is for the registry alone."""
    shown: list[str | None] = []

    def other(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        shown.append(headers.get("authorization"))
        return 401, {"www-authenticate": 'Basic realm="give it to me"'}, b""

    with serve(other) as there:
        place = there.replace("127.0.0.1", "localhost")
        moved: Answer = (307, {"location": f"{place}/v2/nvidia/tensorrt/tags/list"}, b"")
        with serve(lambda *_: moved) as address:
            assert "401" in str(refusal(address, Login("x", "name", "w0rd")))
    assert shown == [None]


def test_basic_is_only_shown_when_it_is_asked_for() -> None:
    fake, shown = Fake(), list[str | None]()
    fake.image("26.10-py3")

    def speak(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        shown.append(headers.get("authorization"))
        if shown[-1] != basic("name", "w0rd"):
            return 401, {**JSON, "www-authenticate": 'Basic realm="demo"'}, b'{"errors":[{"code":"UNAUTHORIZED"}]}'
        return fake.speak(method, path, headers)

    with serve(speak) as address, Client(5) as client:
        registry = Registry(client, f"{address}/nvidia/tensorrt", Login("x", "name", "w0rd"))
        assert registry.tags().names == ("26.10-py3",)
        assert registry.look("26.10-py3").state == "there"
        assert shown == [None, basic("name", "w0rd"), basic("name", "w0rd")]
        shown.clear()
        assert "no access" in str(refusal(address, Login("x", "name", "other")))
        assert len(shown) == 2
        assert "wants a name and a password" in str(refusal(address))
