"""What somebody demands of an environment in one line: ``tensorrt>=10.3,<11``, ``gpu.memory>=16GiB``, ``canary``.

A demand is met, not met, or nobody can tell; the last is never taken for the first. ``tensorrt`` is only ever met by
the full product: TensorRT for RTX, lean and dispatch have names of their own. Every visible GPU is judged alone, and
all must meet what is demanded of GPUs. Of several copies those count that a Python process gets, where that is known,
else those that a program gets, else all; they must agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from trtdoctor.lazyre import pattern
from trtdoctor.matrix import distributions, features
from trtdoctor.record import record
from trtdoctor.stack import ABSENT, UNKNOWN, GpuFact, Installation, Stack
from trtdoctor.text import clean
from trtdoctor.versions import Answer, Version, VersionError, within

PRODUCTS = {
    "tensorrt": "full",
    "tensorrt-rtx": "rtx",
    "tensorrt-lean": "lean",
    "tensorrt-dispatch": "dispatch",
}
"""Names of TensorRT's products as they are demanded, and as the Snapshot has them."""
COMPONENTS = ("cuda", "cudnn", "cublas", "nvrtc")
_SINGLE = ("driver", "python", "glibc")
_GPU = ("gpu.memory", "gpu.compute_capability", "gpu.count")
SUBJECTS = (*PRODUCTS, *COMPONENTS, *_SINGLE, *_GPU, "package:NAME", "precision:NAME", "canary")
"""Everything that can be demanded."""
_MAX_LENGTH = 200
_FORM = pattern(r"\s*([A-Za-z][A-Za-z0-9._-]*)\s*(?::\s*([A-Za-z0-9][A-Za-z0-9._-]*))?\s*(.*?)\s*", re.DOTALL)
_CLAUSE = pattern(r"(==|!=|~=|>=|<=|>|<)\s*([^\s=<>!~]\S*)")
_SIZE = pattern(r"(\d{1,9}(?:\.\d{1,6})?)\s*(MiB|GiB|TiB|MB|GB|TB)")
_UNITS = {"MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_CAPABILITY = pattern(r"\d{1,2}\.\d{1,2}(?:\.\*)?|\d{1,2}\.\*")
_LOCAL = pattern(r"\+.*|(?<=\d)-\d.*")
"""What a build or a packager adds behind a version: ``+cu128``, ``-1+cuda12.8``."""
_TEST: dict[str, Callable[[float, float], bool]] = {
    "==": lambda found, wanted: found == wanted,
    "!=": lambda found, wanted: found != wanted,
    ">=": lambda found, wanted: found >= wanted,
    "<=": lambda found, wanted: found <= wanted,
    ">": lambda found, wanted: found > wanted,
    "<": lambda found, wanted: found < wanted,
}
_PRODUCT_NAMES = {
    "full": "TensorRT",
    "rtx": "TensorRT for RTX",
    "lean": "TensorRT lean",
    "dispatch": "TensorRT dispatch",
}


class DemandError(ValueError):
    """The text is no demand; the message is one line for the user, with a suggestion where there is one."""


@record
class Demand:
    """One thing that is demanded."""

    subject: str
    """One of ``SUBJECTS``, with the name in place of ``NAME``: ``package:torch``."""
    specifier: str
    """Clauses such as ``>=10.3,<11``; ``""`` where it need only be there."""
    text: str
    """Both, as they are shown."""

    @property
    def name(self) -> str:
        """What stands behind the colon of ``package:`` and ``precision:``."""
        return self.subject.partition(":")[2]


@record
class Met:
    """Whether a demand is met, and what that rests on."""

    demand: Demand
    answer: Answer
    wanted: str
    found: str
    """What there is, in words: ``8.5.3.1``, ``none``, ``TensorRT for RTX 1.7.1``."""
    where: str | None = None
    """Place or owner of what was found."""

    @property
    def said(self) -> str:
        """One line: what was found and what is wanted."""
        place = f" ({self.where})" if self.where else ""
        if self.answer is Answer.UNKNOWN:
            return f"not known whether {self.demand.text} is met: found {self.found}{place}"
        met = "met" if self.answer is Answer.YES else "not met"
        return f"{self.demand.text} is {met}: found {self.found}{place}, wanted {self.wanted}"


# -- reading ---------------------------------------------------------------------------------------------------------


def parse(text: str) -> Demand:
    """Read one demand. Raises :class:`DemandError`."""
    shown = clean(text, 60)
    match = _FORM.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if match is None:
        raise DemandError(f"not a requirement: {shown!r} (wanted SUBJECT or SUBJECT>=VERSION, such as tensorrt>=10.3)")
    subject, name, rest = match[1].lower(), match[2], match[3]
    if subject in ("package", "precision"):
        return _named(subject, name, rest, shown)
    subject = subject if subject in _GPU else subject.replace("_", "-")
    if subject not in SUBJECTS or name is not None:
        raise DemandError(f"unknown requirement {shown!r}{_suggestion(subject, rest)}")
    if subject == "canary":
        if rest:
            raise DemandError(f"{shown!r}: canary takes no version")
        return Demand("canary", "", "canary")
    specifier = _specifier(subject, rest, shown)
    return Demand(subject, specifier, f"{subject}{specifier}")


def parse_all(texts: Iterable[str]) -> tuple[Demand, ...]:
    """Read several, each once. Raises :class:`DemandError`."""
    return tuple(dict.fromkeys(parse(text) for text in texts))


def _named(subject: str, name: str | None, rest: str, shown: str) -> Demand:
    if name is None:
        example = "package:torch>=2.5" if subject == "package" else "precision:fp8"
        raise DemandError(f"{shown!r} names no {subject}; such as {example}")
    if subject == "precision":
        if rest:
            raise DemandError(f"{shown!r}: a precision takes no version")
        return Demand(f"precision:{name.lower()}", "", f"precision:{name.lower()}")
    whole = f"package:{distributions.normalise(name)}"
    specifier = _specifier(whole, rest, shown)
    return Demand(whole, specifier, f"{whole}{specifier}")


def _suggestion(subject: str, rest: str) -> str:
    import difflib

    aliases = {"gpu": "gpu.count", "compute-capability": "gpu.compute_capability", "memory": "gpu.memory"} | {
        "gpu.compute-capability": "gpu.compute_capability",
        "torch": "package:torch",
        "trt": "tensorrt",
    }
    close = aliases.get(subject) or next(iter(difflib.get_close_matches(subject, SUBJECTS, n=1)), None)
    if close:
        return f"; did you mean {close}{rest if re.fullmatch('[!-~]{0,40}', rest) else ''}?"
    return f"; known: {', '.join(SUBJECTS)} (a Python package is package:NAME)"


def _specifier(subject: str, rest: str, shown: str) -> str:
    """The clauses of a specifier, each read once, without blanks."""
    if not rest:
        return ""
    clauses = []
    for part in rest.split(","):
        match = _CLAUSE.fullmatch(part.strip().replace(" ", "") if subject == "gpu.memory" else part.strip())
        if match is None:
            raise DemandError(f"{shown!r}: {_why_no_clause(part.strip())}")
        operator, value = match[1], match[2]
        _check_value(subject, operator, value, shown)
        clauses.append(f"{operator}{value}")
    return ",".join(clauses)


def _why_no_clause(part: str) -> str:
    if not part:
        return "a clause is empty; wanted such as >=10.3,<11"
    for wrong, right in (("===", "=="), ("=>", ">="), ("=<", "<=")):
        if part.startswith(wrong):
            return f"no such comparison {wrong}; did you mean {right}?"
    if part.startswith("=") and not part.startswith("=="):
        return "no such comparison =; did you mean ==?"
    if re.fullmatch("[0-9][!-~]{0,29}", part):
        return f"{part!r} lacks a comparison; did you mean =={part}?"
    return f"not a comparison: {clean(part, 30)!r} (wanted such as >=10.3,<11)"


def _check_value(subject: str, operator: str, value: str, shown: str) -> None:
    if subject == "gpu.memory":
        if operator == "~=" or _SIZE.fullmatch(value) is None:
            raise DemandError(f"{shown!r}: wanted a size with its unit, such as gpu.memory>=16GiB")
    elif subject == "gpu.count":
        if operator == "~=" or re.fullmatch(r"\d{1,6}", value) is None:
            raise DemandError(f"{shown!r}: wanted a whole number, such as gpu.count>=2")
    elif subject == "gpu.compute_capability" and _CAPABILITY.fullmatch(value) is None:
        digits = re.fullmatch(r"(?:sm_?)?(\d{1,2})(\d)[af]?", value, re.IGNORECASE)
        hint = f"; did you mean {operator}{digits[1]}.{digits[2]}?" if digits else ", such as 8.6"
        raise DemandError(f"{shown!r}: not a compute capability{hint}")
    try:
        if subject not in ("gpu.memory", "gpu.count"):
            within(Version("0"), f"{operator}{value}")
    except VersionError:
        raise DemandError(f"{shown!r}: {clean(value, 30)!r} is no version") from None


# -- answering -------------------------------------------------------------------------------------------------------


def answer(demand: Demand, stack: Stack) -> Met:
    """Whether ``stack`` meets ``demand``."""
    subject = demand.subject
    if subject in PRODUCTS:
        return _tensorrt(demand, stack)
    if subject in COMPONENTS:
        return _component(demand, stack)
    if subject in _GPU:
        return _gpus(demand, stack)
    if subject == "canary":
        return _canary(demand, stack)
    if subject.startswith("package:"):
        return _package(demand, stack)
    if subject.startswith("precision:"):
        return _precision(demand, stack)
    return _single(demand, stack)


class Answers:
    """Answers demands on one Snapshot, for a Report to carry along.

    Any two of them are equal: what they answer about is the Report's Snapshot, which is compared on its own.
    """

    __slots__ = ("_stack",)

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def __call__(self, text: str) -> Met:
        """Whether the demand that ``text`` states is met. Raises :class:`DemandError`."""
        return answer(parse(text), self._stack)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Answers)

    def __hash__(self) -> int:
        return hash(Answers)

    @property
    def stack(self) -> Stack:
        """What is asked about."""
        return self._stack


