"""Commands of a Dockerfile that install something: pip, uv, Poetry, conda, apt, dnf."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace

from trtdoctor.requirements.files import FileError, Files
from trtdoctor.requirements.requirements_txt import include, note_index, requirement
from trtdoctor.requirements.shellwords import Word
from trtdoctor.requirements.specifiers import known_part
from trtdoctor.requirements.stated import Builder, Requirements, Stated, SystemPackage
from trtdoctor.requirements.target import Target, applies
from trtdoctor.text import clean

_PIP = re.compile(r"(?:.*/)?pip(?:3(?:\.\d+)?)?")
_PYTHON = re.compile(r"(?:.*/)?(?:python(?:3(?:\.\d+)?)?|py)")
_WRAPPERS = frozenset({"sudo", "exec", "command", "time", "env", "nice", "then", "do", "else", "if", "!", "{"})
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
_WITH_VALUE = frozenset(
    (
        "-r",
        "--requirement",
        "-c",
        "--constraint",
        "-i",
        "--index-url",
        "--extra-index-url",
        "-f",
        "--find-links",
        "-t",
        "--target",
        "--prefix",
        "--root",
        "--timeout",
        "--default-timeout",
        "--retries",
        "--proxy",
        "--trusted-host",
        "--platform",
        "--python-version",
        "--progress-bar",
        "--cache-dir",
        "--no-binary",
        "--only-binary",
        "--implementation",
        "--abi",
        "--src",
        "--log",
        "--cert",
        "--client-cert",
        "--index",
        "--default-index",
        "--index-strategy",
        "--python",
        "-p",
        "--global-option",
        "--config-settings",
        "-C",
        "--upgrade-strategy",
        "--exists-action",
        "--report",
        "--build-constraint",
        "-b",
        "--link-mode",
        "--torch-backend",
    )
)
INDEXES = {
    "PIP_INDEX_URL": "--index-url",
    "UV_INDEX_URL": "--index-url",
    "UV_DEFAULT_INDEX": "--index-url",
    "PIP_EXTRA_INDEX_URL": "--extra-index-url",
    "UV_EXTRA_INDEX_URL": "--extra-index-url",
    "UV_INDEX": "--extra-index-url",
}
_APT = re.compile(r"(?:.*/)?(apt|apt-get|aptitude|yum|dnf|microdnf|tdnf|zypper)")
_PACKAGE = re.compile(r"([a-z0-9][a-z0-9+._-]*?)(?::[a-z0-9]+)?(?:=([0-9][A-Za-z0-9.+:~_*-]*))?")
_RPM = re.compile(r"([A-Za-z0-9][A-Za-z0-9+._-]*?)(?:-([0-9][A-Za-z0-9.+:~_-]*?))?(?:\.(?:x86_64|aarch64|noarch))?")
_MOST_COPIES = 100
_SYSTEM_PYTHON = re.compile(r"python(3\.\d{1,2})(?:-(?:dev|venv|minimal|full|distutils))?")
_CONDA = re.compile(r"(?:.*/)?(?:conda|mamba|micromamba)")


@dataclass
class Shell:
    """What is known while a stage is gone through."""

    made: Builder
    target: Target
    files: Files | None
    context: str
    """The directory of the Dockerfile, which stands for the build context."""
    workdir: str = "/"
    environment: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    packages: list[SystemPackage] = field(default_factory=list)
    conda: list[Stated] = field(default_factory=list)
    copies: list[tuple[tuple[str, ...], str]] = field(default_factory=list)
    """Sources and destination of each COPY."""
    step: int = 0
    locked: bool = False
    """Whether a lock file is installed."""
    loose: bool = False
    """Whether something else is."""

    def take(self, other: Shell) -> None:
        """What another stage installed that this one copies."""
        self.made.take(other.made.done())
        self.step = max(self.step, other.step)
        self.locked = self.locked or other.locked
        self.loose = self.loose or other.loose

    def find(self, path: str) -> str | None:
        """The file of the build context that lies at ``path`` in the image; None when that cannot be told."""
        if self.files is None:
            return None
        full = os.path.normpath(os.path.join(self.workdir, path))
        base = os.path.basename(full)
        candidates: list[str] = []
        for sources, destination in reversed(self.copies[-_MOST_COPIES:]):
            folder = os.path.normpath(destination)
            for source in sources[:_MOST_COPIES]:
                inside = source.lstrip("/")
                if os.path.basename(inside) == base and full in (folder, os.path.join(folder, base)):
                    candidates.append(inside)
                elif full.startswith(folder.rstrip("/") + "/"):
                    candidates.append(os.path.join(inside, full[len(folder.rstrip("/")) + 1 :]))
        for name in candidates[:_MOST_COPIES]:
            found = os.path.normpath(os.path.join(self.context, name))
            inside_context = not os.path.relpath(found, self.context or ".").startswith("..")
            if inside_context and os.path.isfile(found):
                return found
        return None


def run(shell: Shell, command: list[Word]) -> None:
    """Take note of what one command installs."""
    words = _bare(shell, command)
    texts = [word.text for word in words]
    if len(texts) < 2:
        return
    head = texts[0].rpartition("/")[2]
    if _PYTHON.fullmatch(texts[0]) and texts[1] == "-m" and len(texts) > 3:
        if texts[2] in ("pip", "uv"):
            run(shell, words[2:])
    elif _PIP.fullmatch(texts[0]):
        _after_options(shell, words[1:])
    elif head == "uv" and texts[1:3] == ["pip", "install"]:
        _pip(shell, words[3:])
    elif head == "uv" and texts[1] == "sync":
        _lock(shell, "uv.lock", words)
    elif head == "poetry" and "install" in texts[1:4]:
        _lock(shell, "poetry.lock", words)
    elif _APT.fullmatch(texts[0]):
        _system(shell, words[1:], "apt" if head.startswith("apt") else "rpm")
    elif _CONDA.fullmatch(texts[0]):
        _conda(shell, words[1:])


def _bare(shell: Shell, words: list[Word]) -> list[Word]:
    """A command without what stands before its name: ``sudo``, ``if``, ``NAME=value``."""
    while words and (words[0].text in _WRAPPERS or _ASSIGNMENT.fullmatch(words[0].text)):
        name, _, value = words[0].text.partition("=")
        if name in INDEXES:
            note_index(shell.made, INDEXES[name], value, words[0].line)
        words = words[1:]
    return words


def _after_options(shell: Shell, words: list[Word]) -> None:
    """``pip --no-cache-dir install …``."""
    for number, word in enumerate(words):
        if word.text == "install":
            _pip(shell, words[number + 1 :])
            return
        if not word.text.startswith("-"):
            return


def _pip(shell: Shell, words: list[Word]) -> None:
    """``pip install …``: requirements, options with their values, files and projects."""
    shell.step += 1
    made = shell.made
    before = len(made.stated), len(made.undecided)
    upgrade, position = False, 0
    while position < len(words) and not words[position].text.startswith((">", "2>", "<")):
        word = words[position]
        position += 1
        if not word.text.startswith("-"):
            _one(shell, word)
            continue
        name, equals, value = word.text.partition("=")
        if not equals and name in _WITH_VALUE and position < len(words):
            word, value = words[position], words[position].text
            position += 1
        elif name[:2] in ("-r", "-c", "-i", "-f") and len(name) > 2:
            name, value = name[:2], word.text[2:]
        upgrade = upgrade or name in ("-U", "--upgrade", "--force-reinstall")
        if name in ("-r", "--requirement", "-c", "--constraint"):
            _file(shell, value, word, constraint=name in ("-c", "--constraint"))
        else:
            note_index(made, name, value, word.line)
    for number in range(before[0], len(made.stated)):
        made.stated[number] = replace(made.stated[number], step=shell.step, upgrade=upgrade)
    shell.loose = shell.loose or before != (len(made.stated), len(made.undecided))


def _one(shell: Shell, word: Word) -> None:
    """A requirement, or a project (also the one after ``-e``, which is no option with a value here)."""
    made = shell.made
    if not word.known:
        made.skip(word.line, word.text or "a variable", "it depends on what only the build knows")
    elif _is_project(word.text):
        _project(shell, word)
    else:
        item = requirement(word.text, made.at(word.line))
        if item is None:
            made.skip(word.line, word.text, "no name or version can be told by it")
        else:
            made.add(item, applies(item.marker, shell.target))


def _file(shell: Shell, name: str, word: Word, *, constraint: bool) -> None:
    path = shell.find(name) if word.known else None
    if path is None:
        shell.made.skip(word.line, name, "the file is not found beside the Dockerfile")
    else:
        _include(shell, path, word.line, constraint=constraint)


def _include(shell: Shell, path: str, line: int, *, constraint: bool) -> None:
    inner = Builder(os.path.join(os.path.dirname(path), "-"))
    include(inner, os.path.basename(path), line, shell.target, shell.files, constraint=constraint)
    for item in inner.skipped:
        shell.made.skipped.append(
            replace(item, where=shell.made.at(line)) if item.where.startswith(inner.file) else item
        )
    inner.skipped = []
    shell.made.take(inner.done())


def _is_project(text: str) -> bool:
    bare = text.partition("[")[0]
    return bare in (".", "..") or (bare.startswith(("./", "/", "../")) and not bare.endswith((".whl", ".gz", ".zip")))


def _project(shell: Shell, word: Word) -> None:
    """``pip install .``: the dependencies of the project's pyproject.toml, with the extras in brackets."""
    folder, _, extras = word.text.partition("[")
    path = shell.find(os.path.join(folder, "pyproject.toml")) if word.known else None
    if path is None or shell.files is None:
        shell.made.skip(word.line, word.text, "the project is not found beside the Dockerfile")
        return
    from trtdoctor.requirements import pyproject

    names = tuple(name.strip() for name in extras.rstrip("]").split(",") if name.strip())
    try:
        found = pyproject.parse(shell.files.text(path), path, replace(shell.target, extras=names))
    except FileError as error:
        shell.made.skip(word.line, word.text, clean(str(error), 200))
        return
    shell.made.take(found)
    shell.made.includes.append(clean(path, 300))


