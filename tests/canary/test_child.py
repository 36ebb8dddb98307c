"""The canary's child: what it tells, and real engines, built by TensorRT for RTX without a GPU."""

from __future__ import annotations

import ast
import json
import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.canary.running import CHILD, STAGES, Life, environment, little, live
from tests.test_environments import built
from trtdoctor.canary import child_model as network
from trtdoctor.canary import child_onnx as onnx
from trtdoctor.engine import header
from trtdoctor.matrix import Matrix

SOURCES = sorted(CHILD.parent.glob("child*.py"))
BEFORE_GPU = ("import", "builder", "network", "configuration", "build", "serialize", "header")
RUN = ("deserialize", "context", "run", "compare")


@pytest.fixture(scope="session")
def rtx() -> str:
    return built("rtx")


def build(rtx: str, folder: Path, **request: Any) -> Life:
    return live(folder, rtx, module="tensorrt_rtx", product="tensorrt-rtx", plan=str(folder / "plan"), **request)


# -- what it is --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_it_is_python_3_6_and_needs_the_standard_library_only(source: Path) -> None:
    tree = ast.parse(source.read_text("utf-8"), feature_version=(3, 6))
    imported = {
        (item.names[0].name if isinstance(item, ast.Import) else item.module or "").partition(".")[0]
        for item in ast.walk(tree)
        if isinstance(item, (ast.Import, ast.ImportFrom))
    }
    assert imported - set(sys.stdlib_module_names) <= {"trtdoctor", "numpy", "onnxruntime"}
    own = "from trtdoctor" in source.read_text("utf-8")
    assert own == (source.name == "child.py")  # for the type checker alone


def test_it_tells_each_stage_and_ends_whatever_is_missing(tmp_path: Path) -> None:
    told = live(tmp_path, module="no_such_tensorrt")
    assert told.done
    assert told.code == 0
    assert told.status("import") == "failed"
    assert told.detail("import") == "ModuleNotFoundError: No module named 'no_such_tensorrt'"
    assert list(told.stages) == list(STAGES)
    assert {told.status(name) for name in STAGES[1:]} == {"skipped"}
    assert told.started == ["import"]


def test_a_module_that_is_no_tensorrt_is_told_so(tmp_path: Path) -> None:
    told = live(tmp_path, module="colorsys")
    assert told.detail("builder") == "colorsys is no TensorRT: it has neither a builder nor a runtime"


def test_a_module_that_ends_the_program_fails_the_import(tmp_path: Path) -> None:
    (tmp_path / "leaving.py").write_text("import sys; sys.exit('bye')")
    told = live(tmp_path, module="leaving", paths=[str(tmp_path)])
    assert told.stages["import"] == ("failed", "SystemExit: bye")
    assert told.done


def test_a_path_of_the_parent_does_not_hide_the_standard_library(tmp_path: Path) -> None:
    (tmp_path / "colorsys.py").write_text("raise RuntimeError('shadow')")
    assert live(tmp_path, module="colorsys", paths=[str(tmp_path)]).status("import") == "passed"


FLOOD = """
class ILogger:
    class Severity: pass
class Named:
    def __init__(self, name): self.name = name
class Runtime: pass
def Builder(logger):
    for number in range(60000):
        logger.log(Named("VERBOSE"), "x" * 100)
    for _ in range(300):
        logger.log(Named("INTERNAL_ERROR"), chr(0x1F600) * 40000 + chr(0xD800))
    raise MemoryError
"""


def test_a_flood_of_messages_keeps_its_bounds(tmp_path: Path) -> None:
    (tmp_path / "flooding.py").write_text(FLOOD)
    told = live(tmp_path, module="flooding", paths=[str(tmp_path)])
    assert len(told.raw) <= 8 << 20
    assert max(map(len, told.raw.splitlines())) <= 64 << 10
    assert told.facts["log_dropped"] > 0
    assert ("internal-error", "\U0001f600" * 4000) in told.log  # cut to what a line holds
    assert {severity for severity, _ in told.log} == {"verbose", "internal-error"}
    assert told.facts["oom"] == "host"
    assert told.status("builder") == "failed"
    assert told.detail("builder").startswith("MemoryError: \U0001f600")
    assert told.done