def _under(version: Version | None, specifier: str) -> Answer:
    """Whether something that is there has a version within ``specifier``."""
    if not specifier:
        return Answer.YES
    if version is None:
        return Answer.UNKNOWN
    if "+" not in specifier:
        bare = Version.maybe(_LOCAL.sub("", version.text.rpartition(":")[2]))
        version = bare or version
    return within(version, specifier)


def _wanted(demand: Demand) -> str:
    return demand.specifier or "it"


def _installed(demand: Demand, items: Sequence[Installation], name: Callable[[Installation], str]) -> Met:
    """What several installations agree on."""
    result = Answer.agreed(_under(item.version, demand.specifier) for item in items)
    found = list(dict.fromkeys(name(item) for item in items))
    places = list(dict.fromkeys(item.owner or item.place or item.stated_at or "" for item in items))
    return Met(demand, result, _wanted(demand), " and ".join(found), ", ".join(filter(None, places)) or None)


def _version_of(item: Installation) -> str:
    return str(item.version or "an unknown version")


def _tensorrt(demand: Demand, stack: Stack) -> Met:
    product = PRODUCTS[demand.subject]
    every = stack.installations.get("tensorrt", ())
    items = gotten(stack, [item for item in every if item.product == product])
    if items:
        return _installed(demand, items, _version_of)
    if any(item.product is None for item in every):
        # There is one, and nobody said which of the products it is.
        known = [item for item in every if item.product is None]
        said = _installed(demand, known, lambda item: f"{_version_of(item)} of a product that is not known")
        return said if said.answer is Answer.NO else Met(demand, Answer.UNKNOWN, said.wanted, said.found, said.where)
    others = dict.fromkeys(
        f"{_PRODUCT_NAMES.get(item.product or '', 'TensorRT')} {_version_of(item)}" for item in every
    )
    found = f"only {' and '.join(others)}" if others else "none"
    # What somebody states is what there is, of a component that is stated at all.
    told = "tensorrt" in stack.snapshot.searched or (others and stack.snapshot.kind == "declared")
    if told:
        return Met(demand, Answer.NO, _wanted(demand), found)
    return Met(demand, Answer.UNKNOWN, _wanted(demand), found if others else "nothing that tells")


