"""pip download: one command a file, pinned and with its digest; of a stub the wheel that its build would fetch.

Sources: pip's documentation of ``pip download``; run with pip 21.3, 23.2 and 26.3 against an index on this machine.
Measured: ``pip download`` of a stub fetches the whole wheel, throws it away and keeps the stub.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from trtdoctor.mirror.emit import EmitOptions
from trtdoctor.mirror.emit.head import comments, head
from trtdoctor.mirror.emit.names import EmitError, checked, place
from trtdoctor.mirror.wants import SyncItem
from trtdoctor.record import record
from trtdoctor.text import clean


@record
class Wanted:
    """One file that is to be fetched."""

    item: SyncItem
    name: str
    size: int | None
    sha256: str | None
    index: str
    """The simple index that has it."""

    @property
    def is_wheel(self) -> bool:
        """Whether it is a wheel; else a source archive."""
        return self.name.endswith(".whl")

    @property
    def pin(self) -> str:
        """The line of a requirements file that nothing else satisfies."""
        plain = f"{self.item.project}=={self.item.version}"
        return f"{plain} --hash=sha256:{self.sha256}" if self.sha256 else plain


def emit(items: Sequence[SyncItem], options: EmitOptions) -> str:
    """A shell script."""
    found, left = files(items, options)
    notes = ["Run it with sh. One file that fails does not stop the others."]
    if any(not wanted.is_wheel for wanted in found):
        notes.append("pip runs the code of a source archive to read its metadata.")
    if any(wanted.sha256 is None for wanted in found):
        notes.append("Where no --hash stands, the index tells none: what comes is not verified.")
    opened = sorted({place(wanted.index).host for wanted in found if place(wanted.index).open})
    notes += [f"{host} is asked without TLS, as its address says." for host in opened]
    lines = head("pip-download", options, *notes)
    lines += ["failed=0", shlex.join(["mkdir", "-p", "--", options.into])]
    for wanted in found:
        lines += comments(f"{wanted.name}: {wanted.item.why}".rstrip(": "))
        lines.append(f"{shlex.join(command(wanted, options.into, '/dev/stdin'))} <<'END' || failed=1")
        lines += [wanted.pin, "END"]
    for name, why in left:
        lines += comments(f"left out: {name}: {why}")
    return "\n".join([*lines, 'exit "$failed"']) + "\n"


def command(
    wanted: Wanted, into: str, requirements: str, python: Sequence[str] = ("python3", "-m", "pip")
) -> list[str]:
    """The command for one file, as a list; its pin stands in the file ``requirements``."""
    words = [*python, "download", "--no-deps", "--index-url", f"{wanted.index}/", "--dest", into]
    if place(wanted.index).open:
        words += ["--trusted-host", place(wanted.index).host]
    if wanted.is_wheel:
        words += ["--only-binary", ":all:", "--ignore-requires-python", *tag_options(wanted.name)]
    else:
        words += ["--no-binary", wanted.item.project]
    if wanted.sha256:
        words.append("--require-hashes")
    return [*words, "--requirement", requirements]


def tag_options(name: str) -> list[str]:
    """The options of pip under which it takes exactly this wheel, whatever machine it runs on.

    Raises :class:`EmitError` for what is no wheel's name.
    """
    parts = name.removesuffix(".whl").rsplit("-", 3)
    pythons, abis, platforms = (part.split(".") for part in parts[-3:]) if len(parts) == 4 else ([""], [], [])
    interpreter = pythons[-1]
    if interpreter[:2] not in ("py", "cp", "pp") or not interpreter[2:].isdecimal():
        raise EmitError(f"{clean(name, 80)!r} is no wheel that pip could be asked for")
    version = interpreter[2] + (f".{interpreter[3:]}" if interpreter[3:] else "")
    words = ["--implementation", interpreter[:2], "--python-version", version]
    for abi in abis:
        words += ["--abi", abi]
    for platform in platforms:
        words += ["--platform", platform]
    return words


def files(
    items: Sequence[SyncItem], options: EmitOptions, *, stubs: bool = False
) -> tuple[tuple[Wanted, ...], tuple[tuple[str, str], ...]]:
    """The files to fetch, in order; and the names of those that are left to others, with the reason.

    A stub gives way to its wheel where that is among the items; else it is left out, unless ``stubs``: for who can
    fetch it without building it.
    """
    found = checked(items)
    behind = {(item.project, item.version) for item in found if item.origin}
    wanted: list[Wanted] = []
    left: list[tuple[str, str]] = []
    for item in found:
        if not item.files:
            left.append((f"{item.project} {item.version}", "nobody says which files it has"))
        for name, size, sha256 in sorted(item.files, key=lambda file: file[0]):
            file = Wanted(item, name, size, sha256, place(item.origin or item.upstream).url)
            is_stub = not file.is_wheel and not item.origin
            if is_stub and (item.project, item.version) in behind:
                left.append((name, "a stub: the wheel itself is fetched"))
            elif is_stub and item.project in options.stubs and not stubs:
                left.append((name, "a stub: pip would fetch the wheel and keep the stub; --apply takes it as it is"))
            else:
                wanted.append(file)
    return tuple(_once(wanted)), tuple(sorted(set(left)))


def _once(wanted: Sequence[Wanted]) -> Iterator[Wanted]:
    """Each file name once. Raises :class:`EmitError` for two files of one name."""
    known: dict[str, Wanted] = {}
    for file in wanted:
        other = known.setdefault(file.name, file)
        if other is file:
            yield file
        elif other.sha256 != file.sha256:
            raise EmitError(f"two files are called {file.name}, of {other.index} and {file.index}")
