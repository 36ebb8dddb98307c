"""The canary's own network: its result without TensorRT, and how far rounding may lead from it."""

from __future__ import annotations

import json
import math
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.canary.running import environment
from trtdoctor.canary import child_model as network
from trtdoctor.canary import child_onnx as onnx

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def float_of(letter: str) -> Callable[[str, float], float]:
    def rounding(_: str, value: float) -> float:
        return float(struct.unpack(letter, struct.pack(letter, value))[0])

    return rounding


def bfloat16(_: str, value: float) -> float:
    return float(struct.unpack("<f", b"\0\0" + network.to_bfloat16([value]))[0])


def eight_bits(precision: str) -> Callable[[str, float], float]:
    """What QuantizeLinear and DequantizeLinear make of the four tensors that go through them."""
    scales = network.scales(network.Parameters(), precision)
    largest = network.LARGEST[precision]

    def rounding(name: str, value: float) -> float:
        if name not in scales:
            return value
        steps = value / scales[name]
        # E4M3 has three bits behind the leading one; its smallest exponent is -6.
        unit = 1.0 if precision == "int8" else 2.0 ** (max(math.frexp(steps)[1] - 1, -6) - 3)
        return max(-largest, min(largest, round(steps / unit) * unit)) * scales[name]

    return rounding


ROUNDINGS = {
    "fp32": float_of("<f"),
    "fp16": float_of("<e"),
    "bf16": bfloat16,
    "int8": eight_bits("int8"),
    "fp8": eight_bits("fp8"),
}


def test_the_scores_are_probabilities_and_differ() -> None:
    scores = network.reference(3)
    assert len(scores) == 3 * network.CLASSES
    for start in range(0, len(scores), network.CLASSES):
        one = scores[start : start + network.CLASSES]
        assert math.fsum(one) == pytest.approx(1)
        assert max(one) > 2 * min(one)
    assert scores[: network.CLASSES] != scores[network.CLASSES : 2 * network.CLASSES]
    assert scores[: network.CLASSES] == network.reference(1)  # an image does not depend on those beside it


def test_it_is_the_same_everywhere() -> None:
    """The generator is our own: its formula, and a sum that must never change."""
    state, expected = 7, []
    for _ in range(3):
        state = (1664525 * state + 1013904223) % 2**32
        expected.append(state / 2**31 - 1)
    assert list(network.numbers(7, 3, 1.0)) == pytest.approx(expected, rel=1e-7)
    assert sum(network.reference(1)[::2]) == pytest.approx(0.37344874, abs=1e-8)


def test_it_takes_no_time() -> None:
    begin = time.process_time()
    network.reference(2)
    assert time.process_time() - begin < 0.05


@pytest.mark.parametrize("precision", network.PRECISIONS)
def test_the_tolerance_is_three_times_what_rounding_does(precision: str) -> None:
    exact = network.reference(8)
    rounded = network.difference(network.reference(8, rounding=ROUNDINGS[precision]), exact)
    assert 0 < 3 * rounded <= network.TOLERANCE[precision]


def test_in_32_bits_no_order_of_summing_leads_over_the_tolerance() -> None:
    """The bound for a sum in any order: its number of roundings, times the unit, times the sum of the sizes."""
    weights = network.Parameters()
    features = network.features(weights)
    sizes = [
        math.fsum(abs(feature * weights.matrix[row * network.CLASSES + column]) for row, feature in enumerate(features))
        for column in range(network.CLASSES)
    ]
    roundings = network.FEATURES + network.CHANNELS * network.KERNEL**2 + 2
    assert roundings * 2.0**-24 * max(sizes) < network.TOLERANCE["fp32"]


@pytest.mark.parametrize("precision", network.PRECISIONS)
def test_a_wrong_network_is_over_every_tolerance(precision: str) -> None:
    exact = network.reference(2)
    allowed = network.TOLERANCE[precision]
    even = [1 / network.CLASSES] * len(exact)
    swapped = exact[network.CLASSES :] + exact[: network.CLASSES]
    no_bias = network.Parameters()
    for index in range(network.CLASSES):
        no_bias.matrix_bias[index] = 0.0
    no_kernel = network.Parameters()
    for index in range(len(no_kernel.kernel)):
        no_kernel.kernel[index] = 0.0
    for wrong in (even, swapped, network.reference(2, no_bias), network.reference(2, no_kernel), [0.0] * len(exact)):
        assert network.difference(wrong, exact) > allowed


