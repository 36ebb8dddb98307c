"""The machine below everything else: operating system, libc, WSL, Jetson, memory, container, environment variables.

Everything is read from small files; nothing is loaded and no process is started.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from trtdoctor.probes.base import ProbeContext
from trtdoctor.probes.container import container
from trtdoctor.probes.files import read_regular
from trtdoctor.probes.searchpaths import host, read_bytes
from trtdoctor.snapshot import Platform, Setting, Snapshot
from trtdoctor.text import clean

SETTINGS = (
    "CONDA_PREFIX",
    "CUBLAS_VERSION",
    "CUDA_CACHE_DISABLE",
    "CUDA_DEVICE_ORDER",
    "CUDA_DISABLE_PTX_JIT",
    "CUDA_DRIVER_VERSION",
    "CUDA_FORCE_PTX_JIT",
    "CUDA_HOME",
    "CUDA_MODULE_LOADING",
    "CUDA_MPS_PIPE_DIRECTORY",
    "CUDA_PATH",
    "CUDA_VERSION",
    "CUDA_VISIBLE_DEVICES",
    "CUDNN_HOME",
    "CUDNN_PATH",
    "CUDNN_VERSION",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "NVIDIA_CUDA_VERSION",
    "NVIDIA_DISABLE_REQUIRE",
    "NVIDIA_DRIVER_CAPABILITIES",
    "NVIDIA_MIG_CONFIG_DEVICES",
    "NVIDIA_PRODUCT_NAME",
    "NVIDIA_PYTORCH_VERSION",
    "NVIDIA_REQUIRE_CUDA",
    "NVIDIA_REQUIRE_JETPACK_HOST_MOUNTS",
    "NVIDIA_TENSORRT_VERSION",
    "NVIDIA_TRITON_SERVER_VERSION",
    "NVIDIA_VISIBLE_DEVICES",
    "TENSORRT_HOME",
    "TENSORRT_ROOT",
    "TENSORRT_VERSION",
    "TRT_LIBPATH",
    "TRT_ROOT",
    "TRT_VERSION",
    "VIRTUAL_ENV",
    "_CUDA_COMPAT_PATH",
    "_CUDA_COMPAT_STATUS",
)
"""The only environment variables that are ever recorded."""

_NO_LIMIT = 1 << 60
"""Control groups write a number near 2**63 for "no limit"."""
_LOADERS = (
    ("lib64/ld-linux-x86-64.so.2", "x86_64"),
    ("lib/ld-linux-aarch64.so.1", "aarch64"),
    ("lib/ld-musl-x86_64.so.1", "x86_64"),
    ("lib/ld-musl-aarch64.so.1", "aarch64"),
)
_LIBC_FILES = (
    "lib/x86_64-linux-gnu/libc.so.6",
    "lib/aarch64-linux-gnu/libc.so.6",
    "usr/lib/x86_64-linux-gnu/libc.so.6",
    "usr/lib/aarch64-linux-gnu/libc.so.6",
    "lib64/libc.so.6",
    "usr/lib64/libc.so.6",
    "usr/lib/libc.so.6",
)


def probe(context: ProbeContext) -> Snapshot:
    """Platform, container and environment variables."""
    return Snapshot(
        platform=_platform(context),
        container=container(context),
        settings=settings(context.environ),
    )


def is_this_machine(context: ProbeContext) -> bool:
    """Whether the root is this machine's own, so that what the running kernel says holds for it."""
    try:
        return os.path.samefile(context.root, "/")
    except OSError:
        return False


def settings(environ: dict[str, str]) -> tuple[Setting, ...]:
    """The variables of the allow-list that are set (also those set to nothing)."""
    return tuple(Setting(name, clean(environ[name])) for name in SETTINGS if name in environ)


def _platform(context: ProbeContext) -> Platform:
    live = is_this_machine(context)
    if live and not sys.platform.startswith("linux"):
        return Platform(system="windows" if os.name == "nt" else sys.platform)
    release = _os_release(context)
    kernel = (context.read("/proc/sys/kernel/osrelease") or "").strip() or (os.uname().release if live else None)
    architecture = os.uname().machine if live else _architecture(context)
    libc, glibc = _libc(context, live)
    l4t, jetpack = _jetson(context, architecture)
    return Platform(
        system="linux",
        distribution=release.get("ID"),
        distribution_version=release.get("VERSION_ID"),
        kernel=kernel,
        architecture=architecture,
        libc=libc,
        glibc=glibc,
        wsl=_wsl(context, kernel),
        l4t=l4t,
        jetpack=jetpack,
        memory_bytes=_memory(context),
        memory_limit_bytes=memory_limit(context),
        shm_bytes=_shm(context),
    )


def _os_release(context: ProbeContext) -> dict[str, str]:
    """/etc/os-release as a dictionary. Format: freedesktop.org, os-release(5)."""
    text = context.read("/etc/os-release") or context.read("/usr/lib/os-release") or ""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            found[key] = value.strip().strip("\"'")
    return found


def _architecture(context: ProbeContext) -> str | None:
    """Of an unpacked image: by the dynamic loader that it has."""
    return next((name for loader, name in _LOADERS if os.path.lexists(context.root / loader)), None)


