"""Questions to the planner, and its answers to many: worked out once for all tests that look at every plan."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from benchmarks.incidents import CASES
from tests.conftest import AS_OF
from tests.rules.test_remedies import made
from trtdoctor.declared import snapshot_of
from trtdoctor.demands import Demand, parse
from trtdoctor.findings import Severity
from trtdoctor.judge import DEFAULT_GOAL, judge
from trtdoctor.matrix import Matrix, load
from trtdoctor.plan.answer import answer
from trtdoctor.plan.model import Plan, PlanReport
from trtdoctor.plan.question import Question
from trtdoctor.policy import Policy, of_settings
from trtdoctor.snapshot import Snapshot
from trtdoctor.yamlfile import parse as parse_yaml

Environment = dict[str, Any]
L4: Environment = {
    "os": "ubuntu-22.04",
    "arch": "x86_64",
    "python": "3.12",
    "driver": "580.95.05",
    "gpus": [{"name": "NVIDIA L4"}],
}
"""A server with a new driver, and nothing installed."""
MADE = 80
"""So many environments of our own are planned for."""


def machine(**changes: Any) -> Environment:
    """:data:`L4` with other facts; None takes one away."""
    return {key: value for key, value in {**L4, **changes}.items() if value is not None}


def trt(version: str, origin: str = "unknown", **more: Any) -> list[Environment]:
    """A TensorRT that is there."""
    return [{"version": version, "from": origin, **more}]


def demands(*texts: str) -> tuple[Demand, ...]:
    """As ``--require`` reads them."""
    packages = ("torch", "onnxruntime-gpu", "tensorrt-llm", "polygraphy")
    return tuple(parse(f"package:{text}" if text.startswith(packages) else text) for text in texts)


def policy(**settings: Any) -> Policy:
    """As ``[policy]`` reads it."""
    plain = {key.replace("_", "-"): value for key, value in settings.items()}
    return of_settings({key: value if isinstance(value, tuple) else (value,) for key, value in plain.items()})


def question(environment: Environment | Snapshot, *require: str, matrix: Matrix | None = None, **more: Any) -> Question:
    """What ``trtdoctor plan`` asks of a described machine on the day of the recordings."""
    snapshot = environment if isinstance(environment, Snapshot) else snapshot_of(environment)
    values = {"as_of": AS_OF, "goal": snapshot.wants or DEFAULT_GOAL, "demands": demands(*require), **more}
    return Question(snapshot, matrix or load(), **values)


def ask(
    environment: Environment | Snapshot, *require: str, top: int = 3, every: bool = False, **more: Any
) -> PlanReport:
    """The answer."""
    return answer(question(environment, *require, **more), top=top, every=every)


def first(environment: Environment | Snapshot, *require: str, **more: Any) -> Plan:
    """The best plan; there must be one."""
    report = ask(environment, *require, **more)
    assert report.plans, report.impossible
    return report.plans[0]


def errors_in(environment: Environment) -> list[str]:
    """Codes of the errors that ``check`` finds."""
    found = judge(snapshot_of(environment), load(), as_of=AS_OF).findings
    return [item.code for item in found if item.severity is Severity.ERROR]


def release(plan: Plan) -> str:
    """The TensorRT that comes out, ``10.16.1.11``."""
    used = [entry for entry in plan.environment["tensorrt"] if entry.get("loaded") or len(plan.environment) == 1]
    return str((used or plan.environment["tensorrt"])[-1]["version"])


@lru_cache(maxsize=1)
def environments() -> dict[str, Environment]:
    """Those that people reported, where they are there, and some that are put together at random."""
    found = {f"made {seed}": made(seed) for seed in range(MADE)}
    if CASES.is_file():
        found |= {case["id"]: case["environment"] for case in parse_yaml(CASES.read_bytes())}
    return found


@lru_cache(maxsize=1)
def every() -> dict[str, tuple[Environment, PlanReport]]:
    """What is answered for each of them: the three best."""
    return {name: (environment, ask(environment, top=3)) for name, environment in environments().items()}
