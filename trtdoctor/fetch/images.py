"""``--images``: the container image of a plan as a file that ``docker load`` takes, saved by skopeo or docker."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace

from trtdoctor.fetch.run import SECONDS, FetchError, Say
from trtdoctor.mirror.tools import ToolError, run
from trtdoctor.net.download import digest_of
from trtdoctor.net.landing import opened, settle
from trtdoctor.planned import Planned, PlannedFile

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_PROGRAMS = ("skopeo", "docker")
_LOOPBACK = re.compile(r"(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3})(?::\d+)?/")
"""Registries that docker asks without TLS too."""


def file_of(image: str) -> str:
    """The name of the file that an image is saved to."""
    return f"{re.sub('[^A-Za-z0-9._-]', '_', image)}.tar"


def demand(plan: Planned, directory: str) -> str:
    """The image of a plan, which lies there or can be saved, as far as anybody knows. Raises :class:`FetchError`."""
    if plan.image is None:
        raise FetchError(f"this plan names no image (it is for {plan.install})")
    lies_there = os.path.isfile(os.path.join(directory, file_of(plan.image)))
    if not lies_there and not any(map(shutil.which, _PROGRAMS)):
        raise FetchError(f"neither {' nor '.join(_PROGRAMS)} is installed: one of them saves images")
    return plan.image


def save(plan: Planned, directory: str, environ: Mapping[str, str], say: Say) -> Planned:
    """Save the image of a plan; the plan with its file and digest. What is there already is left as it is.

    Raises :class:`FetchError`, :class:`~trtdoctor.net.landing.LandingError` and OSError.
    """
    image = demand(plan, directory)
    name = file_of(image)
    place = os.path.join(directory, name)
    known = next((item for item in plan.files if item.name == name), None)
    if known is not None and known.sha256 and os.path.isfile(place) and digest_of(place) == known.sha256:
        say(f"  {name}: is there, SHA-256 verified")
        return plan
    with opened(directory) as under_way:
        coming = os.path.join(under_way, name)
        if os.path.exists(coming):
            os.unlink(coming)  # neither program carries on with a half-written file
        say(f"  {name}: saving {image}, which takes a while")
        for words in _commands(image, coming, _ARCHITECTURES.get(str((plan.environment or {}).get("arch")))):
            try:
                ended = run(words, environ, SECONDS)
            except ToolError as error:
                raise FetchError(str(error)) from None
            if ended.code != 0:
                raise FetchError(f"{image}: {words[0]}: {ended.complaint or f'it ended with {ended.code}'}")
        settle(coming, place)
    file = PlannedFile(name, size=os.path.getsize(place), sha256=digest_of(place), origin=None)
    say(f"  {name}: saved, SHA-256 recorded; docker load -i {name}")
    return replace(plan, files=(*(item for item in plan.files if item.name != name), file))


def _commands(image: str, place: str, architecture: str | None) -> list[list[str]]:
    """What saves an image: with skopeo, where it is installed."""
    if shutil.which("skopeo"):
        words = ["skopeo", "copy", "--quiet", "--override-os", "linux"]
        words += ["--override-arch", architecture] if architecture else []
        words += ["--src-tls-verify=false"] if _LOOPBACK.match(image) else []
        return [[*words, f"docker://{image}", f"docker-archive:{place}:{image}"]]
    platform = ["--platform", f"linux/{architecture}"] if architecture else []
    return [["docker", "pull", "--quiet", *platform, image], ["docker", "save", "--output", place, image]]
