"""Family DNN: cuDNN against TensorRT, and cuDNN's own files against each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.rules.making import (
    SITE,
    SYSTEM,
    codes,
    cudnn9,
    declared,
    judged,
    library,
    live,
    of_family,
    only,
    package,
    tensorrt,
)
from trtdoctor.findings import Report, Severity
from trtdoctor.snapshot import Snapshot

RECORDED = Path(__file__).parent.parent / "data" / "snapshots"
CUBLAS = library("libcublas", "11.11.3.6")
CUDNN8 = tuple(
    library(name, "8.6.0")
    for name in (
        "libcudnn",
        *(f"libcudnn_{part}_{kind}" for part in ("ops", "cnn", "adv") for kind in ("infer", "train")),
    )
)


def recorded(name: str) -> Snapshot:
    return Snapshot.from_json((RECORDED / f"{name}.json").read_bytes())


def stack(version: str, *cudnn: str, origin: str = "tar") -> Report:
    return declared(
        os="linux",
        arch="x86_64",
        tensorrt=[{"version": version, "from": origin}],
        cudnn=[{"version": number} for number in cudnn],
    )


def test_missing_where_it_is_required() -> None:
    found = only(judged(live(*tensorrt("8.6.1"))), "DNN101")
    assert found.severity is Severity.ERROR
    assert "libcudnn.so.8" in found.breaks


def test_missing_where_nobody_looked_or_nobody_needs_it() -> None:
    assert of_family(judged(live(*tensorrt("8.6.1"), searched=("tensorrt",))), "DNN") == []
    assert of_family(judged(live(*tensorrt("10.9.0"))), "DNN") == []
    assert of_family(declared(tensorrt=[{"version": "8.6.1"}]), "DNN") == []


@pytest.mark.parametrize(("version", "cudnn"), [("8.5.3.1", "9.10.2"), ("7.2.2.3", "7.6.5"), ("8.6", "9")])
def test_another_major(version: str, cudnn: str) -> None:
    found = only(stack(version, cudnn), "DNN102")
    assert found.severity is Severity.ERROR
    assert found.components == ("cudnn", "tensorrt")


def test_the_recorded_unpinned_wheel() -> None:
    report = judged(recorded("trt853-unpinned"))
    assert only(report, "DNN102").fix[0].text.endswith(" nvidia-cudnn-cu11==8.6.0.163")
    assert of_family(report, "CUD", "TRT", "PYT") == []


def test_the_recorded_whole_wheel() -> None:
    assert of_family(judged(recorded("trt853")), "CUD", "TRT", "PYT", "DNN") == []


@pytest.mark.parametrize(
    ("version", "cudnn"),
    [
        ("8.5.3.1", "8.9.7"),  # a newer minor stands in
        ("8.6.1.6", "8.8"),  # the vendor calls the older one harmless
        ("8.2.5.1", "8.2"),
        ("8.2.5.1", "8"),
        ("10.4", "9.4"),
        ("11.4.0", "8.9"),
        ("8", "8.0.4"),  # which 8.x is not known
        ("8.6.3", "9.0"),
    ],
)
def test_cudnn_that_fits_or_cannot_be_told(version: str, cudnn: str) -> None:
    assert of_family(stack(version, cudnn), "DNN") == []


def test_an_older_minor_is_a_warning() -> None:
    found = only(stack("8.0.1.6", "8.0.4"), "DNN103")
    assert found.severity is Severity.WARNING
    assert "8.2" in found.title
    assert of_family(stack("8.0.1.6", "8.0.4", "8.2.1"), "DNN") == []


def test_the_right_major_beside_another_is_fine() -> None:
    assert of_family(stack("8.5.3.1", "9.10.2", "8.6.0"), "DNN") == []


def test_the_loaded_one_decides() -> None:
    both = [{"version": "9.10.2", "loaded": True}, {"version": "8.6.0"}]
    report = declared(os="linux", arch="x86_64", tensorrt=[{"version": "8.5.3.1"}], cudnn=both)
    assert of_family(report, "DNN") == ["DNN102"]


def test_containers_of_the_vendor_fit() -> None:
    assert of_family(stack("8.6.3", "9.0.0", origin="container"), "DNN") == []
    assert of_family(stack("8.5.3.1", "9.0.0", origin="container"), "DNN") == []


def test_files_of_two_versions_in_one_place() -> None:
    mixed = [copy for copy in cudnn9("9.10.2", f"{SITE}/nvidia/cudnn/lib") if copy.name != "libcudnn_graph"]
    mixed.append(library("libcudnn_graph", "9.28.0", f"{SITE}/nvidia/cudnn/lib"))
    found = only(judged(live(*mixed)), "DNN104")
    assert found.severity is Severity.WARNING  # nothing here needs cuDNN
    assert "9.28.0" in found.title
    assert "9.10.2" in found.title


def test_a_mix_is_an_error_where_tensorrt_needs_cudnn() -> None:
    mixed = [copy for copy in CUDNN8 if copy.name != "libcudnn_ops_infer"]
    mixed.append(library("libcudnn_ops_infer", "8.9.7"))
    report = judged(live(*tensorrt("8.5.3.1", flavour="cu11"), CUBLAS, *mixed))
    assert only(report, "DNN104").severity is Severity.ERROR


def test_two_wheels_that_write_the_same_files() -> None:
    found = only(judged(recorded("two-cudnn")), "DNN104")
    assert found.severity is Severity.WARNING
    assert "nvidia-cudnn-cu12" in found.title
    python = found.fix[0].text.partition(" -m ")[0]
    assert [step.text for step in found.fix] == [
        f"{python} -m pip uninstall -y nvidia-cudnn-cu12 nvidia-cudnn-cu13",
        f"{python} -m pip install nvidia-cudnn-cu13==9.28.1.4",
    ]
    old_and_new = (
        package("nvidia-cudnn-cu11", "8.6.0.163", libraries=True),
        package("nvidia-cudnn-cu12", "9.10.2.21", libraries=True),
    )
    assert "DNN104" not in codes(judged(live(packages=old_and_new)))  # libcudnn.so.8 and .so.9 do not collide


def test_whole_installations_in_two_places_are_fine() -> None:
    copies = (*cudnn9("9.14.0"), *cudnn9("9.19.0", f"{SITE}/nvidia/cudnn/lib"))
    assert of_family(judged(live(*copies)), "DNN") == []


def test_parts_from_another_place() -> None:
    lacking = [copy for copy in cudnn9("9.10.2", f"{SITE}/nvidia/cudnn/lib") if copy.name != "libcudnn_cnn"]
    found = only(judged(live(*lacking, *cudnn9("9.28.0"))), "DNN105")
    assert found.severity is Severity.WARNING
    assert "libcudnn_cnn" in found.title
    same = judged(live(*lacking, *cudnn9("9.10.2")))
    assert of_family(same, "DNN") == []


def test_parts_that_are_nowhere() -> None:
    shim = library("libcudnn", "8.6.0")
    found = only(judged(live(*tensorrt("8.5.3.1", flavour="cu11"), CUBLAS, shim)), "DNN106")
    assert found.severity is Severity.ERROR
    assert "libcudnn_adv_infer" in found.title
    assert of_family(judged(live(*tensorrt("8.5.3.1", flavour="cu11"), CUBLAS, *CUDNN8)), "DNN") == []
    unseen = live(*tensorrt("8.5.3.1", flavour="cu11"), CUBLAS, shim, searched=("tensorrt",))
    assert of_family(judged(unseen), "DNN") == []


def test_headers_are_no_libraries() -> None:
    header = replace(library("libcudnn", "9.1.0", SYSTEM), how="header", role="header", name=None)
    assert of_family(judged(live(*cudnn9("9.14.0"), header)), "DNN") == []
