"""Mirrors judged for a fleet with the real matrix."""

from __future__ import annotations

from datetime import date
from typing import Any

from trtdoctor.declared import snapshot_of
from trtdoctor.findings import Finding
from trtdoctor.matrix import load
from trtdoctor.mirror.report import MirrorReport
from trtdoctor.mirror.report import judged as report_of
from trtdoctor.mirror_facts import MirrorSource
from trtdoctor.policy import Policy

AS_OF = date(2026, 11, 22)
SERVER = {"os": "ubuntu-22.04", "arch": "x86_64", "python": "3.10"}
L4: dict[str, Any] = {**SERVER, "gpus": [{"name": "NVIDIA L4"}], "driver": "580.95.05"}
V100: dict[str, Any] = {**SERVER, "gpus": [{"name": "Tesla V100"}], "driver": "535.288.01"}
"""TensorRT 11 serves it no more, and its driver nothing for CUDA 13."""
GH200: dict[str, Any] = {
    "os": "ubuntu-24.04",
    "arch": "aarch64",
    "python": "3.12",
    "gpus": [{"name": "NVIDIA GH200 480GB"}],
    "driver": "580.95.05",
}


def judged(*parts: MirrorSource | dict[str, Any], policy: Policy | None = None, as_of: date = AS_OF) -> MirrorReport:
    """The report on mirrors, for the machines that are described."""
    sources = [part for part in parts if isinstance(part, MirrorSource)]
    machines = [snapshot_of(part) for part in parts if isinstance(part, dict)]
    report, others = report_of(sources, load(), as_of=as_of, machines=machines, policy=policy)
    assert others.findings == report.findings
    for finding in report.findings:
        assert finding.breaks, finding.code
        assert len(finding.components) <= 3
    return report


def codes(report: MirrorReport, *families: str) -> dict[str, str]:
    """Code to severity, of the families that are named."""
    return {
        item.code: item.severity.value for item in report.findings if not families or item.code.startswith(families)
    }


def only(report: MirrorReport, code: str) -> Finding:
    """The one finding of a code."""
    found = [item for item in report.findings if item.code == code]
    assert len(found) == 1, [(item.code, item.title) for item in report.findings]
    return found[0]
