"""Reading the files that are linted, and those that they include: in bounded size, number and depth."""

from __future__ import annotations

import os
import stat

MAX_BYTES = 64 * 1024 * 1024
"""All files of one run together are at most this long (contracts: 64 MiB for an input)."""
MAX_FILES = 200
MAX_DEPTH = 12


class FileError(ValueError):
    """A file cannot be read, or is not of the format that its name says; the message is one line for the user."""


class Files:
    """Reads files as text and counts what was read: the includes of hostile files come to an end."""

    def __init__(self) -> None:
        """Nothing read yet."""
        self._left = MAX_BYTES
        self._open: list[str] = []
        self._count = 0

    def text(self, path: str) -> str:
        """The text of a regular file. Raises :class:`FileError`."""
        self._count += 1
        if self._count > MAX_FILES:
            raise FileError(f"{path}: more than {MAX_FILES} files are included")
        try:
            mode = os.stat(path).st_mode
            if stat.S_ISDIR(mode):
                raise FileError(f"{path}: is a directory")
            if not stat.S_ISREG(mode):
                raise FileError(f"{path}: is no regular file")
            with open(path, "rb") as stream:
                content = stream.read(self._left + 1)
        except (OSError, ValueError) as error:
            if isinstance(error, FileError):
                raise
            raise FileError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
        if len(content) > self._left:
            raise FileError(f"{path}: longer than {MAX_BYTES // 1024 // 1024} MiB")
        self._left -= len(content)
        return decoded(content, path)

    def enter(self, path: str) -> bool:
        """Begin to read an included file; False when it is being read already or lies too deep."""
        real = os.path.realpath(path)
        if real in self._open or len(self._open) >= MAX_DEPTH:
            return False
        self._open.append(real)
        return True

    def leave(self) -> None:
        """The file that was entered last is done."""
        self._open.pop()


def decoded(content: bytes, path: str) -> str:
    """Text in UTF-8, with or without a byte-order mark, or UTF-16 with one. Raises :class:`FileError`."""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: no {encoding[:5].upper().rstrip('-')} text (byte {error.start})") from None
    if "\0" in text:
        raise FileError(f"{path}: is no text: it holds a NUL")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def beside(path: str, name: str) -> str:
    """``name`` as seen from the directory of ``path``."""
    return os.path.normpath(os.path.join(os.path.dirname(path), name))
