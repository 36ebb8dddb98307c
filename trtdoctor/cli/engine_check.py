"""``trtdoctor engine check``."""

from __future__ import annotations

from datetime import date

import click

from trtdoctor.cli.engine_files import FORMATS, looked_at, redacted
from trtdoctor.cli.inputs import (
    collect_here,
    goal_words,
    load_matrix,
    only_live,
    parse_date,
    read_declared,
    read_snapshot,
    root_directory,
)
from trtdoctor.cli.matrix_options import format_option, which_matrix
from trtdoctor.cli.output import deliver


@click.command(
    "check",
    epilog="""\b
Exit codes: 0 fine, 1 findings at or over --fail-on, 2 a file or the environment cannot be read.
Examples:
  trtdoctor engine check model.engine
  trtdoctor engine check model.engine --snapshot target.json
  trtdoctor engine check model.engine --set tensorrt=10.9.0.34 --set gpu="NVIDIA L4"
  trtdoctor engine check --recursive /srv/models --fail-on warning""",
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@click.option("-r", "--recursive", is_flag=True, help="Search directories for engines and caches, by first bytes.")
@click.option("--no-verify", is_flag=True, help="Do not read whole files to compare them with their sidecars.")
@click.option("--python", metavar="PATH", help="Interpreter whose packages are looked at.")
@click.option(
    "--root", callback=root_directory, metavar="DIR", help="Look at an unpacked image or chroot: its files alone."
)
@click.option("--goal", multiple=True, metavar="WORD", help="What loads it: trtexec, triton, cpp, … (repeatable).")
@click.option("--snapshot", "snapshot_file", metavar="FILE|-", help="The environment is that of a snapshot.")
@click.option("--declared", "declared_file", metavar="FILE|-", help="The environment is that of a YAML file.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="State one fact, e.g. tensorrt=10.9 (repeatable)."
)
@which_matrix
@format_option(*FORMATS)
@click.option(
    "-o", "--output", "outputs", multiple=True, metavar="[FORMAT:]FILE", help="Write to a file as well (repeatable)."
)
@click.option(
    "--fail-on", type=click.Choice(("error", "warning", "unknown", "never")), default="error", show_default=True
)
@click.option("--as-of", callback=parse_date, metavar="DATE", help="Judge as on this day.")
@click.option("--redact", is_flag=True, help="Hide private paths.")
@click.option("-v", "--verbose", is_flag=True, help="Show facts and sources of findings too.")
def command(
    files: tuple[str, ...],
    recursive: bool,
    no_verify: bool,
    python: str | None,
    root: str,
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
    redact: bool,
    verbose: bool,
) -> int:
    """Say whether this machine, a snapshot or a described environment can load engines: no TensorRT is needed."""
    from trtdoctor.declared import DeclarationError, environment_of, snapshot_of
    from trtdoctor.engine_report import checked
    from trtdoctor.redaction import redact as hidden
    from trtdoctor.render import render_engines

    if snapshot_file == "-" and declared_file == "-":
        raise click.UsageError("only one of --snapshot and --declared can read stdin")
    live = not (snapshot_file or declared_file or settings)
    only_live(python, root, observe=False, live=live)
    matrix = load_matrix(matrix_directory, overlays)
    words = goal_words(goal, matrix)
    engines, scanned = looked_at(matrix, files, recursive=recursive, verify=not no_verify)
    try:
        snapshot = read_snapshot(snapshot_file) if snapshot_file else None
        if declared_file:
            snapshot = snapshot_of(read_declared(declared_file), snapshot)
        if settings:
            snapshot = snapshot_of(environment_of(settings), snapshot)
    except DeclarationError as error:
        raise click.ClickException(str(error)) from None
    if snapshot is None:
        snapshot = collect_here(matrix, python, root=root)
    if redact:
        snapshot, engines = hidden(snapshot), redacted(engines)
    report = checked(engines, snapshot, matrix, as_of=as_of or date.today(), goal=words, scanned=scanned)
    deliver(lambda kind, color: render_engines(report, kind, verbose=verbose, color=color), format_, outputs, FORMATS)
    return 1 if report.fails(fail_on) else 0
