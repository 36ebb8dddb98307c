"""Waivers: what they cover, what they do not, and that nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import AS_OF, SNAPSHOTS
from trtdoctor.findings import Finding, FoundFact, Report, Severity, Verdict
from trtdoctor.judge import judge
from trtdoctor.matrix import load
from trtdoctor.rules import BY_CODE
from trtdoctor.snapshot import Snapshot
from trtdoctor.versions import Answer, Version, within
from trtdoctor.waivers import Waiver, covers, waive


def waiver(code: str, component: str, version: str | None = None, expires: str = "2026-12-31") -> Waiver:
    return Waiver(code, component, version, "measured: it works here", "the platform team", expires, "trtdoctor.toml:3")


def judged(name: str, *waivers: Waiver, as_of: date = AS_OF, ignore: tuple[str, ...] = ()) -> Report:
    snapshot = Snapshot.from_json((SNAPSHOTS / f"{name}.json").read_bytes())
    return judge(snapshot, load(), as_of=as_of, waivers=waivers, ignore=ignore)


def finding(code: str, *facts: tuple[str, str], components: tuple[str, ...] = ("tensorrt",)) -> Finding:
    found = tuple(FoundFact(key, value) for key, value in facts)
    return Finding(code, "name", Severity.ERROR, components, "title", facts=found)


# -- from a recorded machine -------------------------------------------------------------------------------------------


def test_a_waived_error_stays_in_the_report_and_counts_for_nothing() -> None:
    plain = judged("h200-trt853-no-sublibraries")
    assert (plain.verdict, plain.primary) == (Verdict.BROKEN, "DNN106")
    report = judged("h200-trt853-no-sublibraries", waiver("DNN106", "cudnn", "==8.6.*"))
    assert (report.verdict, report.primary) == (Verdict.READY, None)
    assert report.counts["error"] == 0
    assert not report.fails("error")
    assert not report.fails("unknown")
    waived = [item for item in report.findings if item.waived]
    assert [(item.code, item.severity) for item in waived] == [("DNN106", Severity.ERROR)]
    assert waived[0].waived == "measured: it works here (until 2026-12-31)"
    assert waived[0].waived_by == "the platform team"
    assert "error" not in {item.status for item in report.inventory}
    assert "DNN106" not in report.in_short


@pytest.mark.parametrize(
    ("component", "version", "says"),
    [
        ("cudnn", "==8.7.*", "DNN106 was found on cudnn 8.6.0.163"),
        ("driver", None, "DNN106 was found on cudnn, tensorrt"),
        ("tensorrt", "==8.5.*", "DNN106 was found on cudnn, tensorrt"),  # it names no version of TensorRT
    ],
)
def test_a_waiver_for_something_else_covers_nothing_and_is_told(component: str, version: str | None, says: str) -> None:
    report = judged("h200-trt853-no-sublibraries", waiver("DNN106", component, version))
    assert report.verdict is Verdict.BROKEN
    told = [item for item in report.findings if item.code == "POL104"]
    assert [item.severity for item in told] == [Severity.INFO]
    assert says in told[0].title
    assert told[0].facts[0].where == "trtdoctor.toml:3"


def test_an_expired_waiver_counts_as_absent_and_is_told_its_last_day_counts() -> None:
    last = waiver("DNN106", "cudnn", None, AS_OF.isoformat())
    assert judged("h200-trt853-no-sublibraries", last).verdict is Verdict.READY
    report = judged("h200-trt853-no-sublibraries", last, as_of=AS_OF + timedelta(days=1))
    assert report.verdict is Verdict.BROKEN
    told = [item for item in report.findings if item.code == "POL103"]
    assert "DNN106 counts" in told[0].title
    assert told[0].severity is Severity.INFO


def test_an_unused_waiver_of_a_code_that_is_left_out_is_not_told() -> None:
    unused = waiver("GPU101", "gpu")
    assert any(item.code == "POL104" for item in judged("h200-trt853", unused).findings)
    assert not any(item.code == "POL104" for item in judged("h200-trt853", unused, ignore=("GPU",)).findings)
    assert not any(item.code == "POL104" for item in judged("h200-trt853", unused, ignore=("POL",)).findings)


@pytest.mark.parametrize("name", sorted(path.stem for path in SNAPSHOTS.glob("*.json")))
def test_waivers_that_cover_nothing_change_nothing_else(name: str) -> None:
    plain, report = judged(name), judged(name, waiver("MIR999", "nothing"), waiver("TRT601", "tensorrt", "==1.0"))
    rest = tuple(item for item in report.findings if item.code != "POL104")
    assert rest == plain.findings
    assert replace(report, findings=rest, inventory=plain.inventory) == plain


def test_what_is_unknown_cannot_be_waived() -> None:
    from trtdoctor.declared import snapshot_of

    snapshot = snapshot_of({"tensorrt": [{"version": "10.9.0"}]})
    plain = judge(snapshot, load(), as_of=AS_OF)
    every = [waiver(item.code, item.components[0]) for item in plain.findings]
    report = judge(snapshot, load(), as_of=AS_OF, waivers=every)
    assert report.verdict is Verdict.UNKNOWN
    assert report.unknowns == plain.unknowns
    assert report.fails("unknown")


# -- what is covered ---------------------------------------------------------------------------------------------------


def test_every_version_that_the_finding_names_must_be_covered() -> None:
    both = finding("TRT106", ("tensorrt", "10.3.0"), ("tensorrt", "10.4.0"))
    assert not covers(waiver("TRT106", "tensorrt", "==10.3.0"), both)
    assert covers(waiver("TRT106", "tensorrt", ">=10.3,<10.5"), both)


def test_a_version_that_is_not_known_is_not_covered() -> None:
    assert not covers(waiver("TRT106", "tensorrt", ">=8"), finding("TRT106", ("tensorrt", "version unknown")))
    assert not covers(waiver("TRT106", "tensorrt", ">=10.3"), finding("TRT106", ("tensorrt", "10")))
    assert covers(waiver("TRT106", "tensorrt"), finding("TRT106", ("tensorrt", "version unknown")))


def test_full_product_rtx_and_lean_are_not_each_other() -> None:
    rtx = finding("GPU205", ("tensorrt-rtx", "1.7.1"), components=("gpu", "tensorrt-rtx"))
    assert not covers(waiver("GPU205", "tensorrt"), rtx)
    assert covers(waiver("GPU205", "tensorrt-rtx", "~=1.7"), rtx)
    lean = finding("TRT105", ("tensorrt-lean", "11.4.0"))
    assert covers(waiver("TRT105", "tensorrt-lean", "==11.4.*"), lean)
    assert not covers(waiver("TRT105", "tensorrt", "==11.4.*"), lean)


@pytest.mark.parametrize("component", ["torch", "package:torch"])
def test_a_python_package_by_either_name(component: str) -> None:
    found = finding("FWK301", ("package torch", "2.7.1+cu128"), components=("torch", "gpu"))
    assert covers(waiver("FWK301", component, ">=2.7,<2.8"), found)
    assert not covers(waiver("FWK301", component, "<2.7"), found)


def test_gpus_go_by_compute_capability_and_all_must_be_covered() -> None:
    found = finding(
        "GPU201",
        ("gpu 0", "NVIDIA H200, compute capability 9.0"),
        ("gpu 1", "Tesla T4, compute capability 7.5"),
        components=("gpu", "tensorrt"),
    )
    assert covers(waiver("GPU201", "gpu", ">=7.5"), found)
    assert not covers(waiver("GPU201", "gpu", "==9.0"), found)
    unnamed = finding("GPU201", ("gpu 0", "unnamed, compute capability unknown"), components=("gpu",))
    assert not covers(waiver("GPU201", "gpu", ">=1"), unnamed)


VERSIONS = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))


@given(
    st.lists(VERSIONS, min_size=1, max_size=4),
    st.sampled_from([">=", "<", "==", "!=", "<=", ">"]),
    VERSIONS,
    st.sampled_from(["TRT106", "TRT107"]),
)
def test_covered_is_what_every_version_surely_falls_under(
    found: list[str], operator: str, bound: str, code: str
) -> None:
    about = finding("TRT106", *(("tensorrt", version) for version in found))
    wanted = f"{operator}{bound}"
    surely = all(within(Version(version), wanted) is Answer.YES for version in found)
    assert covers(waiver(code, "tensorrt", wanted), about) is (surely and code == "TRT106")


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)), st.dates(date(2020, 1, 1), date(2040, 1, 1)))
def test_a_waiver_holds_until_its_day_and_never_after(expires: date, as_of: date) -> None:
    found = finding("TRT106", ("tensorrt", "10.3.0"))
    marked, uses = waive([found], [waiver("TRT106", "tensorrt", None, expires.isoformat())], as_of)
    assert (marked[0].waived is not None) is (as_of <= expires)
    assert uses[0].state == ("used" if as_of <= expires else "expired")
    assert replace(marked[0], waived=None, waived_by=None) == found


def test_the_rules_that_speak_of_waivers_are_documented_rules() -> None:
    assert {BY_CODE["POL103"].severity, BY_CODE["POL104"].severity} == {Severity.INFO}
