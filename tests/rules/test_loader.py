"""Family LDR: which copies win, what is not found, and what the search path has to do with it."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.making import (
    SITE,
    SYSTEM,
    codes,
    cudnn9,
    declared,
    entry,
    got,
    judged,
    lacks,
    library,
    live,
    loading,
    of_family,
    only,
    package,
    tensorrt,
)
from trtdoctor.findings import Severity
from trtdoctor.matrix import load
from trtdoctor.rules.importer_origins import requirements
from trtdoctor.snapshot import (
    Copy,
    Distribution,
    Loaded,
    Loading,
    Missing,
    SearchEntry,
    Setting,
    Snapshot,
)
from trtdoctor.versions import Version

OPT = "/opt/TensorRT-10.3.0/lib"
LIBS = f"{SITE}/tensorrt_libs"
CUDNN_WHEEL = f"{SITE}/nvidia/cudnn/lib"
BINDINGS = package("tensorrt-cu12-bindings", "10.9.0.34", libraries=True)
LIBS_WHEEL = package("tensorrt-cu12-libs", "10.9.0.34", libraries=True)
OWNER = "tensorrt-cu12 10.9.0.34"


def with_loadings(snapshot: Snapshot, *loadings: Loading, entries: tuple[SearchEntry, ...] = ()) -> Snapshot:
    return replace(snapshot, loadings=loadings, search_entries=entries)


def ldr(snapshot: Snapshot, *goal: str) -> list[str]:
    return of_family(judged(snapshot, *goal), "LDR")


# -- LDR101: another release of TensorRT ------------------------------------------------------------------------------


def shadowed(version: str, step: str = "ld_library_path") -> Snapshot:
    own, other = tensorrt("10.9.0", LIBS), tensorrt(version, OPT)
    pinned = loading("tensorrt", *(got(copy, step, entry=OPT) for copy in other[:3]), owner=OWNER)
    return with_loadings(
        live(*own, *other, packages=(BINDINGS, LIBS_WHEEL)), pinned, entries=(entry("/opt/own"), entry(OPT, 1))
    )


def test_bindings_get_an_older_release_by_the_search_path() -> None:
    report = judged(shadowed("10.3.0"))
    found = only(report, "LDR101")
    assert found.severity is Severity.WARNING
    assert "10.9.0" in found.title
    assert "10.3.0" in found.title
    assert "LD_LIBRARY_PATH" in found.detail
    assert LIBS in found.detail
    assert [step.text for step in found.fix] == ["export LD_LIBRARY_PATH=/opt/own"]
    assert "TRT110" not in codes(report)  # one cause, one finding
    assert of_family(report, "LDR") == ["LDR101"]


def test_the_only_entry_left_out_is_the_variable_unset() -> None:
    found = only(judged(replace(shadowed("10.3.0"), search_entries=(entry(OPT),))), "LDR101")
    assert [step.text for step in found.fix] == ["unset LD_LIBRARY_PATH"]


def test_a_copy_in_the_cache_is_passed_by_a_directory_in_front() -> None:
    found = only(judged(shadowed("10.3.0", "ld.so.cache")), "LDR101")
    assert [step.text for step in found.fix] == [
        f"export LD_LIBRARY_PATH={LIBS}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
    ]


def test_a_newer_release_says_what_becomes_of_engines() -> None:
    found = only(judged(shadowed("10.13.3")), "LDR101")
    assert "10.13.3" in found.breaks
    assert "missing" not in found.breaks


def test_the_right_release_by_the_search_path_is_fine() -> None:
    assert "LDR101" not in ldr(shadowed("10.9.0"))


def test_a_version_that_may_be_the_same_is_not_judged() -> None:
    snapshot = shadowed("10.3.0")
    partly = tuple(replace(copy, version="10") for copy in snapshot.copies)
    assert "LDR101" not in ldr(replace(snapshot, copies=partly))


def test_what_was_seen_counts_more_than_what_was_predicted() -> None:
    snapshot = shadowed("10.3.0")
    own = [copy for copy in snapshot.copies if copy.path and copy.path.startswith(LIBS)]
    seen = loading("tensorrt", *(got(copy, None) for copy in own[:3]), owner=OWNER, method="observed")
    assert ldr(replace(snapshot, loadings=(*snapshot.loadings, seen))) == ["LDR401"]


# -- LDR102: a library that was pinned --------------------------------------------------------------------------------


def torch_with(winner: tuple[Copy, ...], *, pin: str = "9.10.2.21", step: str = "ld_library_path") -> Snapshot:
    torch = replace(package("torch", "2.8.0"), requires=(f"nvidia-cudnn-cu12=={pin}; platform_system == 'Linux'",))
    wheel = package("nvidia-cudnn-cu12", pin, libraries=True)
    own = tuple(replace(copy, owner=f"nvidia-cudnn-cu12 {pin}") for copy in cudnn9("9.10.2", CUDNN_WHEEL))
    found = loading("torch", *(got(copy, step, entry=SYSTEM) for copy in winner), owner="torch 2.8.0")
    snapshot = live(*own, *winner, packages=(torch, wheel))
    return with_loadings(snapshot, found, entries=(entry(SYSTEM),))


def test_an_older_cudnn_than_the_pinned_one_wins() -> None:
    found = only(judged(torch_with(cudnn9("9.1.0"))), "LDR102")
    assert found.severity is Severity.WARNING
    assert "9.1.0" in found.title
    assert "9.10.2" in found.title
    assert found.components[:2] == ("loader", "cudnn")
    assert [step.text for step in found.fix] == ["unset LD_LIBRARY_PATH"]
    assert [source.id for source in found.sources] == ["cudnn_fwd_compat"]


def test_a_newer_cudnn_of_the_same_major_is_only_told() -> None:
    found = only(judged(torch_with(cudnn9("9.14.0"))), "LDR102")
    assert found.severity is Severity.INFO
    assert found.fix == ()


def test_the_wheels_own_cudnn_is_fine() -> None:
    own = tuple(replace(copy, owner="nvidia-cudnn-cu12 9.10.2.21") for copy in cudnn9("9.10.2", CUDNN_WHEEL))
    assert ldr(torch_with(own, step="runpath")) == []


def test_one_of_unknown_release_is_told_and_not_judged() -> None:
    named_by_soname = tuple(replace(copy, version="9", how="soname") for copy in cudnn9("9.1.0"))
    found = only(judged(torch_with(named_by_soname)), "LDR102")
    assert found.severity is Severity.INFO
    assert "unknown release" in found.title
    assert found.fix


def test_a_pin_alone_counts_where_its_wheel_is_not_installed() -> None:
    torch = replace(package("torch", "2.8.0"), requires=("nvidia-cudnn-cu12 (==9.10.2.21)",))
    system = cudnn9("9.1.0")
    found = loading("torch", *(got(copy) for copy in system), owner="torch 2.8.0")
    assert "pin" in only(judged(with_loadings(live(*system, packages=(torch,)), found)), "LDR102").title


def test_a_wheel_that_others_brought_is_not_ones_own() -> None:
    snapshot = torch_with(cudnn9("9.1.0"))
    other = replace(snapshot.loadings[0], importer="onnxruntime", owner="onnxruntime-gpu 1.23.0")
    gpu = package("onnxruntime-gpu", "1.23.0", libraries=True)
    python = replace(snapshot.interpreters[0], distributions=(*snapshot.interpreters[0].distributions, gpu))
    assert "LDR102" not in ldr(replace(snapshot, loadings=(other,), interpreters=(python,)))


def test_what_a_requirement_requires_counts_too() -> None:
    toolkit = replace(package("cuda-toolkit", "13.0.2"), requires=('nvidia-cublas==13.1.0.3.*; extra == "cublas"',))
    torch = replace(package("torch", "2.11.0"), requires=("cuda-toolkit[cublas]==13.0.2",))
    wheel = package("nvidia-cublas", "13.1.0.3", libraries=True)
    own = library("libcublas", "13.1.0.3", f"{SITE}/nvidia/cu13/lib", owner="nvidia-cublas 13.1.0.3")
    system = library("libcublas", "13.0.0.19", "/usr/local/cuda/lib64")
    found = loading("torch", got(system, "ld_library_path", entry="/usr/local/cuda/lib64"), owner="torch 2.11.0")
    report = judged(with_loadings(live(own, system, packages=(torch, toolkit, wheel)), found))
    assert only(report, "LDR102").severity is Severity.WARNING


def test_an_older_cublas_of_a_toolkit_hides_the_wheels() -> None:
    torch = replace(package("torch", "2.8.0"), requires=("nvidia-cublas-cu12==12.8.4.1",))
    wheel = package("nvidia-cublas-cu12", "12.8.4.1", libraries=True)
    own = library("libcublas", "12.8.4.1", f"{SITE}/nvidia/cublas/lib", owner="nvidia-cublas-cu12 12.8.4.1")
    toolkit = library("libcublas", "12.1.3.1", "/usr/local/cuda/lib64")
    found = loading("torch", got(toolkit, "ld_library_path", entry="/usr/local/cuda/lib64"), owner="torch 2.8.0")
    assert only(judged(with_loadings(live(own, toolkit, packages=(torch, wheel)), found)), "LDR102").severity is (
        Severity.WARNING
    )


@given(st.text(max_size=60))
def test_requirements_of_any_text(text: str) -> None:
    for name, version in requirements(Distribution("x", requires=(text,))).items():
        assert name == name.lower()
        assert version is None or isinstance(version, Version)


@given(
    st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4}){0,2}", fullmatch=True), st.integers(0, 99), st.integers(0, 99)
)
def test_pins_are_read_back(name: str, major: int, minor: int) -> None:
    for text in (
        f"{name}=={major}.{minor}",
        f"{name} (=={major}.{minor}.*)",
        f"{name}=={major}.{minor} ; os_name=='x'",
    ):
        assert requirements(Distribution("x", requires=(text,))) == {name: Version.parse(f"{major}.{minor}")}
    assert requirements(Distribution("x", requires=(f"{name}=={major}.{minor}; extra == 'all'",))) == {}
    assert requirements(Distribution("x", requires=(f"{name}>={major}.{minor}",))) == {name: None}


# -- LDR103: parts from two places ------------------------------------------------------------------------------------


def mixed(other: str, importer: str = "torch", **values: object) -> Snapshot:
    whole, system = cudnn9("9.10.2", CUDNN_WHEEL), cudnn9(other)
    items = [got(whole[0], "runpath"), got(whole[1], "runpath", **values)]
    items += [got(copy, "ld_library_path", entry=SYSTEM, **values) for copy in system[2:]]
    return with_loadings(live(*whole, *system), loading(importer, *items), entries=(entry(SYSTEM),))


def test_parts_of_cudnn_from_two_directories() -> None:
    found = only(judged(mixed("9.1.0")), "LDR103")
    assert found.severity is Severity.WARNING  # torch alone; TensorRT 10 needs no cuDNN
    assert "9.10.2" in found.title
    assert "9.1.0" in found.title
    assert "SUBLIBRARY_VERSION_MISMATCH" in found.breaks
    assert "measured_mix" in [source.id for source in found.sources]


def test_parts_of_one_version_in_two_directories_are_no_mix() -> None:
    assert "LDR103" not in ldr(mixed("9.10.2"))


def test_a_mix_that_tensorrt_needs_and_that_was_seen_is_an_error() -> None:
    parts = ("libcudnn", "libcudnn_ops_infer", "libcudnn_cnn_infer")
    one = [library(name, "8.6.0", CUDNN_WHEEL) for name in parts]
    other = [library(name, "8.9.7") for name in parts]
    trt = tensorrt("8.5.3", f"{SITE}/tensorrt")
    seen = loading("tensorrt", got(one[0], None), *(got(copy, None) for copy in other[1:]), method="observed")
    report = judged(with_loadings(live(*one, *other, *trt), seen))
    assert only(report, "LDR103").severity is Severity.ERROR
    lazily = replace(seen, method="predicted", loaded=tuple(replace(item, lazy=True) for item in seen.loaded))
    report = judged(with_loadings(live(*one, *other, *trt), lazily))
    assert only(report, "LDR103").severity is Severity.WARNING


def test_a_parser_of_another_release() -> None:
    main, other = tensorrt("10.9.0"), tensorrt("10.3.0", OPT)
    found = loading("trtexec", got(main[0]), got(other[2], "ld_library_path", entry=OPT))
    report = judged(with_loadings(live(*main, *other), found, entries=(entry(OPT),)))
    assert "libnvonnxparser 10.3.0" in only(report, "LDR103").title


def test_nvrtc_and_its_builtins_of_one_minor() -> None:
    nvrtc = library("libnvrtc", "12.9.86", f"{SITE}/nvidia/cuda_nvrtc/lib")
    fitting = library("libnvrtc-builtins", "12.9", "/usr/local/cuda/lib64")
    other = library("libnvrtc-builtins", "12.4", "/usr/local/cuda/lib64")
    assert ldr(with_loadings(live(nvrtc, fitting), loading("torch", got(nvrtc), got(fitting, lazy=True)))) == []
    assert ldr(with_loadings(live(nvrtc, other), loading("torch", got(nvrtc), got(other, lazy=True)))) == ["LDR103"]


# -- LDR104: two CUDA majors ------------------------------------------------------------------------------------------


def runtimes(importer: str, *versions: str) -> Snapshot:
    copies = [library("libcudart", version, f"/cuda-{version}/lib") for version in versions]
    named = [got(copy, soname=f"libcudart.so.{copy.version.partition('.')[0]}") for copy in copies if copy.version]
    return with_loadings(live(*copies), loading(importer, *named))


def test_two_cuda_majors_in_one_process() -> None:
    found = only(judged(runtimes("tensorrt", "12.8.90", "13.0.96")), "LDR104")
    assert found.severity is Severity.WARNING
    assert "CUDA 12 and 13" in found.title


def test_two_majors_by_two_packages_are_only_told() -> None:
    assert only(judged(runtimes("torch, tensorrt", "12.8.90", "13.0.96")), "LDR104").severity is Severity.INFO


def test_one_major_twice_is_not_two_majors() -> None:
    assert "LDR104" not in ldr(runtimes("tensorrt", "13.0.96", "13.0"))


# -- LDR105: stubs ----------------------------------------------------------------------------------------------------


def test_a_stub_on_the_search_path() -> None:
    stubs = "/usr/local/cuda/lib64/stubs"
    stub = Loaded(
        "libnvidia-ml", "libnvidia-ml.so.1", f"{stubs}/libnvidia-ml.so.1", step="ld_library_path", entry=stubs
    )
    found = only(judged(with_loadings(live(), loading("tensorrt", stub), entries=(entry(stubs),))), "LDR105")
    assert [step.text for step in found.fix] == ["unset LD_LIBRARY_PATH"]
    real = replace(stub, path="/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1", entry="/usr/lib/x86_64-linux-gnu")
    assert ldr(with_loadings(live(), loading("tensorrt", real))) == []


# -- LDR106: several copies -------------------------------------------------------------------------------------------


def test_two_cudnns_and_two_runtimes_name_both_and_who_gets_which() -> None:
    wheel = tuple(replace(copy, owner="nvidia-cudnn-cu13 9.19.0.56") for copy in cudnn9("9.19.0", CUDNN_WHEEL))
    system = cudnn9("9.14.0")
    near = library("libcudart", "13.0.96", f"{SITE}/nvidia/cu13/lib", owner="nvidia-cuda-runtime 13.0.96")
    far = library("libcudart", "13.0", "/usr/local/cuda-13.0/lib")
    packages = (package("torch", "2.11.0"), package("nvidia-cudnn-cu13", "9.19.0.56", libraries=True))
    torch = loading("torch", got(near, "rpath"), *(got(copy, "rpath") for copy in wheel), owner="torch 2.11.0")
    report = judged(with_loadings(live(*wheel, *system, near, far, packages=packages), torch))
    found = [item for item in report.findings if item.code == "LDR106"]
    assert [item.severity for item in found] == [Severity.INFO, Severity.INFO]
    assert "9.19.0" in found[0].title
    assert "9.14.0" in found[0].title
    assert "loaded by torch" in found[0].detail
    assert SYSTEM in found[0].detail
    assert "13.0.96" in found[1].title
    assert of_family(report, "LDR") == ["LDR106", "LDR106"]


def test_one_copy_is_nothing_to_tell() -> None:
    system = cudnn9("9.14.0")
    assert ldr(with_loadings(live(*system), loading("torch", *(got(copy) for copy in system)))) == []


# -- LDR107: order of imports -----------------------------------------------------------------------------------------


def orders(first: str, second: str) -> Snapshot:
    wheel, system = library("libcudnn", first, CUDNN_WHEEL), library("libcudnn", second)
    soname = {"soname": "libcudnn.so.9"}
    return with_loadings(
        live(wheel, system),
        loading("torch, tensorrt", got(wheel, "runpath", **soname)),
        loading("tensorrt, torch", got(system, **soname)),
    )


def test_both_orders_are_shown_with_the_better_one() -> None:
    found = only(judged(orders("9.10.2", "9.1.0")), "LDR107")
    assert found.severity is Severity.WARNING
    assert "torch, then tensorrt gives 9.10.2" in found.title
    assert "tensorrt, then torch 9.1.0" in found.title
    assert found.components == ("cudnn", "loader", "torch")
    assert [step.text for step in found.fix] == ["Import torch before tensorrt."]


def test_another_patch_release_by_another_order_is_only_told() -> None:
    assert only(judged(orders("9.10.2", "9.10.1")), "LDR107").severity is Severity.INFO


def test_an_unknown_release_in_one_order_is_not_said_to_be_alike() -> None:
    found = only(judged(orders("9.10.2", "9")), "LDR107")
    assert found.severity is Severity.INFO
    assert found.breaks.startswith("Not known")
    assert "both are of one minor" in only(judged(orders("9.10.2", "9.10.1")), "LDR107").breaks


def test_the_same_file_in_both_orders_is_nothing_to_tell() -> None:
    copy = library("libcudnn", "9.10.2", CUDNN_WHEEL)
    both = (loading("torch, tensorrt", got(copy)), loading("tensorrt, torch", got(copy)))
    assert ldr(with_loadings(live(copy), *both)) == []


# -- LDR201 to LDR204: not found --------------------------------------------------------------------------------------


def test_cudnn_outside_the_search_path_names_the_directory() -> None:
    place = "/usr/local/cuda-11.8/lib64"
    cudnn = library("libcudnn", "8.6.0", place, soname="libcudnn.so.8")
    parts = [library(f"libcudnn_{name}", "8.6.0", place) for name in ("ops_infer", "ops_train", "cnn_infer")]
    parts += [library(f"libcudnn_{name}", "8.6.0", place) for name in ("cnn_train", "adv_infer", "adv_train")]
    trt = tensorrt("8.5.3", f"{SITE}/tensorrt", flavour="cu11")
    others = [library("libcublas", "11.11.3.6"), library("libcudart", "11.8.89")]
    wanting = lacks("libcudnn.so.8", needed_by=f"{SITE}/tensorrt/libnvinfer_plugin.so.8")
    report = judged(with_loadings(live(*trt, cudnn, *parts, *others), loading("tensorrt", got(trt[0]), wanting)))
    found = only(report, "LDR202")
    assert found.severity is Severity.ERROR
    assert place in found.title
    assert found.components == ("cudnn", "loader")
    assert "libnvinfer_plugin.so.8" in found.detail
    assert found.fix[0].text == f"export LD_LIBRARY_PATH={place}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"


def test_a_library_that_is_there_for_another_machine_only() -> None:
    foreign = lacks(
        "libfoo.so.1", "foreign-architecture", path="/arm/libfoo.so.1", needed_by="/usr/lib/libnvinfer.so.10"
    )
    trt = tensorrt("10.9.0")
    found = only(judged(with_loadings(live(*trt), loading("tensorrt", foreign))), "LDR204")
    assert found.severity is Severity.ERROR
    assert "/arm/libfoo.so.1" in [fact.where for fact in found.facts]


def test_cudnn_that_is_nowhere_keeps_its_code() -> None:
    trt = tensorrt("8.5.3", f"{SITE}/tensorrt", flavour="cu11")
    others = [library("libcublas", "11.11.3.6"), library("libcudart", "11.8.89")]
    report = judged(with_loadings(live(*trt, *others), loading("tensorrt", got(trt[0]), lacks("libcudnn.so.8"))))
    assert of_family(report, "DNN", "LDR") == ["DNN101"]


def test_a_wheel_brings_what_is_nowhere() -> None:
    trt = tensorrt("10.9.0", LIBS, flavour="cu12")
    wanting = loading("tensorrt", got(trt[0]), lacks("libcublas.so.12"), owner=OWNER)
    snapshot = with_loadings(live(*trt, packages=(BINDINGS, LIBS_WHEEL)), wanting)
    found = only(judged(snapshot), "LDR203")
    assert found.fix[0].text == "/venv/bin/python -m pip install nvidia-cublas-cu12"
    assert found.components == ("cublas", "loader")


def test_another_way_to_the_same_tensorrt_makes_it_a_warning_unless_python_is_wanted() -> None:
    trt = tensorrt("10.9.0")
    pair = (
        loading("tensorrt", lacks("libnvinfer.so.10"), owner=OWNER),
        loading("trtexec", *(got(copy) for copy in trt[:3])),
    )
    snapshot = with_loadings(live(*trt, packages=(BINDINGS,)), *pair)
    assert only(judged(snapshot), "LDR201").severity is Severity.WARNING
    assert only(judged(snapshot, "python"), "LDR201").severity is Severity.ERROR


def test_the_drivers_libraries_are_not_told_here() -> None:
    assert ldr(with_loadings(live(*tensorrt("10.9.0")), loading("tensorrt", lacks("libcuda.so.1")))) == []


def test_what_a_framework_lacks_is_not_told_here() -> None:
    assert ldr(with_loadings(live(*tensorrt("10.9.0")), loading("torch", lacks("libcudnn.so.9")))) == []


def test_a_library_of_the_system() -> None:
    found = only(
        judged(with_loadings(live(*tensorrt("10.9.0")), loading("tensorrt", lacks("libnvdla_compiler.so")))), "LDR204"
    )
    assert found.components == ("loader", "tensorrt")


def test_what_is_everywhere_is_unknown_where_it_was_only_predicted() -> None:
    trt = tensorrt("10.9.0")
    predicted = loading("tensorrt", got(trt[0]), lacks("libm.so.6"))
    report = judged(with_loadings(live(*trt), predicted))
    assert of_family(report, "LDR") == []
    assert any(item.component == "loader" for item in report.unknowns)
    seen = replace(predicted, method="observed")
    assert ldr(with_loadings(live(*trt), seen)) == ["LDR204"]


def test_several_names_that_one_importer_lacks_are_one_finding() -> None:
    trt = tensorrt("10.9.0", "/data/lib")
    names = ("libnvinfer.so.10", "libnvinfer_plugin.so.10", "libnvonnxparser.so.10")
    found = only(judged(with_loadings(live(*trt), loading("tensorrt", *map(lacks, names)))), "LDR201")
    assert "and 2 more" in found.title
    assert {fact.key for fact in found.facts} >= set(names)


def test_a_process_that_came_through_refutes_the_prediction() -> None:
    trt = tensorrt("10.9.0")
    predicted = loading("tensorrt", got(trt[0]), lacks("libfoo.so.1"))
    seen = loading("tensorrt", got(trt[0], None), method="observed")
    assert ldr(with_loadings(live(*trt), predicted, seen)) == ["LDR401"]


def test_useless_entries_are_named_beside_what_is_not_found() -> None:
    trt = tensorrt("10.9.0", "/data/trt/lib")
    wanting = loading("tensorrt", lacks("libnvinfer.so.10"))
    path = (entry("/data/trt/lib64", state="missing"),)
    found = only(judged(with_loadings(live(*trt), wanting, entries=path)), "LDR201")
    assert ("LD_LIBRARY_PATH", "entry is missing") in [(fact.key, fact.value) for fact in found.facts]
    assert "/data/trt/lib" in found.fix[0].text


@pytest.mark.parametrize("name", ["libcudnn.so.8", "libnvinfer.so.10", "libcublas.so.12", "libz.so.1", "x" * 300])
def test_titles_stay_short(name: str) -> None:
    trt = tensorrt("10.9.0", "/a/directory/with/a/very/long/name/that/goes/on/and/on/and/on/lib")
    report = judged(with_loadings(live(*trt), loading("tensorrt", lacks(name))))
    assert all(len(item.title) <= 110 for item in report.findings if item.code.startswith("LDR"))


# -- LDR205: no library -----------------------------------------------------------------------------------------------


def test_an_empty_file_first_hides_a_whole_library() -> None:
    whole = tensorrt("10.9.0")
    empty = library("libnvinfer", "10.9.0", "/opt/broken", problem="truncated")
    stops = lacks("libnvinfer.so.10", "truncated", path=empty.path)
    report = judged(with_loadings(live(*whole, empty), loading("tensorrt", stops)))
    found = only(report, "LDR205")
    assert found.severity is Severity.ERROR
    assert "file too short" in found.breaks
    assert SYSTEM in found.fix[0].text
    assert "TRT111" not in codes(report)


def test_an_empty_file_without_a_whole_library_keeps_its_code() -> None:
    empty = library("libnvinfer", "7.1.3", problem="truncated")
    stops = lacks("libnvinfer.so.7", "truncated", path=empty.path)
    assert of_family(judged(with_loadings(live(empty), loading("tensorrt", stops))), "TRT", "LDR") == ["TRT111"]


def test_a_broken_file_that_nobody_meets_stays_a_warning() -> None:
    whole = tensorrt("10.9.0")
    broken = library("libnvinfer", "10.9.0", "/opt/broken", problem="not-elf")
    report = judged(with_loadings(live(*whole, broken), loading("tensorrt", *(got(copy) for copy in whole))))
    assert of_family(report, "TRT", "LDR") == ["TRT111"]


# -- LDR206: symbol versions ------------------------------------------------------------------------------------------


def test_a_newer_glibc_is_wanted() -> None:
    trt = tensorrt("10.9.0", "/opt/trt/lib")
    asking = {"needed_by": "/opt/trt/lib/libnvinfer.so.10", "path": "/lib/libc.so.6"}
    stops = [lacks("libc.so.6", "symbol-version", detail=f"GLIBC_2.{minor}", **asking) for minor in (34, 38)]
    found = only(judged(with_loadings(live(*trt, glibc="2.31"), loading("tensorrt", *stops))), "LDR206")
    assert found.severity is Severity.ERROR
    assert found.title == "tensorrt: libnvinfer.so.10 needs GLIBC_2.38; this is glibc 2.31"
    assert found.components == ("glibc", "tensorrt")


def test_a_symbol_version_of_no_known_form_is_told_as_it_is() -> None:
    stops = lacks("libodd.so.1", "symbol-version", detail="ODD", needed_by="/x/libnvinfer.so.10")
    found = only(judged(with_loadings(live(*tensorrt("10.9.0")), loading("tensorrt", stops))), "LDR206")
    assert "ODD" in found.breaks


def test_an_older_libstdcxx_wins() -> None:
    stops = lacks("libstdc++.so.6", "symbol-version", detail="GLIBCXX_3.4.30", needed_by="/x/libnvinfer.so.10")
    found = only(judged(with_loadings(live(*tensorrt("10.9.0")), loading("tensorrt", stops))), "LDR206")
    assert found.components == ("loader", "tensorrt")
    assert "libstdc++.so.6" in found.title


def test_the_files_alone_tell_it_where_nothing_imports_them() -> None:
    new = tensorrt("10.9.0", "/opt/trt/lib", needs_glibc="2.38")
    assert only(judged(live(*new, glibc="2.31")), "LDR206").severity is Severity.ERROR
    assert ldr(live(*new, glibc="2.38")) == []
    other = tensorrt("8.6.1", "/opt/older/lib", needs_glibc="2.17")
    assert only(judged(live(*new, *other, glibc="2.31")), "LDR206").severity is Severity.WARNING


# -- LDR207: executable stack -----------------------------------------------------------------------------------------


def stacked(version: str, flag: bool | None) -> tuple[Copy, ...]:
    *others, resource = tensorrt(version, LIBS)
    return (*(replace(copy, executable_stack=False) for copy in others), replace(resource, executable_stack=flag))


def test_a_builder_resource_that_glibc_refuses() -> None:
    copies = stacked("10.7.0", True)
    refused = lacks("libnvinfer_builder_resource.so.10.7.0", "executable-stack", path=copies[-1].path, lazy=True)
    report = judged(with_loadings(live(*copies, glibc="2.41"), loading("tensorrt", got(copies[0]), refused)))
    found = only(report, "LDR207")
    assert found.severity is Severity.ERROR
    assert "Building" in found.breaks
    assert of_family(report, "TRT") == []  # the table of versions is silent where the files were read
    running = judged(with_loadings(live(*copies, glibc="2.41"), loading("tensorrt", refused)), "run")
    assert only(running, "LDR207").severity is Severity.WARNING


def test_the_flag_alone_is_a_warning_and_a_clear_flag_is_none() -> None:
    assert only(judged(live(*stacked("10.7.0", True), glibc="2.41")), "LDR207").severity is Severity.WARNING
    assert of_family(judged(live(*stacked("10.7.0", False), glibc="2.41")), "LDR", "TRT") == []
    assert of_family(judged(live(*stacked("10.7.0", True), glibc="2.40")), "LDR", "TRT") == []


def test_without_the_flag_known_the_table_speaks() -> None:
    assert of_family(judged(live(*tensorrt("10.7.0", LIBS), glibc="2.41")), "LDR", "TRT") == ["TRT107"]


# -- LDR208: opened on use --------------------------------------------------------------------------------------------


def cudnn8(place: str) -> list[Copy]:
    """A whole cuDNN 8, and the CUDA 11 that it goes with."""
    parts = ("", "_ops_infer", "_ops_train", "_cnn_infer", "_cnn_train", "_adv_infer", "_adv_train")
    of_cuda = [library("libcublas", "11.11.3.6"), library("libcudart", "11.8.89")]
    return [*(library(f"libcudnn{part}", "8.6.0", place) for part in parts), *of_cuda]


def resource_elsewhere(*goal: str) -> list[str]:
    trt = tensorrt("10.9.0")
    moved = library("libnvinfer_builder_resource", "10.9.0", "/opt/resources")
    lazily = lacks("libnvinfer_builder_resource.so.10.9.0", lazy=True)
    return ldr(
        with_loadings(live(*trt[:3], moved), loading("trtexec", *(got(copy) for copy in trt[:3]), lazily)), *goal
    )


def test_a_builder_resource_that_is_not_searched() -> None:
    assert resource_elsewhere() == ["LDR208"]
    assert resource_elsewhere("run") == []


def test_a_builder_resource_that_may_not_exist_is_not_missed() -> None:
    trt = (*tensorrt("10.13.3")[:3], library("libnvinfer_builder_resource_sm90", "10.13.3"))
    lazily = lacks("libnvinfer_builder_resource.so.10.13.3", lazy=True)
    assert ldr(with_loadings(live(*trt), loading("tensorrt", got(trt[0]), lazily))) == []


def test_a_tensorrt_that_does_without_cudnn_is_not_told_that_it_lacks_it() -> None:
    trt = tensorrt("10.9.0")
    lazily = lacks("libcudnn.so.8", lazy=True)
    assert ldr(with_loadings(live(*trt), loading("tensorrt", got(trt[0]), lazily))) == []


def test_what_only_lacks_the_driver_is_left_to_the_driver() -> None:
    trt = tensorrt("8.5.3", f"{SITE}/tensorrt", flavour="cu11")
    broken = lacks("libcudnn_cnn_infer.so.8", "dependency", detail="libcuda.so.1", lazy=True)
    for_good = lacks("libcudnn_cnn_infer.so.8", "dependency", detail="libfoo.so.1", lazy=True)
    files = live(*trt, *cudnn8(CUDNN_WHEEL))
    assert ldr(with_loadings(files, loading("tensorrt", got(trt[0]), broken, lacks("libcuda.so.1", lazy=True)))) == []
    assert ldr(with_loadings(files, loading("tensorrt", got(trt[0]), for_good))) == ["LDR208"]


def test_a_part_that_fails_for_want_of_another_names_that_one() -> None:
    trt = tensorrt("8.5.3", f"{SITE}/tensorrt", flavour="cu11")
    files = live(*trt, *cudnn8(CUDNN_WHEEL))
    lacking = [
        lacks("libz.so.1", lazy=True, needed_by=f"{CUDNN_WHEEL}/libcudnn_cnn_infer.so.8"),
        lacks("libcudnn_cnn_infer.so.8", "dependency", detail="libz.so.1", lazy=True),
        lacks("libcudnn_cnn_train.so.8", "dependency", detail="libcudnn_cnn_infer.so.8", lazy=True),
    ]
    found = only(judged(with_loadings(files, loading("tensorrt", got(trt[0]), *lacking))), "LDR208")
    assert "for want of libz.so.1" in found.title
    assert "not searched" not in found.detail
    assert "libz.so.1" in found.fix[0].text
    assert "LD_LIBRARY_PATH" not in found.fix[0].text


def test_a_part_that_is_found_broken_is_told_as_broken() -> None:
    trt = tensorrt("8.5.3", f"{SITE}/tensorrt", flavour="cu11")
    broken = [
        lacks("libcudnn_ops_infer.so.8", "truncated", path="/x/libcudnn_ops_infer.so.8", lazy=True),
        lacks("libcudnn_cnn_infer.so.8", "dependency", detail="libcudnn_ops_infer.so.8", lazy=True),
    ]
    found = ldr(with_loadings(live(*trt, *cudnn8(CUDNN_WHEEL)), loading("tensorrt", got(trt[0]), *broken)))
    assert found == ["LDR205"]


def test_nvrtc_without_its_builtins() -> None:
    trt = tensorrt("10.9.0")
    lazily = lacks("libnvrtc-builtins.so.12.9", lazy=True, needed_by="/x/libnvrtc.so.12")
    report = judged(with_loadings(live(*trt), loading("tensorrt", got(trt[0]), lazily)))
    assert only(report, "LDR208").severity is Severity.WARNING


# -- LDR209: preload --------------------------------------------------------------------------------------------------


def test_a_preload_that_fails_silently() -> None:
    trt = tensorrt("10.9.0", LIBS)
    quiet = Missing(
        "libnvinfer_plugin.so.10", problem="dependency", detail="libfoo.so.1", path=trt[1].path, swallowed=True
    )
    report = judged(with_loadings(live(*trt), loading("tensorrt", got(trt[0]), quiet)))
    found = only(report, "LDR209")
    assert found.severity is Severity.WARNING
    assert "libnvinfer_plugin" in found.title
    assert "libfoo.so.1" in found.breaks


def test_a_preload_that_is_made_good_later_is_nothing_to_tell() -> None:
    trt = tensorrt("10.9.0", LIBS)
    quiet = lacks("libnvinfer_plugin.so.10", path=trt[1].path, swallowed=True)
    assert ldr(with_loadings(live(*trt), loading("tensorrt", *(got(copy) for copy in trt), quiet))) == []


# -- LDR301 to LDR303: the search path --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["</home/ubuntu/TensorRT-8.2.1.8/lib>", "~/TensorRT-8.2.1.8/lib", "$HOME/TensorRT/lib", '"/opt/TensorRT/lib"'],
)
def test_an_entry_that_no_directory_is_called(text: str) -> None:
    path = (entry(text, state="missing"),)
    wanting = loading("tensorrt", lacks("libnvinfer.so.8"))
    found = only(judged(with_loadings(live(*tensorrt("8.2.1", "/x")), wanting, entries=path)), "LDR301")
    assert found.severity is Severity.ERROR
    assert found.components == ("loader", "tensorrt")
    fine = loading("tensorrt", *(got(copy) for copy in tensorrt("8.2.1", "/x")))
    quiet = only(judged(with_loadings(live(*tensorrt("8.2.1", "/x")), fine, entries=path)), "LDR301")
    assert quiet.severity is Severity.WARNING
    assert of_family(judged(with_loadings(live(), entries=path)), "LDR", "TRT") == ["LDR301"]  # the cause of TRT101


def test_another_entry_that_no_directory_is_called() -> None:
    path = (entry("~/cudnn/lib", state="missing"),)
    trt = tensorrt("10.9.0")
    snapshot = with_loadings(live(*trt), loading("tensorrt", got(trt[0])), entries=path)
    assert only(judged(snapshot), "LDR304").severity is Severity.INFO
    wanting = replace(snapshot, loadings=(loading("tensorrt", got(trt[0]), lacks("libfoo.so.1")),))
    assert only(judged(wanting), "LDR304").severity is Severity.WARNING


def test_a_declared_search_path_is_read_too() -> None:
    report = declared(
        tensorrt=[{"version": "8.2.1.8", "from": "tar"}],
        loader={"ld_library_path": ["</home/ubuntu/TensorRT-8.2.1.8/lib>"]},
    )
    assert only(report, "LDR301").severity is Severity.WARNING


@pytest.mark.parametrize(
    "text", ["/usr/local/nvidia/lib64", "/opt/a b/lib", "$ORIGIN/../lib", "${LIB}/x", "<dir1>/TensorRT/lib", "/opt/a~b"]
)
def test_entries_that_are_merely_absent_are_fine(text: str) -> None:
    path = (entry(text, state="missing"),)
    assert ldr(with_loadings(live(), loading("tensorrt", lacks("libnvinfer.so.8")), entries=path), "python") in (
        [],
        ["LDR201"],
    )
    assert ldr(with_loadings(live(*tensorrt("10.9.0")), entries=path)) == []


def test_an_existing_directory_of_a_strange_name_is_one() -> None:
    assert ldr(with_loadings(live(*tensorrt("10.9.0")), entries=(entry("/opt/<x>/lib", state="ok"),))) == []


def test_the_current_directory_on_the_search_path() -> None:
    there = (entry("", state="relative", libraries=2),)
    assert only(judged(with_loadings(live(*tensorrt("10.9.0")), entries=there)), "LDR302").severity is Severity.INFO
    empty = (entry("", state="relative", libraries=0),)
    assert ldr(with_loadings(live(*tensorrt("10.9.0")), entries=empty)) == []


def test_an_entry_that_decides_is_told() -> None:
    one, other = cudnn9("9.14.0", "/opt/cudnn/lib"), cudnn9("9.10.2")
    loaded = loading("trtexec", *(got(copy, "ld_library_path", entry="/opt/cudnn/lib") for copy in one))
    found = only(judged(with_loadings(live(*one, *other), loaded, entries=(entry("/opt/cudnn/lib"),))), "LDR303")
    assert found.severity is Severity.INFO
    assert "9.14.0, not 9.10.2" in found.title
    alone = with_loadings(live(*one), loaded, entries=(entry("/opt/cudnn/lib"),))
    assert ldr(alone) == []


def test_several_releases_are_only_told_where_it_is_known_who_gets_which() -> None:
    wanted, other = tensorrt("10.9.0", "/opt/trt/lib"), tensorrt("10.3.0")
    loaded = loading("trtexec", *(got(copy, "ld_library_path", entry="/opt/trt/lib") for copy in wanted))
    assert only(judged(live(*wanted, *other)), "TRT110").severity is Severity.WARNING
    report = judged(with_loadings(live(*wanted, *other), loaded, entries=(entry("/opt/trt/lib"),)))
    found = only(report, "TRT110")
    assert found.severity is Severity.INFO
    assert "trtexec gets 10.9.0" in found.detail
    assert of_family(report, "LDR") == []


# -- LDR311 to LDR313: Windows ----------------------------------------------------------------------------------------

ZIP = "C:\\TensorRT-10.9.0.34\\lib"
CUDA = "C:\\Program Files\\NVIDIA GPU Computing Toolkit\\CUDA\\v12.8\\bin"


def dll(name: str, component: str, role: str, file: str, version: str, directory: str) -> Copy:
    path = f"{directory}\\{file}"
    return Copy(component, name, role, version, "header", path=path, realpath=path)


def nvinfer(version: str, directory: str) -> Copy:
    major = version.partition(".")[0]
    return replace(dll("libnvinfer", "tensorrt", "builder", f"nvinfer_{major}.dll", version, directory), product="full")


def windows(*copies: Copy, path: tuple[str, ...], packages: tuple[Distribution, ...] = (BINDINGS,)) -> Snapshot:
    entries = tuple(SearchEntry("PATH", number, text) for number, text in enumerate(path))
    snapshot = live(*copies, packages=packages, system="windows", libc=None, glibc=None, distribution="windows")
    return replace(snapshot, search_entries=entries, searched=(*snapshot.searched, "zlib"))


def test_dlls_that_path_does_not_lead_to() -> None:
    found = only(judged(windows(nvinfer("10.9.0", ZIP), path=(CUDA,))), "LDR311")
    assert found.severity is Severity.ERROR
    assert "nvinfer_10.dll" in found.breaks
    assert ZIP in found.fix[0].text
    assert ldr(windows(nvinfer("10.9.0", ZIP), path=(CUDA, ZIP.lower() + "\\"))) == []
    assert ldr(windows(nvinfer("10.9.0", "C:\\py\\Lib\\site-packages\\tensorrt_libs"), path=(CUDA,))) == []


def test_two_releases_of_one_dll_on_path() -> None:
    other = "C:\\TensorRT-10.3\\lib"
    shadow = judged(windows(nvinfer("10.9.0", ZIP), nvinfer("10.3.0", other), path=(other, ZIP)))
    found = only(shadow, "LDR101")  # the same rule as on Linux
    assert "10.3.0" in found.title
    assert f"Put {ZIP} before {other} in PATH." in found.fix[0].text
    right = judged(windows(nvinfer("10.9.0", ZIP), nvinfer("10.3.0", other), path=(ZIP, other)))
    assert only(right, "LDR312").severity is Severity.WARNING
    assert ldr(windows(nvinfer("10.9.0", ZIP), nvinfer("10.3.0", other), path=(ZIP,))) == []


def test_an_older_cudnn_first_on_path() -> None:
    def cudnn(version: str, directory: str) -> Copy:
        return dll("libcudnn", "cudnn", "runtime", "cudnn64_9.dll", version, directory)

    older = windows(cudnn("9.1.0", "C:\\a"), cudnn("9.10.2", "C:\\b"), path=("C:\\a", "C:\\b"), packages=())
    assert only(judged(older), "LDR312").severity is Severity.WARNING
    newer = windows(cudnn("9.1.0", "C:\\a"), cudnn("9.10.2", "C:\\b"), path=("C:\\b", "C:\\a"), packages=())
    assert only(judged(newer), "LDR312").severity is Severity.INFO


def test_torch_and_a_toolkit_on_path_by_the_order_of_imports() -> None:
    cublas = dll("libcublas", "cublas", "runtime", "cublas64_11.dll", "11.7.4", CUDA)
    own = dll("libcublas", "cublas", "runtime", "cublas64_11.dll", "11.2.0", "C:\\py\\Lib\\site-packages\\torch\\lib")
    packages = (package("tensorrt", "8.2.2.1", libraries=True), package("torch", "1.9.0", libraries=True))
    plain = dll("libnvinfer", "tensorrt", "builder", "nvinfer.dll", "8.2.2", ZIP)
    report = judged(windows(cublas, own, replace(plain, product="full"), path=(ZIP, CUDA), packages=packages))
    found = only(report, "LDR107")
    assert found.severity is Severity.WARNING
    assert found.components == ("cublas", "loader", "torch")
    assert [step.text for step in found.fix] == ["Import torch before tensorrt."]


def test_zlib_for_cudnn_8_on_windows() -> None:
    cudnn = dll("libcudnn", "cudnn", "runtime", "cudnn64_8.dll", "8.4.0", CUDA)
    found = only(judged(windows(cudnn, path=(CUDA,), packages=())), "LDR313")
    assert found.severity is Severity.WARNING
    assert "zlibwapi.dll" in found.title
    zlib = Copy("zlib", "zlibwapi", path=f"{CUDA}\\zlibwapi.dll")
    assert ldr(windows(cudnn, zlib, path=(CUDA,), packages=())) == []
    assert ldr(windows(replace(cudnn, version="8.2.1"), path=(CUDA,), packages=())) == []
    assert ldr(replace(windows(cudnn, path=(CUDA,), packages=()), searched=("cudnn",))) == []


# -- LDR401, LDR402: what was seen ------------------------------------------------------------------------------------


def test_another_file_than_predicted() -> None:
    one, other = cudnn9("9.10.2", CUDNN_WHEEL)[0], cudnn9("9.10.2")[0]
    predicted, seen = loading("torch", got(one)), loading("torch", got(other, None), method="observed")
    found = only(judged(with_loadings(live(one, other), predicted, seen)), "LDR401")
    assert found.severity is Severity.INFO
    assert str(one.path) in found.detail
    assert str(other.path) in found.detail
    same = loading("torch", got(one, None), method="observed")
    assert "LDR401" not in ldr(with_loadings(live(one, other), predicted, same))


def test_an_import_that_failed() -> None:
    failed = loading(
        "tensorrt", method="observed", outcome="failed", error="ImportError: undefined symbol: getPluginRegistry"
    )
    found = only(judged(with_loadings(live(*tensorrt("10.9.0")), failed)), "LDR402")
    assert found.severity is Severity.ERROR
    assert "getPluginRegistry" in found.breaks
    told = replace(failed, missing=(lacks("libfoo.so.1"),))
    assert ldr(with_loadings(live(*tensorrt("10.9.0")), told)) == ["LDR204"]


def test_an_import_that_only_an_order_makes_crash() -> None:
    alone = [loading(name, method="observed") for name in ("torch", "tensorrt")]
    pair = loading("tensorrt, torch", method="observed", outcome="crashed", error="Segmentation fault")
    found = only(judged(with_loadings(live(*tensorrt("10.9.0")), *alone, pair)), "LDR402")
    assert found.severity is Severity.WARNING
    assert "torch, then tensorrt" in found.fix[0].text
    broken = replace(alone[0], outcome="failed")
    report = judged(with_loadings(live(*tensorrt("10.9.0")), broken, alone[1], pair))
    assert "torch" in only(report, "LDR402").title
    assert only(report, "LDR402").components == ("loader", "torch")


def test_a_framework_that_fails_is_a_warning_unless_it_is_meant() -> None:
    failed = loading("torch", method="observed", outcome="failed", error="OSError: libtorch_cuda.so")
    snapshot = with_loadings(live(*tensorrt("10.9.0")), failed)
    assert only(judged(snapshot), "LDR402").severity is Severity.WARNING
    assert only(judged(snapshot, "torch"), "LDR402").severity is Severity.ERROR


# -- what users run ---------------------------------------------------------------------------------------------------


@given(st.text(min_size=1, max_size=40))
def test_no_directory_can_break_out_of_a_command(name: str) -> None:
    place = f"/opt/{name}"
    trt = tensorrt("10.9.0", place)
    path = (entry("/keep/$(x) me"), entry(place, 1))
    shadow = loading("tensorrt", *(got(copy, "ld_library_path", entry=place) for copy in trt[:1]), owner=OWNER)
    snapshot = with_loadings(live(*trt, *tensorrt("10.3.0"), packages=(BINDINGS,)), shadow, entries=path)
    wanting = with_loadings(live(*trt), loading("tensorrt", lacks("libnvinfer.so.10")), entries=path)
    for found in (snapshot, wanting):
        plain = Snapshot.from_plain(found.to_plain())
        for item in judged(plain).findings:
            for fix in item.fix if item.code.startswith("LDR") else ():
                if fix.kind == "shell":
                    words = shlex.split(fix.text)
                    assert words[0] in ("export", "unset")
                    assert len(words) == 2
                    subprocess.run(["bash", "-n", "-c", fix.text], check=True)


def test_the_matrix_names_the_helper_of_cudnn() -> None:
    rows = load().rows("cudnn", "helpers")
    assert [row.key for row in rows] == ["zlibwapi.dll"]


def test_no_loadings_no_findings() -> None:
    assert ldr(live(*tensorrt("10.9.0"), *cudnn9("9.14.0"), *cudnn9("9.10.2", CUDNN_WHEEL))) == []


def test_a_search_path_that_is_only_a_setting() -> None:
    snapshot = replace(live(*tensorrt("10.9.0")), settings=(Setting("LD_LIBRARY_PATH", "/usr/local/nvidia/lib:"),))
    assert ldr(snapshot) == []


# -- whatever a snapshot says -----------------------------------------------------------------------------------------

_NAMES = (
    "libnvinfer.so.10",
    "libcudnn.so.9",
    "libcudnn_ops.so.9",
    "libcudart.so.12",
    "libnvrtc-builtins.so.12.9",
    "",
    "x",
)
_PATHS = (
    None,
    "",
    "/a/libcudnn.so.9",
    "/b/stubs/libcuda.so.1",
    "C:\\x\\nvinfer_10.dll",
    "/usr/lib/libnvinfer.so.10.9.0",
)
_texts = st.one_of(st.none(), st.text(max_size=20), st.sampled_from(_PATHS))
_loaded = st.builds(
    Loaded,
    library=st.sampled_from(("libnvinfer", "libcudnn", "libcudnn_ops", "libcudart", "")),
    soname=st.one_of(st.none(), st.sampled_from(_NAMES)),
    path=_texts,
    realpath=_texts,
    step=st.sampled_from((None, "ld_library_path", "rpath", "preloaded", "odd")),
    entry=_texts,
    needed_by=_texts,
    lazy=st.sampled_from((None, True, False)),
)
_missing = st.builds(
    Missing,
    name=st.one_of(st.sampled_from(_NAMES), st.text(max_size=20)),
    needed_by=_texts,
    problem=st.sampled_from(
        (
            "not-found",
            "not-elf",
            "truncated",
            "executable-stack",
            "symbol-version",
            "dependency",
            "undefined-symbol",
            "odd",
        )
    ),
    detail=st.one_of(
        st.none(), st.sampled_from(("GLIBC_2.38", "GLIBCXX_3", "_", "libcudnn.so.9")), st.text(max_size=8)
    ),
    path=_texts,
    swallowed=st.sampled_from((None, True, False)),
    lazy=st.sampled_from((None, True, False)),
)
_loadings = st.builds(
    Loading,
    importer=st.sampled_from(("tensorrt", "torch", "torch, tensorrt", "tensorrt, torch", "trtexec", "/x.so", "")),
    kind=st.sampled_from(("import", "program", "file", "odd")),
    method=st.sampled_from(("predicted", "observed", "odd")),
    outcome=st.sampled_from(("ok", "failed", "crashed", "timed-out", "unknown", "odd")),
    error=_texts,
    path=_texts,
    owner=st.sampled_from((None, OWNER, "torch 2.8.0", "odd")),
    loaded=st.lists(_loaded, max_size=5).map(tuple),
    missing=st.lists(_missing, max_size=5).map(tuple),
)
_entries = st.builds(
    SearchEntry,
    variable=st.sampled_from(("LD_LIBRARY_PATH", "PATH")),
    position=st.integers(0, 5),
    path=_texts,
    state=st.sampled_from(("ok", "missing", "relative", "odd")),
    libraries=st.one_of(st.none(), st.integers(0, 9)),
)


@given(st.lists(_loadings, max_size=5), st.lists(_entries, max_size=4), st.sampled_from(("linux", "windows")))
def test_no_snapshot_makes_a_rule_fall_over(loadings: list[Loading], entries: list[SearchEntry], system: str) -> None:
    torch = replace(package("torch", "2.8.0"), requires=("nvidia-cudnn-cu12==9.10.2.21", "tensorrt", "torch==2"))
    copies = (*tensorrt("10.9.0", needs_glibc="2.40", executable_stack=True), *cudnn9("9.1.0", CUDNN_WHEEL))
    files = live(*copies, nvinfer("10.9.0", "C:\\x"), packages=(BINDINGS, torch), system=system, glibc="2.41")
    snapshot = replace(files, loadings=tuple(loadings), search_entries=tuple(entries))
    for item in judged(Snapshot.from_plain(snapshot.to_plain())).findings:
        if item.code.startswith("LDR"):
            assert item.title
            assert len(item.title) <= 110
            assert item.breaks
            assert 1 <= len(item.components) <= 3
            assert "None" not in item.title + item.detail
