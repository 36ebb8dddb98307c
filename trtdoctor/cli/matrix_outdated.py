"""``trtdoctor matrix outdated``."""

from __future__ import annotations

import click

from trtdoctor.cli.inputs import load_matrix
from trtdoctor.cli.matrix_options import complaints, format_option, say_json, say_lines, which_matrix


@click.command("outdated")
@click.option("--nvcr", is_flag=True, help="Ask NVIDIA's container registry for new months too.")
@which_matrix
@format_option("table", "json")
def command(nvcr: bool, matrix_directory: str | None, overlays: tuple[str, ...], format_: str) -> int:
    """Ask the package index that pip is configured with for releases that the matrix lacks.

    Exit codes: 0 the matrix has them all, 1 it lacks some, 2 the index cannot be asked.
    """
    from trtdoctor.matrix.outdated import of_index, of_registry
    from trtdoctor.matrix.pipindex import IndexUnreachableError

    matrix = load_matrix(matrix_directory, overlays)
    with complaints(IndexUnreachableError):
        asked = [of_index(matrix), *([of_registry(matrix)] if nvcr else [])]
    missing = [item for answer in asked for item in answer.missing]
    if format_ == "json":
        say_json(
            "outdated",
            matrix=matrix.version,
            asked=[{"place": answer.index, "names": list(answer.asked)} for answer in asked],
            missing=[{"name": item.where, "version": item.version, "newer": item.newer} for item in missing],
        )
    else:
        lines = [f"asked {answer.index} for {', '.join(answer.asked)}" for answer in asked]
        for item in missing:
            word = "newer than the matrix" if item.newer else "not in the matrix"
            lines.append(f"  {item.where} {item.version}: {word}")
        say_lines([*lines, "" if missing else f"matrix {matrix.version} has them all"])
    return 1 if missing else 0
