"""The steps of a plan, in the order in which they are carried out: what needs a reboot first, the engine last.

Commands are put together from names and versions of the matrix only, each quoted, and can be run twice.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from trtdoctor.findings import Fix, Remedy
from trtdoctor.matrix import Matrix, tensorrt, wheels
from trtdoctor.plan import steps
from trtdoctor.plan.builds import Build, meta
from trtdoctor.plan.fit import is_own
from trtdoctor.plan.held import image_there, indexes
from trtdoctor.plan.model import Change, of_component
from trtdoctor.plan.packages import KEYRING, keyring, library_of, packages_of
from trtdoctor.plan.pins import EXTRA_INDEX, Pin, pins_of
from trtdoctor.plan.question import Question
from trtdoctor.plan.settle import Candidate
from trtdoctor.rules.releases import known_spec
from trtdoctor.versions import Answer, Version

_PRELOADS = Version.parse("1.21")
"""The first onnxruntime that can load libraries from wheels."""
BUILT = "trtdoctor-plan"
"""What an image is called that is built on one of NVIDIA's."""
JETPACK = "nvidia-jetpack"
"""What brings all of a JetPack that is no part of the system; a module's own repository has the one version."""
_DOWNLOADS = {
    "tensorrt": "https://developer.nvidia.com/tensorrt/download",
    "tensorrt-rtx": "https://developer.nvidia.com/tensorrt-rtx",
    "cuda": "https://developer.nvidia.com/cuda-toolkit-archive",
    "nvrtc": "https://developer.nvidia.com/cuda-toolkit-archive",
    "cublas": "https://developer.nvidia.com/cuda-toolkit-archive",
    "cudnn": "https://developer.nvidia.com/cudnn-archive",
}


def pins(question: Question, candidate: Candidate) -> tuple[Pin, ...]:
    """Every Python distribution that the plan puts in place: those of the build, then those that changed.

    Another Python begins empty, and so does an environment beside one that is kept from pip: everything that is to be
    there goes into it.
    """
    build = candidate.weighed.build if candidate.weighed else None
    named = candidate.environment.get("packages", {})
    kinds = {change.kind for change in candidate.changes}
    own = question.machine.interpreter
    anew = "python" in kinds or ("pip" in kinds and own is not None and own.managed is True)
    before = {} if anew else question.environment.get("packages", {})
    of_build = pins_of(question.matrix, build, question.system) if build is not None and build.way == "pip" else ()
    found = {name: named.get(name, version) for name, version in of_build}
    found |= {name: version for name, version in named.items() if before.get(name) != version and version != "unknown"}
    return tuple(found.items())


def commands(question: Question, candidate: Candidate, only: frozenset[str] | None = None) -> tuple[Fix, ...]:
    """The steps that carry a candidate out; of ``only`` some kinds of change where those are named."""
    changes = tuple(change for change in candidate.changes if only is None or change.kind in only)
    kinds = {change.kind for change in changes}
    found: list[Fix] = []
    for change in _of(changes, "driver"):
        found += _driver(question, change)
    for change in _of(changes, "configure"):
        found += _configure(question, change)
    for change in _of(changes, "jetpack"):
        text = f"Flash or upgrade the module to {change.after}: https://developer.nvidia.com/embedded/jetpack-archive"
        found.append(Fix("manual", text, needs_root=True, needs_reboot=True))
    for change in _of(changes, "container"):
        found += _by_image(question, candidate, str(change.after), "pip" in kinds)
    found += _by_apt(question, candidate) if "apt" in kinds else ()
    if "container" not in kinds:
        found += _by_pip(question, candidate) if "pip" in kinds else _other_python(changes)
    for change in _of(changes, "archive"):
        found.append(_archive(question, change))
    found += _preloads(candidate) if "pip" in kinds else ()
    for change in _of(changes, "change-code"):
        found.append(Fix("edit", f"In place of {change.before}: {change.after}."))
    for change in _of(changes, "rebuild-engine"):
        said = change.remedy.detail("text") if change.remedy is not None else None
        found.append(Fix("manual", said or "Build the engine again from its model, on the GPU that is to run it."))
    for change in _of(changes, "hardware"):
        found.append(Fix("manual", change.why))
    return tuple(found)


def _of(changes: Sequence[Change], kind: str) -> list[Change]:
    return [change for change in changes if change.kind == kind]


def _driver(question: Question, change: Change) -> Iterator[Fix]:
    made = steps.fixes_for(Remedy("driver", "upgrade", f">={change.after}", change.why), question.machine)
    if any(fix.kind == "shell" and fix.text.startswith("apt-get install") for fix in made):
        yield Fix("shell", "apt-get update", needs_root=True)
    yield from made


