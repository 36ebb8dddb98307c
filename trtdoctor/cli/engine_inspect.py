"""``trtdoctor engine inspect``."""

from __future__ import annotations

from datetime import date

import click

from trtdoctor.cli.engine_files import FORMATS, looked_at, redacted
from trtdoctor.cli.inputs import load_matrix, parse_date
from trtdoctor.cli.matrix_options import format_option, which_matrix
from trtdoctor.cli.output import deliver


@click.command(
    "inspect",
    epilog="""\b
Exit codes: 0 told, 2 a file cannot be read.
Examples:
  trtdoctor engine inspect model.engine
  trtdoctor engine inspect --recursive /srv/models --format json""",
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@click.option("-r", "--recursive", is_flag=True, help="Search directories for engines and caches, by first bytes.")
@click.option("--no-verify", is_flag=True, help="Do not read whole files to compare them with their sidecars.")
@which_matrix
@format_option(*FORMATS)
@click.option(
    "-o", "--output", "outputs", multiple=True, metavar="[FORMAT:]FILE", help="Write to a file as well (repeatable)."
)
@click.option("--as-of", callback=parse_date, metavar="DATE", help="Tell ages as on this day.")
@click.option("--redact", is_flag=True, help="Hide private paths.")
@click.option("-v", "--verbose", is_flag=True, help="Show facts and sources of findings too.")
def command(
    files: tuple[str, ...],
    recursive: bool,
    no_verify: bool,
    matrix_directory: str | None,
    overlays: tuple[str, ...],
    format_: str,
    outputs: tuple[str, ...],
    as_of: date | None,
    redact: bool,
    verbose: bool,
) -> int:
    """Say what files of engines and caches are, from their first bytes and their sidecars; no TensorRT is needed."""
    from trtdoctor.engine_report import inspected
    from trtdoctor.render import render_engines

    matrix = load_matrix(matrix_directory, overlays)
    engines, scanned = looked_at(matrix, files, recursive=recursive, verify=not no_verify)
    shown = redacted(engines) if redact else engines
    report = inspected(shown, matrix, as_of=as_of or date.today(), scanned=scanned)
    deliver(lambda kind, color: render_engines(report, kind, verbose=verbose, color=color), format_, outputs, FORMATS)
    return 0
