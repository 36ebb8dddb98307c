"""Programs that people use beside the libraries: whether they are there, and which TensorRT they load."""

from __future__ import annotations

from collections.abc import Iterable

from trtdoctor.findings import Remedy, Severity
from trtdoctor.matrix import frameworks, tools
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.loaded_files import place, three, version_of
from trtdoctor.rules.loader_words import loaded_fact
from trtdoctor.rules.processes import Process, processes
from trtdoctor.rules.releases import distribution_found, label, labels
from trtdoctor.snapshot import Loaded, Tool
from trtdoctor.stack import Installation
from trtdoctor.versions import Answer, Version

TRTEXEC, POLYGRAPHY = "trtexec", "polygraphy"
_PYTHON = ("tensorrt", "tensorrt_bindings")


@rule("TOL101", "trtexec-not-there", severity=Severity.ERROR, components=("tensorrt", "package"))
def trtexec_not_there(context: Context) -> Iterable[Problem]:
    """TensorRT is there, and trtexec is not.

    Why it matters: Guides build engines with trtexec. The wheels do not hold it; a Debian installation of the libraries
    alone does not either.

    Example: pip install tensorrt, then: trtexec: command not found.

    How to fix: Take trtexec from the archive, the package libnvinfer-bin or the container of the same release: an
    engine belongs to the release that built it. Or build with the Python API, or with polygraphy convert.

    Sources: install_114, trt_2780
    """
    wanted = context.wants(TRTEXEC)
    tool = tools.row(context.matrix, TRTEXEC)
    found = context.stack.builders
    if tool is None or not found or not _looked(context) or _tools(context, TRTEXEC):
        return
    by_pip = all(tools.comes_with(tool, item.origin) is Answer.NO for item in found)
    if not by_pip and not wanted:
        return  # who installed the libraries alone from a package knows why
    if context.snapshot.container is not None and not wanted and not by_pip:
        return
    fact = tool.get("not_brought_by" if by_pip else "package")
    how = "by pip, which does not bring it" if by_pip else "without it"
    yield Problem(
        Severity.ERROR if wanted else Severity.INFO,
        f"trtexec is not installed: {labels(list(found))} came {how}",
        breaks="trtexec: command not found. Python can build and run engines all the same.",
        facts=tuple(item.found() for item in found),
        sources=(fact,),
        remedy=_bring_trtexec(context, found[0], str(tool.get("package").value)),
    )


@rule(
    "TOL102",
    "trtexec-loads-other-tensorrt",
    severity=Severity.WARNING,
    components=("tensorrt", "loader"),
    silenced_by=("LDR201",),
)
def trtexec_other_tensorrt(context: Context) -> Iterable[Problem]:
    """Trtexec loads another TensorRT release than Python does.

    Why it matters: An engine is loaded only by the release that built it, unless it was built to be version-compatible.
    What trtexec builds then fails in Python with "Version tag does not match", though both print a version that looks
    right.

    Example: trtexec of the Debian packages (10.3) beside tensorrt 10.9 from pip.

    How to fix: Install both of one release, or build and run with the same one.

    Sources: https://github.com/NVIDIA/TensorRT/issues/2041, https://github.com/NVIDIA/TensorRT/issues/3898,
    https://github.com/NVIDIA/TensorRT/issues/2544
    """
    program = _process(context, (TRTEXEC,))
    python = _process(context, _PYTHON)
    one, other = _nvinfer(program), _nvinfer(python)
    if program is None or python is None or one is None or other is None or place(one) == place(other):
        return
    here, there = version_of(context, one), version_of(context, other)
    if here is None or there is None or here.may_be(there) or three(here).may_be(three(there)):
        return
    yield Problem(
        Severity.WARNING,
        f"trtexec loads TensorRT {here}, Python loads {there}",
        breaks="Engines that trtexec builds do not load in Python: Version tag does not match.",
        facts=(loaded_fact(context, program, one), loaded_fact(context, python, other)),
        remedy=Remedy(
            "tensorrt", "choose", None, f"Make trtexec and the Python package one release: {there} or {here}."
        ),
    )