def _libc(context: ProbeContext, live: bool) -> tuple[str | None, str | None]:
    """Kind of C library and, for glibc, its version."""
    if live:
        try:
            stated = os.confstr("CS_GNU_LIBC_VERSION") or ""
        except (ValueError, OSError, AttributeError):
            stated = ""
        name, _, version = stated.partition(" ")
        if name == "glibc" and version:
            return "glibc", version
    for place in _LIBC_FILES:
        path = Path(host(context, f"/{place}"))
        if path.is_file():
            return "glibc", _glibc_of(path)
    if any((context.root / "lib").glob("ld-musl-*.so.1")):
        return "musl", None
    return None, None


def _glibc_of(path: Path) -> str | None:
    """The version that a libc.so.6 carries in its file name (before 2.34) or in its banner."""
    named = re.fullmatch(r"libc-(\d+\.\d+)\.so", path.resolve().name)
    if named:
        return named[1]
    content = read_regular(path, 16 * 1024 * 1024) or b""
    banner = re.search(rb"GNU C Library [^\n]{0,200}? version (\d+\.\d+)", content)
    return banner[1].decode() if banner else None


def _wsl(context: ProbeContext, kernel: str | None) -> bool | None:
    """Whether this is the Windows Subsystem for Linux, also from inside of a container there."""
    if kernel and "microsoft" in kernel.lower():
        return True
    if context.path("/dev/dxg").exists() or {"WSL_DISTRO_NAME", "WSL_INTEROP"} & context.environ.keys():
        return True
    return False if kernel else None


def _jetson(context: ProbeContext, architecture: str | None) -> tuple[str | None, str | None]:
    """Jetson Linux release and JetPack (``""`` when it is a Jetson and no package says which); None for others."""
    if architecture not in (None, "aarch64"):
        return None, None
    release = context.read("/etc/nv_tegra_release") or ""
    stated = re.search(r"#\s*R(\d+)\s*\(release\),\s*REVISION:\s*(\d+(?:\.\d+)*)", release)
    packages = _dpkg_versions(context, (b"nvidia-l4t-core", b"nvidia-jetpack"))
    l4t = f"{stated[1]}.{stated[2]}" if stated else _numbers(packages.get(b"nvidia-l4t-core"))
    jetpack = _numbers(packages.get(b"nvidia-jetpack"))
    # A container on a Jetson sees the host's device tree also when nothing else of Jetson Linux is in it.
    model = context.read("/proc/device-tree/model") or context.read("/sys/firmware/devicetree/base/model") or ""
    if l4t is None and jetpack is None and "jetson" not in model.lower():
        return None, None
    return l4t, jetpack or ""


def _numbers(version: str | None) -> str | None:
    """``36.4.3-20250107174145`` without what follows the numbers."""
    match = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", version or "")
    return match[1] if match else None


def _dpkg_versions(context: ProbeContext, names: tuple[bytes, ...]) -> dict[bytes, str]:
    """Versions of a few installed packages, from dpkg's status file."""
    content = b"\n" + (read_bytes(context, "/var/lib/dpkg/status", 64 * 1024 * 1024) or b"")
    found: dict[bytes, str] = {}
    for name in names:
        at = content.find(b"\nPackage: " + name + b"\n")
        if at < 0:
            continue
        end = content.find(b"\n\n", at)
        paragraph = content[at : end if end > 0 else len(content)]
        version = re.search(rb"\nVersion: (\S+)", paragraph)
        if version and re.search(rb"\nStatus: \S+ \S+ installed", paragraph):
            found[name] = version[1].decode("ascii", "replace")
    return found


def _memory(context: ProbeContext) -> int | None:
    total = re.search(r"^MemTotal:\s*(\d+) kB", context.read("/proc/meminfo") or "", re.MULTILINE)
    return int(total[1]) * 1024 if total else None


def memory_limit(context: ProbeContext) -> int | None:
    """The smallest memory limit of this process's control group and those above it, in bytes; None without one.

    Source: the kernel's admin-guide, cgroup-v1/memory and cgroup-v2.
    """
    limits = []
    for line in (context.read("/proc/self/cgroup") or "").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if "memory" in controllers.split(","):
            bases, name = ["/sys/fs/cgroup/memory"], "memory.limit_in_bytes"
        elif number == "0" and not controllers:
            bases, name = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"], "memory.max"
        else:
            continue
        # Inside of a container the named group may not be there, only its top, which then is the container's own.
        parts = [part for part in group.split("/") if part not in ("", "..", ".")][:64]
        for base in bases:
            for depth in range(len(parts) + 1):
                text = context.read("/".join([base, *parts[:depth], name])) or ""
                if text.strip().isdecimal() and int(text) < _NO_LIMIT:
                    limits.append(int(text))
    return min(limits, default=None)


def _shm(context: ProbeContext) -> int | None:
    """Size of /dev/shm; None when it is not a file system of its own."""
    path = context.path("/dev/shm")  # noqa: S108  (only its size is asked)
    if not os.path.ismount(path):
        return None
    try:
        size = os.statvfs(path)
    except OSError:
        return None
    return size.f_blocks * size.f_frsize
