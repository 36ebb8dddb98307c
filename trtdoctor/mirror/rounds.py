"""One round of watching: look at everything, keep what was found, and find out who is owed which change."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from trtdoctor.config.mirrors import Mirror
from trtdoctor.matrix import Matrix
from trtdoctor.mirror import state as kept
from trtdoctor.mirror.change import Change
from trtdoctor.mirror.state import TARGETS, State
from trtdoctor.mirror.take import SECONDS, take
from trtdoctor.mirror.watch import Looked, merged
from trtdoctor.mirror_facts import MirrorSource
from trtdoctor.text import clean

STDOUT = "stdout"
"""The target that is told by printing."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST = timedelta(days=30)

Judge = Callable[[Sequence[MirrorSource], datetime], "Mapping[str, str | None] | None"]
"""Which of the sources are further behind than is allowed, as ``watch.merged`` takes it."""


def parse_interval(text: str) -> timedelta:
    """``30s``, ``15m``, ``1h``, ``1d``. Raises ValueError with half a line for anything else."""
    match = re.fullmatch(r"(\d{1,7})([smhd])", text.strip(), re.ASCII)
    found = timedelta(seconds=int(match[1]) * _UNITS[match[2]]) if match else timedelta(0)
    if not timedelta(0) < found <= _LONGEST:
        raise ValueError(f"{clean(text, 40)!r} is no interval such as 30s, 15m, 1h or 1d (at most 30d)")
    return found


def look(
    mirrors: Sequence[Mirror],
    matrix: Matrix,
    path: str,
    *,
    now: datetime,
    environ: Mapping[str, str],
    targets: Sequence[str] = (STDOUT,),
    judge: Judge | None = None,
    seconds: float = SECONDS,
) -> Looked:
    """Look at every source and keep what was found in the state at ``path``, whoever else writes to it meanwhile.

    ``targets`` are owed what changed from now on, and what they are still owed. Raises StateError.
    """
    found = take(mirrors, matrix, state=kept.read(path), now=now, environ=environ, seconds=seconds)
    late = judge(found, now) if judge is not None else None
    return keep(path, found, mirrors, now=now, targets=targets, late=late)


def keep(
    path: str,
    found: Sequence[MirrorSource],
    mirrors: Sequence[Mirror],
    *,
    now: datetime,
    targets: Sequence[str] = (),
    late: Mapping[str, str | None] | None = None,
) -> Looked:
    """Keep what was found, and what changed by it: who watches is owed that, whoever looked. Raises StateError.

    ``late``: as :func:`watch.merged` takes it.
    """
    made: list[Looked] = []

    def change(current: State | None) -> State:
        begun = current or State()
        others = [(name, ids) for name, ids in begun.owed.items() if name not in targets]
        room = max(0, TARGETS - len(targets))
        owed = dict([*others[-room:], *((name, begun.owed.get(name, ())) for name in targets)])
        made[:] = [merged(replace(begun, owed=owed), found, mirrors, now=now, late=late)]
        return made[0].state

    kept.update(path, change)
    return made[0]


def owed(state: State, target: str) -> list[Change]:
    """The changes that a target was not told yet, oldest first."""
    wanted = set(state.owed.get(target, ()))
    return [item for item in state.changes if item.id in wanted]


def told(path: str, taken: Mapping[str, Iterable[str]]) -> State:
    """Keep that targets took changes (``taken`` has their ids by target). Raises StateError."""

    def change(current: State | None) -> State:
        begun = current or State()
        left = dict(begun.owed)
        for target, ids in taken.items():
            done = set(ids)
            left[target] = tuple(item for item in left.get(target, ()) if item not in done)
        return replace(begun, owed=left)

    return kept.update(path, change)


def base_line(looked: Looked) -> str:
    """One line of what later looks are held against; empty where no source began."""
    parts = []
    for name in looked.begun:
        source = looked.state.source(name)
        if source is None:
            continue
        bad = next((side for side in source.sides if side.state != "ok" and side.role != "news"), None)
        counts = Counter(item.state for item in source.items)
        words = [f"{number} {state}" for state, number in counts.most_common(4)]
        words += [f"{bad.role} {bad.state}"] if bad is not None else []
        words += ["further behind than allowed"] if name in looked.state.late else []
        parts.append(f"{clean(name, 64)} ({', '.join(words) or 'nothing'})")
    more = f" and {len(parts) - 20} more" if len(parts) > 20 else ""
    return f"base line: {'; '.join(parts[:20])}{more}; from now on changes are told" if parts else ""


def as_line(change: Change) -> str:
    """A change on one line for people."""
    detail = f" ({change.detail})" if change.detail else ""
    link = f" {change.link}" if change.link else ""
    return clean(f"{change.at} {change.weight} {change.source}: {change.kind}: {change.text}{detail}{link}", 600)


def reached(changes: Iterable[Change], fail_on: str) -> bool:
    """Whether one of the changes is at or over the threshold ``error``, ``warning``, ``unknown`` or ``never``."""
    counting = {"error": {"error"}, "warning": {"error", "warning"}, "unknown": {"error", "unknown"}, "never": set()}
    return any(change.weight in counting[fail_on] for change in changes)
