"""Which commands of a plan file are this program's own: whoever writes another into the file has written a note."""

from __future__ import annotations

import shlex

from trtdoctor.lazyre import pattern

BUILT = "trtdoctor-plan"
"""What an image is called that is built on one of the plan."""
_PYTHON = r"(?:python3?(?:\.[0-9]{1,2})?|py|\.venv/bin/python|\.venv\\Scripts\\python)"
_OPTIONS = r"(?: --no-cache-dir| --force-reinstall| --no-deps)*"
_OLD = r"(?:tensorrt|nvidia|onnxruntime|torch|pytorch|tensorflow)[a-z0-9-]{0,80}"
"""What a plan uninstalls."""
_KEYRING = r"https://developer\.download\.nvidia\.com/[A-Za-z0-9._/-]{1,200}"
_WORD = r"[A-Za-z0-9][A-Za-z0-9.:/+~=_-]{0,300}"
# What is called own… must be a name of the plan.
_FORM = pattern(
    rf"{_PYTHON} -m pip install{_OPTIONS}(?: --extra-index-url (?P<own_index>{_WORD}))?(?P<own_pins>(?: {_WORD})+)"
    rf"|{_PYTHON} -m pip uninstall -y(?: {_OLD})+"
    rf"|{_PYTHON}(?: -3\.[0-9]{{1,2}})? -m venv \.venv"
    rf"|docker pull (?P<own_image>{_WORD})"
    rf"|docker run --rm (?:--gpus all|--runtime nvidia) (?:{BUILT}|(?P<own_started>{_WORD}))"
    r" (?:nvidia-smi|trtexec --help)"
    rf"|curl -fsSL -o cuda-keyring\.deb {_KEYRING}|dpkg -i \./cuda-keyring\.deb|apt-get update|reboot"
    r"|apt-get install -y nvidia-driver-[0-9]{3}(?:-server)?(?:-open)?"
    rf"|apt-get install -y --allow-downgrades --allow-change-held-packages(?P<own_packages>(?: {_WORD})+)"
    rf"|apt-mark hold(?P<own_held>(?: {_WORD})+)"
)
_HEAD, _TAIL = "printf '%s\\n' ", f" | docker build -t {BUILT} -"


def is_ours(text: str, own: frozenset[str], image: str | None) -> bool:
    """Whether a command is one that this program writes, of names that the plan has.

    ``own`` are its distributions and packages with their versions, its packages, its image and its index.
    """
    if text.startswith(_HEAD) and text.endswith(_TAIL):
        try:
            lines = shlex.split(text[len(_HEAD) : -len(_TAIL)])
        except ValueError:
            return False
        first, *others = lines or [""]
        whole = f"{_HEAD}{shlex.join(lines)}{_TAIL}"
        runs = all(line.startswith("RUN ") and _is_plain(line[4:], own) for line in others)
        return whole == text and first == f"FROM {image}" and runs
    return _is_plain(text, own)


def _is_plain(text: str, own: frozenset[str]) -> bool:
    match = _FORM.fullmatch(text)
    if match is None:
        return False
    return all(word in own for named in match.groups() if named for word in named.split())
