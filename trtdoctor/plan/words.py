"""What a plan says of itself: its title, what stays, what it gives up, why it is ranked where it is."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.matrix import api_changes, drivers, tensorrt
from trtdoctor.plan.age import out_by
from trtdoctor.plan.builds import SPOKEN, Build
from trtdoctor.plan.environment import entries
from trtdoctor.plan.model import MENDED, Change, of_component
from trtdoctor.plan.question import Question
from trtdoctor.plan.settle import Candidate
from trtdoctor.plan.ways import spoken
from trtdoctor.versions import Answer, Version

_WAYS = {
    "pip": "by pip",
    "apt": "by apt",
    "container": "in NVIDIA's image",
    "jetpack": "with JetPack",
    "archive": "from its archive",
}
_SHORT = {"rebuild-engine": "the engine built again", "change-code": "the code changed"}
_IN_EVERY_IMAGE = ("pip", "setuptools", "wheel", "numpy")


def title(question: Question, candidate: Candidate) -> str:
    """``TensorRT 10.16.1.11 for CUDA 12 by pip``; of one that stays, that it does and what changes around it."""
    if candidate.weighed is not None:
        return f"{candidate.weighed.build.label} {by(candidate.weighed.build)}"
    present = question.present
    name = SPOKEN.get(question.product, "TensorRT")
    head = f"{name} {present} stays" if present else f"{name} as it is"
    around = list(dict.fromkeys(_SHORT.get(change.kind) or _named(change) for change in candidate.changes))
    return f"{head}; {', '.join(around)}" if around else head


def by(build: Build) -> str:
    """``by pip``, ``in NVIDIA's image tensorrt:26.08-py3``."""
    return _WAYS[build.way] + (f" {build.name.rpartition('/')[2]}" if build.way == "container" else "")


def _named(change: Change) -> str:
    name = of_component(change.component)
    if change.kind == "configure":
        return f"{name} mended" if change.after == MENDED else f"{name} set up otherwise"
    return f"{name} {change.after}" if change.after is not None else f"without {name}"


def kept(question: Question, candidate: Candidate) -> Iterator[str]:
    """What is there now and will be there, used as before."""
    before, after = question.environment, candidate.environment
    moved = {change.component for change in candidate.changes}
    if "driver" in before and "driver" not in moved:
        yield f"driver {before['driver']}"
    for component in ("tensorrt", "cuda", "cudnn", "cublas", "nvrtc"):
        if component not in moved and component in before and before.get(component) == after.get(component):
            yield f"{component} {' and '.join(map(spoken, entries(before, component)))}"
    if before.get("python") and before.get("python") == after.get("python"):
        yield f"python {before['python']}"
    for name, version in before.get("packages", {}).items():
        if after.get("packages", {}).get(name) == version and f"package:{name}" not in moved:
            yield f"{name} {version}"


def gives_up(question: Question, candidate: Candidate, told: bool = False) -> Iterator[str]:
    """What worked before, or could have been had, and cannot afterwards; ``told`` when lost calls are named anyway."""
    if candidate.weighed is None:
        return
    build, present = candidate.weighed.build, question.present
    if present is not None and not present.may_be(Version.parse(build.release)):
        yield f"engines that TensorRT {present} built: each must be built again"
        if present.major != build.version.major:
            gone = api_changes.removed_between(question.matrix, present, build.version)
            if gone:
                more = "" if told else f" (trtdoctor plan --to tensorrt=={build.release} names them)"
                yield f"{len(gone)} calls that {build.release} no longer has{more}"
    older = present is not None and build.version.below(present) is Answer.YES
    if older:
        yield f"what came after TensorRT {build.version}: you have {present}"
    if build.way == "pip" and question.way != "pip":
        program = "tensorrt_rtx" if build.product == "rtx" else "trtexec"
        yield f"{program}, C++ headers and samples: wheels have none"
    if any(change.kind in ("container", "jetpack") for change in candidate.changes):
        lost = [name for name in question.environment.get("packages", ()) if name not in _IN_EVERY_IMAGE]
        if lost:
            shown = ", ".join(lost[:3])
            more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
            yield f"{shown}{more}, unless {_WAYS[build.way].removeprefix('with ').removeprefix('in ')} has it"
    newest = tensorrt.newest_of_major(question.matrix, _newest_major(question), build.product)
    if not older and newest is not None and Version.parse(newest.key).major > build.version.major:
        yield f"TensorRT {newest.key.partition('.')[0]}, the newest major"


def _newest_major(question: Question) -> int:
    return max(Version.parse(row.key).major for row in tensorrt.all_releases(question.matrix, question.product))


def why(question: Question, candidate: Candidate) -> Iterator[str]:
    """What its place in the order rests on."""
    if not candidate.changes:
        yield "nothing has to change"
    else:
        number = len(candidate.changes)
        kinds = ", ".join(dict.fromkeys(change.kind for change in candidate.changes))
        yield f"{number} change{'s' if number > 1 else ''} ({kinds}), weight {candidate.cost}"
    if candidate.weighed is not None and candidate.weighed.penalty:
        yield from candidate.weighed.besides
    life = _life(question, candidate)
    if life is not None:
        yield life
    if candidate.weighed is not None:
        build = candidate.weighed.build
        released = out_by(question.matrix, build)
        if released is not None:
            yield f"{build.release} was out by {released}"
        for text in candidate.weighed.unsure:
            yield f"not confirmed: {text}"


def _life(question: Question, candidate: Candidate) -> str | None:
    """How long the vendor keeps the driver branch of the result."""
    driver = Version.maybe(candidate.environment.get("driver"))
    if driver is None or question.stack.jetson:
        return None
    branch = drivers.branch_of(question.matrix, driver)
    name = f"driver branch R{branch.key}" if branch is not None else f"driver {driver}"
    over = drivers.ended(question.matrix, driver, question.as_of)
    until = supported_until(question, candidate)
    if over.answer is Answer.YES:
        return f"the vendor's support of {name} is over{f' since {until}' if until else ''}"
    return f"the vendor keeps {name} until {until}" if until is not None else None


def supported_until(question: Question, candidate: Candidate) -> str | None:
    """The month until which the vendor keeps (or kept) the driver branch of the result; None where it names none."""
    driver = Version.maybe(candidate.environment.get("driver"))
    if driver is None:
        return None
    month = drivers.end_of_life(question.matrix, driver)
    return str(month.value) if month.known and month.value != "none" else None
