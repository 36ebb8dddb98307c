"""Releases of frameworks that go with a TensorRT: onnxruntime, torch, Torch-TensorRT, TensorRT-LLM."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from trtdoctor.matrix import Row, cuda, frameworks
from trtdoctor.plan.agreement import cudnn_majors, requirements
from trtdoctor.plan.environment import Environment, copied, entries, packages
from trtdoctor.plan.held import is_out_of_reach
from trtdoctor.plan.model import Change, Refusal, of_component
from trtdoctor.plan.question import Question
from trtdoctor.rules.base import Context
from trtdoctor.rules.frameworks_found import ONNXRUNTIME, find, linked_major
from trtdoctor.rules.wheels import listed, python_tag
from trtdoctor.stack import Installation
from trtdoctor.versions import Answer, Version, within

NAMES = ("torch-tensorrt", "tensorrt-llm", "onnxruntime-gpu", "torch", "tensorflow")
"""The frameworks that a plan may move, those that pin others first."""
_BRING = ("torch-tensorrt", "tensorrt-llm")
"""Those that bring a TensorRT of their own by pip."""
_ELSEWHERE = ("apt", "rpm", "tar", "zip", "conda", "jetpack")
"""Ways in which a TensorRT comes that such a framework does not use."""
_IN_IMAGES = {"pytorch": ("torch", "torch-tensorrt")}
"""What NVIDIA's images have, at versions of their own that the matrix does not know."""
_MOST = 8
"""So many releases of one framework are tried."""


# -- what is there -----------------------------------------------------------------------------------------------------


def alternatives(
    question: Question, context: Context, environment: Environment, components: tuple[str, ...], why: str
) -> Iterator[tuple[Environment, list[Change]]]:
    """The environment with another release of a framework that an error speaks of, the likeliest and newest first."""
    spoken = set(components)
    there = environment.get("packages", {})
    for name in NAMES:
        if name not in there or name in question.keep or not _spoken_of(name, spoken):
            continue
        fitting = (
            row for row in _likeliest(context, rows(question, context, name)) if not _clashes(context, name, row)
        )
        for row in islice(fitting, _MOST):
            version = build_of(question, context, row, name)
            if version == there[name]:
                continue
            trial = copied(environment)
            changes = set_release(question, context, trial, name, row, why)
            if changes:
                yield trial, changes


def _clashes(context: Context, name: str, row: Row) -> bool:
    """Whether pip would put another TensorRT beside the one that is used."""
    return name in _BRING and _unfit(context, name, row) is not None


def _spoken_of(name: str, components: set[str]) -> bool:
    return name in components or name.removesuffix("-gpu") in components or f"package:{name}" in components


def _likeliest(context: Context, found: list[Row]) -> list[Row]:
    """Those that are built for the CUDA and with the cuDNN that are there come first."""
    flavours = {f"cu{major}" for major in _majors(context)}
    cudnns = {item.version.major for item in context.stack.of("cudnn") if item.version}
    for item in context.stack.tensorrts:
        cudnns |= cudnn_majors(context.matrix, item.version) if item.version else set()

    def unlike(row: Row) -> tuple[bool, bool]:
        cudnn = Version.maybe(row.text("built_with", "cudnn"))
        return row.text("flavour") not in flavours, bool(cudnns) and cudnn is not None and cudnn.major not in cudnns

    return sorted(found, key=unlike)


def _majors(context: Context) -> set[int]:
    majors = {item.version.major for item in context.stack.of("cuda") if item.version}
    return majors | {int(item.flavour[2:]) for item in context.stack.tensorrts if item.flavour}


def linked_libraries(context: Context, component: str) -> Iterator[tuple[str, str]]:
    """The version (its major) and the CUDA flavour of a library that onnxruntime links."""
    found = find(context, ONNXRUNTIME)
    linked = linked_major(found.rows, component) if found is not None else None
    flavours = {row.text("flavour") for row in found.rows} if found is not None else set()
    flavour = flavours.pop() if len(flavours) == 1 else None
    if linked is not None and flavour is not None and flavour.startswith("cu"):
        yield str(linked[0]), flavour


