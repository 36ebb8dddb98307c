"""Judge declared environments and hand-made snapshots with the real matrix."""

from __future__ import annotations

from datetime import date
from typing import Any

from trtdoctor.declared import snapshot_of
from trtdoctor.findings import Finding, Report
from trtdoctor.judge import judge
from trtdoctor.matrix import load
from trtdoctor.snapshot import Copy, Driver, Gpu, Platform, Snapshot

AS_OF = date(2026, 11, 22)


def declared(**environment: Any) -> Report:
    """The report on an environment that was only described."""
    return judge(snapshot_of(environment), load(), as_of=AS_OF)


def report(snapshot: Snapshot, *goal: str) -> Report:
    """The report on a snapshot."""
    return judge(snapshot, load(), as_of=AS_OF, goal=goal)


def codes(found: Report, *families: str) -> dict[str, str]:
    """Code to severity, of the families named (all when none is); security fixes are no part of what is judged here."""
    return {
        item.code: item.severity.value
        for item in found.findings
        if (not families or item.code.startswith(families)) and item.code not in ADVISORIES
    }


ADVISORIES = frozenset(("DRV601", "CUD601", "TRT601", "FWK601"))
"""Rules that say that a security fix is published: they speak of nearly every release that is not the newest."""


SERVER = {"os": "linux", "arch": "x86_64"}


def trt(version: str, origin: str = "unknown") -> list[dict[str, Any]]:
    """A declared TensorRT."""
    return [{"version": version, "from": origin}]


def cuda_of(version: str, origin: str = "unknown") -> list[dict[str, Any]]:
    """A declared CUDA."""
    return [{"version": version, "from": origin}]


def board(name: str) -> list[dict[str, Any]]:
    """A declared GPU."""
    return [{"name": name}]


def of(version: str) -> dict[str, Any]:
    """The fields of a driver that hold its version."""
    return {"version": version, "kernel_version": version, "library_version": version}


def one(found: Report, code: str) -> Finding:
    """The only finding with this code."""
    items = [item for item in found.findings if item.code == code]
    assert len(items) == 1, [(item.code, item.title) for item in found.findings]
    assert items[0].breaks
    assert len(items[0].components) <= 3
    return items[0]


HEALTHY = Driver(
    version="580.95.05",
    kernel_version="580.95.05",
    library_version="580.95.05",
    library_path="/lib/x86_64-linux-gnu/libcuda.so.580.95.05",
    library_kind="driver",
    cuda="13.0",
    cuinit_error=0,
    nvml_error=0,
    installed=True,
)
LINUX = Platform(
    system="linux", distribution="ubuntu", distribution_version="24.04", architecture="x86_64", glibc="2.39"
)
L4 = Gpu(name="NVIDIA L4", compute_capability="8.9", memory_bytes=24 << 30, memory_free_bytes=23 << 30, visible=True)
TENSORRT = Copy(
    component="tensorrt",
    name="libnvinfer",
    role="builder",
    version="10.13.3",
    path="/usr/lib/x86_64-linux-gnu/libnvinfer.so.10.13.3",
    origin="apt",
    flavour="cu12",
    product="full",
)


def live(**changes: Any) -> Snapshot:
    """A healthy machine with one L4, changed in some fields."""
    values: dict[str, Any] = {"platform": LINUX, "driver": HEALTHY, "gpus": (L4,), "copies": (TENSORRT,)}
    return Snapshot(kind="live", **{**values, **changes})
