"""How well does ``check`` judge real environments that people reported in public?

Runs every case of ``../shared/incidents/cases.yaml`` that the declared versions alone can decide, and prints recall,
the share of expected errors answered by an error, false errors, innocent cases with a warning, and every miss.

    python benchmarks/incidents.py [--all-cases] [--json FILE] [CASES.yaml]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from trtdoctor.declared import snapshot_of
from trtdoctor.findings import Finding, Severity
from trtdoctor.judge import judge
from trtdoctor.matrix import load
from trtdoctor.yamlfile import parse

ROOT = Path(__file__).resolve().parent.parent
CASES = ROOT.parent / "shared" / "incidents" / "cases.yaml"
AS_OF = date(2026, 11, 22)
CORE = frozenset(
    ("driver", "cuda", "cudnn", "cublas", "nvrtc", "tensorrt", "tensorrt-rtx", "gpu", "python", "glibc", "os", "arch")
    + ("wsl", "memory", "api")
)
"""Components whose cases the first issue answers for recall; false errors count over all cases."""


@dataclass
class Result:
    """What the benchmark measured."""

    expected: int = 0
    answered: int = 0
    expected_errors: int = 0
    answered_by_error: int = 0
    innocent: int = 0
    false_errors: list[str] = field(default_factory=list)
    innocent_with_warning: list[str] = field(default_factory=list)
    misnamed: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    milder: list[str] = field(default_factory=list)
    crowded: list[str] = field(default_factory=list)
    """Findings that name more than three components."""
    doubled: list[str] = field(default_factory=list)
    """Cases with two errors of one family: a hint that one root cause was told twice."""

    @property
    def recall(self) -> float:
        """Share of expected errors and warnings answered by at least a warning that names one of ``names``."""
        return self.answered / self.expected if self.expected else 1.0

    @property
    def errors_as_errors(self) -> float:
        """Share of expected errors answered by an error that names one of ``names``."""
        return self.answered_by_error / self.expected_errors if self.expected_errors else 1.0

    @property
    def warned_share(self) -> float:
        """Share of innocent cases with any warning."""
        return len(self.innocent_with_warning) / self.innocent if self.innocent else 0.0


def run(cases: Iterable[dict[str, Any]], core_only: bool = True) -> Result:
    """Judge the cases. With ``core_only``, recall counts only cases whose names all lie in :data:`CORE`."""
    matrix = load()
    result = Result()
    for case in cases:
        if case["decidable_by"] != "declared":
            continue
        findings = judge(snapshot_of(case["environment"]), matrix, as_of=AS_OF).findings
        serious = [item for item in findings if item.severity is not Severity.INFO]
        result.crowded += [f"{case['id']}: {item.code}" for item in findings if len(item.components) > 3]
        families = [item.code[:3] for item in findings if item.severity is Severity.ERROR]
        if len(families) != len(set(families)):
            result.doubled.append(_line(case, serious))
        if case["verdict"] == "ok":
            result.innocent += 1
            if any(item.severity is Severity.ERROR for item in serious):
                result.false_errors.append(_line(case, serious))
            if serious:
                result.innocent_with_warning.append(_line(case, serious))
        elif not core_only or set(case["names"]) <= CORE:
            _count(case, serious, result)
    return result


def _count(case: dict[str, Any], serious: list[Finding], result: Result) -> None:
    names = set(case["names"])
    right = [item for item in serious if names & set(item.components)]
    errors = [item for item in right if item.severity is Severity.ERROR]
    result.expected += 1
    if right:
        result.answered += 1
    elif serious:
        result.misnamed.append(_line(case, serious))
        result.missed.append(_line(case, serious))
    else:
        result.missed.append(_line(case, serious))
    if case["verdict"] == "error":
        result.expected_errors += 1
        if errors:
            result.answered_by_error += 1
        elif right:
            result.milder.append(_line(case, serious))


def _line(case: dict[str, Any], findings: list[Finding]) -> str:
    said = "; ".join(f"{item.severity.value} {item.code} {item.title}" for item in findings) or "nothing said"
    return f"{case['id']} (wanted {case['verdict']} on {', '.join(case['names']) or 'nothing'}): {said}"


def main() -> int:
    """Print the figures; exit 1 when a target of the issue is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("cases", nargs="?", default=CASES, type=Path)
    parser.add_argument("--all-cases", action="store_true", help="count recall over every component, not the core ones")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()
    result = run(parse(options.cases.read_bytes()), core_only=not options.all_cases)
    print(f"expected findings       {result.expected:4}   recall {result.recall:.1%} (target 95 %)")
    print(f"expected errors         {result.expected_errors:4}   as errors {result.errors_as_errors:.1%} (target 85 %)")
    print(
        f"innocent cases          {result.innocent:4}   with a warning {result.warned_share:.1%} (target at most 20 %)"
    )
    print(f"false errors            {len(result.false_errors):4}   (target 0)")
    print(f"misnamed                {len(result.misnamed):4}")
    print(f"more than 3 components  {len(result.crowded):4}   (target 0)")
    for title in ("missed", "milder", "misnamed", "false_errors", "innocent_with_warning", "doubled"):
        for line in getattr(result, title):
            print(f"  {title}: {line}")
    if options.json:
        options.json.write_text(json.dumps(asdict(result), indent=1))
    good = result.recall >= 0.95 and result.errors_as_errors >= 0.85 and result.warned_share <= 0.2
    return 0 if good and not result.false_errors and not result.crowded else 1


if __name__ == "__main__":
    sys.exit(main())
