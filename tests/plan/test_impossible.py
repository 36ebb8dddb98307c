"""Where nothing fits: the facts that are named forbid it, and without any one of them something fits."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest

from tests.plan.asking import Environment, ask, machine, policy, trt
from trtdoctor.plan.model import PlanReport
from trtdoctor.policy import Policy

Asked = tuple[Environment, tuple[str, ...], dict[str, Any]]
"""An environment, what is required, and what else is asked."""


def without(environment: Environment, *keys: str) -> Environment:
    return {key: value for key, value in environment.items() if key not in keys}


def facts_of(report: PlanReport) -> list[str]:
    assert report.impossible is not None
    return [reason.partition(": ")[0] for reason in report.impossible.reasons]


# -- leaving facts out -------------------------------------------------------------------------------------------------

KEPT = {"TensorRT": "tensorrt", "CUDA": "cuda", "Python": "python", "driver": "driver", "the container": "container"}
PLACES: tuple[Environment, ...] = (
    {},
    {"os": "ubuntu-22.04", "arch": "x86_64"},
    {"os": "ubuntu-22.04", "arch": "aarch64"},
    {"os": "windows-11", "arch": "x86_64"},
)
"""Systems in place of the one that there is: an unknown one first, for which everything is offered but apt."""


def drop(asked: Asked, fact: str) -> list[Asked]:
    """The question without one fact, by its own words; several where the fact is the system."""
    environment, require, more = asked
    if fact.startswith("compute capability"):
        return [(without(environment, "gpus"), require, more)]
    if fact.endswith(", which is required"):
        text = fact.removesuffix(", which is required")
        assert text in require, f"{fact}: nothing of that name was required"
        return [(environment, tuple(item for item in require if item != text), more)]
    if ", which is to stay" in fact:
        word = next(word for spoken, word in KEPT.items() if fact.startswith(spoken))
        assert word in more["keep"], f"{fact}: nothing of that name was to stay"
        return [(environment, require, {**more, "keep": tuple(item for item in more["keep"] if item != word)})]
    if fact == "the policy":
        assert more["policy"] != Policy()
        return [(environment, require, {**more, "policy": Policy()})]
    if fact.startswith("only "):
        assert more["install"]
        return [(environment, require, {**more, "install": ()})]
    if fact.startswith("C++"):
        assert "cpp" in environment["wants"]
        return [({**environment, "wants": ["build"]}, require, more)]
    if re.fullmatch(r"(linux|windows)-\w+|Jetson|glibc .*", fact):
        bare = without(environment, "os", "arch", "glibc")
        return [({**bare, **place}, require, more) for place in PLACES]
    assert fact.startswith("Python "), fact
    return [(without(environment, "python"), require, more)]


def everything(asked: Asked) -> list[str]:
    """Every fact of a question that can be left out, in the words of the reasons."""
    environment, require, more = asked
    found = [f"{text}, which is required" for text in require]
    found += [f"{next(spoken for spoken in KEPT if KEPT[spoken] == word)}, which is to stay" for word in more["keep"]]
    found += ["the policy"] if more["policy"] != Policy() else []
    found += ["only"] if more["install"] else []
    found += ["C++, which is wanted"] if "cpp" in environment.get("wants", ()) else []
    found += ["compute capability"] if environment.get("gpus") else []
    found += ["linux-x86_64"] if "os" in environment else []
    return found + (["Python 3"] if "python" in environment else [])


def is_of(fact: str, other: str) -> bool:
    """Whether two wordings are of one fact."""
    if ", which is" in other:
        kept = ", which is to stay" in other and ", which is to stay" in fact
        return fact == other or (kept and fact.startswith(other.partition(",")[0].partition(" ")[0]))
    if other == "linux-x86_64":
        return bool(re.fullmatch(r"(linux|windows)-\w+|Jetson|glibc .*|musl", fact))
    return fact.startswith(other)


def only(asked: Asked, facts: list[str]) -> list[Asked]:
    """The question with everything left out that is none of ``facts``."""
    found = [asked]
    for other in everything(asked):
        if not any(is_of(fact, other) for fact in facts):
            found = [rest for item in found for rest in drop(item, f"{other} " if other == "only" else other)]
    return found


def fits(questions: list[Asked]) -> bool:
    return any(answered(item).plans for item in questions)


def answered(asked: Asked) -> PlanReport:
    environment, require, more = asked
    return ask(environment, *require, top=1, **more)


# -- questions to which there is no answer -----------------------------------------------------------------------------


def made(seed: int) -> Asked:
    draw = random.Random(seed)
    one: Callable[..., Any] = lambda *items: draw.choice(items)  # noqa: E731
    system, arch = one(("ubuntu-22.04", "x86_64"), ("windows-11", "x86_64"), ("ubuntu-24.04", "aarch64"))
    gpus = ("GeForce GTX 1080", "Tesla K80", "Tesla T4", "GeForce RTX 5090", "NVIDIA H200")
    environment = machine(
        os=system,
        arch=arch,
        gpus=[{"name": one(*gpus)}],
        driver=one("470.256.02", "535.104.05", "580.95.05"),
        python=one("3.8", "3.10", "3.13"),
        wants=one(["build"], ["build", "cpp"], ["run"]),
        tensorrt=one(None, None, trt("8.5.3", "pip-cu11"), trt("10.3.0", "apt")),
    )
    require = one((), ("tensorrt>=10",), ("tensorrt>=11",), ("tensorrt<10",), ("tensorrt>=11", "python<3.9"))
    keep = one((), ("driver",), ("driver", "python"), ("tensorrt",) if "tensorrt" in environment else ("python",))
    install = one((), (), ("pip",), ("apt",), ("container",))
    rules = one(
        Policy(), Policy(), policy(deny="tensorrt>=11"), policy(allow="tensorrt==10.9.*"), policy(channel="lts")
    )
    return environment, require, {"keep": keep, "install": install, "policy": rules}


@lru_cache(maxsize=1)
def unanswered() -> dict[int, tuple[Asked, PlanReport]]:
    found = {seed: (asked, answered(asked)) for seed in range(40) for asked in [made(seed)]}
    return {seed: pair for seed, pair in found.items() if not pair[1].plans}


def test_there_are_questions_without_an_answer() -> None:
    assert len(unanswered()) >= 25
    named = {re.sub(r"[\d.<>=+*-]+", "", fact) for _, report in unanswered().values() for fact in facts_of(report)}
    assert len(named) >= 8, named


def test_the_facts_that_are_named_forbid_it_by_themselves() -> None:
    """Everything else may go: it stays impossible."""
    for seed, (asked, report) in unanswered().items():
        facts = facts_of(report)
        assert len(facts) <= 5, facts
        assert not fits(only(asked, facts)), f"{seed}: {asked}: {facts}"


def test_without_any_one_of_them_something_fits() -> None:
    """The set is the smallest: no fact is named that does not matter."""
    tried = 0
    for seed, (asked, report) in unanswered().items():
        facts = facts_of(report)
        for fact in facts:
            tried += 1
            rest = [item for other in only(asked, facts) for item in drop(other, fact)]
            assert fits(rest), f"{seed}: {asked}: {facts}: without {fact}"
    assert tried >= 40


def test_what_nothing_else_stands_against_comes_when_that_fact_goes() -> None:
    """In the question as it is, with all its other facts."""
    tried = 0
    for seed, (asked, report) in unanswered().items():
        assert report.impossible is not None
        for reason in report.impossible.reasons:
            fact, _, rest = reason.partition(": ")
            if "nothing else stands against" in rest:
                tried += 1
                assert fits(drop(asked, fact)), f"{seed}: {asked}: {reason}"
    assert tried >= 15


# -- words -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "require", "more", "facts"),
    [
        (
            {"gpus": [{"name": "GeForce GTX 1080"}], "driver": "470.256.02"},
            ("tensorrt>=10",),
            {"keep": ("driver",)},
            ["compute capability 6.1", "tensorrt>=10, which is required"],
        ),
        (
            {"gpus": [{"name": "GeForce RTX 5090"}], "driver": "470.256.02"},
            (),
            {"keep": ("driver",)},
            ["driver 470.256.02, which is to stay", "compute capability 12.0"],
        ),
        (machine(os="windows-11"), (), {"install": ("apt",)}, ["only apt, which is asked for", "windows-x86_64"]),
        (machine(), (), {"policy": policy(deny="tensorrt>=0")}, ["the policy"]),
        (machine(), ("tensorrt==99.*",), {}, ["tensorrt==99.*, which is required"]),
        (
            machine(driver="535.104.05"),
            ("tensorrt>=11",),
            {"keep": ("driver",), "install": ("container",)},
            [
                "driver 535.104.05, which is to stay",
                "only container, which is asked for",
                "tensorrt>=11, which is required",
            ],
        ),
        (
            machine(gpus=[{"name": "NVIDIA H200"}]),
            ("tensorrt-rtx",),
            {},
            ["compute capability 9.0"],
        ),
    ],
)
def test_the_facts_are_the_ones_that_a_person_would_name(
    environment: Environment, require: tuple[str, ...], more: dict[str, Any], facts: list[str]
) -> None:
    report = ask(environment, *require, **more)
    assert sorted(facts_of(report)) == sorted(facts)


def test_a_reason_says_how_far_the_fact_lets_one_go() -> None:
    report = ask({"gpus": [{"name": "GeForce GTX 1080"}], "driver": "580.95.05"}, "tensorrt>=10")
    assert report.impossible is not None
    reasons = {reason.partition(": ")[0]: reason for reason in report.impossible.reasons}
    assert "the newest that it allows is TensorRT 9.3.0" in reasons["compute capability 6.1"]
    assert "does not serve 6.1" in reasons["compute capability 6.1"]


def test_where_the_matrix_has_nothing_it_says_so() -> None:
    jetson = {"os": "jetpack-6.0", "arch": "aarch64"}
    report = ask(jetson, "tensorrt-rtx")
    assert report.impossible is not None
    assert all(reason for reason in report.impossible.reasons)
