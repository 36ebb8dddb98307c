"""``trtdoctor check``."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import click

from trtdoctor.cli.configured import (
    CHECKED,
    against_option,
    as_given,
    config_options,
    configured,
    goal_of,
    judged_by,
    matrix_of,
    planned_of,
)
from trtdoctor.cli.inputs import (
    collect_here,
    only_live,
    parse_date,
    parse_demands,
    read_declared,
    read_snapshot,
    root_directory,
    split_codes,
)
from trtdoctor.cli.output import deliver
from trtdoctor.cli.reports import about_of, hidden, maker
from trtdoctor.config import THRESHOLDS
from trtdoctor.findings import Report
from trtdoctor.matrix import Matrix
from trtdoctor.render import FORMATS
from trtdoctor.snapshot import Snapshot

if TYPE_CHECKING:
    from trtdoctor.demands import Demand


@click.command(
    "check",
    epilog="""\b
Exit codes: 0 fine, 1 findings at or over --fail-on, 2 the check itself could not run.
Examples:
  trtdoctor check
  trtdoctor check --snapshot host.json --format json
  trtdoctor check --against trtdoctor-plan.yaml
  trtdoctor check --set tensorrt=10.9 --set gpu="Tesla T4" --set driver=535.104.05""",
)
@click.option("--python", metavar="PATH", help="Interpreter whose packages are looked at.")
@click.option(
    "--root", callback=root_directory, metavar="DIR", help="Look at an unpacked image or chroot: its files alone."
)
@click.option("--observe", is_flag=True, help="Import what is there in child processes, and see which libraries come.")
@click.option(
    "--goal", multiple=True, metavar="WORD", help="What it is for: build, run, python, cpp, fp16, … (repeatable)."
)
@click.option(
    "--require",
    "demands",
    multiple=True,
    callback=parse_demands,
    metavar="REQUIREMENT",
    help="Insist on tensorrt>=10.3,<11 or gpu.memory>=16GiB or canary … (repeatable).",
)
@click.option("--snapshot", "snapshot_file", metavar="FILE|-", help="Judge facts taken elsewhere.")
@click.option("--declared", "declared_file", metavar="FILE|-", help="Judge an environment that a YAML file describes.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="State one fact, e.g. tensorrt=10.9 (repeatable)."
)
@click.option("--engine", "engine_files", multiple=True, metavar="FILE", help="Judge this engine too (repeatable).")
@click.option("--matrix", "matrix_directory", metavar="DIR|packaged", help="Another compatibility matrix.")
@click.option(
    "--overlay", "overlays", multiple=True, metavar="FILE", help="Lay a site's own rows over it (repeatable)."
)
@click.option("--format", "format_", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option(
    "-o", "--output", "outputs", multiple=True, metavar="[FORMAT:]FILE", help="Write to a file as well (repeatable)."
)
@click.option("--fail-on", type=click.Choice(THRESHOLDS), show_default="error")
@click.option("--as-of", callback=parse_date, metavar="DATE", help="Judge as on this day (for end-of-life dates).")
@click.option("--select", multiple=True, metavar="CODES", callback=split_codes, help="Only these codes or prefixes.")
@click.option(
    "--ignore", multiple=True, metavar="CODES", callback=split_codes, help="Leave these codes or prefixes out."
)
@click.option(
    "--canary",
    type=click.Choice(("auto", "always", "never")),
    help="Build and run a small engine: where it can tell something (auto, the default of a live check), or always.",
)
@against_option
@config_options
@click.option("--baseline", metavar="FILE", help="Report only what a snapshot of a recorded state does not have.")
@click.option("--redact", is_flag=True, help="Hide UUIDs, PCI ids, private paths.")
@click.option("-v", "--verbose", is_flag=True, help="Show facts, sources, and probes too.")
def command(
    python: str | None,
    root: str,
    observe: bool,
    goal: tuple[str, ...],
    demands: tuple[Demand, ...],
    snapshot_file: str | None,
    declared_file: str | None,
    settings: tuple[str, ...],
    engine_files: tuple[str, ...],
    matrix_directory: str | None,
    overlays: tuple[str, ...],
    format_: str,
    outputs: tuple[str, ...],
    fail_on: str | None,
    as_of: date | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    canary: str | None,
    against: str | None,
    config_file: str | None,
    no_config: bool,
    baseline: str | None,
    redact: bool,
    verbose: bool,
) -> int:
    """Judge this machine, a snapshot, or a described environment, before any engine is built."""
    if [snapshot_file, declared_file, baseline, against].count("-") > 1:
        raise click.UsageError("only one of --snapshot, --declared, --baseline and --against can read stdin")
    live = not (snapshot_file or declared_file or settings)
    only_live(python, root, observe, live=live)
    if canary == "always" and (not live or root != "/"):
        raise click.UsageError("--canary always is for this machine, not for a snapshot, a description or another root")
    required = tuple(demand.text for demand in demands)
    given = as_given(
        require=required,
        goal=goal,
        fail_on=fail_on,
        select=select,
        ignore=ignore,
        canary=canary,
        overlay=overlays,
        against=against,
    )
    config = configured(config_file, no_config, given, CHECKED)
    matrix = matrix_of(config, matrix_directory)
    words = goal_of(config, matrix)
    good = read_snapshot(baseline) if baseline else None
    plan = planned_of(config)
    snapshot = _snapshot(matrix, python, root, observe, snapshot_file, declared_file, settings)
    if engine_files:
        from trtdoctor.cli.engine_files import with_engines

        snapshot = with_engines(snapshot, matrix, engine_files)
    words = () if snapshot.wants and not given.get("goal") else words  # it says itself what it is for
    mode = config.one("canary") or "auto"
    if live and root == "/" and mode != "never":
        from trtdoctor.cli.canary_in_check import with_canary

        snapshot = with_canary(snapshot, matrix, mode, as_of=as_of or date.today(), goal=words, waivers=config.waivers)
    day = as_of or date.today()
    if live and root == "/" and config.mirrors:
        from trtdoctor.cli.mirror_state import with_mirrors

        snapshot = with_mirrors(snapshot, config.mirrors, day)
    if redact:
        snapshot = hidden(snapshot)
    threshold = config.one("fail-on") or "error"

    def judged(facts: Snapshot) -> Report:
        report = judged_by(config, matrix, facts, as_of=day, goal=words, planned=plan)
        if good is None:
            return report
        from trtdoctor.diff import only_new

        before = hidden(good) if facts.redacted else good  # else what is hidden in one would look new
        return only_new(report, judged_by(config, matrix, before, as_of=day, goal=report.goal, planned=plan))

    report = judged(snapshot)
    about = about_of("check", threshold, snapshot_file, declared_file)
    deliver(maker(report, lambda: judged(hidden(snapshot)), about, verbose=verbose), format_, outputs, FORMATS)
    return 1 if report.fails(threshold) else 0


def _snapshot(
    matrix: Matrix,
    python: str | None,
    root: str,
    observe: bool,
    snapshot_file: str | None,
    declared_file: str | None,
    settings: tuple[str, ...],
) -> Snapshot:
    """What is judged. ``--set`` alone starts from nothing stated and never looks at this machine."""
    base = read_snapshot(snapshot_file) if snapshot_file else None
    if not declared_file and not settings:
        if base is not None:
            return base
        return collect_here(matrix, python, root=root, observe=observe)
    from trtdoctor.declared import DeclarationError, environment_of, snapshot_of

    try:
        if declared_file:
            base = snapshot_of(read_declared(declared_file), base)
        return snapshot_of(environment_of(settings), base)
    except DeclarationError as error:
        raise click.ClickException(str(error)) from None
