"""How a project or a site wants things judged: ``trtdoctor.toml``, or ``[tool.trtdoctor]`` in pyproject.toml.

A setting comes from the command line, else from the environment, else from the file, else it has its default;
requirements and overlays add up instead, so that nobody loses what somebody else insists on. Where there is no file,
nothing is read and no TOML reader is imported.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trtdoctor.record import record
from trtdoctor.text import clean
from trtdoctor.waivers import Waiver

if TYPE_CHECKING:
    from trtdoctor.config.mirrors import Mirror
    from trtdoctor.policy import Policy

SCHEMA = "trtdoctor-config/1"
OWN, SHARED = "trtdoctor.toml", "pyproject.toml"
"""The file that is ours, and the one in which a table is; in one directory ours wins."""
VARIABLE = "TRTDOCTOR_CONFIG"
MAX_BYTES = 1 << 20
POLICY = "policy"
"""The table with what may be installed; its keys are ``policy.KEY`` here."""
THRESHOLDS = ("error", "warning", "unknown", "never")
CANARY = ("auto", "always", "never")


class ConfigError(ValueError):
    """The configuration cannot be used; the message is one line for the user, with file and line."""


# -- what can be set ---------------------------------------------------------------------------------------------------


def _codes(values: tuple[str, ...]) -> tuple[str, ...]:
    from trtdoctor.rules import RULES

    codes = tuple(value.upper() for value in values)
    for code in codes:
        if not any(rule.code.startswith(code) for rule in RULES):
            raise ConfigError(f"{clean(code, 40)!r} is no rule code or prefix of one (see: trtdoctor rules)")
    return codes


def _requirements(values: tuple[str, ...]) -> tuple[str, ...]:
    from trtdoctor.demands import DemandError, parse

    try:
        return tuple(parse(value).text for value in values)
    except DemandError as error:
        raise ConfigError(str(error)) from None


def _one_of(*words: str) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    def check(values: tuple[str, ...]) -> tuple[str, ...]:
        if values[0] not in words:
            raise ConfigError(f"{clean(values[0], 40)!r} is not one of {', '.join(words)}")
        return values

    return check


def specifier(values: tuple[str, ...]) -> tuple[str, ...]:
    """One specifier such as ``>=2026.11``. Raises :class:`ConfigError` when it is none."""
    from trtdoctor.versions import Version, VersionError, within

    try:
        within(Version("0"), values[0].strip(" ,") or "nothing")
    except VersionError as error:
        raise ConfigError(f"{clean(str(error), 80)} (wanted such as >=10.3,<11)") from None
    return values


def _digest(values: tuple[str, ...]) -> tuple[str, ...]:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", values[0]):
        raise ConfigError("wanted the 64 hexadecimal digits of a SHA-256")
    return (values[0].lower(),)


def _any(values: tuple[str, ...]) -> tuple[str, ...]:
    return values


def _days(values: tuple[str, ...]) -> tuple[str, ...]:
    if not re.fullmatch(r"\d{1,4}", values[0], re.ASCII):
        raise ConfigError(f"{clean(values[0], 40)!r} is no number of days")
    return values


def _clauses(values: tuple[str, ...]) -> tuple[str, ...]:
    from trtdoctor.policy import PolicyError, parse_clause

    try:
        for value in values:
            parse_clause(value)
    except PolicyError as error:
        raise ConfigError(str(error)) from None
    return values


def _kept(values: tuple[str, ...]) -> tuple[str, ...]:
    from trtdoctor.policy import PolicyError, parse_keep

    try:
        return parse_keep(part for value in values for part in value.split(","))
    except PolicyError as error:
        raise ConfigError(str(error)) from None


@record
class Key:
    """One thing that can be set."""

    name: str
    """In the file."""
    help: str
    many: bool
    """Whether it is a list."""
    check: Callable[[tuple[str, ...]], tuple[str, ...]]
    """Gives the values as they are kept; raises :class:`ConfigError`."""
    default: tuple[str, ...] = ()
    variable: str | None = None
    """The environment variable."""
    separator: str = ","
    """Between several in that variable."""
    adds: bool = False
    """Whether what several places say adds up."""


KEYS: dict[str, Key] = {
    key.name: key
    for key in (
        Key("require", "what is required", True, _requirements, (), "TRTDOCTOR_REQUIRE", ";", adds=True),
        Key("goal", "what it is for", True, _any, ("build", "run"), "TRTDOCTOR_GOAL"),
        Key(
            "fail-on", "from where on the exit code is 1", False, _one_of(*THRESHOLDS), ("error",), "TRTDOCTOR_FAIL_ON"
        ),
        Key("select", "only these codes or prefixes", True, _codes, (), "TRTDOCTOR_SELECT"),
        Key("ignore", "these codes or prefixes left out", True, _codes, (), "TRTDOCTOR_IGNORE"),
        Key("canary", "whether a small engine is built", False, _one_of(*CANARY), ("auto",), "TRTDOCTOR_CANARY"),
        Key("overlay", "a site's own rows", True, _any, (), "TRTDOCTOR_OVERLAY", os.pathsep, adds=True),
        Key("against", "the plan that it is to match", False, _any, (), "TRTDOCTOR_AGAINST"),
        Key("matrix", "the versions of the matrix that will do", False, specifier),
        Key("matrix-digest", "the SHA-256 that `matrix update` insists on", False, _digest),
        Key("policy.channel", "latest, stable or lts", False, _one_of("latest", "stable", "lts"), ("latest",)),
        Key("policy.min-age-days", "how many days old a release must be", False, _days),
        Key("policy.allow", "the only versions that may come in", True, _clauses),
        Key("policy.deny", "versions and image tags that may not come in", True, _clauses),
        Key(
            "policy.install",
            "the preferred way of installing",
            False,
            _one_of("pip", "apt", "container", "jetpack", "archive"),
        ),
        Key("policy.keep", "what stays as it is", True, _kept),
        Key("policy.max-lag-days", "a mirror further behind is an error", False, _days),
        Key(
            "policy.prereleases",
            "whether releases before the release count",
            False,
            _one_of("true", "false"),
            ("false",),
        ),
    )
}
"""By the name in the file; ``policy.KEY`` stands in ``[policy]``. Tables of their own are ``[[waiver]]`` and
``[[mirror]]``."""


@record
class Value:
    """One setting, or one value of a setting that adds up, and where it is from."""

    key: str
    values: tuple[str, ...]
    origin: str
    """``command line``, ``environment``, ``file`` or ``default``."""
    where: str | None = None
    """The variable, or ``FILE:LINE``."""


@record
class ConfigFile:
    """What one file says."""

    path: str
    """As it is shown: from the directory that one is in, or as it was named."""
    values: tuple[Value, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    mirrors: tuple[Mirror, ...] = ()


@record
class Config:
    """Everything that is set, with where from."""

    file: str | None
    """The file that was read, as it is shown; None when there is none."""
    settings: tuple[Value, ...]
    waivers: tuple[Waiver, ...] = ()
    mirrors: tuple[Mirror, ...] = ()

    @property
    def policy(self) -> Policy:
        """What may be installed."""
        from trtdoctor.policy import of_settings

        names = [name for name in KEYS if name.startswith(f"{POLICY}.")]
        return of_settings({name.partition(".")[2]: self.all(name) for name in names})

    def all(self, key: str, *origins: str) -> tuple[str, ...]:
        """The values of ``key``, weakest first, each once; only those from ``origins`` where some are named."""
        found = [item for item in self.settings if item.key == key and (not origins or item.origin in origins)]
        return tuple(dict.fromkeys(value for item in found for value in item.values))

    def one(self, key: str) -> str | None:
        """The value of a ``key`` that has one; None when it is not set."""
        return next(iter(self.all(key)), None)

    def waivers_for(self, *, redacted: bool) -> tuple[Waiver, ...]:
        """The waivers; without the people who answer for them where people are left out."""
        return tuple(replace(item, who=None) for item in self.waivers) if redacted else self.waivers

    def where(self, key: str) -> str | None:
        """Where the value of ``key`` is from, for a message; None for the command line and for defaults."""
        return next((item.where for item in self.settings if item.key == key and item.where), None)

    def to_plain(self) -> dict[str, Any]:
        """The JSON form (``trtdoctor-config/1``), as plain data."""
        from trtdoctor.findings import plain

        return {"schema": SCHEMA, **plain(self)}


# -- from where --------------------------------------------------------------------------------------------------------


def settle(
    given: Mapping[str, Iterable[str]], environ: Mapping[str, str], file: ConfigFile | None, keys: Iterable[str] = KEYS
) -> Config:
    """What holds: ``given`` (the command line) before ``environ`` before ``file`` before the defaults.

    ``keys`` are those that the asker uses: only they are read from the environment. Raises :class:`ConfigError`.
    """
    settled: list[Value] = []
    for key in (KEYS[name] for name in keys):
        found = list(_said(key, given, environ, file))
        if key.adds:
            settled += found or [Value(key.name, key.default, "default")]
        else:
            settled.append(found[-1] if found else Value(key.name, key.default, "default"))
    if file is None:
        return Config(None, tuple(settled))
    return Config(file.path, tuple(settled), file.waivers, file.mirrors)


def _said(
    key: Key, given: Mapping[str, Iterable[str]], environ: Mapping[str, str], file: ConfigFile | None
) -> Iterator[Value]:
    """What each place says of ``key``, the weakest first."""
    if file is not None:
        yield from (item for item in file.values if item.key == key.name)
    text = environ.get(key.variable, "") if key.variable else ""
    if key.variable and text.strip():
        parts = tuple(part.strip() for part in (text.split(key.separator) if key.many else [text]) if part.strip())
        yield Value(key.name, _checked(key, parts, key.variable), "environment", key.variable)
    values = tuple(given.get(key.name, ()))
    if values:
        yield Value(key.name, _checked(key, values, f"--{key.name}"), "command line")


def _checked(key: Key, values: tuple[str, ...], where: str) -> tuple[str, ...]:
    try:
        return key.check(values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


# -- the file ----------------------------------------------------------------------------------------------------------


def file_of(named: str | None, environ: Mapping[str, str]) -> ConfigFile | None:
    """The file that ``named`` (``--config``) or ``TRTDOCTOR_CONFIG`` names, else the nearest one upwards.

    Raises :class:`ConfigError` when it cannot be read or says what is no configuration.
    """
    chosen = named or environ.get(VARIABLE)
    path = chosen or _nearest()
    if path is None:
        return None
    from trtdoctor.config.file import parse

    shown = _from_here(path)
    return parse(_read(path, shown), shown, path)


def _nearest() -> str | None:
    try:
        return find(os.getcwd())
    except OSError:  # the working directory is gone
        return None


def find(start: str) -> str | None:
    """The configuration in ``start`` or the nearest directory above it; None when there is none."""
    folder = start
    while True:
        for name in (OWN, SHARED):
            path = os.path.join(folder, name)
            if _is_ours(path, folder) and (name == OWN or _has_table(path)):
                return path
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def _is_ours(path: str, folder: str) -> bool:
    """Whether it is a file; where everybody may write (/tmp), one that we or root have put there."""
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            return False
        return not os.stat(folder).st_mode & stat.S_IWOTH or found.st_uid in (0, os.geteuid())
    except (OSError, ValueError):
        return False


# Every way to write the table, and more; compiled when it is first used: most checks meet no such file.
_TABLE = rb"""(?m)tool["']?\s*\.\s*["']?trtdoctor|^\s*\[\s*["']?tool["']?\s*\]|^\s*["']?tool["']?\s*="""


def _has_table(path: str) -> bool:
    """Whether a pyproject.toml has something to say to us, before any TOML reader is imported."""
    try:
        with open(path, "rb") as stream:
            content = stream.read(MAX_BYTES)
    except OSError:
        return False
    if b"trtdoctor" not in content or not re.search(_TABLE, content):
        return False
    from trtdoctor.config.file import table_of

    return table_of(content) is not None


def _read(path: str, shown: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"configuration {shown}: {reason}") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"configuration {shown}: longer than {MAX_BYTES >> 20} MiB")
    return content


def _from_here(path: str) -> str:
    """A path as seen from here (``../trtdoctor.toml``), of one elsewhere its name: it gets into reports."""
    name = os.path.basename(path)
    try:
        found = os.path.relpath(path)
    except (OSError, ValueError):
        return clean(name, 300)
    above = found.removesuffix(name).replace("/", "").replace(".", "")
    return clean(found if not found.startswith("..") or not above else name, 300)
