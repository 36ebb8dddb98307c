"""Each recipe is what the system that reads it takes: by its official schema, its parser or its linter."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.recipes.action import ACTION
from tests.recipes.shell import EXAMPLES

HOOKS = ROOT / ".pre-commit-hooks.yaml"


def tool(name: str, *arguments: str | Path, stdin: str = "") -> str:
    """Run a linter of this environment; what it printed, empty when it has no complaint."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / name), *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def schema(name: str, file: Path) -> str:
    transform = ("--data-transform", "gitlab-ci") if name == "gitlab-ci" else ()
    return tool("check-jsonschema", "--builtin-schema", f"vendor.{name}", *transform, file)


@pytest.mark.parametrize(
    ("name", "file", "old", "new"),
    [
        ("github-actions", ACTION, "using: composite", "using: composed"),
        ("github-workflows", EXAMPLES / "github" / "workflow.yml", "runs-on:", "run-on:"),
        ("gitlab-ci", EXAMPLES / "gitlab" / "trtdoctor.gitlab-ci.yml", "when: always", "when: ever"),
    ],
)
def test_pipelines_keep_to_their_official_schemas(name: str, file: Path, old: str, new: str, tmp_path: Path) -> None:
    assert schema(name, file) == ""
    text = file.read_text("utf-8").replace("\n.trtdoctor:", "\ntrtdoctor:")  # the schema looks into no hidden job
    shown, bad = tmp_path / "shown.yml", tmp_path / "bad.yml"
    shown.write_text(text)
    assert schema(name, shown) == ""
    assert old in text
    bad.write_text(text.replace(old, new))
    assert schema(name, bad) != "", "the schema takes anything"


def test_the_pod_keeps_to_the_schema_of_kubernetes(tmp_path: Path) -> None:
    file = EXAMPLES / "kubernetes" / "pod.yaml"
    for version in ("1.28", "1.37"):
        assert tool("kubernetes-validate", "--strict", "-k", version, file) == ""
    bad = tmp_path / "pod.yaml"
    bad.write_text(file.read_text("utf-8").replace("terminationMessagePolicy", "terminationMessagesPolicy"))
    assert tool("kubernetes-validate", "--strict", bad) != ""


def test_the_dockerfile_passes_hadolint(tmp_path: Path) -> None:
    file = EXAMPLES / "docker" / "Dockerfile"
    assert tool("hadolint", "--no-color", file) == ""
    bad = tmp_path / "Dockerfile"
    bad.write_text(file.read_text("utf-8").replace("COPY trtdoctor", "COPPY trtdoctor"))
    assert "COPPY" in tool("hadolint", "--no-color", bad) or tool("hadolint", bad)


def test_shell_scripts_pass_shellcheck() -> None:
    assert tool("shellcheck", EXAMPLES / "slurm" / "prolog.sh") == ""
    for step in yaml.safe_load(ACTION.read_text("utf-8"))["runs"]["steps"]:
        if "run" in step:
            assert tool("shellcheck", "--shell=bash", "-", stdin=step["run"]) == "", step["name"]
    job = yaml.safe_load((EXAMPLES / "gitlab" / "trtdoctor.gitlab-ci.yml").read_text("utf-8"))[".trtdoctor"]
    script = "\n".join([*job["before_script"], *job["script"]])
    assert tool("shellcheck", "--shell=sh", "--exclude=SC2086", "-", stdin=script) == ""  # words are wanted there


def test_the_jenkinsfile_is_groovy() -> None:
    from groovy_parser.parser import parse_groovy_content

    parse_groovy_content((EXAMPLES / "jenkins" / "Jenkinsfile").read_text("utf-8"))


def test_the_hook_and_its_use_are_what_pre_commit_takes() -> None:
    config = EXAMPLES / "pre-commit" / ".pre-commit-config.yaml"
    assert tool("pre-commit", "validate-manifest", HOOKS) == ""
    assert tool("pre-commit", "validate-config", config) == ""
    offered = {hook["id"] for hook in yaml.safe_load(HOOKS.read_text("utf-8"))}
    used = {hook["id"] for repo in yaml.safe_load(config.read_text("utf-8"))["repos"] for hook in repo["hooks"]}
    assert used == offered


def test_the_workflow_gives_the_action_only_inputs_that_it_has() -> None:
    action = yaml.safe_load(ACTION.read_text("utf-8"))
    text = (EXAMPLES / "github" / "workflow.yml").read_text("utf-8")
    (step,) = (item for item in yaml.safe_load(text)["jobs"]["engines"]["steps"] if item.get("id") == "trtdoctor")
    assert step["uses"].partition("@")[0].endswith("/trtdoctor/.github/actions/check")
    assert set(step["with"]) <= set(action["inputs"])
    assert set(re.findall(r"steps\.trtdoctor\.outputs\.(\S+)", text)) <= set(action["outputs"])


def test_recipes_hold_no_secret_and_no_address_of_a_registry() -> None:
    for file in [ACTION, HOOKS, *(item for item in EXAMPLES.rglob("*") if item.is_file())]:
        text = file.read_text("utf-8").lower()
        for word in ("secrets.", "password", "token:", "index-url", "pypi", "npmjs"):
            assert word not in text, f"{file}: {word}"
