"""What the matrix says of TensorRT and TensorRT for RTX: releases, builds, calls, known-bad releases.

``product`` is ``"full"`` for TensorRT (lean and dispatch runtimes are parts of the same release) and ``"rtx"`` for
TensorRT for RTX. ``flavour`` is the CUDA major of a build (``"cu12"``), ``platform`` a platform of the matrix
(``"linux-x86_64"``), a compute capability is a text such as ``"8.6"``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trtdoctor.lazyre import pattern
from trtdoctor.matrix.judgement import Judgement
from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import UNKNOWN, Fact, Row
from trtdoctor.record import record
from trtdoctor.versions import Answer, Version, within

NONE = "none"
"""The matrix's word for "there is none", which is not the same as unknown."""
NOT_SUPPORTED = "not-supported"
"""The matrix's word for a platform that a build does not exist for."""
INSTALLABLE = frozenset({"ga"})
"""States of a release that a remedy may name."""

_ARM_ONLY = frozenset({"5.3", "6.2", "7.2", "8.7", "10.1", "11.0", "12.1"})
"""Compute capabilities of integrated GPUs: Jetson, DRIVE, DGX Spark."""
_WHEEL_TAGS = {"linux-x86_64": "x86_64", "linux-aarch64": "aarch64", "jetson": "aarch64", "windows-x86_64": "win_amd64"}


# -- releases ----------------------------------------------------------------------------------------------------------
def releases(matrix: Matrix, version: Version, product: str = "full", platform: str | None = None) -> list[Row]:
    """The releases that ``version`` may be, newest first: one for 10.9.0.34, several for 8.6, none if not known.

    With ``platform``, releases that have no build for it (JetPack's own on a server) are left out, unless none is left.
    """
    wanted = Version.parse(version.short(3))
    found = [row for row in all_releases(matrix, product) if Version.parse(row.key).may_be(wanted)]
    if platform is None:
        return found
    return [row for row in found if _has_build(row, platform)] or found


def release(matrix: Matrix, version: Version, product: str = "full") -> Row | None:
    """The one release that ``version`` is; None when several fit or none is known."""
    found = releases(matrix, version, product)
    return found[0] if len(found) == 1 else None


def all_releases(matrix: Matrix, product: str = "full") -> list[Row]:
    """Every release of the product, newest first."""
    return matrix.rows(_file(product), "releases")


def newest_of_major(matrix: Matrix, major: int, product: str = "full") -> Row | None:
    """The newest general release of a major; None when there is none."""
    for row in all_releases(matrix, product):
        if Version.parse(row.key).major == major and row.get("status").value in INSTALLABLE:
            return row
    return None


def newer_than_matrix(matrix: Matrix, version: Version, product: str = "full") -> bool:
    """Whether ``version`` is surely newer than every release of the matrix."""
    newest = Version.parse(all_releases(matrix, product)[0].key)
    wanted = version.parts[:3]
    return wanted > newest.parts[: len(wanted)]


def major_row(matrix: Matrix, version: Version, product: str = "full") -> Row | None:
    """What holds for the whole major of ``version``: for releases that the matrix does not list."""
    return next((row for row in matrix.rows(_file(product), "majors") if row.key == str(version.major)), None)


def flavours(row: Row) -> tuple[str, ...]:
    """The CUDA flavours that a release was published for; for a major, those of any release of it. Newest first."""
    builds = row.get("builds").value
    if isinstance(builds, dict):
        return tuple(builds)
    listed = row.get("flavours").value
    return tuple(reversed(listed)) if isinstance(listed, list) else ()


def default_flavour(row: Row) -> Fact | None:
    """The flavour that the meta package resolves to; value ``"none"`` when there is no meta package."""
    return _known(row.get("default_flavour"), none=True)


def built_with(row: Row, flavour: str) -> Fact | None:
    """The CUDA toolkit that a build was made with, such as ``"12.8"``."""
    return _known(row.get("builds", flavour, "built_with"))


def tested_toolkits(row: Row, platform: str) -> Fact | None:
    """The CUDA minors that the documents name for a release on a platform: tested with, never a limit."""
    fact = row.get("cuda", platform)
    return fact if isinstance(fact.value, list) else None


def _has_build(row: Row, platform: str) -> bool:
    tables = [row.get("builds", flavour, "compute_capabilities", platform).value for flavour in flavours(row)]
    return not tables or any(table != NOT_SUPPORTED for table in tables)


