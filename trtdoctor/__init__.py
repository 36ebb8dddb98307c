"""trtdoctor: whether this machine can build and run NVIDIA TensorRT engines, and what to do if not.

The public API is what ``__all__`` names; it is imported on first use, so that ``import trtdoctor`` costs nothing.
"""

__version__ = "0.1.0"

__all__ = [
    "Environment",
    "Finding",
    "Libs",
    "NotReadyError",
    "Report",
    "RequirementError",
    "Severity",
    "Snapshot",
    "Verdict",
    "__version__",
    "assert_ready",
    "check",
    "libs",
]

TYPE_CHECKING = False  # what type checkers take for true; importing typing for it would be the dearest line here
if TYPE_CHECKING:
    from trtdoctor.api import NotReadyError, assert_ready, check, libs
    from trtdoctor.environment import Environment
    from trtdoctor.findings import Finding, Report, RequirementError, Severity, Verdict
    from trtdoctor.resolution import Libs
    from trtdoctor.snapshot import Snapshot

_HOMES = {
    "NotReadyError": "trtdoctor.api",
    "assert_ready": "trtdoctor.api",
    "check": "trtdoctor.api",
    "libs": "trtdoctor.api",
    "Environment": "trtdoctor.environment",
    "RequirementError": "trtdoctor.findings",
    "Finding": "trtdoctor.findings",
    "Libs": "trtdoctor.resolution",
    "Report": "trtdoctor.findings",
    "Severity": "trtdoctor.findings",
    "Verdict": "trtdoctor.findings",
    "Snapshot": "trtdoctor.snapshot",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'trtdoctor' has no attribute {name!r}")
    import importlib

    found: object = getattr(importlib.import_module(_HOMES[name]), name)
    return found
