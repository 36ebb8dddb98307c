"""The host probe, on roots made of real files and on this machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from tests.probes.roots import context, write
from trtdoctor.probes import host
from trtdoctor.redaction import redact
from trtdoctor.snapshot import Platform, Setting, Snapshot

TEGRA = "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: Wed Jan  8 2025\n"
STATUS = """Package: bash
Status: install ok installed
Version: 5.1

Package: nvidia-jetpack
Status: {status}
Version: 6.2+b77

Package: nvidia-l4t-core
Status: install ok installed
Version: 36.4.3-20250107174145
"""


def platform_of(root: Path, environ: dict[str, str] | None = None) -> Platform:
    return host.probe(context(root, environ)).platform


def test_this_machine() -> None:
    found = host.probe(context(Path("/"), dict(os.environ))).platform
    assert found.system == "linux"
    assert found.architecture == platform.machine()
    assert found.kernel == os.uname().release
    name, version = platform.libc_ver()
    if name == "glibc":
        assert (found.libc, found.glibc) == ("glibc", version)
    assert found.memory_bytes is not None
    assert found.memory_bytes > 1 << 28


def test_an_empty_root_gives_no_facts(tmp_path: Path) -> None:
    assert platform_of(tmp_path) == Platform(system="linux")
    assert host.probe(context(tmp_path)).container is None


def test_os_release_and_an_old_glibc(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "usr/lib/os-release": 'NAME="Ubuntu"\nID=ubuntu\nVERSION_ID="20.04"\n# ID=no\n',
            "etc/os-release": "->../usr/lib/os-release",
            "lib64/ld-linux-x86-64.so.2": "",
            "lib/x86_64-linux-gnu/libc-2.31.so": "",
            "lib/x86_64-linux-gnu/libc.so.6": "->libc-2.31.so",
        },
    )
    found = platform_of(tmp_path)
    assert (found.distribution, found.distribution_version) == ("ubuntu", "20.04")
    assert (found.libc, found.glibc, found.architecture) == ("glibc", "2.31", "x86_64")


def test_a_new_glibc_says_its_version_in_its_banner(tmp_path: Path) -> None:
    banner = b"\0\0GNU C Library (Ubuntu GLIBC 2.39-0ubuntu8.4) stable release version 2.39.\nCopyright"
    write(tmp_path, {"usr/lib/x86_64-linux-gnu/libc.so.6": b"\x7fELF" + bytes(5000) + banner})
    assert platform_of(tmp_path).glibc == "2.39"


def test_musl_has_no_glibc(tmp_path: Path) -> None:
    write(tmp_path, {"lib/ld-musl-x86_64.so.1": ""})
    found = platform_of(tmp_path)
    assert (found.libc, found.glibc, found.architecture) == ("musl", None, "x86_64")


@pytest.mark.parametrize(
    ("kernel", "files", "environ", "wanted"),
    [
        ("5.15.167.4-microsoft-standard-WSL2", {}, {}, True),
        ("4.4.0-19041-Microsoft", {}, {}, True),
        ("6.8.0-1021-azure", {}, {}, False),
        ("6.6.0-custom", {"dev/dxg": ""}, {}, True),
        ("6.6.0-custom", {}, {"WSL_DISTRO_NAME": "Ubuntu"}, True),
        (None, {}, {}, None),
    ],
)
def test_wsl(
    tmp_path: Path, kernel: str | None, files: dict[str, str], environ: dict[str, str], wanted: bool | None
) -> None:
    write(tmp_path, files)
    if kernel:
        write(tmp_path, {"proc/sys/kernel/osrelease": kernel + "\n"})
    assert platform_of(tmp_path, environ).wsl is wanted


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"etc/nv_tegra_release": TEGRA}, ("36.4.3", "")),
        (
            {"etc/nv_tegra_release": TEGRA, "var/lib/dpkg/status": STATUS.format(status="install ok installed")},
            ("36.4.3", "6.2"),
        ),
        ({"var/lib/dpkg/status": STATUS.format(status="deinstall ok config-files")}, ("36.4.3", "")),
        ({"proc/device-tree/model": "NVIDIA Jetson AGX Orin Developer Kit\0"}, (None, "")),
        ({"proc/device-tree/model": "Raspberry Pi 5\0"}, (None, None)),
    ],
)
def test_jetson(tmp_path: Path, files: dict[str, str], wanted: tuple[str | None, str | None]) -> None:
    write(tmp_path, {"lib/ld-linux-aarch64.so.1": "", **files})
    found = platform_of(tmp_path)
    assert (found.l4t, found.jetpack) == wanted


def test_an_x86_machine_is_no_jetson_even_with_its_files(tmp_path: Path) -> None:
    write(tmp_path, {"lib64/ld-linux-x86-64.so.2": "", "etc/nv_tegra_release": TEGRA})
    assert platform_of(tmp_path).jetpack is None


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "8589934592\n"}, 8 << 30),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, None),
        (
            {
                "proc/self/cgroup": "0::/user.slice/a.scope\n",
                "sys/fs/cgroup/user.slice/memory.max": "4294967296\n",
                "sys/fs/cgroup/user.slice/a.scope/memory.max": "max\n",
            },
            4 << 30,
        ),
        (
            {
                "proc/self/cgroup": "4:cpu:/x\n5:memory:/docker/abc\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "2147483648\n",
            },
            2 << 30,
        ),
        (
            {
                "proc/self/cgroup": "5:memory:/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            None,
        ),
        ({"proc/self/cgroup": "0::/../../etc\n", "etc/memory.max": "1"}, None),
        ({"proc/self/cgroup": "garbage\n::::\n\x00"}, None),
    ],
)
def test_the_control_groups_memory_limit(tmp_path: Path, files: dict[str, str], wanted: int | None) -> None:
    write(tmp_path, files)
    assert platform_of(tmp_path).memory_limit_bytes == wanted


@pytest.mark.parametrize(
    ("files", "environ", "runtime"),
    [
        ({".dockerenv": ""}, {}, "docker"),
        ({"run/.containerenv": ""}, {"container": "podman"}, "podman"),
        ({".dockerenv": ""}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "kubernetes"),
        ({}, {"APPTAINER_CONTAINER": "/home/someone/secret.sif"}, "apptainer"),
        ({}, {"SINGULARITY_NAME": "x.sif"}, "singularity"),
        ({}, {"container": "lxc"}, "lxc"),
        ({"proc/1/cgroup": "0::/kubepods.slice/x\n"}, {}, "kubernetes"),
        ({}, {"NVIDIA_REQUIRE_CUDA": "cuda>=12.4"}, None),
    ],
)
def test_containers(tmp_path: Path, files: dict[str, str], environ: dict[str, str], runtime: str | None) -> None:
    write(tmp_path, files)
    found = host.probe(context(tmp_path, environ))
    assert found.container is not None
    assert found.container.runtime == runtime
    assert "secret" not in found.to_json()


def test_the_image_and_its_driver_capabilities(tmp_path: Path) -> None:
    write(tmp_path, {".dockerenv": "", "dev/null": ""})
    environ = {
        "NVIDIA_TENSORRT_VERSION": "24.05",
        "NVIDIA_VISIBLE_DEVICES": "all",
        "NVIDIA_DRIVER_CAPABILITIES": "utility, video",
    }
    found = host.probe(context(tmp_path, environ)).container
    assert found is not None
    assert found.image == "nvcr.io/nvidia/tensorrt:24.05"
    assert found.driver_capabilities == ("utility", "video")
    # NVIDIA_VISIBLE_DEVICES=all comes with the image: without a device file no GPU was handed in.
    assert found.gpu_access is False
    write(tmp_path, {"dev/nvidiactl": "", "dev/nvidia0": ""})
    again = host.probe(context(tmp_path, environ)).container
    assert again is not None
    assert again.gpu_access is True


def test_only_the_allow_list_is_recorded() -> None:
    environ = {
        "HF_TOKEN": "planted-secret",
        "PIP_INDEX_URL": "https://planted-secret@index/",
        "AWS_SECRET_ACCESS_KEY": "planted-secret",
        "LD_LIBRARY_PATH": "/opt/lib",
        "CUDA_VISIBLE_DEVICES": "",
        "CUDA_HOME": "https://user:planted-secret@host/cuda?token=planted-secret#x",
    }
    found = host.settings(environ)
    assert Setting("LD_LIBRARY_PATH", "/opt/lib") in found
    assert Setting("CUDA_VISIBLE_DEVICES", "") in found
    assert Setting("CUDA_HOME", "https://host/cuda") in found
    assert "planted-secret" not in Snapshot(settings=found).to_json()


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("0,1", "0,1"),
        ("", ""),
        ("-1", "-1"),
        ("all", "all"),
        ("0:1", "0:1"),
        ("GPU-8f2a11c9-77aa,1", "GPU-<hidden>,1"),
        ("MIG-GPU-8f2a11c9/1/0", "MIG-<hidden>"),
        ("8f2a11c9", "<hidden>"),
    ],
)
def test_redaction_hides_uuids_of_devices(value: str, wanted: str) -> None:
    for name in ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"):
        assert redact(Snapshot(settings=(Setting(name, value),))).setting(name) == wanted
    kept = redact(Snapshot(settings=(Setting("CUDA_VERSION", "12.8"), Setting("LD_LIBRARY_PATH", "/home/me/lib"))))
    assert kept.setting("CUDA_VERSION") == "12.8"
    assert kept.setting("LD_LIBRARY_PATH") not in (None, "/home/me/lib")
