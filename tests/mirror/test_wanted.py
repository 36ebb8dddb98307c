"""Exactly what is to be synced: missing, fitting, let in; the whole chain of a stack, and never more."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from tests.mirror.facts import BUILDS, INDEX, OWN_WHEELS, apt, cu12, cu13, debs, oci, pypi, tag, wheel_of
from tests.rules.mirrors import GH200, L4, V100, judged
from trtdoctor.declared import snapshot_of
from trtdoctor.matrix import Matrix
from trtdoctor.mirror.emit import TOOLS, EmitOptions, emit
from trtdoctor.mirror.emit.names import sound
from trtdoctor.mirror.report import MirrorReport
from trtdoctor.mirror.wanted import wanted
from trtdoctor.mirror.wants import SyncItem
from trtdoctor.policy import Policy

NEW, MIDDLE, OLD = "11.4.0.106", "11.3.0.99", "10.16.1.11"
UPSTREAM = (*cu13(NEW), *cu13(OLD), *cu12(NEW), *BUILDS)
LIBS = ("tensorrt-cu13-libs", NEW)
CHAIN = {"tensorrt", "tensorrt-cu13", "tensorrt-cu13-bindings", "tensorrt-cu13-libs"}


def of(report: MirrorReport, project: str, *, origin: bool = False) -> SyncItem:
    found = [item for item in report.sync if item.project == project and (item.origin is not None) is origin]
    assert len(found) == 1, report.sync
    return found[0]


def files(item: SyncItem) -> list[str]:
    return [name for name, _, _ in item.files]


# -- Python ------------------------------------------------------------------------------------------------------------


def test_the_whole_chain_of_a_stack_for_one_machine() -> None:
    report = judged(pypi(UPSTREAM, [], wheels=(), own_wheels=False), L4)
    assert {item.project for item in report.sync} == {*CHAIN, "wheel-stub", "setuptools", "wheel"}
    assert {item.version for item in report.sync if item.project in CHAIN} == {NEW}
    assert files(of(report, "tensorrt-cu13-bindings")) == [
        f"tensorrt_cu13_bindings-{NEW}-cp310-none-manylinux_2_28_x86_64.whl"
    ]
    assert files(of(report, "tensorrt-cu13-libs")) == [f"tensorrt_cu13_libs-{NEW}.tar.gz"]
    behind = of(report, "tensorrt-cu13-libs", origin=True)
    assert behind.origin == OWN_WHEELS
    assert files(behind) == [wheel_of(*LIBS)]
    assert behind.files[0][1:] == (2 << 30, "ab" * 32)
    stub = of(report, "wheel-stub")
    assert files(stub) == ["wheel_stub-0.5.0-py3-none-any.whl"]
    assert (stub.upstream, stub.source, stub.kind, stub.origin) == (INDEX, "corp", "pypi", None)


def test_a_fleet_gets_what_each_machine_needs_and_no_more() -> None:
    report = judged(pypi(UPSTREAM, []), L4, GH200)
    assert files(of(report, "tensorrt-cu13-bindings")) == [
        f"tensorrt_cu13_bindings-{NEW}-cp310-none-manylinux_2_28_x86_64.whl",
        f"tensorrt_cu13_bindings-{NEW}-cp312-none-manylinux_2_35_aarch64.whl",
    ]


def test_the_wheel_that_stubs_get_from_nvidia_is_not_synced() -> None:
    report = judged(pypi(UPSTREAM, cu13(OLD)), L4)
    assert not [item for item in report.sync if item.origin is not None]


def test_the_wheel_alone_is_missing() -> None:
    report = judged(pypi(UPSTREAM, UPSTREAM, wheels=[("tensorrt-cu12-libs", NEW)], own_wheels=False), L4)
    assert [(item.project, item.version, item.origin) for item in report.sync] == [
        ("tensorrt-cu13-libs", NEW, OWN_WHEELS),
        ("tensorrt-cu13-libs", OLD, OWN_WHEELS),
    ]


def test_nothing_is_guessed_of_an_index_behind_stubs_that_gives_no_answer() -> None:
    source = pypi(UPSTREAM, cu13(OLD), wheels=(), states={"wheels": "unreachable"})
    report = judged(source)
    assert not [item for item in report.sync if item.origin is not None]
    assert any("could not be asked" in item.why for item in report.left_out)


def test_only_what_is_missing_of_a_half_synced_stack() -> None:
    report = judged(pypi(UPSTREAM, [pin for pin in UPSTREAM if pin != LIBS]), L4)
    assert [(item.project, files(item)) for item in report.sync] == [(LIBS[0], [f"tensorrt_cu13_libs-{NEW}.tar.gz"])]


def test_what_builds_take_is_brought_when_it_is_what_is_missing() -> None:
    report = judged(pypi(UPSTREAM, [pin for pin in UPSTREAM if pin[0] != "wheel-stub"]), L4)
    assert [item.project for item in report.sync] == ["wheel-stub"]
    assert "takes it" in report.sync[0].why or "in part" in report.sync[0].why


def test_nothing_is_missing_so_nothing_is_synced() -> None:
    assert judged(pypi(UPSTREAM, UPSTREAM)).sync == ()
    assert judged(pypi(UPSTREAM, UPSTREAM), L4, GH200).sync == ()


def test_older_releases_are_never_synced() -> None:
    """The mirror has left them out, or let go of them; nobody waits for them."""
    report = judged(pypi(UPSTREAM, [*cu13(NEW), *BUILDS]))
    assert report.sync == ()


def test_nothing_is_synced_from_where_nobody_answers() -> None:
    assert judged(pypi(None, cu13(OLD))).sync == ()
    assert judged(pypi(UPSTREAM, None)).sync == ()


def test_withdrawn_files_are_not_brought() -> None:
    source = pypi(UPSTREAM, [*cu13(OLD), *BUILDS])
    items = tuple(
        replace(one, files=tuple(replace(file, yanked=True) for file in one.files)) if one.version == NEW else one
        for one in source.items
    )
    assert judged(replace(source, items=items)).sync == ()


# -- images and packages -----------------------------------------------------------------------------------------------


def test_images_whole_and_by_digest() -> None:
    report = judged(
        oci(tag("26.10-py3", "missing"), tag("26.09-py3", "missing"), tag("26.08-py3"), tag("24.08-py3", "missing"))
    )
    assert [(item.version, item.digest, item.platforms) for item in report.sync] == [
        ("26.10-py3", f"sha256:{'1' * 64}", ()),
        ("26.09-py3", f"sha256:{'1' * 64}", ()),
    ]


@pytest.mark.parametrize(
    ("machines", "wanted"), [((), ["26.09-py3"]), ((GH200,), ["26.09-py3"]), ((L4,), []), ((V100,), [])]
)
def test_a_platform_that_is_needed(machines: tuple[dict[str, Any], ...], wanted: list[str]) -> None:
    source = oci(tag("26.09-py3", "missing-platform", missing=("linux/arm64",)), tag("26.08-py3"))
    assert [item.version for item in judged(source, *machines).sync] == wanted


def test_a_line_that_the_mirror_does_not_carry_is_left_alone() -> None:
    source = oci(tag("26.10-py3", "missing"), tag("26.09-py3"), tag("26.10-py3-igpu", "missing"))
    assert [item.version for item in judged(source).sync] == ["26.10-py3"]


def test_tags_that_say_no_version_are_wanted_when_they_are_named() -> None:
    """Nothing orders them; the user has chosen them by a glob."""
    source = oci(tag("nightly", "missing"), tag("edge"))
    assert [item.version for item in judged(source).sync] == ["nightly"]


def test_packages_of_one_version() -> None:
    text = "10.16.1.11-1+cuda13.2"
    report = judged(apt(*debs(text, "missing"), *debs("10.9.0.34-1+cuda12.8")))
    assert {item.project for item in report.sync} >= {"libnvinfer10", "libnvinfer-plugin10", "libnvonnxparsers10"}
    assert {item.version for item in report.sync} == {text}
    assert files(of(report, "libnvinfer10")) == [f"libnvinfer10_{text}_amd64.deb"]


# -- what becomes of it ------------------------------------------------------------------------------------------------


def test_every_tool_takes_what_is_wanted(matrix: Matrix) -> None:
    sources = [
        pypi(UPSTREAM, [*cu13(OLD), *BUILDS], wheels=[("tensorrt-cu13-libs", OLD)], own_wheels=False),
        oci(tag("26.10-py3", "missing"), tag("26.09-py3")),
        apt(*debs("10.16.1.11-1+cuda13.2", "missing"), *debs("10.9.0.34-1+cuda12.8")),
    ]
    now = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)
    items = wanted(sources, matrix, Policy(), [snapshot_of(L4)], now)
    good, refused = sound(items)
    assert refused == ()
    assert len(good) == len(items)
    for tool, kind in TOOLS.items():
        text = emit(tool, good, EmitOptions())
        for item in good:
            if item.kind == kind and item.origin is None:
                assert item.version in text or item.version.replace(".", "\\") in text.replace("\\\\.", "\\"), tool


def test_the_same_items_are_in_the_report_and_for_the_tools(matrix: Matrix) -> None:
    source = pypi(UPSTREAM, [*cu13(OLD), *BUILDS])
    now = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)
    assert wanted([source], matrix, Policy(), [], now) == judged(source).sync
