"""A service that builds an engine for a model: the part that can be tested anywhere, and the part that cannot."""

from __future__ import annotations


def workspace_bytes(gpu_memory_bytes: int, share: float = 0.25) -> int:
    """How much GPU memory the builder may use, in bytes; a whole number of MiB, at least 64 of them."""
    return max(64, int(gpu_memory_bytes * share) >> 20) << 20


def build(workspace: int) -> bytes:
    """Build the engine of a network that passes its input on, and give it serialized."""
    import tensorrt as trt  # where there is none, only this function fails

    builder = trt.Builder(trt.Logger(trt.Logger.WARNING))
    explicit_batch = getattr(trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)
    network = builder.create_network(1 << int(explicit_batch) if explicit_batch is not None else 0)
    tensor = network.add_input("input", trt.float32, (1, 8))
    network.mark_output(network.add_identity(tensor).get_output(0))
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise RuntimeError("TensorRT built no engine")
    return bytes(plan)
