"""What a distribution's own files state: requirements, what a build needs, where the wheel behind a stub comes from.

Nothing of what is read is ever run: metadata are text, and of a ``setup.py`` only what can be told without running it.
"""

from __future__ import annotations

import ast
import io
import re
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from email.parser import HeaderParser
from typing import Any

from trtdoctor.record import record
from trtdoctor.requirements.toml import parse as parse_toml

UNKNOWN = "unknown"
NVIDIA_STUB_INDEX = "https://pypi.nvidia.com"
"""Where nvidia-stub 0.1.0 to 0.1.8 look when NVIDIA_PIP_INDEX_URL is not set; its stubs name no address."""
_MOST = 1 << 20
_BLOCK = 1 << 16
_EXTRA = re.compile(r"""\bextra\s*==\s*['"]([^'"]+)['"]""")


@record
class Stated:
    """What the files of one distribution version state."""

    requires: list[str]
    """Requires-Dist without those of extras, as written."""
    extras: dict[str, list[str]]
    """What each extra requires, without markers."""
    build_requires: list[str] | None = None
    """Of a source archive; None for a wheel."""
    stub_of: str | None = None
    """The index that the build fetches the real wheel from; None for what is no stub."""
    nested: list[str] | str | None = None
    """What the build installs with a pip of its own; ``unknown`` where it does and that cannot be told; else None."""


def of_metadata(text: str) -> Stated:
    """From METADATA or PKG-INFO."""
    requires: list[str] = []
    extras: dict[str, list[str]] = {}
    for line in HeaderParser().parsestr(text).get_all("Requires-Dist") or ():
        requirement = " ".join(str(line).split())
        of = _EXTRA.search(requirement)
        if of is None:
            requires.append(requirement)
        else:
            extras.setdefault(of[1], []).append(requirement.partition(";")[0].strip())
    return Stated(requires, extras)


# -- wheels ------------------------------------------------------------------------------------------------------------


def metadata_of_wheel(read: Callable[[int, int], bytes], size: int) -> str:
    """METADATA of a wheel of ``size`` bytes, of which ``read(first, last)`` gives a part: mostly one from its end.

    Raises ValueError when there is none.
    """
    with zipfile.ZipFile(_Parts(read, size)) as archive:
        for item in archive.infolist():
            if re.fullmatch(r"[^/]+\.dist-info/METADATA", item.filename) and item.file_size <= _MOST:
                return archive.read(item).decode("utf-8", "replace")
    raise ValueError("the wheel has no METADATA")


class _Parts(io.RawIOBase):
    """A file of which only parts are fetched."""

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        super().__init__()
        self._read = read
        self._size = size
        self._at = 0
        self._begins = max(0, size - _BLOCK)
        self._part = read(self._begins, size - 1)

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def read(self, count: int = -1) -> bytes:
        count = max(0, min(count if count >= 0 else self._size, self._size - self._at))
        if count > _MOST:
            raise ValueError("the wheel has a list of files that is too long")
        first = self._at - self._begins
        if count and not 0 <= first <= first + count <= len(self._part):
            self._begins, first = self._at, 0
            self._part = self._read(self._at, min(self._size, self._at + max(count, _BLOCK)) - 1)
        self._at += count
        return self._part[first : first + count]


# -- source archives ---------------------------------------------------------------------------------------------------


def of_sdist(content: bytes) -> Stated:
    """From a source archive. Raises ValueError when it has no PKG-INFO."""
    files = _files(content)
    if "PKG-INFO" not in files:
        raise ValueError("the source archive has no PKG-INFO")
    found = of_metadata(files["PKG-INFO"])
    project = parse_toml(files.get("pyproject.toml", ""), "pyproject.toml")
    build = [str(item) for item in project.get("build-system", {}).get("requires") or ("setuptools", "wheel")]
    stub = _stub(project, build)
    setup = Setup(files["setup.py"]) if "setup.py" in files else None
    if setup is None:
        return Stated(found.requires, found.extras, build, stub)
    # pip asks setup.py, and a PKG-INFO before metadata 2.2 only tells what came out where the archive was made.
    requires = setup.requires if isinstance(setup.requires, list) else found.requires
    build += [item for item in setup.setup_requires if item not in build]
    return Stated(requires, found.extras, build, stub, setup.nested)


def _files(content: bytes) -> dict[str, str]:
    wanted = re.compile(r"(?:[^/]+/)?(PKG-INFO|pyproject\.toml|setup\.py)")
    found: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for item in archive:
            match = wanted.fullmatch(item.name.removeprefix("./"))
            stream = archive.extractfile(item) if match and item.isfile() and item.size <= _MOST else None
            if match and stream is not None:
                found[match[1]] = stream.read().decode("utf-8", "replace")
    return found


def _stub(project: dict[str, Any], build: list[str]) -> str | None:
    if any(re.match(r"wheel[-_]stub\b", item) for item in build):
        return str(project.get("tool", {}).get("wheel_stub", {}).get("index_url", UNKNOWN))
    return NVIDIA_STUB_INDEX if any(re.match(r"nvidia[-_]stub\b", item) for item in build) else None


