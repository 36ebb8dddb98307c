"""Which Python is looked at, what it is, where its packages lie. Read from files; one child process at the most.

The order is that of contracts.md: ``--python``, ``$VIRTUAL_ENV``, ``$CONDA_PREFIX``, ``python3`` on PATH, our own.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from dataclasses import replace

from trtdoctor.probes import elf
from trtdoctor.probes.base import OWN_PYTHON, ProbeContext, run_child
from trtdoctor.probes.managed import managed
from trtdoctor.probes.searchpaths import exists, host, is_there, names, on_path, once, read_text, real
from trtdoctor.record import record
from trtdoctor.snapshot import Interpreter, ProbeOutcome, Snapshot

_LIBRARY = re.compile(r"(?P<kind>python|pypy)(?P<version>3\.\d+)(?P<threads>t?)")
_HEADER_VERSION = re.compile(r'#define\s+PY_VERSION\s+"([^"]+)"')
_MOST_PTH_LINES = 100


@record
class Inspected:
    """The interpreter and its package directories."""

    interpreter: Interpreter | None
    """Without its distributions; None when there is no Python at all."""
    sites: tuple[str, ...] = ()
    """Directories that hold packages, first one wins."""
    prefix: str | None = None
    conda: bool = False
    """Whether ``prefix`` is a conda environment."""
    complaints: tuple[str, ...] = ()
    """What could not be learnt, each a short sentence."""
    complete: bool = True
    """Whether every package directory is known."""


def probe(context: ProbeContext) -> Snapshot:
    """The interpreter and every distribution of it that has to do with the stack."""
    from trtdoctor.probes import wheels

    found = inspected(context)
    if found.interpreter is None:
        return Snapshot(probes=(ProbeOutcome("python", "failed", "; ".join(found.complaints)),))
    unreadable: list[str] = []
    distributions = tuple(item.distribution() for item in wheels.installed(context, unreadable))
    complaints = (*found.complaints, *(f"cannot list {path}" for path in unreadable))
    interpreter = replace(found.interpreter, distributions=distributions)
    outcomes = (ProbeOutcome("python", "partial", "; ".join(complaints)),) if complaints else ()
    return Snapshot(interpreters=(interpreter,), probes=outcomes)


def inspected(context: ProbeContext) -> Inspected:
    """What is known of the chosen interpreter; worked out once for all probes."""
    return once(context, "python", lambda: _inspect(context))


# -- which one ---------------------------------------------------------------------------------------------------------


def choose(context: ProbeContext) -> tuple[str | None, str, tuple[str, ...]]:
    """Path of the interpreter, the rule that picked it, and what was wrong with those that were skipped."""
    complaints: list[str] = []
    if context.python is not None:
        return os.path.abspath(context.python), "--python", ()
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        prefix = context.environ.get(variable)
        if prefix:
            path = f"{prefix.rstrip('/')}/bin/python"
            if is_there(context, path):
                return path, variable, ()
            complaints.append(f"{variable} names a directory without bin/python")
    for path in on_path(context, "python3"):
        behind = _behind_shim(context, path)
        if behind is not None:
            return behind, "PATH", tuple(complaints)
    if os.fspath(context.root) == "/" and OWN_PYTHON:
        return OWN_PYTHON, "own", tuple(complaints)
    return None, "PATH", (*complaints, "no python3 on PATH")


def _behind_shim(context: ProbeContext, path: str) -> str | None:
    """The interpreter that pyenv's launcher would run, by pyenv's own order of settings; other paths as they are.

    Asking the launcher costs a quarter of a second. None when it would go on to the next python3 on PATH.
    """
    root, shims, program = path.rpartition("/shims/")
    if not shims or "/" in program or not exists(context, f"{root}/versions"):
        return path
    setting = context.environ.get("PYENV_VERSION") or _nearest_setting(context) or read_text(context, f"{root}/version")
    if not setting or not setting.strip():
        return None
    for version in re.split(r"[\s:]+", setting.strip()):
        if version == "system":
            return None
        candidate = f"{root}/versions/{version}/bin/{program}"
        if "/" not in version and exists(context, candidate):
            return candidate
    return path


def _nearest_setting(context: ProbeContext) -> str | None:
    try:
        folder = os.getcwd() if os.fspath(context.root) == "/" else "/"
    except OSError:
        return None
    while True:
        content = read_text(context, f"{folder.rstrip('/')}/.python-version", 4096)
        lines = [line for line in (content or "").splitlines() if line.strip() and not line.startswith("#")]
        if lines:
            return " ".join(lines)
        if folder == "/":
            return None
        folder = os.path.dirname(folder)


# -- what it is --------------------------------------------------------------------------------------------------------


def _inspect(context: ProbeContext) -> Inspected:
    path, chosen_by, complaints = choose(context)
    if path is None:
        return Inspected(None, complaints=complaints, complete=False)
    found = _own(context, path) or _from_files(context, path) or _by_child(context, path)
    interpreter = found.interpreter or Interpreter()
    problem = _cannot_run(context, path)
    return replace(
        found,
        interpreter=replace(
            interpreter, path=path, chosen_by=chosen_by, managed=managed(context, path, interpreter.version)
        ),
        sites=_with_links(context, _added(context, found.sites)),
        complaints=(*complaints, *found.complaints, *((problem,) if problem else ())),
    )


def _cannot_run(context: ProbeContext, path: str) -> str | None:
    target = host(context, path)
    if not os.path.exists(target):
        return "the interpreter is a link that leads nowhere" if os.path.islink(target) else "no such interpreter"
    return None if os.access(target, os.X_OK) else "the interpreter may not be run"


def _own(context: ProbeContext, path: str) -> Inspected | None:
    if os.fspath(context.root) != "/" or os.path.abspath(path) != os.path.abspath(OWN_PYTHON):
        return None
    import site

    sites = list(site.getsitepackages())
    if site.ENABLE_USER_SITE:
        sites.insert(0, site.getusersitepackages())
    interpreter = Interpreter(
        version=".".join(str(part) for part in sys.version_info[:3]) + _stage(),
        implementation=sys.implementation.name,
        abi=_abi(sys.implementation.name, sys.version_info[:2], "t" in getattr(sys, "abiflags", "")),
        platform=f"{sys.platform}-{os.uname().machine}" if hasattr(os, "uname") else sys.platform,
    )
    conda = os.path.isdir(os.path.join(sys.prefix, "conda-meta"))
    return Inspected(interpreter, tuple(sites), sys.prefix, conda)


def _stage() -> str:
    level, serial = sys.version_info[3:]
    return "" if level == "final" else {"alpha": "a", "beta": "b", "candidate": "rc"}[level] + str(serial)


def _from_files(context: ProbeContext, path: str) -> Inspected | None:
    """What the layout around it tells; None when only the interpreter itself knows."""
    folder = os.path.dirname(path)
    for prefix in (os.path.dirname(folder), folder):
        content = read_text(context, f"{prefix}/pyvenv.cfg")
        if content is not None:
            return _environment(context, path, prefix, content)
    return _conda(context, path) or _plain(context, path)


def _environment(context: ProbeContext, path: str, prefix: str, content: str) -> Inspected | None:
    """A virtual environment of its own; one that shares the system's packages is left to the child."""
    lines = (line.partition("=") for line in content.splitlines())
    settings = {key.strip().lower(): value.strip() for key, equals, value in lines if equals}
    if settings.get("include-system-site-packages", "false").lower() == "true" and os.fspath(context.root) == "/":
        return None
    version = settings.get("version") or settings.get("version_info")
    return _of_layout(context, path, prefix, ".".join(version.split(".")[:3]) if version else None, conda=False)


