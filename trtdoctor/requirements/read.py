"""Which reader is for which file."""

from __future__ import annotations

import os
import re

from trtdoctor.requirements.files import FileError, Files
from trtdoctor.requirements.stated import Requirements
from trtdoctor.requirements.target import Target

FORMATS = ("requirements.txt", "pyproject.toml", "uv.lock", "poetry.lock", "environment.yml", "Dockerfile")
"""The formats that are read, by the usual names of their files."""
_TEXT = re.compile(r".*\.(?:txt|in|pip)|.*requirements.*|.*constraints.*", re.IGNORECASE)
_DOCKER = re.compile(r"(?:dockerfile|containerfile).*|.+\.(?:dockerfile|containerfile)", re.IGNORECASE)


def format_of(path: str) -> str | None:
    """The format of a file by its name; None for none that is known."""
    name = os.path.basename(path)
    lowered = name.lower()
    if lowered in ("uv.lock", "poetry.lock", "pyproject.toml"):
        return lowered
    for ending, kind in ((".lock", "uv.lock"), (".toml", "pyproject.toml")):
        if lowered.endswith(ending):
            return kind
    if lowered.endswith((".yml", ".yaml")):
        return "environment.yml"
    if _DOCKER.fullmatch(name):
        return "Dockerfile"
    return "requirements.txt" if _TEXT.fullmatch(name) else None


def read(path: str, target: Target, files: Files, *, stage: str | None = None) -> Requirements:
    """What a file states, for a target. Raises :class:`FileError`, also for a format that is not known."""
    kind = format_of(path)
    if kind is None:
        raise FileError(f"{path}: of no format that is read; known: {', '.join(FORMATS)}")
    text = files.text(path)
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
