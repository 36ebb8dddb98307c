"""What the matrix says of loading: which native libraries a module, a program or a library opens by itself."""

from __future__ import annotations

from typing import Any

from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import Row
from trtdoctor.record import record


@record
class ModuleRow:
    """How one generation of a Python module loads its libraries; the words are explained in matrix/loading.yaml."""

    id: str
    module: str
    recognised_by: tuple[dict[str, Any], ...]
    """Conditions, all of which hold for a module of this row."""
    steps: tuple[dict[str, Any], ...]
    part_of: str | None
    """The module by way of which people import this one."""
    preload: dict[str, Any] | None
    """``folders``, ``named_in`` and ``files`` of its list of libraries to preload."""
    cuda: dict[str, str] | None
    """``in`` and ``pattern``: where it says for which CUDA major it was built."""


@record
class Opens:
    """What a library opens with dlopen."""

    id: str
    library: str
    """As in matrix/libraries.yaml: ``libcudnn``."""
    versions: str | None
    """Specifier of the versions that do so; None for every one."""
    lazy: bool
    """Whether it does so on use, not as soon as it is loaded."""
    names: tuple[tuple[str, ...], ...]
    """For each thing opened the names that are tried, in order, with placeholders."""
    quiet: bool
    """Whether its absence means nothing at all."""
    swallow: bool
    """Whether it goes on without, and says nothing."""
    call: str | None
    """A harmless function without arguments that opens the first of them."""
    unless_beside: str | None
    """Pattern of files beside the library with which this row does not hold."""


@record
class ProgramRow:
    """A program of the stack."""

    name: str
    directories: tuple[str, ...]
    """Where packages put it, besides PATH."""
    versions: str | None
    """Specifier of the TensorRT releases whose program opens ``names`` by itself."""
    names: tuple[str, ...]


@record
class LoadingTable:
    """All of matrix/loading.yaml that probes need."""

    modules: dict[str, tuple[ModuleRow, ...]]
    opens: dict[str, tuple[Opens, ...]]
    """By the library that opens."""
    programs: tuple[ProgramRow, ...]
    files: tuple[str, ...]
    """Paths of libraries that some program opens as a plug-in."""


def table(matrix: Matrix) -> LoadingTable:
    """What is known of loading, read once."""
    return matrix.remember("loading table", lambda: _table(matrix))


def _table(matrix: Matrix) -> LoadingTable:
    modules: dict[str, tuple[ModuleRow, ...]] = {}
    for row in matrix.rows("loading", "modules"):
        made = _module(row)
        modules[made.module] = (*modules.get(made.module, ()), made)
    opens: dict[str, tuple[Opens, ...]] = {}
    for row in matrix.rows("loading", "opens"):
        opened = _opens(row)
        opens[opened.library] = (*opens.get(opened.library, ()), opened)
    return LoadingTable(
        modules=modules,
        opens=opens,
        programs=tuple(_program(row) for row in matrix.rows("loading", "programs")),
        files=tuple(str(row.get("path").value) for row in matrix.rows("loading", "files")),
    )


def _module(row: Row) -> ModuleRow:
    return ModuleRow(
        id=row.key,
        module=str(row.get("module").value),
        recognised_by=tuple(row.get("recognised_by").value),
        steps=tuple(row.get("steps").value),
        part_of=row.text("part_of"),
        preload=row.get("preload").value,
        cuda=row.get("cuda").value,
    )


def _opens(row: Row) -> Opens:
    names = row.get("names").value
    return Opens(
        id=row.key,
        library=str(row.get("library").value),
        versions=row.text("versions"),
        lazy=row.get("at").value == "use",
        names=tuple(tuple(name) if isinstance(name, list) else (name,) for name in names),
        quiet=row.get("quiet").value is True,
        swallow=row.get("swallow").value is True,
        call=row.text("call"),
        unless_beside=row.text("unless_beside"),
    )


def _program(row: Row) -> ProgramRow:
    return ProgramRow(
        name=str(row.get("program").value),
        directories=tuple(row.get("directories").value),
        versions=row.text("versions"),
        names=tuple(row.get("names").value or ()),
    )
