"""Which families a text that none knows has rare words in common with: a hint where to look, never an explanation."""

from __future__ import annotations

import re
from collections import Counter
from math import log

from trtdoctor.explain.answer import Near
from trtdoctor.matrix import Matrix, failures

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{3,60}")
_MOST = 3
_ENOUGH = 0.3
"""The share of what a text says that the nearest family must have in common with it."""


def nearest(matrix: Matrix, text: str) -> tuple[Near, ...]:
    """At most three families, the nearest first; empty when none is near."""
    every, weight = matrix.remember("words of failures", lambda: _words(matrix))
    words = {word.lower() for word in _WORD.findall(text[: failures.LONGEST_LINE])}
    known = {word for word in words if word in weight}
    rarest = max(weight.values(), default=1.0)
    total = sum(weight.get(word, rarest) for word in words)
    scored = []
    for family in failures.families(matrix):
        shared = known & every[family.id]
        score = sum(weight[word] for word in shared)
        if len(shared) >= 2 and score >= _ENOUGH * total:
            scored.append((score, family, sorted(shared, key=lambda word: -weight[word])))
    scored.sort(key=lambda item: -item[0])
    return tuple(Near(family.id, family.title, tuple(shared[:6])) for _, family, shared in scored[:_MOST])


def _words(matrix: Matrix) -> tuple[dict[str, set[str]], dict[str, float]]:
    """The words of each family, and how rare each word is among them."""
    every = {}
    for row in matrix.rows("failures", "failures"):
        texts = [str(row.text("title")), *map(str, row.get("samples").value)]
        every[row.key] = {word.lower() for text in texts for word in _WORD.findall(text)}
    counts = Counter(word for words in every.values() for word in words)
    return every, {word: log(1 + len(every) / number) for word, number in counts.items()}
