"""Programs that people use beside the libraries: ``trtexec`` and ``polygraphy``. None of them is run.

trtexec has no version in its file that can be read; it is that of the release that it came with: of the Debian package
that owns it, of the archive that it lies in, or else that of the libnvinfer that it would be given (``loaded``).
Source: the file lists of those.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from trtdoctor.probes import wheels
from trtdoctor.probes.base import ProbeContext
from trtdoctor.probes.packages import dpkg
from trtdoctor.probes.python import inspected
from trtdoctor.probes.searchpaths import exists, host, names, on_path, once, read_bytes, real
from trtdoctor.snapshot import Snapshot, Tool

POLYGRAPHY = "polygraphy"
_LIST_BYTES = 4 * 1024 * 1024
_ARCHIVE = re.compile(r"tensorrt[-_]?(?:rtx[-_])?v?(\d+(?:\.\d+){1,3})", re.IGNORECASE)
_DEBIAN_VERSION = re.compile(r"(?:\d+:)?(\d+(?:\.\d+)*)")
_LIBRARY = re.compile(r"libnvinfer\.so\.(\d+\.\d+\.\d+(?:\.\d+)?)")


def probe(context: ProbeContext) -> Snapshot:
    """The programs that are there."""
    table = context.loading() if context.loading is not None else None
    found: list[Tool] = []
    for row in table.programs if table is not None else ():
        found += programs(context, row.name)
    found += _polygraphy(context)
    return Snapshot(tools=tuple(found))


def programs(context: ProbeContext, name: str) -> tuple[Tool, ...]:
    """Every program of that name, each real file once: what PATH leads to first, then where packages put it."""
    return once(context, f"tool {name}", lambda: tuple(_programs(context, name)))


def _programs(context: ProbeContext, name: str) -> Iterator[Tool]:
    leads = on_path(context, name)
    seen: set[str] = set()
    for path in (*leads, *(f"{folder}/{name}" for folder in _folders(context, name))):
        if not _runs(context, path) or real(context, path) in seen:
            continue
        seen.add(real(context, path))
        version, how, owner = _version(context, real(context, path))
        yield Tool(name=name, path=path, version=version, how=how, owner=owner, on_path=path in leads)


def _folders(context: ProbeContext, name: str) -> Iterator[str]:
    table = context.loading() if context.loading is not None else None
    for row in table.programs if table is not None else ():
        if row.name == name:
            yield from row.directories
    for parent in ("/opt", "/usr/local", "/usr/src"):
        for entry in names(context, parent):
            if entry.lower().startswith("tensorrt"):
                yield f"{parent}/{entry}/bin"
                yield f"{parent}/{entry}/targets/{os.uname().machine}-linux-gnu/bin"
    prefix = _prefix(context)
    if prefix is not None:
        yield f"{prefix}/bin"


def _prefix(context: ProbeContext) -> str | None:
    """The directory above the ``bin`` of the chosen interpreter."""
    python = inspected(context).interpreter
    return os.path.dirname(os.path.dirname(python.path)) if python is not None and python.path else None


def _runs(context: ProbeContext, path: str) -> bool:
    place = host(context, path)
    return os.path.isfile(place) and os.access(place, os.X_OK)


def _version(context: ProbeContext, path: str) -> tuple[str | None, str | None, str | None]:
    """Version, how it is known, and who brought the program."""
    package = _package(context).get(path)
    if package is not None:
        name, version = package
        match = _DEBIAN_VERSION.match(version or "")
        label = f"{name} {version}" if version else name
        return (match[1], "package", label) if match else (None, None, label)
    for part in reversed(path.split("/")[:-1]):
        match = _ARCHIVE.fullmatch(part) or _ARCHIVE.match(part)
        if match is not None:
            return match[1], "file-name", None
    version = _beside(context, path)
    if version is not None:
        return version, "file-name", None
    version = _resolved(context, path)
    return version, "loaded" if version else None, None


def _beside(context: ProbeContext, path: str) -> str | None:
    """The version in the name of the one libnvinfer of the same unpacked archive."""
    root = os.path.dirname(os.path.dirname(path))
    if root in ("", "/", "/usr", "/usr/local"):
        return None
    found = {
        match[1]
        for folder in ("lib", "lib64")
        for entry in names(context, f"{root}/{folder}")
        if (match := _LIBRARY.fullmatch(entry))
    }
    return found.pop() if len(found) == 1 else None


def _resolved(context: ProbeContext, path: str) -> str | None:
    """The version of the libnvinfer that the program would be given, where that is among what it needs."""
    from trtdoctor.probes.loader.filecache import FileCache
    from trtdoctor.probes.loader.process import Process
    from trtdoctor.probes.loader.steps import version_of

    for mapped in Process(context, FileCache(context), path).loaded:
        spec = context.libraries(os.path.basename(mapped.realpath))
        if spec is not None and spec.component == "tensorrt" and spec.role == "builder":
            version = version_of(context, mapped.realpath, mapped.soname)
            return str(version) if version is not None else None
    return None


def _package(context: ProbeContext) -> dict[str, tuple[str, str | None]]:
    """Path of a program to name and version of the Debian package that lists it."""
    return once(context, "programs of packages", lambda: dict(_listed(context)))


def _listed(context: ProbeContext) -> Iterator[tuple[str, tuple[str, str | None]]]:
    table = context.loading() if context.loading is not None else None
    wanted = tuple(f"/{row.name}".encode() for row in table.programs) if table is not None else ()
    for key, package in dpkg(context).items():
        if not wanted or not package.name.startswith(("libnvinfer", "tensorrt")):
            continue
        for stem in (key, package.name):
            content = read_bytes(context, f"/var/lib/dpkg/info/{stem}.list", _LIST_BYTES)
            if content is None:
                continue
            for line in content.split(b"\n"):
                if line.endswith(wanted):
                    yield real(context, line.decode("utf-8", "replace")), (package.name, package.version)
            break


def _polygraphy(context: ProbeContext) -> list[Tool]:
    """The program of the distribution in the chosen Python, else what PATH leads to."""
    leads = on_path(context, POLYGRAPHY)
    owner = next((item for item in wheels.installed(context) if item.name == POLYGRAPHY), None)
    prefix = _prefix(context)
    script = f"{prefix}/bin/{POLYGRAPHY}" if prefix is not None else None
    found: list[Tool] = []
    if owner is not None:
        path = script if script is not None and exists(context, script) else None
        found.append(
            Tool(
                name=POLYGRAPHY,
                path=path,
                version=owner.version,
                how="wheel" if owner.version else None,
                owner=owner.label,
                on_path=path is not None and path in leads,
            )
        )
    elif leads:
        found.append(Tool(name=POLYGRAPHY, path=leads[0], on_path=True))
    return found
