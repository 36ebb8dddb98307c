"""Facts of mirrors as ``look`` leaves them, made by hand: for tests of what is judged and said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trtdoctor.matrix import artefacts, load
from trtdoctor.mirror_facts import MirrorComponent, MirrorFile, MirrorItem, MirrorSide, MirrorSource

CHECKED = "2026-11-22T06:00:00Z"
INDEX = "https://index.example/simple"
MIRROR = "https://mirror.example/simple"
OWN_WHEELS = "https://pypi.nvidia.com"
BUILDS = (("wheel-stub", "0.5.0"), ("setuptools", "80.9.0"), ("wheel", "0.45.1"))
"""What builds of the stack's source archives take."""
Pins = Iterable[tuple[str, str]]


def cu13(version: str) -> tuple[tuple[str, str], ...]:
    """Every distribution of a TensorRT for CUDA 13."""
    names = ("tensorrt", "tensorrt-cu13", "tensorrt-cu13-bindings", "tensorrt-cu13-libs")
    return tuple((name, version) for name in names)


def cu12(version: str) -> tuple[tuple[str, str], ...]:
    """Every distribution of a TensorRT for CUDA 12 that is not the default."""
    return tuple((name, version) for name in ("tensorrt-cu12", "tensorrt-cu12-bindings", "tensorrt-cu12-libs"))


def wheel_of(name: str, version: str, platform: str = "manylinux_2_28_x86_64") -> str:
    """A wheel as NVIDIA's own index calls it."""
    return f"{name.replace('-', '_')}-{version}-py2.py3-none-{platform}.whl"


def pypi(
    upstream: Pins | None,
    mirror: Pins | None,
    *,
    wheels: Pins | None = None,
    own_wheels: bool = True,
    lacking: Sequence[str] = (),
    states: Mapping[str, str] | None = None,
    **changes: Any,
) -> MirrorSource:
    """An index and its mirror by the pins that each lists; None for a side that could not be asked.

    ``wheels``: the stubs whose wheels can be had, None for all of them; ``own_wheels``: from NVIDIA's own index.
    ``lacking``: names, or ends of names, of files that the mirror does not have. ``states``: of sides, by role.
    """
    matrix = load()
    above, here = dict.fromkeys(upstream or ()), dict.fromkeys(mirror or ())
    behind = None if wheels is None else set(wheels)
    items = []
    for name, version in dict.fromkeys([*above, *here]):
        known = artefacts.files(matrix, name, version)
        files = [(item.name, item.size) for item in known] or [
            (f"{name.replace('-', '_')}-{version}-py3-none-any.whl", 1)
        ]
        on = {
            file: "both"
            if pin_in(above, name, version)
            and pin_in(here, name, version)
            and not file.endswith(tuple(lacking) or "\0")
            else "upstream"
            if pin_in(above, name, version)
            else "mirror"
            for file, _ in files
        }
        facts = [MirrorFile(file, size, None, None, None, on[file]) for file, size in files]
        state = "same" if set(on.values()) == {"both"} else "missing-platform"
        if upstream is None or mirror is None:
            state = "unknown"
        elif not pin_in(here, name, version):
            state = "missing"
        elif not pin_in(above, name, version):
            state = "extra"
        if name.endswith("-libs") and artefacts.is_stub(matrix, name, version):
            there = behind is None or (name, version) in behind
            file = MirrorFile(wheel_of(name, version), 2 << 30, "ab" * 32, on="wheels" if there else "upstream-wheels")
            others = ("win_amd64", "manylinux_2_35_aarch64") if "cu13" in name else ("win_amd64",)
            facts += [file, *(MirrorFile(wheel_of(name, version, place), 1 << 30, on=file.on) for place in others)]
            if not there and state in ("same", "missing-platform"):
                state = "stub-only"
        day = artefacts.uploaded(matrix, name, version)
        released = f"{day}T10:00:00Z" if day else None
        missing = tuple(file for file, where in on.items() if where == "upstream")
        items.append(
            MirrorItem(
                f"{name} {version}",
                name,
                version,
                state,
                "listed",
                released=released,
                released_by="upload-time" if released else None,
                files=tuple(facts),
                missing=missing,
            )
        )
    said = {
        "upstream": "ok" if upstream is not None else "unreachable",
        "mirror": "ok" if mirror is not None else "unreachable",
        "wheels": "ok",
    }
    said |= dict(states or {})
    places = {
        "upstream": INDEX,
        "mirror": MIRROR,
        "wheels": OWN_WHEELS if own_wheels else "https://mirror.example/nvidia/simple",
    }
    sides = tuple(MirrorSide(role, places[role], state) for role, state in said.items())
    fields: dict[str, Any] = {"id": "corp", "kind": "pypi", "upstream": INDEX, "mirror": MIRROR, "checked": CHECKED}
    fields |= {
        "sides": sides,
        "items": tuple(items),
        "requests": 20,
        "asked": tuple(dict.fromkeys(name for name, _ in (*above, *here))),
    }
    return MirrorSource(**{**fields, **changes})


