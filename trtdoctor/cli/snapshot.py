"""``trtdoctor snapshot``."""

from __future__ import annotations

import click

from trtdoctor.cli.inputs import collect_here, load_matrix, only_live, root_directory, write_output


@click.command("snapshot", epilog="Judge it anywhere with: trtdoctor check --snapshot FILE")
@click.option("--python", metavar="PATH", help="Interpreter whose packages are looked at.")
@click.option(
    "--root", callback=root_directory, metavar="DIR", help="Look at an unpacked image or chroot: its files alone."
)
@click.option("--observe", is_flag=True, help="Import what is there in child processes, and see which libraries come.")
@click.option("-o", "--output", metavar="FILE", help="Write to a file, whole or not at all, instead of stdout.")
@click.option("--redact", is_flag=True, help="Hide UUIDs, PCI ids, private paths.")
def command(python: str | None, root: str, observe: bool, output: str | None, redact: bool) -> int:
    """Write down every fact about this machine as JSON, to be judged anywhere."""
    only_live(python, root, observe, live=True)
    taken = collect_here(load_matrix(None), python, root=root, observe=observe)
    if redact:
        from trtdoctor.redaction import redact as redacted

        taken = redacted(taken)
    write_output(output or "-", taken.to_json())
    return 0
