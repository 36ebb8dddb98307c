"""A stand-in for TensorRT's Python module, for the stages that need a GPU: it computes nothing, it hands out answers.

Run by the child as ``module``. It has the calls that the child makes from ``deserialize`` on, in the names that
TensorRT 8.5 to 11 share (tests/canary/test_api_names.py compares those with the real bindings), takes addresses that
fake_cuda.c gave out, and puts the reference of child_model.py into the output. ``STANDIN`` says what goes wrong.
"""

import ctypes
import enum
import json
import os
import struct
from typing import Any

from trtdoctor_reference import reference  # type: ignore[import-not-found]  # the test puts child_model.py there

WRONG = os.environ.get("STANDIN", "")
__version__ = "99.1.2.3"


class ILogger:
    def __init__(self) -> None:
        self.ready = True

    def log(self, severity: Any, msg: str) -> None:
        raise NotImplementedError


class Severity(enum.Enum):
    WARNING = 2
    ERROR = 1


class BuilderFlag(enum.Enum):
    FP16 = 0
    INT8 = 1
    TF32 = 7


class NetworkDefinitionCreationFlag(enum.IntEnum):
    EXPLICIT_BATCH = 0


class MemoryPoolType(enum.Enum):
    WORKSPACE = 0


class ProfilingVerbosity(enum.Enum):
    DETAILED = 2


class LayerInformationFormat(enum.Enum):
    JSON = 1


class TensorIOMode(enum.Enum):
    NONE = 0
    INPUT = 1
    OUTPUT = 2


class DataType(enum.Enum):
    FLOAT = 0


class Tensor:
    def __init__(self, shape: tuple[int, ...]) -> None:
        self.name, self.shape, self.is_shape_tensor, self.dtype = "image", shape, False, DataType.FLOAT


class Network:
    num_layers, num_inputs, num_outputs = 7, 1, 1
    fixed = False

    def get_input(self, index: int) -> Tensor:
        return Tensor((2 if self.fixed else -1, 2, 6, 6))


class Config:
    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.profiling_verbosity: Any = None

    def set_memory_pool_limit(self, pool: MemoryPoolType, size: int) -> None:
        self.calls.append(["workspace", size])

    def set_flag(self, flag: BuilderFlag) -> None:
        self.calls.append(["set", flag.name])

    def clear_flag(self, flag: BuilderFlag) -> None:
        self.calls.append(["clear", flag.name])

    def add_optimization_profile(self, profile: "Profile") -> int:
        self.calls.append(["profile", profile.shapes])
        return -1 if WRONG == "profile" else 0


class Profile:
    shapes: Any = None

    def set_shape(self, name: str, low: Any, usual: Any, high: Any) -> None:
        self.shapes = [name, low, usual, high]


class Plan(bytes):
    @property
    def nbytes(self) -> int:
        return len(self)


class Builder:
    def __init__(self, logger: ILogger) -> None:
        assert logger.ready
        self.logger = logger

    def create_network(self, flags: int) -> Network:
        assert flags == 1
        return Network()

    def create_builder_config(self) -> Config:
        return Config()

    def create_optimization_profile(self) -> Profile:
        return Profile()

    def build_serialized_network(self, network: Network, config: Config) -> Any:
        self.logger.log(Severity.WARNING, "called: " + json.dumps(config.calls))
        return None if WRONG == "build" else Plan(b"ftrt" + bytes(60))


class OnnxParser:
    def __init__(self, network: Network, logger: ILogger) -> None:
        self.network = network

    def parse(self, model: bytes) -> bool:
        self.network.fixed = b"batch" not in model
        return True


class Inspector:
    def get_engine_information(self, form: LayerInformationFormat) -> str:
        kind = "Row major linear FP16 format" if WRONG == "fp16" else "Row major linear FP32"
        layer = {"Name": "conv INT8 BF16", "Outputs": [{"Name": "y", "Format/Datatype": kind}]}
        return "no JSON" if WRONG == "inspector" else json.dumps({"Layers": [layer]})


class Context:
    def __init__(self) -> None:
        self.batch = 0
        self.addresses: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.batch = shape[0]
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        assert self.batch
        return (self.batch, 10)

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        given = struct.unpack("<f", ctypes.string_at(self.addresses["image"], 4))[0]
        assert -1 <= given <= 1
        assert given
        scores = reference(self.batch)
        if WRONG == "numbers":
            scores[3] += 0.01
        if WRONG == "nan":
            scores[3] = float("nan")
        raw = struct.pack(f"<{len(scores)}f", *scores)
        ctypes.memmove(self.addresses["scores"], raw, len(raw))
        return WRONG != "run"


class Engine:
    num_layers, num_io_tensors = 5, 2

    def get_tensor_name(self, index: int) -> str:
        return ("scores", "image")[index]  # an output may come first

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if name == "image" else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> DataType:
        return DataType.FLOAT

    def create_engine_inspector(self) -> Inspector:
        return Inspector()

    def create_execution_context(self) -> Any:
        return None if WRONG == "context" else Context()


class Runtime:
    def __init__(self, logger: ILogger) -> None:
        self.logger = logger

    def deserialize_cuda_engine(self, plan: bytes) -> Any:
        if WRONG == "deserialize":
            self.logger.log(Severity.ERROR, "not this one")
            return None
        assert plan.startswith(b"ftrt")
        return Engine()
