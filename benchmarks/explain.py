"""How many reported incidents does ``explain`` explain, and how fast does it read a log?

Symptom texts of ``../shared/incidents/cases.yaml``: the share of incidents with an error message that a family explains
whose components meet the case's ``names``; innocent cases with a match that blames the environment; every miss. Then
the time for a generated log, as a ratio to ``grep -c -E`` with the same alternatives joined, and the memory.

    python benchmarks/explain.py [--megabytes N | --full] [--only cases|speed] [--check] [CASES.yaml]
"""

from __future__ import annotations

import argparse
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from trtdoctor.explain import explain_log
from trtdoctor.explain.answer import Match
from trtdoctor.matrix import Matrix, failures, load
from trtdoctor.yamlfile import parse

ROOT = Path(__file__).resolve().parent.parent
CASES = ROOT.parent / "shared" / "incidents" / "cases.yaml"
AS_OF = date(2026, 11, 22)
WITHOUT_MESSAGE = {
    "trt-4317-5090-laptop-trt107": "the message stands in a screenshot only",
    "dwpose-11-tensorrt13-on-126": "the process ends without a word",
    "trt-3027-nano-trt85": "a wish, no message",
    "rfdetr-1453-silent-fp32": "says what happens, in the reader's words",
    "trt-3539-py312-861": "says what fails, not what pip wrote",
    "pttrt-2044-cu11-torch-cu12-trt": "says what no longer runs",
    "pttrt-1026-torch-too-new": "names the exception's class, without its text",
    "trtllm-9318-torch-swapped": "versions after an installation",
    "ort-14730-114-needs-trt85": "names the DLL that raised, without the text",
    "ort-25506-118-cuda124-trt100": "no message was given",
}
"""Incidents whose symptom is a reader's description and no text that a program wrote."""


