"""Reading ``trtdoctor.toml`` and ``[tool.trtdoctor]``: every mistake is one line that names its place."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any

from trtdoctor.config import KEYS, SHARED, ConfigError, ConfigFile, Value, specifier
from trtdoctor.requirements.files import FileError
from trtdoctor.requirements.toml import Lines
from trtdoctor.requirements.toml import parse as parse_toml
from trtdoctor.text import clean
from trtdoctor.waivers import Waiver

TABLE = "tool.trtdoctor"
_WAIVER = "waiver"
_WANTED = ("code", "component", "reason", "who", "expires")
"""What a waiver must say."""
_OTHER_NAMES = {
    "requirements": "require",
    "requires": "require",
    "waivers": _WAIVER,
    "overlays": "overlay",
    "goals": "goal",
    "sha256": "matrix-digest",
    "fail_on": "fail-on",
    "min-matrix": "matrix",
    "versions": "version",
    "expiry": "expires",
    "until": "expires",
    "by": "who",
    "owner": "who",
    "author": "who",
    "rule": "code",
}
"""What people may write instead."""
_COMPONENT = re.compile(r"[a-z0-9][a-z0-9._-]*(?::[a-z0-9][a-z0-9._-]*)?")
_LONGEST = 300


def table_of(content: bytes) -> Mapping[str, Any] | None:
    """Our table of a pyproject.toml; None when it has none. What is no TOML may have one: an empty table."""
    try:
        document = parse_toml(_text(content, SHARED), SHARED)
    except (FileError, ConfigError):
        return {}
    tool = document.get("tool")
    found = tool.get("trtdoctor") if isinstance(tool, dict) else None
    return found if isinstance(found, dict) else None if found is None else {}


def parse(content: bytes, shown: str, path: str) -> ConfigFile:
    """Read the content of ``path``, which messages call ``shown``. Raises :class:`ConfigError`."""
    text = _text(content, shown)
    try:
        document: Any = parse_toml(text, shown)
    except FileError as error:
        raise ConfigError(_with_line(str(error), shown, text)) from None
    prefix = ""
    if os.path.basename(path) == SHARED:
        prefix = f"{TABLE}."
        tool = document.get("tool")
        document = tool.get("trtdoctor") if isinstance(tool, dict) else None
        if document is None:
            raise ConfigError(f"{shown}: has no [{TABLE}]")
        if not isinstance(document, dict):
            raise ConfigError(f"{shown}: {TABLE} is no table")
    return _Reader(shown, text, prefix, os.path.dirname(path)).read(document)


def _text(content: bytes, shown: str) -> str:
    try:
        return content.decode("utf-8").removeprefix("\ufeff").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{shown}:{line}: not UTF-8") from None


def _with_line(message: str, shown: str, text: str) -> str:
    """``FILE: not TOML: … (at line 3, column 5)`` as ``FILE:3: not TOML: …``."""
    match = re.search(r"\s*\(at (?:line (\d+), column \d+|end of document)\)", message)
    if match is None:
        return message
    line = match[1] or text.rstrip().count("\n") + 1
    return message.replace(match[0], "").replace(f"{shown}:", f"{shown}:{line}:", 1)


class _Reader:
    """One file: its name and its lines, for messages."""

    def __init__(self, shown: str, text: str, prefix: str, folder: str) -> None:
        self.shown = shown
        self.lines = Lines(text)
        self.prefix = prefix
        self.folder = folder

    def read(self, table: Mapping[str, Any]) -> ConfigFile:
        first, last = self.lines.section(TABLE) if self.prefix else (1, len(self.lines.lines))
        values: list[Value] = []
        for name, value in table.items():
            where = self.at(self.lines.key(name, first, last))
            if name == _WAIVER:
                continue
            self.known(name, (*KEYS, _WAIVER), where)
            values.append(Value(name, self.values(name, value, where), "file", where))
        return ConfigFile(self.shown, tuple(values), self.waivers(table.get(_WAIVER, []), first, last))

    def at(self, line: int | None) -> str:
        return f"{self.shown}:{line}" if line else self.shown

    def known(self, name: str, names: Iterable[str], where: str) -> None:
        names = tuple(names)
        if name not in names:
            import difflib

            other = _OTHER_NAMES.get(name.lower())
            close = [other] if other in names else difflib.get_close_matches(name.lower(), names, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(names)}"
            raise ConfigError(f"{where}: unknown key {clean(name, 60)!r}; {hint}")

    def values(self, name: str, value: Any, where: str) -> tuple[str, ...]:
        key = KEYS[name]
        items = value if key.many and isinstance(value, list) else [value]
        kind = "text or a list of texts" if key.many else "text"
        if not all(_is_text(item) for item in items):
            raise ConfigError(f"{where}: {name}: wanted {kind}")
        texts = tuple(clean(item).strip() for item in items)
        if name == "overlay":
            texts = tuple(os.path.join(self.folder, os.path.expanduser(text)) for text in texts)
        return self.checked(name, where, lambda: key.check(texts) if texts else ())

    def checked(self, name: str, where: str, make: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
        try:
            return make()
        except ConfigError as error:
            raise ConfigError(f"{where}: {name}: {error}") from None

    # -- waivers -------------------------------------------------------------------------------------------------------

    def waivers(self, tables: Any, first: int, last: int) -> tuple[Waiver, ...]:
        inline = self.lines.key(_WAIVER, first, last)
        if not isinstance(tables, list) or not all(isinstance(item, dict) for item in tables):
            raise ConfigError(f"{self.at(inline)}: waiver: wanted tables, [[{self.prefix}{_WAIVER}]]")
        headers = self.lines.headers(f"{self.prefix}{_WAIVER}")
        headers = headers if len(headers) == len(tables) else []
        return tuple(self.waiver(item, headers[number] if headers else inline) for number, item in enumerate(tables))

    def waiver(self, table: Mapping[str, Any], header: int | None) -> Waiver:
        place = self.at(header)
        end = self.lines.end(header) if header and self.lines.lines[header - 1].lstrip().startswith("[") else header
        texts: dict[str, str] = {}
        for name, value in table.items():
            where = self.at(self.lines.key(name, header, end) or header) if header and end else place
            self.known(name, (*_WANTED, "version"), where)
            texts[name] = self.text(name, value, where)
        missing = [name for name in _WANTED if name not in texts]
        if missing:
            raise ConfigError(f"{place}: this waiver does not say {', '.join(missing)}")
        return Waiver(
            code=texts["code"],
            component=texts["component"],
            version=texts.get("version"),
            reason=texts["reason"],
            who=texts["who"],
            expires=texts["expires"],
            stated_at=place,
        )

    def text(self, name: str, value: Any, where: str) -> str:
        if name == "expires":
            return self.day(value, where)
        if not _is_text(value):
            raise ConfigError(f"{where}: waiver: {name}: wanted text")
        text = clean(value).strip()
        if name == "code":
            return _code(text, where)
        if name == "component":
            text = text.lower()
            if not _COMPONENT.fullmatch(text):
                raise ConfigError(f"{where}: waiver: {clean(text, 40)!r} is no component (such as tensorrt or gpu)")
        if name == "version":
            self.checked("waiver: version", where, lambda: specifier((text,)))
        return text

    def day(self, value: Any, where: str) -> str:
        """A date of TOML, or the same as text; nobody's waiver lasts for ever."""
        try:
            if isinstance(value, str):
                value = date.fromisoformat(value.strip())
        except ValueError:
            value = None
        if not isinstance(value, date) or isinstance(value, datetime):
            raise ConfigError(f"{where}: waiver: expires: wanted a day such as 2027-01-31")
        return value.isoformat()


def _is_text(value: Any) -> bool:
    """Whether there is something to read in it."""
    return isinstance(value, str) and len(value) <= _LONGEST and bool(clean(value).strip())


def _code(text: str, where: str) -> str:
    from trtdoctor.rules import BY_CODE

    code = text.upper()
    if code not in BY_CODE:
        import difflib

        close = difflib.get_close_matches(code, BY_CODE, n=1)
        hint = f"did you mean {close[0]}?" if close else "see: trtdoctor rules"
        raise ConfigError(f"{where}: waiver: no rule {clean(text, 40)!r}; {hint}")
    return code
