"""Who says who somebody is: makes signed tokens (JWT, RS256), publishes the key to check them by, and gives them to clients."""

import base64
import json
import ssl
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

NAME, AUDIENCE = "https://issuer.example", "kafka"
SCOPE = "kafka/.default"


class Issuer:
    """`known` are the clients that may have tokens, with their secrets."""

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known
        self.given = 0
        self.refused = 0
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwks(self) -> str:
        numbers = self._key.public_key().public_numbers()
        key = {"kty": "RSA", "kid": "test", "alg": "RS256", "use": "sig", "n": _number(numbers.n), "e": _number(numbers.e)}
        return json.dumps({"keys": [key]})

    def token(self, subject: str, *, lives_s: int = 600) -> str:
        now_s = int(time.time())
        said = {"iss": NAME, "aud": AUDIENCE, "sub": subject, "iat": now_s - 1, "exp": now_s + lives_s, "scope": SCOPE}
        content = f"{_json({'alg': 'RS256', 'kid': 'test', 'typ': 'JWT'})}.{_json(said)}"
        return f"{content}.{_text(self._key.sign(content.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    @contextmanager
    def serving(self, certificate: Path, key: Path) -> Iterator[str]:
        """Give tokens over HTTPS to clients that show their secret. Yields the address."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_port}/token"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def answer(self, form: dict[str, str]) -> dict[str, Any] | None:
        """A token for a client that asks rightly; None for any other."""
        client = form.get("client_id", "")
        right = (form.get("grant_type"), form.get("client_secret"), form.get("scope")) == (
            "client_credentials", self.known.get(client), SCOPE,
        )  # fmt: skip
        self.given += right
        self.refused += not right
        return {"access_token": self.token(client), "token_type": "Bearer", "expires_in": 600} if right else None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                given = issuer.answer(dict(urllib.parse.parse_qsl(body)))
                self.send_response(200 if given else 401)
                self.end_headers()
                self.wfile.write(json.dumps(given).encode())

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        return Handler


def _json(content: dict[str, Any]) -> str:
    return _text(json.dumps(content).encode())


def _number(number: int) -> str:
    return _text(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
