"""What dependency files state, as a Snapshot that the same rules judge as any other.

A requirement becomes a distribution with the line that names it. Its version is what the specifier pins: one version,
or the first numbers that all allowed versions share; where it pins nothing the version is unknown, not guessed. What
requirements bring along is unknown too (``Snapshot.partial``), unless a lock file names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from trtdoctor.matrix import Matrix, bases, containers, distributions
from trtdoctor.record import record
from trtdoctor.requirements import Requirements, Stated, SystemPackage, Target
from trtdoctor.requirements.specifiers import joined, known_part, pinned
from trtdoctor.snapshot import (
    Container,
    Copy,
    Distribution,
    Interpreter,
    Package,
    Platform,
    ProbeOutcome,
    Setting,
    Snapshot,
)
from trtdoctor.text import clean
from trtdoctor.versions import Version

_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64", "x86_64": "x86_64", "aarch64": "aarch64"}
_CONDA_NAMES = {"pytorch": "torch", "pytorch-gpu": "torch"}
_CONDA_CUDA = ("cudatoolkit", "cuda-toolkit", "cuda-version", "cuda-runtime", "cuda-cudart", "cuda", "pytorch-cuda")
_TENSORRT = re.compile(r"libnvinfer(?:-(lean|dispatch))?\d{1,2}|tensorrt(?:-libs|-dev)?|libnvinfer-(?:bin|dev)")
_CUDNN = re.compile(r"(?:lib)?cudnn(\d)?(?:-cuda-(\d+))?(?:-dev)?")
_CUDA = re.compile(r"(?:cuda|cuda-toolkit|cuda-runtime|cuda-libraries|cuda-cudart)-(\d{1,2})-(\d{1,2})")
_CUDA_SUFFIX = re.compile(r"[+.]cuda(\d{1,2})\.\d+")
_SYSTEM_PYTHON = frozenset({"python3", "python3-pip", "python3-dev", "python3-venv", "python3-full"})
_MOST_SKIPPED = 3
_LONGEST_SPECIFIER = 1000


@record
class Environment:
    """What is judged, and what is to be said of it beside the findings."""

    snapshot: Snapshot
    open: tuple[Distribution, ...]
    """Parts of the stack that are named without a version that tells anything."""
    relevant: int
    """How many entries have to do with the stack; 0: there is nothing to judge."""
    left_out: tuple[str, ...]
    """Sentences on what was not judged: markers that are not settled, extras that nobody asked for."""


def python_of(found: Iterable[Requirements], matrix: Matrix) -> tuple[str, str] | None:
    """The Python that the files install or build upon, and the line that says so; None when they do not tell."""
    every = list(found)
    for item in every:
        if item.python is not None and item.python_at is not None:
            return item.python, item.python_at
    for item in every:
        if item.base is None:
            continue
        row = containers.find(matrix, item.base.image)
        known = bases.find(matrix, item.base.image)
        version = row.text("python") if row is not None else known.python if known is not None else None
        if version is None and known is not None and any(package.name in _SYSTEM_PYTHON for package in item.packages):
            fact = known.system_fact("python")
            version = str(fact.value) if fact is not None else None
        if version is not None:
            return version, item.base.where
    return None


def environment_of(found: Iterable[Requirements], target: Target, matrix: Matrix) -> Environment:
    """One environment of all that the files state, later files after earlier ones."""
    every = list(found)
    base = next((item.base for item in reversed(every) if item.base is not None), None)
    named, conflicts = _merged(every)
    flavour = next((item.flavour_hint for item in every if item.flavour_hint), None)
    other_index = next((item.other_index for item in every if item.other_index), None)
    stack = [entry for entry in named if distributions.identify(matrix, entry.name) is not None]
    python = (target.python, "--python-version") if target.python else None
    stated_python = python_of(every, matrix)
    if stated_python is not None and (python is None or stated_python[0] == python[0]):
        python = stated_python
    interpreter = Interpreter(
        version=python[0] if python else None,
        chosen_by="declared",
        distributions=tuple(_distribution(entry, flavour, other_index) for entry in stack),
        stated_at=python[1] if python else None,
    )
    copies, packages = _system(every)
    platform, more, torch = _base(base, target, matrix)
    if torch is not None and not any(item.name == "torch" for item in interpreter.distributions):
        interpreter = replace(interpreter, distributions=(*interpreter.distributions, torch))
    complete = bool(every) and all(item.complete for item in every)
    snapshot = Snapshot(
        kind="declared",
        partial=None if complete else True,
        platform=platform,
        container=Container(image=base.image, stated_at=base.where) if base is not None else None,
        interpreters=(interpreter,),
        copies=(*copies, *more),
        packages=packages,
        settings=tuple(Setting(name, value) for item in every for name, value in item.settings),
        probes=tuple(_outcomes(every)),
    )
    relevant = [item for item in interpreter.distributions if _is_relevant(matrix, item.name)]
    image = base is not None and (containers.find(matrix, base.image) is not None or bool(more))
    return Environment(
        snapshot,
        tuple(item for item in relevant if item.version is None),
        len(relevant) + len(copies) + image,
        (*conflicts, *_left_out(every, matrix)),
    )


def _is_relevant(matrix: Matrix, name: str) -> bool:
    """Whether a distribution is of the stack itself, not one that is only known for its limits (numpy)."""
    spec = distributions.identify(matrix, name)
    return spec is not None and spec.part != "package" and spec.component not in ("other", "nvml")


# -- requirements ------------------------------------------------------------------------------------------------------


def _merged(every: list[Requirements]) -> tuple[list[Stated], list[str]]:
    """One entry a name: what several lines say together, of several commands the last that changes something."""
    entries: dict[str, list[Stated]] = {}
    for item in every:
        for entry in (*item.stated, *(_renamed(entry) for entry in item.conda if entry.name in _CONDA_NAMES)):
            entries.setdefault(entry.name, []).append(entry)
    conflicts: list[str] = []
    found = []
    for name, lines in entries.items():
        stated = [entry for entry in lines if not entry.constraint]
        if not stated:
            continue
        kept = stated[0]
        for entry in stated[1:]:
            if entry.step == kept.step:
                kept = _together(kept, entry, conflicts)
            elif entry.specifier or entry.upgrade:
                kept = entry
        for entry in lines:
            if entry.constraint:
                kept = _together(kept, entry, conflicts)
        found.append(replace(kept, name=name))
    return found, conflicts


def _renamed(entry: Stated) -> Stated:
    return replace(entry, name=_CONDA_NAMES[entry.name], source="conda")


def _together(first: Stated, second: Stated, conflicts: list[str]) -> Stated:
    """Two lines about one distribution. Two pins that differ cannot both be had: then no version is known."""
    one, other = pinned(first.specifier), pinned(second.specifier)
    if one is not None and other is not None and one != other:
        conflicts.append(f"{first.name}: {first.where} pins {one}, {second.where} pins {other}")
        return replace(first, specifier="", source="conflict")
    where = second.where if other is not None and one is None and not second.constraint else first.where
    specifier = joined([first.specifier, second.specifier])
    return replace(first, specifier=specifier if len(specifier) < _LONGEST_SPECIFIER else "", where=where)


def _distribution(entry: Stated, flavour: str | None, other_index: str | None) -> Distribution:
    version = known_part(entry.specifier)
    exact = pinned(entry.specifier)
    if entry.name == "torch" and exact and "+" not in exact and flavour and entry.source == "index":
        # The wheels of an index for one CUDA carry it in their local version, which sorts above the plain one.
        version = exact = f"{exact}+{flavour}"
    if version is not None and Version.maybe(version) is None:
        version = None
    told = entry.specifier if entry.source == "index" else None
    return Distribution(
        name=entry.name,
        version=version,
        stated_at=entry.where,
        specifier=f"=={exact}" if exact is not None and version is not None else told,
        other_index=other_index if entry.source == "index" else None,
    )


# -- system packages, conda packages, the image ------------------------------------------------------------------------


def _system(every: list[Requirements]) -> tuple[tuple[Copy, ...], tuple[Package, ...]]:
    copies: list[Copy] = []
    packages: list[Package] = []
    for item in every:
        for package in item.packages:
            copy = _package_copy(package)
            if copy is not None:
                packages.append(Package(package.name, package.version, "dpkg" if package.manager == "apt" else "rpm"))
                if not any(_same(copy, other) for other in copies):
                    copies.append(copy)
        copies += [copy for entry in item.conda if (copy := _conda_copy(entry)) is not None]
    return tuple(copies), tuple(packages)


def _same(first: Copy, second: Copy) -> bool:
    return (first.component, first.version, first.product) == (second.component, second.version, second.product)


def _package_copy(package: SystemPackage) -> Copy | None:
    """A system package as a copy of its component; the CUDA that it is built for stands in its version."""
    version = package.version.partition("-")[0].rstrip("*").rstrip(".") if package.version else None
    version = version if version and Version.maybe(version) else None
    suffix = _CUDA_SUFFIX.search(package.version or "")
    flavour = f"cu{suffix[1]}" if suffix else None
    plain = Copy(how="package", origin=package.manager, stated_at=package.where)
    if (match := _TENSORRT.fullmatch(package.name)) is not None:
        product = match[1] or "full"
        return replace(plain, component="tensorrt", version=version, flavour=flavour, product=product)
    if (match := _CUDNN.fullmatch(package.name)) is not None and package.name != "cudnn-dev":
        flavour = f"cu{match[2]}" if match[2] else flavour
        return replace(plain, component="cudnn", version=version or match[1], flavour=flavour)
    if (match := _CUDA.fullmatch(package.name)) is not None:
        return replace(plain, component="cuda", version=f"{match[1]}.{match[2]}")
    return None


def _conda_copy(entry: Stated) -> Copy | None:
    version = known_part(entry.specifier)
    component = "cuda" if entry.name in _CONDA_CUDA else {"cudnn": "cudnn", "tensorrt": "tensorrt"}.get(entry.name)
    if component is None or (version is None and component == "cuda"):
        return None
    product = "full" if component == "tensorrt" else None
    return Copy(component, version=version, how="package", origin="conda", product=product, stated_at=entry.where)


def _base(base: object, target: Target, matrix: Matrix) -> tuple[Platform, tuple[Copy, ...], Distribution | None]:
    """The platform, and what an image brings by its tag. NVIDIA's monthly images are looked up by the stack itself."""
    from trtdoctor.requirements import Base

    system, architecture = target.system, target.architecture
    platform = Platform(system=system, architecture=architecture)
    if not isinstance(base, Base):
        return platform, (), None
    words = (base.platform or "").split("/")
    if len(words) > 1 and words[1] in _ARCHITECTURES:
        platform = replace(platform, architecture=_ARCHITECTURES[words[1]])
    row = containers.find(matrix, base.image)
    if row is not None:
        release = row.text("ubuntu")
        inside = bases.find(matrix, f"ubuntu:{release}") if release else None
        glibc = inside.system_fact("glibc") if inside is not None else None
        if glibc is not None:
            platform = replace(platform, libc="glibc", glibc=str(glibc.value))
        return replace(platform, distribution="ubuntu", distribution_version=release), (), None
    found = bases.find(matrix, base.image)
    if found is None:
        return platform, (), None
    if found.system is not None:
        libc, glibc = found.system_fact("libc"), found.system_fact("glibc")
        platform = replace(
            platform,
            distribution=found.system.text("distribution"),
            distribution_version=found.system.text("release"),
            libc=str(libc.value) if libc else None,
            glibc=str(glibc.value) if glibc and glibc.value != "none" else None,
        )
    plain = Copy(how="image", origin="container", stated_at=base.where)
    copies = [replace(plain, component="cuda", version=found.cuda)] if found.cuda else []
    if found.cudnn:
        copies.append(replace(plain, component="cudnn", version=found.cudnn))
    torch = Distribution("torch", found.torch, stated_at=base.where) if found.torch else None
    return platform, tuple(copies), torch


