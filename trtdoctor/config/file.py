"""Reading ``trtdoctor.toml`` and ``[tool.trtdoctor]``: every mistake is one line that names its place."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from trtdoctor.config import KEYS, POLICY, SHARED, ConfigError, ConfigFile, Value, specifier
from trtdoctor.config.mirrors import FIELDS, LISTS, REQUIRED, TRUTHS, Mirror, MirrorError
from trtdoctor.config.mirrors import of_table as mirror_of
from trtdoctor.requirements.files import FileError
from trtdoctor.requirements.toml import Lines
from trtdoctor.requirements.toml import parse as parse_toml
from trtdoctor.text import clean
from trtdoctor.waivers import Waiver

TABLE = "tool.trtdoctor"
_WAIVER, _MIRROR = "waiver", "mirror"
_WANTED = ("code", "component", "reason", "who", "expires")
"""What a waiver must say."""
_OTHER_NAMES = {
    "requirements": "require",
    "requires": "require",
    "waivers": _WAIVER,
    "overlays": "overlay",
    "plan": "against",
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
            if name in (_WAIVER, _MIRROR):
                continue
            if name == POLICY:
                values += self.policy(value, self.lines.key(name, first, last))
                continue
            self.known(name, (*(key for key in KEYS if "." not in key), POLICY, _WAIVER, _MIRROR), where)
            values.append(Value(name, self.values(name, value, where), "file", where))
        waivers = (self.waiver(item, line) for item, line in self.tables(_WAIVER, table, first, last))
        mirrors = (self.mirror(item, line) for item, line in self.tables(_MIRROR, table, first, last))
        return ConfigFile(self.shown, tuple(values), tuple(waivers), tuple(mirrors))

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
        if name in ("overlay", "against"):
            texts = tuple(os.path.join(self.folder, os.path.expanduser(text)) for text in texts)
        return self.checked(name, where, lambda: key.check(texts) if texts else ())

    def checked(self, name: str, where: str, make: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
        try:
            return make()
        except ConfigError as error:
            raise ConfigError(f"{where}: {name}: {error}") from None

    # -- tables --------------------------------------------------------------------------------------------------------

    def policy(self, table: Any, inline: int | None) -> list[Value]:
        """What ``[policy]`` says; a denial may be a table of its own with ``what`` and ``reason``."""
        headers = self.lines.headers(f"{self.prefix}{POLICY}")
        header = headers[0] if headers else inline
        if not isinstance(table, dict):
            raise ConfigError(f"{self.at(header)}: policy: wanted a table, [{self.prefix}{POLICY}]")
        known = [key.partition(".")[2] for key in KEYS if key.startswith(f"{POLICY}.")]
        found = []
        for name, where, value in self.entries(table, header):
            self.known(name, known, where)
            items = value if isinstance(value, list) else [value]
            plain = [_as_text(_denial(item) if name in ("allow", "deny") else item) for item in items]
            whole = plain if isinstance(value, list) else plain[0]
            found.append(Value(f"{POLICY}.{name}", self.values(f"{POLICY}.{name}", whole, where), "file", where))
        return found

    def entries(self, table: Mapping[str, Any], header: int | None) -> Iterator[tuple[str, str, Any]]:
        """The keys of a table with their places."""
        end = self.lines.end(header) if header and self.lines.lines[header - 1].lstrip().startswith("[") else header
        for name, value in table.items():
            yield name, self.at((self.lines.key(name, header, end) or header) if header and end else header), value

    def tables(
        self, name: str, table: Mapping[str, Any], first: int, last: int
    ) -> Iterator[tuple[Mapping[str, Any], int | None]]:
        """The tables ``[[name]]`` with their first lines."""
        tables = table.get(name, [])
        inline = self.lines.key(name, first, last)
        if not isinstance(tables, list) or not all(isinstance(item, dict) for item in tables):
            raise ConfigError(f"{self.at(inline)}: {name}: wanted tables, [[{self.prefix}{name}]]")
        headers = self.lines.headers(f"{self.prefix}{name}")
        headers = headers if len(headers) == len(tables) else []
        for number, item in enumerate(tables):
            yield item, headers[number] if headers else inline

    def mirror(self, table: Mapping[str, Any], header: int | None) -> Mirror:
        place = self.at(header)
        said: dict[str, Any] = {}
        for name, where, value in self.entries(table, header):
            self.known(name, FIELDS, where)
            items = value if name in LISTS and isinstance(value, list) else [value]
            if name in TRUTHS:
                if not isinstance(value, bool):
                    raise ConfigError(f"{where}: mirror: {name}: wanted true or false")
                said[name] = value
            elif not all(_is_text(item) for item in items):
                kind = "text or a list of texts" if name in LISTS else "text"
                raise ConfigError(f"{where}: mirror: {name}: wanted {kind}")
            else:
                texts = tuple(str(item).strip() for item in items)
                said[name] = texts if name in LISTS else texts[0]
        missing = [name for name in REQUIRED if name not in said]
        if missing:
            raise ConfigError(f"{place}: this mirror does not say {', '.join(missing)}")
        try:
            return mirror_of(said, self.folder, place)
        except MirrorError as error:
            raise ConfigError(f"{place}: mirror: {error}") from None

    def waiver(self, table: Mapping[str, Any], header: int | None) -> Waiver:
        place = self.at(header)
        texts: dict[str, str] = {}
        for name, where, value in self.entries(table, header):
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


def _denial(value: Any) -> Any:
    """``{what, reason}`` as one text."""
    if isinstance(value, dict) and set(value) == {"what", "reason"} and all(map(_is_text, value.values())):
        return f"{value['what']} # {value['reason']}"
    return value


def _as_text(value: Any) -> Any:
    """A number or a truth value as text."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else value


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
