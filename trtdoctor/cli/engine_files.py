"""The files that commands on engines are given: named ones, and those below directories."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trtdoctor.engine_report import Scanned
    from trtdoctor.matrix import Matrix
    from trtdoctor.snapshot import Engine, Snapshot

FORMATS = ("table", "json")


def looked_at(
    matrix: Matrix, names: tuple[str, ...], *, recursive: bool, verify: bool
) -> tuple[tuple[Engine, ...], Scanned | None]:
    """The engines in these files, and below these directories; each file once.

    Raises click.ClickException for a name that is not there, or a file that cannot be read.
    """
    from trtdoctor.engine.look import look
    from trtdoctor.engine.scan import scan
    from trtdoctor.engine_report import Scanned

    found: dict[str, Engine] = {}
    files = unreadable = 0
    complete = True
    for name in names:
        if os.path.isdir(name):
            if not recursive:
                raise click.ClickException(f"{name}: is a directory (--recursive searches it)")
            result = scan(matrix, name, verify=verify)
            files, unreadable = files + result.files, unreadable + result.unreadable
            complete = complete and result.complete
            for engine in result.engines:
                found.setdefault(engine.path or "", engine)
            continue
        readable(name)
        engine = look(matrix, name, verify=verify)
        if engine.kind == "unreadable":
            raise click.ClickException(f"{name}: cannot be read")
        files += 1
        found.setdefault(engine.path or "", engine)
    scanned = Scanned(files, unreadable, complete) if any(os.path.isdir(name) for name in names) else None
    return cleaned(tuple(found.values())), scanned


def readable(name: str) -> None:
    """Raise click.ClickException with the reason why a file cannot be read."""
    from trtdoctor.engine.sidecar import at_once

    try:
        with open(name, "rb", opener=at_once) as stream:
            stream.read(1)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{name}: {getattr(error, 'strerror', None) or error}") from None


def cleaned(engines: tuple[Engine, ...]) -> tuple[Engine, ...]:
    """The records as they come out of a Snapshot's JSON: at that one place everything from outside is cleaned."""
    from trtdoctor.snapshot import Snapshot

    return Snapshot.from_plain(Snapshot(engines=engines).to_plain()).engines


def with_engines(snapshot: Snapshot, matrix: Matrix, names: tuple[str, ...]) -> Snapshot:
    """``snapshot`` with the engines of ``check --engine FILE`` beside those that were declared."""
    engines, _ = looked_at(matrix, tuple(dict.fromkeys(names)), recursive=False, verify=True)
    return replace(snapshot, engines=(*snapshot.engines, *engines))


def redacted(engines: tuple[Engine, ...]) -> tuple[Engine, ...]:
    """The records without private paths."""
    from trtdoctor.redaction import redact
    from trtdoctor.snapshot import Snapshot

    return redact(Snapshot(engines=engines)).engines
