"""Collect the facts of this machine. Every probe runs guarded and on its own; what fails becomes a fact itself."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from trtdoctor.probes.base import PROBE_SECONDS, Children, Probe, ProbeContext, ProbeError, adopt, merge
from trtdoctor.probes.driver import probe as probe_driver
from trtdoctor.probes.host import probe as probe_host
from trtdoctor.probes.libraries import probe as probe_libraries
from trtdoctor.probes.packages import probe as probe_packages
from trtdoctor.probes.python import probe as probe_python
from trtdoctor.probes.toolkits import probe as probe_toolkits
from trtdoctor.snapshot import ProbeOutcome, Snapshot

if TYPE_CHECKING:
    from trtdoctor.matrix import Matrix

PROBES: tuple[tuple[str, Probe], ...] = (
    ("host", probe_host),
    ("driver", probe_driver),
    ("python", probe_python),
    ("packages", probe_packages),
    ("toolkits", probe_toolkits),
    ("libraries", probe_libraries),
)
"""Name and function of each probe, in the order in which their facts are merged."""


def collect(matrix: Matrix, *, python: str | None = None, root: str = "/") -> Snapshot:
    """Inspect this machine.

    ``python`` is the interpreter whose packages are looked at (None: see ``contracts``), ``root`` the directory that
    is taken for ``/``. Raises ValueError when ``python`` is not a file that can be run.
    """
    from trtdoctor import __version__
    from trtdoctor.matrix import distributions as known_distributions
    from trtdoctor.matrix import libraries as known_libraries

    if python is not None:
        python = _interpreter(python)
    context = ProbeContext(
        root=Path(root),
        environ=dict(os.environ),
        libraries=partial(known_libraries.identify, matrix),
        distributions=partial(known_distributions.identify, matrix),
        python=python,
    )
    # Nothing that was given up, or that Ctrl-C cut short, may go on running.
    children = Children()
    try:
        parts = _run_all(context, children)
    finally:
        children.end()
    taken = Snapshot(kind="live", program=__version__, taken=date.today().isoformat())
    for part in parts:
        taken = merge(taken, part)
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
