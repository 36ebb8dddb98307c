"""The NVIDIA driver and the GPUs: what lies in files, and what NVML and libcuda say when a child process asks them."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import Any

from trtdoctor.probes import ldcache, searchpaths
from trtdoctor.probes.base import CHILD_SECONDS, OWN_PYTHON, ChildResult, ProbeContext, run_child
from trtdoctor.probes.container import container
from trtdoctor.probes.host import is_this_machine
from trtdoctor.probes.visible import Device, visible_devices
from trtdoctor.record import record
from trtdoctor.snapshot import DeviceNode, Driver, Gpu, GpuProcess, ProbeOutcome, Snapshot
from trtdoctor.versions import decode_cuda

LIBCUDA, NVML = "libcuda.so.1", "libnvidia-ml.so.1"
UNREACHED = (
    "/usr/lib/wsl/lib",
    "/usr/local/nvidia/lib64",
    "/usr/local/nvidia/lib",
    "/usr/lib64/nvidia",
    "/usr/lib/nvidia",
    "/usr/lib/x86_64-linux-gnu/nvidia/current",
    "/usr/lib/aarch64-linux-gnu/nvidia",
    "/usr/lib/aarch64-linux-gnu/tegra",
    "/run/opengl-driver/lib",
)
"""Where a driver's libraries also lie, on some systems without the loader being told."""

_NODE = re.compile(r"nvidia\d+|nvidiactl|nvidia-uvm|dxg|nvhost-gpu|nvhost-ctrl-gpu|nvmap")
_MOST_NODES = 64
_ERRORS = {
    4: "no-permission",
    6: "not-found",
    9: "driver-not-loaded",
    15: "lost",
    16: "reset-required",
    18: "library-mismatch",
    28: "not-found",
    999: "unknown",
}
"""NVML's return codes (nvml.h) as words of ``Gpu.error``."""
_COMPUTE_MODES = {0: "default", 1: "exclusive-process", 2: "prohibited", 3: "exclusive-process"}
_FABRIC_STATES = {0: "not-supported", 1: "not-started", 2: "in-progress", 3: "completed"}
_VGPU_GUEST = 2
_STUB_LIBRARY = 34  # CUDA_ERROR_STUB_LIBRARY of cuda.h
_NOT_PERMITTED = (1, 13)  # EPERM: refused by the control group; EACCES: by the file's mode


@record
class Library:
    """The file that the loader takes for a name."""

    path: str
    realpath: str
    version: str | None
    """The driver's, when the file's name has it."""
    kind: str | None
    """A word of ``Driver.library_kind``; None when the file does not tell."""


def probe(context: ProbeContext) -> Snapshot:
    """Driver and GPUs. At most one child process, and only when something of a driver is there."""
    found = on_disk(context)
    something = found.driver.nodes or found.driver.library_path or loaded_first(context, NVML)
    if not something or not is_this_machine(context):
        return found
    return ask(context, found)


def ask(
    context: ProbeContext, found: Snapshot, *, interpreter: str = OWN_PYTHON, seconds: float = CHILD_SECONDS
) -> Snapshot:
    """``found`` and what the child process learns within ``seconds``."""
    nodes = [node.path for node in found.driver.nodes if node.path.startswith("/dev/nvidia")]
    result = run_child(interpreter, "nvidia", nodes, seconds=seconds, environ=context.environ)
    return combine(context, found, result)


# -- files -------------------------------------------------------------------------------------------------------------


def on_disk(context: ProbeContext) -> Snapshot:
    """What can be told without asking a library."""
    version, flavour = _kernel_module(context)
    nodes = _nodes(context)
    library = loaded_first(context, LIBCUDA)
    unreached = None if library else _unreached(context)
    loaded = version is not None or searchpaths.exists(context, "/proc/driver/nvidia")
    pieces = (library is not None and library.kind == "driver") or loaded_first(context, NVML) is not None
    if loaded or nodes or pieces or unreached:
        installed: bool | None = True
    else:
        # The compatibility package and the stub come with toolkits and images: they are no driver.
        installed = False if library is None or library.kind in ("compat", "stub") else None
    driver = Driver(
        kernel_version=version,
        kernel_flavour=flavour,
        library_version=library.version if library else None,
        library_path=library.path if library else None,
        library_kind=_against_kernel(library, version) if library else None,
        installed=installed,
        nodes=nodes,
    )
    notes: list[str] = []
    if unreached:
        notes.append(f"{LIBCUDA} lies in {unreached}, where the dynamic loader does not look")
    gpus: tuple[Gpu, ...] | None = None
    if installed is False:
        if _on_pci(context) and container(context) is None:
            notes.append("the PCI bus shows an NVIDIA GPU, but no driver is installed")
        else:
            gpus = ()
    return Snapshot(driver=driver, gpus=gpus, notes=tuple(notes))


