"""JSON Schema, imported only by the tools that check data: lint, overlays, updates."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from trtdoctor.matrix.load import MatrixError, packaged
from trtdoctor.text import clean


def validator(schema: dict[str, Any]) -> Any:
    """A validator for ``schema`` (draft 2020-12); raises :class:`MatrixError` where jsonschema is not installed."""
    try:
        import jsonschema
    except ImportError:
        raise MatrixError("the Python package jsonschema is not installed: python3 -m pip install jsonschema") from None
    return jsonschema.Draft202012Validator(schema)


def problems(schema: dict[str, Any], document: Any) -> Iterator[str]:
    """What is wrong with a document, one line each."""
    for error in validator(schema).iter_errors(document):
        yield explain(error)


def explain(error: Any) -> str:
    """One line for a validation error, led to the branch of anyOf that came nearest."""
    import jsonschema.exceptions

    best = jsonschema.exceptions.best_match([error])
    path = " ".join(str(part) for part in best.absolute_path)
    return clean(f"{path}: {best.message}" if path else str(best.message), 240)


class FileSchema:
    """The JSON Schema of one file of the matrix that came with the program."""

    def __init__(self, file: str) -> None:
        """Read it; raises :class:`MatrixError` when it is not there."""
        path = os.path.join(packaged(), "schema", f"{file}.schema.json")
        try:
            with open(path, "rb") as stream:
                self._schema: dict[str, Any] = json.loads(stream.read())
        except (OSError, ValueError) as error:
            raise MatrixError(f"{path}: {error}") from None

    def rows(self, table: str) -> RowSchema:
        """For one row of a table."""
        return self._part(self._schema["properties"].get(table, {}).get("items", True))

    def mapping(self, table: str) -> RowSchema:
        """For a table that is one mapping."""
        return self._part(self._schema["properties"].get(table, True))

    def _part(self, part: Any) -> RowSchema:
        return RowSchema({"$defs": self._schema.get("$defs", {}), "allOf": [part]})


class RowSchema:
    """Says what is wrong with a row that an overlay touched."""

    def __init__(self, schema: dict[str, Any]) -> None:
        """``schema`` as in the file, with its ``$defs``."""
        self._validator = validator(schema)

    def problem(self, row: dict[str, Any]) -> str | None:
        """One line, None when nothing is wrong."""
        error = next(iter(self._validator.iter_errors(_without_overlay(row))), None)
        return explain(error) if error is not None else None


def _without_overlay(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_overlay(item) for key, item in value.items() if key != "overlay"}
    return [_without_overlay(item) for item in value] if isinstance(value, list) else value