def _component(demand: Demand, stack: Stack) -> Met:
    items = gotten(stack, stack.installations.get(demand.subject, ()))
    if items:
        return _installed(demand, items, _version_of)
    if stack.state(demand.subject) == ABSENT:
        return Met(demand, Answer.NO, _wanted(demand), "none")
    return Met(demand, Answer.UNKNOWN, _wanted(demand), "nothing that tells")


def gotten(stack: Stack, items: Sequence[Installation]) -> list[Installation]:
    """Those of ``items`` that are loaded, else that a Python process gets, else a program, as far as that is known."""
    items = [item for item in items if item.loaded] or list(items)
    if len(items) < 2:
        return items
    for kind in ("import", "program"):
        paths = {
            item.realpath or item.path
            for loading in stack.snapshot.loadings
            if loading.kind == kind
            for item in loading.loaded
        }
        got = [item for item in items if any((copy.realpath or copy.path or "") in paths for copy in item.copies)]
        if got:
            return got
    return items


def _single(demand: Demand, stack: Stack) -> Met:
    subject = demand.subject
    if subject == "driver" and stack.driver is None and stack.jetson:
        known = Answer.UNKNOWN if demand.specifier else Answer.YES
        return Met(demand, known, _wanted(demand), "the driver of JetPack, which has no number")
    state = stack.state(subject)
    if state == ABSENT:
        found = "musl instead of glibc" if subject == "glibc" else "none"
        return Met(demand, Answer.NO, _wanted(demand), found)
    if state == UNKNOWN:
        there = subject == "python" and stack.interpreter is not None and not demand.specifier
        return Met(demand, Answer.of(True) if there else Answer.UNKNOWN, _wanted(demand), "nothing that tells")
    python = stack.interpreter
    texts = {
        "driver": str(stack.driver),
        "python": (python.version if python else None) or "",
        "glibc": stack.snapshot.platform.glibc or "",
    }
    where = python.path if subject == "python" and python else None
    text = texts[subject]
    return Met(demand, _under(Version.maybe(text), demand.specifier), _wanted(demand), text, where)


