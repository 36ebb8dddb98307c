"""The sidecar of an engine that ``trtdoctor canary --save`` keeps: all that is known of its build."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trtdoctor.canary.run import Options, Outcome


def stamp(path: str, outcome: Outcome, options: Options) -> None:
    """Write the sidecar. That it cannot be written is said on stderr, and is no failure of the canary."""
    import os
    import sys

    from trtdoctor import __version__
    from trtdoctor.engine import sidecar
    from trtdoctor.engine.look import digest
    from trtdoctor.text import clean, harmless

    canary = outcome.canary
    full = canary.product != "tensorrt-rtx"
    found = {
        "tensorrt": canary.version,
        "product": "full" if full else "rtx",
        "gpu": outcome.gpu if full else None,
        "compute_capability": outcome.compute_capability if full else None,
        "system": sys.platform if full and sys.platform == "linux" else None,
        "precision": canary.precision,
        # The canary sets none of the flags that would change them.
        "version_compatible": False,
        "hardware_compatibility": "none" if full else None,
        "weights_stripped": False,
    }
    try:
        digits = digest(path)
        if digits is None:
            return
        says = tuple(
            (name, found[name]) for name in sidecar.FIELDS if sidecar.checked(name, found.get(name)) is not None
        )
        made = sidecar.Stamp(
            digits,
            os.stat(path).st_size,
            tuple((name, value) for name, value in says if value is not None),
            (),
            date.today().isoformat(),
            __version__,
        )
        sidecar.write(path, made)
    except OSError as error:
        reason = clean(f"{sidecar.place_of(path)}: {error.strerror or error}", 600)
        click.echo(harmless(f"trtdoctor: the engine is saved, its sidecar is not: {reason}"), err=True)
