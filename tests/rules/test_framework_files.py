"""FWK7xx: what frameworks' libraries ask the loader for; FWK101 to 103 where the files say more than the version."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.rules.making import (
    SITE,
    SYSTEM,
    codes,
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
from trtdoctor.findings import Finding, Report, Severity
from trtdoctor.snapshot import Copy, Distribution, Loaded, Loading, Missing, Snapshot

CAPI = f"{SITE}/onnxruntime/capi"
EXTENSION = f"{CAPI}/onnxruntime_pybind11_state.cpython-312-x86_64-linux-gnu.so"
PROVIDER = {
    "tensorrt": f"{CAPI}/libonnxruntime_providers_tensorrt.so",
    "cuda": f"{CAPI}/libonnxruntime_providers_cuda.so",
}
ORT = package("onnxruntime-gpu", "1.31.1", libraries=True)
TRT10 = tuple(
    replace(item, soname=f"{item.name}.so.10") for item in tensorrt("10.9.0", f"{SITE}/tensorrt_libs", origin="pip")
)


def without(provider: str, *names: str, **values: Any) -> list[Missing]:
    """What a provider lacks, as the loader's simulation tells it: each library, then the provider itself."""
    asker = PROVIDER[provider]
    found = [lacks(name, needed_by=asker, lazy=True, swallowed=False, **values) for name in names]
    own = asker.rpartition("/")[2]
    return [*found, lacks(own, "dependency", needed_by=EXTENSION, detail=names[0], path=asker, lazy=True)]


def onnxruntime(*items: Missing | Loaded, **values: Any) -> Loading:
    return loading("onnxruntime", *items, owner="onnxruntime-gpu 1.31.1", path=f"{SITE}/onnxruntime", **values)


def cuda_found() -> Loaded:
    """The CUDA provider, opened with success."""
    return Loaded("libonnxruntime_providers_cuda", path=PROVIDER["cuda"], realpath=PROVIDER["cuda"], lazy=True)


def machine(*copies: Copy, loadings: tuple[Loading, ...], packages: tuple[Distribution, ...] = (ORT,)) -> Snapshot:
    return replace(live(*copies, packages=packages), loadings=loadings)


def fwk(report: Report) -> dict[str, Severity]:
    return {
        item.code: item.severity for item in report.findings if item.code.startswith("FWK") and item.code != "FWK601"
    }


# -- onnxruntime's providers -------------------------------------------------------------------------------------------

NVINFER = without("tensorrt", "libnvinfer.so.10", "libnvonnxparser.so.10")


@pytest.mark.parametrize(
    ("copies", "goal", "severity"),
    [
        ((), (), Severity.INFO),  # nobody asked for TensorRT through onnxruntime, and none is there
        ((), ("onnxruntime",), Severity.ERROR),
        (TRT10, (), Severity.WARNING),  # it is there, and whether it is found depends on the code
        (TRT10, ("onnxruntime",), Severity.WARNING),
    ],
)
def test_the_tensorrt_provider_would_fall_back(
    copies: tuple[Copy, ...], goal: tuple[str, ...], severity: Severity
) -> None:
    report = judged(machine(*copies, loadings=(onnxruntime(*NVINFER, cuda_found()),)), *goal)
    assert fwk(report) == {"FWK701": severity}
    found = only(report, "FWK701")
    assert found.components == ("onnxruntime", "tensorrt")
    assert "libnvinfer.so.10 and libnvonnxparser.so.10" in found.title
    assert "onnxruntime-gpu 1.31.1" in found.title


def test_a_provider_that_gets_everything_is_silent() -> None:
    report = judged(machine(*TRT10, loadings=(onnxruntime(cuda_found()),)), "onnxruntime")
    assert fwk(report) == {}


def fixes(found: Finding) -> list[str]:
    return [item.text for item in found.fix]


def test_how_to_mend_the_tensorrt_provider() -> None:
    """Install it; or import tensorrt first where that was seen to help; or search its directory."""
    nowhere = judged(machine(loadings=(onnxruntime(*NVINFER, cuda_found()),)))
    assert fixes(only(nowhere, "FWK701")) == ["/venv/bin/python -m pip install 'tensorrt-cu13==10.*'"]
    cured = loading("tensorrt, onnxruntime")
    helped = judged(machine(*TRT10, loadings=(onnxruntime(*NVINFER, cuda_found()), cured)))
    assert "Import tensorrt before" in fixes(only(helped, "FWK701"))[0]
    system = tuple(replace(item, soname=f"{item.name}.so.10") for item in tensorrt("10.9.0", "/opt/TensorRT/lib"))
    elsewhere = judged(machine(*system, loadings=(onnxruntime(*NVINFER, cuda_found()),)))
    assert fixes(only(elsewhere, "FWK701"))[0].startswith("export LD_LIBRARY_PATH=/opt/TensorRT/lib")


