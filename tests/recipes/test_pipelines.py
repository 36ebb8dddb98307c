"""The shell lines of the GitLab template and of the Jenkinsfile, run as their runners run them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.recipes.shell import AS_OF, BROKEN, EXAMPLES, READY, Ended, bash, environment

JENKINSFILE = EXAMPLES / "jenkins" / "Jenkinsfile"


@dataclass(frozen=True)
class Recipe:
    """The two halves of a recipe, and how its system runs them."""

    install: str
    check: str
    shell: tuple[str, ...]
    variables: dict[str, str]

    def run(self, place: Path, *, source: str = "", arguments: str = "", install: bool = False) -> Ended:
        """Run both halves in one shell, or the second alone in what is installed already."""
        script = f"{self.install}\n{self.check}" if install else self.check
        settings = {**self.variables, "CI_PROJECT_DIR": str(place)}
        settings |= {"TRTDOCTOR_SOURCE": source, "TRTDOCTOR_ARGUMENTS": arguments}
        return bash(script, place, environment(**settings), self.shell)


def gitlab(*shell: str) -> Recipe:
    """The job's lines: the first that fails ends the job."""
    job = _template()
    return Recipe("\n".join(job["before_script"]), "\n".join(job["script"]), (*shell, "-e"), job["variables"])


def jenkins() -> Recipe:
    """The step's script, run with ``sh -xe`` as Jenkins does."""
    (script,) = re.findall(r"sh '''\n(.*?)\n *'''", JENKINSFILE.read_text("utf-8"), re.DOTALL)
    install, _, check = script.rpartition("\n")
    return Recipe(install, check, ("/bin/sh", "-xe"), {})


def _template() -> Any:
    return yaml.safe_load((EXAMPLES / "gitlab" / "trtdoctor.gitlab-ci.yml").read_text("utf-8"))[".trtdoctor"]


@pytest.mark.parametrize("system", ["gitlab", "gitlab-sh", "jenkins"])
def test_the_lines_end_as_documented(system: str, wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / "a checkout"
    place.mkdir()
    recipe = jenkins() if system == "jenkins" else gitlab("/bin/sh" if system == "gitlab-sh" else "bash")

    nothing = recipe.run(place, install=True)
    assert (nothing.code, "TRTDOCTOR_SOURCE is not set" in nothing.text) == (2, True)
    ready = f"--snapshot {READY} --as-of {AS_OF} --require tensorrt>=8.5,<9"
    passed = recipe.run(place, source=str(wheel), arguments=ready, install=True)
    assert passed.code == 0, passed.text
    for name in _named(system):
        assert (place / name).stat().st_size > 0, name

    for arguments, code in (
        (f"--snapshot {READY} --as-of {AS_OF} --require tensorrt>=10", 1),
        ("--set tensorrt=10.9", 1),  # nothing is wrong, but too little is known
        ("--no-such-option", 2),
        (f"--snapshot {BROKEN} --as-of {AS_OF}", 1),
    ):
        ended = recipe.run(place, arguments=arguments)
        assert ended.code == code, ended.text
    if system != "jenkins":
        findings = json.loads((place / "gl-code-quality-report.json").read_text())
        assert "DNN106" in {item["check_name"] for item in findings}
        assert json.loads((place / "trtdoctor.json").read_text())["snapshot"]["redacted"] is True


def test_what_cannot_be_installed_is_no_finding(tmp_path: Path) -> None:
    assert gitlab("bash").run(tmp_path, source=str(tmp_path / "missing.whl"), install=True).code == 2


def _named(system: str) -> set[str]:
    """The files that the recipe hands on."""
    if system == "jenkins":
        text = JENKINSFILE.read_text("utf-8")
        found = re.findall(r"(?:testResults|artifacts): '([^']+)'", text)
        assert len(found) == 2
        return set(found)
    artifacts = _template()["artifacts"]
    return {*artifacts["paths"], *artifacts["reports"].values()}
