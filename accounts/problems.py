"""How the API says no: problem+json (RFC 9457) with the request's id."""

from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler


def problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer an exception as problem+json with the request's id; leave what is no HTTP error to Django."""
    response = exception_handler(error, context)
    if response is None:
        return None
    status = HTTPStatus(response.status_code)
    request = context["request"]
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": _detail(error, response),
        "instance": request.path,
        "request_id": request.META.get("REQUEST_ID", ""),
    }
    if isinstance(error, ValidationError):
        body["errors"] = response.data
    response.data = body
    response.content_type = "application/problem+json"
    return response


def _detail(error: Exception, response: Response) -> str:
    if isinstance(error, Http404 | PermissionDenied) and str(error):
        return str(error)
    if isinstance(error, ValidationError):
        return "The request is not valid; `errors` says where."
    return str(response.data.get("detail", "")) if isinstance(response.data, dict) else ""
