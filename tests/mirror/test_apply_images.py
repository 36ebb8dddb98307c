"""skopeo, really run between Debian's docker-registries: by what is emitted, and by ``--apply``."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import ROOT
from tests.matrix.tls import Answer
from tests.matrix.tls import server as fake
from tests.mirror.items import image
from tests.mirror.needs import program
from tests.mirror.registries import PASSWORD, USERNAME, Pusher, Server, registry
from trtdoctor.config.mirrors import Mirror
from trtdoctor.mirror import tools
from trtdoctor.mirror.apply import Outcome, apply
from trtdoctor.mirror.emit import EmitOptions, emit
from trtdoctor.mirror.registry import ACCEPT
from trtdoctor.mirror.tools import ToolError
from trtdoctor.mirror.wants import SyncItem

PLAIN = EmitOptions()
TAGS = ("26.07-py3", "26.09-py3", "26.10-py3", "26.10-py3-igpu")
BOTH = ("linux/amd64", "linux/arm64")
CONNECT = socket.socket.connect


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the policy that distributions come with: skopeo copies nothing without one."""
    folder = tmp_path_factory.mktemp("home")
    place = folder / ".config" / "containers" / "policy.json"
    place.parent.mkdir(parents=True)
    place.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    return folder


@pytest.fixture(autouse=True)
def _alone(_no_sockets: None, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests speak to servers of their own, and go by nothing that this machine has configured for skopeo."""
    monkeypatch.setattr(socket.socket, "connect", CONNECT)
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_RUNTIME_DIR", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, str]]]:
    """A registry with four tags of two platforms, and their digests."""
    program("skopeo")
    with registry(tmp_path_factory.mktemp("upstream")) as server:
        pusher = Pusher(server, "nvidia/tensorrt")
        yield server, {tag: pusher.image(tag, BOTH, layer=tag.encode()) for tag in TAGS}


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Server]:
    """An empty registry."""
    with registry(tmp_path / "mirror") as server:
        yield server


def items(upstream: tuple[Server, dict[str, str]], mirror: Server, *tags: str, **more: Any) -> list[SyncItem]:
    server, digests = upstream
    places = {"upstream": f"{server.address}/nvidia/tensorrt", "mirror": f"{mirror.address}/ngc/nvidia/tensorrt"}
    return [image(tag, **{**places, "digest": digests[tag], **more}) for tag in tags]


def held(mirror: Server, repository: str = "ngc/nvidia/tensorrt") -> dict[str, str]:
    """Every tag of the mirror's only repository, with its digest."""
    assert requests.get(f"{mirror.address}/v2/_catalog", timeout=5).json() == {"repositories": [repository]}
    base = f"{mirror.address}/v2/{repository}"
    tags = requests.get(f"{base}/tags/list", timeout=5).json()["tags"]
    headers = {"accept": ACCEPT}
    return {
        tag: requests.head(f"{base}/manifests/{tag}", headers=headers, timeout=5).headers["docker-content-digest"]
        for tag in tags
    }


def states(found: tuple[Outcome, ...]) -> list[str]:
    return [outcome.state for outcome in found]


def bring(wanted: list[SyncItem], options: EmitOptions = PLAIN, **more: Any) -> tuple[tuple[Outcome, ...], list[str]]:
    lines: list[str] = []
    environ = {**os.environ, **more.pop("environ", {})}
    return apply("skopeo", wanted, options, environ, lines.append, **more), lines


# -- what is emitted ---------------------------------------------------------------------------------------------------


def test_skopeo_sync_brings_exactly_the_items(
    upstream: tuple[Server, dict[str, str]], mirror: Server, tmp_path: Path
) -> None:
    text = emit("skopeo", items(upstream, mirror, "26.07-py3", "26.10-py3"), PLAIN)
    (tmp_path / "sync.yml").write_text(text)
    (command,) = (line[2:] for line in text.splitlines() if line.startswith("# skopeo sync "))
    subprocess.run(shlex.split(command), cwd=tmp_path, check=True, capture_output=True, timeout=60)
    _, digests = upstream
    assert held(mirror) == {tag: digests[tag] for tag in ("26.07-py3", "26.10-py3")}


def test_skopeo_copy_gives_other_names(upstream: tuple[Server, dict[str, str]], mirror: Server, tmp_path: Path) -> None:
    wanted = [
        *items(upstream, mirror, "26.07-py3", "26.10-py3"),
        *items(upstream, mirror, "26.09-py3", platforms=("linux/arm64",)),
    ]
    script = emit("skopeo", wanted, replace(PLAIN, tag_template="prod-{tag}"))
    subprocess.run([program("sh"), "-e"], input=script, text=True, check=True, capture_output=True, timeout=60)
    found, (_, digests) = held(mirror), upstream
    assert found.pop("prod-26.09-py3") not in digests.values()  # the one platform, not the index
    assert found == {f"prod-{tag}": digests[tag] for tag in ("26.07-py3", "26.10-py3")}


# -- --apply -----------------------------------------------------------------------------------------------------------


def test_apply_brings_what_is_missing_and_leaves_the_rest(
    upstream: tuple[Server, dict[str, str]], mirror: Server
) -> None:
    first, _ = bring(items(upstream, mirror, "26.07-py3"))
    assert states(first) == ["done"]
    before = {path: path.stat().st_mtime_ns for path in mirror.data.rglob("link")}
    again, lines = bring(items(upstream, mirror, "26.07-py3", "26.10-py3"))
    assert states(again) == ["there", "done"]
    assert lines[0].startswith("[1/2] ")
    assert "is there: sha256:" in lines[0]
    assert "done in " in lines[1]
    assert all(path.stat().st_mtime_ns == moment for path, moment in before.items())
    assert held(mirror) == {tag: upstream[1][tag] for tag in ("26.07-py3", "26.10-py3")}


def test_apply_brings_one_platform_with_its_own_digest(upstream: tuple[Server, dict[str, str]], mirror: Server) -> None:
    wanted = items(upstream, mirror, "26.07-py3", platforms=("linux/arm64",))
    base = f"{upstream[0].address}/v2/nvidia/tensorrt/manifests/26.07-py3"
    index = requests.get(base, headers={"accept": ACCEPT}, timeout=5).json()
    (own,) = (entry["digest"] for entry in index["manifests"] if entry["platform"]["architecture"] == "arm64")
    assert states(bring(wanted)[0]) == ["done"]
    assert held(mirror) == {"26.07-py3": own}
    assert states(bring(wanted)[0]) == ["there"]
    (failed,), _ = bring([replace(wanted[0], platforms=("linux/riscv64",))])
    assert (failed.state, failed.detail) == ("failed", "upstream has no linux/riscv64 of it")


def test_a_tag_that_moved_meanwhile_is_brought_as_it_was_looked_at(
    upstream: tuple[Server, dict[str, str]], mirror: Server, tmp_path: Path
) -> None:
    with registry(tmp_path / "moving") as moving:
        pusher = Pusher(moving, "nvidia/tensorrt")
        old = pusher.image("26.10-py3", BOTH, layer=b"old")
        wanted = items((moving, {"26.10-py3": old}), mirror, "26.10-py3")
        assert pusher.image("26.10-py3", BOTH, layer=b"new") != old
        assert states(bring(wanted)[0]) == ["done"]
        assert held(mirror) == {"26.10-py3": old}
        # nobody knows the digest: what upstream has now is looked up, and then held to
        assert states(bring([replace(wanted[0], digest=None)])[0]) == ["done"]
        assert held(mirror)["26.10-py3"] != old


def test_one_that_fails_does_not_stop_the_others(upstream: tuple[Server, dict[str, str]], mirror: Server) -> None:
    gone = items(upstream, mirror, "26.07-py3", digest="sha256:" + "0" * 64)
    found, lines = bring([*gone, *items(upstream, mirror, "26.10-py3")])
    assert sorted(states(found)) == ["done", "failed"]
    (line,) = (line for line in lines if "FAILED" in line)
    assert "manifest unknown" in line
    assert held(mirror) == {"26.10-py3": upstream[1]["26.10-py3"]}


def test_a_mirror_that_lies_about_what_it_took(upstream: tuple[Server, dict[str, str]], tmp_path: Path) -> None:
    other = "sha256:" + "5" * 64

    def answer(path: str, headers: dict[str, str]) -> Answer:
        """HEAD is answered by the same handler; a registry as far as a look at a tag goes."""
        return 200, {"docker-content-digest": other, "content-type": "application/json"}, b"{}"

    tool = tmp_path / "bin" / "skopeo"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\nexit 0\n")
    tool.chmod(0o755)
    with fake(answer) as place:
        wanted = [replace(items(upstream, upstream[0], "26.07-py3")[0], mirror=f"http://{place}/x/tensorrt")]
        path = f"{tool.parent}{os.pathsep}{os.environ['PATH']}"
        (failed,), _ = bring(wanted, environ={"PATH": path})
    assert failed.state == "failed"
    assert f"the mirror then has {other}, and not sha256:" in failed.detail


def test_logins_from_variables_are_given_to_skopeo_and_to_nobody_else(
    upstream: tuple[Server, dict[str, str]], tmp_path: Path
) -> None:
    with registry(tmp_path / "secret", password=True) as secret:
        wanted = items(upstream, secret, "26.07-py3", "26.10-py3")
        table = Mirror("corp", "oci", secret.address, username_env="REG_USER", password_env="REG_PASS")
        options = replace(PLAIN, mirrors=(table,))
        environ = {"REG_USER": USERNAME, "REG_PASS": PASSWORD}
        found, lines = bring(wanted, options, environ=environ)
        assert states(found) == ["done", "done"]
        assert states(bring(wanted, options, environ=environ)[0]) == ["there", "there"]
        renamed = replace(options, tag_template="x-{tag}")
        wrong, more = bring(wanted, renamed, environ={**environ, "REG_PASS": "wrong-pl4nted"})
        assert states(wrong) == ["failed", "failed"]
        assert "authentication required" in more[0]
        (unset, _), _ = bring(wanted, renamed, environ={"REG_USER": USERNAME, "REG_PASS": ""})
        assert "REG_PASS, which is to hold a credential, is not set" in unset.detail
        token = replace(table, username_env=None, password_env=None, token_env="REG_PASS")
        (refused, _), _ = bring(wanted, replace(renamed, mirrors=(token,)), environ=environ)
        assert "takes a token on its command line only" in refused.detail
        nobody, told = bring(wanted, replace(PLAIN, tag_template="x-{tag}"))
        assert states(nobody) == ["failed", "failed"]
        # docker's own configuration is skopeo's own affair
        login = tmp_path / "auth.json"
        host = secret.address.removeprefix("http://")
        subprocess.run(
            [program("skopeo"), "login", "--tls-verify=false", "--authfile", str(login)]
            + ["--username", USERNAME, "--password-stdin", host],
            input=PASSWORD,
            text=True,
            check=True,
            capture_output=True,
        )
        own, _ = bring(wanted, replace(PLAIN, tag_template="own-{tag}"), environ={"REGISTRY_AUTH_FILE": str(login)})
        assert states(own) == ["done", "done"]
    assert "pl4nted" not in repr((found, lines, wrong, more, told, own))


def test_no_secret_stands_on_a_command_line(upstream: tuple[Server, dict[str, str]], tmp_path: Path) -> None:
    tool, seen = tmp_path / "bin" / "skopeo", tmp_path / "seen"
    tool.parent.mkdir()
    tool.write_text(
        f'#!/bin/sh\necho "$@" >> {seen}\ncat "$(echo "$@" | grep -o "/proc/self/fd/[0-9]*")" >> {seen}\nexit 3\n'
    )
    tool.chmod(0o755)
    table = Mirror("corp", "oci", "x", username_env="REG_USER", password_env="REG_PASS")
    environ = {"REG_USER": USERNAME, "REG_PASS": PASSWORD, "PATH": f"{tool.parent}{os.pathsep}{os.environ['PATH']}"}
    wanted = [replace(items(upstream, upstream[0], "26.07-py3")[0], mirror="http://127.0.0.1:9/x/tensorrt")]
    (failed,), _ = bring(wanted, replace(PLAIN, mirrors=(table,)), environ=environ)
    assert failed.state == "failed"
    said = seen.read_text()
    assert PASSWORD not in said
    assert '{"auths": {"127.0.0.1:9": {"auth": "' in said  # what the child can read, and no other
    assert not any(PASSWORD.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_dry_run_asks_nobody_and_says_what_would_be_run(tmp_path: Path) -> None:
    wanted = [image(), image("26.07-py3", digest=None)]
    found, lines = bring(wanted, dry_run=True, environ={"PATH": str(tmp_path)})  # no skopeo needed
    assert states(found) == ["would", "would"]
    assert "docker://nvcr.io/nvidia/tensorrt:26.07-py3 docker://registry.corp.example:5000/" in lines[0]
    assert f"docker://nvcr.io/nvidia/tensorrt@{image().digest} " in lines[1]


def test_without_skopeo_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="skopeo is not installed"):
        bring([image()])


def test_the_time_is_bounded(
    upstream: tuple[Server, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "_PATIENCE", 0.2)
    tool = tmp_path / "bin" / "skopeo"
    tool.parent.mkdir()
    tool.write_text(
        f"#!{sys.executable}\nimport signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)\n"
    )
    tool.chmod(0o755)
    wanted = items(upstream, upstream[0], "26.07-py3", "26.10-py3")
    wanted = [replace(item, mirror="http://127.0.0.1:9/x/tensorrt") for item in wanted]
    started = time.monotonic()
    environ = {"PATH": f"{tool.parent}{os.pathsep}{os.environ['PATH']}"}
    found, lines = bring(wanted, seconds=1, environ=environ)
    assert time.monotonic() - started < 5
    assert states(found) == ["failed", "failed"]
    assert "did not end in time" in lines[0]
    assert "no time left" in lines[1]


SCRIPT = """
import os, sys
from tests.mirror.items import image
from trtdoctor.mirror.apply import apply
from trtdoctor.mirror.emit import EmitOptions
up, down, *pairs = sys.argv[1:]
items = [image(tag, digest=digest, upstream=up, mirror=down) for tag, digest in (pair.split('=') for pair in pairs)]
apply("skopeo", items, EmitOptions(), os.environ, lambda line: print(line, flush=True))
"""


def test_an_interrupted_run_is_carried_on(
    upstream: tuple[Server, dict[str, str]], mirror: Server, tmp_path: Path
) -> None:
    """Ended while the second image is under way: no child is left, and the next run does the rest."""
    tool = tmp_path / "bin" / "skopeo"
    tool.parent.mkdir()
    marker = tmp_path / "started"
    tool.write_text(
        f'#!/bin/sh\ncase "$*" in *26.10-py3) echo $$ > {marker}; exec sleep 60;; esac\nexec {program("skopeo")} "$@"\n'
    )
    tool.chmod(0o755)
    wanted = items(upstream, mirror, "26.07-py3", "26.10-py3")
    arguments = [wanted[0].upstream, wanted[0].mirror, *(f"{item.version}={item.digest}" for item in wanted)]
    environ = {**os.environ, "PATH": f"{tool.parent}{os.pathsep}{os.environ['PATH']}"}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments], cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True
    ) as running:
        ends = time.monotonic() + 30
        while not marker.exists() or not marker.read_text().strip():
            assert time.monotonic() < ends
            time.sleep(0.05)
        child = int(marker.read_text())
        running.send_signal(signal.SIGTERM)
        out, _ = running.communicate(timeout=20)
    assert running.returncode == -signal.SIGTERM
    assert "done in" in out
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    assert held(mirror) == {"26.07-py3": upstream[1]["26.07-py3"]}
    assert states(bring(wanted)[0]) == ["there", "done"]
    assert held(mirror) == {tag: upstream[1][tag] for tag in ("26.07-py3", "26.10-py3")}
