"""Which TensorRT would do instead, and how it is put in place of the one that is there: remedies as data.

Imported by a rule only when it fires. An upgrade across majors breaks code and engines, so the newest release of the
same major comes first, then the next major up. Never offered: what cannot be had (early access, releases that are
only documented), and what known_issues.yaml calls bad here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trtdoctor.findings import Remedy
from trtdoctor.matrix import Fact, Row, cuda, tensorrt
from trtdoctor.record import record
from trtdoctor.rules.base import Context
from trtdoctor.rules.common import libc_of
from trtdoctor.rules.issues import concerns, issues_of
from trtdoctor.rules.releases import (
    build_flavours,
    candidates,
    cuda_major,
    known_spec,
    label,
    made_by_vendor,
    platforms_of,
    tensorrt_distributions,
)
from trtdoctor.rules.wheels import glibc_of, listed, python_tag, tags_for
from trtdoctor.stack import Installation
from trtdoctor.versions import Answer, Version

_OLD_NAMES = ("tensorrt-bindings", "tensorrt-libs")
"""What tensorrt 8.6 and 9 brought along; they install the same modules as the packages of today."""


@record
class Offer:
    """A release of the matrix that can be had here."""

    release: str
    wanted: str
    """Specifier for pip: ``==10.16.1.*``, or one package version where another of the release is bad."""
    flavour: str
    distribution: str
    beside: tuple[str, ...]
    """What must come with it, in words: a CUDA minor that this GPU needs, a CUDA major that is not here, cuDNN."""
    extra: tuple[str, ...]
    """Further requirements of the same command: what the release needs and does not pin itself."""
    facts: tuple[Fact, ...]

    @property
    def spoken(self) -> str:
        """For a sentence: ``TensorRT 10.16.1 for CUDA 12``."""
        return f"TensorRT {self.release} for CUDA {cuda_major(self.flavour)}"

    def remedy(self, reason: str, action: str = "install", remove: Iterable[str] = ()) -> Remedy:
        """The remedy that installs it with pip; ``remove`` are distributions that must go first."""
        details = [("distributions", " ".join((self.distribution, *self.extra))), ("flavour", self.flavour)]
        if gone := " ".join(remove):
            details.append(("remove", gone))
        return Remedy("tensorrt", action, self.wanted, reason, tuple(details))


def fitting(
    context: Context,
    *,
    like: Installation | None = None,
    version: Version | None = None,
    flavour: str | None = None,
    release: str | None = None,
    by_pip: bool = True,
) -> Offer | None:
    """The TensorRT that fits here best, as far as that is known; None when there is none.

    It serves each GPU and asks for no newer driver; with ``by_pip`` it has wheels for this Python, platform and glibc.
    ``like`` is the one to be replaced (``version`` alone where only that is known): its major and flavour are kept
    where that goes. ``flavour`` and ``release`` allow no other.
    """
    version = like.version if like else version
    preferred = tuple(_preferred_flavours(context, like))
    key = (
        ("rules: offer", version, preferred, flavour, release, by_pip),
        (context.stack.platform, platforms_of(context.stack), context.stack.driver, context.stack.driver_system),
        (context.snapshot.platform.glibc, python_tag(context), context.goal),
        tuple(gpu.compute_capability for gpu in context.stack.gpus),
        tuple((name, dist.version) for name, dist in context.stack.distributions.items()),
    )

    def make() -> Offer | None:
        rows = [row for row in tensorrt.all_releases(context.matrix) if row.text("status") in tensorrt.INSTALLABLE]
        rows = [row for row in rows if release in (None, row.key)]
        for group in _by_major(rows, version):
            for certainly in (True, False):  # first those that nothing speaks against
                for row in group:
                    for name in _ordered(build_flavours(row), preferred):
                        if flavour in (None, name) and _fits(context, row, name, by_pip):
                            offer = _offer(context, row, name, by_pip, certainly)
                            if offer is not None:
                                return offer
        return None

    return context.matrix.remember(key, make)


def _by_major(rows: list[Row], version: Version | None) -> Iterator[list[Row]]:
    """Newest first; with ``version`` its own major, then the next ones up, then the next ones down."""
    if version is None:
        yield rows
        return
    groups: dict[int, list[Row]] = {}
    for row in rows:
        groups.setdefault(Version.parse(row.key).major, []).append(row)
    for major in sorted(groups, key=lambda number: (number < version.major, abs(number - version.major))):
        yield groups[major]


def _preferred_flavours(context: Context, like: Installation | None) -> Iterator[str]:
    """The flavour that is there, so that no second CUDA comes in: TensorRT's own, else that of CUDA and torch."""
    if like is not None and like.flavour:
        yield like.flavour
    majors = {item.version.major for item in context.stack.of("cuda") if item.version} | set(_torch_majors(context))
    if len(majors) == 1:
        yield f"cu{majors.pop()}"
    if like is not None and like.flavour is None and like.origin in (None, "pip"):
        for row in tensorrt.releases(context.matrix, like.version) if like.version else ():
            if default := row.text("default_flavour"):
                yield default


