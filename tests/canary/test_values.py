"""Shapes and numbers of inputs and outputs, and what is read out of an engine inspector's words."""

from __future__ import annotations

import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtdoctor.canary import child_values as values

SIZES = st.lists(st.integers(0, 9), max_size=4).map(tuple)
KINDS = st.sampled_from([*values.TYPES, "E8M0"])


@given(KINDS, SIZES)
def test_an_input_is_filled_to_its_last_byte(kind: str, shape: tuple[int, ...]) -> None:
    assert len(values.fill(kind, shape)) == values.size(kind, shape)


def test_a_large_input_is_filled_at_once_and_is_not_constant() -> None:
    raw = values.fill("FLOAT", (8, 3, 1024, 1024))
    numbers = struct.unpack("<1000f", raw[:4000])
    assert len(raw) == 8 * 3 * 1024 * 1024 * 4
    assert -1 <= min(numbers) < -0.9 < 0.9 < max(numbers) <= 1
    assert len(set(numbers)) > 900


@pytest.mark.parametrize("kind", ["FLOAT", "HALF", "BF16", "INT32", "INT64", "INT8", "UINT8", "BOOL"])
def test_what_is_filled_in_is_decoded(kind: str) -> None:
    numbers = values.decode(kind, (50,), values.fill(kind, (50,)))
    assert len(numbers) == 50
    if kind in ("FLOAT", "HALF", "BF16"):
        assert numbers == pytest.approx(values.decode("FLOAT", (50,), values.fill("FLOAT", (50,))), abs=0.01)
    else:
        assert set(numbers) == {1.0}


@given(st.binary(max_size=64), KINDS)
def test_decoding_never_falls_over(raw: bytes, kind: str) -> None:
    assert all(isinstance(number, float) for number in values.decode(kind, (), raw))


def test_numbers_that_are_not_finite_are_counted() -> None:
    good = values.Numbers("FLOAT", (2,), struct.pack("<2f", 1, 2))
    odd = values.Numbers("FLOAT", (3,), struct.pack("<3f", math.nan, math.inf, 1))
    assert values.not_finite({"y": good}) is None
    told = values.not_finite({"y": good, "z": odd})
    assert told is not None
    assert "2 of 3 values of output z are not finite" in told


@given(SIZES, st.one_of(st.none(), st.integers(1, 64)))
def test_a_fixed_shape_is_taken_as_it_is(shape: tuple[int, ...], batch: int | None) -> None:
    assert values.shapes("x", shape, batch, None) == (shape, shape, shape)


@given(SIZES, st.integers(1, 64))
def test_a_free_batch_is_one_n_and_twice_n(rest: tuple[int, ...], batch: int) -> None:
    chosen = values.shapes("x", (-1, *rest), batch, None)
    assert chosen == ((1, *rest), (batch, *rest), (2 * batch, *rest))


@given(st.lists(st.lists(st.integers(-3, 9), max_size=3), min_size=3, max_size=3))
def test_shapes_that_were_named_fit_or_are_refused(asked: list[list[int]]) -> None:
    chosen = values.shapes("x", (-1, 3), None, asked)
    fits = all(len(shape) == 2 and shape[1] == 3 for shape in asked)
    rises = fits and 0 <= asked[0][0] <= asked[1][0] <= asked[2][0]
    assert isinstance(chosen, tuple) == rises


def test_a_batch_needs_one_input_that_leaves_it_free() -> None:
    assert values.batch_problem({"x": (1, 4), "scale": (-1,)}, 8) is None
    assert values.batch_problem({"x": (8, 4)}, 8) is None
    assert values.batch_problem({"x": (1, 4)}, None) is None
    assert values.batch_problem({"x": (1, 4)}, 8) is not None


# 8.5's and 10's way to say it; the names of layers, tactics and tensors must not count.
OLD = {"Layers": [{"Name": "FP16 conv", "Outputs": [{"Name": "int8", "Format/Datatype": "Row major linear FP32"}]}]}
WEIGHTS = {"Layers": [{"Name": "c", "Weights": {"Type": "Half", "Count": 144}, "TacticName": "sm80_bf16"}]}
NEW = {"Layers": [{"Name": "c", "Inputs": [{"Name": "x", "Format": "Linear", "Datatype": "BFloat16"}]}]}
MIXED = {"Layers": ["only a name", {"Outputs": [{"Format/Datatype": "Two wide channel vectorized row major FP16"}]}]}


@pytest.mark.parametrize(
    ("document", "wanted"),
    [(OLD, ["fp32"]), (WEIGHTS, ["fp16"]), (NEW, ["bf16"]), (MIXED, ["fp16"]), ({"Layers": ["a", "b"]}, []), ([], [])],
)
def test_precisions_are_those_of_tensors_and_weights(document: object, wanted: list[str]) -> None:
    assert values.precisions(json.dumps(document)) == wanted


@given(st.text(max_size=50))
def test_an_inspector_may_say_anything(text: str) -> None:
    assert isinstance(values.precisions(text), list)
    assert values.precisions("[" * 100000) == []
