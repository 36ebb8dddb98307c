"""Small images of machines in a temporary directory: real files in the places where the real ones lie.

A C library, a loader, a shell and a Python that nobody runs; wheels with METADATA and RECORD; Debian packages with
their lists; libraries that hold nothing but the names that matter. Probes look at them with ``collect(root=...)``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from tests.probes.loader.objects import shared_object
from trtdoctor.findings import Report
from trtdoctor.judge import judge
from trtdoctor.matrix import load
from trtdoctor.probes import collect
from trtdoctor.snapshot import Snapshot

AS_OF = date(2026, 11, 22)
_LOADERS = {"x86_64": "/lib64/ld-linux-x86-64.so.2", "aarch64": "/lib/ld-linux-aarch64.so.1"}
_TRIPLES = {"x86_64": "x86_64-linux-gnu", "aarch64": "aarch64-linux-gnu"}
_DEBIAN_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
BASICS = (
    *("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1"),
    *("libstdc++.so.6", "libgcc_s.so.1", "libz.so.1"),
)


class Image:
    """The root of one machine."""

    def __init__(
        self,
        root: Path,
        *,
        machine: str = "x86_64",
        glibc: str = "2.35",
        distribution: str = "ubuntu",
        version: str = "22.04",
        python: str = "3.10",
    ) -> None:
        """Debian's layout; one Python below /usr, and an environment of its own in /venv."""
        self.root = root
        self.machine = machine
        self.python = python
        self.system = f"/usr/lib/{_TRIPLES[machine]}"
        self.packages = f"/usr/lib/python{python}/dist-packages"
        self.site = f"/venv/lib/python{python}/site-packages"
        loader = _LOADERS[machine]
        folders = "\0".join(f"{folder}/" for folder in (f"/lib/{_TRIPLES[machine]}", self.system, "/lib", "/usr/lib"))
        banner = f"\0GNU C Library (GNU libc) stable release version {glibc}.\n\0{folders}\0".encode()
        self.object(loader, soname=loader.rpartition("/")[2], content=banner)
        self.object(f"{self.system}/libc.so.6", content=banner)
        for name in BASICS[1:]:
            self.object(f"{self.system}/{name}", needed=["libc.so.6"])
        self.program("/bin/sh")
        self.program(f"/usr/bin/python{python}")
        self.link("/usr/bin/python3", f"python{python}")
        self.link("/venv/bin/python", f"/usr/bin/python{python}")
        self.text("/venv/pyvenv.cfg", f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {python}.6\n")
        self.text(f"{self.site}/pip/__init__.py", "")
        self.text(f"{self.packages}/README", "")
        self.text("/etc/os-release", f'ID={distribution}\nVERSION_ID="{version}"\n')

    # -- files ---------------------------------------------------------------------------------------------------------

    def place(self, path: str) -> Path:
        """Where a path of the image lies; its directory is made."""
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def text(self, path: str, content: str | bytes) -> None:
        """A plain file."""
        self.place(path).write_bytes(content.encode() if isinstance(content, str) else content)

    def link(self, path: str, target: str) -> None:
        """A symbolic link."""
        self.place(path).symlink_to(target)

    def object(self, path: str, **fields: Any) -> None:
        """A shared object; its soname is its file's name unless another is given."""
        fields.setdefault("soname", path.rpartition("/")[2])
        fields.setdefault("machine", self.machine)
        self.text(path, shared_object(**fields))

    def library(self, path: str, soname: str, **fields: Any) -> None:
        """A shared object under its full name, and the link that its soname is."""
        self.object(path, soname=soname, **fields)
        folder, _, name = path.rpartition("/")
        if name != soname:
            self.link(f"{folder}/{soname}", name)

    def program(self, path: str, needed: Sequence[str] = ("libc.so.6",)) -> None:
        """An executable file."""
        self.object(path, soname=None, needed=needed, interpreter=_LOADERS[self.machine])
        self.place(path).chmod(0o755)

    def wheel(
        self,
        name: str,
        version: str,
        files: Mapping[str, bytes | str] | None = None,
        *,
        requires: Sequence[str] = (),
        site: str | None = None,
    ) -> None:
        """An installed distribution: its files, METADATA and RECORD. Objects that lie there already can be listed by
        an empty content."""
        site = site or self.site
        inner = f"{name.replace('-', '_')}-{version}.dist-info"
        lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"]
        lines += [f"Requires-Dist: {text}\n" for text in requires]
        self.text(f"{site}/{inner}/METADATA", "".join(lines))
        rows = [f"{inner}/METADATA,,"]
        for path, content in (files or {}).items():
            if content:
                self.text(f"{site}/{path}", content)
            found = self.place(f"{site}/{path}").read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(found).digest()).rstrip(b"=").decode()
            rows.append(f"{path},sha256={digest},{len(found)}")
        self.text(f"{site}/{inner}/RECORD", "\n".join([*rows, f"{inner}/RECORD,,", ""]))

    def content(self, soname: str | None, needed: Sequence[str] = (), **fields: Any) -> bytes:
        """A shared object for :meth:`wheel`."""
        return shared_object(soname, needed=needed, machine=self.machine, **fields)

    def debian(self, name: str, version: str, files: Sequence[str] = ()) -> None:
        """An installed Debian package with its list of files."""
        architecture = _DEBIAN_ARCHITECTURES[self.machine]
        status = self.place("/var/lib/dpkg/status")
        before = status.read_text() if status.exists() else ""
        stanza = f"Package: {name}\nStatus: install ok installed\nArchitecture: {architecture}\nVersion: {version}\n\n"
        status.write_text(before + stanza)
        self.text(f"/var/lib/dpkg/info/{name}.list", "\n".join([*files, ""]))

    # -- the stack -----------------------------------------------------------------------------------------------------

    def tensorrt(self, version: str, folder: str | None = None, *, needed: Sequence[str] = ()) -> None:
        """The libraries of a TensorRT release in one directory."""
        major = version.partition(".")[0]
        folder = folder or self.system
        short = ".".join(version.split(".")[:3])
        core = f"libnvinfer.so.{major}"
        self.library(f"{folder}/libnvinfer.so.{short}", core, needed=["libdl.so.2", "libc.so.6", *needed])
        for name in ("libnvinfer_plugin", "libnvonnxparser"):
            self.library(f"{folder}/{name}.so.{short}", f"{name}.so.{major}", needed=[core, "libc.so.6"])
        if int(major) >= 8:
            self.object(f"{folder}/libnvinfer_builder_resource.so.{short}", needed=["libc.so.6"])

    def bindings(self, version: str, *, site: str | None = None, parts: int = 4) -> None:
        """The Python package ``tensorrt`` of 8.0 to 8.5 without libraries: extension, code, metadata."""
        major = version.partition(".")[0]
        needed = [f"{name}.so.{major}" for name in ("libnvinfer", "libnvonnxparser", "libnvinfer_plugin")]
        code = 'import glob\nfor lib in glob.glob("*.so*"):\n    pass\nfrom .tensorrt import *\n'
        files: dict[str, bytes | str] = {
            "tensorrt/__init__.py": code,
            "tensorrt/tensorrt.so": self.content("tensorrt.so", needed),
        }
        self.wheel("tensorrt", ".".join(version.split(".")[:parts]), files, site=site)

    # -- the check -----------------------------------------------------------------------------------------------------

    def snapshot(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        python: str | None = "/venv/bin/python",
        importers: Sequence[str] | None = None,
        symbols: bool = False,
    ) -> Snapshot:
        """What the probes find."""
        settings = {"PATH": "/usr/local/bin:/usr/bin:/bin", **(environ or {})}
        return collect(
            load(), python=python, root=str(self.root), environ=settings, importers=importers, symbols=symbols
        )

    def report(self, environ: Mapping[str, str] | None = None, *goal: str, **choices: Any) -> Report:
        """What the rules say of it."""
        return judge(self.snapshot(environ, **choices), load(), as_of=AS_OF, goal=goal)