class _CannotTellError(Exception):
    """A value that only running the file would give."""


class _Values(ast.NodeVisitor):
    """The value of constants, names that have one, lists, ``"…".format()``, and what an environment has by default."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}

    def generic_visit(self, node: ast.AST) -> Any:
        raise _CannotTellError

    def visit_Constant(self, node: ast.Constant) -> Any:
        return node.value

    def visit_Name(self, node: ast.Name) -> Any:
        if node.id not in self.names:
            raise _CannotTellError
        return self.names[node.id]

    def visit_List(self, node: ast.List) -> Any:
        return [self.visit(item) for item in node.elts]

    def visit_Dict(self, node: ast.Dict) -> Any:
        if node.keys:
            raise _CannotTellError
        return {}

    def visit_JoinedStr(self, node: ast.JoinedStr) -> Any:
        return "".join(str(self.visit(part)) for part in node.values)

    def visit_FormattedValue(self, node: ast.FormattedValue) -> Any:
        return self.visit(node.value)

    def visit_BoolOp(self, node: ast.BoolOp) -> Any:
        if not isinstance(node.op, ast.Or):
            raise _CannotTellError
        return any(self.visit(item) for item in node.values)

    def visit_Compare(self, node: ast.Compare) -> Any:
        if not isinstance(node.ops[0], ast.Eq):
            raise _CannotTellError
        return self.visit(node.left) == self.visit(node.comparators[0])

    def visit_Call(self, node: ast.Call) -> Any:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            return str(self.visit(node.func.value)).format(*map(self.visit, node.args))
        if ast.unparse(node.func) == "os.environ.get" and len(node.args) == 2:
            return self.visit(node.args[1])
        raise _CannotTellError


class Setup:
    """A ``setup.py``: what it hands to ``setup()``, as far as that can be told without running it."""

    def __init__(self, source: str) -> None:
        """Raises ValueError when it is no Python."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about escapes in strings
                tree = ast.parse(source)
        except (SyntaxError, RecursionError, MemoryError):
            raise ValueError("setup.py is no Python") from None
        self._values = _Values()
        self._arguments: dict[str, ast.expr] = {}
        self._walk(tree.body)
        self.requires: Any = self._argument("install_requires", [])
        """A list, or ``unknown``."""
        stated = self._argument("setup_requires", [])
        self.setup_requires: list[str] = stated if isinstance(stated, list) else []
        self.nested: list[str] | str | None = None
        """What a pip inside the build installs by default; None where there is none."""
        installs = None if self._argument("cmdclass", {}) == {} else _pip_install(tree)
        if installs is not None:
            self.nested = next((value for value in map(self._starred, installs) if value is not None), UNKNOWN)

    def _walk(self, body: list[ast.stmt]) -> None:
        for statement in body:
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                self._set(statement.targets[0].id, statement.value)
            elif isinstance(statement, ast.If):
                self._branch(statement)
            elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
                self._call(statement.value)

    def _set(self, name: str, value: ast.expr) -> None:
        try:
            self._values.names[name] = self._values.visit(value)
        except _CannotTellError:
            self._values.names.pop(name, None)

    def _branch(self, statement: ast.If) -> None:
        try:
            self._walk(statement.body if self._values.visit(statement.test) else statement.orelse)
        except _CannotTellError:
            for name in _changed([*statement.body, *statement.orelse]):  # either way may be taken
                self._values.names.pop(name, None)

    def _call(self, call: ast.Call) -> None:
        function = call.func
        if isinstance(function, ast.Name) and function.id == "setup":
            self._arguments = {item.arg: item.value for item in call.keywords if item.arg}
        elif isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.attr == "extend":
            name = function.value.id
            try:
                self._values.names[name] = [*self._values.names[name], *self._values.visit(call.args[0])]
            except (_CannotTellError, KeyError):
                self._values.names.pop(name, None)

    def _argument(self, name: str, default: Any) -> Any:
        if name not in self._arguments:
            return default
        try:
            return self._values.visit(self._arguments[name])
        except _CannotTellError:
            return UNKNOWN

    def _starred(self, node: ast.Starred) -> list[str] | None:
        try:
            return [str(item) for item in self._values.visit(node.value)]
        except _CannotTellError:
            return None


def _changed(body: list[ast.stmt]) -> set[str]:
    """The names that statements assign, or whose methods they call."""
    nodes = [node for statement in body for node in ast.walk(statement)]
    owners = [node.func.value for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    targets = [target for node in nodes if isinstance(node, ast.Assign) for target in node.targets]
    return {node.id for node in (*owners, *targets) if isinstance(node, ast.Name)}


def _pip_install(tree: ast.AST) -> list[ast.Starred] | None:
    """What stands behind a star in lists that say ``install``, where the file runs pip; None where it does not."""
    lists = [node for node in ast.walk(tree) if isinstance(node, ast.List)]
    words = [{item.value for item in node.elts if isinstance(item, ast.Constant)} for node in lists]
    if not any({"-m", "pip"} <= found for found in words):
        return None
    return [
        item
        for node, found in zip(lists, words, strict=True)
        if "install" in found
        for item in node.elts
        if isinstance(item, ast.Starred)
    ]
