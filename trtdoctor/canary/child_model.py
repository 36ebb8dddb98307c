"""The canary's own network: its weights, its ONNX form, and its result computed without TensorRT.

Part of the canary's child: single file, standard library only, Python 3.6 syntax. The network is a convolution, a
ReLU, a matrix product with bias and a softmax, on ``batch`` images of 2 x 6 x 6. It reaches every TensorRT as ONNX
bytes: TensorRT 8.5's Python takes weights from numpy only, its ONNX parser needs none. The reference is computed in
double precision from the same rounded weights; input and weights come from a generator of our own, so that every
Python makes the same.
"""

import math
import struct
from array import array
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

CHANNELS, SIDE, FILTERS, KERNEL, CLASSES = 2, 6, 4, 3, 10
FEATURES = FILTERS * SIDE * SIDE
INPUT, OUTPUT = "image", "scores"
FIXED_BATCH = 2
OPSET, OPSET_FP8 = 13, 19
"""13 is what TensorRT 8.5's parser knows well; 8-bit floats exist in ONNX from opset 19."""
IR_VERSION, IR_VERSION_FP8 = 7, 9
"""Those that came with the two opsets (https://github.com/onnx/onnx/blob/main/docs/Versioning.md)."""
LARGEST = {"int8": 127.0, "fp8": 448.0}
"""Largest number of the 8-bit types: scales bring the largest value to it."""
PRECISIONS = ("fp32", "fp16", "bf16", "int8", "fp8")

# Largest difference from the reference, in parts of the largest score, that rounding explains. Softmax turns an
# absolute error of its input into a relative one of its output; that input is a sum of 144 products of sums of 18.
# fp32 (TF32 switched off): 162 roundings of 2**-24 at most add up to 1e-5 of sums whose terms' sizes add up to < 10.
# The others: tests/canary/test_reference.py computes the network with weights, input and every intermediate rounded
# to that precision; the tolerance is at least three times what that gives, and a wrong weight is far above it.
TOLERANCE = {"fp32": 1e-4, "fp16": 1e-2, "bf16": 5e-2, "int8": 1.5e-1, "fp8": 1.5e-1}


def numbers(seed: int, count: int, scale: float) -> "array[float]":
    """``count`` 32-bit floats from -scale to scale: a linear congruential generator (Numerical Recipes' constants)."""
    values = array("f")
    state = seed & 0xFFFFFFFF
    for _ in range(count):
        state = (1664525 * state + 1013904223) & 0xFFFFFFFF
        values.append((state / 2147483648.0 - 1.0) * scale)
    return values


class Parameters:
    """The weights: kernel [filter][channel][row][column], matrix [feature][class], a bias for each filter and class."""

    def __init__(self) -> None:
        self.kernel = numbers(1, FILTERS * CHANNELS * KERNEL * KERNEL, 0.5)
        self.kernel_bias = numbers(2, FILTERS, 0.2)
        self.matrix = numbers(3, FEATURES * CLASSES, 0.25)
        self.matrix_bias = numbers(4, CLASSES, 0.5)


def image(batch: int) -> "array[float]":
    """The input: ``batch`` images, flat."""
    return numbers(5, batch * CHANNELS * SIDE * SIDE, 1.0)


def image_bytes(batch: int) -> bytes:
    """The input as the device takes it: little-endian 32-bit floats."""
    return _to_float32(image(batch))


Rounding = Callable[[str, float], float]
"""What becomes of one number of a tensor (image, kernel, matrix, features, or anything else that is computed)."""


def _same(_: str, value: float) -> float:
    return value


def reference(batch: int, parameters: Optional[Parameters] = None, rounding: Rounding = _same) -> List[float]:
    """The scores of all images, flat, in double precision; ``rounding`` is applied to each operand and intermediate."""
    weights = parameters or Parameters()
    values = [rounding("image", item) for item in image(batch)]
    kernel = [rounding("kernel", item) for item in weights.kernel]
    matrix = [rounding("matrix", item) for item in weights.matrix]
    size = CHANNELS * SIDE * SIDE
    scores: List[float] = []
    for start in range(0, batch * size, size):
        sums = _convolve(values[start : start + size], kernel, weights.kernel_bias)
        features = [rounding("features", max(0.0, item)) for item in sums]
        logits = []
        for column in range(CLASSES):
            products = (feature * matrix[row * CLASSES + column] for row, feature in enumerate(features))
            logits.append(rounding("logits", math.fsum(products) + weights.matrix_bias[column]))
        highest = max(logits)
        powers = [math.exp(item - highest) for item in logits]
        whole = math.fsum(powers)
        scores.extend(rounding("scores", item / whole) for item in powers)
    return scores


def _convolve(values: Sequence[float], kernel: Sequence[float], bias: Sequence[float]) -> List[float]:
    """Convolution with a border of one zero."""
    sums = []
    for filter_ in range(FILTERS):
        for row in range(SIDE):
            for column in range(SIDE):
                total = bias[filter_]
                for channel in range(CHANNELS):
                    for down in range(KERNEL):
                        line = row + down - 1
                        if not 0 <= line < SIDE:
                            continue
                        base = (channel * SIDE + line) * SIDE
                        place = ((filter_ * CHANNELS + channel) * KERNEL + down) * KERNEL
                        for right in range(max(0, 1 - column), min(KERNEL, SIDE + 1 - column)):
                            total += values[base + column + right - 1] * kernel[place + right]
                sums.append(total)
    return sums


