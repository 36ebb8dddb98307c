"""Plans for tests, as the planner makes them of described machines."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from tests.conftest import AS_OF
from trtdoctor.declared import environment_of, snapshot_of
from trtdoctor.demands import parse_all
from trtdoctor.matrix import load
from trtdoctor.plan.answer import answer
from trtdoctor.plan.question import Question
from trtdoctor.plan.write import planned
from trtdoctor.planned import Planned
from trtdoctor.snapshot import Snapshot

UBUNTU = ("os=ubuntu-22.04", "arch=x86_64", "python=3.11", "gpu=NVIDIA L4", "driver=580.95.05")
JETSON = ("os=jetpack-6.0", "arch=aarch64", "gpu=Jetson AGX Orin", "python=3.10")


def best_plan(snapshot: Snapshot, *install: str, require: tuple[str, ...] = ()) -> Planned | None:
    """The best plan by some ways, as it is written down; None where nothing fits."""
    question = Question(
        snapshot,
        load(),
        as_of=AS_OF,
        goal=snapshot.wants or ("build", "run"),
        demands=parse_all(require),
        install=install,
    )
    report = answer(question, top=1)
    return planned(report, report.plans[0]) if report.plans else None


def plan_for(snapshot: Snapshot, *install: str, require: tuple[str, ...] = ()) -> Planned:
    """The best plan, where there is one."""
    plan = best_plan(snapshot, *install, require=require)
    assert plan is not None
    return plan


@lru_cache(maxsize=64)
def described(*settings: str, install: tuple[str, ...] = (), require: tuple[str, ...] = ()) -> Planned:
    """The best plan for a machine as ``--set`` describes it."""
    return plan_for(snapshot_of(environment_of(settings)), *install, require=require)


def by_pip(*more: str) -> Planned:
    """TensorRT 10.9 for CUDA 12 by pip, on an L4."""
    return described(*UBUNTU, *more, install=("pip",), require=("tensorrt==10.9.*",))


def by_apt() -> Planned:
    """The same by apt."""
    return described(*UBUNTU, install=("apt",), require=("tensorrt==10.9.*",))


def by_image() -> Planned:
    """An image of NVIDIA's."""
    return described(*UBUNTU, install=("container",))


def by_archive() -> Planned:
    """A tar."""
    return described(*UBUNTU, "cuda=12.8", install=("archive",), require=("tensorrt==10.9.*",))


def environment(plan: Planned, **changes: Any) -> Snapshot:
    """What a plan says is there afterwards, with some keys of it changed."""
    return snapshot_of({**plan.environment, **changes})
