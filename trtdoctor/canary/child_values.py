"""Shapes and numbers of a network's inputs and outputs: chosen, filled, decoded, compared.

Part of the canary's child: single file, standard library only (but for :func:`against_onnxruntime`, which is for
interpreters that have onnxruntime), Python 3.6 syntax. Types go by their names in TensorRT's DataType.
"""

import json
import math
import re
import struct
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple, Union

TYPES: Dict[str, Tuple[str, int, Optional[str]]] = {
    "FLOAT": ("fp32", 4, "f"),
    "HALF": ("fp16", 2, "e"),
    "BF16": ("bf16", 2, None),
    "FP8": ("fp8", 1, None),
    "INT8": ("int8", 1, "b"),
    "UINT8": ("uint8", 1, "B"),
    "BOOL": ("bool", 1, "?"),
    "INT32": ("int32", 4, "i"),
    "INT64": ("int64", 8, "q"),
}
"""Our word for the type, bytes of one element, its letter in the module struct."""
PRECISIONS = ("fp32", "fp16", "bf16", "int8", "fp8")
MOST_DECODED = 1 << 20
FLOATS = 4096
"""Random numbers that are made; a larger input repeats them."""
Shapes = Tuple[Tuple[int, ...], ...]
Numbers = NamedTuple("Numbers", [("kind", str), ("shape", Tuple[int, ...]), ("raw", bytes)])
Run = NamedTuple("Run", [("inputs", Dict[str, Numbers]), ("outputs", Dict[str, Numbers])])


def word(member: str) -> str:
    """Our word for a member of DataType: ``fp16`` for ``HALF``."""
    return TYPES[member][0] if member in TYPES else member.lower()


# -- shapes ------------------------------------------------------------------------------------------------------------


def shown(shape: Sequence[int]) -> str:
    """A shape as people write it, ``1x3x?x?``."""
    return "x".join("?" if size == -1 else str(size) for size in shape) or "scalar"


def shapes(
    name: str, shape: Tuple[int, ...], batch: Optional[int], asked: Optional[Sequence[Sequence[int]]]
) -> Union[Shapes, str]:
    """Smallest, usual and largest shape of an input; or why there is none to choose.

    ``shape`` is the model's, -1 where a size is free; ``asked`` is what the user named for this input. A free batch
    is 1, ``batch`` (1 if nobody said) and twice that.
    """
    if asked is not None:
        for wanted in asked:
            fits = len(wanted) == len(shape) and all(own in (-1, size) for own, size in zip(shape, wanted))
            if not fits:
                return "input %s has shape %s: %s does not fit" % (name, shown(shape), shown(wanted))
        low, usual, high = (tuple(wanted) for wanted in asked)
        if not all(0 <= one <= two <= three for one, two, three in zip(low, usual, high)):
            return "input %s: sizes must not fall from the smallest to the largest shape" % name
        return low, usual, high
    if -1 in shape[1:]:
        return "input %s has free sizes besides the batch (%s): say which with --shape %s:MIN:OPT:MAX" % (
            name,
            shown(shape),
            name,
        )
    if shape[:1] != (-1,):
        return shape, shape, shape
    usual_batch = batch or 1
    return (1,) + shape[1:], (usual_batch,) + shape[1:], (2 * usual_batch,) + shape[1:]


def batch_problem(inputs: Dict[str, Tuple[int, ...]], batch: Optional[int]) -> Optional[str]:
    """Why this batch cannot be had; None when an input leaves it free, or all have just this one."""
    if not batch or any(-1 in shape for shape in inputs.values()):
        return None
    for name, shape in inputs.items():
        if not shape:
            return "input %s is a single number: it has no batch dimension" % name
        if shape[0] != batch:
            return "input %s has no free batch dimension: the model fixes its shape at %s" % (name, shown(shape))
    return None


def size(kind: str, shape: Sequence[int]) -> int:
    """Bytes of a tensor; 8 an element where the type is unknown, which is more than any has."""
    count = TYPES[kind][1] if kind in TYPES else 8
    for item in shape:
        count *= item
    return count


# -- numbers -----------------------------------------------------------------------------------------------------------


