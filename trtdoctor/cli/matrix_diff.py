"""``trtdoctor matrix diff``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from trtdoctor.cli.matrix_options import complaints, format_option, plain, say_json, say_lines

if TYPE_CHECKING:
    from trtdoctor.matrix.diff import Change


@click.command("diff")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--exit-code", is_flag=True, help="Exit 1 when there are differences.")
@format_option("table", "json")
def command(before: str, after: str, exit_code: bool, format_: str) -> int:
    """Compare matrix A with matrix B, row by row and value by value, with changes of certainty and source.

    A and B are directories, bundles, or "packaged" for the matrix that came with the program.
    """
    from trtdoctor.matrix import MatrixError
    from trtdoctor.matrix.diff import diff, open_any

    with complaints(MatrixError):
        old, new = open_any(before), open_any(after)
        found = diff(old, new)
    if format_ == "json":
        say_json("diff", before=old.version, after=new.version, changes=[_as_plain(item) for item in found])
    else:
        say_lines([*map(_line, found), _summary(found, old.version, new.version)])
    return 1 if exit_code and found else 0


def _as_plain(item: Change) -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__dataclass_fields__}


def _summary(found: list[Change], before: str, after: str) -> str:
    counts = [f"{sum(item.kind == kind for item in found)} {kind}" for kind in ("added", "removed", "changed")]
    return f"{before} to {after}: {', '.join(counts)}"


def _line(item: Change) -> str:
    where = " ".join(filter(None, (item.file, item.table, item.row)))
    if item.kind != "changed":
        return f"{'+' if item.kind == 'added' else '-'} {where}"
    parts = []
    if item.before != item.after:
        parts.append(f"{plain(item.before)} -> {plain(item.after)}")
    if item.certainty_before != item.certainty_after:
        parts.append(f"certainty {plain(item.certainty_before)} -> {plain(item.certainty_after)}")
    if not parts:
        parts.append(f"source {plain(list(item.sources_before))} -> {plain(list(item.sources_after))}")
    return f"~ {where}, {item.value}: {'; '.join(parts)}"
