"""The lists of packages, asked of the real apt: it only simulates, with a repository in a folder."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from trtdoctor.matrix import Matrix, apt
from trtdoctor.versions import Version

RELEASE = Version.parse("10.13.3")


def stanzas(matrix: Matrix) -> Iterator[str]:
    """10.13.3 for CUDA 12 and for CUDA 13, as in ubuntu2404: each -dev needs its library and its headers with ``=``."""
    for flavour in ("cu12", "cu13"):
        packages = apt.install(matrix, RELEASE, flavour, ["run", "build", "trtexec"])
        assert packages is not None
        libraries = [package.name for package in packages if package.name.endswith("10")]
        for package in packages:
            wanted = {"libnvinfer-bin": libraries, "libnvinfer-dev": ["libnvinfer10", "libnvinfer-headers-dev"]}
            needed = wanted.get(package.name, [])
            depends = ", ".join(f"{name} (= {package.version.value})" for name in needed)
            yield (
                f"Package: {package.name}\nVersion: {package.version.value}\nArchitecture: all\n"
                + (f"Depends: {depends}\n" if depends else "")
                + f"Filename: ./{package.name}.deb\nSize: 1\nSHA256: {'0' * 64}\n"
            )


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="this system has no apt")
def test_apt_takes_the_whole_list_and_refuses_the_package_alone(matrix: Matrix, tmp_path: Path) -> None:
    """NVIDIA/TensorRT#4545, in small."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "Packages").write_text("\n".join(stanzas(matrix)))
    for folder in ("state/lists/partial", "cache/archives/partial", "log"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "status").touch()
    (tmp_path / "sources").write_text(f"deb [trusted=yes] file:{shelf} ./\n")
    places = {"State": "state", "State::status": "status", "Cache": "cache", "Log": "log", "Etc::SourceList": "sources"}
    places |= dict.fromkeys(("Etc::Main", "Etc::Parts", "Etc::SourceParts", "Etc::PreferencesParts"), "none")
    settings = "".join(f'Dir::{key} "{tmp_path / value}";\n' for key, value in places.items())
    (tmp_path / "conf").write_text(settings + 'APT::Sandbox::User "root";\n')
    # Read before all of the system's own settings, which it hides: their hooks touch the system's caches.
    environment = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "APT_CONFIG": str(tmp_path / "conf")}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = ["apt-get", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)

    assert run("update").returncode == 0
    packages = apt.install(matrix, RELEASE, "cu12", ["run", "build", "trtexec"])
    assert packages is not None
    alone = run("-s", "install", next(package.pinned for package in packages if package.name == "libnvinfer-dev"))
    assert alone.returncode != 0
    assert "10.13.3.9-1+cuda13.0 is to be installed" in alone.stdout
    together = run("-s", "install", *(package.pinned for package in packages))
    assert together.returncode == 0, together.stdout + together.stderr
    assert together.stdout.count("\nInst ") == len(packages)
    assert "cuda13" not in together.stdout
