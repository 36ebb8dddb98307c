"""onnxruntime-gpu: what its providers link against what is there.

Tables of tested versions are never limits: sonames decide, and what lies outside a table is untested.
"""

from __future__ import annotations

from collections.abc import Iterable

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.matrix import Row, frameworks
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.framework_loading import all_found, needs_by_file
from trtdoctor.rules.frameworks_found import (
    ONNXRUNTIME,
    TORCH,
    Framework,
    cuda_of,
    cudnn_major,
    find,
    is_meant,
    linked_major,
)
from trtdoctor.rules.releases import cuda_major, distribution_found, joined, known_spec, labels
from trtdoctor.versions import Version


@rule("FWK102", "onnxruntime-of-other-cuda", severity=Severity.ERROR, components=("onnxruntime", "cuda"))
def onnxruntime_cuda(context: Context) -> Iterable[Problem]:
    """onnxruntime-gpu was built for another CUDA major than the one that is there.

    Why it matters: Its providers ask the loader for libcudart and libcublasLt of that major by name. Without them
    neither the CUDA nor the TensorRT provider loads, and the session runs on the CPU.

    Example: onnxruntime-gpu 1.16 with CUDA 12.1: libcublasLt.so.11: cannot open shared object file.

    How to fix: Install the onnxruntime-gpu that was built for the CUDA that is there, or CUDA of the other major
    beside it.

    Sources: onnxruntime_gpu_wheels, onnxruntime_trt_ep
    """
    found = find(context, ONNXRUNTIME)
    if found is None:
        return
    if all_found(context, "cuda", "cublas"):
        return
    seen = needs_by_file(context, "cuda")
    linked = (seen[0], ()) if seen else linked_major(found.rows, "cuda")
    present = _cuda_majors(context)
    if linked is None or not present:
        return
    wanted, facts = linked
    if wanted in present:
        return
    elsewhere = seen is None and _other_builds(found.rows, present)
    if elsewhere and found.dist.other_index:
        why = f"{found.dist.other_index} names another package index, which may have another build of it"
        context.unknown("onnxruntime", "the CUDA that it is built for", why, "look into the package that is installed")
        return
    surely = not elsewhere and not found.dist.stated_at  # what no file names may be there all the same
    there = joined([f"CUDA {major}" for major in sorted(present)])
    yield Problem(
        Severity.ERROR if surely else Severity.WARNING,
        f"{found.label} is built for CUDA {wanted}; found is {there}",
        breaks=f"Neither its CUDA nor its TensorRT provider loads: libcublasLt.so.{wanted} cannot be opened.",
        detail="A build for another CUDA major lay on another index; which one this is cannot be told by its version."
        if elsewhere
        else "",
        facts=(
            distribution_found(found.dist),
            *((seen[1],) if seen else ()),
            *(fact for found_facts in present.values() for fact in found_facts[:2]),
        ),
        sources=facts,
        remedy=_onnxruntime_for(context, max(present), found),
    )


@rule(
    "FWK101",
    "onnxruntime-of-other-tensorrt",
    severity=Severity.ERROR,
    components=("onnxruntime", "tensorrt"),
    silenced_by=("FWK102",),
)
def onnxruntime_tensorrt(context: Context) -> Iterable[Problem]:
    """The TensorRT provider of onnxruntime-gpu links another TensorRT major than the one that is there.

    Why it matters: It asks for libnvinfer of one major by name. Without it the provider does not load, and the session
    goes on with CUDA or the CPU, with one line in the log.

    Example: onnxruntime-gpu 1.29 with TensorRT 11.3: libnvinfer.so.10: cannot open shared object file.

    How to fix: Install TensorRT of that major, or an onnxruntime-gpu that links the one that is there.

    Sources: onnxruntime_gpu_wheels
    """
    found = find(context, ONNXRUNTIME)
    runtimes = [item for item in context.stack.tensorrts if item.version]
    if found is None or not runtimes or len(runtimes) != len(context.stack.tensorrts):
        return
    if all_found(context, "tensorrt"):
        return
    seen = needs_by_file(context, "tensorrt")
    linked = (seen[0], ()) if seen else linked_major(found.rows, "tensorrt")
    if linked is None or any(item.major == linked[0] for item in runtimes):
        return
    wanted, facts = linked
    yield Problem(
        Severity.ERROR if is_meant(context, "onnxruntime") else Severity.WARNING,
        f"The TensorRT provider of {found.label} links TensorRT {wanted}; found is {labels(runtimes)}",
        breaks=f"The TensorRT provider does not load (libnvinfer of TensorRT {wanted} cannot be opened); the session "
        "goes on without it.",
        facts=(distribution_found(found.dist), *(item.found() for item in runtimes)),
        sources=facts,
        remedy=Remedy("tensorrt", "choose", f"=={wanted}.*", f"Install TensorRT {wanted} beside {found.label}."),
    )


