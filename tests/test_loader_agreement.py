"""What ``trtdoctor libs`` predicts is what the dynamic loader does, in each set-up of ``tests/tools/setups.py``."""

from __future__ import annotations

import os

import pytest

from benchmarks.loader import Agreement, measure
from tests.test_environments import KEPT, built
from tests.tools.setups import SETUPS, Setup

MAPPED = {"bindings-only": 0, "cut-short": 0, "ort": 0}
"""Set-ups in which no library of the stack stays in memory: the import fails, or opens them only on use."""
FAILING = {"bindings-only", "cut-short", "trt853-without-cudnn", "trt853-unpinned"}


def measured(setup: Setup) -> Agreement:
    for name in ("lean-cu13", "lean-cu13-older", "cudart-12.4", "cudart-12.9"):
        built(name)
    found = measure(setup, KEPT.resolve())
    if found.skipped:
        if os.environ.get("CI") and setup.name != "system-beside-wheels":  # a container may forbid mount namespaces
            pytest.fail(found.skipped)
        pytest.skip(found.skipped)
    return found


@pytest.mark.parametrize(
    "setup",
    [pytest.param(item, marks=[pytest.mark.heavy] if item.heavy else [], id=item.name) for item in SETUPS],
)
def test_prediction_and_observation_agree(setup: Setup) -> None:
    found = measured(setup)
    assert found.disagreements == []
    assert found.agreed == found.observed
    assert (found.observed > 0) is (MAPPED.get(setup.name) != 0), "the set-up shows something"
    assert bool(found.failed_imports) is (setup.name in FAILING)
