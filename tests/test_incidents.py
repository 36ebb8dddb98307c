"""The benchmark of real environments, as a test."""

from __future__ import annotations

import pytest

from benchmarks.incidents import CASES, run
from trtdoctor.yamlfile import parse

pytestmark = pytest.mark.skipif(not CASES.is_file(), reason="../shared is not beside this checkout")


def test_real_environments_are_judged_rightly() -> None:
    result = run(parse(CASES.read_bytes()))
    assert result.expected >= 10
    assert result.innocent >= 20
    assert result.recall >= 0.95, result.missed
    assert result.errors_as_errors >= 0.85, result.milder + result.missed
    assert result.false_errors == []
    assert result.warned_share <= 0.2, result.innocent_with_warning
    assert result.crowded == []
    assert result.doubled == []
