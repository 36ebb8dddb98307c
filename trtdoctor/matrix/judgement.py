"""An answer of the matrix with the reason for it and the values that it rests on."""

from __future__ import annotations

from trtdoctor.matrix.rows import Fact
from trtdoctor.record import record
from trtdoctor.versions import Answer


@record
class Judgement:
    """YES, NO or UNKNOWN, and why."""

    answer: Answer
    reason: str
    """Half a sentence for a person."""
    facts: tuple[Fact, ...] = ()
    """Values of the matrix that it rests on."""
    word: str = ""
    """A stable word for the case, where the asker must tell several apart (named at the function)."""
