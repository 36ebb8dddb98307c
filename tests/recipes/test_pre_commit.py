"""The hook for ``lint-deps``, installed and run by pre-commit itself in a repository of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.recipes.shell import EXAMPLES, Ended, environment
from trtdoctor.requirements.read import format_of

MANIFEST = ROOT / ".pre-commit-hooks.yaml"
USED = EXAMPLES / "pre-commit" / ".pre-commit-config.yaml"
PACKAGE = ("pyproject.toml", "README.md", "LICENSE", "trtdoctor", "matrix", ".pre-commit-hooks.yaml")


def git(place: Path, *arguments: str) -> str:
    settings = ["user.name=test", "user.email=test@example.com", "commit.gpgsign=false", "core.hooksPath=/dev/null"]
    command = ["git", *(word for item in settings for word in ("-c", item)), *arguments]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def repository(place: Path) -> str:
    """Make a directory a repository with one commit; its id."""
    git(place, "init", "--quiet")
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "--message", "all")
    return git(place, "rev-parse", "HEAD")


def pre_commit(place: Path, home: Path) -> Ended:
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--all-files", "--verbose"],
        cwd=place,
        env=environment(PRE_COMMIT_HOME=str(home), PRE_COMMIT_COLOR="never"),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    return Ended(done.returncode, done.stdout + done.stderr)


@pytest.mark.skipif(shutil.which("git") is None, reason="pre-commit needs git")
def test_pre_commit_installs_and_runs_the_hook(tmp_path: Path) -> None:
    origin = tmp_path / "trtdoctor"
    origin.mkdir()
    for name in PACKAGE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, origin / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, origin / name)
    revision = repository(origin)
    config = yaml.safe_load(USED.read_text("utf-8"))
    config["repos"][0] |= {"repo": str(origin), "rev": revision}

    place = tmp_path / "project"
    (place / "docker").mkdir(parents=True)
    (place / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    (place / "README.md").write_text("tensorrt\n")
    (place / "requirements.txt").write_text("tensorrt-cu12==10.9.0.34\n")
    # Another environment, which beside the first would be cu13 with cu12.
    (place / "docker" / "requirements-new.txt").write_text("numpy\n")
    repository(place)
    fine = pre_commit(place, tmp_path / "home")
    assert fine.code == 0, fine.text
    assert "docker/requirements-new.txt" in fine.text
    assert "README.md" not in fine.text

    (place / "docker" / "requirements-new.txt").write_text("nvidia-tensorrt==99.0.0\n")
    git(place, "add", "--all")
    wrong = pre_commit(place, tmp_path / "home")
    assert wrong.code == 1, wrong.text
    assert "exit code: 1" in wrong.text
    assert "docker/requirements-new.txt:1" in wrong.text

    (place / "pyproject.toml").write_text("[project\n")
    git(place, "add", "--all")
    unreadable = pre_commit(place, tmp_path / "home")
    assert "exit code: 2" in unreadable.text
    assert "not judged: pyproject.toml" in unreadable.text
    assert "docker/requirements-new.txt:1" in unreadable.text, "one file that cannot be read stops no other"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("requirements.txt", True),
        ("services/a/requirements-gpu.txt", True),
        ("requirements/dev.in", False),
        ("requirements.in", True),
        ("constraints.txt", True),
        ("pyproject.toml", True),
        ("deep/uv.lock", True),
        ("poetry.lock", True),
        ("environment.yml", True),
        ("environment.yaml", True),
        ("environments.yaml", False),
        ("Dockerfile", True),
        ("Dockerfile.gpu", True),
        ("Dockerfile.dockerignore", False),
        ("gpu.Dockerfile", True),
        ("docker/Containerfile", True),
        ("README.md", False),
        ("Cargo.lock", False),
        ("my-pyproject.toml", False),
        ("requirements.py", False),
    ],
)
def test_the_hook_takes_the_files_that_lint_deps_reads(name: str, wanted: bool) -> None:
    (hook,) = yaml.safe_load(MANIFEST.read_text("utf-8"))
    assert bool(re.search(hook["files"], name)) is wanted
    if wanted:
        assert format_of(name) is not None