@rule("TOL201", "polygraphy-without-tensorrt", severity=Severity.WARNING, components=("tensorrt", "package"))
def polygraphy_without_tensorrt(context: Context) -> Iterable[Problem]:
    """Polygraphy is installed in a Python that has no tensorrt to import.

    Why it matters: Polygraphy brings no TensorRT: its metadata requires nothing, and it imports tensorrt only when
    asked to build or run with it. What a program in /usr/bin or another Python has is no help.

    Example: polygraphy convert model.onnx -o model.plan: ModuleNotFoundError: No module named 'tensorrt'.

    How to fix: Install the tensorrt package in the same Python; inspecting models and running them in onnxruntime
    works without.

    Sources: polygraphy_wheel, polygraphy_wheels
    """
    dist = context.stack.distributions.get(POLYGRAPHY)
    tool = tools.row(context.matrix, POLYGRAPHY)
    if dist is None or tool is None or context.stack.jetson or not _read_whole(context):
        return
    if not context.stack.builders:
        return  # that no TensorRT is there at all is said elsewhere
    if any("tensorrt" in name for name in context.stack.distributions) or _process(context, _PYTHON) is not None:
        return
    yield Problem(
        Severity.WARNING if context.wants(POLYGRAPHY) else Severity.INFO,
        f"polygraphy {dist.version or ''} is installed where Python has no tensorrt".replace("  ", " "),
        breaks="polygraphy cannot build or run engines there: No module named 'tensorrt'.",
        facts=(distribution_found(dist), *(item.found() for item in context.stack.builders[:2])),
        sources=(tool.get("imports"),),
        remedy=_python_bindings(context.stack.builders),
    )


@rule(
    "TOL202",
    "polygraphy-and-tensorrt-rtx",
    severity=Severity.WARNING,
    components=("tensorrt-rtx", "package"),
)
def polygraphy_rtx(context: Context) -> Iterable[Problem]:
    """The only TensorRT in polygraphy's Python is TensorRT for RTX, which polygraphy does not use by itself.

    Why it matters: Polygraphy imports tensorrt. From 0.49.24 on it takes tensorrt_rtx instead when it is told to by a
    variable; older ones know nothing of it.

    Example: polygraphy run model.onnx --trt with tensorrt-rtx alone: No module named 'tensorrt'.

    How to fix: Set POLYGRAPHY_USE_TENSORRT_RTX=1 (with an older one: upgrade it first).

    Sources: polygraphy_wheels, https://github.com/yuvraj108c/ComfyUI-Upscaler-Tensorrt/pull/82
    """
    dist = context.stack.distributions.get(POLYGRAPHY)
    tool = tools.row(context.matrix, POLYGRAPHY)
    names = context.stack.distributions
    version = Version.maybe(dist.version) if dist else None
    if dist is None or tool is None or version is None or not any("tensorrt-rtx" in name for name in names):
        return
    if any("tensorrt" in name and "rtx" not in name for name in names) or _process(context, _PYTHON) is not None:
        return
    answer, fact = tools.understands_rtx(tool, version)
    setting = tool.text("rtx_setting")
    if answer is Answer.UNKNOWN or (answer is Answer.YES and context.snapshot.setting(setting or "") == "1"):
        return
    meant = context.wants(POLYGRAPHY)
    if answer is Answer.YES:
        text = f"Set {setting}=1 before polygraphy is started."
        yield Problem(
            Severity.WARNING if meant else Severity.INFO,
            f"polygraphy {version} uses TensorRT for RTX only when {setting}=1 is set",
            breaks="Without it polygraphy asks for the module tensorrt, which is not there.",
            facts=(distribution_found(dist), *(item.found() for item in context.stack.rtxs[:1])),
            sources=(fact,),
            remedy=Remedy("tensorrt-rtx", "change-code", reason=text, details=(("text", text),)),
        )
        return
    yield Problem(
        Severity.WARNING if meant else Severity.INFO,
        f"polygraphy {version} does not know TensorRT for RTX, the only TensorRT in this Python",
        breaks="polygraphy cannot build or run engines here: No module named 'tensorrt'.",
        facts=(distribution_found(dist), *(item.found() for item in context.stack.rtxs[:1])),
        sources=(fact,),
        remedy=Remedy("polygraphy", "upgrade", f">={fact.value}", "it takes TensorRT for RTX when it is told to"),
    )


