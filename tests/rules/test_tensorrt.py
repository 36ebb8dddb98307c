"""Family TRT: whether TensorRT is there, whole, of one version, and of which release."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.rules.making import SITE, SYSTEM, codes, declared, judged, library, live, of_family, only, package, tensorrt
from trtdoctor.findings import Severity, Verdict
from trtdoctor.matrix import load
from trtdoctor.rules import RULES
from trtdoctor.rules.base import Rule
from trtdoctor.snapshot import Copy, Distribution, Driver, Gpu, Snapshot

LIBS = f"{SITE}/tensorrt_libs"
RECORDED = Path(__file__).parent.parent / "data" / "snapshots"


def recorded(name: str) -> Snapshot:
    return Snapshot.from_json((RECORDED / f"{name}.json").read_bytes())


def wheels(flavour: str, version: str, *, libs: bool | None = True) -> tuple[Distribution, ...]:
    """The four distributions of a pip installation; ``libs`` None leaves the libraries out."""
    parts = [
        package("tensorrt", version),
        package(f"tensorrt-{flavour}", version),
        package(f"tensorrt-{flavour}-bindings", version, libraries=True),
    ]
    if libs is not None:
        parts.append(package(f"tensorrt-{flavour}-libs", version, libraries=libs))
    return tuple(parts)


# -- TRT101 -----------------------------------------------------------------------------------------------------------


def test_none_found_names_the_release_to_install() -> None:
    snapshot = replace(
        live(),
        driver=Driver(version="580.95.05", installed=True),
        gpus=(Gpu(0, "NVIDIA H200", "9.0", visible=True),),
    )
    found = only(judged(snapshot), "TRT101")
    assert found.severity is Severity.ERROR
    command = r"/venv/bin/python -m pip install --extra-index-url https://pypi\.nvidia\.com tensorrt==11\.4\.0\.106 .*"
    assert re.fullmatch(command, found.fix[0].text)


@pytest.mark.parametrize(
    ("driver", "name", "capability", "wanted"),
    [
        ("550.54.15", "NVIDIA H200", "9.0", r"tensorrt-cu12==1[01]\..*"),  # no CUDA 13 on R550
        ("580.95.05", "Tesla V100", "7.0", r"tensorrt.*==10\.4\..*"),  # the last release for Volta
        ("580.95.05", "GeForce GTX 1080", "6.1", r"tensorrt==8\.6\..*"),  # the last for Pascal
    ],
)
def test_the_release_fits_driver_and_gpu(driver: str, name: str, capability: str, wanted: str) -> None:
    snapshot = replace(
        live(python="3.10.12"),
        driver=Driver(version=driver, installed=True),
        gpus=(Gpu(0, name, capability, visible=True),),
    )
    remedy = only(judged(snapshot), "TRT101").remedy
    assert remedy is not None
    first = (remedy.detail("distributions") or "").split()[0]
    assert re.fullmatch(wanted, f"{first}{remedy.wanted}"), remedy


def test_nothing_fits_gives_a_sentence_not_a_command() -> None:
    snapshot = replace(live(python="3.12.3"), gpus=(Gpu(0, "GeForce GTX 1080", "6.1", visible=True),))
    found = only(judged(snapshot), "TRT101")
    assert [step.kind for step in found.fix] == ["manual"]


def test_not_searched_is_not_absent() -> None:
    assert of_family(judged(live(searched=())), "TRT") == []
    assert of_family(declared(driver="580"), "TRT") == []


def test_tensorrt_for_rtx_is_a_tensorrt() -> None:
    assert of_family(judged(recorded("rtx")), "TRT") == []


# -- TRT102 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bindings-only", "stub", "stub-861", "two-flavours"])
def test_recorded_environments_without_libraries(name: str) -> None:
    report = judged(recorded(name))
    found = only(report, "TRT102")
    assert found.severity is Severity.ERROR
    assert "libnvinfer" in found.title
    assert "-libs==" in found.fix[0].text
    assert "TRT101" not in codes(report)


def test_libraries_of_the_system_serve_bindings() -> None:
    bare = (package("tensorrt-cu12-bindings", "10.9.0.34", libraries=True),)
    assert of_family(judged(live(*tensorrt("10.9.0"), packages=bare)), "TRT") == []
    assert "TRT102" in codes(judged(live(*tensorrt("8.6.1"), packages=bare)))  # another soname


def test_a_whole_installation() -> None:
    copies = tensorrt("11.4.0", LIBS, flavour="cu13")
    assert of_family(judged(live(*copies, packages=wheels("cu13", "11.4.0.106"))), "TRT", "PYT") == []


def test_a_stub_of_the_libs_package() -> None:
    report = judged(live(packages=wheels("cu13", "11.4.0.106", libs=False)))
    assert of_family(report, "TRT") == ["TRT102"]


def test_files_that_were_deleted() -> None:
    damaged = package("tensorrt-cu12-libs", "10.9.0.34", libraries=True, missing=3)
    fine = package("tensorrt-cu12-bindings", "10.9.0.34", libraries=True)
    found = only(judged(live(*tensorrt("10.9.0", LIBS), packages=(fine, damaged))), "TRT102")
    assert "lacks 3" in found.title


def test_meta_package_without_bindings() -> None:
    report = judged(live(*tensorrt("10.9.0"), packages=(package("tensorrt", "10.9.0.34"),)))
    assert "tensorrt_bindings" in only(report, "TRT102").breaks


def test_names_and_versions_alone_say_nothing_of_files() -> None:
    assert of_family(declared(packages={"tensorrt-cu12-bindings": "10.9.0.34"}), "TRT") == []


# -- TRT103, TRT104 ---------------------------------------------------------------------------------------------------


def test_meta_package_of_another_release_is_a_warning() -> None:
    parts = (
        package("tensorrt", "10.0.1"),
        package("tensorrt-cu12-bindings", "10.1.0", libraries=True),
        package("tensorrt-cu12-libs", "10.1.0", libraries=True),
    )
    found = only(judged(live(*tensorrt("10.1.0", LIBS), packages=parts)), "TRT103")
    assert found.severity is Severity.WARNING
    assert "10.0.1" in found.title


def test_bindings_of_another_major_are_an_error() -> None:
    parts = (
        package("tensorrt-cu12-bindings", "11.4.0.106", libraries=True),
        package("tensorrt-cu12-libs", "10.16.1.11", libraries=True),
    )
    assert only(judged(live(*tensorrt("10.16.1", LIBS), packages=parts)), "TRT103").severity is Severity.ERROR


def test_a_post_release_is_the_same_release() -> None:
    parts = (
        package("tensorrt", "10.14.1.48"),
        package("tensorrt-cu13-bindings", "10.14.1.48.post1", libraries=True),
        package("tensorrt-cu13-libs", "10.14.1.48.post1", libraries=True),
    )
    assert of_family(judged(live(*tensorrt("10.14.1", LIBS), packages=parts)), "TRT") == []


def test_bindings_that_find_only_another_release() -> None:
    bare = (package("tensorrt-cu12-bindings", "10.9.0.34", libraries=True),)
    found = only(judged(live(*tensorrt("10.3.0"), packages=bare)), "TRT103")
    assert found.severity is Severity.WARNING


def test_two_flavours_in_one_python() -> None:
    copies = tensorrt("11.4.0", LIBS)
    both = (*wheels("cu12", "11.4.0.106"), *wheels("cu13", "11.4.0.106"))
    found = only(judged(live(*copies, packages=both)), "TRT104")
    assert found.severity is Severity.WARNING
    assert "cu12 and cu13" in found.title


def test_one_flavour_and_a_lean_runtime_of_another_do_not_collide() -> None:
    lean = (package("tensorrt-lean-cu12-bindings", "11.4.0.106", libraries=True),)
    copies = (
        *tensorrt("11.4.0", LIBS, flavour="cu13"),
        library("libnvinfer_lean", "11.4.0", f"{SITE}/tensorrt_lean_libs", flavour="cu12"),
    )
    assert "TRT104" not in codes(judged(live(*copies, packages=(*wheels("cu13", "11.4.0.106"), *lean))))


# -- TRT105, TRT106 ---------------------------------------------------------------------------------------------------


def test_a_lean_runtime_cannot_build() -> None:
    found = only(judged(recorded("lean-cu13")), "TRT105")
    assert found.severity is Severity.ERROR
    assert "cannot" in found.title or "not build" in found.title
    only_run = only(judged(recorded("lean-cu13"), "run"), "TRT105")
    assert only_run.severity is Severity.INFO


def test_a_lean_runtime_beside_the_full_product() -> None:
    copies = (*tensorrt("10.9.0"), library("libnvinfer_lean", "10.9.0"))
    assert of_family(judged(live(*copies)), "TRT") == []


def test_the_builder_resource_is_missing() -> None:
    copies = tuple(copy for copy in tensorrt("10.9.0") if copy.role != "builder-resource")
    found = only(judged(live(*copies)), "TRT106")
    assert found.severity is Severity.ERROR
    assert "libnvinfer_builder_resource.so.10.9.0" in found.breaks
    assert of_family(judged(live(*copies), "run"), "TRT") == []


def test_the_builder_resource_is_of_another_version() -> None:
    copies = [copy for copy in tensorrt("10.9.0") if copy.role != "builder-resource"]
    report = judged(live(*copies, library("libnvinfer_builder_resource", "10.3.0")))
    assert "10.3.0" in only(report, "TRT106").title


def test_builder_resources_a_gpu_are_as_good() -> None:
    copies = [copy for copy in tensorrt("10.16.1") if copy.role != "builder-resource"]
    assert of_family(judged(live(*copies, library("libnvinfer_builder_resource_sm90", "10.16.1"))), "TRT") == []


def test_old_releases_are_not_known_to_have_a_builder_resource() -> None:
    copies = [copy for copy in tensorrt("7.2.3") if copy.role != "builder-resource"]
    assert "TRT106" not in codes(judged(live(*copies)))


def test_builder_resource_needs_a_search() -> None:
    copies = [copy for copy in tensorrt("10.9.0") if copy.role != "builder-resource"]
    assert "TRT106" not in codes(judged(live(*copies, searched=())))


# -- TRT107, TRT108 ---------------------------------------------------------------------------------------------------


def test_a_known_bad_release() -> None:
    report = declared(os="linux", arch="x86_64", tensorrt=[{"version": "10.2.0", "from": "pip"}])
    found = only(report, "TRT107")
    assert found.severity is Severity.ERROR
    assert found.sources
    assert " tensorrt==10.2.0.post1 " in found.fix[0].text


@pytest.mark.parametrize(
    ("version", "system", "origin"),
    [
        ("10.2.0.post1", "linux", "pip"),
        ("10.2.0", "windows", "pip"),
        ("10.2.0", "linux", "tar"),
        ("10.2", "linux", "pip"),
    ],
)
def test_near_misses_of_a_known_bad_release(version: str, system: str, origin: str) -> None:
    report = declared(os=system, arch="x86_64", tensorrt=[{"version": version, "from": origin}])
    assert "TRT107" not in codes(report)


def test_a_defect_of_the_installation_ends_with_it() -> None:
    stated = declared(os="linux", arch="x86_64", tensorrt=[{"version": "10.13.3.9", "from": "pip-cu13"}])
    assert only(stated, "TRT107").severity is Severity.ERROR
    copies = tensorrt("10.13.3.9", LIBS, flavour="cu13")
    assert "TRT107" not in codes(judged(live(*copies, packages=wheels("cu13", "10.13.3.9"))))


def test_a_condition_on_another_fact() -> None:
    old = [{"version": "10.3.0", "from": "tar"}]
    place = {"os": "linux", "arch": "x86_64"}
    assert [
        item.severity for item in declared(**place, tensorrt=old, glibc="2.41").findings if item.code == "TRT107"
    ] == [
        Severity.WARNING,
        Severity.INFO,
    ]
    assert all(
        item.severity is Severity.INFO
        for item in declared(**place, tensorrt=old, glibc="2.39").findings
        if item.code == "TRT107"
    )


def test_newer_than_the_matrix_is_unknown() -> None:
    report = declared(tensorrt=[{"version": "12.1.0"}], driver="580", gpus=[{"name": "H200"}])
    assert of_family(report, "TRT", "CUD", "DNN", "PYT", "API") == []
    assert any(item.component == "tensorrt" and "newer than matrix 2026.11" in item.why for item in report.unknowns)
    assert report.verdict is Verdict.UNKNOWN


def test_a_release_that_never_was_is_unknown() -> None:
    report = declared(tensorrt=[{"version": "10.9.1"}])
    assert any("not in the matrix" in item.why for item in report.unknowns)


def test_a_known_release_is_not_unknown() -> None:
    for version in ("10.9.0.34", "10.9", "8", "11.5.0"):
        assert not any("matrix" in item.why for item in declared(tensorrt=[{"version": version}]).unknowns)


# -- TRT109, TRT110 ---------------------------------------------------------------------------------------------------


def test_libraries_of_another_release_in_one_place() -> None:
    copies = [copy for copy in tensorrt("10.9.0") if copy.role != "parser"]
    found = only(judged(live(*copies, library("libnvonnxparser", "10.3.0"))), "TRT109")
    assert found.severity is Severity.WARNING
    assert "libnvonnxparser 10.3.0" in found.title


def test_two_majors_side_by_side_do_not_disagree() -> None:
    report = judged(live(*tensorrt("10.9.0"), *tensorrt("8.6.1")))
    assert "TRT109" not in codes(report)
    assert only(report, "TRT110").severity is Severity.WARNING


def test_a_build_number_is_no_disagreement() -> None:
    copies = [copy for copy in tensorrt("10.9.0") if copy.role != "plugin"]
    assert of_family(judged(live(*copies, library("libnvinfer_plugin", "10.9.0.34"))), "TRT") == []


def test_several_releases() -> None:
    found = only(
        declared(tensorrt=[{"version": "8.6.1", "from": "apt"}, {"version": "10.3.0", "from": "tar"}]), "TRT110"
    )
    assert found.severity is Severity.WARNING
    assert "8.6.1" in found.title
    assert "10.3.0" in found.title


def test_wheel_and_system_are_apart() -> None:
    copies = (*tensorrt("10.9.0"), *tensorrt("10.16.1", LIBS, flavour="cu13"))
    found = only(judged(live(*copies, packages=wheels("cu13", "10.16.1.11"))), "TRT110")
    assert found.severity is Severity.INFO


@pytest.mark.parametrize(
    "entries",
    [
        [{"version": "8.6.1"}, {"version": "8.6.1.6"}],
        [{"version": "8.6"}, {"version": "8.6.1"}],
        [{"version": "8.6.1"}, {"version": "10.3.0", "loaded": True}],
    ],
)
def test_one_release_or_a_loaded_one(entries: list[dict[str, object]]) -> None:
    assert "TRT110" not in codes(declared(tensorrt=entries))


def test_the_same_directory_twice_is_one_installation() -> None:
    assert of_family(judged(live(*tensorrt("10.9.0", SYSTEM))), "TRT") == []


# -- every rule of these families --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.code[:3] in ("TRT", "CUD", "DNN", "PYT", "API")])
def test_documentation(rule: Rule) -> None:
    doc = rule.doc
    order = [doc.index(section) for section in ("Why it matters:", "Example:", "How to fix:", "Sources:")]
    assert order == sorted(order)
    matrix = load()
    for word in re.split(r"[,\s]+", doc.partition("Sources:")[2].strip()):
        assert word.startswith("https://") or matrix.source_url(word), word


def test_a_broken_file_is_named_and_told_instead_of_no_tensorrt() -> None:
    pointer = Copy("tensorrt", "libnvinfer", "builder", path="/opt/trt/lib/libnvinfer.so.10", problem="not-elf")
    report = judged(live(pointer))
    finding = only(report, "TRT111")
    assert finding.severity is Severity.ERROR
    assert "libnvinfer.so.10 is no library" in finding.title
    assert finding.facts[0].where == "/opt/trt/lib/libnvinfer.so.10"
    assert "TRT101" not in codes(report)


def test_a_broken_file_beside_a_whole_tensorrt_is_a_warning() -> None:
    whole = Copy("tensorrt", "libnvinfer", "builder", "10.9.0", path=f"{SYSTEM}/libnvinfer.so.10.9.0", product="full")
    cut = Copy("tensorrt", "libnvinfer", "builder", path="/opt/trt/lib/libnvinfer.so.10", problem="truncated")
    assert only(judged(live(whole, cut)), "TRT111").severity is Severity.WARNING
    assert "TRT111" not in codes(judged(live(whole)))
