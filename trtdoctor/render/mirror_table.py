"""Mirrors for people: the headline, what is wrong, what each mirror has beside its upstream, and what to sync."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from trtdoctor.demands import size
from trtdoctor.findings import Verdict
from trtdoctor.mirror.report import Entry, HeldSaid, MirrorReport, SourceSaid
from trtdoctor.mirror.wants import SyncItem
from trtdoctor.mirror_facts import MirrorSide
from trtdoctor.render.parts import WIDTH, Paint, finding_lines, foot, labelled, said, waived_lines
from trtdoctor.text import clean, harmless

_VERDICTS = {Verdict.READY: "ok", Verdict.AT_RISK: "warning", Verdict.BROKEN: "error", Verdict.UNKNOWN: "unknown"}
_TOOLS = {"oci": "skopeo, regsync or harbor", "pypi": "pip-download or bandersnatch", "apt": "aptly"}
_NAME, _HERE, _ABOVE, _SINCE = 34, 10, 9, 10
_COLUMNS = (_NAME, _HERE, _ABOVE, _SINCE)
_MOST_ROWS, _MOST_ITEMS, _MOST_LEFT, _FEW = 12, 10, 6, 3
_USUAL = ("same", "present", "missing", "extra")
"""States that stacks, or the counts, tell well enough."""
_HELD = {"yes": "whole", "no": "in part", "unknown": "unknown"}
_HELD_IMAGE = {"yes": "yes", "no": "in part", "unknown": "unknown"}


def render(report: MirrorReport, *, verbose: bool = False, color: bool = False) -> str:
    """The whole text, with a final newline."""
    paint = Paint(color)
    lines = [*_head(report, paint)]
    for finding in report.findings:
        lines += ["", *(waived_lines(finding, paint) if finding.waived else finding_lines(finding, paint, verbose))]
    if report.unknowns:
        lines += ["", paint("unknown", "not known")]
        for item in report.unknowns:
            lines += labelled("", f"{item.needed}: {item.why}. Tell: {item.how_to_tell}", paint)
    for source in report.sources:
        lines += ["", *_source(report, source, paint, verbose)]
    lines += [*_sync(report, paint, verbose)]
    lines += [*_left_out(report, paint, verbose)]
    lines += ["", *foot(report.program, report.matrix, report.as_of, paint)]
    if report.configuration:
        lines.append(paint("dim", f"configuration {report.configuration}"))
    return "\n".join(harmless(line.rstrip()) for line in lines) + "\n"


def _head(report: MirrorReport, paint: Paint) -> Iterator[str]:
    word = report.verdict.prose
    text = _wrapped(f"{word}: {report.headline}", WIDTH)
    yield paint(_VERDICTS[report.verdict], word) + text[0][len(word) :]
    yield from (f"  {line}" for line in text[1:])
    machines = {0: "any machine", 1: "1 machine"}.get(report.machines, f"{report.machines} machines")
    yield from labelled("judged", f"for {machines}: {said(report.counts)}", paint)
    number = len(report.sources)
    yield from labelled("asked", f"{number} source{'s' if number != 1 else ''}, {report.requests} requests", paint)


def _wrapped(text: str, width: int) -> list[str]:
    return wrap(clean(text, 2000), width - 2, break_on_hyphens=False) or [""]


# -- one source --------------------------------------------------------------------------------------------------------


def _source(report: MirrorReport, source: SourceSaid, paint: Paint, verbose: bool) -> Iterator[str]:
    yield f"{paint('bold', source.id or source.kind)} ({source.kind})"
    for side in source.sides:
        yield from labelled(side.role, _side(side), paint)
        for text in side.warnings if verbose else ():
            yield from labelled("says", text, paint)
    yield from labelled("in short", source.headline, paint)
    if source.kind != "status" or source.lag.seconds is not None:
        yield from labelled("lag", _lag(source), paint)
    if source.states:
        counts = sorted(source.states.items(), key=lambda pair: -pair[1])
        yield from labelled("states", ", ".join(f"{number} {state}" for state, number in counts), paint)
    yield from _remembered(source, paint)
    yield from _stacks(report, source, paint, verbose)
    yield from _entries(source, paint, verbose)
    for note in source.notes if verbose else source.notes[:3]:
        yield from labelled("note", note, paint)
    if len(source.notes) > 3 and not verbose:
        yield from labelled("", f"and {len(source.notes) - 3} more notes (-v shows them)", paint)


def _side(side: MirrorSide) -> str:
    words = [side.address or "", f"({side.product})" if side.product else ""]
    words += [side.state if side.state != "ok" else ""]
    text = " ".join(filter(None, words))
    more = [side.detail or "", f"served by {side.served_by}" if side.served_by else ""]
    more += [f"last synced {side.synced} by {side.synced_by}" if side.synced and side.synced_by else ""]
    more += ["certificate not checked" if side.unverified else ""]
    return clean("; ".join(filter(None, (text, *more))), 600)


def _lag(source: SourceSaid) -> str:
    if source.lag.seconds is None:
        return "not known"
    by = f" by {source.lag.evidence}" if source.lag.evidence else ""
    if source.lag.seconds == 0:
        return f"none{by}"
    days, hours = divmod(source.lag.seconds // 3600, 24)
    text = f"{days} day{'s' if days != 1 else ''}" if days else f"{hours} hour{'s' if hours != 1 else ''}"
    return f"{text}{by}"


def _remembered(source: SourceSaid, paint: Paint) -> Iterator[str]:
    """From when those digests are that were not asked for again."""
    seen = sorted(entry.as_of for entry in source.entries if entry.as_of)
    if seen:
        span = seen[0] if seen[0] == seen[-1] else f"{seen[0]} to {seen[-1]}"
        text = f"{len(seen)} of {len(source.entries)} rest on what was seen before, {span}"
        yield from labelled("from", text, paint)


# -- its releases ------------------------------------------------------------------------------------------------------


def _stacks(report: MirrorReport, source: SourceSaid, paint: Paint, verbose: bool) -> Iterator[str]:
    here = {item.name: item for item in report.stacks.mirror if item.source == source.id}
    above = {item.name: item for item in report.stacks.upstream if item.source == source.id}
    every = {**above, **here}
    if not every:
        return
    down = _is_down(source)
    shown = list(every) if verbose else list(_that_matter(here, every))[: _FEW if down else _MOST_ROWS]
    yield paint("dim", f"  {_row(('newest first', 'mirror', 'upstream', 'since'))}")
    for name in shown:
        yield from _stack(here.get(name), above.get(name), down, paint)
    if len(shown) < len(every):
        yield f"  and {len(every) - len(shown)} more (-v shows them)"


def _is_down(source: SourceSaid) -> bool:
    """Whether nothing is known of the mirror: then every item says so, and once is enough."""
    return any(side.role == "mirror" and side.state not in ("ok", "absent") for side in source.sides)


def _that_matter(here: dict[str, HeldSaid], every: dict[str, HeldSaid]) -> Iterator[str]:
    """Of each line, newest first, as far as the newest that is here whole."""
    over: set[str] = set()
    for name, item in every.items():
        if item.line not in over:
            yield name
        if name in here and here[name].complete == "yes":
            over.add(item.line)


def _stack(ours: HeldSaid | None, theirs: HeldSaid | None, down: bool, paint: Paint) -> Iterator[str]:
    item = ours or theirs
    if item is None:
        return
    words = _HELD_IMAGE if item.kind == "image" else _HELD
    state = words[ours.complete] if ours is not None else "unknown" if down else "missing"
    cuda = f" {item.flavour}" if item.flavour and item.kind != "image" else ""
    inside = f" ({item.release})" if item.kind == "image" and item.release else ""
    name = item.name.rpartition("/")[2] if item.kind == "image" else f"TensorRT {item.version}{cuda}"
    since = (item.released or "-")[:10]
    cells = _row((f"{name}{inside}", state, "yes" if theirs is not None else "-", since))
    style = {"whole": "ok", "yes": "ok", "in part": "error", "missing": "warning"}.get(state, "unknown")
    before, after = cells[: _NAME + 2], cells[_NAME + 2 :]
    yield f"  {before}{paint(style, after[: len(state)])}{after[len(state) :]}"
    missing = ours.missing if ours is not None else ()
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        yield from _note(f"missing: {', '.join(missing[:3])}{more}")
    if item.why:
        yield from _note(
            f"{'not of use' if item.fits == 'no' else 'not let in' if item.fits == 'yes' else 'unsure'}: {item.why}"
        )


def _note(text: str) -> Iterator[str]:
    for number, line in enumerate(_wrapped(text, WIDTH - 6)):
        yield f"      {'' if number == 0 else '  '}{line}"


def _row(cells: Sequence[str]) -> str:
    return "  ".join(_cut(cell, width).ljust(width) for cell, width in zip(cells, _COLUMNS, strict=True)).rstrip()


def _cut(text: str, width: int) -> str:
    text = clean(text, 500)
    return text if len(text) <= width else text[: width - 1] + "\u2026"


# -- its items ---------------------------------------------------------------------------------------------------------


def _entries(source: SourceSaid, paint: Paint, verbose: bool) -> Iterator[str]:
    """What no stack tells: what differs, is listed and not held, or not known; all of them with ``-v``."""
    usual = (*_USUAL, "unknown") if _is_down(source) else _USUAL
    chosen = [entry for entry in source.entries if verbose or entry.state not in usual]
    shown = chosen if verbose else chosen[:_MOST_ROWS]
    if not shown:
        return
    yield paint("dim", f"  {_row(('item', 'state', 'by', 'since'))}")
    for entry in shown:
        yield from _entry(entry)
    if len(shown) < len(chosen):
        yield f"  and {len(chosen) - len(shown)} more (-v shows them)"


def _entry(entry: Entry) -> Iterator[str]:
    state = entry.state.replace("missing-platform", "in part").replace("listed-not-held", "not held")
    cells = (
        entry.name,
        state.replace("gone-upstream", "only here"),
        entry.evidence or "-",
        (entry.released or "-")[:10],
    )
    yield f"  {_row(cells)}"
    if entry.detail:
        yield from _note(entry.detail)
    elif entry.missing and entry.state != "missing":
        more = f" and {len(entry.missing) - 3} more" if len(entry.missing) > 3 else ""
        yield from _note(f"missing: {', '.join(entry.missing[:3])}{more}")


# -- what to do --------------------------------------------------------------------------------------------------------


def _sync(report: MirrorReport, paint: Paint, verbose: bool) -> Iterator[str]:
    if not report.sync:
        return
    yield ""
    number = len(report.sync)
    yield paint("bold", f"to be synced: {number} item{'s' if number > 1 else ''}")
    for kind in dict.fromkeys(item.kind for item in report.sync):
        items = [item for item in report.sync if item.kind == kind]
        shown = items if verbose else items[:_MOST_ITEMS]
        why = None
        for item in shown:
            if item.why != why:
                why = item.why
                yield from (f"  {line}" for line in _wrapped(f"{item.source}: {why}", WIDTH - 2))
            yield from _wanted(item)
        if len(shown) < len(items):
            yield f"  and {len(items) - len(shown)} more (-v shows them)"
        tools = _TOOLS.get(kind, "")
        yield from labelled("how", f"trtdoctor mirror sync-config --tool TOOL, with {tools}", paint)


def _wanted(item: SyncItem) -> Iterator[str]:
    known = sum(length for _, length, _ in item.files if length)
    words = [f"{len(item.files)} file{'s' if len(item.files) > 1 else ''}"] if item.files else []
    words += [size(known) if known >= 1 << 28 else f"{max(1, known >> 10)} KiB"] if known else []
    words += [f"from {item.origin.partition('://')[2] or item.origin}"] if item.origin else []
    about = f" ({', '.join(words)})" if words else ""
    for number, line in enumerate(_wrapped(f"{item.project} {item.version}{about}", WIDTH - 4)):
        yield f"    {'' if number == 0 else '  '}{line}"


def _left_out(report: MirrorReport, paint: Paint, verbose: bool) -> Iterator[str]:
    shown = report.left_out if verbose else report.left_out[:_MOST_LEFT]
    if shown:
        yield ""
        yield paint("bold", "left out, although newer")
    for item in shown:
        for number, line in enumerate(_wrapped(f"{item.source}: {item.name}: {item.why}", WIDTH - 4)):
            yield f"  {'' if number == 0 else '  '}{line}"
    if len(shown) < len(report.left_out):
        yield f"  and {len(report.left_out) - len(shown)} more (-v shows them)"
