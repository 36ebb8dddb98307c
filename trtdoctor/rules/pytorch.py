"""PyTorch and Torch-TensorRT: their CUDA, their pins and their kernels against what is there."""

from __future__ import annotations

from collections.abc import Iterable

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.matrix import Fact, frameworks, tensorrt
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.frameworks_found import (
    TENSORRT_LLM,
    TORCH,
    TORCH_TENSORRT,
    Framework,
    cuda_of,
    cudnn_major,
    find,
    is_early,
    local_cuda,
)
from trtdoctor.rules.releases import candidates, cuda_major, distribution_found, joined, label, labels
from trtdoctor.stack import GpuFact, Installation
from trtdoctor.versions import Answer, Version


@rule("FWK201", "torch-and-tensorrt-share-cudnn", severity=Severity.ERROR, components=("torch", "tensorrt", "cuda"))
def torch_and_tensorrt_cudnn(context: Context) -> Iterable[Problem]:
    """PyTorch and TensorRT by pip are built for different CUDA majors, and both want cuDNN of one major.

    Why it matters: The cuDNN wheels of all CUDA majors put their files in one directory under one name. Whichever was
    installed last wins, and it needs cuBLAS of its own CUDA major: the other user of cuDNN stops. Where cuDNN is not
    shared, two CUDA majors can live side by side.

    Example: torch 2.0.1 (CUDA 11, cuDNN 8) and tensorrt 8.6.1 for CUDA 12 (cuDNN 8) in one environment.

    How to fix: Install torch and TensorRT of one CUDA major, or each in an environment of its own.

    Sources: package_index, sm_861
    """
    torch = find(context, TORCH)
    major = cuda_of(context, torch) if torch else None
    pinned = cudnn_major(torch) if torch else None
    if torch is None or major is None or pinned is None:
        return
    for item in context.stack.builders:
        if item.origin != "pip" or item.flavour is None or cuda_major(item.flavour) == major:
            continue
        pairs = candidates(context, item)
        needs = [tensorrt.cudnn(row) for row, _ in pairs]
        if not needs or any(need.need != "required" for need in needs):
            continue
        versions = [Version.maybe(need.version) for need in needs]
        if any(version is None or version.major != pinned[0] for version in versions):
            continue
        yield Problem(
            Severity.ERROR,
            f"{torch.label} is built for CUDA {major}, {label(item)} for CUDA {cuda_major(item.flavour)}; "
            f"both load cuDNN {pinned[0]}",
            breaks=f"One libcudnn.so.{pinned[0]} serves both: torch or TensorRT finds the cuBLAS of the wrong CUDA.",
            facts=(distribution_found(torch.dist), item.found()),
            sources=(*pinned[1], *needs[0].facts),
            remedy=Remedy(
                "torch", "choose", None, "Install torch and TensorRT of one CUDA major, or in two environments."
            ),
        )


@rule("FWK202", "torch-without-kernels", severity=Severity.ERROR, components=("torch", "gpu"))
def torch_without_kernels(context: Context) -> Iterable[Problem]:
    """PyTorch was built with a CUDA that does not know this GPU's architecture yet.

    Why it matters: Its kernels are compiled when it is built; a CUDA that is older than the GPU cannot make any for it,
    and torch's wheels hold no code to translate. Torch-TensorRT and TensorRT-LLM need torch's kernels too.

    Example: torch 2.6.0 (CUDA 12.4) on a Blackwell GPU, which begins with CUDA 12.8: no kernel image is available for
    execution on the device.

    How to fix: Install a torch that was built with that CUDA or a newer one.

    Sources: arch_matrix, nvrtc_measured, pytorch_release_matrix, https://github.com/pytorch/pytorch/issues/167244
    """
    torch = find(context, TORCH)
    built = _torch_cuda(torch) if torch else None
    if torch is None or built is None:
        return
    wrong: list[tuple[GpuFact, Fact]] = []
    for gpu in context.stack.gpus:
        first = _first_cuda(context, gpu)
        bound = Version.maybe(first.value) if first else None
        if first is not None and bound is not None and built[0].below(bound) is Answer.YES:
            wrong.append((gpu, first))
    if not wrong:
        return
    llm = find(context, TENSORRT_LLM, known=False)
    needed = llm is not None or TORCH_TENSORRT in context.stack.distributions
    name = joined([gpu.label for gpu, _ in wrong])
    yield Problem(
        Severity.ERROR if needed and len(wrong) == len(context.stack.gpus) else Severity.WARNING,
        f"{torch.label} is built with CUDA {built[0]} at most; {name} begins with CUDA {wrong[0][1].value}",
        breaks="torch has no kernels for this GPU: no kernel image is available for execution on the device.",
        detail=f"{llm.label} pins the torch that it works with." if llm else "",
        facts=(distribution_found(torch.dist), *(gpu.found() for gpu, _ in wrong)),
        sources=(*built[1], *(fact for _, fact in wrong[:1])),
        components=("torch", "gpu", "tensorrt-llm") if llm else ("torch", "gpu"),
        remedy=Remedy("torch", "choose", None, f"Install a torch built with CUDA {wrong[0][1].value} or newer."),
    )