@rule(
    "FWK103",
    "onnxruntime-of-other-cudnn",
    severity=Severity.ERROR,
    components=("onnxruntime", "cudnn"),
    silenced_by=("FWK102",),
)
def onnxruntime_cudnn(context: Context) -> Iterable[Problem]:
    """onnxruntime-gpu links another cuDNN major than the one that is there.

    Why it matters: The CUDA provider, which the TensorRT provider needs beside it, asks for libcudnn of one major.

    Example: onnxruntime-gpu 1.19 (cuDNN 9) with cuDNN 8.9: libcudnn.so.9: cannot open shared object file.

    How to fix: Install cuDNN of the wanted major; it can lie beside the other.

    Sources: onnxruntime_gpu_wheels
    """
    found = find(context, ONNXRUNTIME)
    there = [item for item in context.stack.of("cudnn") if item.version]
    if found is None or not there or len(there) != len(context.stack.of("cudnn")):
        return
    if all_found(context, "cudnn"):
        return
    seen = needs_by_file(context, "cudnn")
    if seen is None and any(row.get("cuda_provider_needs_cudnn").value is not True for row in found.rows):
        return
    linked = (seen[0], ()) if seen else linked_major(found.rows, "cudnn")
    majors = {item.major for item in there} | _bundled_cudnn(context)
    if linked is None or linked[0] in majors:
        return
    wanted, facts = linked
    # The build for another CUDA major, from another index, can link another cuDNN.
    elsewhere = seen is None and _other_builds(found.rows, {major: [] for major in (10, 11, 12, 13)})
    shown = joined(list(dict.fromkeys(f"cuDNN {item.version}" for item in there)))
    yield Problem(
        Severity.WARNING if elsewhere or found.dist.stated_at else Severity.ERROR,
        f"{found.label} links cuDNN {wanted}; found is {shown}",
        breaks=f"Its CUDA provider does not load: libcudnn.so.{wanted} cannot be opened.",
        facts=(
            distribution_found(found.dist),
            *((seen[1],) if seen else ()),
            *(item.found() for item in there[:3]),
        ),
        sources=facts,
        remedy=Remedy("cudnn", "choose", f"=={wanted}.*", f"Install cuDNN {wanted}, which {found.label} links."),
    )


@rule(
    "FWK104",
    "onnxruntime-untested-tensorrt",
    severity=Severity.INFO,
    components=("onnxruntime", "tensorrt"),
    silenced_by=("FWK101", "FWK102"),
)
def onnxruntime_untested(context: Context) -> Iterable[Problem]:
    """The documents of onnxruntime name another TensorRT of the same major than the one that is there.

    Why it matters: What they name is what they tested. Another minor of the same major loads, and nearly always works.

    Example: onnxruntime-gpu 1.22.0 was tested with TensorRT 10.9; found is 10.13.

    How to fix: Nothing, unless something fails: then try the tested pair first.

    Sources: onnxruntime_trt_ep
    """
    found = find(context, ONNXRUNTIME)
    if found is None:
        return
    facts = [row.get("tested_with", "tensorrt") for row in found.rows]
    tested = {fact.value for fact in facts}
    version = Version.maybe(facts[0].value) if len(tested) == 1 else None
    if version is None:
        return
    runtimes = [item for item in context.stack.tensorrts if item.version]
    others = [item for item in runtimes if item.version and not item.version.may_be(version)]
    if runtimes and len(others) == len(runtimes) and all(item.major == version.major for item in others):
        yield Problem(
            Severity.INFO,
            f"{found.label} was tested with TensorRT {version}; {labels(others)} is untested",
            breaks="Nothing that is known: the library has the same name.",
            facts=(distribution_found(found.dist), *(item.found() for item in others)),
            sources=tuple(facts[:1]),
        )


# -- what the rules share ---------------------------------------------------------------------------------------------


def _other_builds(rows: tuple[Row, ...], present: dict[int, list[FoundFact]]) -> bool:
    """Whether a build for one of these CUDA majors may exist: the documents name that CUDA, or nothing."""
    for row in rows:
        tested = row.get("tested_with", "cuda").value
        if not isinstance(tested, list):
            return True
        own = {row.text("flavour")}
        named = {int(str(text).partition(".")[0]) for text in tested}
        if any(f"cu{major}" not in own and major in named for major in present):
            return True
    return False


def _cuda_majors(context: Context) -> dict[int, list[FoundFact]]:
    """The CUDA majors whose libraries are there: installed, or brought by torch; empty when not all are known."""
    found: dict[int, list[FoundFact]] = {}
    every = (*context.stack.of("cuda"), *context.stack.of("cublas"))
    if any(item.version is None for item in every):
        return {}
    for item in every:
        if item.version is not None:
            found.setdefault(item.version.major, []).append(item.found())
    torch = find(context, TORCH, known=False)
    brought = cuda_of(context, torch) if torch else None
    if torch is not None and brought is None:
        return {}  # torch may bring the libraries
    if torch is not None and brought is not None:
        found.setdefault(brought, []).append(distribution_found(torch.dist))
    for name, dist in context.stack.distributions.items():
        spec = known_spec(context.matrix, name) if name.startswith("nvidia-") and "-cu1" in name else None
        if spec is not None and spec.flavour and spec.component in ("cuda", "cublas") and spec.real == "wheel":
            found.setdefault(cuda_major(spec.flavour), []).append(distribution_found(dist))
    return found


def _bundled_cudnn(context: Context) -> set[int]:
    torch = find(context, TORCH)
    pinned = cudnn_major(torch) if torch else None
    return {pinned[0]} if pinned else set()


def _onnxruntime_for(context: Context, major: int, found: Framework) -> Remedy:
    """The newest onnxruntime-gpu for a CUDA major, by the index."""
    every = frameworks.rows(context.matrix, ONNXRUNTIME)
    row = next((row for row in every if row.text("flavour") == f"cu{major}"), None)
    reason = f"{found.label} is built for another CUDA major"
    if row is None:
        return Remedy("onnxruntime", "choose", None, f"Install an onnxruntime-gpu built for CUDA {major}.")
    return Remedy("onnxruntime", "replace", f"=={row.key}", reason, (("distributions", ONNXRUNTIME),))
