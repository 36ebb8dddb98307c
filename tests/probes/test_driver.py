"""The driver probe: roots made of real files, and real child processes that answer, crash, hang and babble."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.probes.roots import context, elf, write
from tests.probes.test_ldcache import built
from trtdoctor.probes import base, driver
from trtdoctor.probes.base import ChildResult
from trtdoctor.probes.visible import Device, visible_devices
from trtdoctor.redaction import redact
from trtdoctor.snapshot import Driver, Gpu, Snapshot

PROPRIETARY = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\nGCC version:  gcc 12\n"
)
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build  (builder@host)  Tue May 5\n"
OTHER_MACHINE = "aarch64" if os.uname().machine == "x86_64" else "x86_64"
CUDA = elf("libcuda.so.1")
DATA = Path(__file__).resolve().parent.parent / "data"


def on_disk(root: Path, **environ: str) -> Driver:
    return driver.on_disk(context(root, environ)).driver


# -- files -------------------------------------------------------------------------------------------------------------


def test_nothing_anywhere_means_no_driver_and_no_gpu(tmp_path: Path) -> None:
    found = driver.probe(context(tmp_path))
    assert found.driver == Driver(installed=False)
    assert found.gpus == ()


def test_without_a_driver_a_gpu_on_the_bus_is_not_forgotten(tmp_path: Path) -> None:
    device = "sys/bus/pci/devices/0000:04:00.0"
    write(tmp_path, {f"{device}/vendor": "0x10de\n", f"{device}/class": "0x030200\n"})
    found = driver.probe(context(tmp_path))
    assert found.driver.installed is False
    assert found.gpus is None
    assert found.notes
    write(tmp_path, {f"{device}/class": "0x040300\n"})  # its sound device alone
    assert driver.probe(context(tmp_path)).gpus == ()


@pytest.mark.parametrize(
    ("text", "version", "flavour"),
    [
        (PROPRIETARY, "535.104.05", "proprietary"),
        (OPEN, "580.159.04", "open"),
        ("NVRM version: garbage", None, None),
        ("\x00\xff", None, None),
    ],
)
def test_the_kernel_module(tmp_path: Path, text: str, version: str | None, flavour: str | None) -> None:
    write(tmp_path, {"proc/driver/nvidia/version": text})
    found = on_disk(tmp_path)
    assert (found.kernel_version, found.kernel_flavour, found.installed) == (version, flavour, True)


def test_the_kernel_module_by_sys_alone(tmp_path: Path) -> None:
    write(tmp_path, {"sys/module/nvidia/version": "570.124.06\n"})
    assert on_disk(tmp_path).kernel_version == "570.124.06"


def test_device_nodes_and_their_access(tmp_path: Path) -> None:
    names = ["nvidiactl", "nvidia-uvm", "nvidia10", "nvidia2", "nvidia-caps", "null", "nvidia-modeset"]
    write(tmp_path, {f"dev/{name}": "" for name in names})
    found = on_disk(tmp_path)
    assert [node.path for node in found.nodes] == ["/dev/nvidia2", "/dev/nvidia10", "/dev/nvidia-uvm", "/dev/nvidiactl"]
    assert found.installed is True
    if os.geteuid():
        (tmp_path / "dev/nvidia2").chmod(0)
        assert [node.accessible for node in on_disk(tmp_path).nodes] == [False, True, True, True]


def test_the_search_order_of_the_loader(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "usr/lib/libcuda.so.1": "->libcuda.so.535.104.05",
            "usr/lib/libcuda.so.535.104.05": CUDA,
            "opt/driver/libcuda.so.1": "->libcuda.so.550.54.14",
            "opt/driver/libcuda.so.550.54.14": CUDA,
            "opt/mine/libcuda.so.1": "->libcuda.so.580.65.06",
            "opt/mine/libcuda.so.580.65.06": CUDA,
        },
    )
    assert on_disk(tmp_path).library_version == "535.104.05"
    cache = built([("libcuda.so.1", "/gone/libcuda.so.1"), ("libcuda.so.1", "/opt/driver/libcuda.so.1")], new=True)
    write(tmp_path, {"etc/ld.so.cache": cache})
    assert on_disk(tmp_path).library_version == "550.54.14"
    found = on_disk(tmp_path, LD_LIBRARY_PATH="/nowhere::/opt/mine/")
    assert found == Driver(
        library_version="580.65.06", library_path="/opt/mine/libcuda.so.1", library_kind="driver", installed=True
    )


@pytest.mark.parametrize(
    ("files", "kind", "installed"),
    [
        ({"lib/libcuda.so.1": "->libcuda.so.535.1.2", "lib/libcuda.so.535.1.2": CUDA}, "driver", True),
        ({"lib/stubs/libcuda.so": CUDA, "lib/libcuda.so.1": "->stubs/libcuda.so"}, "stub", False),
        (
            {
                "usr/local/cuda-12.8/compat/libcuda.so.570.1.2": CUDA,
                "lib/libcuda.so.1": "->../usr/local/cuda-12.8/compat/libcuda.so.570.1.2",
            },
            "compat",
            False,
        ),
        ({"lib/libcuda.so.1": "a text file\n"}, "other", None),
        ({"lib/libcuda.so.1": ""}, "other", None),
        ({"lib/libcuda.so.1": elf("libother.so.3")}, "other", None),
        ({"lib/libcuda.so.1": CUDA}, None, None),
        ({"lib/libcuda.so": CUDA}, None, False),
        ({"lib/libcuda.so.1": "->gone"}, None, False),
    ],
)
def test_kinds_of_libcuda(
    tmp_path: Path, files: dict[str, str | bytes], kind: str | None, installed: bool | None
) -> None:
    write(tmp_path, files)
    found = on_disk(tmp_path)
    assert (found.library_kind, found.installed) == (kind, installed)


def test_a_library_of_another_version_than_the_kernel_module(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/driver/nvidia/version": PROPRIETARY,
            "lib/libcuda.so.1": "->libcuda.so.535.129.03",
            "lib/libcuda.so.535.129.03": CUDA,
        },
    )
    assert on_disk(tmp_path).library_kind == "mismatched"
    write(tmp_path, {"proc/driver/nvidia/version": PROPRIETARY.replace("535.104.05", "535.129.03")})
    assert on_disk(tmp_path).library_kind == "driver"


def test_a_library_where_the_loader_does_not_look(tmp_path: Path) -> None:
    write(tmp_path, {"usr/lib/wsl/lib/libcuda.so.1": CUDA})
    found = driver.probe(context(tmp_path))
    assert (found.driver.installed, found.driver.library_path) == (True, None)
    assert "/usr/lib/wsl/lib" in found.notes[0]


def test_the_head_of_another_machines_library_passes_it_over(tmp_path: Path) -> None:
    """Only on this machine's own root is it known for which machine libraries have to be."""
    live = context(Path("/"))
    own, other = elf("libcuda.so.1"), elf("libcuda.so.1", OTHER_MACHINE)
    assert own != other
    write(tmp_path, {"own/libcuda.so.1": own, "other/libcuda.so.1": other})
    assert driver.describe(live, f"{tmp_path}/own/libcuda.so.1") is not None
    assert driver.describe(live, f"{tmp_path}/other/libcuda.so.1") is None


