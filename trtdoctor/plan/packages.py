"""What apt is told to install: every package of a build at one exact version, and the libraries that it needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trtdoctor.matrix import Matrix, Row, apt, tensorrt
from trtdoctor.plan.builds import Build
from trtdoctor.plan.question import Question
from trtdoctor.versions import Version

Pin = tuple[str, str]
KEYRING = "cuda-keyring.deb"
"""What the package with NVIDIA's key is called on its way, in the current directory."""
_WANTS = {"cpp": "build", "python": "python", "trtexec": "trtexec", "build": "trtexec"}
"""Words of a goal to what is installed for it, beside the libraries."""


def packages_of(question: Question, build: Build) -> tuple[Pin, ...]:
    """Names and versions; empty where the matrix does not know them."""
    return tuple(dict.fromkeys(_packages(question.matrix, build, question.context.goal)))


def _packages(matrix: Matrix, build: Build, goal: Iterable[str]) -> Iterator[Pin]:
    release = Version.parse(build.release)
    wants = {"run", *(_WANTS[word] for word in goal if word in _WANTS)}
    found = apt.install(matrix, release, build.flavour, wants)
    if found is None:  # older ones have no package for trtexec alone
        found = apt.install(matrix, release, build.flavour, wants - {"trtexec"})
    for package in found or ():
        yield package.name, str(package.version.value)
    need = tensorrt.cudnn(build.row)
    version = Version.maybe(need.version)
    if need.need == "required" and version is not None:
        for package in apt.cudnn(matrix, version, build.flavour) or ():
            yield package.name, str(package.version.value)
    toolkit = toolkit_of(matrix, build)
    for package in apt.cuda_runtime(matrix, toolkit, build.place) if toolkit is not None else ():
        yield package.name, str(package.version.value)


def toolkit_of(matrix: Matrix, build: Build) -> Version | None:
    """The CUDA that the packages of a build are for: 12.8 of ``10.9.0.34-1+cuda12.8``."""
    fact = apt.tensorrt(matrix, Version.parse(build.release), build.flavour)
    return Version.maybe(str(fact.value).rpartition("+cuda")[2]) if fact is not None else None


def library_of(question: Question, component: str, version: str, flavour: str | None) -> tuple[Pin, ...]:
    """The packages of CUDA or cuDNN alone; empty where the matrix does not know them for this system."""
    place, wanted = repository(question), Version.maybe(version.partition(" ")[0])
    if place is None or wanted is None:
        return ()
    if component == "cuda":
        package = apt.libraries(question.matrix, Version.parse(wanted.short(2)), place)
        found = [package] if package is not None else []
    elif component == "cudnn" and flavour is not None:
        found = apt.cudnn(question.matrix, Version.parse(wanted.short(3)), flavour) or []
    else:
        return ()
    return tuple((package.name, str(package.version.value)) for package in found)


def repository(question: Question) -> Row | None:
    """NVIDIA's repository for this system; None where there is none, or the system is not known."""
    return apt.repository(question.matrix, *question.system_words) if question.system_words is not None else None


def keyring(question: Question) -> str | None:
    """The address of the package that sets the repository up."""
    place = repository(question)
    return str(apt.address(question.matrix, place, "keyring").value) if place is not None else None
