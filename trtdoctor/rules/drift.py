"""Whether this environment is what was planned (``--against``): each way in which it may have drifted away.

What compares them is imported only where there is a plan: most checks have none.
"""

from __future__ import annotations

from collections.abc import Iterable

from trtdoctor.findings import Severity
from trtdoctor.rules.base import Context, Problem, rule

_NO_GPU = ("CTR101", "CTR102", "CTR201", "DRV101", "DRV102", "DRV103", "DRV104", "DRV105", "DRV106", "DRV501")
"""Codes of findings after which GPUs are not there for a reason of their own."""


@rule(
    "POL201",
    "planned-distribution-drifted",
    severity=Severity.ERROR,
    components=("policy", "package"),
    instead_of=("TRT101",),
)
def planned_distribution_drifted(context: Context) -> Iterable[Problem]:
    """A Python distribution of the plan is missing or has another version; or one that the plan was made beside has.

    Why it matters: The plan holds every distribution at one version, because TensorRT, its bindings and its CUDA
    libraries are tied to each other, and engines to their release. It is a warning for what the plan only found there,
    and did not install. What is installed beyond the plan is no drift. Without `--against` this rule says nothing.

    Example: The plan has tensorrt-cu12==10.16.1.11, and somebody upgraded it to 11.4.0.106.

    How to fix: Install what the plan has, with the command that the finding names: nothing is chosen anew.

    Sources: the plan that `--against` names
    """
    if context.planned is not None:
        from trtdoctor.rules.drift_problems import distributions

        yield from distributions(context)


@rule(
    "POL202",
    "planned-package-drifted",
    severity=Severity.ERROR,
    components=("policy", "package"),
    instead_of=("TRT101",),
)
def planned_package_drifted(context: Context) -> Iterable[Problem]:
    """A Debian package of the plan is missing or has another version.

    Why it matters: apt takes the highest version of whatever is not held: an unattended upgrade moves TensorRT to
    another release, or to the build for another CUDA, and engines do not load any more.

    Example: The plan has libnvinfer10=10.9.0.34-1+cuda12.8, and 10.16.1.11-1+cuda13.2 is installed.

    How to fix: Install the exact versions of the plan and hold them, as the finding says.

    Sources: the plan that `--against` names
    """
    if context.planned is not None:
        from trtdoctor.rules.drift_problems import packages

        yield from packages(context)


@rule("POL203", "planned-image-other", severity=Severity.ERROR, components=("policy", "container"))
def planned_image_other(context: Context) -> Iterable[Problem]:
    """The container image is another one than planned.

    Why it matters: An image decides TensorRT, CUDA, cuDNN and Python at once. Compared are name and tag; which registry
    or mirror it came from plays no part, nor does a suffix that the image does not know of itself.

    Example: The plan is for nvcr.io/nvidia/tensorrt:25.06-py3, and this is 24.08.

    How to fix: Start the image of the plan.

    Sources: the plan that `--against` names
    """
    if context.planned is not None:
        from trtdoctor.rules.drift_problems import image

        yield from image(context)


@rule(
    "POL204",
    "driver-below-plan",
    severity=Severity.ERROR,
    components=("policy", "driver"),
    silenced_by=("CTR101", "DRV101", "DRV102", "DRV201"),
)
def driver_below_plan(context: Context) -> Iterable[Problem]:
    """The driver is older than the oldest that the plan is good for.

    Why it matters: The CUDA of the planned TensorRT does not start on it, or is not supported there. Newer drivers
    serve whatever older ones do.

    Example: The plan needs driver 580.65.06 for CUDA 13, and 535.104.05 is loaded.

    How to fix: Upgrade the driver, or make a plan for this driver: `trtdoctor plan --keep driver`.

    Sources: the plan that `--against` names
    """
    if context.planned is not None:
        from trtdoctor.rules.drift_problems import driver

        yield from driver(context)


@rule(
    "POL205",
    "planned-gpu-missing",
    severity=Severity.ERROR,
    components=("policy", "gpu"),
    silenced_by=(*_NO_GPU, "GPU101", "GPU401"),
)
def planned_gpu_missing(context: Context) -> Iterable[Problem]:
    """A GPU of the plan is not here, or only another model, or another compute capability.

    Why it matters: By default an engine runs on the compute capability that built it and on no other; only those that
    were built with a hardware-compatibility level run elsewhere. On another model of the same compute capability an
    engine loads, with a warning, and may be slow. So it is an error where the compute capability is not here at all,
    and a warning where it is, or for TensorRT for RTX, whose engines run on several. GPUs beyond the plan are no drift.

    Example: The plan is for an NVIDIA L4 (8.9), and this machine has an H200 (9.0).

    How to fix: Use the planned GPU, or make the plan anew for this one and build the engines again.

    Sources: the plan that `--against` names, sm_1141, oss_headers
    """
    if context.planned is not None:
        from trtdoctor.rules.drift_problems import gpus

        yield from gpus(context)


@rule("POL206", "planned-python-other", severity=Severity.WARNING, components=("policy", "python"))
def planned_python_other(context: Context) -> Iterable[Problem]:
    """The judged Python is another minor than planned.

    Why it matters: Files, hashes and bindings of the plan were chosen for one Python. The same versions may exist for
    this one, as other files that nobody compared with the plan; distributions that are missing are told by POL201.

    Example: The plan is for Python 3.11, and `python3` on PATH is 3.12.

    How to fix: Judge the Python that the plan is for (`--python PATH`), or make a virtual environment of it.

    Sources: the plan that `--against` names
    """
    if context.planned is not None:
        from trtdoctor.rules.drift_problems import python

        yield from python(context)


@rule(
    "POL207",
    "planned-component-other",
    severity=Severity.ERROR,
    components=("policy", "tensorrt"),
    silenced_by=("POL203", "TRT102"),
    instead_of=("TRT101",),
)
def planned_component_other(context: Context) -> Iterable[Problem]:
    """The TensorRT that is used is not the planned one, though the pinned packages are; or a CUDA library is not.

    Why it matters: What pip or apt lists is not always what a process loads: a copy in front of it on the search path
    wins. Where TensorRT came from an archive, or stays as it was, nothing but its files says what is there.

    Example: The pins of the plan are installed, and LD_LIBRARY_PATH leads to TensorRT 8.6.1 in /opt.

    How to fix: Take the other copy out of the way (`trtdoctor libs --tree` shows who finds it), or install what the
    plan has.

    Sources: the plan that `--against` names
    """
    if context.planned is not None:
        from trtdoctor.rules.drift_problems import components

        yield from components(context)


@rule("POL208", "planned-system-other", severity=Severity.ERROR, components=("policy", "os", "arch"))
def planned_system_other(context: Context) -> Iterable[Problem]:
    """The operating system or the architecture is another than planned.

    Why it matters: The files of the plan are for one system and architecture; Debian packages for one release of one
    distribution; on a Jetson the JetPack decides everything.

    Example: The plan is for x86_64, and this is an aarch64 machine.

    How to fix: Make the plan anew for this machine.

    Sources: the plan that `--against` names
    """
    if context.planned is not None:
        from trtdoctor.rules.drift_problems import system

        yield from system(context)
