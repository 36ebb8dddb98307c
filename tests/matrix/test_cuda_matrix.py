"""The CUDA, driver, cuDNN, GPU, library and distribution part of the real matrix, and its look-ups."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import AS_OF, ROOT
from trtdoctor.matrix import Matrix, cuda, cudnn, distributions, drivers, gpus, libraries
from trtdoctor.versions import Answer, Version

FILES = ("cuda", "drivers", "cudnn", "gpus", "libraries", "distributions")
YES, NO, UNKNOWN = Answer.YES, Answer.NO, Answer.UNKNOWN
ANY_TEXT = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def v(text: str) -> Version:
    return Version.parse(text)


def data(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "matrix" / f"{name}.yaml").read_text("utf-8"))
    return loaded


def value(fact: Any) -> Any:
    return fact.value if fact is not None else None


# -- the files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*FILES, "sources"])
def test_file_fits_its_schema(name: str) -> None:
    schema = json.loads((ROOT / "matrix" / "schema" / f"{name}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    problems = [
        f"{'/'.join(map(str, error.path))}: {error.message[:200]}"
        for error in jsonschema.Draft202012Validator(schema).iter_errors(data(name))
    ]
    assert not problems


def sources_in(item: Any) -> Iterator[str]:
    if isinstance(item, dict):
        for key, inner in item.items():
            if key == "source":
                yield from inner if isinstance(inner, list) else [inner]
            else:
                yield from sources_in(inner)
    elif isinstance(item, list):
        for inner in item:
            yield from sources_in(inner)


@pytest.mark.parametrize("name", FILES)
def test_every_source_exists(name: str) -> None:
    known = data("sources")["sources"]
    assert sorted(set(sources_in(data(name))) - set(known)) == []


@pytest.mark.parametrize(
    ("name", "table", "key"),
    [
        ("cuda", "toolkits", "version"),
        ("drivers", "branches", "branch"),
        ("cudnn", "releases", "version"),
    ],
)
def test_rows_are_unique_and_newest_first(name: str, table: str, key: str) -> None:
    keys = [v(row[key]).parts for row in data(name)[table]]
    assert keys == sorted(set(keys), reverse=True)


@pytest.mark.parametrize(
    ("name", "table", "key"),
    [
        ("gpus", "gpus", "name"),
        ("libraries", "libraries", "name"),
        ("distributions", "distributions", "name"),
        ("cuda", "architectures", "compute_capability"),
    ],
)
def test_names_are_unique(name: str, table: str, key: str) -> None:
    names = [row[key] for row in data(name)[table]]
    assert len(names) == len(set(names))


def test_no_packaged_driver_is_below_the_floor_of_its_major(matrix: Matrix) -> None:
    below = []
    for row in matrix.rows("cuda", "toolkits"):
        for family in ("linux", "windows"):
            packaged = Version.maybe(row.text("driver", family))
            floor = cuda.major_floor(matrix, v(row.key), family)
            if packaged and floor and packaged.below(v(floor.value)) is YES:
                below.append((row.key, family))
    # 11.0 shipped before the driver that made minor-version compatibility possible.
    assert set(below) == {(version, family) for version in ("11.0.2", "11.0.3") for family in ("linux", "windows")}


def test_each_toolkit_is_of_the_branch_with_its_cuda(matrix: Matrix) -> None:
    levels = {row.key: row.text("cuda") for row in drivers.branches(matrix)}
    for row in matrix.rows("cuda", "toolkits"):
        branch = row.text("driver_branch")
        if branch is not None:
            assert levels[branch] == v(row.key).short(2), row.key


def test_architectures_agree_with_the_toolkits(matrix: Matrix) -> None:
    for row in matrix.rows("cuda", "toolkits"):
        for capability in row.get("compute_capabilities").value:
            first = cuda.first_cuda(matrix, capability)
            last = cuda.last_cuda(matrix, capability)
            assert first is not None, capability
            assert v(row.key).at_least(v(first.value)) is YES, (row.key, capability)
            if last is not None and last.value != "none":
                assert v(last.value).at_least(v(v(row.key).short(2))) is YES, (row.key, capability)


def test_every_gpu_class_is_judged_by_forward_compatibility(matrix: Matrix) -> None:
    rules = matrix.row("drivers", "forward_compatibility")
    tables = ("supported_classes", "selected_classes", "unsupported_classes", "unknown_classes")
    judged = [word for table in tables for word in rules.get(table).value]
    classes = {row.text("class") for row in matrix.rows("gpus", "gpus")}
    assert classes <= set(judged)
    assert len(judged) == len(set(judged))


def test_forward_table_follows_from_the_cuda_of_the_branches(matrix: Matrix) -> None:
    levels = {row.key: v(row.text("cuda") or "0") for row in drivers.branches(matrix)}
    for row in matrix.rows("drivers", "forward_packages"):
        cells = row.get("cells").value
        for branch, cell in cells.items() if isinstance(cells, dict) else ():
            package = v(row.text("cuda") or "0")
            expected = (
                "N" if package.parts == levels[branch].parts else "C" if package.parts > levels[branch].parts else "X"
            )
            assert cell == expected, (row.key, branch)


# -- CUDA --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "family", "expected"),
    [
        ("12.8", "linux", "525.60.13"),
        ("12", "windows", "527.41"),
        ("11.8.0", "linux", "450.80.02"),
        ("13.0", "linux", "580.65.06"),
        ("13.5", "windows", "580"),
        ("10.2", "linux", "440.33"),
        ("10.1", "linux", None),
        ("14.0", "linux", None),
    ],
)
def test_major_floor(matrix: Matrix, version: str, family: str, expected: str | None) -> None:
    fact = cuda.major_floor(matrix, v(version), family)
    assert value(fact) == expected
    assert fact is None or fact.sources


def test_toolkits_of_a_partial_version(matrix: Matrix) -> None:
    assert [row.key for row in cuda.toolkits(matrix, v("12.8"))] == ["12.8.2", "12.8.1", "12.8.0"]
    assert [row.key for row in cuda.toolkits(matrix, v("12.8.1.7"))] == ["12.8.1"]
    assert cuda.toolkits(matrix, v("12.7")) == []


@pytest.mark.parametrize(
    ("version", "capability", "answer"),
    [
        ("12.8", "12.0", YES),
        ("12.6", "12.0", NO),
        ("12", "12.0", UNKNOWN),
        ("11.8.0", "9.0", YES),
        ("12.9", "11.0", NO),
        ("13.0", "7.0", NO),
        ("13.0", "11.0", YES),
        ("13.3", "10.7", NO),
        ("13.4.2", "10.7", YES),
        ("14.0", "9.0", UNKNOWN),
    ],
)
def test_serves_capability(matrix: Matrix, version: str, capability: str, answer: Answer) -> None:
    assert cuda.serves(matrix, v(version), capability).answer is answer


def test_update_inherits_what_its_row_leaves_out(matrix: Matrix) -> None:
    fact = next(row for row in matrix.rows("cuda", "toolkits") if row.key == "12.8.1").get("compute_capabilities")
    assert fact.certainty == "measured"
    assert fact.sources == ("nvrtc_measured",)


@pytest.mark.parametrize(("version", "newer"), [("13.5", False), ("13.6", True), ("13", False), ("14", True)])
def test_newer_than_matrix(matrix: Matrix, version: str, newer: bool) -> None:
    assert cuda.newer_than_matrix(matrix, v(version)) is newer


def test_jetpack_by_version_and_by_l4t(matrix: Matrix) -> None:
    by_l4t = cuda.jetpack(matrix, l4t=v("36.4.3"))
    assert by_l4t is not None
    assert by_l4t.key == "6.2"
    assert by_l4t.text("cuda") == "12.6"
    older = cuda.jetpack(matrix, l4t=v("35.1.0"))
    assert older is not None
    assert older.key == "5.0.2"
    named = cuda.jetpack(matrix, v("6.0"))
    assert named is not None
    assert named.text("cuda") == "12.2"  # of the package index; jetson-containers says 12.4, which the note tells
    assert cuda.jetpack(matrix) is None
    assert cuda.jetpack(matrix, v("9.9")) is None


# -- drivers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("driver", "branch", "level"),
    [
        ("580.65.06", "580", "13.0"),
        ("535", "535", "12.2"),
        ("R570", "570", "12.8"),
        ("576.57", "575", "12.9"),  # Windows
        ("551.61", "550", "12.4"),
        ("528.33", "525", "12.0"),
        ("475.14", "470", "11.4"),
        ("620.70.06", "620", "13.5"),
        ("625.10", None, None),
        ("390.157", None, None),
    ],
)
def test_branch_and_its_cuda(matrix: Matrix, driver: str, branch: str | None, level: str | None) -> None:
    row = drivers.branch_of(matrix, v(driver))
    assert (row.key if row else None) == branch
    fact = drivers.cuda_of(matrix, v(driver))
    assert fact.value == (level or "unknown")
    assert fact.known is (level is not None)


def test_newer_driver_than_matrix(matrix: Matrix) -> None:
    assert drivers.newer_than_matrix(matrix, v("625.10"))
    assert not drivers.newer_than_matrix(matrix, v("620.70.06"))
    assert not drivers.newer_than_matrix(matrix, v("390.157"))


@pytest.mark.parametrize(
    ("driver", "day", "answer"),
    [
        ("580.65.06", AS_OF, NO),
        ("535.54.03", AS_OF, YES),
        ("535.54.03", date(2026, 6, 30), NO),
        ("560.28.03", AS_OF, YES),
        ("560.28.03", date(2024, 8, 1), UNKNOWN),
        ("620.70.06", AS_OF, UNKNOWN),
        ("700.1", AS_OF, UNKNOWN),
    ],
)
def test_ended(matrix: Matrix, driver: str, day: date, answer: Answer) -> None:
    assert drivers.ended(matrix, v(driver), day).answer is answer


def test_end_of_life(matrix: Matrix) -> None:
    assert drivers.end_of_life(matrix, v("595.58.03")).value == "2027-03"
    assert not drivers.end_of_life(matrix, v("700.1")).known


@pytest.mark.parametrize(
    ("driver", "capability", "answer", "word"),
    [
        ("560.35.03", "12.0", NO, "too-old"),
        ("570.26", "12.0", YES, "fits"),
        ("595.58.03", "7.0", NO, "dropped"),
        ("580.65.06", "6.1", UNKNOWN, "unknown"),
        ("581.29", "6.1", UNKNOWN, "unknown"),
        ("475.14", "3.5", UNKNOWN, "unknown"),
        ("495.29.05", "3.5", NO, "dropped"),
        ("580.65.06", "8.6", UNKNOWN, "unknown"),
        ("580.65.06", "99.0", UNKNOWN, "unknown"),
    ],
)
def test_driver_serves(matrix: Matrix, driver: str, capability: str, answer: Answer, word: str) -> None:
    judged = drivers.serves(matrix, v(driver), capability)
    assert (judged.answer, judged.word) == (answer, word)


def test_first_and_last_branch(matrix: Matrix) -> None:
    assert value(drivers.first_branch_for(matrix, "12.0")) == "570"
    assert drivers.first_branch_for(matrix, "12.1") is None
    assert value(drivers.last_branch_for(matrix, "7.0")) == "580"
    assert value(drivers.last_branch_for(matrix, "7.5")) == "none"


@pytest.mark.parametrize(
    ("package", "driver", "kind", "expected"),
    [
        ("13.1", "580.65.06", "datacenter", (YES, "usable")),
        ("13.1", "580.65.06", "jetson", (YES, "usable")),
        ("13.1", "580.65.06", "geforce", (NO, "class")),
        ("13.1", "580.65.06", "quadro", (UNKNOWN, "unknown")),
        ("13.1", "580.65.06", None, (UNKNOWN, "unknown")),
        ("12.8", "570.26", "datacenter", (NO, "needless")),
        ("12.6", "580.65.06", "datacenter", (NO, "older")),
        ("12.6", "580.65.06", "geforce", (NO, "older")),
        ("13.1", "550.54.15", "datacenter", (NO, "branch")),
        ("12.7", "535.54.03", "datacenter", (UNKNOWN, "unknown")),
        ("12.1", "530.30.02", "datacenter", (NO, "needless")),
        ("13.1", "700.1", "datacenter", (UNKNOWN, "unknown")),
    ],
)
def test_forward_compatible(
    matrix: Matrix, package: str, driver: str, kind: str | None, expected: tuple[Answer, str]
) -> None:
    judged = drivers.forward_compatible(matrix, v(package), v(driver), kind)
    assert (judged.answer, judged.word) == expected
    assert judged.reason


def test_remedies(matrix: Matrix) -> None:
    row = drivers.oldest_serving(matrix, v("12.8"))
    assert row is not None
    assert row.key == "570"
    assert drivers.oldest_serving(matrix, v("14.0")) is None
    advised = drivers.advised(matrix, v("525.60.13"), AS_OF)
    assert advised is not None
    assert advised.key == "580"  # 525 and 535 have ended


@pytest.mark.parametrize(
    ("architecture", "flavour"),
    [("Blackwell", "open"), ("Ampere", "either"), ("Pascal", "proprietary"), ("Kepler", None)],
)
def test_kernel_modules(matrix: Matrix, architecture: str, flavour: str | None) -> None:
    assert value(drivers.kernel_modules(matrix, architecture)) == flavour


@pytest.mark.parametrize(("branch", "opened"), [(550, False), (560, True), (620, True)])
def test_the_open_kernel_modules_became_the_default(matrix: Matrix, branch: int, opened: bool) -> None:
    assert drivers.open_by_default(matrix, branch) is opened


# -- cuDNN -------------------------------------------------------------------------------------------------------------


def test_cudnn_release(matrix: Matrix) -> None:
    row = cudnn.release(matrix, v("9.10.2.21"), "cu12")
    assert row is not None
    assert row.key == "9.10.2"
    assert cudnn.release(matrix, v("9.10")) is None  # may be 9.10.0, 9.10.1 or 9.10.2
    assert cudnn.release(matrix, v("9.11.0"), "cu11") is None
    assert cudnn.release(matrix, v("7.6.5")) is None
    ranged = cudnn.release(matrix, v("8.2.3"))
    assert ranged is not None
    assert ranged.key == "8.2.2"


def test_cudnn_floors(matrix: Matrix) -> None:
    assert value(cudnn.driver_floor(matrix, v("9.17.0"), "cu12", "linux")) == "525.60.13"
    assert value(cudnn.driver_floor(matrix, v("9.17.0"), "cu13", "windows")) is None
    assert value(cudnn.minimum_capability(matrix, v("9.11.0"))) == "7.5"
    assert value(cudnn.minimum_capability(matrix, v("9.10.2"))) == "5.0"
    assert cudnn.minimum_capability(matrix, v("7.6.5")) is None
    assert cudnn.newer_than_matrix(matrix, v("9.30"))
    assert not cudnn.newer_than_matrix(matrix, v("9"))


@pytest.mark.parametrize(
    ("built", "found", "answer", "word"),
    [
        ("9.10.2", "9.10.1", YES, "same-minor"),
        ("9.10.2", "9.14.0", YES, "newer-minor"),
        ("9.10.2", "9.5.0", NO, "older-minor"),
        ("8.9.7", "9.0.0", NO, "other-major"),
        ("9", "9.5.0", UNKNOWN, "unknown"),
        ("8", "9", NO, "other-major"),
    ],
)
def test_cudnn_abi(matrix: Matrix, built: str, found: str, answer: Answer, word: str) -> None:
    judged = cudnn.abi(matrix, v(built), v(found))
    assert (judged.answer, judged.word) == (answer, word)


def test_cudnn_sublibraries(matrix: Matrix) -> None:
    assert "libcudnn_graph" in cudnn.sublibraries(matrix, 9)
    assert "libcudnn_engines_tensor_ir" not in cudnn.sublibraries(matrix, 9)
    assert "libcudnn_engines_tensor_ir" in cudnn.sublibraries(matrix, 9, later=True)
    assert len(cudnn.sublibraries(matrix, 8)) == 6
    assert cudnn.sublibraries(matrix, 7) == ()
    for major in (8, 9):
        for name in cudnn.sublibraries(matrix, major, later=True):
            spec = libraries.identify(matrix, f"{name}.so.{major}")
            assert spec is not None
            assert (spec.component, spec.role) == ("cudnn", "sublibrary")


# -- GPUs --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "capability", "kind"),
    [
        ("NVIDIA GeForce RTX 5090", "12.0", "geforce"),
        ("GeForce RTX 5090 Laptop", "12.0", "geforce"),
        ("RTX 5090", "12.0", "geforce"),
        ("GeForce RTX 3080 Ti", "8.6", "geforce"),
        ("GTX 1650", "7.5", "geforce"),
        ("TITAN Xp", "6.1", "titan"),
        ("Tesla T4", "7.5", "datacenter"),
        ("T4", "7.5", "datacenter"),
        ("A2", "8.6", "datacenter"),
        ("L4", "8.9", "datacenter"),
        ("H200", "9.0", "datacenter"),
        ("NVIDIA H200", "9.0", "datacenter"),
        ("H100 SXM5 80GB", "9.0", "datacenter"),
        ("A100", "8.0", "datacenter"),
        ("A100-SXM4-80GB", "8.0", "datacenter"),
        ("NVIDIA A100-SXM4-80GB MIG 1g.10gb", "8.0", "datacenter"),
        ("V100", "7.0", "datacenter"),
        ("Tesla V100", "7.0", "datacenter"),
        ("GB300", "10.3", "datacenter"),
        ("GB200 NVL72", "10.0", "datacenter"),
        ("GH200", "9.0", "datacenter"),
        ("RTX A6000", "8.6", "quadro"),
        ("A6000", "8.6", "quadro"),
        ("RTX 6000 Ada", "8.9", "quadro"),
        ("Quadro RTX 6000", "7.5", "quadro"),
        ("RTX PRO 6000", "12.0", None),  # server edition and workstation editions: one chip, two classes
        ("A800", "8.0", None),
        ("Jetson Xavier NX", "7.2", "jetson"),
        ("Jetson AGX Orin", "8.7", "jetson"),
        ("Jetson Orin Nano 8GB", "8.7", "jetson"),
        ("Orin (nvgpu)", "8.7", "jetson"),
        ("Jetson Thor", "11.0", "jetson"),
        ("Jetson Nano", "5.3", "jetson"),
        ("DGX Spark", "12.1", "dgx-spark"),
        ("CMP 40HX", "7.5", "mining"),
        ("GeForce RTX 3050 A Laptop GPU", "8.9", "geforce"),
        ("RTX 3050", "8.6", "geforce"),
        ("nvidia geforce rtx 3080 ti", "8.6", "geforce"),
    ],
)
def test_gpu_is_found(matrix: Matrix, name: str, capability: str, kind: str | None) -> None:
    row = gpus.find(matrix, name)
    assert row is not None
    assert row.text("compute_capability") == capability
    assert row.text("class") == kind
    assert gpus.compute_capability(matrix, name) == capability


@pytest.mark.parametrize(
    "name",
    [
        "",
        "NVIDIA",
        "GeForce",
        "foo",
        "RTX",
        "RTX 6000",
        "RTX 4000",
        "Nano",
        "TITAN X",
        "GeForce T4",
        "RTX 9090",
        "A40-48Q",
    ],
)
def test_unknown_or_ambiguous_gpu_gives_nothing(matrix: Matrix, name: str) -> None:
    assert gpus.find(matrix, name) is None
    assert gpus.compute_capability(matrix, name) is None


def test_gpu_without_a_known_capability(matrix: Matrix) -> None:
    assert gpus.find(matrix, "NVIDIA DRIVE P2021") is not None
    assert gpus.compute_capability(matrix, "NVIDIA DRIVE P2021") is None


def test_every_gpu_finds_itself(matrix: Matrix) -> None:
    for row in matrix.rows("gpus", "gpus"):
        also = row.get("also").value or ()
        for name in (row.key, row.key.removeprefix("NVIDIA "), *also):
            found = gpus.find(matrix, name)
            assert found is not None, name
            assert found.text("compute_capability") == row.text("compute_capability"), name


def test_gpu_by_pci_id(matrix: Matrix) -> None:
    row = gpus.by_pci_id(matrix, "2b85")
    assert row is not None
    assert row.key == "NVIDIA GeForce RTX 5090"
    assert gpus.by_pci_id(matrix, "FFFF") is None


@given(st.text(max_size=300))
@ANY_TEXT
def test_gpu_find_never_raises(matrix: Matrix, name: str) -> None:
    row = gpus.find(matrix, name)
    assert row is None or row.key


@given(
    st.lists(
        st.sampled_from(
            [
                "nvidia",
                "geforce",
                "rtx",
                "quadro",
                "6000",
                "a100",
                "t4",
                "sxm4",
                "80gb",
                "laptop",
                "gpu",
                "mig",
                "ti",
                "-",
                "_",
                "(r)",
            ]
        )
    )
)
@ANY_TEXT
def test_gpu_find_never_raises_on_likely_words(matrix: Matrix, words: list[str]) -> None:
    row = gpus.find(matrix, " ".join(words))
    assert row is None or row.key


# -- libraries ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("libnvinfer.so.10.9.0", ("libnvinfer", "tensorrt", "builder", "full", "10.9.0")),
        ("libnvinfer.so.11", ("libnvinfer", "tensorrt", "builder", "full", "11")),
        ("libnvinfer.so", ("libnvinfer", "tensorrt", "builder", "full", None)),
        ("nvinfer_10.dll", ("libnvinfer", "tensorrt", "builder", "full", "10")),
        ("nvinfer_11_4.dll", ("libnvinfer", "tensorrt", "builder", "full", "11.4")),
        ("NVINFER.DLL", ("libnvinfer", "tensorrt", "builder", "full", None)),
        ("libnvinfer_plugin.so.8", ("libnvinfer_plugin", "tensorrt", "plugin", "full", "8")),
        ("libnvinfer_vc_plugin.so.11", ("libnvinfer_vc_plugin", "tensorrt", "plugin", None, "11")),
        ("libnvinfer_lean.so.11", ("libnvinfer_lean", "tensorrt", "lean", "lean", "11")),
        ("libnvinfer_dispatch.so.11", ("libnvinfer_dispatch", "tensorrt", "dispatch", "dispatch", "11")),
        ("libnvonnxparser.so.8", ("libnvonnxparser", "tensorrt", "parser", "full", "8")),
        (
            "libnvinfer_builder_resource.so.8.5.3",
            ("libnvinfer_builder_resource", "tensorrt", "builder-resource", "full", "8.5.3"),
        ),
        ("libtensorrt_rtx.so.1", ("libtensorrt_rtx", "tensorrt", "builder", "rtx", "1")),
        ("tensorrt_rtx_1_7.dll", ("libtensorrt_rtx", "tensorrt", "builder", "rtx", "1.7")),
        ("libtensorrt_onnxparser_rtx.so.1", ("libtensorrt_onnxparser_rtx", "tensorrt", "parser", "rtx", "1")),
        ("libcudart.so.12", ("libcudart", "cuda", "runtime", None, "12")),
        ("libcudart.so.11.0", ("libcudart", "cuda", "runtime", None, "11")),
        ("libcudart-e409450e.so.11.0", ("libcudart", "cuda", "runtime", None, "11")),
        ("libcudart.so.12.8.90", ("libcudart", "cuda", "runtime", None, "12.8.90")),
        ("cudart64_110.dll", ("libcudart", "cuda", "runtime", None, "11")),
        ("cudart64_12.dll", ("libcudart", "cuda", "runtime", None, "12")),
        ("cudart64_101.dll", ("libcudart", "cuda", "runtime", None, "10.1")),
        ("libcuda.so.1", ("libcuda", "driver", "runtime", None, None)),
        ("libcuda.so.570.124.06", ("libcuda", "driver", "runtime", None, "570.124.06")),
        ("libnvidia-ml.so.570.124.06", ("libnvidia-ml", "driver", "nvml", None, "570.124.06")),
        ("libnvrtc.so.11.2", ("libnvrtc", "nvrtc", "runtime", None, "11")),
        ("libnvrtc-builtins.so.12.8", ("libnvrtc-builtins", "nvrtc", "builtins", None, "12.8")),
        ("libnvrtc-builtins.alt.so.12.8", ("libnvrtc-builtins", "nvrtc", "builtins", None, "12.8")),
        ("nvrtc-builtins64_129.dll", ("libnvrtc-builtins", "nvrtc", "builtins", None, "12.9")),
        ("nvrtc64_120_0.dll", ("libnvrtc", "nvrtc", "runtime", None, "12")),
        ("libcublas.so.12.8.4.1", ("libcublas", "cublas", "runtime", None, "12.8.4.1")),
        ("libcublasLt.so.12", ("libcublasLt", "cublas", "lt", None, "12")),
        ("libnvJitLink.so.12", ("libnvJitLink", "nvjitlink", "runtime", None, "12")),
        ("libcudnn.so.9", ("libcudnn", "cudnn", "runtime", None, "9")),
        ("libcudnn_graph.so.9.10.2", ("libcudnn_graph", "cudnn", "sublibrary", None, "9.10.2")),
        ("cudnn_ops64_9.dll", ("libcudnn_ops", "cudnn", "sublibrary", None, "9")),
        (
            "libonnxruntime_providers_tensorrt.so",
            ("libonnxruntime_providers_tensorrt", "onnxruntime", "provider", None, None),
        ),
    ],
)
def test_library_is_identified(matrix: Matrix, file: str, expected: tuple[str | None, ...]) -> None:
    spec = libraries.identify(matrix, file)
    assert spec is not None
    assert (spec.name, spec.component, spec.role, spec.product, spec.version) == expected


@pytest.mark.parametrize(
    ("file", "capability", "version"),
    [
        ("libnvinfer_builder_resource_sm120.so.10.16.1", "12.0", "10.16.1"),
        ("nvinfer_builder_resource_sm86_11.dll", "8.6", "11"),
        ("libnvinfer_builder_resource_win_sm90.so.11", "9.0", "11"),
        ("libnvinfer_builder_resource_ptx.so.10.9.0", None, "10.9.0"),
        ("nvinfer_builder_resource_ptx_10.dll", None, "10"),
    ],
)
def test_builder_resources(matrix: Matrix, file: str, capability: str | None, version: str) -> None:
    spec = libraries.identify(matrix, file)
    assert spec is not None
    assert (spec.role, spec.capability, spec.version) == ("builder-resource", capability, version)


@pytest.mark.parametrize(
    "file",
    [
        "",
        "libc.so.6",
        "tensorrt.so",
        "libnvinfer",
        "libnvinfer.so.x",
        "libnvinferx.so.10",
        "libcudart_static.a",
        "x" * 400,
    ],
)
def test_other_files_are_nothing(matrix: Matrix, file: str) -> None:
    assert libraries.identify(matrix, file) is None


def test_sonames(matrix: Matrix) -> None:
    assert libraries.sonames(matrix, "libnvinfer") == ("libnvinfer.so.{major}",)
    assert "libcudart.so.11.0" in libraries.sonames(matrix, "libcudart")
    assert libraries.sonames(matrix, "libnothing") == ()


@given(st.text(max_size=300))
@ANY_TEXT
def test_identify_never_raises(matrix: Matrix, name: str) -> None:
    for prefix in ("", "libcud", "nvinfer_", "libnvrtc-builtins"):
        spec = libraries.identify(matrix, prefix + name)
        assert spec is None or spec.component
        known = distributions.identify(matrix, prefix + name)
        assert known is None or known.component


@given(st.from_regex(r"(lib)?(nvinfer|cudart64|cudnn_ops|nvrtc64)[a-z_]{0,8}[-_.0-9a-f]{0,20}(\.so|\.dll)[.0-9]{0,20}"))
@ANY_TEXT
def test_identify_gives_versions_that_parse(matrix: Matrix, name: str) -> None:
    spec = libraries.identify(matrix, name)
    if spec is not None and spec.version is not None:
        assert Version.maybe(spec.version) is not None


# -- distributions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tensorrt", ("tensorrt", "full", "meta", None, "stub")),
        ("tensorrt_cu12_libs", ("tensorrt", "full", "libs", "cu12", "stub")),
        ("Tensorrt.CU13.Bindings", ("tensorrt", "full", "bindings", "cu13", "wheel")),
        ("tensorrt-lean-cu13-libs", ("tensorrt", "lean", "libs", "cu13", "wheel")),
        ("tensorrt-rtx-cu13-bindings", ("tensorrt", "rtx", "bindings", "cu13", "wheel")),
        ("nvidia-tensorrt", ("tensorrt", "full", "meta", None, "placeholder")),
        ("nvidia-cuda-runtime-cu13", ("cuda", None, "runtime", "cu13", "placeholder")),
        ("nvidia-cuda-runtime", ("cuda", None, "runtime", "cu13", "wheel")),
        ("nvidia-cudnn-cu12", ("cudnn", None, "runtime", "cu12", "wheel")),
        ("nvidia-cudnn-cu116", ("cudnn", None, "runtime", "cu11", "placeholder")),
        ("torch", ("torch", None, "framework", None, "wheel")),
    ],
)
def test_distribution_is_identified(matrix: Matrix, name: str, expected: tuple[str | None, ...]) -> None:
    spec = distributions.identify(matrix, name)
    assert spec is not None
    assert (spec.component, spec.product, spec.part, spec.flavour, spec.real) == expected


def test_other_distribution_is_nothing(matrix: Matrix) -> None:
    assert distributions.identify(matrix, "requests") is None
    assert distributions.identify(matrix, "") is None
