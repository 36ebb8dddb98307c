"""What a site lets in: the channel, how old a release must be, what is allowed or denied, what stays as it is.

Read from ``[policy]`` of the configuration and from ``--policy KEY=VALUE``; ``plan`` and ``mirror`` go by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from trtdoctor.demands import Demand, DemandError
from trtdoctor.demands import parse as parse_demand
from trtdoctor.record import record
from trtdoctor.text import clean
from trtdoctor.versions import Answer, Version, within

if TYPE_CHECKING:
    from datetime import date

    from trtdoctor.matrix import Matrix

CHANNELS = ("latest", "stable", "lts")
"""``latest``: the newest general release that fits. ``stable``: one that is old enough (:data:`STABLE_DAYS` where the
policy names no age). ``lts``: the newest release of a TensorRT major whose CUDA is served by a long-term driver branch
that the vendor still keeps."""
STABLE_DAYS = 30
INSTALL = ("pip", "apt", "container", "jetpack", "archive")
"""Ways in which TensorRT is installed."""
KEEPABLE = ("driver", "cuda", "cudnn", "tensorrt", "python", "container", "os", "engine", "code", "gpu")
"""What can be frozen, beside Python distributions by their names."""
_IMAGE = "image:"


class PolicyError(ValueError):
    """The text is no rule of a policy; the message is one line."""


@record
class Clause:
    """One thing that is allowed or denied: ``tensorrt>=10.13,<11``, ``image:*-igpu``."""

    subject: str
    """``tensorrt``, ``cudnn``, ``driver``, ``package:NAME``; ``image`` for tags of images."""
    specifier: str
    """PEP 440; for images a glob on the tag."""
    reason: str | None = None

    @property
    def text(self) -> str:
        """As it is shown."""
        joined = f"image:{self.specifier}" if self.subject == "image" else f"{self.subject}{self.specifier}"
        return f"{joined} ({self.reason})" if self.reason else joined


@record
class Policy:
    """Everything that a site says of what may be installed; nothing said: everything goes."""

    channel: str | None = None
    """One of ``CHANNELS``; None means ``latest``."""
    min_age_days: int | None = None
    allow: tuple[Clause, ...] = ()
    """Of a subject that is named here, only what one of its clauses allows."""
    deny: tuple[Clause, ...] = ()
    install: str | None = None
    """One of ``INSTALL``: the preferred way."""
    keep: tuple[str, ...] = ()
    """What must stay as it is."""
    max_lag_days: int | None = None
    """A mirror that is further behind is an error."""
    prereleases: bool = False

    @property
    def age(self) -> int | None:
        """How many days old a release must be; None for any age."""
        if self.min_age_days is not None:
            return self.min_age_days
        return STABLE_DAYS if self.channel == "stable" else None

    def refuses(self, subject: str, version: Version) -> str | None:
        """Why a version of ``tensorrt``, ``package:torch``, … may not come in; None when nothing speaks against it.

        A denial that only may apply (the version is partly known) does not count, an allowance that surely fails does.
        """
        for clause in self.deny:
            if clause.subject == subject and within(version, clause.specifier or ">=0") is Answer.YES:
                return f"denied by {clause.text}"
        allowed = [clause for clause in self.allow if clause.subject == subject]
        if allowed and all(within(version, clause.specifier or ">=0") is Answer.NO for clause in allowed):
            return f"not allowed by {' or '.join(clause.text for clause in allowed)}"
        return None

    def refuses_image(self, tag: str) -> str | None:
        """Why an image with this tag may not come in."""
        for clause in self.deny:
            if clause.subject == "image" and fnmatchcase(tag, clause.specifier):
                return f"denied by {clause.text}"
        allowed = [clause for clause in self.allow if clause.subject == "image"]
        if allowed and not any(fnmatchcase(tag, clause.specifier) for clause in allowed):
            return f"not allowed by {' or '.join(clause.text for clause in allowed)}"
        return None


def outside_lts(
    matrix: Matrix, version: Version, flavour: str | None, as_of: date, product: str = "full"
) -> str | None:
    """Why a TensorRT for a CUDA flavour (``cu12``) is not what the channel ``lts`` allows: see :data:`CHANNELS`.

    None when it is; a release that the matrix does not know yet may be the last one of its major.
    """
    from trtdoctor.matrix import drivers, tensorrt

    newest = tensorrt.newest_of_major(matrix, version.major, product)
    if newest is not None and Version.parse(newest.key).parts > version.parts[:3]:
        return f"channel lts: the last general release of this major is {newest.key}"
    served = [
        Version.maybe(row.text("cuda"))
        for row in drivers.branches(matrix)
        if row.text("type") == "lts" and drivers.ended(matrix, Version.parse(row.key), as_of).answer is Answer.NO
    ]
    major = int(flavour[2:]) if flavour else 0
    if not any(known is not None and known.major >= major for known in served):
        return f"channel lts: no long-term driver that the vendor still keeps serves CUDA {major}"
    return None


def parse_clause(text: str) -> Clause:
    """Read ``SUBJECT SPECIFIER``, with a reason behind ``#``. Raises :class:`PolicyError`."""
    body, _, reason = text.partition("#")
    body, said = body.strip(), clean(reason.strip(), 120) or None
    if body.startswith(_IMAGE):
        glob = body.removeprefix(_IMAGE).strip()
        if not glob:
            raise PolicyError(f"{clean(text, 60)!r} names no tag; such as image:*-igpu")
        return Clause("image", glob, said)
    demand = _demand(body)
    return Clause(demand.subject, demand.specifier, said)


def _demand(text: str) -> Demand:
    """A demand; a name that is no component is that of a Python distribution."""
    try:
        return parse_demand(text)
    except DemandError as error:
        if "unknown requirement" not in str(error):
            raise PolicyError(str(error)) from None
    try:
        return parse_demand(f"package:{text}")
    except DemandError as error:
        raise PolicyError(str(error)) from None


def parse_keep(words: Iterable[str]) -> tuple[str, ...]:
    """Components, or names of Python distributions, that must stay. Raises :class:`PolicyError`."""
    from trtdoctor.matrix.distributions import normalise

    kept = []
    for word in words:
        name = normalise(word.strip().removeprefix("package:"))
        if not name or not all(part.isalnum() for part in name.split("-")):
            raise PolicyError(f"{clean(word, 40)!r} is no component; known: {', '.join(KEEPABLE)}, or a Python package")
        kept.append(name)
    return tuple(dict.fromkeys(kept))


def of_settings(settings: dict[str, tuple[str, ...]]) -> Policy:
    """A policy from settings as the configuration keeps them, by the keys of ``[policy]``; they were checked before."""

    def one(key: str) -> str | None:
        return next(iter(settings.get(key, ())), None)

    def number(key: str) -> int | None:
        text = one(key)
        return int(text) if text is not None else None

    return Policy(
        channel=one("channel"),
        min_age_days=number("min-age-days"),
        allow=tuple(parse_clause(text) for text in settings.get("allow", ())),
        deny=tuple(parse_clause(text) for text in settings.get("deny", ())),
        install=one("install"),
        keep=parse_keep(settings.get("keep", ())),
        max_lag_days=number("max-lag-days"),
        prereleases=one("prereleases") == "true",
    )
