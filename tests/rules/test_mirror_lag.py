"""MIR201, MIR202, MIR203: how far a mirror is behind, for whom, and since when."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from tests.mirror.facts import BUILDS, apt, cu12, cu13, debs, inside, job, oci, pypi, tag
from tests.rules.mirrors import GH200, L4, V100, codes, judged, only
from trtdoctor.mirror.report import MirrorReport
from trtdoctor.mirror_facts import MirrorComponent, MirrorSource
from trtdoctor.policy import Clause, Policy

NEW, MIDDLE, OLD = "11.4.0.106", "11.3.0.99", "10.16.1.11"
UPSTREAM = (*cu13(NEW), *cu13(MIDDLE), *cu13(OLD), *cu12(NEW), *BUILDS)
BEHIND = pypi(UPSTREAM, [*cu13(OLD), *BUILDS])
LATE = pypi(UPSTREAM, [*cu13(MIDDLE), *cu13(OLD), *BUILDS])
"""Without a fix for security to wait for: 11.3 has it."""
MIDDLE_DAY, NEW_DAY = date(2026, 9, 9), date(2026, 10, 8)


def lag(report: MirrorReport, number: int = 0) -> tuple[int | None, str | None]:
    found = report.sources[number].lag
    return found.days, found.evidence


# -- the headline and the lag ------------------------------------------------------------------------------------------


def test_two_releases_behind() -> None:
    """Since the oldest of the releases that are newer than what is here came out, not since the newest."""
    report = judged(BEHIND)
    assert "TensorRT 10.16.1 (pip, CUDA 13) can be had" in report.headline
    assert "upstream has 11.4.0: 2 releases, 73 days behind" in report.headline
    assert lag(report) == (73, "upload-time")
    said = report.sources[0]
    assert (said.newest, said.newest_upstream, said.behind) == (
        "TensorRT 10.16.1 (pip, CUDA 13)",
        "TensorRT 11.4.0 (pip, CUDA 13)",
        2,
    )
    assert {entry.name for entry in said.entries if entry.counts} >= {f"tensorrt-cu13 {NEW}", f"tensorrt-cu13 {MIDDLE}"}
    assert not any(entry.counts for entry in said.entries if entry.version == OLD)


def test_nothing_is_missing() -> None:
    report = judged(pypi(UPSTREAM, UPSTREAM))
    assert lag(report) == (0, "listed")
    assert report.sources[0].lag.seconds == 0
    assert "upstream has nothing newer" in report.headline


def test_a_lag_that_cannot_be_told_is_none() -> None:
    assert lag(judged(pypi(UPSTREAM, None))) == (None, None)
    assert lag(judged(pypi(None, UPSTREAM))) == (None, None)
    assert lag(judged(pypi(UPSTREAM, []))) == (None, None)
    undated = oci(tag("26.10-py3", "missing"), tag("26.09-py3"))
    assert lag(judged(undated)) == (None, None)


def test_the_day_of_the_look_counts_not_the_day_of_the_report() -> None:
    earlier = replace(BEHIND, checked="2026-10-10T00:00:00Z")
    assert lag(judged(earlier))[0] == 30
    assert lag(judged(BEHIND, as_of=date(2026, 10, 10)))[0] == 31  # judged as on an earlier day


def test_a_month_in_a_tag_is_only_the_earliest_time() -> None:
    """It was there by the end of the month, not on its first day."""
    source = oci(tag("26.10-py3", "missing", released="2026-10-01T00:00:00Z", released_by="month"), tag("26.09-py3"))
    assert lag(judged(source)) == (22, "month")


def test_by_the_word_of_both_sides_where_nothing_has_a_date() -> None:
    source = apt(*debs("10.16.1.11-1+cuda13.2", "missing"), *debs("10.9.0.34-1+cuda12.8"))
    synced = {"upstream": "2026-11-20T00:00:00Z", "mirror": "2026-11-05T00:00:00Z"}
    sides = tuple(replace(side, synced=synced[side.role], synced_by="Release Date") for side in source.sides)
    assert lag(judged(replace(source, sides=sides))) == (15, "Release Date")


def test_the_word_of_the_mirror_alone() -> None:
    source = oci(tag("26.10-py3", "missing"), tag("26.09-py3"))
    mirror = replace(source.sides[1], synced="2026-11-12T06:00:00Z", synced_by="last-modified")
    assert lag(judged(replace(source, sides=(source.sides[0], mirror)))) == (10, "last-modified")
    pushed = replace(mirror, synced_by="push_time")  # says nothing of what was never pushed
    assert lag(judged(replace(source, sides=(source.sides[0], pushed)))) == (None, None)


def test_a_status_page() -> None:
    assert lag(judged(job(succeeded="2026-11-20T06:00:00Z"))) == (2, "tunasync")
    assert lag(judged(job(succeeded=None))) == (None, None)
    assert lag(judged(job(sync="cache", succeeded=None))) == (None, None)  # as fresh as upstream


def test_lines_are_not_mixed() -> None:
    """What is newer under another kind of tag is no newer release of this one."""
    report = judged(oci(tag("26.10-py3"), tag("26.10-py3-igpu", "missing"), tag("26.09-py3-igpu")))
    assert {item.line for item in report.stacks.upstream} == {"nvidia/tensorrt py3", "nvidia/tensorrt py3-igpu"}
    assert "26.10-py3 can be had, and upstream has nothing newer" in report.headline
    assert "ends at nvidia/tensorrt:26.09-py3-igpu" in only(report, "MIR203").title


def test_one_flavour_on_the_mirror_is_no_lag() -> None:
    """TensorRT 11.4.0 can be had, for CUDA 12."""
    report = judged(pypi(UPSTREAM, [*cu12(NEW), *BUILDS]))
    assert lag(report)[0] == 0
    assert codes(report) == {}


def test_the_flavour_that_is_there_is_the_one_that_is_waited_for() -> None:
    every = [*cu12(NEW), *cu12(OLD), *cu13(NEW), *BUILDS]
    report = judged(pypi(every, [*cu12(OLD), *BUILDS]))
    assert {item.project for item in report.sync} == {"tensorrt-cu12", "tensorrt-cu12-bindings", "tensorrt-cu12-libs"}


def test_a_source_without_tensorrt_goes_by_its_projects() -> None:
    pins = [("nvidia-cudnn-cu13", version) for version in ("9.24.0.43", "9.23.1.3")]
    source = pypi(pins, pins[1:])
    assert "nvidia-cudnn-cu13 9.23.1.3 can be had; upstream has nvidia-cudnn-cu13 9.24.0.43" in judged(source).headline
    assert judged(source).sources[0].behind == 1


# -- who it matters to -------------------------------------------------------------------------------------------------


def test_what_no_machine_can_use_is_no_lag() -> None:
    """TensorRT 11 does not serve a V100, and neither does 10.16: nothing is waited for."""
    report = judged(BEHIND, V100)
    assert codes(report) == {}
    assert report.sync == ()
    entry = next(item for item in report.sources[0].entries if item.name == f"tensorrt-cu13 {NEW}")
    assert (entry.fits, entry.counts) == ("no", False)
    assert "does not serve 7.0" in (entry.why or "")
    assert any("does not serve 7.0" in item.why for item in report.left_out)


@pytest.mark.parametrize("machines", [(L4,), (GH200,), (V100, L4), (V100, GH200)])
def test_what_one_machine_can_use_is(machines: tuple[dict[str, Any], ...]) -> None:
    report = judged(BEHIND, *machines)
    assert report.sources[0].lag.days == 73 or "GH200" in str(machines)
    assert any(item.version == NEW for item in report.sync)
    assert report.machines == len(machines)


def test_a_driver_that_is_too_old_for_cuda_13() -> None:
    report = judged(pypi(UPSTREAM, [*cu12(OLD), *BUILDS]), {**L4, "driver": "550.54.15"})
    assert {item.project for item in report.sync if item.version == NEW} == {
        "tensorrt-cu12",
        "tensorrt-cu12-bindings",
        "tensorrt-cu12-libs",
    }


def test_a_python_or_glibc_without_wheels() -> None:
    assert judged(BEHIND, {**L4, "python": "3.15"}).sync == ()
    assert judged(BEHIND, {**L4, "os": "ubuntu-18.04"}).sync == ()  # glibc 2.27, wheels want 2.28
    assert any("Python 3.15" in item.why for item in judged(BEHIND, {**L4, "python": "3.15"}).left_out)


def test_a_jetson_takes_no_wheels_and_its_own_images() -> None:
    orin = {"os": "jetpack-6.2", "arch": "aarch64", "gpus": [{"name": "Jetson AGX Orin"}]}
    assert judged(BEHIND, orin).sync == ()
    images = oci(tag("26.10-py3", "missing"), tag("26.10-py3-igpu", "missing"), tag("26.08-py3"), tag("26.08-py3-igpu"))
    assert {item.version for item in judged(images, orin).sync} <= {"26.10-py3-igpu"}
    assert {item.version for item in judged(images, L4).sync} == {"26.10-py3"}


def test_a_repository_for_another_system() -> None:
    source = apt(*debs("10.16.1.11-1+cuda13.2", "missing"), *debs("10.9.0.34-1+cuda12.8"))
    assert judged(source, {**L4, "os": "ubuntu-24.04"}).sync != ()
    assert judged(source, L4).sync == ()  # Ubuntu 22.04
    assert any("this repository is for ubuntu2404" in item.why for item in judged(source, L4).left_out)


def test_a_release_that_the_matrix_does_not_know_yet() -> None:
    """Nobody can tell whether it serves the GPU: neither waited for nor synced, and told. For any machine it counts."""
    every = (*cu13("11.9.0.1"), *UPSTREAM)
    source = pypi(every, UPSTREAM)
    known = judged(source, L4)
    assert known.sync == ()
    assert any(item.name == "tensorrt-cu13 11.9.0.1" and "not in the matrix" in item.why for item in known.left_out)
    assert any(item.version == "11.9.0.1" for item in judged(source).sync)


# -- MIR201 ------------------------------------------------------------------------------------------------------------


def test_further_behind_than_the_policy_allows() -> None:
    report = judged(LATE, policy=Policy(max_lag_days=30))
    finding = only(report, "MIR201")
    assert finding.severity.value == "error"
    assert "44 days behind; the policy allows 30" in finding.title
    assert report.verdict.value == "broken"
    assert "MIR203" not in codes(report)  # the same cause


def test_within_the_limit_or_without_one() -> None:
    assert "MIR201" not in codes(judged(LATE, policy=Policy(max_lag_days=44)))
    assert "MIR201" not in codes(judged(LATE))
    assert "MIR201" not in codes(judged(LATE, V100, policy=Policy(max_lag_days=1)))
    assert "MIR201" not in codes(judged(job(), policy=Policy(max_lag_days=1)))


def test_a_limit_that_nobody_can_judge_is_said() -> None:
    report = judged(oci(tag("26.10-py3", "missing"), tag("26.09-py3")), policy=Policy(max_lag_days=30))
    assert "MIR201" not in codes(report)
    assert [item.component for item in report.unknowns] == ["mirror"]
    assert report.verdict.value == "unknown"
    assert report.fails("unknown")
    assert not report.fails("error")


def test_a_mirror_that_has_nothing_is_behind_since_the_newest_came_out() -> None:
    limit = Policy(max_lag_days=30)
    assert only(judged(pypi(UPSTREAM, []), policy=limit), "MIR201")
    assert codes(judged(pypi(UPSTREAM, []), policy=limit)) == {"MIR201": "error"}
    assert "MIR201" not in codes(judged(pypi(UPSTREAM, []), policy=Policy(max_lag_days=60)))


def test_a_job_that_has_not_succeeded_for_too_long() -> None:
    late = job(succeeded="2026-10-01T00:00:00Z")
    assert codes(judged(late, policy=Policy(max_lag_days=7))) == {"MIR201": "error"}


# -- MIR202 ------------------------------------------------------------------------------------------------------------


def test_a_missing_fix_heads_the_report() -> None:
    report = judged(BEHIND, oci(tag("26.10-py3", "missing-platform", missing=("linux/arm64",))), GH200)
    assert [item.code for item in report.findings][:2] == ["MIR202", "MIR103"]
    assert report.findings[1].severity.value == "error"
    finding = report.findings[0]
    assert finding.severity.value == "warning"
    assert "lacks TensorRT 11.4.0" in finding.title
    assert "5855" in finding.detail
    assert finding.sources[0].id == "nvidia_product_security"
    assert "bulletins 5855" in report.headline
    assert "MIR203" not in codes(report)


def test_no_fix_is_missing() -> None:
    assert "MIR202" not in codes(judged(LATE))  # 11.3 has it
    assert "MIR202" not in codes(judged(BEHIND, V100))  # no machine could use the fix
    assert "MIR202" not in codes(judged(BEHIND, as_of=date(2026, 5, 1)))  # not published yet
    assert "MIR202" not in codes(judged(BEHIND, policy=Policy(deny=(Clause("tensorrt", ">=11"),))))


def test_the_fix_that_is_there_in_part_is_told_as_half_synced() -> None:
    pins = (*cu13(NEW), *cu13(OLD), *BUILDS)
    report = judged(pypi(pins, [pin for pin in pins if pin != ("tensorrt-cu13-libs", NEW)]))
    assert codes(report) == {"MIR101": "error"}
    assert "5855" in only(report, "MIR101").detail


def test_triton_by_the_month_of_its_image() -> None:
    def triton(month: str, state: str) -> Any:
        return tag(f"{month}-py3", state, project="nvidia/tritonserver")

    source = oci(triton("26.10", "missing"), triton("26.01", "same"))
    finding = only(judged(source), "MIR202")
    assert "26.10-py3" in finding.title
    assert "MIR202" not in codes(judged(oci(triton("26.10", "missing"), triton("26.09", "same"))))


# -- MIR203 ------------------------------------------------------------------------------------------------------------


def test_a_newer_release_is_worth_knowing() -> None:
    finding = only(judged(LATE), "MIR203")
    assert finding.severity.value == "info"
    assert "ends at TensorRT 11.3.0 (pip, CUDA 13); upstream has TensorRT 11.4.0" in finding.title
    assert "1 release, 44 days behind" in finding.title
    assert judged(LATE).verdict.value == "ready"


def test_nothing_that_would_do_is_a_warning() -> None:
    report = judged(pypi(UPSTREAM, []))
    assert codes(report) == {"MIR203": "warning"}
    assert "nothing that would do can be had whole from corp" in report.headline
    keys = [(fact.key, str(fact.value).partition(":")[0]) for fact in only(report, "MIR203").facts]
    assert keys[0] == ("upstream of corp", "newest")
    assert set(keys[1:]) <= {("upstream of corp", "also")}


def test_nothing_newer_is_no_finding() -> None:
    assert codes(judged(pypi(UPSTREAM, UPSTREAM))) == {}
    assert codes(judged(LATE, policy=Policy(min_age_days=60))) == {}
    assert codes(judged(LATE, policy=Policy(deny=(Clause("tensorrt", "==11.4.*", "INC-231"),)))) == {}
    assert codes(judged(oci(tag("24.08-py3", "missing"), tag("26.10-py3")))) == {}  # older than what is there


def test_which_machine_of_several() -> None:
    finding = only(judged(LATE, V100, L4), "MIR203")
    assert "for machine 2 (linux-x86_64, NVIDIA L4)" in finding.title


# -- the policy --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "versions", "why"),
    [
        (Policy(), {NEW, MIDDLE}, None),
        (Policy(channel="latest"), {NEW, MIDDLE}, None),
        (Policy(channel="stable"), {NEW, MIDDLE}, None),
        (Policy(min_age_days=60), {MIDDLE}, "released 2026-10-08, 45 days ago; wanted 60"),
        (Policy(channel="lts"), {NEW}, "channel lts: the last general release of this major is 11.4.0"),
        (Policy(deny=(Clause("tensorrt", "==11.4.*", "INC-231"),)), {MIDDLE}, "denied by tensorrt==11.4.* (INC-231)"),
        (Policy(allow=(Clause("tensorrt", "<11.4"),)), {MIDDLE}, "not allowed by tensorrt<11.4"),
        (Policy(deny=(Clause("package:tensorrt-cu13", ">=11"),)), {NEW}, "denied by package:tensorrt-cu13>=11"),
    ],
)
def test_the_policy_decides(policy: Policy, versions: set[str], why: str | None) -> None:
    report = judged(BEHIND, policy=policy)
    assert {item.version for item in report.sync} == versions
    if why is not None:
        assert why in {item.why for item in report.left_out}


def test_a_release_of_unknown_date_is_not_silently_let_in() -> None:
    source = oci(tag("26.10-py3", "missing"), tag("26.08-py3"))
    report = judged(source, policy=Policy(min_age_days=14))
    assert report.sync == ()
    assert "its date is not known" in report.left_out[0].why
    assert judged(source).sync != ()


def test_images_by_their_tags() -> None:
    source = oci(tag("26.10-py3", "missing"), tag("26.09-py3", "missing"), tag("26.08-py3"))
    report = judged(source, policy=Policy(deny=(Clause("image", "26.10-*", "too new"),)))
    assert [item.version for item in report.sync] == ["26.09-py3"]


def test_an_image_by_what_is_in_it() -> None:
    found = inside("upstream", tensorrt="11.3.0.99", cuda="13.2.0")
    source = oci(tag("26.10-py3", "missing", components=found), tag("26.08-py3"))
    assert judged(source, L4).sync != ()
    assert judged(source, V100).sync == ()
    unknown = oci(tag("27.01-py3", "missing"), tag("26.08-py3"))
    assert judged(unknown, L4).sync == ()
    assert any("which TensorRT is in" in item.why for item in judged(unknown, L4).left_out)


def test_a_component_may_be_anything() -> None:
    odd = (MirrorComponent("tensorrt", "not a version"), MirrorComponent("cuda", ""), MirrorComponent("x" * 5000, "1"))
    report = judged(oci(tag("27.01-py3", "missing", components=odd), tag("26.08-py3")), L4)
    assert report.verdict.value == "ready"


def test_sources_of_one_name_are_kept_apart() -> None:
    report = judged(BEHIND, pypi(UPSTREAM, UPSTREAM))
    assert [source.lag.days for source in report.sources] == [73, 0]
    two: tuple[MirrorSource, ...] = (BEHIND, LATE)
    assert [source.lag.days for source in judged(*two).sources] == [73, 44]
