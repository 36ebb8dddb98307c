"""``trtdoctor explain``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, BinaryIO

import click

from trtdoctor.cli.inputs import collect_here, load_matrix, only_live, parse_date, read_declared, read_snapshot
from trtdoctor.cli.matrix_options import format_option, which_matrix
from trtdoctor.cli.output import deliver

if TYPE_CHECKING:
    from trtdoctor.explain import Explanation, Facts
    from trtdoctor.matrix import Matrix
    from trtdoctor.snapshot import Snapshot

FORMATS = ("table", "json")
_CHUNK = 1 << 20
_LONGEST_TEXT = 100_000
_CODE = re.compile(r"[A-Za-z]{3}\d{3}")
_LOG = re.compile(r"(?:/|\./|\.\./|~/|[A-Za-z]:\\).{1,4000}\.(?:log|txt|out|err)", re.DOTALL)
_BARE = re.compile(r"(?=.*[/\\])[^\s:]{1,4000}|[A-Za-z]:\\\S{1,4000}|\S{1,4000}\.(?:log|txt|out|err)")
_COMPRESSED = {b"\x1f\x8b": "zcat", b"BZh": "bzcat", b"\xfd7zXZ\x00": "xzcat", b"\x28\xb5\x2f\xfd": "zstdcat"}
"""How compressed files begin, and what shows them."""


@click.command(
    "explain",
    epilog="""\b