# -- compute capabilities ----------------------------------------------------------------------------------------------
def serves(row: Row, capability: str, flavour: str | None = None, platform: str | None = None) -> Judgement:
    """Whether a release serves a compute capability.

    What is not stated counts in favour: without a platform the best served of x86-64 Linux and Windows decides (of the
    Arm ones for what only they have), without a flavour one flavour that serves is enough (word ``some-flavours`` when
    another does not). Words: ``supported``, ``some-flavours``,
    ``not-supported``, ``no-build`` (no such build for that platform), ``unconfirmed`` (the sources are silent or
    disagree), ``no-flavour`` (never published for that CUDA major), ``unknown``. Only the first two are YES, only
    ``not-supported`` and ``no-build`` are NO.
    """
    known = flavours(row)
    if not known:
        return Judgement(Answer.UNKNOWN, f"the builds of {_name(row)} are not known", (row.get("builds"),), "unknown")
    if flavour is not None and flavour not in known:
        reason = f"{_name(row)} was not published for {_cuda(flavour)}"
        return Judgement(Answer.UNKNOWN, reason, (row.get("builds"),), "no-flavour")
    judged = [(item, _serves(row, capability, item, platform)) for item in ([flavour] if flavour else known)]
    best = _best(item for _, item in judged)
    if best.answer is Answer.YES and any(item.answer is Answer.NO for _, item in judged):
        serving = [name for name, item in judged if item.answer is Answer.YES]
        reason = (
            f"{_name(row)} serves {capability} only in its build for {' and '.join(_cuda(name) for name in serving)}"
        )
        return Judgement(Answer.YES, reason, best.facts, "some-flavours")
    return best


def serves_version(
    matrix: Matrix,
    version: Version,
    capability: str,
    *,
    flavour: str | None = None,
    platform: str | None = None,
    product: str = "full",
) -> Judgement:
    """:func:`serves` for every release that ``version`` may be: UNKNOWN (word ``partial``) where they differ.

    A release without such a build cannot be the one meant and does not count while another is left. For a release that
    the matrix does not list, the floor of its major can still say NO (word ``below-major``).
    """
    every = [serves(row, capability, flavour, platform) for row in releases(matrix, version, product)]
    published = [item for item in every if item.word != "no-flavour"]
    judged = [item for item in published if item.word != "no-build"] or published or every
    if judged:
        answer = Answer.agreed(item.answer for item in judged)
        if len(judged) == 1 or answer is not Answer.UNKNOWN:
            return judged[0]
        facts = tuple(fact for item in judged for fact in item.facts)
        if all(item.answer is Answer.UNKNOWN for item in judged):
            return Judgement(answer, judged[0].reason, facts, judged[0].word)
        return Judgement(answer, f"not every release that {version} may be serves {capability}", facts, "partial")
    major = major_row(matrix, version, product)
    floor = _known(major.get("minimum_compute_capability")) if major else None
    if floor is None:
        return Judgement(Answer.UNKNOWN, f"TensorRT {version} is not in the matrix", (), "unknown")
    if Version.parse(capability).below(Version.parse(floor.value)) is Answer.YES:
        reason = f"TensorRT {version.major} serves nothing below {floor.value}"
        return Judgement(Answer.NO, reason, (floor,), "below-major")
    return Judgement(Answer.UNKNOWN, f"TensorRT {version} is not in the matrix", (floor,), "unknown")


def newest_serving(
    matrix: Matrix, capability: str, *, flavour: str | None = None, platform: str | None = None, product: str = "full"
) -> Row | None:
    """The newest general release that serves a compute capability; None when there is none."""
    return next(_serving(all_releases(matrix, product), capability, flavour, platform), None)


def oldest_serving(
    matrix: Matrix, capability: str, *, flavour: str | None = None, platform: str | None = None, product: str = "full"
) -> Row | None:
    """The oldest general release that serves a compute capability; None when there is none."""
    return next(_serving(reversed(all_releases(matrix, product)), capability, flavour, platform), None)


def _serving(rows: Iterable[Row], capability: str, flavour: str | None, platform: str | None) -> Iterator[Row]:
    for row in rows:
        if row.get("status").value in INSTALLABLE and serves(row, capability, flavour, platform).answer is Answer.YES:
            yield row


def _serves(row: Row, capability: str, flavour: str, platform: str | None) -> Judgement:
    if platform is not None:
        return _serves_on(row, capability, flavour, platform)
    usual = ("jetson", "linux-aarch64") if capability in _ARM_ONLY else ("linux-x86_64", "windows-x86_64")
    return _best(_serves_on(row, capability, flavour, name) for name in usual)