# -- what is said beside the findings ----------------------------------------------------------------------------------


def _outcomes(every: list[Requirements]) -> Iterator[ProbeOutcome]:
    """Lines that were not read: counted, the first few named."""
    skipped = [entry for item in every for entry in item.skipped]
    if not skipped:
        yield ProbeOutcome("requirements", "ok")
        return
    named = [f"{entry.where} {entry.text} ({entry.why})" for entry in skipped[:_MOST_SKIPPED]]
    more = f"; and {len(skipped) - _MOST_SKIPPED} more" if len(skipped) > _MOST_SKIPPED else ""
    lines = "1 line is" if len(skipped) == 1 else f"{len(skipped)} lines are"
    yield ProbeOutcome("requirements", "partial", clean(f"{lines} not read: {'; '.join(named)}{more}", 1000))


def _left_out(every: list[Requirements], matrix: Matrix) -> Iterator[str]:
    for item in every:
        for entry, marker in item.undecided[:200]:
            if _is_relevant(matrix, entry.name):
                yield f"{entry.name} ({entry.where}) depends on: {marker or 'markers on the way to it'}"
        for entry, name in item.optional[:2000]:
            if _is_relevant(matrix, entry.name):
                yield f"{entry.name} ({entry.where}) belongs to {name}, which nobody asked for"
