"""An environment as people describe it (the keys of ``--declared``), made from a Snapshot: what a plan starts from.

Plain data that can be changed, written down, and judged again by :func:`trtdoctor.declared.snapshot_of`. Only versions
survive: which file a loader picks is no part of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from trtdoctor.matrix import distributions
from trtdoctor.snapshot import Container, Engine, Snapshot
from trtdoctor.stack import Installation, Stack

Environment = dict[str, Any]
COMPONENTS = ("tensorrt", "cuda", "cudnn", "cublas", "nvrtc")
_ORIGINS = ("apt", "rpm", "tar", "zip", "runfile", "conda", "container", "jetpack", "pip")


def describe(stack: Stack) -> Environment:
    """The environment that a Snapshot shows, with what is not known left out."""
    snapshot = stack.snapshot
    found: Environment = dict(_platform(stack))
    if snapshot.gpus is not None:
        found["gpus"] = [_gpu(fact.gpu, fact.compute_capability) for fact in stack.gpus]
    if stack.driver is not None:
        found["driver"] = str(stack.driver)
    for component in COMPONENTS:
        items = [item for item in stack.installations.get(component, ()) if item.how != "image"]
        if items:
            loaded = _loaded(stack, items)
            found[component] = [_copy(item, item in loaded) for item in items]
    found |= dict(_python(stack))
    if snapshot.container is not None:
        found["container"] = _container(snapshot.container)
    loader = dict(_loader(snapshot))
    if loader:
        found["loader"] = loader
    if snapshot.engines:
        found["engine"] = _engine(snapshot.engines[0])
    if snapshot.wants:
        found["wants"] = list(snapshot.wants)
    return found


def _platform(stack: Stack) -> Iterator[tuple[str, Any]]:
    platform = stack.snapshot.platform
    if platform.jetpack is not None:
        yield "os", f"jetpack-{platform.jetpack}" if platform.jetpack else "jetpack"
    elif platform.distribution == "windows":
        yield "os", f"windows-{platform.distribution_version}" if platform.distribution_version else "windows"
    elif platform.distribution:
        release = platform.distribution_version
        yield "os", f"{platform.distribution}-{release}" if release else platform.distribution
    elif platform.system:
        yield "os", {"darwin": "macos"}.get(platform.system, platform.system)
    if platform.wsl:
        yield "wsl", True
    if platform.architecture:
        yield "arch", platform.architecture
    if platform.glibc:
        yield "glibc", platform.glibc


def _python(stack: Stack) -> Iterator[tuple[str, Any]]:
    python = stack.interpreter
    if python is not None and python.version:
        yield "python", python.version
    if stack.distributions:
        yield "packages", {name: item.version or "unknown" for name, item in sorted(stack.distributions.items())}


def _container(container: Container) -> dict[str, Any]:
    capabilities = container.driver_capabilities
    return _without_none(
        {
            "image": container.image,
            "gpu_access": container.gpu_access,
            "driver_capabilities": list(capabilities) if capabilities is not None else None,
            "fabric_manager": container.fabric_manager,
        }
    )


def _gpu(gpu: Any, capability: str | None) -> dict[str, Any]:
    memory = round(gpu.memory_bytes / 2**30, 2) if gpu.memory_bytes is not None else None
    return _without_none(
        {
            "name": gpu.name,
            "compute_capability": capability,
            "memory_gib": memory,
            "mig": gpu.mig,
            "vgpu": gpu.vgpu,
        }
    )


def _loaded(stack: Stack, items: list[Installation]) -> list[Installation]:
    """Which of several a process gets, as far as somebody said or predicted it for Python."""
    marked = [item for item in items if item.loaded]
    if marked or len(items) < 2:
        return marked
    paths = {
        item.realpath or item.path
        for loading in stack.snapshot.loadings
        if loading.kind == "import" and "," not in loading.importer
        for item in loading.loaded
    }
    got = [item for item in items if any((copy.realpath or copy.path or "") in paths for copy in item.copies)]
    return got if len(got) < len(items) else []


def _copy(item: Installation, loaded: bool) -> dict[str, Any]:
    origin = item.origin if item.origin in _ORIGINS else None
    if origin == "pip" and item.flavour:
        origin = f"pip-{item.flavour}"
    entry: dict[str, Any] = {"version": str(item.version) if item.version else None, "from": origin or "unknown"}
    if item.component == "tensorrt" and item.product not in (None, "full"):
        entry["product"] = item.product
    if loaded:
        entry["loaded"] = True
    return _without_none(entry)


def _loader(snapshot: Snapshot) -> Iterator[tuple[str, Any]]:
    kind = snapshot.driver.library_kind
    if kind in ("compat", "stub", "mismatched"):
        yield "libcuda", kind
    path = snapshot.setting("LD_LIBRARY_PATH")
    if path:
        yield "ld_library_path", path.split(":")


def _engine(engine: Engine) -> dict[str, Any]:
    return _without_none(
        {
            "tensorrt": engine.tensorrt,
            "compute_capability": engine.compute_capability,
            "gpu": engine.gpu,
            "os": engine.system,
            "version_compatible": engine.version_compatible,
            "hardware_compatibility": engine.hardware_compatibility,
            "serialization": engine.serialization,
            "product": engine.product,
        }
    )


def _without_none(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value is not None}


# -- changing one ------------------------------------------------------------------------------------------------------


def copied(environment: Environment) -> Environment:
    """A copy whose lists and mappings can be changed."""
    return {key: _copied(value) for key, value in environment.items()}


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def entries(environment: Environment, component: str) -> list[dict[str, Any]]:
    """The installations of a component."""
    found = environment.get(component, [])
    return list(found) if isinstance(found, list) else [found]


def put(environment: Environment, component: str, entry: dict[str, Any], *, instead_of: Iterable[str] = ()) -> None:
    """Make ``entry`` the installation of a component that is used.

    Those whose origin (``from``) is among ``instead_of`` give way; others stay on disk beside it, not loaded.
    """
    gone = frozenset(instead_of)
    product = entry.get("product", "full")
    kept = []
    for other in entries(environment, component):
        origin = str(other.get("from", "unknown")).partition("-")[0]
        if component == "tensorrt" and other.get("product", "full") != product:
            kept.append(other)
        elif origin not in gone:
            kept.append({key: value for key, value in other.items() if key != "loaded"})
    environment[component] = [*kept, {**entry, "loaded": True} if kept else entry]


def packages(environment: Environment) -> dict[str, str]:
    """The Python distributions, to be changed in place."""
    found: dict[str, str] = environment.setdefault("packages", {})
    return found


def drop_packages(
    environment: Environment, matrix: Any, components: Iterable[str], product: str | None = None
) -> list[str]:
    """Take out the distributions of some components (of TensorRT: of one product); their names."""
    wanted = frozenset(components)
    gone = []
    for name in list(environment.get("packages", ())):
        spec = distributions.identify(matrix, name)
        if spec is None or spec.component not in wanted:
            continue
        if spec.component == "tensorrt" and product is not None and (spec.product or "full") != product:
            continue
        gone.append(name)
        del environment["packages"][name]
    return gone
