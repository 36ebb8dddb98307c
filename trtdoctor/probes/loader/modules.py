"""Where a Python module, its extensions and its distribution lie, from files, the way the interpreter finds them."""

from __future__ import annotations

import os
import re

from trtdoctor.probes import elf, wheels
from trtdoctor.probes.base import ProbeContext
from trtdoctor.probes.packages import owners, without_usr
from trtdoctor.probes.python import inspected
from trtdoctor.probes.searchpaths import exists, host, names, read_text, real
from trtdoctor.record import record

_IMPORT_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*){0,20}")
_FLAVOUR = re.compile(r"-cu\d{1,2}$")


@record
class Module:
    """A top-level module that is there."""

    name: str
    site: str
    """The directory of sys.path that holds it."""
    package: str | None
    """Its directory; None for a module that is one file."""

    @property
    def path(self) -> str:
        """What stands for it in a Snapshot."""
        return self.package or self.site


def is_import_name(text: str) -> bool:
    """Whether ``text`` can be the name of a module."""
    return len(text) <= 200 and _IMPORT_NAME.fullmatch(text) is not None


def find(context: ProbeContext, name: str) -> Module | None:
    """The module that ``import name`` would take; None when no directory of packages holds it."""
    for site in inspected(context).sites:
        if exists(context, f"{site}/{name}/__init__.py"):
            return Module(name, site, f"{site}/{name}")
        if extension_in(context, site, name) or exists(context, f"{site}/{name}.py"):
            return Module(name, site, None)
    return None


def extension(context: ProbeContext, dotted: str) -> str | None:
    """Path of the extension module ``a.b.c`` for the chosen interpreter; None when there is none."""
    top, _, rest = dotted.partition(".")
    place = find(context, top)
    if place is None:
        return None
    if not rest:
        return extension_in(context, place.site, top) if place.package is None else None
    if place.package is None:
        return None
    *folders, last = rest.split(".")
    return extension_in(context, "/".join((place.package, *folders)), last)


def extension_in(context: ProbeContext, folder: str, name: str) -> str | None:
    """The extension ``name`` in one directory, in the order of the interpreter's suffixes."""
    python = inspected(context).interpreter
    version = ".".join((python.version or "").split(".")[:2]) if python else ""
    numbers = version.replace(".", "") or r"\d+"
    tagged = rf"(?:cpython-{numbers}[a-z]*(?:-[\w-]+)?|pypy{numbers}-[\w-]+)"
    forms = (rf"{re.escape(name)}\.{tagged}\.so", rf"{re.escape(name)}\.abi3\w*\.so", rf"{re.escape(name)}\.so")
    found = names(context, folder)
    for form in forms:
        match = next((item for item in found if re.fullmatch(form, item)), None)
        if match is not None:
            return f"{folder}/{match}"
    return None


def owner(context: ProbeContext, place: Module) -> str | None:
    """``NAME VERSION`` of the distribution or package that brought a module; None when that cannot be told."""
    inner = f"{place.site}/{place.name}"
    listing = [
        item
        for item in wheels.installed(context)
        if item.site == place.site
        and any(entry.path.startswith((f"{inner}/", f"{inner}.")) for entry in item.listed or ())
    ]
    if not listing:
        wanted = wheels.normalised(place.name)
        listing = [
            item
            for item in wheels.installed(context)
            if item.site == place.site and wanted in (item.name, _FLAVOUR.sub("", item.name))
        ]
    labels = sorted({item.label for item in listing})
    if labels:
        return " or ".join(labels)
    return owner_of_file(context, f"{inner}/__init__.py")


def owner_of_file(context: ProbeContext, path: str) -> str | None:
    """``NAME VERSION`` of the distribution or Debian package that brought a library."""
    place = real(context, path)
    for item in wheels.installed(context):
        for entry in item.listed or ():
            if entry.path == path or (
                os.path.basename(entry.path) == os.path.basename(place) and real(context, entry.path) == place
            ):
                return item.label
    package = owners(context).get(without_usr(place))
    return f"{package.name} {package.version}" if package is not None else None


# -- the interpreter's process -----------------------------------------------------------------------------------------


def program(context: ProbeContext) -> str | None:
    """The real executable of the chosen interpreter; None when there is none, or it is no ELF file (a launcher)."""
    python = inspected(context).interpreter
    if python is None or python.path is None:
        return None
    path = real(context, python.path)
    try:
        elf.read(host(context, path))
    except elf.ElfError:
        return None
    return path


def ctypes_extension(context: ProbeContext, executable: str) -> str | None:
    """Path of the ``_ctypes`` extension; None when it is built into the interpreter."""
    python = inspected(context).interpreter
    if python is None or python.version is None:
        return None
    version = ".".join(python.version.split(".")[:2]) + ("t" if (python.abi or "").endswith("t") else "")
    prefixes = [os.path.dirname(os.path.dirname(executable)), *_home(context, python.path or ""), "/usr"]
    for prefix in dict.fromkeys(prefixes):
        for library in ("lib", "lib64"):
            found = extension_in(context, f"{prefix.rstrip('/')}/{library}/python{version}/lib-dynload", "_ctypes")
            if found is not None:
                return found
    return None


def _home(context: ProbeContext, python: str) -> list[str]:
    """The prefix that a virtual environment with a copied interpreter was made from."""
    content = read_text(context, f"{os.path.dirname(os.path.dirname(python))}/pyvenv.cfg") or ""
    lines = (line.partition("=") for line in content.splitlines())
    return [os.path.dirname(value.strip()) for key, _, value in lines if key.strip().lower() == "home"]