# -- real engines ------------------------------------------------------------------------------------------------------


def assert_built(told: Life, folder: Path) -> bytes:
    """All that goes without a GPU went well; the plan."""
    first = "parse" if "parse" in told.stages else "network"
    failed = {name: detail for name, (status, detail) in told.stages.items() if status == "failed"}
    assert not failed
    assert {told.status(name) for name in BEFORE_GPU if name != "network"} | {told.status(first)} == {"passed"}
    plan = (folder / "plan").read_bytes()
    assert len(plan) == told.facts["engine_bytes"]
    assert plan[:64].hex() == told.facts["header"]
    assert [path.name for path in folder.iterdir() if path.suffix == ".part"] == []
    return plan


@pytest.mark.parametrize("precision", network.PRECISIONS)
def test_rtx_builds_the_network_in_each_precision(precision: str, rtx: str, tmp_path: Path, matrix: Matrix) -> None:
    told = build(rtx, tmp_path, precision=precision)
    found = header.read(matrix, assert_built(told, tmp_path)[:64])
    assert found is not None
    assert found.layout == "tensorrt-rtx"
    assert found.shown == told.facts["version"]
    assert precision in told.facts["precision_used"]
    assert any("libtensorrt_rtx" in path for path in told.facts["libraries"])


def test_rtx_without_a_gpu_says_why_it_does_not_run(rtx: str, tmp_path: Path) -> None:
    told = build(rtx, tmp_path)
    if "gpu" in told.facts:
        pytest.skip("there is a GPU here")
    assert {told.status(name) for name in RUN} == {"skipped"}
    assert told.detail("run").startswith("no GPU: ")
    assert told.done
    assert not told.printed


def test_nothing_is_run_that_was_not_asked_for(rtx: str, tmp_path: Path) -> None:
    told = build(rtx, tmp_path, stage="build")
    assert {told.stages[name] for name in RUN} == {("skipped", "not asked for")}


@pytest.mark.parametrize("wanted", [("8.6",), ("7.5", "12.0"), ("8.0", "8.9", "12.1")])
def test_rtx_builds_for_the_gpus_that_were_asked_for(
    wanted: tuple[str, ...], rtx: str, tmp_path: Path, matrix: Matrix
) -> None:
    # In 32 bits it refuses matrix products for 7.5.
    told = build(rtx, tmp_path, precision="fp16", compute_capabilities=wanted)
    found = header.read(matrix, assert_built(told, tmp_path)[:64])
    assert found is not None
    assert set(found.compute_capabilities or ()) == set(wanted)
    assert told.facts["compute_capabilities"] == list(wanted)


def test_rtx_fails_with_its_own_words_and_the_gpu_it_cannot_serve_is_named(rtx: str, tmp_path: Path) -> None:
    told = build(rtx, tmp_path, compute_capabilities=["9.0"])
    assert told.detail("configuration") == "this TensorRT cannot be told to build for compute capability 9.0"
    told = build(rtx, tmp_path, compute_capabilities=["7.5"])
    assert told.status("build") == "failed"
    errors = [text for severity, text in told.log if severity == "error"]
    assert errors
    assert told.detail("build") == f"no engine was built: {errors[0]}"
    assert {told.status(name) for name in ("serialize", "run")} == {"skipped"}
    assert not (tmp_path / "plan").exists()


def test_a_dynamic_batch_has_a_profile_of_one_n_and_twice_n(rtx: str, tmp_path: Path) -> None:
    told = build(rtx, tmp_path, batch=3)
    assert_built(told, tmp_path)
    assert told.detail("configuration") == "image 1x2x6x6 to 3x2x6x6 to 6x2x6x6"


