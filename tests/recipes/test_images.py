"""The stage of the Dockerfile and the init container, run on small images of machines."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dockerfile_parse import DockerfileParser

from tests.images import Image
from tests.recipes.shell import AS_OF, EXAMPLES, Ended, bash, environment

DOCKERFILE = EXAMPLES / "docker" / "Dockerfile"
GPU, DRIVER = "NVIDIA L4", "570.86.15"


def stage() -> list[tuple[str, str]]:
    """Instructions of the stage ``trtdoctor`` with their values."""
    parser = DockerfileParser(fileobj=io.BytesIO(DOCKERFILE.read_bytes()))
    found: list[tuple[str, str]] = []
    inside = False
    for item in parser.structure:
        if item["instruction"] == "FROM":
            inside = item["value"].endswith(" AS trtdoctor")
        elif inside and item["instruction"] != "COMMENT":
            found.append((item["instruction"], item["value"]))
    return found


def build(image: Image, wheel: Path, place: Path, **arguments: str) -> Ended:
    """Run the stage's RUN lines with /bin/sh, with its directories below ``place``, until one fails."""
    (place / "tmp").mkdir(parents=True, exist_ok=True)
    ended = Ended(0, "")
    for instruction, value in stage():
        if instruction == "COPY":
            pattern, target = value.split()
            assert wheel.match(pattern)
            shutil.copy(wheel, place / target.strip("/"))
        if instruction != "RUN":
            assert instruction in ("ARG", "COPY"), instruction
            continue
        mounted = re.match(r"--mount=type=bind,from=application,target=(\S+) ", value)
        script = value[mounted.end() :] if mounted else value
        for name in ("/opt/trtdoctor", "/tmp/"):
            script = script.replace(name, f"{place}{name}")
        if mounted:
            script = re.sub(rf"(?<=\s){mounted[1]}\b", str(image.root), script)
        if "-m venv" in script and (place / "opt/trtdoctor").exists():
            continue  # a layer that is built already
        ended = bash(script, place, environment(**arguments), ("/bin/sh",))
        if ended.code:
            break
    return ended


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stage is built: what it installs stays for the module."""
    return tmp_path_factory.mktemp("docker")


def test_the_image_is_built_only_if_its_tensorrt_fits(place: Path, wheel: Path, tmp_path: Path) -> None:
    image = Image(tmp_path / "image")
    image.tensorrt("10.9.0")
    files = [f"/{file.relative_to(image.root)}" for file in image.root.rglob("libnv*")]
    image.debian("libnvinfer10", "10.9.0.34-1+cuda12.8", files)
    fits = build(image, wheel, place, GPU=GPU, DRIVER=DRIVER, TRTDOCTOR_ARGUMENTS=f"--as-of {AS_OF}")
    assert fits.code == 0, fits.text
    report = json.loads((place / "tmp" / "trtdoctor.json").read_text())
    found = {item["component"]: item["version"] for item in report["inventory"]}
    assert found["tensorrt"].startswith("10.9.0")
    assert found["driver"].startswith(DRIVER)

    unmet = f"--as-of {AS_OF} --require tensorrt>=10.10"
    for wrong in ({"DRIVER": "450.80.02"}, {"GPU": "Tesla K80"}, {"TRTDOCTOR_ARGUMENTS": unmet}):
        settings = {"GPU": GPU, "DRIVER": DRIVER, "TRTDOCTOR_ARGUMENTS": f"--as-of {AS_OF}", **wrong}
        ended = build(image, wheel, place, **settings)
        assert ended.code == 1, (wrong, ended.text)
    forgotten = build(image, wheel, place, GPU="", DRIVER=DRIVER, TRTDOCTOR_ARGUMENTS="")
    assert forgotten.code == 2, forgotten.text


def test_an_image_without_tensorrt_is_not_built(place: Path, wheel: Path, tmp_path: Path) -> None:
    ended = build(Image(tmp_path / "image"), wheel, place, GPU=GPU, DRIVER=DRIVER, TRTDOCTOR_ARGUMENTS="")
    assert ended.code == 1, ended.text
    assert "TRT101" in ended.text


def test_the_last_stage_takes_what_the_check_wrote() -> None:
    text = DOCKERFILE.read_text("utf-8")
    (copied,) = re.findall(r"^COPY --from=trtdoctor (\S+) ", text, re.MULTILINE)
    assert f"-o json:{copied}" in text, "BuildKit leaves out a stage that nothing is copied from"


def test_the_init_container_runs_as_it_is_written(tmp_path: Path) -> None:
    pod = yaml.safe_load((EXAMPLES / "kubernetes" / "pod.yaml").read_text("utf-8"))
    (init,), (main,) = pod["spec"]["initContainers"], pod["spec"]["containers"]
    assert init["image"] == main["image"], "what is judged is what will run"
    gpus = [item["resources"]["limits"]["nvidia.com/gpu"] for item in (init, main)]
    assert gpus == [1, 1]
    program, *words = init["command"]
    assert program == "/opt/trtdoctor/bin/trtdoctor"
    for python, codes in ((sys.executable, (0, 1)), (str(tmp_path / "missing"), (2,))):
        arguments = [item.replace("/usr/bin/python3", python) for item in init["args"]]
        assert arguments != init["args"]
        done = subprocess.run(
            [str(Path(sys.executable).parent / "trtdoctor"), *words, *arguments],
            env={"PATH": os.defpath, "HOME": "/proc/nothing", "TMPDIR": str(tmp_path)},  # a read-only root
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode in codes, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