# -- CUDA_VISIBLE_DEVICES ----------------------------------------------------------------------------------------------

H200 = [Device("H200", f"GPU-{digit * 8}-1", mig=False) for digit in "abc"]
MIXED = [Device("H200", "GPU-aaaa1", mig=False), Device("T4", "GPU-aabb2", mig=False), Device("T4", None, mig=False)]
SPLIT = [Device("A100", "GPU-aa", mig=True, instances=("MIG-11", "MIG-12")), Device("A100", "GPU-bb", mig=False)]
Y, N = True, False


@pytest.mark.parametrize(
    ("devices", "value", "order", "wanted"),
    [
        (H200, None, None, [Y, Y, Y]),
        (H200, "", None, [N, N, N]),
        (H200, "-1", None, [N, N, N]),
        (H200, "NoDevFiles", None, [N, N, N]),
        (H200, "0", None, [Y, N, N]),
        (H200, " 2 , 0", None, [Y, N, Y]),
        (H200, "1,-1,0", None, [N, Y, N]),
        (H200, "1,7,0", None, [N, Y, N]),
        (H200, "99999999999999", None, [None] * 3),
        (H200, "0,0", None, [N, N, N]),
        (H200, "GPU-bbbb", None, [N, Y, N]),
        (H200, "GPU-", None, [N, N, N]),
        (H200, "GPU-bbbb,2", None, [N, Y, N]),
        (MIXED, "", None, [N, N, N]),
        (H200, "GPU-dddd,0", None, [N, N, N]),
        (H200[:1], "0", None, [Y]),
        ([Device(None, None)], "0", None, [Y]),
        (MIXED, "0", None, [None] * 3),
        (MIXED, "0", "PCI_BUS_ID", [Y, N, N]),
        (MIXED, "GPU-aab", None, [N, Y, N]),
        (MIXED, "GPU-cc", None, [None] * 3),
        (SPLIT, "0", None, [None] * 2),
        (SPLIT, "MIG-12", None, [Y, N]),
        (SPLIT, "MIG-11,MIG-12", None, [Y, N]),
        (SPLIT, "MIG-GPU-aa/1/0", None, [Y, N]),
        (SPLIT, "MIG-GPU-bb/1/0", None, [N, N]),
        (SPLIT, "MIG-99", None, [N, N]),
        (SPLIT, "GPU-bb,MIG-11", None, [None] * 2),
        ([], "0", None, []),
    ],
)
def test_visible_devices(
    devices: list[Device], value: str | None, order: str | None, wanted: list[bool | None]
) -> None:
    assert visible_devices(devices, value, order) == wanted