def _torch_majors(context: Context) -> Iterator[int]:
    found = context.stack.distributions.get("torch")
    _, _, digits = (found.version or "").rpartition("+cu") if found else ("", "", "")
    if digits.isdecimal() and len(digits) in (3, 4):
        yield int(digits[:2])


def _ordered(flavours: tuple[str, ...], preferred: tuple[str, ...]) -> list[str]:
    return sorted(flavours, key=lambda name: preferred.index(name) if name in preferred else len(preferred))


def _fits(context: Context, row: Row, flavour: str, by_pip: bool) -> bool:
    stack = context.stack
    places = platforms_of(stack)
    if by_pip and not _has_wheel(context, row, flavour, places):
        return False
    if stack.driver is not None and not stack.jetson:
        own = row.get("builds", flavour, "driver", stack.driver_system)
        floor = cuda.major_floor(context.matrix, Version.parse(str(cuda_major(flavour))), stack.driver_system)
        for fact in (own, floor):
            bound = Version.maybe(fact.value) if fact else None
            if bound is not None and stack.driver.at_least(bound) is Answer.NO:
                return False
    known = {gpu.compute_capability for gpu in stack.gpus if gpu.compute_capability}
    return any(
        known.issubset(listed(row.get("builds", flavour, "compute_capabilities", place, "supported").value))
        for place in places
    )


def _has_wheel(context: Context, row: Row, flavour: str, places: tuple[str, ...]) -> bool:
    wheels = row.get("builds", flavour, "wheels").value
    if not isinstance(wheels, dict) or libc_of(context) == "musl":
        return False
    have, wanted = Version.maybe(context.snapshot.platform.glibc), python_tag(context)
    for place in places:
        for tag in tags_for(wheels, place):
            floor = glibc_of(tag)
            old = have is not None and floor is not None and have.below(floor) is Answer.YES
            if not old and (wanted is None or wanted in listed(wheels[tag])):
                return True
    return False


def _offer(context: Context, row: Row, flavour: str, by_pip: bool, certainly: bool) -> Offer | None:
    """The offer of one build, in a package version that is not known to be bad; None when each is."""
    distribution = "tensorrt" if row.text("default_flavour") == flavour else f"tensorrt-{flavour}"
    if by_pip and known_spec(context.matrix, distribution) is None:
        return None
    packages = [version for version in map(Version.maybe, listed(row.get("packages").value)) if version]
    judged = {version: _bad(context, version, flavour, by_pip) for version in packages or [Version.parse(row.key)]}
    allowed = (Answer.NO,) if certainly else (Answer.NO, Answer.UNKNOWN)
    good = [version for version, answer in judged.items() if answer in allowed]
    if not good or (certainly and not _has_calls(context, row)):
        return None
    spared = any(answer is Answer.YES for answer in judged.values())
    wanted = f"=={max(good, key=_by_age)}" if spared else f"=={row.key}.*"
    facts = (row.get("builds", flavour, "wheels"), row.get("builds", flavour, "compute_capabilities"))
    beside = tuple(_beside(context, row, flavour))
    return Offer(row.key, wanted, flavour, distribution, beside, unpinned(context, row, flavour), facts)


