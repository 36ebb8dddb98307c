"""``--redact``: what a Snapshot says of people and places taken out, by the type of a field, never by its text."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import Any

from trtdoctor.snapshot import Snapshot

_SYSTEM_ROOTS = ("/usr/", "/lib/", "/lib64/", "/opt/nvidia/", "/etc/", "/dev/", "/proc/", "/sys/", "/run/nvidia", "<")
_NOT_SYSTEM = ("/usr/home/", "/dev/shm/")  # noqa: S108  (only compared with)
_TELLS_NOTHING = re.compile(
    r"|lib(?:32|64)?|bin|include|targets|stubs|compat|nvidia|cu\d\d|[a-z0-9_]+-linux(?:-gnu)?|(?:site|dist)-packages"
    r"|(?:python|pypy)(?:\d(?:\.\d+)?)?[mt]?|lib[\w.+-]+\.so(?:\.\d+)*|NvInferVersion\.h|cudnn_version\.h"
)
"""Parts of a path that are the same on everybody's machine."""
_SEPARATORS = re.compile(r"([:;\s])")
_LOG_SEPARATORS = re.compile(r"([\s'\"`()\[\]{},;:=]+)")
_PATHS = re.compile(r".*(?:PATH|HOME|ROOT|PREFIX|DIRECTORY|VIRTUAL_ENV|LD_PRELOAD)")
"""Variables whose values are paths, also when there is no slash in them."""
_DEVICE_LISTS = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_MIG_CONFIG_DEVICES")
"""Variables whose values may hold UUIDs of devices."""
_VENDOR = ("nvcr.io", ".nvidia.com", ".nvidia.cn")
"""Hosts, or ends of their names, that say nothing of whoever asks them."""
_OPEN_DEVICES = frozenset(("", "all", "none", "void", "NoDevFiles"))


def _hide_devices(value: str) -> str:
    """A list of devices: indices and fixed words stay, everything else (UUIDs) goes; how many there are stays."""

    def hide(token: str) -> str:
        word = token.strip()
        if word in _OPEN_DEVICES or word.lstrip("+-").replace(":", "").isdecimal():
            return word
        return next((f"{kind}-<hidden>" for kind in ("GPU", "MIG") if word.startswith(f"{kind}-")), "<hidden>")

    return ",".join(hide(token) for token in value.split(","))


def redact(snapshot: Snapshot) -> Snapshot:
    """A copy without UUIDs, PCI ids, free messages, and private paths.

    A private directory becomes ``<dir1>``, ``<dir2>``, …, a host of a mirror ``<host1>``: the same one always the same
    word, so that verdicts that compare directories stay what they were.
    """
    result: Snapshot = _Walk().value(snapshot)
    return replace(result, redacted=True)


class _Walk:
    """One walk through a Snapshot; remembers which directory became which word."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        self.hosts: dict[str, str] = {}

    def value(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(self.value(item) for item in value)
        if not hasattr(value, "__dataclass_fields__"):
            return value
        changed: dict[str, Any] = {}
        for spec in fields(value):
            current = getattr(value, spec.name)
            private = spec.metadata.get("private")
            if private is None or current is None:
                changed[spec.name] = self.value(current)
            elif private == "setting":
                changed[spec.name] = self.setting(value.name, current)
            elif private == "log":
                changed[spec.name] = self.parts(_LOG_SEPARATORS, current)
            elif private == "address":
                changed[spec.name] = self.address(current)
            else:
                changed[spec.name] = _hide_one(current, self.known) if private == "path" else None
        return replace(value, **changed)

    def address(self, value: str) -> str:
        """An address, or a host alone, as ``<host1>``: the same host always the same word. NVIDIA's own stay."""
        scheme, mark, rest = value.partition("://")
        host = (rest if mark else value).partition("/")[0]
        name = host.partition(":")[0].lower()
        if name == _VENDOR[0] or name.endswith(_VENDOR[1:]):
            return value
        word = self.hosts.setdefault(host, f"<host{len(self.hosts) + 1}>")
        return f"{scheme}://{word}" if mark else word

    def setting(self, name: str, value: str) -> str:
        if name in _DEVICE_LISTS:
            return _hide_devices(value)
        return self.parts(_SEPARATORS, value, relative=bool(_PATHS.fullmatch(name)))

    def parts(self, separators: re.Pattern[str], text: str, *, relative: bool = False) -> str:
        parts = separators.split(text)
        parts[::2] = [_hide_one(part, self.known) if relative or _is_path(part) else part for part in parts[::2]]
        return "".join(parts)


def _is_path(text: str) -> bool:
    return "/" in text or "\\" in text


def _hide_one(path: str, known: dict[str, str]) -> str:
    """One path; only its end stays, as far as it tells nothing: ``<dir1>/lib/libnvinfer.so.10``."""
    if any(mark in f"{path}/" for mark in ("/../", "/./", "//")):
        import posixpath

        path = posixpath.normpath(path) if path else path
    if f"{path}/".startswith(_SYSTEM_ROOTS) and not path.startswith(_NOT_SYSTEM):
        return path
    parts = path.replace("\\", "/").split("/")
    kept = len(parts)
    while kept and _TELLS_NOTHING.fullmatch(parts[kept - 1]):
        kept -= 1
    # What lies in a directory of packages is called as packages are.
    for number, part in enumerate(parts[:kept]):
        if part in ("site-packages", "dist-packages"):
            kept = number
            while kept and _TELLS_NOTHING.fullmatch(parts[kept - 1]):
                kept -= 1
            break
    head = "/".join(parts[:kept])
    if not head:
        return path
    if head not in known:
        known[head] = f"<dir{len(known) + 1}>"
    return "/".join([known[head], *parts[kept:]])
