"""What ``mirror check`` and ``mirror sync-config`` share: which mirrors, for which machines, under which policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from trtdoctor.cli.configured import config_options, policy_option
from trtdoctor.config import KEYS, POLICY, Config

if TYPE_CHECKING:
    from trtdoctor.config.mirrors import Mirror
    from trtdoctor.snapshot import Snapshot

SECONDS = 120
_F = TypeVar("_F", bound=Callable[..., Any])


def mirror_options(command: _F) -> _F:
    """SOURCE, and every option that says what is looked at and for whom."""
    options = (
        click.argument("sources", nargs=-1, metavar="[SOURCE]..."),
        click.option(
            "--snapshot", "snapshot_files", multiple=True, metavar="FILE", help="A machine of the fleet (repeatable)."
        ),
        click.option(
            "--declared",
            "declared_files",
            multiple=True,
            metavar="FILE",
            help="A machine of the fleet that a file describes (repeatable).",
        ),
        policy_option,
        click.option("--state", "state_file", metavar="FILE", help="What was seen before; default in the user's own."),
        click.option(
            "--seconds",
            type=click.IntRange(1, 3600),
            default=SECONDS,
            show_default=True,
            help="For looking at all sources at once.",
        ),
        click.option("--matrix", "matrix_directory", metavar="DIR|packaged", help="Another compatibility matrix."),
        click.option(
            "--overlay", "overlays", multiple=True, metavar="FILE", help="Lay a site's own rows over it (repeatable)."
        ),
        config_options,
    )
    for option in reversed(options):
        command = option(command)
    return command


def policy_keys() -> tuple[str, ...]:
    """The keys of ``[policy]``, as the configuration has them."""
    return tuple(name for name in KEYS if name.startswith(f"{POLICY}."))


def mirrors_of(config: Config, sources: Sequence[str]) -> tuple[Mirror, ...]:
    """The sources that are named, each the id of a ``[[mirror]]`` or ``KIND:[UPSTREAM=]MIRROR``; else all enabled ones.

    Raises click.ClickException for what is none.
    """
    from trtdoctor.config.mirrors import MirrorError
    from trtdoctor.mirror.sources import parse_source

    known = {mirror.id: mirror for mirror in config.mirrors}
    if not sources:
        enabled = tuple(mirror for mirror in config.mirrors if mirror.enabled)
        if not enabled:
            raise click.UsageError("nothing to look at: name a SOURCE, or write a [[mirror]] into the configuration")
        return enabled
    try:
        return tuple(replace(known[text], enabled=True) if text in known else parse_source(text) for text in sources)
    except MirrorError as error:
        raise click.ClickException(str(error)) from None


def fleet_of(snapshot_files: Sequence[str], declared_files: Sequence[str]) -> tuple[Snapshot, ...]:
    """The machines that are named; none where nobody names any. Raises click.ClickException."""
    from trtdoctor.cli.inputs import read_declared, read_snapshot
    from trtdoctor.declared import DeclarationError, snapshot_of

    def declared(name: str) -> Snapshot:
        try:
            return snapshot_of(read_declared(name))
        except DeclarationError as error:
            raise click.ClickException(f"{name}: {error}") from None

    return (*map(read_snapshot, snapshot_files), *map(declared, declared_files))
