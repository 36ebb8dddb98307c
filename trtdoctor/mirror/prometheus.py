"""What mirrors hold, as metrics in Prometheus' text format 0.0.4, for the node exporter's textfile collector."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from trtdoctor.mirror.state import State
from trtdoctor.mirror_facts import STATES, SYNCS, MirrorSource
from trtdoctor.text import clean
from trtdoctor.times import parse

_Samples = Iterator[tuple[Mapping[str, str], float]]
_PREFIX = "trtdoctor_mirror"


def text_of(state: State, names: Sequence[str], *, lags: Mapping[str, float], matrix: str) -> str:
    """The metrics of the sources ``names``; ``lags`` has the seconds that they are behind, where that is known.

    ``matrix`` is the version of the matrix. What is not known has no sample: a missing one is no zero.
    """
    from trtdoctor import __version__

    sources = [source for name in names if (source := state.source(name)) is not None]
    taken = parse(state.taken)
    about = {"version": __version__, "matrix": matrix}
    lines = _metric("info", "The program that wrote this.", _alone(1.0, about))
    if taken is not None:
        lines += _metric("run_timestamp_seconds", "When mirrors were last asked.", _alone(taken.timestamp()))
    lines += _metric("checked_timestamp_seconds", "When a source was last asked.", _checked(sources))
    lines += _metric("up", "1 where a side of a source could be asked, 0 where not.", _up(sources))
    lines += _metric("items", "How many tags, versions or jobs are in which state.", _items(sources))
    lines += _metric(
        "lag_seconds", "How long a mirror has been behind upstream; 0 where it is not.", _lags(names, lags)
    )
    lines += _metric("late", "1 where a mirror is further behind than the policy allows.", _late(sources, state, lags))
    lines += _metric("synced_timestamp_seconds", "When a mirror last synced, by its own word.", _synced(sources))
    lines += _metric("job_state", "1 for what a status page says of a job.", _jobs(sources))
    lines += _metric("job_success_timestamp_seconds", "When a job last succeeded.", _succeeded(sources))
    lines += _metric("requests", "How many requests the last look at a source took.", _requests(sources))
    lines += _metric("first_look_timestamp_seconds", "When a source was first asked.", _since(sources, state))
    return "\n".join(lines) + "\n"


def _metric(name: str, meaning: str, samples: _Samples) -> list[str]:
    found = [f"{_PREFIX}_{name}{_labels(labels)} {_number(value)}" for labels, value in samples]
    if not found:
        return []
    return [f"# HELP {_PREFIX}_{name} {meaning}", f"# TYPE {_PREFIX}_{name} gauge", *found]


def _alone(value: float, labels: Mapping[str, str] | None = None) -> _Samples:
    yield labels or {}, value


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    """As a label's value: any text may stand there, once these three are escaped."""
    return clean(value, 200).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _of(source: MirrorSource, **more: str) -> dict[str, str]:
    return {"source": source.id, "kind": source.kind, **more}


def _checked(sources: Sequence[MirrorSource]) -> _Samples:
    for source in sources:
        moment = parse(source.checked)
        if moment is not None:
            yield _of(source), moment.timestamp()


def _up(sources: Sequence[MirrorSource]) -> _Samples:
    for source in sources:
        for role in dict.fromkeys(side.role for side in source.sides if side.state != "unasked"):
            side = source.side(role)
            yield _of(source, role=role), float(side is not None and side.state == "ok")


def _items(sources: Sequence[MirrorSource]) -> _Samples:
    for source in sources:
        counts = Counter(item.state for item in source.items)
        for state in STATES:
            yield _of(source, state=state), float(counts[state])


def _lags(names: Sequence[str], lags: Mapping[str, float]) -> _Samples:
    for name in names:
        if name in lags:
            yield {"source": name}, float(round(lags[name]))


def _late(sources: Sequence[MirrorSource], state: State, lags: Mapping[str, float]) -> _Samples:
    for source in sources:
        if source.id in state.late or source.id in lags:
            yield {"source": source.id}, float(source.id in state.late)


def _synced(sources: Sequence[MirrorSource]) -> _Samples:
    for source in sources:
        seen = set()
        for side in source.sides:
            moment = parse(side.synced)
            if moment is not None and side.role not in seen:
                seen.add(side.role)
                yield _of(source, role=side.role), moment.timestamp()


def _jobs(sources: Sequence[MirrorSource]) -> _Samples:
    for source in sources:
        for item in {item.name: item for item in source.items if item.sync in SYNCS}.values():
            yield {"source": source.id, "job": item.name, "state": item.sync or ""}, 1.0


def _succeeded(sources: Sequence[MirrorSource]) -> _Samples:
    for source in sources:
        for item in {item.name: item for item in source.items if item.sync in SYNCS}.values():
            moment = parse(item.mirrored)
            if moment is not None:
                yield {"source": source.id, "job": item.name}, moment.timestamp()


def _requests(sources: Sequence[MirrorSource]) -> _Samples:
    for source in sources:
        if source.requests is not None:
            yield _of(source), float(source.requests)


def _since(sources: Sequence[MirrorSource], state: State) -> _Samples:
    for source in sources:
        moment = parse(state.since.get(source.id))
        if moment is not None:
            yield _of(source), moment.timestamp()
