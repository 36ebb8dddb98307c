"""``trtdoctor engine``."""

from __future__ import annotations

from typing import ClassVar

import click

from trtdoctor.cli import LazyGroup

COMMANDS = {
    "inspect": ("trtdoctor.cli.engine_inspect", "Say what files of engines and caches are, without TensorRT."),
    "check": ("trtdoctor.cli.engine_check", "Say whether an environment can load them."),
    "stamp": ("trtdoctor.cli.engine_stamp", "Write down beside an engine what its header cannot tell."),
}


class _EngineGroup(LazyGroup):
    table: ClassVar[dict[str, tuple[str, str]]] = COMMANDS


@click.group("engine", cls=_EngineGroup)
def command() -> None:
    """Look into files of engines: what they are, and who can load them."""
