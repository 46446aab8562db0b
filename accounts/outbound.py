"""Calls to addresses that customers name: over TLS, to the address that was checked, once, for a short while.

The name is resolved here, within five seconds, and nowhere after: what was checked is what is connected to, while TLS and
`Host` keep the name. No redirect is followed, no proxy asked, and no more than a few kilobytes of the answer are read.
"""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from accounts.public_addresses import Network, may_be_called

TOTAL_S = 10.0
CONNECT_S = 5.0
LOOKUP_S = 5.0
MOST_LOOKUPS = 16  # Of this process at once, those included that nobody waits for any more.
MOST_BYTES = 4_096
MOST_CHARS = 500
FIRST_FREE_PORT = 1024


_free_lookups = threading.BoundedSemaphore(MOST_LOOKUPS)


class Refused(ValueError):
    """Why an address is not called, as a sentence."""


class NoAnswer(Exception):
    """The other side did not answer, or not as HTTP over TLS."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


def checked_url(url: str) -> SplitResult:
    """Return the parts of an address that may be called as far as its text says. Raise Refused."""
    if len(url) > MOST_CHARS or not url.isascii() or any(sign <= " " or sign == "\x7f" for sign in url) or "\\" in url:
        raise Refused(f"Use at most {MOST_CHARS} ASCII characters without spaces.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("This is no address.") from None
    if parts.scheme != "https" or not parts.hostname:
        raise Refused("Use an address that begins with https:// and names a host.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Refused("Leave out user, password and fragment.")
    if port is not None and port != 443 and port < FIRST_FREE_PORT:
        raise Refused(f"Use port 443 or one from {FIRST_FREE_PORT}.")
    return parts


def refuse_literal(url: str, allowed: Collection[Network] = ()) -> None:
    """Raise Refused where a URL names an address outright that will never be called. A name is looked up when it is called."""
    host = checked_url(url).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return
    _only_public([host], allowed)


def addresses_of(host: str, port: int, allowed: Collection[Network] = ()) -> list[str]:
    """Look a name up, once. Raise Refused unless every one of its addresses may be called, NoAnswer where it has none."""
    try:
        found = _looked_up(host, port)
    except TimeoutError:
        raise NoAnswer(f"Nobody said within {LOOKUP_S:g} s which address {host} has.") from None
    except (OSError, UnicodeError) as error:
        raise NoAnswer(f"{host} has no address: {error}") from error
    return _only_public(found, allowed)


def _looked_up(host: str, port: int) -> list[str]:
    """Ask the resolver in a thread that is left behind when time is up: nothing else can end a look-up. Raise OSError.

    Those left behind are counted, so that names which never resolve cost threads up to a bound.
    """
    if not _free_lookups.acquire(blocking=False):
        raise OSError("too many names are being looked up")
    asked: Future[list[str]] = Future()

    def look() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
            asked.set_result([str(entry[4][0]) for entry in found])
        except Exception as error:  # The one who waits raises it.
            asked.set_exception(error)
        finally:
            _free_lookups.release()

    threading.Thread(target=look, name="look-up", daemon=True).start()
    return asked.result(LOOKUP_S)


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allowed: Collection[Network] = (),
    ca_file: str = "",
    total_s: float = TOTAL_S,
) -> Answer:
    """POST and return the answer, whatever its status. Raise Refused before anything is sent, NoAnswer after."""
    parts = checked_url(url)
    host, port = parts.hostname or "", parts.port or 443
    address = addresses_of(host, port, allowed)[0]
    context = ssl.create_default_context(cafile=ca_file or None)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = _Pinned(host, port, context, address, timeout=min(CONNECT_S, total_s))
    try:
        with _ending(connection, total_s):
            connection.request("POST", target, body, dict(headers))
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(MOST_BYTES))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoAnswer(_words(error)) from error
    finally:
        connection.close()


class _Pinned(http.client.HTTPSConnection):
    """A connection to an address that was checked, under the name that was asked for."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext, address: str, *, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout, context=context)
        self.pinned, self.tls = address, context
        self.line: socket.socket | None = None  # Ours to break: http.client lets go of `sock` while an answer is still read.

    def connect(self) -> None:
        plain = socket.socket(socket.AF_INET6 if ":" in self.pinned else socket.AF_INET, socket.SOCK_STREAM)
        try:
            plain.settimeout(self.timeout)
            plain.connect((self.pinned, self.port))  # Not create_connection, which looks names up itself.
            self.line = self.sock = self.tls.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise

    def end(self) -> None:
        """Break whatever is under way: a timeout alone starts anew with every byte that drips in."""
        if self.line:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self.line, socket.SHUT_RDWR)


@contextlib.contextmanager
def _ending(connection: _Pinned, after_s: float) -> Iterator[None]:
    timer = threading.Timer(after_s, connection.end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _only_public(addresses: list[str], allowed: Collection[Network]) -> list[str]:
    for address in addresses:
        if not may_be_called(address, allowed):
            raise Refused(f"{address} is no address of the public Internet.")
    return addresses


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:180]
