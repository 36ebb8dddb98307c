"""From a remedy (data) to commands: a small table until the planner takes over.

Commands are put together from validated versions and names only, quoted with :func:`shlex.quote`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from trtdoctor.findings import Fix, Remedy

if TYPE_CHECKING:
    from trtdoctor.stack import Stack


VENV = ".venv"
"""Where another Python gets its packages."""


def fixes_for(remedy: Remedy, stack: Stack) -> tuple[Fix, ...]:
    """The steps that carry out ``remedy`` on this environment; a plain sentence where no command would be right."""
    make = _TABLE.get((remedy.component, remedy.action)) or _TABLE.get(("*", remedy.action))
    if make is None:
        return (Fix("manual", remedy.reason or f"{remedy.action} {remedy.component}"),)
    return tuple(make(remedy, stack))


def python_of(stack: Stack) -> str:
    """The interpreter that is judged, quoted for a shell; by its usual name where its path is not known."""
    path = stack.interpreter.path if stack.interpreter else None
    if path and not path.startswith("<"):
        return shlex.quote(path)
    return "python" if stack.snapshot.platform.system == "windows" else "python3"


def _pip(remedy: Remedy, stack: Stack) -> list[Fix]:
    """Install the distributions of ``details["distributions"]``, or the component under its usual name.

    What ``details["remove"]`` names goes first: it installs the same files, and uninstalling it later would take them.
    """
    names = remedy.detail("distributions") or remedy.component
    wanted = remedy.wanted or ""
    specs = [name if "=" in name or not wanted else name + wanted for name in names.split()]
    if stack.jetson:
        return [Fix("manual", f"Use the {remedy.component} of JetPack (apt), not pip: {remedy.reason}")]
    options = f"{remedy.detail('options')} " if remedy.detail("options") else ""  # a constant of the rule
    made, python = beside_managed(stack)
    text = f"{python} -m pip install {options}{' '.join(shlex.quote(spec) for spec in specs)}"
    gone = (remedy.detail("remove") or "").split() if not made else []
    return [*made, *([_uninstall(gone, stack)] if gone else []), Fix("shell", text)]


def beside_managed(stack: Stack) -> tuple[list[Fix], str]:
    """What pip needs first, and the Python for it: a distribution's own keeps pip out, also to uninstall (PEP 668)."""
    python = python_of(stack)
    if stack.interpreter is None or not stack.interpreter.managed:
        return [], python
    return [Fix("shell", f"{python} -m venv {VENV}")], f"{VENV}/bin/python"


def pip_install(python: str, pins: Sequence[str], extra_index: str | None, index: str | None = None) -> Fix:
    """One pip command for all of ``NAME==VERSION``, so that the resolver sees them together; ``python`` is quoted.

    ``index`` is named where it is not the one that pip is configured with.
    """
    option = f"--index-url {shlex.quote(index)} " if index else ""
    option += f"--extra-index-url {shlex.quote(extra_index)} " if extra_index else ""
    return Fix("shell", f"{python} -m pip install {option}{' '.join(map(shlex.quote, pins))}")


def apt_install(pairs: Sequence[tuple[str, str]]) -> Iterator[Fix]:
    """Debian packages at exact versions, and the hold that keeps them there."""
    yield Fix("shell", "apt-get update", needs_root=True)
    wanted = " ".join(shlex.quote(f"{name}={version}") for name, version in pairs)
    options = "-y --allow-downgrades --allow-change-held-packages"
    yield Fix("shell", f"apt-get install {options} {wanted}", needs_root=True)
    yield Fix("shell", f"apt-mark hold {' '.join(shlex.quote(name) for name, _ in pairs)}", needs_root=True)


def other_python(minor: str, stack: Stack) -> tuple[Fix, str]:
    """The step that makes an environment of another Python, and how that one is called."""
    if stack.snapshot.platform.system == "windows":  # cmd would take what follows a slash for an option
        return Fix("shell", f"py -{minor} -m venv {VENV}"), f"{VENV}\\Scripts\\python"
    return Fix("shell", f"python{minor} -m venv {VENV}"), f"{VENV}/bin/python"


