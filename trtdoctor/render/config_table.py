"""The configuration for people: every setting with where it is from, then the waivers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from textwrap import wrap

from trtdoctor.config import OWN, SHARED, Config, Value
from trtdoctor.config.mirrors import Mirror
from trtdoctor.render.parts import WIDTH, cell_lines
from trtdoctor.text import harmless
from trtdoctor.waivers import Waiver

_TITLES = ("key", "value", "from")
_WIDEST = (19, 32, 25)


def render(config: Config, as_of: date) -> str:
    """The whole text, with a final newline."""
    from tabulate import tabulate

    rows = [
        ["\n".join(cell_lines(cell, width)) for cell, width in zip(row, _WIDEST, strict=True)]
        for row in map(_row, config.settings)
    ]
    lines = [f"configuration: {config.file or f'none ({OWN} or [tool.trtdoctor] in {SHARED}, here or above)'}", ""]
    lines += tabulate(rows, headers=_TITLES, tablefmt="simple", disable_numparse=True).splitlines()
    for waiver in config.waivers:
        lines += ["", *_waiver(waiver, as_of)]
    for mirror in config.mirrors:
        lines += ["", *_mirror(mirror)]
    return "\n".join(harmless(line.rstrip()) for line in lines) + "\n"


def _row(item: Value) -> tuple[str, str, str]:
    origin = f"{item.origin}, {item.where}" if item.where and item.origin != "file" else item.where or item.origin
    return item.key, ", ".join(item.values) or "-", origin


def _waiver(waiver: Waiver, as_of: date) -> Iterator[str]:
    until = f"expired on {waiver.expires}" if waiver.expired(as_of) else f"until {waiver.expires}"
    text = f"waiver {waiver.about}: {waiver.reason} ({waiver.who}, {until}, {waiver.stated_at})"
    yield from wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)


def _mirror(mirror: Mirror) -> Iterator[str]:
    upstream = mirror.upstream or "its usual upstream"
    state = "" if mirror.enabled else "not enabled, "
    text = f"mirror {mirror.id} ({mirror.kind}): {mirror.mirror} of {upstream} ({state}{mirror.stated_at})"
    yield from wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)
