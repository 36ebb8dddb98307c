"""Real container registries on this machine: Debian's docker-registry, plain, with logins, as a pull-through mirror.

Images have layers of a few bytes, and any labels, variables and platforms. Nothing of the packaged service is used:
each server has a configuration, a directory and a port of its own.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from tests.mirror.needs import program

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
USERNAME = "ci"
PASSWORD = "pl4nted-passw0rd"
BCRYPT = "$2b$05$abcdefghijklmnopqrstuuUpp64quElrvFZWwv7MuWbQ4aggWZ7Hm"
"""Of the password, as the file of a registry holds it."""


@dataclass
class Server:
    """A registry that runs, or can be started again."""

    folder: Path
    port: int
    login: tuple[str, str] | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """Where it keeps everything."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What it wrote."""
        return self.folder / "log"

    def start(self) -> None:
        """Begin to serve."""
        command = [program("docker-registry"), "serve", str(self.folder / "registry.yml")]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        ends = time.monotonic() + 20
        while not _answers(self.port):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < ends, "the registry does not start"
            time.sleep(0.02)

    def stop(self) -> None:
        """Serve no more."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def requests(self) -> list[tuple[str, str, int]]:
        """Method, path and bytes of each answer, where it is ``logged``."""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        found = (re.search(r'"([A-Z]+) (\S+) HTTP/[0-9.]+" \d+ (\d+)', line) for line in lines)
        return [(match[1], match[2].partition("?")[0], int(match[3])) for match in found if match]

    def blobs(self) -> set[str]:
        """Digests of everything that it holds."""
        return {f"sha256:{path.parent.name}" for path in self.data.rglob("blobs/sha256/*/*/data")}


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def registry(
    folder: Path,
    *,
    upstream: str | None = None,
    password: bool = False,
    tokens: TokenServer | None = None,
    logged: bool = False,
) -> Iterator[Server]:
    """A registry: plain, with a name and a password, with tokens, or as a pull-through mirror of ``upstream``.

    ``logged``: whether it writes down each request.
    """
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(folder, free_port(), (USERNAME, PASSWORD) if password else None)
    settings: dict[str, Any] = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": not logged}},
        "storage": {"filesystem": {"rootdirectory": str(server.data)}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{server.port}", "secret": "x"},
    }
    if upstream is not None:
        settings["proxy"] = {"remoteurl": upstream}
    if password:
        (folder / "htpasswd").write_text(f"{USERNAME}:{BCRYPT}\n")
        settings["auth"] = {"htpasswd": {"realm": "demo", "path": str(folder / "htpasswd")}}
    if tokens is not None:
        settings["auth"] = {
            "token": {
                "realm": tokens.realm,
                "service": tokens.service,
                "issuer": tokens.issuer,
                "rootcertbundle": str(tokens.certificate),
            }
        }
    (folder / "registry.yml").write_text(json.dumps(settings))  # JSON is YAML
    server.start()
    try:
        yield server
    finally:
        server.stop()


# -- images ------------------------------------------------------------------------------------------------------------


def digest_of(content: bytes) -> str:
    """``sha256:…``."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def plain(document: Any) -> bytes:
    """JSON as it is pushed."""
    return json.dumps(document).encode()


class Pusher:
    """Puts images into one repository of a registry."""

    def __init__(self, server: Server, repository: str, headers: Mapping[str, str] | None = None) -> None:
        self._base = f"{server.address}/v2/{repository}"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update(headers or {})
        if server.login is not None:
            self._session.auth = server.login
        self._there: set[str] = set()

    def blob(self, content: bytes, kind: str) -> dict[str, Any]:
        """Put a blob; its descriptor."""
        digest = digest_of(content)
        if digest not in self._there:
            begun = self._session.post(f"{self._base}/blobs/uploads/")
            assert begun.status_code == 202, begun.text
            done = self._session.put(
                begun.headers["location"],
                params={"digest": digest},
                data=content,
                headers={"content-type": "application/octet-stream"},
            )
            assert done.status_code == 201, done.text
            self._there.add(digest)
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    def manifest(self, reference: str, document: Any) -> str:
        """Put a manifest or an index under a tag or digest; its digest."""
        body = plain(document)
        reference = reference or digest_of(body)
        done = self._session.put(
            f"{self._base}/manifests/{reference}", data=body, headers={"content-type": document["mediaType"]}
        )
        assert done.status_code == 201, done.text
        return digest_of(body)

    def image(
        self,
        tag: str,
        platforms: Sequence[str] = ("linux/amd64",),
        *,
        labels: Mapping[str, str] | None = None,
        env: Iterable[str] = (),
        created: str | None = None,
        annotations: Mapping[str, str] | None = None,
        layer: bytes = b"layer",
        attested: bool = False,
    ) -> str:
        """An image under a tag: an index where it has several platforms (or ``attested``), else one manifest."""
        manifests = []
        for platform in platforms:
            system, architecture = platform.split("/")
            configuration = {
                "architecture": architecture,
                "os": system,
                "config": {"Env": list(env), "Labels": dict(labels or {})},
                "created": created,
                "rootfs": {"type": "layers", "diff_ids": []},
            }
            manifest: dict[str, Any] = {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": self.blob(plain(configuration), CONFIG),
                "layers": [self.blob(gzip.compress(layer + platform.encode(), mtime=0), LAYER)],
                "annotations": {"tag": tag, **(annotations or {})},
            }
            manifests.append((manifest, {"os": system, "architecture": architecture}))
        if len(manifests) == 1 and not attested:
            return self.manifest(tag, manifests[0][0])
        if attested:
            manifests.append((manifests[0][0], {"os": "unknown", "architecture": "unknown"}))
        entries = [
            {
                "mediaType": MANIFEST,
                "digest": self.manifest("", manifest),
                "size": len(plain(manifest)),
                "platform": platform,
            }
            for manifest, platform in manifests
        ]
        document = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": entries,
            "annotations": dict(annotations or {}),
        }
        return self.manifest(tag, document)

    def many(self, tags: Iterable[str], *, env: Iterable[str] = ()) -> None:
        """Images that share configuration and layer and differ in their manifests, quickly."""
        configuration = self.blob(plain({"architecture": "amd64", "os": "linux", "config": {"Env": list(env)}}), CONFIG)
        layer = self.blob(gzip.compress(b"shared", mtime=0), LAYER)
        for tag in tags:
            document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": configuration, "layers": [layer]}
            self.manifest(tag, {**document, "annotations": {"tag": tag}})


