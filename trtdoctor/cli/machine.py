"""``--snapshot``, ``--declared``, ``--set``, or this machine: which environment a command is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from trtdoctor.cli.inputs import collect_here, only_live, read_declared, read_snapshot, root_directory

if TYPE_CHECKING:
    from trtdoctor.matrix import Matrix
    from trtdoctor.snapshot import Snapshot

_F = TypeVar("_F", bound=Callable[..., Any])


def machine_options(command: _F) -> _F:
    """``--python``, ``--root``, ``--snapshot``, ``--declared`` and ``--set``."""
    options = (
        click.option("--python", metavar="PATH", help="Interpreter whose packages are looked at."),
        click.option(
            "--root", callback=root_directory, metavar="DIR", help="Look at an unpacked image: its files alone."
        ),
        click.option("--snapshot", "snapshot_file", metavar="FILE|-", help="Use facts taken elsewhere."),
        click.option("--declared", "declared_file", metavar="FILE|-", help="Use an environment that a file describes."),
        click.option(
            "--set", "settings", multiple=True, metavar="KEY=VALUE", help="State one fact, e.g. tensorrt=10.9."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def snapshot_named(
    matrix: Matrix,
    python: str | None,
    root: str,
    snapshot_file: str | None,
    declared_file: str | None,
    settings: tuple[str, ...],
    observe: bool = False,
) -> Snapshot:
    """What these options name. ``--set`` alone starts from nothing stated and never looks at this machine."""
    live = not (snapshot_file or declared_file or settings)
    only_live(python, root, observe, live=live)
    base = read_snapshot(snapshot_file) if snapshot_file else None
    if not declared_file and not settings:
        return base if base is not None else collect_here(matrix, python, root=root, observe=observe)
    from trtdoctor.declared import DeclarationError, environment_of, snapshot_of

    try:
        if declared_file:
            base = snapshot_of(read_declared(declared_file), base)
        return snapshot_of(environment_of(settings), base)
    except DeclarationError as error:
        raise click.ClickException(str(error)) from None
