"""Plans for people: what is wrong, then each way out with what it changes, keeps, gives up and runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trtdoctor.demands import size
from trtdoctor.findings import Fix
from trtdoctor.lazyre import pattern
from trtdoctor.plan.model import Plan, PlanReport, Upgrade
from trtdoctor.render.parts import Paint, foot, labelled
from trtdoctor.text import harmless

_MOST = 6
_CODE = pattern(r"[A-Z]{3}[0-9]{3} ")
"""How a warning of ``check`` begins."""


def render(report: PlanReport, *, verbose: bool = False, color: bool = False) -> str:
    """The whole text, with a final newline."""
    paint = Paint(color)
    lines = [*_head(report, paint)]
    told = {text.partition(" ")[2] for text in report.broken}
    for number, plan in enumerate(report.plans, 1):
        lines += ["", *_plan(number, plan, told, paint, verbose)]
    if report.upgrade is not None:
        rtx = any(text.startswith("tensorrt-rtx") for text in report.needs)
        lines += ["", *_upgrade(report.upgrade, "TensorRT for RTX" if rtx else "TensorRT", paint, verbose)]
    for text in report.notes:
        lines += ["", *labelled("note", text, paint)]
    if report.refused:
        lines += ["", paint("bold", "left out by the policy, and would have come first")]
        lines += [line for item in report.refused for line in labelled("", f"{item.what}: {item.why}", paint)]
    if report.unknowns:
        lines += ["", paint("unknown", "not known, and would narrow the choice")]
        lines += [line for text in report.unknowns for line in labelled("", text, paint)]
    lines += ["", *foot(report.program, report.matrix, report.as_of, paint)]
    if report.configuration:
        lines.append(paint("dim", f"configuration {report.configuration}"))
    return "\n".join(harmless(line.rstrip()) for line in lines) + "\n"


def _head(report: PlanReport, paint: Paint) -> Iterator[str]:
    if report.impossible is not None:
        yield f"{paint('error', 'impossible')}: nothing that the matrix knows fits"
        for reason in report.impossible.reasons:
            yield from labelled("because", reason, paint)
    elif report.plans and not report.plans[0].changes and report.broken:
        yield f"{paint('warning', 'as it is')}: nothing that can be changed here mends what is wrong"
    elif report.plans and not report.plans[0].changes:
        warns = any(_CODE.match(text) for text in report.plans[0].warnings)
        yield f"{paint('ok', 'fine')}: nothing has to change{', though check warns' if warns else ''}"
    else:
        number = len(report.plans)
        yield f"{paint('ok', 'plan')}: {number} way{'s' if number > 1 else ''} out of {report.considered} looked at"
    for text in report.broken[:_MOST]:
        yield from labelled("now", text.replace("POL102 package:", "POL102 "), paint)
    if len(report.broken) > _MOST:
        yield from labelled("", f"and {len(report.broken) - _MOST} more (trtdoctor check)", paint)
    if report.needs:
        yield from labelled("requires", ", ".join(text.removeprefix("package:") for text in report.needs), paint)
    yield from labelled("goal", ", ".join(report.goal), paint)


def _plan(number: int, plan: Plan, told: set[str], paint: Paint, verbose: bool) -> Iterator[str]:
    yield f"{number}  {paint('bold', plan.title)}"
    for change in plan.changes:
        why = f": {change.why}" if change.why and change.why not in told else ""
        yield from labelled("change", f"{change.text}{why}", paint)
    if plan.kept:
        shown = plan.kept if verbose else plan.kept[:_MOST]
        more = f", and {len(plan.kept) - len(shown)} more" if len(plan.kept) > len(shown) else ""
        yield from labelled("keep", f"{', '.join(shown)}{more}", paint)
    needs = [f"driver {plan.driver_floor} or newer"] if plan.driver_floor else []
    needs += [f"made with CUDA {plan.toolkit}"] if plan.toolkit and plan.install == "archive" else []
    if needs:
        yield from labelled("needs", ", ".join(needs), paint)
    if plan.why:
        yield from labelled("why", "; ".join(plan.why), paint)
    for text in plan.gives_up:
        yield from labelled("gives up", text, paint)
    for text in plan.warnings:
        yield from labelled("warns", text, paint)
    for fix in plan.commands:
        yield from _step(fix, paint)
    if verbose:
        yield from _whole(plan, paint)


def _step(fix: Fix, paint: Paint) -> Iterator[str]:
    notes = [note for flag, note in ((fix.needs_root, "as root"), (fix.needs_reboot, "then reboot")) if flag]
    if fix.kind == "shell":
        note = f"  # {', '.join(notes)}" if notes else ""
        yield f"  {paint('bold', 'run'.ljust(9))}$ {fix.text}{note}"
    else:
        yield from labelled("do", f"{fix.text}{' (' + ', '.join(notes) + ')' if notes else ''}", paint)


def _whole(plan: Plan, paint: Paint) -> Iterator[str]:
    """What only a reader who asks for more wants: exact versions, files, and what comes out."""
    for label, pinned, mark in (("pins", plan.pins, "=="), ("packages", plan.apt, "=")):
        if pinned:
            yield from labelled(label, ", ".join(f"{name}{mark}{version}" for name, version in pinned), paint)
    yield from _files(plan, paint)
    yield from labelled("result", "; ".join(_facts(plan.environment)), paint)


def _files(plan: Plan, paint: Paint) -> Iterator[str]:
    for item in plan.artefacts:
        notes = [
            size(item.size) if item.size and item.size >= 1 << 28 else f"{item.size >> 10} KiB" if item.size else ""
        ]
        notes += ["stub: the wheel comes from " + item.origin] if item.stub and item.origin else []
        notes += [f"sha256 {item.sha256}"] if item.sha256 else []
        shown = ", ".join(filter(None, notes))
        yield from labelled("file", f"{item.name}{f' ({shown})' if shown else ''}", paint)


def _facts(environment: dict[str, Any]) -> Iterator[str]:
    """The environment that results, a fact a piece: ``tensorrt 10.16.1.11 (pip-cu12)``."""
    for key, value in environment.items():
        if isinstance(value, dict):
            told = (f"{name} {item}" for name, item in value.items())
            yield f"{key} {', '.join(told)}"
        elif isinstance(value, (list, tuple)):
            yield f"{key} {', '.join(_entry(item) for item in value)}"
        else:
            yield f"{key} {value}"


def _entry(item: object) -> str:
    if not isinstance(item, dict):
        return str(item)
    first, *more = [str(value) for key, value in item.items() if isinstance(value, str)] or ["yes"]
    return f"{first} ({', '.join(more)})" if more else first


def _upgrade(upgrade: Upgrade, name: str, paint: Paint, verbose: bool) -> Iterator[str]:
    before = f"{name} {upgrade.before}" if upgrade.before else f"no {name}"
    yield f"{paint('bold', 'going')} from {before} to {upgrade.after}"
    for text in upgrade.engines:
        yield from labelled("rebuild", text, paint)
    shown = upgrade.removed if verbose else upgrade.removed[:12]
    for text in shown:
        yield from labelled("gone", text, paint)
    if len(upgrade.removed) > len(shown):
        yield from labelled("", f"and {len(upgrade.removed) - len(shown)} more (-v shows them)", paint)
    if upgrade.deprecated:
        more = " more" if shown else ""
        yield from labelled("later", f"{upgrade.deprecated}{more} calls are deprecated there", paint)