def copy(source: str, target: str, *options: str) -> None:
    """Copy ``HOST/NAME:TAG`` with skopeo, as people fill their mirrors; ``--all`` for every platform."""
    plain_http = ["--src-tls-verify=false", "--dest-tls-verify=false"]
    addresses = [f"docker://{name.removeprefix('http://')}" for name in (source, target)]
    subprocess.run(
        [program("skopeo"), "--insecure-policy", "copy", "--quiet", *plain_http, *options, *addresses],
        check=True,
        capture_output=True,
        timeout=60,
    )


# -- tokens ------------------------------------------------------------------------------------------------------------


class TokenServer:
    """A token service as docker-registry trusts it: JWT, signed by the key of a certificate of its own."""

    service, issuer = "reg", "tok"

    def __init__(self, folder: Path, *, seconds: int = 300, login: tuple[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate, self._key = folder / "tok.crt", folder / "tok.key"
        new = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tok"]
        self._openssl("req", *new, "-keyout", str(self._key), "-out", str(self.certificate))
        self.seconds, self.login = seconds, login
        self.asked: list[dict[str, list[str]]] = []
        """The query of each question."""
        self.given: list[str] = []
        """Every token."""
        self.scope: str | None = None
        """Instead of the scope that is asked for: what tokens are good for."""
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = owner._answer(self.path, self.headers.get("authorization"))
                self.send_response(status)
                self.send_header("content-type", "text/plain")  # as nvcr.io is said to do
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.realm = f"http://127.0.0.1:{self._httpd.server_address[1]}/token"
        threading.Thread(target=self._httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        """Serve no more."""
        self._httpd.shutdown()
        self._httpd.server_close()

    def token(self, scope: str, actions: Sequence[str] = ("pull",), seconds: int | None = None) -> str:
        """A token for ``repository:NAME:…``."""
        kind, name, *_ = scope.split(":")
        now = int(time.time())
        ends = now + (self.seconds if seconds is None else seconds)
        access = [{"type": kind, "name": name, "actions": list(actions)}]
        claims = {"iss": self.issuer, "aud": self.service, "sub": "", "exp": ends, "nbf": now - 5, "iat": now}
        der = base64.b64encode(self._openssl("x509", "-in", str(self.certificate), "-outform", "DER")).decode()
        head = _part({"typ": "JWT", "alg": "RS256", "x5c": [der]})
        body = f"{head}.{_part({**claims, 'jti': str(len(self.given)), 'access': access})}"
        signature = self._openssl("dgst", "-sha256", "-sign", str(self._key), stdin=body.encode())
        made = f"{body}.{_text(signature)}"
        self.given.append(made)
        return made

    def _answer(self, path: str, authorization: str | None) -> tuple[int, bytes]:
        query = parse_qs(urlsplit(path).query)
        self.asked.append(query)
        if self.login is not None:
            wanted = base64.b64encode(":".join(self.login).encode()).decode()
            if authorization != f"Basic {wanted}":
                return 401, b'{"errors":[{"code":"UNAUTHORIZED"}]}'
        scope = self.scope or query.get("scope", ["repository:x:pull"])[0]
        return 200, plain({"token": self.token(scope), "expires_in": self.seconds})

    def _openssl(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        done = subprocess.run(
            [program("openssl"), *arguments], check=True, capture_output=True, input=stdin, timeout=60
        )
        return done.stdout


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _part(document: Any) -> str:
    return _text(plain(document))
