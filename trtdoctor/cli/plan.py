"""``trtdoctor plan``: from diagnosis to a working stack; ``plan fetch`` gets its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

import click

from trtdoctor.cli import LazyGroup
from trtdoctor.cli.configured import as_given, config_options, configured, goal_of, matrix_of, policy_option
from trtdoctor.cli.inputs import parse_date, read_planned, write_output
from trtdoctor.cli.machine import machine_options, snapshot_named
from trtdoctor.cli.output import deliver, say
from trtdoctor.policy import INSTALL, PolicyError, parse_keep

if TYPE_CHECKING:
    from trtdoctor.config import Config
    from trtdoctor.demands import Demand
    from trtdoctor.matrix import Matrix
    from trtdoctor.plan.model import PlanReport
    from trtdoctor.plan.question import Question
    from trtdoctor.planned import Planned
    from trtdoctor.snapshot import Snapshot
    from trtdoctor.versions import Version

FORMATS = ("table", "json")
RENDERS = ("dockerfile", "requirements", "constraints", "apt", "markdown")
_KEYS = (
    *("require", "goal", "overlay", "matrix", "policy.channel", "policy.min-age-days", "policy.allow", "policy.deny"),
    *("policy.install", "policy.keep", "policy.max-lag-days", "policy.prereleases"),
)
"""What of the configuration counts here."""


class PlanGroup(LazyGroup):
    """The command itself, and what can be done with a plan."""

    table: ClassVar[dict[str, tuple[str, str]]] = {
        "fetch": ("trtdoctor.cli.plan_fetch", "Download every file of a plan, for an installation without network."),
    }


@click.group(
    "plan",
    cls=PlanGroup,
    invoke_without_command=True,
    epilog="""\b
