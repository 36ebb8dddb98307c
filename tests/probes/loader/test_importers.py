"""What importers ask the loader for: steps of packages, in environments made here and of real wheels."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.probes.loader.layouts import (
    OPEN_ALL,
    context,
    disagreements,
    distribution,
    environment,
    extension,
    one,
    picked,
    real_environment,
    site_of,
)
from tests.probes.loader.objects import library
from tests.probes.loader.reality import gcc, needs_gcc
from tests.probes.roots import write
from trtdoctor.matrix import Matrix
from trtdoctor.probes import collect
from trtdoctor.probes.base import Children, merge
from trtdoctor.probes.loader.importers import named, predict
from trtdoctor.probes.loader.observe import observe
from trtdoctor.probes.loader.probe import probe
from trtdoctor.snapshot import Loading, Snapshot


def both(matrix: Matrix, python: Path, environ: Mapping[str, str] | None = None) -> Snapshot:
    """Prediction and observation of all importers."""
    around = context(matrix, python, environ)
    found = probe(around)
    return merge(found, observe(around, found.loadings, Children()))


# -- environments made here --------------------------------------------------------------------------------------------


@pytest.fixture
def python(tmp_path: Path) -> Path:
    return environment(tmp_path / "venv")


TRIES = """
try:
    import %s_libs
except ImportError:
    pass
