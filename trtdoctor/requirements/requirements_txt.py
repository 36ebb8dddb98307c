"""``requirements.txt`` and constraint files, as pip reads them.

The lines are split here (comments, continuations, options, includes), each requirement is read by ``packaging``.
pip-requirements-parser 32.0.1 (2022), which pip-audit uses, was tried: requirements, markers and line numbers are the
same as here. It is not used because of what it does with includes, which this program follows: constraint files are not
read, a file that includes itself is read 981 times until the recursion ends without a word, an include that is missing
or an address ends the whole reading, and each file is opened without a bound. 20,000 lines take it 6.4 s, and 0.4 s
here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from trtdoctor.requirements.files import FileError, Files, beside
from trtdoctor.requirements.stated import Builder, Requirements, Stated, normalise
from trtdoctor.requirements.target import Target, applies
from trtdoctor.text import clean

_COMMENT = re.compile(r"(?:^|\s)#.*$")
_OPTION = re.compile(r"(-[A-Za-z]|--[a-z][a-z-]*)(?:\s*=\s*|\s+|(?<=^-[rceif]))(.*)")
_TRAILING = re.compile(r"\s--?[a-zA-Z].*$")
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")
_VCS = re.compile(r"(?:git|hg|svn|bzr)\+[a-z]+:|git@")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|file:")
_WHEEL = re.compile(r"([A-Za-z0-9][A-Za-z0-9._]*)-([0-9][A-Za-z0-9.!+_]*)(?:-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl")
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9][A-Za-z0-9._-]*)")
_PYTORCH = re.compile(r"/(cu1[0-9]{2})/?$")
_LONGEST = 8000
_MOST_LINES = 100_000


def parse(
    text: str, file: str, target: Target, files: Files | None = None, *, constraint: bool = False
) -> Requirements:
    """What a requirements file states. With ``files`` the files that it includes (``-r``, ``-c``) are read too.

    ``file`` is its name, for places and for what is relative to it. Nothing in the text is an error: a line that
    cannot be read is skipped and counted.
    """
    made = Builder(file)
    for count, (number, line) in enumerate(logical_lines(text)):
        if count >= _MOST_LINES:
            made.skip(number, line, f"nothing behind {_MOST_LINES} lines is read")
            break
        take_line(made, line, number, target, files, constraint=constraint)
    return made.done()


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Number of the first line, and the text of each line that is not empty; continued lines joined, no comments."""
    begun = 0  # 0: no word yet
    parts: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not comment and len(parts) < 2000:
            begun = begun or (number if line[:-1].strip() else 0)
            parts.append(line[:-1])
            continue
        whole = "".join([*parts, "" if comment else line])
        if parts and comment:
            whole = "".join(parts)
        stripped = _COMMENT.sub("", whole[:_LONGEST]).strip()
        if stripped:
            yield begun or number, stripped
        begun, parts = 0, []
    whole = _COMMENT.sub("", "".join(parts)[:_LONGEST]).strip()
    if whole:
        yield begun, whole


def take_line(
    made: Builder, line: str, number: int, target: Target, files: Files | None, *, constraint: bool = False
) -> None:
    """One line of a requirements file: a requirement, an option, or what is skipped."""
    if line.startswith("-"):
        _option(made, line, number, target, files, constraint)
        return
    if _VARIABLE.search(line):
        made.skip(number, line, "it holds an environment variable")
        return
    item = requirement(line, made.at(number), constraint=constraint)
    if item is None:
        made.skip(number, line, "no name or version can be told by it")
    else:
        made.add(item, applies(item.marker, target))


def _option(made: Builder, line: str, number: int, target: Target, files: Files | None, constraint: bool) -> None:
    match = _OPTION.fullmatch(line)
    name, value = (match[1], match[2].strip().strip("'\"")) if match else (line, "")
    if name in ("-r", "--requirement", "-c", "--constraint"):
        include(made, value, number, target, files, constraint=constraint or name in ("-c", "--constraint"))
    elif name in ("-e", "--editable"):
        made.skip(number, line, "an editable project or a repository: what it requires is not looked at")
    else:
        note_index(made, name, value, number)


def note_index(made: Builder, option: str, value: str, line: int) -> None:
    """Take from an index option what it tells: never the address itself, which may hold a password."""
    if option in ("-i", "--index-url", "--extra-index-url", "--index", "--default-index", "-f", "--find-links"):
        match = _PYTORCH.search(value.partition("?")[0].partition("#")[0])
        if match is not None:
            made.facts.setdefault("flavour_hint", match[1])
        else:
            made.facts.setdefault("other_index", made.at(line))
    elif option == "--no-index":
        made.facts.setdefault("other_index", made.at(line))


def include(
    made: Builder, name: str, line: int, target: Target, files: Files | None, *, constraint: bool = False
) -> None:
    """Read an included file, when that can be; otherwise the line counts as skipped."""
    if _ADDRESS.match(name):
        made.skip(line, name, "an included address is not fetched")
        return
    if files is None or not name or _VARIABLE.search(name):
        made.skip(line, name, "the included file is not known")
        return
    path = beside(made.file, name)
    if not files.enter(path):
        made.skip(line, name, "it includes itself, or lies too deep")
        return
    try:
        made.take(parse(files.text(path), path, target, files, constraint=constraint))
        made.includes.append(clean(path, 300))
    except FileError as error:
        made.skip(line, name, f"cannot be read: {clean(str(error), 200)}")
    finally:
        files.leave()


def requirement(line: str, where: str, *, constraint: bool = False, source: str = "index") -> Stated | None:
    """One requirement as pip takes it: a name with a specifier, a wheel's address or file; None for anything else."""
    from packaging.requirements import InvalidRequirement, Requirement

    hashed = "--hash" in line
    plain = _TRAILING.sub("", line).strip()
    if not plain or len(plain) > _LONGEST:
        return None
    try:
        found = Requirement(plain)
    except (InvalidRequirement, RecursionError):
        return _by_file(plain, where, constraint)
    specifier = str(found.specifier)
    kind = source
    if found.url:
        kind = "vcs" if _VCS.match(found.url) else "url"
        version = _wheel(found.url)
        specifier = f"=={version[1]}" if version and normalise(version[0]) == normalise(found.name) else ""
    return Stated(
        normalise(found.name),
        where,
        specifier if len(specifier) <= 500 else "",
        clean(str(found.marker), 1000) if found.marker else None,
        tuple(sorted(clean(extra, 100) for extra in found.extras))[:50],
        kind,
        hashed,
        constraint,
    )


def _by_file(line: str, where: str, constraint: bool) -> Stated | None:
    address, _, marker = line.partition(" ; ")
    found = _wheel(address.strip())
    if found is not None:
        kind = "url" if _ADDRESS.match(address) else "path"
        text = clean(marker.strip(), 1000) or None
        return Stated(normalise(found[0]), where, f"=={found[1]}", text, (), kind, False, constraint)
    egg = _EGG.search(address) if _VCS.match(address) or _ADDRESS.match(address) else None
    if egg is not None:
        return Stated(normalise(egg[1]), where, "", None, (), "vcs", False, constraint)
    return None


def _wheel(address: str) -> tuple[str, str] | None:
    """Name and version in the file name of a wheel; an escaped ``+`` is one."""
    name = os.path.basename(address.partition("#")[0].partition("?")[0]).replace("%2B", "+").replace("%2b", "+")
    match = _WHEEL.fullmatch(name) if len(name) < 300 else None
    return (match[1], match[2]) if match else None
