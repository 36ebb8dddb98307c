"""Mirrors and machines as the rules of family MIR look at them. No rule is registered here.

Imported only where a Snapshot has mirrors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from trtdoctor.findings import FoundFact
from trtdoctor.matrix import bases
from trtdoctor.mirror_facts import MirrorSide, MirrorSource
from trtdoctor.obtainable import MIRROR, UPSTREAM, HeldStack, Obtainable, Python
from trtdoctor.record import record
from trtdoctor.rules.base import Context
from trtdoctor.versions import Version

_MOST_NAMED = 3


@record
class View:
    """One source: what its mirror has, and what its upstream has."""

    number: int
    """Its place in the Snapshot."""
    source: MirrorSource
    here: Obtainable
    above: Obtainable

    @property
    def name(self) -> str:
        """In a sentence: its id."""
        return self.source.id or self.source.kind

    def stacks(self, machine: Context) -> tuple[tuple[HeldStack, ...], tuple[HeldStack, ...]]:
        """What the mirror and what upstream has for a machine, newest first."""
        wanted = python_of(machine)
        here, above = (
            side.stacks(python=wanted.python, platform=wanted.platform, glibc=wanted.glibc)
            for side in (self.here, self.above)
        )
        return here, above

    def found(self, value: str, side: str = MIRROR) -> FoundFact:
        """A fact for a finding: what is at this source; where that is, unless it is hidden."""
        place = self.source.side(side)
        whose = f"upstream of {self.name}" if side == UPSTREAM else f"mirror {self.name}"
        return FoundFact(whose, value, place.address if place is not None else None, "mirrors")


def views(context: Context) -> tuple[View, ...]:
    """Every source of the Snapshot."""

    def make() -> tuple[View, ...]:
        matrix = context.matrix
        return tuple(
            View(number, source, Obtainable([source], matrix, MIRROR), Obtainable([source], matrix, UPSTREAM))
            for number, source in enumerate(context.snapshot.mirrors)
        )

    return context.remember("mirror: views", make)


def machines(context: Context) -> tuple[Context, ...]:
    """A context for each machine that is asked about, with a memory of its own."""

    def make() -> tuple[Context, ...]:
        return tuple(
            replace(context, stack=stack, fleet=(), memory={}, unknowns={})
            for stack in context.fleet or (context.stack,)
        )

    return context.remember("mirror: machines", make)


def is_blank(machine: Context) -> bool:
    """Whether nothing is known of a machine: then everything is of use."""
    snapshot = machine.snapshot
    known = (machine.stack.platform, snapshot.gpus, machine.stack.driver, snapshot.interpreters)
    return not any(known) and snapshot.driver.installed is None and snapshot.platform.libc is None


def called(machine: Context, context: Context) -> str:
    """A machine among several, in a sentence: ``machine 2 (linux-aarch64, NVIDIA GH200)``."""
    everyone = machines(context)
    number = next((place for place, one in enumerate(everyone, 1) if one is machine), 1)
    names = (machine.stack.platform, *(gpu.gpu.name for gpu in machine.stack.gpus[:1]))
    return f"machine {number} ({', '.join(filter(None, names)) or 'nothing known of it'})"


def python_of(machine: Context) -> Python:
    """What files for a machine must fit, as far as that is known; a system's glibc is known by its release."""
    return machine.remember("mirror: python", lambda: _python_of(machine))


def _python_of(machine: Context) -> Python:
    found, platform = machine.stack.interpreter, machine.snapshot.platform
    version = Version.maybe(found.version) if found else None
    fact = bases.glibc_of(machine.matrix, platform.distribution, platform.distribution_version)
    glibc = platform.glibc or (str(fact.value) if fact is not None else None)
    python = version.short(2) if version is not None and version.minor is not None else None
    return Python(python, machine.stack.platform, glibc)


def side_of(source: MirrorSource, *roles: str) -> MirrorSide | None:
    """The first side that there is of some roles."""
    return next((side for role in roles if (side := source.side(role)) is not None), None)


def some(names: Iterator[str] | list[str] | tuple[str, ...], most: int = _MOST_NAMED) -> str:
    """Names in a sentence: ``a, b, c and 4 more``."""
    found = list(dict.fromkeys(names))
    if len(found) <= most:
        return f"{', '.join(found[:-1])} and {found[-1]}" if len(found) > 1 else "".join(found)
    return f"{', '.join(found[:most])} and {len(found) - most} more"
