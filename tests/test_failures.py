"""The failure catalogue: every pattern knows its own lines and no harmless one, and no line can hold it up."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtdoctor.matrix import Matrix, Row, failures, load
from trtdoctor.rules import RULES

ROWS = load().rows("failures", "failures")
HARMLESS = (
    "[MemUsageChange] Init CUDA: CPU +2, GPU +0, now: CPU 20, GPU 500 (MiB)",
    "[TRT] [I] Local timing cache in use. Profiling results in this builder pass will not be stored.",
    "[TRT] [W] onnx2trt_utils.cpp:369: Your ONNX model has been generated with INT64 weights.",
    "[TRT] [I] Detected 1 inputs and 1 output network tensors.",
    "[TRT] [I] Engine generation completed in 35.9 seconds.",
    "[TRT] [V] Tactic: 0x0000000000000000 Time: 0.035",
    "[TRT] [W] TensorRT encountered issues when converting weights between types and that could affect accuracy.",
    "[TRT] [I] Total Activation Memory: 8194560 bytes",
    "Successfully installed tensorrt-10.9.0.34 tensorrt_cu12-10.9.0.34",
    "NVIDIA-SMI 580.95.05    Driver Version: 580.95.05    CUDA Version: 13.0",
    "0: NVIDIA H200 (UUID: GPU-00000000-0000-0000-0000-000000000000)",
    "Epoch 35: loss 0.100, accuracy 0.803",
    "step 803 of 999, 802 done",
    "GPU 0: GRID V100D-32C",
    "epoch 5 Initializing MPI with thread mode 1",
    "libcudnn.so.8 loaded from /usr/lib/x86_64-linux-gnu/libcudnn.so.8",
    "FP16 is enabled; BF16 is supported",
    "Killed the old server, starting the new one",
    "",
)


@pytest.mark.parametrize("row", ROWS, ids=[row.key for row in ROWS])
def test_each_pattern_matches_a_sample_of_its_own(row: Row) -> None:
    samples = row.get("samples").value
    for sample in samples:
        assert row.key in {match.family.id for match in failures.match(load(), sample)}, sample
    unused = [text for text in row.get("patterns").value if not any(re.search(text, sample) for sample in samples)]
    assert len(unused) < len(row.get("patterns").value)
    assert row.get("title").sources


@pytest.mark.parametrize("line", HARMLESS)
def test_harmless_lines_blame_nothing(matrix: Matrix, line: str) -> None:
    assert [match.family.id for match in failures.match(matrix, line) if match.family.blames != "harmless"] == []


def test_lines_that_the_matrix_calls_harmless_blame_nothing(matrix: Matrix) -> None:
    for row in matrix.rows("known_issues", "harmless"):
        for match in failures.match(matrix, f"[TRT] [W] {row.text('begins')} X"):
            assert match.family.blames == "harmless"


@pytest.mark.parametrize(
    ("line", "wanted", "values"),
    [
        ("[TRT] [W] CUDA initialization failure with error: 35. Please check", "cuda-init-35-driver-too-old", {}),
        (
            "API Usage Error (Unable to load library: libnvinfer_builder_resource_win.so.10.2.0",
            "trt-10-2-0-win-resource",
            {},
        ),
        (
            "Unable to load library: libnvinfer_builder_resource.so.8.5.3",
            "builder-resource-missing",
            {"lib": "libnvinfer_builder_resource.so.8.5.3", "ver": "8.5.3"},
        ),
        ("ImportError: libnvinfer.so.10: cannot open shared object file", "libnvinfer-soname-missing", {"major": "10"}),
        (
            "Failed to load library libonnxruntime_providers_tensorrt.so with error: libnvinfer.so.10: cannot open",
            "consumer-wants-other-trt-major",
            {"lib": "libnvinfer.so.10"},
        ),
        ("libm.so.6: version `GLIBC_2.38' not found (required by /x/libnvinfer.so)", "glibc-too-old", {"need": "2.38"}),
        ("ImportError: libfoo.so.3: cannot open shared object file", "library-missing", {"lib": "libfoo.so.3"}),
        (
            "Could not load library libcudnn_ops_infer.so.8. Error: no",
            "cudnn-sublibrary-missing",
            {"lib": "libcudnn_ops_infer.so.8"},
        ),
    ],
)
def test_the_most_specific_family_comes_first(matrix: Matrix, line: str, wanted: str, values: dict[str, str]) -> None:
    first = failures.match(matrix, line)[0]
    assert first.family.id == wanted
    assert values.items() <= first.values.items()


def test_components_are_words_that_rules_use(matrix: Matrix) -> None:
    known = {component for rule in RULES for component in rule.components}
    known |= {"onnx", "plugin", "jetpack", "mig", "wsl", "os", "memory", "vgpu", "index"}
    assert {word for family in failures.families(matrix) for word in family.components} <= known


def seconds(pattern: re.Pattern[str], line: str) -> float:
    best = 9.0
    for _ in range(3):
        started = time.perf_counter()
        pattern.search(line)
        best = min(best, time.perf_counter() - started)
    return best


def test_no_line_holds_a_pattern_up(matrix: Matrix) -> None:
    """Twice the line may cost four times the time at most: hostile repetitions of what each pattern looks for."""
    for family in failures.families(matrix):
        for pattern in family.patterns:
            literal = re.sub(r"\(\?P<\w+>|\{\d+,?\d*\}|\\[wsSdb]|[()?\\^$|\[\]*+]", "", pattern.pattern)
            for seed in ("a", "1.", "/", "(", literal[:8], literal[:24], literal):
                if not seed:
                    continue
                half, whole = seed * (2000 // len(seed) + 1), seed * (4000 // len(seed) + 1)
                short, long = seconds(pattern, half[:1000]), seconds(pattern, whole[:2000])
                assert long < max(0.02, 8 * short), (family.id, pattern.pattern, seed)


@given(st.text(max_size=300))
def test_any_line_can_be_asked(line: str) -> None:
    for match in failures.match(load(), line):
        assert all(isinstance(value, str) for value in match.values.values())


def test_a_very_long_line_is_cut(matrix: Matrix) -> None:
    started = time.perf_counter()
    assert failures.match(matrix, "x" * 10_000_000) == ()
    assert time.perf_counter() - started < 2
    found = failures.match(matrix, "cudaErrorInsufficientDriver" + "x" * 1_000_000)
    assert len(found[0].line) == failures.LONGEST_LINE


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("Error Code 9: API Usage Error (Target GPU SM 61 is not supported by this TensorRT release.)", "sm-too-old"),
        ("Error Code 9: API Usage Error (Target GPU SM 120 is not supported by this TensorRT release.)", "sm-too-new"),
        (
            "Error Code 9: API Usage Error (Target GPU SM 75 is not supported by this TensorRT release.)",
            "sm-not-served",
        ),
        ("Internal Error(Unsupported SM: 0x809, Assertion engine != nullptr failed.)", "sm-too-new"),
        ("[TRT] [E] 1: Unsupported SM: 0x700", "sm-too-old"),
        ("[TensorRT] ERROR: Cuda initialization failure with error 35.", "cuda-init-35-driver-too-old"),
        ("dlerror: libnvinfer.so.7: cannot open shared object file", "libnvinfer-soname-missing"),
    ],
)
def test_a_line_blames_what_it_should(matrix: Matrix, line: str, wanted: str) -> None:
    assert failures.match(matrix, line)[0].family.id == wanted


@pytest.mark.parametrize(
    "line",
    [
        "gpu-operator  nvidia-cuda-validator-x2x4z  0/1  Completed  0  3d",
        "[I] DLA Cores: 0",
        "error: failed-wheel-build-for-install",
        "E: Unable to correct problems, you have held broken packages.",
    ],
)
def test_lines_that_name_nobody_blame_nobody(matrix: Matrix, line: str) -> None:
    assert failures.match(matrix, line) == ()


def test_a_missing_driver_is_not_called_a_fault_of_wsl(matrix: Matrix) -> None:
    first = failures.match(matrix, "RuntimeError: Failed to dlopen libcuda.so")[0].family
    assert first.components[0] == "driver"
    assert not first.title.startswith("WSL")
