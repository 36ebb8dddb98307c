"""Which DLL a process on Windows gets, told from PATH and the copies of a Snapshot. No rule is registered here.

A DLL is known by its file name alone: the first directory of PATH that has one wins, and what is loaded already under
that name is used again, from wherever it came.
"""

from __future__ import annotations

from trtdoctor.matrix import libraries, tensorrt
from trtdoctor.rules.base import Context
from trtdoctor.rules.releases import tensorrt_distributions
from trtdoctor.snapshot import Copy, Loaded, Loading, SearchEntry
from trtdoctor.versions import Version

_CORE = ("builder", "plugin", "parser")


def is_windows(context: Context) -> bool:
    """Whether processes here search PATH for their libraries."""
    return context.snapshot.platform.system == "windows" and not context.snapshot.platform.wsl


def entries(context: Context) -> list[SearchEntry]:
    """The entries of PATH in their order; empty when nobody recorded them."""
    found = [item for item in context.snapshot.search_entries if item.variable.upper() == "PATH"]
    return sorted(found, key=lambda item: item.position)


def on_path(context: Context) -> dict[str, list[tuple[SearchEntry, Copy]]]:
    """Usable copies that PATH leads to, by file name in lower case, the one that wins first."""

    def make() -> dict[str, list[tuple[SearchEntry, Copy]]]:
        by_folder: dict[str, list[Copy]] = {}
        for copy in context.snapshot.copies:
            if copy.path and copy.problem is None and copy.role != "header":
                by_folder.setdefault(_folder(copy.path), []).append(copy)
        found: dict[str, list[tuple[SearchEntry, Copy]]] = {}
        seen: set[str] = set()
        for entry in entries(context):
            key = _normal(entry.path or "")
            if key not in seen:
                seen.add(key)
                for copy in by_folder.get(key, ()):
                    found.setdefault(file_name(copy), []).append((entry, copy))
        return found

    return context.remember("DLLs on PATH", make)


def file_name(copy: Copy) -> str:
    """The name by which a DLL is asked for."""
    return _normal(copy.path or "").rpartition("/")[2]


def beside_python(copy: Copy) -> bool:
    """Whether a DLL lies in a Python package, whose own code finds it."""
    return "/site-packages/" in _normal(copy.path or "") or copy.origin == "pip"


def _normal(path: str) -> str:
    return path.replace("\\", "/").rstrip("/").lower()


def _folder(path: str) -> str:
    return _normal(path).rpartition("/")[0]


def bindings(context: Context) -> Version | None:
    """The release of the TensorRT bindings of the judged Python, where there is just one."""
    versions = {
        Version.maybe(dist.version)
        for dist, spec in tensorrt_distributions(context)
        if spec.product == "full" and dist.has_libraries is not False and spec.real != "placeholder"
    }
    return versions.pop() if len(versions) == 1 else None


def foretold(context: Context) -> list[Loading]:
    """What TensorRT's bindings and torch get, alone and in both orders; nothing where a loading was recorded."""
    if not is_windows(context) or context.snapshot.loadings or not entries(context):
        return []
    alone = [item for item in (_tensorrt(context), _torch(context)) if item is not None]
    if len(alone) < 2:
        return alone
    return [*alone, _after(alone[0], alone[1]), _after(alone[1], alone[0])]


def _tensorrt(context: Context) -> Loading | None:
    version = bindings(context)
    if version is None or any(copy.component == "tensorrt" and beside_python(copy) for copy in context.snapshot.copies):
        return None
    wanted = _needed(context, version)
    loaded = []
    for name, ways in on_path(context).items():
        entry, copy = ways[0]
        spec = libraries.identify(context.matrix, name)
        number = Version.maybe(spec.version if spec and spec.version else copy.version)
        core = copy.component == "tensorrt" and copy.role in _CORE and number is not None
        if (core and number is not None and number.major == version.major) or copy.component in wanted:
            loaded.append(_loaded(copy, name, "windows-path", entry.path))
    return Loading("tensorrt", owner=f"tensorrt {version}", loaded=tuple(loaded)) if loaded else None


def _needed(context: Context, version: Version) -> frozenset[str]:
    """Components that this release surely loads besides its own, where PATH has one DLL name of each."""
    rows = tensorrt.releases(context.matrix, version)
    if not rows or any(tensorrt.cudnn(row, "windows-x86_64").need != "required" for row in rows):
        return frozenset()
    names: dict[str, set[str]] = {}
    for name, ways in on_path(context).items():
        names.setdefault(f"{ways[0][1].component} {ways[0][1].name}", set()).add(name)
    doubtful = {key.partition(" ")[0] for key, found in names.items() if len(found) > 1}
    return frozenset({"cudnn", "cublas", "cuda"}) - doubtful


def _torch(context: Context) -> Loading | None:
    dist = context.stack.distributions.get("torch")
    own = [copy for copy in context.snapshot.copies if _folder(copy.path or "").endswith("/torch/lib")]
    if dist is None or not own:
        return None
    return Loading(
        "torch",
        owner=f"torch {dist.version}",
        loaded=tuple(_loaded(copy, file_name(copy), "preloaded", None) for copy in own if copy.problem is None),
    )


def _after(first: Loading, second: Loading) -> Loading:
    """Both in this order: what the first one loaded answers for every later request of that name."""
    taken = {item.soname for item in first.loaded}
    loaded = (*first.loaded, *(item for item in second.loaded if item.soname not in taken))
    return Loading(f"{first.importer}, {second.importer}", loaded=loaded)


def _loaded(copy: Copy, name: str, step: str, entry: str | None) -> Loaded:
    return Loaded(copy.name or "", name, copy.path, copy.realpath, step, entry)
