"""Regular expressions that are compiled when they are first used.

Compiling one takes a tenth to a whole millisecond; with a hundred of them at the top of modules that was a tenth of
``trtdoctor check``, and most runs use a handful.
"""

from __future__ import annotations

import re
from typing import Any


class Pattern:
    """Stands for ``re.compile(text, flags)``; its methods are those of :class:`re.Pattern`."""

    __slots__ = ("_compiled", "_flags", "_text")

    def __init__(self, text: str, flags: int = 0) -> None:
        """Nothing is compiled yet."""
        self._text, self._flags = text, flags
        self._compiled: re.Pattern[str] | None = None

    def __getattr__(self, name: str) -> Any:
        if self._compiled is None:
            self._compiled = re.compile(self._text, self._flags)
        return getattr(self._compiled, name)


def pattern(text: str, flags: int = 0) -> re.Pattern[str]:
    """A regular expression for text, compiled on first use. Raises re.error then, not now."""
    lazy: Any = Pattern(text, flags)
    compiled: re.Pattern[str] = lazy
    return compiled
