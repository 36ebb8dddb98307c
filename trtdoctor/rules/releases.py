"""What the matrix says of a TensorRT that was found, with the unknown kept apart: shared by several families.

A found version may mean several releases, its CUDA flavour and the platform may be unknown: then there are several
candidates, and a rule may call something wrong only where all of them agree.
"""

from __future__ import annotations

from dataclasses import dataclass

from trtdoctor.findings import FoundFact, Remedy
from trtdoctor.matrix import Fact, Matrix, Row, cuda, distributions, tensorrt
from trtdoctor.matrix.distributions import DistributionSpec
from trtdoctor.rules.base import Context
from trtdoctor.snapshot import Distribution
from trtdoctor.stack import Installation, Stack
from trtdoctor.versions import Answer, Version

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


def platforms(stack: Stack) -> tuple[str, ...]:
    """The matrix's words for the platforms that this environment may be."""
    if stack.platform:
        return (stack.platform,)
    system, arch = stack.snapshot.platform.system, stack.snapshot.platform.architecture
    return tuple(
        word
        for word in PLATFORMS
        if (arch is None or word.endswith(arch) or (word == "jetson" and arch == "aarch64"))
        and (system is None or word.startswith(system) or (word == "jetson" and system == "linux"))
    )


def build_flavours(row: Row) -> tuple[str, ...]:
    """The CUDA flavours that a release was built for, newest first; empty when the matrix does not know."""
    return tuple(sorted((name for name in tensorrt.flavours(row) if name.startswith("cu")), reverse=True))


def candidates(context: Context, item: Installation) -> tuple[tuple[Row, str], ...]:
    """Every (release, flavour) that an installation may be."""
    named: frozenset[str] = frozenset()
    if item.origin == "pip" and item.flavour is None:
        named = frozenset(
            spec.flavour for _, spec in tensorrt_distributions(context) if spec.product == "full" and spec.flavour
        )
    key = ("rules: candidates", item.version, item.flavour, item.origin == "pip", named)

    def make() -> tuple[tuple[Row, str], ...]:
        pairs = ((row, flavour) for row in rows_of(context, item) for flavour in _flavours(item, row, named))
        return tuple(pairs)

    return context.matrix.remember(key, make)


def _flavours(item: Installation, row: Row, named: frozenset[str]) -> tuple[str, ...]:
    """The flavours of ``row`` that an installation may be of; ``named`` are those of the packages around it."""
    every = build_flavours(row)
    if item.flavour:
        return (item.flavour,) if item.flavour in every else ()
    if item.origin != "pip":
        return every
    every = tuple(name for name in every if row.get("builds", name, "wheels").value != "none")
    return tuple(name for name in every if name in named) or every


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


def distribution_found(item: Distribution) -> FoundFact:
    """A distribution as a fact for a finding."""
    return FoundFact(f"package {item.name}", item.version or "version unknown", item.location, "python")


def python_found(context: Context) -> tuple[FoundFact, ...]:
    """The judged Python as a fact for a finding."""
    found = context.stack.interpreter
    return (
        (FoundFact("python", found.version, found.path or found.chosen_by, "python"),)
        if found and found.version
        else ()
    )


# -- wheels -----------------------------------------------------------------------------------------------------------


def python_tag(context: Context) -> str | None:
    """``cp310`` of the judged Python; None when its minor is not known or it is no CPython."""
    found = context.stack.interpreter
    version = Version.maybe(found.version) if found else None
    if found is None or version is None or version.minor is None:
        return None
    if found.implementation not in (None, "cpython", "CPython"):
        return None
    if found.abi and found.abi.startswith("cp"):
        return found.abi.rstrip("m")  # cp36m is cp36 in the matrix
    return f"cp{version.major}{version.minor}"


def tags_for(wheels: dict[str, object], platform: str) -> list[str]:
    """The platform tags of published wheels that an installer takes on ``platform``."""
    if platform == "windows-x86_64":
        return [tag for tag in wheels if tag == "win_amd64"]
    if platform.startswith("windows-"):
        return [tag for tag in wheels if tag == f"win_{platform[8:]}"]
    if platform == "jetson":
        return [tag for tag in wheels if tag.startswith("manylinux") and tag.endswith("_aarch64")]
    if platform.startswith("linux-"):
        return [tag for tag in wheels if tag.startswith("manylinux") and tag.endswith("_" + platform[6:])]
    return []


@dataclass(frozen=True, slots=True)
class Wheels:
    """Whether wheels of a release exist for an environment."""

    platform: Answer
    python: Answer
    pythons: tuple[str, ...]
    """Python tags that there are for the platform (for any platform, where there is none for this one)."""
    tags: tuple[str, ...]
    """Platform tags that an installer would take here."""
    facts: tuple[Fact, ...]