def _beside(context: Context, row: Row, flavour: str) -> Iterator[str]:
    floors = [tensorrt.cuda_floor(row, gpu.compute_capability or "", flavour) for gpu in context.stack.gpus]
    needed = max((floor.value for floor in floors if floor), key=lambda text: Version.parse(text).parts, default=None)
    present = {item.version.major for item in context.stack.of("cuda") if item.version}
    if needed is not None:
        yield f"CUDA {needed} or a newer minor"
    elif present and cuda_major(flavour) not in present:
        yield f"CUDA {cuda_major(flavour)}"
    need = tensorrt.cudnn(row)
    if need.need == "required" and need.version is not None:
        yield f"cuDNN {need.version} or a newer {Version.parse(need.version).major}.x"


def _by_age(version: Version) -> tuple[tuple[int, ...], int]:
    post = version.suffix.removeprefix(".post")
    return version.parts, int(post) if post.isdecimal() else 0


def _bad(context: Context, version: Version, flavour: str, by_pip: bool) -> Answer:
    """Whether a known issue bites a package version here; one with a rule of its own only speaks against it."""
    places = platforms_of(context.stack)
    worst = Answer.NO
    for issue in issues_of(context, version):
        if issue.severity == "info" and (issue.judged or issue.when):
            continue
        answer = concerns(context, issue, by_pip=by_pip, platforms=places, flavours=frozenset({flavour}))
        if answer is Answer.YES and issue.severity != "info" and not issue.judged:
            return Answer.YES
        if answer is not Answer.NO:
            worst = Answer.UNKNOWN
    return worst


def _has_calls(context: Context, row: Row) -> bool:
    """Whether the release has every call and precision that is wanted."""
    version = Version.parse(row.key)
    for word in context.goal:
        name = word.removeprefix("api:")
        found = tensorrt.api(context.matrix, name) if name != word else tensorrt.precision(context.matrix, word)
        if found is not None and tensorrt.api_state(found, version).word in ("removed", "not-yet"):
            return False
    return True


def unpinned(context: Context, row: Row, flavour: str) -> tuple[str, ...]:
    """CuDNN of the right major for releases that need it: their wheels ask for it without a version."""
    need = tensorrt.cudnn(row)
    version, name = Version.maybe(need.version), f"nvidia-cudnn-{flavour}"
    spec = known_spec(context.matrix, name)
    if need.need != "required" or version is None or spec is None or spec.real != "wheel":
        return ()
    return (f"{name}>={version.short(2)},<{version.major + 1}",)


# -- putting it in place ----------------------------------------------------------------------------------------------


def came_by_pip(context: Context, item: Installation) -> bool:
    """Whether pip brought an installation; where nobody said, whether there ever were wheels of it for here."""
    if item.origin is not None or context.snapshot.container is not None or context.stack.jetson:
        return item.origin == "pip"
    places = platforms_of(context.stack)
    tables = [row.get("builds", flavour, "wheels").value for row, flavour in candidates(context, item)]
    return any(isinstance(table, dict) and any(tags_for(table, place) for place in places) for table in tables)


def replacement(
    context: Context,
    item: Installation,
    reason: str,
    *,
    flavour: str | None = None,
    release: str | None = None,
    otherwise: str = "",
) -> Remedy:
    """The remedy that puts a fitting release in place of ``item``, in the way in which ``item`` came.

    Commands for pip; a sentence for packages, archives, containers and JetPack. ``release`` is the one to try first,
    ``otherwise`` the sentence where none fits.
    """
    by_pip = came_by_pip(context, item)
    offer = None
    if release is not None:
        offer = fitting(context, like=item, flavour=flavour or item.flavour, release=release, by_pip=by_pip)
    offer = offer or fitting(context, like=item, flavour=flavour, by_pip=by_pip)
    if context.stack.jetson:
        text = "TensorRT on a Jetson comes with JetPack: flash or upgrade to a JetPack whose TensorRT fits"
        return Remedy("tensorrt", "choose", None, f"{text} ({reason}).")
    if offer is None:
        text = otherwise or "No release of the matrix fits this GPU, driver and Python together"
        return Remedy("tensorrt", "choose", None, f"{text}: {reason}.")
    if by_pip:
        return offer.remedy(reason, "replace", _left_over(context, item, offer))
    return Remedy("tensorrt", "choose", offer.wanted, f"{_sentence(context, item, offer)} ({reason}).")


