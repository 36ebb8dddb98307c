"""What a machine cannot hold: another C library, another system, a GPU that a build's CUDA does not know."""

from __future__ import annotations

import pytest

from tests.plan.asking import ask, first, machine, question, trt
from trtdoctor.plan.builds import builds
from trtdoctor.plan.fit import weigh
from trtdoctor.plan.model import PlanReport


def reasons(report: PlanReport) -> list[str]:
    assert report.impossible is not None
    return list(report.impossible.reasons)


def test_a_distribution_with_musl_gets_no_wheel_and_no_archive() -> None:
    alpine = machine(os="alpine-3.19")
    assert first(alpine).install == "container"
    refused = reasons(ask(alpine, install=("pip", "archive")))
    assert any(text.startswith("musl: ") and "want glibc" in text for text in refused)


def test_an_archive_is_for_a_glibc_too() -> None:
    bionic = machine(os="ubuntu-18.04", python="3.6", driver="450.80.02", gpus=[{"name": "Tesla T4"}])
    plans = ask(bionic, install=("archive",), top=3).plans
    assert plans
    assert all("TensorRT 10.13" not in plan.title for plan in plans)
    jammy = first({**bionic, "os": "ubuntu-22.04"}, install=("archive",))
    assert jammy.title.startswith("TensorRT 10.13.0.35 for CUDA 11")


@pytest.mark.parametrize(
    ("system", "arch", "spoken"),
    [
        ("macos", "arm64", "macos aarch64"),
        ("macos", None, "macos"),
        ("ubuntu-22.04", "ppc64le", "ubuntu-22.04 ppc64le"),
        ("windows-11", "aarch64", "windows-11 aarch64"),
    ],
)
def test_nothing_is_offered_on_what_the_matrix_does_not_list(system: str, arch: str | None, spoken: str) -> None:
    report = ask(machine(os=system, arch=arch, gpus=None, driver=None))
    assert reasons(report) == [f"the matrix knows no TensorRT that can be installed on {spoken}"]


def test_where_no_source_speaks_an_older_cuda_knows_no_newer_gpu() -> None:
    blackwell = question(machine(os="ubuntu-24.04", arch="aarch64", gpus=[{"name": "NVIDIA GB200"}]))
    hopper = question(machine(os="ubuntu-24.04", arch="aarch64", gpus=[{"name": "NVIDIA GH200 480GB"}]))
    every = builds(blackwell.matrix, "full", "archive", ("linux-aarch64",))
    nine = next(build for build in every if build.release == "9.3.0" and build.flavour == "cu12")
    (refusal,) = weigh(blackwell, nine).refusals
    assert refusal.fact == "compute capability 10.0"
    assert refusal.text == "TensorRT 9.3.0.1 for CUDA 12 was made with CUDA 12.2; 12.8 is the first that knows 10.0"
    weighed = weigh(hopper, nine)
    assert not weighed.refusals
    assert weighed.unsure


def test_a_precision_that_the_gpu_lacks_is_the_whole_reason() -> None:
    (gpu, goal) = reasons(ask(machine(wants=["fp4"])))
    assert gpu.startswith("compute capability 8.9: ")
    assert goal.startswith("FP4, which is wanted: ")
    (gpu, demand) = reasons(ask(machine(), "precision:fp4"))
    assert gpu.startswith("compute capability 8.9: ")
    assert demand.startswith("precision:fp4, which is required: ")
    assert ask(machine(gpus=None, wants=["fp4"])).plans
    assert ask(machine(wants=["fp8"])).plans


def test_two_gpus_that_no_release_serves_together() -> None:
    both = ask(machine(gpus=[{"name": "GeForce RTX 5090"}, {"name": "Tesla V100-SXM2-16GB"}]))
    assert [text.partition(": ")[0] for text in reasons(both)] == ["compute capability 12.0", "compute capability 7.0"]


ORIN = {"os": "jetpack-5.1.2", "arch": "aarch64", "gpus": [{"name": "Jetson AGX Orin"}]}


def test_what_the_jetpack_that_is_there_has_is_installed_not_flashed() -> None:
    plan = first(machine(**ORIN, python="3.8", driver=None), keep=("os", "python"))
    assert plan.title == "TensorRT 8.5.2.2 for CUDA 11 with JetPack"
    assert [change.kind for change in plan.changes] == ["apt"]
    assert plan.apt == (("nvidia-jetpack", "5.1.2-b104"),)
    assert [step.text for step in plan.commands] == [
        "apt-get update",
        "apt-get install -y --allow-downgrades --allow-change-held-packages nvidia-jetpack=5.1.2-b104",
        "apt-mark hold nvidia-jetpack",
    ]
    assert plan.environment["os"] == "jetpack-5.1.2"
    nano = first({"os": "jetpack-4.6.1", "arch": "aarch64", "gpus": [{"name": "Jetson Nano"}]})
    assert [step.kind for step in nano.commands] == ["manual"]  # the version of the package is not known


def test_another_jetpack_is_flashed() -> None:
    newer = first(machine(**ORIN, python="3.8", driver=None), "tensorrt>=10.16")
    assert [change.kind for change in newer.changes] == ["jetpack"]
    moved = ask(machine(**{**ORIN, "os": "jetpack-7.0", "gpus": [{"name": "Jetson Thor"}]}, driver=None), top=9)
    assert not any(change.kind == "apt" for plan in moved.plans for change in plan.changes)  # 7.0 had two TensorRTs
    there = ask(machine(**ORIN, python="3.8", driver=None, tensorrt=trt("8.5.2", "jetpack")))
    assert there.plans[0].changes == ()