def _configure(question: Question, change: Change) -> Iterator[Fix]:
    if change.remedy is not None:
        yield from steps.fixes_for(change.remedy, question.machine)
    else:
        yield Fix("manual", f"Set {change.component}: {change.after}.")


# -- images ------------------------------------------------------------------------------------------------------------


def _by_image(question: Question, candidate: Candidate, image: str, more: bool) -> Iterator[Fix]:
    """Get an image, with ``more`` put what pip adds on top of it, and show that it sees the GPU."""
    image = image_there(question, image)
    yield Fix("shell", f"docker pull {shlex.quote(image)}")
    if more:
        plain, elsewhere = _apart(pins(question, candidate))
        line = _install(question, "python3", plain).text if plain else None
        if elsewhere:  # it has to be there before what asks for it, or pip takes another build
            first = " ".join(_elsewhere(pin).text for pin in elsewhere)
            then = f" Then: RUN {line}" if line else ""
            yield Fix("manual", f"Build an image called {BUILT} on {image}. {first}{then}")
        elif line:
            words = " ".join(shlex.quote(text) for text in (f"FROM {image}", f"RUN {line}"))
            yield Fix("shell", f"printf '%s\\n' {words} | docker build -t {BUILT} -")
        image = BUILT
    option = "--runtime nvidia" if question.stack.jetson else "--gpus all"
    test = "trtexec --help" if question.stack.jetson else "nvidia-smi"
    yield Fix("shell", f"docker run --rm {option} {shlex.quote(image)} {test}")


# -- pip ---------------------------------------------------------------------------------------------------------------


def _by_pip(question: Question, candidate: Candidate) -> Iterator[Fix]:
    wanted = pins(question, candidate)
    gone = leftovers(question, candidate, wanted)
    own = next(iter(_of(candidate.changes, "python")), None)
    made, python = steps.beside_managed(question.machine)
    if own is not None and own.after is not None:
        other, python = steps.other_python(Version.parse(own.after).short(2), question.machine)
        yield other
    elif made:
        yield from made
    elif gone:
        yield Fix("shell", f"{python} -m pip uninstall -y {' '.join(map(shlex.quote, gone))}")
    plain, elsewhere = _apart(wanted)
    yield from map(_elsewhere, elsewhere)
    if plain:
        yield _install(question, python, plain)


def _other_python(changes: Sequence[Change]) -> Iterator[Fix]:
    """A Python that is there already, beside the one that was looked at."""
    for change in _of(changes, "python"):
        yield Fix("manual", f"Use Python {change.after} instead of {change.before or 'this one'}: {change.why}.")


def _apart(wanted: Sequence[Pin]) -> tuple[list[Pin], list[Pin]]:
    """What the configured index has, and builds that only the project's own index has."""
    return [pin for pin in wanted if "+" not in pin[1]], [pin for pin in wanted if "+" in pin[1]]


def _elsewhere(pin: Pin) -> Fix:
    name, version = pin
    text = f"Install {name}=={version} from the project's own index of builds for {version.partition('+')[2]}"
    return Fix("manual", f"{text} (https://pytorch.org/get-started/locally/)." if name == "torch" else f"{text}.")


def _install(question: Question, python: str, wanted: Sequence[Pin]) -> Fix:
    index, extra = sources(question, wanted)
    return steps.pip_install(python, [f"{name}=={version}" for name, version in wanted], extra, index)


def sources(question: Question, wanted: Sequence[Pin]) -> tuple[str | None, str | None]:
    """The index to name where it is not the one that pip is configured with, and the one of what lies behind stubs."""
    here = [pin for pin in wanted if "+" not in pin[1]]
    index, extra = indexes(question) or (None, EXTRA_INDEX)
    return index if here else None, extra if needs_extra_index(question.matrix, here) else None


def _preloads(candidate: Candidate) -> Iterator[Fix]:
    """What onnxruntime does not do by itself: it looks for no libraries in wheels."""
    named = candidate.environment.get("packages", {})
    version = Version.maybe(named.get("onnxruntime-gpu"))
    able = version is not None and version.at_least(_PRELOADS) is Answer.YES
    if able and "torch" not in named and any("cudnn" in name for name in named):
        text = "Before the first session: import onnxruntime; onnxruntime.preload_dlls() loads cuDNN from its wheel"
        yield Fix("edit", f"{text} (https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html).")