from .%s import *
"""


def bindings(site: Path, name: str = "tensorrt", builder: str = "libnvinfer.so.10") -> None:
    """A front, bindings and a folder of libraries as of TensorRT 10 and 11."""
    libs = library(site / f"{name}_libs" / builder)
    write(
        site,
        {
            f"{name}/__init__.py": f"from {name}_bindings import *\n",
            f"{name}_bindings/__init__.py": TRIES % (name, name),
            f"{name}_libs/__init__.py": OPEN_ALL,
        },
    )
    extension(site / f"{name}_bindings" / f"{name}.so", [builder])
    distribution(site, f"{name}-cu12-libs".replace("_", "-"), "10.9.0.34", [libs])


@needs_gcc
@pytest.mark.parametrize(
    ("name", "builder"),
    [
        ("tensorrt", "libnvinfer.so.10"),
        ("tensorrt_lean", "libnvinfer_lean.so.10"),
        ("tensorrt_dispatch", "libnvinfer_dispatch.so.10"),
        ("tensorrt_rtx", "libtensorrt_rtx.so.1"),
    ],
)
def test_bindings_get_the_library_that_the_folder_of_libraries_opened(
    matrix: Matrix, python: Path, name: str, builder: str
) -> None:
    site = site_of(python)
    bindings(site, name, builder)
    found = both(matrix, python)
    assert disagreements(found) == []
    loading = one(found, name)
    assert loading.outcome == "ok"
    assert [(item.path, item.step) for item in loading.loaded] == [(str(site / f"{name}_libs" / builder), "preloaded")]
    assert picked(one(found, name, "observed")) == picked(loading)


@needs_gcc
def test_without_the_folder_of_libraries_the_import_fails_and_says_what_is_missing(
    matrix: Matrix, python: Path
) -> None:
    site = site_of(python)
    bindings(site)
    shutil.rmtree(site / "tensorrt_libs")
    found = both(matrix, python)
    assert disagreements(found) == []
    predicted, observed = one(found, "tensorrt"), one(found, "tensorrt", "observed")
    assert predicted.outcome == observed.outcome == "failed"
    missing = predicted.missing[0]
    assert (missing.name, missing.problem, missing.swallowed) == ("libnvinfer.so.10", "not-found", False)
    assert missing.needed_by == str(site / "tensorrt_bindings" / "tensorrt.so")
    assert "libnvinfer.so.10: cannot open shared object file" in (observed.error or "")
    assert [(item.name, item.problem) for item in observed.missing] == [("libnvinfer.so.10", "not-found")]


@needs_gcc
def test_ld_library_path_does_not_win_over_what_was_opened_before_by_path(
    matrix: Matrix, python: Path, tmp_path: Path
) -> None:
    site = site_of(python)
    bindings(site)
    library(tmp_path / "other" / "libnvinfer.so.10")
    found = both(matrix, python, {"LD_LIBRARY_PATH": str(tmp_path / "other"), "PATH": "/bin"})
    assert disagreements(found) == []
    assert picked(one(found, "tensorrt")) == {"libnvinfer": str(site / "tensorrt_libs" / "libnvinfer.so.10")}
    assert [(item.path, item.state, item.libraries) for item in found.search_entries] == [
        (str(tmp_path / "other"), "ok", 1)
    ]


@needs_gcc
def test_the_one_folder_package_opens_in_the_order_of_its_directory_and_swallows_failures(
    matrix: Matrix, python: Path
) -> None:
    folder = site_of(python) / "tensorrt"
    write(folder, {"__init__.py": OPEN_ALL + "\nfrom .tensorrt import *\n"})
    builder = library(folder / "libnvinfer.so.8", runpath="$ORIGIN")
    library(folder / "libnvinfer_plugin.so.8", needed=["libnvinfer.so.8", "libcudnn.so.8"], runpath="$ORIGIN")
    write(folder, {"libnvparsers.so.8": b""})
    extension(folder / "tensorrt.so", ["libnvinfer.so.8"], "$ORIGIN")
    found = both(matrix, python)
    assert disagreements(found) == []
    loading = one(found, "tensorrt")
    assert loading.outcome == "ok"
    assert picked(loading) == {"libnvinfer": str(builder)}
    lacking = {(item.name, item.problem, item.swallowed) for item in loading.missing}
    assert ("libcudnn.so.8", "not-found", True) in lacking
    assert ("libnvparsers.so.8", "truncated", True) in lacking


@needs_gcc
def test_importing_the_same_library_in_either_order_is_predicted_for_both_orders(
    matrix: Matrix, python: Path, tmp_path: Path
) -> None:
    """torch brings its own cuDNN by path, TensorRT's plugin takes that of LD_LIBRARY_PATH: whoever is first wins."""
    site = site_of(python)
    own = library(site / "nvidia" / "cudnn" / "lib" / "libcudnn.so.8")
    library(
        site / "torch" / "lib" / "libtorch_global_deps.so",
        needed=["libcudnn.so.8"],
        rpath="$ORIGIN/../../nvidia/cudnn/lib",
    )
    other = library(tmp_path / "system" / "libcudnn.so.8")
    write(
        site,
        {
            "torch/__init__.py": "import ctypes, os\n"
            "ctypes.CDLL(os.path.join(os.path.dirname(__file__), 'lib', 'libtorch_global_deps.so'))\n"
            "from torch._C import *\n",
            "tensorrt/__init__.py": OPEN_ALL + "\nfrom .tensorrt import *\n",
        },
    )
    extension(site / "torch" / "_C.so")
    library(site / "tensorrt" / "libnvinfer_plugin.so.8", needed=["libcudnn.so.8"], runpath="$ORIGIN")
    extension(site / "tensorrt" / "tensorrt.so")
    found = both(matrix, python, {"LD_LIBRARY_PATH": str(tmp_path / "system"), "PATH": "/bin"})
    assert disagreements(found) == []
    assert {item.importer for item in found.loadings} == {"torch", "tensorrt", "torch, tensorrt", "tensorrt, torch"}
    assert picked(one(found, "torch, tensorrt", "observed"))["libcudnn"] == str(own)
    assert picked(one(found, "tensorrt, torch", "observed"))["libcudnn"] == str(other)


PRELOADING_TORCH = """
import ctypes, glob, os, re, sys
from torch.version import cuda
NAMES = [("cublas", "libcublas.so.*[0-9]"), ("cudnn", "libcudnn.so.*[0-9]"), ("cuda_runtime", "libcudart.so.*[0-9]")]
def _preload_cuda_lib(folder, name):
    for site in sys.path:
        places = (f"nvidia/{folder}/lib", f"nvidia/cu{cuda.split('.')[0]}/lib", f"{folder}/lib")
        for path in [path for place in places for path in glob.glob(os.path.join(site, place, name))][:1]:
            ctypes.CDLL(path)
            return
def _preload_cuda_deps(required=True):
    for folder, name in NAMES:
        _preload_cuda_lib(folder, name)
first = os.path.join(os.path.dirname(__file__), "lib", "libtorch_global_deps.so")
try:
    ctypes.CDLL(first)
    if "libcudart.so" in open("/proc/self/maps").read():
        _preload_cuda_deps(required=False)
except OSError as error:
    _preload_cuda_deps()
    ctypes.CDLL(first)
from torch._C import *
"""


