"""The frameworks of an environment with what the matrix knows of them: shared by the FWK rules. No rule is here."""

from __future__ import annotations

from trtdoctor.matrix import Fact, Row, frameworks
from trtdoctor.record import record
from trtdoctor.rules.base import Context
from trtdoctor.rules.releases import cuda_major
from trtdoctor.snapshot import Distribution
from trtdoctor.versions import Version

ONNXRUNTIME = "onnxruntime-gpu"
TORCH, TORCH_TENSORRT, TENSORRT_LLM, TENSORFLOW = "torch", "torch-tensorrt", "tensorrt-llm", "tensorflow"


@record
class Framework:
    """A framework that is installed, with the releases of the matrix that it may be."""

    dist: Distribution
    version: Version
    rows: tuple[Row, ...]

    @property
    def label(self) -> str:
        """``torch 2.9.1+cu128``."""
        return f"{self.dist.name} {self.version}"


def find(context: Context, name: str, *, known: bool = True, newer: bool = False) -> Framework | None:
    """A framework that is installed; with ``known`` only when the matrix has releases that it may be.

    With ``newer`` a release newer than all of the matrix is taken for the newest one: only for what does not come back.
    """
    dist = context.stack.distributions.get(name)
    version = Version.maybe(dist.version) if dist else None
    if dist is None or version is None:
        return None
    rows = context.matrix.remember(("rules: framework", name, version), lambda: _rows(context, name, version))
    if not rows and newer and frameworks.newer_than_matrix(context.matrix, name, version):
        rows = tuple(frameworks.rows(context.matrix, name)[:1])
    return Framework(dist, version, rows) if rows or not known else None


def _rows(context: Context, name: str, version: Version) -> tuple[Row, ...]:
    """The releases that a version may be; none for a build from before a release."""
    one = frameworks.row(context.matrix, name, version)
    if one is not None:
        return (one,)
    if is_early(version):
        return ()
    wanted = Version.parse(version.short(3))
    return tuple(row for row in frameworks.rows(context.matrix, name) if Version.parse(row.key).may_be(wanted))


def is_early(version: Version) -> bool:
    """Whether it is a build from before a release, such as 2.9.0a0+gitabc: pins say nothing of it."""
    return version.suffix.lstrip("._-")[:2] in ("a0", "de", "rc", "b0", "b1") or version.suffix[:1] in ("a", "b")


def is_meant(context: Context, word: str) -> bool:
    """Whether the user means to use a framework: who describes an environment names what he uses."""
    return context.snapshot.kind == "declared" or context.wants(word)


def linked_major(rows: tuple[Row, ...], component: str) -> tuple[int, tuple[Fact, ...]] | None:
    """The major in the soname that all of these releases link; None where it is not known or they differ."""
    facts = [getattr(frameworks.links(row), component) for row in rows]
    majors = {_soname_major(str(fact.value)) if fact is not None else None for fact in facts}
    major = majors.pop() if len(majors) == 1 else None
    return (major, (facts[0],)) if major is not None else None


def _soname_major(soname: str) -> int | None:
    """12 of ``libcudart.so.12``, 11 of ``libcudart.so.11.0``; None when there is none."""
    number = soname.partition(".so.")[2].partition(".")[0]
    return int(number) if number.isdecimal() else None


def cudnn_major(torch: Framework) -> tuple[int, tuple[Fact, ...]] | None:
    """The cuDNN major of a torch, where all builds that it may be agree."""
    facts = [row.get("built_with", "cudnn") for row in torch.rows]
    versions = [Version.maybe(fact.value) for fact in facts]
    majors = {version.major if version else None for version in versions}
    for row in torch.rows:
        others = row.get("other_builds").value
        for key in others if isinstance(others, dict) else ():
            other = Version.maybe(row.get("other_builds", key, "cudnn").value)
            if key.startswith("cu") and other is not None:
                majors.add(other.major)
    major = majors.pop() if len(majors) == 1 else None
    return (major, tuple(facts[:1])) if major is not None else None


def local_cuda(version: Version) -> Version | None:
    """12.8 of 2.9.1+cu128; None where the version has no such part."""
    digits = version.suffix.rpartition("+cu")[2] if "+cu" in version.suffix else ""
    if not digits.isdecimal() or len(digits) not in (2, 3, 4):
        return None
    return Version.parse(f"{digits[:-1]}.{digits[-1]}")


def cuda_of(context: Context, found: Framework) -> int | None:
    """The CUDA major of a framework: by its local version, else the one that all its builds share."""
    local = local_cuda(found.version)
    if local is not None:
        return local.major
    if "+" in found.version.suffix or not found.rows:
        return None
    majors: set[int | None] = set()
    for row in found.rows:
        flavour = row.text("flavour")
        majors.add(cuda_major(flavour) if flavour and flavour.startswith("cu") else None)
        others = row.get("other_builds").value
        majors |= {int(key[2:4]) for key in (others if isinstance(others, dict) else ()) if key.startswith("cu")}
    return majors.pop() if len(majors) == 1 else None
