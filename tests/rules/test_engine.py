"""Family ENG: plans against the TensorRT that loads them, the GPU and the system."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.judging import board, codes, declared, one, trt


def engine(runtime: str, stated: dict[str, Any], *, gpu: str | None = None, product: str | None = None) -> Any:
    """The report on an engine of which this is stated, under a TensorRT and on a GPU."""
    environment: dict[str, Any] = {"os": "linux", "arch": "x86_64", "engine": stated}
    environment["tensorrt"] = [{"version": runtime, "from": "tar", **({"product": product} if product else {})}]
    if gpu:
        environment["gpus"] = board(gpu)
    return declared(**environment)


# -- versions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("built", "runtime", "compatible", "found"),
    [
        ("8.5.3.1", "8.5.1.7", None, {"ENG101": "error"}),  # neither can be version-compatible
        ("6", "7.1.3.0", None, {"ENG101": "error"}),
        ("8.6.1.2", "8.6.1.6", False, {"ENG101": "error"}),  # the build counts too
        ("10.9.0.34", "10.13.3.9", False, {"ENG101": "error"}),
        ("10.9.0.34", "10.13.3.9", None, {"ENG101": "warning"}),  # it may be version-compatible: nobody said
        ("10.13.3.9", "10.9.0.34", None, {"ENG101": "error"}),  # newer than the runtime: no flag helps
        ("8.5", "8.5.1.7", None, {}),  # may be that very release
        ("10.9.0.34", "10.9.0.34", None, {}),
        ("10.14.1.48", "10.14.1.48.post1", False, {}),  # a repackaged build is the same release
        ("10.9.0", "10.13.3", True, {}),
        ("10.13.3", "10.9.0", True, {"ENG102": "error"}),
        ("8.6.1", "10.3.0", True, {}),
        ("10.9.0", "11.1.0", True, {}),
        ("8.6.1", "11.1.0", True, {"ENG102": "error"}),
        ("8.5.3", "10.3.0", True, {"ENG102": "error"}),  # before the flag
        ("9.1.0", "10.3.0", True, {"ENG102": "warning"}),  # the documents disagree
    ],
)
def test_versions(built: str, runtime: str, compatible: bool | None, found: dict[str, str]) -> None:
    stated: dict[str, Any] = {"tensorrt": built}
    if compatible is not None:
        stated["version_compatible"] = compatible
    assert codes(engine(runtime, stated), "ENG") == found


def test_a_partly_known_version_is_said_to_be_unknown() -> None:
    unknowns = engine("8.5.1.7", {"tensorrt": "8.5"}).unknowns
    assert [item for item in unknowns if item.component == "engine"]


def test_several_runtimes_and_one_fits() -> None:
    both: list[dict[str, Any]] = [{"version": "10.9.0.34", "from": "tar"}, {"version": "8.6.1.6", "from": "apt"}]
    stated = {"tensorrt": "8.6.1.6", "version_compatible": False}
    assert codes(declared(tensorrt=both, engine=stated), "ENG") == {"ENG101": "warning"}
    both[0]["loaded"] = True
    assert codes(declared(tensorrt=both, engine=stated), "ENG") == {"ENG101": "error"}


def test_an_engine_without_a_tensorrt_is_not_judged() -> None:
    assert codes(declared(engine={"tensorrt": "8.6.1"}), "ENG") == {}


@pytest.mark.parametrize(
    ("product", "stated", "found"),
    [
        ("lean", {"version_compatible": False}, {"ENG103": "error"}),
        ("dispatch", {"version_compatible": False, "tensorrt": "10.3.0"}, {"ENG103": "error"}),
        ("lean", {"tensorrt": "8.5.3.1"}, {"ENG103": "error"}),
        ("lean", {"tensorrt": "10.9.0.34"}, {"ENG103": "warning"}),
        ("lean", {"version_compatible": True, "tensorrt": "10.9.0.34"}, {}),
        ("full", {"version_compatible": False, "tensorrt": "10.16.1.11"}, {}),
    ],
)
def test_lean_and_dispatch_run_version_compatible_plans_only(
    product: str, stated: dict[str, Any], found: dict[str, str]
) -> None:
    assert codes(engine("10.16.1.11", stated, product=product), "ENG") == found


@pytest.mark.parametrize(
    ("runtime", "product", "stated", "found"),
    [
        ("1.2.0", "rtx", {"tensorrt": "10.9.0.34"}, {"ENG107": "error"}),
        ("10.9.0.34", "full", {"tensorrt": "1.2.0"}, {"ENG107": "error"}),
        ("10.9.0.34", "full", {"product": "rtx"}, {"ENG107": "error"}),
        ("1.2.0", "rtx", {"tensorrt": "1.1.0"}, {"ENG109": "error"}),
        ("1.2.0", "rtx", {"tensorrt": "1.2.0"}, {}),
        ("1.2.0", "rtx", {"compute_capability": "8.6"}, {}),
        ("10.9.0.34", "full", {"product": "full", "tensorrt": "10.9.0.34"}, {}),
    ],
)
def test_products(runtime: str, product: str, stated: dict[str, Any], found: dict[str, str]) -> None:
    assert codes(engine(runtime, stated, product=product), "ENG") == found


# -- GPUs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gpu", "stated", "found"),
    [
        ("GeForce RTX 2080 Ti", {"compute_capability": "6.1"}, {"ENG105": "error"}),
        ("GeForce RTX 2080 Ti", {"gpu": "Quadro P6000"}, {"ENG105": "error"}),  # by the matrix
        ("GeForce RTX 4090", {"compute_capability": "8.6", "hardware_compatibility": "none"}, {"ENG105": "error"}),
        ("GeForce RTX 4090", {"compute_capability": "8.6", "tensorrt": "8.5.3.1"}, {"ENG105": "error"}),
        ("GeForce RTX 4090", {"compute_capability": "8.6"}, {"ENG105": "warning"}),
        ("GeForce RTX 4090", {"compute_capability": "8.6", "hardware_compatibility": "ampere_plus"}, {}),
        ("Tesla T4", {"compute_capability": "8.6", "hardware_compatibility": "ampere_plus"}, {"ENG106": "error"}),
        (
            "GeForce RTX 4090",
            {"compute_capability": "8.6", "hardware_compatibility": "same_compute_capability"},
            {"ENG106": "error"},
        ),
        ("GeForce RTX 3060", {"gpu": "GeForce RTX 3090"}, {"ENG108": "info"}),
        ("GeForce RTX 3060", {"gpu": "GeForce RTX 3090", "hardware_compatibility": "none"}, {"ENG108": "warning"}),
        ("GeForce RTX 3090", {"gpu": "NVIDIA GeForce RTX 3090"}, {}),
        ("GeForce RTX 3060", {"gpu": "GeForce RTX 3090", "hardware_compatibility": "same_compute_capability"}, {}),
        ("a GPU that nobody knows", {"compute_capability": "8.6"}, {}),
        ("GeForce RTX 4090", {"gpu": "a GPU that nobody knows"}, {}),
    ],
)
def test_gpus(gpu: str, stated: dict[str, Any], found: dict[str, str]) -> None:
    release = stated.get("tensorrt", "10.8.0.43")
    assert codes(engine(release, {"tensorrt": release, **stated}, gpu=gpu), "ENG") == found


def test_a_plan_of_a_thor_on_a_spark_is_no_error() -> None:
    found = declared(
        tensorrt=trt("10.13.3.9"),
        gpus=[{"name": "DGX Spark (GB10)", "compute_capability": "12.1"}],
        engine={"tensorrt": "10.13.3.9", "compute_capability": "11.0", "hardware_compatibility": "ampere_plus"},
    )
    assert codes(found, "ENG") == {}


def test_one_of_two_gpus_fits() -> None:
    found = declared(
        tensorrt=trt("8.5.3.1"),
        gpus=[*board("GeForce RTX 3090"), *board("Tesla T4")],
        engine={"tensorrt": "8.5.3.1", "compute_capability": "8.6"},
    )
    finding = one(found, "ENG105")
    assert finding.severity.value == "warning"
    assert "GPU 1" in finding.title
    assert "GPU 0" not in finding.title


# -- systems ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("here", "built_for", "release", "found"),
    [
        ({"os": "ubuntu-22.04"}, "windows", "10.9.0.34", {"ENG104": "error"}),
        ({"os": "windows-11"}, "linux", "8.6.1.6", {"ENG104": "error"}),
        ({"os": "windows-11"}, "linux", "10.9.0.34", {"ENG104": "warning"}),  # may be built for Windows
        ({"os": "windows-11", "wsl": True}, "windows", "10.9.0.34", {"ENG104": "error"}),
        ({"os": "ubuntu-22.04"}, "rhel-8", "10.9.0.34", {}),
        ({"os": "windows-10"}, "windows-11", "10.9.0.34", {}),
        ({}, "windows", "10.9.0.34", {}),
    ],
)
def test_systems(here: dict[str, Any], built_for: str, release: str, found: dict[str, str]) -> None:
    stated = {"tensorrt": release, "os": built_for}
    assert codes(declared(**here, tensorrt=trt(release), engine=stated), "ENG") == found
