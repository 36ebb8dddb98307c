"""Every copy of the stack's libraries: where it lies, which version it is, how that is known, who brought it.

Each real file is one copy, however many names and search paths lead to it. Nothing is loaded.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

from trtdoctor.probes import elf, ldcache, wheels
from trtdoctor.probes.base import ProbeContext
from trtdoctor.probes.packages import owners, without_usr
from trtdoctor.probes.python import inspected
from trtdoctor.probes.searchpaths import (
    Place,
    default_places,
    host,
    is_there,
    library_path,
    names,
    read_bytes,
    real,
    targets,
    unpacked_places,
)
from trtdoctor.probes.toolkits import roots
from trtdoctor.record import record
from trtdoctor.snapshot import Copy, Package, ProbeOutcome, Snapshot
from trtdoctor.versions import Version

COMPONENTS = ("tensorrt", "cudnn", "cuda", "cublas", "nvrtc", "nvjitlink")
"""What is looked for. The driver's own libraries are another probe's."""
_NUMBERED_LIKE_CUDA = ("cuda", "cublas")
"""Their sonames carry the CUDA major: libcudart.so.11.0 and libcublas.so.11 belong to CUDA 11."""
_CACHE_BYTES = 32 * 1024 * 1024
_CONDA_BYTES = 8 * 1024 * 1024
_MOST_FILES = 4000
_WHEEL_FOLDERS = re.compile(r"(?:tensorrt.*|.+\.libs)", re.IGNORECASE)
_SITE = re.compile(r"(/.*/(?:site|dist)-packages)/")
"""Where a file lies that a wheel brought: on LD_LIBRARY_PATH there may be one of another Python's."""
_WHEEL_INNER = ("torch/lib", "onnxruntime/capi")


class _File:
    """One real file with the names that lead to it."""

    __slots__ = ("aliases", "found_by", "place")

    def __init__(self, place: str) -> None:
        self.place = place
        self.aliases: dict[str, None] = {}
        self.found_by: dict[str, None] = {}


def probe(context: ProbeContext) -> Snapshot:
    """Copies of all libraries, and which components were looked for everywhere."""
    finder = _Finder(context)
    finder.collect()
    files = finder.files
    complaints = [f"cannot list {path}" for path in dict.fromkeys(finder.unreadable)]
    if len(files) > _MOST_FILES:
        complaints.append(f"{len(files)} files found, only {_MOST_FILES} looked at")
    made = _Maker(context, files).copies(list(files.values())[:_MOST_FILES])
    for path, found_by in finder.broken.items():
        spec = context.libraries(os.path.basename(path))
        made.append(
            Copy(
                component=spec.component,
                name=spec.name,
                role=spec.role,
                product=spec.product,
                path=path,
                found_by=tuple(found_by),
                problem="broken-link",
            )
        )
    python = inspected(context)
    if not python.complete:
        complaints.append("the packages of the chosen Python are not known")
    return Snapshot(
        copies=tuple(made),
        searched=() if complaints else COMPONENTS,
        probes=(ProbeOutcome("libraries", "partial", "; ".join(complaints)),) if complaints else (),
    )


# -- finding -----------------------------------------------------------------------------------------------------------


