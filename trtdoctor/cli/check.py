"""``trtdoctor check``."""

from __future__ import annotations

from datetime import date

import click

from trtdoctor.cli.inputs import (
    collect_here,
    goal_words,
    load_matrix,
    parse_date,
    read_declared,
    read_snapshot,
    split_codes,
    write_output,
)
from trtdoctor.cli.output import say
from trtdoctor.findings import Report
from trtdoctor.matrix import Matrix
from trtdoctor.snapshot import Snapshot

FORMATS = ("table", "json")


@click.command(
    "check",
    epilog="""\b
Exit codes: 0 fine, 1 findings at or over --fail-on, 2 the check itself could not run.
Examples:
  trtdoctor check
  trtdoctor check --snapshot host.json --format json
  trtdoctor check --set tensorrt=10.9 --set gpu="Tesla T4" --set driver=535.104.05""",
)
@click.option("--python", metavar="PATH", help="Interpreter whose packages are looked at.")
@click.option(
    "--goal", multiple=True, metavar="WORD", help="What it is for: build, run, python, cpp, fp16, … (repeatable)."
)
@click.option("--snapshot", "snapshot_file", metavar="FILE|-", help="Judge facts taken elsewhere.")
@click.option("--declared", "declared_file", metavar="FILE|-", help="Judge an environment that a YAML file describes.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="State one fact, e.g. tensorrt=10.9 (repeatable)."
)
@click.option("--matrix", "matrix_directory", metavar="DIR|packaged", help="Another compatibility matrix.")
@click.option(
    "--overlay", "overlays", multiple=True, metavar="FILE", help="Lay a site's own rows over it (repeatable)."
)
@click.option("--format", "format_", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option(
    "-o", "--output", "outputs", multiple=True, metavar="[FORMAT:]FILE", help="Write to a file as well (repeatable)."
)
@click.option(
    "--fail-on", type=click.Choice(("error", "warning", "unknown", "never")), default="error", show_default=True
)
@click.option("--as-of", callback=parse_date, metavar="DATE", help="Judge as on this day (for end-of-life dates).")
@click.option("--select", multiple=True, metavar="CODES", callback=split_codes, help="Only these codes or prefixes.")
@click.option(
    "--ignore", multiple=True, metavar="CODES", callback=split_codes, help="Leave these codes or prefixes out."
)
@click.option("--redact", is_flag=True, help="Hide UUIDs, PCI ids, private paths.")
@click.option("-v", "--verbose", is_flag=True, help="Show facts, sources, and probes too.")
def command(
    python: str | None,
    goal: tuple[str, ...],
    snapshot_file: str | None,
    declared_file: str | None,
    settings: tuple[str, ...],
    matrix_directory: str | None,
    overlays: tuple[str, ...],
    format_: str,
    outputs: tuple[str, ...],
    fail_on: str,
    as_of: date | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    redact: bool,
    verbose: bool,
) -> int:
    """Judge this machine, a snapshot, or a described environment, before any engine is built."""
    if snapshot_file == "-" and declared_file == "-":
        raise click.UsageError("only one of --snapshot and --declared can read stdin")
    if python is not None and (snapshot_file or declared_file or settings):
        raise click.UsageError("--python is for inspecting this machine, not for a snapshot or a description")
    matrix = load_matrix(matrix_directory, overlays)
    words = goal_words(goal, matrix) if goal else ()
    snapshot = _snapshot(matrix, python, snapshot_file, declared_file, settings)
    if redact:
        from trtdoctor.redaction import redact as redacted

        snapshot = redacted(snapshot)
    from trtdoctor.judge import judge

    report = judge(snapshot, matrix, as_of=as_of or date.today(), goal=words, select=select, ignore=ignore)
    _print(report, format_, outputs, verbose)
    return 1 if report.fails(fail_on) else 0


def _snapshot(
    matrix: Matrix, python: str | None, snapshot_file: str | None, declared_file: str | None, settings: tuple[str, ...]
) -> Snapshot:
    """What is judged. ``--set`` alone starts from nothing stated and never looks at this machine."""
    base = read_snapshot(snapshot_file) if snapshot_file else None
    if not declared_file and not settings:
        if base is not None:
            return base
        return collect_here(matrix, python)
    from trtdoctor.declared import DeclarationError, environment_of, snapshot_of

    try:
        if declared_file:
            base = snapshot_of(read_declared(declared_file), base)
        return snapshot_of(environment_of(settings), base)
    except DeclarationError as error:
        raise click.ClickException(str(error)) from None


def _print(report: Report, format_: str, outputs: tuple[str, ...], verbose: bool) -> None:
    from trtdoctor.render import render, split_output

    for kind, file in (split_output(item, format_, FORMATS) for item in outputs):
        write_output(file, render(report, kind, verbose=verbose, color=False))
    import sys

    color = format_ == "table" and _wants_color(sys.stdout)
    say(render(report, format_, verbose=verbose, color=color), color=color)


def _wants_color(stream: object) -> bool:
    import os

    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty()) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
