"""Whether a build of TensorRT serves one thing (a GPU, a driver, a CUDA, a Python): for ``show --for`` and ``grid``."""

from __future__ import annotations

from collections.abc import Callable

from trtdoctor.matrix import cuda, gpus
from trtdoctor.matrix import tensorrt as releases
from trtdoctor.matrix.judgement import Judgement
from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import Fact, Row
from trtdoctor.record import record
from trtdoctor.versions import Answer, Version, VersionError

KEYS = ("gpu", "driver", "cuda", "python")
PLATFORMS = ("linux-x86_64", "linux-aarch64", "jetson", "windows-x86_64")
NO_BUILD = ("no-build", "other-platform")


class WantedError(ValueError):
    """What was asked for is not understood; the message is one line."""


@record
class Wanted:
    """One thing that a build is to serve."""

    key: str
    value: str
    """As judged: a compute capability or a version."""
    said: str
    """As the user said it, with what it was taken for."""


def wanted(matrix: Matrix, text: str) -> Wanted:
    """``gpu="RTX 5090"``, ``gpu=12.0``, ``driver=580.65``, ``cuda=12.6``, ``python=3.12``; raises WantedError."""
    key, equals, value = text.partition("=")
    value = value.strip()
    if key not in KEYS or not equals or not value:
        raise WantedError(f"wanted one of {', '.join(f'{name}=…' for name in KEYS)}, found {text[:60]!r}")
    if key == "gpu":
        if value in {row.key for row in matrix.rows("cuda", "architectures")}:
            return Wanted(key, value, f"compute capability {value}")
        row = gpus.find(matrix, value)
        capability = row.text("compute_capability") if row else None
        if capability is None:
            raise WantedError(f"no GPU {value[:60]!r}, or not one alone; its compute capability will do: gpu=8.6")
        return Wanted(key, capability, f"{row.key if row else value} (compute capability {capability})")
    try:
        version = Version(value)
    except VersionError as error:
        raise WantedError(str(error)) from None
    if key == "python" and version.minor is None:
        raise WantedError("python: wanted two numbers such as 3.12")
    return Wanted(key, value, f"{key} {version}")


def judge(matrix: Matrix, row: Row, flavour: str, what: Wanted, platform: str) -> Judgement:
    """Whether the build ``flavour`` of a release (``row``) serves ``what`` on ``platform``."""
    judges: dict[str, Callable[[], Judgement]] = {
        "gpu": lambda: releases.serves(row, what.value, flavour, platform),
        "driver": lambda: of_driver(matrix, row, flavour, Version.parse(what.value), platform),
        "cuda": lambda: of_cuda(row, flavour, Version.parse(what.value), platform),
        "python": lambda: releases.python_wheel(row, flavour, platform, Version.parse(what.value)),
    }
    found = judges[what.key]()
    if what.key != "gpu" and found.answer is Answer.YES and not has_build(row, flavour, platform):
        return Judgement(Answer.NO, f"there is no such build on {platform}", (), "no-build")
    return found


def that_serve(matrix: Matrix, file: str, wants: list[Wanted], platform: str) -> list[dict[str, str]]:
    """Every build of every release that serves, or may serve, all of ``wants`` on ``platform``, newest first.

    ``file`` is ``tensorrt`` or ``tensorrt-rtx``. Each entry has ``version``, ``status``, ``flavour``, ``answer``
    (``yes`` or ``unknown``) and ``why``.
    """
    found = []
    for row in releases.all_releases(matrix, "rtx" if file == "tensorrt-rtx" else "full"):
        for flavour in releases.flavours(row):
            judged = [judge(matrix, row, flavour, what, platform) for what in wants]
            answer = Answer.all(item.answer for item in judged)
            if answer is Answer.NO:
                continue
            open_ones = [item for item in judged if item.answer is Answer.UNKNOWN] or judged
            entry = {"version": row.key, "status": row.text("status") or "unknown", "flavour": flavour}
            why = "; ".join(_short(item.reason, row.key, flavour) for item in open_ones)
            found.append({**entry, "answer": answer.value, "why": why})
    return found


def _short(reason: str, version: str, flavour: str) -> str:
    """A reason in a table that names the release in every line already."""
    for words in (f" {version} for CUDA {flavour[2:]} ", f" {version} "):
        reason = reason.rpartition(words)[2] if words in reason else reason
    return reason


def of_driver(matrix: Matrix, row: Row, flavour: str, driver: Version, platform: str) -> Judgement:
    """Whether a driver is new enough: the release's own floor, else the floor of the CUDA major."""
    system = "windows" if platform.startswith("windows") else "linux"
    fact = releases.driver_floor(row, flavour, system) or _major_floor(matrix, row, flavour, system)
    floor = Version.maybe(fact.value) if fact else None
    if fact is None or floor is None:
        return Judgement(Answer.UNKNOWN, "no driver floor is known", (), "unknown")
    return Judgement(driver.at_least(floor), f"the floor is {floor}", (fact,), "floor")


def of_cuda(row: Row, flavour: str, version: Version, platform: str) -> Judgement:
    """Whether a build goes with a CUDA. Words: ``built``, ``tested``, ``minor`` (same major), ``other-major``."""
    built, tested = releases.built_with(row, flavour), releases.tested_toolkits(row, platform)
    if str(version.major) != flavour.removeprefix("cu"):
        return Judgement(Answer.NO, f"this build is for CUDA {flavour.removeprefix('cu')}", (), "other-major")
    wanted_minor = version.short(2)
    if built is not None and Version.parse(str(built.value)).short(2) == wanted_minor:
        return Judgement(Answer.YES, f"built with CUDA {wanted_minor}", (built,), "built")
    if tested is not None and wanted_minor in {Version.parse(item).short(2) for item in tested.value}:
        return Judgement(Answer.YES, f"the documents name CUDA {wanted_minor}", (tested,), "tested")
    if version.major < 11:
        return Judgement(Answer.UNKNOWN, "before CUDA 11 no minor stands in for another", (), "unknown")
    facts = tuple(fact for fact in (built, tested) if fact)
    return Judgement(Answer.YES, f"another minor of CUDA {version.major}: not tested", facts, "minor")


def has_build(row: Row, flavour: str, platform: str) -> bool:
    """Whether a release may have that build on a platform."""
    found: object = row.get("builds", flavour, "compute_capabilities", platform).value
    return found != releases.NOT_SUPPORTED


def _major_floor(matrix: Matrix, row: Row, flavour: str, system: str) -> Fact | None:
    number = Version.maybe(flavour.removeprefix("cu"))
    built = releases.built_with(row, flavour)
    if number is not None and number.major < 11 and built is not None:
        number = Version.maybe(built.value)
    return cuda.major_floor(matrix, number, system) if number else None


def branch(row: Row) -> Version:
    """The driver that stands for a branch: its newest, where that is known."""
    return Version.maybe(row.text("newest")) or Version.parse(f"{row.key}.999")


__all__ = [
    "KEYS",
    "PLATFORMS",
    "Wanted",
    "WantedError",
    "branch",
    "has_build",
    "judge",
    "of_cuda",
    "that_serve",
    "wanted",
]
