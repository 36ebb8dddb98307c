"""The little of ONNX's file format that the canary needs: write a small model, look into a large one.

Part of the canary's child: single file, standard library only, Python 3.6 syntax. ONNX models are Protocol Buffers;
field and type numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Nothing here judges
whether a model is right: that is the parser's work. It names what the parser leaves unsaid (opset, weights in other
files, the name of a node) and tells a file that is no model from one that TensorRT cannot read.
"""

import mmap
import os
import struct
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

FLOAT, INT8, FLOAT16, BFLOAT16, FLOAT8 = 1, 3, 10, 16, 17  # TensorProto.DataType; FLOAT8 is E4M3FN
MOST_ITEMS = 1000000
LONGEST_NAME = 300


class NotOnnx(Exception):
    """The bytes are no ONNX model; the message says in which way."""


# -- writing -----------------------------------------------------------------------------------------------------------


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def field(number: int, value: Union[int, float, str, bytes]) -> bytes:
    """One field of a message: an int as varint, a float as 32 bits, text and bytes with their length."""
    if isinstance(value, float):
        return _varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    raw = value.encode("utf-8") if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def tensor(name: str, kind: int, shape: Sequence[int], raw: bytes) -> bytes:
    """A TensorProto whose data stand in the file, as little-endian bytes."""
    return b"".join(field(1, size) for size in shape) + field(2, kind) + field(8, name) + field(9, raw)


def external_tensor(name: str, kind: int, shape: Sequence[int], location: str, length: int) -> bytes:
    """A TensorProto whose data stand at the beginning of another file, ``length`` bytes long."""
    entries = (("location", location), ("offset", "0"), ("length", str(length)))
    where = b"".join(field(13, field(1, key) + field(2, value)) for key, value in entries)
    return b"".join(field(1, size) for size in shape) + field(2, kind) + field(8, name) + where + field(14, 1)


def node(operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> bytes:
    """A NodeProto named like its first output; attributes are whole numbers or lists of them."""
    written = b"".join(field(1, name) for name in inputs) + b"".join(field(2, name) for name in outputs)
    written += field(3, outputs[0]) + field(4, operator)
    for name, value in sorted(attributes.items()):
        if isinstance(value, int):
            written += field(5, field(1, name) + field(3, value) + field(20, 2))
        else:
            written += field(5, field(1, name) + b"".join(field(8, item) for item in value) + field(20, 7))
    return written


def value_info(name: str, kind: int, shape: Sequence[Union[int, str]]) -> bytes:
    """A ValueInfoProto; a size that is text is a dimension left free, under that name."""
    sizes = b"".join(field(1, field(2 if isinstance(size, str) else 1, size)) for size in shape)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, sizes)))


def model(
    nodes: Sequence[bytes],
    initializers: Sequence[bytes],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
    opset: int,
    ir_version: int,
) -> bytes:
    """A ModelProto of messages written by the functions above."""
    graph = b"".join(field(1, item) for item in nodes) + field(2, "canary")
    for number, items in ((5, initializers), (11, inputs), (12, outputs)):
        graph += b"".join(field(number, item) for item in items)
    return field(1, ir_version) + field(2, "trtdoctor") + field(7, graph) + field(8, field(1, "") + field(2, opset))


# -- reading -----------------------------------------------------------------------------------------------------------

External = NamedTuple("External", [("name", str), ("location", str), ("offset", int), ("length", Optional[int])])
Input = NamedTuple("Input", [("name", str), ("kind", int), ("shape", Optional[Tuple[Union[int, str], ...]])])
Node = NamedTuple("Node", [("name", str), ("operator", str), ("domain", str)])


class Model:
    """What is read of a model: numbers, inputs that are no weights, nodes, and weights that stand in other files."""

    def __init__(self) -> None:
        self.ir_version: Optional[int] = None
        self.opsets: Dict[str, int] = {}
        self.inputs: List[Input] = []
        self.nodes: List[Node] = []
        self.external: List[External] = []

    @property
    def opset(self) -> Optional[int]:
        """Version of ONNX's own operators; None when the model does not say."""
        return self.opsets.get("", self.opsets.get("ai.onnx"))


def _fields(data: Any, start: int, end: int) -> Iterator[Tuple[int, int, int, int]]:
    """The fields of the message between two offsets: number, value (of a varint), begin and end of its bytes."""
    position = start
    for _ in range(MOST_ITEMS):
        if position >= end:
            return
        key, position = _read_varint(data, position, end)
        number, wire = key >> 3, key & 7
        value = 0
        begin = position
        if wire == 0:
            value, position = _read_varint(data, position, end)
        elif wire == 1:
            position += 8
        elif wire == 2:
            length, begin = _read_varint(data, position, end)
            position = begin + length
        elif wire == 5:
            position += 4
        else:
            raise NotOnnx("it is no ONNX model (byte %d is no field of a Protocol Buffer)" % start)
        if number == 0:
            raise NotOnnx("it is no ONNX model (byte %d is no field of a Protocol Buffer)" % start)
        if position > end:
            raise NotOnnx("it is cut short: a part that begins at byte %d would end at byte %d" % (begin, position))
        yield number, value, begin, position


def _read_varint(data: Any, position: int, end: int) -> Tuple[int, int]:
    value = shift = 0
    while position < end and shift < 70:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & ((1 << 64) - 1), position
        shift += 7
    if position >= end:
        raise NotOnnx("it is cut short at byte %d" % end)
    raise NotOnnx("it is no ONNX model (no number at byte %d)" % position)


