"""``trtdoctor-plan.yaml``: what was planned, written down so exactly that it can be replayed on the next machine.

A file from elsewhere is only read: names and versions are checked, and a command that holds anything but words of this
program and names of the plan is a note for people, no command.
"""

from __future__ import annotations

import math
import re
from typing import Any

from trtdoctor.lazyre import pattern
from trtdoctor.record import record
from trtdoctor.text import clean

SCHEMA = "trtdoctor-plan-file/1"
NAME = "trtdoctor-plan.yaml"
MAX_BYTES = 4 << 20
"""A file is at most this long; a plan takes some kilobytes."""
_DISTRIBUTION = pattern(r"[a-z0-9](?:[a-z0-9-]{0,98}[a-z0-9])?")
_NUMBER = r"[0-9][0-9A-Za-z.+!_-]{0,63}"
_VERSION = pattern(_NUMBER)
_PYTHON = pattern(r"[0-9]{1,2}\.[0-9]{1,3}")
_WORD = pattern(r"[a-z][a-z-]{0,30}")
_DAY = pattern(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FILE = pattern(r"[A-Za-z0-9_][A-Za-z0-9._+!-]{0,254}")
_PART = r"[a-z0-9]{1,60}(?:[._-]{1,2}[a-z0-9]{1,60}){0,8}"
_IMAGE = pattern(rf"{_PART}(?::[0-9]{{1,5}})?(?:/{_PART}){{1,6}}:[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}}")
_PACKAGE = pattern(r"[a-z0-9][a-z0-9+.-]{0,100}")
_PACKAGE_VERSION = pattern(r"[0-9][0-9A-Za-z.+:~-]{0,100}")
_DIGEST = pattern(r"[0-9a-f]{64}")
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
_ADDRESS = pattern(rf"https?://{_HOST}(?:/[A-Za-z0-9._~/-]{{0,200}})?")
_MOST = 1000
"""Entries of a list, and of a mapping."""
_DEEPEST = 6
"""Levels of the environment."""
_LONGEST = 500
"""Characters of a text; a command may be longer."""


class PlannedError(ValueError):
    """The file is no plan; the message is one line."""


@record
class PlannedFile:
    """One file that is fetched."""

    name: str
    distribution: str | None = None
    version: str | None = None
    size: int | None = None
    """Bytes."""
    sha256: str | None = None
    origin: str | None = None
    """The simple index that it comes from, where that is not the one that pip is configured with."""
    stub: bool = False
    """Whether it is a stub whose build fetches the real wheel."""
    is_for_build: bool = False
    """Whether it is only needed to build others of the files."""


@record
class Planned:
    """One plan as it stands in a file."""

    title: str
    install: str
    """``pip``, ``apt``, ``container``, ``jetpack``, ``archive`` or ``keep``."""
    program: str
    matrix: str
    """Version of the matrix that it rests on."""
    matrix_digest: str
    made: str
    """ISO date."""
    goal: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    """For people: ``tensorrt: 10.7 to 10.16.1.11 (pip-cu12)``."""
    gives_up: tuple[str, ...] = ()
    environment: Any = None
    """What is there afterwards, as ``--declared`` takes it."""
    driver_floor: str | None = None
    driver_download: str | None = None
    cuda: str | None = None
    """The toolkit that the build was made with."""
    cuda_download: str | None = None
    gpus: tuple[str, ...] = ()
    """Name and compute capability of each: ``NVIDIA L4, 8.9``."""
    python: str | None = None
    """Major and minor: ``3.12``."""
    pins: tuple[tuple[str, str], ...] = ()
    """Python distributions with their versions."""
    index: str | None = None
    """Where they come from, when that is not the index that pip is configured with."""
    extra_index: str | None = None
    """Where the wheels behind stubs come from."""
    files: tuple[PlannedFile, ...] = ()
    apt: tuple[tuple[str, str], ...] = ()
    """Debian packages with their versions."""
    image: str | None = None
    commands: tuple[tuple[str, str], ...] = ()
    """Kind (``shell``, ``edit``, ``manual``) and text, for people: nothing runs them."""
    as_root: tuple[int, ...] = ()
    """Places of the commands that root must run."""
    then_reboot: tuple[int, ...] = ()
    """Places of the commands after which the machine must be started anew."""

    def to_plain(self) -> dict[str, Any]:
        """As it is written."""
        document: dict[str, Any] = {
            "schema": SCHEMA,
            "title": self.title,
            "made": {
                "on": self.made,
                "by": f"trtdoctor {self.program}",
                "matrix": self.matrix,
                "matrix_digest": self.matrix_digest,
            },
            "goal": list(self.goal),
            "requires": list(self.requires),
            "install": self.install,
            "why": list(self.why),
            "changes": list(self.changes),
            "gives_up": list(self.gives_up),
            "driver": {"at_least": self.driver_floor, "download": self.driver_download},
            "cuda": {"toolkit": self.cuda, "download": self.cuda_download},
            "gpus": list(self.gpus),
            "python": self.python,
            "pip": {
                **({"index": self.index} if self.index else {}),
                "extra_index": self.extra_index,
                "pins": [f"{name}=={version}" for name, version in self.pins],
            },
            "files": [_file_plain(item) for item in self.files],
            "apt": [f"{name}={version}" for name, version in self.apt],
            "image": self.image,
            "commands": [self._command_plain(number) for number in range(len(self.commands))],
            "environment": self.environment or {},
        }
        return document

    def _command_plain(self, number: int) -> dict[str, Any]:
        kind, text = self.commands[number]
        marks = {name: True for name, places in self._marks() if number in places}
        return {"kind": kind, "text": text, **marks}

    def _marks(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        return ("root", self.as_root), ("reboot", self.then_reboot)


def _file_plain(item: PlannedFile) -> dict[str, Any]:
    plain = {name: getattr(item, name) for name in item.__dataclass_fields__}
    return {name: value for name, value in plain.items() if value is not None and value is not False}


def to_yaml(planned: Planned) -> str:
    """The file's text, with a comment on top."""
    import yaml

    head = (
        f"# A minimal installation plan by trtdoctor {planned.program}. Nothing in it is run by itself:\n"
        "#   trtdoctor check --against FILE        does a machine match it?\n"
        "#   trtdoctor plan --from-file FILE --render requirements|constraints|dockerfile|apt|markdown\n"
        "#   trtdoctor plan fetch DIR --from-file FILE   get every file, for an installation without network\n"
    )
    return head + yaml.safe_dump(planned.to_plain(), sort_keys=False, allow_unicode=False, width=120)


# -- reading -----------------------------------------------------------------------------------------------------------


def is_pin(name: str, version: str) -> bool:
    """Whether both have the form of a Python distribution and its version: then they are no option and no shell."""
    return bool(_DISTRIBUTION.fullmatch(name) and _VERSION.fullmatch(version))


def is_address(text: str) -> bool:
    """Whether it has the form that an address of an index has in a plan."""
    return bool(_ADDRESS.fullmatch(text))


def from_yaml(content: bytes) -> Planned:
    """Read a file. Raises :class:`PlannedError`; keys that this program does not know are ignored."""
    document = _document(content)
    made, driver, cuda, pip = (_mapping(document, key) for key in ("made", "driver", "cuda", "pip"))
    pins = tuple(_pair(text, "==", _DISTRIBUTION, _VERSION, "pip: pins") for text in _texts(pip, "pins"))
    apt = tuple(_pair(text, "=", _PACKAGE, _PACKAGE_VERSION, "apt") for text in _texts(document, "apt"))
    for where, pairs in (("pip: pins", pins), ("apt", apt)):
        if len(dict(pairs)) < len(set(pairs)):
            raise PlannedError(f"{where}: one name with two versions")
    image = _formed(document, "image", _IMAGE)
    index, extra_index = _address(pip, "index"), _address(pip, "extra_index")
    environment = _environment(document)
    if not (pins or apt or image or environment):
        raise PlannedError("it plans nothing: no pins, no packages, no image and no environment")
    own = frozenset(
        (*(f"{name}=={version}" for name, version in pins), *(f"{name}={version}" for name, version in apt))
        + (*(name for name, _ in apt), *filter(None, (image, index, extra_index)))
    )
    return Planned(
        title=_text(document, "title") or "a plan",
        install=_formed(document, "install", _WORD) or "keep",
        program=_needed(made, "by").removeprefix("trtdoctor "),
        matrix=_needed(made, "matrix"),
        matrix_digest=_needed(made, "matrix_digest"),
        made=_needed(made, "on"),
        goal=_texts(document, "goal"),
        requires=_texts(document, "requires"),
        why=_texts(document, "why"),
        changes=_texts(document, "changes"),
        gives_up=_texts(document, "gives_up"),
        environment=environment,
        driver_floor=_formed(driver, "at_least", _VERSION),
        driver_download=_text(driver, "download"),
        cuda=_formed(cuda, "toolkit", _VERSION),
        cuda_download=_text(cuda, "download"),
        gpus=_texts(document, "gpus"),
        python=_formed(document, "python", _PYTHON),
        pins=pins,
        index=index,
        extra_index=extra_index,
        files=tuple(_file(item) for item in _list(document, "files")),
        apt=apt,
        image=image,
        commands=tuple(_command(item, own, image) for item in _list(document, "commands")),
        as_root=_marked(document, "root"),
        then_reboot=_marked(document, "reboot"),
    )


def _document(content: bytes) -> dict[str, Any]:
    from trtdoctor.yamlfile import YamlError, parse

    if len(content) > MAX_BYTES:
        raise PlannedError(f"longer than {MAX_BYTES >> 20} MiB")
    try:
        document = parse(content)
    except YamlError as error:
        raise PlannedError(clean(str(error), 200)) from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        said = clean(str(document.get("schema")), 60) if isinstance(document, dict) else "no mapping"
        raise PlannedError(f"no plan: it says {said}, wanted {SCHEMA}")
    return document


def _environment(document: dict[str, Any]) -> dict[str, Any] | None:
    """The environment that results, as far as ``--declared`` would take it; None where there is none."""
    from trtdoctor.declared import KEYS, DeclarationError, snapshot_of

    found = {key: _cleaned(value, 1) for key, value in _mapping(document, "environment").items() if key in KEYS}
    try:
        snapshot_of(found)
    except DeclarationError as error:
        raise PlannedError(f"environment: {error}") from None
    return found or None


def _cleaned(value: Any, depth: int) -> Any:
    """Plain data from outside with every text of it cleaned."""
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)) and math.isfinite(value) and abs(value) < 1 << 63:
        return value
    if isinstance(value, (list, dict)) and len(value) <= _MOST and depth < _DEEPEST:
        if isinstance(value, list):
            return [_cleaned(item, depth + 1) for item in value]
        return {clean(str(key), 200): _cleaned(item, depth + 1) for key, item in value.items()}
    raise PlannedError(f"environment: {clean(str(value), 40)!r} has no place there")


