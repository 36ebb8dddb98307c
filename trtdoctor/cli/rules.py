"""``trtdoctor rules``."""

from __future__ import annotations

import click

from trtdoctor.cli.inputs import load_matrix


@click.command("rules")
@click.argument("code", required=False)
def command(code: str | None) -> int:
    """List the rules, or explain the one with this CODE (or name)."""
    from trtdoctor.ruledoc import as_text
    from trtdoctor.rules import FAMILIES, RULES

    if code is None:
        for prefix, title, _ in FAMILIES:
            click.echo(f"{prefix}  {title}")
            for rule in sorted(RULES, key=lambda rule: rule.code):
                if rule.code.startswith(prefix):
                    click.echo(f"  {rule.code}  {rule.severity.value:<8} {rule.name}")
        return 0
    wanted = code.strip()
    for rule in RULES:
        if wanted.upper() == rule.code or wanted.lower() == rule.name:
            click.echo(as_text(rule, load_matrix(None).source_url), nl=False)
            return 0
    import difflib

    close = difflib.get_close_matches(wanted.upper(), [rule.code for rule in RULES], n=1)
    hint = f"; did you mean {close[0]}?" if close else "; list them with: trtdoctor rules"
    raise click.UsageError(f"no rule {wanted!r}{hint}")
