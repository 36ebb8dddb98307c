"""What processes really get from the loader, as the LDR rules look at it. No rule is registered here.

A prediction and an observation of one importer are one process here: what was seen counts, and the prediction adds what
an import alone does not show (libraries that are opened only on use) and by which step of the search each was found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from trtdoctor.findings import FoundFact, Severity
from trtdoctor.matrix import Matrix, libraries
from trtdoctor.record import record
from trtdoctor.rules.base import Context
from trtdoctor.rules.releases import known_spec, tensorrt_distributions
from trtdoctor.rules.windows_path import foretold
from trtdoctor.snapshot import Copy, Distribution, Loaded, Loading, Missing
from trtdoctor.versions import Version

FULL = frozenset({"tensorrt", "tensorrt_bindings", "trtexec"})
"""Importers that use the same libraries: one that works shows that they are there."""
SPOKEN = {
    "tensorrt": "TensorRT",
    "cudnn": "cuDNN",
    "cublas": "cuBLAS",
    "cuda": "the CUDA runtime",
    "nvrtc": "NVRTC",
    "nvjitlink": "nvJitLink",
}
NUMBERED_LIKE_CUDA = ("cuda", "cublas", "nvrtc", "nvjitlink")
"""Components whose major is the CUDA major that they belong to."""
_UNUSABLE = frozenset({"not-elf", "truncated", "unreadable"})
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*\(?([^;()]*)\)?\s*(?:;(.*))?")
_PIN = re.compile(r"==\s*([0-9][0-9A-Za-z.+]*?)(?:\.\*)?\s*")


@record
class Process:
    """What one importer gets: observed where somebody looked, predicted otherwise."""

    importer: str
    names: tuple[str, ...]
    """``("torch", "tensorrt")`` for ``torch, tensorrt``."""
    kind: str
    outcome: str
    error: str | None
    path: str | None
    owner: str | None
    observed: bool
    seen: frozenset[str]
    """Real paths of what was seen in the process; what is loaded beside it was only predicted."""
    loaded: tuple[Loaded, ...]
    missing: tuple[Missing, ...]

    @property
    def single(self) -> bool:
        """Whether it is one importer, not several in an order."""
        return len(self.names) == 1

    @property
    def where(self) -> str | None:
        """What is loaded: the package, the program, the file."""
        return self.path or self.owner


def processes(context: Context) -> tuple[Process, ...]:
    """Every importer once, in the order of the Snapshot."""
    return context.remember("processes", lambda: tuple(_processes(context)))


def pairs(loadings: Iterable[Loading]) -> Iterator[tuple[Loading | None, Loading | None]]:
    """Prediction and observation of each importer; one of them may be lacking."""
    found: dict[tuple[str, str], dict[str, Loading]] = {}
    for item in loadings:
        found.setdefault((item.importer, item.kind), {}).setdefault(item.method, item)
    for ways in found.values():
        yield ways.get("predicted"), ways.get("observed")


def _processes(context: Context) -> Iterator[Process]:
    for predicted, observed in pairs((*context.snapshot.loadings, *foretold(context))):
        first = observed or predicted
        if first is None:
            continue  # a method that this reader does not know
        ways = [item for item in (observed, predicted) if item is not None]
        loaded, missing = _together(predicted, observed)
        yield Process(
            importer=first.importer,
            names=tuple(first.importer.split(", ")),
            kind=first.kind,
            outcome=first.outcome,
            error=first.error,
            path=next((item.path for item in ways if item.path), None),
            owner=next((item.owner for item in ways if item.owner), None),
            observed=observed is not None,
            seen=frozenset(place(item) for item in observed.loaded) if observed else frozenset(),
            loaded=loaded,
            missing=missing,
        )


def _together(predicted: Loading | None, observed: Loading | None) -> tuple[tuple[Loaded, ...], tuple[Missing, ...]]:
    if observed is None or predicted is None:
        only = observed or predicted
        return (only.loaded, only.missing) if only else ((), ())
    steps = {place(item): item for item in predicted.loaded}
    loaded = [_with_step(item, steps.get(place(item))) for item in observed.loaded]
    seen = {item.library for item in observed.loaded}
    loaded += [item for item in predicted.loaded if item.lazy and item.library not in seen]
    got = {name for item in observed.loaded for name in (item.soname, base(item.path), base(item.realpath)) if name}
    told = {item.name for item in observed.missing}
    # A process that came through refutes what was foretold to stop it.
    kept = [
        item
        for item in predicted.missing
        if item.name not in told | got and (observed.outcome != "ok" or item.lazy or item.swallowed)
    ]
    return tuple(loaded), (*observed.missing, *kept)


def _with_step(item: Loaded, foretold: Loaded | None) -> Loaded:
    if foretold is None or item.step is not None:
        return item
    asked = foretold.soname or item.soname
    return replace(item, step=foretold.step, entry=foretold.entry, needed_by=foretold.needed_by, soname=asked)


# -- paths and files -------------------------------------------------------------------------------------------------


def base(path: str | None) -> str:
    """The file name of a path, of Windows too."""
    return (path or "").replace("\\", "/").rpartition("/")[2]


def folder(path: str | None) -> str:
    """The directory of a path, of Windows too."""
    text = path or ""
    return text[: max(text.rfind("/"), text.rfind("\\"), 0)]


def place(item: Loaded | Copy) -> str:
    """The real path of a file, else the path by which it was found."""
    return item.realpath or item.path or ""


def copy_of(context: Context, item: Loaded) -> Copy | None:
    """The copy on disk that was loaded, as the libraries' probe found it."""

    def index() -> dict[str, Copy]:
        found: dict[str, Copy] = {}
        for copy in context.snapshot.copies:
            for path in (copy.realpath, copy.path):
                if path:
                    found.setdefault(path, copy)
        return found

    copies = context.remember("copies by path", index)
    return copies.get(item.realpath or "") or copies.get(item.path or "")