def _kernel_module(context: ProbeContext) -> tuple[str | None, str | None]:
    """Version and flavour of the loaded kernel module."""
    text = context.read("/proc/driver/nvidia/version") or ""
    line = next((line for line in text.splitlines() if "NVRM" in line), "")
    stated = re.search(r"\s(\d{3,4}(?:\.\d+){1,3})\s", line + " ")
    version = stated[1] if stated else None
    if version is None:
        module = (context.read("/sys/module/nvidia/version") or "").strip()
        version = module if re.fullmatch(r"\d{3,4}(?:\.\d+){1,3}", module) else None
    if not stated:
        return version, None
    return version, "open" if "Open Kernel Module" in line else "proprietary"


def _nodes(context: ProbeContext) -> tuple[DeviceNode, ...]:
    names = [name for name in searchpaths.names(context, "/dev") if _NODE.fullmatch(name)]
    names.sort(key=lambda name: (re.sub(r"\d+", "", name), int(re.sub(r"\D", "", name) or 0)))
    return tuple(
        DeviceNode(f"/dev/{name}", os.access(context.path(f"/dev/{name}"), os.R_OK | os.W_OK))
        for name in names[:_MOST_NODES]
    )


def loaded_first(context: ProbeContext, name: str) -> Library | None:
    """The file that the dynamic loader takes for ``name``: LD_LIBRARY_PATH, then its cache, then its own directories.

    As the loader does, files for another kind of machine are passed over. Source: ld.so(8).
    """
    for path in _candidates(context, name):
        if searchpaths.exists(context, path):
            library = describe(context, path)
            if library is not None:
                return library
    return None


def _candidates(context: ProbeContext, name: str) -> list[str]:
    paths = [f"{place.directory.rstrip('/')}/{name}" for place in searchpaths.library_path(context)]
    paths += [path for soname, path in cache(context) if soname == name]
    own = (directory for directory in searchpaths.DEFAULTS if not directory.startswith("/usr/local"))
    return paths + [f"{directory}/{name}" for directory in own]


def cache(context: ProbeContext) -> list[tuple[str, str]]:
    """The dynamic loader's cache, read once a context."""

    def read() -> list[tuple[str, str]]:
        return ldcache.entries(searchpaths.read_bytes(context, "/etc/ld.so.cache", 32 * 1024 * 1024) or b"")

    return searchpaths.once(context, "ldcache", read)


def describe(context: ProbeContext, path: str) -> Library | None:
    """What the file at ``path`` is by its place and its head; None when it is for another kind of machine."""
    from trtdoctor.probes import elf

    realpath = searchpaths.real(context, path)
    named = re.search(r"\.so\.(\d{3,4}(?:\.\d+){1,3})$", realpath)
    version = named[1] if named else None
    soname, problem = None, False
    try:
        head = elf.read(searchpaths.host(context, path))
        if is_this_machine(context) and head.machine != os.uname().machine:
            return None
        soname = head.soname
    except elf.ElfError:
        problem = True
    folders = {*path.split("/")[:-1], *realpath.split("/")[:-1]}
    kind: str | None = None
    if "stubs" in folders:
        kind = "stub"
    elif any(folder.startswith(("compat", "cuda-compat")) for folder in folders):
        kind = "compat"
    elif problem or soname not in (None, LIBCUDA, NVML):
        kind = "other"
    elif version or realpath.startswith(UNREACHED):
        kind = "driver"
    return Library(path, realpath, version, kind)


def _against_kernel(library: Library, kernel: str | None) -> str | None:
    """The kind, or ``mismatched`` for a driver's library that is not of the loaded kernel module's version."""
    differs = kernel is not None and library.version is not None and library.version != kernel
    return "mismatched" if library.kind == "driver" and differs else library.kind


def _unreached(context: ProbeContext) -> str | None:
    return next((place for place in UNREACHED if searchpaths.exists(context, f"{place}/{LIBCUDA}")), None)


