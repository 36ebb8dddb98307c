"""Dates by Harbor's and NGC's own interfaces: shapes from documents, never seen live."""

from __future__ import annotations

import base64
import copy
import json
import socket
from collections.abc import Mapping
from typing import Any

import pytest

from tests.mirror.fakes import HTML, Answer, Fake, ok, serve
from tests.mirror.test_oci import NOW, REPOSITORY, item, states, taken
from trtdoctor.config.mirrors import Mirror
from trtdoctor.matrix import Matrix
from trtdoctor.mirror.ngc import CatalogueError, pushed
from trtdoctor.mirror.oci import look
from trtdoctor.net.http import Client

CONNECT = socket.socket.connect
PROJECT = "/api/v2.0/projects/ngc"
ARTIFACTS = f"{PROJECT}/repositories/nvidia%252Ftensorrt/artifacts"
"""A repository's ``/`` is escaped twice. Source: Harbor's documentation."""


@pytest.fixture(autouse=True)
def _sockets(_no_sockets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests speak to servers of their own."""
    monkeypatch.setattr(socket.socket, "connect", CONNECT)


class Harbor(Fake):
    """Harbor 2: a registry with projects. Shape: its API 2.0 (models of harborapi 0.26.2)."""

    def __init__(self, registry_id: int | None = None) -> None:
        super().__init__("ngc/nvidia/tensorrt")
        self.registry_id = registry_id
        self.artifacts: list[dict[str, Any]] = []
        self.shown: list[str | None] = []

    def hold(self, tag: str, pushed: str) -> str:
        digest = self.image(tag)
        self.artifacts.append(
            {"digest": digest, "push_time": pushed, "tags": [{"name": tag, "push_time": pushed, "immutable": False}]}
        )
        return digest

    def speak(self, method: str, path: str, headers: Mapping[str, str]) -> Answer:
        if not path.startswith("/api/"):
            return super().speak(method, path, headers)
        self.seen.append((method, path))
        self.shown.append(headers.get("authorization"))
        if path == PROJECT:
            return ok(
                {"name": "ngc", "project_id": 7, **({"registry_id": self.registry_id} if self.registry_id else {})}
            )
        place, _, query = path.partition("?")
        assert (place, query.startswith("with_tag=true&page=")) == (ARTIFACTS, True)
        page = int(query.split("page=")[1].partition("&")[0])
        return ok([*self.artifacts, {"digest": "sha256:" + "e" * 64, "tags": None}][(page - 1) * 100 : page * 100])


def test_harbor_says_when_it_got_a_tag_without_a_question_for_each(matrix: Matrix) -> None:
    ours, harbor = Fake(), Harbor()
    for number in range(1, 13):
        for year in range(17, 27):
            ours.image(f"{year}.{number:02}-py3")
    for tag in list(ours.tags)[:110]:
        harbor.hold(tag, f"2026-11-{len(harbor.tags) % 20 + 1:02}T08:00:00.123Z")
    environ = {"NAME": "robot$ci", "WORD": "w0rd"}
    with serve(ours.speak) as above, serve(harbor.speak) as here:
        found = taken(
            matrix,
            above,
            here,
            target="ngc/nvidia/tensorrt",
            api="harbor",
            environ=environ,
            username_env="NAME",
            password_env="WORD",
        )
    side = found.sides[1]
    assert (side.product, side.synced, side.synced_by) == ("harbor", "2026-11-20T08:00:00Z", "push_time")
    assert sorted(states(found).values()) == ["missing"] * 10 + ["same"] * 110
    assert item(found, "17.01-py3").mirrored == "2026-11-01T08:00:00Z"
    assert harbor.count("HEAD", "/manifests/") == 0
    assert harbor.count("GET", "page=2") == 1
    assert set(harbor.shown) == {"Basic " + base64.b64encode(b"robot$ci:w0rd").decode()}


def test_a_proxy_cache_of_harbor_lists_what_was_pulled_and_no_more(matrix: Matrix) -> None:
    """goharbor/harbor#15513; a project is one if its ``registry_id`` is set."""
    ours, harbor = Fake(), Harbor(registry_id=3)
    for tag in ("26.09-py3", "26.10-py3"):
        ours.image(tag)
    harbor.hold("26.09-py3", "2026-11-20T08:00:00Z")
    with serve(ours.speak) as above, serve(harbor.speak) as here:
        found = taken(matrix, above, here, target="ngc/nvidia/tensorrt", api="harbor")
        assert found.sides[1].product == "pull-through"
        assert states(found) == {"26.10-py3": "unknown", "26.09-py3": "same"}
        assert "may well give this one" in (item(found, "26.10-py3").detail or "")
        assert harbor.count("HEAD", "/") == 0  # asking would change what it holds
        probed = taken(matrix, above, here, target="ngc/nvidia/tensorrt", api="harbor", held="probe")
        assert states(probed) == {"26.10-py3": "missing", "26.09-py3": "same"}
        assert item(probed, "26.10-py3").evidence == "manifest"


@pytest.mark.parametrize("answer", [HTML, (401, {}, b""), (200, {}, b"[]"), (404, {}, b"{}")])
def test_without_its_interface_harbor_is_asked_as_any_registry(matrix: Matrix, answer: Answer) -> None:
    ours, theirs = Fake(), Fake("ngc/nvidia/tensorrt")
    for fake in (ours, theirs):
        fake.image("26.10-py3")

    def speak(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        return answer if path.startswith("/api/") else theirs.speak(method, path, headers)

    with serve(ours.speak) as above, serve(speak) as here:
        found = taken(matrix, above, here, target="ngc/nvidia/tensorrt", api="harbor")
    assert states(found) == {"26.10-py3": "same"}
    assert found.sides[1].product == "harbor"
    assert any("Harbor's own interface" in note for note in found.notes)


def test_a_harbor_is_told_by_its_challenge(matrix: Matrix) -> None:
    ours = Fake()
    ours.image("26.10-py3")
    wants = {"www-authenticate": 'Bearer realm="http://127.0.0.1:1/service/token",service="harbor-registry"'}
    locked: Answer = (401, wants, b"")
    with serve(ours.speak) as above, serve(lambda *_: locked) as here:
        found = taken(matrix, above, here, target="ngc/nvidia/tensorrt")
    assert (found.sides[1].product, found.sides[1].state) == ("harbor", "denied")


# -- NGC ---------------------------------------------------------------------------------------------------------------


def catalogue(images: list[dict[str, Any]]) -> Any:
    """NGC's list of images by pages. Shape: ngcsdk 4.37.0."""

    def speak(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        place, _, query = path.partition("?")
        assert place == "/v2/repos/nvidia/tensorrt/images"
        number = int(query.split("page-number=")[1])
        about = {"index": number, "size": 100, "totalPages": -(-len(images) // 100), "totalResults": len(images)}
        page = images[number * 100 : number * 100 + 100]
        return ok({"requestStatus": {"statusCode": "SUCCESS"}, "paginationInfo": about, "images": page})

    return speak


def test_ngc_dates_tags_over_pages() -> None:
    listed: list[dict[str, Any]] = [
        {"tag": f"{number}-py3", "pushedDate": "2026-10-27T21:30:05.123Z", "updatedDate": "2026-11-01T00:00:00Z"}
        for number in range(210)
    ]
    listed += [
        {"tag": "updated", "updatedDate": "2026-09-01"},
        {"tag": "strange", "pushedDate": "Oct 27, 2026"},
        {"tag": 5, "pushedDate": "2026-09-01"},
    ]
    with serve(catalogue(listed)) as address, Client(5) as client:
        found = pushed(client, address, "nvidia/tensorrt")
        assert client.requests == 3
    assert (len(found), found["7-py3"], found["updated"]) == (211, "2026-10-27T21:30:05Z", "2026-09-01T00:00:00Z")


@pytest.mark.parametrize(
    "answer", [HTML, (403, {}, b"{}"), (200, {}, b"[]"), (200, {}, b'{"images": null}'), (200, {}, b"{")]
)
def test_a_catalogue_that_says_nothing(answer: Answer) -> None:
    with serve(lambda *_: answer) as address, Client(5) as client, pytest.raises(CatalogueError):
        pushed(client, address, "nvidia/tensorrt")


def test_ngcs_date_is_the_best_evidence(matrix: Matrix) -> None:
    """With a matrix whose upstream ``ngc`` stands on this machine: registry and catalogue at one address."""
    fake = Fake()
    made = {"os": "linux", "architecture": "amd64", "created": "2026-10-20T00:00:00Z", "config": {}}
    for tag in ("26.09-py3", "26.10-py3"):
        fake.image(tag, made)
    listing = catalogue([{"tag": "26.10-py3", "pushedDate": "2026-10-27T21:30:05Z"}])

    def speak(method: str, path: str, headers: Mapping[str, str]) -> Answer:
        return (listing if path.startswith("/v2/repos/") else fake.speak)(method, path, headers)

    with serve(speak) as address, serve(Fake().speak) as here:
        files = copy.deepcopy(matrix.data)
        row = next(row for row in files["mirrors"]["upstreams"] if row["id"] == "ngc")
        row.update(address=address, api_address=address)
        known = Matrix(matrix.version, "test", files)
        found = taken(known, address, here, target=REPOSITORY)
        assert (item(found, "26.10-py3").released, item(found, "26.10-py3").released_by) == (
            "2026-10-27T21:30:05Z",
            "pushed",
        )
        assert item(found, "26.09-py3").released_by == "image created"
        again = taken(known, address, here, target=REPOSITORY, before=found)
        assert [one.released for one in again.items] == [one.released for one in found.items]
    assert json.dumps(found.notes) == "[]"


def test_where_each_manifest_counts_as_a_pull_few_are_read(matrix: Matrix) -> None:
    fake = Fake("nvidia/cuda")
    for number in range(20):
        fake.image(f"13.{number}.0-cudnn-runtime-ubuntu24.04", {"os": "linux", "architecture": "amd64", "config": {}})
    with serve(fake.speak) as address, serve(Fake("nvidia/cuda").speak) as here:
        files = copy.deepcopy(matrix.data)
        row = next(row for row in files["mirrors"]["upstreams"] if row["id"] == "docker-hub")
        row["address"] = address
        with Client(10) as client:
            mirror = Mirror("hub", "oci", f"{here}/nvidia/cuda", f"{address}/nvidia/cuda")
            found = look(mirror, Matrix("1", "test", files), client, before=None, now=NOW, environ={})
    assert len(found.items) == 20
    assert fake.count("HEAD", "/manifests/") == 20
    assert fake.count("GET", "/manifests/") == row["reads"]["value"] < 10
