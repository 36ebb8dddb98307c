"""``trtdoctor explain``: what an error text, a log, an error number or a rule's code means.

``explain_log``, ``explain_number`` and ``explain_rule`` give an :class:`Explanation`. The catalogue is the matrix's
failures.yaml; with :class:`Facts` of the machine, each answer says which of the causes are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date

from trtdoctor import __version__
from trtdoctor.explain import numbers
from trtdoctor.explain.answer import SCHEMA, Asked, Explanation, Match, Near, RulePage, Unexplained
from trtdoctor.explain.here import Facts
from trtdoctor.explain.near import nearest
from trtdoctor.explain.scan import Seen, scan
from trtdoctor.findings import MatrixInfo, SourceRef
from trtdoctor.matrix import Fact, Matrix, failures
from trtdoctor.rules.base import Rule
from trtdoctor.text import clean

MOST_BYTES = 1 << 33
"""No more of a log is read."""
_LIBRARIES = {"cuda": ("cuda", "driver"), "nvml": ("driver",), "cudnn": ("cudnn",), "tensorrt": ("tensorrt",)}


def explain_log(
    matrix: Matrix,
    chunks: Iterable[bytes],
    *,
    as_of: date,
    kind: str = "file",
    name: str | None = None,
    facts: Facts | None = None,
) -> Explanation:
    """What a log or a text means; ``chunks`` are its bytes in pieces of any size, of which few are held at once.

    ``kind`` is ``file``, ``stdin`` or ``text``; ``name`` the name of the file, or the text itself.
    """
    limited = _Limited(chunks, MOST_BYTES)
    found = scan(matrix, limited)
    near: tuple[Near, ...] = ()
    if not found.seen:
        near = nearest(matrix, name or "" if kind == "text" else next((text for _, text in found.unexplained), ""))
    is_log = kind != "text"
    return Explanation(
        asked=Asked(kind, clean(name) if name is not None else None, found.lines, found.bytes, limited.cut),
        matches=_ordered([_match(matrix, seen, is_log, facts) for seen in found.seen]),
        near=near,
        unexplained=tuple(Unexplained(line, text) for line, text in found.unexplained) if is_log else (),
        rule=None,
        program=__version__,
        matrix=MatrixInfo.of(matrix, as_of),
        facts=facts.kind if facts else None,
    )


def explain_number(
    matrix: Matrix, text: str, known: tuple[numbers.Known, ...], *, as_of: date, facts: Facts | None = None
) -> Explanation:
    """What an error number or its name stands for; ``known`` is what ``numbers.asked_for`` gave for ``text``."""
    by_id = {family.id: family for family in failures.families(matrix)}
    matches = []
    for item in known:
        seen = Seen(by_id.get(item.family or ""), item, 0, text)
        seen.again({})
        matches.append(_match(matrix, seen, False, facts))
    return Explanation(
        asked=Asked("number", clean(text)),
        matches=tuple(matches),
        near=(),
        unexplained=(),
        rule=None,
        program=__version__,
        matrix=MatrixInfo.of(matrix, as_of),
        facts=facts.kind if facts else None,
    )


def explain_rule(matrix: Matrix, rule: Rule, *, as_of: date) -> Explanation:
    """The page of a rule."""
    from trtdoctor.ruledoc import sections_of

    return Explanation(
        asked=Asked("rule", rule.code),
        matches=(),
        near=(),
        unexplained=(),
        rule=RulePage(rule.code, rule.name, rule.severity, rule.components, sections_of(rule)),
        program=__version__,
        matrix=MatrixInfo.of(matrix, as_of),
    )


class _Limited:
    """Chunks, as far as a limit."""

    def __init__(self, chunks: Iterable[bytes], most: int) -> None:
        self.chunks = chunks
        self.left = most
        self.cut = False

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.chunks:
            yield chunk[: self.left]
            self.left -= len(chunk)
            if self.left <= 0:
                self.cut = self.left < 0
                return


def _match(matrix: Matrix, seen: Seen, is_log: bool, facts: Facts | None) -> Match:
    family, known = seen.family, seen.number
    if family is not None:
        title, components, blames, symptom = family.title, family.components, family.blames, family.symptom
        causes, advice, fact = family.causes, family.next, family.fact
    elif known is not None:
        number = known.number
        names = " or ".join(number.names)
        title = f"{names}: {number.meaning or 'the headers have only its name'}"
        components, blames, symptom = _LIBRARIES[number.library], "maybe", False
        causes, fact = (), known.fact
        advice = (f"{known.next[:1].upper()}{known.next[1:]}.",) if known.next else ()
    else:
        raise ValueError("neither a family nor a number")
    return Match(
        family=family.id if family else None,
        title=title,
        components=components,
        blames=blames,
        symptom=symptom,
        versions=seen.values,
        says=clean(said, 400) if family and (said := family.said(seen.values)) else None,
        causes=causes,
        next=advice,
        follows=family.follows if family else (),
        line=seen.line if is_log else None,
        count=seen.count,
        text=seen.text,
        error=known.number if known else None,
        sources=_sources(matrix, fact),
        here=facts.of(family, components, seen.values) if facts else None,
    )


def _sources(matrix: Matrix, fact: Fact) -> tuple[SourceRef, ...]:
    return tuple(SourceRef(source, matrix.source_url(source), fact.certainty) for source in fact.sources)


def _ordered(matches: list[Match]) -> tuple[Match, ...]:
    """Causes before what follows from them; else as in the text; what is harmless last.

    Of ``follows`` only what is in the text is kept.
    """
    here = {item.family for item in matches}
    left = [replace(item, follows=tuple(word for word in item.follows if word in here)) for item in matches]
    left.sort(key=lambda item: (item.blames == "harmless", item.symptom))
    done: list[Match] = []
    told: set[str | None] = set()
    while left:
        ready = next((item for item in left if told.issuperset(item.follows)), left[0])
        left.remove(ready)
        done.append(ready)
        told.add(ready.family)
    return tuple(done)


__all__ = [
    "MOST_BYTES",
    "SCHEMA",
    "Explanation",
    "Facts",
    "Match",
    "Near",
    "RulePage",
    "explain_log",
    "explain_number",
    "explain_rule",
]
