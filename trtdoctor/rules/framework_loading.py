"""What the loader gives to frameworks and does not: shared by the FWK rules that judge files. No rule is here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trtdoctor.findings import FoundFact
from trtdoctor.matrix import libraries
from trtdoctor.record import record
from trtdoctor.rules.base import Context
from trtdoctor.rules.loaded_files import base
from trtdoctor.rules.processes import Process, is_tensorrt, processes
from trtdoctor.rules.releases import joined
from trtdoctor.snapshot import Copy, Missing
from trtdoctor.versions import Version

ONNXRUNTIME, TORCH, TORCH_TENSORRT, TENSORRT_LLM = "onnxruntime", "torch", "torch-tensorrt", "tensorrt-llm"
TENSORFLOW, TRITON = "tensorflow", "triton"
MODULES = {
    "onnxruntime": ONNXRUNTIME,
    "torch": TORCH,
    "torch_tensorrt": TORCH_TENSORRT,
    "tensorrt_llm": TENSORRT_LLM,
    "tensorflow": TENSORFLOW,
}
"""Python module to framework."""
_PLACES = (
    ("/tritonserver/", TRITON),
    ("/torch_tensorrt/", TORCH_TENSORRT),
    ("/tensorrt_llm/", TENSORRT_LLM),
    ("/torch/", TORCH),
    ("/tensorflow/", TENSORFLOW),
    ("onnxruntime", ONNXRUNTIME),
)
"""Part of a file's path to framework; the first that fits."""
TENSORRT_PROVIDER, CUDA_PROVIDER = "libonnxruntime_providers_tensorrt", "libonnxruntime_providers_cuda"
_MOST = 4
"""So many names stand in a sentence."""


@record
class Lack:
    """One library, or one symbol, that a framework asks for and does not get."""

    framework: str
    process: Process
    item: Missing
    component: str | None
    """Of the missing library; None when it is none of the stack's."""

    @property
    def text(self) -> str:
        """For a sentence: ``libcudnn.so.9``, or what is wrong with the file that is there."""
        name, detail = self.item.name, self.item.detail
        return {
            "undefined-symbol": f"the symbol {detail}",
            "symbol-version": f"{detail} in {name}",
            "executable-stack": f"{name} (it asks for an executable stack)",
            "truncated": f"{name} (the file is cut off)",
            "not-elf": f"{name} (the file is no library)",
            "unreadable": f"{name} (the file cannot be read)",
        }.get(self.item.problem, name)

    def found(self) -> FoundFact:
        """The missing library as a fact."""
        asker = base(self.item.needed_by) or self.process.importer
        how = "observed" if self.process.observed else "predicted"
        return FoundFact(f"{asker} needs", self.text, self.item.path or self.item.needed_by, f"loader, {how}")


def framework_of(process: Process) -> str | None:
    """The framework that a process stands for; None for TensorRT's own modules, programs and other files."""
    if not process.single:
        return None
    if process.kind == "import":
        return MODULES.get(process.importer)
    path = f"{process.path or ''}/{process.importer}" if process.kind == "file" else ""
    return next((name for word, name in _PLACES if word in path), None)


def lacks(context: Context, framework: str) -> tuple[Lack, ...]:
    """What a framework's processes ask for in vain, once for each file that asks.

    What the driver brings is left to the rules on drivers, what its user does without to nobody.
    """

    def make() -> dict[str, tuple[Lack, ...]]:
        found: dict[str, dict[tuple[str, str | None, str | None], Lack]] = {}
        own = _tensorrts_own(context)
        for process in processes(context):
            name = framework_of(process)
            for item in process.missing if name else ():
                if name is None or item.problem == "dependency" or item.swallowed:
                    continue
                if (item.name, item.needed_by) in own:
                    continue
                spec = libraries.identify(context.matrix, item.name)
                component = spec.component if spec else None
                if component == "driver":
                    continue
                key = (item.name, item.needed_by, item.detail)
                found.setdefault(name, {}).setdefault(key, Lack(name, process, item, component))
        return {name: tuple(items.values()) for name, items in found.items()}

    return context.remember("rules: what frameworks lack", make).get(framework, ())