def version_of(context: Context, item: Loaded) -> Version | None:
    """The version of what was loaded: of the copy on disk, else what its file name tells beyond the first number."""
    copy = copy_of(context, item)
    if copy is not None:
        return Version.maybe(copy.version)
    for path in (item.realpath, item.path):
        spec = identify(context.matrix, base(path))
        version = Version.maybe(spec.version) if spec else None
        if version is not None and len(version.parts) > 1:
            return version
    return None


def identify(matrix: Matrix, name: str) -> libraries.LibrarySpec | None:
    """What a library is by its file name, remembered: the same few names are asked for over and over."""
    return matrix.remember(("rules: library", name), lambda: libraries.identify(matrix, name))


def spec_of(matrix: Matrix, item: Loaded) -> libraries.LibrarySpec | None:
    """What a loaded library is, told by its names."""
    for name in (item.soname, base(item.path), base(item.realpath)):
        spec = identify(matrix, name) if name else None
        if spec is not None:
            return spec
    return None


def major_of(context: Context, item: Loaded) -> int | None:
    """The major in a library's soname or file name; None when neither has one."""
    spec = spec_of(context.matrix, item)
    version = Version.maybe(spec.version) if spec else None
    return version.major if version else None


def component_of(context: Context, item: Loaded) -> str | None:
    """``cudnn``, ``cublas``, …; None for a library that is none of the stack's."""
    copy = copy_of(context, item)
    if copy is not None and copy.component:
        return copy.component
    spec = spec_of(context.matrix, item)
    return spec.component if spec else None


def alike(context: Context, item: Loaded) -> list[Copy]:
    """The other usable copies of a loaded library that would answer to the same name."""
    major = major_of(context, item)

    def index() -> dict[str, list[Copy]]:
        by_name: dict[str, list[Copy]] = {}
        for copy in context.snapshot.copies:
            if copy.name and copy.role != "header" and copy.problem is None and copy.path:
                by_name.setdefault(copy.name, []).append(copy)
        return by_name

    found: dict[str, Copy] = {}
    for copy in context.remember("copies by name", index).get(item.library, ()):
        if copy.soname and item.soname and copy.soname != item.soname:
            continue  # such as what auditwheel renamed: it answers to its own name alone
        other = Version.maybe(copy.version)
        if place(copy) != place(item) and major is not None and other is not None and other.major == major:
            found.setdefault(place(copy), copy)
    return list(found.values())


def three(version: Version) -> Version:
    """The first three numbers, which name a release."""
    return Version.parse(version.short(3))


