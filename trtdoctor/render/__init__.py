"""Renderers: a Report in, text out. They print what they are given and decide nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from trtdoctor.findings import Report

if TYPE_CHECKING:
    from trtdoctor.canary.report import CanaryReport
    from trtdoctor.engine_report import EngineReport
    from trtdoctor.explain import Explanation
    from trtdoctor.mirror.report import MirrorReport
    from trtdoctor.render.ci import About
    from trtdoctor.resolution import Libs


CI_FORMATS = ("sarif", "junit", "github", "gitlab", "markdown")
"""The formats that are read by others than the machine's owner: always redacted, each in ``NAME_format.py``."""
FORMATS = ("table", "json", *CI_FORMATS)


def render(report: Report, kind: str, *, verbose: bool = False, color: bool = False, about: About | None = None) -> str:
    """The report in the format ``kind``, one of ``FORMATS``, with a final newline.

    ``about`` tells the formats of CI systems what stands in no report. They raise
    :class:`~trtdoctor.render.ci.NotRedactedError` for a report that was not judged from a redacted Snapshot.
    """
    if kind in CI_FORMATS:
        from importlib import import_module

        made: str = import_module(f"trtdoctor.render.{kind}_format").render(report, about)
        return made
    if kind == "json":
        from trtdoctor.render import json_format

        return json_format.render(report)
    from trtdoctor.render import table_format

    return table_format.render(report, verbose=verbose, color=color)


def render_libs(libs: Libs, kind: str, *, tree: bool = False, verbose: bool = False, color: bool = False) -> str:
    """Who gets which library in the format ``kind`` (``table`` or ``json``), with a final newline."""
    if kind == "json":
        from trtdoctor.text import as_json

        return as_json(libs.to_plain())
    from trtdoctor.render import libs_table

    return libs_table.render(libs, tree=tree, verbose=verbose, color=color)


def render_canary(report: CanaryReport, kind: str, *, verbose: bool = False, color: bool = False) -> str:
    """A canary in the format ``kind`` (``table`` or ``json``), with a final newline."""
    if kind == "json":
        from trtdoctor.text import as_json

        return as_json(report.to_plain())
    from trtdoctor.render import canary_table

    return canary_table.render(report, verbose=verbose, color=color)


def render_explanation(
    found: Explanation,
    kind: str,
    *,
    verbose: bool = False,
    color: bool = False,
    address: Callable[[str], str | None] = lambda _: None,
) -> str:
    """An explanation in the format ``kind`` (``table`` or ``json``), with a final newline.

    ``address`` gives the URL of a source's id, for the page of a rule.
    """
    if kind == "json":
        from trtdoctor.text import as_json

        return as_json(found.to_plain())
    from trtdoctor.render import explain_table

    return explain_table.render(found, verbose=verbose, color=color, address=address)


def render_engines(report: EngineReport, kind: str, *, verbose: bool = False, color: bool = False) -> str:
    """Files of engines in the format ``kind`` (``table`` or ``json``), with a final newline."""
    if kind == "json":
        from trtdoctor.text import as_json

        return as_json(report.to_plain())
    from trtdoctor.render import engine_table

    return engine_table.render(report, verbose=verbose, color=color)


def render_mirrors(report: MirrorReport, kind: str, *, verbose: bool = False, color: bool = False) -> str:
    """Mirrors in the format ``kind`` (``table`` or ``json``), with a final newline."""
    if kind == "json":
        from trtdoctor.text import as_json

        return as_json(report.to_plain())
    from trtdoctor.render import mirror_table

    return mirror_table.render(report, verbose=verbose, color=color)


def split_output(target: str, default: str, formats: Sequence[str]) -> tuple[str, str]:
    """``[FORMAT:]FILE`` as format and file; FORMAT only if it is a known name."""
    kind, colon, file = target.partition(":")
    return (kind, file) if colon and kind in formats and file else (default, target)


def write_whole(file: str, text: str) -> None:
    """Write ``text`` to ``file`` whole or not at all; raises OSError and then leaves what was there untouched."""
    try:
        mode = os.stat(file).st_mode
    except FileNotFoundError:
        mode = 0
    if mode and not stat.S_ISREG(mode):  # /dev/stdout, a pipe: there is nothing to replace
        with open(file, "w", encoding="utf-8") as stream:
            stream.write(text)
        return
    import tempfile

    place = os.path.realpath(file)
    handle, name = tempfile.mkstemp(dir=os.path.dirname(place), prefix=".trtdoctor-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(name, stat.S_IMODE(mode) if mode else 0o666 & ~_umask())
        os.replace(name, place)
    except BaseException:
        os.unlink(name)
        raise


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current
