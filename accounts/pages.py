"""How the API cuts long lists: by cursor, so that rows arriving meanwhile shift nothing."""

from typing import Any

from django.core.exceptions import ValidationError as NotThatKind
from django.db.models import QuerySet
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView

BAD_CURSOR = "This is no cursor of this list. Take `next` or `previous` as they come."


class Pages(CursorPagination):
    """Cursor pages in the order that the view's `ordering` names; its query has checked `limit` already."""

    page_size_query_param = "limit"
    max_page_size = 500
    page_size_query_description = "Rows a page, 1 to 500; 100 by default."
    cursor_query_description = "From `next` or `previous` of another page."

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        return tuple(getattr(view, "ordering", ("pk",)))

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any] | None:
        """Cut the page. A forged cursor may hold anything, so what it breaks is the asker's mistake and never a 500."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (NotFound, ValueError, OverflowError, NotThatKind) as error:
            raise ValidationError({"cursor": [BAD_CURSOR]}) from error

    def decode_cursor(self, request: Request) -> Cursor | None:
        cursor = super().decode_cursor(request)
        if cursor is not None and "\0" in str(cursor.position):
            raise ValueError(BAD_CURSOR)  # PostgreSQL's text knows no such character.
        return cursor

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return page_schema(schema)


def page_schema(rows: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI schema of a page around these rows."""
    link = {"type": ["string", "null"], "format": "uri", "example": None}
    return {
        "type": "object",
        "required": ["next", "previous", "results"],
        "properties": {"next": link, "previous": link, "results": rows},
    }