def _conda(context: ProbeContext, path: str) -> Inspected | None:
    prefix = os.path.dirname(os.path.dirname(path))
    records = names(context, f"{prefix}/conda-meta")
    if not records:
        return None
    versions = [match[1] for name in records if (match := re.fullmatch(r"python-(\d[^-]*)-[^-]+\.json", name))]
    found = _of_layout(context, path, prefix, versions[0] if len(versions) == 1 else None, conda=True)
    return replace(found, sites=(*_user_sites(context, found), *found.sites)) if found else None


def _plain(context: ProbeContext, path: str) -> Inspected | None:
    """An interpreter built into a prefix of its own (pyenv, the official images, uv). Its header tells the version.

    /usr belongs to distributions, which change where packages go: left to the child.
    """
    target = real(context, path)
    prefix = os.path.dirname(os.path.dirname(target))
    if os.path.dirname(target) != f"{prefix}/bin" or prefix in ("", "/", "/usr"):
        return None
    named = re.fullmatch(r"python(3\.\d+)([mt]?)", os.path.basename(target))
    if named is None:
        return None
    folders = (f"{prefix}/include/python{named[1]}{mark}" for mark in (named[2], "m"))  # "m": to Python 3.7
    headers = (read_text(context, f"{folder}/patchlevel.h") for folder in folders)
    version = next((match for header in headers if (match := _HEADER_VERSION.search(header or ""))), None)
    if version is None or not version[1].startswith(named[1]):
        return None
    found = _of_layout(context, path, prefix, version[1], conda=False)
    return replace(found, sites=(*_user_sites(context, found), *found.sites)) if found else None


def _of_layout(context: ProbeContext, path: str, prefix: str, version: str | None, *, conda: bool) -> Inspected | None:
    """What ``prefix/lib/pythonX.Y/site-packages`` tells; None when the layout is another or does not fit."""
    found = []
    for library in ("lib", "lib64"):
        for name in names(context, f"{prefix}/{library}"):
            match = _LIBRARY.fullmatch(name)
            site = f"{prefix}/{library}/{name}/site-packages"
            if (
                match
                and exists(context, site)
                and (version is None or f"{version}.".startswith(match["version"] + "."))
            ):
                found.append((match, site))
    layouts = {match[0] for match, _ in found}
    if len(layouts) != 1:
        return None
    match = found[0][0]
    implementation = "cpython" if match["kind"] == "python" else "pypy"
    numbers = tuple(int(part) for part in match["version"].split("."))
    interpreter = Interpreter(
        version=version or match["version"],
        implementation=implementation,
        abi=_abi(implementation, numbers, bool(match["threads"])),
        platform=_platform(context, path),
    )
    sites = tuple({real(context, site): site for _, site in reversed(found)}.values())
    return Inspected(interpreter, sites, prefix, conda)


