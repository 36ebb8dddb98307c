"""Whether wheels of a TensorRT exist for the judged Python and platform: shared by several families."""

from __future__ import annotations

from trtdoctor.matrix import Fact
from trtdoctor.record import record
from trtdoctor.rules.base import Context
from trtdoctor.rules.releases import candidates, platforms_of, tensorrt_distributions
from trtdoctor.snapshot import Distribution
from trtdoctor.stack import Installation, Stack
from trtdoctor.versions import Answer, Version


def python_tag(context: Context) -> str | None:
    """``cp310`` of the judged Python; None when its minor is not known or it is no CPython."""
    found = context.stack.interpreter
    version = Version.maybe(found.version) if found else None
    if found is None or version is None or version.minor is None:
        return None
    if found.implementation not in (None, "cpython", "CPython"):
        return None
    if found.abi and found.abi.startswith("cp"):
        return found.abi.rstrip("m")  # cp36m is cp36 in the matrix
    return f"cp{version.major}{version.minor}"


def tags_for(wheels: dict[str, object], platform: str) -> list[str]:
    """The platform tags of published wheels that an installer takes on ``platform``."""
    if platform == "windows-x86_64":
        return [tag for tag in wheels if tag == "win_amd64"]
    if platform.startswith("windows-"):
        return [tag for tag in wheels if tag == f"win_{platform[8:]}"]
    if platform == "jetson":
        return [tag for tag in wheels if tag.startswith("manylinux") and tag.endswith("_aarch64")]
    if platform.startswith("linux-"):
        return [tag for tag in wheels if tag.startswith("manylinux") and tag.endswith("_" + platform[6:])]
    return []


@record
class Wheels:
    """Whether wheels of a release exist for an environment."""

    platform: Answer
    python: Answer
    pythons: tuple[str, ...]
    """Python tags that there are for the platform (for any platform, where there is none for this one)."""
    tags: tuple[str, ...]
    """Platform tags that an installer would take here."""
    facts: tuple[Fact, ...]


def wheels_for(context: Context, item: Installation) -> Wheels:
    """Whether a wheel of this TensorRT exists for the judged Python and platform."""
    places: list[Answer] = []
    pythons: list[Answer] = []
    offered: dict[str, None] = {}
    tags: dict[str, None] = {}
    facts: list[Fact] = []
    wanted = python_tag(context)
    for row, flavour in candidates(context, item):
        fact = row.get("builds", flavour, "wheels")
        facts.append(fact)
        if not isinstance(fact.value, dict):
            places.append(Answer.UNKNOWN)
            pythons.append(Answer.UNKNOWN)
            continue
        for platform in platforms_of(context.stack) or (_stated(context.stack),):
            fitting = tags_for(fact.value, platform)
            places.append(Answer.of(bool(fitting)))
            there = [python for tag in fitting or fact.value for python in listed(fact.value[tag])]
            offered.update(dict.fromkeys(there))
            tags.update(dict.fromkeys(fitting))
            pythons.append(Answer.of(wanted in there) if wanted else Answer.UNKNOWN)
    return Wheels(Answer.agreed(places), Answer.agreed(pythons), tuple(offered), tuple(tags), tuple(facts))


def _stated(stack: Stack) -> str:
    return f"{stack.snapshot.platform.system}-{stack.snapshot.platform.architecture}"


def glibc_of(tag: str) -> Version | None:
    """The oldest glibc that a platform tag is for: 2.28 for ``manylinux_2_28_x86_64``; None for other tags."""
    words = tag.split("_")
    if words[0] != "manylinux" or not (words[1].isdecimal() and words[2].isdecimal()):
        return None
    return Version.parse(f"{words[1]}.{words[2]}")


def listed(value: object) -> list[str]:
    """A list of the matrix as texts; empty for anything else."""
    return [str(item) for item in value] if isinstance(value, list) else []


def pip_subjects(context: Context) -> list[Installation]:
    """The TensorRTs that pip brought or is to bring, and whose files were not found: wheels must exist for them.

    What is on disk needs no wheel any more.
    """
    found = [item for item in context.stack.builders if item.origin == "pip" and item.version and not item.directory]
    if found or any(item.directory for item in context.stack.builders):
        return found
    for dist, spec in tensorrt_distributions(context):
        version = Version.maybe(dist.version)
        meta = spec.product == "full" and spec.part == "meta" and spec.real != "placeholder"
        if meta and version and dist.has_libraries is not True:
            found.append(_pip_installation(version, spec.flavour, dist))
    return found


def _pip_installation(version: Version, flavour: str | None, dist: Distribution) -> Installation:
    owner = f"{dist.name} {dist.version}"
    return Installation("tensorrt", version, "full", flavour, "pip", None, None, owner, "wheel", ())
