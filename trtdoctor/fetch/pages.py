"""What stands beside the fetched files: the plan itself, requirements with digests, and pages for ``pip``."""

from __future__ import annotations

import html
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from trtdoctor.planned import NAME, Planned, PlannedFile, to_yaml
from trtdoctor.render import plan_requirements, write_whole

REQUIREMENTS = "requirements.txt"
INDEX = "index.html"
SIMPLE = "simple"


def write(plan: Planned, directory: str) -> None:
    """Write all of it; each file whole or not at all. Raises OSError.

    ``index.html`` lists every file for ``--find-links``; ``simple/`` is the same as a simple index (PEP 503), for
    whoever serves the folder by HTTP.
    """
    files = [item for item in plan.files if os.path.isfile(os.path.join(directory, item.name))]
    projects: dict[str, list[PlannedFile]] = {}
    for item in files:
        if item.distribution:
            projects.setdefault(re.sub(r"[-_.]+", "-", item.distribution).lower(), []).append(item)
    write_whole(os.path.join(directory, INDEX), _page("", files))
    for name, found in projects.items():
        place = os.path.join(directory, SIMPLE, name)
        os.makedirs(place, exist_ok=True)
        write_whole(os.path.join(place, INDEX), _page("../../", found))
    listed = {f"{name}/": name for name in projects}
    if projects:
        write_whole(os.path.join(directory, SIMPLE, INDEX), _document(listed))
    write_whole(os.path.join(directory, NAME), to_yaml(plan))
    if plan.pins:
        write_whole(os.path.join(directory, REQUIREMENTS), plan_requirements.render(plan, offline=True))


def _page(up: str, files: Iterable[PlannedFile]) -> str:
    return _document({f"{up}{quote(item.name)}#sha256={item.sha256}": item.name for item in files})


def _document(links: Mapping[str, str]) -> str:
    lines = [f'<a href="{html.escape(link)}">{html.escape(name)}</a><br>' for link, name in sorted(links.items())]
    head = '<!DOCTYPE html>\n<html><head><meta charset="utf-8"><meta name="pypi:repository-version" content="1.0">'
    return "\n".join([f"{head}<title>Files</title></head><body>", *lines, "</body></html>", ""])


def install_command(directory: str, *, nested: bool, python: str = "python3") -> str:
    """What installs the plan from the folder, with no network."""
    place = os.path.abspath(directory)
    words = [python, "-m", "pip", "install", "--no-index", "--find-links", place, "-r"]
    told = shlex.join([*words, os.path.join(place, REQUIREMENTS)])
    return f"PIP_NO_INDEX=1 PIP_FIND_LINKS={shlex.quote(place)} {told}" if nested else told
