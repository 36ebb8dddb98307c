"""The driver: there, healthy, new enough, and its own libcuda in front."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conftest import SNAPSHOTS
from tests.rules.judging import (
    HEALTHY,
    L4,
    LINUX,
    SERVER,
    TENSORRT,
    board,
    codes,
    cuda_of,
    declared,
    live,
    of,
    one,
    report,
    trt,
)
from trtdoctor.snapshot import Container, Copy, DeviceNode, Driver, Gpu, Snapshot, Toolkit

RTX = replace(
    TENSORRT, name="libtensorrt_rtx", version="1.5.0", product="rtx", path="/opt/rtx/libtensorrt_rtx.so.1.5.0"
)
BROKEN = replace(HEALTHY, cuinit_error=None, nvml_error=None)


def test_a_healthy_machine_has_nothing_to_say() -> None:
    assert codes(report(live()), "DRV", "GPU", "CTR") == {}


# -- DRV1xx: there and healthy ---------------------------------------------------------------------------------------


def test_no_driver_is_an_error_that_names_a_branch() -> None:
    found = one(report(live(driver=Driver(installed=False), gpus=())), "DRV101")
    assert found.severity.value == "error"
    assert found.remedy is not None
    assert found.remedy.wanted is not None
    assert "nvidia-driver-580" in found.fix[0].text


def test_no_driver_is_no_error_when_rtx_only_builds() -> None:
    snapshot = live(driver=Driver(installed=False), gpus=(), copies=(RTX,))
    assert codes(report(snapshot, "build"), "DRV", "GPU") == {"DRV101": "info"}
    assert codes(report(snapshot, "build", "run"), "DRV", "GPU") == {"DRV101": "error"}


def test_a_driver_that_nobody_looked_for_is_unknown_not_absent() -> None:
    found = declared(os="ubuntu-22.04", tensorrt=trt("10.9.0"))
    assert codes(found, "DRV") == {}
    assert "driver" in {item.component for item in found.unknowns}


def test_library_mismatch_tells_both_versions_and_reboots() -> None:
    driver = replace(
        BROKEN, version=None, kernel_version="550.54.14", nvml_error=18, nvml_version="550.127.05", cuinit_error=803
    )
    found = report(live(driver=driver, gpus=None))
    assert codes(found, "DRV", "GPU", "CTR") == {"DRV102": "error", "DRV401": "info"}
    finding = one(found, "DRV102")
    assert "550.54.14" in finding.title
    assert "550.127.05" in finding.title
    assert finding.fix[0].needs_reboot


def test_library_mismatch_is_a_warning_where_cuda_works() -> None:
    assert codes(report(live(driver=replace(HEALTHY, nvml_error=18))), "DRV") == {"DRV102": "warning"}


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ((DeviceNode("/dev/nvidiactl", False), DeviceNode("/dev/nvidia0", False)), {"DRV103": "error"}),
        ((DeviceNode("/dev/nvidiactl", True), DeviceNode("/dev/nvidia0", False)), {"DRV103": "error"}),
        # one of two GPUs is closed to this job: the other one is there to be used
        ((DeviceNode("/dev/nvidia0", False), DeviceNode("/dev/nvidia1", True)), {}),
        ((DeviceNode("/dev/nvidiactl", True), DeviceNode("/dev/nvidia0", True)), {}),
    ],
)
def test_device_nodes_that_may_not_be_opened(nodes: tuple[DeviceNode, ...], expected: dict[str, str]) -> None:
    assert codes(report(live(driver=replace(BROKEN, nodes=nodes))), "DRV", "GPU") == expected


def test_nodes_do_not_matter_where_cuda_works() -> None:
    driver = replace(HEALTHY, nodes=(DeviceNode("/dev/nvidiactl", False),))
    assert codes(report(live(driver=driver)), "DRV") == {}


def test_a_lost_gpu() -> None:
    lost = replace(L4, index=1, error="lost")
    assert codes(report(live(driver=replace(BROKEN, nvml_error=15))), "DRV") == {"DRV104": "error"}
    assert codes(report(live(gpus=(L4, lost))), "DRV") == {"DRV104": "warning"}
    assert "GPU 1" in one(report(live(gpus=(L4, lost))), "DRV104").title


def test_kernel_module_not_loaded_names_the_command() -> None:
    driver = Driver(installed=True, library_version="580.95.05", nvml_error=9, cuinit_error=100)
    found = report(live(driver=driver, gpus=()))
    assert codes(found, "DRV", "GPU") == {"DRV105": "error"}
    assert one(found, "DRV105").fix[0].text == "modprobe -a nvidia nvidia-uvm"


@pytest.mark.parametrize(
    ("code", "word"), [(802, "fabricmanager"), (999, "nvidia-uvm"), (304, "permissions"), (46, "compute mode")]
)
def test_cuinit_errors_are_told_by_number(code: int, word: str) -> None:
    finding = one(report(live(driver=replace(HEALTHY, cuinit_error=code))), "DRV106")
    assert finding.severity.value == "error"
    assert str(code) in finding.title
    assert word in finding.fix[0].text
    assert finding.sources


def test_an_unheard_of_number_is_still_told() -> None:
    finding = one(report(live(driver=replace(HEALTHY, cuinit_error=4711))), "DRV106")
    assert "4711" in finding.title


@pytest.mark.parametrize("code", [0, 3, 12, 13, 28])
def test_nvml_that_cannot_be_asked_is_no_fault_of_the_driver(code: int) -> None:
    assert codes(report(live(driver=replace(HEALTHY, nvml_error=code))), "DRV") == {}


def test_other_nvml_errors_are_a_warning_only_while_cuda_was_not_seen() -> None:
    assert codes(report(live(driver=replace(BROKEN, nvml_error=999))), "DRV") == {"DRV106": "warning"}
    assert codes(report(live(driver=replace(HEALTHY, nvml_error=999))), "DRV") == {}


# -- DRV2xx: the CUDA that it serves ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("driver", "flavour", "expected"),
    [
        ("570.211.01", "pip-cu13", "error"),
        ("580.65.06", "pip-cu13", None),
        ("525.60.12", "pip-cu12", "error"),
        ("470.256.02", "pip-cu12", "error"),
        ("470.256.02", "pip-cu11", None),
        ("450.36", "pip-cu11", "error"),
    ],
)
def test_the_floor_of_the_builds_cuda_major(driver: str, flavour: str, expected: str | None) -> None:
    version = {"pip-cu13": "10.13.3", "pip-cu12": "10.9.0", "pip-cu11": "10.9.0"}[flavour]
    found = declared(**SERVER, driver=driver, tensorrt=trt(version, flavour))
    assert codes(found).get("DRV201") == expected


def test_a_full_driver_version_is_asked_for_where_a_partial_one_decides_nothing() -> None:
    found = declared(os="linux", driver="525", tensorrt=trt("10.9.0", "pip-cu12"))
    assert "DRV201" not in codes(found)
    assert any(item.component == "driver" and "525.60.13" in item.why for item in found.unknowns)


def test_windows_and_wsl_have_numbers_of_their_own() -> None:
    built = trt("10.9.0", "pip-cu12")
    assert codes(declared(os="linux", driver="526.98", tensorrt=built)).get("DRV201") is None
    assert codes(declared(os="windows", driver="526.98", tensorrt=built)).get("DRV201") == "error"
    new = {"gpus": board("GeForce RTX 5090"), "python": "3.12"}  # no older CUDA serves it: only a driver helps
    wsl = one(
        declared(os="ubuntu-22.04", wsl=True, driver="526.98", tensorrt=trt("10.9.0", "pip-cu12"), **new), "DRV201"
    )
    assert "Windows" in wsl.title
    assert "none inside WSL" in wsl.fix[0].text


def test_cuda_11_0_runs_on_the_driver_it_came_with() -> None:
    """450.51.06 is under the floor that the family got later."""
    assert codes(declared(os="linux", driver="450.51.06", cuda=cuda_of("11.0"))).get("DRV201") is None
    assert codes(declared(os="linux", driver="450.51.06", cuda=cuda_of("11.4"))).get("DRV201") == "error"


def test_cuda_10_2_needs_its_own_driver_and_10_0_is_not_known() -> None:
    assert codes(declared(os="linux", driver="440.33.01", cuda=cuda_of("10.2"))).get("DRV201") is None
    assert codes(declared(os="linux", driver="418.87", cuda=cuda_of("10.2"))).get("DRV201") == "error"
    found = declared(os="linux", driver="418.87", cuda=cuda_of("10.0"))
    assert codes(found).get("DRV201") is None
    assert any("10.0" in item.needed for item in found.unknowns)


def test_with_an_unknown_flavour_the_cuda_that_is_there_decides() -> None:
    environment = {"os": "linux", "driver": "470.256.02", "tensorrt": trt("8.6.1")}
    assert codes(declared(**environment, cuda=cuda_of("11.8"))).get("DRV201") is None
    assert codes(declared(**environment, cuda=cuda_of("12.1"))).get("DRV201") == "error"
    assert codes(declared(**environment)).get("DRV201") is None


def test_several_tensorrts_that_the_driver_serves_in_part_are_a_warning() -> None:
    builds = [{"version": "10.13.3", "from": "pip-cu12"}, {"version": "10.13.3", "from": "pip-cu13"}]
    assert codes(declared(os="linux", driver="550.144.03", tensorrt=builds)).get("DRV201") == "warning"
    loaded: list[dict[str, object]] = [{**builds[0]}, {**builds[1], "loaded": True}]
    assert codes(declared(os="linux", driver="550.144.03", tensorrt=loaded)).get("DRV201") == "error"


def test_a_toolkit_without_any_tensorrt_is_a_warning() -> None:
    snapshot = live(
        driver=replace(HEALTHY, **of("550.144.03"), cuinit_error=None),
        copies=(),
        toolkits=(Toolkit("/usr/local/cuda-13.0", "13.0"),),
        searched=("tensorrt", "cuda"),
    )
    assert codes(report(snapshot)).get("DRV201") == "warning"


def test_a_driver_that_runs_cuda_needs_no_table() -> None:
    driver = replace(HEALTHY, **of("470.256.02"), cuda="11.4")
    assert codes(report(live(driver=driver))).get("DRV201") is None
    assert codes(report(live(driver=replace(driver, cuinit_error=None)))).get("DRV201") == "error"


def test_a_newer_cuda_major_than_the_matrix_is_unknown() -> None:
    found = declared(os="linux", driver="580.95.05", cuda=cuda_of("14.0"))
    assert codes(found).get("DRV201") is None
    assert any("14.0" in item.needed for item in found.unknowns)


@pytest.mark.parametrize(("driver", "expected"), [("530.30.02", "warning"), ("535.183.01", None), ("535", None)])
def test_the_floor_that_tensorrt_states(driver: str, expected: str | None) -> None:
    found = declared(**SERVER, driver=driver, tensorrt=trt("10.16.0", "pip-cu12"))
    assert codes(found).get("DRV202") == expected
    assert "DRV201" not in codes(found)


def test_one_old_driver_is_one_finding() -> None:
    found = declared(os="linux", driver="470.256.02", tensorrt=trt("10.16.0", "pip-cu12"))
    assert list(codes(found, "DRV2")) == ["DRV201"]


def test_minor_version_compatibility_is_told_with_its_limits() -> None:
    finding = one(declared(os="linux", driver="535.183.01", cuda=cuda_of("12.9")), "DRV203")
    assert finding.severity.value == "info"
    assert "PTX" in finding.detail
    assert "DRV203" not in codes(declared(os="linux", driver="535.183.01", cuda=cuda_of("12.2")))
    assert "DRV203" not in codes(declared(os="linux", driver="580.95.05", cuda=cuda_of("12.9")))


def test_a_jetson_has_drivers_of_its_own() -> None:
    found = declared(
        os="jetpack-6.2",
        arch="aarch64",
        driver="540.4.0",
        cuda=cuda_of("12.6", "jetpack"),
        gpus=board("Jetson AGX Orin"),
        tensorrt=trt("10.3.0", "jetpack"),
    )
    assert codes(found, "DRV", "GPU", "CTR") == {}


# -- DRV3xx: whose libcuda -------------------------------------------------------------------------------------------


def compat(gpu: Gpu, driver: str, package: str, **changes: object) -> dict[str, str]:
    made = replace(
        HEALTHY,
        version=driver,
        kernel_version=driver,
        library_kind="compat",
        library_version=package,
        library_path="/usr/local/cuda/compat/libcuda.so." + package,
        cuda=None,
        cuinit_error=None,
    )
    return codes(report(live(driver=replace(made, **changes), gpus=(gpu,))), "DRV2", "DRV3")  # type: ignore[arg-type]


GEFORCE = replace(L4, name="NVIDIA GeForce RTX 4090")


def test_forward_compatibility_on_a_geforce_is_an_error() -> None:
    assert compat(GEFORCE, "535.183.01", "570.86.10") == {"DRV301": "error"}
    assert compat(L4, "535.183.01", "570.86.10") == {}


def test_a_package_older_than_the_driver_is_an_error_and_a_needless_one_is_told() -> None:
    assert compat(L4, "580.95.05", "570.86.10") == {"DRV301": "error"}
    assert compat(L4, "570.86.10", "570.86.10") == {"DRV302": "info"}
    assert compat(L4, "580.95.05", "570.86.10", cuinit_error=0) == {"DRV302": "info"}


def test_a_needless_package_is_a_risk_when_it_is_older_than_the_kernel_module() -> None:
    """As seen on the H200: 580.95.05 in front of 580.159.04 ends with 803."""
    assert compat(L4, "580.159.04", "580.95.05") == {"DRV301": "warning"}
    assert compat(L4, "580.159.04", "580.95.05", cuinit_error=803) == {"DRV301": "error"}
    assert compat(L4, "580.65.06", "580.95.05") == {"DRV302": "info"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("h200", {}),
        ("h200-x2", {}),
        ("h200-x2-second", {}),
        ("h200-busy", {}),
        ("h200-compat", {"DRV301": "error"}),
        ("h200-stub", {"DRV303": "error"}),
        ("h200-no-access", {"DRV103": "error"}),
        ("h200-hidden", {"GPU101": "error"}),
        ("no-gpu", {"CTR101": "error"}),
    ],
)
def test_recorded_machines(name: str, expected: dict[str, str]) -> None:
    snapshot = Snapshot.from_json((SNAPSHOTS / f"{name}.json").read_bytes())
    assert codes(report(snapshot), "DRV", "GPU", "CTR") == expected


def test_an_old_driver_under_a_serving_compat_library_is_fine() -> None:
    """TensorRT for CUDA 13 on driver 535 with cuda-compat-13-0: a data-centre GPU may, a GeForce may not."""
    cu13 = replace(TENSORRT, flavour="cu13")
    driver = replace(
        HEALTHY,
        version="535.183.01",
        kernel_version="535.183.01",
        library_kind="compat",
        library_version="580.65.06",
        cuinit_error=None,
    )
    assert codes(report(live(driver=driver, copies=(cu13,))), "DRV2", "DRV3") == {}
    refused = report(live(driver=driver, copies=(cu13,), gpus=(GEFORCE,)))
    assert codes(refused, "DRV2", "DRV3") == {"DRV201": "error"}
    assert "804" in one(refused, "DRV201").breaks


def test_whether_a_professional_board_may_is_unknown() -> None:
    board = replace(L4, name="NVIDIA RTX A6000", compute_capability="8.6")
    assert compat(board, "535.183.01", "570.86.10") == {}


def test_an_image_may_bring_forward_compatibility_for_data_centre_gpus() -> None:
    environment = {
        "driver": "515.65.01",
        "cuda": cuda_of("12.2", "container"),
        "container": {"image": "x", "gpu_access": True},
    }
    assert codes(declared(**environment, gpus=board("A10"))).get("DRV201") == "warning"
    assert codes(declared(**environment, gpus=board("GeForce RTX 3090"))).get("DRV201") == "error"


def test_the_stub_of_a_toolkit() -> None:
    path = "/usr/local/cuda/lib64/stubs/libcuda.so"
    stub = replace(BROKEN, library_kind="stub", library_path=path, cuda=None)
    assert codes(report(live(driver=replace(stub, cuinit_error=34))), "DRV") == {"DRV303": "error"}
    assert path in one(report(live(driver=stub)), "DRV303").title
    assert codes(report(live(driver=replace(stub, cuinit_error=0))), "DRV") == {}


def test_libcuda_of_another_build_than_the_kernel_module() -> None:
    other = replace(BROKEN, library_version="535.183.01")
    found = report(live(driver=other))
    assert codes(found, "DRV") == {"DRV304": "error"}
    assert "535.183.01" in one(found, "DRV304").title
    assert codes(report(live(driver=replace(other, cuinit_error=0))), "DRV") == {}


def test_a_foreign_libcuda_is_unknown_until_cuinit_was_seen() -> None:
    foreign = replace(BROKEN, library_kind="other", library_version=None, library_path="/opt/x/libcuda.so.1")
    found = report(live(driver=foreign))
    assert codes(found, "DRV") == {}
    assert any(item.component == "driver" for item in found.unknowns)
    assert codes(report(live(driver=replace(foreign, cuinit_error=999))), "DRV") == {"DRV304": "error"}
    assert codes(report(live(driver=replace(foreign, cuinit_error=0))), "DRV") == {}


# -- DRV4xx, DRV5xx: the branch --------------------------------------------------------------------------------------


def test_an_ended_branch_is_never_more_than_information() -> None:
    assert codes(declared(driver="535.183.01")) == {"DRV401": "info"}
    assert codes(declared(driver="580.95.05")) == {}


def test_a_branch_newer_than_the_matrix_is_no_finding() -> None:
    found = declared(driver="640.10", os="linux", gpus=board("L4"), tensorrt=trt("10.9.0", "pip-cu12"))
    assert codes(found, "DRV") == {}
    assert any("640" in item.needed for item in found.unknowns)


@pytest.mark.parametrize(
    ("name", "driver", "expected"),
    [
        ("GeForce GTX 1080 Ti", "590.48.01", "error"),
        ("GeForce GTX 1080 Ti", "580.95.05", None),
        ("GeForce RTX 5090", "565.57.01", "error"),
        ("GeForce RTX 5090", "570.86.16", None),
        ("Tesla T4", "620.70.06", None),
        ("Tesla K80", "495.29.05", "error"),
    ],
)
def test_the_generation_that_a_branch_serves(name: str, driver: str, expected: str | None) -> None:
    found = declared(os="linux", driver=driver, gpus=board(name))
    assert codes(found).get("DRV501") == expected


def test_a_gpu_that_this_driver_reported_is_served_by_it() -> None:
    pascal = replace(L4, name="NVIDIA GeForce GTX 1080 Ti", compute_capability="6.1")
    driver = replace(HEALTHY, **of("590.48.01"), cuinit_error=None)
    assert "DRV501" not in codes(report(live(driver=driver, gpus=(pascal,))))


def test_a_container_borrows_its_driver() -> None:
    snapshot = live(container=Container(runtime="docker", gpu_access=True), driver=replace(BROKEN, nvml_error=18))
    assert "host" in one(report(snapshot), "DRV102").fix[0].text
    assert LINUX.distribution == "ubuntu"


def test_the_runtime_of_a_wheel_counts_when_nothing_else_is_there() -> None:
    runtime = Copy(
        component="cuda",
        name="libcudart",
        version="13.0.96",
        path="/site/nvidia/cu13/lib/libcudart.so.13",
        origin="pip",
    )
    driver = replace(BROKEN, **of("550.144.03"), cuda="12.4")
    assert codes(report(live(driver=driver, copies=(runtime,))), "DRV2") == {"DRV201": "error"}
    assert codes(report(live(driver=driver, copies=(runtime,), searched=("tensorrt",))), "DRV2") == {
        "DRV201": "warning"
    }


def test_a_driver_newer_than_the_matrix_is_unknown_and_no_finding() -> None:
    found = declared(driver="700.10", gpus=[{"name": "NVIDIA L4"}], tensorrt=[{"version": "10.9.0"}])
    assert "DRV402" not in {item.code for item in found.findings}
    assert any("newer than matrix" in item.why and "700" in item.needed for item in found.unknowns)
    known = declared(driver="580.65.06", gpus=[{"name": "NVIDIA L4"}], tensorrt=[{"version": "10.9.0"}])
    assert not any("newer than matrix" in item.why for item in known.unknowns)