# -- Torch-TensorRT ---------------------------------------------------------------------------------------------------


@rule("FWK301", "torch-tensorrt-pins", severity=Severity.ERROR, components=("torch-tensorrt", "torch"))
def torch_tensorrt_torch(context: Context) -> Iterable[Problem]:
    """Torch-TensorRT is installed beside a torch that it was not built for.

    Why it matters: Its library uses torch's C++ interface, which changes with each minor; its metadata pins the minor.

    Example: torch-tensorrt 2.8.0 with torch 2.9.1: undefined symbol on import.

    How to fix: Install the Torch-TensorRT of the same number as torch.

    Sources: package_index, torch_tensorrt_repo
    """
    found, torch = find(context, TORCH_TENSORRT), find(context, TORCH, known=False)
    if found is None or torch is None or is_early(torch.version) or context.stack.jetson:
        return
    judged = [frameworks.accepts(row, TORCH, _plain(torch.version)) for row in found.rows]
    if Answer.agreed(item.answer for item in judged) is not Answer.NO:
        return
    wanted = judged[0].facts[0]
    yield Problem(
        Severity.ERROR,
        f"{found.label} is for torch {wanted.value}; found is torch {torch.version}",
        breaks="import torch_tensorrt stops with an undefined symbol.",
        facts=(distribution_found(found.dist), distribution_found(torch.dist)),
        sources=(wanted,),
        remedy=Remedy(TORCH_TENSORRT, "choose", None, f"Install the torch-tensorrt of torch {torch.version.short(2)}."),
    )


@rule(
    "FWK302",
    "torch-tensorrt-of-other-tensorrt",
    severity=Severity.ERROR,
    components=("torch-tensorrt", "tensorrt"),
    silenced_by=("FWK301",),
)
def torch_tensorrt_tensorrt(context: Context) -> Iterable[Problem]:
    """Torch-TensorRT is installed beside a TensorRT that its metadata does not accept.

    Why it matters: It links libnvinfer of one TensorRT major, so another major does not load. Another minor loads, and
    is not what it was built and tested with.

    Example: torch-tensorrt 2.14.0 takes TensorRT 11.1; found is 10.16.

    How to fix: Install the TensorRT that it pins: pip install torch-tensorrt brings it.

    Sources: package_index, torch_tensorrt_repo
    """
    found = find(context, TORCH_TENSORRT)
    runtimes = [item for item in context.stack.builders if item.version]
    if found is None or not runtimes or context.stack.jetson:
        return
    outside: list[tuple[Installation, Fact, bool]] = []
    for item in runtimes:
        if item.version is None:
            continue
        judged = [frameworks.serves(row, item.version) for row in found.rows]
        if Answer.agreed(answer.answer for answer in judged) is Answer.NO:
            fact = judged[0].facts[0]
            outside.append((item, fact, str(item.version.major) not in _majors_in(str(fact.value))))
    if not outside or len(outside) != len(runtimes):
        return
    wanted = outside[0][1]
    no_major = all(other for _, _, other in outside)
    yield Problem(
        Severity.ERROR if no_major else Severity.WARNING,
        f"{found.label} takes TensorRT {wanted.value}; found is {labels([item for item, _, _ in outside])}",
        breaks="import torch_tensorrt fails: libnvinfer of the other major cannot be opened."
        if no_major
        else "Nothing that is known: the library has the same name, but this pair was not built together.",
        facts=(distribution_found(found.dist), *(item.found() for item, _, _ in outside)),
        sources=(wanted,),
        remedy=Remedy("tensorrt", "choose", str(wanted.value), f"{found.label} pins it"),
    )


