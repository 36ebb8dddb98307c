"""MIR401: what is installed, held against what a mirror was last seen to have."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from tests.mirror.facts import BUILDS, apt, cu12, cu13, debs, oci, pypi, tag
from tests.rules.making import live, package
from trtdoctor.findings import Finding, Report
from trtdoctor.judge import judge
from trtdoctor.matrix import load
from trtdoctor.mirror_facts import MirrorSource
from trtdoctor.snapshot import Container, Package, Snapshot

AS_OF = date(2026, 11, 23)
OLD = "10.9.0.34"
INSTALLED = live(
    packages=(
        package("tensorrt-cu12", OLD),
        package("tensorrt-cu12-bindings", OLD, libraries=True),
        package("tensorrt-cu12-libs", OLD, libraries=True),
    )
)
UPSTREAM = (*cu13("11.4.0.106"), *cu12("11.4.0.106"), *cu12(OLD), *cu12("10.8.0.43"), *BUILDS)
GONE = pypi(UPSTREAM, [pin for pin in UPSTREAM if pin not in cu12(OLD)])


def judged(snapshot: Snapshot, *sources: MirrorSource, as_of: date = AS_OF, **more: Any) -> Report:
    return judge(replace(snapshot, mirrors=sources), load(), as_of=as_of, **more)


def found(report: Report) -> Finding | None:
    return next((item for item in report.findings if item.code == "MIR401"), None)


def test_it_cannot_be_had_any_more() -> None:
    finding = found(judged(INSTALLED, GONE))
    assert finding is not None
    assert finding.severity.value == "warning"
    assert "tensorrt-cu12 10.9.0.34" in finding.title
    assert "from corp, as of 2026-11-22" in finding.title
    assert "1 day ago" in finding.detail
    assert any(fact.key == "package tensorrt-cu12-libs" for fact in finding.facts)


@pytest.mark.parametrize(
    "source",
    [
        pypi(UPSTREAM, UPSTREAM),
        pypi(UPSTREAM, None),
        pypi(None, UPSTREAM),
        pypi(cu13("11.4.0.106"), cu13("11.4.0.106")),  # nobody looked for the CUDA 12 ones
        pypi(cu12("11.4.0.106"), cu12("11.4.0.106")),  # nor for anything as old
        oci(tag("26.10-py3")),
    ],
)
def test_it_can_or_nobody_knows(source: MirrorSource) -> None:
    assert found(judged(INSTALLED, source)) is None


def test_one_of_several_mirrors_has_it() -> None:
    assert found(judged(INSTALLED, GONE, pypi(UPSTREAM, UPSTREAM, id="other"))) is None


def test_the_stub_alone_is_not_enough() -> None:
    finding = found(judged(INSTALLED, pypi(UPSTREAM, UPSTREAM, wheels=(), own_wheels=False)))
    assert finding is not None
    assert "tensorrt-cu12-libs 10.9.0.34" in finding.title


@pytest.mark.parametrize(
    ("checked", "severity"), [("2026-11-16T06:00:00Z", "warning"), ("2026-11-15T06:00:00Z", "info")]
)
def test_what_was_seen_more_than_a_week_ago_is_information(checked: str, severity: str) -> None:
    finding = found(judged(INSTALLED, replace(GONE, checked=checked)))
    assert finding is not None
    assert finding.severity.value == severity


def test_a_state_without_a_date_is_information() -> None:
    finding = found(judged(INSTALLED, replace(GONE, checked=None)))
    assert finding is not None
    assert finding.severity.value == "info"


def test_nothing_is_installed() -> None:
    assert found(judged(live(), GONE)) is None
    assert found(judged(Snapshot(), GONE)) is None
    assert found(judged(INSTALLED)) is None


def test_packages_of_debian() -> None:
    version = "10.9.0.34-1+cuda12.8"
    snapshot = replace(live(), packages=(Package("libnvinfer10", version, "dpkg"), Package("libc6", "2.35", "dpkg")))
    newer = debs("10.16.1.11-1+cuda13.2")
    finding = found(judged(snapshot, apt(*debs(version, "missing"), *newer)))
    assert finding is not None
    assert f"libnvinfer10 {version}" in finding.title
    assert found(judged(snapshot, apt(*debs(version), *newer))) is None
    assert found(judged(snapshot, apt(*debs(version, "unknown", evidence=None, files=())))) is None


def test_images() -> None:
    snapshot = replace(live(), container=Container(image="registry.example:5000/ngc/nvidia/tensorrt:26.08-py3"))
    assert found(judged(snapshot, oci(tag("26.10-py3"), tag("26.08-py3", "missing")))) is not None
    assert found(judged(snapshot, oci(tag("26.10-py3"), tag("26.08-py3")))) is None
    assert found(judged(snapshot, oci(tag("26.10-py3-igpu")))) is None
    # Upstream has deleted it, and the mirror still has it: that is what a mirror is good for.
    assert found(judged(snapshot, oci(tag("26.08-py3", "gone-upstream")))) is None


def test_each_machine_of_a_fleet_is_told() -> None:
    other = live(packages=(package("tensorrt-cu13", "11.4.0.106"),))
    report = judged(Snapshot(), GONE, fleet=(INSTALLED, other), goal=("mirror",))
    assert [item.code for item in report.findings if item.code == "MIR401"] == ["MIR401"]
