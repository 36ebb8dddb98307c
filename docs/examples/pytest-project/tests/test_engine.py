"""Tests that need a TensorRT that works."""

import pytest
from engine_service import build, workspace_bytes


@pytest.mark.trt(requires="tensorrt>=8.5", min_memory="4GiB", canary=True, reason="builds an engine")
def test_an_engine_is_built(trt_env):
    memory = trt_env.gpu(0).memory_bytes
    assert len(build(workspace_bytes(memory))) > 0


@pytest.mark.trt(requires="tensorrt>=10.3,<11", precision="fp8")
def test_fp8_needs_a_gpu_that_has_it(trt_env):
    assert trt_env.meets("gpu.compute_capability>=8.9")
