"""Writing to stdout, whatever it is: a terminal that knows only ASCII, a pipe whose reader left, nothing at all."""

from __future__ import annotations

import sys


def say(text: str, *, color: bool = False) -> None:
    """Print ``text`` as it is. A reader that went away (``| head``) changes nothing: the exit code stays the verdict.

    Raises click.ClickException when stdout cannot be written, such as on a full disk.
    """
    import click

    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    if not text.isascii():
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            text = text.replace("\u2026", "...")
    try:
        click.echo(text, nl=False, color=color)
    except BrokenPipeError:
        let_go_of_stdout()
    except OSError as error:
        raise click.ClickException(f"stdout: {error.strerror or error}") from None


def let_go_of_stdout() -> None:
    """Point stdout elsewhere, so that what is left in its buffer goes nowhere without another word."""
    import os

    if sys.stdout is None:
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, sys.stdout.fileno())
    except (OSError, ValueError):  # a stand-in for stdout that is no file
        return
    finally:
        os.close(sink)
