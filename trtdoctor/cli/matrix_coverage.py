"""``trtdoctor matrix coverage``."""

from __future__ import annotations

import click

from trtdoctor.cli.inputs import load_matrix
from trtdoctor.cli.matrix_options import format_option, say_json, say_lines, which_matrix


@click.command("coverage")
@which_matrix
@format_option("table", "json")
def command(matrix_directory: str | None, overlays: tuple[str, ...], format_: str) -> int:
    """Say how much is known, file by file: rows, values, share by certainty and unknown, newest row."""
    from trtdoctor.matrix.coverage import CERTAINTIES, coverage

    matrix = load_matrix(matrix_directory, overlays)
    found = coverage(matrix)
    if format_ == "json":
        files = [
            {
                "file": item.file,
                "rows": item.rows,
                "values": item.values,
                "certainties": item.certainties,
                "unknown": item.unknown,
                "newest": item.newest,
            }
            for item in found
        ]
        say_json("coverage", matrix=matrix.version, files=files)
        return 0
    names = " ".join(f"{name:>9}" for name in (*CERTAINTIES, "unknown"))
    lines = [f"{'file':<15} {'rows':>4} {'values':>6} {names}", f"{'':<15} newest row"]
    for item in found:
        shares = [*(item.certainties[name] for name in CERTAINTIES), item.unknown]
        cells = " ".join(f"{item.share(number):>9.0%}" for number in shares)
        lines.append(f"{item.file:<15} {item.rows:>4} {item.values:>6} {cells}")
        if item.newest:
            lines.append(f"{'':<15} {item.newest}")
    total = sum(item.values for item in found)
    known = total - sum(item.unknown for item in found)
    lines.append(
        f"{'all':<15} {sum(item.rows for item in found):>4} {total:>6} values, {known / total:.0%} of them known"
    )
    say_lines(lines)
    return 0
