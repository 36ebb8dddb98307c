"""The compatibility matrix: load it, look things up, with the source of every value."""

from trtdoctor.matrix.load import Matrix, MatrixError, load
from trtdoctor.matrix.rows import UNKNOWN, Fact, Row

__all__ = ["UNKNOWN", "Fact", "Matrix", "MatrixError", "Row", "load"]
