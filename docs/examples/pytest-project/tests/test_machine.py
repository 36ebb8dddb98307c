"""What the runner is known to be: a change of it shows here first, and not as a slower model."""


def test_the_runner_is_what_we_think(trt_env):
    trt_env.require("driver>=535", "gpu.compute_capability>=8.0")
    assert len({gpu.name for gpu in trt_env.gpus}) == 1, "engines are not portable between different GPUs"
