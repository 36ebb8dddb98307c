"""Every TensorRT that can be installed, one build (release, CUDA flavour, package version) and one way at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from trtdoctor.demands import PRODUCTS
from trtdoctor.matrix import Matrix, Row, apt, tensorrt, wheels
from trtdoctor.record import record
from trtdoctor.rules.releases import build_flavours, known_spec
from trtdoctor.versions import Answer, Version

REPOSITORIES = ("tensorrt", "pytorch", "tritonserver")
"""NVIDIA's images that bring TensorRT."""
SUBJECTS = {product: name for name, product in PRODUCTS.items()}
"""Products to what they are called in requirements, and by pip: ``rtx`` is ``tensorrt-rtx``."""
RUNTIMES = ("lean", "dispatch")
"""Products that run engines and build none."""
SPOKEN = {"rtx": "TensorRT for RTX", "lean": "TensorRT lean", "dispatch": "TensorRT dispatch"}
"""Products to what they are called in a sentence; the full one is TensorRT."""


@record
class Build:
    """One TensorRT as it can be installed."""

    product: str
    """``full`` or ``rtx``."""
    way: str
    """``pip``, ``apt``, ``container``, ``jetpack``, ``archive``."""
    row: Row
    """The release in the matrix."""
    version: Version
    """Of the package that is installed, ``10.9.0.34``."""
    flavour: str
    """``cu12``; ``""`` where the way does not name one (an image, a JetPack)."""
    name: str
    """What is installed: the meta distribution, the image, the JetPack; of others ``tensorrt``."""
    place: Row | None = None
    """The row of the image, of the JetPack, or of the apt repository."""

    @property
    def release(self) -> str:
        """``10.9.0``."""
        return self.row.key

    @property
    def label(self) -> str:
        """For a sentence: ``TensorRT 10.9.0.34 for CUDA 12``."""
        spoken = SPOKEN.get(self.product, "TensorRT")
        return f"{spoken} {self.version}{f' for CUDA {self.flavour[2:]}' if self.flavour else ''}"


def builds(
    matrix: Matrix,
    product: str,
    way: str,
    platforms: tuple[str, ...],
    *,
    repository: str = "tensorrt",
    system: tuple[str, str, str] | None = None,
) -> tuple[Build, ...]:
    """The builds of a product by one way, newest first; only general releases, only what the matrix knows.

    ``repository`` is the one of NVIDIA's whose images are offered; ``system`` is distribution, release and
    architecture, whose packages are.
    """
    makers: dict[str, Callable[[], Iterator[Build]]] = {
        "pip": lambda: _by_pip(matrix, product),
        "apt": lambda: _by_apt(matrix, product, system),
        "container": lambda: _by_image(matrix, product, platforms, repository),
        "jetpack": lambda: _by_jetpack(matrix, product),
        "archive": lambda: _by_archive(matrix, product),
    }
    key = ("plan: builds", product, way, platforms, repository, system)
    return matrix.remember(key, lambda: tuple(makers[way]()))


def installable(matrix: Matrix, product: str) -> list[Row]:
    """The general releases, newest first."""
    return [row for row in tensorrt.all_releases(matrix, product) if row.text("status") in tensorrt.INSTALLABLE]


def _by_pip(matrix: Matrix, product: str) -> Iterator[Build]:
    for row in installable(matrix, product):
        for flavour in build_flavours(row):
            if not isinstance(row.get("builds", flavour, "wheels").value, dict):
                continue
            found = meta(matrix, row, flavour, product)
            if found is not None:
                name, versions = found
                for version in versions:
                    yield Build(product, "pip", row, version, flavour, name)


def meta(matrix: Matrix, row: Row, flavour: str, product: str) -> tuple[str, list[Version]] | None:
    """The distribution that brings a build whole, and its versions on the package index, newest first."""
    plain = SUBJECTS[product]
    name = plain if row.text("default_flavour") == flavour else f"{plain}-{flavour}"
    spec = known_spec(matrix, name)
    if spec is None or spec.real == "placeholder":
        return None
    found = [version for version in _listed(matrix, name) if version.short(3) == row.key]
    return (name, found) if found else None


def _listed(matrix: Matrix, name: str) -> list[Version]:
    """The versions of a distribution that bring TensorRT, newest first; of one release the repackaged one."""

    def make() -> list[Version]:
        rows = [row for row in matrix.rows("wheels", "wheels") if name in row.get("distributions").value]
        whole = [row for row in rows if wheels.kind(row) in ("meta", "real")]
        found = [Version.parse(text) for row in whole for text in row.get("versions").value]
        return sorted(found, key=lambda version: (version.parts, version.suffix), reverse=True)

    return matrix.remember(("plan: listed", name), make)


def _by_image(matrix: Matrix, product: str, platforms: tuple[str, ...], repository: str) -> Iterator[Build]:
    if product != "full":
        return
    arm = platforms in (("linux-aarch64",), ("jetson",))
    for image in matrix.rows("containers", "images"):
        tag = image.text("tag") or ""
        if not image.key.startswith(f"{repository}:") or "trtllm" in tag or "igpu" in tag:
            continue
        version = Version.maybe((image.text("tensorrt_sbsa") if arm else None) or image.text("tensorrt"))
        toolkit = Version.maybe(image.text("cuda"))
        rows = tensorrt.releases(matrix, version) if version is not None else []
        if version is not None and toolkit is not None and rows:
            name = f"{image.text('image')}:{tag}"
            yield Build("full", "container", rows[0], version, f"cu{toolkit.major}", name, image)


def _by_jetpack(matrix: Matrix, product: str) -> Iterator[Build]:
    if product != "full":
        return
    for row in matrix.rows("jetpack", "jetpacks"):
        version, toolkit = Version.maybe(row.text("tensorrt")), Version.maybe(row.text("cuda"))
        rows = tensorrt.releases(matrix, version, platform="jetson") if version is not None else []
        if row.text("stage") == "preview" or version is None or not rows:
            continue
        flavour = f"cu{toolkit.major}" if toolkit is not None else ""
        yield Build("full", "jetpack", rows[0], version, flavour, row.text("jetpack") or row.key, row)


def _by_apt(matrix: Matrix, product: str, system: tuple[str, str, str] | None) -> Iterator[Build]:
    """What NVIDIA's repository for a system has, or may have."""
    place = apt.repository(matrix, *system) if system is not None else None
    if place is None or product != "full":
        return
    for row in installable(matrix, product):
        release = Version.parse(row.key)
        for flavour in build_flavours(row):
            fact = apt.tensorrt(matrix, release, flavour)
            if fact is None or apt.offers(matrix, place, release, flavour).answer is Answer.NO:
                continue
            version = Version.parse(str(fact.value).partition("-")[0])
            yield Build(product, "apt", row, version, flavour, "tensorrt", place)


def _by_archive(matrix: Matrix, product: str) -> Iterator[Build]:
    """A tar or zip; some releases come so for the newer CUDA only (``archives`` of the release)."""
    for row in installable(matrix, product):
        packages = row.get("packages").value
        version = Version.maybe(packages[0]) if isinstance(packages, list) and packages else Version.parse(row.key)
        archived = row.get("archives").value
        for flavour in build_flavours(row):
            if version is not None and not (isinstance(archived, list) and flavour not in archived):
                yield Build(product, "archive", row, version, flavour, "tensorrt")
