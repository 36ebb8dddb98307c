"""``trtdoctor matrix grid``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from trtdoctor.cli.inputs import load_matrix
from trtdoctor.cli.matrix_options import WIDTH, complaints, format_option, say_json, say_lines, which_matrix

if TYPE_CHECKING:
    from trtdoctor.matrix.grid import Grid


@click.command(
    "grid",
    epilog="""\b
Examples:
  trtdoctor matrix grid tensorrt cuda
  trtdoctor matrix grid gpus tensorrt --flavour cu12 --platform jetson
  trtdoctor matrix grid driver gpus --format csv
Relations: tensorrt or tensorrt-rtx with cuda, gpus, driver, python; tensorrt with cudnn;
cuda with gpus, driver; driver with gpus; cudnn with cuda, gpus. Either may come first.""",
)
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--platform", default="linux-x86_64", show_default=True, help="Where a relation differs by it.")
@click.option("--flavour", metavar="cuNN", help="Only builds for this CUDA major.")
@which_matrix
@format_option("table", "json", "csv", "markdown")
def command(
    first: str,
    second: str,
    platform: str,
    flavour: str | None,
    matrix_directory: str | None,
    overlays: tuple[str, ...],
    format_: str,
) -> int:
    """Print the relation between A and B as one table.

    In a terminal the columns are cut into blocks that fit; the other formats have them all in one.
    """
    import re

    from trtdoctor.matrix.grid import GridError, grid
    from trtdoctor.matrix.serving import PLATFORMS

    if platform not in PLATFORMS:
        raise click.UsageError(f"--platform: known are {', '.join(PLATFORMS)}")
    if flavour is not None and not re.fullmatch(r"cu\d{1,2}", flavour):
        raise click.UsageError("--flavour: wanted one such as cu12")
    matrix = load_matrix(matrix_directory, overlays)
    with complaints(GridError):
        found = grid(matrix, first, second, platform, flavour)
    if format_ == "json":
        say_json(
            "grid",
            matrix=matrix.version,
            rows=found.rows_are,
            columns=found.columns_are,
            platform=found.platform,
            flavour=flavour,
            legend=found.legend,
            cells={row: dict(zip(found.columns, line, strict=True)) for row, line in _lines(found)},
        )
    elif format_ == "csv":
        import csv
        import io

        from trtdoctor.cli.output import say

        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([f"{found.rows_are}/{found.columns_are}", *found.columns])
        writer.writerows([row, *line] for row, line in _lines(found))
        say(text.getvalue())
    else:
        say_lines(_markdown(found) if format_ == "markdown" else _table(found))
    return 0


def _lines(found: Grid) -> list[tuple[str, tuple[str, ...]]]:
    return list(zip(found.rows, found.cells, strict=True))


def _legend(found: Grid) -> list[str]:
    on = [f"on {found.platform}"] if found.platform else []
    return [*on, *(f"{mark}  {text}" for mark, text in found.legend.items())]


def _markdown(found: Grid) -> list[str]:
    lines = [f"| {found.rows_are} | {' | '.join(found.columns)} |", "|---" * (len(found.columns) + 1) + "|"]
    lines += [f"| {row} | {' | '.join(line)} |" for row, line in _lines(found)]
    return [*lines, "", *(f"- `{item.split('  ')[0]}` {item.split('  ')[-1]}" for item in _legend(found))]


def _table(found: Grid) -> list[str]:
    """Blocks of columns that fit; a row in which a block says nothing but "no" is left out of that block."""
    width = max(len(found.rows_are), *map(len, found.rows))
    blocks: list[list[int]] = [[]]
    used = width
    for number, column in enumerate(found.columns):
        cell = max(len(column), 1) + 1
        if used + cell > WIDTH and blocks[-1]:
            blocks.append([])
            used = width
        blocks[-1].append(number)
        used += cell
    lines = [f"{found.rows_are} (down) and {found.columns_are} (across)", *_legend(found)]
    for block in blocks:
        widths = [max(len(found.columns[number]), 1) for number in block]
        head = " ".join(found.columns[number].rjust(size) for number, size in zip(block, widths, strict=True))
        lines += ["", f"{'':<{width}} {head}"]
        for row, line in _lines(found):
            cells = [line[number] for number in block]
            if len(blocks) == 1 or any(cell != "-" for cell in cells):
                text = " ".join(cell.rjust(size) for cell, size in zip(cells, widths, strict=True))
                lines.append(f"{row:<{width}} {text}")
    if len(blocks) > 1:
        lines += ["", "A row that is not in a block has only '-' there."]
    return lines
