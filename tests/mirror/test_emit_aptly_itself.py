"""aptly, really run with what is emitted, against a flat repository as NVIDIA makes them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.matrix.tls import Answer, server
from tests.mirror.items import deb
from tests.mirror.needs import program
from trtdoctor.mirror.emit import EmitOptions, emit

VERSIONS = ("10.16.1.11-1+cuda13.2", "10.16.1.11-1+cuda12.9", "10.9.0.34-1+cuda12.8")


def repository(folder: Path) -> dict[str, bytes]:
    """Path to content: three versions of two packages, and one that claims to provide one of them."""
    control = "Package: {}\nVersion: {}\nArchitecture: {}\nMaintainer: x <x@example.com>\nDescription: x\n"
    texts = [control.format(name, version, "amd64") for name in ("libnvinfer10", "tensorrt") for version in VERSIONS]
    texts.append(control.format("impostor", VERSIONS[0], "amd64") + f"Provides: libnvinfer10 (= {VERSIONS[0]})\n")
    texts.append(control.format("tensorrt-doc", VERSIONS[0], "all"))
    for text in texts:
        build = folder / "build" / "DEBIAN"
        build.mkdir(parents=True, exist_ok=True)
        (build / "control").write_text(text)
        (folder / "repo").mkdir(exist_ok=True)
        subprocess.run(
            [program("dpkg-deb"), "--build", "-Znone", build.parent, folder / "repo"], check=True, capture_output=True
        )
    for name, arguments in (("Packages", ["packages", "."]), ("Release", ["release", "."])):
        made = subprocess.run(
            [program("apt-ftparchive"), *arguments], cwd=folder / "repo", check=True, capture_output=True
        ).stdout
        # NVIDIA's Release names one architecture in a field of its own (seen 2026-09-05).
        head = b"Origin: NVIDIA\nLabel: NVIDIA CUDA\nArchitecture: x86_64\n" if name == "Release" else b""
        (folder / "repo" / name).write_bytes(head + made)
    return {f"/{path.name}": path.read_bytes() for path in (folder / "repo").iterdir()}


def test_aptly_mirrors_exactly_the_packages(tmp_path: Path) -> None:
    aptly = program("aptly")
    files = repository(tmp_path)
    asked: list[str] = []

    def answer(path: str, _: dict[str, str]) -> Answer:
        name = path.replace("%2b", "+").replace("%2B", "+")
        asked.append(name)
        return (200, {}, files[name]) if name in files else (404, {}, b"")

    # The repository here is not signed; what is emitted leaves the check of signatures on.
    (tmp_path / ".aptly.conf").write_text(json.dumps({"rootDir": str(tmp_path / "aptly"), "gpgDisableVerify": True}))
    environ = {**os.environ, "HOME": str(tmp_path)}
    with server(answer) as place:
        items = [
            deb("libnvinfer10", VERSIONS[0], "amd64", upstream=f"http://{place}/"),
            deb("tensorrt", VERSIONS[2], upstream=f"http://{place}/"),  # nobody knows its files
            deb("tensorrt-doc", VERSIONS[0], "all", upstream=f"http://{place}/"),
        ]
        script = emit("aptly", items, EmitOptions())
        for _ in range(2):  # once more changes nothing
            done = subprocess.run(
                [program("sh")], input=script, text=True, env=environ, capture_output=True, timeout=60, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
    found = subprocess.run([aptly, "snapshot", "list", "-raw"], env=environ, check=True, capture_output=True, text=True)
    (name,) = found.stdout.split()
    shown = subprocess.run(
        [aptly, "snapshot", "show", "-with-packages", name], env=environ, check=True, capture_output=True, text=True
    )
    wanted = [
        f"libnvinfer10_{VERSIONS[0]}_amd64",
        f"tensorrt-doc_{VERSIONS[0]}_all",
        f"tensorrt_{VERSIONS[2]}_amd64",
    ]
    assert sorted(shown.stdout.partition("Packages:")[2].split()) == wanted
    assert sorted(path.strip("/") for path in asked if path.endswith(".deb")) == [f"{item}.deb" for item in wanted]