@needs_gcc
@pytest.mark.parametrize("reachable", [True, False])
def test_a_torch_that_preloads_its_wheels_libraries(matrix: Matrix, python: Path, reachable: bool) -> None:
    site = site_of(python)
    folder = site / "nvidia" / "cu12" / "lib"
    runtime = library(folder / "libcudart.so.12")
    blas = library(folder / "libcublas.so.12")
    dnn = library(site / "nvidia" / "cudnn" / "lib" / "libcudnn.so.9")
    library(folder / "libcurand.so.10")
    write(
        site,
        {
            "torch/__init__.py": PRELOADING_TORCH,
            "torch/version.py": "from typing import Optional\n__version__ = '2.14.1'\ncuda: Optional[str] = '12.9'\n",
        },
    )
    library(
        site / "torch" / "lib" / "libtorch_global_deps.so",
        needed=["libcudart.so.12"],
        rpath="$ORIGIN/../../nvidia/cu12/lib" if reachable else None,
    )
    extension(site / "torch" / "_C.so")
    found = both(matrix, python)
    assert disagreements(found) == []
    loading = one(found, "torch")
    assert loading.outcome == "ok"
    assert picked(loading) == {"libcudart": str(runtime), "libcublas": str(blas), "libcudnn": str(dnn)}
    steps = {item.library: item.step for item in loading.loaded}
    assert steps == {
        "libcudart": "rpath" if reachable else "preloaded",
        "libcublas": "preloaded",
        "libcudnn": "preloaded",
    }
    first_try = [(item.name, item.swallowed) for item in loading.missing if item.name == "libcudart.so.12"]
    assert first_try == ([] if reachable else [("libcudart.so.12", True)])


@needs_gcc
def test_providers_are_opened_only_on_use_and_their_lack_fails_no_import(matrix: Matrix, python: Path) -> None:
    site = site_of(python)
    write(
        site,
        {
            "onnxruntime/__init__.py": "from .capi.onnxruntime_pybind11_state import *\n",
            "onnxruntime/capi/__init__.py": "",
        },
    )
    extension(site / "onnxruntime" / "capi" / "onnxruntime_pybind11_state.abi3.so")
    provider = library(
        site / "onnxruntime" / "capi" / "libonnxruntime_providers_tensorrt.so", needed=["libnvinfer.so.10"]
    )
    found = both(matrix, python)
    assert disagreements(found) == []
    loading = one(found, "onnxruntime")
    assert (loading.outcome, loading.loaded) == ("ok", ())
    lacking = loading.missing[0]
    assert (lacking.name, lacking.lazy, lacking.needed_by) == ("libnvinfer.so.10", True, str(provider))


@needs_gcc
def test_cudnns_parts_are_found_beside_it_or_by_name(matrix: Matrix, python: Path, tmp_path: Path) -> None:
    """The exact version of the file's name is tried first, and decides where two directories have parts."""
    beside, other = tmp_path / "beside", tmp_path / "other"
    shim = library(beside / "libcudnn.so.9.14.0", soname="libcudnn.so.9")
    for name in ("graph", "ops", "cnn", "adv", "heuristic", "engines_precompiled", "engines_runtime_compiled"):
        library(other / f"libcudnn_{name}.so.9")
    exact = library(other / "sub" / "libcudnn_graph.so.9.14.0", soname="libcudnn_graph.so.9")
    environ = {"LD_LIBRARY_PATH": f"{other}:{exact.parent}", "PATH": "/bin"}
    loading = predict(context(matrix, python, environ), (str(shim),))[0]
    parts = picked(loading, lazy=True)
    assert parts["libcudnn_graph"] == str(exact)
    assert parts["libcudnn_ops"] == str(other / "libcudnn_ops.so.9")
    assert loading.missing == ()
    os.remove(other / "libcudnn_cnn.so.9")
    lacking = predict(context(matrix, python, environ), (str(shim),))[0].missing
    assert [(item.name, item.problem, item.lazy) for item in lacking] == [("libcudnn_cnn.so.9", "not-found", True)]