def _mapping(document: dict[str, Any], key: str) -> dict[str, Any]:
    found = document.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise PlannedError(f"{key}: wanted a mapping")
    return found


def _list(document: dict[str, Any], key: str) -> list[Any]:
    found = document.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise PlannedError(f"{key}: wanted a list")
    if len(found) > _MOST:
        raise PlannedError(f"{key}: more than {_MOST}")
    return found


def _text(document: dict[str, Any], key: str, longest: int = _LONGEST) -> str | None:
    found = document.get(key)
    if found is None:
        return None
    if not isinstance(found, str):
        raise PlannedError(f"{key}: wanted text in quotes, found {type(found).__name__}")
    return clean(found, longest)


def _texts(document: dict[str, Any], key: str) -> tuple[str, ...]:
    found = _list(document, key)
    if not all(isinstance(item, str) for item in found):
        raise PlannedError(f"{key}: wanted a list of texts")
    return tuple(clean(item, _LONGEST) for item in found)


def _formed(document: dict[str, Any], key: str, form: re.Pattern[str]) -> str | None:
    text = _text(document, key)
    if text is not None and not form.fullmatch(text):
        raise PlannedError(f"{key}: {text[:60]!r} is not of the form that is wanted there")
    return text


_MADE = {
    "on": _DAY,
    "by": pattern(rf"trtdoctor {_NUMBER}"),
    "matrix": pattern(r"[0-9][0-9A-Za-z.+-]{0,40}"),
    "matrix_digest": _DIGEST,
}
"""What a plan must say of itself."""