def wheels_for(context: Context, item: Installation) -> Wheels:
    """Whether a wheel of this TensorRT exists for the judged Python and platform."""
    places: list[Answer] = []
    pythons: list[Answer] = []
    offered: dict[str, None] = {}
    tags: dict[str, None] = {}
    facts: list[Fact] = []
    wanted = python_tag(context)
    for row, flavour in candidates(context, item):
        fact = row.get("builds", flavour, "wheels")
        facts.append(fact)
        if not isinstance(fact.value, dict):
            places.append(Answer.UNKNOWN)
            pythons.append(Answer.UNKNOWN)
            continue
        for platform in platforms(context.stack) or (_stated(context.stack),):
            fitting = tags_for(fact.value, platform)
            places.append(Answer.of(bool(fitting)))
            there = [python for tag in fitting or fact.value for python in _list(fact.value[tag])]
            offered.update(dict.fromkeys(there))
            tags.update(dict.fromkeys(fitting))
            pythons.append(Answer.of(wanted in there) if wanted else Answer.UNKNOWN)
    return Wheels(Answer.agreed(places), Answer.agreed(pythons), tuple(offered), tuple(tags), tuple(facts))


def _stated(stack: Stack) -> str:
    return f"{stack.snapshot.platform.system}-{stack.snapshot.platform.architecture}"


def _list(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def pip_subjects(context: Context) -> list[Installation]:
    """The TensorRTs that pip brought or is to bring, and whose files were not found: wheels must exist for them.

    What is on disk needs no wheel any more.
    """
    found = [item for item in context.stack.builders if item.origin == "pip" and item.version and not item.directory]
    if found or any(item.directory for item in context.stack.builders):
        return found
    for dist, spec in tensorrt_distributions(context):
        version = Version.maybe(dist.version)
        meta = spec.product == "full" and spec.part == "meta" and spec.real != "placeholder"
        if meta and version and dist.has_libraries is not True:
            found.append(_pip_installation(version, spec.flavour, dist))
    return found


def _pip_installation(version: Version, flavour: str | None, dist: Distribution) -> Installation:
    owner = f"{dist.name} {dist.version}"
    return Installation("tensorrt", version, "full", flavour, "pip", None, None, owner, "wheel", ())


# -- what would do instead --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Offer:
    """A release of the matrix that pip can install here."""

    release: str
    flavour: str
    distribution: str
    facts: tuple[Fact, ...]

    def remedy(self, reason: str, action: str = "install") -> Remedy:
        """The remedy that installs it."""
        details = (("distributions", self.distribution), ("flavour", self.flavour))
        return Remedy("tensorrt", action, f"=={self.release}.*", reason, details)


def fitting(context: Context, *, flavour: str | None = None, release: str | None = None) -> Offer | None:
    """The newest TensorRT that pip can install here and that fits, as far as that is known; None when there is none.

    It has wheels for this Python and platform, serves each GPU, and asks for no newer driver.
    """
    stack = context.stack
    for row in context.matrix.rows("tensorrt", "releases"):
        if row.text("status") != "ga" or (release and row.key != release):
            continue
        for name in build_flavours(row):
            if (flavour is None or name == flavour) and _fits(context, row, name):
                distribution = "tensorrt" if row.text("default_flavour") == name else f"tensorrt-{name}"
                if known_spec(stack.matrix, distribution) is not None:
                    facts = (row.get("builds", name, "wheels"), row.get("builds", name, "compute_capabilities"))
                    return Offer(row.key, name, distribution, facts)
    return None


def _fits(context: Context, row: Row, flavour: str) -> bool:
    stack = context.stack
    wheels = row.get("builds", flavour, "wheels").value
    if not isinstance(wheels, dict):
        return False
    known = platforms(stack)
    tags = [tag for platform in known for tag in tags_for(wheels, platform)]
    tag = python_tag(context)
    if not tags or (tag and not any(tag in _list(wheels[name]) for name in tags)):
        return False
    if stack.driver is not None:
        own = row.get("builds", flavour, "driver", stack.driver_system)
        floor = cuda.major_floor(context.matrix, Version.parse(str(cuda_major(flavour))), stack.driver_system)
        for fact in (own, floor):
            bound = Version.maybe(fact.value) if fact else None
            if bound is not None and stack.driver.at_least(bound) is Answer.NO:
                return False
    served = row.get("builds", flavour, "compute_capabilities", known[0], "supported").value
    return all(gpu.compute_capability is None or gpu.compute_capability in _list(served) for gpu in stack.gpus)


def other_release(context: Context, item: Installation, offer: Offer | None, reason: str) -> Remedy:
    """A remedy in the way the TensorRT came: a command for pip, a sentence for the others."""
    if offer is not None and item.origin in (None, "pip"):
        return offer.remedy(reason, "replace")
    return Remedy("tensorrt", "choose", f"=={offer.release}.*" if offer else None, reason)
