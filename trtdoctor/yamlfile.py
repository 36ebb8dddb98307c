"""YAML from files that may be hostile: size, depth and aliases are bounded before anything is built."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 60
MAX_NODES = 2_000_000


class YamlError(ValueError):
    """The text is no YAML that we read; the message is one line and names the line where it can."""


def parse(content: bytes | str) -> Any:
    """Parse YAML of plain data; dates stay the text that people typed.

    Aliases are refused: they are how a small file becomes an endless one. Raises :class:`YamlError`.
    """
    import yaml

    if len(content) > MAX_BYTES:
        raise YamlError(f"longer than {MAX_BYTES // 1024 // 1024} MiB")
    loader = _loader()
    try:
        _guard(content, loader)
        return yaml.load(content, Loader=loader)  # noqa: S506 (it derives from the safe loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "not YAML"
        line = f"line {mark.line + 1}: " if mark is not None else ""
        raise YamlError(line + " ".join(str(problem).split())[:160]) from None
    except (ValueError, RecursionError, OverflowError) as error:
        raise YamlError(" ".join(str(error).split())[:160] or "not YAML") from None


def compose(content: bytes | str) -> Any:
    """The tree of nodes, each with the line that it stands in (``start_mark.line``, from 0); None for no content.

    As guarded as :func:`parse`. Raises :class:`YamlError`.
    """
    import yaml

    parse(content)
    return yaml.compose(content, Loader=_loader())


def repeated_keys(content: bytes | str) -> list[tuple[int, str]]:
    """Line and name of each key that its mapping already has: YAML readers keep the last one and say nothing.

    ``content`` is what :func:`parse` accepted.
    """
    import yaml

    found: list[tuple[int, str]] = []
    stack = [yaml.compose(content, Loader=_loader())]
    while stack:
        node = stack.pop()
        if isinstance(node, yaml.SequenceNode):
            stack.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                name = str(key.value)
                if name in seen:
                    found.append((key.start_mark.line + 1, name))
                seen.add(name)
                stack.append(value)
    return sorted(found)


def _guard(content: bytes | str, loader: Any) -> None:
    """Walk the events once, before any object exists."""
    import yaml

    depth = 0
    for nodes, event in enumerate(yaml.parse(content, Loader=loader)):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent):
            raise YamlError(f"line {line}: aliases (*name) are not read")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise YamlError(f"line {line}: nested deeper than {MAX_DEPTH}")
        if nodes > MAX_NODES:
            raise YamlError(f"line {line}: more than {MAX_NODES} values")


@lru_cache(maxsize=1)
def _loader() -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    resolvers = {
        first: [(tag, expression) for tag, expression in entries if tag != "tag:yaml.org,2002:timestamp"]
        for first, entries in base.yaml_implicit_resolvers.items()
    }
    return type("Loader", (base,), {"yaml_implicit_resolvers": resolvers})