def unseen(question: Question, environment: Environment) -> Iterator[str]:
    """What a framework that is put in place loads and nobody stated."""
    version = environment.get("packages", {}).get(ONNXRUNTIME)
    if version is None or version == question.environment.get("packages", {}).get(ONNXRUNTIME):
        return
    lacks = [name for name in ("cuda", "cudnn") if not entries(environment, name)]
    row = frameworks.row(question.matrix, ONNXRUNTIME, Version.parse(version))
    extras = row.get("extras").value if row is not None else None
    if lacks and not environment.get("container", {}).get("image"):
        wanted = ",".join(name for name in lacks if isinstance(extras, dict) and name in extras)
        spoken = " and ".join(of_component(name) for name in lacks)
        bring = f": pip install '{ONNXRUNTIME}[{wanted}]=={version}' brings them" if wanted else ""
        yield f"nobody said which {spoken} there is, whose libraries {ONNXRUNTIME} {version} loads{bring}"


# -- what could be there -----------------------------------------------------------------------------------------------


def rows(question: Question, context: Context, name: str) -> list[Row]:
    """The releases of a framework that can be installed here, newest first."""
    tag, platform = python_tag(context), context.stack.platform
    key = ("plan: releases", name, tag, platform, context.stack.driver, tuple(sorted(_majors(context))))
    return question.context.remember(repr(key), lambda: _rows(question, context, name, tag, platform))


def _rows(question: Question, context: Context, name: str, tag: str | None, platform: str | None) -> list[Row]:
    found = []
    for row in frameworks.rows(question.matrix, name):
        if row.get("on_index").value is False:
            continue
        pythons, places = listed(row.get("python").value), listed(row.get("platforms").value)
        if (tag and pythons and tag not in pythons) or (platform and places and platform not in places):
            continue
        if platform == "jetson" and platform not in places and name in NAMES:
            continue  # what nobody says of the index is that its builds are for the GPU of a module
        version = Version.parse(row.key)
        if not _driver_serves(question, context, build_of(question, context, row, name), row):
            continue
        if is_out_of_reach(question, name, build_of(question, context, row, name)):
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
    majors = _majors(context)
    flavour = row.text("flavour")
    if len(majors) != 1 or flavour == f"cu{max(majors)}":
        return row.key
    builds = sorted((key for key in others if key.startswith(f"cu{max(majors)}")), reverse=True)
    return f"{row.key}+{builds[0]}" if builds else row.key


def set_release(
    question: Question, context: Context, environment: Environment, name: str, row: Row, why: str
) -> list[Change]:
    """Put a release of a framework in place, with the torch that it requires; the changes, none where it cannot be."""
    named = packages(environment)
    version = build_of(question, context, row, name)
    changes = [Change(f"package:{name}", named.get(name), version, "pip", why)]
    wanted = _torch_of(row) if name != "torch" else None
    torch = Version.maybe(named.get("torch"))
    if wanted is not None and (torch is None or _within(torch, wanted) is Answer.NO):
        fitting = next((item for item in rows(question, context, "torch") if _within_row(item, wanted)), None)
        if fitting is None or "torch" in question.keep:
            return []
        build = build_of(question, context, fitting, "torch")
        changes.append(Change("package:torch", named.get("torch"), build, "pip", f"{name} {version} requires it"))
        named["torch"] = build
    named[name] = version
    return changes


def _torch_of(row: Row) -> str | None:
    """The torch that a release requires; of one that only says what it was built with, that minor."""
    built = Version.maybe(row.text("built_with", "torch"))
    return row.text("requires", "torch") or (f"=={built.short(2)}.*" if built is not None else None)


def _within(version: Version, specifier: str) -> Answer:
    return within(Version.parse(version.text.partition("+")[0]), specifier)


def _within_row(row: Row, specifier: str) -> bool:
    return within(Version.parse(row.key), specifier) is Answer.YES


# -- what is required --------------------------------------------------------------------------------------------------