class _Finder:
    """Gathers the real files by path, and links that lead nowhere."""

    def __init__(self, context: ProbeContext) -> None:
        self.context = context
        self.files: dict[str, _File] = {}
        self.broken: dict[str, list[str]] = {}
        self.unreadable: list[str] = []
        self._folders: dict[str, str] = {}
        self._listed: dict[str, list[str]] = {}

    def collect(self) -> None:
        """Look everywhere, in the order in which the loader does as far as there is one."""
        context = self.context
        for place in library_path(context):
            self.look(place)
        for name, path in ldcache.entries(read_bytes(context, "/etc/ld.so.cache", _CACHE_BYTES) or b""):
            if _wanted(context, name) and "/stubs/" not in path:
                self.add(path, "ld.so.cache")
        for root in roots(context):
            for folder in root.libraries if root.toolkit.root != "/usr" else ():
                self.look(Place(folder, "toolkit"))
        for place in (
            *default_places(context),
            *unpacked_places(context),
            *_conda_places(context),
            *_wheel_places(context, self.unreadable),
        ):
            self.look(place)
        for item in wheels.installed(context, self.unreadable):
            for entry in item.listed or ():
                if entry.on_disk is not None and _wanted(context, os.path.basename(entry.path)):
                    self.add(entry.path, "wheel")

    def look(self, place: Place) -> None:
        """Take what lies in one directory."""
        if f"{place.directory}/".endswith("/stubs/"):
            return  # for linking only; the loader's view of them is the driver probe's
        folder = self._real_folder(place.directory)
        if folder not in self._listed:
            entries = names(self.context, folder, self.unreadable)
            self._listed[folder] = [name for name in entries if _wanted(self.context, name)]
        for name in self._listed[folder]:
            self.add(f"{folder}/{name}", place.found_by)

    def add(self, path: str, found_by: str) -> None:
        """Take one name of a file."""
        folder, _, name = path.rpartition("/")
        path = f"{self._real_folder(folder)}/{name}"
        place = real(self.context, path)
        if os.path.exists(host(self.context, place)):
            item = self.files.setdefault(place, _File(place))
            item.aliases.setdefault(path)
            item.found_by.setdefault(found_by)
        elif is_there(self.context, path):
            ways = self.broken.setdefault(path, [])
            if found_by not in ways:
                ways.append(found_by)

    def _real_folder(self, folder: str) -> str:
        if folder not in self._folders:
            self._folders[folder] = real(self.context, folder)
        return self._folders[folder]


def _wanted(context: ProbeContext, name: str) -> bool:
    if ".so" not in name:
        return False
    spec = context.libraries(name)
    return spec is not None and spec.component in COMPONENTS


def _conda_places(context: ProbeContext) -> Iterator[Place]:
    for prefix in _conda_prefixes(context):
        for tail in ("lib", *targets()):
            yield Place(f"{prefix}/{tail}", "conda")


def _conda_prefixes(context: ProbeContext) -> list[str]:
    python = inspected(context)
    found = [context.environ.get("CONDA_PREFIX", "")]
    if python.conda and python.prefix:
        found.append(python.prefix)
    return [path for path in dict.fromkeys(found) if path.startswith("/")]


def _wheel_places(context: ProbeContext, unreadable: list[str]) -> Iterator[Place]:
    """The folders of wheels that hold libraries; never a walk through all packages."""
    for site in inspected(context).sites:
        for name in names(context, site, unreadable):
            if name == "nvidia":
                for part in names(context, f"{site}/nvidia", unreadable):
                    yield Place(f"{site}/nvidia/{part}/lib", "wheel")
            elif _WHEEL_FOLDERS.fullmatch(name) and not name.endswith("-info"):
                yield Place(f"{site}/{name}", "wheel")
        for inner in _WHEEL_INNER:
            yield Place(f"{site}/{inner}", "wheel")


# -- telling -----------------------------------------------------------------------------------------------------------


@record
class _Owner:
    """Who brought a file."""

    label: str
    version: str | None
    """Only when it is the version of the file's own component."""
    how: str
    origin: str
    flavour: str | None


