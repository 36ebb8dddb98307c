"""Calls, flags and precisions that a TensorRT release does not have (any more)."""

from __future__ import annotations

from collections.abc import Iterable

from trtdoctor.findings import Remedy, Severity
from trtdoctor.matrix import Row, tensorrt
from trtdoctor.matrix.judgement import Judgement
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.releases import labels
from trtdoctor.stack import KNOWN, Installation

_PREFIX = "api:"
_NEVER = "none"


@rule(
    "API101",
    "call-removed",
    severity=Severity.ERROR,
    components=("tensorrt", "api"),
)
def call_removed(context: Context) -> Iterable[Problem]:
    """A call, flag or attribute that the code uses was removed before this TensorRT release.

    Why it matters: Python raises AttributeError, C++ does not compile; no driver, CUDA or reinstallation mends it.

    Example: `wants: [api:binding_is_input]` with TensorRT 10.0.1: AttributeError: 'ICudaEngine' object has no
    attribute 'binding_is_input'.

    How to fix: Port the code to the replacement that the finding names, or install a release that still has the call.

    Sources: oss_headers, bindings_measured
    """
    for word in _calls(context):
        row = tensorrt.api(context.matrix, word)
        gone = [item for item, _ in _states(context, row, "removed")] if row else []
        if row is None or not gone:
            continue
        removed, replacement = row.get("removed"), _replacement(row)
        yield Problem(
            _severity(context, gone),
            f"{labels(gone)} no longer has {word}: removed in {removed.value}",
            breaks=f"Code that uses {word} raises AttributeError in Python and does not compile in C++.",
            detail=f"{row.key}: removed in {removed.value}." + (f" Instead: {replacement}." if replacement else ""),
            facts=tuple(item.found() for item in gone),
            sources=(removed,),
            remedy=_remedy(
                f"Use {replacement} instead of {word}" if replacement else f"Do without {word}",
                f"or keep TensorRT below {removed.value}",
                f"<{removed.value}",
            ),
        )


@rule(
    "API102",
    "call-not-there-yet",
    severity=Severity.ERROR,
    components=("tensorrt", "api"),
)
def call_not_yet(context: Context) -> Iterable[Problem]:
    """A call, flag or attribute that the code uses came with a later TensorRT release than the one that is there.

    Why it matters: Samples and projects move to new calls as soon as they are there; an older TensorRT raises
    AttributeError or does not compile.

    Example: `wants: [api:num_io_tensors]` with TensorRT 8.2.3: the attribute begins with 8.5.

    How to fix: Install the release that brought the call, or the version of the sample that fits the installed one.

    Sources: oss_headers, bindings_measured
    """
    for word in _calls(context):
        row = tensorrt.api(context.matrix, word)
        early = [item for item, _ in _states(context, row, "not-yet")] if row else []
        if row is None or not early:
            continue
        first = row.get("first")
        yield Problem(
            _severity(context, early),
            f"{labels(early)} does not have {word} yet: it begins with {first.value}",
            breaks=f"Code that uses {word} raises AttributeError in Python and does not compile in C++.",
            detail=f"{row.key}: first in {first.value}.",
            facts=tuple(item.found() for item in early),
            sources=(first,),
            remedy=_remedy(
                f"Use TensorRT {first.value} or newer", f"or code that does without {word}", f">={first.value}"
            ),
        )


