"""The near side of the second wall: on PostgreSQL the database is told who asks, and finds out itself whose rows that may see.

Nothing here says what anybody may see: that is in the policies of billingsite/walls.py, which share no code with the first
wall, accounts/access.py. A statement for which nobody was named sees no customer's row.
"""

from collections.abc import Callable, Iterator
from contextvars import ContextVar, copy_context
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import FileResponse, HttpRequest, HttpResponseBase, StreamingHttpResponse
from psycopg.pq import TransactionStatus


class Asker(NamedTuple):
    """Who asks, by what they have shown. The function `corehour_ask` in the database knows the kinds."""

    kind: str  # person, key, machine, token; metrics and watch are the house's own two looks at all customers.
    name: str  # A person's number, the SHA-256 of a key or token, a machine's key id.


NOBODY = Asker("nobody", "")
_asker: ContextVar[Asker] = ContextVar("asker", default=NOBODY)


def asks(kind: str, name: object = "") -> None:
    """From now on, and until the request or the socket ends, this is who asks."""
    _asker.set(Asker(kind, str(name)))


def shown(kind: str, name: object = "") -> None:
    """The same where somebody has just shown who they are, and the database may be told at once, outside of any transaction."""
    asks(kind, name)
    if tell_first in connection.execute_wrappers:
        with connection.cursor():  # Which looks first whether a connection that stayed is still good.
            _tell(connection)


def tell_first(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Around every statement: tell the database who asks, unless this connection was told the same."""
    _tell(context["connection"])
    return execute(sql, params, many, context)


def _tell(to: Any) -> None:
    """Threads, pooled connections and requests need no tidying: whoever comes next is told of before their first statement.

    What is told inside a transaction is forgotten when that is rolled back, so it is told again with each statement there.
    """
    raw, asker = to.connection, _asker.get()
    if raw is None or getattr(to, "_told", None) == (raw, asker):
        return
    status = raw.info.transaction_status
    if status == TransactionStatus.INERROR:
        return  # The statement fails anyway.
    with to.wrap_database_errors:
        raw.execute("SELECT corehour_ask(%s, %s)", asker)
    to._told = (raw, asker) if raw.autocommit and status == TransactionStatus.IDLE else None


def stand_before(connection: BaseDatabaseWrapper, **more: Any) -> None:
    """Called with each new connection. First in the row, since a test's own wrappers are taken off from its end."""
    if settings.DATABASE_WALL and connection.vendor == "postgresql" and tell_first not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, tell_first)


class Wall:
    """Middleware: the person of the session asks, until the answer is out. Keys, machines and tokens name themselves."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        token = _asker.set(NOBODY)
        try:
            if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
                shown("person", request.user.pk)
            answer: HttpResponseBase = self.get_response(request)
            if isinstance(answer, StreamingHttpResponse) and not answer.is_async and not isinstance(answer, FileResponse):
                answer.streaming_content = _as_now(iter(answer.streaming_content))  # type: ignore[arg-type]
            return answer
        finally:
            _asker.reset(token)


def _as_now(content: Iterator[bytes]) -> Iterator[bytes]:
    """What is read from the database while an answer goes out is read for whoever asked."""
    context = copy_context()
    while (part := context.run(next, content, None)) is not None:
        yield part