class _Maker:
    """Turns files into copies; holds what is shared between them."""

    def __init__(self, context: ProbeContext, files: dict[str, _File]) -> None:
        self.context = context
        self.machine = _machine(context)
        self.claims = self._claims(files)
        self.conda: dict[str, tuple[str, str]] | None = None
        self.roles: dict[str, set[str]] = {}
        for place in files:
            spec = context.libraries(os.path.basename(place))
            if spec is not None:
                self.roles.setdefault(os.path.dirname(place), set()).add(spec.role)

    def _claims(self, files: dict[str, _File]) -> dict[str, list[tuple[wheels.Installed, wheels.Listed]]]:
        """Real path to the distributions whose RECORD lists it."""
        found: dict[str, list[tuple[wheels.Installed, wheels.Listed]]] = {}
        own = wheels.installed(self.context)
        sites = {real(self.context, site) for site in inspected(self.context).sites}
        elsewhere = {match[1] for place in files if (match := _SITE.match(place)) and match[1] not in sites}
        for item in (*own, *(item for site in sorted(elsewhere) for item in wheels.in_site(self.context, site))):
            site = real(self.context, item.site)
            for entry in item.listed or ():
                path = entry.path
                if site != item.site and path.startswith(item.site):
                    path = site + path[len(item.site) :]
                if path in files or (path := real(self.context, path)) in files:
                    found.setdefault(path, []).append((item, entry))
        return found

    def copies(self, files: Iterable[_File]) -> list[Copy]:
        """One copy for each file."""
        return [copy for copy in (self._copy(item) for item in files) if copy is not None]

    def _copy(self, item: _File) -> Copy | None:
        specs = [(path, self.context.libraries(os.path.basename(path))) for path in (item.place, *item.aliases)]
        specs = [(path, spec) for path, spec in specs if spec is not None]
        if not specs:
            return None
        spec = specs[0][1]
        head, problem = self._head(item.place)
        soname = head.soname if head else None
        owner = self._owner(item, spec)
        version, how = self._version(item, [found for _, found in specs], soname, owner)
        path = next((path for path, _ in specs if os.path.basename(path) == soname), specs[0][0])
        try:
            size: int | None = os.stat(host(self.context, item.place)).st_size
        except OSError:
            size = None
        return Copy(
            component=spec.component,
            name=spec.name,
            role=spec.role,
            version=version,
            how=how,
            path=path,
            realpath=item.place,
            soname=soname,
            size=size,
            owner=owner.label if owner else None,
            origin=owner.origin if owner else None,
            flavour=self._flavour(item, owner, head, version if spec.counts == "cuda" else None),
            product=self._product(item, spec),
            found_by=tuple(item.found_by),
            problem=problem,
            needs_glibc=_highest(head, "GLIBC_"),
            needs_glibcxx=_highest(head, "GLIBCXX_"),
            executable_stack=head.executable_stack if head else None,
        )

    def _head(self, path: str) -> tuple[elf.Elf | None, str | None]:
        try:
            found = elf.read(host(self.context, path))
        except elf.ElfError as error:
            return None, error.problem
        foreign = self.machine is not None and found.machine != self.machine
        return found, "foreign-architecture" if foreign else None

    def _product(self, item: _File, spec: Any) -> str | None:
        """By its name; a file of several products belongs to the one whose runtime lies beside it."""
        if spec.component != "tensorrt" or spec.product is not None:
            return str(spec.product) if spec.product else None
        beside = self.roles.get(os.path.dirname(item.place), set())
        found = next((role for role in ("builder", "lean", "dispatch") if role in beside), None)
        return "full" if found == "builder" else found

    # -- version -------------------------------------------------------------------------------------------------------

    def _version(
        self, item: _File, specs: list[Any], soname: str | None, owner: _Owner | None
    ) -> tuple[str | None, str | None]:
        """The version and how it is known: by the file's name, its owner, its toolkit, or only its soname."""
        spec = specs[0]
        if spec.counts not in ("own", "cuda"):
            return None, None
        named = max((found.version for found in specs if found.version), key=lambda text: text.count("."), default=None)
        known = Version.maybe(named)
        if known is not None and len(known.parts) > (1 if spec.counts == "cuda" else 2):
            return str(known), "file-name"
        inner = self.context.libraries(soname) if soname else None
        said = Version.maybe(inner.version) if inner is not None else None
        lowest = [version for version in (known, said) if version is not None]
        if owner is not None and owner.version and _fits(owner.version, lowest):
            return owner.version, owner.how
        if spec.counts == "cuda":
            version, how = self._of_toolkit(item)
            if version is not None and _fits(version, lowest):
                return version, how
        if said is not None and (known is None or said.may_be(known)):
            best = known if known is not None and len(known.parts) > len(said.parts) else said
            return str(best), "soname"
        return (str(known), "file-name") if known is not None else (None, None)

    def _of_toolkit(self, item: _File) -> tuple[str | None, str | None]:
        folder = os.path.dirname(item.place)
        for root in roots(self.context):
            if folder in root.libraries and root.toolkit.root != "/usr":
                return root.toolkit.version, root.toolkit.how
        return None, None

    def _flavour(self, item: _File, owner: _Owner | None, head: elf.Elf | None, cuda: str | None) -> str | None:
        """By owner, the folder of CUDA 13's wheels, its own CUDA version, its toolkit, or what it is linked with."""
        if owner is not None and owner.flavour:
            return owner.flavour
        if "/nvidia/cu13/" in item.place:
            return "cu13"
        own = Version.maybe(cuda or self._of_toolkit(item)[0])
        majors = {own.major} if own is not None else set()
        for name in head.needed if head else ():
            spec = self.context.libraries(name)
            version = Version.maybe(spec.version) if spec and spec.component in _NUMBERED_LIKE_CUDA else None
            if version is not None:
                majors.add(version.major)
        return f"cu{majors.pop()}" if len(majors) == 1 else None

    # -- owner ---------------------------------------------------------------------------------------------------------

    def _owner(self, item: _File, spec: Any) -> _Owner | None:
        claims = self.claims.get(item.place)
        if claims:
            return _of_wheels(spec, claims)
        if any(item.place.startswith(f"{prefix}/") for prefix in _conda_prefixes(self.context)):
            return self._of_conda(item)
        package = owners(self.context).get(without_usr(item.place))
        return _of_package(package) if package is not None else None

    def _of_conda(self, item: _File) -> _Owner | None:
        if self.conda is None:
            self.conda = {}
            for prefix in _conda_prefixes(self.context):
                self.conda.update(_conda_files(self.context, prefix))
        found = self.conda.get(item.place)
        if found is None:
            return None
        name, version = found
        return _Owner(f"{name} {version}", version, "package", "conda", None)