@rule(
    "API201",
    "precision-flag-gone",
    severity=Severity.WARNING,
    components=("tensorrt", "api"),
)
def precision_flag_gone(context: Context) -> Iterable[Problem]:
    """A precision is asked for by a builder flag, and this TensorRT release has no such flag any more.

    Why it matters: A tool that sets the flag only where it exists goes on in silence and builds an FP32 engine: it
    works, needs more memory and is slower. A tool that sets it always stops with AttributeError.

    Example: `wants: [fp16]` with TensorRT 11.2.1: BuilderFlag.FP16 is gone, the types in the model decide.

    How to fix: Give TensorRT a typed model (cast the ONNX model, or quantize it), or stay below the release that
    removed the flags until the tool does.

    Sources: oss_headers, bindings_measured, rf_detr_1453
    """
    for row in _precisions(context):
        flag = row.text("flag")
        if flag and any(flag.lower() in word.lower() or row.key == word.lower() for word in _calls(context)):
            continue  # API101 speaks
        gone = [item for item, _ in _states(context, row, "removed")]
        if not gone:
            continue
        removed, instead = row.get("removed"), row.text("instead") or "a strongly typed network"
        yield Problem(
            Severity.WARNING,
            f"{labels(gone)} no longer has a builder flag for {row.key}: removed in {removed.value}",
            breaks=f"A tool that still sets {flag or row.key} stops, or quietly builds an engine of full precision.",
            detail=f"Precision comes from the types in the network. Instead: {instead}.",
            facts=tuple(item.found() for item in gone),
            sources=(removed,),
            remedy=_remedy(f"Build from a {instead}", f"or keep TensorRT below {removed.value}", f"<{removed.value}"),
        )


@rule(
    "API202",
    "precision-not-there-yet",
    severity=Severity.ERROR,
    components=("tensorrt", "api"),
)
def precision_not_yet(context: Context) -> Iterable[Problem]:
    """A precision is asked for that came with a later TensorRT release than the one that is there.

    Why it matters: The flag and the data type do not exist: Python raises AttributeError, trtexec refuses the option.

    Example: `wants: [fp8]` with TensorRT 8.5.3: FP8 begins with 8.6.

    How to fix: Install a release that has the precision, or ask for another one.

    Sources: oss_headers, bindings_measured
    """
    for row in _precisions(context):
        early = [item for item, _ in _states(context, row, "not-yet")]
        if not early:
            continue
        first = row.text("first")
        yield Problem(
            _severity(context, early),
            f"{labels(early)} does not have {row.key} yet: it begins with {first}",
            breaks=f"{row.text('flag') or row.key} does not exist: AttributeError, or trtexec refuses the option.",
            facts=tuple(item.found() for item in early),
            sources=(row.get("first"),),
            remedy=_remedy(f"Use TensorRT {first} or newer", f"or another precision than {row.key}", f">={first}"),
        )


# -- what the rules share ---------------------------------------------------------------------------------------------


def _states(context: Context, row: Row, word: str) -> list[tuple[Installation, Judgement]]:
    """Each TensorRT whose state for a call is the one that ``word`` names (``removed``, ``not-yet``), with why."""
    found = []
    for item in context.stack.tensorrts:
        if item.version is not None:
            judged = tensorrt.api_state(row, item.version)
            if judged.word == word:
                found.append((item, judged))
    return found


def _calls(context: Context) -> list[str]:
    words = [word[len(_PREFIX) :] for word in context.goal if word.startswith(_PREFIX)]
    if words and context.stack.state("tensorrt") != KNOWN:
        return []
    for word in sorted(words):
        if tensorrt.api(context.matrix, word) is None:
            context.unknown(
                "api",
                f"which releases have {word}",
                f"{word} is not in the matrix {context.matrix.version}",
                "trtdoctor matrix show api lists the calls that can be judged",
            )
    return sorted(words)


def _precisions(context: Context) -> list[Row]:
    found = (tensorrt.precision(context.matrix, word) for word in sorted(context.goal) if not word.startswith(_PREFIX))
    return [row for row in found if row is not None]


def _replacement(row: Row) -> str | None:
    text = row.text("replacement")
    return None if text == _NEVER else text


def _severity(context: Context, failed: list[Installation]) -> Severity:
    """An error when every TensorRT that is there fails (one of unknown version may do), else a warning."""
    return Severity.ERROR if len(failed) == len(context.stack.tensorrts) else Severity.WARNING


def _remedy(first: str, second: str, wanted: str) -> Remedy:
    return Remedy("tensorrt", "change-code", wanted, f"{first}, {second}")
