"""What a plan says of itself: its title, what stays, what it gives up, why it is ranked where it is."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.matrix import api_changes, drivers, tensorrt
from trtdoctor.plan.age import out_by
from trtdoctor.plan.environment import entries
from trtdoctor.plan.question import Question
from trtdoctor.plan.search import Candidate
from trtdoctor.plan.ways import spoken
from trtdoctor.versions import Answer, Version

_WAYS = {
    "pip": "by pip",
    "apt": "by apt",
    "container": "in NVIDIA's image",
    "jetpack": "with JetPack",
    "archive": "from its archive",
}


def title(question: Question, candidate: Candidate) -> str:
    """``TensorRT 10.16.1.11 for CUDA 12 by pip``; of one that stays, that it does."""
    if candidate.weighed is None:
        present = question.present
        name = "TensorRT for RTX" if question.product == "rtx" else "TensorRT"
        return f"{name} {present} stays" if present else f"{name} as it is"
    build = candidate.weighed.build
    return f"{build.label} {_WAYS[build.way]}"


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


def gives_up(question: Question, candidate: Candidate) -> Iterator[str]:
    """What worked before, or could have been had, and cannot afterwards."""
    if candidate.weighed is None:
        return
    build, present = candidate.weighed.build, question.present
    if present is not None and present.short(3) != build.version.short(3):
        yield f"engines that TensorRT {present} built: each must be built again"
        if present.major != build.version.major:
            gone = api_changes.removed_between(question.matrix, present, build.version)
            if gone:
                more = f"trtdoctor plan --to tensorrt=={build.release}"
                yield f"{len(gone)} calls that {build.release} no longer has ({more})"
    if present is not None and build.version.below(present) is Answer.YES:
        yield f"what came after TensorRT {build.version}: you have {present}"
    if build.way == "pip":
        yield "trtexec, C++ headers and samples: wheels have none"
    newest = tensorrt.newest_of_major(question.matrix, _newest_major(question), build.product)
    if newest is not None and Version.parse(newest.key).major > build.version.major:
        yield f"TensorRT {newest.key.partition('.')[0]}, the newest major"


def _newest_major(question: Question) -> int:
    return max(Version.parse(row.key).major for row in tensorrt.all_releases(question.matrix, question.product))


def why(question: Question, candidate: Candidate) -> Iterator[str]:
    """What its place in the order rests on."""
    if not candidate.changes:
        yield "nothing has to change"
    elif candidate.changes:
        kinds = list(dict.fromkeys(change.kind for change in candidate.changes))
        number = len(candidate.changes)
        yield f"{number} change{'s' if number > 1 else ''} ({', '.join(kinds)}), weight {candidate.cost}"
    until = supported_until(question, candidate)
    if until is not None:
        yield f"the vendor keeps the driver branch until {until}"
    if candidate.weighed is not None:
        build = candidate.weighed.build
        released = out_by(question.matrix, build)
        if released is not None:
            yield f"{build.release} was out by {released}"
        for text in candidate.weighed.unsure:
            yield f"not confirmed: {text}"


def supported_until(question: Question, candidate: Candidate) -> str | None:
    """The month until which the vendor keeps the driver branch of the result; None where it names none."""
    driver = Version.maybe(candidate.environment.get("driver"))
    if driver is None:
        return None
    month = drivers.end_of_life(question.matrix, driver)
    return str(month.value) if month.known and month.value != "none" else None
