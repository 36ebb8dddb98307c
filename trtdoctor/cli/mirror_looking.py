"""How ``mirror check`` and ``mirror sync-config`` look at mirrors: now, or at what a state file has of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from trtdoctor.cli.inputs import parse_date
from trtdoctor.cli.mirror_options import fleet_of, mirrors_of
from trtdoctor.config import Config

if TYPE_CHECKING:
    from trtdoctor.config.mirrors import Mirror
    from trtdoctor.matrix import Matrix
    from trtdoctor.mirror_facts import MirrorSource
    from trtdoctor.snapshot import Snapshot

_F = TypeVar("_F", bound=Callable[..., Any])


def looking_options(command: _F) -> _F:
    """One machine by its facts, and how mirrors are asked, if they are."""
    options = (
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="KEY=VALUE",
            help="One machine by its facts, e.g. gpu=L4 (repeatable).",
        ),
        click.option("--no-state", is_flag=True, help="Neither read nor keep what was seen."),
        click.option("--offline", is_flag=True, help="Ask nobody: judge what the state file has."),
        click.option(
            "--deep", is_flag=True, help="Ask the mirror for every layer and file: a cache fetches what it lacks."
        ),
        click.option("--ca-file", metavar="FILE", help="The authority that signs the mirrors' certificates."),
        click.option("--insecure", is_flag=True, help="Check no certificate of a mirror. It is told."),
        click.option("--as-of", callback=parse_date, metavar="DATE", help="Judge as on this day."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def refuse(
    no_state: bool, offline: bool, state_file: str | None, deep: bool, ca_file: str | None, insecure: bool
) -> None:
    """Options that do not go together; each is one line."""
    if no_state and (offline or state_file is not None):
        raise click.UsageError("--no-state uses no state file: not both it and --offline or --state FILE")
    if offline and (deep or ca_file is not None or insecure):
        raise click.UsageError("--offline asks nobody: --deep, --ca-file and --insecure say how to ask")
    if ca_file is not None and insecure:
        raise click.UsageError("--insecure checks no certificate: not both it and --ca-file FILE")
    if ca_file is not None and not os.path.isfile(ca_file):
        raise click.BadParameter(f"{ca_file!r} is no file", param_hint="--ca-file")


def machines_of(
    snapshot_files: Sequence[str], declared_files: Sequence[str], settings: Sequence[str]
) -> tuple[Snapshot, ...]:
    """The fleet; what ``--set`` states is one machine more."""
    if [*snapshot_files, *declared_files].count("-") > 1:
        raise click.UsageError("only one of --snapshot and --declared can read stdin")
    found = fleet_of(snapshot_files, declared_files)
    if not settings:
        return found
    from trtdoctor.declared import DeclarationError, environment_of, snapshot_of

    try:
        return (*found, snapshot_of(environment_of(settings)))
    except DeclarationError as error:
        raise click.ClickException(str(error)) from None


def as_asked(mirror: Mirror, deep: bool, ca_file: str | None, insecure: bool) -> Mirror:
    """A mirror with what the command line says of how it is asked."""
    if deep:
        mirror = replace(mirror, held="deep")
    if ca_file is not None:
        mirror = replace(mirror, ca_file=os.path.abspath(ca_file))
    return replace(mirror, verify_tls=False) if insecure else mirror


# -- looking -----------------------------------------------------------------------------------------------------------


def path_of(state_file: str | None) -> str | None:
    """The state file: the one that is named, else the user's own; None where there is no place for one."""
    from trtdoctor.mirror.state import StateError, default_path

    if state_file is not None:
        return state_file
    try:
        return default_path(os.environ)
    except StateError as error:
        raise click.ClickException(f"{error}; or --no-state") from None


def looked(
    config: Config,
    matrix: Matrix,
    mirrors: Sequence[Mirror],
    machines: Sequence[Snapshot],
    path: str | None,
    now: datetime,
    seconds: int,
) -> tuple[MirrorSource, ...]:
    """What the mirrors hold now; kept for the next time, and for whoever watches."""
    from trtdoctor.mirror import rounds
    from trtdoctor.mirror.lags import lags, late
    from trtdoctor.mirror.state import StateError, read
    from trtdoctor.mirror.take import take

    for mirror in mirrors:
        _needs_upstream(mirror, matrix)
    try:
        before = read(path) if path is not None else None
        found = take(
            mirrors, matrix, state=before, now=now, environ=os.environ, seconds=seconds, keep_answers=path is not None
        )
        if path is not None:
            policy = config.policy
            judged = late(lags(found, matrix, policy, machines, now), policy)
            rounds.keep(path, found, mirrors, now=now, late=judged)
    except StateError as error:
        raise click.ClickException(str(error)) from None
    return found


def _needs_upstream(mirror: Mirror, matrix: Matrix) -> None:
    """Refuse a mirror of which nobody says what it is compared with, before anybody is asked."""
    from trtdoctor.matrix.mirrors import default_upstream

    if mirror.upstream is not None or mirror.kind not in ("oci", "apt"):
        return
    if default_upstream(matrix, mirror.kind, mirror.mirror) is None:
        where = f"{mirror.stated_at}: " if mirror.stated_at else ""
        how = f"name it: {mirror.kind}:UPSTREAM=MIRROR, or upstream in the configuration"
        raise click.ClickException(f"{where}{mirror.id}: its address does not tell its upstream; {how}")


def remembered(config: Config, sources: Sequence[str], state_file: str | None) -> tuple[MirrorSource, ...]:
    """What the state file has of the sources that are named, else of all; where nothing is in it that is no answer."""
    from trtdoctor.mirror.state import StateError, read

    path = path_of(state_file)
    try:
        state = read(path) if path is not None else None
    except StateError as error:
        raise click.ClickException(str(error)) from None
    if state is None:
        raise click.ClickException(f"state {path}: there is none yet: trtdoctor mirror check makes one")
    if not sources:
        return state.sources
    found = []
    for mirror in mirrors_of(config, sources):
        source = state.source(mirror.id)
        if source is None:
            raise click.ClickException(f"state {path}: has nothing of {mirror.id}: look without --offline first")
        found.append(source)
    return tuple(found)
