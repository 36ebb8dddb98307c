"""What typing ``trtdoctor`` costs, as ratios to ``python -c 'import click'`` in the same run.

    python benchmarks/startup.py [--python PYTHON] [--runs N] [--check]

PYTHON is the interpreter of an environment that has trtdoctor installed (default: this one). ``--check`` exits 1 when
a target is missed by more than the noise that a shared machine makes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SNAPSHOTS = ROOT / "tests" / "data" / "snapshots"
READY = SNAPSHOTS / "h200-trt853.json"
"""Nothing has to change there."""
BROKEN = SNAPSHOTS / "h200.json"
"""There the way out is planned: no TensorRT is installed."""
ELSEWHERE = tempfile.gettempdir()
SLACK = 1.25
"""How much a ratio may exceed its target on a shared machine before ``--check`` calls it missed."""


def measure(commands: dict[str, list[str]], runs: int) -> dict[str, float]:
    """Quickest wall time in seconds of each command: load only ever adds. The commands take turns, to share it."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            started = time.perf_counter()
            done = subprocess.run(command, capture_output=True, cwd=ELSEWHERE, check=False)
            if done.returncode not in (0, 1) or done.stderr:
                raise SystemExit(f"{' '.join(command)}: {done.stderr.decode(errors='replace')[-400:]}")
            if turn:  # the first run only warms the file cache
                seconds[name].append(time.perf_counter() - started)
    return {name: min(values) for name, values in seconds.items()}


def judged_per_second(rounds: int = 10, count: int = 100) -> tuple[float, float]:
    """Snapshots judged in one process, the best of some rounds: by the rules alone, and with the planner's fixes."""
    from trtdoctor.declared import snapshot_of
    from trtdoctor.diagnosis import diagnose
    from trtdoctor.judge import DEFAULT_GOAL, judge
    from trtdoctor.matrix import load
    from trtdoctor.rules.base import Context
    from trtdoctor.snapshot import Snapshot
    from trtdoctor.stack import Stack

    matrix = load()
    environment = {
        "os": "ubuntu-22.04",
        "arch": "x86_64",
        "gpus": [{"name": "NVIDIA L4"}],
        "driver": "535.104.05",
        "cuda": [{"version": "12.2"}],
        "cudnn": [{"version": "8.9.7"}],
        "tensorrt": [{"version": "10.9.0.34", "from": "pip-cu12"}],
        "python": "3.10",
    }
    snapshots = [snapshot_of(environment), Snapshot.from_json(BROKEN.read_bytes())]
    day = date(2026, 11, 22)

    def rules_alone(snapshot: Snapshot) -> None:
        diagnose(Context(Stack(snapshot, matrix), matrix, day, frozenset(DEFAULT_GOAL)))

    def whole(snapshot: Snapshot) -> None:
        judge(snapshot, matrix, as_of=day)

    rates = []
    for answer in (rules_alone, whole):
        for snapshot in snapshots:
            answer(snapshot)
        seconds = []
        for _ in range(rounds):
            started = time.perf_counter()
            for number in range(count):
                answer(snapshots[number % 2])
            seconds.append(time.perf_counter() - started)
        rates.append(count / min(seconds))
    return rates[0], rates[1]


def main() -> int:
    """Print the ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    python = os.path.abspath(options.python)
    program = [python, "-m", "trtdoctor"]
    script = Path(python).with_name("trtdoctor")
    if script.exists():
        program = [str(script)]
    targets = {
        "--help": 1.5,
        "check --snapshot --format json": 2.5,
        "check --snapshot (table)": 3.5,
        "check --snapshot (with a plan)": 4.0,
        "check (this machine)": 5.0,
    }
    commands = {
        "base": [python, "-c", "import click"],
        "--help": [*program, "--help"],
        "check --snapshot --format json": [*program, "check", "--snapshot", str(READY), "--format", "json"],
        "check --snapshot (table)": [*program, "check", "--snapshot", str(READY)],
        "check --snapshot (with a plan)": [*program, "check", "--snapshot", str(BROKEN)],
        "check (this machine)": [*program, "check"],
    }
    quickest = measure(commands, options.runs)
    missed = []
    for name, target in targets.items():
        ratio = quickest[name] / quickest["base"]
        print(f"{name:<32} {ratio:5.2f} x import click   (target {target})")
        if ratio > target * SLACK:
            missed.append(name)
    rate, planned = judged_per_second()
    print(f"{'rules alone, in one process':<32} {rate:5.0f} snapshots a second (target 2000)")
    print(f"{'with the planned way out':<32} {rate / planned:5.1f} x the rules alone")
    ratios = {name: round(quickest[name] / quickest["base"], 3) for name in targets}
    print(json.dumps({"ratios": ratios, "rate": round(rate), "planned": round(planned)}))
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