def fill(kind: str, shape: Sequence[int]) -> bytes:
    """Something to run with: floats from -1 to 1, always the same; ones for whole numbers and truth values.

    One is a fine index and a fine mask.
    """
    if kind not in TYPES:
        return b"\0" * size(kind, shape)
    _, width, letter = TYPES[kind]
    count = size(kind, shape) // width
    if kind in ("FLOAT", "HALF", "BF16"):
        values = [math.sin(12.9898 * index + 4.1414) for index in range(min(count, FLOATS))]
        if letter:
            raw = struct.pack("<%d%s" % (len(values), letter), *values)
        else:  # the upper half of a 32-bit float is a bfloat16
            raw = b"".join(struct.pack("<f", value)[2:] for value in values)
    else:
        raw = struct.pack("<" + letter, 1) * min(count, FLOATS) if letter else b"\x38" * min(count, FLOATS)  # 1.0 E4M3
    return (raw * (count * width // max(1, len(raw)) + 1))[: count * width]


def decode(kind: str, shape: Sequence[int], raw: bytes) -> List[float]:
    """The numbers of an output, at most a million; none when its type is not one that struct knows."""
    letter = TYPES[kind][2] if kind in TYPES else None
    if kind == "BF16":
        halves = b"".join(b"\0\0" + raw[at : at + 2] for at in range(0, min(len(raw) // 2, MOST_DECODED) * 2, 2))
        return [item for (item,) in struct.iter_unpack("<f", halves)]
    if not letter:
        return []
    width = TYPES[kind][1]
    count = min(len(raw) // width, MOST_DECODED)
    return [float(item) for item in struct.unpack("<%d%s" % (count, letter), raw[: count * width])]


def not_finite(outputs: Dict[str, Numbers]) -> Optional[str]:
    """A word about outputs that hold infinities or no numbers; None when all are finite."""
    for name, output in outputs.items():
        values = decode(*output)
        odd = sum(1 for value in values if value - value != 0)
        if odd:
            return "no reference for this model; %d of %d values of output %s are not finite" % (odd, len(values), name)
    return None


def against_onnxruntime(
    path: str, runs: Sequence[Run], difference: Callable[[Sequence[float], Sequence[float]], float]
) -> Union[float, str]:
    """Largest difference of all outputs from what onnxruntime computes on the CPU; or why that cannot be said."""
    try:
        import numpy as np  # type: ignore[import-not-found, unused-ignore]
        import onnxruntime  # type: ignore[import-not-found, unused-ignore]

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        worst = 0.0
        for run in runs:
            given = {
                name: np.frombuffer(item.raw, "<" + (TYPES[item.kind][2] or "?")).reshape(item.shape)
                for name, item in run.inputs.items()
            }
            names = list(run.outputs)
            for name, wanted in zip(names, session.run(names, given)):
                values = [float(value) for value in wanted.ravel()[:MOST_DECODED]]
                worst = max(worst, difference(decode(*run.outputs[name]), values))
    except ImportError as error:
        return "no reference: onnxruntime is not in this interpreter (%s)" % error
    except Exception as error:
        return "no reference: onnxruntime did not run the model (%s: %s)" % (type(error).__name__, str(error)[:300])
    return worst


# -- what the engine inspector says ------------------------------------------------------------------------------------

_SPELLINGS = (
    ("bf16", r"\bBF16\b|\bBFloat16\b"),
    ("fp16", r"\bFP16\b|\bHalf\b|\bFloat16\b"),
    ("fp32", r"\bFP32\b|\bFloat\b|\bFloat32\b"),
    ("fp8", r"\bFP8\w*|\bE4M3\w*"),
    ("int8", r"\bINT8\b"),
)
_KEYS = re.compile(r"Format|Data ?type|Precision|^Type$", re.IGNORECASE)


def precisions(text: str) -> List[str]:
    """Types that an engine inspector's JSON names for tensors and weights of layers, in our words, sorted."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return []
    found: Set[str] = set()
    waiting = [document]
    for _ in range(1000000):
        if not waiting:
            break
        item = waiting.pop()
        if isinstance(item, dict):
            for key, value in item.items():
                if isinstance(value, str):
                    if _KEYS.search(key):
                        found.update(name for name, pattern in _SPELLINGS if re.search(pattern, value, re.IGNORECASE))
                else:
                    waiting.append(value)
        elif isinstance(item, list):
            waiting.extend(item)
    return sorted(found)