@needs_gcc
def test_the_builder_resource_is_wanted_by_its_exact_name(matrix: Matrix, python: Path, tmp_path: Path) -> None:
    builder = library(tmp_path / "libnvinfer.so.10.9.0", soname="libnvinfer.so.10", runpath="$ORIGIN")
    lacking = predict(context(matrix, python), (str(builder),))[0].missing
    assert [(item.name, item.needed_by) for item in lacking] == [
        ("libnvinfer_builder_resource.so.10.9.0", str(builder))
    ]
    resource = library(tmp_path / "libnvinfer_builder_resource.so.10.9.0")
    assert picked(predict(context(matrix, python), (str(builder),))[0], lazy=True)[
        "libnvinfer_builder_resource"
    ] == str(resource)
    # Nobody knows the exact name where only the major is known, or where each GPU has a file of its own.
    resource.rename(tmp_path / "libnvinfer_builder_resource_sm80.so.10.9.0")
    assert predict(context(matrix, python), (str(builder),))[0].missing == ()
    bare = library(tmp_path / "bare" / "libnvinfer.so.10")
    assert predict(context(matrix, python), (str(bare),))[0].missing == ()


# -- words and the unknown ---------------------------------------------------------------------------------------------


def test_a_module_that_the_matrix_does_not_know_is_unknown(matrix: Matrix, python: Path) -> None:
    write(site_of(python), {"mine/__init__.py": ""})
    around = context(matrix, python)
    words = ("mine", "nowhere", "mine.inner")
    assert [item.outcome for item in predict(around, words)] == ["unknown", "unknown", "unknown"]
    found = observe(around, predict(around, ("mine", "nowhere")), Children()).loadings
    assert [(item.importer, item.outcome) for item in found] == [("mine", "ok"), ("nowhere", "failed")]


def test_a_tensorrt_of_an_unknown_making_is_unknown_and_not_broken(matrix: Matrix, python: Path) -> None:
    write(site_of(python), {"tensorrt/__init__.py": "raise ImportError('made by somebody else')\n"})
    loading = one(predict(context(matrix, python), None), "tensorrt")
    assert (loading.outcome, loading.missing) == ("unknown", ())


@pytest.mark.parametrize(
    "word", ["no-such-word!", "/nowhere/lib.so", "tensorrt;rm", "", "a" * 300, "x.so", "..", "trtexec"]
)
def test_what_can_be_no_importer_is_told_in_one_line(matrix: Matrix, python: Path, word: str) -> None:
    with pytest.raises(ValueError, match=r"\S") as caught:
        named(context(matrix, python), (word,))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_library_is_told(matrix: Matrix, python: Path, tmp_path: Path) -> None:
    path = tmp_path / "libnvinfer.so.10"
    path.write_text("no ELF file at all")
    with pytest.raises(ValueError, match="not-elf"):
        collect(matrix, python=str(python), importers=[str(path)])


def test_nothing_of_the_stack_costs_nothing_and_finds_nothing(matrix: Matrix, python: Path) -> None:
    found = probe(context(matrix, python))
    assert (found.loadings, found.search_entries) == ((), ())


@pytest.mark.parametrize(
    ("text", "state"),
    [("/nowhere/at/all", "missing"), ("/etc/passwd", "not-a-directory"), ("", "relative"), ("lib", "relative")],
)
def test_each_entry_of_the_search_path_is_told_as_it_is(matrix: Matrix, python: Path, text: str, state: str) -> None:
    found = probe(context(matrix, python, {"LD_LIBRARY_PATH": f"/usr/lib:{text}"})).search_entries
    assert [(item.position, item.path, item.state) for item in found] == [(0, "/usr/lib", "ok"), (1, text, state)]


def test_an_interpreter_that_is_a_script_gives_no_prediction_of_imports(matrix: Matrix, tmp_path: Path) -> None:
    script = tmp_path / "bin" / "python"
    write(tmp_path, {"bin/python": "#!/bin/sh\nexit 3\n"})
    script.chmod(0o755)
    write(tmp_path, {"packages/tensorrt/__init__.py": "from tensorrt_bindings import *\n"})
    around = context(matrix, script, {"PYTHONPATH": str(tmp_path / "packages"), "PATH": "/bin"})
    assert {item.outcome for item in predict(around, ("tensorrt",))} <= {"unknown"}


# -- another root ------------------------------------------------------------------------------------------------------


