"""What it costs to compare a repository of container images with its mirror, beside what people do by hand.

    python benchmarks/mirror.py [--tags N] [--sample N]

Two real registries on this machine (Debian's docker-registry) with N tags (default 500); the mirror lacks the newest
ten and has five others under the same names. Measured are a first look, a second one with what the first one saw after
upstream got two tags and the mirror three, and ``skopeo list-tags`` with ``skopeo inspect`` per tag on both sides. Each
look is a process of its own, start and matrix included. skopeo inspects a sample of the tags (default 40), scaled to
all; ``--sample 0`` leaves it out. What was asked is read from the registries' own logs.

Exits 1 when a target is missed: at most one HEAD for each tag and side; on the second look only for what is new, was
not the same, or moved; not a byte of a layer; ten times faster than skopeo.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.mirror.registries import Pusher, Server, registry  # noqa: E402

UPSTREAM, MIRROR = "nvidia/tensorrt", "ngc/nvidia/tensorrt"
LACKING, DIFFERING, NEW, CAUGHT_UP = 10, 5, 2, 3
TIMES_FASTER = 10.0
NOW = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)


@dataclass
class Look:
    """One look at the pair."""

    seconds: float
    heads: int
    """HEAD for manifests, both sides."""
    most_heads: int
    """For one tag on one side."""
    others: int
    """All other requests."""
    layer_bytes: int
    """Of answers to questions for layers, of any method."""
    states: dict[str, int]


@dataclass
class Outcome:
    """Everything that was measured."""

    tags: int
    first: Look
    second: Look
    allowed: int
    """How many HEADs the second look may cost."""
    skopeo_seconds: float | None
    sample: int

    @property
    def missed(self) -> list[str]:
        """The targets that are missed."""
        found = []
        if self.first.most_heads > 1 or self.second.most_heads > 1:
            found.append("more than one HEAD for a tag on one side")
        if self.second.heads > self.allowed:
            found.append(f"the second look asked for {self.second.heads} tags, {self.allowed} were new or not the same")
        if self.first.layer_bytes or self.second.layer_bytes:
            found.append("bytes of layers were fetched")
        if self.skopeo_seconds is not None and self.skopeo_seconds < TIMES_FASTER * self.first.seconds:
            found.append(f"not {TIMES_FASTER:.0f} times faster than skopeo")
        return found


def names(count: int) -> list[str]:
    """Tags as NVIDIA has them, newest first."""
    months = [f"{year}.{month:02}" for year in range(26, 10, -1) for month in range(12, 0, -1)]
    flavours = ("py3", "py3-igpu", "py3-min", "py3-sdk")
    return [f"{month}-{flavour}" for month in months for flavour in flavours][:count]


def measure(count: int, sample: int) -> Outcome:
    """Set up both registries, and look."""
    tags = names(count + NEW)
    later, known = tags[:NEW], tags[NEW:]
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        with registry(place / "up", logged=True) as ours, registry(place / "here", logged=True) as theirs:
            above, here = Pusher(ours, UPSTREAM), Pusher(theirs, MIRROR)
            env = ["CUDA_VERSION=13.4.3.001", "TRT_VERSION=11.4.0.106"]
            above.many(known, env=env)
            here.many(known[LACKING:-DIFFERING], env=env)
            here.many(known[-DIFFERING:], env=["CUDA_VERSION=12.9.1"])
            state = place / "state.json"
            first = look(ours, theirs, state)
            above.many(later, env=env)
            here.many(known[LACKING - CAUGHT_UP : LACKING], env=env)
            second = look(ours, theirs, state)
            seconds = by_skopeo(ours, theirs, known, known[LACKING:], sample) if sample else None
    # New upstream: one each. Caught up, and differing: both sides.
    return Outcome(count, first, second, NEW + 2 * (CAUGHT_UP + DIFFERING), seconds, sample)


def look(ours: Server, theirs: Server, state: Path) -> Look:
    """One look by a process of its own, which keeps what it saw in ``state``."""
    before = [len(server.requests()) for server in (ours, theirs)]
    addresses = [f"{ours.address}/{UPSTREAM}", f"{theirs.address}/{MIRROR}"]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), "--look", *addresses, str(state)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"the look failed: {done.stderr[-600:]}")
    asked: list[tuple[str, str, int]] = []
    heads = Counter[tuple[int, str]]()
    for number, server in enumerate((ours, theirs)):
        some = server.requests()[before[number] :]
        asked += some
        heads += Counter((number, path) for method, path, _ in some if method == "HEAD" and "/manifests/" in path)
    layers = {digest for server in (ours, theirs) for digest in layers_of(server)}
    return Look(
        seconds,
        sum(heads.values()),
        max(heads.values(), default=0),
        len(asked) - sum(heads.values()),
        sum(size for _, path, size in asked if path.rpartition("/")[2] in layers),
        json.loads(done.stdout),
    )


def layers_of(server: Server) -> set[str]:
    """Digests of the layers that a registry holds: what is packed."""
    packed = (path for path in server.data.rglob("blobs/sha256/*/*/data") if path.read_bytes()[:2] == b"\x1f\x8b")
    return {f"sha256:{path.parent.name}" for path in packed}


def look_once(upstream: str, mirror: str, state: str) -> None:
    """What ``--look`` does: one look, the counts of its states printed."""
    from trtdoctor.config.mirrors import Mirror
    from trtdoctor.matrix import load
    from trtdoctor.mirror.oci import look as look_at
    from trtdoctor.net.http import Client
    from trtdoctor.snapshot import Snapshot

    place = Path(state)
    before = Snapshot.from_json(place.read_bytes()).mirrors[0] if place.exists() else None
    with Client(240) as client:
        pair = Mirror("benchmark", "oci", mirror, upstream, tags=("*",))
        found = look_at(pair, load(), client, before=before, now=NOW, environ={})
    place.write_text(json.dumps(Snapshot(mirrors=(found,)).to_plain()))
    print(json.dumps(Counter(item.state for item in found.items)))


def by_skopeo(ours: Server, theirs: Server, above: list[str], here: list[str], sample: int) -> float:
    """Seconds that skopeo takes: two lists, and each tag on each side, of which a sample is inspected."""

    def run(*arguments: str) -> float:
        started = time.perf_counter()
        subprocess.run(["skopeo", *arguments], check=True, capture_output=True, timeout=120)
        return time.perf_counter() - started

    total = 0.0
    for server, repository, tags in ((ours, UPSTREAM, above), (theirs, MIRROR, here)):
        address = f"docker://{server.address.removeprefix('http://')}/{repository}"
        total += run("list-tags", "--tls-verify=false", address)
        chosen = tags[:: max(1, len(tags) // sample)][:sample]
        inspected = sum(run("inspect", "--no-tags", "--tls-verify=false", f"{address}:{tag}") for tag in chosen)
        total += inspected * len(tags) / len(chosen)
    return total


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tags", type=int, default=500)
    parser.add_argument("--sample", type=int, default=40)
    parser.add_argument("--look", nargs=3, metavar=("UPSTREAM", "MIRROR", "STATE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.look:
        look_once(*options.look)
        return 0
    outcome = measure(options.tags, options.sample)
    for name, one in (("first look", outcome.first), ("second look", outcome.second)):
        print(
            f"{name:<12} {one.seconds:6.2f} s   {one.heads:5} HEAD (at most {one.most_heads} for a tag and side)   "
            f"{one.others:4} others   {one.layer_bytes} bytes of layers   {one.states}"
        )
    if outcome.skopeo_seconds is not None:
        ratios = [outcome.skopeo_seconds / one.seconds for one in (outcome.first, outcome.second)]
        print(
            f"{'skopeo':<12} {outcome.skopeo_seconds:6.2f} s   list-tags and inspect per tag, scaled from "
            f"{outcome.sample} tags a side: {ratios[0]:.1f} and {ratios[1]:.1f} times as long (target 10)"
        )
    for text in outcome.missed:
        print(f"missed: {text}")
    return 1 if outcome.missed else 0


if __name__ == "__main__":
    sys.exit(main())
