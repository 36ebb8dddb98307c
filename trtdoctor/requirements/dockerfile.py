"""Dockerfiles: the base image, and what their RUN instructions install with pip, uv, conda, Poetry and apt.

One stage is judged, the last one or the one that is asked for, with the stages that it builds upon, and with what a
stage installed that it copies a Python environment from. Nothing is run: what depends on a shell is skipped.
"""

from __future__ import annotations

import json
import os
import re
from collections import ChainMap
from collections.abc import MutableMapping
from dataclasses import replace

from trtdoctor.record import record
from trtdoctor.requirements import install_commands, pip_commands
from trtdoctor.requirements.dockerfile_lines import Instruction, instructions
from trtdoctor.requirements.files import Files
from trtdoctor.requirements.requirements_txt import note_index
from trtdoctor.requirements.shell import Shell
from trtdoctor.requirements.shellwords import Command, Word, commands, substitute
from trtdoctor.requirements.stated import Base, Builder, Requirements, place
from trtdoctor.requirements.target import Target
from trtdoctor.text import clean

_MOST_STAGES = 200
_LONGEST_ASSIGNMENT = 8000
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_SETTINGS = ("LD_LIBRARY_PATH", "PATH", "LD_PRELOAD", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")
_ENVIRONMENT = re.compile(r"site-packages|dist-packages|venv|/opt\b|/usr/local\b|/root/\.local|conda|/app\b|^/$")
"""A path that a Python environment may be copied with."""
_FLAG = re.compile(r"--([a-z-]+)(?:=(\S+))?\s+")
_ASSIGNMENT = re.compile(r"""([A-Za-z_][A-Za-z0-9_]*)=("(?:[^"\\]|\\.)*"|'[^']*'|(?:[^\s\\]|\\.)*)""", re.DOTALL)


def parse(text: str, file: str, target: Target, files: Files | None = None, stage: str | None = None) -> Requirements:
    """What a Dockerfile states of its last stage, or of ``stage`` (a name or a number).

    Raises FileError when there is no FROM, or no such stage.
    """
    stages = _stages(text, file, target)
    chosen = _chosen(stages, stage, file)
    context = Shell(Builder(file), target, files, os.path.dirname(file))
    base = _run(stages, chosen, context, set())
    made = context.made.done()
    return replace(
        made,
        base=base,
        packages=tuple(context.packages),
        settings=tuple(context.settings.items()),
        conda=tuple(context.conda),
        complete=context.locked and not context.loose,
    )


@record
class _Stage:
    name: str | None
    image: str
    known: bool
    platform: str | None
    where: str
    body: tuple[Instruction, ...]
    globals: dict[str, str]
    """ARGs before the first FROM, which a stage has to ask for."""


def _stages(text: str, file: str, target: Target) -> list[_Stage]:
    found: list[_Stage] = []
    bodies: list[list[Instruction]] = []
    top = _of_target(target)
    for item in instructions(text):
        if item.name == "FROM":
            flat, known = substitute(item.text.replace("\\\n", " "), top)
            flags = dict(_FLAG.findall(flat + " "))
            words = _FLAG.sub("", flat + " ").split()
            name = words[2].lower() if len(words) > 2 and words[1].lower() == "as" else None
            image = clean(words[0], 300) if words else ""
            platform = flags.get("platform") or None
            if platform and "$" in platform:
                platform = None
            found.append(_Stage(name, image, known and bool(image), platform, place(file, item.line), (), top))
            bodies.append([])
        elif not found:
            if item.name == "ARG":
                _assign(item.text, top, top)
        else:
            bodies[-1].append(item)
    return [replace(stage, body=tuple(body)) for stage, body in zip(found, bodies, strict=True)]


def _of_target(target: Target) -> dict[str, str]:
    """The arguments that every build has: the platform that it is for. The one that it runs on is not known."""
    architecture = _ARCHITECTURES.get(target.architecture, target.architecture)
    return {
        "TARGETPLATFORM": f"{target.system}/{architecture}",
        "TARGETOS": target.system,
        "TARGETARCH": architecture,
        "TARGETVARIANT": "",
    }


def _chosen(stages: list[_Stage], wanted: str | None, file: str) -> int:
    from trtdoctor.requirements.files import FileError

    if not stages:
        raise FileError(f"{file}: no Dockerfile: it has no FROM")
    if len(stages) > _MOST_STAGES:
        raise FileError(f"{file}: more than {_MOST_STAGES} stages")
    if wanted is None:
        return len(stages) - 1
    for number, stage in enumerate(stages):
        if wanted.lower() == stage.name or wanted == str(number):
            return number
    names = ", ".join(stage.name or str(number) for number, stage in enumerate(stages))
    raise FileError(f"{file}: no stage {clean(wanted, 60)!r}; stages: {clean(names, 200)}")


def _index(stages: list[_Stage], name: str, before: int) -> int | None:
    """The stage that FROM or --from names."""
    for number in range(before - 1, -1, -1):
        if stages[number].name == name.lower() or (name.isdecimal() and int(name) == number):
            return number
    return None


def _run(stages: list[_Stage], number: int, shell: Shell, seen: set[int]) -> Base | None:
    """Go through a stage after the one that it builds upon; the image at the bottom."""
    seen.add(number)
    stage = stages[number]
    below = _index(stages, stage.image, number)
    if below is not None:
        base = _run(stages, below, shell, seen) if below not in seen else None
    elif stage.known:
        base = Base(stage.image, stage.where, stage.platform)
    else:
        base = None
        shell.made.skip(_line_of(stage.where), f"FROM {stage.image}", "the image depends on a build argument")
    arguments: dict[str, str] = {}
    for item in stage.body:
        variables = ChainMap(shell.environment, arguments)
        if item.name == "ARG":
            _assign(item.text, variables, arguments, stage.globals)
        elif item.name == "ENV":
            _env(item, variables, shell)
        elif item.name == "WORKDIR":
            folder, _ = substitute(item.text.replace("\\\n", "").strip(), variables)
            shell.workdir = os.path.normpath(os.path.join(shell.workdir, folder.strip("\"'")))
        elif item.name in ("COPY", "ADD"):
            _copy(stages, number, item, variables, shell, seen)
        elif item.name == "RUN":
            _run_instruction(item, variables, shell)
    return base


def _assign(
    text: str, variables: MutableMapping[str, str], into: dict[str, str], inherited: dict[str, str] | None = None
) -> None:
    """``ARG NAME=value``, several on a line; a bare name takes what stands before the first FROM.

    What has a value that is not known is not known any more.
    """
    flat = text.replace("\\\n", " ")[:_LONGEST_ASSIGNMENT]
    for match in _ASSIGNMENT.finditer(flat):
        value, known = substitute(match[2].strip("\"'"), variables)
        if known:
            into[match[1]] = value
        else:
            into.pop(match[1], None)
    for word in flat.split():
        if word.isidentifier() and inherited and word in inherited:
            into.setdefault(word, inherited[word])


def _env(item: Instruction, variables: ChainMap[str, str], shell: Shell) -> None:
    flat = item.text.replace("\\\n", " ").strip()[:_LONGEST_ASSIGNMENT]
    if _ASSIGNMENT.match(flat):
        pairs = [(match[1], match[2]) for match in _ASSIGNMENT.finditer(flat)]
    else:
        name, _, value = flat.partition(" ")
        pairs = [(name, value.strip())]
    for name, value in pairs:
        text, known = substitute(value.strip("\"'"), variables)
        if known:
            shell.environment[name] = text
        else:
            for known_before in variables.maps:
                known_before.pop(name, None)
        if name in _SETTINGS:
            # What the image had before is not known: only what this file adds.
            parts = [part for part in value.strip("\"'").split(":") if known or "$" not in part]
            shell.settings[name] = clean(text if known else ":".join(parts), 1000)
        if name in pip_commands.INDEXES:
            note_index(shell.made, pip_commands.INDEXES[name], text, item.line)


def _copy(
    stages: list[_Stage],
    number: int,
    item: Instruction,
    variables: MutableMapping[str, str],
    shell: Shell,
    seen: set[int],
) -> None:
    flat, known = substitute(item.text.replace("\\\n", " "), variables)
    flags = dict(_FLAG.findall(flat + " "))
    rest = re.sub(r"^(?:\s*--[a-z-]+(?:=\S+)?\s+)+", "", flat).strip()
    words = _json_words(rest) if rest.startswith("[") else rest.split()
    if not known or len(words) < 2 or item.heredocs:
        return
    origin = flags.get("from")
    if origin is None:
        shell.copies.append((tuple(words[:-1]), os.path.join(shell.workdir, words[-1])))
        return
    other = _index(stages, origin, number)
    if other is not None and other not in seen and any(_ENVIRONMENT.search(word) for word in words[:-1]):
        inner = replace(shell, workdir="/", environment={}, settings={}, packages=[], copies=[], conda=[])
        inner.made = Builder(shell.made.file)
        _run(stages, other, inner, seen)
        shell.take(inner)


def _run_instruction(item: Instruction, variables: MutableMapping[str, str], shell: Shell) -> None:
    text, line = _without_flags(item, shell)
    shell.directory = shell.workdir
    for begun, body in item.heredocs:
        for command in commands(body, begun, variables):
            install_commands.run(shell, command)
    words = _json_words(text.replace("\\\n", " ")) if text.lstrip().startswith("[") else []
    if words:
        install_commands.run(shell, Command(tuple(Word(word, line) for word in words)))
    elif not item.heredocs:
        for command in commands(text, line, variables):
            install_commands.run(shell, command)


def _json_words(text: str) -> list[str]:
    """The words of an instruction in its JSON form; none where it is not JSON: ``[ -z $A ] && …`` is a command."""
    try:
        return [str(word) for word in json.loads(text)]
    except (ValueError, RecursionError, TypeError):
        return []


def _without_flags(item: Instruction, shell: Shell) -> tuple[str, int]:
    """The command of a RUN and its first line; files that ``--mount=type=bind`` brings in are remembered."""
    text, line = item.text, item.line
    while True:
        lead = len(text) - len(text.lstrip(" \t\\\n"))
        match = _FLAG.match(text, lead)
        if match is None:
            return text, line
        if match[1] == "mount" and match[2]:
            _mount(dict(part.partition("=")[::2] for part in match[2].split(",")), shell)
        line += text[: match.end()].count("\n")
        text = text[match.end() :]


def _mount(options: dict[str, str], shell: Shell) -> None:
    folder = options.get("target") or options.get("dst") or options.get("destination")
    if options.get("type") == "bind" and folder and "from" not in options:
        source = options.get("source") or options.get("src") or "."
        shell.copies.append(((source,), os.path.join(shell.workdir, folder)))


def _line_of(where: str) -> int:
    return int(where.rpartition(":")[2])
