"""Writing to stdout, whatever it is: a terminal that knows only ASCII, a pipe whose reader left, nothing at all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence


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


def deliver(make: Callable[[str, bool], str], format_: str, outputs: Sequence[str], formats: Sequence[str]) -> None:
    """Write a result to each ``[FORMAT:]FILE`` of ``outputs`` and to stdout, there in colour where that is wanted.

    ``make`` takes the format and whether to colour. In a job of GitHub Actions its annotations and its summary are
    written as well. Raises click.ClickException when something that was asked for cannot be written.
    """
    from trtdoctor.cli.inputs import write_output
    from trtdoctor.render import split_output

    for kind, file in (split_output(item, format_, formats) for item in outputs):
        write_output(file, make(kind, False))
    color = format_ == "table" and _wants_color(sys.stdout)
    say(make(format_, color), color=color)
    if "github" in formats:
        from trtdoctor.cli.github import tell

        tell(make, format_, outputs)


def _wants_color(stream: object) -> bool:
    import os

    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty()) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


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