def test_visible_devices_are_what_was_measured() -> None:
    uuids = {"A": "GPU-b0000000-1111-2222-3333-44444444aaaa", "B": "GPU-c0000000-1111-2222-3333-44444444bbbb"}
    first = uuids["A"]
    words = {
        "A:8": first[:8],
        "A:5": first[:5],
        "A:upper": first.upper(),
        "A:lower": first.lower(),
        "A:bare": first.removeprefix("GPU-"),
        **uuids,
    }
    devices = [Device("NVIDIA H200", uuid, mig=False) for uuid in uuids.values()]
    rows = yaml.safe_load((DATA / "visible_devices.yaml").read_text())["measured"]
    open_ones = []
    for row in rows:
        value = row["value"]
        for word, text in words.items():
            value = value.replace("{" + word + "}", text) if value else value
        told = visible_devices(devices, value, None)
        measured = [name in row["shown"] for name in uuids]
        if None in told:
            open_ones.append(row["value"])
        else:
            assert told == measured, row
    assert open_ones == ["4294967296", "4294967297", "99999999999999999999"]


@given(st.text(st.sampled_from("019,- GPUMIabc/x²"), max_size=20), st.sampled_from([H200, MIXED, SPLIT]))
def test_any_value_answers_for_each_device(value: str, devices: list[Device]) -> None:
    assert len(visible_devices(devices, value, None)) == len(devices)


# -- children that go wrong --------------------------------------------------------------------------------------------

FIRST = 'import json, sys\nprint(json.dumps({"nvml_error": 0, "driver": "580.1.2", "count": 0}), flush=True)\n'


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        (FIRST + "import ctypes\nctypes.string_at(0)\n", "crashed"),
        (FIRST + "import time\ntime.sleep(60)\n", "timed-out"),
        (FIRST + "sys.exit(3)\n", "failed"),
        (FIRST + 'print("garbage {[")\n', "partial"),
    ],
)
def test_what_was_said_before_the_end_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, outcome: str
) -> None:
    monkeypatch.setattr(base, "CHILDREN", write(tmp_path, {"nvidia.py": script}))
    started = time.monotonic()
    found = driver.ask(context(Path("/"), os.environ), Snapshot(), seconds=1.5)
    assert time.monotonic() - started < 8
    assert [item.outcome for item in found.probes] == [outcome]
    assert found.driver.version == "580.1.2"
    assert found.gpus == ()


@pytest.mark.parametrize(
    "script", ["print('\\x00\\x1b[31m' * 1000)", "import sys\nsys.stdout.buffer.write(bytes(range(256)) * 40000)", "{"]
)
def test_garbage_is_told_and_gives_no_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(base, "CHILDREN", write(tmp_path, {"nvidia.py": script}))
    found = driver.ask(context(Path("/"), os.environ), Snapshot(driver=Driver(installed=True)), seconds=5)
    assert [item.outcome for item in found.probes] in (["failed"], ["crashed"])
    assert (found.driver, found.gpus) == (Driver(installed=True), None)


