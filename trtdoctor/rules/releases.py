"""What the matrix says of a TensorRT that was found, with the unknown kept apart: shared by several families.

A found version may mean several releases, its CUDA flavour and the platform may be unknown: then there are several
candidates, and a rule may call something wrong only where all of them agree.
"""

from __future__ import annotations

from trtdoctor.findings import FoundFact
from trtdoctor.matrix import Matrix, Row, distributions, tensorrt
from trtdoctor.matrix.distributions import DistributionSpec
from trtdoctor.rules.base import Context
from trtdoctor.snapshot import Distribution
from trtdoctor.stack import Installation, Stack
from trtdoctor.versions import Version

PLATFORMS = ("linux-x86_64", "windows-x86_64", "linux-aarch64", "jetson")
_PRODUCTS = {"rtx": "TensorRT for RTX", "lean": "TensorRT lean runtime", "dispatch": "TensorRT dispatch runtime"}


def label(item: Installation) -> str:
    """An installation in a sentence: ``TensorRT 10.7.0 (cu12)``."""
    name = _PRODUCTS.get(item.product or "", "TensorRT")
    flavour = f" ({item.flavour})" if item.flavour else ""
    return f"{name} {item.version}{flavour}" if item.version else f"{name} of unknown version{flavour}"


def labels(items: list[Installation]) -> str:
    """Several installations in a sentence, each once."""
    return joined(list(dict.fromkeys(label(item) for item in items)))


def joined(words: list[str], last: str = "and") -> str:
    """``a, b and c``."""
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""


def rows_of(context: Context, item: Installation) -> list[Row]:
    """The releases of the matrix that an installation may be; none for a version that the matrix does not hold."""
    version = item.version
    if version is None:
        return []
    matrix = context.matrix
    return matrix.remember(("rules: releases", version), lambda: tensorrt.releases(matrix, version))


def platforms_of(stack: Stack) -> tuple[str, ...]:
    """The platforms of the matrix that this environment may be; Jetson only where nothing says that it is none."""
    if stack.platform is not None:
        return (stack.platform,)
    found = stack.snapshot.platform
    system = "linux" if found.wsl else found.system
    result = []
    for name in PLATFORMS:
        of_system, _, of_arch = name.partition("-")
        if name == "jetson":
            if stack.jetson is None and system in (None, "linux"):
                result.append(name)
        elif system in (None, of_system) and found.architecture in (None, of_arch):
            result.append(name)
    return tuple(result)


def build_flavours(row: Row) -> tuple[str, ...]:
    """The CUDA flavours that a release was built for, newest first; empty when the matrix does not know."""
    return tuple(sorted((name for name in tensorrt.flavours(row) if name.startswith("cu")), reverse=True))


def flavours_around(context: Context, item: Installation) -> frozenset[str]:
    """What narrows down the CUDA flavour of an installation that does not tell it; empty when nothing does.

    For one that pip brought that is the TensorRT packages beside it; for others the CUDA that is there.
    """
    if item.flavour is not None:
        return frozenset()
    if item.origin == "pip":
        found = tensorrt_distributions(context)
        return frozenset(spec.flavour for _, spec in found if spec.product == "full" and spec.flavour)
    present = (*context.stack.of("cuda"), *context.stack.of("cublas"))
    return frozenset(f"cu{found.version.major}" for found in present if found.version)


def flavours_of(context: Context, row: Row, item: Installation) -> tuple[str, ...]:
    """The CUDA builds of a release that an installation may be, newest first.

    Its own flavour when that is known; else those that :func:`flavours_around` leaves, or every one when it leaves
    none. What pip brought is a build that there are wheels of.
    """
    return _flavours(row, item.flavour, item.origin == "pip", flavours_around(context, item))


def _flavours(row: Row, own: str | None, by_pip: bool, around: frozenset[str]) -> tuple[str, ...]:
    every = build_flavours(row)
    if own is not None:
        return (own,) if own in every else ()
    if by_pip:
        every = tuple(name for name in every if row.get("builds", name, "wheels").value != tensorrt.NONE)
    return tuple(name for name in every if name in around) or every


def identity(context: Context, item: Installation) -> tuple[object, ...]:
    """What :func:`candidates` depends on: equal for installations that are the same to the matrix."""
    return (item.version, item.flavour, item.origin == "pip", flavours_around(context, item))


def candidates(context: Context, item: Installation) -> tuple[tuple[Row, str], ...]:
    """Every (release, flavour) that an installation may be."""
    key = identity(context, item)

    def make() -> tuple[tuple[Row, str], ...]:
        rows, around = rows_of(context, item), flavours_around(context, item)
        return tuple(
            (row, flavour) for row in rows for flavour in _flavours(row, item.flavour, item.origin == "pip", around)
        )

    return context.matrix.remember(("rules: candidates", key), make)


_VERSION_SETTINGS = ("TRT_VERSION", "TENSORRT_VERSION", "NVIDIA_TENSORRT_VERSION")
"""What NVIDIA's images set."""


def made_by_vendor(context: Context, item: Installation) -> bool:
    """Whether an installation came in NVIDIA's own container or JetPack, with the CUDA and cuDNN beside it.

    Such a set is made to fit, also where the documents of the release name other versions.
    """
    if item.origin in ("container", "jetpack"):
        return True
    if item.origin in ("pip", "conda") or item.version is None:
        return False
    if context.stack.jetson and item.directory:
        return True
    found = context.snapshot.container
    if found is not None and found.image and found.image.startswith("nvcr.io/nvidia/"):
        return True
    settings = (Version.maybe(context.snapshot.setting(name)) for name in _VERSION_SETTINGS)
    return any(version is not None and version.may_be(item.version) for version in settings)


def cuda_major(flavour: str) -> int:
    """12 for ``cu12``."""
    return int(flavour[2:])


def known_spec(matrix: Matrix, name: str) -> DistributionSpec | None:
    """What a distribution is, remembered."""
    return matrix.remember(("rules: distribution", name), lambda: distributions.identify(matrix, name))


def tensorrt_distributions(context: Context) -> list[tuple[Distribution, DistributionSpec]]:
    """The distributions of TensorRT in the judged Python, each with what it is."""
    found = []
    for name, item in context.stack.distributions.items():
        if "tensorrt" in name:
            spec = known_spec(context.matrix, name)
            if spec is not None and spec.component in ("tensorrt", "tensorrt-rtx"):
                found.append((item, spec))
    return found


def named(item: Distribution) -> str:
    """A distribution in a sentence: ``torch 2.9.1``; with what a requirement allows where that is no one version."""
    if item.version is None or (item.specifier and item.specifier != f"=={item.version}"):
        return f"{item.name} {item.specifier}".strip() if item.specifier else item.name
    return f"{item.name} {item.version}"


def distribution_found(item: Distribution) -> FoundFact:
    """A distribution as a fact for a finding."""
    version = item.version or "version unknown"
    if item.specifier and item.specifier != f"=={item.version}":
        version = item.specifier  # a requirement that allows several
    elif item.specifier == "":
        version = "any version"
    return FoundFact(f"package {item.name}", version, item.stated_at or item.location, "python")


def python_found(context: Context) -> tuple[FoundFact, ...]:
    """The judged Python as a fact for a finding."""
    found = context.stack.interpreter
    return (
        (FoundFact("python", found.version, found.stated_at or found.path or found.chosen_by, "python"),)
        if found and found.version
        else ()
    )
