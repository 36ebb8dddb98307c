"""``--apply``: bring what is missing with skopeo or pip, item by item.

What is there already, by its digest, is left alone; what came is verified by its digest; what fails does not stop the
rest. So a run that was interrupted is carried on by running it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from trtdoctor.mirror.emit import EmitOptions
from trtdoctor.mirror.wants import SyncItem
from trtdoctor.record import record

SECONDS = 6 * 3600.0
"""Time for all of it: an image has many gigabytes."""
FAILED = "failed"

Say = Callable[[str], None]


@record
class Outcome:
    """What became of one image or one file."""

    name: str
    """Made of names that were checked; ``detail`` was made safe to show where it was learnt."""
    state: str
    """``done``, ``there`` (it was already), ``would`` (with ``--dry-run``), ``failed``, ``left`` (to others)."""
    detail: str = ""


@record
class Job:
    """What is to be brought."""

    name: str
    bring: Callable[[], Outcome]


class Run:
    """One run: how much time is left, what the tools may see, whether anything is done at all."""

    def __init__(self, options: EmitOptions, environ: Mapping[str, str], seconds: float, *, dry: bool) -> None:
        self.options = options
        self.environ = environ
        self.dry = dry
        self._ends = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left; at least 0."""
        return max(0.0, self._ends - time.monotonic())


def apply(
    tool: str,
    items: Sequence[SyncItem],
    options: EmitOptions,
    environ: Mapping[str, str],
    say: Say,
    *,
    seconds: float = SECONDS,
    dry_run: bool = False,
) -> tuple[Outcome, ...]:
    """Bring the items with ``tool``, one of :data:`~trtdoctor.mirror.emit.APPLIED`; a line to ``say`` for each.

    Raises :class:`~trtdoctor.mirror.tools.ToolError` when the tool cannot be run at all, and
    :class:`~trtdoctor.mirror.emit.names.EmitError` for items that cannot be written down.
    """
    from trtdoctor.mirror import apply_files, apply_images

    run = Run(options, environ, seconds, dry=dry_run)
    with (apply_images if tool == "skopeo" else apply_files).jobs(items, run) as jobs:
        found = []
        for number, job in enumerate(jobs, 1):
            started = time.monotonic()
            outcome = job.bring() if run.left > 0 else Outcome(job.name, FAILED, "no time left")
            found.append(outcome)
            say(_line(number, len(jobs), outcome, time.monotonic() - started))
    return tuple(found)


_WORDS = {"done": "done", "there": "is there", "would": "would run", "failed": "FAILED", "left": "left out"}


def _line(number: int, count: int, outcome: Outcome, seconds: float) -> str:
    took = f" in {seconds:.1f} s" if outcome.state == "done" else ""
    detail = f": {outcome.detail}" if outcome.detail else ""
    return f"[{number}/{count}] {outcome.name}: {_WORDS[outcome.state]}{took}{detail}"
