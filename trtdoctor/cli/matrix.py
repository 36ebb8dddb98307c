"""``trtdoctor matrix``."""

from __future__ import annotations

from typing import Any

import click

from trtdoctor.cli.inputs import load_matrix


@click.group("matrix")
def command() -> None:
    """Look into the compatibility matrix."""


@command.command("show")
@click.argument("component")
@click.argument("version", required=False)
@click.option("--matrix", "matrix_directory", metavar="DIR", help="Another compatibility matrix.")
@click.option("--format", "format_", type=click.Choice(("table", "json")), default="table", show_default=True)
def show(component: str, version: str | None, matrix_directory: str | None, format_: str) -> int:
    """Show what the matrix holds on COMPONENT, or all of one VERSION (or name), with sources and certainty.

    COMPONENT is a file of the matrix: tensorrt, tensorrt-rtx, cuda, drivers, cudnn, gpus, api, …
    """
    from trtdoctor.matrix.show import ShowError, overview, row_values

    matrix = load_matrix(matrix_directory)
    try:
        values = overview(matrix, component) if version is None else row_values(matrix, component, version)
    except ShowError as error:
        raise click.UsageError(str(error)) from None
    if format_ == "json":
        import json

        click.echo(
            json.dumps({"schema": "trtdoctor-matrix-show/1", "matrix": matrix.version, "rows": values}, indent=1)
        )
        return 0
    if version is None:
        for entry in values:
            click.echo(f"{entry['table']:<22} {entry['key']}")
        return 0
    _print_values(values)
    return 0


def _print_values(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        click.echo(click.style(f"{row['table']} {row['key']}", bold=True))
        for value in row["values"]:
            shown = ", ".join(value["value"]) if isinstance(value["value"], list) else str(value["value"])
            click.echo(f"  {value['name']}: {shown}")
            note = f"; {value['note']}" if value["note"] else ""
            click.echo(f"      {value['certainty']}, {', '.join(value['sources'])}{note}")
        click.echo()
