"""``--config`` and ``--no-config``, and what a command is to do once command line, environment and file are settled."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from trtdoctor.config import CANARY, KEYS, POLICY, THRESHOLDS, Config, ConfigError, file_of, settle

if TYPE_CHECKING:
    from datetime import date

    from trtdoctor.findings import Report
    from trtdoctor.matrix import Matrix
    from trtdoctor.planned import Planned
    from trtdoctor.snapshot import Snapshot

CHECKED = tuple(name for name in KEYS if name != "matrix-digest")
"""What ``check`` and ``diff`` go by."""

_F = TypeVar("_F", bound=Callable[..., Any])


def config_options(command: _F) -> _F:
    """``--config FILE`` and ``--no-config``."""
    command = click.option("--no-config", is_flag=True, help="Read no configuration file.")(command)
    return click.option(
        "--config",
        "config_file",
        metavar="FILE",
        help="The configuration; default the nearest trtdoctor.toml or [tool.trtdoctor] upwards.",
    )(command)


def policy_options(command: _F) -> _F:
    """The options of ``check`` that a configuration can set as well, but for the matrix: as they are typed."""
    for name, key in reversed(KEYS.items()):
        if name in ("fail-on", "canary"):
            words = click.Choice(THRESHOLDS if name == "fail-on" else CANARY)
            command = click.option(f"--{name}", type=words, help=f"{key.help.capitalize()}.")(command)
        elif name == "against":
            command = against_option(command)
        elif not name.startswith(("matrix", "policy.")):
            help_ = f"{key.help.capitalize()} (repeatable)."
            command = click.option(f"--{name}", multiple=True, metavar=_METAVARS[name], help=help_)(command)
    return command


def against_option(command: _F) -> _F:
    """``--against FILE``."""
    return click.option("--against", metavar="FILE|-", help="Is it what was planned (trtdoctor plan --write)?")(command)


def policy_option(command: _F) -> _F:
    """``--policy KEY=VALUE``: what ``[policy]`` of a configuration says, typed."""
    known = ", ".join(name.partition(".")[2] for name in KEYS if name.startswith(f"{POLICY}."))
    return click.option(
        "--policy",
        "policy",
        multiple=True,
        metavar="KEY=VALUE",
        callback=_split_policy,
        help=f"State one rule of the policy, e.g. channel=stable (repeatable); keys: {known}.",
    )(command)


def _split_policy(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """What is typed, by the keys of the configuration."""
    found: dict[str, tuple[str, ...]] = {}
    for text in values:
        key, equals, value = text.partition("=")
        name = f"{POLICY}.{key.strip()}"
        if not equals or not value.strip():
            raise click.BadParameter(f"wanted KEY=VALUE, found {text[:60]!r}")
        if name not in KEYS:
            import difflib

            names = [item.partition(".")[2] for item in KEYS if item.startswith(f"{POLICY}.")]
            close = difflib.get_close_matches(key.strip(), names, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(names)}"
            raise click.BadParameter(f"unknown key {key[:40]!r}; {hint}")
        found[name] = (*found.get(name, ()), value.strip())
    return found


_METAVARS = {"require": "REQUIREMENT", "goal": "WORD", "select": "CODES", "ignore": "CODES", "overlay": "FILE"}


def configured(
    config_file: str | None, no_config: bool, given: Mapping[str, Iterable[str]], keys: Iterable[str] = KEYS
) -> Config:
    """What holds of ``keys``. ``given`` is what the command line says, by the keys of the file."""
    if config_file and no_config:
        raise click.UsageError("--config FILE and --no-config exclude each other")
    try:
        file = None if no_config else file_of(config_file, os.environ)
        return settle(given, os.environ, file, keys)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None


def split(values: Iterable[str]) -> tuple[str, ...]:
    """Words of an option that takes several by commas."""
    return tuple(word.strip() for value in values for word in value.split(",") if word.strip())


def as_given(**options: Any) -> dict[str, tuple[str, ...]]:
    """Options as they were typed, by the keys of the file; those that were not are left out."""
    given: dict[str, tuple[str, ...]] = {}
    for name, value in options.items():
        values = (value,) if isinstance(value, str) else tuple(value or ())
        if values:
            given[name.replace("_", "-")] = split(values) if name in ("goal", "select", "ignore") else values
    return given


def matrix_of(config: Config, directory: str | None) -> Matrix:
    """The matrix with every overlay that is set; refused where it is not one that the configuration takes."""
    from trtdoctor.cli.inputs import load_matrix

    # What TRTDOCTOR_OVERLAY names, loading adds by itself, between these two.
    matrix = load_matrix(directory, config.all("overlay", "command line"), config.all("overlay", "file"))
    wanted = config.one("matrix")
    if wanted is not None:
        from trtdoctor.versions import Answer, Version, within

        if within(Version(matrix.version), wanted) is not Answer.YES:
            raise click.ClickException(
                f"{config.where('matrix')}: wants a matrix {wanted}, this is {matrix.version} "
                "(trtdoctor matrix update FILE|URL, or a newer trtdoctor)"
            )
    return matrix


def goal_of(config: Config, matrix: Matrix) -> tuple[str, ...]:
    """The goal's words, empty where nobody states any; one that is mistyped in the file is told with its place."""
    from trtdoctor.cli.inputs import goal_words

    words = config.all("goal", "command line", "environment", "file")
    try:
        return goal_words(words, matrix) if words else ()
    except click.BadParameter as error:
        where = config.where("goal")
        raise (click.ClickException(f"{where}: {error.message}") if where else error) from None


def planned_of(config: Config) -> Planned | None:
    """The plan that is to be matched, where one is set."""
    name = config.one("against")
    if name is None:
        return None
    from trtdoctor.cli.inputs import read_planned

    try:
        return read_planned(name)
    except click.ClickException as error:
        where = config.where("against")
        raise (click.ClickException(f"{where}: {error.message}") if where else error) from None


def judged_by(
    config: Config,
    matrix: Matrix,
    snapshot: Snapshot,
    *,
    as_of: date,
    goal: Iterable[str],
    planned: Planned | None = None,
) -> Report:
    """What the rules say of ``snapshot`` under everything that is set."""
    from trtdoctor.demands import parse_all
    from trtdoctor.judge import judge

    return judge(
        snapshot,
        matrix,
        as_of=as_of,
        goal=goal,
        select=config.all("select"),
        ignore=config.all("ignore"),
        demands=parse_all(config.all("require")),
        waivers=config.waivers_for(redacted=snapshot.redacted),
        policy=config.policy,
        planned=planned,
        configuration=config.file,
    )
