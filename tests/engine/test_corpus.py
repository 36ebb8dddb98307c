"""The corpus that a coverage-guided fuzzer left (tests/tools/fuzz_engines.py), replayed whole and cut."""

from __future__ import annotations

from tests.conftest import ROOT
from tests.engine.answered import answer, seeds
from trtdoctor.matrix import Matrix

CORPUS = ROOT / "tests" / "data" / "engines" / "corpus"


def test_nothing_in_the_corpus_raises(matrix: Matrix) -> None:
    inputs = [path.read_bytes() for path in sorted(CORPUS.iterdir())]
    assert len(inputs) >= 40
    for content in (*inputs, *seeds()):
        answer(matrix, content)
        for size in (*range(0, min(len(content), 140), 7), len(content) // 2):
            answer(matrix, content[:size])
