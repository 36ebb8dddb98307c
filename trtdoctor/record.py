"""Plain data classes that cost a tenth of a frozen dataclass when a program starts.

``@dataclass(frozen=True, slots=True)`` writes and compiles six methods for each class; with some sixty classes that
was a quarter of ``trtdoctor check``. A record is a dataclass whose equality, hash and repr are shared functions, and
whose ``__init__`` is compiled when the first one is made: most runs make only a third of the kinds that there are.
Type checkers hold it to be frozen; at run time nothing stops an assignment, so do not make one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING, Any, TypeVar

_T = TypeVar("_T")

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Callable[[_T], _T]:
        """Nothing at run time: it only speaks to type checkers."""
        return lambda decorated: decorated


@dataclass_transform(frozen_default=True, eq_default=True, field_specifiers=(field,))
def record(plain: type[_T]) -> type[_T]:
    """Make ``plain`` a data class with slots, compared and hashed by its fields."""
    made: Any = dataclasses.dataclass(eq=False, repr=False, init=False, slots=True)(plain)
    made.__init__ = _first
    made.__eq__ = _equal
    made.__hash__ = _hash
    made.__repr__ = _repr
    result: type[_T] = made
    return result


def _first(self: Any, *positional: Any, **named: Any) -> None:
    """Stands for the ``__init__`` of a class of which none was made so far."""
    kind: Any = type(self)
    kind.__init__ = _compiled(kind)
    kind.__init__(self, *positional, **named)


def _compiled(kind: Any) -> Any:
    """The ``__init__`` that takes the fields of a record, by place or by name, with their defaults."""
    parameters, lines, names = [], [], {}
    for name, spec in kind.__dataclass_fields__.items():
        if spec.default is not dataclasses.MISSING:
            names[f"_{name}"] = spec.default
            parameters.append(f"{name}=_{name}")
        elif spec.default_factory is not dataclasses.MISSING:
            names[f"_{name}"] = spec.default_factory
            parameters.append(f"{name}=_made")
            lines.append(f" if {name} is _made: {name} = _{name}()")
        else:
            parameters.append(name)
        lines.append(f" self.{name} = {name}")
    names["_made"] = object()
    exec(f"def __init__(self, {', '.join(parameters)}):\n" + "\n".join(lines or [" pass"]), names)  # noqa: S102
    return names["__init__"]


def values(item: Any) -> tuple[Any, ...]:
    """The values of a record's fields, in their order."""
    return tuple([getattr(item, name) for name in item.__dataclass_fields__])


def _equal(self: Any, other: object) -> bool:
    if self is other:
        return True
    return values(self) == values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(values(self))


def _repr(self: Any) -> str:
    shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__dataclass_fields__)
    return f"{type(self).__name__}({shown})"