@needs_gcc
def test_an_unpacked_image_is_predicted_from_its_files_alone(matrix: Matrix, tmp_path: Path) -> None:
    root = tmp_path / "image"
    site = "usr/lib/python3/dist-packages"
    write(
        root,
        {
            f"{site}/tensorrt/__init__.py": "from .tensorrt import *\n",
            "usr/bin/python3": "->python3.10",
            "usr/lib/x86_64-linux-gnu/libnvinfer.so.10": "->libnvinfer.so.10.9.0",
            "usr/lib/python3.10/dist-packages/README": "",
        },
    )
    gcc(root / "usr/bin/python3.10", "int main(void) { return 0; }")
    shell = root / "bin" / "sh"
    shell.parent.mkdir()
    shutil.copy(root / "usr/bin/python3.10", shell)
    loader = "/lib64/ld-linux-x86-64.so.2"
    if not os.path.exists(loader):
        pytest.skip("another machine's loader")
    write(root, {"lib64/ld-linux-x86-64.so.2": Path(loader).read_bytes()})
    library(root / "usr/lib/x86_64-linux-gnu/libc.so.6")
    library(root / "usr/lib/x86_64-linux-gnu/libnvinfer.so.10.9.0", soname="libnvinfer.so.10")
    extension(root / site / "tensorrt" / "tensorrt.so", ["libnvinfer.so.10"])
    around = replace(context(matrix, "/usr/bin/python3", {"PATH": "/usr/bin"}), root=root)
    loading = one(predict(around, None), "tensorrt")
    assert picked(loading) == {"libnvinfer": "/usr/lib/x86_64-linux-gnu/libnvinfer.so.10.9.0"}
    assert [(item.path, item.step) for item in loading.loaded] == [
        ("/usr/lib/x86_64-linux-gnu/libnvinfer.so.10", "default")
    ]
    assert observe(around, (loading,), Children()).loadings == ()


# -- environments of real wheels ---------------------------------------------------------------------------------------

REAL = (
    "rtx",
    "lean-cu13",
    "trt853",
    "trt853-unpinned",
    "bindings-only",
    "stub",
    "stub-861",
    "ort",
    "torch",
    "torch113",
)


@pytest.mark.parametrize("name", REAL)
def test_prediction_and_observation_agree_on_real_wheels(matrix: Matrix, name: str) -> None:
    found = collect(matrix, python=str(real_environment(name)), observe=True)
    assert disagreements(found) == []
    assert any(item.method == "observed" for item in found.loadings)
    assert [item.detail for item in found.probes if item.name == "observation"] == [None]


def test_a_cudnn_of_two_wheels_is_predicted_as_it_is_loaded(matrix: Matrix) -> None:
    python = real_environment("two-cudnn")
    path = str(site_of(python) / "nvidia" / "cudnn" / "lib" / "libcudnn.so.9")
    found = collect(matrix, python=str(python), observe=True, importers=[path])
    assert disagreements(found) == []
    assert "libcudnn_graph" in picked(one(found, "libcudnn.so.9", "observed"), lazy=True)


@pytest.mark.parametrize("order", ["torch113/cudnn", "trt853-unpinned/cudnn"])
def test_another_cudnn_on_the_search_path_is_predicted_as_it_is_loaded(matrix: Matrix, order: str) -> None:
    python, (name, part) = real_environment("trt853"), order.split("/")
    folder = site_of(real_environment(name)) / "nvidia" / part / "lib"
    environ = {**os.environ, "LD_LIBRARY_PATH": str(folder)}
    found = collect(matrix, python=str(python), environ=environ, observe=True)
    assert disagreements(found) == []
    dnn = next(item for item in one(found, "tensorrt").loaded if item.library == "libcudnn")
    wins = (folder / "libcudnn.so.8").exists()
    assert dnn.step == ("ld_library_path" if wins else "runpath")
    assert (dnn.realpath == str(folder / "libcudnn.so.8")) is wins


def test_torch_opens_its_compiler_libraries_before_anybody_asks_for_them(matrix: Matrix) -> None:
    found = collect(matrix, python=str(real_environment("torch")))
    steps = {item.library: item.step for item in one(found, "torch").loaded}
    assert (steps["libnvrtc"], steps["libnvJitLink"], steps["libcudart"]) == ("preloaded", "preloaded", "rpath")


def test_what_is_predicted_is_data_that_can_be_written_down_and_read_again(matrix: Matrix) -> None:
    found = collect(matrix, python=str(real_environment("bindings-only")), observe=True)
    again = Snapshot.from_json(found.to_json())
    assert again.loadings == found.loadings
    assert {type(item) for item in again.loadings} == {Loading}