Exit codes: 0 there is a plan, 1 nothing fits (it says why), 2 usage or unreadable input.
Examples:
  trtdoctor plan
  trtdoctor plan --require "tensorrt>=10.9" --require "torch==2.11.*" --keep driver,python
  trtdoctor plan --snapshot host.json --install pip --write trtdoctor-plan.yaml
  trtdoctor plan --to tensorrt==11.4
  trtdoctor plan --gpu "RTX 5090"
  trtdoctor plan --from-file trtdoctor-plan.yaml --render requirements""",
)
@machine_options
@click.option(
    "--require",
    "requirements",
    multiple=True,
    metavar="REQUIREMENT",
    help='What must hold: "tensorrt>=10.9", "torch==2.11.*", onnxruntime-gpu, driver>=580 (repeatable).',
)
@click.option("--keep", multiple=True, metavar="WORDS", help="What must stay: driver,cuda,python,torch … (repeatable).")
@click.option("--install", multiple=True, type=click.Choice(INSTALL), help="Only by this way (repeatable).")
@click.option("--to", "to", metavar="tensorrt==VERSION", help="What going to this release takes and breaks.")
@click.option("--gpu", "gpus", multiple=True, metavar="NAME", help="Plan for this GPU instead (repeatable).")
@click.option("--goal", multiple=True, metavar="WORD", help="What it is for: build, run, cpp, fp16, … (repeatable).")
@click.option(
    "--from",
    "source",
    type=click.Choice(("anywhere", "mirror")),
    default="anywhere",
    show_default=True,
    help="mirror: only what the mirrors were seen to have (trtdoctor mirror check).",
)
@click.option("--state", metavar="FILE", help="What mirrors were seen to have, for --from mirror.")
@policy_option
@click.option("--top", type=click.IntRange(1, 50), default=3, show_default=True, help="How many plans.")
@click.option("--all", "every", is_flag=True, help="Every release, not only the newest of each major.")
@click.option("--pick", type=click.IntRange(1, 50), default=1, show_default=True, help="Which one is written.")
@click.option("--write", "written", metavar="FILE", help="Write the plan to be replayed (trtdoctor-plan.yaml).")
@click.option("--render", type=click.Choice(RENDERS), help="Print it as this instead.")
@click.option("--from-file", metavar="FILE|-", help="Render a plan that was written, instead of making one.")
@click.option("--matrix", "matrix_directory", metavar="DIR|packaged", help="Another compatibility matrix.")
@click.option(
    "--overlay", "overlays", multiple=True, metavar="FILE", help="Lay a site's own rows over it (repeatable)."
)
@config_options
@click.option("--format", "format_", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option(
    "-o", "--output", "outputs", multiple=True, metavar="[FORMAT:]FILE", help="Write to a file as well (repeatable)."
)
@click.option("--as-of", callback=parse_date, metavar="DATE", help="Plan as on this day.")
@click.option("-v", "--verbose", is_flag=True, help="Show files, pins and the environment that results too.")
def command(
    requirements: tuple[str, ...],
    keep: tuple[str, ...],
    install: tuple[str, ...],
    to: str | None,
    gpus: tuple[str, ...],
    goal: tuple[str, ...],
    source: str,
    state: str | None,
    policy: dict[str, tuple[str, ...]],
    top: int,
    every: bool,
    pick: int,
    written: str | None,
    render: str | None,
    from_file: str | None,
    matrix_directory: str | None,
    overlays: tuple[str, ...],
    config_file: str | None,
    no_config: bool,
    format_: str,
    outputs: tuple[str, ...],
    as_of: date | None,
    verbose: bool,
    **machine: Any,
) -> int:
    """Say which stacks fit this machine, best first, and the exact way to each."""

    def made() -> tuple[PlanReport, Matrix]:
        """The plans that these options ask for."""
        given = {**as_given(goal=goal, overlay=overlays), **policy}
        config = configured(config_file, no_config, given, _KEYS)
        matrix = matrix_of(config, matrix_directory)
        demands = [*_demands(config.all("require"), matrix), *_demands(requirements, matrix)]
        target = _target(to) if to is not None else None
        if to is not None and target is not None:
            name = to.partition("==")[0].strip()
            demands += _demands((f"{name}=={target}{'.*' if len(target.parts) < 4 else ''}",), matrix)
        question = _question(
            config,
            matrix,
            snapshot_named(matrix, **machine),
            tuple(demands),
            keep,
            install,
            gpus,
            as_of or date.today(),
            source,
            state,
        )
        from trtdoctor.plan.answer import answer

        report = answer(question, top=max(top, pick), every=every, upgrade=target)
        return replace(report, configuration=config.file), matrix

    if _fetches():
        if written or render or outputs:
            raise click.UsageError("fetch writes its own plan file: not both it and --write, --render or -o")
        click.get_current_context().obj = _one(made, from_file, pick, overlays, matrix_directory)
        return 0
    if from_file is not None:
        return _of_file(from_file, render)
    report, _ = made()
    _deliver(report, pick, top, written, render, format_, outputs, verbose)
    return 0 if report.plans else 1


def _fetches() -> bool:
    return click.get_current_context().invoked_subcommand is not None


def _one(
    made: Callable[[], tuple[PlanReport, Matrix]],
    from_file: str | None,
    pick: int,
    overlays: tuple[str, ...],
    matrix_directory: str | None,
) -> Callable[[str | None], tuple[Planned, Matrix]]:
    """For ``fetch``: the plan of a file, else the one that was picked of those that are made."""

    def find(file: str | None) -> tuple[Planned, Matrix]:
        name = file or from_file
        if name is not None:
            config = configured(None, True, as_given(overlay=overlays), _KEYS)
            return read_planned(name), matrix_of(config, matrix_directory)
        report, matrix = made()
        if not report.plans:
            from trtdoctor.render.plan_table import render as as_table

            say(as_table(report, verbose=False, color=False))
            raise click.exceptions.Exit(1)
        return _picked(report, pick), matrix

    return find


def _picked(report: PlanReport, pick: int) -> Planned:
    if pick > len(report.plans):
        raise click.BadParameter(f"there are only {len(report.plans)} plans", param_hint="--pick")
    from trtdoctor.plan.write import planned

    return planned(report, report.plans[pick - 1])


def _question(
    config: Config,
    matrix: Matrix,
    snapshot: Snapshot,
    demands: tuple[Demand, ...],
    keep: tuple[str, ...],
    install: tuple[str, ...],
    gpus: tuple[str, ...],
    as_of: date,
    source: str,
    state: str | None,
) -> Question:
    from trtdoctor.judge import DEFAULT_GOAL
    from trtdoctor.plan.question import Question

    if gpus:
        snapshot = _with_gpus(snapshot, gpus)
    words = goal_of(config, matrix)
    policy = config.policy
    kept = _kept(keep, matrix)
    held = None
    if state is not None and source != "mirror":
        raise click.UsageError("--state is for --from mirror")
    if source == "mirror":
        from trtdoctor.cli.mirror_state import obtainable

        held = obtainable(state, matrix)
    return Question(
        snapshot,
        matrix,
        as_of=as_of,
        goal=words or snapshot.wants or _usual(demands, DEFAULT_GOAL),
        demands=demands,
        keep=kept,
        install=install,
        policy=policy,
        held=held,
    )


def _usual(demands: tuple[Demand, ...], goal: tuple[str, ...]) -> tuple[str, ...]:
    """What it is for where nobody says: who asks for a runtime alone does not mean to build."""
    from trtdoctor.demands import PRODUCTS
    from trtdoctor.plan.builds import RUNTIMES

    asked = {PRODUCTS[demand.subject] for demand in demands if demand.subject in PRODUCTS}
    return tuple(word for word in goal if word != "build") if asked and asked <= set(RUNTIMES) else goal


def _demands(texts: tuple[str, ...], matrix: Matrix) -> list[Demand]:
    """Requirements; the name of a distribution that the matrix knows stands for ``package:NAME``."""
    from trtdoctor.demands import DemandError, parse
    from trtdoctor.matrix import distributions

    found = []
    for text in texts:
        name = text.strip().partition("[")[0]
        for sign in "=<>!~ ":
            name = name.partition(sign)[0]
        known = distributions.identify(matrix, name) if name else None
        packaged = known is not None and known.component not in ("tensorrt", "cuda", "cudnn", "cublas", "nvrtc")
        try:
            found.append(parse(f"package:{text.strip()}" if packaged else text))
        except DemandError as error:
            raise click.BadParameter(str(error), param_hint="--require") from None
    return found


def _kept(keep: tuple[str, ...], matrix: Matrix) -> tuple[str, ...]:
    from trtdoctor.matrix import distributions
    from trtdoctor.policy import KEEPABLE

    words = [word for value in keep for word in value.split(",") if word.strip()]
    try:
        names = parse_keep(words)
    except PolicyError as error:
        raise click.BadParameter(str(error), param_hint="--keep") from None
    for name in names:
        if name not in KEEPABLE and distributions.identify(matrix, name) is None:
            import difflib

            close = difflib.get_close_matches(name, KEEPABLE, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(KEEPABLE)}, or a package of the stack"
            raise click.BadParameter(f"nothing called {name!r} can be kept; {hint}", param_hint="--keep")
    return names


def _target(text: str) -> Version:
    from trtdoctor.versions import Version

    name, found, number = text.replace(" ", "").partition("==")
    version = Version.maybe(number.removesuffix(".*"))
    if name not in ("tensorrt", "tensorrt-rtx") or not found or version is None:
        raise click.BadParameter(f"wanted tensorrt==VERSION, found {text[:60]!r}", param_hint="--to")
    return version


def _with_gpus(snapshot: Snapshot, gpus: tuple[str, ...]) -> Snapshot:
    from trtdoctor.declared import DeclarationError, environment_of, snapshot_of

    if not all(text.strip() for text in gpus):
        raise click.BadParameter("names no GPU; such as --gpu 'RTX 5090'", param_hint="--gpu")
    try:
        return snapshot_of(environment_of(f"gpu={text}" for text in gpus), snapshot)
    except DeclarationError as error:
        raise click.ClickException(str(error)) from None


def _deliver(
    report: PlanReport,
    pick: int,
    top: int,
    written: str | None,
    render: str | None,
    format_: str,
    outputs: tuple[str, ...],
    verbose: bool,
) -> None:
    if (written or render) and report.plans:
        plan = _picked(report, pick)
        if written:
            from trtdoctor.planned import to_yaml

            write_output(written, to_yaml(plan))
        if render:
            say(_rendered(plan, render, f"; --pick {pick + 1} takes the next way"))
            return
    report = replace(report, plans=report.plans[:top])

    def make(kind: str, color: bool) -> str:
        if kind == "json":
            from trtdoctor.text import as_json

            return as_json(report.to_plain())
        from trtdoctor.render.plan_table import render as as_table

        return as_table(report, verbose=verbose, color=color)

    deliver(make, format_, outputs, FORMATS)


def _of_file(name: str, render: str | None) -> int:
    say(_rendered(read_planned(name), render or "markdown"))
    return 0


def _rendered(plan: Planned, kind: str, otherwise: str = "") -> str:
    from importlib import import_module

    from trtdoctor.planned import PlannedError

    try:
        made: str = import_module(f"trtdoctor.render.plan_{kind}").render(plan)
    except PlannedError as error:
        raise click.ClickException(f"{error}{otherwise}") from None
    return made