def test_versions_that_say_it_already_are_not_told_twice() -> None:
    other = tensorrt("11.3.0", origin="apt")
    report = judged(machine(*other, loadings=(onnxruntime(*NVINFER, cuda_found()),)), "onnxruntime")
    assert fwk(report) == {"FWK101": Severity.ERROR}
    # The same TensorRT, but the files link it: another build of the same number.
    whole = judged(machine(*other, loadings=(onnxruntime(cuda_found()),)), "onnxruntime")
    assert fwk(whole) == {}


CUBLAS_WHEEL = library("libcublas", "13.1.0", f"{SITE}/nvidia/cu13/lib", soname="libcublas.so.13")
WANTED_13 = ("libcublasLt.so.13", "libcublas.so.13")


def test_cuda_in_wheels_needs_one_call() -> None:
    pair = (CUBLAS_WHEEL, replace(CUBLAS_WHEEL, name="libcublasLt", soname="libcublasLt.so.13"))
    both = tuple(replace(item, path=f"{SITE}/nvidia/cu13/lib/{item.soname}", realpath=None) for item in pair)
    asked = onnxruntime(*without("tensorrt", "libcublas.so.13"), *without("cuda", *WANTED_13))
    report = judged(machine(*both, loadings=(asked,)))
    assert fwk(report) == {"FWK702": Severity.INFO}
    assert "preload_dlls()" in fixes(only(report, "FWK702"))[0]
    assert fwk(judged(machine(*both, loadings=(asked,)), "onnxruntime")) == {"FWK702": Severity.WARNING}


def test_cuda_that_is_nowhere() -> None:
    report = judged(machine(loadings=(onnxruntime(*without("cuda", *WANTED_13, "libcurand.so.10")),)), "onnxruntime")
    assert fwk(report) == {"FWK702": Severity.ERROR}
    found = only(report, "FWK702")
    assert found.components == ("onnxruntime", "cublas")
    assert fixes(found) == ["/venv/bin/python -m pip install 'onnxruntime-gpu[cuda,cudnn]==1.31.1'"]


def test_what_the_driver_brings_is_left_to_its_rules() -> None:
    report = judged(machine(loadings=(onnxruntime(*without("cuda", "libcuda.so.1")),)), "onnxruntime")
    assert fwk(report) == {}


def test_a_symbol_that_the_tensorrt_here_lacks() -> None:
    asker = PROVIDER["tensorrt"]
    item = Missing(asker.rpartition("/")[2], asker, "undefined-symbol", "getBuilderPluginRegistry", asker, lazy=True)
    report = judged(machine(*TRT10, loadings=(onnxruntime(cuda_found(), item),)), "onnxruntime")
    assert fwk(report) == {"FWK701": Severity.ERROR}
    assert only(report, "FWK701").components == ("onnxruntime", "tensorrt")


def test_a_library_of_the_jetson_s_host() -> None:
    items = without("tensorrt", "libnvdla_compiler.so")
    report = judged(machine(*TRT10, loadings=(onnxruntime(*items, cuda_found()),)), "onnxruntime")
    assert only(report, "FWK701").components == ("onnxruntime", "jetpack", "tensorrt")


# -- the files decide where one version has several builds -------------------------------------------------------------

ORT_118 = package("onnxruntime-gpu", "1.18.1", libraries=True)


@pytest.mark.parametrize(
    ("lacking", "found"),
    [
        # The build for CUDA 11, in CUDA 12: certain now, where the version alone gives a warning.
        (without("cuda", "libcublasLt.so.11", "libcudart.so.11.0"), {"FWK102": Severity.ERROR}),
        # The build for CUDA 12 and cuDNN 9: CUDA is found, cuDNN 8 is not what it asks for.
        (without("cuda", "libcudnn.so.9"), {"FWK103": Severity.ERROR}),
        ([], {}),
    ],
)
def test_files_tell_the_build(lacking: list[Missing], found: dict[str, Severity]) -> None:
    here = (
        library("libcudart", "12.4.127", soname="libcudart.so.12"),
        library("libcublas", "12.4.5", soname="libcublas.so.12"),
        library("libcudnn", "8.9.7", soname="libcudnn.so.8"),
    )
    items: list[Missing | Loaded] = [*lacking, *([] if lacking else [cuda_found()])]
    report = judged(machine(*here, loadings=(onnxruntime(*items),), packages=(ORT_118,)))
    assert fwk(report) == found


# -- other frameworks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("importer", "distribution", "code", "name"),
    [
        ("torch", package("torch", "2.7.1"), "FWK703", "libcudnn.so.9"),
        ("torch_tensorrt", package("torch-tensorrt", "2.8.0"), "FWK704", "libnvinfer.so.10"),
        ("tensorrt_llm", package("tensorrt-llm", "1.0.0"), "FWK705", "libnvinfer.so.10"),
        ("tensorflow", package("tensorflow", "2.17.0"), "FWK707", "libcudnn.so.8"),
    ],
)
def test_a_library_that_stops_an_import(importer: str, distribution: Distribution, code: str, name: str) -> None:
    word = distribution.name
    asks = loading(importer, lacks(name, needed_by=f"{SITE}/{importer}/lib/libx.so"), owner=f"{word} 1")
    snapshot = machine(*TRT10, loadings=(asks,), packages=(distribution,))
    report = judged(snapshot)
    assert fwk(report)[code] is Severity.WARNING, "it lies there, and nobody said that he uses it"
    assert only(report, code).components[0] == word
    assert name in only(report, code).title
    meant = fwk(judged(snapshot, word))[code]
    assert meant is (Severity.WARNING if code == "FWK707" else Severity.ERROR)
    whole = machine(*TRT10, loadings=(loading(importer),), packages=(distribution,))
    assert code not in codes(judged(whole, word))


