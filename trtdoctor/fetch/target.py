"""The Python that the files are for: which wheels it takes, and what its markers say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trtdoctor.matrix import Matrix, artefacts, bases
from trtdoctor.planned import Planned
from trtdoctor.record import record
from trtdoctor.text import clean
from trtdoctor.versions import Version

if TYPE_CHECKING:
    from packaging.tags import Tag


class TargetError(ValueError):
    """The plan does not say what its files are for; the message is one line."""


@record
class Target:
    """CPython on one platform."""

    python: str
    """Major and minor: ``3.12``."""
    platform: str
    """``linux-x86_64``, as in :data:`trtdoctor.matrix.artefacts.PLATFORMS`."""
    glibc: str | None
    """``2.35``; None for Windows, and where nobody knows: then only wheels for any Linux will do."""

    @property
    def shown(self) -> str:
        """For people."""
        libc = f" (glibc {self.glibc})" if self.glibc else ""
        return f"Python {self.python} on {self.platform}{libc}"

    def tags(self) -> dict[Tag, int]:
        """The tags of wheels that it takes, to their place: the best is 0."""
        return artefacts.tag_order(self.python, self.platform, self.glibc)

    def markers(self) -> dict[str, str]:
        """What environment markers are answered with."""
        system, _, machine = self.platform.partition("-")
        windows = system == "windows"
        names = {"x86_64": "AMD64", "arm64": "ARM64"}
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "nt" if windows else "posix",
            "platform_machine": names.get(machine, machine) if windows else machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Windows" if windows else "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "win32" if windows else "linux",
        }


def target_of(plan: Planned, matrix: Matrix) -> Target:
    """What the files of a plan are for, by its environment. Raises :class:`TargetError`."""
    environment: dict[str, Any] = plan.environment or {}
    python = Version.maybe(plan.python or str(environment.get("python", "")))
    if python is None or python.minor is None:
        raise TargetError(
            "the plan does not say for which Python: make it with --set python=3.12, or where it will run"
        )
    named = environment.get("os")
    system, _, release = str(named or "").partition("-")
    machine = str(environment.get("arch") or "")
    if not named or not machine:
        lacking = "os=ubuntu-22.04" if not named else "arch=x86_64"
        raise TargetError(f"the plan does not say for which system: make it with --set {lacking}, or where it will run")
    platform = f"windows-{machine}" if system == "windows" else f"linux-{machine}"
    if platform not in artefacts.PLATFORMS:
        raise TargetError(f"nothing is known of wheels for {clean(platform, 60)}")
    known = bases.glibc_of(matrix, system, release)
    glibc = Version.maybe(str(environment.get("glibc") or (known.value if known is not None else "")))
    libc = glibc.short(2) if glibc is not None and system != "windows" else None
    return Target(python.short(2), platform, libc)
