"""For which Python and platform requirements are read: environment markers, answered as far as that is known."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from trtdoctor.record import record

_PYTHONS = tuple(f"3.{minor}" for minor in range(8, 16))
"""Pythons that a marker is tried with where nobody said which one it is; older ones have to be named."""
_SYSTEMS = {"linux": ("posix", "linux", "Linux"), "windows": ("nt", "win32", "Windows")}
_MACHINES = {"windows-x86_64": "AMD64", "windows-arm64": "ARM64"}
PLATFORMS = ("linux-x86_64", "linux-aarch64", "windows-x86_64", "windows-arm64")
"""What ``--platform`` takes."""


@record
class Target:
    """The Python and platform that something is installed for."""

    platform: str = "linux-x86_64"
    python: str | None = None
    """``3.10`` or ``3.10.12``; None when nobody said."""
    requires_python: str | None = None
    """The Pythons that a project allows, where ``python`` is not known."""
    extras: tuple[str, ...] = ()
    """Extras of the project that are asked for."""
    groups: tuple[str, ...] = ()
    """Dependency groups that are asked for."""

    @property
    def system(self) -> str:
        """``linux`` or ``windows``."""
        return self.platform.partition("-")[0]

    @property
    def architecture(self) -> str:
        """The processor: ``x86_64``, ``aarch64``, ``arm64``."""
        return self.platform.partition("-")[2]


def applies(marker: str | None, target: Target, extras: Iterable[str] = ()) -> bool | None:
    """Whether a marker holds for the target; None when that depends on what is not known, or it is no marker."""
    if not marker:
        return True
    return _applies(marker, target, tuple(extras))


@lru_cache(maxsize=4096)
def _applies(marker: str, target: Target, extras: tuple[str, ...]) -> bool | None:
    from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName

    try:
        parsed = Marker(marker)
        answers = {
            any(parsed.evaluate({**environment, "extra": extra}) for extra in ("", *extras))
            for environment in _environments(target)
        }
    except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName, ValueError, KeyError, RecursionError):
        return None
    return answers.pop() if len(answers) == 1 else None


@lru_cache(maxsize=64)
def _environments(target: Target) -> tuple[dict[str, str], ...]:
    """The environments that the target may be: one for each Python, with a low and a high patch number."""
    os_name, sys_platform, system = _SYSTEMS.get(target.system, _SYSTEMS["linux"])
    same = {
        "implementation_name": "cpython",
        "os_name": os_name,
        "platform_machine": _MACHINES.get(target.platform, target.architecture),
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": system,
        "platform_version": "",
        "sys_platform": sys_platform,
    }
    return tuple(
        {**same, "implementation_version": full, "python_full_version": full, "python_version": _short(full)}
        for python in _pythons(target)
        for full in ((python,) if python.count(".") > 1 else (f"{python}.0", f"{python}.30"))
    )


def _short(python: str) -> str:
    return ".".join(python.split(".")[:2])


def _pythons(target: Target) -> tuple[str, ...]:
    if target.python is not None:
        return (target.python,)
    if not target.requires_python:
        return _PYTHONS
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        allowed = SpecifierSet(target.requires_python)
    except InvalidSpecifier:
        return _PYTHONS
    return tuple(python for python in _PYTHONS if f"{python}.30" in allowed or f"{python}.0" in allowed) or _PYTHONS