def needs_extra_index(matrix: Matrix, wanted: Sequence[Pin]) -> bool:
    """Whether NVIDIA's own index must be named: for the wheels behind stubs, and what only it has."""
    for name, version in wanted:
        row = wheels.of(matrix, name, Version.parse(version))
        if row is not None and wheels.kind(row) in ("stub", "placeholder"):
            return True
        spec = known_spec(matrix, name)
        if row is None and spec is not None and spec.real in ("stub", "placeholder"):
            return True
    return False


def leftovers(question: Question, candidate: Candidate, wanted: Sequence[Pin]) -> tuple[str, ...]:
    """Distributions that must go first: they install the same modules, and uninstalling them later would take these."""
    before = question.environment.get("packages", {})
    gone = [name for name in before if name not in candidate.environment.get("packages", {})]
    build = candidate.weighed.build if candidate.weighed else None
    specs = (known_spec(question.matrix, name) for name in before)
    told = any(spec is not None and spec.component == "tensorrt" for spec in specs)
    if build is not None and build.way == "pip" and not gone and not told:
        new = {name for name, _ in wanted}
        gone = [name for name in _implied(question, build) if name not in new]
    return tuple(dict.fromkeys(gone))


def _implied(question: Question, build: Build) -> Iterator[str]:
    """The distributions that came with a TensorRT of which only version and flavour were stated."""
    for item in question.installed:
        if item.origin != "pip" or item.version is None or (item.product or "full") != build.product:
            continue
        for row in tensorrt.releases(question.matrix, item.version, build.product):
            flavour = item.flavour or row.text("default_flavour") or ""
            found = meta(question.matrix, row, flavour, build.product)
            if found is not None:
                name, versions = found
                old = Build(build.product, "pip", row, versions[0], flavour, name)
                yield from (part for part, _ in pins_of(question.matrix, old, question.system) if "tensorrt" in part)


# -- apt and archives --------------------------------------------------------------------------------------------------


def apt_pins(question: Question, candidate: Candidate) -> tuple[Pin, ...]:
    """Every Debian package that the plan installs and holds."""
    build = candidate.weighed.build if candidate.weighed else None
    if build is not None and build.way == "apt":
        return packages_of(question, build)
    if build is not None and build.way == "jetpack":
        version = build.place.text("package") if build.place is not None and is_own(question, build) else None
        return ((JETPACK, version),) if version is not None else ()
    return tuple(pin for change in _of(candidate.changes, "apt") for pin in _library(question, candidate, change))


def _library(question: Question, candidate: Candidate, change: Change) -> tuple[Pin, ...]:
    """The packages of a CUDA library that goes with the TensorRT that is there."""
    majors = {int(item.flavour[2:]) for item in candidate.context.stack.tensorrts if item.flavour}
    majors |= {item.version.major for item in candidate.context.stack.of("cuda") if item.version}
    flavour = f"cu{majors.pop()}" if len(majors) == 1 else None
    return library_of(question, change.component, change.after or "", flavour)


def _by_apt(question: Question, candidate: Candidate) -> Iterator[Fix]:
    """The repository, the exact versions, and the hold: of what is not named apt takes its highest version."""
    wanted = apt_pins(question, candidate)
    build = candidate.weighed.build if candidate.weighed else None
    if build is not None and build.way == "jetpack":
        text = f"Install what JetPack {build.name} has beside the system: apt-get install {JETPACK}."
        yield from steps.apt_install(wanted) if wanted else (Fix("manual", text, True),)
        return
    if not wanted:
        for change in _of(candidate.changes, "apt"):
            yield Fix("manual", f"Install {of_component(change.component)} {change.after}.", True)
        return
    address = keyring(question)
    if address is not None:
        yield Fix("shell", f"curl -fsSL -o {KEYRING} {shlex.quote(address)}")
        yield Fix("shell", f"dpkg -i ./{KEYRING}", needs_root=True)
    yield from steps.apt_install(wanted)


def _archive(question: Question, change: Change) -> Fix:
    spoken = of_component(change.component)
    version = (change.after or "").partition(" ")[0]
    windows = question.system == "windows" and not question.environment.get("wsl")
    path = "PATH" if windows else "LD_LIBRARY_PATH"
    where = _DOWNLOADS.get(change.component, "https://developer.nvidia.com/downloads")
    if change.component in ("cuda", "cublas", "nvrtc"):
        part = "" if change.component == "cuda" else f" for its {spoken}, put its libraries behind the others in {path}"
        return Fix("manual", f"Install the CUDA toolkit {version} beside what is there{part}: {where}", needs_root=True)
    kind = "zip" if windows else "tar"
    text = f"Download {spoken} {version} ({kind}) from {where}, unpack it into an empty directory"
    return Fix("manual", f"{text} and put its libraries first in {path}.")
