"""The changes as an Atom feed (RFC 4287) of one's own, made anew from what the state keeps."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from trtdoctor.mirror.change import Change
from trtdoctor.text import clean

ENTRIES = 100
"""The newest ones that a feed holds."""
_NAMESPACE = uuid.UUID("4bd1a8f0-21f9-5b0e-9f2c-6a3e8d0b7c11")
"""Of the identifiers below; it must never change, or readers see every entry as new."""
_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot carry."""


def atom(changes: Sequence[Change], *, name: str, updated: str) -> str:
    """The feed. ``name`` tells this watch from others (its state file); ``updated`` is when mirrors were last asked.

    Entries are the newest first, each with an identifier of its own that stays.
    """
    shown = list(reversed(changes[-ENTRIES:]))
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<feed xmlns="http://www.w3.org/2005/Atom">',
        f"  <id>urn:uuid:{_identifier('feed', name)}</id>",
        "  <title>trtdoctor: mirrors</title>",
        f"  <updated>{_xml(shown[0].at if shown else updated)}</updated>",
        "  <author><name>trtdoctor</name></author>",
        f"  <generator>{_xml(_program())}</generator>",
    ]
    for change in shown:
        lines += _entry(change)
    return "\n".join([*lines, "</feed>", ""])


def _entry(change: Change) -> list[str]:
    about = [change.detail or "", *(change.names if len(change.names) > 1 else ())]
    if change.count > len(change.names) > 1:
        about.append(f"and {change.count - len(change.names)} more")
    text = "\n".join(clean(part, 1000) for part in (change.text, *about) if part)
    link = [f"    <link rel={_quoted('alternate')} href={_quoted(change.link)}/>"] if _is_web(change.link) else []
    return [
        "  <entry>",
        f"    <id>urn:uuid:{_identifier('change', change.id)}</id>",
        f"    <title>{_xml(clean(f'{change.source}: {change.text}', 300))}</title>",
        f"    <updated>{_xml(change.at)}</updated>",
        f"    <category term={_quoted(change.kind)}/>",
        f"    <category term={_quoted(change.weight)}/>",
        *link,
        f'    <content type="text">{_xml(text)}</content>',
        "  </entry>",
    ]


def _identifier(kind: str, name: str) -> uuid.UUID:
    # Names of files need not be text: what is none is spelt out.
    return uuid.uuid5(_NAMESPACE, f"{kind} {name.encode('utf-8', 'backslashreplace').decode()}")


def _is_web(link: str | None) -> bool:
    return link is not None and link.startswith(("https://", "http://"))


def _xml(text: str) -> str:
    return escape(_NO_XML.sub("", text))


def _quoted(text: str | None) -> str:
    return quoteattr(_NO_XML.sub("", clean(text or "", 1000)))


def _program() -> str:
    from trtdoctor import __version__

    return f"trtdoctor {__version__}"