def pin_in(pins: Mapping[tuple[str, str], None], name: str, version: str) -> bool:
    """Whether a pin is among them."""
    return (name, version) in pins


def tag(name: str, state: str = "same", **changes: Any) -> MirrorItem:
    """A tag of NVIDIA's TensorRT image."""
    digests = {"upstream_digest": f"sha256:{'1' * 64}", "mirror_digest": f"sha256:{'1' * 64}"}
    if state == "missing":
        digests.pop("mirror_digest")
    if state == "differs":
        digests["mirror_digest"] = f"sha256:{'2' * 64}"
    fields: dict[str, Any] = {"name": name, "project": "nvidia/tensorrt", "version": name, "state": state}
    fields |= {"evidence": "digest", "platforms": ("linux/amd64", "linux/arm64"), **digests, **changes}
    return MirrorItem(**fields)


def inside(on: str = "both", **versions: str) -> tuple[MirrorComponent, ...]:
    """What an image says of itself."""
    return tuple(MirrorComponent(name, text, "CUDA_VERSION", on) for name, text in versions.items())


def oci(*items: MirrorItem, states: Mapping[str, str] | None = None, **changes: Any) -> MirrorSource:
    """A repository of images and its mirror."""
    said = {"upstream": "ok", "mirror": "ok", **(states or {})}
    places = {
        "upstream": "https://nvcr.io/nvidia/tensorrt",
        "mirror": "https://registry.example:5000/ngc/nvidia/tensorrt",
    }
    sides = tuple(MirrorSide(role, places[role], state) for role, state in said.items())
    fields: dict[str, Any] = {"id": "reg", "kind": "oci", **places, "checked": CHECKED, "sides": sides, "requests": 9}
    return MirrorSource(**{**fields, "items": tuple(items), **changes})


RUN = ("libnvinfer{}", "libnvinfer-plugin{}", "libnvinfer-vc-plugin{}", "libnvonnxparsers{}")
"""Packages that run engines."""


def debs(
    version: str, state: str = "same", *, but: Mapping[str, str] | None = None, **changes: Any
) -> list[MirrorItem]:
    """The packages of a TensorRT in one version; ``but``: package to another state."""
    major = version.partition(".")[0]
    found = []
    for form in RUN:
        name = form.format(major)
        own = (but or {}).get(name, state)
        file = f"{name}_{version}_amd64.deb"
        on = {"missing": "upstream", "extra": "mirror"}.get(own, "both")
        fields: dict[str, Any] = {"evidence": "listed", "files": (MirrorFile(file, 1 << 20, "cd" * 32, on=on),)}
        fields["missing"] = (file,) if own == "missing" else ()
        found.append(MirrorItem(f"{name} {version}", name, version, own, **{**fields, **changes}))
    return found


def apt(*items: MirrorItem, states: Mapping[str, str] | None = None, **changes: Any) -> MirrorSource:
    """An apt repository and its mirror."""
    said = {"upstream": "ok", "mirror": "ok", **(states or {})}
    places = {
        "upstream": "https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2404/x86_64",
        "mirror": "https://mirror.example/cuda/ubuntu2404/x86_64",
    }
    sides = tuple(MirrorSide(role, places[role], state) for role, state in said.items())
    fields: dict[str, Any] = {"id": "deb", "kind": "apt", **places, "checked": CHECKED, "sides": sides, "requests": 4}
    return MirrorSource(**{**fields, "items": tuple(items), **changes})


def job(
    name: str = "pypi", sync: str = "success", succeeded: str | None = "2026-11-22T05:00:00Z", **changes: Any
) -> MirrorSource:
    """A mirror site's status page with one job."""
    item = MirrorItem(name, name, None, "present", "status page", mirrored=succeeded, sync=sync)
    side = MirrorSide("status", "https://mirrors.example/static/tunasync.json", product="tunasync", synced=succeeded)
    fields: dict[str, Any] = {
        "id": "site",
        "kind": "status",
        "mirror": side.address,
        "checked": CHECKED,
        "sides": (side,),
    }
    return MirrorSource(**{**fields, "items": (item,), "requests": 1, **changes})