def _on_pci(context: ProbeContext) -> bool:
    """Whether a display or 3D controller of NVIDIA (PCI vendor 10de, class 03) is on the bus."""
    for name in searchpaths.names(context, "/sys/bus/pci/devices"):
        device = f"/sys/bus/pci/devices/{name}"
        vendor, kind = context.read(f"{device}/vendor") or "", context.read(f"{device}/class") or ""
        if vendor.strip() == "0x10de" and kind.startswith("0x03"):
            return True
    return False


# -- what the child said -----------------------------------------------------------------------------------------------


def combine(context: ProbeContext, found: Snapshot, result: ChildResult) -> Snapshot:
    """``found`` with the child's answer, also with half of one."""
    answer = _Answer(result.answer)
    driver = _driver(context, found.driver, answer)
    gpus = _gpus(context, answer)
    probes = found.probes
    detail = result.detail or answer.text("cuda_load_error")
    if result.outcome != "ok":
        known = ("crashed", "timed-out")
        probes += (ProbeOutcome("driver", result.outcome if result.outcome in known else "failed", detail),)
    elif not answer.truth("done"):
        probes += (ProbeOutcome("driver", "partial", detail or "the child process ended early"),)
    elif detail:
        probes += (ProbeOutcome("driver", "ok", detail),)
    return replace(found, driver=driver, gpus=found.gpus if gpus is None else gpus, probes=probes)


class _Answer:
    """A JSON object of a child process that is not trusted: every look-up checks the type."""

    def __init__(self, plain: Any) -> None:
        self.plain: dict[str, Any] = plain if isinstance(plain, dict) else {}

    def text(self, key: str) -> str | None:
        value = self.plain.get(key)
        return value if isinstance(value, str) else None

    def whole(self, key: str) -> int | None:
        value = self.plain.get(key)
        fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63
        return value if fits else None

    def truth(self, key: str) -> bool | None:
        value = self.plain.get(key)
        return value if isinstance(value, bool) else None

    def part(self, key: str) -> _Answer | None:
        value = self.plain.get(key)
        return _Answer(value) if isinstance(value, dict) else None

    def many(self, key: str) -> list[_Answer] | None:
        value = self.plain.get(key)
        return [_Answer(item) for item in value[:1024]] if isinstance(value, list) else None

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.plain.get(key)
        return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()

    def capability(self) -> str | None:
        value = self.plain.get("compute_capability")
        if isinstance(value, list) and len(value) == 2 and all(type(item) is int and item >= 0 for item in value):
            return f"{value[0]}.{value[1]}"
        return None


def _driver(context: ProbeContext, driver: Driver, answer: _Answer) -> Driver:
    observed = answer.text("cuda_path")
    if observed and observed.startswith("/"):
        stated = driver.library_path
        if stated is None or searchpaths.real(context, stated) != observed:
            library = describe(context, observed) or Library(observed, observed, None, None)
            driver = replace(
                driver,
                library_path=library.path,
                library_version=library.version,
                library_kind=_against_kernel(library, driver.kernel_version),
            )
    if answer.whole("cuda_version_error") == _STUB_LIBRARY:
        driver = replace(driver, library_kind="stub")
    opened = answer.plain.get("nodes")
    nvml = answer.text("nvml_version")
    level = answer.whole("cuda_version")
    return replace(
        driver,
        version=answer.text("driver"),
        cuda=_shown(level) if level else None,
        cuinit_error=answer.whole("cuinit_error"),
        nvml_error=answer.whole("nvml_error"),
        nvml_version=_without_cuda(nvml) if nvml else None,
        installed=True if answer.whole("nvml_error") == 0 else driver.installed,
        nodes=tuple(_opened(node, opened if isinstance(opened, dict) else {}) for node in driver.nodes),
    )


def _shown(level: int) -> str | None:
    version = decode_cuda(level)
    return version.short(2) if version else None


def _without_cuda(version: str) -> str:
    """NVML writes its version after the CUDA major that it came with: ``13.580.159.04`` is driver 580.159.04's."""
    head, _, rest = version.partition(".")
    return rest if len(head) < 3 and re.match(r"\d{3}\.", rest) else version


def _opened(node: DeviceNode, opened: dict[str, Any]) -> DeviceNode:
    error = opened.get(node.path)
    if error == 0:
        return replace(node, accessible=True)
    return replace(node, accessible=False) if error in _NOT_PERMITTED else node