def _restore(remedy: Remedy, stack: Stack) -> list[Fix]:
    """Back to a plan: ``details`` have what it pins, of which names and versions were checked when it was read."""
    found: list[Fix] = []
    if floor := remedy.detail("driver"):
        found += _driver(Remedy("driver", "upgrade", floor, remedy.reason), stack)
    if image := remedy.detail("image"):
        found += _start(image, stack, more=remedy.detail("built") is not None)
    if apt := remedy.detail("apt"):
        found += apt_install([(name, version) for name, _, version in (item.partition("=") for item in apt.split())])
    if pins := (remedy.detail("pins") or "").split():
        beside, python = beside_managed(stack)
        gone = (remedy.detail("remove") or "").split() if not beside else []
        if minor := remedy.detail("python"):
            made, python = other_python(minor, stack)
            beside = [made]
        found += beside
        found += [_uninstall(gone, stack)] if gone else []
        here = [pin for pin in pins if "+" not in pin]
        found += [pip_install(python, here, remedy.detail("extra_index"), remedy.detail("index"))] if here else []
        for pin in pins:
            if pin not in here:
                found.append(Fix("manual", f"Install {pin} from the project's own index of such builds."))
    return found


def _start(image: str, stack: Stack, *, more: bool) -> Iterator[Fix]:
    """Another image; with ``more`` one that is built on it."""
    if more:
        yield Fix(
            "manual", f"Build the image of the plan on {image}: trtdoctor plan --from-file FILE --render dockerfile."
        )
        return
    option = "--runtime nvidia" if stack.jetson else "--gpus all"
    yield Fix("shell", f"docker pull {shlex.quote(image)}")
    yield Fix("shell", f"docker run --rm {option} {shlex.quote(image)} nvidia-smi")


def _pip_uninstall(remedy: Remedy, stack: Stack) -> list[Fix]:
    return [_uninstall((remedy.detail("distributions") or remedy.component).split(), stack)]


def _uninstall(names: list[str], stack: Stack) -> Fix:
    return Fix("shell", f"{python_of(stack)} -m pip uninstall -y {' '.join(shlex.quote(name) for name in names)}")


def _driver(remedy: Remedy, stack: Stack) -> list[Fix]:
    """A driver comes from the distribution, from NVIDIA, or (WSL) from Windows."""
    branch = (remedy.wanted or "").lstrip(">=~!< ").split(".")[0].split(",")[0]
    wanted = f"{_spoken(remedy.wanted)} " if remedy.wanted else ""
    platform = stack.snapshot.platform
    page = "https://www.nvidia.com/en-us/drivers/"
    if platform.wsl:
        return [
            Fix("manual", f"Install driver {wanted}in Windows ({page}); install none inside WSL.", needs_reboot=True)
        ]
    if platform.system == "windows":
        return [Fix("manual", f"Install driver {wanted}from {page}", needs_root=True, needs_reboot=True)]
    if stack.jetson:
        return [
            Fix(
                "manual",
                "The driver of a Jetson comes with JetPack: flash or upgrade to a JetPack that has it.",
                True,
                True,
            )
        ]
    if stack.snapshot.container is not None:
        return [Fix("manual", f"Install driver {wanted}on the host; a container only borrows it.", True, True)]
    if platform.distribution == "ubuntu" and branch.isdecimal():
        kind = "-server" if any(gpu.kind == "datacenter" for gpu in stack.all_gpus) else ""
        text = f"apt-get install -y nvidia-driver-{branch}{kind}{'-open' if _open_modules(stack, int(branch)) else ''}"
        return [Fix("shell", text, needs_root=True, needs_reboot=True)]
    return [
        Fix("manual", f"Install NVIDIA driver {wanted}from your distribution or {page}".replace("  ", " "), True, True)
    ]


