"""What an importer was made for and what it was to get: its distribution, its release, its pins. No rule is here."""

from __future__ import annotations

import re

from trtdoctor.lazyre import pattern
from trtdoctor.rules.base import Context
from trtdoctor.rules.loaded_files import alike, component_of, copy_of, major_of
from trtdoctor.rules.processes import Process
from trtdoctor.rules.releases import known_spec, tensorrt_distributions
from trtdoctor.snapshot import Copy, Distribution, Loaded
from trtdoctor.versions import Version

_REQUIREMENT = pattern(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*\(?([^;()]*)\)?\s*(?:;(.*))?")
_PIN = pattern(r"==\s*([0-9][0-9A-Za-z.+]*?)(?:\.\*)?\s*")


def distribution_of(context: Context, process: Process) -> Distribution | None:
    """The distribution that brought the importer, where the judged Python has it."""
    name = (process.owner or "").partition(" ")[0]
    return context.stack.distributions.get(name)


def made_for(context: Context, process: Process) -> Version | None:
    """The TensorRT release that an importer of TensorRT's was made for: that of its bindings, else of its owner."""
    if process.kind == "import":
        product = {"tensorrt_lean": "lean", "tensorrt_dispatch": "dispatch", "tensorrt_rtx": "rtx"}.get(
            process.importer, "full"
        )
        of_bindings = {
            Version.maybe(dist.version)
            for dist, spec in tensorrt_distributions(context)
            if spec.product == product and spec.part.endswith("bindings") and dist.has_libraries is not False
        }
        if len(of_bindings) == 1:
            return of_bindings.pop()
    name, _, version = (process.owner or "").partition(" ")
    return Version.maybe(version) if "tensorrt" in name or "nvinfer" in name else None


def requirements(dist: Distribution, *, extras: bool = False) -> dict[str, Version | None]:
    """What a distribution requires, by normalised name, with the version that it pins; of extras only where asked."""
    found: dict[str, Version | None] = {}
    for text in dist.requires:
        match = _REQUIREMENT.fullmatch(text)
        if match is None or ("extra" in (match[3] or "") and not extras):
            continue
        pin = _PIN.fullmatch(match[2].strip())
        found[re.sub(r"[-_.]+", "-", match[1]).lower()] = Version.maybe(pin[1]) if pin else None
    return found


def _brought_along(context: Context, dist: Distribution) -> dict[str, Version | None]:
    """All that a distribution requires, with what those require in turn that are installed: torch's cuda-toolkit."""
    found = requirements(dist)
    waiting = list(found)
    while waiting:
        inner = context.stack.distributions.get(waiting.pop())
        for name, version in requirements(inner, extras=True).items() if inner is not None else ():
            if name not in found:
                found[name] = version
                waiting.append(name)
    return found


def brought_for(context: Context, process: Process, item: Loaded) -> tuple[Version, str, Copy | None] | None:
    """What a Python importer was to get instead: the version, in words whence, and the file where there is one.

    That is the library of this name of a wheel that the importer's own requires, else the version that it pins.
    """
    dist = distribution_of(context, process)
    component = component_of(context, item)
    if dist is None or component is None or process.kind != "import":
        return None
    mine = copy_of(context, item)
    if mine is not None and (mine.owner or "").partition(" ")[0] in context.stack.distributions:
        return None  # it comes from a wheel of this Python
    wanted = context.remember(f"brought along by {dist.name}", lambda: _brought_along(context, dist))
    for copy in alike(context, item):
        name = (copy.owner or "").partition(" ")[0]
        version = Version.maybe(copy.version)
        if name in wanted and name in context.stack.distributions and version is not None:
            return version, f"its wheel {name}", copy
    for name, pinned in wanted.items():
        spec = known_spec(context.matrix, name)
        fits = spec is not None and spec.component == component
        if fits and pinned is not None and pinned.major == major_of(context, item):
            return pinned, f"its pin {name}=={pinned}", None
    return None
