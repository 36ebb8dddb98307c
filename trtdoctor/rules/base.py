"""What a rule is: a pure function from a Context to Problems, registered with a code that never changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from datetime import date
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from trtdoctor.demands import Demand
from trtdoctor.findings import FoundFact, Remedy, Severity, Unknown
from trtdoctor.matrix import Fact, Matrix
from trtdoctor.policy import Policy
from trtdoctor.record import record
from trtdoctor.snapshot import Snapshot
from trtdoctor.stack import Stack
from trtdoctor.waivers import Use

if TYPE_CHECKING:
    from trtdoctor.planned import Planned

_T = TypeVar("_T")
MAX_TITLE = 110
"""Characters that a title should not exceed: it is read in a list, and in a log."""


@record
class Problem:
    """What a rule found; the judge stamps it with the rule's code and name and makes a Finding of it."""

    severity: Severity
    title: str
    """One line with the versions found."""
    breaks: str = ""
    """What will not work because of it."""
    detail: str = ""
    facts: tuple[FoundFact, ...] = ()
    sources: tuple[Fact, ...] = ()
    """Values of the matrix that the judgement rests on."""
    remedy: Remedy | None = None
    components: tuple[str, ...] | None = None
    """Instead of the rule's own; at most three."""
    untested: bool = False
    """Whether all that is wrong is that nobody has tested or promised it: then a canary that passes refutes it."""


@record
class Context:
    """Everything that a rule may look at."""

    stack: Stack
    matrix: Matrix
    as_of: date
    goal: frozenset[str]
    """Words of ``wants``: ``build``, ``run``, ``python``, ``fp16``, ``api:…``."""
    demands: tuple[Demand, ...] = ()
    """What is required beside the goal: ``--require``, the configuration's ``require``."""
    policy: Policy = Policy()
    """What the site lets in."""
    uses: tuple[Use, ...] = ()
    """What became of the waivers: empty while they have not been applied."""
    unknowns: dict[tuple[str, str], Unknown] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)
    """What several rules ask for, worked out once in this judgement: :meth:`remember`."""
    fleet: tuple[Stack, ...] = ()
    """The machines that mirrors are judged for, where they are several; empty for that of ``stack`` alone."""
    planned: Planned | None = None
    """The plan that this environment is to match; None without one."""

    def remember(self, key: str, make: Callable[[], _T]) -> _T:
        """What ``make`` gives, made when it is first asked for."""
        if key not in self.memory:
            self.memory[key] = make()
        value: _T = self.memory[key]
        return value

    @property
    def snapshot(self) -> Snapshot:
        """The facts."""
        return self.stack.snapshot

    def unknown(self, component: str, needed: str, why: str, how_to_tell: str) -> None:
        """Say that something could not be judged."""
        self.unknowns.setdefault((component, why), Unknown(component, needed, why, how_to_tell))

    def wants(self, *words: str) -> bool:
        """Whether the user is after one of these."""
        return any(word in self.goal for word in words)


Check = Callable[[Context], Iterable[Problem]]


@record
class Rule:
    """A registered rule."""

    code: str
    """Family and number, ``DRV101``: never changed, never reused."""
    name: str
    """Readable and stable, ``driver-below-cuda-floor``."""
    severity: Severity
    """The worst that it gives."""
    components: tuple[str, ...]
    """The words of an incident's ``names``; at most three."""
    needs: tuple[str, ...]
    """What must be known before it can judge; otherwise the report says what was missing."""
    silenced_by: tuple[str, ...]
    """Codes that, when found, are the cause of what this rule would say."""
    check: Check
    instead_of: tuple[str, ...] = ()
    """Codes of findings that are left out beside one of this rule, which runs later and says the same better."""

    @property
    def doc(self) -> str:
        """The rule's page: its docstring in fixed sections."""
        return self.check.__doc__ or ""


def rule(
    code: str,
    name: str,
    *,
    severity: Severity,
    components: tuple[str, ...],
    needs: tuple[str, ...] = (),
    silenced_by: tuple[str, ...] = (),
    instead_of: tuple[str, ...] = (),
) -> Callable[[Check], Check]:
    """Register the decorated function as a rule.

    Its docstring has a first line that says what it checks, then the sections ``Why it matters:``, ``Example:``,
    ``How to fix:`` and ``Sources:`` (ids of ``matrix/sources.yaml`` or public addresses).
    """

    def mark(check: Check) -> Check:
        made = Rule(code, name, severity, components, needs, silenced_by, check, instead_of)
        check.__rule__ = made  # type: ignore[attr-defined]
        return check

    return mark


def rules_of(module: ModuleType) -> Iterator[Rule]:
    """The rules of a family's module, in the order in which they are written."""
    for value in vars(module).values():
        found: Any = getattr(value, "__rule__", None)
        if isinstance(found, Rule):
            yield found


def in_order(written: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules as written, each moved back behind the rules that silence it, and no further.

    Raises ValueError when rules silence each other in a circle, or one names a code that no rule has.
    """
    waiting = list(written)
    known = {rule.code for rule in waiting}
    for rule in waiting:
        strange = [code for code in rule.silenced_by if code not in known]
        if strange:
            raise ValueError(f"{rule.code} is silenced by {', '.join(strange)}, which no rule is")
    ordered: list[Rule] = []
    placed: set[str] = set()
    while waiting:
        ready = next((rule for rule in waiting if placed.issuperset(rule.silenced_by)), None)
        if ready is None:
            raise ValueError(f"these rules silence each other in a circle: {', '.join(rule.code for rule in waiting)}")
        waiting.remove(ready)
        ordered.append(ready)
        placed.add(ready.code)
    return tuple(ordered)