def brought_by_image(environment: Environment) -> tuple[str, ...]:
    """What the image of an environment has, at versions that nobody wrote down."""
    image = environment.get("container", {}).get("image") or ""
    return _IN_IMAGES.get(image.rpartition("/")[2].partition(":")[0], ())


def missing(question: Question, environment: Environment) -> list[str]:
    """The frameworks that are required and not there, those that pin others first."""
    there = {*environment.get("packages", {}), *brought_by_image(environment)}
    wanted = {demand.name for demand in question.demands if demand.subject.startswith("package:")}
    known = [name for name in wanted if frameworks.rows(question.matrix, name) and name not in there]
    return sorted(known, key=lambda name: (NAMES.index(name) if name in NAMES else len(NAMES), name))


def put_missing(question: Question, environment: Environment, changes: list[Change]) -> Refusal | None:
    """Put the frameworks that are required in place; why it cannot be, for the first of which no release goes."""
    for demand in question.demands:
        every = frameworks.rows(question.matrix, demand.name) if demand.subject.startswith("package:") else []
        if every and demand.specifier and not any(_within_row(row, demand.specifier) for row in every):
            return Refusal(f"{demand.name}, which is required", f"no release of it that is known is {demand.specifier}")
    for name in missing(question, environment):
        context = question.judged(environment)
        refusal: Refusal | None = None
        for row in rows(question, context, name):
            trial = copied(environment)
            unfit = _unfit(context, name, row)
            more = set_release(question, context, trial, name, row, "it is required") if unfit is None else []
            if more:
                environment.clear()
                environment.update(trial)
                changes += more
                break
            refusal = refusal or Refusal(
                f"{name}, which is required", unfit or f"{name} {row.key} requires another torch"
            )
        else:
            text = "no release of it that is required can be installed here"
            text += ": the index has none that is known to be for a Jetson" if context.stack.jetson else ""
            return refusal or Refusal(f"{name}, which is required", text)
    return None


def _unfit(context: Context, name: str, row: Row) -> str | None:
    """Why a release does not go with the TensorRT that is used; None where nothing speaks against it."""
    used = [item for item in context.stack.tensorrts if item.version]
    spoken = f"{name} {row.key}"
    for item in used[:1]:
        judged = frameworks.loads(row, item.version) if item.version is not None else None
        if judged is not None and judged.answer is Answer.NO:
            return judged.reason
        flavour = row.text("flavour")
        if name != "torch" and item.flavour and flavour and flavour.startswith("cu") and flavour != item.flavour:
            return f"{spoken} is built for CUDA {flavour[2:]}, TensorRT {item.version} for CUDA {item.flavour[2:]}"
        if name in _BRING and item.origin in _ELSEWHERE:
            return f"{spoken} brings a TensorRT of its own by pip"
        if name == "torch-tensorrt" and item.version is not None:
            taken = frameworks.serves(row, item.version)
            if taken.answer is Answer.NO:
                return taken.reason
        if name == "tensorrt-llm" and (reason := _unfit_llm(row, item, spoken)) is not None:
            return reason
        for required, specifier in requirements(row, row.key):
            if required == "tensorrt" and item.version and within(item.version, specifier) is Answer.NO:
                return f"{spoken} requires TensorRT {specifier}"
    return None


def _unfit_llm(row: Row, item: Installation, spoken: str) -> str | None:
    """TensorRT-LLM takes the minor that it was made with, for the same CUDA; it brings a torch, whichever that is."""
    made, toolkit = Version.maybe(row.text("built_with", "tensorrt")), Version.maybe(row.text("built_with", "cuda"))
    if made is None or _torch_of(row) is None:
        return f"which TensorRT and which torch {spoken} brings is not known"
    if toolkit is not None and item.flavour and item.flavour != f"cu{toolkit.major}":
        return f"{spoken} is built for CUDA {toolkit.major}, TensorRT {item.version} for CUDA {item.flavour[2:]}"
    if item.version is not None and within(item.version, f"=={made.short(2)}.*") is Answer.NO:
        return f"{spoken} requires TensorRT =={made.short(2)}.*"
    return None
