from __future__ import annotations

from pathlib import Path

import pytest

from tests.probes import roots
from trtdoctor.probes import packages
from trtdoctor.snapshot import Package, Snapshot


def probe(root: Path, files: dict[str, str | bytes], **environ: str) -> Snapshot:
    return packages.probe(roots.context(roots.write(root, files), environ))


def stanza(name: str, version: str, status: str = "install ok installed", architecture: str = "amd64") -> str:
    return (
        f"Package: {name}\nStatus: {status}\nPriority: optional\nArchitecture: {architecture}\n"
        f"Version: {version}\nDescription: text\n Version: 9.9 in a description\n\n"
    )


STATUS = "".join(
    [
        stanza("bash", "5.2-1"),
        stanza("libnvinfer10", "10.9.0.34-1+cuda12.8"),
        stanza("libcudnn9-cuda-12", "9.8.0.87-1", "hold ok installed"),
        stanza("cuda-toolkit-12-8", "12.8.1-1", "deinstall ok config-files"),
        stanza("nvidia-driver-570", "570.124.06-0ubuntu1", "install ok half-configured"),
        stanza("cuda", "12.8.1-1"),
        stanza("xcuda-thing", "1"),
        stanza("tensorrt", "10.9.0.34-1+cuda12.8").rstrip("\n"),
    ]
)


def test_dpkg_tells_what_is_installed_and_matters(tmp_path: Path) -> None:
    found = probe(tmp_path, {"/var/lib/dpkg/status": STATUS})
    assert found.packages == (
        Package("libnvinfer10", "10.9.0.34-1+cuda12.8", "dpkg"),
        Package("libcudnn9-cuda-12", "9.8.0.87-1", "dpkg"),
        Package("cuda", "12.8.1-1", "dpkg"),
        Package("tensorrt", "10.9.0.34-1+cuda12.8", "dpkg"),
    )
    assert found.probes == ()


def test_images_without_dpkg_keep_a_file_for_each_package(tmp_path: Path) -> None:
    text = "Package: libcudnn9-cuda-12\nVersion: 9.8.0.87-1\nArchitecture: amd64\n"
    found = probe(tmp_path, {"/var/lib/dpkg/status.d/cudnn": text})
    assert found.packages == (Package("libcudnn9-cuda-12", "9.8.0.87-1", "dpkg"),)


@pytest.mark.parametrize(
    "content", [b"", b"\0\xff" * 1000, b"Package: cuda", b"Package: cuda\n", b"Package: cuda\nStatus:\n"]
)
def test_a_damaged_database_gives_no_package_and_no_error(tmp_path: Path, content: bytes) -> None:
    assert probe(tmp_path, {"/var/lib/dpkg/status": content}).packages == ()


def test_lists_name_the_owner_of_a_library_in_either_spelling_of_lib(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "/var/lib/dpkg/status": STATUS,
        "/var/lib/dpkg/info/libnvinfer10.list": "/.\n/usr/lib/x86_64-linux-gnu/libnvinfer.so.10.9.0\n",
        "/var/lib/dpkg/info/libcudnn9-cuda-12:amd64.list": "/lib/x86_64-linux-gnu/libcudnn.so.9.8.0\n",
    }
    owners = packages.owners(roots.context(roots.write(tmp_path, files)))
    assert owners[packages.without_usr("/lib/x86_64-linux-gnu/libnvinfer.so.10.9.0")].name == "libnvinfer10"
    assert owners[packages.without_usr("/usr/lib/x86_64-linux-gnu/libcudnn.so.9.8.0")].name == "libcudnn9-cuda-12"


def test_apk(tmp_path: Path) -> None:
    text = "C:Q1\nP:musl\nV:1.2.5-r0\n\nC:Q1\nP:nvidia-open\nV:570.1-r0\nA:x86_64\n"
    assert probe(tmp_path, {"/lib/apk/db/installed": text}).packages == (Package("nvidia-open", "570.1-r0", "apk"),)


def test_an_rpm_database_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    found = probe(tmp_path, {"/var/lib/rpm/rpmdb.sqlite": b""})
    assert [(item.name, item.outcome) for item in found.probes] == [("packages", "skipped")]


@pytest.mark.parametrize(
    ("script", "wanted", "reason"),
    [
        ("printf 'cuda-toolkit-12-8\\t12.8.1-1\\nbash\\t5-1\\n'", ["cuda-toolkit-12-8"], None),
        ("exit 3", [], "exit code 3"),
        ("kill -SEGV $$", [], "exit code -11"),
        ("head -c 100000 /dev/zero", [], None),
    ],
)
def test_rpm_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, wanted: list[str], reason: str | None
) -> None:
    program = tmp_path / "bin" / "rpm"
    roots.write(tmp_path, {"bin/rpm": f"#!/bin/sh\n{script}\n"})
    program.chmod(0o755)
    # The database stands only on machines that have one; the program that is run is a real process.
    monkeypatch.setattr(packages, "exists", lambda context, path: path.endswith("rpmdb.sqlite"))
    found = packages._rpm(roots.context(Path("/"), {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}))
    assert [item.name for item in found[0]] == wanted
    assert (found[1] or "").endswith(reason or "")
    assert (found[1] is None) == (reason is None)
