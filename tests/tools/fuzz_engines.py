"""Fuzz the reading of engine files, guided by coverage: ``python tests/tools/fuzz_engines.py SECONDS``.

Needs ``pip install atheris`` beside trtdoctor's own dependencies; no part of the test run. What it finds worth keeping
(inputs that reach code that no other input reaches) goes to ``tests/data/engines/corpus``, which
``tests/engine/test_corpus.py`` replays. An input that raises is left as ``crash-…`` in the current directory.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CORPUS = ROOT / "tests" / "data" / "engines" / "corpus"
MAX_BYTES = 4096 + 512


def fuzz(arguments: list[str]) -> None:
    """The fuzzer itself; it ends the process."""
    import atheris

    with atheris.instrument_imports(include=["trtdoctor.engine"]):
        from trtdoctor.engine import header, kinds, look, scan, sidecar  # noqa: F401
    from tests.engine.answered import answer
    from trtdoctor.matrix import load

    matrix = load(ROOT / "matrix")
    atheris.Setup([os.environ["FUZZER"], *arguments], lambda data: answer(matrix, data))
    atheris.Fuzz()


def main(seconds: int) -> int:
    """Fuzz for so long, from the files that tests build and the corpus; then keep the fewest that cover as much."""
    from tests.engine.answered import seeds

    with tempfile.TemporaryDirectory() as scratch:
        found, merged = Path(scratch, "found"), Path(scratch, "merged")
        found.mkdir()
        merged.mkdir()
        for number, content in enumerate(seeds()):
            (found / f"seed-{number}").write_bytes(content)
        starter = Path(scratch, "fuzzer")  # libFuzzer runs its own program again to merge
        starter.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).resolve()}" --fuzz "$@"\n')
        starter.chmod(0o700)
        os.environ["FUZZER"] = str(starter)
        script = [str(starter), f"-max_len={MAX_BYTES}"]
        done = subprocess.run([*script, f"-max_total_time={seconds}", str(found), str(CORPUS)], cwd=ROOT, check=False)
        if done.returncode:
            return done.returncode
        subprocess.run([*script, "-merge=1", str(merged), str(found), str(CORPUS)], cwd=ROOT, check=True)
        for old in CORPUS.iterdir():
            old.unlink()
        for new in merged.iterdir():
            (CORPUS / new.name[:16]).write_bytes(new.read_bytes())
    print(f"{len(os.listdir(CORPUS))} files in {CORPUS}")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    if sys.argv[1:2] == ["--fuzz"]:
        fuzz(sys.argv[2:])
    CORPUS.mkdir(parents=True, exist_ok=True)
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 60))
