"""TensorRT-LLM and TensorFlow against the TensorRT that is there."""

from __future__ import annotations

from collections.abc import Iterable

from trtdoctor.findings import Remedy, Severity
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.frameworks_found import TENSORFLOW, TENSORRT_LLM, find, is_meant, linked_major
from trtdoctor.rules.releases import distribution_found, labels
from trtdoctor.versions import Version


@rule(
    "FWK401",
    "tensorrt-llm-of-other-tensorrt",
    severity=Severity.WARNING,
    components=("tensorrt-llm", "tensorrt"),
)
def tensorrt_llm_tensorrt(context: Context) -> Iterable[Problem]:
    """TensorRT-LLM is installed beside a TensorRT of another major than the one it was made with.

    Why it matters: Its plugin library links libnvinfer of that major.

    Example: tensorrt-llm 1.2.0, made with TensorRT 10.14, beside TensorRT 11.1.

    How to fix: Install tensorrt-llm alone in a fresh environment: it brings the TensorRT that it needs.

    Sources: triton_compatibility
    """
    found = find(context, TENSORRT_LLM)
    runtimes = [item for item in context.stack.builders if item.version]
    if found is None or not runtimes:
        return
    facts = [row.get("built_with", "tensorrt") for row in found.rows]
    majors = {version.major for version in (Version.maybe(fact.value) for fact in facts) if version}
    if len(majors) != 1 or not all(fact.known for fact in facts) or any(item.major in majors for item in runtimes):
        return
    yield Problem(
        Severity.WARNING,
        f"{found.label} was made with TensorRT {facts[0].value}; found is {labels(runtimes)}",
        breaks="Its plugin library asks for libnvinfer of the other major and does not load.",
        facts=(distribution_found(found.dist), *(item.found() for item in runtimes)),
        sources=tuple(facts[:1]),
        remedy=Remedy(
            TENSORRT_LLM,
            "choose",
            None,
            f"Install {TENSORRT_LLM} in an environment of its own; it brings its TensorRT.",
        ),
    )


# -- TensorFlow -------------------------------------------------------------------------------------------------------


@rule("FWK501", "tensorflow-without-tensorrt", severity=Severity.WARNING, components=("tensorflow", "tensorrt"))
def tensorflow_tensorrt(context: Context) -> Iterable[Problem]:
    """TensorFlow cannot use the TensorRT that is there: it links another major, or has no TF-TRT any more.

    Why it matters: TF-TRT loads the libnvinfer major that TensorFlow was built with, and was taken out of the builds
    with CUDA in 2.18. TensorFlow itself works without, and only prints "Could not find TensorRT".

    Example: TensorFlow 2.11 wants libnvinfer.so.7; found is TensorRT 8.6.

    How to fix: Install the TensorRT major that it links, in an environment of its own, or export the model to ONNX and
    build with TensorRT itself.

    Sources: tensorflow_releases, tensorflow_toolchains, tensorflow_57679
    """
    found = find(context, TENSORFLOW, newer=True)
    runtimes = [item for item in context.stack.builders if item.version]
    if found is None or not runtimes or len(runtimes) != len(context.stack.builders):
        return
    # Requirements that name both do not say that TensorFlow is to use TensorRT: many export to ONNX.
    meant = context.wants("tensorflow") or (is_meant(context, "tensorflow") and not context.snapshot.partial)
    facts = tuple(row.get("tf_trt") for row in found.rows)
    if all(fact.value is False for fact in facts):
        severity = Severity.WARNING if context.wants("tensorflow") else Severity.INFO
        title = f"{found.label} is built without TensorRT support"
        breaks = "TF-TRT is not there; TensorRT can be used beside TensorFlow all the same."
        remedy = "Export the model to ONNX and build with TensorRT, or use TensorFlow 2.17 or older for TF-TRT."
    else:
        linked = linked_major(found.rows, "tensorrt")
        if linked is None or any(item.major == linked[0] for item in runtimes):
            return
        severity, facts = (Severity.WARNING if meant else Severity.INFO), linked[1]
        title = f"{found.label} links TensorRT {linked[0]}; found is {labels(runtimes)}"
        breaks = f"TF-TRT is off: libnvinfer.so.{linked[0]} cannot be opened."
        remedy = f"Install TensorRT {linked[0]} for TF-TRT, or a TensorFlow that links the one that is there."
    yield Problem(
        severity,
        title,
        breaks=breaks,
        facts=(distribution_found(found.dist), *(item.found() for item in runtimes)),
        sources=facts,
        remedy=Remedy("tensorflow", "choose", None, remedy),
    )