def _tensorrts_own(context: Context) -> frozenset[tuple[str, str | None]]:
    """What TensorRT's own modules and programs lack in the same way: the LDR rules speak of that."""
    return frozenset(
        (item.name, item.needed_by)
        for process in processes(context)
        if process.single and is_tensorrt(context, process)
        for item in process.missing
    )


def askers(context: Context, lack: Lack) -> frozenset[str]:
    """The files of the same process, by name without version, that cannot be opened for want of this library."""
    found = {base(lack.item.needed_by).partition(".so")[0]}
    missing = lack.process.missing
    waiting = lack.item.name
    # What fails for want of something is told after it: the object that was opened last of all.
    for item in missing[missing.index(lack.item) + 1 :] if lack.item in missing else ():
        if item.problem == "dependency":
            found.add(item.name.partition(".so")[0])
            break
    found |= {
        item.name.partition(".so")[0] for item in missing if item.problem == "dependency" and item.detail == waiting
    }
    return frozenset(found)


def needs_by_file(context: Context, component: str) -> tuple[int, FoundFact] | None:
    """The major of a component that onnxruntime's providers here ask for by name; None when their files do not say.

    A version that two builds share cannot tell what its files can.
    """
    majors: dict[int, FoundFact] = {}
    for process in processes(context):
        if framework_of(process) != ONNXRUNTIME:
            continue
        for name, asker in _asked(process):
            stem = base(asker).partition(".so")[0]
            spec = libraries.identify(context.matrix, name) if stem in (TENSORRT_PROVIDER, CUDA_PROVIDER) else None
            version = Version.maybe(spec.version) if spec else None
            wanted = ("cuda", "cublas") if component == "cuda" else (component,)
            if spec is not None and version is not None and spec.component in wanted:
                majors.setdefault(version.major, FoundFact(f"{base(asker)} needs", name, asker, "loader"))
    return majors.popitem() if len(majors) == 1 else None


def all_found(context: Context, *components: str) -> bool:
    """Whether onnxruntime's providers were followed, and nothing of these components was lacking for them.

    What they link may then be another build than its version says, but it is here.
    """
    looked = [process for process in processes(context) if framework_of(process) == ONNXRUNTIME and _followed(process)]
    lacking = {item.component for item in lacks(context, ONNXRUNTIME)}
    return bool(looked) and lacking.isdisjoint(components)


def _followed(process: Process) -> bool:
    """Whether both providers, or the one for CUDA, were opened: with success, or in vain."""
    names = {base(item.path) for item in process.loaded} | {item.name for item in process.missing}
    return any(name.partition(".so")[0] == CUDA_PROVIDER for name in names)


def _asked(process: Process) -> Iterator[tuple[str, str | None]]:
    yield from ((item.soname, item.needed_by) for item in process.loaded if item.soname)
    yield from ((item.name, item.needed_by) for item in process.missing)


def copies_for(context: Context, lack: Lack) -> list[Copy]:
    """Usable copies on disk that would answer to the missing name, though the loader does not find them."""
    spec = libraries.identify(context.matrix, lack.item.name)
    version = Version.maybe(spec.version) if spec else None
    if spec is None or version is None:
        return []
    found: dict[str, Copy] = {}
    for copy in context.snapshot.copies:
        if copy.name != spec.name or copy.problem is not None or copy.role == "header" or not copy.path:
            continue
        there = Version.maybe(copy.version)
        if copy.soname == lack.item.name or (
            copy.soname is None and there is not None and there.major == version.major
        ):
            found.setdefault(copy.realpath or copy.path, copy)
    return list(found.values())


def listed(items: Iterable[Lack]) -> str:
    """Several for a sentence: ``libcublas.so.12, libcudnn.so.9 and 3 more``."""
    words = list(dict.fromkeys(item.text for item in items))
    return joined(words if len(words) <= _MOST else [*words[: _MOST - 1], f"{len(words) - _MOST + 1} more"])
