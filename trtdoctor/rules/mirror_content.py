"""Whether what a mirror has is what upstream has: platforms, digests, lists, and what is in its images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from trtdoctor.findings import Severity
from trtdoctor.matrix import Matrix, containers, tensorrt
from trtdoctor.mirror_facts import MirrorItem
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import advice
from trtdoctor.rules.mirror_asked import asked
from trtdoctor.versions import Version

if TYPE_CHECKING:
    from trtdoctor.rules.mirror_view import View

_FACTS = 12
_OWN_BUILDS = ("differs", "extra", "gone-upstream")
"""States of images that need not be NVIDIA's own builds, which are of one piece."""


@rule("MIR103", "missing-platform", severity=Severity.ERROR, components=("mirror", "container", "package"))
def missing_platform(context: Context) -> Iterable[Problem]:
    """The mirror has an image, or a distribution, for fewer platforms than upstream.

    Why it matters: Tools that copy images take only the platform that they run on, unless they are told otherwise. The
    tag is there, has another digest than upstream's, and on an Arm machine the pull fails.

    Example: 26.10-py3 was copied with skopeo sync without --all: linux/arm64 is missing, for a fleet with GH200.

    How to fix: Copy all platforms (skopeo sync --all, regsync without platform), or those that the fleet needs.

    Sources: https://github.com/containers/skopeo/blob/main/docs/skopeo-sync.1.md
    """
    for view in asked(context):
        if view.source.kind == "oci":
            yield from _images_without(context, view)
        elif view.source.kind == "pypi":
            yield from _wheels_without(context, view)


def _images_without(context: Context, view: View) -> Iterator[Problem]:
    from trtdoctor.obtainable.images import PLATFORMS
    from trtdoctor.rules.mirror_view import machines, some

    needed = {PLATFORMS.get(machine.stack.platform or "") for machine in machines(context)} - {None}
    groups: dict[tuple[str, ...], list[MirrorItem]] = {}
    for item in view.source.items:
        lacking = tuple(name for name in item.missing if not needed or name in needed)
        if item.state == "missing-platform" and lacking and not context.policy.refuses_image(item.version or ""):
            groups.setdefault(lacking, []).append(item)
    for lacking, items in groups.items():
        names = some([item.name for item in items])
        yield Problem(
            Severity.ERROR if needed else Severity.WARNING,
            f"{view.name} has {names} without {some(list(lacking))}, which upstream has",
            breaks=f"Pulling it on {some(list(lacking))} fails: no matching manifest.",
            detail=items[0].detail or "",
            facts=tuple(view.found(f"{item.name}: without {', '.join(lacking)}") for item in items[:_FACTS]),
            remedy=advice("mirror", "Copy the tag with all platforms: trtdoctor mirror sync-config names them."),
            components=("mirror", "container"),
        )


def _wheels_without(context: Context, view: View) -> Iterator[Problem]:
    """Files that were left out, where no machine is known that could miss them; else MIR101 speaks."""
    from trtdoctor.rules.mirror_view import is_blank, machines, some
    from trtdoctor.rules.releases import known_spec

    if not all(is_blank(machine) for machine in machines(context)):
        return
    found = []
    for item in view.source.items:
        spec = known_spec(context.matrix, item.project) if item.project else None
        if item.state == "missing-platform" and spec is not None and spec.component == "tensorrt":
            found.append(item)
    if found:
        yield Problem(
            Severity.INFO,
            f"{view.name} has fewer files than upstream of {some([item.name for item in found], 1)}",
            breaks="Nothing where nobody uses that platform or Python.",
            detail=f"Missing of the first: {some(list(found[0].missing), 6)}.",
            facts=tuple(view.found(f"{item.name}: {len(item.missing)} files missing") for item in found[:_FACTS]),
            components=("mirror", "package"),
        )


@rule("MIR104", "inconsistent-index", severity=Severity.ERROR, components=("mirror", "package"))
def inconsistent_index(context: Context) -> Iterable[Problem]:
    """What the mirror lists contradicts itself, or its files are not those of upstream.

    Why it matters: apt refuses a repository whose lists are not those that its Release names; so it goes with a mirror
    that is caught in the middle of a sync. A file with another digest than upstream's is damaged, or somebody else's.

    Example: Release names one SHA-256 for Packages.gz, and the mirror gives a file with another one.

    How to fix: Run the sync to its end; where it has ended, delete the file on the mirror and have it fetched again.

    Sources: https://wiki.debian.org/DebianRepository/Format, cuda_repo_builds
    """
    for view in asked(context):
        from trtdoctor.rules.mirror_view import some

        for side in view.source.sides:
            if side.state == "inconsistent":
                whose = "the mirror" if side.role == "mirror" else side.role
                yield Problem(
                    Severity.ERROR if side.role == "mirror" else Severity.WARNING,
                    f"{view.name}: the lists of packages of {whose} are not those that its Release names",
                    breaks="apt update fails: hash sum mismatch, or the repository is refused.",
                    detail=side.detail or "",
                    facts=(view.found("caught in the middle of a sync", side.role),),
                    remedy=advice("mirror", "Run the sync to its end, and look again."),
                )
        other = [item for item in view.source.items if item.state == "differs" and view.source.kind in ("pypi", "apt")]
        if other:
            yield Problem(
                Severity.ERROR,
                f"{view.name} has other files than upstream under the names of {some([item.name for item in other])}",
                breaks="Installing with digests (--require-hashes, a lock, apt) fails; without, it may be anything.",
                detail=other[0].detail or "",
                facts=tuple(view.found(f"{item.name}: {item.detail or 'differs'}") for item in other[:_FACTS]),
                remedy=advice("mirror", "Delete these files on the mirror and have them fetched again."),
            )


