"""The GPU: visible, served by TensorRT and CUDA, healthy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.rules.judging import HEALTHY, L4, SERVER, TENSORRT, board, codes, cuda_of, declared, live, one, report, trt
from trtdoctor.matrix import load
from trtdoctor.rules import RULES
from trtdoctor.snapshot import Container, Copy, DeviceNode, GpuProcess, Setting, Toolkit

BLIND = replace(HEALTHY, cuinit_error=100)


# -- GPU1xx: is one there --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["", "-1", "7"])
def test_cuda_visible_devices_hides_every_gpu(value: str) -> None:
    hidden = replace(L4, visible=False)
    snapshot = live(driver=BLIND, gpus=(hidden,), settings=(Setting("CUDA_VISIBLE_DEVICES", value),))
    found = report(snapshot)
    assert codes(found, "DRV", "GPU", "CTR") == {"GPU101": "error"}
    finding = one(found, "GPU101")
    assert "CUDA_VISIBLE_DEVICES" in finding.title
    assert "unset CUDA_VISIBLE_DEVICES" in finding.fix[0].text


def test_one_hidden_gpu_of_two_is_nothing() -> None:
    hidden = replace(L4, index=1, visible=False)
    snapshot = live(gpus=(L4, hidden), settings=(Setting("CUDA_VISIBLE_DEVICES", "0"),))
    assert codes(report(snapshot), "GPU") == {}


def test_no_device_node_for_a_gpu() -> None:
    driver = replace(BLIND, nodes=(DeviceNode("/dev/nvidiactl", True), DeviceNode("/dev/nvidia-uvm", True)))
    found = report(live(driver=driver, gpus=(), container=Container(runtime="docker", gpu_access=True)))
    assert codes(found, "DRV", "GPU", "CTR") == {"GPU101": "error"}
    assert "/dev/nvidia0" in one(found, "GPU101").title


def test_a_machine_without_a_gpu() -> None:
    assert codes(report(live(driver=replace(HEALTHY, cuinit_error=None), gpus=())), "GPU") == {"GPU101": "error"}
    assert codes(declared(driver="580.95.05", gpus=[]), "GPU") == {"GPU101": "error"}


def test_nobody_said_which_gpu_is_unknown() -> None:
    found = declared(driver="580.95.05", tensorrt=trt("10.9.0"))
    assert codes(found, "GPU") == {}
    assert "gpu" in {item.component for item in found.unknowns}


def test_rtx_builds_without_a_gpu() -> None:
    rtx = replace(TENSORRT, name="libtensorrt_rtx", version="1.5.0", product="rtx")
    quiet = replace(HEALTHY, cuinit_error=None)
    assert codes(report(live(driver=quiet, gpus=(), copies=(rtx,)), "build"), "GPU") == {"GPU101": "info"}
    assert codes(report(live(driver=quiet, gpus=(), copies=(rtx,)), "build", "run"), "GPU") == {"GPU101": "error"}


# -- GPU2xx: served by TensorRT and CUDA -----------------------------------------------------------------------------

SERVED: list[tuple[str, str, str, str | None]] = [
    ("GeForce RTX 5090", "10.7.0", "pip-cu12", "error"),
    ("GeForce RTX 5090", "10.9.0", "pip-cu12", None),
    ("GeForce RTX 5090", "10.9.0", "pip-cu11", "error"),
    ("GeForce RTX 5090", "11.1.0", "pip-cu13", None),
    ("RTX A6000", "7.0.0", "tar", "error"),
    ("GeForce RTX 3080", "7.1.3", "zip", "error"),
    ("GeForce RTX 3080", "7.2.3", "tar", None),
    ("GeForce RTX 4060 Ti", "8.4.1", "pip", "error"),
    ("GeForce RTX 4060 Ti", "8.5.3", "pip", None),
    ("GeForce GTX 1080 Ti", "10.0.1", "tar", "error"),
    ("GeForce GTX 1080 Ti", "8.6.1", "tar", None),
    ("Tesla V100", "10.4.0", "tar", None),
    ("Tesla V100", "10.5.0", "tar", "error"),
    ("NVIDIA GB10", "10.13.3", "pip-cu13", None),  # 12.1: no source says either way
    ("Some card nobody knows", "10.9.0", "tar", None),
]


@pytest.mark.parametrize(("name", "version", "origin", "expected"), SERVED)
def test_compute_capabilities_of_a_build(name: str, version: str, origin: str, expected: str | None) -> None:
    system = "windows" if origin == "zip" else "linux"
    found = declared(os=system, arch="x86_64", gpus=board(name), tensorrt=trt(version, origin))
    assert codes(found, "GPU").get("GPU201") == expected


def test_the_title_is_a_colleagues_note() -> None:
    found = declared(
        os="linux",
        arch="x86_64",
        gpus=board("GeForce RTX 5090"),
        tensorrt=trt("10.7.0", "pip-cu12"),
    )
    finding = one(found, "GPU201")
    assert (
        finding.title == "TensorRT 10.7.0 (cu12) has no kernels for compute capability 12.0 of GPU 0 (GeForce RTX 5090)"
    )
    assert finding.components == ("gpu", "tensorrt")
    assert finding.sources
    assert "newer than this release" in finding.breaks
    assert found.primary == "GPU201"


def test_a_partial_version_must_fail_in_every_release_that_it_may_be() -> None:
    gpu = board("Tesla V100")
    assert codes(declared(**SERVER, gpus=gpu, tensorrt=trt("10"))).get("GPU201") is None
    pascal = board("GeForce GTX 1080 Ti")
    assert codes(declared(**SERVER, gpus=pascal, tensorrt=trt("10"))).get("GPU201") == "error"


def test_an_unknown_flavour_and_platform_count_in_favour() -> None:
    environment: dict[str, Any] = {"gpus": board("GeForce RTX 5090")}
    assert codes(declared(**environment, tensorrt=trt("10.9.0"))).get("GPU201") is None
    assert codes(declared(**environment, tensorrt=trt("10.9.0"), cuda=cuda_of("11.8"))).get("GPU201") == "error"
    assert codes(declared(**environment, tensorrt=trt("10.7.0"))).get("GPU201") == "error"


def test_what_no_source_confirms_is_unknown_and_never_a_finding() -> None:
    found = declared(**SERVER, gpus=board("NVIDIA GB10"), tensorrt=trt("10.13.3", "pip-cu13"))
    assert codes(found, "GPU") == {}
    assert any("12.1" in item.needed for item in found.unknowns)


def test_a_release_newer_than_the_matrix_is_judged_by_its_major_only() -> None:
    new = trt("11.9.0")
    assert codes(declared(gpus=board("GeForce RTX 5090"), tensorrt=new)).get("GPU201") is None
    assert codes(declared(gpus=board("Tesla V100"), tensorrt=new)).get("GPU201") == "error"


def test_each_gpu_is_judged_alone_and_named() -> None:
    gpus = [{"name": "GeForce RTX 3080"}, {"name": "GeForce RTX 2080 Ti"}]
    finding = one(declared(os="windows", arch="x86_64", gpus=gpus, tensorrt=trt("7.1.3", "zip")), "GPU201")
    assert "GPU 0 (GeForce RTX 3080)" in finding.title
    assert "2080" not in finding.title


def test_eight_equal_gpus_are_one_finding() -> None:
    gpus = tuple(replace(L4, index=number, name="NVIDIA V100", compute_capability="7.0") for number in range(8))
    finding = one(report(live(gpus=gpus)), "GPU201")
    assert "GPU 0, 1, 2, 3, 4, 5, 6, 7 (NVIDIA V100)" in finding.title


def test_a_hidden_gpu_does_not_count() -> None:
    old = replace(L4, index=1, name="NVIDIA V100", compute_capability="7.0", visible=False)
    assert codes(report(live(gpus=(L4, old))), "GPU") == {}


def test_several_tensorrts_of_which_some_fail_are_a_warning() -> None:
    both = [{"version": "10.7.0", "from": "tar"}, {"version": "10.9.0", "from": "pip-cu12"}]
    gpu = board("GeForce RTX 5090")
    assert codes(declared(**SERVER, gpus=gpu, tensorrt=both)).get("GPU201") == "warning"
    loaded = [{**both[0], "loaded": True}, both[1]]
    assert codes(declared(**SERVER, gpus=gpu, tensorrt=loaded)).get("GPU201") == "error"


@pytest.mark.parametrize(
    ("cuda", "gpu", "expected"),
    [
        ({"version": "12.1"}, "GeForce RTX 5090", "error"),
        ({"version": "12.8"}, "GeForce RTX 5090", None),
        ({"version": "12"}, "GeForce RTX 5090", None),
        ({"version": "12.6.77", "from": "pip"}, "GeForce RTX 5090", "warning"),
        ({"version": "12.1"}, "GeForce RTX 4090", None),
    ],
)
def test_the_cuda_floor_of_a_gpu(cuda: dict[str, str], gpu: str, expected: str | None) -> None:
    found = declared(
        os="linux",
        arch="x86_64",
        gpus=board(gpu),
        cuda=[cuda],
        tensorrt=trt("10.12.0", "pip-cu12"),
    )
    assert codes(found, "GPU2").get("GPU202") == expected
    assert "GPU203" not in codes(found) or expected is None


def test_one_new_enough_cuda_is_enough() -> None:
    both = [{"version": "12.1"}, {"version": "12.8"}]
    found = declared(
        os="linux",
        arch="x86_64",
        gpus=board("RTX 5090"),
        cuda=both,
        tensorrt=trt("10.12.0", "pip-cu12"),
    )
    assert codes(found, "GPU2") == {}


def test_an_old_toolkit_does_not_concern_tensorrts_own_kernels() -> None:
    ada, toolkit = L4, Toolkit("/usr/local/cuda-11.7", "11.7")
    cu11 = replace(TENSORRT, version="8.6.1", flavour="cu11")
    snapshot = live(gpus=(ada,), copies=(cu11,), toolkits=(toolkit,))
    assert codes(report(snapshot), "GPU") == {"GPU203": "info"}
    assert codes(report(snapshot, "build", "plugin"), "GPU") == {"GPU203": "warning"}
    newer = Toolkit("/usr/local/cuda-11.8", "11.8")
    assert codes(report(live(gpus=(ada,), copies=(cu11,), toolkits=(toolkit, newer))), "GPU") == {}


def test_a_runtime_library_compiles_nothing() -> None:
    runtime = Copy(
        component="cuda", name="libcudart", version="11.7.99", path="/usr/lib/libcudart.so.11.0", origin="apt"
    )
    assert "GPU203" not in codes(report(live(copies=(TENSORRT, runtime))))


@pytest.mark.parametrize(
    ("gpu", "expected"),
    [("NVIDIA H200", "error"), ("A100", None), ("GeForce RTX 4090", None), ("GeForce RTX 5090", None)],
)
def test_what_tensorrt_for_rtx_serves(gpu: str, expected: str | None) -> None:
    rtx = [{"version": "1.7.1.116", "product": "rtx", "from": "pip-cu13"}]
    found = declared(**SERVER, gpus=board(gpu), tensorrt=rtx, wants=["build", "run"])
    assert codes(found, "GPU").get("GPU205") == expected
    assert "GPU201" not in codes(found)


def test_rtx_on_a_hopper_that_only_builds_is_a_warning() -> None:
    rtx = [{"version": "1.7.1.116", "product": "rtx"}]
    assert codes(declared(gpus=board("H200"), tensorrt=rtx, wants=["build"]), "GPU") == {"GPU205": "warning"}


# -- GPU3xx to GPU5xx: health ----------------------------------------------------------------------------------------


def test_a_full_gpu_names_who_holds_it() -> None:
    holder = GpuProcess(4711, "python3", 23 << 30)
    found = report(live(gpus=(replace(L4, memory_free_bytes=300 << 20, processes=(holder,)),)))
    assert codes(found, "GPU") == {"GPU301": "warning"}
    title = one(found, "GPU301").title
    assert "300 MiB" in title
    assert "python3 (pid 4711)" in title


def test_enough_or_unknown_memory_is_nothing() -> None:
    assert codes(report(live(gpus=(replace(L4, memory_free_bytes=2 << 30),))), "GPU") == {}
    assert codes(report(live(gpus=(replace(L4, memory_free_bytes=None, memory_bytes=None),))), "GPU") == {}
    assert codes(declared(gpus=[{"name": "L4", "memory_gib": 0.5}]), "GPU") == {"GPU301": "warning"}


@pytest.mark.parametrize(
    ("mode", "busy", "expected"),
    [
        ("prohibited", False, {"GPU302": "error"}),
        ("exclusive-process", True, {"GPU302": "error"}),
        ("exclusive-process", False, {}),
        ("default", True, {}),
    ],
)
def test_compute_mode(mode: str, busy: bool, expected: dict[str, str]) -> None:
    processes = (GpuProcess(12, "Xorg"),) if busy else ()
    assert codes(report(live(gpus=(replace(L4, compute_mode=mode, processes=processes),))), "GPU") == expected


def test_mig_without_an_instance() -> None:
    mig = replace(L4, name="NVIDIA A100-SXM4-80GB", compute_capability="8.0", mig=True)
    assert codes(report(live(driver=BLIND, gpus=(mig,))), "DRV", "GPU") == {"GPU401": "error"}
    assert codes(report(live(gpus=(mig,))), "DRV", "GPU") == {}
    assert codes(report(live(driver=BLIND, gpus=(mig, L4))), "DRV", "GPU") == {"GPU101": "error"}
    cut = replace(mig, mig_instances=7)
    assert codes(report(live(driver=BLIND, gpus=(cut,))), "DRV", "GPU") == {"GPU101": "error"}
    empty = replace(mig, mig_instances=0)
    unseen = replace(HEALTHY, cuinit_error=None)
    assert codes(report(live(driver=unseen, gpus=(empty,))), "DRV", "GPU") == {"GPU401": "error"}
    assert codes(report(live(driver=unseen, gpus=(cut,))), "DRV", "GPU") == {}


def test_a_vgpu_is_information() -> None:
    assert codes(declared(gpus=[{"name": "A100", "vgpu": True}]), "GPU") == {"GPU402": "info"}


@pytest.mark.parametrize(
    ("state", "code", "expected"),
    [
        ("in-progress", 802, {"GPU501": "error"}),
        ("not-started", None, {"GPU501": "error"}),
        ("completed", None, {}),
        ("not-supported", None, {}),
        ("in-progress", 0, {}),
    ],
)
def test_the_fabric_of_nvswitch_systems(state: str, code: int | None, expected: dict[str, str]) -> None:
    gpu = replace(L4, name="NVIDIA H200", compute_capability="9.0", fabric_state=state)
    assert codes(report(live(driver=replace(HEALTHY, cuinit_error=code), gpus=(gpu,))), "DRV", "GPU") == expected


# -- the rules themselves --------------------------------------------------------------------------------------------


def test_every_rule_of_these_families_has_its_sections_and_known_sources() -> None:
    matrix = load()
    for rule in RULES:
        if not rule.code.startswith(("CTR", "DRV", "GPU")):
            continue
        for section in ("Why it matters:", "Example:", "How to fix:", "Sources:"):
            assert rule.doc.count(section) == 1, (rule.code, section)
        for source in rule.doc.partition("Sources:")[2].replace("\n", " ").split(","):
            name = source.strip()
            assert name.startswith("https://") or matrix.source_url(name), (rule.code, name)
        assert len(rule.components) <= 3
        for other in rule.silenced_by:
            order = [item.code for item in RULES]
            assert order.index(other) < order.index(rule.code), (rule.code, other)