# -- importers ---------------------------------------------------------------------------------------------------------


def is_tensorrt(context: Context, process: Process) -> bool:
    """Whether it is TensorRT's own module or program, not a framework on top of it."""

    def make() -> frozenset[str]:
        rows = context.matrix.rows("distributions", "distributions")
        ours = [row for row in rows if row.text("component") in ("tensorrt", "tensorrt-rtx")]
        return frozenset(name for row in ours for name in row.get("imports").value or () if isinstance(name, str))

    modules = context.matrix.remember("rules: modules of TensorRT", make)
    if process.kind == "import":
        return all(name in modules for name in process.names)
    return process.importer == "trtexec"


def stands_alone(context: Context, process: Process) -> bool:
    """Whether a process is judged by the LDR rules on missing libraries: TensorRT's own, or a file that was named."""
    return process.single and (is_tensorrt(context, process) or (process.kind == "file" and not _framework(process)))


def _framework(process: Process) -> bool:
    """A file of a framework's package; rules of family FWK speak for those."""
    path = process.path or process.importer
    return any(word in path for word in ("onnxruntime", "torch", "triton", "tensorrt_llm", "tensorflow"))


def works(process: Process) -> bool:
    """Whether nothing is known to stop it."""
    return process.outcome in ("ok", "unknown") and not any(stops(item) for item in process.missing)


def stops(item: Missing) -> bool:
    """Whether whoever asks for it fails at once."""
    return not item.lazy and not item.swallowed


def severity_of_failure(context: Context, process: Process) -> Severity:
    """How bad it is that an importer cannot start: an error unless another way to the same TensorRT works."""
    if process.kind == "file" or (process.kind == "import" and context.wants("python")):
        return Severity.ERROR
    if process.kind == "program" and context.wants("cpp"):
        return Severity.ERROR
    names = FULL if process.importer in FULL else frozenset({process.importer})
    others = (item for item in processes(context) if item.single and item.importer in names and item is not process)
    return Severity.WARNING if any(works(item) for item in others) else Severity.ERROR


def distribution_of(context: Context, process: Process) -> Distribution | None:
    """The distribution that brought the importer, where the judged Python has it."""
    name = (process.owner or "").partition(" ")[0]
    return context.stack.distributions.get(name)


def made_for(context: Context, process: Process) -> Version | None:
    """The TensorRT release that an importer of TensorRT's was made for: that of its bindings, else of its owner."""
    if process.kind == "import":
        product = {"tensorrt_lean": "lean", "tensorrt_dispatch": "dispatch", "tensorrt_rtx": "rtx"}.get(
            process.importer, "full"
        )
        of_bindings = {
            Version.maybe(dist.version)
            for dist, spec in tensorrt_distributions(context)
            if spec.product == product and spec.part.endswith("bindings") and dist.has_libraries is not False
        }
        if len(of_bindings) == 1:
            return of_bindings.pop()
    name, _, version = (process.owner or "").partition(" ")
    return Version.maybe(version) if "tensorrt" in name or "nvinfer" in name else None


def requirements(dist: Distribution, *, extras: bool = False) -> dict[str, Version | None]:
    """What a distribution requires, by normalised name, with the version that it pins; of extras only where asked."""
    found: dict[str, Version | None] = {}
    for text in dist.requires:
        match = _REQUIREMENT.fullmatch(text)
        if match is None or ("extra" in (match[3] or "") and not extras):
            continue
        pin = _PIN.fullmatch(match[2].strip())
        found[re.sub(r"[-_.]+", "-", match[1]).lower()] = Version.maybe(pin[1]) if pin else None
    return found


def _brought_along(context: Context, dist: Distribution) -> dict[str, Version | None]:
    """All that a distribution requires, with what those require in turn that are installed: torch's cuda-toolkit."""
    found = requirements(dist)
    waiting = list(found)
    while waiting:
        inner = context.stack.distributions.get(waiting.pop())
        for name, version in requirements(inner, extras=True).items() if inner is not None else ():
            if name not in found:
                found[name] = version
                waiting.append(name)
    return found