def _serves_on(row: Row, capability: str, flavour: str, platform: str) -> Judgement:
    fact = row.get("builds", flavour, "compute_capabilities", platform)
    build = f"{_name(row)} for {_cuda(flavour)}"
    if fact.value == NOT_SUPPORTED:
        return Judgement(Answer.NO, f"there is no {build} on {platform}", (fact,), "no-build")
    if not isinstance(fact.value, dict):
        return Judgement(Answer.UNKNOWN, f"what {build} serves on {platform} is not known", (fact,), "unknown")
    if capability in fact.value.get("supported", ()):
        return Judgement(Answer.YES, f"{build} serves {capability}", (fact,), "supported")
    if capability in fact.value.get("unconfirmed", ()):
        return Judgement(Answer.UNKNOWN, f"no source confirms that {build} serves {capability}", (fact,), "unconfirmed")
    return Judgement(Answer.NO, f"{build} does not serve {capability}", (fact,), "not-supported")


def _best(judged: Iterable[Judgement]) -> Judgement:
    """The most favourable answer; of several NO the one that names the compute capability, not the missing build."""
    order = {Answer.YES: 0, Answer.UNKNOWN: 1, Answer.NO: 2}
    return min(judged, key=lambda item: (order[item.answer], item.word == "no-build", item.word == "unknown"))


# -- what a build needs ------------------------------------------------------------------------------------------------
def cuda_floor(row: Row, capability: str, flavour: str) -> Fact | None:
    """The least CUDA (toolkit or run-time) that a build needs for a compute capability; None when none is named."""
    return _known(row.get("builds", flavour, "cuda_floor", capability))


def needs_nvrtc(row: Row, flavour: str) -> Fact | None:
    """The one NVRTC minor that a build asks for by file name (``"11.1"``); None when it is not bound to one."""
    return _known(row.get("builds", flavour, "needs_nvrtc"))


def driver_floor(row: Row, flavour: str, os_family: str) -> Fact | None:
    """The driver branch that TensorRT's own documents ask for; ``os_family`` is ``linux`` or ``windows``.

    Works on a release and on a major. None when they leave it to the CUDA tables: ask ``matrix.cuda`` then.
    """
    if "builds" in row:
        return _known(row.get("builds", flavour, "driver", os_family))
    return _known(row.get("driver", flavour, os_family))


def jetpack_floor(row: Row) -> Fact | None:
    """The oldest JetPack that a release supports, where its documents name one."""
    return _known(row.get("jetpack_minimum"))


@record
class CudnnNeed:
    """Whether a release needs cuDNN, and which."""

    need: str
    """``required``, ``optional``, ``none`` or ``unknown``."""
    version: str | None
    """The version that the documents name, at their precision (``"8.9"``); None when not known."""
    facts: tuple[Fact, ...]


def cudnn(row: Row, platform: str | None = None) -> CudnnNeed:
    """Whether a release (or a major) needs cuDNN and which version its documents name for ``platform``."""
    need = row.get("cudnn", "need")
    version = _known(row.get("cudnn", "versions", platform or "linux-x86_64"))
    text = version.value if version is not None and isinstance(version.value, str) else None
    word = need.value if isinstance(need.value, str) else UNKNOWN
    return CudnnNeed(word, text, (need, version) if version is not None else (need,))


def glibc(row: Row, platform: str) -> Fact | None:
    """The oldest glibc that a release runs on; a Jetson counts as linux-aarch64."""
    return _known(row.get("glibc", "linux-aarch64" if platform == "jetson" else platform))


def wheels(row: Row, flavour: str) -> Fact | None:
    """Python wheels of a flavour: platform tag to Python tags; value ``"none"`` when none was published."""
    return _known(row.get("builds", flavour, "wheels"), none=True)


def python_wheel(row: Row, flavour: str, platform: str, python: Version) -> Judgement:
    """Whether there is a wheel of the bindings for a Python such as 3.12. Words: ``wheel``, ``no-wheel``,
    ``other-platform`` (wheels exist, but for none such), ``other-python``, ``unknown``.
    """  # noqa: D205
    fact = wheels(row, flavour)
    if fact is None or python.minor is None:
        return Judgement(Answer.UNKNOWN, f"the wheels of {_name(row)} are not known", (), "unknown")
    if fact.value == NONE:
        return Judgement(Answer.NO, f"no wheel of {_name(row)} for {_cuda(flavour)} was published", (fact,), "no-wheel")
    ending = _WHEEL_TAGS.get(platform)
    tags = [tag for tag in fact.value if ending is not None and tag.endswith(ending)]
    if not tags:
        return Judgement(Answer.NO, f"{_name(row)} has no wheel for {platform}", (fact,), "other-platform")
    pythons = {item for tag in tags for item in fact.value[tag]}
    if f"cp{python.major}{python.minor}" in pythons:
        return Judgement(Answer.YES, f"{_name(row)} has a wheel for Python {python.short(2)}", (fact,), "wheel")
    listed = ", ".join(f"3.{minor}" for minor in sorted(int(item[3:]) for item in pythons))
    return Judgement(Answer.NO, f"{_name(row)} has wheels for Python {listed} only", (fact,), "other-python")


