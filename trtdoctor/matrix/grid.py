"""A whole relation of the matrix as one table: releases against CUDA, GPUs, drivers, Pythons, cuDNN."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from trtdoctor.matrix import cuda, drivers, serving
from trtdoctor.matrix import tensorrt as releases
from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import Row
from trtdoctor.record import record
from trtdoctor.versions import Answer, Version

NO = "-"
"""The mark of "surely not"; an empty cell never stands for anything."""
UNKNOWN = "?"
_ANSWERS = {Answer.YES: "y", Answer.NO: NO, Answer.UNKNOWN: UNKNOWN}
_YES_NO = {"y": "yes", NO: "no", UNKNOWN: "unknown"}
_ALIASES = {
    "gpu": "gpus",
    "compute-capability": "gpus",
    "compute_capability": "gpus",
    "sm": "gpus",
    "drivers": "driver",
    "rtx": "tensorrt-rtx",
    "trt": "tensorrt",
}


class GridError(ValueError):
    """There is no such relation; the message names those that there are."""


@record
class Grid:
    """A relation as a table."""

    rows_are: str
    columns_are: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    """One tuple a row, one mark a column."""
    legend: dict[str, str]
    """What each mark means."""
    platform: str | None
    """The platform that it holds for, where that makes a difference."""


@record
class _Relation:
    rows: Callable[[Matrix], list[Row]]
    columns: Callable[[Matrix, list[Row]], list[str]]
    cell: Callable[[Matrix, Row, str, str, str | None], str]
    """Matrix, row, column, platform, flavour to a mark."""
    legend: dict[str, str]
    platform: bool = True


def relations() -> list[tuple[str, str]]:
    """The pairs that have a grid."""
    return list(_RELATIONS)


def grid(matrix: Matrix, first: str, second: str, platform: str = "linux-x86_64", flavour: str | None = None) -> Grid:
    """The relation between two components; either may come first. Raises :class:`GridError`."""
    a, b = (_ALIASES.get(name.lower(), name.lower()) for name in (first, second))
    turned = (a, b) not in _RELATIONS and (b, a) in _RELATIONS
    relation = _RELATIONS.get((b, a) if turned else (a, b))
    if relation is None:
        known = ", ".join(f"{one} {other}" for one, other in _RELATIONS)
        raise GridError(f"no relation between {first[:40]!r} and {second[:40]!r}; there are: {known}")
    rows = relation.rows(matrix)
    columns = relation.columns(matrix, rows)
    cells = [tuple(relation.cell(matrix, row, column, platform, flavour) for column in columns) for row in rows]
    names = [row.key for row in rows]
    used = {mark for line in cells for cell in line for mark in cell.split()}
    made = Grid(
        *(b, a) if turned else (a, b),
        tuple(names),
        tuple(columns),
        tuple(cells),
        {mark: text for mark, text in relation.legend.items() if mark in used},
        platform if relation.platform else None,
    )
    return _turned(made) if turned else made


def _turned(found: Grid) -> Grid:
    cells = tuple(zip(*found.cells, strict=True)) if found.cells else ()
    return Grid(found.columns_are, found.rows_are, found.columns, found.rows, cells, found.legend, found.platform)


# -- rows and columns --------------------------------------------------------------------------------------------------


def _minors(matrix: Matrix, _: list[Row]) -> list[str]:
    return _unique(Version.parse(row.key).short(2) for row in matrix.rows("cuda", "toolkits"))


def _capabilities(matrix: Matrix, _: list[Row]) -> list[str]:
    return sorted((row.key for row in matrix.rows("cuda", "architectures")), key=lambda text: Version.parse(text).parts)


def _branches(matrix: Matrix, _: list[Row]) -> list[str]:
    return [row.key for row in drivers.branches(matrix)]


def _pythons(_: Matrix, rows: list[Row]) -> list[str]:
    tags = {
        tag
        for row in rows
        for flavour in releases.flavours(row)
        for platform in [releases.wheels(row, flavour)]
        if platform is not None and isinstance(platform.value, dict)
        for listed in platform.value.values()
        for tag in listed
    }
    return [f"3.{minor}" for minor in sorted({int(tag[3:]) for tag in tags if tag[:3] == "cp3" and tag[3:].isdigit()})]


def _cudnns(_: Matrix, rows: list[Row]) -> list[str]:
    named = {releases.cudnn(row, platform).version for row in rows for platform in serving.PLATFORMS}
    return sorted(filter(None, named), key=lambda text: Version.parse(text).parts, reverse=True)


def _majors(matrix: Matrix, _: list[Row]) -> list[str]:
    return [row.key for row in matrix.rows("cuda", "majors")]


def _unique(items: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))


# -- cells -------------------------------------------------------------------------------------------------------------


def _flavours(row: Row, flavour: str | None) -> tuple[str, ...]:
    known = releases.flavours(row)
    return known if flavour is None else tuple(item for item in known if item == flavour)


def _best(answers: Iterable[Answer], nothing: str = UNKNOWN) -> str:
    found = set(answers)
    for answer in (Answer.YES, Answer.UNKNOWN, Answer.NO):
        if answer in found:
            return _ANSWERS[answer]
    return nothing


def _trt_cuda(_: Matrix, row: Row, column: str, platform: str, flavour: str | None) -> str:
    marks = {"built": "B", "tested": "t", "minor": "m"}
    best = ""
    for item in _flavours(row, flavour):
        if not serving.has_build(row, item, platform):
            continue
        word = serving.of_cuda(row, item, Version.parse(column), platform).word
        best = min(filter(None, (best, marks.get(word, ""))), key="Btm".index, default="")
    return best or (NO if _flavours(row, None) else UNKNOWN)


def _trt_gpu(_: Matrix, row: Row, column: str, platform: str, flavour: str | None) -> str:
    if flavour is not None and not _flavours(row, flavour):
        return NO
    found = releases.serves(row, column, flavour, platform)
    return "s" if found.word == "some-flavours" else _ANSWERS[found.answer]


def _trt_driver(matrix: Matrix, row: Row, column: str, platform: str, flavour: str | None) -> str:
    version = serving.branch(next(item for item in drivers.branches(matrix) if item.key == column))
    items = [item for item in _flavours(row, flavour) if serving.has_build(row, item, platform)]
    answers = [serving.of_driver(matrix, row, item, version, platform).answer for item in items]
    if Answer.YES in answers and Answer.NO in answers:
        return "s"
    return _best(answers, NO if _flavours(row, None) else UNKNOWN)


def _trt_python(_: Matrix, row: Row, column: str, platform: str, flavour: str | None) -> str:
    items = _flavours(row, flavour)
    answers = [releases.python_wheel(row, item, platform, Version.parse(column)).answer for item in items]
    return _best(answers, NO if _flavours(row, None) else UNKNOWN)


def _trt_cudnn(_: Matrix, row: Row, column: str, platform: str, __: str | None) -> str:
    found = releases.cudnn(row, platform)
    if found.version is None:
        return NO if found.need == "none" else UNKNOWN
    words = {"required": "R", "optional": "o", "none": NO}
    return words.get(found.need, UNKNOWN) if found.version == column else NO


def _toolkit_gpu(_: Matrix, row: Row, column: str, __: str, ___: str | None) -> str:
    return _ANSWERS[cuda.toolkit_serves(row, column).answer]


def _toolkit_driver(matrix: Matrix, row: Row, column: str, platform: str, _: str | None) -> str:
    system = "windows" if platform.startswith("windows") else "linux"
    item = next(item for item in drivers.branches(matrix) if item.key == column)
    level, toolkit = Version.maybe(item.text("cuda")), Version.parse(row.key)
    if level is not None and level.at_least(Version.parse(toolkit.short(2))) is Answer.YES:
        return "y"
    floor = cuda.major_floor(matrix, toolkit, system)
    bound = Version.maybe(floor.value) if floor else None
    if bound is None:
        return UNKNOWN
    reached = serving.branch(item).at_least(bound)
    return "m" if reached is Answer.YES and toolkit.major >= 11 else _ANSWERS[reached]


def _driver_gpu(matrix: Matrix, row: Row, column: str, _: str, __: str | None) -> str:
    found = drivers.serves(matrix, serving.branch(row), column)
    if found.answer is Answer.UNKNOWN and drivers.last_branch_for(matrix, column) is not None:
        return "o"
    return _ANSWERS[found.answer]


def _cudnn_cuda(_: Matrix, row: Row, column: str, __: str, ___: str | None) -> str:
    builds = row.get("flavours").value
    if not isinstance(builds, dict):
        return UNKNOWN
    return "y" if f"cu{column}" in builds else NO


def _cudnn_gpu(_: Matrix, row: Row, column: str, __: str, ___: str | None) -> str:
    listed = row.get("compute_capabilities").value
    if isinstance(listed, list):
        return "y" if column in listed else NO
    floor = Version.maybe(row.text("minimum_compute_capability"))
    if floor is not None and Version.parse(column).below(floor) is Answer.YES:
        return NO
    return UNKNOWN


def _cudnn_releases(matrix: Matrix) -> list[Row]:
    return matrix.rows("cudnn", "releases")


_SOME = {"y": "yes", "s": "yes, but not in the build for every CUDA", NO: "no", UNKNOWN: "unknown"}
_RELATIONS: dict[tuple[str, str], _Relation] = {}
for _product, _name in (("full", "tensorrt"), ("rtx", "tensorrt-rtx")):

    def _rows(matrix: Matrix, product: str = _product) -> list[Row]:
        return releases.all_releases(matrix, product)

    _RELATIONS[_name, "cuda"] = _Relation(
        _rows,
        _minors,
        _trt_cuda,
        {
            "B": "built with it",
            "t": "its documents name it",
            "m": "another minor of a CUDA that it was built for",
            NO: "not made for that CUDA",
            UNKNOWN: "unknown",
        },
    )
    _RELATIONS[_name, "gpus"] = _Relation(_rows, _capabilities, _trt_gpu, _SOME)
    _RELATIONS[_name, "driver"] = _Relation(_rows, _branches, _trt_driver, _SOME)
    _RELATIONS[_name, "python"] = _Relation(_rows, _pythons, _trt_python, {**_YES_NO, "y": "there is a wheel"})
_RELATIONS["tensorrt", "cudnn"] = _Relation(
    releases.all_releases,
    _cudnns,
    _trt_cudnn,
    {"R": "required, this one named", "o": "optional, this one named", NO: "not named, or none needed", "?": "unknown"},
)
_RELATIONS["cuda", "gpus"] = _Relation(
    lambda matrix: matrix.rows("cuda", "toolkits"), _capabilities, _toolkit_gpu, _YES_NO, platform=False
)
_RELATIONS["cuda", "driver"] = _Relation(
    lambda matrix: matrix.rows("cuda", "toolkits"),
    _branches,
    _toolkit_driver,
    {"y": "the driver serves it", "m": "by minor-version compatibility", NO: "no", UNKNOWN: "unknown"},
)
_RELATIONS["driver", "gpus"] = _Relation(
    drivers.branches,
    _capabilities,
    _driver_gpu,
    {**_YES_NO, "o": "not dropped; from which driver on is unknown"},
    platform=False,
)
_RELATIONS["cudnn", "cuda"] = _Relation(_cudnn_releases, _majors, _cudnn_cuda, _YES_NO, platform=False)
_RELATIONS["cudnn", "gpus"] = _Relation(_cudnn_releases, _capabilities, _cudnn_gpu, _YES_NO, platform=False)

__all__ = ["Grid", "GridError", "grid", "relations"]
