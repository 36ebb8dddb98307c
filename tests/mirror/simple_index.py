"""Indexes on the loopback: one of our own that says everything that an index can say, and a real one over a folder."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import io
import json
import os
import socket
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.matrix.tls import Answer, server
from tests.mirror.needs import package

JSON = "application/vnd.pypi.simple.v1+json"
Answering = Callable[[str, dict[str, str]], Answer]


@dataclass
class File:
    """A file of a project."""

    name: str
    content: bytes = b"content"
    uploaded: str | None = None
    yanked: bool = False
    requires_python: str | None = None
    metadata: bytes | None = None
    """What the index gives at its address with ``.metadata`` behind."""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass
class Index:
    """An index of API 1.1, or with ``html`` alone; what it refuses it answers with a status."""

    projects: Mapping[str, Sequence[File]]
    html: bool = False
    digests: bool = True
    serials: Mapping[str, int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    refuses: Mapping[str, int] = field(default_factory=dict)
    login: str | None = None
    synced: str | None = None
    held: bool = True
    asked: list[str] = field(default_factory=list)

    def __call__(self, path: str, headers: dict[str, str]) -> Answer:
        self.asked.append(path)
        if self.login and headers.get("authorization") != f"Basic {base64.b64encode(self.login.encode()).decode()}":
            return 401, {"www-authenticate": 'Basic realm="index"'}, b"who are you?"
        if path == "/last-modified" and self.synced:
            return 200, {}, f"{self.synced}\n".encode()
        if path.startswith("/files/"):
            name = path.rpartition("/")[2]
            if name.endswith(".metadata"):
                name = name.removesuffix(".metadata")
                given = next(
                    (file.metadata for files in self.projects.values() for file in files if file.name == name), None
                )
                return (200, {}, given) if given is not None else (404, {}, b"")
            found = next((file for files in self.projects.values() for file in files if file.name == name), None)
            return (200, {}, found.content) if found and self.held else (404, {}, b"")
        project = path.removeprefix("/simple/").strip("/")
        if project in self.refuses:
            return self.refuses[project], dict(self.headers), b"<html>no</html>"
        if project not in self.projects:
            return 404, dict(self.headers), b"<html>not found</html>"
        wants_json = "json" in headers.get("accept", "") and not self.html
        kind, body = (JSON, self._json(project)) if wants_json else ("text/html", self._html(project))
        return 200, {"content-type": kind, **self.headers}, body.encode()

    def _json(self, project: str) -> str:
        files = self.projects[project]
        meta: dict[str, Any] = {"api-version": "1.1"}
        if project in self.serials:
            meta["_last-serial"] = self.serials[project]
        return json.dumps({"meta": meta, "name": project, "files": [self._entry(file) for file in files]})

    def _entry(self, file: File) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "filename": file.name,
            "url": f"../../files/{file.name}",
            "size": len(file.content),
            "hashes": {"sha256": file.sha256} if self.digests else {},
            "yanked": file.yanked,
        }
        stated = {
            "upload-time": file.uploaded,
            "requires-python": file.requires_python,
            "core-metadata": file.metadata is not None,
        }
        return entry | {key: value for key, value in stated.items() if value}

    def _html(self, project: str) -> str:
        links = "".join(
            f'<a href="../../files/{html.escape(file.name)}{f"#sha256={file.sha256}" if self.digests else ""}"'
            f"{' data-yanked' if file.yanked else ''}>{html.escape(file.name)}</a><br/>\n"
            for file in self.projects[project]
        )
        return f"<!DOCTYPE html><html><body><h1>Links for {project}</h1>\n{links}</body></html>"


@contextmanager
def serving(answering: Answering) -> Iterator[str]:
    """The address of the simple index that ``answering`` is."""
    with server(answering) as place:
        yield f"http://{place}/simple"


def sdist(project: str, version: str, **more: Any) -> File:
    """A source archive, too small to hold anything."""
    return File(f"{project.replace('-', '_')}-{version}.tar.gz", f"{project} {version}".encode(), **more)


def wheel(
    project: str,
    version: str,
    tag: str = "py2.py3-none-manylinux_2_28_x86_64",
    *,
    requires: Sequence[str] = (),
    **more: Any,
) -> File:
    """A wheel that an installer takes, with nothing in it."""
    name = project.replace("-", "_")
    data = f"{name}-{version}.dist-info"
    made = io.BytesIO()
    pythons, _, rest = tag.partition("-")
    tags = "".join(f"Tag: {python}-{rest}\n" for python in pythons.split("."))
    needs = "".join(f"Requires-Dist: {text}\n" for text in requires)
    with zipfile.ZipFile(made, "w") as archive:
        for path, text in (
            ("METADATA", f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n{needs}"),
            ("WHEEL", f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\n{tags}"),
            ("RECORD", f"{data}/METADATA,,\n{data}/WHEEL,,\n{data}/RECORD,,\n"),
        ):
            archive.writestr(zipfile.ZipInfo(f"{data}/{path}"), text)  # of 1980, so that the same wheel is the same
    return File(f"{name}-{version}-{tag}.whl", made.getvalue(), **more)


def stub(project: str, version: str, index: str) -> File:
    """A stub whose build asks ``index`` for the wheel. Shape: that of tensorrt_cu13_libs-11.4.0.106.tar.gz."""
    name = f"{project.replace('-', '_')}-{version}"
    metadata = f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n"
    build = (
        '[build-system]\nrequires = ["wheel-stub"]\nbuild-backend = "wheel_stub.buildapi"\n'
        f'[tool.wheel_stub]\nindex_url = "{index}/"\n'
    )
    made = io.BytesIO()
    with gzip.GzipFile(fileobj=made, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for path, text in (("PKG-INFO", metadata), ("pyproject.toml", build)):
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return File(f"{name}.tar.gz", made.getvalue())


def folder(root: Path, projects: Mapping[str, Sequence[File]]) -> Path:
    """The files in folders of their projects; their times are those of the upload."""
    for project, files in projects.items():
        (root / project).mkdir(parents=True)
        for file in files:
            path = root / project / file.name
            path.write_bytes(file.content)
            if file.uploaded:
                moment = time.mktime(time.strptime(file.uploaded, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
                os.utime(path, (moment, moment))
    return root


def free_port() -> int:
    """A port that nobody listens to; somebody may take it before we do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def running(command: Sequence[str], address: str, seconds: float = 20) -> Iterator[str]:
    """A server that is a program of its own, once it answers at ``address``."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            ends = time.monotonic() + seconds
            while True:
                try:
                    urlopen(address, timeout=5).close()
                    break
                except OSError as error:
                    if getattr(error, "code", None):
                        break  # it answers, whatever it says
                    assert process.poll() is None, f"{command[0]} ended"
                    assert time.monotonic() < ends, f"{command[0]} does not answer"
                    time.sleep(0.05)
            yield address
        finally:
            process.kill()


@contextmanager
def simple_repository_server(root: Path) -> Iterator[str]:
    """The real simple-repository-server over a folder: JSON with sizes and times, without digests."""
    port = free_port()
    command = [sys.executable, "-m", package("simple_repository_server"), "--host", "127.0.0.1", "--port", str(port)]
    with running([*command, str(root)], f"http://127.0.0.1:{port}/simple/") as address:
        yield address.rstrip("/")


@contextmanager
def plain_listing(root: Path) -> Iterator[str]:
    """``python -m http.server`` over a folder: listings as web servers make them."""
    port = free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(root)]
    with running(command, f"http://127.0.0.1:{port}/") as address:
        yield address.rstrip("/")
