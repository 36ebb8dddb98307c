"""Versions as NVIDIA writes them: parsed, compared with what is known of them, and decoded from numbers.

A version with fewer parts than the release has is an interval: ``8.6`` may be 8.6.0 or 8.6.1. So a comparison
answers :attr:`Answer.YES`, :attr:`Answer.NO` or :attr:`Answer.UNKNOWN`, and nothing here ever guesses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum
from functools import lru_cache

from trtdoctor.lazyre import pattern

__all__ = [
    "Answer",
    "Version",
    "VersionError",
    "decode_cublas",
    "decode_cuda",
    "decode_cudnn",
    "decode_tensorrt",
    "within",
]


class Answer(Enum):
    """The three answers that a comparison with partial knowledge can give."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    def __invert__(self) -> Answer:
        return {Answer.YES: Answer.NO, Answer.NO: Answer.YES}.get(self, Answer.UNKNOWN)

    @staticmethod
    def of(value: bool) -> Answer:
        """Turn a plain truth value into an answer."""
        return Answer.YES if value else Answer.NO

    @staticmethod
    def all(answers: Iterable[Answer]) -> Answer:
        """YES if all are YES (also when there are none), NO if one is NO, else UNKNOWN."""
        result = Answer.YES
        for answer in answers:
            if answer is Answer.NO:
                return Answer.NO
            if answer is Answer.UNKNOWN:
                result = Answer.UNKNOWN
        return result

    @staticmethod
    def agreed(answers: Iterable[Answer]) -> Answer:
        """The answer that all share; UNKNOWN when they differ or there are none."""
        seen = set(answers)
        return seen.pop() if len(seen) == 1 else Answer.UNKNOWN


class VersionError(ValueError):
    """The text is not a version."""


