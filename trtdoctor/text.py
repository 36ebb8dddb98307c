"""Text from outside made safe to carry: no control or bidirectional characters, no passwords, bounded length."""

from __future__ import annotations

import re
from typing import Any

# C0 and C1 controls (tab and newline are turned into a space first), zero-width and bidirectional formatting
# characters, line and paragraph separators, lone surrogates, the byte-order mark.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_BREAKS = re.compile(r"[\t\r\n\x0b\x0c]+")
LONGEST = 4096
"""No single string that a Snapshot carries is longer (in characters)."""


def clean(text: str, longest: int = LONGEST) -> str:
    """``text`` on one line, without control or bidirectional characters and passwords, cut to ``longest``."""
    if len(text) <= longest and text.isascii() and text.isprintable():
        return without_secrets(text)
    text = _UNSAFE.sub("", _BREAKS.sub(" ", text[: longest * 4]))
    return without_secrets(text if len(text) <= longest else text[: longest - 1] + "…")


# A scheme stands at the beginning of a word: "/usr/lib://opt/x@1/lib" is a list of directories. Those of the network
# are found everywhere and with one slash too, as what resolves paths leaves them.
_SCHEME = r"(?:(?:https?|ftps?|ssh|git|s3|gs|oci|docker)(?:\+\w+)?:/{1,2}|(?<![\w+./-])[A-Za-z][\w+.-]*://)"
# As far as the last "@" before a space: a password may hold a slash or another "@" that somebody forgot to escape.
_USER_INFO = re.compile(rf"({_SCHEME})\S*@")
_QUERY = re.compile(rf"({_SCHEME}[^\s?#]*)[?#]\S*")


def without_secrets(text: str) -> str:
    """``text`` with its addresses bare of user, password, query and fragment. Short texts only: it may be quadratic."""
    if ":/" not in text:
        return text
    return _QUERY.sub(r"\1", _USER_INFO.sub(r"\1", text))


def harmless(line: str) -> str:
    """One line of a text for people so that no CI system takes it for a command.

    GitHub obeys lines that begin with ``::``, after blanks too; GitHub, Azure and TeamCity obey ``##[``, ``##vso[``
    and ``##teamcity[`` wherever they stand. Outside text can get to the beginning of a line by being wrapped.
    """
    if "::" not in line and "##" not in line:
        return line
    return _COLON.sub(": ", _DOUBLE_HASH.sub("# ", line)) if _COMMAND.match(line) else _DOUBLE_HASH.sub("# ", line)


_DOUBLE_HASH = re.compile("#(?=#)")
_COMMAND = re.compile("[^!-9;-~]*::")
_COLON = re.compile(":(?=:)")


def as_json(plain: Any) -> str:
    """``plain`` as JSON for files, terminals and logs: ASCII, one space deep, a final newline.

    ``##`` inside of a string is written with an escape (it reads back the same): see :func:`harmless`.
    """
    import json

    return json.dumps(plain, indent=1).replace("##", "#\\u0023") + "\n"
