"""A registry that pages, is slow, broken, behind a front, or hostile: one clear answer, in bounded time and memory."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.mirror.fakes import HTML, JSON, Answer, Fake, ok, serve
from tests.mirror.registries import MANIFEST, digest_of
from trtdoctor.mirror.registry import MOST_TAGS, Look, Registry, RegistryError
from trtdoctor.net.cache import Cache
from trtdoctor.net.http import Client

CONNECT = socket.socket.connect


@pytest.fixture(autouse=True)
def _sockets(_no_sockets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests speak to servers of their own."""
    monkeypatch.setattr(socket.socket, "connect", CONNECT)


class Paged(Fake):
    """Pages as distribution 3 does them: ``n``, ``last``, a ``Link``. Shape: the specification, and facts on v3."""

    def __init__(
        self, size: int, link: str = '</v2/nvidia/tensorrt/tags/list?last={last}&n={size}>; rel="next"'
    ) -> None:
        super().__init__()
        self.size, self.link = size, link

    def list(self, path: str) -> Answer:
        """One page."""
        query = parse_qs(urlsplit(path).query)
        names = sorted(self.tags)
        rest = [name for name in names if name > query.get("last", [""])[0]]
        page = rest[: self.size]
        link = {"link": self.link.format(last=page[-1], size=self.size)} if len(rest) > self.size else {}
        return ok({"name": self.repository, "tags": page}, **link)


@pytest.mark.parametrize(
    "link",
    [
        '</v2/nvidia/tensorrt/tags/list?last={last}&n={size}>; rel="next"',
        '<https://inner.example:8080/v2/nvidia/tensorrt/tags/list?last={last}&n={size}>; rel="next"',
        "<tags/list?n={size}&last={last}>; rel=next",
    ],
)
def test_pages_are_followed_at_the_registry_itself(link: str) -> None:
    fake = Paged(10, link)
    for number in range(36):
        fake.tags[f"25.{number:02}-py3"] = b"{}"
    with serve(fake.speak) as address, Client(10) as client:
        found = Registry(client, f"{address}/nvidia/tensorrt").tags()
    assert (len(found.names), found.complete, found.notes) == (36, True, ())
    assert fake.seen[0][1] == "/v2/nvidia/tensorrt/tags/list"  # without n: distribution 3 refuses one that is too large
    assert len(fake.seen) == 4


