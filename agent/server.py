"""The server over HTTP: requests signed with the machine's key, or with an API key, which no other host ever gets."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPMessage
from typing import IO, Any

from agent.keys import MachineKey
from agent.server_time import ServerTime

DOMAIN = b"corehour.request.1\n"
TIMEOUT_S = 5.0


class ServerProblem(Exception):
    """The server refused, or could not be asked; the text is for people. `status` is 0 where there was no answer."""

    def __init__(self, words: str, status: int = 0) -> None:
        super().__init__(words)
        self.status = status


class _SameHost(urllib.request.HTTPRedirectHandler):
    """The key is for one server: no redirect may take it to another host, another port or out of TLS."""

    def redirect_request(  # noqa: PLR0913 - urllib's signature
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        here, there = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        if here.netloc.lower() != there.netloc.lower() or there.scheme not in (here.scheme, "https"):
            raise urllib.error.HTTPError(req.full_url, code, f"it redirects to {newurl:.200}, which gets no key", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Server:
    """One server. Its clock is the one that requests are stamped by, so that a machine whose clock is wrong can still ask."""

    def __init__(self, address: str, key: MachineKey | None = None, api_key: str | None = None) -> None:
        self.address = address.rstrip("/")
        self.key = key
        self.api_key = api_key
        self.time = ServerTime()
        self._opener = urllib.request.build_opener(_SameHost)

    def get(self, path: str, query: str = "") -> Any:
        """With the API key, if there is one. Raise ServerProblem."""
        headers = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        return self._ask("GET", path + query, None, headers)

    def post(self, path: str, body: Any, timeout_s: float = TIMEOUT_S) -> Any:
        """Signed with the machine's key, if it has one. Raise ServerProblem."""
        content = json.dumps(body).encode()
        try:
            return self._ask("POST", path, content, self._signed(path, content), timeout_s)
        except ServerProblem as problem:
            if problem.status != 401 or self.key is None:
                raise
            return self._ask(
                "POST", path, content, self._signed(path, content), timeout_s
            )  # By the server's clock, as just learnt.

    def _signed(self, path: str, content: bytes) -> dict[str, str]:
        if self.key is None:
            return {}
        at = str(self.time.wall_ms())
        proof = self.key.sign(signed_request("POST", urllib.parse.urlsplit(self.address).path + path, at, content))
        return {"Authorization": f"Corehour {self.key.id}:{at}:{proof}"}

    def _ask(self, method: str, path: str, content: bytes | None, headers: dict[str, str], timeout_s: float = TIMEOUT_S) -> Any:
        headers = {"Accept": "application/json", "Content-Type": "application/json", **headers}
        asked_s = time.monotonic()
        try:
            request = urllib.request.Request(self.address + path, content, headers, method=method)  # noqa: S310 - http and https only
            with self._opener.open(request, timeout=timeout_s) as answer:
                self._learn_the_time(answer.headers, asked_s)
                return json.load(answer)
        except urllib.error.HTTPError as error:
            self._learn_the_time(error.headers, asked_s)
            raise ServerProblem(_reason(error), error.code) from error
        except (OSError, ValueError, RecursionError, HTTPException) as error:
            raise ServerProblem(f"no answer from {self.address}: {error}") from error

    def _learn_the_time(self, headers: "Message[str, str]", asked_s: float) -> None:
        """From the date of its answer, which leaves out the part of the second and was true at some moment since the question."""
        with suppress(TypeError, ValueError):
            said_ms = int(1000 * parsedate_to_datetime(headers["Date"]).timestamp()) + 500
            self.time.learn(said_ms + int(500 * (time.monotonic() - asked_s)))


def signed_request(method: str, path: str, at: str, body: bytes) -> bytes:
    """What a request's signature covers: a tag, then method, path and time with their lengths before them, then the body."""
    parts = (method.encode(), path.encode(), at.encode())
    return DOMAIN + b"".join(len(part).to_bytes(4, "big") + part for part in parts) + body


def _reason(error: urllib.error.HTTPError) -> str:
    """What the server says is wrong, in its own words where it has some."""
    try:
        said = json.load(error)
        return str(said["detail"]) + (f" {said['errors']}" if "errors" in said else "")
    except (OSError, ValueError, KeyError, TypeError, RecursionError, HTTPException):
        return f"{error.code} {error.reason}"
