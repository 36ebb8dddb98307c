"""Which of a match's possible causes the facts at hand show: the rules are asked, nothing is guessed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from trtdoctor.explain.answer import Applies, Here
from trtdoctor.findings import Severity
from trtdoctor.judge import judge
from trtdoctor.matrix import Matrix, failures
from trtdoctor.rules import RULES
from trtdoctor.rules.releases import label
from trtdoctor.snapshot import Snapshot
from trtdoctor.stack import ABSENT, KNOWN, UNKNOWN, Stack
from trtdoctor.versions import Answer, Version

_MOST = 4
_LIBRARIES = ("cuda", "cudnn", "cublas", "nvrtc")
_OF_TENSORRT = ("expecting", "trt")
"""Named groups that hold the version of the TensorRT that spoke."""


class Facts:
    """An environment as ``explain`` asks it: its Snapshot, and what the rules say of it."""

    def __init__(self, snapshot: Snapshot, matrix: Matrix, as_of: date) -> None:
        """Judged once, as on the day ``as_of``."""
        self.report = judge(snapshot, matrix, as_of=as_of)
        self.stack = Stack(snapshot, matrix)
        self.kind = snapshot.kind
        """live, declared …: what the Snapshot is from."""

    def of(self, family: failures.Family | None, components: tuple[str, ...], values: dict[str, str]) -> Here:
        """What these facts say of the causes of one match."""
        codes = family.rules if family else ()
        found = [item for item in self.report.findings if item.code in codes]
        # The rule that the catalogue names first is the likeliest cause; what is only worth knowing comes last.
        found.sort(key=lambda item: (item.severity is Severity.INFO, codes.index(item.code)))
        applies = tuple(Applies(item.code, item.severity, item.title, item.fix) for item in found[:_MOST])
        unsure = tuple(dict.fromkeys(self._unknown(codes, components)))
        if any(item.severity is not Severity.INFO for item in applies):
            verdict = "applies"
        else:
            verdict = "unknown" if unsure or not codes else "not-found"
        facts = tuple(dict.fromkeys(self._facts(components, values)))
        return Here(verdict, applies, facts, unsure)

    def _unknown(self, codes: tuple[str, ...], components: tuple[str, ...]) -> Iterator[str]:
        """What the rules of these codes could not know."""
        lacking = {
            need for rule in RULES if rule.code in codes for need in rule.needs if self.stack.state(need) == UNKNOWN
        }
        for item in self.report.unknowns:
            # Known, yet not well enough for a rule; or not known, and a rule of this family would need it.
            vague = item.component in components and self.stack.state(item.component) == KNOWN
            if vague or item.component in lacking:
                yield f"{item.needed}: {item.how_to_tell}"

    # -- facts in sentences --------------------------------------------------------------------------------------------

    def _facts(self, components: tuple[str, ...], values: dict[str, str]) -> Iterator[str]:
        asked = set(components)
        if asked & {"driver", "cuda", "container", "fabric-manager", "wsl"}:
            yield from self._driver()
        if asked & {"tensorrt", "driver", "engine", "cuda", "cudnn", "plugin", "api", "builder"}:
            yield from self._tensorrt("driver" in asked or "cuda" in asked)
        for component in _LIBRARIES:
            if component in asked:
                for item in self.stack.of(component)[:_MOST]:
                    where = f" in {item.place}" if item.place else ""
                    yield f"{component} {item.version or 'of unknown version'} is here{where}"
        if "gpu" in asked:
            for gpu in self.stack.gpus[:_MOST]:
                yield f"{gpu.label} has compute capability {gpu.compute_capability or 'unknown'}"
        if "python" in asked and self.stack.interpreter and self.stack.interpreter.version:
            yield f"Python is {self.stack.interpreter.version}"
        if "glibc" in asked and self.stack.snapshot.platform.glibc:
            yield f"glibc is {self.stack.snapshot.platform.glibc}"
        yield from self._other_release(values)

    def _driver(self) -> Iterator[str]:
        if self.stack.state("driver") == ABSENT:
            yield "there is no NVIDIA driver here"
        elif self.stack.driver is not None:
            level = self.stack.cuda_level
            yield (
                f"driver {self.stack.driver} serves CUDA {level} at most"
                if level
                else f"the driver is {self.stack.driver}"
            )

    def _tensorrt(self, with_cuda: bool) -> Iterator[str]:
        for item in self.stack.of("tensorrt")[:_MOST]:
            carries = f" is built for CUDA {item.flavour[2:]}" if with_cuda and item.flavour else " is here"
            yield f"{label(item)}{carries}"

    def _other_release(self, values: dict[str, str]) -> Iterator[str]:
        """A log that speaks of a TensorRT which is not here may be of another machine."""
        spoken = [Version.maybe(values[name]) for name in _OF_TENSORRT if name in values]
        here = [item.version for item in self.stack.of("tensorrt") if item.version]
        for version in spoken:
            if version is not None and here and all(version.same_as(item) is Answer.NO for item in here):
                yield f"TensorRT {version}, which the text speaks of, is not here: it may be of another environment"
