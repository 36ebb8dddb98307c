"""DRV601, CUD601, TRT601, FWK601: published security fixes, always information."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.rules.judging import ADVISORIES, declared, one, trt
from trtdoctor.declared import snapshot_of
from trtdoctor.findings import Report
from trtdoctor.judge import judge
from trtdoctor.matrix import load


def said(**environment: Any) -> set[str]:
    return codes(declared(**environment))


def codes(found: Report) -> set[str]:
    return {item.code for item in found.findings} & ADVISORIES


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({"driver": "570.86.10", "os": "ubuntu-24.04"}, {"DRV601"}),
        ({"driver": "570", "os": "ubuntu-24.04"}, set()),  # may be any release of the branch
        ({"driver": "615.65.02", "os": "ubuntu-24.04"}, set()),
        ({"tensorrt": trt("10.9.0.34")}, {"TRT601"}),
        ({"tensorrt": trt("11.3.0")}, set()),
        ({"tensorrt": [{"version": "10.3.0", "from": "jetpack"}]}, set()),  # fixed with the JetPack, if at all
        ({"cuda": [{"version": "12.4", "from": "runfile"}]}, {"CUD601"}),
        ({"cuda": [{"version": "12.4", "from": "pip"}]}, set()),  # the tools are not in the wheels
        ({"packages": {"tensorrt-llm": "0.17.0"}}, {"FWK601"}),
        ({"packages": {"tensorrt-llm": "1.3.0"}}, set()),
    ],
)
def test_who_has_a_fix(environment: dict[str, Any], found: set[str]) -> None:
    assert said(**environment) == found


def test_triton_by_its_image() -> None:
    finding = one(declared(container={"image": "nvcr.io/nvidia/tritonserver:25.05-py3"}), "FWK601")
    assert "critical" in finding.title
    assert finding.components == ("triton", "container")
    assert "FWK601" not in codes(declared(container={"image": "nvcr.io/nvidia/pytorch:25.05-py3"}))


def test_the_fix_of_all_bulletins_is_named() -> None:
    finding = one(declared(driver="580.65.06", os="ubuntu-24.04"), "DRV601")
    assert finding.severity.value == "info"
    assert "580.159.03" in finding.title


def test_a_bulletin_of_later_is_not_known_yet() -> None:
    stated = snapshot_of({"driver": "580.65.06", "os": "ubuntu-24.04"})
    before = judge(stated, load(), as_of=date(2025, 9, 1))
    assert "DRV601" not in codes(before)
    between = one(judge(stated, load(), as_of=date(2025, 12, 1)), "DRV601")
    assert "580.95.05" in between.title
