"""Repositories for apt, made by Debian's own tools and served on the loopback."""

from __future__ import annotations

import functools
import gzip
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.mirror.needs import program

Deb = tuple[str, str]
"""Name and version."""


@contextmanager
def served(root: Path) -> Iterator[str]:
    """The address of a folder."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(root)))
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def build(root: Path, debs: Sequence[Deb], architecture: str = "amd64", text: str = "") -> list[Path]:
    """Packages with nothing in them but a control file."""
    made = []
    root.mkdir(parents=True, exist_ok=True)
    for name, version in debs:
        tree = root / f"{name}.tree"
        (tree / "DEBIAN").mkdir(parents=True)
        control = f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: x <x@example.org>\n"
        control += f"Section: libs\nPriority: optional\nDescription: {name}\n {text or 'nothing'}\n .\n end\n"
        (tree / "DEBIAN" / "control").write_text(control)
        path = root / f"{name}_{version.rpartition(':')[2]}_{architecture}.deb"
        _run(program("dpkg-deb"), "-Znone", "--root-owner-group", "-b", str(tree), str(path))
        shutil.rmtree(tree)
        made.append(path)
    return made


def flat(root: Path, debs: Sequence[Path], date: str | None = None) -> Path:
    """A flat repository as NVIDIA's: Packages, Packages.gz and Release beside the packages."""
    root.mkdir(parents=True, exist_ok=True)
    for path in debs:
        shutil.copy(path, root)
    index(root)
    release(root, date)
    return root


def index(root: Path) -> None:
    """Write the lists of packages alone."""
    listed = _run(program("apt-ftparchive"), "packages", ".", cwd=root)
    (root / "Packages").write_bytes(listed)
    (root / "Packages.gz").write_bytes(gzip.compress(listed, mtime=0))


def release(root: Path, date: str | None = None) -> None:
    """Write the Release alone."""
    (root / "Release").unlink(missing_ok=True)
    fields = ["-o", "APT::FTPArchive::Release::Origin=NVIDIA", "-o", "APT::FTPArchive::Release::Label=NVIDIA CUDA"]
    text = _run(program("apt-ftparchive"), *fields, "release", ".", cwd=root).decode()
    if date is not None:
        text = "".join(f"Date: {date}\n" if line.startswith("Date:") else f"{line}\n" for line in text.splitlines())
    (root / "Release").write_text(text)


def suite(root: Path, debs: Sequence[Path], name: str = "jammy", architectures: str = "amd64 arm64") -> Path:
    """A repository with a suite and two components, by reprepro, which keeps one version of each package."""
    (root / "conf").mkdir(parents=True)
    (root / "conf" / "distributions").write_text(
        f"Codename: {name}\nComponents: main extra\nArchitectures: {architectures}\nOrigin: us\n"
    )
    for component, paths in (("main", debs[:-1]), ("extra", debs[-1:])):
        _run(program("reprepro"), "-s", "-s", "-C", component, "-b", str(root), "includedeb", name, *map(str, paths))
    return root


def sign(root: Path, home: Path) -> None:
    """Put an InRelease with a clear signature in place of the Release."""
    home.mkdir(mode=0o700)
    gpg = [program("gpg"), "--homedir", str(home), "--batch", "--quiet", "--passphrase", ""]
    _run(*gpg, "--quick-gen-key", "test <x@example.org>", "ed25519", "sign", "1d")
    _run(*gpg, "--output", str(root / "InRelease"), "--clearsign", str(root / "Release"))
    _run("gpgconf", "--homedir", str(home), "--kill", "all")
    (root / "Release").unlink()


def apt(root: Path, line: str, *packages: str) -> tuple[bool, str]:
    """Whether the real apt can update from ``line``, and what ``apt-cache madison`` says of ``packages`` then."""
    for part in ("lists/partial", "cache/archives/partial", "parts"):
        (root / part).mkdir(parents=True)
    (root / "sources.list").write_text(f"{line}\n")
    (root / "status").write_text("")
    settings = {
        "Dir::Etc::SourceList": root / "sources.list",
        "Dir::Etc::SourceParts": root / "parts",
        "Dir::State::Lists": root / "lists",
        "Dir::State::Status": root / "status",
        "Dir::Cache": root / "cache",
        "APT::Architecture": "amd64",
        "APT::Architectures": "amd64",
        "APT::Sandbox::User": "root",
        "Acquire::http::Proxy": "DIRECT",
        "Acquire::Languages": "none",
        "APT::Update::Error-Mode": "any",
    }
    options = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
    environ = {**os.environ, "LC_ALL": "C"}
    command = [program("apt-get"), *options, "update"]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=60, check=False)
    if done.returncode:
        return False, done.stdout + done.stderr
    return True, _run(program("apt-cache"), *options, "madison", *packages).decode()


def _run(*command: str, cwd: Path | None = None) -> bytes:
    done = subprocess.run(command, capture_output=True, cwd=cwd, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return done.stdout
