"""The compact table of components under a report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from trtdoctor.findings import Finding, FoundFact, InventoryItem, Severity, Unknown
from trtdoctor.stack import ABSENT, Installation, Stack

_COMPONENTS = ("cuda", "cublas", "nvrtc", "cudnn")
_PRODUCTS = {"rtx": "tensorrt-rtx", "lean": "tensorrt (lean)", "dispatch": "tensorrt (dispatch)"}


def inventory_of(
    stack: Stack, findings: Iterable[Finding], unknowns: Iterable[Unknown] = ()
) -> tuple[InventoryItem, ...]:
    """What is there, where it is from, how that is known, and the worst that was said of it."""
    unjudged = {item.component for item in unknowns}
    return tuple(
        replace(item, status="unknown") if item.status == "ok" and item.component in unjudged else item
        for item in _items(stack, tuple(findings))
    )


def _items(stack: Stack, told: tuple[Finding, ...]) -> tuple[InventoryItem, ...]:
    return (
        _driver(stack, told),
        *_gpus(stack, told),
        *_tensorrts(stack, told),
        *(
            _installed(component, item, told)
            for component in _COMPONENTS
            for item in stack.installations.get(component, ())
        ),
        *_tools(stack),
        *_surroundings(stack, told),
        *_canaries(stack, told),
    )


def _tools(stack: Stack) -> Iterator[InventoryItem]:
    """trtexec, polygraphy: each program that was found."""
    for item in stack.snapshot.tools:
        place = f"{item.path} ({item.owner})" if item.path and item.owner else item.path or item.owner
        yield InventoryItem(item.name, item.version, place, item.how, "ok" if item.version else "unknown")


def _status(told: tuple[Finding, ...], component: str, fact: FoundFact | None, otherwise: str) -> str:
    """The worst finding that rests on just this fact, or, where there is no such fact, that names the component."""
    about = [
        # What is waived is worth knowing, and no more.
        item.severity if item.waived is None else Severity.INFO
        for item in told
        if (fact in item.facts if fact is not None else component in item.components)
    ]
    return min(about, key=lambda severity: severity.rank).value if about else otherwise


def _how(stack: Stack, live: str) -> str:
    return "declared" if stack.snapshot.kind == "declared" else live


def _driver(stack: Stack, told: tuple[Finding, ...]) -> InventoryItem:
    found = stack.snapshot.driver
    if stack.jetson and stack.driver is None:
        return InventoryItem("driver", "part of JetPack", None, None, _status(told, "driver", None, "ok"))
    level = f" (CUDA {stack.cuda_level})" if stack.cuda_level else ""
    version = f"{stack.driver}{level}" if stack.driver else None
    absent = stack.state("driver") == ABSENT
    status = _status(told, "driver", stack.driver_found() if version else None, "ok" if version else "unknown")
    how = _how(stack, "NVML" if found.version else "kernel module") if version else None
    return InventoryItem(
        "driver", version, found.library_path, how, "absent" if absent and status == "unknown" else status
    )


def _gpus(stack: Stack, told: tuple[Finding, ...]) -> Iterator[InventoryItem]:
    for item in stack.all_gpus:
        hidden = " (hidden)" if item.gpu.visible is False else ""
        text = f"{item.gpu.name or 'GPU'}, {item.compute_capability or 'compute capability unknown'}{hidden}"
        status = _status(told, "gpu", item.found(), "ok" if item.compute_capability else "unknown")
        yield InventoryItem("gpu", text, f"index {item.gpu.index}", _how(stack, "NVML"), status)
    if not stack.all_gpus:
        otherwise = "absent" if stack.state("gpu") == ABSENT else "unknown"
        yield InventoryItem("gpu", None, None, None, _status(told, "gpu", None, otherwise))


def _tensorrts(stack: Stack, told: tuple[Finding, ...]) -> Iterator[InventoryItem]:
    items = stack.installations.get("tensorrt", ())
    for item in items:
        yield _installed(_PRODUCTS.get(item.product or "", "tensorrt"), item, told)
    if not items:
        otherwise = "absent" if "tensorrt" in stack.snapshot.searched else "unknown"
        yield InventoryItem("tensorrt", None, None, None, _status(told, "tensorrt", None, otherwise))


def _installed(label: str, item: Installation, told: tuple[Finding, ...]) -> InventoryItem:
    flavour = f" ({item.flavour})" if item.flavour else ""
    version = f"{item.version}{flavour}" if item.version else None
    status = _status(told, item.component, item.found(), "ok" if version else "unknown")
    return InventoryItem(
        label, version, item.owner or item.directory or item.stated_at or item.origin, item.how, status
    )


def _canaries(stack: Stack, told: tuple[Finding, ...]) -> Iterator[InventoryItem]:
    """Small engines that were built and run here."""
    for item in stack.snapshot.canaries:
        product = "TensorRT for RTX" if item.product == "tensorrt-rtx" else "TensorRT"
        ran = any(stage.name == "run" and stage.status == "passed" for stage in item.stages)
        shown = item.outcome if item.outcome != "passed" or ran else "passed (built, not run)"
        shown = f"{shown} on {item.taken}" if item.remembered and item.taken else shown
        about = [finding.severity for finding in told if any(fact.key == "canary" for fact in finding.facts)]
        worst = min(about, key=lambda severity: severity.rank).value if about else "unknown"
        place = f"GPU {item.device or 0}, " if ran else ""
        origin = f"{product} {item.version or ''}".rstrip() + f", {place}{item.precision or 'fp32'}"
        yield InventoryItem("canary", shown, origin, "run", "ok" if item.outcome == "passed" else worst)


def _surroundings(stack: Stack, told: tuple[Finding, ...]) -> Iterator[InventoryItem]:
    python, platform = stack.interpreter, stack.snapshot.platform
    if python is not None:
        status = _status(told, "python", None, "ok" if python.version else "unknown")
        yield InventoryItem("python", python.version, python.path, python.chosen_by, status)
    if platform.glibc:
        yield InventoryItem("glibc", platform.glibc, None, _how(stack, "libc"), _status(told, "glibc", None, "ok"))
    name = " ".join(filter(None, (platform.distribution or platform.system, platform.distribution_version)))
    if platform.jetpack is not None:
        name = f"JetPack {platform.jetpack}".strip()
    if name or platform.architecture:
        shown = " ".join(filter(None, (name, platform.architecture)))
        yield InventoryItem("os", shown, None, _how(stack, "os-release"), _status(told, "os", None, "ok"))
