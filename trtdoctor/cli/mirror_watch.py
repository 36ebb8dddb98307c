"""``trtdoctor mirror watch``."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import click

from trtdoctor.cli.configured import as_given, configured, matrix_of
from trtdoctor.cli.inputs import write_output
from trtdoctor.cli.mirror_options import fleet_of, mirror_options, mirrors_of, policy_keys
from trtdoctor.cli.output import say
from trtdoctor.cli.stopping import Stopped, Stopper
from trtdoctor.config import THRESHOLDS, Config

if TYPE_CHECKING:
    from trtdoctor.config.mirrors import Mirror
    from trtdoctor.matrix import Matrix
    from trtdoctor.mirror.change import Change
    from trtdoctor.mirror.state import State
    from trtdoctor.mirror.webhook import Webhook
    from trtdoctor.mirror_facts import MirrorSource
    from trtdoctor.snapshot import Snapshot

PRINTED = ("text", "jsonl")
FORMATS = (*PRINTED, "atom", "prometheus")
KEYS = ("fail-on", "overlay", "matrix")
_JITTER = 0.1
"""Rounds begin this share of the interval earlier or later, so that many watchers do not ask at the same moment."""


@click.command(
    "watch",
    epilog="""\b
Exit codes: 0 fine, 1 a change at or over --fail-on was told (--once), 2 it could not be done.
Examples:
  trtdoctor mirror watch --once --state mirror.json -o atom:feed.xml
  trtdoctor mirror watch --interval 1h -o prometheus:/var/lib/node_exporter/trtdoctor.prom
  trtdoctor mirror watch --once --webhook-env CHAT_URL oci:registry.corp/ngc/nvidia/tensorrt""",
)
@click.option("--once", is_flag=True, help="Look once and end, for cron and CI.")
@click.option("--interval", metavar="TIME", help="Look again and again: every 30s, 15m, 1h, 1d.")
@click.option("--format", "format_", type=click.Choice(PRINTED), default="text", show_default=True)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="[FORMAT:]FILE",
    help="Write the changes that are kept to a file as well: text, jsonl, atom; or prometheus (repeatable).",
)
@click.option("--webhook", metavar="URL", help="Send changes there as JSON: https, or http to this machine.")
@click.option("--webhook-env", metavar="NAME", help="The environment variable that holds that address.")
@click.option("--webhook-token-env", metavar="NAME", help="The environment variable that holds a bearer token for it.")
@click.option("--fail-on", type=click.Choice(THRESHOLDS), show_default="error")
@mirror_options
def command(
    once: bool,
    interval: str | None,
    format_: str,
    outputs: tuple[str, ...],
    webhook: str | None,
    webhook_env: str | None,
    webhook_token_env: str | None,
    fail_on: str | None,
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
) -> int:
    """Tell what changes: upstream releases, what a mirror got, lost or lags behind, sides that cannot be asked.

    The first look at a source is what later ones are held against. A SOURCE is the id of a [[mirror]] of the
    configuration, or KIND:[UPSTREAM=]MIRROR; none means all that are enabled there.
    """
    from trtdoctor.mirror.rounds import parse_interval
    from trtdoctor.mirror.state import StateError, default_path
    from trtdoctor.mirror.webhook import WebhookError, of_options

    if once == (interval is not None):
        raise click.UsageError("either --once or --interval TIME")
    try:
        pause = parse_interval(interval).total_seconds() if interval is not None else 0.0
        hook = of_options(webhook, webhook_env, webhook_token_env, os.environ)
        path = state_file or default_path(os.environ)
    except (StateError, WebhookError) as error:
        raise click.ClickException(str(error)) from None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--interval") from None
    given = {**as_given(fail_on=fail_on, overlay=overlays), **policy}
    config = configured(config_file, no_config, given, (*KEYS, *policy_keys()))
    matrix = matrix_of(config, matrix_directory)
    fleet = fleet_of(snapshot_files, declared_files)
    watcher = _Watcher(mirrors_of(config, sources), matrix, config, fleet, path, format_, outputs, hook, seconds)
    with Stopper() as stopper:
        if once:
            return watcher.once(stopper, config.one("fail-on") or "error")
        return watcher.forever(stopper, pause)


class _Watcher:
    """Everything that a round needs."""

    def __init__(
        self,
        mirrors: Sequence[Mirror],
        matrix: Matrix,
        config: Config,
        fleet: Sequence[Snapshot],
        path: str,
        format_: str,
        outputs: Sequence[str],
        hook: Webhook | None,
        seconds: float,
    ) -> None:
        self._mirrors, self._matrix, self._policy = mirrors, matrix, config.policy
        self._fleet, self._path = fleet, path
        self._format, self._outputs, self._hook, self._seconds = format_, outputs, hook, seconds
        self._seconds_behind: dict[str, int] = {}

    def once(self, stopper: Stopper, fail_on: str) -> int:
        """One round."""
        from trtdoctor.mirror.rounds import reached

        try:
            changes, problems = self._round(stopper)
        except Stopped:
            raise click.Abort from None
        for text in problems:
            _complain(text)
        return 2 if problems else int(reached(changes, fail_on))

    def forever(self, stopper: Stopper, pause: float) -> int:
        """Rounds until a signal comes; what fails in one is told and tried again in the next."""
        from secrets import SystemRandom

        random = SystemRandom()
        first = True
        while True:
            begun = time.monotonic()
            try:
                _, problems = self._round(stopper)
            except Stopped:
                return 0
            except click.ClickException as error:
                if first:
                    raise
                problems = [error.format_message()]
            except Exception as error:
                if first:
                    raise
                problems = [f"a round failed by a defect of trtdoctor's own: {type(error).__name__}: {error}"]
            first = False
            for text in problems:
                _complain(text)
            wait = pause * random.uniform(1 - _JITTER, 1 + _JITTER) - (time.monotonic() - begun)
            try:
                with stopper.may_end():
                    time.sleep(max(0.5, wait))
            except Stopped:
                return 0

    def _round(self, stopper: Stopper) -> tuple[list[Change], list[str]]:
        """The changes that were told, and what could not be done, one line each."""
        from trtdoctor.mirror import rounds
        from trtdoctor.mirror.state import StateError

        targets = [rounds.STDOUT, *([self._hook.target] if self._hook is not None else [])]
        try:
            with stopper.may_end():
                looked = rounds.look(
                    self._mirrors,
                    self._matrix,
                    self._path,
                    now=datetime.now(timezone.utc),
                    environ=os.environ,
                    targets=targets,
                    judge=self._judge,
                    seconds=self._seconds,
                )
            changes = rounds.owed(looked.state, rounds.STDOUT)
            self._print(changes, rounds.base_line(looked))
            taken = {rounds.STDOUT: [item.id for item in changes]}
            problems = self._write(looked.state) + self._send(looked.state, taken)
            if any(taken.values()):
                rounds.told(self._path, taken)
        except StateError as error:
            raise click.ClickException(str(error)) from None
        return changes, problems

    def _judge(self, found: Sequence[MirrorSource], now: datetime) -> Mapping[str, str | None] | None:
        from trtdoctor.mirror.lags import lags, late

        judged = lags(found, self._matrix, self._policy, self._fleet, now)
        self._seconds_behind = {name: lag.seconds for name, lag in judged.items() if lag.seconds is not None}
        return late(judged, self._policy)

    def _print(self, changes: Sequence[Change], base_line: str) -> None:
        from trtdoctor.text import harmless

        if base_line and self._format == "text":
            say(harmless(f"{base_line}\n"))
        elif base_line:
            click.echo(harmless(f"trtdoctor: {base_line}"), err=True)
        if changes:
            say(_as_text(changes, self._format))

    def _write(self, state: State) -> list[str]:
        from trtdoctor.render import split_output

        wanted = [split_output(item, self._format, FORMATS) for item in self._outputs]
        return [problem for kind, file in wanted if (problem := _not_written(file, self._text(kind, state)))]

    def _text(self, kind: str, state: State) -> str:
        if kind == "atom":
            from trtdoctor.mirror.feed import atom

            return atom(state.changes, name=os.path.realpath(self._path), updated=state.taken)
        if kind == "prometheus":
            from trtdoctor.mirror.prometheus import text_of

            names = [mirror.id for mirror in self._mirrors]
            return text_of(state, names, lags=self._seconds_behind, matrix=self._matrix.version)
        return _as_text(state.changes, kind)

    def _send(self, state: State, taken: dict[str, list[str]]) -> list[str]:
        """Send what the webhook is owed; ``taken`` is brought up to date."""
        if self._hook is None:
            return []
        from trtdoctor.mirror import rounds
        from trtdoctor.mirror.webhook import WebhookError, send

        changes = rounds.owed(state, self._hook.target)
        if not changes:
            return []
        try:
            taken[self._hook.target] = list(send(self._hook, changes, at=state.taken))
        except WebhookError as error:
            taken[self._hook.target] = list(error.taken)
            left = len(changes) - len(error.taken)
            return [f"{error}; {left} {'is' if left == 1 else 'are'} sent next time"]
        return []


def _not_written(file: str, text: str) -> str | None:
    """Write a file; why it could not be."""
    try:
        write_output(file, text)
    except click.ClickException as error:
        return error.format_message()
    return None


def _as_text(changes: Sequence[Change], kind: str) -> str:
    from trtdoctor.mirror.rounds import as_line
    from trtdoctor.text import harmless

    make: Callable[[Change], str] = as_line if kind == "text" else lambda change: json.dumps(change.to_plain())
    return "".join(f"{harmless(make(change)) if kind == 'text' else make(change)}\n" for change in changes)


def _complain(text: str) -> None:
    from trtdoctor.text import clean, harmless

    click.echo(harmless(f"trtdoctor: {clean(text, 600)}"), err=True)