def _needed(made: dict[str, Any], key: str) -> str:
    text = _formed(made, key, _MADE[key])
    if text is None:
        raise PlannedError(f"made: {key} is missing (a plan says when, by what and with which matrix it was made)")
    return text


def _pair(text: str, sign: str, name: re.Pattern[str], version: re.Pattern[str], where: str) -> tuple[str, str]:
    head, found, tail = text.partition(sign)
    if not found or not name.fullmatch(head) or not version.fullmatch(tail):
        raise PlannedError(f"{where}: {text[:60]!r}: wanted NAME{sign}VERSION")
    return head, tail


def _address(document: dict[str, Any], key: str) -> str | None:
    text = _text(document, key)
    if text is not None and not is_address(text):
        raise PlannedError(f"{key}: {text[:60]!r} is no address of an index")
    return text


def _file(item: Any) -> PlannedFile:
    if not isinstance(item, dict):
        raise PlannedError("files: wanted mappings")
    name = _text(item, "name") or ""
    if not (
        _FILE.fullmatch(name) or _IMAGE.fullmatch(name) or is_pin(name.partition("==")[0], name.partition("==")[2])
    ):
        raise PlannedError(f"files: {name[:60]!r} is no name of a file")
    size = item.get("size")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 50):
        raise PlannedError(f"files: {name[:60]}: size: wanted a number of bytes")
    return PlannedFile(
        name,
        _formed(item, "distribution", _DISTRIBUTION),
        _formed(item, "version", _VERSION),
        size,
        _formed(item, "sha256", _DIGEST),
        _address(item, "origin"),
        _truth(item, "stub"),
        _truth(item, "is_for_build"),
    )


def _truth(item: dict[str, Any], key: str) -> bool:
    found = item.get(key, False)
    if not isinstance(found, bool):
        raise PlannedError(f"files: {key}: wanted true or false")
    return found


def _marked(document: dict[str, Any], mark: str) -> tuple[int, ...]:
    """Places of the commands that say so."""
    return tuple(
        number
        for number, item in enumerate(_list(document, "commands"))
        if isinstance(item, dict) and item.get(mark) is True
    )


def _command(item: Any, own: frozenset[str], image: str | None) -> tuple[str, str]:
    """One step; a command that is none of ours is a note. ``own`` are the names with versions that the plan has."""
    from trtdoctor.planned_commands import is_ours

    if not isinstance(item, dict):
        raise PlannedError("commands: wanted mappings")
    kind, text = _text(item, "kind") or "manual", _text(item, "text", 4096) or ""
    if kind == "shell" and is_ours(text, own, image):
        return "shell", text
    return ("edit" if kind == "edit" else "manual"), text
