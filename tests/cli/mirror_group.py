"""Stands in for the group ``mirror`` until it is there."""

from typing import ClassVar

import click

from trtdoctor.cli import LazyGroup


class Group(LazyGroup):
    table: ClassVar[dict[str, tuple[str, str]]] = {
        "watch": ("trtdoctor.cli.mirror_watch", ""),
        "sync-config": ("trtdoctor.cli.mirror_sync", ""),
    }


@click.group("mirror", cls=Group)
def command() -> None: ...
