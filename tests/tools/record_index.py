"""Record the files that the Python package index has of the stack, as ``matrix/artefacts.yaml``.

    python -m tests.tools.record_index [--into FILE] [--cache FOLDER] [--day DAY] [DISTRIBUTION ...]

Asks the index that pip is configured with, one question at a time: a list of files (PEP 691) for each distribution,
and what their metadata state: of a wheel the end of the file (or its ``.metadata``), of a source archive the whole,
where it is small. Answers are kept in FOLDER, so that a second run asks nothing; name another one for another day.

Recorded are final releases that the matrix knows (wheels.yaml, and the CUDA majors of cuda.yaml), so write those rows
first. Lines on stderr tell what could not be read. Exit status: 0, or 2 when nothing was written.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from packaging.version import Version

from tests.tools.index_metadata import UNKNOWN, Stated, metadata_of_wheel, of_metadata, of_sdist
from trtdoctor.matrix import Matrix, distributions, load, wheels
from trtdoctor.matrix.pipindex import IndexUnreachableError, certificates, index_url
from trtdoctor.net import simple_page
from trtdoctor.net.credentials import of_address
from trtdoctor.net.http import Client, NetError
from trtdoctor.net.simple_page import IndexFile
from trtdoctor.net.words import host_of
from trtdoctor.render import write_whole
from trtdoctor.versions import Version as Written
from trtdoctor.yamlfile import parse

HEAD = """\
# The files of the stack on the Python package index, as they were on {day}: what an installation takes, how old it is.
# Written by tests/tools/record_index.py; do not edit. Rows are named by distribution and version.
# uploaded: the day of the first file. requires: what the metadata of the version state, without extras (of one wheel,
# for Linux x86-64 where there is one; "unknown": not read). Those of a stub are its own: the wheel that its build
# fetches may state others. What setup.py says counts before PKG-INFO, as it does for pip.
# extras: of cuda-toolkit, what those for our libraries require on the platforms that they are for.
# build_requires: of a source archive, what pip needs to build it. stub_of: the index that this build fetches the real
# wheel from. nested: what the build installs with a pip of its own, which also asks https://pypi.nvidia.com; they are
# requirements instead where pip is configured with that index.
# wheels: platform tag to Python tag (a build number before it) to bytes and SHA-256. The ABI tag is always "none", the
# name DISTRIBUTION-VERSION-PYTHON-none-PLATFORM.whl with underscores for hyphens. sdist: name, bytes, SHA-256; left out
# where a wheel fits everywhere.
# Not recorded: pre-releases, what wheels.yaml calls placeholder or unknown, wheels for Pythons before 3.8 and for musl,
# and of the TensorRT lean and dispatch runtimes all but the newest release of each TensorRT major.
schema: trtdoctor-matrix-artefacts/1
source: package_index
certainty: measured