def brought_for(context: Context, process: Process, item: Loaded) -> tuple[Version, str, Copy | None] | None:
    """What a Python importer was to get instead: the version, in words whence, and the file where there is one.

    That is the library of this name of a wheel that the importer's own requires, else the version that it pins.
    """
    dist = distribution_of(context, process)
    component = component_of(context, item)
    if dist is None or component is None or process.kind != "import":
        return None
    mine = copy_of(context, item)
    if mine is not None and (mine.owner or "").partition(" ")[0] in context.stack.distributions:
        return None  # it comes from a wheel of this Python
    wanted = context.remember(f"brought along by {dist.name}", lambda: _brought_along(context, dist))
    for copy in alike(context, item):
        name = (copy.owner or "").partition(" ")[0]
        version = Version.maybe(copy.version)
        if name in wanted and name in context.stack.distributions and version is not None:
            return version, f"its wheel {name}", copy
    for name, pinned in wanted.items():
        spec = known_spec(context.matrix, name)
        fits = spec is not None and spec.component == component
        if fits and pinned is not None and pinned.major == major_of(context, item):
            return pinned, f"its pin {name}=={pinned}", None
    return None


# -- words -------------------------------------------------------------------------------------------------------------


def named(process: Process) -> str:
    """An importer in a sentence: ``tensorrt``, ``torch, tensorrt`` (imported in this order), ``trtexec``."""
    text = base(process.importer) if process.kind == "file" else process.importer
    return text if len(text) <= 40 else f"{text[:39]}…"


def step_of(item: Loaded) -> str:
    """The step of the search that led to a library, for a sentence."""
    entry = f" ({item.entry})" if item.entry else ""
    return {
        "preloaded": "opened by path before it was asked for",
        "path": "asked for by path",
        "rpath": f"by RPATH{entry}",
        "runpath": f"by RUNPATH{entry}",
        "ld_library_path": f"by LD_LIBRARY_PATH{entry}",
        "ld.so.cache": "by the cache of ldconfig",
        "default": "in the loader's own directories",
        "windows-path": f"by PATH{entry}",
    }.get(item.step or "", "seen in the process")


def path_of(item: Loaded) -> str:
    """The path of a loaded library as the loader found it, for a sentence."""
    return item.path or item.realpath or "a file of unknown place"


def loaded_fact(context: Context, process: Process, item: Loaded) -> FoundFact:
    """A loaded library as a fact: who gets it, its version, its file and the step."""
    version = version_of(context, item)
    value = f"{item.library} {version or '(version unknown)'}, {step_of(item)}"
    return FoundFact(f"{named(process)} gets", value, item.path or item.realpath, "loader")


def who_gets(context: Context, library: str) -> str:
    """Who gets which copy of a library and by which step, in sentences; empty where nobody looked."""
    found = []
    for process in processes(context):
        for item in process.loaded if process.single else ():
            if item.library == library:
                version = version_of(context, item) or "one of unknown version"
                found.append(f"{named(process)} gets {version} from {folder(path_of(item))}, {step_of(item)}.")
    return " ".join(found[:4])


def copy_fact(copy: Copy, key: str = "also there") -> FoundFact:
    """A copy that loses, as a fact."""
    owner = f" ({copy.owner})" if copy.owner else ""
    return FoundFact(key, f"{copy.name} {copy.version or '(version unknown)'}{owner}", copy.path, "libraries")


def short_place(path: str | None, width: int = 36) -> str:
    """A directory for a title; the end of a long one."""
    text = folder(path)
    return text if len(text) <= width else f"…{text[1 - width :]}"


def spoken(component: str | None) -> str:
    """A component in a sentence."""
    return SPOKEN.get(component or "", component or "the library")


def first_of(items: Iterable[str | None]) -> str | None:
    """The first that is there."""
    return next((item for item in items if item), None)


def for_want_of_driver(context: Context, process: Process, item: Missing) -> bool:
    """Whether a library fails only because the driver's own are not there, of which family DRV speaks."""
    lacking = {other.name: other for other in process.missing}
    for _ in range(len(lacking) + 1):
        spec = identify(context.matrix, item.name)
        if spec is not None and spec.component == "driver":
            return True
        if item.problem != "dependency" or not item.detail:
            return False
        item = lacking.get(item.detail, Missing(item.detail))
    return False


def unusable(item: Missing) -> bool:
    """Whether the search stopped at a file that is no library."""
    return item.problem in _UNUSABLE
