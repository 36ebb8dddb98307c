"""Servers on this machine for tests of what speaks to the net: plain, or TLS with an authority of our own."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def server(answer: Callable[[str, dict[str, str]], Answer], context: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server on the loopback that gives ``answer(path, headers)``; the value is its ``127.0.0.1:PORT``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answer(self.path, {key.lower(): value for key, value in self.headers.items()})
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815  (as the base class wants it)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that does not trust us hangs up."""

    httpd = Quiet(("127.0.0.1", 0), Handler)
    if context is not None:
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{httpd.server_address[1]}"
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def authority(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """The certificate of a new authority, and a server's side with a certificate from it for 127.0.0.1."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: no test certificate can be made")
    ca, key, request, certificate = (folder / name for name in ("ca.pem", "ca.key", "s.csr", "s.pem"))
    extensions = folder / "ext"
    extensions.write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    _openssl("req", "-x509", *curve, "-keyout", str(key), "-out", str(ca), "-days", "2", "-subj", "/CN=trtdoctor test")
    server_key = folder / "s.key"
    _openssl("req", *curve, "-keyout", str(server_key), "-out", str(request), "-subj", "/CN=127.0.0.1")
    signing = ["-CA", str(ca), "-CAkey", str(key), "-CAcreateserial", "-days", "2", "-extfile", str(extensions)]
    _openssl("x509", "-req", "-in", str(request), "-out", str(certificate), *signing)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, server_key)
    return ca, context


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)