def _abi(implementation: str, version: tuple[int, ...], threads: bool) -> str | None:
    """The tag of wheels for it; only CPython's form is known."""
    if implementation != "cpython":
        return None
    mark = "m" if version < (3, 8) else ""
    return f"cp{version[0]}{version[1]}{'t' if threads else mark}"


def _platform(context: ProbeContext, path: str) -> str | None:
    try:
        return f"linux-{elf.read(host(context, path)).machine}"
    except elf.ElfError:
        return None


def _by_child(context: ProbeContext, path: str) -> Inspected:
    if os.fspath(context.root) != "/":
        return _guessless(context, path)
    result = run_child(path, "interpreter", environ=dict(context.environ))
    answer = result.answer
    version, implementation = answer.get("version"), answer.get("implementation")
    if result.outcome != "ok":
        complaint = f"the interpreter could not be asked: {result.outcome}, {result.detail}"
        known = Interpreter(version=version if isinstance(version, str) else None)
        return Inspected(known, complaints=(complaint,), complete=False)
    paths = answer.get("paths")
    if not isinstance(version, str) or not isinstance(implementation, str) or not isinstance(paths, list):
        return Inspected(Interpreter(), complaints=("the interpreter gave no answer that makes sense",), complete=False)
    sites = [item for item in paths if isinstance(item, str) and item.startswith("/")]
    user = answer.get("user")
    if isinstance(user, str) and answer.get("system_site") is True and not context.environ.get("PYTHONNOUSERSITE"):
        sites.insert(0, user)
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    platform, prefix = answer.get("platform"), answer.get("prefix")
    interpreter = Interpreter(
        version=version,
        implementation=implementation,
        abi=_abi(implementation, numbers, answer.get("free_threaded") is True),
        platform=platform if isinstance(platform, str) else None,
    )
    return Inspected(
        interpreter,
        tuple(dict.fromkeys(sites)),
        prefix if isinstance(prefix, str) else None,
        isinstance(prefix, str) and os.path.isdir(os.path.join(prefix, "conda-meta")),
    )


def _guessless(context: ProbeContext, path: str) -> Inspected:
    """An interpreter of another root, which cannot be run here: only its name and the usual directories."""
    match = re.search(r"python(3\.\d+)$", real(context, path))
    if match is None:
        return Inspected(Interpreter(), complaints=("an interpreter of another root, not run",), complete=False)
    sites = [
        f"{head}/{tail}"
        for head in ("/usr/local/lib", "/usr/local/lib64", "/usr/lib", "/usr/lib64")
        for tail in (f"python{match[1]}/dist-packages", "python3/dist-packages", f"python{match[1]}/site-packages")
    ]
    interpreter = Interpreter(version=match[1], implementation="cpython", platform=_platform(context, path))
    return Inspected(interpreter, tuple(site for site in sites if exists(context, site)), "/usr")


# -- where its packages lie --------------------------------------------------------------------------------------------


def _user_sites(context: ProbeContext, found: Inspected) -> tuple[str, ...]:
    """The user's own directory, when that interpreter looks there."""
    if context.environ.get("PYTHONNOUSERSITE") or found.interpreter is None or found.interpreter.version is None:
        return ()
    home = context.environ.get("HOME")
    base = context.environ.get("PYTHONUSERBASE") or (f"{home}/.local" if home else None)
    if base is None:
        return ()
    short = ".".join(found.interpreter.version.split(".")[:2])
    threads = "t" if (found.interpreter.abi or "").endswith("t") else ""
    path = f"{base}/lib/python{short}{threads}/site-packages"
    return (path,) if exists(context, path) else ()


def _added(context: ProbeContext, sites: Iterable[str]) -> tuple[str, ...]:
    """PYTHONPATH's directories before the others; each real directory once."""
    paths = [part for part in context.environ.get("PYTHONPATH", "").split(":") if part.startswith("/")]
    kept: dict[str, str] = {}
    for path in (*paths, *sites):
        if os.path.isdir(host(context, path)):
            kept.setdefault(real(context, path), path)
    return tuple(kept.values())


def _with_links(context: ProbeContext, sites: tuple[str, ...]) -> tuple[str, ...]:
    """The directories that ``.pth`` files add, after the ones that hold them. Lines of code are not run."""
    kept = {real(context, site): site for site in sites}
    for site in sites:
        for name in names(context, site):
            if not name.endswith(".pth") or name.startswith("."):
                continue
            for line in (read_text(context, f"{site}/{name}") or "").splitlines()[:_MOST_PTH_LINES]:
                target = line.strip()
                if not target or target.startswith(("#", "import ", "import\t")):
                    continue
                path = os.path.normpath(os.path.join(site, target))
                if os.path.isdir(host(context, path)):
                    kept.setdefault(real(context, path), path)
    return tuple(kept.values())
