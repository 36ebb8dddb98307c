"""``trtdoctor mirror``."""

from __future__ import annotations

from typing import ClassVar

import click

from trtdoctor.cli import LazyGroup

COMMANDS = {
    "check": ("trtdoctor.cli.mirror_check", "Say what can be had from mirrors, and how far they are behind."),
    "sync-config": ("trtdoctor.cli.mirror_sync", "Write what a sync tool takes, for exactly what is missing."),
    "watch": ("trtdoctor.cli.mirror_watch", "Tell what changes: at upstream, and at mirrors."),
}


class _MirrorGroup(LazyGroup):
    table: ClassVar[dict[str, tuple[str, str]]] = COMMANDS


@click.group("mirror", cls=_MirrorGroup)
def command() -> None:
    """Mirrors and private registries: what can be had from there, how far behind it is, and what to sync."""