@rule(
    "FWK303",
    "torch-tensorrt-of-other-cuda",
    severity=Severity.ERROR,
    components=("torch-tensorrt", "tensorrt", "cuda"),
    silenced_by=("FWK301", "FWK302"),
)
def torch_tensorrt_cuda(context: Context) -> Iterable[Problem]:
    """Torch-TensorRT, torch and TensorRT are not of one CUDA major.

    Why it matters: Torch-TensorRT links the CUDA runtime, torch and TensorRT in one process: all three must be of the
    CUDA major that it was built for.

    Example: torch-tensorrt 2.12.1 (CUDA 13) with tensorrt-cu12.

    How to fix: Install all three in the flavour of one CUDA major.

    Sources: package_index, torch_tensorrt_repo
    """
    found = find(context, TORCH_TENSORRT)
    major = cuda_of(context, found) if found else None
    if found is None or major is None or context.stack.jetson:
        return
    torch = find(context, TORCH, known=False)
    of_torch = local_cuda(torch.version) if torch else None
    wrong: list[tuple[str, FoundFact, str]] = []
    if torch is not None and of_torch is not None and of_torch.major != major:
        wrong.append((f"{torch.label}", distribution_found(torch.dist), "torch"))
    flavoured = [item for item in context.stack.builders if item.flavour]
    others = [item for item in flavoured if item.flavour and cuda_major(item.flavour) != major]
    if others and len(others) == len(context.stack.builders):
        wrong += [(label(item), item.found(), "tensorrt") for item in others]
    if wrong:
        # The number alone is that of the Python package index; PyTorch's own index has builds for other CUDAs under it.
        surely = local_cuda(found.version) is not None or any(
            "tensorrt-cu" in name.replace("_", "-") for name in found.dist.requires
        )
        yield Problem(
            Severity.ERROR if surely else Severity.WARNING,
            f"{found.label} is built for CUDA {major}; {joined([text for text, _, _ in wrong])} is not",
            breaks="import torch_tensorrt fails, or two CUDA runtimes meet in one process.",
            facts=(distribution_found(found.dist), *(fact for _, fact, _ in wrong)),
            sources=tuple(row.get("flavour") for row in found.rows[:1]),
            components=("torch-tensorrt", wrong[0][2], "cuda"),
            remedy=Remedy(
                TORCH_TENSORRT, "choose", None, f"Install torch, TensorRT and {TORCH_TENSORRT} for one CUDA major."
            ),
        )


# -- what the rules share ---------------------------------------------------------------------------------------------


def _torch_cuda(torch: Framework) -> tuple[Version, tuple[Fact, ...]] | None:
    """The CUDA that a torch was built with: by its local version, else the newest that any of its builds has."""
    local = local_cuda(torch.version)
    if local is not None:
        return local, ()
    if "+" in torch.version.suffix or not torch.rows:
        return None
    facts = [row.get("built_with", "cuda") for row in torch.rows]
    for row in torch.rows:
        others = row.get("other_builds").value
        if not isinstance(others, dict):
            return None
        facts += [row.get("other_builds", key, "cuda") for key in others if key.startswith("cu")]
    known = [(Version.parse(str(fact.value)), fact) for fact in facts if fact.known]
    if len(known) != len(facts):
        return None
    newest = max(known, key=lambda pair: pair[0].parts)
    return newest[0], (newest[1],)


def _first_cuda(context: Context, gpu: GpuFact) -> Fact | None:
    """The first CUDA whose code runs on a GPU; for one that only its architecture is said of, the first for any such.

    Code runs on every later GPU of its major too (8.6 on 8.9), so the first of the major counts.
    """
    rows = context.matrix.rows("cuda", "architectures")
    if gpu.compute_capability:
        own = Version.parse(gpu.compute_capability)
        every = [(row, Version.parse(row.key)) for row in rows]
        chosen = [row for row, other in every if other.major == own.major and own.at_least(other) is Answer.YES]
    else:
        chosen = [row for row in rows if _named(gpu, row.text("architecture"))]
    known = [fact for fact in (row.get("first_cuda") for row in chosen) if Version.maybe(fact.value)]
    if not known or len(known) != len(chosen):
        return None
    return min(known, key=lambda fact: Version.parse(str(fact.value)).parts)


def _named(gpu: GpuFact, architecture: str | None) -> bool:
    words = (gpu.gpu.name or "").lower().replace("(", " ").split()
    return architecture is not None and architecture.lower() in words[:2]


def _majors_in(specifier: str) -> set[str]:
    """The majors that a pin of one release line names: ``{"10"}`` of ``>=10.16.1,<10.17.0``."""
    lowest = [part for part in specifier.split(",") if not part.strip().startswith("<")]
    return {part.strip().lstrip("=>~!").partition(".")[0] for part in lowest or specifier.split(",")}


def _plain(version: Version) -> Version:
    """Without the local part, which pins do not look at: 2.9.1 for 2.9.1+cu128."""
    return Version.parse(version.text.partition("+")[0])
