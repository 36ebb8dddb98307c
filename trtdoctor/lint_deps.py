"""Dependency files judged before anything is installed: the same rules, and the line of the file in each finding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from trtdoctor.findings import Finding, Fix, InventoryItem, Remedy, Report, Unknown
from trtdoctor.judge import judge
from trtdoctor.matrix import Matrix
from trtdoctor.record import record
from trtdoctor.requirements import FileError, Files, Requirements, Target, read
from trtdoctor.snapshot import Distribution, Snapshot
from trtdoctor.stated_environment import Environment, environment_of, python_of
from trtdoctor.waivers import Waiver

GOAL = ("run", "python")
"""What requirements are for, where nobody says more: who installs a runtime alone does not want to build."""
_INSTALLING = ("install", "upgrade", "downgrade", "replace")
_NOT_INVENTORY = ("driver", "gpu")
_OF_IMAGE = ("glibc", "os")
"""Facts that a base image settles, and that no other line states."""


@record
class Lint:
    """What the files say, and whether any of it has to do with the stack."""

    report: Report
    relevant: int
    """How many entries have to do with the stack."""


def lint(
    paths: Sequence[str],
    matrix: Matrix,
    *,
    target: Target,
    as_of: date,
    stage: str | None = None,
    gpus: Iterable[str] = (),
    driver: str | None = None,
    goal: Iterable[str] = (),
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    shown: Callable[[str], str] | None = None,
    waivers: Iterable[Waiver] = (),
    configuration: str | None = None,
) -> Lint:
    """Judge what ``paths`` state, taken together as one environment.

    ``stage`` is the one of a Dockerfile; ``gpus`` and ``driver`` describe the machine that it is for, as ``--set``
    does. ``waivers`` and ``configuration`` are as for ``judge``. ``shown`` gives the names by which the files are
    called, where others read the report: it is a redacted one then. Raises
    :class:`~trtdoctor.requirements.FileError` for a file that cannot be read, and
    :class:`~trtdoctor.declared.DeclarationError` for a machine that cannot.
    """
    found, target = _read(paths, target, matrix, stage)
    if shown is not None:
        from trtdoctor.requirements.renamed import renamed

        found = [renamed(item, shown) for item in found]
    environment = environment_of(found, target, matrix)
    snapshot = replace(_on_machine(environment.snapshot, gpus, driver), redacted=shown is not None)
    stated = {"driver": driver is not None, "gpu": snapshot.gpus is not None}
    outside = [name for name, known in stated.items() if not known]
    names = _tensorrt_names(environment)
    outside += [] if any("rtx" not in name for name in names) else ["tensorrt"]
    outside += [] if any("rtx" in name for name in names) else ["tensorrt-rtx"]
    outside += [] if environment.relevant else ["python"]
    report = judge(
        snapshot,
        matrix,
        as_of=as_of,
        goal=tuple(goal) or GOAL,
        select=select,
        ignore=ignore,
        waivers=waivers,
        configuration=configuration,
        outside=(*outside, "cuda", "cudnn", "cublas", "nvrtc", "glibc", "platform"),
    )
    findings = tuple(_at_image(_for_files(item), snapshot) for item in report.findings)
    report = replace(
        report,
        findings=findings,
        unknowns=(*_of_stack(report.unknowns), *_unknowns(environment)),
        inventory=tuple(_inventory(environment, report, findings)),
    )
    return Lint(report, environment.relevant)


def _read(paths: Sequence[str], target: Target, matrix: Matrix, stage: str | None) -> tuple[list[Requirements], Target]:
    """All files; a second time where one of them says which Python the markers of the others are for."""
    for _ in range(2):
        files = Files()
        found = [read(path, target, files, stage=stage) for path in paths]
        if stage is not None and not any(item.format == "Dockerfile" for item in found):
            raise FileError("--target names a stage, and no Dockerfile is given")
        known = python_of(found, matrix) if target.python is None else None
        requires = next((item.requires_python for item in found if item.requires_python), None)
        if known is None and (requires is None or target.python is not None or target.requires_python == requires):
            break
        target = replace(target, python=known[0] if known else target.python, requires_python=requires)
    return found, target


def _on_machine(snapshot: Snapshot, gpus: Iterable[str], driver: str | None) -> Snapshot:
    settings = [f"gpu={text}" for text in gpus] + ([f"driver={driver}"] if driver is not None else [])
    if not settings:
        return snapshot
    from trtdoctor.declared import environment_of as machine_of
    from trtdoctor.declared import snapshot_of

    return snapshot_of(machine_of(settings), snapshot)


def _tensorrt_names(environment: Environment) -> list[str]:
    """What the files name of TensorRT."""
    snapshot = environment.snapshot
    names = [item.name for item in snapshot.interpreters[0].distributions if item.name.startswith("tensorrt")]
    return names + [copy.component for copy in snapshot.copies if copy.component == "tensorrt"]


# -- what the report says of files -------------------------------------------------------------------------------------


def _for_files(finding: Finding) -> Finding:
    """A finding whose commands have become changes of the file: nothing is installed yet."""
    remedy = finding.remedy
    if remedy is None or not any(fix.kind == "shell" and " pip " in fix.text for fix in finding.fix):
        return finding
    return replace(finding, fix=tuple(_edits(finding, remedy)))


def _at_image(finding: Finding, snapshot: Snapshot) -> Finding:
    """A finding whose facts on the system have the line of the image that they come with."""
    image = snapshot.container.stated_at if snapshot.container is not None else None
    if image is None:
        return finding
    facts = [replace(fact, where=image) if fact.key in _OF_IMAGE and not fact.where else fact for fact in finding.facts]
    return replace(finding, facts=tuple(facts))


def _edits(finding: Finding, remedy: Remedy) -> Iterator[Fix]:
    places = [fact.where for fact in finding.facts if fact.where and fact.where.rpartition(":")[2].isdecimal()]
    where = f" ({places[0]})" if places else ""
    names = (remedy.detail("distributions") or remedy.component).split()
    gone = (remedy.detail("remove") or "").split()
    if remedy.action == "remove":
        yield Fix("edit", f"Take out {', '.join(names)}{where}.")
        return
    if gone:
        yield Fix("edit", f"Take out {', '.join(gone)}{where}.")
    wanted = remedy.wanted or ""
    lines = [name if "=" in name or not wanted else name + wanted for name in names]
    yield Fix("edit", f"Require {', '.join(lines)}{'' if gone else where}.")


def _of_stack(unknowns: Iterable[Unknown]) -> Iterator[Unknown]:
    """What rules lacked, with how to tell it in terms of files."""
    for item in unknowns:
        how = "--python-version X.Y" if item.component == "python" else "pin it, or lint the lock file"
        yield replace(item, how_to_tell=how)


def _unknowns(environment: Environment) -> Iterator[Unknown]:
    """What was stated and could not be judged. Never fine, never broken: said."""
    for item in environment.open:
        if item.specifier is None:
            why = f"{item.stated_at} names a project, an address or two versions at once"
        else:
            why = f"{item.stated_at} allows {item.specifier or 'any'}"
        if "tensorrt" not in item.name or item.specifier is None:
            yield Unknown(item.name, "a version", why, "pin it, or lint the lock file")
    for text in environment.left_out:
        name, _, rest = text.partition(" (")
        if not rest:
            name, _, rest = text.partition(": ")
            yield Unknown(name, "one version", rest, "state it once")
            continue
        where, _, why = rest.partition(") ")
        how = "--extra NAME or --group NAME" if why.startswith("belongs") else "--python-version, --platform"
        yield Unknown(name, "whether it is installed", f"{where} {why}", how)


def _inventory(environment: Environment, report: Report, findings: tuple[Finding, ...]) -> Iterator[InventoryItem]:
    """What the files state of the stack, each with its line, then the Python and the system."""
    snapshot = environment.snapshot
    yield from (item for item in report.inventory if item.component in _NOT_INVENTORY and item.version is not None)
    for item in snapshot.interpreters[0].distributions if snapshot.interpreters else ():
        yield InventoryItem(item.name, _shown(item), item.stated_at, "stated", _status(findings, item))
    for row in report.inventory:
        if row.component in _NOT_INVENTORY or row.version is None:
            continue
        if row.component in ("os", "glibc"):
            image = snapshot.container.stated_at if snapshot.container is not None else None
            yield replace(row, origin=image, how="stated")
        elif row.component == "python":
            yield replace(row, origin=snapshot.interpreters[0].stated_at, how="stated")
        elif row.how != "declared":
            yield row


def _shown(item: Distribution) -> str | None:
    if item.specifier and item.specifier != f"=={item.version}":
        return item.specifier
    return item.version


def _status(findings: tuple[Finding, ...], item: Distribution) -> str:
    about = [
        finding.severity
        for finding in findings
        if any(
            fact.where == item.stated_at and (fact.key == f"package {item.name}" or not fact.key.startswith("package "))
            for fact in finding.facts
            if item.stated_at is not None
        )
    ]
    if about:
        return min(about, key=lambda severity: severity.rank).value
    return "ok" if item.version is not None else "unknown"
