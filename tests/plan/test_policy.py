"""What a site lets in: the channel, the age, what is allowed, denied, preferred and kept; and what was left out."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from tests.conftest import AS_OF
from tests.plan.asking import L4, ask, first, machine, policy, question, trt
from trtdoctor.matrix import Matrix, artefacts, drivers, tensorrt
from trtdoctor.plan.age import no_later_than, of_text, out_by, too_young
from trtdoctor.plan.builds import builds
from trtdoctor.plan.model import PlanReport
from trtdoctor.plan.search import every_build
from trtdoctor.policy import CHANNELS, STABLE_DAYS, PolicyError, parse_clause
from trtdoctor.versions import Answer, Version, within

NEWEST = "11.4.0.106"


def versions(report: PlanReport) -> list[str]:
    return [plan.title.split()[1] for plan in report.plans]


def left_out(report: PlanReport) -> dict[str, str]:
    return {item.what: item.why for item in report.refused}


# -- age ---------------------------------------------------------------------------------------------------------------


def test_a_release_is_let_in_on_the_day_on_which_it_is_old_enough(matrix: Matrix) -> None:
    out = artefacts.uploaded(matrix, "tensorrt-cu13", NEWEST)
    assert out is not None
    for days in (0, 1, 45, 400):
        asked: dict[str, Any] = {"policy": policy(min_age_days=str(days)), "install": ("pip",)}
        before = ask(L4, as_of=out + timedelta(days=days - 1), top=1, **asked)
        assert versions(before) != [NEWEST]
        assert versions(ask(L4, as_of=out + timedelta(days=days), top=1, **asked)) == [NEWEST]
        told = left_out(before)[f"TensorRT {NEWEST} for CUDA 13 by pip"]
        assert told.startswith(f"out by {out}, {days - 1} days ago; wanted {days}")


def test_stable_is_old_enough_by_default_and_by_the_age_that_is_named(matrix: Matrix) -> None:
    out = artefacts.uploaded(matrix, "tensorrt-cu13", NEWEST)
    assert out is not None
    stable: dict[str, Any] = {"policy": policy(channel="stable"), "install": ("pip",), "top": 1}
    assert versions(ask(L4, as_of=out + timedelta(days=STABLE_DAYS - 1), **stable)) != [NEWEST]
    assert versions(ask(L4, as_of=out + timedelta(days=STABLE_DAYS), **stable)) == [NEWEST]
    named = {**stable, "policy": policy(channel="stable", min_age_days="3")}
    assert versions(ask(L4, as_of=out + timedelta(days=3), **named)) == [NEWEST]
    assert versions(ask(L4, as_of=out, install=("pip",), top=1)) == [NEWEST], "latest takes what is out"


def test_a_release_of_which_nobody_knows_the_day_is_not_old_enough(matrix: Matrix) -> None:
    asked = question(L4)
    undated = [build for build in every_build(asked) if out_by(matrix, build) is None]
    for build in undated:
        said = too_young(asked, build, 0)
        assert said is not None
        assert "not known" in said
    dated = [build for build in every_build(asked) if out_by(matrix, build) is not None]
    assert len(dated) > 100


def test_a_release_is_never_younger_than_a_later_one_of_its_major(matrix: Matrix) -> None:
    days: dict[str, date] = {}
    for row in reversed(tensorrt.all_releases(matrix, "full")):  # oldest first
        day = no_later_than(matrix, row)
        major = row.key.partition(".")[0]
        if day is not None and row.text("released") is None and major in days:
            assert day >= days[major], row.key
        if row.text("released") is not None and day is not None:
            days[major] = day
            assert day == of_text(row.text("released"))


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-11-18", date(2026, 11, 18)),
        ("2026-02", date(2026, 2, 28)),
        ("2024-02", date(2024, 2, 29)),
        ("2025-12", date(2025, 12, 31)),
        ("unknown", None),
        ("2026-13", None),
        ("", None),
        (None, None),
    ],
)
def test_days_and_months(text: str | None, day: date | None) -> None:
    assert of_text(text) == day


# -- channels ----------------------------------------------------------------------------------------------------------


def test_lts_is_the_last_of_a_major_on_a_cuda_with_a_lasting_driver(matrix: Matrix) -> None:
    plans = ask(L4, policy=policy(channel="lts"), top=50, every=True).plans
    assert plans
    lasting = [
        Version.parse(row.text("cuda") or "0").major
        for row in drivers.branches(matrix)
        if row.text("type") == "lts" and drivers.ended(matrix, Version.parse(row.key), AS_OF).answer is Answer.NO
    ]
    for plan in plans:
        version = Version.parse(plan.title.split()[1])
        newest = tensorrt.newest_of_major(matrix, version.major, "full")
        assert newest is not None
        assert version.below(Version.parse(newest.key)) is not Answer.YES, plan.title  # images have builds of their own
        assert int(plan.title.split()[4]) <= max(lasting), plan.title


def test_lts_says_what_it_left_out_only_where_it_would_have_come_first() -> None:
    report = ask(L4, policy=policy(channel="lts"), install=("pip",))
    assert versions(report)[0] == NEWEST
    assert report.refused == (), "11.3 would not have come before 11.4"
    held = ask(L4, policy=policy(channel="lts", deny="tensorrt>=11.4"), install=("pip",))
    assert next(iter(left_out(held))) == f"TensorRT {NEWEST} for CUDA 13 by pip"
    assert "11.3.0.99" not in " ".join(versions(held)), "the last of the major, or none of it"


def test_every_channel_is_one(matrix: Matrix) -> None:
    for channel in CHANNELS:
        assert ask(L4, policy=policy(channel=channel)).plans, channel


# -- allow and deny ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clause", ["tensorrt==11.4.*", "tensorrt>=10.14,<10.16", "tensorrt>=11"])
def test_what_is_denied_is_in_no_plan_and_told_where_it_would_have_come_first(clause: str) -> None:
    report = ask(L4, policy=policy(deny=clause), top=50, every=True)
    specifier = clause.removeprefix("tensorrt")
    assert report.plans
    assert all(within(Version.parse(version), specifier) is not Answer.YES for version in versions(report))
    without = ask(L4, top=1)
    if within(Version.parse(versions(without)[0]), specifier) is Answer.YES:
        assert any(f"denied by {clause}" in why for why in left_out(report).values())


def test_the_reason_of_a_denial_is_told() -> None:
    report = ask(L4, policy=policy(deny="tensorrt==11.4.* # INC-231: wrong results"), install=("pip",))
    assert left_out(report)[f"TensorRT {NEWEST} for CUDA 13 by pip"].startswith(
        "denied by tensorrt==11.4.* (INC-231: wrong results)"
    )


def test_only_what_is_allowed_comes_in() -> None:
    report = ask(L4, policy=policy(allow=("tensorrt==10.9.*", "tensorrt==10.3.*")), top=50, every=True)
    assert {version[:5].rstrip(".") for version in versions(report)} == {"10.9.", "10.3."} or {
        ".".join(version.split(".")[:2]) for version in versions(report)
    } == {"10.9", "10.3"}
    told = left_out(report)
    assert any(why.startswith("not allowed by tensorrt==10.9.* or tensorrt==10.3.*") for why in told.values())
    assert any("more of TensorRT 11" in why for why in told.values()), "one line a major"


def test_tags_of_images() -> None:
    report = ask(L4, policy=policy(deny="image:26.*"), install=("container",), top=10, every=True)
    assert report.plans
    assert not [plan.title for plan in report.plans if ":26." in plan.title]
    assert any("denied by image:26.*" in why for why in left_out(report).values())
    only = ask(L4, policy=policy(allow="image:25.05-*"), install=("container",))
    assert [plan.title.rpartition(":")[2] for plan in only.plans] == ["25.05-py3"]


def test_a_framework_or_a_driver_that_is_denied_is_not_put_in_place() -> None:
    torch = first(L4, "torch", policy=policy(deny="torch>=2.12"), install=("pip",))
    assert Version.parse(torch.environment["packages"]["torch"]).below(Version.parse("2.12")) is Answer.YES
    old = machine(driver="535.104.05")
    plan = first(
        old, "tensorrt==11.*", policy=policy(deny=("driver==580.*", "tensorrt-cu12>=0")), install=("container",)
    )
    assert not plan.environment["driver"].startswith("580.")


def test_where_nothing_is_left_the_policy_is_the_reason() -> None:
    report = ask(L4, policy=policy(deny="tensorrt>=0"))
    assert report.plans == ()
    assert report.impossible is not None
    (reason,) = report.impossible.reasons
    assert reason.startswith("the policy: ")
    assert "denied by tensorrt>=0" in reason
    assert left_out(report)


# -- what is preferred and what stays ------------------------------------------------------------------------------


def test_what_the_policy_keeps_stays() -> None:
    old = machine(driver="535.104.05", tensorrt=trt("10.7.0", "pip-cu12"), gpus=[{"name": "GeForce RTX 5090"}])
    assert first(old).environment["driver"] != "535.104.05"
    report = ask(old, policy=policy(keep="driver"))
    assert report.impossible is not None
    assert any("driver 535.104.05, which is to stay" in reason for reason in report.impossible.reasons)


def test_a_preferred_way_comes_first_and_another_only_where_it_leads_nowhere() -> None:
    preferred = ask(L4, policy=policy(install="apt"))
    assert {plan.install for plan in preferred.plans} == {"apt"}
    assert preferred.notes == ()
    windows = machine(os="windows-11", driver="580.88")
    elsewhere = ask(windows, policy=policy(install="apt"))
    assert elsewhere.plans
    assert elsewhere.notes == ("nothing fits by apt, which the policy prefers; these are the other ways",)
    asked = ask(windows, policy=policy(install="apt"), install=("pip",))
    assert {plan.install for plan in asked.plans} == {"pip"}


def test_a_preferred_way_is_the_only_one_for_the_fixes_of_check() -> None:
    from tests.rules.judging import report as judged
    from trtdoctor.declared import snapshot_of
    from trtdoctor.judge import judge
    from trtdoctor.matrix import load

    environment = machine(tensorrt=trt("10.7.0", "pip-cu12"), gpus=[{"name": "GeForce RTX 5090"}])
    assert judged(snapshot_of(environment)).findings
    found = judge(snapshot_of(environment), load(), as_of=AS_OF, policy=policy(install="apt")).findings
    (finding,) = [item for item in found if item.code == "GPU201"]
    assert any("libnvinfer10=" in step.text for step in finding.fix)
    assert not any(" pip install " in step.text for step in finding.fix)


@pytest.mark.parametrize("text", ["", "tensorrt==x", "===1", "image:", "tensorrt>=1,,", "a b c", "\x1b[31m"])
def test_what_is_no_clause_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_clause(text)
    assert str(caught.value).isprintable()


def test_a_policy_costs_nothing_that_it_does_not_speak_of() -> None:
    plain = [plan.title for plan in ask(L4, top=5).plans]
    assert [plan.title for plan in ask(L4, top=5, policy=policy(deny="tensorrt==4.*")).plans] == plain
    assert ask(L4, top=5, policy=policy(deny="tensorrt==4.*")).refused == ()


def test_builds_are_the_same_for_every_question(matrix: Matrix) -> None:
    values: dict[str, Any] = {"repository": "tensorrt", "system": None}
    assert builds(matrix, "full", "pip", ("linux-x86_64",), **values) is builds(
        matrix, "full", "pip", ("linux-x86_64",), **values
    )


def test_what_a_policy_left_out_is_told_where_the_driver_has_to_change_as_well() -> None:
    old = machine(driver="550.54.15", gpus=[{"name": "GeForce RTX 5090"}], tensorrt=trt("10.7.0", "pip-cu12"))
    report = ask(old, policy=policy(deny="tensorrt==10.16.*"))
    assert "TensorRT 10.16.1.11 for CUDA 12 by pip" in left_out(report)
