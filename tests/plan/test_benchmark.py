"""The benchmark of plans, as a test: all reported incidents by answers that other tests ask too, some of them timed."""

from __future__ import annotations

import pytest

from benchmarks.incidents import CASES
from benchmarks.plan import SHARE, run
from tests.plan.asking import errors_in, every
from trtdoctor.yamlfile import parse

pytestmark = pytest.mark.skipif(not CASES.is_file(), reason="../shared is not beside this checkout")


def test_every_broken_environment_has_a_way_out_that_check_passes() -> None:
    broken = [
        case["id"]
        for case in parse(CASES.read_bytes())
        if case["decidable_by"] == "declared" and case["verdict"] == "error"
    ]
    assert len(broken) >= 30
    planned = [name for name in broken if every()[name][1].plans]
    assert len(planned) >= SHARE * len(broken), set(broken) - set(planned)
    for name in planned:
        assert errors_in(every()[name][1].plans[0].environment) == [], name
    few = [len(every()[name][1].plans[0].changes) for name in planned]
    assert sorted(few)[len(few) // 2] <= 2, "half of them change one or two components"


def test_ranking_50_candidates_takes_a_bounded_number_of_judgements() -> None:
    """Measured beside judging the same environments once; never an absolute time."""
    result = run(parse(CASES.read_bytes())[::5])
    assert result.broken >= 4
    assert result.share >= SHARE, result.impossible
    assert result.left == {}
    assert max(result.ranked.values()) == 50
    assert result.ratio < 250
