"""Frameworks whose libraries ask the loader for what it does not find: named before any import fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from trtdoctor.findings import Remedy, Severity
from trtdoctor.matrix import libraries
from trtdoctor.rules.base import MAX_TITLE, Context, Problem, rule
from trtdoctor.rules.framework_loading import (
    CUDA_PROVIDER,
    ONNXRUNTIME,
    TENSORFLOW,
    TENSORRT_LLM,
    TENSORRT_PROVIDER,
    TORCH,
    TORCH_TENSORRT,
    TRITON,
    Lack,
    askers,
    copies_for,
    lacks,
    listed,
)
from trtdoctor.rules.frameworks_found import ONNXRUNTIME as ONNXRUNTIME_GPU
from trtdoctor.rules.frameworks_found import find, is_meant
from trtdoctor.rules.loaded_files import folder
from trtdoctor.rules.loader_words import copy_fact
from trtdoctor.rules.processes import processes
from trtdoctor.stack import ABSENT
from trtdoctor.versions import Version

_FACTS = 6


@rule(
    "FWK701",
    "onnxruntime-tensorrt-provider-falls-back",
    severity=Severity.ERROR,
    components=("onnxruntime", "tensorrt"),
    silenced_by=("FWK101", "FWK102", "FWK103"),
)
def tensorrt_provider(context: Context) -> Iterable[Problem]:
    """The TensorRT provider of onnxruntime cannot be loaded, because a library that it needs is not found.

    Why it matters: get_available_providers() lists what onnxruntime was built with, not what can be loaded. A session
    that asks for the TensorRT provider goes on with CUDA or the CPU, several times slower, with one line in the log.

    Example: onnxruntime-gpu 1.22.0 with TensorRT from pip: its folder tensorrt_libs is no directory that the loader
    searches, so libnvinfer.so.10 is not found unless tensorrt is imported first.

    How to fix: Make the libraries findable: import tensorrt before the session is created where pip brought it, else
    put its lib directory on LD_LIBRARY_PATH. Then compare session.get_providers() with what was asked for.

    Sources: onnxruntime_trt_ep, onnxruntime_gpu_wheels, https://github.com/roboflow/inference/issues/2306
    """
    every = lacks(context, ONNXRUNTIME)
    mine = [item for item in every if TENSORRT_PROVIDER in askers(context, item)]
    others = {(item.item.name, item.item.detail) for item in every if CUDA_PROVIDER in askers(context, item)}
    mine = [item for item in mine if (item.item.name, item.item.detail) not in others and not _of_cuda(item)]
    if not mine:
        return
    ways = {item.item.name: copies_for(context, item) for item in mine if item.item.problem == "not-found"}
    found = [copies[0] for copies in ways.values() if copies]
    somewhere = len(ways) == len(mine) and all(ways.values())
    meant = is_meant(context, "onnxruntime")
    remedy = _provider_remedy(context, mine, [folder(copy.path) for copy in found], somewhere)
    if somewhere:
        severity = Severity.WARNING  # code that imports tensorrt first, or opens them itself, gets them
    elif meant:
        severity = Severity.ERROR
    else:
        severity = Severity.INFO if context.stack.state("tensorrt") == ABSENT else Severity.WARNING
    label = _label(mine[0])
    yield Problem(
        severity,
        f"The TensorRT provider of {label} does not get {listed(mine)}"[:MAX_TITLE],
        breaks="It cannot be loaded: sessions that ask for it go on with CUDA or the CPU, and say so in one log line.",
        detail="get_available_providers() lists it all the same: that says what onnxruntime was built with.",
        facts=(*(item.found() for item in mine[:_FACTS]), *(copy_fact(copy) for copy in found[:2])),
        remedy=remedy,
        components=_components(context, ONNXRUNTIME, mine),
    )


@rule(
    "FWK702",
    "onnxruntime-cuda-provider-falls-back",
    severity=Severity.ERROR,
    components=("onnxruntime", "cuda"),
    silenced_by=("FWK102", "FWK103"),
)
def cuda_provider(context: Context) -> Iterable[Problem]:
    """The CUDA provider of onnxruntime cannot be loaded, because CUDA's libraries are not found.

    Why it matters: Both GPU providers need them. The session then runs on the CPU, and only a line in the log says so.
    Wheels of CUDA and cuDNN in the same Python are not searched by themselves.

    Example: onnxruntime-gpu 1.31.1 with nvidia-cublas by pip: libcublasLt.so.13 is not found, until
    onnxruntime.preload_dlls() is called or torch of the same CUDA is imported first.

    How to fix: pip install "onnxruntime-gpu[cuda,cudnn]" and call onnxruntime.preload_dlls() before the first session;
    or install the CUDA toolkit and cuDNN of that major on the system.

    Sources: onnxruntime_gpu_wheels, onnxruntime_loading
    """
    mine = [
        item
        for item in lacks(context, ONNXRUNTIME)
        if CUDA_PROVIDER in askers(context, item) or (TENSORRT_PROVIDER in askers(context, item) and _of_cuda(item))
    ]
    if not mine:
        return
    ways = {item.item.name: copies_for(context, item) for item in mine if item.item.problem == "not-found"}
    missing = [item for item in mine if not ways.get(item.item.name) and item.component is not None]
    found = [copies[0] for copies in ways.values() if copies]
    in_wheels = bool(found) and not missing and all(copy.origin == "pip" for copy in found)
    meant = is_meant(context, "onnxruntime")
    if in_wheels:
        severity = Severity.WARNING if meant else Severity.INFO  # one call in the user's code decides
    else:
        severity = Severity.ERROR if meant and missing else Severity.WARNING
    yield Problem(
        severity,
        f"{_label(mine[0])} does not get {listed(mine)}"[:MAX_TITLE],
        breaks="Neither its CUDA nor its TensorRT provider loads: sessions run on the CPU, and say so in one log line.",
        detail="The wheels hold them, but the loader does not search there by itself." if in_wheels else "",
        facts=(*(item.found() for item in mine[:_FACTS]), *(copy_fact(copy) for copy in found[:2])),
        remedy=_cuda_remedy(context, in_wheels, [folder(copy.path) for copy in found] if not missing else []),
        components=_components(context, ONNXRUNTIME, mine),
    )


@rule(
    "FWK703",
    "torch-libraries-not-found",
    severity=Severity.ERROR,
    components=("torch", "loader"),
    silenced_by=("FWK201",),
)
def torch_libraries(context: Context) -> Iterable[Problem]:
    """A library that PyTorch needs is not found, or has not got what PyTorch asks of it.

    Why it matters: import torch stops, and with it everything that is built on torch.

    Example: torch 2.7.1+cu126 without nvidia-cudnn-cu12: libcudnn.so.9: cannot open shared object file.

    How to fix: Install torch again with the CUDA wheels that it pins.

    Sources: torch_init, package_index
    """
    yield from _stopped(context, TORCH, "import torch")


@rule(
    "FWK704",
    "torch-tensorrt-libraries-not-found",
    severity=Severity.ERROR,
    components=("torch-tensorrt", "tensorrt", "torch"),
    silenced_by=("FWK301", "FWK303", "FWK703"),
)
def torch_tensorrt_libraries(context: Context) -> Iterable[Problem]:
    """A library that Torch-TensorRT needs is not found, or a symbol that it needs is in none of those that it gets.

    Why it matters: libtorchtrt.so links libnvinfer of one major and torch's C++ interface of one minor. Without either
    import torch_tensorrt stops.

    Example: libtorchtrt.so: undefined symbol _ZNK3c105Error4whatEv, with a torch that it was not built for.

    How to fix: Install torch, torch-tensorrt and TensorRT as the metadata of torch-tensorrt pins them.

    Sources: torch_tensorrt_init, https://github.com/pytorch/TensorRT/issues/3031
    """
    yield from _stopped(context, TORCH_TENSORRT, "import torch_tensorrt", leave=_is_of_other_major)


@rule(
    "FWK705",
    "tensorrt-llm-libraries-not-found",
    severity=Severity.ERROR,
    components=("tensorrt-llm", "tensorrt", "torch"),
    silenced_by=("FWK401", "FWK703"),
)
def tensorrt_llm_libraries(context: Context) -> Iterable[Problem]:
    """A library that TensorRT-LLM needs is not found, or a symbol that it needs is in none of those that it gets.

    Why it matters: Its libraries are built for one torch and one TensorRT; with others import tensorrt_llm stops.

    Example: libth_common.so: undefined symbol of torch's C++ interface, after pip replaced torch.

    How to fix: Install tensorrt-llm in an environment of its own, or use its container.

    Sources: tensorrt_llm_init, https://github.com/NVIDIA/TensorRT-LLM/issues/808
    """
    yield from _stopped(context, TENSORRT_LLM, "import tensorrt_llm")


@rule(
    "FWK706",
    "triton-backend-libraries-not-found",
    severity=Severity.ERROR,
    components=("triton", "tensorrt"),
)
def triton_libraries(context: Context) -> Iterable[Problem]:
    """A library that a back end of Triton's server needs is not found.

    Why it matters: The server starts, and every model of that back end stays unavailable.

    Example: libtriton_tensorrt.so in an image that was copied together without TensorRT: libnvinfer.so.10.

    How to fix: Use the release's own image, or install the TensorRT of that release in yours.

    Sources: triton_build
    """
    yield from _stopped(context, TRITON, "the TensorRT back end of Triton")


@rule(
    "FWK707",
    "tensorflow-libraries-not-found",
    severity=Severity.WARNING,
    components=("tensorflow", "tensorrt"),
    silenced_by=("FWK501",),
)
def tensorflow_libraries(context: Context) -> Iterable[Problem]:
    """A library that TensorFlow opens for the GPU is not found.

    Why it matters: TensorFlow goes on without: on the CPU, or without TF-TRT.

    Example: Could not find TensorRT, after libnvinfer.so.8 was removed.

    How to fix: Install the libraries of the majors that this TensorFlow was built with.

    Sources: tensorflow_releases
    """
    yield from _stopped(context, TENSORFLOW, "TensorFlow", Severity.WARNING)


# -- what the rules share ----------------------------------------------------------------------------------------------


def _stopped(
    context: Context,
    framework: str,
    what: str,
    worst: Severity = Severity.ERROR,
    leave: Callable[[Context, Lack], bool] | None = None,
) -> Iterator[Problem]:
    """One finding for a framework with all that it lacks and that stops it, or that fails on use."""
    every = [item for item in lacks(context, framework) if leave is None or not leave(context, item)]
    stopping = [item for item in every if not item.item.lazy and not item.item.swallowed]
    mine = stopping or [item for item in every if item.item.lazy and not item.item.swallowed]
    if not mine:
        return
    meant = is_meant(context, framework)
    if stopping:
        severity = worst if meant else Severity.WARNING
        breaks = f"{what} fails: {mine[0].text} cannot be had."
    else:
        severity = Severity.WARNING if meant else Severity.INFO
        breaks = f"What opens it on use fails; {what} itself works."
    found = [copy for item in mine for copy in copies_for(context, item)[:1]]
    everywhere = len(found) == len(mine)
    yield Problem(
        severity,
        f"{_label(mine[0])} does not get {listed(mine)}"[:MAX_TITLE],
        breaks=breaks,
        facts=(*(item.found() for item in mine[:_FACTS]), *(copy_fact(copy) for copy in found[:2])),
        remedy=_path_remedy(_label(mine[0]), [folder(copy.path) for copy in found])
        if everywhere
        else Remedy(framework, "choose", None, f"Install {framework} again with all that it pins, in one step."),
        components=_components(context, framework, mine),
    )


def _is_of_other_major(context: Context, lack: Lack) -> bool:
    """Whether TensorRT is here in another major than the one that is asked for: FWK302 judges that by the versions."""
    spec = libraries.identify(context.matrix, lack.item.name) if lack.component == "tensorrt" else None
    wanted = Version.maybe(spec.version) if spec else None
    majors = {item.major for item in context.stack.builders}
    known = find(context, TORCH_TENSORRT) is not None
    return known and wanted is not None and bool(majors) and wanted.major not in majors


def _label(lack: Lack) -> str:
    return lack.process.owner or lack.framework


def _of_cuda(lack: Lack) -> bool:
    return lack.component in ("cuda", "cublas", "cudnn", "nvrtc", "nvjitlink")


def _components(context: Context, framework: str, items: list[Lack]) -> tuple[str, ...]:
    """The framework, then whose the missing libraries and symbols are."""
    found = [framework]
    for item in items:
        found += _owners(context, item)
    if framework in (ONNXRUNTIME, TRITON) and any(TENSORRT_PROVIDER in askers(context, item) for item in items):
        found.append("tensorrt")
    every = tuple(dict.fromkeys(found))
    return every[:3] if len(every) > 1 else (framework, "loader")


def _owners(context: Context, lack: Lack) -> tuple[str, ...]:
    if lack.item.problem == "undefined-symbol":
        owner = libraries.owner_of_symbol(context.matrix, lack.item.detail or "")
    else:
        owner = lack.component or libraries.from_host(context.matrix, lack.item.name)
    if owner == "jetpack" and context.snapshot.container is not None:
        return ("container",)
    if owner is None and lack.item.problem == "symbol-version":
        return ("glibc",) if (lack.item.detail or "").startswith("GLIBC_") else ("loader",)
    return (owner,) if owner else ()


def _path_remedy(label: str, folders: list[str]) -> Remedy:
    return Remedy("loader", "search-first", None, f"{label} needs what lies there", (("directory", folders[0]),))


def _provider_remedy(context: Context, items: list[Lack], folders: list[str], somewhere: bool) -> Remedy:
    if somewhere and _cured_by_import(context, items):
        text = "Import tensorrt before onnxruntime creates a session, then look at session.get_providers()."
        return Remedy("onnxruntime", "change-code", reason=text, details=(("text", text),))
    if somewhere:
        return _path_remedy(_label(items[0]), folders)
    if any(item.item.problem == "undefined-symbol" for item in items):
        return Remedy(
            "tensorrt", "choose", None, f"Install the TensorRT release that {_label(items[0])} was built with."
        )
    lost = next((item for item in items if item.component == "tensorrt"), None)
    found = find(context, ONNXRUNTIME_GPU)
    flavours = {row.text("flavour") for row in found.rows} if found else set()
    flavour = flavours.pop() if len(flavours) == 1 else None
    major = lost.item.name.rpartition(".so.")[2].partition(".")[0] if lost else ""
    if lost is not None and flavour and major.isdecimal() and not context.stack.jetson:
        reason = f"{_label(lost)} links TensorRT {major}"
        return Remedy("tensorrt", "install", f"=={major}.*", reason, (("distributions", f"tensorrt-{flavour}"),))
    return Remedy("tensorrt", "choose", None, f"Bring {listed(items)} into this environment.")


def _cured_by_import(context: Context, items: list[Lack]) -> bool:
    """Whether a process that imports tensorrt first gets them, as far as anybody worked that out."""
    names = {item.item.name for item in items}
    for process in processes(context):
        if process.names == ("tensorrt", "onnxruntime"):
            return not any(item.name in names for item in process.missing)
    return all(copy.origin == "pip" for item in items for copy in copies_for(context, item)[:1])


def _cuda_remedy(context: Context, in_wheels: bool, folders: list[str]) -> Remedy:
    if in_wheels:
        text = "Call onnxruntime.preload_dlls() before the first session is created."
        return Remedy("onnxruntime", "change-code", reason=text, details=(("text", text),))
    if folders:
        return _path_remedy("onnxruntime", folders)
    found = find(context, ONNXRUNTIME_GPU)
    row = found.rows[0] if found and len(found.rows) == 1 else None
    if found is not None and row is not None and row.get("extras", "cuda").known and not context.stack.jetson:
        reason = f"{found.label} names them as its extras"
        details = (("distributions", f"{ONNXRUNTIME_GPU}[cuda,cudnn]=={row.key}"),)
        return Remedy("onnxruntime", "install", None, reason, details)
    return Remedy("cuda", "choose", None, "Install CUDA and cuDNN of the majors that onnxruntime asks for.")
