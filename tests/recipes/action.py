"""A runner for composite actions, small but honest: conditions, expressions, outputs, and what a failed step skips.

Steps that use other actions are not run but noted, with their inputs resolved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT
from tests.recipes.shell import bash, environment

ACTION = ROOT / ".github" / "actions" / "check" / "action.yml"
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


@dataclass
class ActionRun:
    """What came of a run."""

    code: int = 0
    """0, or the exit code of the first step that failed."""
    log: str = ""
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    """Names of the steps that were run, in order."""
    used: dict[str, dict[str, str]] = field(default_factory=dict)
    """Name of each other action that was called, without its version, to its inputs."""


class Runner:
    """One runner: its temporary directory outlasts a run, as it does within a job."""

    def __init__(self, place: Path) -> None:
        """``place`` is an empty directory."""
        self._installed: dict[str, str] = {}
        self.temporary = place / "temp"
        self.workspace = place / "workspace"
        for directory in (self.temporary, self.workspace):
            directory.mkdir()

    def run(self, inputs: Mapping[str, str], *, install: bool = False, **environ: str) -> ActionRun:
        """Run the action with ``with:`` inputs; what an earlier run installed is used, unless ``install``."""
        action = yaml.safe_load(ACTION.read_text("utf-8"))
        assert set(inputs) <= set(action["inputs"]), "an input that the action does not have"
        values: dict[str, str] = {f"inputs.{name}": item["default"] for name, item in action["inputs"].items()}
        values |= {f"inputs.{name}": value for name, value in inputs.items()}
        values |= {
            "runner.temp": str(self.temporary),
            "runner.name": "runner-1",
            "github.job": "engines",
            "github.run_id": "7",
            "github.run_attempt": "1",
        }
        if not install:
            assert self._installed, "nothing is installed yet"
            values |= self._installed
        made = ActionRun()
        summary = self.temporary / "summary.md"
        summary.write_text("")
        for step in action["runs"]["steps"]:
            if not _wanted(step.get("if", ""), values, failed=made.code != 0):
                continue
            if step.get("id") == "install" and not install:
                continue
            made.ran.append(step["name"])
            if "uses" in step:
                name = step["uses"].partition("@")[0]
                made.used[name] = {key: _resolved(text, values) for key, text in step["with"].items()}
                continue
            assert step["shell"] == "bash"
            assert "${{" not in step["run"], "an input in a script's text is a hole: it goes through env"
            output = self.temporary / "output"
            output.write_text("")
            settings = {key: _resolved(text, values) for key, text in step["env"].items()}
            ended = bash(
                step["run"],
                self.workspace,
                environment(
                    GITHUB_ACTIONS="true",
                    GITHUB_ACTION_PATH=str(ACTION.parent),
                    GITHUB_OUTPUT=str(output),
                    GITHUB_STEP_SUMMARY=str(summary),
                    GITHUB_WORKSPACE=str(self.workspace),
                    RUNNER_TEMP=str(self.temporary),
                    **{**settings, **environ},
                ),
                shell=("bash", "--noprofile", "--norc", "-eo", "pipefail"),
            )
            made.log += ended.text
            made.code = made.code or ended.code
            for line in output.read_text().splitlines():
                key, equals, value = line.partition("=")
                assert equals, line
                values[f"steps.{step['id']}.outputs.{key}"] = value
        self._installed |= {key: value for key, value in values.items() if key.startswith("steps.install.")}
        made.summary = summary.read_text("utf-8")
        made.outputs = {name: _resolved(item["value"], values) for name, item in action["outputs"].items()}
        return made


def _value(expression: str, values: Mapping[str, str]) -> str:
    if expression.startswith("steps."):
        return values.get(expression, "")
    return values[expression]


def _resolved(text: Any, values: Mapping[str, str]) -> str:
    return _EXPRESSION.sub(lambda found: _value(found[1], values), str(text))


def _wanted(condition: str, values: Mapping[str, str], *, failed: bool) -> bool:
    """GitHub runs no step after a failed one, unless its condition asks for the job's state."""
    found = _EXPRESSION.fullmatch(condition)
    terms = (found[1] if found else condition).split(" && ") if condition else []
    if failed and "!cancelled()" not in terms:
        return False
    for term in terms:
        if term == "!cancelled()":
            continue
        name, sign, text = re.fullmatch(r"(\S+) (==|!=) '([^']*)'", term).groups()  # type: ignore[union-attr]
        if (_value(name, values) == text) is not (sign == "=="):
            return False
    return True
