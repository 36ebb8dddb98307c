"""Mirrors that want a login, send people elsewhere, are something else, or mean harm; and what never gets out."""

from __future__ import annotations

import base64
import itertools
import json
import socket
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.mirror.fakes import HTML, NOT_FOUND, Answer, Fake, ok, serve
from tests.mirror.registries import PASSWORD, USERNAME, Pusher, Server, TokenServer, registry
from tests.mirror.test_oci import NOW, REPOSITORY, item, states, taken
from tests.net.test_http import raw
from trtdoctor.config.mirrors import Mirror
from trtdoctor.matrix import Matrix
from trtdoctor.mirror.oci import look
from trtdoctor.mirror.oci_asking import MOST
from trtdoctor.mirror.registry import Registry
from trtdoctor.mirror_facts import STATES, MirrorSource
from trtdoctor.net.cache import Cache
from trtdoctor.net.credentials import Login, bearer
from trtdoctor.net.http import Client
from trtdoctor.snapshot import Snapshot

CONNECT = socket.socket.connect
NAMED: dict[str, Any] = {"username_env": "NAME", "password_env": "WORD"}


@pytest.fixture(autouse=True)
def _sockets(_no_sockets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests speak to servers of their own."""
    monkeypatch.setattr(socket.socket, "connect", CONNECT)


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two images of which nothing differs but their tags."""
    with registry(tmp_path_factory.mktemp("upstream")) as server:
        Pusher(server, REPOSITORY).many(["26.09-py3", "26.10-py3"], env=["CUDA_VERSION=13.4.3.001"])
        yield server


def told(source: MirrorSource) -> str:
    """Everything that a source says, as a state file has it."""
    return json.dumps(Snapshot(mirrors=(source,)).to_plain())


# -- logins ------------------------------------------------------------------------------------------------------------


def test_a_name_and_a_password(matrix: Matrix, upstream: Server, tmp_path: Path) -> None:
    with registry(tmp_path / "locked", password=True) as locked:
        Pusher(locked, REPOSITORY).many(["26.09-py3"], env=["CUDA_VERSION=13.4.3.001"])
        refused = taken(matrix, upstream, locked, target=REPOSITORY)
        assert (refused.sides[1].state, refused.sides[1].detail) == (
            "denied",
            "it answered 401 (UNAUTHORIZED): it wants a name and a password",
        )
        assert set(states(refused).values()) == {"unknown"}
        environ = {"NAME": USERNAME, "WORD": PASSWORD}
        found = taken(matrix, upstream, locked, target=REPOSITORY, environ=environ, **NAMED)
        assert states(found) == {"26.10-py3": "missing", "26.09-py3": "same"}
        wrong = taken(matrix, upstream, locked, target=REPOSITORY, environ={**environ, "WORD": "other-w0rd"}, **NAMED)
        assert wrong.sides[1].state == "denied"
        auth = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        host = locked.address.removeprefix("http://")
        (tmp_path / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
        docker = taken(matrix, upstream, locked, target=REPOSITORY, environ={"DOCKER_CONFIG": str(tmp_path)})
        assert states(docker) == states(found)
    for source in (refused, found, wrong, docker):
        assert not [secret for secret in (PASSWORD, "other-w0rd", auth) if secret in told(source)]


def test_a_token_service_of_the_real_flow(matrix: Matrix, upstream: Server, tmp_path: Path) -> None:
    tokens = TokenServer(tmp_path / "tokens", login=(USERNAME, PASSWORD))
    try:
        with registry(tmp_path / "locked", tokens=tokens) as locked:
            pushing = tokens.token(f"repository:{REPOSITORY}:push", ["pull", "push"])
            Pusher(locked, REPOSITORY, {"authorization": f"Bearer {pushing}"}).many(
                ["26.09-py3", "26.10-py3"], env=["CUDA_VERSION=13.4.3.001"]
            )
            counts = Counter[str]()
            environ = {"NAME": USERNAME, "WORD": PASSWORD}
            found = taken(matrix, upstream, locked, target=REPOSITORY, environ=environ, counts=counts, **NAMED)
            assert states(found) == {"26.10-py3": "same", "26.09-py3": "same"}
            assert tokens.asked == [{"service": ["reg"], "scope": [f"repository:{REPOSITORY}:pull"]}]
            assert counts["HEAD"] == 4  # one token for all of it
            nobody = taken(matrix, upstream, locked, target=REPOSITORY)
            assert "its token service refuses us without a login" in (nobody.sides[1].detail or "")
            tokens.scope = "repository:some/thing:pull"  # a token that covers something else
            other = taken(matrix, upstream, locked, target=REPOSITORY, environ=environ, **NAMED)
            assert (other.sides[1].state, "401" in (other.sides[1].detail or "")) == ("denied", True)
            tokens.scope = None
            tokens.given.append(tokens.token(f"repository:{REPOSITORY}:pull", seconds=-600))  # one that is over
            old = {"TOKEN": tokens.given[-1], **environ}
            late = taken(matrix, upstream, locked, target=REPOSITORY, environ=old, token_env="TOKEN")
            assert late.sides[1].state == "denied"
            good = {"TOKEN": tokens.token(f"repository:{REPOSITORY}:pull")}
            by_token = taken(matrix, upstream, locked, target=REPOSITORY, environ=good, token_env="TOKEN")
            assert states(by_token) == states(found)
            with Client(10) as client:  # a token that is over while it is used, refused by the registry itself
                one = Registry(client, f"{locked.address}/{REPOSITORY}", Login("test", USERNAME, PASSWORD))
                assert one.tags().names
                one.access._auth = bearer(tokens.token(f"repository:{REPOSITORY}:pull", seconds=-600))
                before = len(tokens.asked)
                assert one.look("26.10-py3").state == "there"
                assert len(tokens.asked) == before + 1
            for source in (found, nobody, other, late, by_token):
                assert not [secret for secret in (PASSWORD, *tokens.given) if secret in told(source)]
    finally:
        tokens.close()


def test_secrets_stay_in_memory(
    matrix: Matrix, upstream: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A password and a token, planted; a server that repeats them wherever it can."""
    token = "t0ken-pl4nted"

    def tokens(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        return ok({"token": token})

    fake = Fake()
    fake.image(
        "26.10-py3",
        {"os": "linux", "architecture": "amd64", "config": {"Env": [f"CUDA_VERSION={PASSWORD}", f"X={token}"]}},
    )
    with serve(tokens) as service:

        def speak(method: str, path: str, headers: Mapping[str, str]) -> Answer:
            shown = headers.get("authorization", "")
            if shown != f"Bearer {token}":
                return 401, {"www-authenticate": f'Bearer realm="{service}/token"'}, shown.encode()
            status, said, body = fake.speak(method, path, headers)
            return status, {**said, "warning": f'299 - "your {shown} and {PASSWORD}"', "server": "x"}, body

        kept = Cache(str(tmp_path / "kept"))
        with serve(speak) as address, Client(10, kept=kept) as client:
            mirror = Mirror(
                "corp",
                "oci",
                f"{address}/{REPOSITORY}",
                f"{upstream.address}/{REPOSITORY}",
                **NAMED,
            )
            environ = {"NAME": USERNAME, "WORD": PASSWORD}
            found = look(mirror, matrix, client, before=None, now=NOW, environ=environ)
    assert states(found) == {"26.10-py3": "differs", "26.09-py3": "missing"}
    printed = capfd.readouterr()
    files = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    for text in (told(found), printed.out, printed.err, *files):
        assert token not in text
        assert PASSWORD not in text


# -- elsewhere ---------------------------------------------------------------------------------------------------------


def test_another_host_answers_for_the_mirror(matrix: Matrix, upstream: Server) -> None:
    elsewhere = upstream.address.replace("127.0.0.1", "localhost")

    def speak(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        return 307, {"location": f"{elsewhere}{path}"}, b""

    with serve(speak) as address:
        found = taken(matrix, upstream, address, target=REPOSITORY)
    side = found.sides[1]
    assert (side.state, side.product, side.served_by) == ("ok", "redirect", elsewhere.removeprefix("http://"))
    assert states(found) == {"26.10-py3": "same", "26.09-py3": "same"}
    assert found.sides[0].served_by is None


def test_something_that_is_no_registry(matrix: Matrix, upstream: Server) -> None:
    with serve(lambda *_: HTML) as address:
        found = taken(matrix, upstream, address, target=REPOSITORY)
    assert (found.sides[1].state, found.sides[1].detail) == ("other-kind", "its answer is no JSON but text/html")
    assert set(states(found).values()) == {"unknown"}
    nothing: Answer = (404, {"content-type": "text/html"}, b"<html>404")
    with serve(lambda *_: nothing) as address:
        assert taken(matrix, upstream, address, target=REPOSITORY).sides[1].state == "other-kind"

    def front(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        return ok({}, docker_distribution_api_version="registry/2.0") if path == "/v2/" else nothing

    with serve(front) as address:  # a registry behind a front that says "not found" in HTML
        found = taken(matrix, upstream, address, target=REPOSITORY)
    assert found.sides[1].state == "absent"
    assert set(states(found).values()) == {"missing"}


@pytest.mark.parametrize(("header", "product"), [("Nexus/3.70.1-02 (OSS)", "nexus"), ("nginx", "registry")])
def test_what_calls_itself_by_its_name(matrix: Matrix, upstream: Server, header: str, product: str) -> None:
    fake = Fake()

    def speak(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        status, said, body = fake.speak(method, path, headers)
        return status, {**said, "server": header}, body

    with serve(speak) as address:
        assert taken(matrix, upstream, address, target=REPOSITORY).sides[1].product == product


def test_a_mirror_that_lists_what_it_does_not_give(matrix: Matrix, upstream: Server) -> None:
    fake = Fake()
    fake.tags = {"26.10-py3": b"", "26.09-py3": b""}

    def speak(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        return fake.list(path) if path.endswith("/tags/list") else NOT_FOUND

    with serve(speak) as address:
        found = taken(matrix, upstream, address, target=REPOSITORY)
    assert set(states(found).values()) == {"listed-not-held"}
    assert item(found, "26.10-py3").evidence == "manifest"


def test_a_mirror_that_fails_is_not_asked_for_long(matrix: Matrix, tmp_path: Path) -> None:
    """A pull-through mirror whose upstream is down answers 500 (measured); Nexus and fronts answer 502 to 504."""
    tags = [f"{year}.{month:02}-py3" for year in range(20, 27) for month in range(1, 13)]
    fake, failing = Fake(), Fake()
    for tag in tags:
        fake.image(tag)
        failing.tags[tag] = b""

    def speak(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        answer = failing.speak(method, path, headers)
        return answer if path.endswith("/tags/list") else (502, {"retry-after": "0"}, b"<html>")

    with serve(fake.speak) as ours, serve(speak) as theirs:
        started = time.monotonic()
        found = taken(matrix, ours, theirs, target=REPOSITORY)
        assert time.monotonic() - started < 10
    assert set(states(found).values()) == {"unknown"}
    assert "502" in (item(found, "26.12-py3").detail or "")
    assert "not asked any more" in (item(found, "20.01-py3").detail or "")
    assert failing.count("HEAD", "/manifests/") < 30


# -- harm --------------------------------------------------------------------------------------------------------------


def test_five_thousand_tags(matrix: Matrix) -> None:
    ours, theirs = Fake(), Fake()
    names = [
        f"{year}.{month:02}.{patch}-py3" for year in range(20, 27) for month in range(1, 13) for patch in range(60)
    ]
    body = ours.image("26.12-py3")
    ours.tags = dict.fromkeys(names[:5000], ours.tags["26.12-py3"])
    theirs.tags, theirs.blobs = dict(list(ours.tags.items())[:4000]), ours.blobs
    with serve(ours.speak) as above, serve(theirs.speak) as here:
        started = time.monotonic()
        found = taken(matrix, above, here, target=REPOSITORY, tags=("*",))
        assert time.monotonic() - started < 15
    seen = Counter(one.state for one in found.items)
    assert len(found.items) == 5000
    assert seen["missing"] == 1000
    assert seen["same"] + seen["present"] == 4000
    assert ours.count("HEAD", "/manifests/") <= MOST
    assert theirs.count("HEAD", "/manifests/") <= MOST
    assert any("were not compared" in note for note in found.notes)
    assert {one.upstream_digest for one in found.items if one.state == "same"} <= {body}
    assert all(one.state != "same" or one.evidence == "digest" for one in found.items)


def test_a_registry_that_means_harm(matrix: Matrix, upstream: Server, tmp_path: Path) -> None:
    """Names, types, sizes, digests and redirections that lead astray: one source that says so, and nothing written."""
    evil = "sha256:" + "b" * 64

    def speak(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        if path.endswith("/tags/list"):
            return ok({"tags": ["26.10-py3", "26.09-py3", "../../../etc/cron.d/x", "26.08-py3\x1b]0;x\x07", {"a": []}]})
        if method == "HEAD":
            return 200, {"docker-content-digest": evil, "content-type": "x" * 3000}, b""
        if "/manifests/" in path:
            return (
                200,
                {"content-type": "\x1b[31m"},
                json.dumps({"manifests": [{"digest": "../x", "platform": 5}]}).encode(),
            )
        return 302, {"location": path}, b""

    with serve(speak) as address, Client(10, kept=Cache(str(tmp_path / "kept"))) as client:
        mirror = Mirror("corp", "oci", f"{address}/{REPOSITORY}", f"{upstream.address}/{REPOSITORY}", held="deep")
        started = time.monotonic()
        found = look(mirror, matrix, client, before=None, now=NOW, environ={})
        assert time.monotonic() - started < 10
        back = look(
            Mirror("corp", "oci", f"{upstream.address}/{REPOSITORY}", f"{address}/{REPOSITORY}"),
            matrix,
            client,
            before=None,
            now=NOW,
            environ={},
        )
    assert states(found) == {"26.10-py3": "differs", "26.09-py3": "differs"}
    assert "another digest" in (item(found, "26.10-py3").detail or "")
    assert item(found, "26.10-py3").mirror_digest == evil
    assert set(states(back).values()) == {"differs"}
    assert "\x1b" not in told(found) + told(back)
    assert "cron.d" not in told(found) + told(back)
    assert {path.name for path in tmp_path.iterdir()} == {"kept"}


def test_a_state_file_that_somebody_wrote_leads_nowhere(matrix: Matrix, upstream: Server, tmp_path: Path) -> None:
    """What was seen before comes from a file: its names, digests, words and times are no better than a server's."""
    seen: list[str] = []

    def speak(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        seen.append(path)
        return ok({"tags": ["26.10-py3"]}) if path.endswith("/tags/list") else NOT_FOUND

    with registry(tmp_path / "cache", upstream=upstream.address) as cache, serve(speak) as address:
        names, states_ = ("../../x", "26.10-py3", "26.09-py3", "a b"), ("same", "rm -rf", "missing")
        digests, moments = ("../x", "sha256:" + "a" * 64, None), ("2026-11-22T00:00:00Z", "2099-01-01", "never")
        for number, (state, digest, moment) in enumerate(itertools.product(states_, digests, moments)):
            said: dict[str, Any] = {"state": state, "upstream_digest": digest, "mirror_digest": digest, "as_of": moment}
            said |= {"released": "soon\u202e", "released_by": "pushed", "platforms": ["linux/amd64"]}
            theirs = address if number % 2 else cache.address
            ours = upstream.address if number % 5 else "http://127.0.0.1:1"
            document: dict[str, Any] = {
                "upstream": f"{ours}/{REPOSITORY}",
                "mirror": f"{theirs}/{REPOSITORY}",
                "checked": "x",
            }
            document |= {"items": [{"name": name, "version": name, **said} for name in names]}
            plain = {"schema": "trtdoctor-snapshot/1", "mirrors": [document]}
            before = Snapshot.from_plain(plain).mirrors[0]
            found = taken(matrix, ours, theirs, target=REPOSITORY, before=before, tags=("*",), held="probe")
            assert {one.state for one in found.items} <= set(STATES)
            assert all(one.released is None or one.released[:2] == "20" for one in found.items)
    assert not [path for path in seen if "x" in path.rpartition("/")[2].replace("tensorrt", "")]


def test_an_endless_answer_ends(matrix: Matrix, upstream: Server) -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"tags": ["')
        while True:
            connection.sendall(b"x" * 65536)

    with raw(endless) as address:
        found = taken(matrix, upstream, address, target=REPOSITORY)
    assert found.sides[1].state == "hostile"
    assert "longer than 5 MiB" in (found.sides[1].detail or "")
    assert set(states(found).values()) == {"unknown"}