def _lock(shell: Shell, name: str, words: list[Word]) -> None:
    """``uv sync`` and ``poetry install``: the lock file, with the extras and groups that are asked for."""
    path = shell.find(name)
    if path is None or shell.files is None:
        shell.made.skip(
            words[0].line, " ".join(word.text for word in words[:4]), f"{name} is not beside the Dockerfile"
        )
        return
    from trtdoctor.requirements import locks

    texts = [word.text for word in words]
    extras = _values(texts, ("--extra", "-E", "--extras"))
    groups = _values(texts, ("--group", "--with", "--only-group"))
    try:
        found = locks.parse(shell.files.text(path), path, replace(shell.target, extras=extras, groups=groups))
    except FileError as error:
        shell.made.skip(words[0].line, name, clean(str(error), 200))
        return
    shell.step += 1
    before = len(shell.made.stated)
    shell.made.take(found)
    for number in range(before, len(shell.made.stated)):
        shell.made.stated[number] = replace(shell.made.stated[number], step=shell.step, upgrade=True)
    shell.made.includes.append(clean(path, 300))
    shell.locked = True


def _values(texts: list[str], names: tuple[str, ...]) -> tuple[str, ...]:
    found: list[str] = []
    for number, text in enumerate(texts):
        name, equals, value = text.partition("=")
        if name in names:
            chosen = value if equals else texts[number + 1] if number + 1 < len(texts) else ""
            found += [part.strip() for part in re.split(r"[,\s]+", chosen) if part.strip()]
    return tuple(found)


