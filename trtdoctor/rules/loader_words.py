"""Importers, libraries and steps of the loader's search in the words of findings. No rule is registered here."""

from __future__ import annotations

from trtdoctor.findings import FoundFact
from trtdoctor.rules.base import MAX_TITLE, Context
from trtdoctor.rules.loaded_files import base, folder, version_of
from trtdoctor.rules.processes import Process, processes
from trtdoctor.snapshot import Copy, Loaded

SPOKEN = {
    "tensorrt": "TensorRT",
    "cudnn": "cuDNN",
    "cublas": "cuBLAS",
    "cuda": "the CUDA runtime",
    "nvrtc": "NVRTC",
    "nvjitlink": "nvJitLink",
}


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


def with_place(text: str, path: str) -> str:
    """A title that ends with the directory of ``path``, as much of it as there is room for; without it in need."""
    room = MAX_TITLE - len(text) - len(" from ")
    return f"{text} from {short_place(path, room)}" if room >= 20 else text[:MAX_TITLE]
