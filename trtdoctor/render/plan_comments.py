"""The comments on top of every file that a plan is written as."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.planned import Planned
from trtdoctor.text import harmless


def comments(plan: Planned) -> Iterator[str]:
    """Who made it, and what it is.

    Words from outside begin in the third line: in the first two pip looks for the name of an encoding, and in the
    first Docker for that of a program that reads the rest.
    """
    yield f"# trtdoctor {plan.program}, matrix {plan.matrix}, {plan.made}"
    yield "#"
    yield comment(plan.title)


def comment(text: str) -> str:
    """``text`` as one line that is a comment in a shell, in a Dockerfile and in requirements."""
    return harmless(f"# {' '.join(text.split())}")
