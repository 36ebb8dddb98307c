"""The command line. Thin: each command has a module of its own, imported only when it is the one asked for."""

from __future__ import annotations

import importlib
import os
import sys
from typing import ClassVar

import click

COMMANDS = {
    "check": ("trtdoctor.cli.check", "Judge this machine, a snapshot, or a described environment."),
    "snapshot": ("trtdoctor.cli.snapshot", "Write down every fact about this machine, to be judged anywhere."),
    "libs": ("trtdoctor.cli.libs", "Who gets which NVIDIA library, and by which step of the loader's search."),
    "canary": ("trtdoctor.cli.canary", "Really build a small engine, run it, and compare its result."),
    "engine": ("trtdoctor.cli.engine", "Look into files of engines: what they are, and who can load them."),
    "explain": ("trtdoctor.cli.explain", "Say what an error text, a log, an error number or a rule's code means."),
    "plan": ("trtdoctor.cli.plan", "Say which stacks fit, best first, and the exact way to each."),
    "mirror": ("trtdoctor.cli.mirror", "Say what can be had from mirrors, how far they are behind, and what to sync."),
    "lint-deps": ("trtdoctor.cli.lint_deps", "Judge dependency files and Dockerfiles before anything is installed."),
    "diff": ("trtdoctor.cli.diff", "Say what changed since a recorded good state, and what it means."),
    "config": ("trtdoctor.cli.config", "Show what check would go by: every setting, and where it is from."),
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

    table: ClassVar[dict[str, tuple[str, str]]] = COMMANDS
    """Command name to module and one-line help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order in which people need them."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        if cmd_name not in self.table:
            return None
        command: click.Command = importlib.import_module(self.table[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from the table: ``--help`` imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Like click's, with a suggestion for a mistyped name."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in self.table:
            import difflib

            close = difflib.get_close_matches(name, self.table, n=1)
            hint = f"; did you mean {close[0]}?" if close else f"; commands: {', '.join(self.table)}"
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
    for stream in (sys.stdout, sys.stderr):  # None when closed
        if hasattr(stream, "reconfigure"):
            # An ASCII terminal, or a name that is no UTF-8, must not end the check.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = command_line.main(args=arguments, prog_name="trtdoctor", standalone_mode=False)
    except click.ClickException as error:
        _complain(error)
        code = 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("trtdoctor: interrupted", err=True)
        code = 2
    except BrokenPipeError:
        _let_go_of_stdout()
        code = 0
    except (MemoryError, RecursionError, OSError) as error:
        _let_go_of_stdout()
        click.echo(f"trtdoctor: {_reason(error)}", err=True)
        code = 2
    except Exception as error:
        if os.environ.get("TRTDOCTOR_TRACEBACK"):
            raise
        _let_go_of_stdout()
        click.echo(f"trtdoctor: {_defect(error)}", err=True)
        code = 2
    sys.exit(code if isinstance(code, int) else 0)


def _defect(error: Exception) -> str:
    """A defect of our own, in one line: what failed, where, and how to see more."""
    from trtdoctor.text import clean, harmless

    place, frame = "", error.__traceback__
    while frame is not None:
        code = frame.tb_frame.f_code
        _, found, rest = code.co_filename.rpartition(f"{os.sep}trtdoctor{os.sep}")
        place = f" in {rest}:{frame.tb_lineno}" if found else place
        frame = frame.tb_next
    said = clean(f"{type(error).__name__}: {error}", 200)
    return harmless(f"the check failed by a defect of its own{place} ({said}); TRTDOCTOR_TRACEBACK=1 shows more")


def _reason(error: Exception) -> str:
    from trtdoctor.text import clean

    if isinstance(error, OSError) and error.strerror:
        return clean(f"{error.filename}: {error.strerror}" if error.filename else error.strerror, 600)
    return clean(f"{type(error).__name__}: {error}".rstrip(": "), 600)


def _complain(error: click.ClickException) -> None:
    _let_go_of_stdout()
    from trtdoctor.text import clean, harmless

    context = getattr(error, "ctx", None)
    hint = f" (try '{context.command_path} --help')" if isinstance(error, click.UsageError) and context else ""
    click.echo(harmless(f"trtdoctor: {clean(error.format_message(), 600)}{hint}"), err=True)


def _let_go_of_stdout() -> None:
    """What could not be written stays in the buffer: see to it that the interpreter's last flush is silent."""
    from trtdoctor.cli.output import let_go_of_stdout

    let_go_of_stdout()
