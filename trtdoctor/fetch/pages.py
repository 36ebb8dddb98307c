"""What stands beside the fetched files: the plan itself, requirements with digests, and pages for ``pip``."""

from __future__ import annotations

import html
import os
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote

from trtdoctor.net.landing import set_aside
from trtdoctor.planned import MAX_BYTES, NAME, Planned, PlannedError, PlannedFile, from_yaml, to_yaml
from trtdoctor.render import plan_requirements, write_whole

REQUIREMENTS = "requirements.txt"
INDEX = "index.html"
SIMPLE = "simple"
_HEAD = '<!DOCTYPE html>\n<html><head><meta charset="utf-8"><meta name="pypi:repository-version" content="1.0">'


def write(plan: Planned, directory: str, say: Callable[[str], None]) -> None:
    """Write all of it; each file whole or not at all. Raises OSError.

    ``index.html`` lists every file for ``--find-links``; ``simple/`` is the same as a simple index (PEP 503), for
    whoever serves the folder by HTTP. What lies in one of these places and is none of ours is set aside, and said.
    """
    files = [item for item in plan.files if os.path.isfile(os.path.join(directory, item.name))]
    projects: dict[str, list[PlannedFile]] = {}
    for item in files:
        if item.distribution:
            projects.setdefault(re.sub(r"[-_.]+", "-", item.distribution).lower(), []).append(item)
    _put(directory, INDEX, _page("", files), _is_page, say)
    for name, found in projects.items():
        os.makedirs(os.path.join(directory, SIMPLE, name), exist_ok=True)
        _put(directory, os.path.join(SIMPLE, name, INDEX), _page("../../", found), _is_page, say)
    listed = {f"{name}/": name for name in projects}
    if projects:
        _put(directory, os.path.join(SIMPLE, INDEX), _document(listed), _is_page, say)
    write_plan(plan, directory, say)
    if plan.pins:
        text = plan_requirements.render(plan, offline=True)
        _put(directory, REQUIREMENTS, text, lambda content: content.startswith(b"# trtdoctor "), say)


def write_plan(plan: Planned, directory: str, say: Callable[[str], None]) -> None:
    """The plan alone, as in :func:`write`: what breaks off is carried on by it. Raises OSError."""
    _put(directory, NAME, to_yaml(plan), lambda content: _is_plan(content, plan), say)


def _put(directory: str, name: str, text: str, is_ours: Callable[[bytes], bool], say: Callable[[str], None]) -> None:
    place = os.path.join(directory, name)
    if os.path.isfile(place) and not is_ours(_beginning(place)):
        say(f"  {name}: another one was there, and is {set_aside(place, directory)} now")
    write_whole(place, text)


def _beginning(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read(MAX_BYTES + 1)


def _is_page(content: bytes) -> bool:
    return content.startswith(_HEAD.encode())


def _is_plan(content: bytes, plan: Planned) -> bool:
    """Whether it is an earlier state of the same plan."""
    try:
        before = from_yaml(content)
    except PlannedError:
        return False
    return (before.pins, before.image, before.python) == (plan.pins, plan.image, plan.python)


def _page(up: str, files: Iterable[PlannedFile]) -> str:
    marks = {item.name: f"#sha256={item.sha256}" if item.sha256 else "" for item in files}
    return _document({f"{up}{quote(name)}{mark}": name for name, mark in marks.items()})


def _document(links: Mapping[str, str]) -> str:
    lines = [f'<a href="{html.escape(link)}">{html.escape(name)}</a><br>' for link, name in sorted(links.items())]
    return "\n".join([f"{_HEAD}<title>Files</title></head><body>", *lines, "</body></html>", ""])


def install_command(directory: str, *, nested: bool, python: str = "python3") -> str:
    """What installs the plan from the folder, with no network."""
    place = os.path.abspath(directory)
    words = [python, "-m", "pip", "install", "--no-index", "--find-links", place, "-r"]
    told = shlex.join([*words, os.path.join(place, REQUIREMENTS)])
    # pip takes a blank in the variable for the end of an address; an address of its own can write one otherwise.
    links = place if shlex.quote(place) == place else f"file://{quote(place)}"
    return f"PIP_NO_INDEX=1 PIP_FIND_LINKS={shlex.quote(links)} {told}" if nested else told
