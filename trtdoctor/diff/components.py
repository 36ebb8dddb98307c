"""What changed in an environment, component by component, and what that means for the newer state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trtdoctor.diff.aspects import NAMES, Aspect, aspects_of, comparable
from trtdoctor.findings import Finding, FoundFact, Report, Severity
from trtdoctor.record import record
from trtdoctor.snapshot import Loaded, Loading, Snapshot
from trtdoctor.stack import Stack

_JUDGED = ("driver", "gpu", "cuda", "cublas", "nvrtc", "cudnn", "python", "glibc")
"""What rules hold against TensorRT: of these alone it is said that they are fine."""
_GATES, _BEHIND = frozenset(("container", "wsl")), ("driver", "gpu")
"""What keeps a process from driver and GPU, which then seem to be gone."""
_MOST = 2


@record
class Change:
    """One thing that is not what it was."""

    component: str
    label: str
    """What it is called: ``driver``, ``cuDNN``, ``GPU 0``, ``LD_LIBRARY_PATH``."""
    what: str
    """``new``, ``gone``, ``changed`` or ``moved`` (the same from another place)."""
    before: str | None
    now: str | None
    means: str
    """What the findings on the newer state say of it."""
    status: str
    """The worst of them: ``error``, ``warning``, ``info``; ``ok``; ``unknown`` where nobody can tell."""


@record
class _Pair:
    """What was and what is; one of them None where there is no such."""

    item: Aspect
    """What is, else what was."""
    before: Aspect | None
    now: Aspect | None


def changes(before: Stack, now: Stack, report: Report, fresh: Sequence[Finding]) -> tuple[Change, ...]:
    """What changed from ``before`` to ``now``, on which ``report`` was made.

    ``fresh`` are the findings that are new.
    """
    older, newer = list(aspects_of(before)), list(aspects_of(now))
    # What a package owns is compared already, on either side.
    owners = {item.owner for item in (*older, *newer) if item.owner}
    older, newer = ([item for item in side if item.label not in owners] for side in (older, newer))
    labels = dict.fromkeys(item.label for item in (*older, *newer))
    pairs = [
        pair
        for label in labels
        for pair in _paired([item for item in older if item.label == label], [i for i in newer if i.label == label])
    ]
    said = _Saying(now, report, fresh)
    several = {label for label in labels if sum(item.label == label for item in newer) > 1}
    told = [_change(pair, said, alone=pair.item.label not in several) for pair in pairs]
    known = {(_folder(pair.before), _folder(pair.now)) for pair in pairs if pair.before and pair.now}
    picks = [item for item in _picks(before.snapshot, now.snapshot, said) if item[1] not in known]
    return (*told, *(item[0] for item in picks))


# -- what belongs together ---------------------------------------------------------------------------------------------


def _paired(older: list[Aspect], newer: list[Aspect]) -> Iterator[_Pair]:
    """What is not the same in both: paired by the same place, else by the same value, else by the same kind."""
    for item in [item for item in older if any(_same(item, other) for other in newer)]:
        newer.remove(next(other for other in newer if _same(item, other)))
        older.remove(item)
    for key in (_by_place, _by_value, _by_kind):
        for item in list(older):
            mine, others = ([other for other in side if key(other) == key(item)] for side in (older, newer))
            if len(mine) == len(others) == 1:  # never guess which of several became which
                older.remove(item)
                newer.remove(others[0])
                yield _Pair(others[0], item, others[0])
    if len(older) == len(newer) == 1:
        yield _Pair(newer[0], older.pop(), newer.pop())
    yield from (_Pair(item, item, None) for item in older)
    yield from (_Pair(item, None, item) for item in newer)


def _same(one: Aspect, other: Aspect) -> bool:
    return (one.value, one.place) == (other.value, other.place)


def _by_place(item: Aspect) -> object:
    return item.place


def _by_value(item: Aspect) -> object:
    return (item.value, item.kind)


def _by_kind(item: Aspect) -> object:
    return item.kind


def _change(pair: _Pair, said: _Saying, *, alone: bool) -> Change:
    """``alone``: nothing else of its label is there, so that what is said of the component is said of it."""
    before, now, item = pair.before, pair.now, pair.item
    means, status = said.of(item.component, item.label, now.fact if now else None, fine=alone and now is not None)
    if before is None or now is None:
        what = "gone" if now is None else "new"
        shown = True
    else:
        what = "moved" if before.value == now.value else "changed"
        shown = before.place != now.place
    texts = [_text(side, with_place=shown) if side else None for side in (before, now)]
    return Change(item.component, item.label, what, texts[0], texts[1], means, status)


def _text(item: Aspect, *, with_place: bool) -> str:
    value = item.value or "there"
    return f"{value} ({item.shown})" if with_place and item.shown and item.shown != value else value


def _folder(item: Aspect | None) -> str | None:
    return item.place if item else None


# -- what it means -----------------------------------------------------------------------------------------------------


class _Saying:
    """What the findings on the newer state say of a component."""

    def __init__(self, stack: Stack, report: Report, fresh: Sequence[Finding]) -> None:
        self.stack = stack
        self.report = report
        # What is new says most of a change.
        old = [item for item in report.standing if item not in fresh]
        self.findings = [*(item for item in fresh if item.waived is None), *old]
        self.unknown = {item.component: item.why for item in report.unknowns}

    def of(self, component: str, label: str, fact: FoundFact | None, *, fine: bool) -> tuple[str, str]:
        """Half a sentence, and a status. ``fine``: say so where rules hold it against TensorRT and find nothing."""
        about = [item for item in self.findings if _speaks(item, component, label, fact)]
        if not about and component in _BEHIND:
            about = [item for item in self.findings if _GATES & set(item.components)]
        well = ""
        if fine and component in _JUDGED and not self.unknown:
            products = self._products()
            well = f"fine for {products}" if products else ""
        if about:
            about.sort(key=lambda item: item.severity.rank)
            worst = about[0].severity
            texts = [f"{item.severity.value} {item.code}: {item.title}" for item in about[:_MOST]]
            texts += [f"and {len(about) - _MOST} more"] if len(about) > _MOST else []
            # What is only worth knowing speaks against nothing.
            texts = [well, *texts] if well and worst is Severity.INFO else texts
            return "; ".join(texts), worst.value
        if component in self.unknown:
            return f"not judged: {self.unknown[component]}", "unknown"
        return well, "ok"

    def _products(self) -> str:
        found = [*self.stack.tensorrts, *self.stack.rtxs]
        words = {"rtx": "tensorrt-rtx", "lean": "tensorrt-lean", "dispatch": "tensorrt-dispatch"}
        names = [f"{NAMES[words.get(item.product or '', 'tensorrt')]} {item.version}" for item in found if item.version]
        return " and ".join(list(dict.fromkeys(names))[:_MOST])


def _speaks(finding: Finding, component: str, label: str, fact: FoundFact | None) -> bool:
    keys = {item.key for item in finding.facts}
    if label in keys:
        return True
    if fact is not None and fact.key in keys:
        return any((item.key, item.value) == (fact.key, fact.value) for item in finding.facts)
    return component != "package" and component in finding.components


# -- what the loader picks ---------------------------------------------------------------------------------------------


def _picks(before: Snapshot, now: Snapshot, said: _Saying) -> Iterator[tuple[Change, tuple[str | None, str | None]]]:
    """Libraries that an importer gets from another directory than before, those of one component together."""
    components = {copy.name: copy.component for copy in (*before.copies, *now.copies) if copy.name}
    for older, newer in _both(before, now):
        got = {item.library: item for item in older.loaded}
        moved: dict[tuple[str, str | None, str | None], list[tuple[Loaded, Loaded]]] = {}
        for item in newer.loaded:
            was = got.get(item.library)
            if was is not None and _directory(was) != _directory(item):
                component = components.get(item.library, "loader")
                moved.setdefault((component, _directory(was), _directory(item)), []).append((was, item))
        for (component, *places), items in moved.items():
            was, item = items[0]
            more = f" and {len(items) - 1} more" if len(items) > 1 else ""
            label = f"{newer.importer} gets {item.library}{more}"
            means, status = said.of(component, label, None, fine=False)
            yield Change(component, label, "moved", _got(was), _got(item), means, status), (places[0], places[1])


def _both(before: Snapshot, now: Snapshot) -> Iterator[tuple[Loading, Loading]]:
    """The loadings of one importer by one method in both; what was observed before what was predicted."""
    known = {(item.importer, item.method): item for item in before.loadings}
    seen: set[str] = set()
    for item in sorted(now.loadings, key=lambda loading: loading.method):
        older = known.get((item.importer, item.method))
        if older is not None and item.importer not in seen:
            seen.add(item.importer)
            yield older, item


def _directory(item: Loaded) -> str | None:
    path = comparable(item.realpath or item.path)
    return path.rpartition("/")[0] if path else None


def _got(item: Loaded) -> str:
    step = f", by {item.step}" if item.step else ""
    return f"{item.realpath or item.path or 'an unknown place'}{step}"