def test_in_32_bits_most_single_wrong_weights_show() -> None:
    exact = network.reference(1)
    for index in range(len(network.Parameters().kernel)):
        weights = network.Parameters()
        weights.kernel[index] += 0.1
        assert network.difference(network.reference(1, weights), exact) > network.TOLERANCE["fp32"]


@given(st.lists(FLOATS, min_size=1, max_size=20))
def test_difference_is_none_for_the_same_and_infinite_for_no_numbers(values: list[float]) -> None:
    assert network.difference(values, values) == 0
    assert network.difference(values[1:], values) == math.inf
    assert network.difference([math.nan, *values[1:]], values) == math.inf
    assert not network.difference([math.inf, *values[1:]], values) <= 1e30


@given(st.floats(width=32, min_value=-(2.0**100), max_value=2.0**100))
def test_bfloat16_is_the_nearest(value: float) -> None:
    rounded = bfloat16("", value)
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    neighbours = [struct.unpack("<f", struct.pack("<I", (bits & 0xFFFF0000) + step))[0] for step in (0, 0x10000)]
    assert abs(rounded - value) == min(abs(neighbour - value) for neighbour in neighbours)
    assert network.to_bfloat16([rounded]) == network.to_bfloat16([value])


def test_numpy_computes_the_same() -> None:
    np = pytest.importorskip("numpy")
    weights = network.Parameters()
    images = np.array(network.image(2), np.float64).reshape(2, network.CHANNELS, network.SIDE, network.SIDE)
    kernel = np.array(weights.kernel, np.float64).reshape(network.FILTERS, network.CHANNELS, 3, 3)
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    features = np.einsum("nchwij,fcij->nfhw", windows, kernel) + np.array(weights.kernel_bias)[None, :, None, None]
    flat = np.maximum(features, 0).reshape(2, -1)
    sums = flat @ np.array(weights.matrix, np.float64).reshape(network.FEATURES, -1) + np.array(weights.matrix_bias)
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    wanted = (powers / powers.sum(axis=1, keepdims=True)).ravel().tolist()
    assert network.difference(network.reference(2), wanted) < 1e-12


ONNXRUNTIME = """
import json, sys
import numpy, onnxruntime
sys.path.insert(0, sys.argv[1])
import child_model, child_values
found = {}
for path in sys.argv[2:]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = numpy.frombuffer(child_model.image_bytes(3), "<f4").reshape(3, 2, 6, 6)
    scores = session.run(None, {child_model.INPUT: given})[0]
    found[path] = child_model.difference(scores.ravel().tolist(), child_model.reference(3))
    run = child_values.Run({"image": child_values.Numbers("FLOAT", (3, 2, 6, 6), given.tobytes())},
                           {"scores": child_values.Numbers("FLOAT", (3, 10), scores.astype("<f4").tobytes())})
    assert child_values.against_onnxruntime(path, [run], child_model.difference) == 0.0
print(json.dumps(found))
"""


def test_onnxruntime_computes_the_same_from_our_onnx(tmp_path: Path) -> None:
    python = environment("ort")
    # Its CPU has no 16-bit convolution of the other kind, and none of 8-bit floats.
    forms = [("fp32", 9), ("fp32", 13), ("fp32", 17), ("fp32", 20), ("fp16", 13), ("int8", 13)]
    for precision, opset in forms:
        (tmp_path / f"{precision}-{opset}").write_bytes(network.onnx_bytes(onnx, precision, None, opset))
    paths = [str(tmp_path / f"{precision}-{opset}") for precision, opset in forms]
    command = [python, "-c", ONNXRUNTIME, str(Path(network.__file__).parent), *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    differences = json.loads(done.stdout.splitlines()[-1])
    for path, (precision, _) in zip(paths, forms, strict=True):
        assert differences[path] <= network.TOLERANCE[precision], path
