"""``trtdoctor diff``."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import click

from trtdoctor.cli.configured import (
    CHECKED,
    as_given,
    config_options,
    configured,
    goal_of,
    judged_by,
    matrix_of,
    planned_of,
    policy_options,
)
from trtdoctor.cli.inputs import collect_here, only_live, parse_date, read_snapshot, root_directory
from trtdoctor.cli.matrix_options import format_option
from trtdoctor.cli.output import deliver

if TYPE_CHECKING:
    from trtdoctor.snapshot import Snapshot

FORMATS = ("table", "json")


@click.command(
    "diff",
    epilog="""\b
Exit codes: 0 nothing changed that matters to the verdict; 1 something did: a finding at or over --fail-on that the
recorded state does not have, or a worse verdict; 2 a file cannot be read.
Examples:
  trtdoctor snapshot -o good.json
  trtdoctor diff good.json
  trtdoctor diff good.json now.json --format json""",
)
@click.argument("before", metavar="GOOD")
@click.argument("now", metavar="[NOW]", required=False)
@click.option("--python", metavar="PATH", help="Interpreter whose packages are looked at.")
@click.option(
    "--root", callback=root_directory, metavar="DIR", help="Look at an unpacked image or chroot: its files alone."
)
@click.option("--observe", is_flag=True, help="Import what is there in child processes, and see which libraries come.")
@config_options
@policy_options
@click.option("--matrix", "matrix_directory", metavar="DIR|packaged", help="Another compatibility matrix.")
@format_option(*FORMATS)
@click.option(
    "-o", "--output", "outputs", multiple=True, metavar="[FORMAT:]FILE", help="Write to a file as well (repeatable)."
)
@click.option("--as-of", callback=parse_date, metavar="DATE", help="Judge both as on this day.")
@click.option("--redact", is_flag=True, help="Hide UUIDs, PCI ids, private paths.")
@click.option("-v", "--verbose", is_flag=True, help="Show the details of findings too.")
def command(
    before: str,
    now: str | None,
    python: str | None,
    root: str,
    observe: bool,
    config_file: str | None,
    no_config: bool,
    matrix_directory: str | None,
    format_: str,
    outputs: tuple[str, ...],
    as_of: date | None,
    redact: bool,
    verbose: bool,
    **options: Any,
) -> int:
    """Say what changed since a recorded state, and what it means.

    GOOD is a snapshot of a state that was good; NOW another one, by default this machine as it is. Both are judged by
    the same rules, matrix and day.
    """
    if before == now == "-":
        raise click.UsageError("only one of both can be stdin")
    only_live(python, root, observe, live=now is None)
    config = configured(config_file, no_config, as_given(**options), CHECKED)
    matrix = matrix_of(config, matrix_directory)
    words = goal_of(config, matrix)
    plan = planned_of(config)
    older = read_snapshot(before)
    newer = read_snapshot(now) if now is not None else collect_here(matrix, python, root=root, observe=observe)
    older, newer = _alike(older, newer, redact=redact)
    day = as_of or date.today()
    from trtdoctor.diff import compare

    words = words or newer.wants or older.wants
    reports = [judged_by(config, matrix, item, as_of=day, goal=words, planned=plan) for item in (older, newer)]
    found = compare(reports[0], reports[1], config.one("fail-on") or "error")

    def make(kind: str, color: bool) -> str:
        if kind == "json":
            from trtdoctor.text import as_json

            return as_json(found.to_plain())
        from trtdoctor.render.diff_table import render

        return render(found, verbose=verbose, color=color)

    deliver(make, format_, outputs, FORMATS)
    return 1 if found.matters else 0


def _alike(older: Snapshot, newer: Snapshot, *, redact: bool) -> tuple[Snapshot, Snapshot]:
    """Both redacted where one is, or shall be: else every path would seem to have changed."""
    if not (redact or older.redacted or newer.redacted):
        return older, newer
    from trtdoctor.redaction import redact as redacted

    return tuple(item if item.redacted else redacted(item) for item in (older, newer))  # type: ignore[return-value]