def _package(demand: Demand, stack: Stack) -> Met:
    found = stack.distributions.get(demand.name)
    if found is not None:
        version = Version.maybe(found.version)
        shown = found.version or "an unknown version"
        return Met(demand, _under(version, demand.specifier), _wanted(demand), shown, found.location)
    listed = distributions.identify(stack.matrix, demand.name) is not None
    if listed and stack.interpreter is not None and stack.snapshot.kind == "live":
        where = stack.interpreter.path
        return Met(demand, Answer.NO, _wanted(demand), "none", where)
    reason = "nothing that tells" if listed else "nothing that tells: only packages of the TensorRT stack are looked at"
    return Met(demand, Answer.UNKNOWN, _wanted(demand), reason)


# -- GPUs --------------------------------------------------------------------------------------------------------------


def _gpus(demand: Demand, stack: Stack) -> Met:
    wanted = demand.specifier or ("at least one" if demand.subject == "gpu.count" else "it")
    if stack.snapshot.gpus is None:
        return Met(demand, Answer.UNKNOWN, wanted, "nothing that tells which GPUs there are")
    if demand.subject == "gpu.count":
        return _count(demand, stack, wanted)
    if not stack.gpus:
        return Met(demand, Answer.NO, wanted, _no_gpu(stack))
    judge = _memory if demand.subject == "gpu.memory" else _capability
    said = [(gpu, *judge(gpu, demand.specifier)) for gpu in stack.gpus]
    result = Answer.all(state for _, state, _ in said)
    telling = [(gpu, text) for gpu, state, text in said if state is result]
    found = "; ".join(f"{text} on {gpu.label}" for gpu, text in telling[:8])
    return Met(demand, result, f"{wanted} on every visible GPU" if len(stack.gpus) > 1 else wanted, found)


def _no_gpu(stack: Stack) -> str:
    hidden = len(stack.all_gpus)
    return f"no visible GPU ({hidden} hidden)" if hidden else "no GPU"


def _count(demand: Demand, stack: Stack, wanted: str) -> Met:
    told = stack.snapshot.setting("CUDA_VISIBLE_DEVICES") is not None
    unsure = sum(1 for item in stack.gpus if item.gpu.visible is None) if told else 0
    most = len(stack.gpus)
    clauses = _clauses(demand.specifier or ">=1")
    states = [
        Answer.of(all(_TEST[operator](number, float(value)) for operator, value in clauses))
        for number in range(most - unsure, most + 1)
    ]
    found = str(most) if not unsure else f"{most - unsure} to {most}"
    hidden = len(stack.all_gpus) - most
    return Met(demand, Answer.agreed(states), wanted, f"{found} ({hidden} hidden)" if hidden else found)


