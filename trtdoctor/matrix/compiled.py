"""From YAML to the compiled form, and keeping it. Imported only when a matrix is seen for the first time."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from trtdoctor.matrix.load import MatrixError
from trtdoctor.yamlfile import YamlError, parse

_KEPT = 4
"""How many compiled forms stay in the cache."""


def compile_files(raw: dict[str, bytes], directory: str = "matrix") -> dict[str, dict[str, Any]]:
    """Parse the YAML files; raises :class:`MatrixError` naming file and line."""
    compiled: dict[str, dict[str, Any]] = {}
    for name, content in raw.items():
        data = _parse(f"{directory}/{name}.yaml", content)
        if not isinstance(data, dict) or data.get("schema") != f"trtdoctor-matrix-{name}/1":
            raise MatrixError(f"{directory}/{name}.yaml: wanted schema: trtdoctor-matrix-{name}/1")
        compiled[name] = data
    return compiled


def _parse(name: str, content: bytes) -> Any:
    try:
        return parse(content)
    except YamlError as error:
        raise MatrixError(f"{name}: {error}") from None


def write_cache(file: str, text: str) -> None:
    """Keep the compiled form, whole or not at all; a home that cannot be written only costs time."""
    path = Path(file)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
        for old in sorted(path.parent.glob("matrix-*.jsonl"), key=os.path.getmtime)[:-_KEPT]:
            old.unlink(missing_ok=True)
    except OSError:
        return
