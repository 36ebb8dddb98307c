"""The stages that need a GPU, without one: a libcuda whose memory is the process's own, a stand-in for TensorRT."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.canary.running import CHILD, STAGES, Life, live
from trtdoctor.canary import child_cuda
from trtdoctor.canary import child_model as network

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def cuda(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a stand-in libcuda.so.1."""
    folder = tmp_path_factory.mktemp("cuda")
    source = HERE / "fake_cuda.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(folder / "libcuda.so.1"), str(source)], check=True)
    shutil.copy(HERE / "standin_trt.py", folder)
    shutil.copy(CHILD.with_name("child_model.py"), folder / "trtdoctor_reference.py")
    return folder


def run(cuda: Path, folder: Path, wrong: str = "", environ: dict[str, str] | None = None, **request: Any) -> Life:
    found = {"LD_LIBRARY_PATH": str(cuda), "STANDIN": wrong, **(environ or {})}
    plan = str(folder / "plan")
    return live(folder, environ=found, module="standin_trt", paths=[str(cuda)], plan=plan, **request)


def test_a_whole_life(cuda: Path, tmp_path: Path) -> None:
    told = run(cuda, tmp_path)
    assert {name: status for name, (status, _) in told.stages.items()} == dict.fromkeys(STAGES, "passed")
    assert told.started == list(STAGES)
    assert told.facts["gpu"] == "First Stand-in"
    assert told.facts["compute_capability"] == "8.6"
    assert told.facts["precision_used"] == ["fp32"]  # and not what a layer's name says
    assert 0 < told.facts["error"] < 1e-7
    assert told.facts["tolerance"] == network.TOLERANCE["fp32"]
    assert any(path.endswith("libcuda.so.1") for path in told.facts["libraries"])
    assert (tmp_path / "plan").read_bytes() == b"ftrt" + bytes(60)


def test_a_dynamic_batch_is_run_with_one_n_and_twice_n(cuda: Path, tmp_path: Path) -> None:
    told = run(cuda, tmp_path, batch=4, workspace=1 << 20, precision="fp16", wrong="fp16")
    assert told.detail("run") == "3 runs"
    assert told.detail("configuration") == "flag FP16, image 1x2x6x6 to 4x2x6x6 to 8x2x6x6"
    calls = json.loads(next(text for _, text in told.log if text.startswith("called: "))[8:])
    shapes = ["image", [1, 2, 6, 6], [4, 2, 6, 6], [8, 2, 6, 6]]
    assert calls == [["workspace", 1 << 20], ["set", "FP16"], ["clear", "TF32"], ["profile", shapes]]
    assert told.facts["precision_used"] == ["fp16"]
    assert told.facts["tolerance"] == network.TOLERANCE["fp16"]


def test_another_device_is_taken_by_its_number(cuda: Path, tmp_path: Path) -> None:
    told = run(cuda, tmp_path, device=1)
    assert told.facts["gpu"] == "Second Stand-in"
    assert told.facts["compute_capability"] == "8.7"
    told = run(cuda, tmp_path, device=2)
    assert told.status("builder") == "failed"
    assert "there is no device 2, CUDA sees 2" in told.detail("builder")


@pytest.mark.parametrize(
    ("wrong", "stage", "why"),
    [
        ("profile", "configuration", "the optimization profile was not accepted"),
        ("build", "build", "no engine was built: called: "),
        ("deserialize", "deserialize", "the engine was not accepted: not this one"),
        ("context", "context", "no execution context was made"),
        ("run", "run", "the run was not accepted"),
        ("numbers", "compare", "wrong numbers: the largest difference is 0.0"),
        ("nan", "compare", "wrong numbers: the largest difference is not finite, allowed is 0.0001"),
    ],
)
def test_what_goes_wrong_is_told_in_its_stage(wrong: str, stage: str, why: str, cuda: Path, tmp_path: Path) -> None:
    told = run(cuda, tmp_path, wrong, batch=2)
    failed = [name for name, (status, _) in told.stages.items() if status == "failed"]
    assert failed == [stage]
    assert told.detail(stage).startswith(why)
    assert told.done


def test_wrong_numbers_are_measured(cuda: Path, tmp_path: Path) -> None:
    told = run(cuda, tmp_path, "numbers")
    assert told.facts["error"] == pytest.approx(0.01 / max(network.reference(2)), rel=1e-3)
    assert run(cuda, tmp_path, "numbers", tolerance=0.5).status("compare") == "passed"
    assert run(cuda, tmp_path, "nan", tolerance=0.5).facts["error"] is None


def test_an_inspector_that_says_nothing_fails_nothing(cuda: Path, tmp_path: Path) -> None:
    told = run(cuda, tmp_path, "inspector")
    assert told.status("deserialize") == "passed"
    assert "precision_used" not in told.facts


def test_an_unknown_precision_is_told_before_anything_is_built(cuda: Path, tmp_path: Path) -> None:
    told = run(cuda, tmp_path, precision="bf16")
    assert told.stages["network"] == ("failed", "this TensorRT does not know bf16")


def test_errors_of_the_driver_have_their_names(cuda: Path, tmp_path: Path) -> None:
    told = run(cuda, tmp_path, environ={"FAKE_SYNC": "700"})
    assert told.stages["run"] == ("failed", "cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS (700)")
    told = run(cuda, tmp_path, environ={"FAKE_SYNC": "12345"})
    assert told.stages["run"] == ("failed", "cuStreamSynchronize: error 12345 (12345)")
    told = run(cuda, tmp_path, environ={"FAKE_MEMORY": "100"})
    assert told.stages["run"] == ("failed", "cuMemAlloc_v2: CUDA_ERROR_OUT_OF_MEMORY (2)")
    assert told.facts["oom"] == "device"


def test_no_gpu_is_not_a_broken_gpu(cuda: Path, tmp_path: Path) -> None:
    for environ in ({"FAKE_INIT": "100"}, {"FAKE_COUNT": "0"}):
        told = run(cuda, tmp_path, environ=environ)
        assert told.status("header") == "passed"
        assert told.status("run") == "skipped"
    told = run(cuda, tmp_path, environ={"FAKE_INIT": "803"})
    assert told.status("header") == "passed"
    assert told.stages["deserialize"] == ("failed", "cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)")


def test_a_libcuda_without_the_calls_is_told(cuda: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "none.c").write_text("int cuInit(unsigned flags) { return (int)flags; }")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(empty / "libcuda.so.1"), str(empty / "none.c")], check=True)
    told = run(cuda, tmp_path, environ={"LD_LIBRARY_PATH": str(empty)})
    assert told.detail("deserialize") == "cuDeviceGetCount: CUDA_ERROR_NOT_FOUND (500)"


def test_memory_goes_there_and_back(cuda: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import child_cuda\n"
        "gpu = child_cuda.Cuda(0); place = gpu.allocate(5); gpu.upload(place, b'hello')\n"
        "print(gpu.download(place, 5), gpu.download(place, 0)); gpu.free_all(); gpu.allocate(0); gpu.free_all()"
    )
    environ = {**os.environ, "LD_LIBRARY_PATH": str(cuda)}
    command = [sys.executable, "-c", code, str(Path(child_cuda.__file__).parent)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "b'hello' b''\n"
