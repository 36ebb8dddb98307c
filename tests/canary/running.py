"""Run the canary's child by itself, as its parent does, and read what it tells."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.test_environments import KEPT
from trtdoctor.canary import child_onnx as onnx

CHILD = Path(__file__).resolve().parent.parent.parent / "trtdoctor" / "canary" / "child.py"
STAGES = (
    *("import", "builder", "network", "configuration", "build", "serialize", "header"),
    *("deserialize", "context", "run", "compare"),
)


@dataclass
class Life:
    """What a child told."""

    code: int
    stages: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """Name to status and detail, in the order that they ended."""
    started: list[str] = field(default_factory=list)
    log: list[tuple[str, str]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    done: bool = False
    raw: bytes = b""
    printed: str = ""

    def status(self, name: str) -> str:
        return self.stages[name][0]

    def detail(self, name: str) -> str:
        return self.stages[name][1] or ""


def live(
    folder: Path, python: str = sys.executable, options: tuple[str, ...] = (), environ: Any = None, **request: Any
) -> Life:
    """One child, with the answer on a pipe of its own."""
    read, write = os.pipe()
    paper = folder / "request.json"
    paper.write_text(json.dumps({"answer_fd": write, **request}), encoding="utf-8")
    child = subprocess.Popen(
        [python, "-I", *options, str(CHILD), str(paper)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[write],
        env={**os.environ, **(environ or {})},
    )
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        raw = stream.read()
    printed, _ = child.communicate(timeout=120)
    told = Life(child.returncode, raw=raw, printed=printed.decode("utf-8", "replace"))
    for line in raw.splitlines():
        item = json.loads(line)
        if "log" in item:
            told.log.append((item["log"]["severity"], item["log"]["text"]))
        elif "fact" in item:
            told.facts.update(item["fact"])
        elif item.get("status") == "started":
            told.started.append(item["stage"])
        elif "stage" in item:
            told.stages[item["stage"]] = (item["status"], item["detail"])
        else:
            assert item == {"done": True}
            told.done = True
    return told


def environment(name: str) -> str:
    """Python of a real environment that is not built on the way (full TensorRT is 550 MB); skips where it is not."""
    python = KEPT / name / "bin" / "python"
    if not python.exists():
        pytest.skip(f"there is no environment {name} in {KEPT}")
    return str(python)


def little(
    nodes: list[bytes],
    weights: tuple[bytes, ...] = (),
    shape: tuple[int | str, ...] = ("n", 4),
    opset: int = 13,
) -> bytes:
    """A model from ``x`` to ``y``, both of one shape."""
    ends = [onnx.value_info(name, onnx.FLOAT, shape) for name in ("x", "y")]
    return onnx.model(nodes, weights, ends[:1], ends[1:], opset, 8)
