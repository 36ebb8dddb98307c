"""Who may import whom: nothing imports upwards, and nothing heavy comes in before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "trtdoctor"
FLOORS = [
    {"lazyre"},
    {"debversion", "text", "times", "versions", "record"},
    {"mirror_facts", "net"},
    {"yamlfile", "snapshot", "findings"},
    {"matrix", "probes", "declared", "redaction", "requirements"},
    {"engine", "stack", "stated_environment"},
    {"demands", "waivers"},
    {"planned_commands"},
    {"policy", "planned"},
    {"obtainable"},
    {"canary", "inventory", "reconcile", "rules"},
    {"diagnosis"},
    {"plan"},
    {"judge", "ruledoc"},
    {"config", "diff", "engine_report", "environment", "explain", "lint_deps", "resolution"},
    {"mirror"},
    {"api", "render"},
    {"fetch"},
    {"pytest_facts"},
    {"pytest_gate"},
    {"cli", "pytest_plugin"},
    {"__main__"},
]
LEVEL = {name: number for number, floor in enumerate(FLOORS) for name in floor}


def modules() -> list[Path]:
    return [path for path in PACKAGE.rglob("*.py") if path.name != "_build.py" and path != PACKAGE / "__init__.py"]


def imported(path: Path) -> set[str]:
    """Rooms of trtdoctor that a module imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "trtdoctor":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names if alias.name in LEVEL}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("trtdoctor.")}
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_imports_upwards(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert room in LEVEL, f"{room} stands on no floor: add it to FLOORS"
    for other in imported(path) - {room}:
        allowed = LEVEL[other] < LEVEL[room] or (room, other) == ("probes", "matrix")
        assert allowed, f"{path.relative_to(PACKAGE)} imports {other}, which is not below it"


@pytest.mark.parametrize("room", ["probes", "rules"])
def test_probes_do_not_judge_and_rules_do_not_touch_the_machine(room: str) -> None:
    forbidden = {
        "probes": {"trtdoctor.rules", "trtdoctor.findings", "trtdoctor.judge"},
        "rules": {"os", "subprocess", "ctypes", "socket", "pathlib"},
    }
    for path in (PACKAGE / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            assert not forbidden[room] & set(names), f"{path.name} imports {forbidden[room] & set(names)}"


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (
            ["--help"],
            {
                "yaml",
                "requests",
                "tabulate",
                "pynvml",
                "json",
                "dataclasses_json",
                "trtdoctor.rules",
                "trtdoctor.snapshot",
            },
        ),
        (
            ["check", "--snapshot", "tests/data/snapshots/no-gpu.json", "--format", "json"],
            {
                "yaml",
                "requests",
                "tabulate",
                "pynvml",
                "importlib.metadata",
                "jsonschema",
                "packaging.version",
                "trtdoctor.probes",
                "trtdoctor.obtainable",
                "trtdoctor.rules.mirror_view",
            },
        ),
        (
            ["libs", "--snapshot", "tests/data/snapshots/no-gpu.json", "--tree"],
            {"yaml", "requests", "tabulate", "pynvml", "importlib.metadata", "jsonschema", "elftools"}
            | {"packaging.version", "trtdoctor.probes"},
        ),
    ],
)
def test_import_budget(arguments: list[str], absent: set[str], tmp_path: Path) -> None:
    script = (
        "import sys; from trtdoctor.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    environ = {"XDG_CACHE_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", script, *arguments]
    subprocess.run(
        command, cwd=PACKAGE.parent, env=environ, capture_output=True, check=True
    )  # compiles the matrix once
    done = subprocess.run(command, cwd=PACKAGE.parent, env=environ, capture_output=True, text=True, check=True)
    assert not absent & set(done.stderr.split())
