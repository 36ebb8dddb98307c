"""``trtdoctor-plan.yaml``: what was planned, written down so exactly that it can be replayed on the next machine.

A file from elsewhere is only read: names and versions are checked, and every command is made anew from them.
"""

from __future__ import annotations

import re
from typing import Any

from trtdoctor.record import record
from trtdoctor.text import clean

SCHEMA = "trtdoctor-plan-file/1"
NAME = "trtdoctor-plan.yaml"
_DISTRIBUTION = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,98}[a-z0-9])?")
_VERSION = re.compile(r"\d[0-9A-Za-z.+!_-]{0,63}")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+!-]{0,250}")
_IMAGE = re.compile(r"[a-z0-9][a-z0-9.:-]{0,100}(?:/[a-z0-9._-]{1,100}){1,6}:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{0,100}")
_PACKAGE_VERSION = re.compile(r"[0-9][0-9A-Za-z.+:~-]{0,100}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOST = 1000


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
    extra_index: str | None = None
    files: tuple[PlannedFile, ...] = ()
    apt: tuple[tuple[str, str], ...] = ()
    """Debian packages with their versions."""
    image: str | None = None
    commands: tuple[tuple[str, str], ...] = ()
    """Kind (``shell``, ``edit``, ``manual``) and text, for people: nothing runs them."""

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
            "pip": {"extra_index": self.extra_index, "pins": [f"{name}=={version}" for name, version in self.pins]},
            "files": [_file_plain(item) for item in self.files],
            "apt": [f"{name}={version}" for name, version in self.apt],
            "image": self.image,
            "commands": [{"kind": kind, "text": text} for kind, text in self.commands],
            "environment": self.environment or {},
        }
        return document


def _file_plain(item: PlannedFile) -> dict[str, Any]:
    plain = {name: getattr(item, name) for name in item.__dataclass_fields__}
    return {name: value for name, value in plain.items() if value not in (None, False)}


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


def from_yaml(content: bytes) -> Planned:
    """Read a file. Raises :class:`PlannedError`; keys that this program does not know are ignored."""
    from trtdoctor.yamlfile import YamlError, parse

    try:
        document = parse(content)
    except YamlError as error:
        raise PlannedError(str(error)) from None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        said = clean(str(document.get("schema")), 60) if isinstance(document, dict) else "no mapping"
        raise PlannedError(f"no plan: it says {said}, wanted {SCHEMA}")
    made, driver, cuda, pip = (_mapping(document, key) for key in ("made", "driver", "cuda", "pip"))
    environment = document.get("environment")
    if environment is not None and not isinstance(environment, dict):
        raise PlannedError("environment: wanted a mapping")
    return Planned(
        title=_text(document, "title") or "a plan",
        install=_text(document, "install") or "keep",
        program=(_text(made, "by") or "").removeprefix("trtdoctor "),
        matrix=_text(made, "matrix") or "",
        matrix_digest=_text(made, "matrix_digest") or "",
        made=_text(made, "on") or "",
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
        python=_formed(document, "python", _VERSION),
        pins=tuple(_pair(text, "==", _DISTRIBUTION, _VERSION, "pip: pins") for text in _texts(pip, "pins")),
        extra_index=_address(_text(pip, "extra_index")),
        files=tuple(_file(item) for item in _list(document, "files")),
        apt=tuple(_pair(text, "=", _PACKAGE, _PACKAGE_VERSION, "apt") for text in _texts(document, "apt")),
        image=_formed(document, "image", _IMAGE),
        commands=tuple(_command(item) for item in _list(document, "commands")),
    )


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
    return found[:_MOST]


def _text(document: dict[str, Any], key: str) -> str | None:
    found = document.get(key)
    if found is None:
        return None
    if not isinstance(found, str):
        raise PlannedError(f"{key}: wanted text in quotes, found {type(found).__name__}")
    return clean(found, 500)


def _texts(document: dict[str, Any], key: str) -> tuple[str, ...]:
    found = _list(document, key)
    if not all(isinstance(item, str) for item in found):
        raise PlannedError(f"{key}: wanted a list of texts")
    return tuple(clean(item, 500) for item in found)


def _formed(document: dict[str, Any], key: str, form: re.Pattern[str]) -> str | None:
    text = _text(document, key)
    if text is not None and not form.fullmatch(text):
        raise PlannedError(f"{key}: {text[:60]!r} is not of the form that is wanted there")
    return text


def _pair(text: str, sign: str, name: re.Pattern[str], version: re.Pattern[str], where: str) -> tuple[str, str]:
    head, found, tail = text.partition(sign)
    if not found or not name.fullmatch(head) or not version.fullmatch(tail):
        raise PlannedError(f"{where}: {text[:60]!r}: wanted NAME{sign}VERSION")
    return head, tail


def _address(text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]{1,200}(?:/[A-Za-z0-9._~/-]{0,200})?", text):
        raise PlannedError(f"{text[:60]!r} is no address of an index")
    return text


def _file(item: Any) -> PlannedFile:
    if not isinstance(item, dict):
        raise PlannedError("files: wanted mappings")
    name = _text(item, "name") or ""
    if not (_FILE.fullmatch(name) or _IMAGE.fullmatch(name) or _DISTRIBUTION.fullmatch(name.partition("==")[0])):
        raise PlannedError(f"files: {name[:60]!r} is no name of a file")
    size, stub = item.get("size"), item.get("stub", False)
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 50):
        raise PlannedError(f"files: {name[:60]}: size: wanted a number of bytes")
    if not isinstance(stub, bool):
        raise PlannedError(f"files: {name[:60]}: stub: wanted true or false")
    return PlannedFile(
        name,
        _formed(item, "distribution", _DISTRIBUTION),
        _formed(item, "version", _VERSION),
        size,
        _formed(item, "sha256", _DIGEST),
        _address(_text(item, "origin")),
        stub,
    )


def _command(item: Any) -> tuple[str, str]:
    if not isinstance(item, dict):
        raise PlannedError("commands: wanted mappings")
    return _text(item, "kind") or "manual", _text(item, "text") or ""
