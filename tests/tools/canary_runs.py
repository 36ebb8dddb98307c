"""Repeat the recorded canaries on a machine with an NVIDIA GPU, and keep what trtdoctor said.

    python tests/tools/canary_runs.py --tensorrt PYTHON [--rtx PYTHON] [--cudnn9 DIRECTORY] --into DIRECTORY [NAME ...]

``--tensorrt`` is the Python of a complete TensorRT 8.5.3.1 (environment ``trt853`` of ``environments.py``), ``--rtx``
that of TensorRT for RTX (environment ``rtx``), ``--cudnn9`` a directory with the libraries of cuDNN 9. The first is
changed for the runs that need a broken one (files are moved aside and brought back), so use one that nobody else uses.

Each run leaves ``NAME.json``: the redacted snapshot of ``trtdoctor check --canary always`` or of ``trtdoctor canary``,
with the canary in it. ``tests/test_canary_recordings.py`` replays them. Exit status: 0, or 1 when a run gave no answer.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trtdoctor.canary import child_model, child_onnx
from trtdoctor.redaction import redact
from trtdoctor.snapshot import Snapshot


@dataclass(frozen=True)
class Run:
    """One row of the table."""

    name: str
    command: tuple[str, ...]
    """Words after ``trtdoctor``."""
    arranged: Callable[[Machine], contextlib.AbstractContextManager[None]] | None = None
    rtx: bool = False
    cudnn9: bool = False


@dataclass(frozen=True)
class Machine:
    """Where the runs take place."""

    tensorrt: str
    rtx: str | None
    cudnn9: Path | None
    models: Path

    @property
    def cudnn(self) -> Path:
        """The folder of cuDNN's wheel beside that TensorRT."""
        return next((Path(self.tensorrt).parent.parent / "lib").glob("python3*/site-packages/nvidia/cudnn/lib"))


@contextlib.contextmanager
def _aside(files: list[Path]) -> Iterator[None]:
    moved = [(file, file.with_name(f"{file.name}.aside")) for file in files]
    for file, away in moved:
        file.rename(away)
    try:
        yield
    finally:
        for file, away in moved:
            away.rename(file)


@contextlib.contextmanager
def without_sublibraries(machine: Machine) -> Iterator[None]:
    """Only cuDNN's front library is there, as in a half-updated image."""
    files = list(machine.cudnn.glob("libcudnn_*.so.8"))
    with _aside(files):
        yield


@contextlib.contextmanager
def with_cudnn9(machine: Machine) -> Iterator[None]:
    """cuDNN 9 instead of cuDNN 8, as unpinned dependencies bring it."""
    own = list(machine.cudnn.glob("libcudnn*.so.8"))
    brought = list((machine.cudnn9 or Path("/nonexistent")).glob("libcudnn*.so.9"))
    with _aside(own):
        links = [machine.cudnn / file.name for file in brought]
        for link, file in zip(links, brought, strict=True):
            link.symlink_to(file)
        try:
            yield
        finally:
            for link in links:
                link.unlink()


def write_models(into: Path) -> None:
    """The project's own ONNX models: the canary's network with free batch, and one that FP16 gains nothing in."""
    onnx = child_onnx
    (into / "network.onnx").write_bytes(child_model.onnx_bytes(onnx, "fp32", None))
    (into / "network-fp16.onnx").write_bytes(child_model.onnx_bytes(onnx, "fp16", None))
    nodes = [onnx.node("MatMul", ["x", "w"], ["product"]), onnx.node("Softmax", ["product"], ["y"], axis=1)]
    weights = onnx.tensor("w", onnx.FLOAT, [4, 3], child_model.numbers(7, 12, 1.0).tobytes())
    small = onnx.model(
        nodes,
        [weights],
        [onnx.value_info("x", onnx.FLOAT, ["batch", 4])],
        [onnx.value_info("y", onnx.FLOAT, ["batch", 3])],
        13,
        7,
    )
    (into / "small.onnx").write_bytes(small)