def _sentence(context: Context, item: Installation, offer: Offer) -> str:
    if context.snapshot.container is not None or item.origin == "container" or made_by_vendor(context, item):
        image = _image_with(context, offer)
        return f"Use an image that has {offer.spoken}{f', such as {image}' if image else ''}, or base yours on one"
    beside = f" (with {' and '.join(offer.beside)})" if offer.beside else ""
    text = f"Install {offer.spoken}{beside} in place of {label(item)}"
    if item.origin in ("apt", "rpm"):
        return f"{text}: every TensorRT package ({item.origin}) in that one version"
    if item.origin in ("tar", "zip"):
        return f"{text}: unpack its archive and put that directory first"
    return f"{text}, in the way in which that one came" if item.origin is None else f"{text} ({item.origin})"


def _image_with(context: Context, offer: Offer) -> str | None:
    """NVIDIA's own image of that release and CUDA, where there is one: ``nvcr.io/nvidia/tensorrt:25.01-py3``."""
    for row in context.matrix.rows("containers", "images"):
        found, cuda_there = Version.maybe(row.text("tensorrt")), Version.maybe(row.text("cuda"))
        of_release = found is not None and Version.parse(found.short(3)) == Version.parse(offer.release)
        of_major = cuda_there is not None and cuda_there.major == cuda_major(offer.flavour)
        if row.key.startswith("tensorrt:") and of_release and of_major:
            return f"nvcr.io/nvidia/{row.key}"
    return None


def _left_over(context: Context, item: Installation, offer: Offer) -> tuple[str, ...]:
    """Distributions that would stay beside the new ones and install the same modules: they must go first."""
    new = {offer.distribution, *(f"tensorrt-{offer.flavour}{part}" for part in ("", "-bindings", "-libs"))}
    there = [dist.name for dist, spec in tensorrt_distributions(context) if spec.product == "full"]
    if there:
        return tuple(name for name in there if name not in new)
    if item.version is None:
        return ()
    meta = ("tensorrt",) if offer.distribution != "tensorrt" else ()
    if item.version.major < 10:
        return meta if item.version.below(Version.parse("8.6")) is Answer.YES else (*meta, *_OLD_NAMES)
    defaults = [row.text("default_flavour") for row in tensorrt.releases(context.matrix, item.version)]
    old = dict.fromkeys(name for name in ([item.flavour] if item.flavour else defaults) if name != offer.flavour)
    names = [f"tensorrt-{flavour}{part}" for flavour in old for part in ("", "-bindings", "-libs")]
    return (*meta, *names)


def kept_flavour(context: Context, flavours: Iterable[str]) -> str:
    """Which of several CUDA flavours in one Python is the one to keep: torch's, else the newest the driver serves."""
    choices = sorted(flavours, reverse=True)
    wanted = [f"cu{major}" for major in _torch_majors(context)]
    driver = context.stack.driver
    for name in choices:
        floor = cuda.major_floor(context.matrix, Version.parse(str(cuda_major(name))), context.stack.driver_system)
        bound = Version.maybe(floor.value) if floor else None
        if driver is None or bound is None or driver.at_least(bound) is not Answer.NO:
            wanted.append(name)
    return next((name for name in wanted if name in choices), choices[-1])


def is_bad(context: Context, version: Version, flavour: str | None) -> bool:
    """Whether a package version of TensorRT must not be installed here, because a known issue bites it."""
    return flavour is not None and _bad(context, version, flavour, True) is Answer.YES


FRESH = "--no-cache-dir --force-reinstall --extra-index-url https://pypi.nvidia.com"
"""pip's options that pass by a cached stub: the libraries lie on NVIDIA's own index."""


def whole_again(component: str, item: Installation, reason: str) -> Remedy:
    """The remedy that installs the very same wheel again, whole; a sentence for what did not come as a wheel."""
    name, _, version = (item.owner or "").partition(" ")
    if item.origin == "pip" and name and Version.maybe(version):
        details = (("distributions", name), ("options", f"{FRESH} --no-deps"))
        return Remedy(component, "install", f"=={version}", reason, details)
    spoken = {"tensorrt": "TensorRT", "cudnn": "cuDNN"}.get(component, component)
    how = "from where it came"
    if item.origin in ("apt", "rpm"):
        how = f"every package of it ({item.origin}) in that one version"
    elif item.origin in ("tar", "zip"):
        how = "from its archive, into an empty directory"
    return Remedy(component, "choose", None, f"Install {spoken} {item.version} again, {how}: {reason}.")
