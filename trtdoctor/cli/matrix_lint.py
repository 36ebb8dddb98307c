"""``trtdoctor matrix lint``."""

from __future__ import annotations

from datetime import date

import click

from trtdoctor.cli.inputs import parse_date
from trtdoctor.cli.matrix_options import complaints, format_option, say_json, say_lines


@click.command("lint")
@click.argument("directory", required=False, metavar="[DIR]")
@click.option("--as-of", callback=parse_date, metavar="DATE", help="What the future is measured by; default today.")
@format_option("table", "json")
def command(directory: str | None, as_of: date | None, format_: str) -> int:
    """Check the files of the matrix in DIR, or of the one that came with the program.

    Form, schema, keys that stand twice, sources that dangle or that nobody cites, missing certainty, rows that are
    repeated, unsorted or overlap, `like` to nothing, releases without their CUDA row, dates in the future.
    Exit codes: 0 nothing to say, 1 something is wrong, 2 there is no matrix to check.
    """
    from trtdoctor.matrix import MatrixError
    from trtdoctor.matrix.lint import lint
    from trtdoctor.matrix.load import packaged

    place = directory or packaged()
    with complaints(MatrixError):
        found = lint(place, as_of or date.today())
    if format_ == "json":
        listed = [{"file": item.file, "line": item.line, "kind": item.kind, "text": item.text} for item in found]
        say_json("lint", directory=place, problems=listed)
    else:
        lines = [f"{item.file}{f':{item.line}' if item.line else ''}: {item.kind}: {item.text}" for item in found]
        say_lines(
            [*lines, f"{len(found)} problem{'s' if len(found) > 1 else ''}" if found else f"{place}: nothing to say"]
        )
    return 1 if found else 0