def test_an_interpreter_that_is_not_there(tmp_path: Path) -> None:
    found = driver.ask(context(Path("/")), Snapshot(), interpreter=str(tmp_path / "python"))
    assert [item.outcome for item in found.probes] == ["failed"]


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = [
    "nodes",
    "nvml_error",
    "nvml_version",
    "driver",
    "count",
    "gpu0",
    "gpu1",
    "cuda_path",
    "cuda_version",
    "cuda_version_error",
    "cuinit_error",
    "cuda_devices",
    "done",
    "cuda_load_error",
    "name",
    "uuid",
    "mig",
    "compute_capability",
    "fabric",
    "processes",
    "error",
    "memory",
]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(KEYS), PLAIN | st.dictionaries(st.sampled_from(KEYS), PLAIN)))
def test_any_answer_gives_a_snapshot_that_can_be_replayed(answer: dict[str, object]) -> None:
    found = driver.combine(context(Path("/")), Snapshot(), ChildResult("ok", answer))
    assert Snapshot.from_json(found.to_json()).gpus is None or found.gpus is not None


# -- libraries that a real child loads ---------------------------------------------------------------------------------

needs_compiler = pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
UUID = "GPU-00010203-0405-0607-0809-0a0b0c0d0e0f"
BACK_ENDS = {"pynvml": sys.executable, "ctypes": os.path.realpath(sys.executable)}
"""The base interpreter does not see this environment's packages."""


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a libcuda.so.1 and a libnvidia-ml.so.1."""
    place = tmp_path_factory.mktemp("driver")
    source = Path(__file__).with_name("fake_nvidia.c")
    for macro, name in (("CUDA", "libcuda.so"), ("NVML", "libnvidia-ml.so")):
        target = place / f"{name}.580.159.04"
        options = ["-shared", "-fPIC", "-w", f"-D{macro}", f"-Wl,-soname,{name}.1"]
        subprocess.run(["cc", *options, "-o", str(target), str(source)], check=True)
        (place / f"{name}.1").symlink_to(target.name)
    return place


def asked(place: Path, back_end: str = "pynvml", seconds: float = 8, **environ: str) -> Snapshot:
    here = context(Path("/"), {"LD_LIBRARY_PATH": str(place), **environ})
    found = driver.on_disk(here)
    # A kernel module of this machine, if it has one, has nothing to do with the stand-ins.
    found = replace(found, driver=replace(found.driver, kernel_version=None, library_kind="driver"))
    return driver.ask(here, found, interpreter=BACK_ENDS[back_end], seconds=seconds)


@needs_compiler
@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_a_whole_answer(libraries: Path, back_end: str) -> None:
    found = asked(libraries, back_end)
    assert [item.outcome for item in found.probes] == []
    seen = found.driver
    assert (seen.version, seen.nvml_version, seen.nvml_error) == ("580.159.04", "580.159.04", 0)
    assert (seen.cuda, seen.cuinit_error, seen.installed) == ("13.0", 0, True)
    assert (seen.library_path, seen.library_kind) == (str(libraries / "libcuda.so.1"), "driver")
    assert found.gpus is not None
    assert len(found.gpus) == 3
    first, lost, split = found.gpus
    assert (first.name, first.compute_capability, first.memory_bytes) == ("NVIDIA H200", "9.0", 150_000_000_000)
    assert (first.uuid, first.pci_bus_id, first.visible) == (UUID, "00000000:04:00.0", True)
    assert (first.mig, first.mig_instances, first.vgpu) == (False, None, False)
    assert (first.compute_mode, first.fabric_state, first.fabric_status) == ("exclusive-process", "completed", 0)
    assert [(item.pid, item.memory_bytes) for item in first.processes] == [(1, 4096)]
    assert lost == Gpu(index=1, error="lost", visible=True)
    assert (split.mig, split.mig_instances, split.vgpu, split.memory_bytes) == (True, 1, True, None)
    assert split.compute_mode == "prohibited"
    assert UUID not in redact(found).to_json()


@needs_compiler
@pytest.mark.parametrize("back_end", BACK_ENDS)
@pytest.mark.parametrize("code", [4, 9, 18, 999])
def test_nvml_errors_are_told_apart(libraries: Path, back_end: str, code: int) -> None:
    found = asked(libraries, back_end, FAKE_NVML=str(code), FAKE_CUINIT="803")
    assert found.driver.nvml_error == code
    assert found.driver.nvml_version == "580.159.04"
    assert (found.driver.version, found.driver.cuinit_error, found.gpus) == (None, 803, None)


@needs_compiler
@pytest.mark.parametrize(("behaviour", "outcome"), [("crash", "crashed"), ("hang", "timed-out")])
def test_a_bad_cuinit_costs_no_other_fact(libraries: Path, behaviour: str, outcome: str) -> None:
    found = asked(libraries, seconds=2, FAKE_CUINIT=behaviour)
    assert [item.outcome for item in found.probes] == [outcome]
    assert (found.driver.version, found.driver.cuda, found.driver.cuinit_error) == ("580.159.04", "13.0", None)
    assert found.gpus is not None
    assert [gpu.error for gpu in found.gpus] == [None, "lost", None]


@needs_compiler
def test_a_crash_amid_the_gpus_leaves_the_rest_unanswered(libraries: Path) -> None:
    found = asked(libraries, FAKE_CUINIT="nvml-crash")
    assert [item.outcome for item in found.probes] == ["crashed"]
    assert found.gpus is not None
    assert [gpu.error for gpu in found.gpus] == [None, "lost", "unanswered"]


@needs_compiler
def test_the_stub_says_so_itself(libraries: Path) -> None:
    assert asked(libraries, FAKE_VERSION_CODE="34", FAKE_CUINIT="34").driver.library_kind == "stub"


@needs_compiler
def test_without_nvml_libcuda_names_the_gpus(libraries: Path, tmp_path: Path) -> None:
    shutil.copy(libraries / "libcuda.so.580.159.04", tmp_path / "libcuda.so.1")
    (tmp_path / "libnvidia-ml.so.1").write_text("cannot be loaded, also not where there is a real one")
    found = asked(tmp_path)
    assert found.driver.nvml_error == 12
    assert found.gpus == (
        Gpu(index=0, name="Orin", compute_capability="8.7", memory_bytes=1 << 33, uuid=UUID, visible=True),
    )


@needs_compiler
def test_what_libcuda_shows_settles_what_the_variable_leaves_open(libraries: Path) -> None:
    found = asked(libraries, CUDA_VISIBLE_DEVICES="0")
    assert found.gpus is not None
    # With MIG on one of them an index does not tell; libcuda showed the first one.
    assert [gpu.visible for gpu in found.gpus] == [True, None, None]


@needs_compiler
def test_the_whole_probe_asks_one_child(libraries: Path) -> None:
    environ = {"LD_LIBRARY_PATH": str(libraries), "CUDA_VISIBLE_DEVICES": "", "FAKE_CUINIT": "100"}
    found = driver.probe(context(Path("/"), environ))
    assert found.driver.version == "580.159.04"
    assert found.gpus is not None
    assert [gpu.visible for gpu in found.gpus] == [False] * 3


def test_a_control_group_that_refuses_is_seen_by_opening(tmp_path: Path) -> None:
    write(tmp_path, {"dev/nvidiactl": ""})
    found = driver.on_disk(context(tmp_path))
    answer = {"nodes": {"/dev/nvidiactl": 1}, "done": True}
    refused = driver.combine(context(tmp_path), found, ChildResult("ok", answer))
    assert [node.accessible for node in found.driver.nodes] == [True]
    assert [node.accessible for node in refused.driver.nodes] == [False]


def test_a_jetson_whose_libraries_say_nothing_is_named_by_its_device_tree(tmp_path: Path) -> None:
    model = "NVIDIA Jetson AGX Orin Developer Kit"
    write(tmp_path, {"dev/nvhost-gpu": "", "proc/device-tree/model": model + "\0"})
    found = driver.combine(context(tmp_path), driver.on_disk(context(tmp_path)), ChildResult("ok", {"done": True}))
    assert found.gpus == (Gpu(index=0, name=model),)