def _spoken(wanted: str) -> str:
    """A specifier in words: ``>=580`` is "580 or newer", ``==580.*`` is "of branch 580"."""
    if wanted.startswith(">="):
        return f"{wanted[2:]} or newer"
    return f"of branch {wanted[2:].removesuffix('.*')}" if wanted.startswith("==") else wanted


def _open_modules(stack: Stack, branch: int) -> bool:
    """Whether the open kernel modules are the ones to install: Blackwell runs no others, Volta and older not these."""
    from trtdoctor.matrix import cuda, drivers

    flavours = set()
    for gpu in stack.all_gpus:
        row = cuda.architecture(stack.matrix, gpu.compute_capability or "")
        fact = drivers.kernel_modules(stack.matrix, row.text("architecture") or "") if row else None
        flavours.add(fact.value if fact else None)
    if "proprietary" in flavours:
        return False
    return "open" in flavours or drivers.open_by_default(stack.matrix, branch)


def _reboot(remedy: Remedy, stack: Stack) -> list[Fix]:
    if stack.snapshot.container is not None:
        return [Fix("manual", "Restart the container after the host was rebooted into its new driver.", True, True)]
    return [Fix("shell", "reboot", needs_root=True, needs_reboot=True)]


def _edit(remedy: Remedy, stack: Stack) -> list[Fix]:
    return [Fix("edit", remedy.detail("text") or remedy.reason)]


def _shell(remedy: Remedy, stack: Stack) -> list[Fix]:
    """``details["command"]`` is a constant of the rule, never text from outside."""
    command = remedy.detail("command")
    if command is None:
        return [Fix("manual", remedy.detail("text") or remedy.reason)]
    return [Fix("shell", command, needs_root=remedy.detail("root") == "yes")]


def _search_first(remedy: Remedy, stack: Stack) -> list[Fix]:
    """The directory of ``details["directory"]`` in front of the search path."""
    place = remedy.detail("directory") or ""
    if not place.startswith("/"):  # hidden by --redact, or no directory of this system
        return [Fix("manual", f"Put {place or 'its directory'} first in LD_LIBRARY_PATH: {remedy.reason}.")]
    return [Fix("shell", f"export LD_LIBRARY_PATH={shlex.quote(place)}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}")]


def _leave_out(remedy: Remedy, stack: Stack) -> list[Fix]:
    """The search path as it is, without the entry of ``details["entry"]``."""
    entry = remedy.detail("entry")
    every = [item for item in stack.snapshot.search_entries if item.variable == "LD_LIBRARY_PATH"]
    paths = [item.path or "" for item in sorted(every, key=lambda item: item.position)]
    kept = [path for path in paths if path.rstrip("/") != (entry or "").rstrip("/")]
    if len(kept) == len(paths) or any(path.startswith("<") for path in paths):
        return [Fix("manual", f"Take {entry} out of LD_LIBRARY_PATH: {remedy.reason}.")]
    if not any(kept):
        return [Fix("shell", "unset LD_LIBRARY_PATH")]
    return [Fix("shell", f"export LD_LIBRARY_PATH={shlex.quote(':'.join(filter(None, kept)))}")]


def _manual(remedy: Remedy, stack: Stack) -> list[Fix]:
    return [Fix("manual", remedy.detail("text") or remedy.reason)]


_TABLE: dict[tuple[str, str], Callable[[Remedy, Stack], list[Fix]]] = {
    ("plan", "restore"): _restore,
    ("loader", "search-first"): _search_first,
    ("loader", "leave-out"): _leave_out,
    ("driver", "install"): _driver,
    ("driver", "upgrade"): _driver,
    ("driver", "reboot"): _reboot,
    ("*", "install"): _pip,
    ("*", "upgrade"): _pip,
    ("*", "downgrade"): _pip,
    ("*", "replace"): _pip,
    ("*", "remove"): _pip_uninstall,
    ("*", "change-code"): _edit,
    ("*", "configure"): _shell,
    ("*", "hardware"): _manual,
    ("*", "reboot"): _reboot,
}
