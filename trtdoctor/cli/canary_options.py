"""Options of ``trtdoctor canary`` that are more than a word: sizes, shapes, seconds. One clear line for a wrong one."""

from __future__ import annotations

import math
import os
import re
import stat

import click

_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_MOST_BYTES = 1 << 50


def parse_size(_: click.Context, parameter: click.Parameter, value: str) -> int:
    """``1GiB``, ``512MiB``, ``8G``, ``2GB`` (decimal), ``4096``: bytes."""
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,6})?)\s*([kmgt]?)(i?)(b?)", value.strip(), re.IGNORECASE)
    if match is None or (match[3] and not match[2]):
        raise click.BadParameter(f"{value!r} is no size such as 1GiB or 512MiB")
    decimal = match[2] and match[4] and not match[3]
    size = float(match[1]) * (1000 if decimal else 1024) ** _UNITS[match[2].lower()]
    if not 1 <= size <= _MOST_BYTES:
        raise click.BadParameter(f"{value!r} is out of range")
    return int(size)


def parse_seconds(_: click.Context, __: click.Parameter, value: float) -> float:
    """A time limit, from a tenth of a second to a day."""
    if not math.isfinite(value) or not 0.1 <= value <= 86400:
        raise click.BadParameter("wanted is a number of seconds from 0.1 to 86400")
    return value


def parse_tolerance(_: click.Context, __: click.Parameter, value: float | None) -> float | None:
    """A relative error."""
    if value is not None and not (math.isfinite(value) and value > 0):
        raise click.BadParameter("wanted is a positive number such as 1e-3")
    return value


def parse_shapes(
    _: click.Context, __: click.Parameter, values: tuple[str, ...]
) -> dict[str, tuple[tuple[int, ...], ...]]:
    """``NAME:MIN:OPT:MAX``, each a shape such as ``1x3x224x224``, by name. A name may hold colons itself."""
    found: dict[str, tuple[tuple[int, ...], ...]] = {}
    for value in values:
        name, *parts = value.rsplit(":", 3)
        if len(parts) != 3 or not name:
            raise click.BadParameter(
                f"{value!r} is not NAME:MIN:OPT:MAX, such as image:1x3x224x224:4x3x224x224:8x3x224x224"
            )
        shapes = tuple(_shape(part, value) for part in parts)
        if len({len(shape) for shape in shapes}) != 1:
            raise click.BadParameter(f"{value!r}: the three shapes have different numbers of dimensions")
        if any(not low <= usual <= high for low, usual, high in zip(*shapes, strict=True)):
            raise click.BadParameter(f"{value!r}: in each dimension it must be MIN <= OPT <= MAX")
        if name in found:
            raise click.BadParameter(f"{name!r} is given twice")
        found[name] = shapes
    return found


def _shape(text: str, value: str) -> tuple[int, ...]:
    if not re.fullmatch(r"[1-9]\d{0,9}(?:[x,][1-9]\d{0,9}){0,15}", text):
        raise click.BadParameter(f"{value!r}: {text!r} is no shape such as 1x3x224x224")
    return tuple(int(part) for part in re.split("[x,]", text))


def parse_capabilities(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """``8.6``, several by commas."""
    found = tuple(dict.fromkeys(part.strip() for value in values for part in value.split(",") if part.strip()))
    for item in found:
        if not re.fullmatch(r"\d{1,2}\.\d", item):
            raise click.BadParameter(f"{item!r} is no compute capability such as 8.6")
    return found


def check_model(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """``--onnx``: a file that is there and can be read, told before anyone waits for TensorRT."""
    if value is None:
        return None
    try:
        with open(value, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as stream:
            regular = stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"{value!r}: {getattr(error, 'strerror', None) or error}") from None
    if not regular:
        raise click.BadParameter(f"{value!r} is no regular file")
    return value


def check_target(context: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """``--save``: a file in a directory that is there, told before anyone waits for a build.

    Neither a device, nor the model itself: what is there is replaced.
    """
    if value is None:
        return None
    if not value or "\0" in value:
        raise click.BadParameter(f"{value!r} is no name of a file")
    directory = os.path.dirname(os.path.realpath(value))
    if os.path.isdir(value):
        raise click.BadParameter(f"{value!r} is a directory")
    if os.path.exists(value) and not os.path.isfile(value):
        raise click.BadParameter(f"{value!r} is no regular file")
    model = context.params.get("onnx")
    if model and os.path.exists(value) and os.path.samefile(value, model):
        raise click.BadParameter(f"{value!r} is the model itself")
    if not os.path.isdir(directory):
        raise click.BadParameter(f"{value!r}: there is no directory {directory}")
    if not os.access(directory, os.W_OK):
        raise click.BadParameter(f"{value!r}: the directory {directory} cannot be written to")
    return value
