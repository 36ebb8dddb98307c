"""The Snapshot: every fact about one environment, as plain data that can be written down and replayed.

Probes fill it, ``declared`` builds it from a description, rules read it. Nothing here judges. What is not known is
``None`` (or an empty tuple), never a made-up value; what a probe could not learn stands in ``probes`` with the reason.

The JSON form carries ``"schema": "trtdoctor-snapshot/1"``. Readers ignore fields and words that they do not know, so
adding a field keeps ``/1``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import field
from typing import Any, TypeVar

from trtdoctor.mirror_facts import MirrorComponent, MirrorFile, MirrorItem, MirrorNews, MirrorSide, MirrorSource
from trtdoctor.record import record
from trtdoctor.text import as_json, clean

SCHEMA = "trtdoctor-snapshot/1"
MAX_BYTES = 64 * 1024 * 1024
"""An input file is at most this long (contracts: 64 MiB)."""
MAX_ITEMS = 20_000
"""No list of a Snapshot is longer; what is beyond is not read."""

_T = TypeVar("_T")


class SnapshotError(ValueError):
    """The document is no Snapshot; the message is one line for the user."""


def _private(kind: str) -> Any:
    """A field that ``--redact`` changes, by its kind.

    ``path``; ``setting``: paths, or names of devices; ``log``: what a library printed, the paths in it; ``secret`` and
    ``message`` (free text) are dropped.
    """
    return field(default=None, metadata={"private": kind})


def _formed(form: str) -> Any:
    """A field whose values have a form of their own; another value is a word that this reader does not know: None."""
    return field(default=None, metadata={"form": re.compile(form)})


@record
class Platform:
    """The operating system as processes see it (inside a container: the image's)."""

    system: str | None = None
    """``linux`` or ``windows``."""
    distribution: str | None = None
    """``ubuntu``, ``debian``, ``rhel``, … as in /etc/os-release ID; ``windows``."""
    distribution_version: str | None = None
    kernel: str | None = None
    architecture: str | None = None
    """``x86_64``, ``aarch64``, …"""
    libc: str | None = None
    """``glibc`` or ``musl``."""
    glibc: str | None = None
    wsl: bool | None = None
    l4t: str | None = None
    """Jetson Linux release, ``36.4.3``; None when this is no Jetson."""
    jetpack: str | None = None
    """JetPack version, declared or from the nvidia-jetpack package; ``""`` for a Jetson of unknown JetPack."""
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    """The control group's limit; None when there is none."""
    shm_bytes: int | None = None
    """Size of /dev/shm."""


@record
class Container:
    """The container that the check runs in, or that was declared."""

    runtime: str | None = None
    image: str | None = None
    gpu_access: bool | None = None
    """Whether GPUs were requested for it; None when it cannot be told."""
    driver_capabilities: tuple[str, ...] | None = None
    """NVIDIA_DRIVER_CAPABILITIES; None when not set."""
    fabric_manager: bool | None = None
    stated_at: str | None = _private("path")
    """``FILE:LINE`` where a file names the image."""


@record
class Driver:
    """The NVIDIA driver: kernel module, user-mode library, and what NVML says."""

    version: str | None = None
    """As declared, or by NVML."""
    kernel_version: str | None = None
    """Of the loaded kernel module (/proc/driver/nvidia/version, /sys/module/nvidia/version)."""
    kernel_flavour: str | None = None
    """``open`` or ``proprietary``."""
    library_version: str | None = None
    """Of the libcuda that the loader finds first, from its file name."""
    library_path: str | None = _private("path")
    library_kind: str | None = None
    """``driver``, ``compat`` (forward-compatibility package), ``stub``, ``mismatched``, or ``other``."""
    cuda: str | None = None
    """Highest CUDA version that libcuda serves (cuDriverGetVersion), ``13.0``."""
    cuinit_error: int | None = None
    """What cuInit returned, 0 for success; None when not called."""
    nvml_error: int | None = None
    """NVML's return code when it could not be asked, else 0; None when NVML was not tried."""
    nvml_version: str | None = None
    """Driver version that NVML's library belongs to, also when it could not be asked for more."""
    installed: bool | None = None
    """False when looked for and not there; None when nobody looked."""
    nodes: tuple[DeviceNode, ...] = ()


@record
class DeviceNode:
    """A file under /dev that the driver needs."""

    path: str = ""
    accessible: bool | None = None
    """Whether this process may open it for reading and writing."""


@record
class GpuProcess:
    """A process that uses a GPU: pid and base name, never its arguments."""

    pid: int | None = None
    name: str | None = None
    memory_bytes: int | None = None


@record
class Gpu:
    """One GPU, as NVML numbers it, or as declared."""

    index: int = 0
    name: str | None = None
    compute_capability: str | None = None
    memory_bytes: int | None = None
    memory_free_bytes: int | None = None
    uuid: str | None = _private("secret")
    pci_bus_id: str | None = _private("secret")
    mig: bool | None = None
    mig_instances: int | None = None
    """How many MIG instances it is divided into; None when MIG is off or nobody asked."""
    vgpu: bool | None = None
    compute_mode: str | None = None
    """``default``, ``exclusive-process``, ``prohibited``."""
    fabric_state: str | None = None
    """``not-supported``, ``not-started``, ``in-progress``, ``completed``."""
    fabric_status: int | None = None
    visible: bool | None = None
    """Whether CUDA_VISIBLE_DEVICES lets processes see it; None when it cannot be told."""
    error: str | None = None
    """Why this GPU could not be asked (``lost``, ``no-permission``, …)."""
    processes: tuple[GpuProcess, ...] = ()


@record
class Copy:
    """One installed file of a component, or one component that was declared."""

    component: str = ""
    """``tensorrt``, ``cuda`` (its runtime), ``cudnn``, ``cublas``, ``nvrtc``, ``nvjitlink``."""
    name: str | None = None
    """Library name without version: ``libnvinfer_plugin``."""
    role: str | None = None
    """What the file is inside its component (matrix/libraries.yaml): ``builder``, ``plugin``, ``lean``, …"""
    version: str | None = None
    how: str | None = None
    """How the version was learnt: ``declared``, ``file-name``, ``wheel``, ``package``, ``soname``, ``header``,
    ``json``, ``loaded``."""
    path: str | None = _private("path")
    realpath: str | None = _private("path")
    soname: str | None = None
    size: int | None = None
    owner: str | None = None
    """``NAME VERSION`` of the wheel or system package that owns the file."""
    origin: str | None = None
    """``apt``, ``rpm``, ``tar``, ``zip``, ``runfile``, ``pip``, ``conda``, ``container``, ``jetpack``; or None."""
    flavour: str | None = _formed(r"cu[0-9]{1,3}")
    """CUDA major it was built for: ``cu11``, ``cu12``, ``cu13``; None when unknown."""
    product: str | None = None
    """TensorRT only: ``full``, ``lean``, ``dispatch``, ``rtx``."""
    loaded: bool | None = None
    """True when a process is known to load just this one."""
    found_by: tuple[str, ...] = ()
    """Search paths that lead to it: ``ld_library_path``, ``ld.so.cache``, ``wheel``, ``toolkit``, ``conda``,
    ``default``, ``unpacked`` (an archive under /opt, /usr/local or /usr/src), ``include`` (headers)."""
    problem: str | None = None
    """Why the file cannot be what its name says: ``not-elf``, ``truncated``, ``broken-link``, ``unreadable``,
    ``foreign-architecture``."""
    needs_glibc: str | None = None
    """Highest ``GLIBC_`` symbol version that it asks for, ``2.27``; None when it asks for none, or nobody looked."""
    needs_glibcxx: str | None = None
    """Highest ``GLIBCXX_`` symbol version that it asks for, ``3.4.22``."""
    executable_stack: bool | None = None
    """Whether its PT_GNU_STACK asks for an executable stack, which glibc 2.41 and later refuse to dlopen."""
    stated_at: str | None = _private("path")
    """``FILE:LINE`` where a file states that it is to be installed."""


@record
class SearchEntry:
    """One entry of a search path that the environment sets."""

    variable: str = "LD_LIBRARY_PATH"
    position: int = 0
    """Place in the variable, from 0."""
    path: str | None = _private("path")
    """As it stands there; ``""`` means the current directory to the loader."""
    state: str = "ok"
    """``ok``, ``missing``, ``not-a-directory``, ``unreadable``, ``relative`` (depends on the current directory)."""
    libraries: int | None = None
    """How many files named like libraries of the stack it holds; None when it could not be listed."""


@record
class Loaded:
    """One library of the stack in one process, and the step of the loader's search that gave it."""

    library: str = ""
    """Name without version: ``libcudnn_ops``."""
    soname: str | None = None
    """The name that was asked for."""
    path: str | None = _private("path")
    """As the loader found it (links not followed)."""
    realpath: str | None = _private("path")
    step: str | None = None
    """``preloaded`` (a package opened it by path before it was asked for), ``path`` (asked for by path), ``rpath``,
    ``runpath``, ``ld_library_path``, ``ld.so.cache``, ``default``; None when it was only seen, not predicted."""
    entry: str | None = _private("path")
    """The search-path entry that led to it, as written: ``$ORIGIN/../nvidia/cudnn/lib``."""
    needed_by: str | None = _private("path")
    """The file that asked for it first."""
    lazy: bool | None = None
    """True when it is opened only on use (a sub-library, the builder resource), not when its user is loaded."""


@record
class Missing:
    """One library that a process asks for and does not get."""

    name: str = ""
    """As asked for, without its directory: a soname."""
    needed_by: str | None = _private("path")
    problem: str = "not-found"
    """``not-found``; or why the file that is found cannot be used: ``not-elf``, ``truncated``, ``unreadable``,
    ``foreign-architecture`` (passed over, and no other was found), ``executable-stack``, ``symbol-version``,
    ``undefined-symbol``; or ``dependency``: one that it needs fails."""
    detail: str | None = None
    """For ``symbol-version`` what is lacking (``GLIBC_2.38``), for ``undefined-symbol`` the symbol, for ``dependency``
    the name of the library that fails."""
    path: str | None = _private("path")
    """The file that was found and cannot be used."""
    swallowed: bool | None = None
    """True when whoever asked goes on without it and says nothing."""
    lazy: bool | None = None
    """True when it is asked for only on use."""


@record
class Loading:
    """What one importer gets from the dynamic loader: predicted from files alone, or observed in a process."""

    importer: str = ""
    """``tensorrt``; ``torch, tensorrt`` for several in that order; ``trtexec``; or the name of a file."""
    kind: str = "import"
    """``import`` (a Python module), ``program``, ``file`` (dlopen of one file)."""
    method: str = "predicted"
    """``predicted`` or ``observed``."""
    outcome: str = "ok"
    """``ok``, ``failed`` (an exception, an exit code), ``crashed``, ``timed-out``, ``unknown`` (nobody knows how this
    importer loads its libraries)."""
    error: str | None = _private("log")
    """The last line that the failure printed."""
    path: str | None = _private("path")
    """The package's directory, the program, or the file."""
    owner: str | None = None
    """``NAME VERSION`` of the distribution or package that brought it."""
    loaded: tuple[Loaded, ...] = ()
    missing: tuple[Missing, ...] = ()


@record
class Tool:
    """A program that people use beside the libraries: ``trtexec``, ``polygraphy``."""

    name: str = ""
    path: str | None = _private("path")
    version: str | None = None
    how: str | None = None
    """How the version was learnt, in the words of ``Copy.how``."""
    owner: str | None = None
    on_path: bool | None = None
    """Whether PATH leads to it."""


@record
class Toolkit:
    """A CUDA toolkit root."""

    root: str | None = _private("path")
    version: str | None = None
    how: str | None = None
    nvcc: str | None = None
    """Version that its nvcc has, when it has one."""
    stubs: bool | None = None


@record
class Distribution:
    """One Python distribution that has to do with the stack."""

    name: str = ""
    """Normalised: lower case, dashes."""
    version: str | None = None
    location: str | None = _private("path")
    requires: tuple[str, ...] = ()
    files_missing: int | None = None
    """How many of the shared objects that its RECORD lists are not on disk; None when there is no RECORD."""
    has_libraries: bool | None = None
    """Whether its RECORD lists shared objects at all."""
    files_changed: int | None = None
    """How many of those shared objects are on disk as another file: another distribution wrote over them."""
    stated_at: str | None = _private("path")
    """``FILE:LINE`` of the requirement, for one that is not installed but named in a file (``lint-deps``)."""
    specifier: str | None = None
    """The versions that the requirement allows (PEP 440), ``""`` for any; None where no requirement was read."""
    other_index: str | None = _private("path")
    """``FILE:LINE`` of an option that names another package index: its file of this version may be another build."""


@record
class Interpreter:
    """A Python whose packages were looked at."""

    path: str | None = _private("path")
    version: str | None = None
    chosen_by: str | None = None
    """Which rule picked it: ``--python``, ``VIRTUAL_ENV``, ``CONDA_PREFIX``, ``PATH``, ``own``, ``declared``."""
    implementation: str | None = None
    abi: str | None = None
    """ABI tag: ``cp310``, ``cp313t``."""
    platform: str | None = None
    managed: bool | None = None
    """Whether its distribution keeps pip out of it (PEP 668) and nobody told pip not to care."""
    distributions: tuple[Distribution, ...] = ()
    stated_at: str | None = _private("path")
    """``FILE:LINE`` where a file says which Python it is."""


@record
class Package:
    """One system package that has to do with the stack."""

    name: str = ""
    version: str | None = None
    manager: str | None = None
    """``dpkg``, ``rpm``, ``apk``."""


@record
class Engine:
    """A serialized engine that was declared, or one whose file was looked at; or a cache that belongs to engines."""

    tensorrt: str | None = None
    """That built it, or (a calibration cache) wrote it."""
    compute_capability: str | None = None
    """Of the GPU that built it."""
    gpu: str | None = None
    system: str | None = None
    version_compatible: bool | None = None
    hardware_compatibility: str | None = None
    serialization: int | None = None
    """Number of the archive's format, which the runtime's own must equal."""
    product: str | None = None
    """``full`` or ``rtx``: whose format it has; None when nobody said."""
    path: str | None = _private("path")
    """Its file; None for one that was only declared."""
    kind: str | None = None
    """What the file is: ``plan``, ``timing-cache``, ``calibration-cache``, ``archive`` (of TensorRT: an old plan or a
    cache), ``lfs-pointer``, ``onnx``, ``zip``, ``gzip``, ``hdf5``, ``elf``, ``html``, ``text``, ``empty``,
    ``unreadable``, ``unknown``; None for one that was only declared."""
    problem: str | None = None
    """What has happened to a plan: ``truncated``, ``longer`` (than its header says), ``line-ends`` (line feeds were
    changed), ``utf-8`` (read as text and written as UTF-8), ``replaced`` (bytes replaced), ``utf-16``."""
    problem_is_sure: bool | None = None
    """False when that rests on a place that is known of other releases only."""
    wrapper: str | None = None
    """Whose metadata stands in front of the plan: ``ultralytics``."""
    layout: str | None = None
    """Layout of its header, as in matrix/engines.yaml."""
    size: int | None = None
    stated_bytes: int | None = None
    """Length of the plan by its header's word."""
    compute_capabilities: tuple[str, ...] | None = None
    """What an engine of TensorRT for RTX was built for, as far as there are names for it."""
    other_capabilities: bool | None = None
    """Whether it was built for others as well, which have no name."""
    multiprocessors: int | None = None
    """Of the GPU that built it."""
    precision: str | None = None
    weights_stripped: bool | None = None
    lean_runtime_excluded: bool | None = None
    calibrator: str | None = None
    """Algorithm of a calibration cache: ``EntropyCalibration2``."""
    modified: str | None = None
    """Day on which the file was changed last."""
    sha256: str | None = None
    """Digest of the file, where it was taken."""
    sidecar: str | None = None
    """What its sidecar is good for: ``verified`` (it is of this very file), ``unverified`` (nobody compared), ``stale``
    (of another file), ``contradicts`` (its header), ``unreadable``; None when there is none."""
    inferred: tuple[str, ...] = ()
    """Fields of this record that were read in places that are documented nowhere."""
    from_sidecar: tuple[str, ...] = ()
    """Fields of this record that its sidecar says."""


@record
class CanaryStage:
    """One stage of a canary's life."""

    name: str = ""
    """``import``, ``builder``, ``network``, ``configuration``, ``build``, ``serialize``, ``header``, ``deserialize``,
    ``context``, ``run``, ``compare``."""
    status: str = ""
    """``passed``, ``failed``, ``skipped``, ``crashed``, ``timed-out``."""
    seconds: float | None = None
    detail: str | None = _private("log")


@record
class LogLine:
    """One line that TensorRT's logger was given."""

    severity: str = ""
    """``internal-error``, ``error``, ``warning``, ``info``, ``verbose``; ``output``: printed by a library itself."""
    text: str | None = _private("log")
    stage: str | None = None


@record
class Canary:
    """A small engine that was really built (and run, where it could be) in a child process."""

    product: str = ""
    """``tensorrt`` or ``tensorrt-rtx``."""
    version: str | None = None
    """Of the TensorRT that built it, by its own word."""
    outcome: str = ""
    """``passed``, ``failed``, ``crashed``, ``timed-out``, ``out-of-memory``, ``not-started``."""
    reason: str | None = None
    """For ``out-of-memory``: ``host``, ``device`` or ``limit`` (the one that was set for the canary); for ``crashed``
    the signal (``SIGABRT``) or ``exit 3``; for ``not-started`` a short word; for ``failed``
    ``no-gpu`` where nothing but a GPU was wanting, ``unfit`` where the model, a shape or an option is at fault."""
    network: str | None = None
    """``built-in`` or ``onnx``."""
    precision: str | None = None
    """What was asked for: ``fp32``, ``fp16``, …"""
    precision_used: tuple[str, ...] = ()
    """What the engine's layers were given, as far as the engine inspector says so."""
    device: int | None = None
    stages: tuple[CanaryStage, ...] = ()
    log: tuple[LogLine, ...] = ()
    error: float | None = None
    """Largest relative difference from the reference that was computed without TensorRT."""
    tolerance: float | None = None
    engine_bytes: int | None = None
    taken: str | None = None
    """ISO date of the run."""
    remembered: bool | None = None
    """True when this is an earlier pass whose circumstances have not changed since."""


@record
class Setting:
    """One environment variable of the allow-list."""

    name: str = ""
    value: str | None = _private("setting")


@record
class ProbeOutcome:
    """How one probe went."""

    name: str = ""
    outcome: str = "ok"
    """``ok``, ``partial``, ``failed``, ``crashed``, ``timed-out``, ``skipped``."""
    detail: str | None = _private("message")
    seconds: float | None = None


@record
class Snapshot:
    """Everything that is known of one environment."""

    kind: str = "live"
    """``live`` (probed) or ``declared``."""
    program: str | None = None
    taken: str | None = None
    """ISO date."""
    redacted: bool = False
    partial: bool | None = None
    """True when files state only some of what will be there: requirements, without what they bring along."""
    platform: Platform = Platform()
    container: Container | None = None
    """None when this is no container, or nobody said."""
    driver: Driver = Driver()
    gpus: tuple[Gpu, ...] | None = None
    """None when it is not known which GPUs there are; empty when there is none."""
    copies: tuple[Copy, ...] = ()
    toolkits: tuple[Toolkit, ...] = ()
    interpreters: tuple[Interpreter, ...] = ()
    packages: tuple[Package, ...] = ()
    settings: tuple[Setting, ...] = ()
    engines: tuple[Engine, ...] = ()
    search_entries: tuple[SearchEntry, ...] = ()
    loadings: tuple[Loading, ...] = ()
    tools: tuple[Tool, ...] = ()
    canaries: tuple[Canary, ...] = ()
    mirrors: tuple[MirrorSource, ...] = ()
    """What ``trtdoctor mirror`` saw of the places that software is got from."""
    wants: tuple[str, ...] = ()
    searched: tuple[str, ...] = ()
    """Components that were looked for everywhere, so that their absence is a fact: ``tensorrt``, ``cudnn``, …"""
    probes: tuple[ProbeOutcome, ...] = ()
    notes: tuple[str, ...] = ()

    def setting(self, name: str) -> str | None:
        """The value of an environment variable of the allow-list; None when it is not set."""
        return next((item.value for item in self.settings if item.name == name), None)

    def to_plain(self) -> dict[str, Any]:
        """The JSON form, as plain data."""
        return {"schema": SCHEMA, **_plain(self)}

    def to_json(self) -> str:
        """The JSON form, as ASCII text with a final newline."""
        return as_json(self.to_plain())

    @staticmethod
    def from_plain(document: Any) -> Snapshot:
        """Read the JSON form; raises :class:`SnapshotError` when it is none."""
        if not isinstance(document, dict):
            raise SnapshotError("not a snapshot: the document is no JSON object")
        schema = document.get("schema")
        if schema != SCHEMA:
            shown = clean(str(schema), 60) if schema is not None else "no schema"
            raise SnapshotError(f"not a snapshot: it says {shown}, wanted {SCHEMA}")
        return _read(Snapshot, document, "snapshot")

    @staticmethod
    def from_json(text: str | bytes) -> Snapshot:
        """Read the JSON form from text; raises :class:`SnapshotError`."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SnapshotError(f"not JSON: {clean(str(error), 120)}") from None
        return Snapshot.from_plain(document)


def _plain(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


# -- reading: one decoder for each annotation that the classes above use ---------------------------------------------


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise SnapshotError(f"{where}: wanted text, found {type(value).__name__}")
    return clean(value)


def _whole(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 1 << 63:
        raise SnapshotError(f"{where}: wanted a whole number")
    return value


def _number(value: Any, where: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise SnapshotError(f"{where}: wanted a number")
    return float(value)


def _truth(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise SnapshotError(f"{where}: wanted true or false")
    return value


def _many(read: Callable[[Any, str], _T]) -> Callable[[Any, str], tuple[_T, ...]]:
    def reader(value: Any, where: str) -> tuple[_T, ...]:
        if not isinstance(value, list):
            raise SnapshotError(f"{where}: wanted a list")
        return tuple(read(item, f"{where}[{number}]") for number, item in enumerate(value[:MAX_ITEMS]))

    return reader


def _nested(kind: type[_T]) -> Callable[[Any, str], _T]:
    def reader(value: Any, where: str) -> _T:
        return _read(kind, value, where)

    return reader


_READERS: dict[str, Callable[[Any, str], Any]] = {
    "str": _text,
    "int": _whole,
    "float": _number,
    "bool": _truth,
    "tuple[str, ...]": _many(_text),
}
_KINDS: tuple[type[Any], ...] = (
    *(Platform, Container, Driver, DeviceNode, GpuProcess, Gpu, Copy, Toolkit, Distribution, Interpreter),
    *(Package, Engine, Setting, ProbeOutcome),
    *(SearchEntry, Loaded, Missing, Loading, Tool, CanaryStage, LogLine, Canary),
    *(MirrorFile, MirrorComponent, MirrorItem, MirrorSide, MirrorNews, MirrorSource),
)
for _kind in _KINDS:
    _READERS[_kind.__name__] = _nested(_kind)
    _READERS[f"tuple[{_kind.__name__}, ...]"] = _many(_nested(_kind))


def _read(kind: type[_T], document: Any, where: str) -> _T:
    if not isinstance(document, dict):
        raise SnapshotError(f"{where}: wanted an object, found {type(document).__name__}")
    values: dict[str, Any] = {}
    for name, spec in kind.__dataclass_fields__.items():  # type: ignore[attr-defined]
        if name not in document:
            continue
        value = document[name]
        annotation = spec.type.removesuffix(" | None")
        if value is None:
            if annotation == spec.type:
                raise SnapshotError(f"{where}.{name}: may not be null")
            values[name] = None
        else:
            values[name] = _READERS[annotation](value, f"{where}.{name}")
            form = spec.metadata.get("form")
            if form is not None and not form.fullmatch(values[name]):
                values[name] = None
    return kind(**values)