artefacts:
"""
OTHERS = (
    "cuda-toolkit",
    *(f"nvidia-{part}{cu}" for part in ("cuda-runtime", "cublas", "cuda-nvrtc") for cu in ("", "-cu12", "-cu11")),
    *("wheel-stub", "nvidia-stub", "polygraphy", "onnx-graphsurgeon"),
)
"""Distributions that wheels.yaml does not list."""
EXTRAS = ("cudart", "cublas", "nvrtc")
OF_CUDA = ("cuda", "cublas", "nvrtc", "cuda-toolkit")
JSON = "application/vnd.pypi.simple.v1+json"
SECONDS = 3600.0
SMALL = 4 << 20
"""No file that is longer is fetched whole."""
KINDS = ("real", "meta", "stub")
OTHER_PYTHONS = re.compile(r"musllinux|-(?:cp2\d|cp3[0-7])-")
FIRST = re.compile(r"manylinux.*x86_64\.whl")
"""The wheel whose metadata are read, where there is one."""


class Index:
    """The index, asked at most once for each thing."""

    def __init__(self, client: Client, address: str, cache: Path) -> None:
        """Keeps answers below ``cache``, those of each address apart."""
        self._client = client
        self._address, self._login = of_address(address.rstrip("/"))
        self._cache = cache / hashlib.sha256(self._address.encode()).hexdigest()[:16]
        self._cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._whole_only = False
        """Whether the index has shown that it gives no parts of files."""

    def files(self, name: str) -> tuple[IndexFile, ...]:
        """The files of a distribution; none when the index has none. Raises NetError, and ValueError for no JSON."""
        address = f"{self._address}/{name}/"

        def ask() -> bytes:
            answer = self._client.get(address, most=simple_page.MOST_BYTES, accept=JSON, auth=self._auth(address))
            if answer.status != 404 and (answer.status != 200 or "json" not in answer.kind):
                raise ValueError(f"{name}: status {answer.status}, {answer.kind or 'no type'}: wanted {JSON}")
            return b'{"files": []}' if answer.status == 404 else answer.body

        return simple_page.read(self._kept(f"{name}.json", ask), JSON, name, address).files

    def stated(self, file: IndexFile) -> Stated:
        """What the metadata of a file state. Raises NetError, and ValueError where they cannot be read."""
        name = f"{(file.sha256 or '')[:16]}-{file.name}"
        if not file.name.endswith(".whl"):
            return of_sdist(self._kept(name, lambda: self._whole(file)))
        return of_metadata(self._kept(f"{name}.metadata", lambda: self._metadata(file)).decode("utf-8", "replace"))

    def _auth(self, url: str) -> Any:
        """The login of the index, for its own host alone."""
        return self._login.auth() if self._login and host_of(url) == host_of(self._address) else None

    def _kept(self, name: str, make: Callable[[], bytes]) -> bytes:
        path = self._cache / name
        if not path.exists():
            part = path.with_name(path.name + ".part")
            part.write_bytes(make())
            part.replace(path)
        return path.read_bytes()

    def _whole(self, file: IndexFile) -> bytes:
        answer = self._client.get(file.url, most=SMALL, auth=self._auth(file.url))
        if answer.status != 200 or file.sha256 not in (None, hashlib.sha256(answer.body).hexdigest()):
            raise ValueError(f"status {answer.status}, or not the content that the index states")
        return answer.body

    def _metadata(self, file: IndexFile) -> bytes:
        """The end of the wheel, a whole small one, or what the index gives beside it (PEP 658)."""
        size = file.size or 0
        if size and (not self._whole_only or size <= SMALL):
            try:
                return metadata_of_wheel(lambda first, last: self._part(file.url, size, first, last), size).encode()
            except _WholeOnlyError:
                self._whole_only = True
        answer = self._client.get(file.url + ".metadata", most=SMALL, auth=self._auth(file.url))
        if answer.status != 200:
            raise ValueError(f"the index gives no parts of files, and no metadata (status {answer.status})")
        return answer.body

    def _part(self, url: str, size: int, first: int, last: int) -> bytes:
        wanted = {"range": f"bytes={first}-{last}"}
        with self._client.stream(url, most=SMALL, headers=wanted, auth=self._auth(url)) as (answer, parts):
            if answer.status == 206:
                return b"".join(parts)
            if answer.status != 200:
                raise ValueError(f"status {answer.status}")
            if size > SMALL:
                raise _WholeOnlyError
            return b"".join(parts)[first : last + 1]


class _WholeOnlyError(Exception):
    """The index ignores that only a part is wanted."""


def names(matrix: Matrix) -> list[str]:
    """The distributions to record."""
    return [*wheels.distributions(matrix), *OTHERS]


def wanted(matrix: Matrix, name: str, listed: Iterable[Version]) -> list[Version]:
    """The versions to record, newest first."""
    spec = distributions.identify(matrix, name)
    final = sorted((version for version in listed if not version.is_prerelease), reverse=True)
    if name in wheels.distributions(matrix):
        known = {
            Version(text)
            for text in wheels.versions(matrix, name)
            if (row := wheels.of(matrix, name, Written.parse(text))) and wheels.kind(row) in KINDS
        }
        final = [version for version in final if version in known]
    elif spec is not None and spec.component in OF_CUDA:
        majors = {row.key for row in matrix.rows("cuda", "majors")}
        final = [version for version in final if str(version.major) in majors]
    if spec is not None and spec.product in ("lean", "dispatch"):
        newest = {version.major: version for version in reversed(final)}
        final = [version for version in final if newest[version.major] == version]
    return final


def rows(matrix: Matrix, index: Index, name: str, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """The rows of a distribution; ``say`` is told what could not be read."""
    versions: dict[Version, list[IndexFile]] = {}
    for file in index.files(name):
        versions.setdefault(Version(file.version), []).append(file)
    if not versions:
        say(f"{name}: the index does not have it")
    for version in wanted(matrix, name, versions):
        every = versions[version]
        files = sorted((file for file in every if not OTHER_PYTHONS.search(file.name)), key=lambda file: file.name)
        made: dict[str, Any] = {
            "id": f"{name} {version}",
            "uploaded": min(file.uploaded or UNKNOWN for file in every)[:10],
        }
        if all(file.yanked for file in files):
            made["yanked"] = True
        else:
            files = [file for file in files if not file.yanked]
        if not files:
            say(f"{name} {version}: none of its files is recorded")
            continue
        listed = by_platform(f"{name.replace('-', '_')}-{version}-", files)
        sources = [file for file in files if not file.name.endswith(".whl") and "any" not in listed]
        best = min(files, key=lambda file: (not file.name.endswith(".whl"), "manylinux" not in file.name))
        try:
            made |= _stated(index.stated(next((file for file in files if FIRST.search(file.name)), best)))
        except (NetError, ValueError) as error:
            say(f"{made['id']}: metadata not read: {error}")
            made["requires"] = UNKNOWN
        if listed:
            made["wheels"] = listed
        if sources:
            made["sdist"] = [sources[0].name, *_facts(sources[0])]
        yield made


def by_platform(stem: str, files: Iterable[IndexFile]) -> dict[str, dict[str, list[Any]]]:
    """The wheels by platform tag and Python tag. Raises ValueError for a name that the form has no place for."""
    found: dict[str, dict[str, list[Any]]] = {}
    for file in (file for file in files if file.name.endswith(".whl")):
        python, abi, platform = file.name.removeprefix(stem).removesuffix(".whl").rsplit("-", 2)
        if abi != "none" or not file.name.startswith(stem):
            raise ValueError(f"{file.name} is not named as the others are")
        found.setdefault(platform, {})[python] = _facts(file)
    return {platform: dict(sorted(pythons.items(), key=_number)) for platform, pythons in sorted(found.items())}


def _stated(stated: Stated) -> dict[str, Any]:
    extras = {name: stated.extras[name] for name in EXTRAS if name in stated.extras}
    found = {
        "requires": stated.requires,
        "extras": extras or None,
        "build_requires": stated.build_requires,
        "stub_of": stated.stub_of,
        "nested": stated.nested,
    }
    return {key: value for key, value in found.items() if value is not None}


def _facts(file: IndexFile) -> list[Any]:
    return [file.size or UNKNOWN, file.sha256 or UNKNOWN]


def _number(entry: tuple[str, Any]) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", entry[0])]


# -- YAML --------------------------------------------------------------------------------------------------------------


def written(document: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The lines of the rows."""
    for entry in document:
        sign = "-"
        for key, value in entry.items():
            if key == "wheels":
                yield "  wheels:"
                yield from (f"    {platform}: {_flow(pythons)}" for platform, pythons in value.items())
            else:
                yield f"{sign} {key}: {_flow(value)}"
            sign = " "


