"""TensorRT by pip, whole: meta packages, bindings, libraries with their wheel, and what the release needs beside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trtdoctor.matrix import Matrix, artefacts, distributions, tensorrt, wheels
from trtdoctor.matrix.mirrors import wheels_index
from trtdoctor.net.words import host_of
from trtdoctor.obtainable.model import HeldStack, Part
from trtdoctor.obtainable.pip import ANY, Index, Python, parts_of
from trtdoctor.obtainable.sides import MIRROR, files_of, held
from trtdoctor.versions import Answer, Version

LINE = "pip"
_META = "tensorrt"
_UPLOADED, _RECORDED = "upload-time", "recorded upload-time"
"""What dates a distribution best: its index, and what the matrix recorded of upstream's."""


def stacks(index: Index, wanted: Python = ANY) -> tuple[HeldStack, ...]:
    """Every TensorRT of which the side has something of its own, newest first; of one release the newest CUDA first."""
    found = [
        stack
        for top in _tops(index.matrix)
        for version in _versions(index, top)
        if (stack := _stack(index, top, version, wanted)) is not None
    ]
    return tuple(sorted(found, key=lambda stack: (stack.order, stack.flavour or ""), reverse=True))


def _tops(matrix: Matrix) -> tuple[str, ...]:
    """The distributions that bring a full TensorRT: one for each CUDA flavour, and the plain one for old releases."""

    def make() -> tuple[str, ...]:
        specs = (distributions.identify(matrix, row.key) for row in matrix.rows("distributions", "distributions"))
        every = [
            spec for spec in specs if spec and (spec.component, spec.product, spec.part) == (_META, "full", "meta")
        ]
        return tuple(spec.name for spec in every)

    return matrix.remember("obtainable: tops", make)


def _versions(index: Index, top: str) -> list[Version]:
    """Versions of which the side may have one of the own parts."""
    names = {top} | ({f"{top}-bindings", f"{top}-libs"} if top != _META else set())
    found: dict[str, Version] = {}
    for name in names:
        for text, entries in index.found.get(name, {}).items():
            version = Version.maybe(text)
            there = any(held(item, index.side, source) is not Answer.NO for source, item in entries)
            if version is not None and there and not (top == _META and _is_flavoured(index.matrix, version)):
                found[text] = version
    return list(found.values())


def _is_flavoured(matrix: Matrix, version: Version) -> bool:
    """Whether ``tensorrt`` of a version only requires the distributions of a flavour; those stand for it then."""
    row = wheels.of(matrix, _META, version)
    if row is None:
        return version.major >= 10
    return _flavoured_part(matrix, version) is not None or wheels.kind(row) == "placeholder"


def _flavoured_part(matrix: Matrix, version: Version) -> str | None:
    """``tensorrt-cu13``, which ``tensorrt`` of a version requires; of one that is not known as the newest that is."""
    row = wheels.of(matrix, _META, version)
    if row is None and (known := wheels.versions(matrix, _META)):
        row = wheels.of(matrix, _META, Version.parse(known[0]))
    fact = wheels.resolves_to(row) if row is not None and wheels.kind(row) == "meta" else None
    parts = fact.value if fact is not None and isinstance(fact.value, list) else []
    return next((str(part) for part in parts if str(part).startswith(f"{_META}-cu")), None)


def _stack(index: Index, top: str, version: Version, wanted: Python) -> HeldStack | None:
    matrix = index.matrix
    pins = parts_of(matrix, top, version)
    if top != _META and _flavoured_part(matrix, version) == top and _is_listed(index, _META, version):
        pins.insert(0, (_META, f"=={version.text}"))
    pins += [pin for pin in _cudnn(matrix, version, top) if pin[0] not in dict(pins)]
    parts = [part for name, specifier in pins if (part := _part(index, name, specifier, wanted)) is not None]
    if not any(part.own and part.answer is not Answer.NO for part in parts):
        return None
    parts += _build_needs(index, parts)
    released, by = _released(index, parts)
    spec = distributions.identify(matrix, top)
    return HeldStack(
        kind="pip",
        name=f"{top} {version.text}",
        line=LINE,
        order=order_of(version),
        version=version.text,
        flavour=(spec.flavour if spec else None) or wheels.flavour_of(matrix, top, version),
        complete=Answer.all(part.answer for part in parts),
        parts=tuple(parts),
        source=_source(index),
        released=released,
        released_by=by,
        elsewhere=tuple(_elsewhere(index, parts)),
    )


def order_of(version: Version) -> tuple[int, ...]:
    """A key to sort TensorRT's packages by: four numbers, then that of a post-release."""
    post = version.suffix.removeprefix(".post")
    return (*(*version.parts, 0, 0, 0)[:4], int(post) if post.isdecimal() else 0)


