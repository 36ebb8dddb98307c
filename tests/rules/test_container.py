"""Containers, WSL and Jetson."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.rules.judging import HEALTHY, L4, LINUX, TENSORRT, board, codes, cuda_of, declared, live, one, report, trt
from trtdoctor.snapshot import Container, Driver, Gpu, Package, Platform

NOTHING = Driver(installed=False)
DOCKER = Container(runtime="docker", image="nvcr.io/nvidia/tensorrt:25.08-py3")


# -- CTR1xx: containers ----------------------------------------------------------------------------------------------


def test_a_container_declared_without_gpu_access_is_the_only_cause() -> None:
    found = declared(container={"gpu_access": False}, gpus=board("Tesla T4"), tensorrt=trt("10.9.0"))
    assert codes(found, "CTR", "DRV", "GPU") == {"CTR101": "error"}
    assert "--gpus all" in one(found, "CTR101").fix[0].text


def test_the_host_driver_without_its_libraries_is_a_container_without_gpus() -> None:
    host = replace(NOTHING, kernel_version="580.95.05")
    found = report(live(container=DOCKER, driver=host, gpus=()))
    assert codes(found, "CTR", "DRV", "GPU") == {"CTR101": "error"}
    assert "580.95.05" in str(one(found, "CTR101").facts)


def test_gpus_were_asked_for_and_did_not_come() -> None:
    asked = replace(DOCKER, gpu_access=True)
    assert codes(report(live(container=asked, driver=NOTHING, gpus=())), "CTR", "DRV", "GPU") == {"CTR101": "error"}


def test_a_container_on_a_host_of_which_nothing_is_known_lacks_a_driver() -> None:
    assert codes(report(live(container=DOCKER, driver=NOTHING, gpus=())), "CTR", "DRV", "GPU") == {"DRV101": "error"}


@pytest.mark.parametrize("access", [True, None, False])
def test_a_container_in_which_cuda_works_has_access_whatever_was_said(access: bool | None) -> None:
    assert codes(report(live(container=replace(DOCKER, gpu_access=access))), "CTR", "DRV", "GPU") == {}


def test_building_ahead_of_time_needs_no_gpu_in_the_container() -> None:
    rtx = replace(TENSORRT, name="libtensorrt_rtx", version="1.5.0", product="rtx")
    container = replace(DOCKER, gpu_access=False)
    snapshot = live(container=container, driver=NOTHING, gpus=(), copies=(rtx,))
    assert codes(report(snapshot, "build"), "CTR", "DRV", "GPU") == {"CTR101": "info"}


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        (["utility"], "error"),
        (["utility", "video"], "error"),
        (["compute", "utility"], None),
        (["all"], None),
        ([], None),
    ],
)
def test_driver_capabilities_need_compute(capabilities: list[str], expected: str | None) -> None:
    found = declared(container={"gpu_access": True, "driver_capabilities": capabilities}, driver="580.95.05")
    assert codes(found, "CTR").get("CTR102") == expected


def test_capabilities_do_not_matter_where_libcuda_is_there() -> None:
    container = replace(DOCKER, driver_capabilities=("utility",))
    quiet = replace(HEALTHY, cuinit_error=None)
    assert codes(report(live(container=container, driver=quiet)), "CTR") == {}
    without = replace(quiet, library_path=None, library_version=None, library_kind=None)
    assert codes(report(live(container=container, driver=without)), "CTR") == {"CTR102": "error"}


def test_fabric_manager_only_on_facts() -> None:
    container = replace(DOCKER, gpu_access=True, fabric_manager=False)
    waiting = replace(L4, name="NVIDIA H200", compute_capability="9.0", fabric_state="in-progress")
    broken = replace(HEALTHY, cuinit_error=802)
    found = report(live(container=container, driver=broken, gpus=(waiting,)))
    assert codes(found, "CTR", "DRV", "GPU") == {"CTR103": "error"}
    unsure = report(live(container=container, driver=replace(HEALTHY, cuinit_error=None)))
    assert codes(unsure, "CTR") == {}
    assert any(item.component == "fabric-manager" for item in unsure.unknowns)
    assert codes(report(live(container=container)), "CTR") == {}


# -- CTR2xx: WSL -----------------------------------------------------------------------------------------------------

WSL = replace(LINUX, wsl=True)
WINDOWS_LIBCUDA = replace(
    HEALTHY, kernel_version=None, library_version=None, library_path="/usr/lib/wsl/lib/libcuda.so.1.1"
)


def test_a_linux_libcuda_inside_wsl() -> None:
    foreign = replace(WINDOWS_LIBCUDA, library_path="/lib/x86_64-linux-gnu/libcuda.so.535.183.01", cuinit_error=100)
    found = report(live(platform=WSL, driver=foreign))
    assert codes(found, "CTR", "DRV3", "GPU") == {"CTR201": "error"}
    assert "/lib/x86_64-linux-gnu" in one(found, "CTR201").title
    assert codes(report(live(platform=WSL, driver=replace(foreign, cuinit_error=None))), "CTR") == {"CTR201": "warning"}


def test_the_libcuda_of_windows_is_right() -> None:
    assert codes(report(live(platform=WSL, driver=WINDOWS_LIBCUDA)), "CTR") == {}
    assert codes(report(live(platform=WSL, driver=replace(WINDOWS_LIBCUDA, cuinit_error=None))), "CTR") == {}


def test_a_linux_driver_package_inside_wsl_is_a_warning() -> None:
    packages = (
        Package("libnvidia-compute-535", "535.183.01-0ubuntu1", "dpkg"),
        Package("cuda-toolkit-12-8", "12.8.1", "dpkg"),
    )
    quiet = replace(WINDOWS_LIBCUDA, cuinit_error=None)
    found = report(live(platform=WSL, driver=quiet, packages=packages))
    assert codes(found, "CTR") == {"CTR201": "warning"}
    assert "libnvidia-compute-535" in one(found, "CTR201").title
    assert codes(report(live(platform=WSL, driver=quiet, packages=packages[1:])), "CTR") == {}


def test_the_same_packages_outside_wsl_are_the_driver() -> None:
    packages = (Package("libnvidia-compute-580", "580.95.05", "dpkg"),)
    assert codes(report(live(driver=replace(HEALTHY, cuinit_error=None), packages=packages)), "CTR") == {}


# -- CTR3xx: Jetson --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gpu", "jetpack", "version", "flavour", "expected"),
    [
        ("Jetson Xavier NX", "jetpack-5.1.2", "10.7.0", "pip-cu12", "error"),
        ("Jetson AGX Orin", "jetpack-6.2", "10.7.0", "pip-cu12", "warning"),  # no source says that it cannot work
        ("Jetson AGX Orin", "jetpack-6.2", "10.13.0", "pip-cu12", "warning"),
        ("Jetson Thor", "jetpack-7.1", "10.13.3", "pip-cu13", None),
    ],
)
def test_the_arm_server_wheel_on_a_jetson(
    gpu: str, jetpack: str, version: str, flavour: str, expected: str | None
) -> None:
    found = declared(os=jetpack, arch="aarch64", gpus=board(gpu), tensorrt=trt(version, flavour))
    assert codes(found, "CTR", "GPU2").get("CTR301") == expected
    assert "GPU201" not in codes(found)


def test_jetpacks_own_tensorrt_is_right() -> None:
    found = declared(
        os="jetpack-6.2",
        arch="aarch64",
        gpus=board("Jetson AGX Orin"),
        cuda=cuda_of("12.6", "jetpack"),
        tensorrt=trt("10.3.0", "jetpack"),
    )
    assert codes(found, "CTR", "GPU") == {}


def test_a_release_without_jetson() -> None:
    thor = {"os": "jetpack-7.1", "arch": "aarch64", "gpus": board("Jetson Thor")}
    assert codes(declared(**thor, tensorrt=trt("11.3.0", "tar")), "CTR", "GPU") == {"CTR302": "error"}
    assert codes(declared(**thor, tensorrt=trt("10.13.3", "tar")), "CTR") == {}
    server = {"os": "ubuntu-24.04", "arch": "aarch64", "gpus": board("GH200")}
    assert codes(declared(**server, tensorrt=trt("11.3.0", "tar")), "CTR") == {}


def test_a_tensorrt_of_another_jetpack() -> None:
    nano = {"os": "jetpack-4.6.3", "arch": "aarch64", "gpus": board("Jetson Nano")}
    cuda = cuda_of("10.2", "jetpack")
    alone = declared(**nano, cuda=cuda, tensorrt=trt("8.5.2", "tar"))
    assert codes(alone, "CTR").get("CTR303") == "error"
    assert "10.2" in one(alone, "CTR303").title
    beside = [{"version": "8.2.1", "from": "jetpack", "loaded": True}, {"version": "8.5.2", "from": "tar"}]
    assert codes(declared(**nano, cuda=cuda, tensorrt=beside), "CTR") == {"CTR303": "warning"}
    assert codes(declared(**nano, cuda=cuda, tensorrt=trt("8.2.1", "tar")), "CTR") == {}


def test_the_cuda_of_a_jetpack_is_known_by_its_number() -> None:
    nano = declared(
        os="jetpack-4.6.3",
        arch="aarch64",
        gpus=board("Jetson Nano"),
        tensorrt=trt("8.5.2", "tar"),
    )
    assert codes(nano, "CTR").get("CTR303") == "error"
    some = declared(os="jetpack", arch="aarch64", gpus=board("Jetson Nano"), tensorrt=trt("8.5.2", "tar"))
    assert "CTR303" not in codes(some)


def test_no_driver_of_its_own_is_asked_of_a_jetson() -> None:
    platform = Platform(system="linux", architecture="aarch64", l4t="36.4.3")
    orin = Gpu(name="Orin", compute_capability="8.7", visible=True)
    jetpack = replace(TENSORRT, version="10.3.0", origin="jetpack")
    snapshot = live(
        platform=platform, driver=Driver(installed=False), gpus=(orin,), copies=(jetpack,), container=DOCKER
    )
    assert codes(report(snapshot), "CTR", "DRV", "GPU") == {}


def test_a_jetson_needs_no_driver_number() -> None:
    found = declared(
        os="jetpack-6.2",
        arch="aarch64",
        gpus=[{"name": "Jetson Orin Nano"}],
        tensorrt=[{"version": "10.3.0", "from": "jetpack"}],
        cuda=[{"version": "12.6", "from": "jetpack"}],
    )
    assert found.verdict.value == "ready"
    assert "driver" not in {item.component for item in found.unknowns}
