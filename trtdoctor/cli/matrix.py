"""``trtdoctor matrix``."""

from __future__ import annotations

from typing import ClassVar

import click

from trtdoctor.cli import LazyGroup

COMMANDS = {
    "show": ("trtdoctor.cli.matrix_show", "Show rows, values and their sources; or what serves a GPU, a driver, …"),
    "grid": ("trtdoctor.cli.matrix_grid", "Print a whole relation as one table."),
    "coverage": ("trtdoctor.cli.matrix_coverage", "Say how much is known, file by file."),
    "lint": ("trtdoctor.cli.matrix_lint", "Check the files of a matrix."),
    "diff": ("trtdoctor.cli.matrix_diff", "Compare two matrices, value by value."),
    "outdated": ("trtdoctor.cli.matrix_outdated", "Ask the package index for releases that the matrix lacks."),
    "update": ("trtdoctor.cli.matrix_update", "Install a matrix bundle."),
    "bundle": ("trtdoctor.cli.matrix_bundle", "Make a matrix bundle."),
}


class _MatrixGroup(LazyGroup):
    table: ClassVar[dict[str, tuple[str, str]]] = COMMANDS


@click.group("matrix", cls=_MatrixGroup)
def command() -> None:
    """Look into the compatibility matrix, check it, and keep it fresh."""