def _flow(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_flow(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, str):
        plain = re.fullmatch(r"[A-Za-z][\w.=-]*(?: [\w.]+)?|[0-9a-f]{64}|https://[\w./-]+", value)
        return value if plain else json.dumps(value)
    return json.dumps(value)


def main() -> int:
    """Record; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("distributions", nargs="*", metavar="DISTRIBUTION", help="only these")
    parser.add_argument("--into", type=Path, default=Path(__file__).resolve().parents[2] / "matrix" / "artefacts.yaml")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "trtdoctor-index")
    parser.add_argument("--day", default=date.today().isoformat(), help="the day that the file's head names")
    options = parser.parse_args()
    matrix = load(Path(__file__).resolve().parents[2] / "matrix")

    def say(line: str) -> None:
        print(line, file=sys.stderr)

    try:
        with Client(SECONDS, verify=certificates(), at_once=1) as client:
            index = Index(client, index_url(), options.cache)
            chosen = options.distributions or names(matrix)
            found = [made for name in chosen for made in rows(matrix, index, name, say)]
            say(f"{len(found)} rows, {client.requests} requests")
        text = HEAD.format(day=options.day) + "\n".join(written(found)) + "\n"
        assert parse(text)["artefacts"] == found, "what was written does not read as it should"
    except (IndexUnreachableError, NetError, ValueError, KeyError, TypeError) as error:
        say(f"record_index: {error}")
        return 2
    write_whole(str(options.into), text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