def _string(data: Any, begin: int, end: int) -> str:
    return bytes(data[begin : min(end, begin + LONGEST_NAME)]).decode("utf-8", "replace")


def read_model(data: Any) -> Model:
    """Look into a model that is given as bytes or a memory map; raises :class:`NotOnnx`."""
    begin = bytes(data[:64])
    if begin.startswith(b"version https://git-lfs"):
        raise NotOnnx("it is a Git LFS pointer, not the model itself: fetch it with `git lfs pull`")
    if begin.startswith((b"PK\x03\x04", b"\x89HDF")):
        raise NotOnnx("it is a model of another format, or an archive, not ONNX")
    found = Model()
    graphs = []
    for number, value, first, last in _fields(data, 0, len(data)):
        if number == 1:
            found.ir_version = value
        elif number == 7:
            graphs.append((first, last))
        elif number == 8:
            domain, version = _read_opset(data, first, last)
            found.opsets[domain] = version
    if not graphs or found.ir_version is None:
        raise NotOnnx("it is no ONNX model, or it is cut short (it has no graph)")
    for first, last in graphs:
        _read_graph(data, first, last, found)
    return found


def _read_opset(data: Any, begin: int, end: int) -> Tuple[str, int]:
    domain, version = "", 0
    for number, value, first, last in _fields(data, begin, end):
        if number == 1:
            domain = _string(data, first, last)
        elif number == 2:
            version = value
    return domain, version


def _read_graph(data: Any, begin: int, end: int, found: Model) -> None:
    weights = set()
    inputs = []
    for number, _, first, last in _fields(data, begin, end):
        if number == 1:
            names = {3: "", 4: "", 7: ""}
            for inner, _, first_of, last_of in _fields(data, first, last):
                if inner in names:
                    names[inner] = _string(data, first_of, last_of)
            found.nodes.append(Node(names[3], names[4], names[7]))
        elif number == 5:
            weights.add(_read_tensor(data, first, last, found))
        elif number == 11:
            inputs.append(_read_input(data, first, last))
    found.inputs = [item for item in inputs if item.name not in weights]


def _read_tensor(data: Any, begin: int, end: int, found: Model) -> str:
    """Note where a weight's data stand, when that is another file; its name."""
    name = ""
    entries: Dict[str, str] = {}
    external = False
    for number, value, first, last in _fields(data, begin, end):
        if number == 8:
            name = _string(data, first, last)
        elif number == 14:
            external = value == 1
        elif number == 13:
            pair = {1: "", 2: ""}
            for inner, _, first_of, last_of in _fields(data, first, last):
                if inner in pair:
                    pair[inner] = _string(data, first_of, last_of)
            entries[pair[1]] = pair[2]
    if external and entries.get("location"):
        numbers = [int(text) if text.isdigit() else None for text in (entries.get(k, "") for k in ("offset", "length"))]
        found.external.append(External(name, entries["location"], numbers[0] or 0, numbers[1]))
    return name


def _read_input(data: Any, begin: int, end: int) -> Input:
    name, kind = "", 0
    shape: Optional[List[Union[int, str]]] = None
    for number, _, first, last in _fields(data, begin, end):
        if number == 1:
            name = _string(data, first, last)
        elif number == 2:
            for inner, _, first_of, last_of in _fields(data, first, last):
                if inner == 1:
                    kind, shape = _read_tensor_type(data, first_of, last_of)
    return Input(name, kind, None if shape is None else tuple(shape))


def _read_tensor_type(data: Any, begin: int, end: int) -> Tuple[int, Optional[List[Union[int, str]]]]:
    kind = 0
    shape: Optional[List[Union[int, str]]] = None
    for number, value, first, last in _fields(data, begin, end):
        if number == 1:
            kind = value
        elif number == 2:
            shape = []
            for inner, _, first_of, last_of in _fields(data, first, last):
                if inner == 1:
                    size: Union[int, str] = "?"
                    for which, known, one, two in _fields(data, first_of, last_of):
                        size = known if which == 1 else _string(data, one, two) if which == 2 else size
                    shape.append(size)
    return kind, shape


def read_file(path: str) -> Model:
    """Look into a model file without reading its weights; raises :class:`NotOnnx` and OSError."""
    if not os.path.isfile(path):
        there = "it is no regular file" if os.path.exists(path) else "there is no such file"
        raise NotOnnx("it is a directory" if os.path.isdir(path) else there)
    with open(path, "rb") as stream:
        if os.fstat(stream.fileno()).st_size == 0:
            raise NotOnnx("it is empty")
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return read_model(data)


def missing_weights(found: Model, directory: str) -> List[str]:
    """The files that weights are said to stand in and that are not there, or are too short; with a word why."""
    lacking: Dict[str, str] = {}
    for item in found.external:
        if item.location in lacking:
            continue
        path = os.path.join(directory, item.location)
        try:
            size = os.path.getsize(path)
        except (OSError, ValueError):
            lacking[item.location] = "%s is not there" % item.location
            continue
        needed = item.offset + (item.length or 0)
        if size < needed:
            lacking[item.location] = "%s has %d bytes where %d are needed" % (item.location, size, needed)
    return list(lacking.values())
