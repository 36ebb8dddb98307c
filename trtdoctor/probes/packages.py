"""System packages that have to do with the stack: dpkg and apk from their files, rpm by asking ``rpm`` once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from trtdoctor.probes.base import ProbeContext, run_program
from trtdoctor.probes.searchpaths import exists, names, on_path, once, read_bytes
from trtdoctor.snapshot import Package, ProbeOutcome, Snapshot

_DATABASE_BYTES = 64 * 1024 * 1024
_LIST_BYTES = 4 * 1024 * 1024
_RPM_SECONDS = 8.0
_MOST = 5000
_NAMES = (
    r"(?:libnvinfer|libnvonnxparsers?|libnvparsers|tensorrt|python3?-libnvinfer|libcudnn|cudnn|cuda-|libcublas|libcudart"
    r"|libnvrtc|libnvjitlink|libnvidia-|nvidia-|kmod-nvidia|linux-modules-nvidia|linux-objects-nvidia).*|cuda"
)
_RELEVANT = re.compile(_NAMES)
_DPKG_STANZA = re.compile(rb"^Package: (" + _NAMES.encode() + rb")\n", re.MULTILINE)
_DPKG_FIELD = re.compile(r"^(Status|Version|Architecture): *(.*?)[ \t]*$", re.MULTILINE)
_RPM_PATTERNS = (
    "*nvinfer*",
    "*nvonnxparser*",
    "*nvparsers*",
    "tensorrt*",
    "*cudnn*",
    "cuda",
    "cuda-*",
    "libcublas*",
    "libnv*",
    "nvidia-*",
    "*kmod-nvidia*",
)


def probe(context: ProbeContext) -> Snapshot:
    """The packages that matter, with the version that is installed."""
    found = list(dpkg(context).values())
    found += _apk(context)
    rpms, reason = _rpm(context)
    outcomes: tuple[ProbeOutcome, ...] = ()
    if reason is not None:
        outcomes = (ProbeOutcome("packages", "partial" if found else "skipped", reason),)
    return Snapshot(packages=tuple(found + rpms)[:_MOST], probes=outcomes)


# -- dpkg --------------------------------------------------------------------------------------------------------------


def dpkg(context: ProbeContext) -> dict[str, Package]:
    """Installed Debian packages that matter by ``name:architecture``; worked out once for all probes."""
    return once(context, "dpkg", lambda: dict(_dpkg(context)))


def _dpkg(context: ProbeContext) -> Iterator[tuple[str, Package]]:
    contents = [read_bytes(context, "/var/lib/dpkg/status", _DATABASE_BYTES)]
    # Images without a package manager (distroless) keep one file for each package.
    folder = "/var/lib/dpkg/status.d"
    contents += [read_bytes(context, f"{folder}/{name}", _LIST_BYTES) for name in names(context, folder)]
    for number, content in enumerate(contents):
        if content is None:
            continue
        for match in _DPKG_STANZA.finditer(content):
            end = content.find(b"\n\n", match.start())
            stanza = content[match.start() : end if end >= 0 else len(content)]
            fields = dict(_DPKG_FIELD.findall(stanza.decode("utf-8", "replace")))
            # Only the one file of dpkg itself says what was removed again.
            if number == 0 and fields.get("Status", "").split()[-1:] != ["installed"]:
                continue
            name = match[1].decode("utf-8", "replace").strip()
            key = f"{name}:{fields.get('Architecture', '')}"
            yield key, Package(name=name, version=fields.get("Version") or None, manager="dpkg")


def owners(context: ProbeContext) -> dict[str, Package]:
    """Shared object to the Debian package that brought it, for the packages that matter.

    Paths are without a leading ``/usr``: /lib and /usr/lib are one directory nowadays, and lists say either.
    """
    return once(context, "owners", lambda: _owners(context))


def _owners(context: ProbeContext) -> dict[str, Package]:
    found: dict[str, Package] = {}
    for key, package in dpkg(context).items():
        name, _, architecture = key.partition(":")
        for stem in (f"{name}:{architecture}", name):
            content = read_bytes(context, f"/var/lib/dpkg/info/{stem}.list", _LIST_BYTES)
            if content is None:
                continue
            for line in content.split(b"\n"):
                if b".so" in line:
                    found[without_usr(line.decode("utf-8", "replace"))] = package
            break
    return found


def without_usr(path: str) -> str:
    """The key of :func:`owners` for a path."""
    return path.removeprefix("/usr") if path.startswith("/usr/") else path


# -- apk and rpm -------------------------------------------------------------------------------------------------------


def _apk(context: ProbeContext) -> list[Package]:
    content = read_bytes(context, "/lib/apk/db/installed", _DATABASE_BYTES)
    found = []
    for stanza in (content or b"").decode("utf-8", "replace").split("\n\n"):
        fields = dict(re.findall(r"^([PV]):(.*)$", stanza, re.MULTILINE))
        if "P" in fields and _RELEVANT.fullmatch(fields["P"]):
            found.append(Package(name=fields["P"], version=fields.get("V"), manager="apk"))
    return found


def _rpm(context: ProbeContext) -> tuple[list[Package], str | None]:
    """The rpm packages that matter; or why they are not known, when there is a database."""
    places = ("/var/lib/rpm", "/usr/lib/sysimage/rpm")
    files = ("rpmdb.sqlite", "Packages", "Packages.db")
    if not any(exists(context, f"{place}/{name}") for place in places for name in files):
        return [], None
    if os.fspath(context.root) != "/":
        return [], "an rpm database under another root is not read"
    programs = on_path(context, "rpm")
    if not programs:
        return [], "there is an rpm database but no rpm program to read it"
    command = [programs[0], "-qa", "--qf", r"%{NAME}\t%{VERSION}-%{RELEASE}\n", *_RPM_PATTERNS]
    code, output, detail = run_program(command, seconds=_RPM_SECONDS, environ={**context.environ, "LC_ALL": "C"})
    if code != 0:
        return [], f"rpm ended with exit code {code}" if code is not None else f"rpm could not be asked: {detail}"
    found = []
    for line in output.decode("utf-8", "replace").splitlines()[:_MOST]:
        name, tab, version = line.partition("\t")
        if tab and _RELEVANT.fullmatch(name):
            found.append(Package(name=name, version=version or None, manager="rpm"))
    return found, None