# -- calls -------------------------------------------------------------------------------------------------------------
def api(matrix: Matrix, name: str) -> Row | None:
    """The row of a call, flag or attribute, in any of its C++ and Python spellings; None when the matrix has none.

    ``name`` may be ``max_workspace_size``, ``trt.BuilderFlag.FP16``, ``nvinfer1::IBuilderConfig::setMaxWorkspaceSize``.
    """
    table = matrix.remember("tensorrt api", lambda: _api_names(matrix))
    plain = _plain_call(name)
    return table.get(plain) or table.get(plain.rpartition(".")[2])


def api_state(row: Row, version: Version) -> Judgement:
    """Whether a release has a call. Words: ``available``, ``deprecated``, ``removed``, ``not-yet``, ``unknown``.

    YES for the first two, NO for the next two, UNKNOWN when ``version`` is too partial to tell.
    """
    first, removed, back = (_release_of(row, key) for key in ("first", "removed", "back"))
    name = row.key
    if first is not None and version.below(first) is Answer.YES:
        return Judgement(Answer.NO, f"{name} came with TensorRT {first}", (row.get("first"),), "not-yet")
    if removed is not None:
        gone = version.at_least(removed)
        if gone is Answer.YES and back is not None:
            gone = version.below(back)
        if gone is Answer.YES:
            return Judgement(Answer.NO, f"{name} was removed in TensorRT {removed}", (row.get("removed"),), "removed")
        if gone is Answer.UNKNOWN:
            reason = f"{name} was removed in TensorRT {removed}"
            return Judgement(Answer.UNKNOWN, reason, (row.get("removed"),), "unknown")
    if first is not None and version.at_least(first) is Answer.UNKNOWN:
        return Judgement(Answer.UNKNOWN, f"{name} came with TensorRT {first}", (row.get("first"),), "unknown")
    deprecated = _release_of(row, "deprecated")
    returned = back is not None and version.at_least(back) is Answer.YES
    if deprecated is not None and version.at_least(deprecated) is Answer.YES and not returned:
        return Judgement(Answer.YES, f"{name} is deprecated since {deprecated}", (row.get("deprecated"),), "deprecated")
    return Judgement(Answer.YES, f"{name} is there", (row.get("first"),), "available")


def precision(matrix: Matrix, name: str) -> Row | None:
    """The row of a precision (``fp16``, ``int8``, …): since when a builder flag asks for it, and until when."""
    return next((row for row in matrix.rows("api", "precisions") if row.key == name.lower()), None)


def _api_names(matrix: Matrix) -> dict[str, Row]:
    table: dict[str, Row] = {}
    for row in matrix.rows("api", "calls"):
        names = [row.key, *row.get("aliases").value]
        for name in names:
            table.setdefault(_plain_call(name), row)
    return table


_CALL_PREFIX = pattern(r"^(?:api:|trt\.|tensorrt\.|nvinfer1\.|\.)+")


def _plain_call(name: str) -> str:
    dotted = name.strip().replace("::", ".").replace("->", ".").removesuffix("()")
    return _CALL_PREFIX.sub("", dotted)


def _release_of(row: Row, key: str) -> Version | None:
    return Version.maybe(row.get(key).value)


# -- known-bad releases ------------------------------------------------------------------------------------------------
def known_issues(
    matrix: Matrix, component: str, version: Version, platform: str | None = None, flavour: str | None = None
) -> list[tuple[Row, Answer]]:
    """Known-bad rows that ``version`` may fall under, each with YES or, for a version too partial to tell, UNKNOWN.

    Rows for another platform or flavour are left out; the case in which a row bites (``when``) is the caller's to see.
    """
    found: list[tuple[Row, Answer]] = []
    for row in matrix.rows("known_issues", "issues"):
        if row.get("component").value != component:
            continue
        if not _applies(row, "platform", platform) or not _applies(row, "flavour", flavour):
            continue
        answer = within(version, str(row.get("versions").value))
        if answer is not Answer.NO:
            found.append((row, answer))
    return found


def _applies(row: Row, key: str, word: str | None) -> bool:
    listed = row.get(key).value
    return word is None or not isinstance(listed, list) or word in listed


# -- words -------------------------------------------------------------------------------------------------------------
def _file(product: str) -> str:
    return "tensorrt-rtx" if product == "rtx" else "tensorrt"


def _name(row: Row) -> str:
    product = "TensorRT for RTX" if row.origin.where.startswith("tensorrt-rtx") else "TensorRT"
    return f"{product} {row.key}"


def _cuda(flavour: str) -> str:
    return f"CUDA {flavour.removeprefix('cu')}"


def _known(fact: Fact, *, none: bool = False) -> Fact | None:
    return fact if fact.known and (none or fact.value != NONE) else None
