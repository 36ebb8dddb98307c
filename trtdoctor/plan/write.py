"""A plan as it is written down: :class:`trtdoctor.planned.Planned`."""

from __future__ import annotations

import shlex
from typing import Any

from trtdoctor.findings import Fix
from trtdoctor.plan.model import Plan, PlanReport
from trtdoctor.plan.steps import VENV
from trtdoctor.planned import Planned
from trtdoctor.versions import Version

DRIVERS = "https://www.nvidia.com/en-us/drivers/"
TOOLKITS = "https://developer.nvidia.com/cuda-toolkit-archive"


def planned(report: PlanReport, plan: Plan) -> Planned:
    """What the file says of one plan of a report."""
    environment = _environment(plan)
    python = Version.maybe(environment.get("python"))
    return Planned(
        title=plan.title,
        install=plan.install,
        program=report.program,
        matrix=report.matrix.version,
        matrix_digest=report.matrix.digest,
        made=report.as_of,
        goal=report.goal,
        requires=report.needs,
        why=plan.why,
        changes=tuple(change.text for change in plan.changes),
        gives_up=plan.gives_up,
        environment=environment,
        driver_floor=plan.driver_floor,
        driver_download=DRIVERS if plan.driver_floor else None,
        cuda=plan.toolkit,
        cuda_download=TOOLKITS if plan.toolkit else None,
        gpus=tuple(
            ", ".join(filter(None, (gpu.get("name"), gpu.get("compute_capability"))))
            for gpu in environment.get("gpus", ())
        ),
        python=python.short(2) if python is not None and plan.install != "container" else None,
        pins=plan.pins,
        index=plan.index,
        extra_index=plan.extra_index,
        files=plan.artefacts,
        apt=plan.apt,
        image=plan.image,
        commands=tuple((fix.kind, _anywhere(fix)) for fix in plan.commands),
        as_root=tuple(number for number, fix in enumerate(plan.commands) if fix.needs_root),
        then_reboot=tuple(number for number, fix in enumerate(plan.commands) if fix.needs_reboot),
    )


def _environment(plan: Plan) -> dict[str, Any]:
    """What results, without the directories of this machine: they are no part of what is planned."""
    found = {key: value for key, value in plan.environment.items() if key != "loader"}
    loader = {key: value for key, value in plan.environment.get("loader", {}).items() if key != "ld_library_path"}
    return {**found, "loader": loader} if loader else found


def _anywhere(fix: Fix) -> str:
    """A command for the next machine: without the path of the Python on this one."""
    own = fix.kind != "shell" or fix.text.startswith(VENV)  # an environment that the plan makes
    words = shlex.split(fix.text) if not own else []
    if words[1:2] != ["-m"] or not {"/", "\\"} & set(words[0]):
        return fix.text
    return shlex.join(["python3" if "/" in words[0] else "python", *words[1:]])