@dataclass
class Result:
    """What the cases gave."""

    incidents: int = 0
    explained: int = 0
    innocent: int = 0
    blamed: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    described: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Of the incidents with a message, those that were explained."""
        return self.explained / self.incidents if self.incidents else 1.0

    @property
    def blamed_share(self) -> float:
        """Of the innocent cases, those where a match blames the environment."""
        return len(self.blamed) / self.innocent if self.innocent else 0.0


def run(cases: Iterable[dict[str, Any]], matrix: Matrix) -> Result:
    """Explain the symptom of each case as one text."""
    result = Result()
    for case in cases:
        symptom = "\n".join(case.get("symptom") or ())
        if not symptom:
            continue
        found = explain_log(matrix, [symptom.encode()], kind="text", name=symptom, as_of=AS_OF)
        if case["kind"] == "incident":
            right = [item for item in found.matches if set(item.components) & set(case["names"])]
            if case["id"] in WITHOUT_MESSAGE and not right:
                result.described.append(f"{case['id']}: {WITHOUT_MESSAGE[case['id']]}")
                continue
            result.incidents += 1
            result.explained += bool(right)
            if not right:
                result.missed.append(_line(case, found.matches))
        else:
            result.innocent += 1
            if any(item.blames == "environment" for item in found.matches):
                result.blamed.append(_line(case, found.matches))
    return result


def _line(case: dict[str, Any], matches: Iterable[Match]) -> str:
    said = "; ".join(f"{item.family} ({', '.join(item.components)})" for item in matches) or "nothing"
    return f"{case['id']} (names {', '.join(case['names']) or 'nothing'}): {case['symptom']} -> {said}"


# -- speed -------------------------------------------------------------------------------------------------------------


def log_lines(matrix: Matrix, seed: int = 1) -> Iterator[str]:
    """Lines of builds, trainings and installations, with a known message in every 20000 of them."""
    chance = random.Random(seed)
    samples = [str(text) for row in matrix.rows("failures", "failures") for text in row.get("samples").value]
    number = 0
    while True:
        number += 1
        if number % 20_000 == 0:
            yield f"[11/22/2026-10:00:00] [E] [TRT] {chance.choice(samples)}"
        kind, a, b, c = chance.random(), chance.getrandbits(31), chance.randrange(100), chance.random()
        if kind < 0.45:
            yield f"[11/22/2026-10:{b % 60:02}:{a % 60:02}] [V] [TRT] Tactic: 0x{a:016x} Time: {c:.6f}"
        elif kind < 0.75:
            yield f"[TRT] [V] Timing Runner: /model.{b}/cv{a % 9}/conv/Conv + (CaskConvolution[0x{a:08x}])"
        elif kind < 0.88:
            yield f"2026-11-22T12:00:{b % 60:02}.{a % 10**6:06}Z INFO worker-{b} step {a % 10**5} loss {c:.5f}"
        elif kind < 0.97:
            yield f"Collecting nvidia-cublas-cu12==12.{b}.{a % 99} (from torch->-r requirements.txt (line {b}))"
        else:
            yield f"[W] [TRT] onnx2trt_utils.cpp:{b}: INT64 weights of tensor {a} are cast down to INT32, error {c:.4f}"


def write_log(matrix: Matrix, path: Path, megabytes: int) -> None:
    """A log of this size."""
    left = megabytes * 1_000_000
    with path.open("w") as stream:
        for line in log_lines(matrix):
            left -= stream.write(line + "\n")
            if left <= 0:
                return


def extended(pattern: str) -> str:
    """A pattern of the catalogue as an extended regular expression of grep."""
    pattern = re.sub(r"\(\?P<\w+>|\(\?:", "(", pattern)
    made, place, inside = [], 0, False
    while place < len(pattern):
        sign = pattern[place]
        if sign == "\\":
            following = pattern[place + 1]
            classes = {"d": "0-9", "w": "[:alnum:]_", "s": "[:space:]"}
            if following in classes:
                made.append(classes[following] if inside else f"[{classes[following]}]")
            else:
                made.append(following if inside else f"\\{following}")
            place += 2
            continue
        if sign == "[" and not inside:
            inside = True
            made.append(sign)
            place += 1
            if pattern[place] == "^":
                made.append("^")
                place += 1
            continue
        if sign == "]":
            inside = False
        if sign == "?" and place and pattern[place - 1] in "}*+?" and not inside:
            place += 1  # lazy or not makes no difference to whether a line matches
            continue
        made.append(sign)
        place += 1
    return re.sub(r"\[(\^?)([^]\[]*(?:\[:\w+:\][^]\[]*)*)-\]", r"[\1\2-]", "".join(made))


def joined(matrix: Matrix) -> str:
    """Every pattern as one alternative."""
    return "|".join(f"({extended(item.pattern)})" for family in failures.families(matrix) for item in family.patterns)


def seconds(command: list[str], **environ: str) -> float:
    """The quickest of three runs: processor time of the child."""
    best = float("inf")
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, **environ})
        if done.returncode not in (0, 1):
            raise SystemExit(done.stderr.decode(errors="replace"))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def speed(matrix: Matrix, megabytes: int) -> tuple[float, float, float]:
    """Ratio to grep, megabytes a second, and megabytes of memory at most."""
    with tempfile.TemporaryDirectory() as folder:
        log, patterns, samples = (Path(folder) / name for name in ("big.log", "patterns", "samples"))
        write_log(matrix, log, megabytes)
        patterns.write_text(joined(matrix))
        every = [str(text) for row in matrix.rows("failures", "failures") for text in row.get("samples").value]
        samples.write_text("\n".join(every) + "\n")
        grep = ["grep", "-c", "-E", "-f", str(patterns)]
        told = subprocess.run([*grep, str(samples)], capture_output=True, text=True, check=False)
        if told.stdout.strip() != str(len(every)):
            raise SystemExit(f"grep knows {told.stdout.strip()} of {len(every)} samples: {told.stderr}")
        by_grep = seconds([*grep, str(log)], LC_ALL="C")
        ours = [sys.executable, "-m", "trtdoctor", "explain", str(log), "--format", "json"]
        taken = seconds(ours)
        script = (
            "import sys; from trtdoctor.cli import main\n"
            "try: main(sys.argv[1:])\n"
            "except SystemExit: pass\n"
            "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0], file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", script, *ours[3:]], capture_output=True, text=True, check=True)
        memory = int(done.stderr.split()[-1]) / 1024
    print(f"grep -c -E {by_grep:8.2f} s   explain {taken:8.2f} s   ratio {taken / by_grep:.1f} (target 20)")
    print(f"read       {megabytes / taken:8.1f} MB/s, memory {memory:.0f} MB (target 100)")
    return taken / by_grep, megabytes / taken, memory


def main() -> int:
    """Print the figures; exit 1 with ``--check`` when a target of the issue is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("cases", nargs="?", default=CASES, type=Path)
    parser.add_argument("--megabytes", type=int, default=20)
    parser.add_argument("--full", action="store_true", help="a log of 200 MB")
    parser.add_argument("--only", choices=("cases", "speed"))
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    matrix = load(ROOT / "matrix")
    good = True
    if options.only != "speed":
        result = run(parse(options.cases.read_bytes()), matrix)
        every = result.incidents + len(result.described)
        print(f"incidents with a message {result.incidents:4}   explained {result.share:.1%} (target 90 %)")
        print(f"incidents of all         {every:4}   explained {result.explained / every:.1%}")
        print(f"innocent or working      {result.innocent:4}   blamed {result.blamed_share:.1%} (target at most 5 %)")
        for title in ("missed", "blamed", "described"):
            for line in getattr(result, title):
                print(f"  {title}: {line}")
        good = result.share >= 0.9 and result.blamed_share <= 0.05
    if options.only != "cases":
        ratio, _, memory = speed(matrix, 200 if options.full else options.megabytes)
        good = good and ratio <= 20 and memory < 100
    return 0 if good or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
