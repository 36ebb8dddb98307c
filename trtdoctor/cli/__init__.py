"""The command line. Thin: each command has a module of its own, imported only when it is the one asked for."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

COMMANDS = {
    "check": ("trtdoctor.cli.check", "Judge this machine, a snapshot, or a described environment."),
    "snapshot": ("trtdoctor.cli.snapshot", "Write down every fact about this machine, to be judged anywhere."),
    "rules": ("trtdoctor.cli.rules", "List the rules, or explain one."),
    "matrix": ("trtdoctor.cli.matrix", "Look into the compatibility matrix."),
}
"""Command name to the module that holds it (as ``command``) and its one-line help."""

EPILOG = """\b
Exit codes (the same for every command and format):
  0  fine
  1  findings at or over the threshold of --fail-on
  2  usage error, unreadable input, or the check itself could not run"""


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order in which people need them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from the table: ``--help`` imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Like click's, with a suggestion for a mistyped name."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            import difflib

            close = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"; did you mean {close[0]}?" if close else f"; commands: {', '.join(COMMANDS)}"
            ctx.fail(f"no such command {name!r}{hint}")
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from datetime import date

    from trtdoctor import __version__
    from trtdoctor.matrix import MatrixError, load

    try:
        matrix = load()
    except MatrixError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"trtdoctor {__version__}, matrix {matrix.version} ({matrix.age_days(date.today())} days old)")
    ctx.exit()


@click.group(
    cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Program, matrix and its age."
)
def command_line() -> None:
    """Tell, before anyone waits for an engine build, whether TensorRT engines can be built and run here."""


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the console script: one clear line on stderr and exit code 2 for whatever cannot be done."""
    try:
        code = command_line.main(args=arguments, prog_name="trtdoctor", standalone_mode=False)
    except click.ClickException as error:
        _complain(error)
        code = 2
    except click.Abort:
        click.echo("trtdoctor: interrupted", err=True)
        code = 2
    except BrokenPipeError:
        _close_quietly()
        code = 0
    except (MemoryError, RecursionError, OSError) as error:
        click.echo(f"trtdoctor: {type(error).__name__}: {error}", err=True)
        code = 2
    sys.exit(code if isinstance(code, int) else 0)


def _complain(error: click.ClickException) -> None:
    from trtdoctor.text import clean

    context = getattr(error, "ctx", None)
    hint = f" (try '{context.command_path} --help')" if isinstance(error, click.UsageError) and context else ""
    click.echo(f"trtdoctor: {clean(error.format_message(), 600)}{hint}", err=True)


def _close_quietly() -> None:
    """The reader went away (``| head``): point stdout elsewhere, so that the interpreter's last flush is silent."""
    import os

    sink: Any = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, sys.stdout.fileno())
