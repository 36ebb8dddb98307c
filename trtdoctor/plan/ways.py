"""What an environment becomes when a build is put into it: one function a way of installing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trtdoctor.matrix import cuda, tensorrt
from trtdoctor.plan.builds import Build
from trtdoctor.plan.driver import raise_driver
from trtdoctor.plan.environment import Environment, copied, drop_packages, entries, packages, put
from trtdoctor.plan.fit import Weighed, is_own, mixed
from trtdoctor.plan.model import Change
from trtdoctor.plan.packages import packages_of, toolkit_of
from trtdoctor.plan.pins import pins_of
from trtdoctor.plan.question import Question
from trtdoctor.rules.releases import known_spec
from trtdoctor.versions import Answer, Version

_LOOSE = ("pip", "unknown")
"""Origins of what gives way to a wheel; what a package manager or an archive brought stays on disk beside it."""
_OF_IMAGE = ("tensorrt", "cuda", "cudnn", "cublas", "nvrtc", "python", "glibc", "packages", "loader")
"""What an image decides."""


def applied(question: Question, weighed: Weighed) -> tuple[Environment, list[Change]]:
    """The environment with the build in it and with the driver and the Python that it needs, and what changed."""
    environment = copied(question.environment)
    build = weighed.build
    makers: dict[str, Callable[[Question, Build, Environment], list[Change]]] = {
        "pip": _by_pip,
        "apt": _by_apt,
        "container": _by_image,
        "jetpack": _by_jetpack,
        "archive": _by_archive,
    }
    changes = makers[build.way](question, build, environment)
    if weighed.python is not None and not changes:  # the same TensorRT, in another Python
        changes.append(Change("tensorrt", None, f"{build.version} (pip-{build.flavour})", "pip", "it has none yet"))
    if weighed.python is not None:
        unmet = question.unmet("python", question.python) if question.python is not None else None
        why = f"{unmet} is required" if unmet is not None else "has a wheel of it"
        changes.append(Change("python", environment.get("python"), weighed.python, "python", why))
        environment["python"] = weighed.python
    if weighed.driver is not None:
        changes.append(raise_driver(question, environment, weighed.driver.floor, weighed.driver.why))
    return environment, changes


def spoken(entry: Mapping[str, object]) -> str:
    """``10.9.0.34 (pip-cu12)``, ``lean 10.16.1.11 (pip)``."""
    origin, product = entry.get("from"), entry.get("product")
    head = f"{product} " if product in ("lean", "dispatch") else ""
    tail = f" ({origin})" if origin not in (None, "unknown") else ""
    return f"{head}{entry.get('version') or 'version unknown'}{tail}"


def before(environment: Environment, component: str, product: str | None = None) -> str | None:
    """What is there of a component, in words."""
    found = [
        entry
        for entry in entries(environment, component)
        if product is None
        or entry.get("product", "full") in (product, *(("lean", "dispatch") if product == "full" else ()))
    ]
    return " and ".join(map(spoken, found)) or None


def _tensorrt_before(question: Question, environment: Environment, product: str) -> str | None:
    """The TensorRT that is there; of one that only distributions or an image tell of, its version."""
    present = question.present
    return before(environment, "tensorrt", product) or (str(present) if present is not None else None)


def _by_pip(question: Question, build: Build, environment: Environment) -> list[Change]:
    product = build.product
    old = _tensorrt_before(question, environment, product)
    drop_packages(environment, question.matrix, ("tensorrt",), product)
    entry = {"version": build.version.text, "from": f"pip-{build.flavour}"}
    if product != "full":
        entry["product"] = product
    put(environment, "tensorrt", entry, instead_of=(*_LOOSE, "conda"))
    changes = [Change("tensorrt-rtx" if product == "rtx" else "tensorrt", old, spoken(entry), "pip")]
    if old == spoken(entry):
        why = "it is of another release than the rest"
        changes = [
            Change(f"package:{name}", have, version, "pip", why) for name, have, version in mixed(question, build)
        ]
    named = packages(environment)
    for name, version in pins_of(question.matrix, build, question.system):
        named[name] = version
        spec = known_spec(question.matrix, name)
        if spec is not None and spec.component == "cuda":
            put(environment, "cuda", {"version": version, "from": "pip"}, instead_of=("pip",))
        elif spec is not None and spec.component in ("cudnn", "cublas", "nvrtc"):
            changes += bring(question, environment, spec.component, version)
    return changes


def bring(question: Question, environment: Environment, component: str, version: str) -> list[Change]:
    """Put a CUDA library from a wheel in place; a change only where another one was used so far."""
    old = before(environment, component)
    there = entries(environment, component)
    put(environment, component, {"version": version, "from": "pip"}, instead_of=("pip",))
    same = [entry for entry in there if entry.get("version") == version]
    return [Change(component, old, f"{version} (pip)", "pip")] if there and not same else []


def _by_image(question: Question, build: Build, environment: Environment) -> list[Change]:
    image = build.name
    old = environment.get("container", {}).get("image") or before(environment, "tensorrt", "full")
    for key in _OF_IMAGE:
        environment.pop(key, None)
    environment["container"] = {"image": image, "gpu_access": True}
    system = build.place.text("ubuntu") if build.place is not None else None
    if system is not None:
        environment["os"] = f"ubuntu-{system}"
    python = build.place.text("python") if build.place is not None else None
    if python is not None:
        environment["python"] = python
    return [Change("container", old, image, "container")]


def _by_jetpack(question: Question, build: Build, environment: Environment) -> list[Change]:
    old, row, own = environment.get("os"), build.place, is_own(question, build)
    gone = ("packages", "glibc", "loader") if not own else ()
    for key in ("tensorrt", "cuda", "cudnn", "cublas", "nvrtc", *gone):
        environment.pop(key, None)
    for component in ("tensorrt", "cuda", "cudnn"):
        version = row.text(component) if row is not None else None
        if version is not None:
            environment[component] = [{"version": version, "from": "jetpack"}]
    if own:
        return [Change("tensorrt", None, f"{build.version} (jetpack)", "apt", f"JetPack {build.name} has it")]
    environment["os"] = f"jetpack-{build.name}"
    python = row.text("python") if row is not None else None
    if python is not None:
        environment["python"] = python
    return [Change("jetpack", old, f"JetPack {build.name}", "jetpack", f"brings TensorRT {build.version}")]


def _by_apt(question: Question, build: Build, environment: Environment) -> list[Change]:
    old = _tensorrt_before(question, environment, "full")
    entry = {"version": build.version.text, "from": "apt"}
    put(environment, "tensorrt", entry, instead_of=("apt", "unknown"))
    toolkit = toolkit_of(question.matrix, build)
    if toolkit is not None:
        put(environment, "cuda", {"version": str(toolkit), "from": "apt"}, instead_of=("apt",))
    changes = [Change("tensorrt", old, spoken(entry), "apt")]
    need = tensorrt.cudnn(build.row)
    named = [version for name, version in packages_of(question, build) if name.startswith("libcudnn")]
    if need.need == "required" and named:
        version = named[0].partition("-")[0]
        there = before(environment, "cudnn")
        put(environment, "cudnn", {"version": version, "from": "apt"}, instead_of=("apt", "unknown"))
        changes += [Change("cudnn", there, f"{version} (apt)", "apt")] if there else []
    return changes


def _by_archive(question: Question, build: Build, environment: Environment) -> list[Change]:
    old = _tensorrt_before(question, environment, build.product)
    kind = "zip" if question.system == "windows" and not environment.get("wsl") else "tar"
    entry = {"version": build.version.text, "from": kind}
    if build.product != "full":
        entry["product"] = build.product
    after = f"{build.version.text} ({kind}, CUDA {build.flavour[2:]})"
    put(environment, "tensorrt", entry, instead_of=("tar", "zip", "unknown", "pip", "conda"))
    drop_packages(environment, question.matrix, ("tensorrt",), build.product)
    return [
        Change("tensorrt-rtx" if build.product == "rtx" else "tensorrt", old, after, "archive"),
        *_system_cuda(question, build, environment),
    ]


def _system_cuda(question: Question, build: Build, environment: Environment) -> list[Change]:
    """The CUDA toolkit that a TensorRT from an archive is used with, where none of its major is there.

    The one that the build was made with, or a newer minor where the GPU needs it.
    """
    major = int(build.flavour[2:])
    there = [Version.maybe(entry.get("version")) for entry in entries(environment, "cuda")]
    floors = [tensorrt.cuda_floor(build.row, item, build.flavour) for item in question.capabilities]
    needed = [Version.parse(str(fact.value)) for fact in floors if fact is not None]
    least = max(needed, key=Version.sort_key, default=None)
    fits = [
        version
        for version in there
        if version and version.major == major and (least is None or version.at_least(least) is not Answer.NO)
    ]
    if fits or not there:
        return []  # nobody said which CUDA there is: the plan names what it needs
    built = tensorrt.built_with(build.row, build.flavour)
    wanted = Version.maybe(built.value) if built else None
    if wanted is None or (least is not None and wanted.below(least) is Answer.YES):
        wanted = least or Version.parse(str(major))
    rows = cuda.toolkits(question.matrix, wanted)
    version = rows[0].key if rows else str(wanted)
    old = before(environment, "cuda")
    put(environment, "cuda", {"version": version, "from": "runfile"})
    return [Change("cuda", old, version, "archive", f"{build.label} is built for CUDA {major}")]
