"""Environments that someone only described: ``--declared FILE`` and ``--set KEY=VALUE`` become a Snapshot.

The keys are those of an incident's ``environment``. What is not stated stays unknown. An unknown key is an error that
suggests the right one: a typo must not turn into "nothing stated".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from trtdoctor.snapshot import (
    Container,
    Copy,
    Distribution,
    Driver,
    Engine,
    Gpu,
    Interpreter,
    Setting,
    Snapshot,
)
from trtdoctor.text import clean
from trtdoctor.versions import Version

KEYS = (
    "os",
    "wsl",
    "arch",
    "glibc",
    "gpus",
    "driver",
    "cuda",
    "cudnn",
    "cublas",
    "nvrtc",
    "tensorrt",
    "python",
    "packages",
    "container",
    "engine",
    "loader",
    "wants",
)
_ASIDE = frozenset(("engine", "wants"))
"""Keys that say nothing of the machine."""
_OF_MACHINE = ("os", "wsl", "arch", "glibc", "gpus", "driver", "container", "loader")
"""Keys of what is there before anything is installed."""
_COPIES = ("cuda", "cudnn", "cublas", "nvrtc", "tensorrt")
_ENTRY_KEYS = {
    "gpus": ("name", "compute_capability", "memory_gib", "mig", "vgpu"),
    "cuda": ("version", "from", "loaded"),
    "cudnn": ("version", "from", "loaded"),
    "cublas": ("version", "from", "loaded"),
    "nvrtc": ("version", "from", "loaded"),
    "tensorrt": ("version", "from", "product", "loaded"),
    "container": ("image", "gpu_access", "driver_capabilities", "fabric_manager"),
    "engine": (
        "tensorrt",
        "compute_capability",
        "gpu",
        "os",
        "version_compatible",
        "hardware_compatibility",
        "serialization",
        "product",
    ),
    "loader": ("ld_library_path", "libcuda", "notes"),
}
_PRODUCTS = ("full", "lean", "dispatch", "rtx")
_CAPABILITY = re.compile(r"\d{1,2}\.\d{1,2}")


class DeclarationError(ValueError):
    """The description cannot be read; the message is one line for the user."""


def snapshot_of(environment: Any, base: Snapshot | None = None) -> Snapshot:
    """Build a Snapshot from a declared environment (``environment`` of an incident).

    With ``base``, what is stated overrides it and the rest stays. Raises :class:`DeclarationError`.
    """
    stated = _stated(environment)
    found = base or Snapshot(kind="declared")
    found = _with_platform(found, stated)
    found = _with_driver(found, stated)
    found = _with_gpus(found, stated)
    for component in _COPIES:
        if component in stated:
            copies = tuple(_copy(component, item) for item in _entries(stated, component))
            kept = tuple(item for item in found.copies if item.component != component)
            found = replace(found, copies=kept + copies)
    found = _with_python(found, stated)
    if "container" in stated:
        found = replace(found, container=_container(_entry(stated["container"], "container")))
    if "engine" in stated:
        found = replace(found, engines=(_engine(_entry(stated["engine"], "engine")),))
    if "wants" in stated:
        found = replace(found, wants=tuple(_words(stated["wants"], "wants")))
    if set(stated) - _ASIDE:
        found = replace(found, canaries=())  # what ran, ran in another environment than this one
    return found


def _stated(environment: Any) -> dict[str, Any]:
    """The keys that are stated; a document whose only key is ``environment`` is that environment."""
    if environment is None:
        return {}
    if not isinstance(environment, dict):
        raise DeclarationError("a declared environment is a mapping of keys such as os, gpus, driver, tensorrt")
    if set(environment) == {"environment"}:
        return _stated(environment["environment"])
    for key in environment:
        if key not in KEYS:
            raise DeclarationError(f"unknown key {_shown(key)}{_suggest(str(key), KEYS)}")
    return {key: value for key, value in environment.items() if value is not None}


def machine_of(environment: dict[str, Any]) -> dict[str, Any]:
    """The part of an environment that is there before anything is installed."""
    found = {key: value for key, value in environment.items() if key in _OF_MACHINE}
    container = found.get("container")
    if isinstance(container, dict):
        found["container"] = {key: value for key, value in container.items() if key != "image"}
    return found


def environment_of(settings: Iterable[str]) -> dict[str, Any]:
    """The environment that ``--set KEY=VALUE`` options describe. Raises :class:`DeclarationError`."""
    environment: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        key, value = key.strip(), value.strip()
        if not equals or not key:
            raise DeclarationError(f"--set wants KEY=VALUE, found {_shown(setting)}")
        _apply(environment, key, value)
    return environment


def _apply(environment: dict[str, Any], key: str, value: str) -> None:
    head, dot, tail = key.partition(".")
    if dot and head in ("package", "packages"):
        environment.setdefault("packages", {})[tail] = value
    elif dot and head == "engine":
        environment.setdefault("engine", {})[tail] = _scalar(value)
    elif key in ("gpu", "gpus"):
        environment.setdefault("gpus", []).append(_gpu_words(value))
    elif key in _COPIES:
        environment.setdefault(key, []).append(_copy_words(key, value))
    elif key == "container":
        environment["container"] = {"image": value}
    elif key == "wants":
        environment.setdefault("wants", []).extend(word for word in re.split(r"[,\s]+", value) if word)
    elif key == "wsl":
        environment["wsl"] = _scalar(value)
    elif key in ("os", "arch", "glibc", "driver", "python"):
        environment[key] = value
    else:
        names = ("gpu", "package.NAME", "engine.KEY", *KEYS)
        raise DeclarationError(f"--set: unknown key {_shown(key)}{_suggest(key, names)}")


def _gpu_words(value: str) -> dict[str, Any]:
    name, _, rest = value.partition(",")
    entry: dict[str, Any] = {"name": name.strip()} if name.strip() else {}
    for word in filter(None, (part.strip() for part in rest.split(","))):
        key, _, content = word.partition("=")
        target = {"cc": "compute_capability", "memory": "memory_gib"}.get(key, key)
        if target not in _ENTRY_KEYS["gpus"]:
            raise DeclarationError(
                f"--set gpu: unknown key {_shown(key)}{_suggest(key, ('cc', 'memory', 'mig', 'vgpu'))}"
            )
        entry[target] = content if target == "compute_capability" else _scalar(content)
    return entry


def _copy_words(component: str, value: str) -> dict[str, Any]:
    version, _, rest = value.partition(",")
    entry: dict[str, Any] = {"version": version.strip()}
    for word in filter(None, (part.strip() for part in rest.split(","))):
        key, _, content = word.partition("=")
        if key not in _ENTRY_KEYS[component]:
            raise DeclarationError(
                f"--set {component}: unknown key {_shown(key)}{_suggest(key, _ENTRY_KEYS[component])}"
            )
        entry[key] = _scalar(content) if key == "loaded" else content
    return entry


def _scalar(value: str) -> Any:
    lowered = value.lower()
    if lowered in ("true", "yes", "false", "no"):
        return lowered in ("true", "yes")
    try:
        return (
            float(value) if "." in value and value.count(".") == 1 and not _CAPABILITY.fullmatch(value) else int(value)
        )
    except ValueError:
        return value


# -- parts of the environment -----------------------------------------------------------------------------------------


def _with_platform(found: Snapshot, stated: dict[str, Any]) -> Snapshot:
    platform = found.platform
    if "os" in stated:
        platform = replace(platform, **_system(_word(stated["os"], "os")))
    if "wsl" in stated:
        platform = replace(platform, wsl=_truth(stated["wsl"], "wsl"))
    if "arch" in stated:
        arch = _word(stated["arch"], "arch").lower()
        platform = replace(
            platform, architecture={"amd64": "x86_64", "arm64": "aarch64", "sbsa": "aarch64"}.get(arch, arch)
        )
    if "glibc" in stated:
        platform = replace(platform, glibc=_version(stated["glibc"], "glibc"), libc="glibc")
    return replace(found, platform=platform)


def _system(word: str) -> dict[str, Any]:
    name, _, version = word.lower().partition("-")
    if name == "jetpack":
        return {"system": "linux", "distribution": None, "distribution_version": None, "jetpack": version}
    if name == "windows":
        return {"system": "windows", "distribution": "windows", "distribution_version": version or None}
    if name == "linux":
        return {"system": "linux", "distribution": None, "distribution_version": None}
    if name in ("macos", "darwin"):
        return {"system": "darwin", "distribution": "macos", "distribution_version": version or None}
    return {"system": "linux", "distribution": name, "distribution_version": version or None}


def _with_driver(found: Snapshot, stated: dict[str, Any]) -> Snapshot:
    driver = found.driver
    if "driver" in stated:
        driver = Driver(version=_version(stated["driver"], "driver"), installed=True)
    if "loader" in stated:
        loader = _entry(stated["loader"], "loader")
        kind = loader.get("libcuda")
        if kind is not None:
            driver = replace(driver, library_kind=_word(kind, "loader.libcuda"))
        directories = loader.get("ld_library_path")
        if directories is not None:
            setting = Setting("LD_LIBRARY_PATH", ":".join(_words(directories, "loader.ld_library_path")))
            found = replace(found, settings=(*found.settings, setting))
        if loader.get("notes") is not None:
            found = replace(found, notes=(*found.notes, clean(str(loader["notes"]))))
    return replace(found, driver=driver)


def _with_gpus(found: Snapshot, stated: dict[str, Any]) -> Snapshot:
    if "gpus" not in stated:
        return found
    gpus = tuple(_gpu(item, number) for number, item in enumerate(_entries(stated, "gpus")))
    container = found.container
    if container is not None and gpus and not container.gpu_access:
        container = replace(container, gpu_access=None)  # who states a GPU means that it can be reached
    return replace(found, gpus=gpus, container=container)


def _gpu(item: Any, number: int) -> Gpu:
    entry = _entry(item, "gpus")
    capability = entry.get("compute_capability")
    memory = entry.get("memory_gib")
    return Gpu(
        index=number,
        name=_optional_word(entry.get("name"), "gpus.name"),
        compute_capability=_capability(capability, "gpus.compute_capability") if capability is not None else None,
        memory_bytes=int(_number(memory, "gpus.memory_gib") * 2**30) if memory is not None else None,
        mig=_optional_truth(entry.get("mig"), "gpus.mig"),
        vgpu=_optional_truth(entry.get("vgpu"), "gpus.vgpu"),
        visible=True,
    )


def _copy(component: str, item: Any) -> Copy:
    entry = _entry(item if isinstance(item, dict) else {"version": item}, component)
    version = entry.get("version")
    origin = _optional_word(entry.get("from"), f"{component}.from")
    flavour = None
    if origin and origin.startswith("pip-"):
        origin, flavour = "pip", origin[4:]
        if not re.fullmatch(r"cu[0-9]{1,3}", flavour):
            raise DeclarationError(f"{component}.from: {_shown(f'pip-{flavour}')} is none of pip-cu11, pip-cu12, …")
    product = None
    if component == "tensorrt":
        product = _optional_word(entry.get("product"), "tensorrt.product") or "full"
        if product not in _PRODUCTS:
            raise DeclarationError(f"tensorrt.product: unknown {_shown(product)}{_suggest(product, _PRODUCTS)}")
    return Copy(
        component=component,
        version=_version(version, component) if version is not None else None,
        how="declared",
        origin=None if origin == "unknown" else origin,
        flavour=flavour,
        product=product,
        loaded=_optional_truth(entry.get("loaded"), f"{component}.loaded"),
    )


def _with_python(found: Snapshot, stated: dict[str, Any]) -> Snapshot:
    if "python" not in stated and "packages" not in stated:
        return found
    current = found.interpreters[0] if found.interpreters else Interpreter(chosen_by="declared")
    if "python" in stated:
        current = replace(current, version=_version(stated["python"], "python"), abi=None)
    if "packages" in stated:
        packages = stated["packages"]
        if not isinstance(packages, dict):
            raise DeclarationError("packages: wanted a mapping of distribution names to versions")
        named = {
            _normal(str(name)): _optional_version(version, f"packages.{name}") for name, version in packages.items()
        }
        kept = tuple(item for item in current.distributions if item.name not in named)
        added = tuple(Distribution(name=name, version=version) for name, version in named.items())
        current = replace(current, distributions=kept + added)
    return replace(found, interpreters=(current, *found.interpreters[1:]))


def _container(entry: dict[str, Any]) -> Container:
    capabilities = entry.get("driver_capabilities")
    return Container(
        image=_optional_word(entry.get("image"), "container.image"),
        gpu_access=_optional_truth(entry.get("gpu_access"), "container.gpu_access"),
        driver_capabilities=tuple(_words(capabilities, "container.driver_capabilities"))
        if capabilities is not None
        else None,
        fabric_manager=_optional_truth(entry.get("fabric_manager"), "container.fabric_manager"),
    )


def _engine(entry: dict[str, Any]) -> Engine:
    capability = entry.get("compute_capability")
    serialization = entry.get("serialization")
    return Engine(
        tensorrt=_optional_version(entry.get("tensorrt"), "engine.tensorrt"),
        compute_capability=_capability(capability, "engine.compute_capability") if capability is not None else None,
        gpu=_optional_word(entry.get("gpu"), "engine.gpu"),
        system=_optional_word(entry.get("os"), "engine.os"),
        version_compatible=_optional_truth(entry.get("version_compatible"), "engine.version_compatible"),
        hardware_compatibility=_optional_word(entry.get("hardware_compatibility"), "engine.hardware_compatibility"),
        serialization=int(_number(serialization, "engine.serialization")) if serialization is not None else None,
        product=_engine_product(entry.get("product")),
    )


def _engine_product(value: Any) -> str | None:
    word = _optional_word(value, "engine.product")
    if word not in (None, "full", "rtx"):
        raise DeclarationError(f"engine.product: unknown {_shown(word)}{_suggest(str(word), ('full', 'rtx'))}")
    return word


# -- small readers ----------------------------------------------------------------------------------------------------


def _entries(stated: dict[str, Any], key: str) -> list[Any]:
    value = stated[key]
    return value if isinstance(value, list) else [value]


def _entry(value: Any, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DeclarationError(f"{key}: wanted a mapping with keys such as {', '.join(_ENTRY_KEYS[key][:3])}")
    for name in value:
        if name not in _ENTRY_KEYS[key]:
            raise DeclarationError(f"{key}: unknown key {_shown(name)}{_suggest(str(name), _ENTRY_KEYS[key])}")
    return value


def _word(value: Any, where: str) -> str:
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return clean(str(value), 200)
    raise DeclarationError(f"{where}: wanted a word, found {type(value).__name__}")


def _optional_word(value: Any, where: str) -> str | None:
    return None if value is None else _word(value, where)


def _words(value: Any, where: str) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [_word(item, where) for item in items]


def _version(value: Any, where: str) -> str:
    if isinstance(value, float):
        raise DeclarationError(f"{where}: write the version in quotes ({value} may have lost a zero)")
    text = _word(value, where)
    if Version.maybe(text) is None:
        raise DeclarationError(f"{where}: {_shown(text)} is not a version")
    return text


def _optional_version(value: Any, where: str) -> str | None:
    return None if value is None or value == "unknown" else _version(value, where)


def _capability(value: Any, where: str) -> str:
    text = _word(value, where)
    if not _CAPABILITY.fullmatch(text):
        raise DeclarationError(f"{where}: {_shown(text)} is no compute capability such as 8.6")
    return text


def _truth(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise DeclarationError(f"{where}: wanted true or false")
    return value


def _optional_truth(value: Any, where: str) -> bool | None:
    return None if value is None else _truth(value, where)


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1 << 40:
        raise DeclarationError(f"{where}: wanted a number")
    return float(value)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", clean(name, 200)).lower()


def _shown(value: Any) -> str:
    return repr(clean(str(value), 60))


def _suggest(word: str, known: Iterable[str]) -> str:
    import difflib

    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"
