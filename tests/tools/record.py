"""Record what the probes see, redacted, as a snapshot that tests replay.

    python tests/tools/record.py NAME [PYTHON]

writes ``tests/data/snapshots/NAME.json`` with the facts of this machine and of the interpreter PYTHON (by default
the one that ``trtdoctor check`` would look at). The environments of ``environments.py`` are recorded so::

    for name in rtx stub trt853; do python tests/tools/record.py $name /tmp/envs/$name/bin/python; done

What changes from one run to the next and says nothing (seconds, free memory) is left out, so that recording the same
environment again changes nothing in the file. Look at the difference before it is committed.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

from trtdoctor.matrix import load
from trtdoctor.probes import collect
from trtdoctor.redaction import redact
from trtdoctor.snapshot import Snapshot

SNAPSHOTS = Path(__file__).resolve().parent.parent / "data" / "snapshots"


def record(name: str, python: str | None = None) -> Path:
    """Write the snapshot ``name``; returns its path. Raises ValueError when ``python`` cannot be run."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        raise ValueError(f"a name of lower-case letters, digits and dashes, not {name!r}")
    path = SNAPSHOTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(steady(redact(collect(load(), python=python))).to_json())
    return path


def steady(found: Snapshot) -> Snapshot:
    """Without the numbers that differ from run to run."""
    return replace(
        found,
        probes=tuple(replace(item, seconds=None) for item in found.probes),
        gpus=None if found.gpus is None else tuple(replace(item, memory_free_bytes=None) for item in found.gpus),
    )


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    print(record(*sys.argv[1:]))
