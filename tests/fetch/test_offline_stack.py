"""A whole plan executed: TensorRT for RTX fetched from the real index, installed offline, checked, an engine built."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.run import run

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
TARGET = ("--set", "os=ubuntu-22.04", "--set", "arch=x86_64", "--set", f"python={PYTHON}")


def test_a_plan_without_a_gpu_is_fetched_installed_offline_and_passes_check_and_canary(tmp_path: Path) -> None:
    place = tmp_path / "files"
    fetched = run("plan", *TARGET, "--install", "pip", "--require", "tensorrt-rtx", "fetch", str(place), seconds=300)
    if fetched.code == 2 and not os.environ.get("CI"):
        pytest.skip(f"the package index cannot be reached: {fetched.err.strip()[-200:]}")
    assert fetched.code == 0, fetched.err
    requirements = (place / "requirements.txt").read_text()
    assert requirements.count("--hash=sha256:") == requirements.count("==") >= 4

    python = str(tmp_path / "env" / "bin" / "python")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    told = fetched.out.splitlines()[1].split()
    assert told[:6] == ["python3", "-m", "pip", "install", "--no-index", "--find-links"]
    command = [python, *told[1:], "--quiet", "--no-cache-dir"]
    # An index would be refused: only the folder can give anything.
    done = subprocess.run(
        command, env={**environ, "PIP_CONFIG_FILE": os.devnull}, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr

    checked = run("check", "--python", python, "--require", "tensorrt-rtx", "--goal", "build", "--format", "json")
    assert checked.code == 0, checked.out
    report = json.loads(checked.out)
    assert [item["code"] for item in report["findings"] if item["severity"] == "error"] == []
    built = run("canary", "--python", python, "--product", "tensorrt-rtx", "--stage", "build", seconds=120)
    assert built.code == 0, built.out + built.err
