"""How the API cuts long lists: by cursor, so that rows arriving meanwhile shift nothing."""

from rest_framework.pagination import CursorPagination


class Pages(CursorPagination):
    """Cursor pages, newest row last unless a view says otherwise; `limit` up to 500."""

    ordering = "pk"
    page_size_query_param = "limit"
    max_page_size = 500
