"""A customer's own server: HTTPS on this machine, under a certificate of a test authority, checking what it is told.

It checks signatures by the text of Standard Webhooks, with nothing of the product's.
"""

import base64
import datetime
import hashlib
import hmac
import ipaddress
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TOLERANCE_S = 300


def verified(secret: str, headers: dict[str, str], body: bytes, at_s: float) -> bool:
    """Whether a message is genuine and fresh: the algorithm as published, step by step."""
    message_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    if abs(at_s - int(timestamp)) > TOLERANCE_S:
        return False
    key = base64.b64decode(secret.split("_", 1)[1])
    expected = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    for each in headers["webhook-signature"].split(" "):
        version, _, text = each.partition(",")
        if version == "v1" and hmac.compare_digest(base64.b64decode(text), expected):
            return True
    return False


@dataclass
class Receiver:
    """What came, and what the next request is answered."""

    url: str
    ca_file: str
    host: str = "hooks.acme.example"
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    drip_s: float = 0.0
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a certificate that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names: list[x509.GeneralName] = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    begins = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begins)
    builder = builder.not_valid_after(begins + datetime.timedelta(days=3))
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    made = builder.sign(key, hashes.SHA256())
    cert_file, key_file = folder / "receiver.pem", folder / "receiver.key"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return cert_file, key_file


@contextmanager
def receiving(folder: Path) -> Iterator[Receiver]:
    """A receiver that runs, on 127.0.0.1 under the name hooks.acme.example."""
    cert_file, key_file = certificate(folder, "hooks.acme.example")
    receiver = Receiver("", str(cert_file))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(receiver))
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert_file, key_file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.url = f"https://{receiver.host}:{server.server_port}/corehour"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.came.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self._drip()

        def _drip(self) -> None:
            try:
                for byte in receiver.body:
                    self.wfile.write(bytes([byte]) if receiver.drip_s else receiver.body)
                    if not receiver.drip_s:
                        return
                    time.sleep(receiver.drip_s)
            except OSError:  # The other side hung up, as it should.
                return

        def log_message(self, *words: Any) -> None:
            pass

    return Handler