def test_a_list_that_breaks_off_is_not_whole() -> None:
    fake = Paged(2)
    for number in range(5):
        fake.tags[f"26.0{number}-py3"] = b"{}"

    def speak(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        return (400, {}, b"no") if "26.03" in path else fake.speak(method, path, headers)

    with serve(speak) as address, Client(10) as client:
        found = Registry(client, f"{address}/nvidia/tensorrt").tags()
    assert (len(found.names), found.complete) == (4, False)
    assert "broke off: it answered 400" in found.notes[0]


@pytest.mark.parametrize("link", ['</v2/nvidia/tensorrt/tags/list?last=a>; rel="next"', '<http://[::1>; rel="next"'])
def test_pages_in_a_circle_end(link: str) -> None:
    with serve(lambda *_: ok({"tags": ["26.10-py3"]}, link=link)) as address, Client(10) as client:
        found = Registry(client, f"{address}/nvidia/tensorrt").tags()
        assert found.names == ("26.10-py3",)
        assert client.requests <= 3
    assert not found.complete


def test_a_list_without_end_is_cut() -> None:
    def speak(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        number = int(parse_qs(urlsplit(path).query).get("last", ["0"])[0])
        names = [f"{number}-{entry}" for entry in range(5000)]
        return ok({"tags": names}, link=f'<?last={number + 1}>; rel="next"')

    with serve(speak) as address, Client(20) as client:
        found = Registry(client, f"{address}/nvidia/tensorrt").tags()
        assert client.requests <= 6
    assert (len(found.names), found.complete) == (MOST_TAGS, False)
    assert str(MOST_TAGS) in found.notes[0]


def test_names_that_no_tag_can_have_are_left_out() -> None:
    names = [
        "26.10-py3",
        "../../etc/passwd",
        "a/b",
        "\x1b[31mred",
        "-x",
        "",
        "y" * 129,
        5,
        None,
        {"a": 1},
        "::add-mask::",
        "\u202e",
    ]
    with serve(lambda *_: ok({"tags": names})) as address, Client(5) as client:
        found = Registry(client, f"{address}/nvidia/tensorrt").tags()
    assert found.names == ("26.10-py3",)
    assert found.notes == ("it lists 11 names that no tag can have; they were left out",)


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        (HTML, "other-kind", "no JSON but text/html"),
        ((200, JSON, b"[1]"), "other-kind", "no JSON object"),
        ((200, JSON, b'{"name": "x"}'), "other-kind", "no list of tags"),
        ((200, JSON, b'{"tags": {"a": 1}}'), "other-kind", "no list of tags"),
        ((200, JSON, b'{"tags": ["\xff\xfe"]}'), "other-kind", "no JSON"),
        ((200, JSON, b"[" * 200_000), "other-kind", "no JSON"),
        ((200, JSON, b'{"tags": ["' + b"x" * (6 << 20) + b'"]}'), "hostile", "longer than 5 MiB"),
        ((404, {"content-type": "text/html"}, b"<html>nginx"), "other-kind", "404"),
        (
            (404, JSON, b'{"errors":[{"code":"NAME_UNKNOWN","message":"no","detail":{"name":"x"}}]}'),
            "absent",
            "NAME_UNKNOWN",
        ),
        ((403, JSON, b'{"errors":[{"code":"DENIED","message":"Access Denied"}]}'), "denied", "DENIED"),
        (
            (429, {"retry-after": "7200"}, b'{"errors":[{"code":"TOOMANYREQUESTS"}]}'),
            "unreachable",
            "429 (TOOMANYREQUESTS)",
        ),
        ((503, {"retry-after": "7200"}, b"<html>"), "unreachable", "503"),
        (
            (418, JSON, b'{"errors":[{"code":"<script>\\u001b[31m"}, 5, {"code": ["x"]}]}'),
            "other-kind",
            "it answered 418",
        ),
        ((302, {"location": "/v2/nvidia/tensorrt/tags/list"}, b""), "hostile", "more than 5 redirections"),
    ],
)
def test_what_is_no_list_of_tags(answer: Answer, state: str, words: str) -> None:
    with serve(lambda *_: answer) as address, Client(5) as client:
        started = time.monotonic()
        with pytest.raises(RegistryError) as caught:
            Registry(client, f"{address}/nvidia/tensorrt").tags()
        assert time.monotonic() - started < 5
    assert (caught.value.state, words in str(caught.value)) == (state, True), str(caught.value)
    assert "script" not in str(caught.value)
    assert str(caught.value).isprintable()


def test_null_is_an_empty_list() -> None:
    with serve(lambda *_: ok({"name": "x", "tags": None})) as address, Client(5) as client:
        assert Registry(client, f"{address}/nvidia/tensorrt").tags().names == ()


