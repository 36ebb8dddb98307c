"""What recorded machines and environments get: just these codes, each with the reason why it is right."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest

from tests.conftest import AS_OF, ROOT, SNAPSHOTS
from trtdoctor.judge import judge
from trtdoctor.matrix import Matrix
from trtdoctor.redaction import redact
from trtdoctor.snapshot import Snapshot

# The H200 machines have driver 580.159.04, CUDA 13.0, and torch's wheels, but no TensorRT: TRT101 on each of them.
# The others were recorded in a container without a GPU (CTR101). TensorRT 8.5 lacks security fixes (TRT601, an info).
EXPECTED: dict[str, tuple[str, ...]] = {
    # tensorrt-cu13-bindings without tensorrt-cu13-libs: import fails for want of libnvinfer.
    "bindings-only": ("CTR101", "TRT102"),
    # Another process has 5 % of the memory: enough is left, nothing to say.
    "h200-busy": ("TRT101",),
    # CUDA_VISIBLE_DEVICES names the GPU by its UUID: it is visible.
    "h200-by-uuid": ("TRT101",),
    # cuda-compat's libcuda 580.95.05 in front of a newer driver of the same CUDA: refused or needless.
    "h200-compat": ("DRV301", "TRT101"),
    # CUDA_VISIBLE_DEVICES is set and empty.
    "h200-hidden": ("GPU101", "TRT101"),
    # An ordinary user who may not open the device files.
    "h200-no-access": ("DRV103", "TRT101"),
    # LD_LIBRARY_PATH leads to the toolkit's stubs.
    "h200-stub": ("DRV303", "TRT101"),
    # Two GPUs, of which the variable shows the second: that is what it is for.
    "h200-x2-second": ("TRT101",),
    "h200-x2": ("TRT101",),
    # System cuDNN 9.14 beside torch's 9.19 is no defect: nothing loads both.
    "h200": ("TRT101",),
    # The system's own Python, from which its distribution keeps pip out (PEP 668).
    "h200-managed": ("TRT101",),
    # TensorRT 8.5.3.1 as `plan fetch` brought it, installed with no network: the canary passed right after.
    "h200-planned": ("LDR104", "TOL101", "TRT601"),
    # Full TensorRT 8.5.3.1 with all that it needs: an engine was really built there right after the recording.
    "h200-trt853": ("TRT601",),
    # The same before cuDNN's sub-libraries were copied: a build with cuDNN tactics aborts. Another major is whole.
    "h200-trt853-no-sublibraries": ("DNN106", "TRT601"),
    # The same machine with what the loader really gave: NVRTC 13 of the system in a process of TensorRT for CUDA 11.
    "h200-trt853-observed": ("LDR104", "TOL101", "TRT601"),
    # Two cuDNN and two CUDA runtimes: who gets which is told, and nothing of it is an error.
    "h200-observed": ("LDR106", "LDR106", "TRT101"),
    # Canaries, made by tests/tools/canary_runs.py on the H200. TensorRT 8.5.3.1 took FP32 where FP16 was allowed.
    "canary-trt853": ("LDR104", "TOL101", "TRT601"),
    "canary-trt853-fp16": ("CAN106", "LDR104", "TOL101", "TRT601"),
    "canary-trt853-int8": ("LDR104", "TOL101", "TRT601"),
    "canary-trt853-batch": ("LDR104", "TOL101", "TRT601"),
    "canary-trt853-onnx": ("CAN106", "LDR104", "TOL101", "TRT601"),
    "canary-trt853-fp16-typed": ("CAN106", "LDR104", "TOL101", "TRT601"),
    "canary-trt853-fp16-not-taken": ("CAN106", "LDR104", "TOL101", "TRT601"),
    # The child really aborted in the build: it confirms what the rule said before, in one finding.
    "canary-trt853-no-sublibraries": ("DNN106", "LDR104", "TOL101", "TRT601"),
    "canary-trt853-no-sublibraries-alone": ("DNN106", "LDR104", "TOL101", "TRT601"),
    "canary-trt853-cudnn9": ("DNN102", "TOL101", "TRT601"),
    "canary-trt853-no-gpu": ("CAN110", "LDR104", "TOL101", "TRT601"),
    # Compute capability 9.0 is not served by TensorRT for RTX; forced, the build passes and the engine is refused.
    "canary-rtx-unserved": ("GPU205",),
    "canary-rtx-unserved-forced": ("GPU205",),
    # The lean runtime alone cannot build engines.
    "lean-cu13": ("CTR101", "TRT105"),
    "no-gpu": ("CTR101", "TRT101"),
    # onnxruntime-gpu beside CUDA and cuDNN wheels that its providers do not find by themselves, and no TensorRT.
    "ort": ("CTR101", "FWK701", "FWK702", "TRT101"),
    # PyTorch with what it pins: nothing to say but that TensorRT is missing.
    "torch": ("CTR101", "TRT101"),
    # TensorRT 8.5.3 beside a torch that pins an older cuDNN, and with a numpy that has no numpy.bool.
    "torch113": ("CTR101", "DNN103", "TOL101", "TRT107", "TRT601"),
    # A distribution called nvidia-tensorrt that holds nothing.
    "placeholder": ("CTR101", "PYT103"),
    # TensorRT for RTX builds ahead of time, but the goal is to run as well.
    "rtx": ("CTR101",),
    # tensorrt-bindings without the libs of the same release.
    "stub-861": ("CTR101", "TRT102"),
    "stub": ("CTR101", "TRT102"),
    # Dependencies unpinned: TensorRT 8.5.3 needs cuDNN 8 and got 9.
    "trt853-unpinned": ("CTR101", "DNN102", "TRT601"),
    # Dependencies pinned: nothing wrong but the missing GPU.
    "trt853": ("CTR101", "TRT601"),
    # The cu12 and cu13 wheels of cuDNN write over each other's files.
    "two-cudnn": ("CTR101", "DNN104", "TRT101"),
    # tensorrt-cu12 and tensorrt-cu13 in one Python, the bindings without their libs.
    "two-flavours": ("CTR101", "TRT102", "TRT104"),
}

NAMES = sorted(path.stem for path in SNAPSHOTS.glob("*.json"))


def codes(found: Snapshot, matrix: Matrix) -> list[str]:
    return sorted(item.code for item in judge(found, matrix, as_of=AS_OF).findings)


def test_each_recording_is_expected_here() -> None:
    assert sorted(EXPECTED) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_just_these_codes(name: str, matrix: Matrix) -> None:
    assert codes(Snapshot.from_json((SNAPSHOTS / f"{name}.json").read_bytes()), matrix) == sorted(EXPECTED[name])


@pytest.mark.parametrize("name", NAMES)
def test_it_is_redacted_and_fits_the_schema(name: str) -> None:
    text = (SNAPSHOTS / f"{name}.json").read_text("ascii")
    document = json.loads(text)
    schema = json.loads((ROOT / "trtdoctor" / "schemas" / "snapshot.schema.json").read_text("utf-8"))
    jsonschema.validate(document, schema)
    assert document["redacted"] is True
    assert not re.search(r"(?:GPU|MIG)-[0-9a-f]{8}", text)
    assert not re.search(r"[0-9a-f]{8}:[0-9a-f]{2}:[0-9a-f]{2}\.0", text)
    for private in ("/root/", "/home/", "/tmp/", "/work/"):
        assert private not in text


@pytest.mark.parametrize("name", NAMES)
def test_hiding_again_changes_nothing(name: str, matrix: Matrix) -> None:
    found = Snapshot.from_json((SNAPSHOTS / f"{name}.json").read_bytes())
    once = redact(found)
    twice = redact(once)
    assert twice.to_json() == once.to_json()
    assert judge(twice, matrix, as_of=AS_OF).to_plain() == judge(once, matrix, as_of=AS_OF).to_plain()
    assert codes(once, matrix) == sorted(EXPECTED[name])
