"""Whether the judged Python can import the TensorRT that is there."""

from __future__ import annotations

from collections.abc import Iterable

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import advice
from trtdoctor.rules.processes import processes
from trtdoctor.rules.releases import distribution_found, label, python_found
from trtdoctor.snapshot import Package

_MODULES = ("tensorrt", "tensorrt_bindings")
_FRAMEWORKS = ("onnxruntime", "torch", "tensorflow", "triton")
"""Who uses TensorRT through one of these needs no bindings."""


@rule(
    "PYT111",
    "bindings-not-in-this-python",
    severity=Severity.ERROR,
    components=("python", "tensorrt", "package"),
    silenced_by=("TRT101", "TRT102", "PYT101", "PYT103"),
)
def bindings_elsewhere(context: Context) -> Iterable[Problem]:
    """TensorRT's libraries are installed, but the judged Python has no tensorrt to import.

    Why it matters: The bindings of a system package lie in the packages of the distribution's own Python. A virtual
    environment or another Python does not see them; and for a Jetson pip has none that would fit.

    Example: JetPack 6.2 with python3-libnvinfer, and a venv made without --system-site-packages: tools try to install
    tensorrt by pip, which fails.

    How to fix: Make the environment with --system-site-packages, or use the distribution's Python; on a server install
    the wheels of the same release.

    Sources: https://github.com/ultralytics/ultralytics/issues/18799
    """
    found = [item for item in context.stack.builders if item.origin != "pip"]
    packages = [item for item in context.snapshot.packages if _holds_bindings(item)]
    python = context.stack.interpreter
    if not found or python is None or not _known(context) or not (context.wants("python") or packages):
        return
    if any(item.importer in _MODULES for item in processes(context)):
        return
    if any("tensorrt" in name and "rtx" not in name for name in context.stack.distributions):
        return
    meant = context.wants("python") and not context.wants(*_FRAMEWORKS)
    jetson = bool(context.stack.jetson)
    shown = python.path or "this Python"
    yield Problem(
        Severity.ERROR if meant else Severity.INFO,
        f"{label(found[0])} is installed, but {shown[-40:]} has no module tensorrt",
        breaks="import tensorrt: No module named 'tensorrt'.",
        detail="The bindings are those of the system's own Python." if packages else "",
        facts=(
            *python_found(context),
            *(item.found() for item in found[:2]),
            *(
                FoundFact("package", f"{item.name} {item.version or ''}".strip(), item.manager, "packages")
                for item in packages[:2]
            ),
            *(distribution_found(item) for name, item in context.stack.distributions.items() if "tensorrt" in name),
        ),
        remedy=_remedy(context, bool(packages)),
        components=("python", "jetpack", "package") if jetson else None,
    )


def _remedy(context: Context, packaged: bool) -> Remedy:
    if packaged:
        return advice(
            "python", "Make the environment with python3 -m venv --system-site-packages, of the system's Python."
        )
    if context.stack.jetson:
        return advice("package", "Install JetPack's bindings: apt-get install python3-libnvinfer.")
    version = next((item.version.short(3) for item in context.stack.builders if item.version), None)
    return Remedy("tensorrt", "install", f"=={version}" if version else None, "the bindings come with the wheels")


def _holds_bindings(item: Package) -> bool:
    return item.name.startswith(("python3-libnvinfer", "python-libnvinfer"))


def _known(context: Context) -> bool:
    """Whether the modules of the judged Python were all looked at."""
    went = {item.name: item.outcome for item in context.snapshot.probes}
    return context.snapshot.kind == "live" and went.get("python") == "ok" and went.get("loader") == "ok"