def test_what_is_only_opened_on_use_is_milder() -> None:
    asks = loading("torch", lacks("libnvrtc.so.12", needed_by=f"{SITE}/torch/lib/libtorch.so", lazy=True))
    snapshot = machine(loadings=(asks,), packages=(package("torch", "2.7.1"),))
    assert fwk(judged(snapshot)) == {"FWK703": Severity.INFO}
    swallowed = loading("torch", lacks("libnvrtc.so.12", needed_by=f"{SITE}/torch/lib/libtorch.so", swallowed=True))
    assert fwk(judged(machine(loadings=(swallowed,)))) == {}


def test_what_an_import_was_seen_to_do_without_is_not_told() -> None:
    """The prediction said that it stops; the process came through."""
    predicted = loading("torch", lacks("libcudnn.so.9", needed_by=f"{SITE}/torch/lib/libtorch.so"))
    observed = loading("torch", method="observed")
    assert fwk(judged(machine(loadings=(predicted, observed), packages=(package("torch", "2.7.1"),)), "torch")) == {}


def test_a_back_end_of_triton() -> None:
    path = "/opt/tritonserver/backends/tensorrt/libtriton_tensorrt.so"
    asks = loading("libtriton_tensorrt.so", lacks("libnvinfer.so.10", needed_by=path), kind="file", path=path)
    report = judged(machine(loadings=(asks,), packages=()), "triton")
    assert fwk(report) == {"FWK706": Severity.ERROR}
    assert only(report, "FWK706").components == ("triton", "tensorrt")
    assert not of_family(report, "LDR2"), "it is a framework's file"


def test_torch_tensorrt_beside_a_torch_of_another_build() -> None:
    path = f"{SITE}/torch_tensorrt/lib/libtorchtrt.so"
    item = Missing("libtorchtrt.so", path, "undefined-symbol", "_ZNK3c105Error4whatEv", path)
    asks = loading("torch_tensorrt", item, owner="torch-tensorrt 2.8.0")
    report = judged(machine(*TRT10, loadings=(asks,), packages=(package("torch-tensorrt", "2.8.0"),)), "torch-tensorrt")
    assert only(report, "FWK704").components == ("torch-tensorrt", "torch")
    # The versions say why: that code is enough.
    both = (package("torch-tensorrt", "2.8.0"), package("torch", "2.9.1"))
    found = fwk(judged(machine(*TRT10, loadings=(asks,), packages=both), "torch-tensorrt"))
    assert "FWK301" in found
    assert "FWK704" not in found


def test_another_tensorrt_major_is_told_by_the_versions() -> None:
    asks = loading("torch_tensorrt", lacks("libnvinfer.so.10", needed_by=f"{SITE}/torch_tensorrt/lib/libtorchtrt.so"))
    here = tensorrt("11.1.0", f"{SITE}/tensorrt_libs", origin="pip")
    found = fwk(judged(machine(*here, loadings=(asks,), packages=(package("torch-tensorrt", "2.8.0"),))))
    assert found == {"FWK302": Severity.ERROR}


def test_what_tensorrt_itself_lacks_is_told_once() -> None:
    """libnvinfer lacks a library: TensorRT's own import says so, the framework's need not."""
    nvinfer = f"{SYSTEM}/libnvinfer.so.10"
    item = lacks("libnvdla_compiler.so", needed_by=nvinfer)
    own = loading("tensorrt", item)
    asks = onnxruntime(replace(item, lazy=True), cuda_found())
    found = codes(judged(machine(*TRT10, loadings=(own, asks)), "onnxruntime"))
    assert "LDR204" in found
    assert "FWK701" not in found


def test_an_undefined_symbol_of_tensorrt_s_own() -> None:
    path = f"{SYSTEM}/libnvinfer.so.10"
    symbol = "_ZN5nvdla19IConcatenationLayer7setAxisEi"
    item = Missing("libnvinfer.so.10", path, "undefined-symbol", symbol, path)
    report = judged(machine(*TRT10, loadings=(loading("tensorrt", item),), packages=()))
    assert only(report, "LDR210").severity is Severity.ERROR
    assert only(report, "LDR210").components == ("jetpack", "tensorrt")
    parser = f"{SYSTEM}/libnvonnxparser.so.10"
    item = Missing("libnvonnxparser.so.10", parser, "undefined-symbol", "getPluginRegistry", parser)
    report = judged(machine(*TRT10, loadings=(loading("tensorrt", item),), packages=()))
    assert only(report, "LDR210").components == ("tensorrt",)
    assert "LDR210" not in codes(judged(machine(*TRT10, loadings=(loading("tensorrt"),))))
