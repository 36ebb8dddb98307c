"""What guarding a canary costs: ``trtdoctor canary`` with TensorRT for RTX, as a ratio to the bare minimum.

    python benchmarks/canary.py --python PYTHON [--runs N] [--check]

PYTHON is the interpreter of an environment with TensorRT for RTX. The bare minimum is a script run by it that imports
the module and builds the same network from the same ONNX bytes, without a GPU; nothing is checked, nothing is told.
``--check`` exits 1 when the ratio is over its target by more than the noise that a shared machine makes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET, SLACK = 2.0, 1.25
BARE = """
import sys
import tensorrt_rtx as trt
logger = trt.Logger(trt.Logger.ERROR)
builder = trt.Builder(logger)
network = builder.create_network(0)
parser = trt.OnnxParser(network, logger)
with open(sys.argv[1], "rb") as stream:
    assert parser.parse(stream.read())
assert builder.build_serialized_network(network, builder.create_builder_config()).nbytes > 0
"""


def model() -> bytes:
    """The built-in network, as the child gives it to the parser."""
    from trtdoctor.canary import child_model, child_onnx

    return child_model.onnx_bytes(child_onnx, "fp32", child_model.FIXED_BATCH)


def quickest(commands: dict[str, list[str]], runs: int, compiled: str) -> dict[str, float]:
    """Quickest wall time in seconds of each command: load only ever adds. The commands take turns, to share it.

    ``compiled`` is a directory for byte code.
    """
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    # A shell that forbids byte code would have every run compile this program anew, which no user's does.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ["PYTHONPYCACHEPREFIX"] = compiled
    for turn in range(runs + 1):
        for name, command in commands.items():
            started = time.perf_counter()
            done = subprocess.run(command, capture_output=True, cwd=ROOT, env=environ, check=False)
            if done.returncode:
                raise SystemExit(f"{name}: {(done.stderr or done.stdout).decode(errors='replace')[-600:]}")
            if turn:  # the first run only warms the file cache
                seconds[name].append(time.perf_counter() - started)
    return {name: min(values) for name, values in seconds.items()}


def main() -> int:
    """Print the ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", required=True)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    python = os.path.abspath(options.python)
    with tempfile.TemporaryDirectory() as directory:
        script, onnx = Path(directory) / "bare.py", Path(directory) / "model.onnx"
        script.write_text(BARE, "utf-8")
        onnx.write_bytes(model())
        found = quickest(
            {
                "bare": [python, "-I", str(script), str(onnx)],
                "canary": [
                    sys.executable,
                    "-m",
                    "trtdoctor",
                    "canary",
                    "--python",
                    python,
                    "--product",
                    "tensorrt-rtx",
                ],
            },
            options.runs,
            f"{directory}/compiled",
        )
    ratio = found["canary"] / found["bare"]
    print(
        f"trtdoctor canary {ratio:5.2f} x the bare minimum (target {TARGET}): "
        f"{found['canary']:.3f} s, {found['bare']:.3f} s"
    )
    return 1 if options.check and ratio > TARGET * SLACK else 0


if __name__ == "__main__":
    sys.exit(main())
