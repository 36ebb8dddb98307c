"""Which commands of a plan file are this program's own: whoever writes another into the file has written a note."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from trtdoctor.lazyre import pattern

BUILT = "trtdoctor-plan"
"""What an image is called that is built on one of the plan."""
_PROGRAMS = pattern(
    r"python3?(?:\.[0-9]{1,2})?|py|\.venv/(?:bin|Scripts)/python|docker|curl|dpkg|apt-get|apt-mark|reboot"
)
_WORDS = frozenset(
    ("-m", "pip", "install", "uninstall", "-y", "--no-cache-dir", "--force-reinstall", "--no-deps", "venv", ".venv")
    + ("--extra-index-url", "pull", "run", "--rm", "--gpus", "all", "--runtime", "nvidia", "nvidia-smi", "trtexec")
    + ("--help", "-fsSL", "-o", "-i", "update", "cuda-keyring.deb", "./cuda-keyring.deb", "hold", BUILT)
    + ("--allow-downgrades", "--allow-change-held-packages")
)
_FORMS = pattern(
    r"nvidia-driver-[0-9]{3}(?:-server)?(?:-open)?|-3\.[0-9]{1,2}"
    r"|https://developer\.download\.nvidia\.com/[A-Za-z0-9._/-]{1,200}"
)
_LEFTOVER = pattern(r"(?:tensorrt|nvidia|onnxruntime|torch|pytorch|tensorflow)[a-z0-9-]{0,80}")
"""What a plan uninstalls."""
_HEAD, _TAIL = "printf '%s\\n' ", f" | docker build -t {BUILT} -"


def is_ours(text: str, own: Iterable[str], image: str | None) -> bool:
    """Whether a command has but words that this program writes, quoted as it does.

    ``own`` are the names with versions that the plan has, ``image`` is its image.
    """
    known = frozenset(own)
    if text.startswith(_HEAD) and text.endswith(_TAIL):
        lines = _words(text[len(_HEAD) : -len(_TAIL)])
        return bool(lines) and all(
            line == f"FROM {image}" or (line.startswith("RUN ") and _is_plain(line[4:], known)) for line in lines
        )
    return _is_plain(text, known)


def _is_plain(text: str, known: frozenset[str]) -> bool:
    words = _words(text)
    if not words or not _PROGRAMS.fullmatch(words[0]):
        return False
    gone = words[2:4] == ["pip", "uninstall"]
    return all(
        word in _WORDS or word in known or _FORMS.fullmatch(word) or (gone and _LEFTOVER.fullmatch(word))
        for word in words[1:]
    )


def _words(text: str) -> list[str]:
    """The words of a command that a shell takes just as they stand; none where it would do anything else with them."""
    try:
        words = shlex.split(text)
    except ValueError:
        return []
    return words if shlex.join(words) == text else []