def _gpus(context: ProbeContext, answer: _Answer) -> tuple[Gpu, ...] | None:
    count = answer.whole("count")
    by_cuda = answer.many("cuda_devices")
    if answer.whole("nvml_error") == 0 and count is not None:
        parts = [answer.part(f"gpu{index}") for index in range(max(0, min(count, 1024)))]
        return _with_visibility(context, parts, by_cuda)
    if by_cuda is not None:
        # NVML is not there (older Jetsons, containers without it): libcuda shows just what a process can see.
        return tuple(_from_cuda(index, item) for index, item in enumerate(by_cuda))
    return _from_device_tree(context)


def _with_visibility(
    context: ProbeContext, parts: list[_Answer | None], by_cuda: list[_Answer] | None
) -> tuple[Gpu, ...]:
    devices = []
    gpus = []
    for index, part in enumerate(parts):
        # A GPU that the child died over before it had told of it.
        gpu = _from_nvml(index, part) if part else Gpu(index=index, error="unanswered")
        instances = part.part("mig") if part else None
        gpus.append(gpu)
        devices.append(Device(gpu.name, gpu.uuid, gpu.mig, instances.texts("uuids") if instances else ()))
    shown = visible_devices(
        devices, context.environ.get("CUDA_VISIBLE_DEVICES"), context.environ.get("CUDA_DEVICE_ORDER")
    )
    measured = {item.text("uuid") for item in by_cuda or ()}
    return tuple(
        replace(gpu, visible=_visible(gpu, told, measured, asked=by_cuda is not None))
        for gpu, told in zip(gpus, shown, strict=True)
    )


def _visible(gpu: Gpu, told: bool | None, measured: set[str | None], *, asked: bool) -> bool | None:
    """What the variable tells, corrected by what libcuda showed: another driver may read the variable otherwise.

    That libcuda did not show a GPU settles only what the variable leaves open (the GPU may be broken), and nothing
    with MIG, whose instances have UUIDs of their own.
    """
    if gpu.uuid is not None and gpu.uuid in measured:
        return True
    if told is None and asked and gpu.uuid is not None and gpu.mig is False:
        return False
    return told


def _from_nvml(index: int, part: _Answer) -> Gpu:
    error = part.whole("error")
    instances = part.part("mig")
    mode = part.whole("virtualization")
    fabric = part.part("fabric")
    return Gpu(
        index=index,
        name=part.text("name"),
        compute_capability=part.capability(),
        memory_bytes=part.whole("memory"),
        memory_free_bytes=part.whole("memory_free"),
        uuid=part.text("uuid"),
        pci_bus_id=part.text("pci"),
        mig=instances.truth("on") if instances else None,
        mig_instances=len(instances.texts("uuids")) if instances and instances.truth("on") else None,
        vgpu=None if mode is None else mode == _VGPU_GUEST,
        compute_mode=_word(_COMPUTE_MODES, part.whole("compute_mode")),
        fabric_state=_word(_FABRIC_STATES, fabric.whole("state")) if fabric else None,
        fabric_status=fabric.whole("status") if fabric else None,
        error=_ERRORS.get(error, f"nvml-{error}") if error else None,
        processes=tuple(_process(item) for item in part.many("processes") or ()),
    )


def _word(words: dict[int, str], number: int | None) -> str | None:
    return None if number is None else words.get(number)


def _process(part: _Answer) -> GpuProcess:
    name = part.text("name")
    return GpuProcess(part.whole("pid"), os.path.basename(name) if name else None, part.whole("memory"))


def _from_cuda(index: int, part: _Answer) -> Gpu:
    return Gpu(
        index=index,
        name=part.text("name"),
        compute_capability=part.capability(),
        memory_bytes=part.whole("memory"),
        uuid=part.text("uuid"),
        visible=True,
    )


def _from_device_tree(context: ProbeContext) -> tuple[Gpu, ...] | None:
    """The one GPU of a Jetson whose libraries say nothing: the name of the module, from the device tree."""
    model = (context.read("/proc/device-tree/model") or "").strip("\0\n ")
    on_chip = any(searchpaths.exists(context, f"/dev/{name}") for name in ("nvhost-gpu", "nvhost-ctrl-gpu", "nvmap"))
    return (Gpu(index=0, name=model),) if on_chip and "jetson" in model.lower() else None
