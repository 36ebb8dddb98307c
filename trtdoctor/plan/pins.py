"""What pip is told to install: every distribution of a build, each at one version that the matrix knows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trtdoctor.lazyre import pattern
from trtdoctor.matrix import Matrix, artefacts, cuda, cudnn, tensorrt, wheels
from trtdoctor.matrix.artefacts import extra as of_extra
from trtdoctor.matrix.distributions import normalise
from trtdoctor.plan.builds import Build
from trtdoctor.record import record
from trtdoctor.rules.releases import known_spec
from trtdoctor.versions import Answer, Version, within

EXTRA_INDEX = "https://pypi.nvidia.com"
"""NVIDIA's own index: where the wheels behind stubs are."""
Pin = tuple[str, str]
_FORM = pattern(
    r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:\[(?P<extras>[\w\s,.-]*)\])?\s*\(?\s*(?P<specifier>[<>=!~][^()\[\]@]*)?\)?",
    re.ASCII,
)


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
    waiting = [text for pin in found.items() for text in artefacts.requires(matrix, *pin) or ()]
    while waiting:
        required = _requirement(waiting.pop(0))
        if required is None or known_spec(matrix, required.name) is None:
            continue
        version = found.get(required.name)
        if version is None:
            version = newest_version(matrix, required.name, required.specifier, flavour, toolkit)
            if version is None:
                continue
            found[required.name] = version
            waiting += artefacts.requires(matrix, required.name, version) or ()
        for extra in required.extras:
            waiting += of_extra(matrix, required.name, version, extra) or ()


def _parts(matrix: Matrix, name: str, version: Version, system: str) -> Iterator[Pin]:
    """A distribution and what a meta package resolves to, all the way down."""
    listed = wheels.of(matrix, name, version)
    yield name, version.text
    fact = wheels.resolves_to(listed, system) if listed is not None and wheels.kind(listed) == "meta" else None
    for part in fact.value if fact is not None and isinstance(fact.value, list) else ():
        own = version if wheels.of(matrix, part, version) is not None else Version.parse(version.short(3))
        yield from _parts(matrix, str(part), own, system)


@record
class _Requirement:
    name: str
    extras: tuple[str, ...]
    specifier: str


def _requirement(text: str) -> _Requirement | None:
    """A requirement as metadata have it; None for one of an extra, or of a form that metadata seldom have."""
    head, _, marker = text.partition(";")
    match = _FORM.fullmatch(head.strip())
    if match is None or "extra" in marker:
        return None
    extras = tuple(item.strip() for item in (match["extras"] or "").split(",") if item.strip())
    return _Requirement(normalise(match["name"]), extras, (match["specifier"] or "").strip())


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
    every = artefacts.versions(matrix, name)
    if spec is not None and spec.component == "cuda-toolkit" and toolkit is not None:
        every = sorted(every, key=lambda version: not version.startswith(f"{Version.parse(toolkit).short(2)}."))
    for version in every:
        own_major = (
            spec is None or spec.component in ("cudnn", "cuda-toolkit") or f"cu{version.partition('.')[0]}" == flavour
        )
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
