"""What every test shares: the real matrix, a private home, and no sockets."""

from __future__ import annotations

import signal
import socket
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

import pytest

from trtdoctor.matrix import Matrix, load

ROOT = Path(__file__).resolve().parent.parent
SNAPSHOTS = ROOT / "tests" / "data" / "snapshots"
SHARED = ROOT.parent / "shared"
AS_OF = date(2026, 11, 22)
"""The day that tests judge by, so that no end-of-life date makes them rot."""


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores Ctrl-C, and so would every program that a test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def matrix() -> Matrix:
    """The matrix of this checkout."""
    return load(ROOT / "matrix")


@pytest.fixture(autouse=True)
def _private_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches go to a directory that is shared by the tests and by nobody else."""
    base = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(base))
    monkeypatch.delenv("TRTDOCTOR_MATRIX", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.getbasetemp() / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
    monkeypatch.delenv("TRTDOCTOR_OVERLAY", raising=False)
    for name in ("CONFIG", "FAIL_ON", "SELECT", "IGNORE", "REQUIRE", "GOAL", "CANARY", "AGAINST"):
        monkeypatch.delenv(f"TRTDOCTOR_{name}", raising=False)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
        monkeypatch.delenv(name, raising=False)  # where the tests themselves run in CI


@pytest.fixture(autouse=True)
def _no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """``check`` opens no connection: a test that would does not pass unnoticed."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
