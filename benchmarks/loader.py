"""Does ``trtdoctor libs`` predict what the dynamic loader really picks?

Arranges set-ups of real wheels, asks for the libraries that each importer gets, and compares what was predicted from
files alone with what a process that really imports has in its memory map. Prints each disagreement and the share.

    python benchmarks/loader.py [--heavy] [--environments DIR] [NAME ...]

Environments are looked up below ``--environments`` (default ``$TRTDOCTOR_TEST_ENVIRONMENTS`` or
``~/.cache/trtdoctor-test-environments``) and built when they are missing. Exit status: 0 all agree, 1 some do not.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.tools.environments import ENVIRONMENTS, BuildError, build
from tests.tools.setups import SETUPS, Ready, Setup, environment_of, program

KEPT = Path(os.environ.get("TRTDOCTOR_TEST_ENVIRONMENTS") or Path("~/.cache/trtdoctor-test-environments").expanduser())


@dataclass
class Agreement:
    """What one set-up showed."""

    name: str
    observed: int = 0
    """Libraries of the stack that processes really had in memory."""
    agreed: int = 0
    failed_imports: int = 0
    """Importers that were observed to fail, as predicted."""
    disagreements: list[str] = field(default_factory=list)
    skipped: str | None = None


def measure(setup: Setup, kept: Path) -> Agreement:
    """Arrange one set-up in a directory of its own and compare."""
    result = Agreement(setup.name)

    def built(name: str) -> str:
        environment = next(item for item in ENVIRONMENTS if item.name == name)
        return str(build(environment, kept, kept / ".wheels", replace=False))

    with tempfile.TemporaryDirectory(prefix="trtdoctor-loader-") as folder:
        try:
            ready = setup.arrange(built, Path(folder))
        except (BuildError, OSError, subprocess.CalledProcessError) as error:
            result.skipped = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
            return result
        compare(ask(ready), result)
    return result


def ask(ready: Ready) -> dict[str, Any]:
    """The JSON document of ``trtdoctor libs`` in this set-up."""
    command = [*ready.prefix, *program(), "libs", "--python", ready.python, "--for", ready.importer]
    command += ["--format", "json", "--fail-on", "never"]
    done = subprocess.run(command, env=environment_of(ready), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\nexit status {done.returncode}: {done.stderr}")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def compare(document: dict[str, Any], result: Agreement) -> None:
    """Count the libraries on which prediction and observation agree."""
    observed = {item["name"]: item["observed"] for item in document["importers"]}
    for item in document["importers"]:
        told = _importers_differ(item["predicted"], item["observed"])
        if told:
            result.disagreements.append(f"{item['name']}: {told}")
        elif item["observed"] != "ok":
            result.failed_imports += 1
    for library in document["libraries"]:
        for entry in library["resolved"]:
            if entry["lazy"]:
                continue
            result.observed += bool(entry["observed"])
            told = _libraries_differ(entry, observed.get(entry["importer"]))
            if told:
                result.disagreements.append(f"{entry['importer']}: {library['name']} {told}")
            else:
                result.agreed += bool(entry["observed"])


def _importers_differ(predicted: str | None, observed: str | None) -> str | None:
    if observed is None or predicted in (None, "unknown"):
        return f"predicted {predicted}, observed {observed}: nothing to compare"
    return None if (predicted == "ok") == (observed == "ok") else f"predicted {predicted}, observed {observed}"


def _libraries_differ(entry: dict[str, Any], importer_observed: str | None) -> str | None:
    if not entry["observed"]:
        return "was predicted and not observed" if importer_observed == "ok" else None
    if entry.get("step") is None:
        return f"was observed at {entry['path']} and not predicted"
    return f"predicted {entry['predicted']}, observed {entry['path']}" if entry.get("predicted") else None


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Predicted against observed: what the dynamic loader picks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(item.name for item in SETUPS)}")
    parser.add_argument("--heavy", action="store_true", help="also what needs more than 300 MB of wheels")
    parser.add_argument("--environments", type=Path, default=KEPT, metavar="DIR")
    options = parser.parse_args()
    chosen = [item for item in SETUPS if item.name in options.names or (not options.names and not item.heavy)]
    if options.heavy and not options.names:
        chosen = list(SETUPS)
    options.environments.mkdir(parents=True, exist_ok=True)
    results = [measure(item, options.environments.resolve()) for item in chosen]
    for result in results:
        state = f"skipped: {result.skipped}" if result.skipped else f"{result.agreed}/{result.observed}"
        extra = f", {result.failed_imports} import(s) fail as predicted" if result.failed_imports else ""
        print(f"{result.name:<22} {state}{extra}")
        for line in result.disagreements:
            print(f"    {line}")
    observed, agreed = sum(item.observed for item in results), sum(item.agreed for item in results)
    wrong = sum(len(item.disagreements) for item in results)
    print(f"\n{agreed}/{observed} libraries agree; {wrong} disagreement(s) in {len(results)} set-ups")
    return 1 if wrong or not observed else 0


if __name__ == "__main__":
    sys.exit(main())
