"""MIR205, MIR206 and MIR3xx: who answers, what is carried at all, and what a mirror says of itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.mirror.facts import BUILDS, cu13, job, oci, pypi, tag
from tests.rules.mirrors import codes, judged, only
from trtdoctor.mirror_facts import MirrorItem, MirrorNews, MirrorSide, MirrorSource

PINS = (*cu13("11.4.0.106"), *BUILDS)
WHOLE = pypi(PINS, PINS)


def with_side(source: MirrorSource, role: str, **changes: Any) -> MirrorSource:
    sides = tuple(replace(side, **changes) if side.role == role else side for side in source.sides)
    return replace(source, sides=sides)


# -- MIR205 ------------------------------------------------------------------------------------------------------------


def test_served_by_another_host() -> None:
    finding = only(judged(with_side(WHOLE, "mirror", served_by="other.example")), "MIR205")
    assert finding.severity.value == "info"
    assert "other.example" in finding.title
    # Upstream may send to whoever it likes: that is how content networks work.
    assert "MIR205" not in codes(judged(with_side(WHOLE, "upstream", served_by="cdn.example")))
    assert "MIR205" not in codes(judged(WHOLE))


# -- MIR206 ------------------------------------------------------------------------------------------------------------


def test_a_mirror_without_such_a_repository() -> None:
    source = replace(oci(), sides=(MirrorSide("upstream"), MirrorSide("mirror", state="absent", detail="NAME_UNKNOWN")))
    report = judged(source)
    finding = only(report, "MIR206")
    assert finding.severity.value == "warning"
    assert "nvidia/tensorrt images" in finding.title
    assert codes(report) == {"MIR206": "warning"}
    assert "does not carry this at all" in report.headline
    assert report.unknowns == ()


def test_a_site_that_is_known_not_to_have_it_is_not_behind() -> None:
    source = replace(
        oci(states={"mirror": "unreachable"}), mirror="https://docker.tuna.tsinghua.edu.cn/nvidia/tensorrt"
    )
    report = judged(source)
    finding = only(report, "MIR206")
    assert "TUNA" in finding.title
    assert "no container images" in finding.detail
    assert finding.sources[0].certainty == "official"
    assert "MIR301" not in codes(report)  # one cause, one finding
    assert "does not carry this at all" in report.headline


def test_a_site_that_carries_it_and_is_down_is_down() -> None:
    source = replace(pypi(PINS, None), mirror="https://mirrors.tuna.tsinghua.edu.cn/pypi/web/simple")
    assert codes(judged(source)) == {"MIR301": "warning"}
    assert "MIR206" not in codes(judged(WHOLE))


def test_a_status_page_without_the_job() -> None:
    item = MirrorItem("pypi", "pypi", None, "missing", "status page", detail="no such job; did you mean pipy?")
    source = replace(with_side(job(), "status", state="absent", detail="none of its 3 jobs is pypi"), items=(item,))
    assert codes(judged(source)) == {"MIR206": "warning"}


# -- MIR301 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["unreachable", "denied", "other-kind", "hostile"])
@pytest.mark.parametrize(("role", "severity"), [("mirror", "warning"), ("upstream", "info"), ("wheels", "warning")])
def test_a_side_that_could_not_be_asked(state: str, role: str, severity: str) -> None:
    report = judged(with_side(WHOLE, role, state=state, detail="HTTP 503"))
    finding = only(report, "MIR301")
    assert finding.severity.value == severity
    assert finding.detail == "HTTP 503"
    assert [item.component for item in report.unknowns] == ["mirror"]
    assert report.verdict.value == ("unknown" if severity == "info" else "at-risk")
    assert bool(finding.fix) is (state == "denied")


def test_sides_that_nothing_depends_on_may_be_down() -> None:
    source = replace(WHOLE, sides=(*WHOLE.sides, MirrorSide("news", state="unreachable")))
    assert codes(judged(source)) == {}
    source = replace(WHOLE, sides=(*WHOLE.sides, MirrorSide("upstream-wheels", state="unreachable")))
    assert codes(judged(source)) == {}


def test_two_that_are_down_for_one_reason_are_both_told() -> None:
    one, two = (with_side(replace(WHOLE, id=name), "mirror", state="unreachable", detail="x") for name in ("a", "b"))
    report = judged(one, two)
    assert len(report.unknowns) == 2
    assert [item.code for item in report.findings] == ["MIR301", "MIR301"]


def test_one_source_that_is_down_does_not_hide_another() -> None:
    report = judged(pypi(PINS, None, id="down"), WHOLE)
    assert [source.newest for source in report.sources] == [None, "TensorRT 11.4.0 (pip, CUDA 13)"]
    assert report.headline.startswith("down gives no answer")


# -- MIR302 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sync", "told"),
    [("failed", True), ("paused", True), ("disabled", True), ("success", False), ("syncing", False), ("cache", False)],
)
def test_what_a_status_page_says(sync: str, told: bool) -> None:
    report = judged(job(sync=sync))
    assert codes(report) == ({"MIR302": "warning"} if told else {})
    if told:
        assert "2026-11-22T05:00:00Z" in only(report, "MIR302").title


# -- MIR303, MIR304 ----------------------------------------------------------------------------------------------------


def test_news_are_told_and_no_more() -> None:
    news = (MirrorNews("Several mirrors are removed", "2026-08-09T00:00:00Z", "https://mirrors.example/news/1"),)
    finding = only(judged(replace(job(), news=news)), "MIR303")
    assert finding.severity.value == "info"
    assert "(2026-08-09): Several mirrors are removed" in finding.title
    assert "MIR303" not in codes(judged(job()))
    many = tuple(MirrorNews(f"News {number}") for number in range(50))
    assert len([item for item in judged(replace(job(), news=many)).findings if item.code == "MIR303"]) == 5


def test_a_certificate_that_was_not_checked_is_loud() -> None:
    finding = only(judged(with_side(WHOLE, "mirror", unverified=True)), "MIR304")
    assert finding.severity.value == "warning"
    assert "ca-file" in finding.fix[0].text
    assert "MIR304" not in codes(judged(with_side(WHOLE, "mirror", unverified=None)))


def test_nothing_at_all() -> None:
    report = judged()
    assert report.headline == "no mirror was looked at"
    assert report.verdict.value == "ready"
    empty = judged(MirrorSource(), MirrorSource(kind="oci"), oci(), MirrorSource("x", "new-kind"))
    assert len(empty.sources) == 4
    assert codes(empty) == {}


def test_a_tag_that_was_not_asked_is_no_finding() -> None:
    assert codes(judged(oci(tag("26.10-py3", "present", evidence="listed", mirror_digest=None)))) == {}
