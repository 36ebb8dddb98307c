"""Files that name what is to be installed, read into plain records: one module a format, nothing is judged here."""

from __future__ import annotations

from trtdoctor.requirements.files import FileError, Files
from trtdoctor.requirements.read import FORMATS, format_of, read
from trtdoctor.requirements.stated import Base, Requirements, Skipped, Stated, SystemPackage
from trtdoctor.requirements.target import Target

__all__ = [
    "FORMATS",
    "Base",
    "FileError",
    "Files",
    "Requirements",
    "Skipped",
    "Stated",
    "SystemPackage",
    "Target",
    "format_of",
    "read",
]
