"""CUDA toolkits on this machine, and the headers that C++ programs would be compiled with. Nothing is run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from trtdoctor.probes.base import ProbeContext
from trtdoctor.probes.packages import dpkg
from trtdoctor.probes.python import inspected
from trtdoctor.probes.searchpaths import exists, names, on_path, once, read_bytes, read_text, real, targets
from trtdoctor.record import record
from trtdoctor.snapshot import Copy, Snapshot, Toolkit
from trtdoctor.versions import decode_cuda

_SCRIPT_BYTES = 8192
_HEADER_BYTES = 1024 * 1024
_NVCC_IN_SCRIPT = re.compile(r"(/[^\s\"'$]+)/bin/nvcc\b")
_CUDA_VERSION = re.compile(r"^\s*#\s*define\s+CUDA_VERSION\s+(\d+)", re.MULTILINE)
_DEFINE = re.compile(r"^\s*#\s*define\s+(\w+)\s+(\w+)", re.MULTILINE)
_SYSTEM_INCLUDES = (
    "/usr/include",
    "/usr/include/x86_64-linux-gnu",
    "/usr/include/aarch64-linux-gnu",
    "/usr/local/include",
)


@record
class Root:
    """One toolkit with the directories that hold its libraries."""

    toolkit: Toolkit
    libraries: tuple[str, ...]


def probe(context: ProbeContext) -> Snapshot:
    """Toolkit roots and headers."""
    return Snapshot(toolkits=tuple(item.toolkit for item in roots(context)), copies=tuple(_headers(context)))


def roots(context: ProbeContext) -> tuple[Root, ...]:
    """Every toolkit, each real directory once; worked out once for all probes."""
    return once(context, "toolkits", lambda: _roots(context))


def _roots(context: ProbeContext) -> tuple[Root, ...]:
    found: dict[str, Root] = {}
    for path in _candidates(context):
        place = real(context, path)
        if place not in found and place != "/" and _is_root(context, place):
            found[place] = _root(context, place)
    return tuple(found.values())


def _candidates(context: ProbeContext) -> Iterator[str]:
    for variable in ("CUDA_HOME", "CUDA_PATH", "CUDA_ROOT"):
        path = context.environ.get(variable, "")
        if path.startswith("/"):
            yield path
    for path in on_path(context, "nvcc"):
        yield from _root_of_nvcc(context, path)
    yield "/usr/local/cuda"
    yield from (f"/usr/local/{name}" for name in names(context, "/usr/local") if name.startswith("cuda-"))
    yield "/opt/cuda"
    yield "/usr/lib/cuda"
    yield "/usr/lib/nvidia-cuda-toolkit"
    prefix = context.environ.get("CONDA_PREFIX", "")
    if prefix.startswith("/"):
        yield prefix
    python = inspected(context)
    if python.conda and python.prefix:
        yield python.prefix
    for system in names(context, "/opt/nvidia/hpc_sdk"):
        for release in names(context, f"/opt/nvidia/hpc_sdk/{system}"):
            base = f"/opt/nvidia/hpc_sdk/{system}/{release}/cuda"
            yield from (f"{base}/{name}" for name in names(context, base) if name[:1].isdigit())


def _root_of_nvcc(context: ProbeContext, path: str) -> Iterator[str]:
    """The toolkit that an nvcc belongs to; a script that calls another nvcc (Debian's) leads to that one's."""
    place = real(context, path)
    head = read_bytes(context, place, _SCRIPT_BYTES)
    if head is not None and head.startswith(b"#!"):
        for match in _NVCC_IN_SCRIPT.finditer(head.decode("utf-8", "replace")):
            yield match[1]
    elif place.endswith("/bin/nvcc"):
        yield place.removesuffix("/bin/nvcc")


def _is_root(context: ProbeContext, place: str) -> bool:
    marks = ("version.json", "version.txt", "bin/nvcc", "include/cuda.h", "include/cuda_runtime_api.h")
    found = (*marks, *(f"{tail.removesuffix('lib')}include/cuda.h" for tail in targets()))
    if any(exists(context, f"{place}/{mark}") for mark in found):
        return True
    return any(
        name.startswith("libcudart.so") for tail in ("lib64", *targets()) for name in names(context, f"{place}/{tail}")
    )


def _root(context: ProbeContext, place: str) -> Root:
    version, how, nvcc = _version(context, place)
    folders = ("lib64", "lib", *targets())
    libraries = tuple(dict.fromkeys(real(context, f"{place}/{name}") for name in folders))
    libraries = tuple(path for path in libraries if exists(context, path))
    stubs = any(exists(context, f"{path}/stubs") for path in libraries)
    has_nvcc = exists(context, f"{place}/bin/nvcc")
    toolkit = Toolkit(root=place, version=version, how=how, nvcc=nvcc if has_nvcc else None, stubs=stubs)
    return Root(toolkit, libraries)


def _version(context: ProbeContext, place: str) -> tuple[str | None, str | None, str | None]:
    """Version of the toolkit, how it is known, and version of its nvcc."""
    parts = _version_json(context, place)
    nvcc = parts.get("cuda_nvcc") or _nvcc_metadata(context, place)
    if "cuda" in parts:
        return parts["cuda"], "json", nvcc
    text = re.search(r"CUDA Version\s+(\d+(?:\.\d+)+)", read_text(context, f"{place}/version.txt", 4096) or "")
    if text:
        return text[1], "version.txt", nvcc
    for folder in ("include", *(f"{tail.removesuffix('lib')}include" for tail in targets())):
        header = _CUDA_VERSION.search(read_text(context, f"{place}/{folder}/cuda.h", 2 * _HEADER_BYTES) or "")
        number = decode_cuda(int(header[1])) if header and len(header[1]) < 10 else None
        if number:
            return str(number), "header", nvcc
    return None, None, nvcc


def _version_json(context: ProbeContext, place: str) -> dict[str, str]:
    """Part to version, from the ``version.json`` of CUDA 11.1 and newer."""
    try:
        document = json.loads(read_bytes(context, f"{place}/version.json", _HEADER_BYTES) or b"")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    found = {}
    for part, entry in document.items():
        version = entry.get("version") if isinstance(entry, dict) else None
        if isinstance(version, str) and version:
            found[part] = version
    return found


def _nvcc_metadata(context: ProbeContext, place: str) -> str | None:
    """What the conda, wheel or Debian package says that brought nvcc."""
    for folder, form in (
        ("conda-meta", r"cuda-nvcc-(\d[\d.]*)-[^-]+\.json"),
        ("dist-info", r"nvidia_cuda_nvcc(?:_cu\d+)?-(\d[\d.]*)\.dist-info"),
    ):
        versions = [match[1] for name in names(context, f"{place}/{folder}") if (match := re.fullmatch(form, name))]
        if len(versions) == 1:
            return versions[0]
    named = re.fullmatch(r".*/cuda-(\d+)\.(\d+)", place)
    wanted = f"cuda-nvcc-{named[1]}-{named[2]}" if named else None
    for package in dpkg(context).values():
        if package.name == wanted and package.version:
            return package.version.partition("-")[0]
    return None


# -- headers -----------------------------------------------------------------------------------------------------------


def _headers(context: ProbeContext) -> Iterator[Copy]:
    """Version headers of TensorRT and cuDNN, as copies with the role ``header``: what a compiler would find."""
    folders = list(_SYSTEM_INCLUDES)
    for item in roots(context):
        folders.append(f"{item.toolkit.root}/include")
        folders += [f"{item.toolkit.root}/{tail.removesuffix('lib')}include" for tail in targets()]
    for parent in ("/opt", "/usr/local", "/usr/src"):
        folders += [
            f"{parent}/{name}/include" for name in names(context, parent) if name.lower().startswith("tensorrt")
        ]
    seen: set[str] = set()
    for folder in folders:
        for name, component, read in (
            ("NvInferVersion.h", "tensorrt", _tensorrt_macros),
            ("cudnn_version.h", "cudnn", _cudnn_macros),
        ):
            path = f"{folder}/{name}"
            content = read_text(context, path, _HEADER_BYTES)
            place = real(context, path)
            if content is None or place in seen:
                continue
            seen.add(place)
            version, product = read(content)
            yield Copy(
                component=component,
                name=name,
                role="header",
                version=version,
                how="header" if version else None,
                path=path,
                realpath=place,
                size=len(content),
                product=product,
                found_by=("include",),
            )


def _numbers(content: str, *wanted: str) -> tuple[list[str], str]:
    """The values of macros, and the names that they went through (newer headers define one by another)."""
    macros = dict(_DEFINE.findall(content))
    found, names_used = [], []
    for name in wanted:
        value = macros.get(name)
        for _ in range(4):
            if value is None or value.isdigit():
                break
            names_used.append(value)
            value = macros.get(value)
        if value is None or not value.isdigit() or len(value) > 9:
            break
        found.append(value)
    return found, " ".join(names_used)


def _tensorrt_macros(content: str) -> tuple[str | None, str | None]:
    words = ("MAJOR", "MINOR", "PATCH", "BUILD")
    found, through = _numbers(content, *(f"NV_TENSORRT_{word}" for word in words))
    return ".".join(found) or None, "rtx" if "RTX" in through else "full"


def _cudnn_macros(content: str) -> tuple[str | None, str | None]:
    found, _ = _numbers(content, "CUDNN_MAJOR", "CUDNN_MINOR", "CUDNN_PATCHLEVEL")
    return ".".join(found) or None, None


__all__ = ["Root", "probe", "roots"]
