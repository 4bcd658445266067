"""A time-stamping authority of our own: openssl's `ts` behind an HTTP server on the loopback."""

from __future__ import annotations

import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

CONFIG = """
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[signer]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[req]
distinguished_name = name
[name]
"""


class Tsa:
    """An authority; `roots` is the file of its root certificate, `seen` what it was asked to stamp."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.roots, self.seen = folder, folder / "root.pem", list[bytes]()
        (folder / "openssl.cnf").write_text(CONFIG.format(folder=folder))
        (folder / "serial").write_text("01\n")
        root = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "root.key")
        self._openssl(
            "req", "-x509", *root, "-out", "root.pem", "-days", "30", "-subj", "/CN=Root", "-extensions", "root"
        )
        signer = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "tsa.key")
        self._openssl("req", "-new", *signer, "-out", "tsa.csr", "-subj", "/CN=Stamper")
        self._openssl(
            "x509", "-req", "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "20",
            "-out", "tsa.pem", "-extfile", "openssl.cnf", "-extensions", "signer", config=False,
        )  # fmt: skip
        authority = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = self.rfile.read(int(self.headers["Content-Length"]))
                authority.seen.append(query)
                answer = authority.reply(query)
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def reply(self, query: bytes) -> bytes:
        """What openssl answers."""
        (self.folder / "query.tsq").write_bytes(query)
        self._openssl(
            "ts", "-reply", "-queryfile", "query.tsq", "-signer", "tsa.pem", "-inkey", "tsa.key", "-out", "reply.tsr",
            "-section", "one",
        )  # fmt: skip
        return (self.folder / "reply.tsr").read_bytes()

    def believes(self, data: Path, response: Path) -> bool:
        """Whether openssl itself believes a response."""
        done = subprocess.run(
            ["openssl", "ts", "-verify", "-data", data, "-in", response, "-CAfile", self.roots], capture_output=True
        )
        return done.returncode == 0 and b"Verification: OK" in done.stdout + done.stderr

    def _openssl(self, *words: str, config: bool = True) -> None:
        given = ("-config", "openssl.cnf") if config else ()
        subprocess.run(["openssl", *words, *given], cwd=self.folder, check=True, capture_output=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
