"""Is there a way out of every broken environment that people reported, and how long does finding it take?

Plans for every case of ``../shared/incidents/cases.yaml`` that is broken, and that the declared versions alone decide.
Prints the share with a plan, whether the first plan's result passes ``check`` without an error, how many components it
changes, and the time for ranking 50 candidates; the reasons where nothing fits, by name, to be judged by a reader.

    python benchmarks/plan.py [--json FILE] [CASES.yaml]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from benchmarks.incidents import AS_OF, CASES
from trtdoctor.declared import snapshot_of
from trtdoctor.findings import Severity
from trtdoctor.judge import DEFAULT_GOAL, judge
from trtdoctor.matrix import Matrix, load
from trtdoctor.plan.answer import answer
from trtdoctor.plan.model import PlanReport
from trtdoctor.plan.question import Question
from trtdoctor.yamlfile import parse

RANKED = 50
SHARE = 0.9
"""At most one in ten may have no plan, for a reason that is stated and right."""
SECONDS = 1.0


@dataclass
class Result:
    """What the benchmark measured."""

    broken: int = 0
    planned: list[str] = field(default_factory=list)
    impossible: dict[str, list[str]] = field(default_factory=dict)
    """Case to the reasons that are stated."""
    not_seen: list[str] = field(default_factory=list)
    """Cases in which the declared versions show no error."""
    left: dict[str, list[str]] = field(default_factory=dict)
    """Case to the errors that the first plan's result still has."""
    changed: list[int] = field(default_factory=list)
    """How many components the first plan of each case changes."""
    ways: dict[str, str] = field(default_factory=dict)
    """Case to the first plan's title."""
    ranked: dict[str, int] = field(default_factory=dict)
    """Case to how many candidates were ranked where 50 were asked for."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Case to the time for that."""
    planning: float = 0.0
    """Processor time for all of these, in seconds."""
    judging: float = 0.0
    """Processor time for judging each environment once, beside it."""

    @property
    def share(self) -> float:
        """Share of the broken cases that have a plan."""
        return len(self.planned) / self.broken if self.broken else 1.0

    @property
    def ratio(self) -> float:
        """How many judgements one plan of 50 candidates takes."""
        return self.planning / self.judging if self.judging else 0.0


def run(cases: Iterable[dict[str, Any]]) -> Result:
    """Plan for each broken case, once for the three best and once for 50."""
    matrix = load()
    result = Result()
    for case in cases:
        if case["decidable_by"] == "declared" and case["verdict"] == "error":
            _measure(case, matrix, result)
    return result


def plans_for(environment: dict[str, Any], matrix: Matrix, *, top: int = 3, every: bool = False) -> PlanReport:
    """What ``trtdoctor plan --declared`` answers, as on the day of the recordings."""
    snapshot = snapshot_of(environment)
    return answer(Question(snapshot, matrix, as_of=AS_OF, goal=snapshot.wants or DEFAULT_GOAL), top=top, every=every)


def _measure(case: dict[str, Any], matrix: Matrix, result: Result) -> None:
    name, environment = case["id"], case["environment"]
    result.broken += 1
    report = plans_for(environment, matrix)
    began, wall = process_time(), perf_counter()
    many = plans_for(environment, matrix, top=RANKED, every=True)
    result.seconds[name] = perf_counter() - wall
    result.planning += process_time() - began
    result.ranked[name] = len(many.plans)
    began = process_time()
    judge(snapshot_of(environment), matrix, as_of=AS_OF)
    result.judging += process_time() - began
    if report.impossible is not None:
        result.impossible[name] = list(report.impossible.reasons)
        return
    first = report.plans[0]
    result.planned.append(name)
    result.ways[name] = first.title
    if report.broken:
        result.changed.append(len({change.component for change in first.changes}))
    else:
        result.not_seen.append(name)
    after = judge(snapshot_of(first.environment), matrix, as_of=AS_OF)
    left = [f"{item.code} {item.title}" for item in after.findings if item.severity is Severity.ERROR]
    if left:
        result.left[name] = left


def main() -> int:
    """Print the figures; exit 1 when a target of the issue is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("cases", nargs="?", default=CASES, type=Path)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()
    result = run(parse(options.cases.read_bytes()))
    slowest = max(result.seconds, key=lambda name: result.seconds[name])
    typical = median(result.seconds.values())
    print(f"broken environments     {result.broken:5}   with a plan {result.share:.1%} (target {SHARE:.0%})")
    print(f"first plan passes check {len(result.planned) - len(result.left):5}   of {len(result.planned)} (target all)")
    print(f"changed components      {median(result.changed):5}   median; at most {max(result.changed)}")
    print(f"candidates ranked       {median(result.ranked.values()):5}   median where {RANKED} were asked for")
    print(f"seconds for that        {typical:5.2f}   median; {result.seconds[slowest]:.2f} for {slowest} (target < 1)")
    print(f"as many judgements      {result.ratio:5.0f}   as judging the environments once, run beside it")
    for name, title in result.ways.items():
        print(f"  plan: {name}: {title}")
    for name, reasons in result.impossible.items():
        print(f"  impossible: {name}: {'; '.join(reasons)}")
    for name, left in result.left.items():
        print(f"  left: {name}: {'; '.join(left)}")
    for name in result.not_seen:
        print(f"  not seen: {name}: the declared versions show no error")
    if options.json:
        options.json.write_text(json.dumps(asdict(result), indent=1))
    good = result.share >= SHARE and not result.left and result.seconds[slowest] < SECONDS
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
