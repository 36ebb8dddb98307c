"""Options that the ``matrix`` commands share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

_F = TypeVar("_F", bound=Callable[..., Any])
WIDTH = 80


def which_matrix(function: _F) -> _F:
    """``--matrix`` and ``--overlay``."""
    function = click.option(
        "--overlay", "overlays", multiple=True, metavar="FILE", help="Lay a site's own rows over it (repeatable)."
    )(function)
    return click.option("--matrix", "matrix_directory", metavar="DIR|packaged", help="Another compatibility matrix.")(
        function
    )


def format_option(*formats: str) -> Callable[[_F], _F]:
    """``--format``, the first being the usual one."""
    return click.option("--format", "format_", type=click.Choice(formats), default=formats[0], show_default=True)


@contextmanager
def complaints(*kinds: type[Exception]) -> Iterator[None]:
    """Turn errors that speak to the user into one line and exit code 2."""
    try:
        yield
    except kinds as error:
        raise click.ClickException(str(error)) from None


def say_json(name: str, **fields: Any) -> None:
    """Print a document ``trtdoctor-matrix-NAME/1``."""
    from trtdoctor.cli.output import say

    say(json.dumps({"schema": f"trtdoctor-matrix-{name}/1", **fields}, indent=1) + "\n")


def say_lines(lines: list[str]) -> None:
    """Print lines for people: no line can be taken for a command by a CI system."""
    from trtdoctor.cli.output import say
    from trtdoctor.text import harmless

    say("".join(f"{harmless(line.rstrip())}\n" for line in lines))


def plain(value: Any) -> str:
    """A value of the matrix as people read it."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