CHECK = ("check", "--canary", "always")
RUNS: tuple[Run, ...] = (
    Run("canary-trt853", CHECK),
    Run("canary-trt853-fp16", ("canary", "--precision", "fp16")),
    Run("canary-trt853-int8", ("canary", "--precision", "int8")),
    Run("canary-trt853-batch", ("canary", "--batch", "4")),
    Run("canary-trt853-onnx", ("canary", "--onnx", "network.onnx", "--batch", "4", "--precision", "fp16")),
    Run("canary-trt853-fp16-typed", ("canary", "--onnx", "network-fp16.onnx", "--batch", "4", "--precision", "fp16")),
    Run("canary-trt853-fp16-not-taken", ("canary", "--onnx", "small.onnx", "--batch", "2", "--precision", "fp16")),
    Run("canary-trt853-no-sublibraries", CHECK, without_sublibraries),
    Run("canary-trt853-no-sublibraries-alone", ("canary",), without_sublibraries),
    Run("canary-trt853-cudnn9", CHECK, with_cudnn9, cudnn9=True),
    Run("canary-trt853-no-gpu", ("canary", "--device", "7")),
    Run("canary-rtx-unserved", ("check", "--canary", "auto"), rtx=True),
    Run("canary-rtx-unserved-forced", ("canary", "--product", "tensorrt-rtx", "--stage", "run"), rtx=True),
)


def record(run: Run, machine: Machine) -> tuple[Snapshot, str]:
    """The redacted snapshot with the canary, and what trtdoctor said. Raises ValueError when it gave no answer."""
    with run.arranged(machine) if run.arranged else contextlib.nullcontext():
        answer = ask(run, machine, *run.command)
        facts = answer.get("snapshot") or {**ask(run, machine, "snapshot"), "canaries": [answer]}
    told = [f"{item['severity']} {item['code']} {item['title']}" for item in answer.get("findings", ())]
    return redact(Snapshot.from_plain(facts)), "\n    ".join([answer.get("verdict") or answer["outcome"], *told])


def ask(run: Run, machine: Machine, *words: str) -> dict[str, Any]:
    """The JSON document that a command of this checkout answers."""
    python = machine.rtx if run.rtx else machine.tensorrt
    command = [sys.executable, "-m", "trtdoctor", words[0], "--python", str(python), *words[1:]]
    command = [str(machine.models / word) if word.endswith(".onnx") else word for word in command]
    command += {"check": ["--format", "json", "--fail-on", "never"], "canary": ["--format", "json"]}.get(words[0], [])
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
    if not done.stdout.startswith("{"):
        raise ValueError(f"exit status {done.returncode}: {done.stderr.strip()[-400:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Repeat the recorded canaries on a machine with an NVIDIA GPU.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(item.name for item in RUNS)}")
    parser.add_argument("--tensorrt", required=True, metavar="PYTHON")
    parser.add_argument("--rtx", metavar="PYTHON")
    parser.add_argument("--cudnn9", type=Path, metavar="DIRECTORY")
    parser.add_argument("--into", type=Path, required=True, metavar="DIRECTORY")
    options = parser.parse_args()
    options.into.mkdir(parents=True, exist_ok=True)
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(options.tensorrt, options.rtx, options.cudnn9, Path(folder))
        write_models(machine.models)
        for run in RUNS:
            if (options.names and run.name not in options.names) or (run.rtx and not options.rtx):
                continue
            if run.cudnn9 and not options.cudnn9:
                continue
            try:
                found, said = record(run, machine)
            except ValueError as error:
                failures += 1
                print(f"{run.name}: {error}", file=sys.stderr, flush=True)
                continue
            (options.into / f"{run.name}.json").write_text(found.to_json(), encoding="ascii")
            print(f"{run.name}: {said}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
