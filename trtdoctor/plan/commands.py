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
from trtdoctor.plan.model import Change
from trtdoctor.plan.packages import KEYRING, keyring, packages_of
from trtdoctor.plan.pins import EXTRA_INDEX, Pin, pins_of
from trtdoctor.plan.question import Question
from trtdoctor.plan.search import Candidate
from trtdoctor.rules.releases import known_spec
from trtdoctor.versions import Version

VENV = ".venv"
"""Where another Python gets its packages."""
_DOWNLOADS = {
    "tensorrt": "https://developer.nvidia.com/tensorrt/download",
    "tensorrt-rtx": "https://developer.nvidia.com/tensorrt-rtx",
    "cuda": "https://developer.nvidia.com/cuda-toolkit-archive",
    "nvrtc": "https://developer.nvidia.com/cuda-toolkit-archive",
    "cublas": "https://developer.nvidia.com/cuda-toolkit-archive",
    "cudnn": "https://developer.nvidia.com/cudnn-archive",
}
_SPOKEN = {"tensorrt": "TensorRT", "tensorrt-rtx": "TensorRT for RTX", "cuda": "CUDA", "cudnn": "cuDNN"}


def pins(question: Question, candidate: Candidate) -> tuple[Pin, ...]:
    """Every Python distribution that the plan puts in place: those of the build, then those that changed."""
    build = candidate.weighed.build if candidate.weighed else None
    found = dict(pins_of(question.matrix, build, question.system)) if build is not None and build.way == "pip" else {}
    before = question.environment.get("packages", {})
    for name, version in candidate.environment.get("packages", {}).items():
        if before.get(name) != version and version != "unknown":
            found[name] = version
    return tuple(found.items())


def commands(question: Question, candidate: Candidate, only: frozenset[str] | None = None) -> tuple[Fix, ...]:
    """The steps that carry a candidate out; of ``only`` some kinds of change where those are named."""
    changes = tuple(change for change in candidate.changes if only is None or change.kind in only)
    kinds = {change.kind for change in changes}
    found: list[Fix] = []
    for change in _of(changes, "driver"):
        found += steps.fixes_for(Remedy("driver", "upgrade", f">={change.after}", change.why), question.machine)
    for change in _of(changes, "configure"):
        found += _configure(question, change)
    for change in _of(changes, "jetpack"):
        text = f"Flash or upgrade the module to {change.after}: https://developer.nvidia.com/embedded/jetpack-archive"
        found.append(Fix("manual", text, needs_root=True, needs_reboot=True))
    for change in _of(changes, "container"):
        found += run_image(str(change.after))
    found += _by_apt(question, candidate) if "apt" in kinds else ()
    found += _by_pip(question, candidate) if "pip" in kinds else ()
    for change in _of(changes, "archive"):
        found.append(_archive(question, change))
    for change in _of(changes, "change-code"):
        found.append(Fix("edit", f"In place of {change.before}: {change.after}."))
    if "rebuild-engine" in kinds:
        found.append(Fix("manual", "Build the engine again from its model, on the GPU that is to run it."))
    for change in _of(changes, "hardware"):
        found.append(Fix("manual", change.why))
    return tuple(found)


def _of(changes: Sequence[Change], kind: str) -> list[Change]:
    return [change for change in changes if change.kind == kind]


def _configure(question: Question, change: Change) -> Iterator[Fix]:
    if change.remedy is not None:
        yield from steps.fixes_for(change.remedy, question.machine)
    else:
        yield Fix("manual", f"Set {change.component}: {change.after}.")


# -- images ------------------------------------------------------------------------------------------------------------


def run_image(image: str) -> Iterator[Fix]:
    """Get an image and show that it sees the GPU."""
    quoted = shlex.quote(image)
    yield Fix("shell", f"docker pull {quoted}")
    yield Fix("shell", f"docker run --rm --gpus all {quoted} nvidia-smi")


# -- pip ---------------------------------------------------------------------------------------------------------------


