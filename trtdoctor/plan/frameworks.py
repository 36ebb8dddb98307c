"""Other releases of a framework that go with a TensorRT: onnxruntime, torch, Torch-TensorRT, TensorRT-LLM."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.matrix import Row, cuda, frameworks
from trtdoctor.plan.environment import Environment, copied, packages
from trtdoctor.plan.model import Change
from trtdoctor.plan.question import Question
from trtdoctor.rules.base import Context, Problem
from trtdoctor.rules.frameworks_found import ONNXRUNTIME, find, linked_major
from trtdoctor.rules.wheels import listed, python_tag
from trtdoctor.versions import Answer, Version, within

NAMES = ("torch-tensorrt", "tensorrt-llm", "onnxruntime-gpu", "torch", "tensorflow")
"""The frameworks that a plan may move, those that pin others first."""
_MOST = 8
"""So many releases of one framework are tried."""


def alternatives(
    question: Question, context: Context, environment: Environment, problem: Problem
) -> Iterator[tuple[Environment, list[Change]]]:
    """The environment with another release of a framework that the error speaks of, newest first."""
    spoken = set(problem.components or ())
    there = environment.get("packages", {})
    for name in NAMES:
        if name not in there or name in question.keep or not _spoken_of(name, spoken):
            continue
        for row in _likeliest(context, rows(question, context, name))[:_MOST]:
            version = build_of(question, context, row, name)
            if version == there[name]:
                continue
            trial = copied(environment)
            yield trial, set_release(question, trial, name, version, row, problem.title)


def _likeliest(context: Context, found: list[Row]) -> list[Row]:
    """Those that are built for the CUDA that is there come first."""
    majors = {item.version.major for item in context.stack.of("cuda") if item.version}
    majors |= {int(item.flavour[2:]) for item in context.stack.tensorrts if item.flavour}
    return sorted(found, key=lambda row: (row.text("flavour") or "") not in {f"cu{major}" for major in majors})


def _spoken_of(name: str, components: set[str]) -> bool:
    return name in components or name.removesuffix("-gpu") in components or f"package:{name}" in components


def rows(question: Question, context: Context, name: str) -> list[Row]:
    """The releases of a framework that can be installed here, newest first."""
    found = []
    tag = python_tag(context)
    platform = context.stack.platform
    for row in frameworks.rows(question.matrix, name):
        if row.get("on_index").value is False:
            continue
        pythons, places = listed(row.get("python").value), listed(row.get("platforms").value)
        if (tag and pythons and tag not in pythons) or (platform and places and platform not in places):
            continue
        version = Version.parse(row.key)
        if not _driver_serves(question, context, build_of(question, context, row, name), row):
            continue
        if question.unmet(f"package:{name}", version) or question.policy.refuses(f"package:{name}", version):
            continue
        found.append(row)
    return found


def _driver_serves(question: Question, context: Context, version: str, row: Row) -> bool:
    """Whether the driver runs the CUDA major of a build, as far as that is known."""
    local = version.partition("+cu")[2]
    major = local[:2] if local else (row.text("flavour") or "").removeprefix("cu")
    if context.stack.driver is None or not major.isdecimal():
        return True
    floor = cuda.major_floor(question.matrix, Version.parse(major), question.system)
    bound = Version.maybe(floor.value) if floor is not None else None
    return bound is None or context.stack.driver.at_least(bound) is not Answer.NO


def build_of(question: Question, context: Context, row: Row, name: str) -> str:
    """The version to install: of torch the build for the CUDA that is there, where its own index has one."""
    others = row.get("other_builds").value
    if name != "torch" or not isinstance(others, dict):
        return row.key
    majors = {item.version.major for item in context.stack.of("cuda") if item.version}
    majors |= {int(item.flavour[2:]) for item in context.stack.tensorrts if item.flavour}
    flavour = row.text("flavour")
    if len(majors) != 1 or flavour == f"cu{max(majors)}":
        return row.key
    builds = sorted((key for key in others if key.startswith(f"cu{max(majors)}")), reverse=True)
    return f"{row.key}+{builds[0]}" if builds else row.key


def set_release(
    question: Question, environment: Environment, name: str, version: str, row: Row, why: str
) -> list[Change]:
    """Put a release of a framework in place, with the torch that it requires; the changes."""
    named = packages(environment)
    old = named.get(name)
    named[name] = version
    changes = [Change(f"package:{name}", old, version, "pip", why)]
    built = Version.maybe(row.text("built_with", "torch"))
    wanted = row.text("requires", "torch") or (f"=={built.short(2)}.*" if built is not None else None)
    torch = Version.maybe(named.get("torch"))
    if name != "torch" and wanted is not None and (torch is None or within(torch, wanted) is Answer.NO):
        fitting = next(
            (
                item.key
                for item in frameworks.rows(question.matrix, "torch")
                if within(Version.parse(item.key), wanted) is Answer.YES
            ),
            None,
        )
        if fitting is not None:
            changes.append(Change("package:torch", named.get("torch"), fitting, "pip", f"{name} {version} requires it"))
            named["torch"] = fitting
    return changes


def missing(question: Question, environment: Environment) -> list[str]:
    """The frameworks that are required and not there, those that pin others first."""
    there = environment.get("packages", {})
    wanted = {demand.name for demand in question.demands if demand.subject.startswith("package:")}
    known = [name for name in wanted if frameworks.rows(question.matrix, name) and name not in there]
    return sorted(known, key=lambda name: (NAMES.index(name) if name in NAMES else len(NAMES), name))


def linked_libraries(context: Context, component: str) -> Iterator[tuple[str, str]]:
    """The version (its major) and the CUDA flavour of a library that onnxruntime links."""
    found = find(context, ONNXRUNTIME)
    linked = linked_major(found.rows, component) if found is not None else None
    flavours = {row.text("flavour") for row in found.rows} if found is not None else set()
    flavour = flavours.pop() if len(flavours) == 1 else None
    if linked is not None and flavour is not None and flavour.startswith("cu"):
        yield str(linked[0]), flavour
