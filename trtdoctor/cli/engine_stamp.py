"""``trtdoctor engine stamp``."""

from __future__ import annotations

import os
from datetime import date
from typing import TYPE_CHECKING

import click

from trtdoctor.cli.inputs import collect_here, load_matrix, only_live, read_snapshot

if TYPE_CHECKING:
    from trtdoctor.engine.sidecar import Stamp
    from trtdoctor.matrix import Matrix
    from trtdoctor.snapshot import Engine, Snapshot

_KINDS = ("plan", "archive", "timing-cache", "calibration-cache")
_LEVELS = ("none", "ampere_plus", "same_compute_capability")


@click.command(
    "stamp",
    epilog="""\b
Writes FILE.trtdoctor.json, which belongs beside the engine wherever it goes.
Exit codes: 0 written, 2 it cannot be written, or the engine itself says otherwise.
Examples:
  trtdoctor engine stamp model.engine
  trtdoctor engine stamp model.engine --version-compatible --hardware-compatibility ampere_plus
  trtdoctor engine stamp model.engine --built-elsewhere --gpu "NVIDIA L4" --os linux""",
)
@click.argument("file", metavar="FILE", type=click.Path())
@click.option("--tensorrt", metavar="VERSION", help="Release that built it, where the file does not say it.")
@click.option("--gpu", metavar="NAME", help="GPU that built it.")
@click.option("--compute-capability", metavar="CC", help="Compute capability of the GPU that built it.")
@click.option("--os", "system", type=click.Choice(("linux", "windows")), help="Operating system that it is for.")
@click.option("--version-compatible/--not-version-compatible", default=None, help="BuilderFlag.VERSION_COMPATIBLE.")
@click.option("--hardware-compatibility", type=click.Choice(_LEVELS), help="HardwareCompatibilityLevel.")
@click.option("--weights-stripped/--weights-inside", default=None, help="BuilderFlag.STRIP_PLAN.")
@click.option("--lean-runtime-excluded/--lean-runtime-inside", default=None, help="BuilderFlag.EXCLUDE_LEAN_RUNTIME.")
@click.option("--precision", metavar="WORD", help="fp16, int8, …")
@click.option(
    "--built-elsewhere", is_flag=True, help="Take nothing from this machine: it is not the one that built it."
)
@click.option("--snapshot", "snapshot_file", metavar="FILE|-", help="The machine that built it, from a snapshot.")
@click.option("--python", metavar="PATH", help="Interpreter whose TensorRT built it.")
@click.option("--matrix", "matrix_directory", metavar="DIR|packaged", help="Another compatibility matrix.")
def command(
    file: str,
    tensorrt: str | None,
    gpu: str | None,
    compute_capability: str | None,
    system: str | None,
    version_compatible: bool | None,
    hardware_compatibility: str | None,
    weights_stripped: bool | None,
    lean_runtime_excluded: bool | None,
    precision: str | None,
    built_elsewhere: bool,
    snapshot_file: str | None,
    python: str | None,
    matrix_directory: str | None,
) -> int:
    """Write down beside an engine, or a cache, what its header cannot tell: where it was built, and how.

    Run it where the engine was built, right after the build: GPU, system and TensorRT are taken from there.
    """
    told = {
        "tensorrt": tensorrt,
        "gpu": gpu,
        "compute_capability": compute_capability,
        "system": system,
        "version_compatible": version_compatible,
        "hardware_compatibility": hardware_compatibility,
        "weights_stripped": weights_stripped,
        "lean_runtime_excluded": lean_runtime_excluded,
        "precision": precision,
    }
    if built_elsewhere and (snapshot_file or python):
        raise click.UsageError(
            "--built-elsewhere takes nothing from a machine: neither --snapshot nor --python with it"
        )
    only_live(python, "/", observe=False, live=snapshot_file is None)
    matrix = load_matrix(matrix_directory)
    engine = _engine(matrix, file)
    machine = _machine(matrix, python, snapshot_file, built_elsewhere)
    place = _written(
        file, _stamp(matrix, file, engine, {key: value for key, value in told.items() if value is not None}, machine)
    )
    from trtdoctor.cli.output import say
    from trtdoctor.text import clean, harmless

    say(harmless(f"stamped: {clean(place)}") + "\n")
    return 0


