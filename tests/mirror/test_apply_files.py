"""pip download, really run against an index on this machine: by what is emitted, and by ``--apply``."""

from __future__ import annotations

import fcntl
import gzip
import io
import os
import shutil
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.mirror.items import dist
from tests.mirror.needs import program
from tests.mirror.simple_index import File, Index, serving, stub, wheel
from trtdoctor.config.mirrors import Mirror
from trtdoctor.mirror.apply import Outcome, apply
from trtdoctor.mirror.emit import EmitOptions, emit
from trtdoctor.mirror.tools import ToolError
from trtdoctor.mirror.wants import SyncItem
from trtdoctor.net.landing import SET_ASIDE
from trtdoctor.net.landing import UNDER_WAY as INCOMING

VERSION = "11.4.0.106"
FOREIGN = "cp310-none-manylinux_2_28_aarch64"
"""Of no machine that these tests run on: a mirror has files for others."""
CONNECT = socket.socket.connect
PIP = {"PIP_FIND_LINKS": "", "PIP_INDEX_URL": "", "PIP_EXTRA_INDEX_URL": "", "PIP_CONFIG_FILE": os.devnull}
"""Nothing of this machine's own configuration."""


@pytest.fixture(autouse=True)
def _sockets(_no_sockets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests speak to servers of their own."""
    monkeypatch.setattr(socket.socket, "connect", CONNECT)


def sdist(project: str, version: str, requires: str = "", build: str = "") -> File:
    """A source archive that builds without anything else: its build back end is in it."""
    name = f"{project.replace('-', '_')}-{version}"
    metadata = f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n"
    backend = (
        f"import os, zipfile\nNAME, META = {name!r}, {metadata + (requires and f'Requires-Dist: {requires}')!r}\n"
        f"{build}\n"
        "def build_wheel(directory, settings=None, metadata=None):\n"
        "    place, info = NAME + '-py3-none-any.whl', NAME + '.dist-info/'\n"
        "    with zipfile.ZipFile(os.path.join(directory, place), 'w') as made:\n"
        "        made.writestr(info + 'METADATA', META)\n"
        "        made.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n"
        "        made.writestr(info + 'RECORD', '')\n"
        "    return place\n"
    )
    project_file = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    made = io.BytesIO()
    with gzip.GzipFile(fileobj=made, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for path, text in (("PKG-INFO", metadata), ("pyproject.toml", project_file), ("backend.py", backend)):
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return File(f"{name}.tar.gz", made.getvalue())


META = sdist("tensorrt", VERSION, f"tensorrt-cu13-libs=={VERSION}")
LIBS = wheel("tensorrt-cu13-libs", VERSION, "py2.py3-none-any")
OTHER = wheel("tensorrt-cu13-libs", VERSION, f"py2.py3-none-{FOREIGN.rpartition('-')[2]}")
BINDINGS = wheel("tensorrt-cu13-bindings", VERSION, FOREIGN)
STUB = stub("tensorrt-cu13-libs", VERSION, "http://127.0.0.1:9")


class Places:
    """The package index and NVIDIA's, as in the world, and what is wanted of them."""

    def __init__(self, index: str, nvidia: str, asked: list[str], asked_nvidia: list[str]) -> None:
        self.index, self.nvidia = index, nvidia
        self.asked, self.asked_nvidia = asked, asked_nvidia

    def item(self, file: File, *, origin: bool = False, **more: Any) -> SyncItem:
        project = file.name.split(f"-{VERSION}")[0].replace("_", "-")
        said = {"upstream": self.index, "origin": self.nvidia if origin else None, **more}
        return replace(dist(project, VERSION), files=((file.name, len(file.content), file.sha256),), **said)

    def stack(self) -> list[SyncItem]:
        return [
            self.item(META),
            self.item(BINDINGS),
            self.item(STUB),
            self.item(LIBS, origin=True),
            self.item(OTHER, origin=True),
        ]


@pytest.fixture
def places() -> Iterator[Places]:
    own = Index({"tensorrt": [META], "tensorrt-cu13-bindings": [BINDINGS], "tensorrt-cu13-libs": [STUB]})
    nvidia = Index({"tensorrt-cu13-libs": [LIBS, OTHER]}, html=True)
    with serving(own) as index, serving(nvidia) as wheels:
        yield Places(index, wheels, own.asked, nvidia.asked)


def bring(
    items: list[SyncItem], into: Path, options: EmitOptions | None = None, **more: Any
) -> tuple[dict[str, Outcome], list[str]]:
    lines: list[str] = []
    environ = {**os.environ, **PIP, **more.pop("environ", {})}
    options = replace(options or EmitOptions(), into=str(into))
    found = apply("pip-download", items, options, environ, lines.append, **more)
    return {outcome.name: outcome for outcome in found}, lines


def there(into: Path) -> set[str]:
    return {path.name for path in into.iterdir()}


def installs(into: Path, place: Path) -> None:
    """``pip install`` from the folder alone, as a machine without a net does."""
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--find-links", str(into)]
        + ["--target", str(place), f"tensorrt=={VERSION}"],
        env={**os.environ, **PIP},
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert {path.name.partition("-")[0] for path in place.glob("*.dist-info")} == {"tensorrt", "tensorrt_cu13_libs"}


# -- what is emitted ---------------------------------------------------------------------------------------------------


def test_the_emitted_commands_bring_exactly_the_files(places: Places, tmp_path: Path) -> None:
    into = tmp_path / "wheels"
    script = emit("pip-download", places.stack(), EmitOptions(into=str(into)))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [program("sh")],
        input=script,
        text=True,
        env={**os.environ, **PIP, "PATH": path},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert there(into) == {META.name, BINDINGS.name, LIBS.name, OTHER.name}
    for file in (META, BINDINGS, LIBS, OTHER):
        assert (into / file.name).read_bytes() == file.content
    installs(into, tmp_path / "site")


# -- --apply -----------------------------------------------------------------------------------------------------------


def test_apply_fetches_verifies_and_carries_on(places: Places, tmp_path: Path) -> None:
    """With two files there already: one whole, one half, as an interrupted run of another program leaves them."""
    into = tmp_path / "wheels"
    (into / INCOMING / "old").mkdir(parents=True)
    (into / BINDINGS.name).write_bytes(BINDINGS.content)
    (into / LIBS.name).write_bytes(LIBS.content[:100])
    found, lines = bring(places.stack(), into)
    assert {name: outcome.state for name, outcome in found.items()} == {
        META.name: "done",
        BINDINGS.name: "there",
        LIBS.name: "done",
        OTHER.name: "done",
        STUB.name: "left",
    }
    assert there(into) == {META.name, BINDINGS.name, LIBS.name, OTHER.name, SET_ASIDE}
    assert [path.read_bytes() for path in (into / SET_ASIDE).iterdir()] == [LIBS.content[:100]]
    assert f"what was there is now {SET_ASIDE}/{LIBS.name}." in found[LIBS.name].detail
    assert lines[-1] == f"[5/5] {STUB.name}: left out: a stub: the wheel itself is fetched"
    assert not any(BINDINGS.name in path for path in places.asked)
    assert not any(name.endswith("libs/") for name in places.asked)  # the stub is not even asked for
    asked = len(places.asked)
    again, _ = bring(places.stack(), into)
    assert {outcome.state for outcome in again.values()} == {"there", "left"}
    assert len(places.asked) == asked
    installs(into, tmp_path / "site")


def test_source_archives_are_fetched_and_not_built(places: Places, tmp_path: Path) -> None:
    """A stub alone, and an archive that would leave a trace when its code is run."""
    trap = sdist("tensorrt-cu13", VERSION, build=f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    with serving(Index({"tensorrt-cu13": [trap]})) as index:
        items = [places.item(STUB), places.item(trap, upstream=index)]
        found, _ = bring(items, tmp_path / "wheels", EmitOptions(stubs=("tensorrt-cu13-libs",)))
    assert {outcome.state for outcome in found.values()} == {"done"}
    assert there(tmp_path / "wheels") == {STUB.name, trap.name}
    assert not (tmp_path / "ran").exists()


def test_what_comes_with_another_digest_is_refused(places: Places, tmp_path: Path) -> None:
    bad = [
        replace(places.item(LIBS, origin=True), files=((LIBS.name, None, "0" * 64),)),
        replace(places.item(META), files=((META.name, None, "1" * 64),)),
        places.item(BINDINGS),
    ]
    into = tmp_path / "wheels"
    found, lines = bring(bad, into)
    assert [found[file.name].state for file in (LIBS, META, BINDINGS)] == ["failed", "failed", "done"]
    assert "another SHA-256 than the one that is stated, and pip threw it away" in found[LIBS.name].detail
    assert "not with the one that is stated: set-aside/" in found[META.name].detail
    assert there(into) == {BINDINGS.name, SET_ASIDE}
    assert [path.read_bytes() for path in (into / SET_ASIDE).iterdir()] == [META.content]
    assert sum("FAILED" in line for line in lines) == 2


def test_an_index_without_digests_is_said_to_verify_nothing(tmp_path: Path) -> None:
    with serving(Index({"tensorrt-cu13-bindings": [BINDINGS]}, digests=False)) as index:
        file = (BINDINGS.name, len(BINDINGS.content), None)
        item = replace(dist("tensorrt-cu13-bindings", VERSION, upstream=index), files=(file,))
        found, _ = bring([item], tmp_path / "wheels")
        again, _ = bring([item], tmp_path / "wheels")
    assert found[BINDINGS.name] == Outcome(BINDINGS.name, "done", "not verified: the index states no SHA-256")
    assert again[BINDINGS.name].state == "there"


def test_what_is_not_listed_any_more_fails_alone(places: Places, tmp_path: Path) -> None:
    gone = [
        replace(places.item(META), files=((META.name.replace(".tar.gz", ".zip"), None, None),)),
        dist("wheel-stub", "9.9", "wheel_stub-9.9-py3-none-any.whl", upstream=places.index),
        replace(places.item(META), upstream="http://127.0.0.1:9/simple"),
    ]
    found, _ = bring(gone, tmp_path / "wheels")
    assert {outcome.state for outcome in found.values()} == {"failed"}
    words = " ".join(outcome.detail for outcome in found.values())
    assert "does not list" in words
    assert "No matching distribution found for wheel-stub==9.9" in words
    assert "no connection" in words
    assert there(tmp_path / "wheels") == set()


def test_logins_go_by_the_environment_alone(tmp_path: Path) -> None:
    secret = "pl4nted/p@ss:w"
    own = Index({"tensorrt": [META], "tensorrt-cu13-bindings": [BINDINGS]}, login=f"ci:{secret}")
    with serving(own) as index:
        table = Mirror("idx", "pypi", "x", upstream_username_env="IDX_USER", upstream_password_env="IDX_PASS")
        items = [
            replace(dist("tensorrt", VERSION), files=((META.name, None, META.sha256),), upstream=index),
            replace(
                dist("tensorrt-cu13-bindings", VERSION), files=((BINDINGS.name, None, BINDINGS.sha256),), upstream=index
            ),
        ]
        environ = {"IDX_USER": "ci", "IDX_PASS": secret}
        options = EmitOptions(mirrors=(table,))
        found, lines = bring(items, tmp_path / "wheels", options, environ=environ)
        assert {outcome.state for outcome in found.values()} == {"done"}, lines
        wrong, more = bring(items, tmp_path / "b", options, environ={**environ, "IDX_PASS": "pl4nted-wrong"})
        assert {outcome.state for outcome in wrong.values()} == {"failed"}
        # the index that pip is configured with, with the login that stands there
        configured = index.replace("http://", "http://ci:pl4nted%2Fp%40ss%3Aw@")
        pips, told = bring(items, tmp_path / "c", environ={"PIP_INDEX_URL": configured})
        assert {outcome.state for outcome in pips.values()} == {"done"}, told
        token = replace(table, upstream_username_env=None, upstream_password_env=None, upstream_token_env="IDX_PASS")
        refused, last = bring(items[1:], tmp_path / "d", EmitOptions(mirrors=(token,)), environ=environ)
        assert "cannot be given a token" in refused[BINDINGS.name].detail
    assert "pl4nted" not in repr((found, lines, wrong, more, pips, told, refused, last))
    for name in "wheels", "b", "c", "d":
        assert not any(b"pl4nted" in path.read_bytes() for path in (tmp_path / name).rglob("*") if path.is_file())


def test_no_secret_stands_on_the_command_line_of_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, places: Places
) -> None:
    seen = tmp_path / "seen"
    tool = tmp_path / "python"
    tool.write_text(f'#!/bin/sh\necho "$@" > {seen}\necho "ERROR: no $PIP_INDEX_URL pl4nted" >&2\nexit 1\n')
    tool.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tool))
    table = Mirror("idx", "pypi", "x", upstream_username_env="IDX_USER", upstream_password_env="IDX_PASS")
    found, _ = bring(
        [places.item(BINDINGS)],
        tmp_path / "wheels",
        EmitOptions(mirrors=(table,)),
        environ={"IDX_USER": "ci", "IDX_PASS": "pl4nted"},
    )
    assert "pl4nted" not in seen.read_text()
    assert "--index-url" not in seen.read_text()
    assert found[BINDINGS.name].detail == f"ERROR: no {places.index}/ ***"


