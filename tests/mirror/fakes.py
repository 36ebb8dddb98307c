"""Servers on this machine that say what a test wants: for what cannot be run here, and for what is hostile."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.mirror.registries import MANIFEST, digest_of, plain

Answer = tuple[int, Mapping[str, str], bytes]
Speak = Callable[[str, str, Mapping[str, str]], Answer]
"""Method, path and headers (names in lower case) to status, headers and body."""

JSON = {"content-type": "application/json"}
NOT_FOUND: Answer = (
    404,
    {**JSON, "docker-distribution-api-version": "registry/2.0"},
    b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}',
)
HTML: Answer = (200, {"content-type": "text/html"}, b"<html><body>Sign in to the wireless network</body></html>")


@contextmanager
def serve(speak: Speak) -> Iterator[str]:
    """A server that answers GET and HEAD with what ``speak`` says; the value is its ``http://127.0.0.1:PORT``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            said = {name.lower(): value for name, value in self.headers.items()}
            status, headers, body = speak(self.command, self.path, said)
            self.send_response_only(status)  # without a Server of its own
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that has seen enough hangs up."""

    httpd = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def ok(document: Any, **headers: str) -> Answer:
    """JSON with status 200."""
    return 200, {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}, plain(document)


class Fake:
    """A registry with one repository, as the specification describes one; ``seen`` has every question."""

    def __init__(self, repository: str = "nvidia/tensorrt") -> None:
        self.repository = repository
        self.tags: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.seen: list[tuple[str, str]] = []

    def image(self, tag: str, configuration: Any = None) -> str:
        """An image under a tag; its digest."""
        config = plain(configuration or {"os": "linux", "architecture": "amd64", "config": {}})
        self.blobs[digest_of(config)] = config
        body = plain(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"digest": digest_of(config), "size": len(config)},
                "layers": [{"digest": digest_of(b"a layer"), "size": 7}],
                "annotations": {"tag": tag},
            }
        )
        self.tags[tag] = body
        return digest_of(body)

    def speak(self, method: str, path: str, headers: Mapping[str, str]) -> Answer:
        """What it answers."""
        self.seen.append((method, path))
        place = path.partition("?")[0]
        if place == "/v2/":
            return ok({})
        if place == f"/v2/{self.repository}/tags/list":
            return self.list(path)
        name = place.rpartition("/")[2]
        if place == f"/v2/{self.repository}/manifests/{name}":
            body = self.tags.get(name) or next((one for one in self.tags.values() if digest_of(one) == name), None)
            return (
                (200, {"content-type": MANIFEST, "docker-content-digest": digest_of(body)}, body) if body else NOT_FOUND
            )
        if place == f"/v2/{self.repository}/blobs/{name}" and name in self.blobs:
            return 200, {"content-type": "application/octet-stream"}, self.blobs[name]
        return NOT_FOUND

    def list(self, path: str) -> Answer:
        """The list of tags."""
        return ok({"name": self.repository, "tags": list(self.tags)})

    def count(self, method: str, part: str) -> int:
        """How many questions of a method had a part in their path."""
        return sum(1 for asked, path in self.seen if asked == method and part in path)


def of(body: bytes) -> Any:
    """JSON, read."""
    return json.loads(body)