@rule("MIR105", "image-of-mixed-stack", severity=Severity.WARNING, components=("mirror", "container", "tensorrt"))
def image_of_mixed_stack(context: Context) -> Iterable[Problem]:
    """An image on the mirror that is not upstream's has parts in it that do not belong together.

    Why it matters: NVIDIA builds an image with TensorRT, CUDA and cuDNN that fit. One that was made anew under the same
    tag, or built upon, can have a TensorRT that its CUDA or its cuDNN does not serve, and says so only when it runs.

    Example: 26.10-py3 on the mirror has TensorRT 8.6.1 and cuDNN 9.24; TensorRT 8.6 needs cuDNN 8.

    How to fix: Copy upstream's image, and give what is built upon it a tag of its own.

    Sources: triton_notes, merlin_scan
    """
    for view in asked(context):
        from trtdoctor.obtainable import MIRROR
        from trtdoctor.obtainable.images import contents

        for item in view.source.items if view.source.kind == "oci" else ():
            if item.state not in _OWN_BUILDS or not any(one.on in ("both", MIRROR) for one in item.components):
                continue
            found = contents(context.matrix, item, MIRROR)
            why = _mixed(context.matrix, item, found)
            if why is not None:
                shown = ", ".join(f"{name} {text}" for name, text in found.items() if name in _SHOWN)
                yield Problem(
                    Severity.WARNING,
                    f"{view.name} has a {item.name} of mixed parts: {why}",
                    breaks="TensorRT does not start in it, or is not the one that the tag promises.",
                    facts=(view.found(f"{item.name}: {shown}"),),
                    remedy=advice("mirror", "Copy upstream's image; give an image of your own a tag of its own."),
                )


_SHOWN = ("tensorrt", "cuda", "cudnn")


def _mixed(matrix: Matrix, item: MirrorItem, found: dict[str, str]) -> str | None:
    """What does not belong together in an image; None where everything may."""
    version, toolkit, cudnn = (Version.maybe(found.get(name)) for name in _SHOWN)
    if version is None:
        return None
    row = tensorrt.release(matrix, version)
    flavours = tensorrt.flavours(row) if row is not None else ()
    if toolkit is not None and flavours and f"cu{toolkit.major}" not in flavours:
        return f"TensorRT {version} is not built for CUDA {toolkit.major}"
    need = tensorrt.cudnn(row) if row is not None else None
    wanted = Version.maybe(need.version) if need is not None and need.need == "required" else None
    if wanted is not None and cudnn is not None and cudnn.major != wanted.major:
        return f"TensorRT {version} needs cuDNN {wanted.major}, and it has {cudnn}"
    promised = containers.find(matrix, f"{item.project}:{item.version}")
    said = [Version.maybe(promised.text(key)) for key in ("tensorrt", "tensorrt_sbsa")] if promised is not None else []
    known = [one for one in said if one is not None]
    if known and not any(Version.parse(version.short(3)).may_be(Version.parse(one.short(3))) for one in known):
        return f"the tag is that of TensorRT {known[0]}, and it has {version}"
    return None


@rule("MIR204", "tag-moved", severity=Severity.WARNING, components=("mirror", "container"))
def tag_moved(context: Context) -> Iterable[Problem]:
    """Under the same tag the mirror has another image than upstream.

    Why it matters: Upstream re-points a tag when it mends an image, mostly for security; or somebody pushed an image of
    their own over the copy. Either way a test elsewhere says nothing of this one.

    Example: 26.10-py3 was rebuilt upstream on 2026-11-10, and the mirror has the one of 2026-10-28.

    How to fix: Copy the tag again, or pin images by digest.

    Sources: https://github.com/opencontainers/distribution-spec/blob/main/spec.md
    """
    for view in asked(context):
        from trtdoctor.rules.mirror_view import some

        moved = [item for item in view.source.items if item.state == "differs" and view.source.kind == "oci"]
        moved = [item for item in moved if not context.policy.refuses_image(item.version or "")]
        if moved:
            yield Problem(
                Severity.WARNING,
                f"{view.name} has other images than upstream under {some([item.name for item in moved])}",
                breaks="What was tested with upstream's image is not what is pulled from here.",
                detail=moved[0].detail or "",
                facts=tuple(view.found(f"{item.name}: {_digests(item)}") for item in moved[:_FACTS]),
                remedy=advice("mirror", "Copy these tags again, or pull by digest."),
            )


def _digests(item: MirrorItem) -> str:
    ours, theirs = (text[:19] if text else "unknown" for text in (item.mirror_digest, item.upstream_digest))
    return f"{ours} here, {theirs} upstream"