def _system(shell: Shell, words: list[Word], manager: str) -> None:
    texts = [word.text for word in words]
    if "install" not in texts:
        return
    form = _PACKAGE if manager == "apt" else _RPM
    for word in words[texts.index("install") + 1 :]:
        match = form.fullmatch(word.text)
        if word.text.startswith("-") or match is None:
            continue
        if not word.known:
            shell.made.skip(word.line, word.text, "it depends on what only the build knows")
            continue
        where = shell.made.at(word.line)
        shell.packages.append(SystemPackage(match[1], where, match[2], manager))
        python = _SYSTEM_PYTHON.fullmatch(match[1])
        if python is not None:
            shell.made.facts.update(python=python[1], python_at=where)


def _conda(shell: Shell, words: list[Word]) -> None:
    texts = [word.text for word in words]
    if "install" not in texts and "create" not in texts and "update" not in texts:
        return
    from trtdoctor.requirements import conda

    skip_next = False
    for number, word in enumerate(words):
        if skip_next or word.text in ("install", "create", "update", "env"):
            skip_next = False
            continue
        if word.text in ("-f", "--file") and number + 1 < len(words):
            _conda_file(shell, words[number + 1])
        if word.text in ("-c", "--channel", "-n", "--name", "-p", "--prefix", "-f", "--file"):
            skip_next = True
        elif not word.text.startswith("-") and word.known:
            item = conda.package(word.text, shell.made.at(word.line))
            if item is not None:
                shell.conda.append(item)
                version = known_part(item.specifier) if item.name == "python" else None
                if version is not None:
                    shell.made.facts.update(python=version, python_at=item.where)


def _conda_file(shell: Shell, word: Word) -> None:
    path = shell.find(word.text) if word.known else None
    if path is None or shell.files is None:
        shell.made.skip(word.line, word.text, "the file is not found beside the Dockerfile")
        return
    from trtdoctor.requirements import conda

    try:
        found: Requirements = conda.parse(shell.files.text(path), path, shell.target, shell.files)
    except FileError as error:
        shell.made.skip(word.line, word.text, clean(str(error), 200))
        return
    shell.made.take(found)
    shell.made.includes.append(clean(path, 300))
    shell.conda += found.conda
    if found.python is not None and found.python_at is not None:
        shell.made.facts.update(python=found.python, python_at=found.python_at)