def _by_pip(question: Question, candidate: Candidate) -> Iterator[Fix]:
    wanted = pins(question, candidate)
    gone = leftovers(question, candidate, wanted)
    own = next(iter(_of(candidate.changes, "python")), None)
    python = steps.python_of(question.machine)
    if own is not None and own.after is not None:
        minor = Version.parse(own.after).short(2)
        yield Fix("shell", f"python{minor} -m venv {VENV}")
        python = f"{VENV}/bin/python"
    elif gone:
        yield Fix("shell", f"{python} -m pip uninstall -y {' '.join(map(shlex.quote, gone))}")
    elsewhere = [(name, version) for name, version in wanted if "+" in version]
    plain = [pin for pin in wanted if pin not in elsewhere]
    if plain:
        yield Fix("shell", install(python, plain, extra=needs_extra_index(question.matrix, plain)))
    for name, version in elsewhere:
        yield Fix("manual", f"Install {name}=={version} from the project's own index for {version.partition('+')[2]}.")


def install(python: str, wanted: Sequence[Pin], *, extra: bool) -> str:
    """One pip command for all pins, so that the resolver sees them together."""
    option = f"--extra-index-url {EXTRA_INDEX} " if extra else ""
    return f"{python} -m pip install {option}{' '.join(shlex.quote(f'{name}=={version}') for name, version in wanted)}"


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
    if build is not None and build.way == "pip" and not gone:
        new = {name for name, _ in wanted}
        gone = [name for name in _implied(question, build) if name not in new]
    return tuple(gone)


def _implied(question: Question, build: Build) -> Iterator[str]:
    """The distributions that came with a TensorRT of which only version and flavour were stated."""
    for item in question.installed:
        if item.origin != "pip" or item.version is None:
            continue
        for row in tensorrt.releases(question.matrix, item.version, build.product):
            flavours = [item.flavour or row.text("default_flavour") or ""]
            for flavour in flavours:
                found = meta(question.matrix, row, flavour, build.product)
                if found is not None:
                    name, versions = found
                    old = Build(build.product, "pip", row, versions[0], flavour, name)
                    yield from (
                        part for part, _ in pins_of(question.matrix, old, question.system) if "tensorrt" in part
                    )


# -- apt and archives --------------------------------------------------------------------------------------------------


def apt_pins(question: Question, candidate: Candidate) -> tuple[Pin, ...]:
    """Every Debian package that the plan installs and holds."""
    build = candidate.weighed.build if candidate.weighed else None
    return packages_of(question, build) if build is not None and build.way == "apt" else ()


def _by_apt(question: Question, candidate: Candidate) -> Iterator[Fix]:
    """The repository, the exact versions, and the hold: of what is not named apt takes its highest version."""
    build = candidate.weighed.build if candidate.weighed else None
    wanted = apt_pins(question, candidate)
    if build is None or not wanted:
        for change in _of(candidate.changes, "apt"):
            yield Fix("manual", f"Install {_SPOKEN.get(change.component, change.component)} {change.after}.", True)
        return
    address = keyring(question.matrix, build)
    if address is not None:
        yield Fix("shell", f"curl -fsSL -o {KEYRING} {shlex.quote(address)}")
        yield Fix("shell", f"dpkg -i ./{KEYRING}", needs_root=True)
    yield Fix("shell", "apt-get update", needs_root=True)
    pairs = " ".join(shlex.quote(f"{name}={version}") for name, version in wanted)
    options = "-y --allow-downgrades --allow-change-held-packages"
    yield Fix("shell", f"apt-get install {options} {pairs}", needs_root=True)
    names = " ".join(shlex.quote(name) for name, _ in wanted)
    yield Fix("shell", f"apt-mark hold {names}", needs_root=True)


def _archive(question: Question, change: Change) -> Fix:
    spoken = _SPOKEN.get(change.component, change.component)
    version = (change.after or "").partition(" ")[0]
    windows = question.system == "windows" and not question.environment.get("wsl")
    path = "PATH" if windows else "LD_LIBRARY_PATH"
    kind = "zip" if windows else "tar"
    where = _DOWNLOADS.get(change.component, "https://developer.nvidia.com/downloads")
    if change.component == "cuda":
        return Fix("manual", f"Install the CUDA toolkit {version}, beside what is there: {where}", needs_root=True)
    text = f"Download {spoken} {version} ({kind}) from {where}, unpack it into an empty directory"
    return Fix("manual", f"{text} and put its libraries first in {path}.")
