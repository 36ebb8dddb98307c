"""In a job of GitHub Actions: annotations and the job's summary, written without being asked for.

Whatever goes wrong with them is said in a line and changes nothing else: they are an extra.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

_MOST = 1024 * 1024
"""Bytes of a step's summary: GitHub shows none that is longer."""


def tell(make: Callable[[str, bool], str], format_: str, outputs: Sequence[str]) -> None:
    """Write annotations to stderr, which GitHub reads as it reads stdout, and append to ``$GITHUB_STEP_SUMMARY``.

    Not where ``GITHUB_ACTIONS`` is not ``true``, and neither where the user has asked for the same: ``--format
    github``, ``-o github:FILE``, ``-o markdown:`` to that very file.
    """
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    import click

    asked = [format_, *(item.partition(":")[0] for item in outputs)]
    if "github" not in asked:
        try:
            click.echo(make("github", False), nl=False, err=True)
        except Exception as error:
            _complain("annotations", error)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary and f"markdown:{summary}" not in outputs:
        try:
            _append(summary, make("markdown", False))
        except Exception as error:
            _complain("summary", error)


def _append(file: str, text: str) -> None:
    """Append to a regular file. Raises OSError, also for anything else that lies there."""
    import errno
    import stat

    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe must not block
    handle = os.open(file, flags, 0o600)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "is no regular file")
        content = text.encode("utf-8", "replace")
        if status.st_size + len(content) + 1 > _MOST:
            raise OSError(errno.EFBIG, "is too long with this")
        lead = b"\n" if status.st_size else b""  # a step may have left an unfinished line
        content = lead + content
        while content:
            content = content[os.write(handle, content) :]
    finally:
        os.close(handle)


def _complain(what: str, error: Exception) -> None:
    import click

    from trtdoctor.text import clean, harmless

    said = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
    try:
        click.echo(harmless(f"trtdoctor: GitHub's {what} could not be written: {clean(str(said), 200)}"), err=True)
    except OSError:  # stderr is closed or full: nothing is left to say it on
        return
