"""From what mirrors hold to what they held afterwards: ``mirror sync-config --apply`` against real servers."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
import requests

from tests.cli.run import run
from tests.mirror.needs import program
from tests.mirror.registries import Pusher, registry

BOTH = ("linux/amd64", "linux/arm64")
CONNECT = socket.socket.connect


@pytest.fixture(autouse=True)
def _alone(_no_sockets: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests speak to servers of their own, and go by nothing that this machine has configured for skopeo."""
    monkeypatch.setattr(socket.socket, "connect", CONNECT)
    place = tmp_path / "home" / ".config" / "containers" / "policy.json"
    place.parent.mkdir(parents=True)
    place.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_a_mirror_that_is_behind_catches_up_and_then_has_nothing_to_sync(tmp_path: Path) -> None:
    program("skopeo")
    with registry(tmp_path / "up") as up, registry(tmp_path / "down") as down:
        above, below = Pusher(up, "nvidia/tensorrt"), Pusher(down, "ngc/nvidia/tensorrt")
        digests = {}
        for tag, release in (("26.07-py3", "11.1.0.106"), ("26.09-py3", "11.3.0.14"), ("26.10-py3", "11.4.0.106")):
            labels = {"com.nvidia.tensorrt.version": release}
            env = [f"TRT_VERSION={release}", "CUDA_VERSION=13.2.1.012", "CUDA_DRIVER_VERSION=595.58.03"]
            digests[tag] = above.image(tag, BOTH, labels=labels, env=env, layer=tag.encode())
        below.image("26.07-py3", BOTH, labels={"com.nvidia.tensorrt.version": "11.1.0.106"}, layer=b"26.07-py3")
        source = f"oci:{up.address}/nvidia/tensorrt={down.address}/ngc/nvidia/tensorrt"
        common = ("mirror", "sync-config", "--no-config", "--no-state", source, "--policy", "deny=image:26.09*")
        listed = run(*common, "--format", "json")
        assert listed.code == 0, listed.err
        wanted = {item["version"]: item["digest"] for item in json.loads(listed.out)["items"]}
        assert wanted == {"26.10-py3": digests["26.10-py3"]}  # the policy leaves 26.09 out
        assert "1 newer left out, by the policy or the fleet" in listed.err
        done = run(*common, "--tool", "skopeo", "--apply")
        assert (done.code, done.out.splitlines()[-1]) == (0, "1 done"), done.err
        again = run(*common, "--tool", "skopeo", "--apply")
        assert (again.code, again.out) == (0, "nothing to sync with skopeo\n"), again.err
        tags = requests.get(f"{down.address}/v2/ngc/nvidia/tensorrt/tags/list", timeout=5).json()["tags"]
        assert sorted(tags) == ["26.07-py3", "26.10-py3"]
