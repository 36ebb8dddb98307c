"""``trtdoctor snapshot``."""

from __future__ import annotations

import click

from trtdoctor.cli.inputs import load_matrix, write_output


@click.command("snapshot", epilog="Judge it anywhere with: trtdoctor check --snapshot FILE")
@click.option("--python", metavar="PATH", help="Interpreter whose packages are looked at.")
@click.option("-o", "--output", metavar="FILE", help="Write to a file, whole or not at all, instead of stdout.")
@click.option("--redact", is_flag=True, help="Hide UUIDs, PCI ids, private paths.")
def command(python: str | None, output: str | None, redact: bool) -> int:
    """Write down every fact about this machine as JSON, to be judged anywhere."""
    from trtdoctor.probes import collect

    try:
        taken = collect(load_matrix(None), python=python)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    if redact:
        from trtdoctor.snapshot import redact as redacted

        taken = redacted(taken)
    text = taken.to_json()
    if output is None or output == "-":
        click.echo(text, nl=False)
        return 0
    write_output(output, text)
    return 0
