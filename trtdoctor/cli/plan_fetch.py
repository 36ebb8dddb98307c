"""``trtdoctor plan fetch``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import click

from trtdoctor.cli.output import say
from trtdoctor.text import clean, harmless

if TYPE_CHECKING:
    from trtdoctor.fetch.run import Fetched
    from trtdoctor.matrix import Matrix
    from trtdoctor.net.download import Progress
    from trtdoctor.planned import Planned

_LICENCE = "NVIDIA's files are under NVIDIA's licences, which govern passing them on; the others are under their own."


@click.command(
    "fetch",
    epilog="""\b
Exit codes: 0 every file is there, 1 some could not be had (it says which), 2 usage, or nothing could be fetched.
Examples:
  trtdoctor plan fetch wheels --from-file trtdoctor-plan.yaml
  trtdoctor plan --require tensorrt-rtx --install pip fetch wheels
  trtdoctor plan fetch wheels                 carries on with wheels/trtdoctor-plan.yaml
  then, with no network:  python3 -m pip install --no-index --find-links wheels -r wheels/requirements.txt""",
)
@click.argument("directory", metavar="DIR")
@click.option("--from-file", metavar="FILE|-", help="The plan that was written. Otherwise DIR's, or a new one.")
@click.option("--images", is_flag=True, help="Save the container image of the plan too, with skopeo or docker.")
@click.option("--dry-run", is_flag=True, help="Only say which files would come, and how large they are.")
@click.pass_context
def command(context: click.Context, directory: str, from_file: str | None, images: bool, dry_run: bool) -> int:
    """Download every file of a plan and all that it needs into DIR, for an installation without network.

    Files come from the index that pip is configured with; the wheel behind a stub from where its build would fetch it.
    Each is verified by its SHA-256; what broke off is carried on by running it again.
    """
    from trtdoctor.fetch.run import FetchError
    from trtdoctor.fetch.target import TargetError
    from trtdoctor.net.landing import LandingError

    plan, matrix = _plan(context, directory, from_file)
    if not plan.pins and not images:
        hint = f"; --images saves {plan.image}" if plan.image else ""
        raise click.ClickException(f"this plan installs nothing by pip (it is for {plan.install}){hint}")
    try:
        return _fetch(plan, matrix, directory, images, dry_run)
    except (FetchError, LandingError, TargetError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename or directory}: {error.strerror or error}") from None


def _plan(context: click.Context, directory: str, from_file: str | None) -> tuple[Planned, Matrix]:
    """What is fetched: the file that is named, what the options before ``fetch`` ask for, DIR's own, a new plan."""
    from trtdoctor.planned import NAME

    make: Callable[[str | None], tuple[Planned, Matrix]] = context.obj
    own = os.path.join(directory, NAME)
    parent = context.parent
    is_asked = parent is not None and any(
        parent.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE for name in parent.params
    )
    if from_file is None and not is_asked and os.path.isfile(own):
        from_file = own
    return make(from_file)


def _fetch(plan: Planned, matrix: Matrix, directory: str, images: bool, dry_run: bool) -> int:
    from trtdoctor.fetch import pages
    from trtdoctor.fetch.images import demand, save
    from trtdoctor.fetch.run import FetchError, fetch

    image = demand(plan, directory) if images else ""  # before gigabytes come
    found: Fetched | None = None
    missing: list[str] = []
    if plan.pins:
        with _place(directory, dry_run) as place:
            found = fetch(plan, place, matrix, os.environ, _tell, _watch, dry_run=dry_run)
        plan, missing = found.plan, list(found.missing)
        if not dry_run:
            pages.write(plan, directory, _tell)
    if images and dry_run:
        _tell(f"  {image}: saved by skopeo or docker")
    elif images:
        try:
            plan = save(plan, directory, os.environ, _tell)
            pages.write(plan, directory, _tell)
        except FetchError as error:
            if found is None:
                raise
            missing.append(str(error))
    _end(found.notes if found is not None else (), missing, directory)
    if found is not None and not missing and not dry_run:
        say(f"install with no network:\n  {pages.install_command(directory, nested=found.nested)}\n")
    return 1 if missing else 0


def _end(notes: Sequence[str], missing: Sequence[str], directory: str) -> None:
    _tell(_LICENCE)
    for note in notes:
        _tell(f"note: {note}")
    for text in missing:
        _tell(f"MISSING {text}")
    if missing:
        _tell(f"put what is missing into {directory}, or reach it otherwise, and run this again")


@contextmanager
def _place(directory: str, dry_run: bool) -> Iterator[str]:
    """The folder; for a dry run where there is none yet one that goes away again."""
    if not dry_run or os.path.isdir(directory):
        yield directory
        return
    import tempfile

    with tempfile.TemporaryDirectory(prefix="trtdoctor-") as place:
        yield place


# -- telling -----------------------------------------------------------------------------------------------------------


def _tell(text: str) -> None:
    """One line on stderr. A reader that went away ends no fetch."""
    with suppress(OSError):
        click.echo(harmless(clean(text)), err=True)


@contextmanager
def _watch(name: str, size: int | None) -> Iterator[Progress]:
    """A bar on a terminal; in a log the line of the finished file is enough, with one every while for a large one."""
    if sys.stderr.isatty() and size:
        with click.progressbar(length=size, label=f"  {name[:50]}", file=sys.stderr, show_pos=False) as bar:
            yield lambda there: bar.update(there - bar.pos)
        return
    yield _Lines(name, size)


class _Lines:
    """A line for each tenth of a file that takes long."""

    def __init__(self, name: str, size: int | None) -> None:
        self._name = name
        self._size = size
        self._told = 0

    def __call__(self, there: int) -> None:
        step = max((self._size or 0) // 10, 64 << 20)
        if there >= self._told + step and there != self._size:
            self._told = there
            share = f" of {self._size >> 20} MiB" if self._size else ""
            _tell(f"    {self._name}: {there >> 20} MiB{share}")
