"""Collect the facts of this machine. Every probe runs guarded and on its own; what fails becomes a fact itself."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from trtdoctor.probes.base import PROBE_SECONDS, Children, Probe, ProbeContext, ProbeError, adopt, merge
from trtdoctor.probes.driver import probe as probe_driver
from trtdoctor.probes.host import probe as probe_host
from trtdoctor.probes.libraries import probe as probe_libraries
from trtdoctor.probes.loader.probe import probe as probe_loader
from trtdoctor.probes.packages import probe as probe_packages
from trtdoctor.probes.python import probe as probe_python
from trtdoctor.probes.toolkits import probe as probe_toolkits
from trtdoctor.probes.tools import probe as probe_tools
from trtdoctor.snapshot import Driver, ProbeOutcome, Snapshot

if TYPE_CHECKING:
    from trtdoctor.matrix import Matrix

ELSEWHERE = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
"""What is known of the environment of processes under another root: what most images set."""
PROBES: tuple[tuple[str, Probe], ...] = (
    ("host", probe_host),
    ("driver", probe_driver),
    ("python", probe_python),
    ("packages", probe_packages),
    ("toolkits", probe_toolkits),
    ("libraries", probe_libraries),
    ("loader", probe_loader),
    ("tools", probe_tools),
)
"""Name and function of each probe, in the order in which their facts are merged."""


def collect(
    matrix: Matrix,
    *,
    python: str | None = None,
    root: str = "/",
    environ: Mapping[str, str] | None = None,
    observe: bool = False,
    importers: Sequence[str] | None = None,
    symbols: bool = False,
) -> Snapshot:
    """Inspect this machine.

    Args:
        matrix: names of the libraries and distributions that are looked for.
        python: the interpreter whose packages are looked at; None for the usual choice (see ``contracts``).
        root: the directory that is taken for ``/``. Of another one only the files are looked at, nothing in it is run,
            and ``python`` is a path below it.
        environ: the environment of the processes there; None for this one's (of another root, PATH alone is known).
        observe: whether what is there is also really loaded, in child processes.
        importers: whose libraries are told of (``python``, ``trtexec``, the path of a file, a module's name); None for
            all that are known.
        symbols: whether undefined symbols are looked for also where nothing is observed and no importer is named.

    Raises:
        ValueError: ``python`` is no file that can be run, ``root`` no directory, or one of ``importers`` can be none.
    """
    from trtdoctor import __version__
    from trtdoctor.matrix import distributions as known_distributions
    from trtdoctor.matrix import libraries as known_libraries
    from trtdoctor.matrix import loading as known_loading

    here = _is_own(root)
    if python is not None:
        python = _interpreter(python) if here else _below(root, python)
    context = ProbeContext(
        root=Path("/" if here else os.path.realpath(root)),
        environ=dict(environ if environ is not None else os.environ if here else ELSEWHERE),
        libraries=partial(known_libraries.identify, matrix),
        distributions=partial(known_distributions.identify, matrix),
        python=python,
        loading=partial(known_loading.table, matrix),
        importers=tuple(importers) if importers is not None else None,
        symbols=symbols or observe or importers is not None,
    )
    # Nothing that was given up, or that Ctrl-C cut short, may go on running.
    children = Children()
    try:
        adopt(children)
        if context.importers is not None:
            from trtdoctor.probes.loader.importers import named

            named(context, context.importers)  # a word that can be no importer is the user's to mend
        parts = _run_all(context, children)
        if observe and here:
            from trtdoctor.probes.loader.observe import observe as observe_all

            predicted = [item for part in parts for item in part.loadings]
            parts.append(observe_all(context, predicted, children))
    finally:
        children.end()
        adopt(None)  # what the caller starts later is no child of a collection that is over
    taken = Snapshot(kind="live", program=__version__, taken=date.today().isoformat())
    for part in parts:
        taken = merge(taken, part)
    if not here:
        taken = _of_files_alone(taken)
    # Through the JSON form once: what came from outside is cleaned there, at one place.
    return Snapshot.from_plain(taken.to_plain())


def _interpreter(named: str) -> str:
    """The absolute path of the interpreter that the user named, looked up on PATH when it is a mere name."""
    if os.sep not in named:
        for directory in os.environ.get("PATH", "").split(":"):
            if directory.startswith("/") and _runs(f"{directory}/{named}"):
                return f"{directory}/{named}"
        if not _runs(named):
            raise ValueError(f"no such interpreter: {named} is neither on PATH nor a file that can be run")
    elif os.path.isdir(named):
        raise ValueError(f"no interpreter: {named} is a directory (the interpreter of an environment is bin/python)")
    elif not os.path.exists(named):
        raise ValueError(f"no such interpreter: {named}")
    elif not _runs(named):
        raise ValueError(f"no interpreter: {named} is no file that can be run")
    return os.path.abspath(named)


def _is_own(root: str) -> bool:
    try:
        if not os.path.isdir(root):
            raise ValueError(f"no such root: {root} is no directory")
        return os.path.samefile(root, "/")
    except OSError as error:
        raise ValueError(f"no such root: {root}: {error.strerror}") from None


def _below(root: str, named: str) -> str:
    """The path of an interpreter as processes under another root see it."""
    if not named.startswith("/"):
        raise ValueError(f"no such interpreter: {named} (with another root, the whole path as seen from inside)")
    path = os.path.normpath(named)
    if not os.path.lexists(f"{root}/{path}"):
        raise ValueError(f"no such interpreter: {path} below {root}")
    return path


def _of_files_alone(taken: Snapshot) -> Snapshot:
    """Without what this machine's kernel would say of its own driver and GPUs: other machines run another root."""
    found = taken.driver
    library = Driver(
        library_version=found.library_version, library_path=found.library_path, library_kind=found.library_kind
    )
    note = "another root: its files alone were looked at; driver, GPUs and environment variables are not known"
    container = replace(taken.container, gpu_access=None) if taken.container else None
    return replace(taken, driver=library, gpus=None, container=container, notes=(note,))


def _runs(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _run_all(context: ProbeContext, children: Children) -> list[Snapshot]:
    """All probes at once, each in a daemon thread, so that one that hangs in the kernel cannot hold up the check."""
    results: dict[str, Snapshot] = {}
    threads = []
    for name, probe in PROBES:
        thread = threading.Thread(
            target=_guarded, args=(name, probe, context, children, results.__setitem__), daemon=True
        )
        thread.start()
        threads.append((name, thread))
    deadline = time.monotonic() + PROBE_SECONDS
    parts = []
    for name, thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
        late = ProbeOutcome(name, "timed-out", f"no answer within {PROBE_SECONDS:g} s", PROBE_SECONDS)
        parts.append(results.get(name) or Snapshot(probes=(late,)))
    return parts


def _guarded(
    name: str, probe: Probe, context: ProbeContext, children: Children, done: Callable[[str, Snapshot], None]
) -> None:
    adopt(children)
    started = time.monotonic()
    try:
        found = probe(context)
        outcome, detail = "ok", None
    except ProbeError as error:
        found, outcome, detail = Snapshot(), "failed", str(error)
    except Exception as error:
        found, outcome, detail = Snapshot(), "failed", f"{type(error).__name__}: {error}"
    if not any(item.name == name for item in found.probes):
        seconds = round(time.monotonic() - started, 3)
        found = replace(found, probes=(*found.probes, ProbeOutcome(name, outcome, detail, seconds)))
    done(name, found)
