"""``plan fetch --images``: skopeo, really run against Debian's docker-registry."""

from __future__ import annotations

import gzip
import io
import json
import os
import socket
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.run import Ran, complains, run
from tests.mirror.needs import program
from tests.mirror.registries import CONFIG, INDEX, LAYER, MANIFEST, Pusher, plain, registry
from tests.mirror.registries import digest_of as digest
from trtdoctor.fetch.images import file_of
from trtdoctor.net.download import digest_of
from trtdoctor.planned import NAME, Planned, from_yaml, to_yaml

CONNECT = socket.socket.connect


@pytest.fixture(autouse=True)
def _sockets(_no_sockets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The images are put into a registry of this machine."""
    monkeypatch.setattr(socket.socket, "connect", CONNECT)


def push(pusher: Pusher, tag: str, *architectures: str) -> None:
    """An image whose layers are what its configuration says: it can be unpacked."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("hello"))
    layer = pusher.blob(gzip.compress(made.getvalue(), mtime=0), LAYER)
    entries = []
    for name in architectures:
        rootfs = {"type": "layers", "diff_ids": [digest(made.getvalue())]}
        config = pusher.blob(plain({"architecture": name, "os": "linux", "config": {}, "rootfs": rootfs}), CONFIG)
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
        entries.append(
            {
                "mediaType": MANIFEST,
                "digest": pusher.manifest("", manifest),
                "size": len(plain(manifest)),
                "platform": {"os": "linux", "architecture": name},
            }
        )
    pusher.manifest(tag, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})


def fetch(place: Path, image: str, *, home: str = "", path: str = os.environ["PATH"]) -> Ran:
    plan = Planned(
        *("an image", "container", "0.1", "2026.11.0", "0" * 64, "2026-12-01"),
        image=image,
        environment={"os": "ubuntu-24.04", "arch": "aarch64"},
    )
    file = place.parent / "plan.yaml"
    file.write_text(to_yaml(plan))
    return run("plan", "fetch", str(place), "--images", "--from-file", str(file), HOME=home, PATH=path)


@pytest.fixture
def policy(tmp_path: Path) -> str:
    """A home with the policy that distributions come with: skopeo copies nothing without one."""
    place = tmp_path / "home" / ".config" / "containers" / "policy.json"
    place.parent.mkdir(parents=True)
    place.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    return str(tmp_path / "home")


def test_the_image_is_saved_for_the_planned_architecture_and_recorded(tmp_path: Path, policy: str) -> None:
    program("skopeo")
    place = tmp_path / "files"
    with registry(tmp_path / "registry") as server:
        push(Pusher(server, "nvidia/tensorrt"), "25.10-py3", "amd64", "arm64")
        image = f"127.0.0.1:{server.port}/nvidia/tensorrt:25.10-py3"
        done = fetch(place, image, home=policy)
        assert done.code == 0, done.err
        again = run("plan", "fetch", str(place), "--images", HOME=policy)
    assert again.code == 0, again.err
    assert "is there, SHA-256 verified" in again.err
    saved = place / file_of(image)
    with tarfile.open(saved) as archive:
        manifest = json.load(archive.extractfile("manifest.json") or pytest.fail("no manifest"))
        config = json.load(archive.extractfile(manifest[0]["Config"]) or pytest.fail("no configuration"))
    assert manifest[0]["RepoTags"] == [image]
    assert config["architecture"] == "arm64"
    (file,) = from_yaml((place / NAME).read_bytes()).files
    assert (file.name, file.sha256) == (saved.name, digest_of(str(saved)))


def test_an_image_that_is_not_there_is_one_line_and_leaves_nothing(tmp_path: Path, policy: str) -> None:
    program("skopeo")
    with registry(tmp_path / "registry") as server:
        done = fetch(tmp_path / "files", f"127.0.0.1:{server.port}/nvidia/tensorrt:25.10-py3", home=policy)
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith("trtdoctor: 127.0.0.1:")
    assert [path.name for path in (tmp_path / "files").iterdir()] == []


def test_without_a_program_that_saves_images_it_says_so(tmp_path: Path) -> None:
    done = fetch(tmp_path / "files", "nvcr.io/nvidia/tensorrt:25.10-py3", path=os.devnull)
    assert "neither skopeo nor docker is installed" in done.err
    assert done.code == 2
    assert complains(Ran(done.code, done.out, done.err.splitlines()[-1]))


def test_what_saves_no_image_is_said_before_anything_comes(tmp_path: Path) -> None:
    none = Planned(*("a plan", "pip", "0.1", "2026.11.0", "0" * 64, "2026-12-01"), pins=(("a", "1"),))
    for plan, path, said in (
        (none, os.environ["PATH"], "names no image"),
        (replace(none, image="nvcr.io/nvidia/tensorrt:25.10-py3"), os.devnull, "neither skopeo nor docker"),
    ):
        (tmp_path / "plan.yaml").write_text(to_yaml(plan))
        for more in ((), ("--dry-run",)):
            words = ("plan", "fetch", str(tmp_path / "files"), "--images", "--from-file", str(tmp_path / "plan.yaml"))
            assert said in complains(run(*words, *more, PATH=path))
    assert not (tmp_path / "files").exists()
