"""``trtdoctor libs --tree``: for each importer, who needed what, as lddtree draws it.

Only the stack's libraries stand in it, and the files that led to them. A library stands where it was needed first.
"""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.render import libs_words as words
from trtdoctor.render.parts import WIDTH, Paint
from trtdoctor.resolution import Absent, Importer, Libs, Resolved

_DEEPEST = 40
_Node = Resolved | Absent


def trees(libs: Libs, paint: Paint) -> Iterator[str]:
    """The trees of all importers, in their order."""
    for importer in words.shown_importers(libs):
        nodes: list[_Node] = [item for lib in libs.libraries for item in lib.resolved if item.importer == importer.name]
        nodes += [item for item in libs.missing if item.importer == importer.name]
        yield ""
        text = f"{words.importer(importer)}: {words.outcome(importer)}"
        for number, line in enumerate(words.indented(text, "", "  ", WIDTH)):
            yield paint("bold", line) if number == 0 else line
        yield from _Tree(importer, nodes, paint).lines()


class _Tree:
    """One importer's tree while it is drawn."""

    def __init__(self, importer: Importer, nodes: list[_Node], paint: Paint) -> None:
        self.importer = importer
        self.paint = paint
        self.children: dict[str | None, list[_Node]] = {}
        self.drawn: set[int] = set()
        files: dict[str, str] = {}
        for node in nodes:
            if isinstance(node, Resolved):
                # One file may be known by several names: the first is its place in the tree.
                for name in filter(None, (node.path, node.realpath)):
                    files.setdefault(name, node.path or name)
        for node in nodes:
            parent = files.get(node.needed_by or "", node.needed_by)
            self.children.setdefault(parent, []).append(node)
        known = set(files.values())
        self.outside = [path for path in self.children if path is not None and path not in known]
        self.nodes = nodes

    def lines(self) -> Iterator[str]:
        """Its lines, without the importer's own."""
        yield from self._below(None, 1)
        for path in self.outside:
            yield from words.indented(path, "  ", "      ", WIDTH)
            yield from self._below(path, 2)
        for node in self.nodes:  # those of a circle, which nothing outside of it needs
            if id(node) not in self.drawn:
                yield from self._node(node, 1)

    def _below(self, path: str | None, depth: int) -> Iterator[str]:
        for node in self.children.get(path, ()):
            yield from self._node(node, depth)

    def _node(self, node: _Node, depth: int) -> Iterator[str]:
        if id(node) in self.drawn:
            return
        self.drawn.add(id(node))
        margin = "  " * min(depth, _DEEPEST // 2)
        if isinstance(node, Absent):
            text = f"{node.name} => {words.problem(node)}{', and nobody says so' if node.swallowed else ''}"
            for line in words.indented(text, margin, f"{margin}    ", WIDTH):
                yield self.paint("error", line)
            return
        name = node.soname or (node.path or "").rpartition("/")[2] or "a library"
        text = f"{name} => {node.path or 'place unknown'} ({words.step(node, entry=True)})"
        yield from words.indented(text, margin, f"{margin}    ", WIDTH)
        if node.path and depth < _DEEPEST:
            yield from self._below(node.path, depth + 1)
