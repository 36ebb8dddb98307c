"""Incidents that installed files decide: each layout rebuilt from tiny stand-ins, found by the real probes, judged.

The incidents are those of ``../shared/incidents/cases.yaml`` with ``decidable_by: files``. A rebuilt one must get its
code, as an error or a warning, with a component that the incident names. Those that cannot be rebuilt stand in
``NOT_REBUILT`` with the reason; ``docs/incidents-files.md`` lists both.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from benchmarks.incidents import CASES
from tests.engine.files import old_plan
from tests.images import AS_OF, Image
from tests.probes.test_ldcache import built
from trtdoctor.engine.look import look
from trtdoctor.findings import Report, Severity
from trtdoctor.judge import judge
from trtdoctor.matrix import load
from trtdoctor.yamlfile import parse

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "incidents-files.md"
_WINDOWS = (
    "a Windows machine: DLLs are judged from recorded snapshots (tests/rules/test_loader.py), not looked for here"
)
NOT_REBUILT = {
    "fastmot-127-foreign-trt-files": "which TensorRT 7 it was that reads number 96 and not 97 is not told, and nobody "
    "noted the numbers of each",
    "trt-1035-3070-nvrtc": _WINDOWS,
    "trt-1693-import-order-win": _WINDOWS,
    "ort-14730-114-needs-trt85": f"{_WINDOWS}; and both TensorRT releases have one DLL name",
    "trt-2460-renamed-dlls": _WINDOWS,
    "yoloseries-67-b-cudnn84-zlib": _WINDOWS,
    "nvidia-docker-1591-snap": "Docker of the host, and that it is a snap, are not seen from the files of the image",
    "tftrt-85-compiled-502-loaded-512": "the TensorRT that TensorFlow 1.13 was built with is a constant in its code; "
    "the library that it needs has one name for both releases",
    "trt-1292-myelin-cublas": "the plan's own cuBLAS stands in the plan; the files here fit each other",
}
"""Why an incident is not rebuilt from files."""

Files = dict[str, bytes | str]
Build = Callable[..., Report]
"""From a directory to the report; with ``mended=True`` the same machine after the fault was mended."""
REBUILT: dict[str, tuple[str, Build]] = {}
"""Incident to the code that must fire, and to what rebuilds and judges it."""


def rebuilds(incident: str, code: str) -> Callable[[Build], Build]:
    def mark(build: Build) -> Build:
        REBUILT[incident] = code, build
        return build

    return mark


@pytest.fixture(scope="module")
def incidents() -> dict[str, dict[str, Any]]:
    if not CASES.is_file():
        pytest.skip("../shared is not beside this checkout")
    return {case["id"]: case for case in parse(CASES.read_bytes()) if case["decidable_by"] == "files"}


def test_each_incident_is_rebuilt_or_says_why_not(incidents: dict[str, dict[str, Any]]) -> None:
    assert not REBUILT.keys() & NOT_REBUILT.keys()
    assert REBUILT.keys() | NOT_REBUILT.keys() == incidents.keys()
    assert len(REBUILT) >= 20


def test_the_document_lists_them(incidents: dict[str, dict[str, Any]]) -> None:
    text = DOCUMENT.read_text("utf-8")
    for incident, (code, _) in REBUILT.items():
        assert f"| `{incident}` | {code} |" in text
    for incident, reason in NOT_REBUILT.items():
        assert f"| `{incident}` | {reason} |" in text


# -- TensorRT ----------------------------------------------------------------------------------------------------------


def wheels_of_10(image: Image, version: str) -> None:
    """The wheels of TensorRT 10 with their libraries."""
    major = version.partition(".")[0]
    short = ".".join(version.split(".")[:3])
    core = f"libnvinfer.so.{major}"
    libs: Files = {
        "tensorrt_libs/__init__.py": 'import glob\nfor lib in glob.glob("*.so*"):\n    pass\n',
        f"tensorrt_libs/libnvinfer.so.{major}": image.content(core, ["libc.so.6"], runpath="$ORIGIN"),
        f"tensorrt_libs/libnvinfer_plugin.so.{major}": image.content(f"libnvinfer_plugin.so.{major}", [core]),
        f"tensorrt_libs/libnvonnxparser.so.{major}": image.content(f"libnvonnxparser.so.{major}", [core]),
        f"tensorrt_libs/libnvinfer_builder_resource.so.{short}": image.content(
            f"libnvinfer_builder_resource.so.{short}"
        ),
    }
    needed = [core, f"libnvinfer_plugin.so.{major}", f"libnvonnxparser.so.{major}"]
    bindings: Files = {
        "tensorrt_bindings/__init__.py": "import tensorrt_libs\nfrom .tensorrt import *\n",
        "tensorrt_bindings/tensorrt.so": image.content("tensorrt.so", needed),
    }
    front: Files = {"tensorrt/__init__.py": "from tensorrt_bindings import *\n"}
    image.wheel("tensorrt-cu12", version, front)
    image.wheel("tensorrt-cu12-libs", version, libs)
    image.wheel("tensorrt-cu12-bindings", version, bindings)


CUDNN_8 = ("", "_ops_infer", "_cnn_infer", "_adv_infer", "_ops_train", "_cnn_train", "_adv_train")


def cudnn_8(image: Image, folder: str, version: str) -> None:
    """CuDNN 8 with its parts."""
    for part in CUDNN_8:
        image.library(f"{folder}/libcudnn{part}.so.{version}", f"libcudnn{part}.so.8", needed=["libc.so.6"])


@rebuilds("trt-2041-python-loads-newer-nvinfer", "LDR101")
def two_releases_of_one_name(root: Path, mended: bool = False) -> Report:
    image = Image(root, glibc="2.31", version="20.04", python="3.7")
    image.bindings("8.2.1.8")
    image.tensorrt("8.2.1", "/opt/TensorRT-8.2.1.8/lib")
    image.tensorrt("8.4.0", "/opt/TensorRT-8.4.0.6/lib")
    cudnn_8(image, image.system, "8.4.0")
    folders = ["/opt/TensorRT-8.4.0.6/lib", "/opt/TensorRT-8.2.1.8/lib"]
    if mended:
        folders.reverse()
    return image.report({"LD_LIBRARY_PATH": ":".join(folders)}, "run", "python")


@rebuilds("trt-3898-base-and-venv", "TOL102")
def system_and_environment(root: Path, mended: bool = False) -> Report:
    image = Image(root)
    image.tensorrt("8.6.1")
    cudnn_8(image, image.system, "8.9.7")
    image.program("/usr/src/tensorrt/bin/trtexec", ["libnvinfer.so.8", "libnvonnxparser.so.8", "libc.so.6"])
    image.debian("libnvinfer8", "8.6.1.6-1+cuda12.0", [f"{image.system}/libnvinfer.so.8.6.1"])
    image.debian("libnvinfer-bin", "8.6.1.6-1+cuda12.0", ["/usr/src/tensorrt/bin/trtexec"])
    if not mended:
        wheels_of_10(image, "10.1.0")
    return image.report()


@rebuilds("trt-3936-metapackage-without-libs", "TRT102")
def front_alone(root: Path, mended: bool = False) -> Report:
    image = Image(root, glibc="2.31", version="20.04")
    image.wheel("tensorrt", "10.0.1", requires=["tensorrt-cu12"])
    front: Files = {"tensorrt/__init__.py": "from tensorrt_bindings import *\n"}
    image.wheel("tensorrt-cu12", "10.0.1", front, requires=["tensorrt_cu12_libs", "tensorrt_cu12_bindings"])
    if mended:
        wheels_of_10(image, "10.0.1")
    return image.report(None, "python")


@rebuilds("trtdemos-517-angle-brackets", "LDR301")
def angle_brackets(root: Path, mended: bool = False) -> Report:
    image = Image(root, glibc="2.31", version="20.04", python="3.8")
    image.bindings("8.2.1.8")
    image.tensorrt("8.2.1", "/home/ubuntu/TensorRT-8.2.1.8/lib")
    cudnn_8(image, image.system, "8.2.1")
    entry = "/home/ubuntu/TensorRT-8.2.1.8/lib" if mended else "</home/ubuntu/TensorRT-8.2.1.8/lib>"
    return image.report({"LD_LIBRARY_PATH": entry}, "python")


@rebuilds("trt-1747-cudnn-not-on-path", "LDR202")
def cudnn_outside(root: Path, mended: bool = False) -> Report:
    image = Image(root, glibc="2.27", version="18.04", python="3.7")
    image.bindings("7.2.1.6")
    image.tensorrt("7.2.1", "/opt/TensorRT-7.2.1.6/lib", needed=["libcudnn.so.8"])
    cudnn_8(image, "/usr/local/cuda-10.2/lib64", "8.0.4")
    image.text("/usr/local/cuda-10.2/version.txt", "CUDA Version 10.2.89\n")
    more = ":/usr/local/cuda-10.2/lib64" if mended else ""
    return image.report({"LD_LIBRARY_PATH": f"/opt/TensorRT-7.2.1.6/lib{more}"}, "python")


@rebuilds("rve-85-glibc241-execstack", "LDR207")
def executable_stack(root: Path, mended: bool = False) -> Report:
    image = Image(root, glibc="2.40" if mended else "2.41", distribution="cachyos", version="2025", python="3.12")
    wheels_of_10(image, "10.7.0")
    name = "libnvinfer_builder_resource.so.10.7.0"
    image.text(f"{image.site}/tensorrt_libs/{name}", image.content(name, stack="rwx"))
    return image.report(None, "build", "python")


@rebuilds("paddleclas-1215-trt6-missing", "TRT101")
def paddle_without_tensorrt(root: Path) -> Report:
    image = Image(root, python="3.7", glibc="2.31", version="20.04")
    image.wheel("paddlepaddle-gpu", "2.1.2.post101", {"paddle/__init__.py": "x"})
    return image.report(None, "python", "run")


@rebuilds("trt-1124-centos-glibc", "LDR206")
def built_for_newer_glibc(root: Path, mended: bool = False) -> Report:
    image = Image(root, glibc="2.31" if mended else "2.17", distribution="centos", version="7", python="3.7")
    image.bindings("7.0.0.11")
    cudnn = "libcudnn.so.7"
    image.library("/opt/TensorRT-7.0.0.11/lib/libcudnn.so.7.6.5", cudnn)
    image.tensorrt("7.0.0", "/opt/TensorRT-7.0.0.11/lib", needed=[cudnn])
    folder = image.root.parent / "built"
    newer, older = "GLIBC_2.2.5 { global: sin; }; GLIBC_2.27 { global: exp; };", "GLIBC_2.2.5 { global: sin; exp; };"
    code = "int sin(int x) { return x; } int exp(int x) { return x; }"
    for name, versions in (("newer", newer), ("older", older)):
        script = folder / f"{name}.map"
        script.parent.mkdir(exist_ok=True)
        script.write_text(versions)
        compiled(folder / name / "libm.so.6", code, f"-Wl,--version-script={script}", "-fno-builtin")
    made = compiled(
        folder / "libnvinfer.so.7.0.0",
        "extern int exp(int); int createInferBuilder_INTERNAL(int x) { return exp(x); }",
        *("-fno-builtin", "-nostdlib", str(folder / "newer" / "libm.so.6"), "-Wl,-soname,libnvinfer.so.7"),
    )
    image.text("/opt/TensorRT-7.0.0.11/lib/libnvinfer.so.7.0.0", made.read_bytes())
    image.text(f"{image.system}/libm.so.6", (folder / ("newer" if mended else "older") / "libm.so.6").read_bytes())
    return image.report({"LD_LIBRARY_PATH": "/opt/TensorRT-7.0.0.11/lib"}, "python")


# -- Jetson ------------------------------------------------------------------------------------------------------------


def jetson(root: Path, release: str, *, container: bool = True, **settings: Any) -> Image:
    """An image for a Jetson, or the Jetson itself."""
    image = Image(root, machine="aarch64", **settings)
    image.text("/etc/nv_tegra_release", f"# R{release}, GCID: 1, BOARD: t186ref\n")
    if container:
        image.text("/.dockerenv", "")
    return image


@rebuilds("jetson-inference-1733-host-without-trt", "LDR205")
def nothing_mounted(root: Path, mended: bool = False) -> Report:
    settings: dict[str, Any] = {"glibc": "2.27", "version": "18.04", "python": "3.6"}
    image = jetson(root, "32 (release), REVISION: 4.4", **settings)
    image.bindings("7.1.3.0", site=image.packages)
    image.tensorrt("7.1.3")
    if not mended:
        image.text(f"{image.system}/libnvinfer.so.7.1.3", b"")
    return image.report(None, "run", python=None)


@rebuilds("jetson-containers-714-r364-nvdla", "LDR210")
def compiler_library_of_older_host(root: Path, mended: bool = False) -> Report:
    image = jetson(root, "36 (release), REVISION: 3.0")
    symbol = "_ZN5nvdla19IConcatenationLayer7setAxisEi"
    folder = image.root.parent / "built"
    exported = symbol if mended else "_ZN5nvdla6ILayer7setNameEPKc"
    host = compiled(folder / "libnvdla_compiler.so", f"int {exported}(int x) {{ return x; }}")
    nvinfer = compiled(
        folder / "libnvinfer.so.10",
        f"extern int {symbol}(int); int createInferBuilder_INTERNAL(void) {{ return {symbol}(1); }}",
        *("-Wl,-soname,libnvinfer.so.10", "-Wl,--no-as-needed", str(host)),
    )
    image.bindings("10.4.0", site=image.packages)
    image.tensorrt("10.4.0")
    image.text(f"{image.system}/libnvinfer.so.10.4.0", for_arm(nvinfer))
    image.text(f"{image.system}/libnvdla_compiler.so", for_arm(host))
    return image.report(None, "run", "python", python=None, symbols=True)


@rebuilds("balena-519-host-libs", "LDR204")
def host_library_not_mounted(root: Path, mended: bool = False) -> Report:
    image = jetson(root, "36 (release), REVISION: 4.0")
    image.tensorrt("10.3.0", needed=["libnvdla_compiler.so"])
    if mended:
        image.object(f"{image.system}/libnvdla_compiler.so")
    image.program("/usr/src/tensorrt/bin/trtexec", ["libnvinfer.so.10", "libc.so.6"])
    image.debian("libnvinfer-bin", "10.3.0.30-1+cuda12.5", ["/usr/src/tensorrt/bin/trtexec"])
    return image.report(None, "build", "cpp", python=None)


@rebuilds("roboflow-2306-ep-fallback", "FWK701")
def host_library_not_copied(root: Path, mended: bool = False) -> Report:
    image = jetson(root, "36 (release), REVISION: 4.0")
    image.tensorrt("10.3.0", needed=["libnvdla_compiler.so"])
    if mended:
        image.object(f"{image.system}/libnvdla_compiler.so")
    onnxruntime(image, "1.20.0", tensorrt=["libnvinfer.so.10", "libnvonnxparser.so.10"], cuda=["libc.so.6"])
    return image.report(None, "run", "python", "onnxruntime")


@rebuilds("ultralytics-18799-jp62-pip", "PYT111")
def bindings_of_another_python(root: Path, mended: bool = False) -> Report:
    image = jetson(root, "36 (release), REVISION: 4.3", container=False)
    image.tensorrt("10.3.0")
    image.bindings("10.3.0", site=image.packages)
    image.debian("libnvinfer10", "10.3.0.30-1+cuda12.5", [f"{image.system}/libnvinfer.so.10.3.0"])
    image.debian("python3-libnvinfer", "10.3.0.30-1+cuda12.5", [f"{image.packages}/tensorrt/tensorrt.so"])
    image.debian("nvidia-jetpack", "6.2+b77")
    return image.report(None, "build", "python", python="/usr/bin/python3" if mended else "/venv/bin/python")


# -- frameworks --------------------------------------------------------------------------------------------------------


def onnxruntime(image: Image, version: str, *, tensorrt: list[str], cuda: list[str]) -> None:
    """onnxruntime-gpu whose providers need these."""
    stem = "onnxruntime/capi/libonnxruntime_providers"
    files: Files = {
        "onnxruntime/__init__.py": "from onnxruntime.capi import _pybind_state\n",
        "onnxruntime/capi/__init__.py": "#",
        "onnxruntime/capi/onnxruntime_pybind11_state.so": image.content(None, ["libc.so.6"], runpath="$ORIGIN"),
        f"{stem}_shared.so": image.content("libonnxruntime_providers_shared.so", ["libc.so.6"]),
        f"{stem}_tensorrt.so": image.content("libonnxruntime_providers_tensorrt.so", [*tensorrt, "libc.so.6"]),
        f"{stem}_cuda.so": image.content("libonnxruntime_providers_cuda.so", [*cuda, "libc.so.6"]),
    }
    image.wheel("onnxruntime-gpu", version, files)


def toolkit(image: Image, version: str, numbers: dict[str, str]) -> None:
    """A CUDA toolkit with these libraries: soname to the number of the file."""
    folder = f"/usr/local/cuda-{version}/targets/x86_64-linux/lib"
    for soname, number in numbers.items():
        image.library(f"{folder}/{soname.partition('.so')[0]}.so.{number}", soname, needed=["libc.so.6"])
    image.link(f"/usr/local/cuda-{version}/lib64", "targets/x86_64-linux/lib")
    image.link("/usr/local/cuda", f"cuda-{version}")
    image.text(f"/usr/local/cuda-{version}/version.json", f'{{"cuda": {{"version": "{version}.1"}}}}')


CUDA_12 = {"libcudart.so.12": "12.1.105", "libcublas.so.12": "12.1.3.1", "libcublasLt.so.12": "12.1.3.1"}
PROVIDERS_11 = ["libcublasLt.so.11", "libcublas.so.11", "libcudart.so.11.0"]


@rebuilds("ort-21684-b-cudnn9", "FWK103")
def build_for_cudnn_9(root: Path, mended: bool = False) -> Report:
    image = Image(root, glibc="2.31", version="20.04")
    toolkit(image, "12.1", CUDA_12)
    cudnn_8(image, image.system, "8.9.7")
    wanted = [*CUDA_12, "libcudnn.so.8" if mended else "libcudnn.so.9"]
    onnxruntime(image, "1.18.1", tensorrt=["libnvinfer.so.10", *wanted], cuda=wanted)
    return image.report({"LD_LIBRARY_PATH": "/usr/local/cuda/lib64"}, "run", "onnxruntime")


@rebuilds("ort-21264-docker-cublas11", "FWK102")
def build_for_cuda_11(root: Path, mended: bool = False) -> Report:
    image = Image(root)
    image.text("/.dockerenv", "")
    toolkit(image, "12.2", CUDA_12)
    wanted = [*CUDA_12] if mended else PROVIDERS_11
    onnxruntime(image, "1.18.1", tensorrt=["libnvinfer.so.10", *wanted], cuda=wanted)
    return image.report({"LD_LIBRARY_PATH": "/usr/local/cuda/lib64"}, "python", "run", "onnxruntime")


@rebuilds("ort-25506-118-cuda124-trt100", "FWK102")
def table_allows_it(root: Path) -> Report:
    image = Image(root)
    toolkit(image, "12.4", CUDA_12)
    image.tensorrt("10.0.1")
    wanted = [*PROVIDERS_11, "libcudnn.so.8"]
    onnxruntime(image, "1.18.0", tensorrt=["libnvinfer.so.10", *wanted], cuda=wanted)
    return image.report({"LD_LIBRARY_PATH": "/usr/local/cuda/lib64"}, "run", "onnxruntime")


@rebuilds("ort-12766-builder-registry", "FWK701")
def provider_for_newer_tensorrt(root: Path, mended: bool = False) -> Report:
    image = Image(root, glibc="2.31", version="20.04", python="3.8")
    folder = image.root.parent / "built"
    exported = "getBuilderPluginRegistry" if mended else "getPluginRegistry"
    code = f"int {exported}(int x) {{ return x; }}"
    nvinfer = compiled(folder / "libnvinfer.so.8", code)
    provider = compiled(
        folder / "libonnxruntime_providers_tensorrt.so",
        "extern int getBuilderPluginRegistry(int); int GetProvider(void) { return getBuilderPluginRegistry(0); }",
        *("-Wl,--no-as-needed", str(nvinfer)),
    )
    image.tensorrt("8.2.1")
    image.text(f"{image.system}/libnvinfer.so.8.2.1", nvinfer.read_bytes())
    cudnn_8(image, image.system, "8.2.1")
    path = "/opt/onnxruntime-linux-x64-gpu-1.12.1/lib/libonnxruntime_providers_tensorrt.so"
    image.text(path, provider.read_bytes())
    return image.report(None, "run", "onnxruntime", importers=[path])


@rebuilds("pttrt-1026-torch-too-new", "FWK301")
def torch_too_new(root: Path, mended: bool = False) -> Report:
    image = Image(root, glibc="2.31", version="20.04", python="3.8")
    image.wheel("torch", "1.10.0" if mended else "1.11.0", {"torch/__init__.py": "#"})
    library = image.content("libtorchtrt.so", ["libc.so.6"])
    files: Files = {"torch_tensorrt/__init__.py": "#", "torch_tensorrt/lib/libtorchtrt.so": library}
    image.wheel("torch-tensorrt", "1.0.0", files, requires=["torch (>=1.10.0+cu113,<1.11.0)"])
    return image.report(None, "python")


def torch_with_cudnn(image: Image) -> None:
    """torch 2.0.1, which links the cuDNN of its wheel."""
    parts = [f"libcudnn{part}.so.8" for part in CUDNN_8]
    files = {f"nvidia/cudnn/lib/{name}": image.content(name, ["libc.so.6"], runpath="$ORIGIN") for name in parts}
    image.wheel("nvidia-cudnn-cu11", "8.5.0.96", files)
    linked = {"rpath": "$ORIGIN/../../nvidia/cudnn/lib:$ORIGIN"}
    image.wheel(
        "torch",
        "2.0.1",
        {
            "torch/__init__.py": "def _preload_cuda_deps(lib_folder, lib_name):\n    pass\n",
            "torch/_C.so": image.content(None, ["libtorch_python.so"], runpath="$ORIGIN/lib"),
            "torch/lib/libtorch_python.so": image.content("libtorch_python.so", ["libtorch.so"], runpath="$ORIGIN"),
            "torch/lib/libtorch.so": image.content("libtorch.so", ["libcudnn.so.8"], **linked),
            "torch/lib/libtorch_global_deps.so": image.content("libtorch_global_deps.so", ["libc.so.6"]),
        },
        requires=["nvidia-cudnn-cu11 (==8.5.0.96)"],
    )


@rebuilds("pytorch-103852-segv-order", "LDR107")
def order_of_imports(root: Path, mended: bool = False) -> Report:
    image = Image(root, python="3.10")
    torch_with_cudnn(image)
    if not mended:
        cudnn_8(image, image.system, "8.9.0")
    image.bindings("8.5.3.1")
    image.tensorrt("8.5.3", image.site + "/tensorrt", needed=["libcudnn.so.8"])
    return image.report(None, "python")


@rebuilds("nougat-105-wsl-libcuda-link", "CTR202")
def driver_of_windows(root: Path, mended: bool = False) -> Report:
    image = Image(root)
    image.text("/proc/sys/kernel/osrelease", "5.15.90.1-microsoft-standard-WSL2\n")
    image.library("/usr/lib/wsl/lib/libcuda.so.1", "libcuda.so.1")
    image.link("/usr/lib/wsl/lib/libcuda.so", "libcuda.so.1")
    image.text("/etc/ld.so.cache", built([("libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1")], new=True))
    torch_with_cudnn(image)
    return image.report({"LD_LIBRARY_PATH": "/usr/lib/wsl/lib"} if mended else None, "python", "run")


# -- engines -----------------------------------------------------------------------------------------------------------


def with_engine(image: Image, content: bytes, **choices: Any) -> Report:
    """What the rules say of an image and of an engine that lies in it."""
    image.text("/models/model.engine", content)
    engine = look(load(), str(image.root / "models/model.engine"))
    snapshot = replace(image.snapshot(None, **choices), engines=(engine,))
    return judge(snapshot, load(), as_of=AS_OF, goal=("run",))


@rebuilds("trt-2195-safe-header", "ENG110")
def plan_of_seven_under_eight(root: Path, mended: bool = False) -> Report:
    image = Image(root, glibc="2.31", version="20.04", python="3.8")
    image.tensorrt("8.4.2")
    return with_engine(image, old_plan(None, 213 if mended else 96))


@rebuilds("trt-2105-jetson-docker-engine", "ENG110")
def plan_from_before_in_a_container(root: Path, mended: bool = False) -> Report:
    image = jetson(root, "32 (release), REVISION: 7.1", glibc="2.27", version="18.04", python="3.6")
    image.tensorrt("8.2.1")
    return with_engine(image, old_plan(None, 205 if mended else 43), python=None)


@rebuilds("trt-2544-pip-vs-triton-2210", "ENG110")
def plan_of_the_early_access(root: Path, mended: bool = False) -> Report:
    image = Image(root, python="3.10")
    image.bindings("8.5.1.7")
    image.tensorrt("8.5.1", image.site + "/tensorrt")
    return with_engine(image, old_plan(None, 232 if mended else 237))


# -- the tests ---------------------------------------------------------------------------------------------------------


def compiled(output: Path, code: str, *options: str) -> Path:
    """A real shared object."""
    if not shutil.which("gcc"):
        pytest.skip("no gcc to build libraries with symbols")
    output.parent.mkdir(parents=True, exist_ok=True)
    named = f"-Wl,-soname,{output.name}"
    command = ["gcc", "-x", "c", "-", "-x", "none", "-o", str(output), "-shared", "-fPIC", named, *options]
    done = subprocess.run(command, input=code, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return output


def for_arm(path: Path) -> bytes:
    """The same file for another machine: nobody runs it, and both write their tables alike."""
    content = bytearray(path.read_bytes())
    content[18:20] = (183).to_bytes(2, "little")
    return bytes(content)


@pytest.mark.parametrize("incident", sorted(REBUILT))
def test_the_right_code_fires(incident: str, incidents: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    code, build = REBUILT[incident]
    report = build(tmp_path / "root")
    told = [item for item in report.findings if item.severity is not Severity.INFO]
    found = [item for item in told if item.code == code]
    assert found, [(item.code, item.severity.value, item.title) for item in report.findings]
    named = {name for item in found for name in item.components}
    assert named & set(incidents[incident]["names"]), named


@pytest.mark.parametrize(
    "incident", sorted(name for name, (_, build) in REBUILT.items() if "mended" in signature(build).parameters)
)
def test_the_code_is_gone_when_the_fault_is_mended(incident: str, tmp_path: Path) -> None:
    code, build = REBUILT[incident]
    report = build(tmp_path / "root", mended=True)
    assert code not in {item.code for item in report.findings if item.severity is not Severity.INFO}
