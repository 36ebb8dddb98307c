"""``trtdoctor matrix bundle``."""

from __future__ import annotations

import click

from trtdoctor.cli.matrix_options import complaints, say_lines


@click.command("bundle")
@click.argument("directory", required=False, metavar="[DIR]")
@click.option("-o", "--output", metavar="FILE", help="Default: trtdoctor-matrix-VERSION.tar.gz here.")
@click.option("--needs-program", metavar="VERSION", help="The oldest trtdoctor that can use it; default this one.")
def command(directory: str | None, output: str | None, needs_program: str | None) -> int:
    """Make one archive of the matrix in DIR, or of the one that came with the program: the same bytes each time.

    It is for `trtdoctor matrix update`, on this machine or any other; its SHA-256 is printed.
    """
    import hashlib
    import os
    import tempfile

    from trtdoctor import __version__
    from trtdoctor.matrix import MatrixError
    from trtdoctor.matrix.bundle import make, read, validate
    from trtdoctor.matrix.load import packaged

    with complaints(MatrixError):
        content = make(directory or packaged(), needs_program or __version__)
        made = read(content)
        if needs_program is None:
            validate(made)
    file = output or f"trtdoctor-matrix-{made.version}.tar.gz"
    place = os.path.abspath(file)
    try:
        handle, name = tempfile.mkstemp(dir=os.path.dirname(place), prefix=".trtdoctor-")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            os.chmod(name, 0o644)
            os.replace(name, place)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror or error}") from None
    say_lines(
        [f"{file}: matrix {made.version}, {len(made.files)} files", f"sha256 {hashlib.sha256(content).hexdigest()}"]
    )
    return 0