def test_links_and_folders_in_the_way(places: Places, tmp_path: Path) -> None:
    into, outside = tmp_path / "wheels", tmp_path / "outside"
    into.mkdir()
    outside.write_bytes(BINDINGS.content)
    (into / BINDINGS.name).symlink_to(outside)
    (into / META.name).mkdir()
    found, _ = bring([places.item(BINDINGS), places.item(META)], into)
    assert {outcome.state for outcome in found.values()} == {"done"}
    assert not (into / BINDINGS.name).is_symlink()
    assert outside.read_bytes() == BINDINGS.content
    assert (into / META.name).read_bytes() == META.content
    shutil.rmtree(into)
    into.mkdir()
    (into / INCOMING).symlink_to(tmp_path)
    with pytest.raises(ToolError, match="wheels: "):
        bring([places.item(META)], into)
    assert outside.exists()


def test_two_runs_do_not_write_to_one_place(places: Places, tmp_path: Path) -> None:
    (tmp_path / "wheels" / INCOMING).mkdir(parents=True)
    handle = os.open(tmp_path / "wheels" / INCOMING, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(ToolError, match="another run is fetching files there"):
            bring(places.stack(), tmp_path / "wheels")
    finally:
        os.close(handle)
    (tmp_path / "file").write_text("")
    with pytest.raises(ToolError, match="file: Not a directory"):
        bring([places.item(META)], tmp_path / "file")


def test_dry_run_writes_nothing_and_asks_nobody(places: Places, tmp_path: Path) -> None:
    into = tmp_path / "wheels"
    found, _ = bring(places.stack(), into, dry_run=True)
    assert not into.exists()
    assert places.asked == places.asked_nvidia == []
    assert found[LIBS.name].detail.startswith(f"{sys.executable} -m pip download --no-deps ") or found[
        LIBS.name
    ].detail.startswith("python3 -m pip download --no-deps ")
    assert f"tensorrt-cu13-libs=={VERSION} --hash=sha256:{LIBS.sha256}" in found[LIBS.name].detail
    assert found[META.name].detail == f"fetch it from {places.index}/tensorrt/"
    into.mkdir()
    (into / LIBS.name).write_bytes(LIBS.content)
    assert bring(places.stack(), into, dry_run=True)[0][LIBS.name].state == "there"
