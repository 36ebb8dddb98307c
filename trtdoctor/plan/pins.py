"""What pip is told to install: every distribution of a build, each at one version that the matrix knows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trtdoctor.matrix import Matrix, artefacts, cuda, cudnn, tensorrt, wheels
from trtdoctor.matrix.distributions import normalise
from trtdoctor.plan.builds import Build
from trtdoctor.rules.releases import known_spec
from trtdoctor.versions import Answer, Version, within

EXTRA_INDEX = "https://pypi.nvidia.com"
"""NVIDIA's own index: where the wheels behind stubs are."""
Pin = tuple[str, str]


def pins_of(matrix: Matrix, build: Build, system: str) -> tuple[Pin, ...]:
    """The distributions of a build: the meta packages, what they bring, and the CUDA libraries that it asks for."""
    key = ("plan: pins", build.name, build.version, build.flavour, system)
    return matrix.remember(key, lambda: tuple(dict.fromkeys(_pins(matrix, build, system))))


def _pins(matrix: Matrix, build: Build, system: str) -> Iterator[Pin]:
    """The parts, the libraries that they leave open, and what either requires of the stack, all the way down."""
    found = dict(_parts(matrix, build.name, build.version, system))
    for name, version in _cuda_libraries(matrix, build):
        found.setdefault(name, version)
    add_required(matrix, found, build.flavour, _toolkit(build))
    yield from found.items()


def _toolkit(build: Build) -> str | None:
    built = tensorrt.built_with(build.row, build.flavour)
    return str(built.value) if built is not None else None


def add_required(matrix: Matrix, found: dict[str, str], flavour: str, toolkit: str | None = None) -> None:
    """Let ``found`` grow by what its distributions require of the stack; of one that is there the version stays."""
    waiting = list(found.items())
    while waiting:
        for text in artefacts.requires(matrix, *waiting.pop(0)) or ():
            required = _requirement(text)
            if required is None or required[0] in found or known_spec(matrix, required[0]) is None:
                continue
            newest = newest_version(matrix, *required, flavour, toolkit)
            if newest is not None:
                found[required[0]] = newest
                waiting.append((required[0], newest))


def _parts(matrix: Matrix, name: str, version: Version, system: str) -> Iterator[Pin]:
    """A distribution and what a meta package resolves to, all the way down."""
    listed = wheels.of(matrix, name, version)
    yield name, version.text
    fact = wheels.resolves_to(listed, system) if listed is not None and wheels.kind(listed) == "meta" else None
    for part in fact.value if fact is not None and isinstance(fact.value, list) else ():
        own = version if wheels.of(matrix, part, version) is not None else Version.parse(version.short(3))
        yield from _parts(matrix, str(part), own, system)


def _requirement(text: str) -> tuple[str, str] | None:
    """Name and specifier of a requirement; None for one of an extra, or of a form that metadata seldom have."""
    head, _, marker = text.partition(";")
    match = re.fullmatch(r"\s*([A-Za-z0-9][\w.-]*)\s*\(?\s*([<>=!~][^()\[\]@]*)?\)?\s*", head, re.ASCII)
    if match is None or "extra" in marker:
        return None
    return normalise(match[1]), (match[2] or "").strip()


def _cuda_libraries(matrix: Matrix, build: Build) -> Iterator[Pin]:
    """What a build loads by name and its wheels leave open: cuDNN, cuBLAS and the CUDA runtime before 10."""
    need = tensorrt.cudnn(build.row)
    if need.need != "required" or build.product != "full":
        return
    version = cudnn_wheel(matrix, need.version, build.flavour)
    if version is not None:
        yield cuda_distribution(matrix, "nvidia-cudnn", build.flavour), version
    runtime = runtime_wheel(matrix, _toolkit(build), build.flavour)
    if runtime is not None:
        yield cuda_distribution(matrix, "nvidia-cuda-runtime", build.flavour), runtime
    blas = cuda_distribution(matrix, "nvidia-cublas", build.flavour)
    newest = newest_version(matrix, blas, "", build.flavour, _toolkit(build))
    if newest is not None:
        yield blas, newest


def cuda_distribution(matrix: Matrix, stem: str, flavour: str) -> str:
    """``nvidia-cublas-cu12``; ``nvidia-cublas`` from CUDA 13 on, where the name with the suffix is a placeholder."""
    spec = known_spec(matrix, f"{stem}-{flavour}")
    return f"{stem}-{flavour}" if spec is not None and spec.real == "wheel" else stem


def newest_version(matrix: Matrix, name: str, specifier: str, flavour: str, toolkit: str | None) -> str | None:
    """The newest recorded version under ``specifier`` for a CUDA flavour; of the CUDA runtime that of the toolkit."""
    spec = known_spec(matrix, name)
    if spec is not None and spec.component == "cuda":
        own = runtime_wheel(matrix, toolkit, flavour)
        if own is not None and (not specifier or _allows(specifier, own)):
            return own
    for version in artefacts.versions(matrix, name):
        own_major = spec is None or spec.component == "cudnn" or f"cu{version.partition('.')[0]}" == flavour
        if own_major and (not specifier or _allows(specifier, version)):
            return version
    return None


def _allows(specifier: str, version: str) -> bool:
    return within(Version.parse(version), specifier) is Answer.YES


def runtime_wheel(matrix: Matrix, toolkit: str | None, flavour: str) -> str | None:
    """The wheel version of the CUDA runtime of a toolkit such as ``12.8``; of its newest where that is not known."""
    wanted = Version.maybe(toolkit) or Version.parse(flavour.removeprefix("cu"))
    for version in dict.fromkeys((wanted, Version.parse(flavour.removeprefix("cu")))):
        for row in cuda.toolkits(matrix, version):
            found = row.get("cudart_wheels").value
            if isinstance(found, list) and found:
                return str(found[0])
    return None


def cudnn_wheel(matrix: Matrix, version: str | None, flavour: str) -> str | None:
    """The wheel of a cuDNN such as ``8.9`` for a CUDA flavour; the newest of its major where that one has none."""
    wanted = Version.maybe(version)
    if wanted is None:
        return None
    majors = [row for row in matrix.rows("cudnn", "releases") if Version.parse(row.key).major == wanted.major]
    for row in (*cudnn.releases(matrix, wanted), *majors):
        found = row.text("flavours", flavour, "wheel")
        if found is not None and found != "none":
            return found
    return None
