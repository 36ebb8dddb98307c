"""Which reader is for which file."""

from __future__ import annotations

import os
import re
from dataclasses import replace

from trtdoctor.requirements.files import FileError, Files
from trtdoctor.requirements.stated import Requirements
from trtdoctor.requirements.target import Target

FORMATS = ("requirements.txt", "pyproject.toml", "uv.lock", "poetry.lock", "environment.yml", "Dockerfile")
"""The formats that are read, by the usual names of their files."""
_TEXT = re.compile(r".*\.(?:txt|in|pip)|.*requirements.*|.*constraints.*", re.IGNORECASE)
_DOCKER = re.compile(r"(?:dockerfile|containerfile).*|.+\.(?:dockerfile|containerfile)", re.IGNORECASE)


_STAGE = re.compile(r"(?:FROM|ARG)\s+[^\s=<>!~;@\[]+", re.IGNORECASE)
"""How a Dockerfile begins, and no requirement does."""


def format_of(path: str) -> str | None:
    """The format of a file by its name; None for none that is known."""
    name = os.path.basename(path)
    lowered = name.lower()
    if lowered in ("uv.lock", "poetry.lock", "pyproject.toml"):
        return lowered
    if lowered.endswith(".toml"):
        return "pyproject.toml"
    if lowered.endswith(".lock"):
        return "requirements.txt" if "requirements" in lowered else "uv.lock"
    if lowered.endswith((".yml", ".yaml")):
        return "environment.yml"
    if _DOCKER.fullmatch(name):
        return "Dockerfile"
    return "requirements.txt" if _TEXT.fullmatch(name) else None


def read(path: str, target: Target, files: Files, *, stage: str | None = None) -> Requirements:
    """What a file states, for a target. Raises :class:`FileError`, also for a format that is not known."""
    kind = format_of(path)
    text = files.text(path)
    if kind in (None, "requirements.txt") and _begins_as_dockerfile(text):
        kind = "Dockerfile"
    if kind is None:
        raise FileError(f"{path}: of no format that is read; known: {', '.join(FORMATS)}")
    return replace(_read_as(kind, text, path, target, files, stage), format=kind)


def _begins_as_dockerfile(text: str) -> bool:
    """Whether the first line that says anything is a FROM or an ARG: for names such as ``docker-gpu.txt``."""
    for line in text.split("\n", 200)[:200]:
        if line.strip() and not line.lstrip().startswith("#"):
            return _STAGE.match(line.strip()) is not None
    return False


def _read_as(kind: str, text: str, path: str, target: Target, files: Files, stage: str | None) -> Requirements:
    if kind == "requirements.txt":
        from trtdoctor.requirements import requirements_txt

        files.enter(path)
        return requirements_txt.parse(text, path, target, files)
    if kind == "pyproject.toml":
        from trtdoctor.requirements import pyproject

        return pyproject.parse(text, path, target)
    if kind in ("uv.lock", "poetry.lock"):
        from trtdoctor.requirements import locks

        return locks.parse(text, path, target)
    if kind == "environment.yml":
        from trtdoctor.requirements import conda

        return conda.parse(text, path, target, files)
    from trtdoctor.requirements import dockerfile

    return dockerfile.parse(text, path, target, files, stage)
