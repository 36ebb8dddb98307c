"""The little of ONNX's file format: what is written is read back, and no file makes the reader fall over."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtdoctor.canary import child_model as network
from trtdoctor.canary import child_onnx as onnx

PLAIN = st.from_regex(r"[a-z_/.]{1,20}", fullmatch=True)
SIZES = st.one_of(st.integers(0, 2**40), PLAIN)
WHOLE = network.onnx_bytes(onnx, "int8")


@given(
    PLAIN,
    st.lists(SIZES, max_size=6),
    st.integers(1, 2**31),
    st.integers(1, 2**31),
    st.lists(st.tuples(PLAIN, PLAIN), min_size=1, max_size=5),
)
def test_what_is_written_is_read_back(
    name: str, shape: list[int | str], opset: int, ir_version: int, operators: list[tuple[str, str]]
) -> None:
    weights = [
        onnx.tensor("inside", onnx.FLOAT, (2,), b"\0" * 8),
        onnx.external_tensor("outside", onnx.FLOAT, (2,), name + ".bin", 8),
    ]
    nodes = [onnx.node(operator, ["inside"], [output], axis=-1, pads=[0, 1]) for operator, output in operators]
    inputs = [onnx.value_info("in:" + name, onnx.FLOAT16, shape), onnx.value_info("inside", onnx.FLOAT, (2,))]
    found = onnx.read_model(onnx.model(nodes, weights, inputs, inputs[:1], opset, ir_version))
    assert (found.opset, found.ir_version) == (opset, ir_version)
    assert found.inputs == [onnx.Input("in:" + name, onnx.FLOAT16, tuple(shape))]  # a weight is no input
    assert [(item.operator, item.name) for item in found.nodes] == operators
    assert found.external == [onnx.External("outside", name + ".bin", 0, 8)]


@given(st.integers(0, len(WHOLE)))
def test_a_model_that_is_cut_short_is_no_model_or_a_smaller_one(length: int) -> None:
    try:
        found = onnx.read_model(WHOLE[:length])
    except onnx.NotOnnx:
        return
    assert found.ir_version is not None  # cut where a field ended: such a file cannot be told from a whole one
    assert len(found.nodes) in (0, len(onnx.read_model(WHOLE).nodes))


@given(st.one_of(st.binary(max_size=300), st.binary(max_size=200).map(lambda tail: WHOLE[:100] + tail)))
def test_no_bytes_make_it_fall_over(raw: bytes) -> None:
    try:
        onnx.read_model(raw)
    except onnx.NotOnnx as error:
        assert str(error).startswith("it is ")


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_a_changed_byte_does_not_either(place: int, value: int) -> None:
    changed = bytearray(WHOLE)
    changed[place] = value
    try:
        onnx.read_model(bytes(changed))
    except onnx.NotOnnx:
        pass


def test_a_length_without_end_ends() -> None:
    with pytest.raises(onnx.NotOnnx, match="no number at byte"):
        onnx.read_model(b"\x08" + b"\xff" * 100)


def test_the_version_of_onnx_own_operators_has_two_names() -> None:
    for name in ("", "ai.onnx"):
        raw = onnx.field(1, 8) + onnx.field(7, b"") + onnx.field(8, onnx.field(1, name) + onnx.field(2, 17))
        raw += onnx.field(8, onnx.field(1, "com.microsoft") + onnx.field(2, 1))
        assert onnx.read_model(raw).opset == 17


def test_a_large_file_is_not_read_whole(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "large.onnx"
    length = 3 << 30
    head = onnx.field(1, 8) + onnx.field(8, onnx.field(2, 17))
    weight = onnx._varint(9 << 3 | 2) + onnx._varint(length)
    tensor = onnx._varint(5 << 3 | 2) + onnx._varint(len(weight) + length)
    graph = onnx._varint(7 << 3 | 2) + onnx._varint(len(tensor) + len(weight) + length)
    with path.open("wb") as stream:
        stream.write(head + graph + tensor + weight)
        stream.truncate(stream.tell() + length)  # a hole: it takes no room
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert onnx.read_file(str(path)).opset == 17
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_a_file_that_cannot_be_one(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    for path, why in ((tmp_path, "it is a directory"), (tmp_path / "pipe", "it is no regular file")):
        with pytest.raises(onnx.NotOnnx, match=why):
            onnx.read_file(str(path))


def test_weights_elsewhere_are_looked_for(tmp_path: Path) -> None:
    found = onnx.Model()
    found.external = [
        onnx.External("a", "one.bin", 0, 8),
        onnx.External("b", "one.bin", 8, 8),
        onnx.External("c", "two.bin", 0, None),
        onnx.External("d", "odd\0name", 0, 1),
    ]
    assert onnx.missing_weights(found, str(tmp_path))[:2] == ["one.bin is not there", "two.bin is not there"]
    (tmp_path / "one.bin").write_bytes(b"\0" * 8)
    (tmp_path / "two.bin").touch()
    assert onnx.missing_weights(found, str(tmp_path)) == [
        "one.bin has 8 bytes where 16 are needed",
        "odd\0name is not there",
    ]


def test_attributes_below_zero_are_two_complement() -> None:
    assert onnx.field(3, -1) == b"\x18" + b"\xff" * 9 + b"\x01"


@pytest.mark.parametrize("precision", network.PRECISIONS)
def test_nodes_stand_in_the_order_that_onnx_wants(precision: str) -> None:
    """Each input of a node is a weight, an input of the graph, or the output of a node before it."""
    raw = network.onnx_bytes(onnx, precision)
    known = {network.INPUT}
    graph = next((first, last) for number, _, first, last in onnx._fields(raw, 0, len(raw)) if number == 7)
    nodes = []
    for number, _, first, last in onnx._fields(raw, *graph):
        if number == 5:
            known.add(onnx._read_tensor(raw, first, last, onnx.Model()))
        elif number == 1:
            names: dict[int, list[str]] = {1: [], 2: []}
            for inner, _, one, two in onnx._fields(raw, first, last):
                if inner in names:
                    names[inner].append(onnx._string(raw, one, two))
            nodes.append(names)
    for names in nodes:
        assert set(names[1]) <= known
        known.update(names[2])
    assert network.OUTPUT in known
