"""Family TOL, and PYT111: programs and bindings beside the libraries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.rules.making import SITE, SYSTEM, codes, got, judged, live, loading, only, package, tensorrt
from trtdoctor.findings import Severity
from trtdoctor.matrix import load, tools
from trtdoctor.snapshot import Copy, Distribution, Loading, Package, ProbeOutcome, Setting, Snapshot, Tool
from trtdoctor.versions import Answer, Version

TOOLS = ("trtexec", "polygraphy")
WENT = tuple(ProbeOutcome(name, "ok") for name in ("python", "libraries", "loader", "tools"))
PIP = tensorrt("10.9.0", f"{SITE}/tensorrt_libs", origin="pip", flavour="cu12")
APT = tensorrt("10.3.0", SYSTEM, origin="apt", flavour="cu12")
TRTEXEC = Tool("trtexec", "/usr/src/tensorrt/bin/trtexec", "10.3.0", "package", "libnvinfer-bin 10.3.0", on_path=False)


def machine(
    *copies: Copy,
    programs: tuple[Tool, ...] = (),
    loadings: tuple[Loading, ...] = (),
    packages: tuple[Distribution, ...] = (),
    system: tuple[Package, ...] = (),
    went: tuple[ProbeOutcome, ...] = WENT,
    **platform: Any,
) -> Snapshot:
    base = live(*copies, packages=packages, **platform)
    return replace(base, tools=programs, loadings=loadings, probes=went, packages=system)


# -- trtexec -----------------------------------------------------------------------------------------------------------


def test_pip_brings_no_trtexec() -> None:
    report = judged(machine(*PIP))
    found = only(report, "TOL101")
    assert found.severity is Severity.INFO
    assert "by pip" in found.title
    assert "libnvinfer-bin" in found.fix[0].text
    assert [item.id for item in found.sources] == ["install_114"]
    assert only(judged(machine(*PIP), "build", "trtexec"), "TOL101").severity is Severity.ERROR


@pytest.mark.parametrize(
    ("snapshot", "goal", "fires"),
    [
        (machine(*PIP, programs=(TRTEXEC,)), ("trtexec",), False),
        (machine(*APT), (), False),  # who installed libnvinfer10 alone knows why
        (machine(*APT), ("trtexec",), True),
        (machine(*PIP, went=WENT[:3]), ("trtexec",), False),  # nobody looked for programs
        (machine(*PIP, went=(ProbeOutcome("tools", "timed-out"),)), ("trtexec",), False),
        (machine(), ("trtexec",), False),  # no TensorRT at all: another rule says so
    ],
)
def test_where_trtexec_is_missed(snapshot: Snapshot, goal: tuple[str, ...], fires: bool) -> None:
    assert ("TOL101" in codes(judged(snapshot, *goal))) is fires


def loadings(program: str, python: str, program_folder: str, python_folder: str) -> tuple[tuple[Copy, ...], Any]:
    one, other = tensorrt(program, program_folder), tensorrt(python, python_folder, origin="pip")
    return (*one, *other), (loading("trtexec", got(one[0])), loading("tensorrt", got(other[0])))


def test_trtexec_of_another_release() -> None:
    copies, seen = loadings("10.3.0", "10.9.0", SYSTEM, f"{SITE}/tensorrt_libs")
    found = only(judged(machine(*copies, programs=(TRTEXEC,), loadings=seen)), "TOL102")
    assert found.severity is Severity.WARNING
    assert found.title == "trtexec loads TensorRT 10.3.0, Python loads 10.9.0"
    assert {fact.where for fact in found.facts} == {copies[0].path, copies[4].path}


@pytest.mark.parametrize("version", ["10.9.0", "10.9", "10.9.0.34", "10"])
def test_the_same_release_twice_is_fine(version: str) -> None:
    """A version that is only known in part may be the same one."""
    copies, seen = loadings(version, "10.9.0", SYSTEM, f"{SITE}/tensorrt_libs")
    assert "TOL102" not in codes(judged(machine(*copies, programs=(TRTEXEC,), loadings=seen)))


def test_one_file_for_both_is_fine() -> None:
    copies = tensorrt("10.3.0")
    seen = (loading("trtexec", got(copies[0])), loading("tensorrt", got(copies[0], step="ld.so.cache")))
    assert "TOL102" not in codes(judged(machine(*copies, loadings=seen)))
    assert "TOL102" not in codes(judged(machine(*copies, loadings=seen[:1])))


# -- polygraphy --------------------------------------------------------------------------------------------------------

POLYGRAPHY = package("polygraphy", "0.53.6")


def test_polygraphy_without_tensorrt_in_its_python() -> None:
    found = only(judged(machine(*APT, packages=(POLYGRAPHY,))), "TOL201")
    assert found.severity is Severity.INFO
    assert only(judged(machine(*APT, packages=(POLYGRAPHY,)), "polygraphy"), "TOL201").severity is Severity.WARNING


@pytest.mark.parametrize(
    "snapshot",
    [
        machine(*PIP, packages=(POLYGRAPHY, package("tensorrt-cu12", "10.9.0.34"))),
        machine(*APT, packages=(POLYGRAPHY,), loadings=(loading("tensorrt"),)),  # the Debian package's module
        machine(*APT, packages=(POLYGRAPHY,), went=(ProbeOutcome("python", "partial"),)),
        machine(*APT),
        machine(packages=(POLYGRAPHY,)),  # no TensorRT at all: another rule says so
    ],
)
def test_polygraphy_that_is_fine(snapshot: Snapshot) -> None:
    assert "TOL201" not in codes(judged(snapshot, "polygraphy"))


RTX = (package("tensorrt-rtx-cu13", "1.7.1.116"), package("tensorrt-rtx-cu13-bindings", "1.7.1.116"))


@pytest.mark.parametrize(
    ("version", "fix"), [("0.49.22", "pip install 'polygraphy>=0.49.24'"), ("0.53.6", "POLYGRAPHY_USE_TENSORRT_RTX=1")]
)
def test_polygraphy_and_tensorrt_for_rtx(version: str, fix: str) -> None:
    report = judged(machine(packages=(package("polygraphy", version), *RTX)), "polygraphy")
    found = only(report, "TOL202")
    assert found.severity is Severity.WARNING
    assert fix in found.fix[0].text


def test_polygraphy_that_was_told_of_tensorrt_for_rtx() -> None:
    told = replace(machine(packages=(POLYGRAPHY, *RTX)), settings=(Setting("POLYGRAPHY_USE_TENSORRT_RTX", "1"),))
    assert "TOL202" not in codes(judged(told, "polygraphy"))
    both = machine(packages=(POLYGRAPHY, *RTX, package("tensorrt-cu13", "11.4.0.106")))
    assert "TOL202" not in codes(judged(both, "polygraphy"))
    partial = machine(packages=(package("polygraphy", "0.49"), *RTX))
    assert "TOL202" not in codes(judged(partial, "polygraphy")), "0.49 may be older or newer"


def test_polygraphy_older_than_tensorrt() -> None:
    eleven = tensorrt("11.4.0", f"{SITE}/tensorrt_libs", origin="pip")
    old = machine(*eleven, packages=(package("polygraphy", "0.49.26"),))
    assert only(judged(old), "TOL203").severity is Severity.INFO
    assert only(judged(old, "polygraphy"), "TOL203").severity is Severity.WARNING
    for fine in (
        machine(*eleven, packages=(POLYGRAPHY,)),
        machine(*PIP, packages=(package("polygraphy", "0.49.26"),)),
        machine(*eleven, packages=(package("polygraphy", "99.0"),)),
    ):
        assert "TOL203" not in codes(judged(fine, "polygraphy"))


# -- bindings ----------------------------------------------------------------------------------------------------------

BINDINGS = Package("python3-libnvinfer", "10.3.0.30-1+cuda12.5", "dpkg")


def test_bindings_of_the_system_s_python() -> None:
    snapshot = machine(*APT, system=(BINDINGS,))
    assert only(judged(snapshot), "PYT111").severity is Severity.INFO
    found = only(judged(snapshot, "python"), "PYT111")
    assert found.severity is Severity.ERROR
    assert "--system-site-packages" in found.fix[0].text
    assert only(judged(machine(*APT, system=(BINDINGS,)), "python", "onnxruntime"), "PYT111").severity is Severity.INFO


def test_no_bindings_anywhere() -> None:
    assert "PYT111" not in codes(judged(machine(*APT))), "C++ needs none"
    found = only(judged(machine(*APT), "python"), "PYT111")
    assert found.severity is Severity.ERROR
    assert "'tensorrt==10.3.0.*'" in found.fix[0].text or "tensorrt==10.3.0" in found.fix[0].text


@pytest.mark.parametrize(
    "snapshot",
    [
        machine(*APT, system=(BINDINGS,), loadings=(loading("tensorrt"),)),
        machine(*APT, system=(BINDINGS,), packages=(package("tensorrt", "10.3.0"),)),
        machine(*APT, system=(BINDINGS,), went=WENT[:2]),  # nobody looked for modules
        machine(system=(BINDINGS,)),
    ],
)
def test_bindings_that_are_there_or_unknown(snapshot: Snapshot) -> None:
    assert "PYT111" not in codes(judged(snapshot, "python"))


# -- the matrix --------------------------------------------------------------------------------------------------------


def test_what_the_matrix_says_of_tools() -> None:
    matrix = load()
    trtexec, polygraphy = tools.row(matrix, "trtexec"), tools.row(matrix, "polygraphy")
    assert tools.row(matrix, "nvcc") is None
    assert trtexec is not None
    assert polygraphy is not None
    assert [tools.comes_with(trtexec, origin) for origin in ("apt", "pip", None)] == [
        Answer.YES,
        Answer.NO,
        Answer.UNKNOWN,
    ]
    answers = {
        text: tools.understands_rtx(polygraphy, Version.parse(text))[0] for text in ("0.49.22", "0.49.24", "0.49")
    }
    assert answers == {"0.49.22": Answer.NO, "0.49.24": Answer.YES, "0.49": Answer.UNKNOWN}
    assert tools.understands_rtx(trtexec, Version.parse("1"))[0] is Answer.NO


def test_programs_stand_in_the_inventory() -> None:
    unknown = Tool("polygraphy", "/usr/local/bin/polygraphy")
    found = judged(machine(*APT, programs=(TRTEXEC, unknown))).inventory
    shown = [(item.component, item.version, item.origin, item.status) for item in found if item.component in TOOLS]
    assert shown == [
        ("trtexec", "10.3.0", "/usr/src/tensorrt/bin/trtexec (libnvinfer-bin 10.3.0)", "ok"),
        ("polygraphy", None, "/usr/local/bin/polygraphy", "unknown"),
    ]
