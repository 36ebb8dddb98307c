"""How a library that is not found comes: the directory where it lies, else the wheel that holds it. No rule is here."""

from __future__ import annotations

from trtdoctor.findings import Remedy
from trtdoctor.matrix.libraries import LibrarySpec
from trtdoctor.rules.base import Context
from trtdoctor.rules.common import advice
from trtdoctor.rules.loaded_files import base, folder
from trtdoctor.rules.loader_words import named, spoken
from trtdoctor.rules.processes import Process
from trtdoctor.rules.releases import known_spec
from trtdoctor.snapshot import Copy
from trtdoctor.versions import Version


def on_disk(context: Context, name: str, spec: LibrarySpec | None) -> list[Copy]:
    """Usable copies on disk that would answer to this name."""
    found: dict[str, Copy] = {}
    wanted = Version.maybe(spec.version) if spec else None
    for copy in context.snapshot.copies:
        if copy.problem is not None or copy.role == "header" or not copy.path:
            continue
        version = Version.maybe(copy.version)
        same_name = name in (copy.soname, base(copy.path))
        of_major = (
            spec is not None
            and copy.name == spec.name
            and copy.soname is None
            and wanted is not None
            and version is not None
            and version.may_be(wanted)
        )
        if same_name or of_major:
            found.setdefault(folder(copy.path), copy)
    return list(found.values())


def bring(context: Context, process: Process, name: str, spec: LibrarySpec | None, there: list[Copy]) -> Remedy:
    """The directory where it lies; else the wheel that brings it; else a sentence."""
    reason = f"{named(process)} needs {name}"
    if there:
        if context.snapshot.platform.system == "windows":
            return advice("loader", f"Add {folder(there[0].path)} to PATH.", reason)
        return Remedy("loader", "search-first", None, reason, (("directory", folder(there[0].path)),))
    version = Version.maybe(spec.version) if spec else None
    if spec is not None and version is not None and _by_pip(context, process):
        wheel = _wheel(context, process, spec.component, version.major)
        if wheel is not None:
            distribution, wanted = wheel
            return Remedy(spec.component, "install", wanted, reason, (("distributions", distribution),))
    if spec is None:
        return advice("loader", f"Install the system package that brings {name}.", reason)
    number = f" {version.major}" if version else ""
    return Remedy(spec.component, "choose", None, f"Install {spoken(spec.component)}{number}: {reason}.")


def _by_pip(context: Context, process: Process) -> bool:
    path = (process.path or "").replace("\\", "/")
    owner = (process.owner or "").partition(" ")[0]
    return process.kind == "import" and ("/site-packages" in path or owner in context.stack.distributions)


def _wheel(context: Context, process: Process, component: str, major: int) -> tuple[str, str | None] | None:
    """The distribution that brings a library of this major, and the versions of it that do."""
    if component == "cudnn":
        flavour = _flavour(context, process)
        name = f"nvidia-cudnn-{flavour}"
        spec = known_spec(context.matrix, name) if flavour else None
        return (name, f"=={major}.*") if spec is not None and spec.real == "wheel" else None
    head = {
        "cublas": "nvidia-cublas",
        "cuda": "nvidia-cuda-runtime",
        "nvrtc": "nvidia-cuda-nvrtc",
        "nvjitlink": "nvidia-nvjitlink",
    }.get(component)
    for name, wanted in ((f"{head}-cu{major}", None), (head or "", f"=={major}.*")):
        spec = known_spec(context.matrix, name) if head else None
        if spec is not None and spec.real == "wheel":
            return name, wanted
    return None


def _flavour(context: Context, process: Process) -> str | None:
    """The CUDA flavour of what a process loads: of the copies themselves, else of TensorRT's wheels."""
    owner = known_spec(context.matrix, (process.owner or "").partition(" ")[0])
    if owner is not None and owner.flavour:
        return owner.flavour
    flavours = {item.flavour for item in context.stack.builders if item.flavour}
    return flavours.pop() if len(flavours) == 1 else None
