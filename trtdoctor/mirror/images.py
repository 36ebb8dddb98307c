"""What a container image says of itself, read from its manifest and its configuration without pulling a layer.

Labels and variables as NVIDIA's images carry them (public image histories and Dockerfiles). Two traps are left alone:
the label ``com.nvidia.cuda.version`` repeats what the image asks of the driver (9.0 in an image with CUDA 12.3), and
``NVIDIA_TENSORRT_VERSION`` is the month of the image.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from trtdoctor.lazyre import pattern
from trtdoctor.matrix import containers
from trtdoctor.matrix.load import Matrix
from trtdoctor.mirror.times import iso, parse
from trtdoctor.mirror_facts import MirrorComponent
from trtdoctor.record import record
from trtdoctor.versions import Answer, Version

SAID_BY = (
    # (component, labels, variables), the best first
    ("tensorrt", ("com.nvidia.tensorrt.version",), ("TRT_VERSION",)),
    ("cuda", (), ("CUDA_VERSION",)),
    ("cudnn", ("com.nvidia.cudnn.version",), ("CUDNN_VERSION", "NV_CUDNN_VERSION")),
    ("cublas", ("com.nvidia.cublas.version",), ("CUBLAS_VERSION", "NV_LIBCUBLAS_VERSION")),
    ("driver", (), ("CUDA_DRIVER_VERSION",)),
)
CREATED = "org.opencontainers.image.created"
NVIDIA = containers.REGISTRY.partition("/")[0]
_MOST = 200
"""An index has no more images than this one."""
_DIGEST = pattern(r"sha256:[0-9a-f]{64}")
_WORD = pattern(r"[a-z0-9][a-z0-9._-]{0,30}")
_VERSION = pattern(r"(\d{1,9}(?:\.[0-9A-Za-z]{1,12}){1,5})(?:[+~-].{0,60})?")
_GATE = pattern(r"cuda>=(\d{1,3}\.\d{1,3})")
_FIRST_YEAR = 2013
"""Before it there were no such images: an earlier time is a constant that a builder wrote."""


@record
class Image:
    """A manifest, or an index of them."""

    digest: str
    index: bool = False
    children: tuple[tuple[str, str], ...] = ()
    """Of an index: platform (``linux/amd64``) and digest of each image."""
    configuration: str | None = None
    """Digest of the configuration; of a single image."""
    layers: tuple[str, ...] = ()
    created: str | None = None
    """As an annotation has it."""


def read(digest: str, document: Mapping[str, Any]) -> Image:
    """What a manifest or an index says; attestations and what has no platform are passed over."""
    annotations = document.get("annotations")
    created = annotations.get(CREATED) if isinstance(annotations, dict) else None
    created = created if isinstance(created, str) else None
    listed = document.get("manifests")
    if isinstance(listed, list):
        entries = [entry for entry in listed[:_MOST] if isinstance(entry, dict)]
        children = ((platform_of(entry.get("platform")), entry.get("digest")) for entry in entries)
        known = tuple((name, str(child)) for name, child in children if name and _is_digest(child))
        return Image(digest, True, known, created=created)
    configuration = document.get("config")
    named = configuration.get("digest") if isinstance(configuration, dict) else None
    layers = document.get("layers")
    return Image(
        digest,
        configuration=named if _is_digest(named) else None,
        layers=tuple(
            layer["digest"]
            for layer in (layers[:_MOST] if isinstance(layers, list) else ())
            if isinstance(layer, dict) and _is_digest(layer.get("digest"))
        ),
        created=created,
    )


def platform_of(said: Any) -> str | None:
    """``linux/amd64`` of a platform or a configuration; None for ``unknown/unknown``, and for what is none."""
    if not isinstance(said, dict):
        return None
    words = [said.get("os"), said.get("architecture")]
    if not all(isinstance(word, str) and _WORD.fullmatch(word) and word != "unknown" for word in words):
        return None
    variant = said.get("variant")
    if words[1] == "arm" and isinstance(variant, str) and _WORD.fullmatch(variant):
        words.append(variant)
    return "/".join(map(str, words))


def components(configuration: Mapping[str, Any], on: str = "both") -> tuple[MirrorComponent, ...]:
    """What is in an image by its configuration; two entries of one component where label and variable disagree."""
    inner = configuration.get("config")
    inner = inner if isinstance(inner, dict) else {}
    labels = inner.get("Labels")
    said = {name: value for name, value in labels.items() if isinstance(value, str)} if isinstance(labels, dict) else {}
    variables = _variables(inner.get("Env"))
    found = []
    for name, by_label, by_variable in SAID_BY:
        versions: list[Version] = []
        for where, text in [(key, said.get(key)) for key in by_label] + [
            (key, variables.get(key)) for key in by_variable
        ]:
            version = _version(text)
            if version is not None and all(version.same_as(other) is Answer.NO for other in versions):
                versions.append(version)
                found.append(MirrorComponent(name, version.text, where, on))
    gates = [Version(gate) for gate in _GATE.findall(variables.get("NVIDIA_REQUIRE_CUDA", "")[:4000])]
    if gates:
        least = min(gates, key=Version.sort_key)
        found.append(MirrorComponent("driver-cuda", least.text, "NVIDIA_REQUIRE_CUDA", on))
    return tuple(found)


def created(said: Any, now: datetime) -> str | None:
    """A time of creation that can be one; None for a constant that a builder wrote, and for the future."""
    moment = parse(said) if isinstance(said, str) else None
    possible = moment is not None and moment.year >= _FIRST_YEAR and moment <= now + timedelta(days=1)
    return iso(moment) if moment is not None and possible else None


def by_matrix(matrix: Matrix, host: str, repository: str, tag: str) -> tuple[MirrorComponent, ...]:
    """What the matrix says is in an image of NVIDIA's registry; nothing for one of another registry."""
    row = containers.find(matrix, f"{host}/{repository}:{tag}") if host == NVIDIA else None
    if row is None:
        return ()
    paths = [(name,) for name, _, _ in SAID_BY if name != "driver"] + [("driver", "in_image"), ("python",)]
    known = ((path[0], row.text(*path)) for path in paths)
    return tuple(MirrorComponent(name, text, "matrix", "upstream") for name, text in known if text is not None)


def _variables(listed: Any) -> dict[str, str]:
    entries = [entry for entry in listed[:1000] if isinstance(entry, str)] if isinstance(listed, list) else []
    return {name: value for name, _, value in (entry.partition("=") for entry in entries)}


def _version(text: str | None) -> Version | None:
    """The version before what was built for what: ``8.6.1.6+cuda12.0.1.011``, ``9.9.0.52-1``."""
    match = _VERSION.fullmatch(text.strip()) if text and len(text) < 120 else None
    return Version.maybe(match[1]) if match else None


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None
