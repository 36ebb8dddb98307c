"""``docs/ci.md``: its commands run and end as it says, its links lead somewhere, its snippet is the file's."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.images import Image
from tests.recipes.shell import EXAMPLES, READY, bash, environment

PAGE = ROOT / "docs" / "ci.md"
TEXT = PAGE.read_text("utf-8")
COMMANDS = re.findall(r"<!-- run: ([0-9, ]+) -->\n```sh\n(.*?)\n```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the files that the page names."""
    made = tmp_path_factory.mktemp("page")
    shutil.copy(READY, made / "host.json")
    (made / "requirements.txt").write_text("tensorrt-cu12==10.9.0.34\n")
    (made / "Dockerfile").write_text("FROM ubuntu:22.04\nRUN python3 -m pip install numpy==2.0.0\n")
    image = Image(made / "image")
    image.tensorrt("10.9.0")
    files = [f"/{file.relative_to(image.root)}" for file in image.root.rglob("libnv*")]
    image.debian("libnvinfer10", "10.9.0.34-1+cuda12.8", files)
    return made


def test_every_shell_block_says_how_it_ends() -> None:
    assert TEXT.count("```sh\n") == len(COMMANDS) > 5


@pytest.mark.parametrize(("codes", "script"), COMMANDS)
def test_commands_end_as_the_page_says(codes: str, script: str, place: Path) -> None:
    path = f"{Path(sys.executable).parent}:{environment()['PATH']}"
    ended = bash(script, place, environment(PATH=path), ("bash", "-e"))
    assert ended.code in {int(code) for code in codes.split(",")}, ended.text
    assert "Traceback" not in ended.text
    for file in re.findall(r"-o (?:\w+:)?(\S+)", script):
        assert (place / file).stat().st_size > 0, file


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        if not target.startswith("https://"):
            assert (PAGE.parent / target).exists(), target


def test_every_recipe_is_on_the_page() -> None:
    linked = {(PAGE.parent / target).resolve() for target in re.findall(r"\]\((examples/[^)]+)\)", TEXT)}
    recipes = {"github", "gitlab", "jenkins", "docker", "kubernetes", "slurm", "pre-commit"}
    assert {file.parent.name for file in linked} >= recipes
    for name in recipes:
        assert {file for file in (EXAMPLES / name).iterdir() if file.is_file()} <= linked


def test_the_snippet_of_the_action_is_the_workflow_s() -> None:
    (snippet,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    (step,) = yaml.safe_load(snippet)
    workflow = yaml.safe_load((EXAMPLES / "github" / "workflow.yml").read_text("utf-8"))
    (used,) = (item for item in workflow["jobs"]["engines"]["steps"] if item.get("id") == "trtdoctor")
    assert step == {"uses": used["uses"], "with": used["with"]}