def _clauses(specifier: str) -> list[tuple[str, str]]:
    return [(match[1], match[2]) for match in map(_CLAUSE.fullmatch, specifier.split(",")) if match]


def _memory(gpu: GpuFact, specifier: str) -> tuple[Answer, str]:
    total = gpu.gpu.memory_bytes
    if total is None:
        return Answer.UNKNOWN if specifier else Answer.YES, "memory of unknown size"
    shown = size(total)
    state = Answer.of(all(_TEST[operator](total, _bytes(value)) for operator, value in _clauses(specifier)))
    if gpu.gpu.mig and specifier:
        # A MIG instance has a part of it; what the whole GPU has not, no part of it has.
        least = [(operator, value) for operator, value in _clauses(specifier) if operator in (">", ">=")]
        short = any(not _TEST[operator](total, _bytes(value)) for operator, value in least)
        return Answer.NO if short else Answer.UNKNOWN, f"{shown} for all MIG instances together"
    return state, shown


def size(count: int) -> str:
    """``150754820096`` as ``140.4 GiB``; cut off, never rounded up to a size that is not there."""
    return f"{int(count / (1 << 30) * 10) / 10} GiB"


def _bytes(text: str) -> float:
    match = _SIZE.fullmatch(text)
    return float(match[1]) * _UNITS[match[2]] if match else 0.0


def _capability(gpu: GpuFact, specifier: str) -> tuple[Answer, str]:
    version = Version.maybe(gpu.compute_capability)
    return _under(version, specifier), f"compute capability {gpu.compute_capability or 'not known'}"


def _precision(demand: Demand, stack: Stack) -> Met:
    name = demand.name
    if stack.snapshot.gpus is None:
        return Met(demand, Answer.UNKNOWN, "it", "nothing that tells which GPUs there are")
    if not stack.gpus:
        return Met(demand, Answer.NO, "it", _no_gpu(stack))
    every = stack.installations.get("tensorrt", ())
    builders = gotten(stack, [item for item in every if item.product in ("full", None)])
    versions = [item.version for item in builders] or [None]
    said: list[tuple[Answer, str]] = []
    for gpu in stack.gpus:
        for version in versions:
            if gpu.compute_capability is None:
                said.append((Answer.UNKNOWN, f"the compute capability of {gpu.label} is not known"))
                continue
            judged = features.precision(stack.matrix, gpu.compute_capability, name, version)
            unsure = version is None and judged.answer is Answer.YES
            reason = f"{judged.reason}, but no version of TensorRT is known" if unsure else judged.reason
            if judged.word in ("not-yet", "gone"):
                reason = f"TensorRT {version} ({reason})"
            said.append((Answer.UNKNOWN if unsure else judged.answer, reason))
    result = Answer.all(state for state, _ in said)
    telling = list(dict.fromkeys(reason for state, reason in said if state is result))
    return Met(demand, result, "it" if len(stack.gpus) == 1 else "it on every visible GPU", "; ".join(telling[:4]))


# -- the canary ------------------------------------------------------------------------------------------------------


def _canary(demand: Demand, stack: Stack) -> Met:
    wanted = "one that was built and run"
    canaries = stack.snapshot.canaries
    if not canaries:
        return Met(demand, Answer.UNKNOWN, wanted, "no canary, none was run")
    item = canaries[-1]
    name = f"{'TensorRT for RTX' if item.product == 'tensorrt-rtx' else 'TensorRT'} {item.version or ''}".rstrip()
    if item.outcome == "passed":
        ran = any(stage.name == "run" and stage.status == "passed" for stage in item.stages)
        state = Answer.YES if ran else Answer.UNKNOWN
        return Met(demand, state, wanted, "one that passed" if ran else "one that was built and not run", name)
    if item.outcome == "not-started":
        return Met(demand, Answer.UNKNOWN, wanted, f"one that did not start ({item.reason or 'no reason given'})", name)
    stopped = next((stage.name for stage in reversed(item.stages) if stage.status not in ("passed", "skipped")), None)
    at = f" at {stopped}" if stopped else ""
    return Met(demand, Answer.NO, wanted, f"one that {_ENDED.get(item.outcome, item.outcome)}{at}", name)


_ENDED = {"timed-out": "ran out of time", "out-of-memory": "ran out of memory"}