def test_numpy_is_not_imported(rtx: str, tmp_path: Path) -> None:
    told = live(tmp_path, rtx, ("-X", "importtime"), module="tensorrt_rtx")
    assert "tensorrt_rtx" in told.printed
    assert "numpy" not in told.printed


def test_a_place_that_is_no_good_for_the_plan_is_no_fault_of_the_engine(rtx: str, tmp_path: Path) -> None:
    told = live(tmp_path, rtx, module="tensorrt_rtx", plan=str(tmp_path / "none" / "plan"))
    assert (told.status("serialize"), told.status("header")) == ("passed", "passed")
    assert told.facts["not_written"] == "No such file or directory"
    assert list(tmp_path.glob("**/plan*")) == []
    told = live(tmp_path, rtx, module="tensorrt_rtx")
    assert told.status("header") == "passed"
    assert bytes.fromhex(told.facts["header"])[:4] == b"vtrt"


# -- models of the user's ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("opset", [13, 17, 20])
@pytest.mark.parametrize("batch", [None, 4])
def test_a_model_in_three_opsets(opset: int, batch: int | None, rtx: str, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(network.onnx_bytes(onnx, "fp32", None if batch else 1, opset))
    told = build(rtx, tmp_path, onnx=str(model), batch=batch)
    assert_built(told, tmp_path)
    assert told.detail("parse").endswith(f"opset {opset}")
    assert "network" not in told.stages


def test_a_model_with_weights_beside_it(rtx: str, tmp_path: Path) -> None:
    weights = onnx.external_tensor("w", onnx.FLOAT, (4,), "weights.bin", 16)
    model = tmp_path / "model.onnx"
    model.write_bytes(little([onnx.node("Add", ["x", "w"], ["y"])], (weights,)))
    told = build(rtx, tmp_path, onnx=str(model))
    assert told.stages["parse"] == ("failed", "model.onnx keeps weights in other files: weights.bin is not there")
    (tmp_path / "weights.bin").write_bytes(b"\0" * 15)
    told = build(rtx, tmp_path, onnx=str(model))
    assert told.detail("parse").endswith("weights.bin has 15 bytes where 16 are needed")
    (tmp_path / "weights.bin").write_bytes(struct.pack("<4f", 1, 2, 3, 4))
    assert_built(build(rtx, tmp_path, onnx=str(model)), tmp_path)


def test_a_half_precision_model_is_known_by_its_types(rtx: str, tmp_path: Path) -> None:
    for precision in ("fp32", "fp16"):
        model = tmp_path / f"{precision}.onnx"
        model.write_bytes(network.onnx_bytes(onnx, precision))
        told = build(rtx, tmp_path, onnx=str(model), precision="fp16", batch=2)
        assert_built(told, tmp_path)
        assert ("fp16" in told.facts["precision_used"]) == (precision == "fp16")


WHOLE = network.onnx_bytes(onnx)
BAD_MODELS = {
    "none.onnx": (None, "there is no such file"),
    "empty.onnx": (b"", "it is empty"),
    "cut.onnx": (WHOLE[: len(WHOLE) // 2], "it is cut short"),
    "page.onnx": (b"<!DOCTYPE html><html><body>sign in</body></html>", "it is no ONNX model"),
    "pointer.onnx": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "it is a Git LFS pointer"),
    "archive.onnx": (b"PK\x03\x04" + b"\0" * 60, "it is a model of another format"),
}


@pytest.mark.parametrize("name", BAD_MODELS)
def test_a_file_that_is_no_model_is_told_by_what_it_is(name: str, rtx: str, tmp_path: Path) -> None:
    content, why = BAD_MODELS[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    told = build(rtx, tmp_path, onnx=str(tmp_path / name))
    assert told.status("parse") == "failed"
    assert told.detail("parse").startswith(f"{name}: {why}")


def test_a_node_that_the_parser_refuses_is_named(rtx: str, tmp_path: Path) -> None:
    model = tmp_path / "odd.onnx"
    nodes = [onnx.node("Relu", ["x"], ["r"]), onnx.node("Frobnicate", ["r"], ["y"])]
    model.write_bytes(little(nodes, opset=21))
    told = build(rtx, tmp_path, onnx=str(model))
    assert told.detail("parse").startswith("odd.onnx: node 1 (Frobnicate y): ")
    assert told.detail("parse").endswith("; the model has opset ai.onnx 21 and IR version 8")


@pytest.mark.parametrize(
    ("shape", "request_", "why"),
    [
        ((1, 4), {"batch": 2}, "input x has no free batch dimension: the model fixes its shape at 1x4"),
        ((), {"batch": 2}, "input x is a single number: it has no batch dimension"),
        (
            ("n", 3, "h"),
            {"batch": 2},
            "input x has free sizes besides the batch (?x3x?): say which with --shape x:MIN:OPT:MAX",
        ),
        (("n", 4), {"shapes": {"z": [[1, 4]] * 3}}, "the model has no input z: its inputs are x"),
        (("n", 4), {"shapes": {"x": [[1, 5]] * 3}}, "input x has shape ?x4: 1x5 does not fit"),
        (
            ("n", 4),
            {"shapes": {"x": [[2, 4], [1, 4], [3, 4]]}},
            "input x: sizes must not fall from the smallest to the largest shape",
        ),
    ],
)
def test_a_shape_that_cannot_be_is_told(
    shape: tuple[int | str, ...], request_: dict[str, Any], why: str, rtx: str, tmp_path: Path
) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(little([onnx.node("Abs", ["x"], ["y"])], shape=shape))
    told = build(rtx, tmp_path, onnx=str(model), **request_)
    assert told.stages["configuration"] == ("failed", why)


def test_shapes_that_were_named_are_taken(rtx: str, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(little([onnx.node("Abs", ["x"], ["y"])], shape=("n", 3, "h")))
    told = build(rtx, tmp_path, onnx=str(model), shapes={"x": [[1, 3, 8], [2, 3, 16], [4, 3, 32]]})
    assert_built(told, tmp_path)
    assert told.detail("configuration") == "x 1x3x8 to 2x3x16 to 4x3x32"


# -- other TensorRTs ---------------------------------------------------------------------------------------------------


def test_a_lean_runtime_is_told_that_it_cannot_build(tmp_path: Path) -> None:
    told = live(tmp_path, built("lean-cu13"), module="tensorrt_lean")
    assert told.status("import") == "passed"
    assert told.detail("builder") == "tensorrt_lean can run engines, not build them: it has no builder"


def test_bindings_without_libraries_name_the_first_that_is_missing(tmp_path: Path) -> None:
    told = live(tmp_path, built("bindings-only"), module="tensorrt_bindings")
    assert told.status("import") == "failed"
    assert "cannot open shared object file" in told.detail("import")


def test_full_tensorrt_without_a_driver_says_error_35(tmp_path: Path) -> None:
    told = live(tmp_path, environment("trt853"), module="tensorrt")
    if "gpu" in told.facts:
        pytest.skip("there is a GPU here")
    assert told.facts["version"] == "8.5.3.1"
    assert told.status("builder") == "failed"
    assert "error: 35" in told.detail("builder")
    assert any("error: 35" in text for severity, text in told.log if severity == "warning")


def test_it_runs_alone(rtx: str, tmp_path: Path) -> None:
    import subprocess

    paper = tmp_path / "request.json"
    paper.write_text(json.dumps({"module": "tensorrt_rtx", "answer_fd": 1}))
    done = subprocess.run([rtx, str(CHILD), str(paper)], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == '{"done": true}'
