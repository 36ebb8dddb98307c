"""``trtdoctor lint-deps``."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

import click

from trtdoctor.cli.configured import as_given, config_options, configured, matrix_of
from trtdoctor.cli.inputs import goal_words, parse_date, split_codes
from trtdoctor.cli.matrix_options import format_option, which_matrix
from trtdoctor.cli.output import deliver
from trtdoctor.cli.reports import about_of, maker
from trtdoctor.config import THRESHOLDS
from trtdoctor.findings import Report
from trtdoctor.render import CI_FORMATS, FORMATS

if TYPE_CHECKING:
    from trtdoctor.lint_deps import Lint

_CONFIGURED = ("fail-on", "select", "ignore", "overlay", "matrix")
_UNUSED = "POL104"
"""A waiver that covers nothing in files may cover what is found on a machine: nobody is told that here."""
_PYTHON = re.compile(r"3\.\d{1,2}(?:\.\d{1,3})?")
_PLATFORMS = ("linux-x86_64", "linux-aarch64", "windows-x86_64", "windows-arm64")


def _python_version(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _PYTHON.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no Python version such as 3.10")
    return value


@click.command(
    "lint-deps",
    epilog="""\b
Exit codes: 0 fine, or nothing of the stack is named; 1 findings at or over --fail-on; 2 a file cannot be read.
Examples:
  trtdoctor lint-deps requirements.txt
  trtdoctor lint-deps Dockerfile --gpu "NVIDIA L4" --driver 550.54.14
  trtdoctor lint-deps uv.lock --extra cu12 --python-version 3.11
  trtdoctor lint-deps Dockerfile constraints.txt --format json""",
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--each", is_flag=True, help="Judge each FILE by itself: they are not of one environment.")
@click.option(
    "--python-version",
    callback=_python_version,
    metavar="X.Y",
    help="The Python that it is for; else as the files say.",
)
@click.option(
    "--platform", type=click.Choice(_PLATFORMS), default="linux-x86_64", show_default=True, help="What it is for."
)
@click.option("--extra", "extras", multiple=True, metavar="NAME", help="An extra that is installed (repeatable).")
@click.option("--group", "groups", multiple=True, metavar="NAME", help="A dependency group as well (repeatable).")
@click.option("--target", "stage", metavar="STAGE", help="The stage of a Dockerfile; default the last.")
@click.option("--gpu", "gpus", multiple=True, metavar="NAME", help="The GPU that it is to run on (repeatable).")
@click.option("--driver", metavar="VERSION", help="The driver that it is to run on.")
@click.option("--goal", multiple=True, metavar="WORD", help="What it is for: run, build, fp8, … Default run, python.")
@which_matrix
@format_option(*FORMATS)
@click.option(
    "-o", "--output", "outputs", multiple=True, metavar="[FORMAT:]FILE", help="Write to a file as well (repeatable)."
)
@click.option("--fail-on", type=click.Choice(THRESHOLDS), show_default="error")
@click.option("--as-of", callback=parse_date, metavar="DATE", help="Judge as on this day (for end-of-life dates).")
@click.option("--select", multiple=True, metavar="CODES", callback=split_codes, help="Only these codes or prefixes.")
@click.option(
    "--ignore", multiple=True, metavar="CODES", callback=split_codes, help="Leave these codes or prefixes out."
)
@config_options
@click.option("-v", "--verbose", is_flag=True, help="Show sources, and what was read, too.")
def command(
    files: tuple[str, ...],
    each: bool,
    python_version: str | None,
    platform: str,
    extras: tuple[str, ...],
    groups: tuple[str, ...],
    stage: str | None,
    gpus: tuple[str, ...],
    driver: str | None,
    goal: tuple[str, ...],
    matrix_directory: str | None,
    overlays: tuple[str, ...],
    format_: str,
    outputs: tuple[str, ...],
    fail_on: str | None,
    as_of: date | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    config_file: str | None,
    no_config: bool,
    verbose: bool,
) -> int:
    """Judge what dependency files name, before anything is installed.

    Reads requirements and constraint files, pyproject.toml, uv.lock, poetry.lock, environment.yml of conda and
    Dockerfiles; all FILEs together are one environment (but for --each). Nothing is run, installed or fetched.
    """
    if each and len(files) > 1:
        return _one_by_one(files, format_, outputs)
    given = as_given(fail_on=fail_on, select=select, ignore=ignore, overlay=overlays)
    config = configured(config_file, no_config, given, _CONFIGURED)
    threshold = config.one("fail-on") or "error"
    matrix = matrix_of(config, matrix_directory)
    words = goal_words(goal, matrix) if goal else ()
    from trtdoctor.declared import DeclarationError
    from trtdoctor.lint_deps import lint
    from trtdoctor.requirements import FileError, Target

    def linted(shown: Callable[[str], str] | None = None) -> Lint:
        try:
            return lint(
                files,
                matrix,
                target=Target(platform, python_version, extras=extras, groups=groups),
                as_of=as_of or date.today(),
                stage=stage,
                gpus=gpus,
                driver=driver,
                goal=words,
                select=config.all("select"),
                ignore=(*config.all("ignore"), _UNUSED),
                waivers=config.waivers_for(redacted=shown is not None),
                configuration=config.file,
                shown=shown,
            )
        except (FileError, DeclarationError) as error:
            raise click.ClickException(str(error)) from None

    def for_others() -> Report:
        from trtdoctor.render.ci import repository_name

        return linted(repository_name).report

    found = linted()
    nothing = not found.relevant and not found.report.findings
    about = about_of("lint-deps", "never" if nothing else threshold, *files)
    make = maker(found.report, for_others, about, verbose=verbose)
    if nothing:
        _say_nothing(found.report, make, format_, outputs)
        return 0
    deliver(make, format_, outputs, FORMATS)
    return 1 if found.report.fails(threshold) else 0


def _one_by_one(files: tuple[str, ...], format_: str, outputs: tuple[str, ...]) -> int:
    """Each file as if it were the only one, below its name; the worst exit code. One that cannot be read stops none."""
    from trtdoctor.cli.output import say
    from trtdoctor.text import clean, harmless

    if format_ != "table" or outputs:
        raise click.UsageError("--each writes one table a file to stdout; for another format or -o name one FILE")
    context, worst = click.get_current_context(), 0
    for number, file in enumerate(files):
        say(("\n" if number else "") + harmless(clean(file, 600)) + "\n")
        try:
            code: int = context.invoke(command, **{**context.params, "files": (file,), "each": False})
        except click.ClickException as error:
            say(harmless(f"not judged: {clean(error.format_message(), 600)}") + "\n")
            code = 2
        worst = max(worst, code)
    return worst


def _say_nothing(report: Report, make: Callable[[str, bool], str], format_: str, outputs: tuple[str, ...]) -> None:
    """A file without anything of the stack: a sentence; in the formats for programs the report, which is empty."""
    from trtdoctor.text import harmless

    skipped = [probe.detail for probe in report.snapshot.probes if probe.outcome != "ok" and probe.detail]
    unjudged = [f"{item.component}: {item.why}" for item in report.unknowns]
    lines = ["nothing of the stack is named here", *skipped, *unjudged]
    text = "\n".join(map(harmless, lines)) + "\n"
    programs = ("json", *CI_FORMATS)
    deliver(lambda kind, color: make(kind, color) if kind in programs else text, format_, outputs, FORMATS)
