"""What the matrix says of NVIDIA's repositories for apt: their keys, and the exact names and versions in them.

apt takes the highest version for everything that a package needs but the command does not name, and then fails. So the
look-ups give whole lists: every package that is needed with ``= the same version`` is in them, to be named as
``name=version`` and held. A version that nobody saw and that follows the pattern of its neighbours says so by its
certainty, ``inferred``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from trtdoctor.matrix import cudnn as _cudnn
from trtdoctor.matrix.judgement import Judgement
from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import Fact, Row
from trtdoctor.record import record
from trtdoctor.versions import Answer, Version

NONE = "none"
WANTS = ("run", "build", "python", "trtexec", "lean", "dispatch")
"""What packages of TensorRT are asked for: run engines (with the ONNX parser), build C++ programs, and so on."""

_ARCHITECTURES = {"amd64": "x86_64", "aarch64": "sbsa", "arm64": "sbsa"}
_CENTRAL = {
    "libnvinfer{major}": "run",
    "libnvinfer-dev": "build",
    "python3-libnvinfer": "python",
    "libnvinfer-bin": "trtexec",
    "libnvinfer-lean{major}": "lean",
    "libnvinfer-dispatch{major}": "dispatch",
}
"""What a package is the point of; the others are only needed."""
_PINNED_FROM = 580
"""The first driver branch that a package ``nvidia-driver-pinning-…`` was seen for."""


@record
class Package:
    """A package with the version that is meant."""

    name: str
    version: Fact
    """``10.9.0.34-1+cuda12.8``, as apt wants it."""

    @property
    def pinned(self) -> str:
        """``libnvinfer10=10.9.0.34-1+cuda12.8``."""
        return f"{self.name}={self.version.value}"


# -- repositories ------------------------------------------------------------------------------------------------------


def repository(matrix: Matrix, distribution: str, release: str, architecture: str) -> Row | None:
    """The repository for a system, by the words of os-release and of ``uname -m`` or dpkg.

    ARM is ``sbsa``: servers; a Jetson has another repository (JetPack's). None where NVIDIA has none, or none is known.
    """
    wanted = (distribution, release, _ARCHITECTURES.get(architecture, architecture))
    for row in matrix.rows("apt", "repositories"):
        if (row.text("distribution"), row.text("release"), row.text("architecture")) == wanted:
            return row
    return None


def address(matrix: Matrix, place: Row, what: str = "repository") -> Fact:
    """The address of a ``repository``, of its ``keyring`` (a .deb), of its ``key``, or the line of its ``list``.

    Raises KeyError for another word.
    """
    forms = matrix.row("apt", "forms")
    if what not in forms:
        raise KeyError(what)
    fact = forms.get(what)
    values = {name: str(forms.get(name).value) for name in ("host", "repository")}
    values |= {name: str(place.get(name).value) for name in ("path", "key")}
    return _filled(fact, values)


def fingerprint(matrix: Matrix, place: Row) -> Fact | None:
    """The whole fingerprint (40 digits) of the key that signs a repository; None when it is not known."""
    for row in matrix.rows("apt", "keys"):
        if row.key == place.text("key"):
            return row.get("fingerprint")
    return None


# -- TensorRT ----------------------------------------------------------------------------------------------------------


def build(matrix: Matrix, release: Version, flavour: str) -> Row | None:
    """The row of a TensorRT as it is packaged for apt, for a CUDA flavour (``cu12``); None when there is none.

    A release of four parts fits only when the packages have that very build: 10.3.0.30 is JetPack's.
    """
    table = matrix.remember("apt tensorrt", lambda: _by_flavour(matrix))
    return _one(iter(table.get(flavour, ())), release)


def _by_flavour(matrix: Matrix) -> dict[str, list[Row]]:
    table: dict[str, list[Row]] = {}
    for row in matrix.rows("apt", "tensorrt"):
        table.setdefault(row.text("flavour") or "", []).append(row)
    return table


def tensorrt(matrix: Matrix, release: Version, flavour: str) -> Fact | None:
    """The version of every package of a TensorRT but the meta packages; None when it is not known.

    Up to 8.5.3 it has three parts (``8.5.3-1+cuda11.8``), later four.
    """
    row = build(matrix, release, flavour)
    return _known(row.get("apt")) if row is not None else None


def tensorrt_meta(matrix: Matrix, release: Version, flavour: str) -> Fact | None:
    """The version of ``tensorrt``, ``tensorrt-libs``, ``tensorrt-dev``; None when unknown, or where there are none."""
    row = build(matrix, release, flavour)
    if row is None or row.get("meta").value == NONE:
        return None
    return _known(row.get("apt") if row.get("meta").value == "same" else row.get("meta"))


def tensorrt_packages(matrix: Matrix, release: Version, wants: Iterable[str]) -> list[str] | None:
    """The names to install for what is wanted (:data:`WANTS`), with all that they need at the same version.

    None when a want has no package of its own in that release: ``trtexec`` before 8.4.1, ``lean`` before 8.6. Raises
    KeyError for a word that is none of :data:`WANTS`.
    """
    asked = set(wants)
    if asked - set(WANTS):
        raise KeyError(*sorted(asked - set(WANTS)))
    names: list[str] = []
    served: set[str] = set()
    for row in _of_release(matrix, "packages", release):
        uses = asked & set(row.get("for").value)
        if uses:
            names.append(row.key.format(major=release.major))
        served.add(_CENTRAL.get(row.key, ""))
    return names if served >= asked else None


def install(matrix: Matrix, release: Version, flavour: str, wants: Iterable[str]) -> list[Package] | None:
    """Names and versions for what is wanted of a TensorRT; None when they are not known, or it has no such package."""
    version, names = tensorrt(matrix, release, flavour), tensorrt_packages(matrix, release, wants)
    return [Package(name, version) for name in names] if version is not None and names is not None else None


def offers(matrix: Matrix, place: Row, release: Version, flavour: str) -> Judgement:
    """Whether a repository has that TensorRT: YES where it was seen there, NO where it cannot be, else UNKNOWN."""
    row = build(matrix, release, flavour)
    if row is None or not row.get("apt").known:
        reason = f"TensorRT {release} ({flavour}) was seen in no repository"
        return Judgement(Answer.UNKNOWN, reason, (row.get("apt"),) if row is not None else ())
    version, last = row.get("apt"), place.get("tensorrt_last")
    if place.key in (row.get("seen").value or ()):
        return Judgement(Answer.YES, f"{version.value} is in {place.key}", (version,))
    if place.key in (row.get("absent").value or ()):
        return Judgement(Answer.NO, f"{version.value} is not in {place.key}", (row.get("absent"),))
    end = Version.maybe(last.value) if last.value != NONE else None
    if end is not None and Version.parse(row.key).parts > end.parts:
        return Judgement(Answer.NO, f"{end} is the last TensorRT in {place.key}", (last,))
    return Judgement(Answer.UNKNOWN, f"whether {place.key} has {version.value} is not known", (version,))


def needs(matrix: Matrix, package: str, release: Version) -> Fact | None:
    """What a package needs with ``= the same version``, as far as apt printed it; None when that was not seen."""
    row = next(
        (item for item in matrix.rows("apt", "dependencies") if item.key == f"{package} {release.short(3)}"), None
    )
    return row.get("needs") if row is not None else None


# -- cuDNN and CUDA ----------------------------------------------------------------------------------------------------


def cudnn(matrix: Matrix, version: Version, flavour: str, wants: Iterable[str] = ("run",)) -> list[Package] | None:
    """Names and version of cuDNN for a CUDA flavour, to ``run`` with it or to ``build``; None when not known."""
    rows = [row for row in matrix.rows("apt", "cudnn") if row.get("flavour").value in (None, flavour)]
    row = _one(iter(rows), version)
    fact = _known(row.get("apt")) if row is not None else None
    if row is None or fact is None:
        return None
    if "flavour" not in row and _cudnn.release(matrix, Version.parse(row.key), flavour) is None:
        return None
    asked = set(wants)
    found = _of_release(matrix, "cudnn_packages", Version.parse(row.key))
    return [Package(item.key.format(cuda=flavour[2:]), fact) for item in found if asked & set(item.get("for").value)]


def toolkit(matrix: Matrix, cuda: Version, place: Row | None = None) -> Package | None:
    """The meta package of a CUDA toolkit (``cuda-toolkit-12-8``); None when no version is known.

    Of "12.8" the newest update, and of those the ones that were seen in the repository ``place`` first.
    """
    return next(_cuda(matrix, cuda, "toolkit", place), None)


def libraries(matrix: Matrix, cuda: Version, place: Row | None = None) -> Package | None:
    """The meta package of all run-time libraries of a CUDA (``cuda-libraries-12-8``), chosen like the toolkit."""
    return next(_cuda(matrix, cuda, "libraries", place), None)


def cuda_runtime(matrix: Matrix, cuda: Version, place: Row | None = None) -> list[Package]:
    """The libraries that TensorRT may want of a CUDA: the runtime, cuBLAS, NVRTC; those whose version is known."""
    return list(_cuda(matrix, cuda, "runtime", place))


def _cuda(matrix: Matrix, cuda: Version, purpose: str, place: Row | None) -> Iterator[Package]:
    fitting = [row for row in matrix.rows("apt", "cuda") if Version.parse(row.key).may_be(cuda)]
    if place is not None:
        fitting.sort(key=lambda row: place.key not in row.get("seen").value)
    for row in matrix.rows("apt", "cuda_packages"):
        if len(cuda.parts) < 2 or purpose not in row.get("for").value:
            continue
        facts = (item.get(str(row.get("version_of").value)) for item in fitting)
        fact = next((found for found in facts if found.known), None)
        if fact is not None:
            yield Package(row.key.format(minor=cuda.short(2).replace(".", "-")), fact)


# -- drivers -----------------------------------------------------------------------------------------------------------


def driver(matrix: Matrix, branch: str, distribution: str, *, server: bool, open_modules: bool) -> Fact | None:
    """The name of the package that installs a driver branch (``580``).

    On Ubuntu those of Ubuntu itself, elsewhere NVIDIA's, which has no packages of its own for servers. Whether a
    distribution has that very branch is not said. None where there is no such package.
    """
    ours = "ubuntu" if distribution == "ubuntu" else "nvidia"
    for row in matrix.rows("apt", "drivers"):
        fits = row.text("from") == ours and row.get("open").value is open_modules
        if fits and (row.get("server").value is server or ours == "nvidia"):
            return _filled(
                Fact(row.key, row.origin.sources, row.origin.certainty, row.origin.where), {"branch": branch}
            )
    return None


def driver_pin(matrix: Matrix, branch: str, distribution: str, *, open_modules: bool) -> Fact | None:
    """The package that keeps NVIDIA's driver on its branch when apt upgrades; None where there is none."""
    if distribution == "ubuntu" or not branch.isdecimal() or int(branch) < _PINNED_FROM:
        return None
    for row in matrix.rows("apt", "drivers"):
        if row.text("from") == "nvidia" and row.get("open").value is open_modules:
            return _filled(row.get("pinned_by"), {"branch": branch})
    return None


# -- rows --------------------------------------------------------------------------------------------------------------


def _one(rows: Iterator[Row], wanted: Version) -> Row | None:
    """The one row that a version means: by its release, and by its build where the version names that."""
    release = Version.parse(wanted.short(3))
    fitting = [row for row in rows if Version.parse(row.key).may_be(release)]
    if len(fitting) != 1:
        return None
    # Up to 8.5.3 only the meta packages name the build.
    texts = (str(fitting[0].get(key).value).partition("-")[0] for key in ("meta", "apt"))
    built = next(filter(None, map(Version.maybe, texts)), None)
    return fitting[0] if built is None or built.may_be(wanted) else None


def _of_release(matrix: Matrix, table: str, release: Version) -> Iterator[Row]:
    """The rows of names that exist in a release."""
    for row in matrix.rows("apt", table):
        first, last = row.get("first").value, row.get("last").value
        if _three(first) <= _three(release.text) and (last == NONE or _three(release.text) <= _three(last)):
            yield row


def _three(version: Any) -> tuple[int, ...]:
    return (*Version.parse(str(version)).parts, 0, 0)[:3]


def _known(fact: Fact) -> Fact | None:
    return fact if fact.known else None


def _filled(fact: Fact, values: dict[str, str]) -> Fact:
    """A fact with the places of its text filled, twice over: a form may name another form."""
    text = str(fact.value)
    for _ in range(2):
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", value)
    return Fact(text, fact.sources, fact.certainty, fact.where, fact.note, fact.overlay)
