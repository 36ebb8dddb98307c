"""What pip's resolver would refuse: what frameworks require of the distributions beside them.

A framework names exact builds of the CUDA libraries that it brings. Pins of ours give way to them; the TensorRT of a
plan does not, and a plan that would need it to is none.
"""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.matrix import Matrix, Row, artefacts, frameworks, tensorrt
from trtdoctor.matrix.distributions import normalise
from trtdoctor.plan.environment import Environment, entries
from trtdoctor.plan.model import Refusal
from trtdoctor.plan.question import Question
from trtdoctor.rules.releases import known_spec
from trtdoctor.versions import Answer, Version, within

_LIBRARIES = ("cuda", "cudnn", "cublas", "nvrtc", "cuda-toolkit")
"""Components whose pins give way."""


def agreed(question: Question, environment: Environment) -> Refusal | None:
    """Bring the pins of ``environment`` in line with what the frameworks among them require; what cannot be, if any.

    What is installed already and does not change is left as it is.
    """
    named: dict[str, str] = environment.get("packages", {})
    before = question.environment.get("packages", {})
    same_python = environment.get("python") == question.environment.get("python")
    for name, version in list(named.items()):
        row = framework_row(question, name, version)
        if row is None:
            continue
        for other, specifier in requirements(row, version):
            have = named.get(other)
            if have is None or _allows(specifier, have) is not Answer.NO:
                continue
            if before.get(other) == have and before.get(name) == version and same_python:
                continue
            refusal = _give_way(question, environment, other, specifier, f"{name} {version}")
            if refusal is not None:
                return refusal
        if before.get(name) != version or environment.get("tensorrt") != question.environment.get("tensorrt"):
            refusal = _one_cudnn(question, environment, row, f"{name} {version}")
            if refusal is not None:
                return refusal
    return None


def _one_cudnn(question: Question, environment: Environment, row: Row, asking: str) -> Refusal | None:
    """Of a distribution pip has one version: TensorRT and a framework that both want cuDNN must want one major."""
    for entry in entries(environment, "tensorrt"):
        origin, _, flavour = str(entry.get("from")).partition("-")
        version = Version.maybe(entry.get("version"))
        if origin != "pip" or version is None:
            continue
        for wanted in cudnn_majors(question.matrix, version):
            for other, specifier in requirements(row, row.key):
                pinned = Version.maybe(specifier.partition("==")[2].partition(",")[0])
                same = other == f"nvidia-cudnn-{flavour}" or (not flavour and other.startswith("nvidia-cudnn-"))
                if same and pinned is not None and pinned.major != wanted:
                    text = f"it requires cuDNN {pinned.major} by {other}, TensorRT {version} cuDNN {wanted}"
                    return Refusal(f"{asking}, which is wanted", text)
    return None


def cudnn_majors(matrix: Matrix, version: Version) -> set[int]:
    """The cuDNN majors without which a TensorRT does not load; empty where it needs none, or nobody knows."""
    needs = [tensorrt.cudnn(row) for row in tensorrt.releases(matrix, version)]
    found = {Version.maybe(need.version) for need in needs if need.need == "required"}
    return {item.major for item in found if item is not None}


def framework_row(question: Question, name: str, version: str) -> Row | None:
    """The release of a framework in the matrix; None for another distribution, or one that is not known."""
    parsed = Version.maybe(version)
    return frameworks.row(question.matrix, name, parsed) if parsed is not None else None


def requirements(row: Row, version: str) -> Iterator[tuple[str, str]]:
    """What the metadata of a release require, by distribution; of another build than the index has only what is known.

    Such a build names the same distributions of another CUDA, at versions that nobody recorded.
    """
    required = row.get("requires").value
    local = version.partition("+")[2]
    if not isinstance(required, dict) or (local and local != row.text("default_build")):
        return
    for name, specifier in required.items():
        value = specifier.get("value") if isinstance(specifier, dict) else specifier
        if isinstance(value, str):
            yield normalise(name), value


def _allows(specifier: str, version: str) -> Answer:
    parsed = Version.maybe(version)
    return within(parsed, specifier) if parsed is not None else Answer.UNKNOWN


def _give_way(question: Question, environment: Environment, name: str, specifier: str, asking: str) -> Refusal | None:
    """Another version of a library, which is allowed by who asks for it."""
    named = environment["packages"]
    spec = known_spec(question.matrix, name)
    fits = [item for item in artefacts.versions(question.matrix, name) if _allows(specifier, item) is Answer.YES]
    if name in question.keep or spec is None or spec.component not in _LIBRARIES or not fits:
        return Refusal(f"{asking}, which is wanted", f"it requires {name} {specifier}, not {named[name]}")
    for entry in entries(environment, spec.component):
        if entry.get("version") == named[name] and entry.get("from") == "pip":
            entry["version"] = fits[0]
    named[name] = fits[0]
    return None
