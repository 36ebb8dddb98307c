"""``trtdoctor mirror check``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timezone
from functools import cache
from typing import TYPE_CHECKING

import click

from trtdoctor.cli.configured import as_given, configured, matrix_of
from trtdoctor.cli.mirror_looking import as_asked, looked, looking_options, machines_of, path_of, refuse, remembered
from trtdoctor.cli.mirror_options import mirror_options, mirrors_of, policy_keys
from trtdoctor.cli.output import deliver
from trtdoctor.cli.reports import about_of, hidden
from trtdoctor.config import THRESHOLDS, Config
from trtdoctor.render import CI_FORMATS, FORMATS

if TYPE_CHECKING:
    from trtdoctor.findings import Report
    from trtdoctor.matrix import Matrix
    from trtdoctor.mirror.report import MirrorReport
    from trtdoctor.mirror_facts import MirrorSource
    from trtdoctor.snapshot import Snapshot

_KEYS = ("fail-on", "select", "ignore", "overlay", "matrix")


@click.command(
    "check",
    epilog="""\b
Exit codes: 0 fine, 1 findings at or over --fail-on, 2 the check itself could not
run. A mirror that is down is a finding, not an exit code of 2.
Examples:
  trtdoctor mirror check oci:registry.corp:5000/ngc/nvidia/tensorrt
  trtdoctor mirror check pypi:https://mirror.example/simple/ --snapshot host.json
  trtdoctor mirror check --policy max-lag-days=30 --format github
  trtdoctor mirror check status:https://mirror.example/static/tunasync.json""",
)
@mirror_options
@looking_options
@click.option("--format", "format_", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option(
    "-o", "--output", "outputs", multiple=True, metavar="[FORMAT:]FILE", help="Write to a file as well (repeatable)."
)
@click.option("--fail-on", type=click.Choice(THRESHOLDS), show_default="error")
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
    refuse(no_state, offline, state_file, deep, ca_file, insecure)
    given = {**as_given(fail_on=fail_on, overlay=overlays), **policy}
    config = configured(config_file, no_config, given, (*_KEYS, *policy_keys()))
    matrix = matrix_of(config, matrix_directory)
    machines = machines_of(snapshot_files, declared_files, settings)
    now = datetime.now(timezone.utc)
    day = as_of or now.date()
    if offline:
        found = remembered(config, sources, state_file)
    else:
        mirrors = [as_asked(one, deep, ca_file, insecure) for one in mirrors_of(config, sources)]
        found = looked(config, matrix, mirrors, machines, None if no_state else path_of(state_file), now, seconds)
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
