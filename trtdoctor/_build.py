"""Build hook of the wheel: ship the matrix compiled, so that no start pays for reading YAML."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompileMatrix(BuildHookInterface):  # type: ignore[type-arg]
    """Adds ``trtdoctor/_data/matrix.jsonl`` to a wheel; an editable install reads ``matrix/`` through its cache."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before the wheel is put together; ``version`` is ``editable`` for an editable one."""
        if version == "editable":
            return
        root = Path(self.root)
        sys.path.insert(0, str(root))
        from trtdoctor.matrix.compiled import compile_files
        from trtdoctor.matrix.load import compiled_form, digest_of, read_files

        version_of_matrix, raw = read_files(str(root / "matrix"))
        digest = digest_of(version_of_matrix, raw)
        target = Path(tempfile.mkdtemp()) / "matrix.jsonl"
        target.write_text(compiled_form(digest, compile_files(raw)), "utf-8")
        build_data["force_include"][str(target)] = "trtdoctor/_data/matrix.jsonl"
