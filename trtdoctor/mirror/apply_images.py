"""Images, by skopeo: copied by digest to where the mirror keeps them, and looked up there before and afterwards."""

from __future__ import annotations

import hashlib
import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from trtdoctor.config.mirrors import Mirror
from trtdoctor.mirror.apply import FAILED, Job, Outcome, Run
from trtdoctor.mirror.emit.copies import Copy, account, copies, variables
from trtdoctor.mirror.emit.names import EmitError, Place, digest
from trtdoctor.mirror.emit.skopeo import command
from trtdoctor.mirror.registry import Registry, RegistryError
from trtdoctor.mirror.tools import ToolError, find, login_file, run
from trtdoctor.mirror.wants import SyncItem
from trtdoctor.net import credentials
from trtdoctor.net.credentials import CredentialsError, Login
from trtdoctor.net.http import Client
from trtdoctor.record import values

_LOOK_SECONDS = 60.0
_MANIFEST_BYTES = 4 << 20


@contextmanager
def jobs(items: Sequence[SyncItem], this: Run) -> Iterator[tuple[Job, ...]]:
    """A job for each image. Raises as :func:`~trtdoctor.mirror.apply.apply` does."""
    if not this.dry:
        find("skopeo", "it copies images (apt-get install skopeo)")
    mirrors = {mirror.id: mirror for mirror in this.options.mirrors}
    found = copies(items, this.options)
    yield tuple(Job(copy.given, _Copier(copy, mirrors.get(copy.item.source), this).bring) for copy in found)


class _Copier:
    """Copies one image."""

    def __init__(self, copy: Copy, mirror: Mirror | None, this: Run) -> None:
        self._copy = copy
        self._mirror = mirror
        self._run = this
        self._name = f"{copy.source.image}:{copy.tag} to {copy.given}"

    def bring(self) -> Outcome:
        """Copy it where it is not there; whatever goes wrong becomes an outcome."""
        if self._run.dry:
            return Outcome(self._name, "would", shlex.join(command(self._copy)))
        try:
            return self._bring()
        except (ToolError, CredentialsError, RegistryError, EmitError) as error:
            return Outcome(self._name, FAILED, str(error))

    def _bring(self) -> Outcome:
        with ExitStack() as stack:
            words, descriptors, logins = self._access(stack)
            secrets = [secret for login in logins.values() for secret in (login.password,)]
            copy = self._exact()
            if self._held(logins.get("dest"), words["dest"], descriptors) == copy.digest:
                return Outcome(self._name, "there", str(copy.digest))
            asked = command(copy)
            ended = run(
                [*asked[:-2], *words["src"], *words["dest"], *asked[-2:]],
                self._run.environ,
                self._run.left,
                descriptors=descriptors,
                secrets=secrets,
            )
            if ended.code != 0:
                return Outcome(self._name, FAILED, ended.complaint or f"skopeo ended with {ended.code}")
            held = self._held(logins.get("dest"), words["dest"], descriptors)
            if held != copy.digest:
                return Outcome(self._name, FAILED, f"the mirror then has {held or 'nothing'}, and not {copy.digest}")
            return Outcome(self._name, "done", str(copy.digest))

    def _exact(self) -> Copy:
        """The copy with the digest of what is to be there: of the one platform that is wanted, if it is one.

        Raises :class:`RegistryError` when upstream does not say.
        """
        copy = self._copy
        if copy.digest and len(copy.platforms) != 1:
            return copy
        with self._client() as client:
            upstream = Registry(client, copy.source.url, self._login("src"))
            whole, document = upstream.manifest(copy.digest or copy.tag)
        listed = document.get("manifests")
        if isinstance(listed, list) and len(copy.platforms) == 1:
            whole = _of_platform(listed, copy.platforms[0])
        return replace(copy, digest=whole, platforms=())

    def _held(self, login: Login | None, words: Sequence[str], descriptors: Sequence[int]) -> str | None:
        """The digest that the mirror has under the name.

        Where we are not let in, skopeo is asked: it can start docker's helpers for logins, and we do not.
        """
        copy = self._copy
        with self._client() as client:
            look = Registry(client, copy.target.url, login or self._login("dest")).look(copy.inside)
        if look.state != "unknown":
            return look.digest
        plain = [word.replace("--dest-", "--", 1) for word in words]
        loose = ["--tls-verify=false"] if copy.target.open or copy.unverified else []
        asked = ["skopeo", "inspect", "--raw", *loose, *plain, f"docker://{copy.given}"]
        ended = run(
            asked, self._run.environ, min(self._run.left, _LOOK_SECONDS), descriptors=descriptors, most=_MANIFEST_BYTES
        )
        return f"sha256:{hashlib.sha256(ended.output).hexdigest()}" if ended.code == 0 else None

    def _client(self) -> Client:
        mirror = self._mirror
        verify: bool | str = True
        if mirror is not None:
            verify = (mirror.ca_file or True) if mirror.verify_tls else False
        return Client(min(self._run.left, _LOOK_SECONDS), verify=verify)

    def _login(self, side: str) -> Login | None:
        """Who we are to one side. Raises :class:`CredentialsError`."""
        place = self._copy.target if side == "dest" else self._copy.source
        named = variables(self._mirror, side)
        login = credentials.find(
            _asked(place),
            self._run.environ,
            username_env=named.username,
            password_env=named.password,
            token_env=named.token,
        )
        name = account(self._run.options, place.host)
        return Login(login.origin, name, login.token) if login is not None and login.token and name else login

    def _access(self, stack: ExitStack) -> tuple[dict[str, list[str]], tuple[int, ...], dict[str, Login]]:
        """Options of skopeo for each side, the descriptors that they name, and the logins that stand in variables.

        What stands in none is skopeo's own affair: docker's configuration, helpers, ``REGISTRY_AUTH_FILE``.
        """
        words: dict[str, list[str]] = {"src": [], "dest": []}
        descriptors: list[int] = []
        logins: dict[str, Login] = {}
        for side, place in (("src", self._copy.source), ("dest", self._copy.target)):
            if self._mirror is not None and self._mirror.ca_file and not place.open:
                words[side] += [f"--{side}-cert-dir", _authorities(self._mirror.ca_file, stack)]
            if not any(values(variables(self._mirror, side))):
                continue
            login = self._login(side)
            if login is None or login.token:
                raise ToolError("skopeo takes a token on its command line only, where others can read it: name a user")
            logins[side] = login
            path, handed = stack.enter_context(login_file({place.host: login}))
            words[side] += [f"--{side}-authfile", path]
            descriptors += handed
        return words, tuple(descriptors), logins


def _asked(place: Place) -> str:
    return place.url.replace("https://docker.io/", "https://registry-1.docker.io/", 1)


def _of_platform(listed: Sequence[object], wanted: str) -> str:
    """The digest of the one image of a platform in an index. Raises :class:`RegistryError`, :class:`EmitError`."""
    system, architecture, *variant = wanted.split("/")
    for entry in listed:
        platform = entry.get("platform") if isinstance(entry, Mapping) else None
        if not isinstance(entry, Mapping) or not isinstance(platform, Mapping):
            continue
        same = (platform.get("os"), platform.get("architecture")) == (system, architecture)
        if same and (not variant or platform.get("variant") == variant[0]):
            return digest(str(entry.get("digest")))
    raise RegistryError(f"upstream has no {wanted} of it", "absent")


def _authorities(file: str, stack: ExitStack) -> str:
    """A directory as skopeo wants it, with the file of authorities in it."""
    directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="trtdoctor-"))
    os.symlink(os.path.abspath(file), os.path.join(directory, "ca.crt"))
    return directory
