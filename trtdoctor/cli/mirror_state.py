"""What mirrors were last seen to have, for commands that ask none themselves: ``check``, ``plan --from mirror``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import click

from trtdoctor.snapshot import ProbeOutcome, Snapshot

if TYPE_CHECKING:
    from trtdoctor.config.mirrors import Mirror
    from trtdoctor.matrix import Matrix
    from trtdoctor.obtainable import Obtainable

_PROBE = "mirrors"


def obtainable(state_file: str | None, matrix: Matrix) -> Obtainable:
    """What can be had by the state file that is named, else by the user's own. Raises click.ClickException."""
    from trtdoctor.mirror.state import StateError, default_path, read
    from trtdoctor.obtainable import Obtainable

    try:
        path = state_file or default_path(os.environ)
        state = read(path)
    except StateError as error:
        raise click.ClickException(str(error)) from None
    if state is None:
        raise click.ClickException(f"state {path}: there is none yet: trtdoctor mirror check makes one")
    return Obtainable(state.sources, matrix)


def with_mirrors(snapshot: Snapshot, mirrors: Iterable[Mirror], as_of: date) -> Snapshot:
    """``snapshot`` with what the mirrors of the configuration were last seen to have, and how old that is.

    Nobody is asked. Without a mirror in the configuration, or without a state, it is as it was. A state that cannot be
    read is told among the probes, and ends nothing.
    """
    wanted = {mirror.id for mirror in mirrors if mirror.enabled}
    if not wanted:
        return snapshot
    from trtdoctor.mirror.state import StateError, default_path, read

    try:
        path = default_path(os.environ)
        state = read(path) if os.path.exists(path) else None
    except StateError as error:
        return _told(snapshot, "failed", str(error))
    sources = tuple(source for source in state.sources if source.id in wanted) if state is not None else ()
    if not sources:
        return snapshot
    from trtdoctor.rules.mirror_installed import oldest

    seen = oldest(sources)
    days = (as_of - seen.date()).days if seen is not None else None
    age = f"{days} days old" if days is not None else "of unknown age"
    return _told(replace(snapshot, mirrors=sources), "ok", f"{len(sources)} of the state file, {age}")


def _told(snapshot: Snapshot, outcome: str, detail: str) -> Snapshot:
    return replace(snapshot, probes=(*snapshot.probes, ProbeOutcome(_PROBE, outcome, detail)))
