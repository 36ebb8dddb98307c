"""``trtdoctor config``."""

from __future__ import annotations

from datetime import date
from typing import Any

import click

from trtdoctor.cli.configured import as_given, config_options, configured, policy_option, policy_options
from trtdoctor.cli.matrix_options import format_option


@click.command(
    "config",
    epilog="""\b
Precedence: command line, environment, file, default. Requirements and overlays add up.
Examples:
  trtdoctor config
  trtdoctor config --fail-on warning --require "driver>=535" --format json""",
)
@config_options
@policy_options
@policy_option
@format_option("table", "json")
def command(
    config_file: str | None, no_config: bool, format_: str, policy: dict[str, tuple[str, ...]], **options: Any
) -> int:
    """Show what `check` would go by: every setting, and where it is from.

    Takes the options of `check` that a configuration can set, to show what they would change.
    """
    config = configured(config_file, no_config, {**as_given(**options), **policy})
    from trtdoctor.cli.output import say

    if format_ == "json":
        from trtdoctor.text import as_json

        say(as_json(config.to_plain()))
    else:
        from trtdoctor.render.config_table import render

        say(render(config, date.today()))
    return 0
