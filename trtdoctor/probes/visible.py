"""What CUDA_VISIBLE_DEVICES leaves visible. Pure.

Sources: CUDA programming guide, "CUDA Environment Variables"; what the guide leaves open was measured with driver
580.159.04 on two H200 (tests/data/visible_devices.yaml).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from trtdoctor.record import record


@record
class Device:
    """One GPU in NVML's order, which is the order of PCI bus ids."""

    name: str | None
    uuid: str | None
    """``GPU-…``."""
    mig: bool | None = None
    instances: tuple[str, ...] = ()
    """UUIDs of its MIG instances, ``MIG-…``."""


def visible_devices(devices: Sequence[Device], value: str | None, order: str | None) -> list[bool | None]:
    """For each device: whether a CUDA process sees it; None when the variable does not tell.

    ``value`` is CUDA_VISIBLE_DEVICES (None when not set), ``order`` is CUDA_DEVICE_ORDER. A list holds indices, or
    beginnings of GPU UUIDs, or MIG UUIDs; it ends at the first entry that names no device or is of another kind than
    the first one. A device that is named twice makes cuInit fail. An index counts in NVML's order only when the order
    is PCI_BUS_ID or when there is but one kind of GPU: else the fastest comes first.
    """
    if value is None:
        return [True] * len(devices)
    unknown: list[bool | None] = [None] * len(devices)
    shown: list[bool | None] = [False] * len(devices)
    entries = [part.strip() for part in value.split(",")]
    kind = _kind(entries[0])
    for entry in entries if kind else ():
        if _kind(entry) != kind:
            # Of lists that mix MIG UUIDs with others it is not known what they mean.
            if "MIG" in (kind, _kind(entry)):
                return unknown
            break
        matches = _by_index(devices, entry, order) if kind == "index" else _by_uuid(devices, entry)
        if matches is None:
            return unknown
        if not matches:
            break
        if kind != "MIG" and shown[matches[0]]:
            return [False] * len(devices)
        shown[matches[0]] = True
    return shown


def _kind(entry: str) -> str:
    """``index``, ``GPU``, ``MIG`` or, for what names no device, nothing."""
    if re.match(r"[+-]?[0-9]", entry):
        return "index"
    return next((kind for kind in ("GPU", "MIG") if entry.startswith(f"{kind}-")), "")


def _by_index(devices: Sequence[Device], entry: str, order: str | None) -> list[int] | None:
    """Like :func:`_by_uuid`. As C's strtol does, what follows the digits is passed over."""
    digits = re.match(r"[+-]?[0-9]+", entry)
    if digits is None or len(digits[0]) > 9:
        return None  # it wraps around at some width
    index = int(digits[0])
    if not 0 <= index < len(devices):
        return []
    # With MIG on, an index counts instances in a way that depends on the driver.
    if any(device.mig for device in devices) or not _counts_alike(devices, order):
        return None
    return [index]


def _counts_alike(devices: Sequence[Device], order: str | None) -> bool:
    if order == "PCI_BUS_ID" or len(devices) == 1:
        return True
    return len({device.name for device in devices}) == 1 and devices[0].name is not None


def _by_uuid(devices: Sequence[Device], entry: str) -> list[int] | None:
    """Index of the one device that ``entry`` means, empty when there is none; None when that cannot be told."""
    if entry.startswith("MIG-GPU-"):  # before R470: MIG-<UUID of the GPU>/<GPU instance>/<compute instance>
        whole = entry.removeprefix("MIG-").partition("/")[0]
        matches = [number for number, device in enumerate(devices) if device.mig and device.uuid == whole]
    elif entry.startswith("MIG-"):
        matches = [number for number, device in enumerate(devices) if entry in device.instances]
    elif entry == "GPU-":
        return []
    else:
        matches = [number for number, device in enumerate(devices) if _begins(device.uuid, entry)]
    if len(matches) > 1 or (not matches and any(device.uuid is None for device in devices)):
        return None
    return matches


def _begins(uuid: str | None, entry: str) -> bool:
    """Whether ``entry`` is the beginning of ``uuid``, or all of it and more; digits of either case."""
    if not uuid:
        return False
    uuid, entry = uuid.lower(), entry.lower()
    return uuid.startswith(entry) or entry.startswith(uuid)
