"""From a remedy to a command."""

from __future__ import annotations

import shlex
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from trtdoctor.declared import snapshot_of
from trtdoctor.findings import Remedy
from trtdoctor.matrix import load
from trtdoctor.plan.steps import fixes_for
from trtdoctor.snapshot import Interpreter, Snapshot
from trtdoctor.stack import Stack

MATRIX = load(ROOT / "matrix")


def stack(**environment: object) -> Stack:
    return Stack(snapshot_of(environment), MATRIX)


def test_a_driver_comes_from_where_the_machine_gets_its_drivers() -> None:
    remedy = Remedy("driver", "upgrade", ">=580.65.06", "CUDA 13 needs it")
    (ubuntu,) = fixes_for(remedy, stack(os="ubuntu-22.04", arch="x86_64", gpus=[{"name": "NVIDIA H200"}]))
    assert ubuntu.kind == "shell"
    assert "nvidia-driver-580" in ubuntu.text
    assert ubuntu.needs_root
    assert ubuntu.needs_reboot
    (wsl,) = fixes_for(remedy, stack(os="ubuntu-22.04", wsl=True))
    assert wsl.kind == "manual"
    assert "Windows" in wsl.text
    (container,) = fixes_for(remedy, stack(os="ubuntu-22.04", container={"image": "x"}))
    assert "host" in container.text
    (jetson,) = fixes_for(remedy, stack(os="jetpack-6.0"))
    assert "JetPack" in jetson.text
    (windows,) = fixes_for(remedy, stack(os="windows-11"))
    assert windows.kind == "manual"


def test_the_driver_package_has_the_kernel_modules_that_the_gpu_runs() -> None:
    remedy = Remedy("driver", "upgrade", ">=580")
    for name, ending in (
        ("GeForce GTX 1080 Ti", "-580"),
        ("GeForce RTX 5090", "-580-open"),
        ("Tesla V100", "-580-server"),
    ):
        (step,) = fixes_for(remedy, stack(os="ubuntu-22.04", gpus=[{"name": name}]))
        assert step.text.endswith("nvidia-driver" + ending)


def test_pip_commands_quote_and_use_the_judged_python() -> None:
    found = Snapshot(interpreters=(Interpreter(path="/home/a b/venv/bin/python3"),))
    (fix,) = fixes_for(
        Remedy("tensorrt", "install", ">=10.9,<11", details=(("distributions", "tensorrt-cu12"),)), Stack(found, MATRIX)
    )
    assert shlex.split(fix.text) == ["/home/a b/venv/bin/python3", "-m", "pip", "install", "tensorrt-cu12>=10.9,<11"]
    (jetson,) = fixes_for(Remedy("tensorrt", "install", ">=10.3"), stack(os="jetpack-6.2"))
    assert jetson.kind == "manual"


def test_an_action_without_a_command_is_a_sentence() -> None:
    (fix,) = fixes_for(Remedy("gpu", "hardware", reason="Use a GPU of compute capability 7.5 or newer."), stack())
    assert (fix.kind, fix.text) == ("manual", "Use a GPU of compute capability 7.5 or newer.")


@given(st.text(max_size=40), st.sampled_from(["install", "upgrade", "replace", "remove"]))
def test_no_path_can_break_out_of_a_command(path: str, action: str) -> None:
    found = Snapshot.from_plain(Snapshot(interpreters=(Interpreter(path=f"/x/{path}"),)).to_plain())
    for fix in fixes_for(Remedy("tensorrt", action, "==10.9.0"), Stack(found, MATRIX)):
        words = shlex.split(fix.text)
        assert words[1:4] in (["-m", "pip", "install"], ["-m", "pip", "uninstall"])
        subprocess.run(["bash", "-n", "-c", fix.text], check=True)
