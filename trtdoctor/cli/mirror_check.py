"""``trtdoctor mirror check``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timezone
from functools import cache
from typing import TYPE_CHECKING

import click

from trtdoctor.cli.configured import as_given, configured, matrix_of
from trtdoctor.cli.inputs import parse_date
from trtdoctor.cli.mirror_options import mirror_options, mirrors_of, policy_keys
from trtdoctor.cli.output import deliver
from trtdoctor.cli.reports import about_of, hidden
from trtdoctor.config import THRESHOLDS, Config
from trtdoctor.render import CI_FORMATS, FORMATS

if TYPE_CHECKING:
    from trtdoctor.config.mirrors import Mirror
    from trtdoctor.findings import Report
    from trtdoctor.matrix import Matrix
    from trtdoctor.mirror.report import MirrorReport
    from trtdoctor.mirror_facts import MirrorSource
    from trtdoctor.snapshot import Snapshot

_KEYS = ("fail-on", "select", "ignore", "overlay", "matrix")


@click.command(
    "check",
    epilog="""\b
Exit codes: 0 fine, 1 findings at or over --fail-on, 2 the check itself could not run. A mirror that is down is a
finding, not an exit code of 2.
Examples:
  trtdoctor mirror check oci:registry.corp:5000/ngc/nvidia/tensorrt
  trtdoctor mirror check pypi:https://mirror.example/simple/ --snapshot host.json
  trtdoctor mirror check --policy max-lag-days=30 --format github
  trtdoctor mirror check status:https://mirrors.tuna.tsinghua.edu.cn/static/tunasync.json""",
)
@mirror_options
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="One machine by its facts, e.g. gpu=L4 (repeatable)."
)
@click.option("--no-state", is_flag=True, help="Neither read nor keep what was seen.")
@click.option("--offline", is_flag=True, help="Ask nobody: judge what the state file has.")
@click.option("--deep", is_flag=True, help="Ask the mirror for every layer and file: a cache fetches what it lacks.")
@click.option("--ca-file", metavar="FILE", help="The authority that signs the mirrors' certificates.")
@click.option("--insecure", is_flag=True, help="Check no certificate of a mirror. It is told.")
@click.option("--format", "format_", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option(
    "-o", "--output", "outputs", multiple=True, metavar="[FORMAT:]FILE", help="Write to a file as well (repeatable)."
)
@click.option("--fail-on", type=click.Choice(THRESHOLDS), show_default="error")
@click.option("--as-of", callback=parse_date, metavar="DATE", help="Judge as on this day.")
@click.option("-v", "--verbose", is_flag=True, help="Show every item, and all that is to be synced.")
def command(
    sources: tuple[str, ...],
    snapshot_files: tuple[str, ...],
    declared_files: tuple[str, ...],
    policy: dict[str, tuple[str, ...]],
    state_file: str | None,
    seconds: int,
    matrix_directory: str | None,
    overlays: tuple[str, ...],
    config_file: str | None,
    no_config: bool,
    settings: tuple[str, ...],
    no_state: bool,
    offline: bool,
    deep: bool,
    ca_file: str | None,
    insecure: bool,
    format_: str,
    outputs: tuple[str, ...],
    fail_on: str | None,
    as_of: date | None,
    verbose: bool,
) -> int:
    """Say what can be had from mirrors, how far they are behind, and what of that matters to the fleet.

    A SOURCE is the id of a [[mirror]] of the configuration, or KIND:[UPSTREAM=]MIRROR with KIND oci, pypi, apt or
    status; none means all that are enabled there. Machines of the fleet are given by --snapshot, --declared or --set;
    without any, the policy alone decides what matters.
    """
    _refuse(no_state, offline, state_file, deep, ca_file, insecure)
    given = {**as_given(fail_on=fail_on, overlay=overlays), **policy}
    config = configured(config_file, no_config, given, (*_KEYS, *policy_keys()))
    matrix = matrix_of(config, matrix_directory)
    machines = _machines(snapshot_files, declared_files, settings)
    now = datetime.now(timezone.utc)
    day = as_of or now.date()
    if offline:
        found = _remembered(config, sources, state_file)
    else:
        mirrors = [_as_asked(one, deep, ca_file, insecure) for one in mirrors_of(config, sources)]
        found = _looked(config, matrix, mirrors, machines, None if no_state else _path(state_file), now, seconds)
    threshold = config.one("fail-on") or "error"
    report, _ = _judged(config, matrix, found, machines, day)

    @cache
    def for_others() -> Report:
        facts = hidden(_carrying(found))
        return _judged(config, matrix, facts.mirrors, [hidden(one) for one in machines], day, redacted=True)[1]

    about = about_of("mirror check", threshold)

    def make(kind: str, color: bool) -> str:
        from trtdoctor.render import render, render_mirrors

        if kind in CI_FORMATS:
            return render(for_others(), kind, about=about())
        return render_mirrors(report, kind, verbose=verbose, color=color)

    deliver(make, format_, outputs, FORMATS)
    return 1 if report.fails(threshold) else 0


def _refuse(
    no_state: bool, offline: bool, state_file: str | None, deep: bool, ca_file: str | None, insecure: bool
) -> None:
    """Options that do not go together; each is one line."""
    if no_state and (offline or state_file is not None):
        raise click.UsageError("--no-state uses no state file: not both it and --offline or --state FILE")
    if offline and (deep or ca_file is not None or insecure):
        raise click.UsageError("--offline asks nobody: --deep, --ca-file and --insecure say how to ask")
    if ca_file is not None and insecure:
        raise click.UsageError("--insecure checks no certificate: not both it and --ca-file FILE")
    if ca_file is not None and not os.path.isfile(ca_file):
        raise click.BadParameter(f"{ca_file!r} is no file", param_hint="--ca-file")


def _machines(
    snapshot_files: Sequence[str], declared_files: Sequence[str], settings: Sequence[str]
) -> tuple[Snapshot, ...]:
    """The fleet; what ``--set`` states is one machine more."""
    from trtdoctor.cli.mirror_options import fleet_of

    if [*snapshot_files, *declared_files].count("-") > 1:
        raise click.UsageError("only one of --snapshot and --declared can read stdin")
    found = fleet_of(snapshot_files, declared_files)
    if not settings:
        return found
    from trtdoctor.declared import DeclarationError, environment_of, snapshot_of

    try:
        return (*found, snapshot_of(environment_of(settings)))
    except DeclarationError as error:
        raise click.ClickException(str(error)) from None


def _as_asked(mirror: Mirror, deep: bool, ca_file: str | None, insecure: bool) -> Mirror:
    """A mirror with what the command line says of how it is asked."""
    if deep:
        mirror = replace(mirror, held="deep")
    if ca_file is not None:
        mirror = replace(mirror, ca_file=os.path.abspath(ca_file))
    return replace(mirror, verify_tls=False) if insecure else mirror


# -- looking -----------------------------------------------------------------------------------------------------------


def _path(state_file: str | None) -> str | None:
    """The state file: the one that is named, else the user's own; None where there is no place for one."""
    from trtdoctor.mirror.state import StateError, default_path

    if state_file is not None:
        return state_file
    try:
        return default_path(os.environ)
    except StateError as error:
        raise click.ClickException(f"{error}; or --no-state") from None


def _looked(
    config: Config,
    matrix: Matrix,
    mirrors: Sequence[Mirror],
    machines: Sequence[Snapshot],
    path: str | None,
    now: datetime,
    seconds: int,
) -> tuple[MirrorSource, ...]:
    """What the mirrors hold now; kept for the next time, and for whoever watches."""
    from trtdoctor.mirror import rounds
    from trtdoctor.mirror.lags import lags, late
    from trtdoctor.mirror.state import StateError, read
    from trtdoctor.mirror.take import take

    try:
        before = read(path) if path is not None else None
        found = take(
            mirrors, matrix, state=before, now=now, environ=os.environ, seconds=seconds, keep_answers=path is not None
        )
        if path is not None:
            policy = config.policy
            judged = late(lags(found, matrix, policy, machines, now), policy)
            rounds.keep(path, found, mirrors, now=now, late=judged)
    except StateError as error:
        raise click.ClickException(str(error)) from None
    return found


def _remembered(config: Config, sources: Sequence[str], state_file: str | None) -> tuple[MirrorSource, ...]:
    """What the state file has of the sources that are named, else of all; where nothing is in it that is no answer."""
    from trtdoctor.mirror.state import StateError, read

    path = _path(state_file)
    try:
        state = read(path) if path is not None else None
    except StateError as error:
        raise click.ClickException(str(error)) from None
    if state is None:
        raise click.ClickException(f"state {path}: there is none yet: trtdoctor mirror check makes one")
    if not sources:
        return state.sources
    found = []
    for mirror in mirrors_of(config, sources):
        source = state.source(mirror.id)
        if source is None:
            raise click.ClickException(f"state {path}: has nothing of {mirror.id}: look without --offline first")
        found.append(source)
    return tuple(found)


# -- judging -----------------------------------------------------------------------------------------------------------


def _judged(
    config: Config,
    matrix: Matrix,
    sources: Sequence[MirrorSource],
    machines: Sequence[Snapshot],
    day: date,
    *,
    redacted: bool = False,
) -> tuple[MirrorReport, Report]:
    from trtdoctor.mirror.report import judged

    return judged(
        sources,
        matrix,
        as_of=day,
        machines=machines,
        policy=config.policy,
        select=config.all("select"),
        ignore=config.all("ignore"),
        waivers=config.waivers_for(redacted=redacted),
        configuration=config.file,
        redacted=redacted,
    )


def _carrying(sources: Sequence[MirrorSource]) -> Snapshot:
    from trtdoctor.snapshot import Snapshot

    return Snapshot(kind="declared", mirrors=tuple(sources))
