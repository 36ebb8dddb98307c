"""``trtdoctor mirror sync-config``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from trtdoctor.cli.configured import as_given, configured, matrix_of
from trtdoctor.cli.inputs import read_input, write_output
from trtdoctor.cli.mirror_looking import as_asked, looked, looking_options, machines_of, path_of, refuse, remembered
from trtdoctor.cli.mirror_options import mirror_options, mirrors_of, policy_keys
from trtdoctor.mirror.emit import APPLIED, TOOLS, EmitOptions
from trtdoctor.text import clean, harmless

if TYPE_CHECKING:
    from trtdoctor.config import Config
    from trtdoctor.config.mirrors import Mirror
    from trtdoctor.matrix import Matrix
    from trtdoctor.mirror.wants import SyncItem
    from trtdoctor.mirror_facts import MirrorSource

_KEYS = ("overlay", "matrix")
_NOTHING = "nothing to sync"
_HOURS = 6


@click.command(
    "sync-config",
    epilog="""\b
Exit codes: 0 fine, or nothing to sync; 1 an item failed, or its name fits no tool; 2 it could not be done.
Examples:
  trtdoctor mirror sync-config --tool skopeo --snapshot host.json -o sync.yml
  trtdoctor mirror sync-config --tool regsync --tag-template "{repository}-{tag}"
  trtdoctor mirror sync-config --tool pip-download --apply --into /srv/wheels
  trtdoctor mirror sync-config --format json -o items.json, and later: --items items.json --tool skopeo --apply""",
)
@click.option("--tool", type=click.Choice(tuple(TOOLS)), help="For which program.")
@click.option("--format", "format_", type=click.Choice(("text", "json")), default="text", show_default=True)
@click.option("-o", "--output", metavar="FILE", default="-", help="Write it there, whole or not at all.")
@click.option("--items", "items_file", metavar="FILE|-", help="Take the items from JSON instead of looking now.")
@click.option("--tag-template", metavar="TEXT", help="Tags inside, of {tag}, {month}, {repository}, {digest12}.")
@click.option("--registry-id", type=click.IntRange(0), default=0, help="Harbor: the number of upstream's endpoint.")
@click.option("--into", metavar="DIR", default="wheels", show_default=True, help="pip-download: where files go.")
@click.option("--apply", "is_applied", is_flag=True, help=f"Do it, with {' or '.join(APPLIED)}.")
@click.option("--dry-run", is_flag=True, help="With --apply: only say what would be run.")
@click.option(
    "--hours", type=click.FloatRange(0.001, 240), default=_HOURS, show_default=True, help="With --apply: at most."
)
@mirror_options
@looking_options
def command(
    tool: str | None,
    format_: str,
    output: str,
    items_file: str | None,
    tag_template: str | None,
    registry_id: int,
    into: str,
    is_applied: bool,
    dry_run: bool,
    hours: float,
    sources: tuple[str, ...],
    policy: dict[str, tuple[str, ...]],
    matrix_directory: str | None,
    overlays: tuple[str, ...],
    config_file: str | None,
    no_config: bool,
    **how: Any,
) -> int:
    """Write what a sync tool takes, for exactly what is missing, allowed by the policy and of use to the fleet.

    A SOURCE is the id of a [[mirror]] of the configuration, or KIND:[UPSTREAM=]MIRROR; none means all that are enabled
    there. Machines of the fleet are given by --snapshot, --declared or --set; without any, the policy alone decides.
    NVIDIA's licence governs the redistribution of its files.
    """
    _refuse(tool, format_, output, tag_template, is_applied, dry_run)
    given = {**as_given(overlay=overlays), **policy}
    config = configured(config_file, no_config, given, (*_KEYS, *policy_keys()))
    matrix = matrix_of(config, matrix_directory)
    if items_file is not None:
        _refuse_looking(sources, how)
        items, mirrors = _read(items_file), config.mirrors
    else:
        items, mirrors = _wanted(config, matrix, sources, **how)
    items, refused = _sound(items, tool)
    options = _options(config, matrix, mirrors, items, tag_template, registry_id, into)
    if format_ == "json":
        _write_json(items, refused, options, output)
    elif not items:
        _say_nothing(str(tool), is_applied or output != "-")
    elif is_applied:
        return max(_apply(str(tool), items, options, dry_run, hours), int(bool(refused)))
    else:
        _write(str(tool), items, options, output)
    return 1 if refused else 0


def _refuse(
    tool: str | None,
    format_: str,
    output: str,
    tag_template: str | None,
    is_applied: bool,
    dry_run: bool,
) -> None:
    """Options that do not go together; each is one line."""
    if tool is None and format_ != "json":
        raise click.UsageError(f"--tool {'|'.join(TOOLS)}, or --format json for the items themselves")
    if is_applied and tool not in APPLIED:
        raise click.UsageError(
            f"--apply runs {' or '.join(APPLIED)}; for the others: write what they take, and run them"
        )
    if is_applied and (format_ == "json" or output != "-"):
        raise click.UsageError("--apply writes no file: not both it and -o or --format json")
    if dry_run and not is_applied:
        raise click.UsageError("--dry-run goes with --apply; without it nothing is run")
    if tag_template is not None:
        if tool is not None and TOOLS[tool] != "oci":
            raise click.UsageError(f"--tag-template names images, and {tool} copies none")
        from trtdoctor.mirror.emit.names import EmitError
        from trtdoctor.mirror.emit.tags import check

        try:
            check(tag_template)
        except EmitError as error:
            raise click.ClickException(str(error)) from None


# -- the items ---------------------------------------------------------------------------------------------------------


def _refuse_looking(sources: Sequence[str], how: Mapping[str, Any]) -> None:
    """With ``--items`` nothing is looked at; ``--state`` and ``--seconds`` mean nothing then and do no harm."""
    names = ("snapshot_files", "declared_files", "settings", "offline", "deep")
    if sources or any(how[name] for name in names):
        raise click.UsageError("--items says what is to be synced: not both it and a SOURCE or a machine of the fleet")


def _read(name: str) -> tuple[SyncItem, ...]:
    from trtdoctor.mirror.sync_list import SyncListError, read

    try:
        return read(read_input(name, "items"))
    except SyncListError as error:
        raise click.ClickException(f"items {name}: {error}") from None


def _wanted(
    config: Config,
    matrix: Matrix,
    sources: Sequence[str],
    *,
    snapshot_files: Sequence[str],
    declared_files: Sequence[str],
    settings: Sequence[str],
    state_file: str | None,
    no_state: bool,
    offline: bool,
    deep: bool,
    ca_file: str | None,
    insecure: bool,
    seconds: int,
    as_of: date | None,
) -> tuple[tuple[SyncItem, ...], tuple[Mirror, ...]]:
    """What is wanted of the mirrors as they are now, or as a state file has them; and the mirrors as they are asked.

    What is left out although it is newer is counted on stderr, and so is who gave no answer.
    """
    from trtdoctor.mirror.wanted import context_of, worked_out

    refuse(no_state, offline, state_file, deep, ca_file, insecure)
    machines = machines_of(snapshot_files, declared_files, settings)
    now = datetime.now(timezone.utc)
    if offline:
        mirrors: tuple[Mirror, ...] = mirrors_of(config, sources) if sources else config.mirrors
        found = remembered(config, sources, state_file)
    else:
        mirrors = tuple(as_asked(one, deep, ca_file, insecure) for one in mirrors_of(config, sources))
        found = looked(config, matrix, mirrors, machines, None if no_state else path_of(state_file), now, seconds)
    _tell_what_is_not_known(found)
    items, left = worked_out(context_of(found, matrix, config.policy, machines, as_of or now.date()))
    for source, count in sorted(Counter(one.source for one in left).items()):
        _complain(f"{source}: {count} newer left out, by the policy or the fleet (mirror check -v says why)")
    return items, mirrors


def _tell_what_is_not_known(sources: Sequence[MirrorSource]) -> None:
    """Sides that gave no answer: what is missing there cannot be known."""
    for source in sources:
        for side in source.sides:
            if side.state not in ("ok", "unasked"):
                _complain(f"{source.id}: {side.role} is {side.state}: {side.detail or 'no more is known'}")


def _sound(items: Sequence[SyncItem], tool: str | None) -> tuple[tuple[SyncItem, ...], tuple[str, ...]]:
    from trtdoctor.mirror.emit.names import sound

    good, refused = sound(item for item in items if tool is None or item.kind == TOOLS[tool])
    for line in refused:
        _complain(f"left out: {line}")
    return good, refused


def _options(
    config: Config,
    matrix: Matrix,
    mirrors: tuple[Mirror, ...],
    items: Sequence[SyncItem],
    tag_template: str | None,
    registry_id: int,
    into: str,
) -> EmitOptions:
    from trtdoctor.matrix.mirrors import upstreams
    from trtdoctor.mirror.stubs import may_be_stub
    from trtdoctor.net.words import host_of

    accounts = {
        host_of(one.address): name
        for one in upstreams(matrix, "oci")
        if one.address is not None and (name := one.row.text("account"))
    }
    return EmitOptions(
        policy=config.policy,
        tag_template=tag_template,
        mirrors=mirrors,
        registry_id=registry_id,
        into=into,
        stubs=tuple(
            sorted({item.project for item in items if item.kind == "pypi" and may_be_stub(matrix, item.project)})
        ),
        accounts=tuple(sorted(accounts.items())),
    )


# -- what becomes of them ----------------------------------------------------------------------------------------------


def _write_json(items: Sequence[SyncItem], refused: Sequence[str], options: EmitOptions, output: str) -> None:
    from trtdoctor.mirror.sync_list import document
    from trtdoctor.text import as_json

    write_output(output, as_json(document(items, refused, options.policy)))


def _write(tool: str, items: Sequence[SyncItem], options: EmitOptions, output: str) -> None:
    """Of bandersnatch the list of wheels too: beside the file, or behind it as comments."""
    from trtdoctor.mirror.emit import emit
    from trtdoctor.mirror.emit.bandersnatch import WHEELS, wheels
    from trtdoctor.mirror.emit.names import EmitError

    try:
        text = emit(tool, items, options)
    except EmitError as error:
        raise click.ClickException(str(error)) from None
    has_wheels = tool == "bandersnatch" and any(item.origin for item in items)
    listed = wheels(items, options) if has_wheels else ""
    if listed and output != "-":
        write_output(os.path.join(os.path.dirname(output), WHEELS), listed)
    elif listed:
        text += "".join(f"# {line}\n" for line in (f"{WHEELS}:", *listed.splitlines()[2:]))
    write_output(output, text)


def _say_nothing(tool: str, plain: bool) -> None:
    """One line; where it would stand in place of a file, as a comment, so that it can stand in one."""
    if tool == "harbor" and not plain:
        click.echo(f"trtdoctor: {_NOTHING} with {tool}", err=True)
        click.echo("[]")
    else:
        click.echo(f"{'' if plain else '# '}{_NOTHING} with {tool}")


def _apply(tool: str, items: Sequence[SyncItem], options: EmitOptions, dry_run: bool, hours: float) -> int:
    from trtdoctor.cli.matrix_options import say_lines
    from trtdoctor.mirror.apply import FAILED, apply
    from trtdoctor.mirror.emit.head import LICENCE
    from trtdoctor.mirror.emit.names import EmitError
    from trtdoctor.mirror.tools import ToolError

    _complain(LICENCE)
    try:
        found = apply(
            tool, items, options, os.environ, lambda line: say_lines([line]), seconds=hours * 3600, dry_run=dry_run
        )
    except (EmitError, ToolError) as error:
        raise click.ClickException(str(error)) from None
    counts = Counter(outcome.state for outcome in found)
    words = {"done": "done", "there": "there already", "would": "would be run", FAILED: FAILED, "left": "left out"}
    say_lines([", ".join(f"{counts[state]} {word}" for state, word in words.items() if counts[state])])
    return int(counts[FAILED] > 0)


def _complain(text: str) -> None:
    click.echo(harmless(f"trtdoctor: {clean(text, 600)}"), err=True)