def _highest(head: elf.Elf | None, family: str) -> str | None:
    """The highest symbol version of one family (``GLIBC_``) that a file asks for: ``2.27``."""
    if head is None:
        return None
    wanted = [version for _, versions in head.versions_needed for version in versions]
    said = [version.removeprefix(family) for version in wanted if version.startswith(family)]
    versions = [found for found in map(Version.maybe, said) if found is not None]
    return str(max(versions, key=lambda version: version.parts)) if versions else None


def _machine(context: ProbeContext) -> str | None:
    """The machine that libraries must be for; another root's is that of its shell, None when it has none."""
    if os.fspath(context.root) == "/":
        return os.uname().machine
    try:
        return elf.read(host(context, "/bin/sh")).machine
    except elf.ElfError:
        return None


def _fits(version: str, known: list[Version]) -> bool:
    found = Version.maybe(version)
    return found is not None and all(found.may_be(other) for other in known)


def _of_wheels(spec: Any, claims: list[tuple[wheels.Installed, wheels.Listed]]) -> _Owner | None:
    """The wheel whose file this is. One wheel may have overwritten another's: size and digest tell whose it is."""
    left = [wheel for wheel, entry in claims if not entry.changed]
    if not left:
        return None
    own = [wheel for wheel in left if wheel.known.component == spec.component]
    versions = {wheel.version for wheel in own} if len(own) == len(left) else set()
    flavours = {wheel.known.flavour for wheel in own} if len(own) == len(left) else set()
    return _Owner(
        label=" or ".join(sorted(wheel.label for wheel in left)),
        version=versions.pop() if len(versions) == 1 else None,
        how="wheel",
        origin="pip",
        flavour=flavours.pop() if len(flavours) == 1 else None,
    )


_DEBIAN_VERSION = re.compile(r"(?:\d+:)?(?P<upstream>\d+(?:\.\d+)*)")
_CUDA_IN_VERSION = re.compile(r"[+~]cuda(\d{1,2})\b")
_CUDA_IN_NAME = re.compile(r"-cuda-(\d{1,2})$")


def _of_package(package: Package) -> _Owner:
    version = _DEBIAN_VERSION.match(package.version or "")
    flavour = _CUDA_IN_VERSION.search(package.version or "") or _CUDA_IN_NAME.search(package.name)
    return _Owner(
        label=f"{package.name} {package.version}" if package.version else package.name,
        version=version["upstream"] if version else None,
        how="package",
        origin="apt",
        flavour=f"cu{flavour[1]}" if flavour else None,
    )


_CONDA_NAMES = re.compile(r"(?:cuda-|cudnn|libcudnn|libcublas|libnv|tensorrt|nv|cudatoolkit).*\.json")


def _conda_files(context: ProbeContext, prefix: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Real path to (package, version), for the conda packages that matter."""
    for entry in names(context, f"{prefix}/conda-meta"):
        if not _CONDA_NAMES.fullmatch(entry):
            continue
        try:
            document = json.loads(read_bytes(context, f"{prefix}/conda-meta/{entry}", _CONDA_BYTES) or b"")
            name, version, files = document["name"], document["version"], document["files"]
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        if not (isinstance(name, str) and isinstance(version, str) and isinstance(files, list)):
            continue
        for path in files:
            if isinstance(path, str) and ".so" in path:
                yield real(context, f"{prefix}/{path}"), (name, version)
