"""What loggers put in front of a message: times, severities, names of loggers and files."""

from __future__ import annotations

import re

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]{0,40}[ -/]{0,8}[@-~]|\][^\x07\x1b]{0,400}(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CLOCK = r"\d{1,2}:\d{2}:\d{2}(?:[.,]\d{1,9})?"
_FORMS = (
    rf"\[?\d{{1,4}}[-/]\d{{1,2}}[-/]\d{{1,4}}[-T ]{{1,2}}{_CLOCK}(?:Z|[+-]\d{{2}}:?\d{{2}})?(?: [AP]M)?\]?",
    rf"\[{_CLOCK}\]",
    r"\[(?:TRT|TensorRT|TensorRT-LLM|TRT-LLM|Torch-TensorRT|torch_tensorrt|RANK \d{1,5})\](?: -(?=\s))?",
    r"\[(?:[EWIVFD]|(?i:error|warning|info|verbose|fatal|debug|critical|internal_error))\]",
    r"(?i:error|warning|info|verbose|fatal|debug|critical|internal_error|warn)(?::[\w.]{1,60})?:(?=\s)",
    r"(?:DEBUG|INFO|WARNING|ERROR|CRITICAL)(?::[\w.]{1,60}):",
    r"[EWIVF]\d{4} \d{2}:\d{2}:\d{2}\.\d{1,9} {1,8}\d{1,9} [\w./-]{1,120}:\d{1,6}\]",
    r"\[[EWIVF]:onnxruntime:[^\]]{0,200}\]",
    r"(?:stdout|stderr) [FP](?=\s)",
    r"#\d{1,4} (?:\d{1,6}\.\d{1,6})(?=\s)",
    r"[\w.-]{1,60} {1,40}\|(?=\s)",
    r"\d{1,2}:(?=\s)",
    r"\[[\w./-]{1,80}::\w{1,80}::\d{1,6}\]",
    r"(?:WARN|ERROR|INFO) TRT:",
)
_PREFIX = re.compile("|".join(_FORMS))
_MOST = 8
"""So many prefixes a line may have."""


def plain_line(line: str) -> str:
    """The line without what a terminal takes for a command (colours), and without blanks around it."""
    return (_ESCAPES.sub("", line) if "\x1b" in line else line).strip()


def message_of(line: str) -> str:
    """The message alone, of a line as ``plain_line`` gives it; the line itself where nothing else would be left."""
    place = 0
    for _ in range(_MOST):
        found = _PREFIX.match(line, place)
        if not found or found.end() == place:
            break
        place = found.end()
        while place < len(line) and line[place] in " \t":
            place += 1
    return line[place:] or line
