"""MIR101, MIR102, MIR103: what a mirror has only in part."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.mirror.facts import BUILDS, apt, cu12, cu13, debs, oci, pypi, tag
from tests.rules.mirrors import GH200, L4, V100, codes, judged, only
from trtdoctor.mirror_facts import MirrorFile, MirrorSource
from trtdoctor.policy import Clause, Policy

NEW, MIDDLE, OLD = "11.4.0.106", "11.3.0.99", "10.16.1.11"
UPSTREAM = (*cu13(NEW), *cu13(MIDDLE), *cu13(OLD), *cu12(NEW), *BUILDS)
DEB, OLDER_DEB = "10.16.1.11-1+cuda13.2", "10.9.0.34-1+cuda12.8"


def without(*pins: tuple[str, str]) -> list[tuple[str, str]]:
    return [pin for pin in UPSTREAM if pin not in pins]


# -- MIR101 ------------------------------------------------------------------------------------------------------------


def test_a_half_synced_stack_names_its_missing_file() -> None:
    finding = only(judged(pypi(UPSTREAM, without(("tensorrt-cu13-libs", NEW)))), "MIR101")
    assert finding.severity.value == "error"
    assert "TensorRT 11.4.0 (pip, CUDA 13)" in finding.title
    assert "tensorrt_cu13_libs-11.4.0.106.tar.gz" in finding.detail
    assert finding.facts[0].where == "https://mirror.example/simple"
    assert finding.fix[0].kind == "manual"


def test_a_whole_mirror_says_nothing() -> None:
    report = judged(pypi(UPSTREAM, UPSTREAM))
    assert codes(report) == {}
    assert report.verdict.value == "ready"


def test_an_older_release_that_is_torn_is_a_warning() -> None:
    """An installer takes the newest, which is whole."""
    report = judged(pypi(UPSTREAM, without(("tensorrt-cu13-bindings", MIDDLE))))
    assert codes(report) == {"MIR101": "warning"}


def test_a_release_that_is_not_there_at_all_is_not_half_synced() -> None:
    assert "MIR101" not in codes(judged(pypi(UPSTREAM, without(*cu13(NEW), *cu12(NEW)))))


def test_what_upstream_lacks_itself_is_not_the_mirrors_fault() -> None:
    pins = [pin for pin in UPSTREAM if pin != ("tensorrt-cu13-bindings", NEW)]
    assert "MIR101" not in codes(judged(pypi(pins, pins)))


def test_upstream_need_not_answer_for_a_half_synced_stack() -> None:
    """tensorrt-cu13 11.4.0.106 takes its libraries, whoever can be asked for them."""
    report = judged(pypi(None, without(("tensorrt-cu13-libs", NEW))))
    assert codes(report, "MIR1") == {"MIR101": "error"}


def test_a_mirror_that_could_not_be_asked_is_not_half_synced() -> None:
    assert codes(judged(pypi(UPSTREAM, None)), "MIR1", "MIR2") == {}


def test_what_the_policy_denies_may_be_there_in_part() -> None:
    source = pypi(UPSTREAM, without(("tensorrt-cu13-libs", NEW)))
    denied = Policy(deny=(Clause("tensorrt", "==11.4.*"),))
    assert "MIR101" not in codes(judged(source, policy=denied))
    assert "MIR101" in codes(judged(source, policy=Policy(deny=(Clause("tensorrt", "==11.3.*"),))))
    allowed = Policy(allow=(Clause("package:tensorrt-cu13", "==10.*"),))
    assert "MIR101" not in codes(judged(source, policy=allowed))


def test_what_no_machine_can_use_may_be_there_in_part() -> None:
    source = pypi(UPSTREAM, without(("tensorrt-cu13-libs", NEW)))
    assert "MIR101" not in codes(judged(source, V100))
    assert "MIR101" in codes(judged(source, L4))
    assert "MIR101" in codes(judged(source, V100, L4))


def test_what_builds_take_is_one_cause_for_all() -> None:
    report = judged(pypi(UPSTREAM, [pin for pin in UPSTREAM if pin[0] != "wheel-stub"]))
    finding = only(report, "MIR101")
    assert "lacks wheel-stub" in finding.title
    assert codes(report) == {"MIR101": "error"}


def test_the_same_part_missing_of_many_is_one_finding() -> None:
    report = judged(pypi(UPSTREAM, [pin for pin in UPSTREAM if pin[0] != "tensorrt-cu13-bindings"]))
    finding = only(report, "MIR101")
    assert "2 more" in finding.title


def test_a_wheel_that_this_machine_needs_is_missing() -> None:
    source = pypi(UPSTREAM, UPSTREAM, lacking=("cp310-none-manylinux_2_28_x86_64.whl",))
    finding = only(judged(source, L4), "MIR101")
    assert "tensorrt_cu13_bindings-11.4.0.106-cp310-none-manylinux_2_28_x86_64.whl" in finding.detail
    assert "MIR101" not in codes(judged(source, {**L4, "python": "3.12"}))


def test_packages_of_one_version() -> None:
    torn = apt(*debs(DEB, but={"libnvinfer-plugin10": "missing"}), *debs(OLDER_DEB))
    finding = only(judged(torn), "MIR101")
    assert f"libnvinfer-plugin10_{DEB}_amd64.deb" in finding.detail
    assert codes(judged(apt(*debs(DEB), *debs(OLDER_DEB)))) == {}


# -- MIR102 ------------------------------------------------------------------------------------------------------------


def test_stubs_without_wheels_are_one_finding() -> None:
    report = judged(pypi(UPSTREAM, UPSTREAM, wheels=(), own_wheels=False))
    finding = only(report, "MIR102")
    assert finding.severity.value == "error"
    assert "tensorrt-cu13-libs 11.4.0.106 and 3 more" in finding.title
    assert codes(report) == {"MIR102": "error"}  # and neither half-synced nor behind, which follow from it


def test_only_the_newest_stub_lacks_its_wheel() -> None:
    there = [("tensorrt-cu13-libs", version) for version in (MIDDLE, OLD)]
    report = judged(pypi(cu13(NEW) + UPSTREAM[4:], UPSTREAM, wheels=[*there, ("tensorrt-cu12-libs", NEW)]))
    assert "11.4.0.106," in only(report, "MIR102").title


def test_a_wheel_beside_the_stub_is_enough() -> None:
    source = pypi(UPSTREAM, UPSTREAM, wheels=(), own_wheels=False)
    items = tuple(
        replace(
            one,
            state="same",
            files=(
                *one.files,
                MirrorFile(f"{one.project}-{one.version}-py3-none-manylinux_2_28_x86_64.whl", on="mirror"),
            ),
        )
        if one.state == "stub-only"
        else one
        for one in source.items
    )
    assert "MIR102" not in codes(judged(replace(source, items=items)))


def test_an_index_behind_stubs_that_could_not_be_asked_lacks_nothing() -> None:
    source = pypi(UPSTREAM, UPSTREAM, wheels=(), states={"wheels": "unreachable"})
    items = tuple(
        replace(one, state="unknown", files=tuple(file for file in one.files if "wheels" not in file.on))
        if one.state == "stub-only"
        else one
        for one in source.items
    )
    found = codes(judged(replace(source, items=items)))
    assert "MIR102" not in found
    assert found["MIR301"] == "warning"


# -- MIR103 ------------------------------------------------------------------------------------------------------------

SINGLE = oci(tag("26.10-py3", "missing-platform", missing=("linux/arm64",)), tag("26.09-py3"))


@pytest.mark.parametrize(
    ("machines", "severity"),
    [((), "warning"), ((GH200,), "error"), ((L4,), None), ((L4, GH200), "error")],
)
def test_a_copy_of_one_platform(machines: tuple[dict[str, Any], ...], severity: str | None) -> None:
    assert codes(judged(SINGLE, *machines), "MIR103").get("MIR103") == severity


def test_a_platform_that_is_there_or_denied_is_not_missing() -> None:
    assert "MIR103" not in codes(judged(oci(tag("26.10-py3"))))
    assert "MIR103" not in codes(judged(SINGLE, policy=Policy(deny=(Clause("image", "26.10-*"),))))


def test_fewer_files_are_told_only_where_no_machine_is_known() -> None:
    source = pypi(UPSTREAM, UPSTREAM, lacking=("win_amd64.whl", "win_arm64.whl"))
    finding = only(judged(source), "MIR103")
    assert finding.severity.value == "info"
    assert "tensorrt-cu13-bindings 11.4.0.106 and 3 more" in finding.title
    assert "MIR103" not in codes(judged(source, L4))
    assert "MIR103" not in codes(judged(pypi(UPSTREAM, UPSTREAM)))


def test_a_plain_check_says_nothing_of_mirrors(matrix: Any) -> None:
    """They are a matter of ``mirror check``; here only what is installed counts (MIR401)."""
    from datetime import date

    from trtdoctor.judge import judge
    from trtdoctor.snapshot import Snapshot

    sources: tuple[MirrorSource, ...] = (SINGLE, pypi(UPSTREAM, []), pypi(UPSTREAM, None))
    report = judge(Snapshot(kind="declared", mirrors=sources), matrix, as_of=date(2026, 11, 22))
    assert not [item.code for item in report.findings if item.code.startswith("MIR")]
    assert not [item for item in report.unknowns if item.component == "mirror"]