Exit codes: 0 explained (or nothing to explain), 1 nothing is known of it, 2 it could not be read.
Examples:
  trtdoctor explain build.log
  docker logs triton 2>&1 | trtdoctor explain -
  trtdoctor explain "CUDA initialization failure with error: 35" --here
  trtdoctor explain 803
  trtdoctor explain cudaErrorNoKernelImageForDevice
  trtdoctor explain DRV201""",
)
@click.argument("words", metavar="[FILE|-|CODE|NUMBER|TEXT]", nargs=-1)
@click.option("--here", is_flag=True, help="Say which of the causes are on this machine.")
@click.option("--python", metavar="PATH", help="With --here: interpreter whose packages are looked at.")
@click.option("--snapshot", "snapshot_file", metavar="FILE|-", help="Say which of the causes these facts show.")
@click.option("--declared", "declared_file", metavar="FILE|-", help="The same for an environment described in YAML.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="State one fact, e.g. driver=470.82 (repeatable)."
)
@which_matrix
@format_option(*FORMATS)
@click.option(
    "-o", "--output", "outputs", multiple=True, metavar="[FORMAT:]FILE", help="Write to a file as well (repeatable)."
)
@click.option("--as-of", callback=parse_date, metavar="DATE", help="Judge as on this day.")
@click.option("--redact", is_flag=True, help="Hide the lines of the log, private paths, UUIDs.")
@click.option("-v", "--verbose", is_flag=True, help="Causes, sources and lines of what is harmless, too.")
def command(
    words: tuple[str, ...],
    here: bool,
    python: str | None,
    snapshot_file: str | None,
    declared_file: str | None,
    settings: tuple[str, ...],
    matrix_directory: str | None,
    overlays: tuple[str, ...],
    format_: str,
    outputs: tuple[str, ...],
    as_of: date | None,
    redact: bool,
    verbose: bool,
) -> int:
    """Explain an error text, a log (a file, or - for stdin), an error number or name, or a rule's code.

    What is given is taken for the first of these that it is: -, an existing file, a rule's code, an error number or
    name, a text.
    """
    given = _given(words)
    if [given, snapshot_file, declared_file].count("-") > 1:
        raise click.UsageError("only one of the log, --snapshot and --declared can be stdin")
    stated = bool(snapshot_file or declared_file or settings)
    if here and stated:
        raise click.UsageError("--here is this machine: not both it and --snapshot, --declared or --set")
    only_live(python, "/", observe=False, live=here)
    matrix = load_matrix(matrix_directory, overlays)
    day = as_of or date.today()
    facts = _facts(matrix, here, python, snapshot_file, declared_file, settings, day, redact)
    found = _explained(matrix, given, day, facts)
    if redact:
        from trtdoctor.explain.redaction import redact as redacted

        found = redacted(found)
    from trtdoctor.render import render_explanation

    deliver(
        lambda kind, color: render_explanation(found, kind, verbose=verbose, color=color, address=matrix.source_url),
        format_,
        outputs,
        FORMATS,
    )
    return found.code


def _given(words: tuple[str, ...]) -> str:
    """What is to be explained: several words are one text."""
    if not words:
        if sys.stdin is None or sys.stdin.isatty():
            raise click.UsageError("what is to be explained? a file, -, an error text, a number, or a rule's code")
        return "-"
    text = " ".join(words)
    if not text.strip():
        raise click.UsageError("an empty text says nothing")
    return text


def _facts(
    matrix: Matrix,
    here: bool,
    python: str | None,
    snapshot_file: str | None,
    declared_file: str | None,
    settings: tuple[str, ...],
    day: date,
    hidden: bool,
) -> Facts | None:
    snapshot: Snapshot | None = read_snapshot(snapshot_file) if snapshot_file else None
    if declared_file or settings:
        from trtdoctor.declared import DeclarationError, environment_of, snapshot_of

        try:
            if declared_file:
                snapshot = snapshot_of(read_declared(declared_file), snapshot)
            if settings:
                snapshot = snapshot_of(environment_of(settings), snapshot)
        except DeclarationError as error:
            raise click.ClickException(str(error)) from None
    if here:
        snapshot = collect_here(matrix, python)
    if snapshot is None:
        return None
    if hidden:
        from trtdoctor.redaction import redact

        snapshot = redact(snapshot)
    from trtdoctor.explain import Facts

    return Facts(snapshot, matrix, day)


def _explained(matrix: Matrix, given: str, day: date, facts: Facts | None) -> Explanation:
    """In the order in which ``given`` is read: ``-``, a file, a rule's code, a number or name, a text."""
    from trtdoctor.explain import explain_log, explain_number, explain_rule, numbers

    if given == "-":
        if sys.stdin is None:
            raise click.ClickException("stdin: is closed")
        return explain_log(matrix, _chunks(sys.stdin.buffer, "stdin"), as_of=day, kind="stdin", facts=facts)
    stream = _opened(given)
    if stream is not None:
        with stream:
            return explain_log(matrix, _chunks(stream, given), as_of=day, name=given, facts=facts)
    if _CODE.fullmatch(given.strip()):
        from trtdoctor.rules import RULES

        rule = next((rule for rule in RULES if rule.code == given.strip().upper()), None)
        if rule is not None:
            return explain_rule(matrix, rule, as_of=day)
    known = numbers.asked_for(matrix, given)
    if known is not None:
        return explain_number(matrix, given, known, as_of=day, facts=facts)
    if _BARE.fullmatch(given) or _LOG.fullmatch(given):
        raise click.ClickException(f"{given}: no such file")
    text = given[:_LONGEST_TEXT]
    return explain_log(matrix, [text.encode("utf-8", "replace")], as_of=day, kind="text", name=text, facts=facts)


def _opened(name: str) -> BinaryIO | None:
    """The file of this name; None when there is none."""
    import os

    try:
        if not os.path.exists(name):
            return None
        if os.path.isdir(name):
            raise click.ClickException(f"{name}: is a directory")
        return open(name, "rb", buffering=0)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None)
        if reason is None:  # no name of a file, such as one with a NUL
            return None
        raise click.ClickException(f"{name}: {reason}") from None


def _chunks(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """What can be read, piece by piece; raises click.ClickException when it is no log."""
    first = True
    try:
        while chunk := stream.read(_CHUNK):
            if first:
                first = False
                show = next((tool for begin, tool in _COMPRESSED.items() if chunk.startswith(begin)), None)
                if show:
                    raise click.ClickException(f"{name}: is compressed (try: {show} FILE | trtdoctor explain -)")
            yield chunk
    except OSError as error:
        raise click.ClickException(f"{name}: {error.strerror or error}") from None