def features(parameters: Parameters) -> List[float]:
    """What the first image gives after convolution and ReLU: the scale of 8-bit numbers follows from it."""
    return [max(0.0, item) for item in _convolve(image(1), parameters.kernel, parameters.kernel_bias)]


def difference(found: Sequence[float], wanted: Sequence[float]) -> float:
    """Largest difference in parts of the largest wanted value; infinite when a value is no number or one is lacking."""
    if len(found) != len(wanted) or not wanted:
        return math.inf
    gaps = [abs(one - other) for one, other in zip(found, wanted)]
    if any(math.isnan(gap) for gap in gaps):
        return math.inf
    highest = max(abs(item) for item in wanted)
    return max(gaps) / highest if highest else (math.inf if max(gaps) else 0.0)


def to_bfloat16(values: Sequence[float]) -> bytes:
    """The upper halves of 32-bit floats, rounded to nearest even."""
    written = array("H")
    for (bits,) in struct.iter_unpack("<I", struct.pack("<%df" % len(values), *values)):
        written.append((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)
    return struct.pack("<%dH" % len(written), *written)


def onnx_bytes(onnx: Any, precision: str = "fp32", batch: Optional[int] = None, opset: Optional[int] = None) -> bytes:
    """The network as an ONNX model whose types are those of ``precision``; ``onnx`` is the module child_onnx.

    Input and output are 32-bit floats in any case. ``batch`` None leaves the batch free. 8-bit precisions are said by
    pairs of QuantizeLinear and DequantizeLinear.
    """
    weights = Parameters()
    kind, pack = {
        "fp16": (onnx.FLOAT16, _to_float16),
        "bf16": (onnx.BFLOAT16, to_bfloat16),
    }.get(precision, (onnx.FLOAT, _to_float32))
    shapes: Dict[str, Tuple[int, ...]] = {
        "kernel": (FILTERS, CHANNELS, KERNEL, KERNEL),
        "kernel_bias": (FILTERS,),
        "matrix": (FEATURES, CLASSES),
        "matrix_bias": (CLASSES,),
    }
    tensors = [onnx.tensor(name, kind, shapes[name], pack(getattr(weights, name))) for name in sorted(shapes)]
    nodes: List[bytes] = []

    def add(operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        nodes.append(onnx.node(operator, inputs, [output], **attributes))
        return output

    def eight_bits(name: str) -> str:
        """The tensor, sent through 8 bits and back where that is the precision."""
        if precision not in LARGEST:
            return name
        scale = scales(weights, precision)[name]
        tensors.append(onnx.tensor(name + "_scale", onnx.FLOAT, (), struct.pack("<f", scale)))
        small = add("QuantizeLinear", [name, name + "_scale", "zero"], name + "_quantized")
        return add("DequantizeLinear", [small, name + "_scale", "zero"], name + "_restored")

    if precision in LARGEST:
        tensors.append(onnx.tensor("zero", onnx.INT8 if precision == "int8" else onnx.FLOAT8, (), b"\0"))
    last = INPUT if kind == onnx.FLOAT else add("Cast", [INPUT], "narrow", to=kind)
    border = {"kernel_shape": [KERNEL, KERNEL], "pads": [1, 1, 1, 1]}
    last = add("Conv", [eight_bits(last), eight_bits("kernel"), "kernel_bias"], "convolved", **border)
    last = add("Flatten", [add("Relu", [last], "positive")], "features", axis=1)
    last = add("MatMul", [eight_bits(last), eight_bits("matrix")], "product")
    last = add("Add", [last, "matrix_bias"], "sums")
    if kind == onnx.FLOAT:
        add("Softmax", [last], OUTPUT, axis=1)
    else:
        add("Cast", [add("Softmax", [last], "narrow_scores", axis=1)], OUTPUT, to=onnx.FLOAT)
    size = batch or "batch"
    number = opset or (OPSET_FP8 if precision == "fp8" else OPSET)
    return bytes(
        onnx.model(
            nodes,
            tensors,
            [onnx.value_info(INPUT, onnx.FLOAT, (size, CHANNELS, SIDE, SIDE))],
            [onnx.value_info(OUTPUT, onnx.FLOAT, (size, CLASSES))],
            number,
            IR_VERSION if number < OPSET_FP8 else IR_VERSION_FP8,
        )
    )


def scales(parameters: Parameters, precision: str) -> Dict[str, float]:
    """How much one step of an 8-bit type is, for each tensor that goes through it."""
    amounts: Dict[str, Sequence[float]] = {
        INPUT: [1.0],
        "kernel": parameters.kernel,
        "features": features(parameters),
        "matrix": parameters.matrix,
    }
    return {name: max(abs(item) for item in amount) / LARGEST[precision] for name, amount in amounts.items()}


def _to_float32(values: Sequence[float]) -> bytes:
    return struct.pack("<%df" % len(values), *values)


def _to_float16(values: Sequence[float]) -> bytes:
    return struct.pack("<%de" % len(values), *values)
