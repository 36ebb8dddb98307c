"""``trtdoctor matrix update``."""

from __future__ import annotations

import re

import click

from trtdoctor.cli.configured import config_options, configured
from trtdoctor.cli.inputs import read_input
from trtdoctor.cli.matrix_options import complaints, say_lines


@click.command("update")
@click.argument("place", metavar="FILE|URL")
@click.option("--sha256", metavar="DIGEST", help="What the bundle must have; needed for a URL.")
@config_options
def command(place: str, sha256: str | None, config_file: str | None, no_config: bool) -> int:
    """Install a matrix bundle from a file or an https address for this user.

    Everything is checked before anything is written. The program then uses the newer of this matrix and the one that
    came with it; `--matrix packaged` is always the latter. Without --sha256 the configuration's `matrix-digest` counts.
    """
    from trtdoctor.matrix import MatrixError, load
    from trtdoctor.matrix.bundle import install, read, validate
    from trtdoctor.matrix.fetch import check, fetch
    from trtdoctor.matrix.installed import calendar
    from trtdoctor.matrix.load import PACKAGED
    from trtdoctor.net.words import shown

    if sha256 is not None and not re.fullmatch(r"\s*[0-9a-fA-F]{64}\s*", sha256):
        raise click.UsageError("--sha256: wanted 64 hexadecimal digits")
    if sha256 is None:
        sha256 = configured(config_file, no_config, {}, ("matrix-digest",)).one("matrix-digest")
    with complaints(MatrixError):
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", place):
            if not place.lower().startswith("https://"):
                raise click.UsageError(f"{shown(place)}: only https is fetched")
            if sha256 is None:
                raise click.UsageError(
                    "a URL needs --sha256 (or matrix-digest in trtdoctor.toml): the digest that `matrix bundle` printed"
                )
            content = fetch(place, sha256)
        else:
            content = read_input(place, "bundle")
            if sha256 is not None:
                check(content, sha256)
        bundle = read(content)
        validate(bundle)
        shipped = load(PACKAGED).version
        if calendar(bundle.version) < calendar(shipped):
            raise MatrixError(f"matrix {bundle.version} is older than the one that came with the program ({shipped})")
        directory = install(bundle)
    say_lines([f"matrix {bundle.version} is in {directory}"])
    return 0