@rule("TOL203", "polygraphy-older-than-tensorrt", severity=Severity.WARNING, components=("tensorrt", "package"))
def polygraphy_older(context: Context) -> Iterable[Problem]:
    """Polygraphy is older than the TensorRT major that it is to build with.

    Why it matters: Each TensorRT major removes calls of the one before. A polygraphy that was written for the older
    major uses them.

    Example: polygraphy 0.49.26 with TensorRT 11.

    How to fix: Upgrade polygraphy.

    Sources: polygraphy_wheel, oss_tags
    """
    dist = context.stack.distributions.get(POLYGRAPHY)
    version = Version.maybe(dist.version) if dist else None
    majors = {item.major for item in context.stack.builders}
    if dist is None or version is None or not majors or None in majors:
        return
    row = frameworks.row(context.matrix, POLYGRAPHY, version)
    fact = row.get("builds_on_tensorrt") if row else None
    if fact is None or not fact.known or not str(fact.value).isdecimal():
        return
    if all(major is not None and major > int(fact.value) for major in majors):
        yield Problem(
            Severity.WARNING if context.wants(POLYGRAPHY) else Severity.INFO,
            f"polygraphy {version} was written for TensorRT {fact.value} at most; found is "
            f"{labels(list(context.stack.builders))}",
            breaks="polygraphy may stop at a call that this TensorRT has no more.",
            facts=(distribution_found(dist), *(item.found() for item in context.stack.builders[:2])),
            sources=(fact,),
            remedy=Remedy("polygraphy", "upgrade", None, "a newer one knows this TensorRT"),
        )


# -- what the rules share ----------------------------------------------------------------------------------------------


def _tools(context: Context, name: str) -> tuple[Tool, ...]:
    return tuple(item for item in context.snapshot.tools if item.name == name)


def _looked(context: Context) -> bool:
    """Whether programs were looked for, so that their absence is a fact."""
    return any(item.name == "tools" and item.outcome == "ok" for item in context.snapshot.probes)


def _read_whole(context: Context) -> bool:
    """Whether the packages of the judged Python are all known."""
    found = next((item for item in context.snapshot.probes if item.name == "python"), None)
    return context.snapshot.kind == "live" and found is not None and found.outcome == "ok"


def _process(context: Context, names: tuple[str, ...]) -> Process | None:
    return next((item for item in processes(context) if item.single and item.importer in names), None)


def _nvinfer(process: Process | None) -> Loaded | None:
    found = (item for item in (process.loaded if process else ()) if item.library in ("libnvinfer", "nvinfer"))
    return next(found, None)


def _bring_trtexec(context: Context, item: Installation, package: str) -> Remedy:
    version = f"=={item.version.short(3)}" if item.version else None
    where = f"of {label(item)}" if item.version else "of the same release"
    if context.stack.jetson or item.origin == "apt":
        text = f"Install the package {package} {where}: trtexec lies in /usr/src/tensorrt/bin."
    else:
        text = (
            f"Take trtexec from the archive or the container {where}, or the package {package}; "
            "or build with the Python API or polygraphy convert."
        )
    return Remedy("tensorrt", "choose", version, text)


def _python_bindings(builders: tuple[Installation, ...]) -> Remedy:
    versions = {item.version.short(3) for item in builders if item.version}
    wanted = f"=={versions.pop()}" if len(versions) == 1 else None
    return Remedy("tensorrt", "install", wanted, "polygraphy imports it from its own Python", ())
