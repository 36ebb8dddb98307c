"""Files of Python distributions: wheels by pip, source archives as they are, each verified before it gets its name.

pip builds a source archive to learn its metadata; of a stub that would fetch the whole wheel (measured), so those are
fetched here. What is under way lies in a directory of its own beside the others, and a file of the right name with the
wrong content is set aside, never overwritten.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import quote, urlsplit, urlunsplit

from trtdoctor.mirror.apply import FAILED, Job, Outcome, Run
from trtdoctor.mirror.emit.pip_download import Wanted, command, files
from trtdoctor.mirror.tools import ToolError, find, run
from trtdoctor.mirror.wants import SyncItem
from trtdoctor.net import credentials
from trtdoctor.net.credentials import CredentialsError, Login
from trtdoctor.net.download import digest_of
from trtdoctor.net.http import Client, NetError
from trtdoctor.net.landing import LandingError, is_there, opened, set_aside, settle
from trtdoctor.net.words import host_of, shown

MOST_ARCHIVE = 256 << 20
"""Bytes of a source archive; those of the stack have some ten thousand."""
_PAGE_SECONDS = 300.0


@contextmanager
def jobs(items: Sequence[SyncItem], this: Run) -> Iterator[tuple[Job, ...]]:
    """A job for each file. Raises as :func:`~trtdoctor.mirror.apply.apply` does."""
    wanted, left = files(items, this.options, stubs=True)
    into = os.path.abspath(this.options.into)
    passed = tuple(Job(name, _leave(name, why)) for name, why in left)
    if this.dry:
        yield (*(Job(file.name, _Fetcher(file, into, "", (), this).tell) for file in wanted), *passed)
        return
    pip = _pip() if any(file.is_wheel for file in wanted) else ()
    with _opened(into) as incoming:
        yield (*(Job(file.name, _Fetcher(file, into, incoming, pip, this).bring) for file in wanted), *passed)


def _leave(name: str, why: str) -> Callable[[], Outcome]:
    return lambda: Outcome(name, "left", why)


class _Fetcher:
    """Fetches one file."""

    def __init__(self, wanted: Wanted, into: str, incoming: str, pip: Sequence[str], this: Run) -> None:
        self._wanted = wanted
        self._into = into
        self._incoming = incoming
        self._pip = pip
        self._run = this
        self._place = os.path.join(into, wanted.name)

    def tell(self) -> Outcome:
        """What would be done."""
        try:
            if self._is_there():
                return Outcome(self._wanted.name, "there", self._verified())
        except OSError as error:
            return Outcome(self._wanted.name, FAILED, str(error.strerror or error))
        if self._wanted.is_wheel:
            pins = f" (with {self._wanted.pin})"
            return Outcome(self._wanted.name, "would", shlex.join(command(self._wanted, self._into, "FILE")) + pins)
        return Outcome(self._wanted.name, "would", f"fetch it from {self._wanted.index}/{self._wanted.item.project}/")

    def bring(self) -> Outcome:
        """Fetch it where it is not there; whatever goes wrong becomes an outcome."""
        try:
            return self._bring()
        except (ToolError, CredentialsError, NetError) as error:
            return Outcome(self._wanted.name, FAILED, str(error))
        except OSError as error:
            return Outcome(self._wanted.name, FAILED, str(error.strerror or error))

    def _bring(self) -> Outcome:
        name = self._wanted.name
        if self._is_there():
            return Outcome(name, "there", self._verified())
        fetched = self._by_pip() if self._wanted.is_wheel else self._by_ourselves()
        digest = digest_of(fetched)
        if self._wanted.sha256 is not None and digest != self._wanted.sha256:
            kept = set_aside(fetched, self._into)
            return Outcome(
                name, FAILED, f"it came with SHA-256 {digest[:12]}…, not with the one that is stated: {kept}"
            )
        aside = settle(fetched, self._place)
        return Outcome(name, "done", self._verified() + (f"; what was there is now {aside}" if aside else ""))

    def _is_there(self) -> bool:
        return is_there(self._place, self._wanted.size, self._wanted.sha256)

    def _verified(self) -> str:
        return f"SHA-256 {self._wanted.sha256}" if self._wanted.sha256 else "not verified: the index states no SHA-256"

    def _by_pip(self) -> str:
        """Where the wheel lies then. Raises :class:`ToolError` with what pip says."""
        wanted = self._wanted
        pins = os.path.join(self._incoming, "pins.txt")
        with open(pins, "w", encoding="ascii") as stream:
            stream.write(f"{wanted.pin}\n")
        words = [*command(wanted, self._incoming, pins, self._pip), "--no-cache-dir", "--quiet"]
        environ = {**self._run.environ, "TMPDIR": self._incoming, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        address, login = self._access()
        if login is not None or address is None:
            at = words.index("--index-url")
            del words[at : at + 2]
        if login is not None:
            environ["PIP_INDEX_URL"] = _with_login(f"{wanted.index}/", login)
        secrets = [login.password, quote(login.password, safe="")] if login is not None else []
        ended = run(words, environ, self._run.left, secrets=secrets)
        if ended.code != 0:
            refused = "DO NOT MATCH THE HASHES" in ended.complaint
            said = "what came has another SHA-256 than the one that is stated, and pip threw it away"
            raise ToolError(said if refused else ended.complaint or f"pip ended with {ended.code}")
        fetched = os.path.join(self._incoming, wanted.name)
        if os.path.islink(fetched) or not os.path.isfile(fetched):
            raise ToolError("pip fetched another file than this one")
        return fetched

    def _access(self) -> tuple[str | None, Login | None]:
        """The index as pip is to be told of it, None where it knows already; and a login from variables.

        Raises :class:`CredentialsError` for one that pip cannot be given.
        """
        login = self._from_variables()
        if login is None:
            return (None if self._of_pip() is not None else self._wanted.index), None
        if login.token:
            raise CredentialsError("pip cannot be given a token for an index: name a user and a password")
        return self._wanted.index, login

    def _from_variables(self) -> Login | None:
        """The login that the source's table names, which is for upstream's index alone."""
        mirror = next((item for item in self._run.options.mirrors if item.id == self._wanted.item.source), None)
        if mirror is None or self._wanted.item.origin is not None:
            return None
        names = {
            "username_env": mirror.upstream_username_env,
            "password_env": mirror.upstream_password_env,
            "token_env": mirror.upstream_token_env,
        }
        return credentials.find(self._wanted.index, self._run.environ, **names) if any(names.values()) else None

    def _of_pip(self) -> tuple[str, Login | None] | None:
        """The address and the login that pip has, when the index is the one that it is configured with."""
        from trtdoctor.matrix.pipindex import IndexUnreachableError, index_url

        try:
            address, login = credentials.of_address(index_url(self._run.environ))
        except (IndexUnreachableError, ValueError):
            return None
        same = shown(address).rstrip("/") == shown(self._wanted.index) and host_of(address) == host_of(
            self._wanted.index
        )
        return (address, login) if same else None

    def _by_ourselves(self) -> str:
        """Where the source archive lies then. Raises :class:`NetError`."""
        from trtdoctor.matrix.pipindex import certificates
        from trtdoctor.net import simple_page

        wanted = self._wanted
        known = self._of_pip()
        login = self._from_variables() or (known[1] if known else None)
        login = login or credentials.find(wanted.index, self._run.environ)
        page_url = f"{wanted.index}/{wanted.item.project}/"
        with Client(min(self._run.left, _PAGE_SECONDS), verify=certificates()) as client:
            auth = login.auth() if login is not None else None
            answer = client.get(page_url, most=simple_page.MOST_BYTES, accept=simple_page.ACCEPT, auth=auth)
            if answer.status != 200:
                raise NetError(f"{shown(page_url)}: the index answered {answer.status}")
            try:
                page = simple_page.read(answer.body, answer.kind, wanted.item.project, page_url)
            except simple_page.PageError as error:
                raise NetError(f"{shown(page_url)}: {error}") from None
            url = next((file.url for file in page.files if file.name == wanted.name), "")
            if not url:
                raise NetError(f"{shown(page_url)}: does not list {wanted.name} any more")
            same = host_of(url) == host_of(page_url)
            found = client.get(url, most=wanted.size or MOST_ARCHIVE, auth=auth if same else None)
        if found.status != 200:
            raise NetError(f"{shown(url)}: the index answered {found.status}")
        fetched = os.path.join(self._incoming, wanted.name)
        with open(fetched, "wb") as stream:
            stream.write(found.body)
        return fetched


def _pip() -> tuple[str, ...]:
    """How pip is started. Raises :class:`ToolError`."""
    from importlib.util import find_spec

    if find_spec("pip") is not None:
        return (sys.executable, "-m", "pip")
    return (shutil.which("pip3") or find("pip", "it fetches wheels"),)


@contextmanager
def _opened(into: str) -> Iterator[str]:
    """As :func:`~trtdoctor.net.landing.opened`. Raises :class:`ToolError`."""
    try:
        with opened(into) as incoming:
            yield incoming
    except LandingError as error:
        raise ToolError(str(error)) from None


def _with_login(url: str, login: Login) -> str:
    parts = urlsplit(url)
    info = f"{quote(login.username, safe='')}:{quote(login.password, safe='')}"
    return urlunsplit((parts.scheme, f"{info}@{parts.netloc}", parts.path, "", ""))
