"""``trtdoctor snapshot``."""

from __future__ import annotations

import click

from trtdoctor.cli.inputs import collect_here, load_matrix, write_output


@click.command("snapshot", epilog="Judge it anywhere with: trtdoctor check --snapshot FILE")
@click.option("--python", metavar="PATH", help="Interpreter whose packages are looked at.")
@click.option("-o", "--output", metavar="FILE", help="Write to a file, whole or not at all, instead of stdout.")
@click.option("--redact", is_flag=True, help="Hide UUIDs, PCI ids, private paths.")
def command(python: str | None, output: str | None, redact: bool) -> int:
    """Write down every fact about this machine as JSON, to be judged anywhere."""
    taken = collect_here(load_matrix(None), python)
    if redact:
        from trtdoctor.redaction import redact as redacted

        taken = redacted(taken)
    write_output(output or "-", taken.to_json())
    return 0