def _is_listed(index: Index, name: str, version: Version) -> bool:
    return bool(index.items(name, version.text))


def _source(index: Index) -> str:
    return index.sources[0].id if len(index.sources) == 1 else ""


# -- parts -------------------------------------------------------------------------------------------------------------


def _part(index: Index, name: str, specifier: str, wanted: Python) -> Part | None:
    """A part; None for one beside TensorRT that nobody looked for."""
    own = specifier.startswith("==") and not specifier.endswith("*")
    if own:
        version = specifier[2:]
        judged = index.distribution(name, version, wanted)
        files = _files(index, name, version, wanted) if judged.answer is Answer.NO else ()
        return Part(name, specifier, judged.answer, judged.reason, judged.word, own=True, files=files)
    judged, newest = index.any_of(name, specifier)
    if judged.word == "not-asked":
        return None
    files = _files(index, name, newest, wanted) if judged.answer is Answer.NO and newest is not None else ()
    return Part(name, specifier, judged.answer, judged.reason, judged.word, files=files)


def _files(index: Index, name: str, version: str, wanted: Python) -> tuple[str, ...]:
    """Files that are known to exist and are not on this side; those that fit where some do."""
    names: list[str] = []
    for _, item in index.items(name, version):
        if index.distribution(name, version, wanted).word == "stub-only":
            names += [file.name for file in item.files if file.on == "upstream-wheels"]
        else:
            other = "upstream" if index.side == MIRROR else MIRROR
            names += [file.name for file in item.files if file.on == other]
    names = list(dict.fromkeys(names))
    if wanted != ANY:
        fitting = [
            one
            for one in names
            if one.endswith(".whl")
            and artefacts.taken([one], python=wanted.python, platform=wanted.platform, glibc=wanted.glibc)
        ]
        names = fitting or [one for one in names if not one.endswith(".whl")] or names
    return tuple(names)


def _cudnn(matrix: Matrix, version: Version, top: str) -> Iterator[tuple[str, str]]:
    """CuDNN of the right major for releases that need it, as their wheels ask for it without a version."""
    row = tensorrt.release(matrix, version)
    need = tensorrt.cudnn(row) if row is not None else None
    asked = Version.maybe(need.version) if need is not None and need.need == "required" else None
    flavour = wheels.flavour_of(matrix, top, version)
    name = f"nvidia-cudnn-{flavour}"
    spec = distributions.identify(matrix, name) if flavour else None
    if asked is not None and spec is not None and spec.real == "wheel":
        yield name, f">={asked.short(2)},<{asked.major + 1}"


def _build_needs(index: Index, parts: Iterable[Part]) -> Iterator[Part]:
    """What the builds of the parts take, each once; what nobody looked for is left out."""
    seen: set[tuple[str, str]] = set()
    for part in parts:
        if not part.own:
            continue
        for _, item in index.items(part.name, part.wanted[2:]):
            if any(file.name.endswith(".whl") for file in item.files if file.on in ("both", "upstream", "mirror")):
                continue
            for need in index.needs_of(item, stub=index.is_stub(item)):
                if need not in seen:
                    seen.add(need)
                    found = _part(index, *need, ANY)
                    if found is not None:
                        yield found


def _elsewhere(index: Index, parts: Iterable[Part]) -> Iterator[str]:
    """Parts whose wheels come to the mirror's users from NVIDIA's own index."""
    if index.side != MIRROR:
        return
    own = host_of(wheels_index(index.matrix) or "")
    for part in parts:
        for source, item in index.items(part.name, part.wanted[2:]) if part.own and part.answer is Answer.YES else ():
            place = source.side("wheels")
            nvidia = place is not None and place.address is not None and host_of(place.address) == own
            if nvidia and index.is_stub(item) and not any(f.name.endswith(".whl") for f in files_of(item, MIRROR)):
                yield part.name
                break


def _released(index: Index, parts: Iterable[Part]) -> tuple[str | None, str | None]:
    """When upstream had all of the own parts; the last of them counts, by what says it best."""
    found: list[tuple[str, str | None]] = []
    for part in parts:
        if part.own:
            known = [(item.released, item.released_by) for _, item in index.items(part.name, part.wanted[2:])]
            found += [(moment, by) for moment, by in known if moment is not None]
            if not any(moment for moment, _ in known):
                day = artefacts.uploaded(index.matrix, part.name, part.wanted[2:])
                found += [(day.isoformat(), _RECORDED)] if day is not None else []
    for best in (_UPLOADED, _RECORDED):
        if any(by == best for _, by in found):
            found = [(moment, by) for moment, by in found if by == best]
            break
    return max(found, default=(None, None), key=lambda pair: pair[0])
