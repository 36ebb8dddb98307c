"""How the canary's child tells what happens: the pipe to the parent, and what TensorRT's logger heard.

Part of the canary's child: single file, standard library only, Python 3.6 syntax.
"""

import json
import os
import re
import threading
from typing import Any, List, Optional, Tuple

LONGEST_TEXT = 4000
"""Characters of one text: in JSON at most twelve bytes each, so that a line stays below 64 KiB."""
MOST_BYTES, MOST_CHATTER = 7 << 20, 1 << 20
"""Bytes of all log lines, and of those that are verbose or info."""


class Answer:
    """The pipe to the parent. TensorRT logs from several threads, hence the lock."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._guard = threading.Lock()
        self._logged = self._chatter = 0
        self.dropped = 0

    def say(self, **line: Any) -> None:
        """Write one line, whole. A parent that has gone ends the process."""
        self._write(_encode(line))

    def log(self, severity: str, text: str) -> None:
        """Write a log line, while there is room; the rest is only counted."""
        raw = _encode({"log": {"severity": severity, "text": cut(text)}})
        idle = severity in ("verbose", "info")
        if self._logged + len(raw) > MOST_BYTES or (idle and self._chatter + len(raw) > MOST_CHATTER):
            self.dropped += 1
            return
        self._logged += len(raw)
        self._chatter += len(raw) if idle else 0
        self._write(raw)

    def _write(self, raw: bytes) -> None:
        with self._guard:
            try:
                while raw:
                    raw = raw[os.write(self._descriptor, raw) :]
            except OSError:
                os._exit(1)


def cut(text: Optional[str]) -> Optional[str]:
    """A text that is short enough for a line."""
    return text and text[:LONGEST_TEXT]


def _encode(line: Any) -> bytes:
    return (json.dumps(line) + "\n").encode("ascii")


class Words:
    """What TensorRT's logger was told: passed on at once, and the last of it kept to explain a failure."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._kept: List[Tuple[str, str]] = []

    def hear(self, severity: str, text: str) -> None:
        """Take one message."""
        self._answer.log(severity, text)
        if severity not in ("verbose", "info") and len(self._kept) < 200:
            self._kept.append((severity, text.strip()[:600]))

    def begin(self) -> None:
        """A stage begins: what was said before explains nothing of it."""
        self._kept = []

    def explanation(self) -> str:
        """The first errors of this stage, or its last warnings when there is none."""
        errors = [text for severity, text in self._kept if severity != "warning"]
        chosen = errors[:3] or [text for _, text in self._kept[-2:]]
        return " | ".join(sorted(set(chosen), key=chosen.index))


def mapped_libraries() -> List[str]:
    """Real paths of the NVIDIA libraries in this process, by how their names begin; the parent tells which is which."""
    found = set()
    try:
        with open("/proc/self/maps", errors="replace") as stream:
            for line in stream:
                path = line.split(None, 5)[5].strip() if "/" in line else ""
                if re.match(r"lib(nv|cu|tensorrt)\S*\.so|tensorrt\w*\.\S*so", os.path.basename(path)):
                    found.add(os.path.realpath(path))
    except (OSError, IndexError):
        pass
    return [path for path in sorted(found)[:100] if len(path) < 500]
