"""What is to stay as it is (``--keep``, ``keep`` of the policy): what it is called, and whether it really stays."""

from __future__ import annotations

from collections.abc import Sequence

from trtdoctor.plan.environment import COMPONENTS, Environment, entries
from trtdoctor.plan.model import Change
from trtdoctor.plan.question import Question
from trtdoctor.versions import Version

_KEYS = {"driver": "driver", "python": "python", "os": "os"}
"""Words to the keys of an environment that hold one value."""


def fact(question: Question, word: str) -> str:
    """What forbids a build that would change it: ``driver 470.256.02, which is to stay``."""
    if word == "driver":
        have = question.stack.driver
        return f"driver {have}, which is to stay" if have else "no driver, which is to stay so"
    if word == "tensorrt":
        return f"TensorRT {question.present}, which is to stay"
    if word == "cuda":
        majors = sorted({item.version.major for item in question.stack.of("cuda") if item.version})
        return f"CUDA {' and '.join(map(str, majors))}, which is to stay" if majors else "CUDA, which is to stay"
    if word == "python":
        return f"Python {question.python.short(2)}, which is to stay" if question.python else "Python, which is to stay"
    if word in ("os", "container"):
        return f"the {'system' if word == 'os' else word}, which is to stay"
    version = question.environment.get("packages", {}).get(word)
    return f"{word}{f' {version}' if version else ''}, which is to stay"


def moved(question: Question, environment: Environment, changes: Sequence[Change]) -> str | None:
    """The first thing that is to stay and would not; None when all of it stays.

    What is beside it on disk is no harm: a wheel brings its own CUDA runtime and leaves the toolkit alone.
    """
    if not question.keep:
        return None
    touched = {item.component.removeprefix("package:") for item in changes if item.kind != "configure"}
    return next((word for word in sorted(question.keep) if _moves(question, environment, touched, word)), None)


def _moves(question: Question, environment: Environment, touched: set[str], word: str) -> bool:
    before = question.environment
    if word == "tensorrt":  # another build of the release that is there is no other TensorRT
        there = entries(before, word)
        return bool(there) and not any(_same_release(question, entry) for entry in entries(environment, word))
    if word in touched:
        return True
    if word in COMPONENTS:
        versions = [entry.get("version") for entry in entries(environment, word)]
        return any(entry.get("version") not in versions for entry in entries(before, word))
    if word == "os" and environment.get("container", {}).get("image") != before.get("container", {}).get("image"):
        return False  # an image has a system of its own, and leaves that of the host alone
    if word in _KEYS:
        own, other = Version.maybe(before.get(word)), Version.maybe(environment.get(word))
        same = own is not None and other is not None and own.may_be(other)
        return word in before and environment.get(word) != before[word] and not same
    if word == "container":
        image = before.get("container", {}).get("image")
        return image is not None and environment.get("container", {}).get("image") != image
    named = before.get("packages", {})
    return word in named and environment.get("packages", {}).get(word) != named[word]


def _same_release(question: Question, entry: dict[str, object]) -> bool:
    present, version = question.present, Version.maybe(str(entry.get("version") or "") or None)
    return present is None or version is None or present.may_be(Version.parse(version.short(3)))