def test_patience_and_warnings() -> None:
    asked: list[float] = []

    def speak(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        asked.append(time.monotonic())
        if len(asked) == 1:
            return 429, {"retry-after": "1"}, b""
        return ok({"tags": []}, warning='299 - "this will end\x1b[0m on Friday"')

    with serve(speak) as address, Client(10) as client:
        assert Registry(client, f"{address}/nvidia/tensorrt").tags().warnings == ("this will end[0m on Friday",)
    assert asked[1] - asked[0] >= 1


@pytest.mark.parametrize(
    ("answer", "look"),
    [
        ((200, {"docker-content-digest": "sha256:" + "a" * 64}, b""), Look("there", "sha256:" + "a" * 64)),
        ((404, {}, b""), Look("not-there")),
        ((401, {}, b""), Look("unknown", detail="it answered 401: no access with what we have")),
        ((500, {"retry-after": "9999"}, b""), Look("unknown", detail="it answered 500")),
    ],
)
def test_one_tag(answer: Answer, look: Look) -> None:
    with serve(lambda *_: answer) as address, Client(5) as client:
        assert Registry(client, f"{address}/nvidia/tensorrt").look("26.10-py3") == look
        assert client.requests == 1


def test_an_old_server_says_no_digest() -> None:
    fake = Fake()
    digest = fake.image("26.10-py3")

    def speak(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        status, said, body = fake.speak(method, path, headers)
        return status, {name: value for name, value in said.items() if name != "docker-content-digest"}, body

    with serve(speak) as address, Client(5) as client:
        assert Registry(client, f"{address}/nvidia/tensorrt").look("26.10-py3") == Look("there", digest)


def test_every_type_of_manifest_is_asked_for() -> None:
    """docker-registry 2.8.2 says MANIFEST_UNKNOWN of an index to who does not name its type (measured)."""
    seen: list[str] = []

    def speak(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        seen.append(headers["accept"])
        return 404, {}, b""

    with serve(speak) as address, Client(5) as client:
        Registry(client, f"{address}/nvidia/tensorrt").look("26.10-py3")
    kinds = {
        "application/vnd.oci.image.index.v1+json",
        MANIFEST,
        "application/vnd.docker.distribution.manifest.v2+json",
    }
    assert kinds | {"application/vnd.docker.distribution.manifest.list.v2+json"} == set(seen[0].split(", "))


def test_what_has_another_digest_is_refused_and_what_has_it_is_kept(tmp_path: Path) -> None:
    fake = Fake()
    good = fake.image("26.10-py3")
    wrong = "sha256:" + "0" * 63 + "1"

    def speak(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        if path.endswith(wrong):
            return 200, {"content-type": MANIFEST, "docker-content-digest": wrong}, fake.tags["26.10-py3"]
        return fake.speak(method, path, headers)

    with serve(speak) as address, Client(5, kept=Cache(str(tmp_path / "kept"))) as client:
        registry = Registry(client, f"{address}/nvidia/tensorrt")
        with pytest.raises(RegistryError, match="another digest") as caught:
            registry.manifest(wrong)
        assert caught.value.state == "hostile"
        before = client.requests
        first = registry.manifest(good)
        assert registry.manifest(good) == first
        assert client.requests == before + 1
        for path in (tmp_path / "kept").iterdir():
            path.write_text(json.dumps({**json.loads(path.read_text()), "body": "e30="}))  # somebody changed it
        assert registry.manifest(good) == first
        assert client.requests == before + 2
    assert digest_of(b"{}") not in first


@pytest.mark.parametrize("reference", ["../x", "a/b", "sha256:..", "", "a b", "%2e%2e"])
def test_no_name_of_a_server_leads_elsewhere(reference: str) -> None:
    with Client(5) as client:
        registry = Registry(client, "http://127.0.0.1:1/nvidia/tensorrt")
        for ask in (registry.manifest, registry.configuration):
            question: Callable[[str], object] = ask
            with pytest.raises(RegistryError):
                question(reference)
        assert registry.holds_layer(reference) is None
        assert client.requests == 0


@pytest.mark.parametrize(
    "address",
    ["https://h", "https://h/", "https://h/A", "https://h/a:26.10", "https://h/a/../b", "https://h/" + "a" * 300],
)
def test_an_address_must_name_a_repository(address: str) -> None:
    with Client(5) as client, pytest.raises(ValueError, match="wanted the address of a repository"):
        Registry(client, address)


def test_an_endless_configuration_is_cut_off() -> None:
    with serve(lambda *_: (200, {}, b" " * (2 << 20))) as address, Client(5) as client:
        with pytest.raises(RegistryError, match="longer than 1 MiB"):
            Registry(client, f"{address}/nvidia/tensorrt").configuration("sha256:" + "a" * 64)
        assert client.counts["bytes"] < 2 << 20