def _engine(matrix: Matrix, file: str) -> Engine:
    from trtdoctor.cli.engine_files import readable
    from trtdoctor.engine.look import look

    if os.path.isdir(file):
        raise click.ClickException(f"{file}: is a directory")
    readable(file)
    engine = look(matrix, file, verify=False)
    if engine.kind not in _KINDS:
        raise click.ClickException(f"{file}: is no engine and no cache ({engine.kind})")
    if engine.problem is not None and engine.problem_is_sure is not False:
        raise click.ClickException(f"{file}: is damaged ({engine.problem}): what would be stamped is of no use")
    return engine


def _machine(matrix: Matrix, python: str | None, snapshot_file: str | None, elsewhere: bool) -> Snapshot | None:
    if elsewhere:
        return None
    return read_snapshot(snapshot_file) if snapshot_file else collect_here(matrix, python)


def _stamp(matrix: Matrix, file: str, engine: Engine, told: dict[str, str | bool], machine: Snapshot | None) -> Stamp:
    """The stamp; what the user told goes before what the machine shows."""
    from trtdoctor import __version__
    from trtdoctor.engine import sidecar
    from trtdoctor.engine.look import digest

    for name, value in told.items():
        if sidecar.checked(name, value) is None:
            raise click.ClickException(f"{value!r} is no value for {name.replace('_', ' ')}")
    seen = _seen(matrix, engine, machine) if machine is not None else {}
    says: dict[str, str | bool] = {**seen, **told}
    if "gpu" in told and "compute_capability" not in told:
        says.pop("compute_capability", None)  # of another GPU than the one that was named
    wrong = sidecar.contradictions(engine, says)
    if wrong:
        raise click.ClickException(f"{file}: {'; '.join(wrong)}")
    found = digest(file)
    if found is None or engine.size is None:
        raise click.ClickException(f"{file}: cannot be read to its end in time")
    fields = tuple((name, says[name]) for name in sidecar.FIELDS if name in says)
    return sidecar.Stamp(
        found,
        engine.size,
        fields,
        tuple(name for name in sidecar.FIELDS if name in told),
        date.today().isoformat(),
        __version__,
        sidecar.built_with(machine) if machine is not None else (),
    )


def _seen(matrix: Matrix, engine: Engine, machine: Snapshot) -> dict[str, str | bool]:
    """What the machine shows of an engine that was built on it; nothing where it cannot be the one that built it."""
    from trtdoctor.engine.header import numbers
    from trtdoctor.stack import Stack

    stack = Stack(machine, matrix)
    found: dict[str, str | bool] = {}
    installed = [item for item in (stack.rtxs if engine.product == "rtx" else stack.builders) if item.version]
    if engine.tensorrt is not None:
        fitting = [
            item
            for item in installed
            if all(
                a == b or a == b % 256
                for a, b in zip(numbers(engine.tensorrt), numbers(str(item.version)), strict=False)
            )
        ]
        if installed and not fitting:
            return {}  # another TensorRT than the one here built it
    elif len(installed) == 1 and engine.kind != "archive":
        found["tensorrt"] = str(installed[0].version)
    system = "linux" if machine.platform.wsl else machine.platform.system
    if system and engine.kind == "plan" and engine.product != "rtx":
        found["system"] = system
    boards = {(item.gpu.name, item.compute_capability) for item in stack.gpus}
    if len(boards) == 1 and engine.product != "rtx":
        name, capability = boards.pop()
        if engine.compute_capability is None or engine.compute_capability == capability:
            found.update({key: value for key, value in (("gpu", name), ("compute_capability", capability)) if value})
    return found


def _written(file: str, stamp: Stamp) -> str:
    from trtdoctor.engine import sidecar

    try:
        return sidecar.write(file, stamp)
    except OSError as error:
        raise click.ClickException(f"{sidecar.place_of(file)}: {error.strerror or error}") from None