# "R580", "v10.9", "10.0.0b6", "9.0.1.post11.dev4", "12.x", "2.9.1+cu128", "11.7 update 1", "1:10.9.0.34-1+cuda12.8"
_FORM = pattern(
    r"""\s*(?:\d+:)?                                   # a Debian epoch
        [vVrR]?(?P<release>\d{1,9}(?:\.\d{1,9}){0,7})  # the numbers
        (?P<open>\.[xX*])?                             # "12.x": more parts follow, unknown
        (?P<suffix>(?:[._-]?(?:a|b|c|rc|alpha|beta|ea|ga|post|dev|pre|preview)[._-]?\d*)*
            (?:[+~-][0-9A-Za-z.+~_-]*)?
            |\s+(?:update|u)\s*\d+)\s*""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)


class Version:
    """A release number, possibly known only to its first parts. Immutable and hashable.

    ``parts`` are the numbers, ``suffix`` is what follows them (``.post1``, ``b6``, ``+cu128``): it is kept for
    printing and plays no part in comparisons, because a repackaged build is the same release.
    """

    __slots__ = ("parts", "suffix", "text")

    def __init__(self, text: str) -> None:
        """Parse ``text``; raises :class:`VersionError` when it is none."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise VersionError(f"not a version: {text[:60]!r}")
        self.text = text.strip()
        self.parts: tuple[int, ...] = tuple(int(part) for part in match["release"].split("."))
        self.suffix: str = match["suffix"] or ""

    @staticmethod
    def parse(text: str) -> Version:
        """Like the constructor, remembered: the same few versions are parsed over and over."""
        return _parse(text)

    @staticmethod
    def maybe(text: object) -> Version | None:
        """The version in ``text``, or None when there is none."""
        if not isinstance(text, str):
            return None
        try:
            return _parse(text)
        except VersionError:
            return None

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Version({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.parts == other.parts and self.suffix == other.suffix

    def __hash__(self) -> int:
        return hash((self.parts, self.suffix))

    @property
    def major(self) -> int:
        """The first number."""
        return self.parts[0]

    @property
    def minor(self) -> int | None:
        """The second number, None when it is not known."""
        return self.parts[1] if len(self.parts) > 1 else None

    def short(self, parts: int) -> str:
        """The first ``parts`` numbers, dotted: ``Version("10.9.0.34").short(2) == "10.9"``."""
        return ".".join(str(part) for part in self.parts[:parts])

    def sort_key(self) -> tuple[int, ...]:
        """A key to sort by; a partial version sorts before the releases it may mean."""
        return self.parts

    def at_least(self, bound: Version) -> Answer:
        """Whether this version is ``bound`` or newer. A partial bound means its lowest release: R580 is 580.0."""
        want = bound.parts
        have = self.parts[: len(want)]
        head = want[: len(have)]
        if have != head:
            return Answer.of(have > head)
        if len(have) == len(want) or not any(want[len(have) :]):
            return Answer.YES
        return Answer.UNKNOWN

    def below(self, bound: Version) -> Answer:
        """Whether this version is older than ``bound``."""
        return ~self.at_least(bound)

    def same_as(self, other: Version) -> Answer:
        """Whether both are one release: UNKNOWN when one is a prefix of the other."""
        shared = min(len(self.parts), len(other.parts))
        if self.parts[:shared] != other.parts[:shared]:
            return Answer.NO
        return Answer.YES if len(self.parts) == len(other.parts) else Answer.UNKNOWN

    def may_be(self, other: Version) -> bool:
        """Whether both can be the same release."""
        return self.same_as(other) is not Answer.NO


@lru_cache(maxsize=4096)
def _parse(text: str) -> Version:
    return Version(text)


_CLAUSE = pattern(r"\s*(==|!=|~=|>=|<=|>|<)\s*([^,\s]+?)(\.\*)?\s*")


@lru_cache(maxsize=1024)
def _clauses(specifier: str) -> tuple[tuple[str, Version, bool], ...]:
    found = []
    for text in filter(str.strip, specifier.split(",")):
        match = _CLAUSE.fullmatch(text)
        if match is None:
            raise VersionError(f"not a specifier: {text[:60]!r}")
        found.append((match[1], Version.parse(match[2]), match[3] is not None))
    return tuple(found)


def within(version: Version, specifier: str) -> Answer:
    """Whether ``version`` falls under a specifier such as ``>=10.3,<11`` or ``==10.2.0``; UNKNOWN if it may.

    The clauses are those of PEP 440 without ``===``, and ``==10.2.0`` is not 10.2.0.post1. Unlike there, a bound of
    three numbers means the release as NVIDIA numbers it (``==10.2.0`` is 10.2.0.19 too), and a pre-release sorts
    before its release only where the bound is a pre-release itself (``<1.3.0rc15``).
    Raises :class:`VersionError` when ``specifier`` is none.
    """
    return Answer.all(_under(version, *clause) for clause in _clauses(specifier))


def _under(version: Version, operator: str, bound: Version, prefix: bool) -> Answer:
    if operator == "~=":
        head = Version(".".join(map(str, bound.parts[:-1])) or "0")
        return Answer.all((_at_least(version, bound), _under(version, "==", head, prefix=True)))
    if operator == ">=":
        return _at_least(version, bound)
    if operator == "<":
        return ~_at_least(version, bound)
    same = version.same_as(bound)
    if same is Answer.UNKNOWN and len(version.parts) > len(bound.parts):
        # The bound is shorter: it means all that begin so when it says so or names a release, else it ends in zeros.
        same = Answer.of(prefix or len(bound.parts) > 2 or not any(version.parts[len(bound.parts) :]))
    if same is Answer.YES and not prefix and version.suffix != bound.suffix:
        same = Answer.NO
    if operator == "==":
        return same
    if operator == "!=":
        return ~same
    newer = version.at_least(bound)
    if operator == ">":
        return Answer.all((newer, ~same))
    return Answer.YES if same is Answer.YES else ~newer if same is Answer.NO else Answer.UNKNOWN


_STAGE = pattern(r"[._-]?(dev|alpha|a|beta|b|preview|pre|rc|c)[._-]?(\d*)", re.IGNORECASE)
_STAGES = {"dev": 0, "a": 1, "alpha": 1, "b": 2, "beta": 2, "c": 3, "rc": 3, "pre": 3, "preview": 3}


def _stage(suffix: str) -> tuple[int, int] | None:
    """How far a pre-release is; None for a release."""
    match = _STAGE.match(suffix)
    return (_STAGES[match[1].lower()], int(match[2] or 0)) if match else None


def _at_least(version: Version, bound: Version) -> Answer:
    wanted = _stage(bound.suffix)
    if wanted is None or version.parts != bound.parts:
        return version.at_least(bound)
    found = _stage(version.suffix)
    return Answer.of(found is None or found >= wanted)


def _dotted(*parts: int) -> Version:
    return Version(".".join(str(part) for part in parts))


def decode_cuda(number: int) -> Version | None:
    """Decode CUDA_VERSION, cudaRuntimeGetVersion, cuDriverGetVersion: ``1000 * major + 10 * minor``.

    0 (no driver) and negative numbers give None. Source: cuda.h of nvidia-cuda-runtime.
    """
    return _dotted(number // 1000, number % 1000 // 10) if number >= 1000 else None


def decode_cudnn(number: int) -> Version | None:
    """Decode cudnnGetVersion: ``1000, 100, 1`` up to 8.x, ``10000, 100, 1`` from 9.0. Source: cudnn_version.h."""
    if number >= 90000:
        return _dotted(number // 10000, number % 10000 // 100, number % 100)
    return _dotted(number // 1000, number % 1000 // 100, number % 100) if number >= 1000 else None


def decode_tensorrt(number: int) -> Version | None:
    """Decode getInferLibVersion: ``1000, 100, 1`` up to 9.x, ``10000, 100, 1`` from 10.0. Source: NvInferVersion.h."""
    if number >= 100000:
        return _dotted(number // 10000, number % 10000 // 100, number % 100)
    return _dotted(number // 1000, number % 1000 // 100, number % 100) if number >= 1000 else None


def decode_cublas(number: int) -> Version | None:
    """Decode CUBLAS_VERSION: ``1000, 100, 1`` to 10.1, ``10000, 100, 1`` after. Source: cublas_api.h."""
    if number >= 100000:
        return _dotted(number // 10000, number % 10000 // 100, number % 100)
    return _dotted(number // 1000, number % 1000 // 100, number % 100) if number >= 1000 else None
