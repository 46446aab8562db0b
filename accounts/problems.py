"""How the API says no: problem+json (RFC 9457) with the request's id."""

from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import exception_handler

PROBLEM_JSON = "application/problem+json"


def problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer an exception as problem+json with the request's id; leave what is no HTTP error to Django."""
    response = exception_handler(error, context)
    if response is None:
        return None
    body = _body(context["request"], HTTPStatus(response.status_code), _detail(error, response))
    if isinstance(error, ValidationError):
        body["errors"] = response.data
    response.data = body
    response.content_type = PROBLEM_JSON
    return response


def problem_answer(request: HttpRequest, status: HTTPStatus, detail: str) -> JsonResponse:
    """Answer before any view is asked."""
    return JsonResponse(_body(request, status, detail), status=status.value, content_type=PROBLEM_JSON)


def server_problem(request: HttpRequest) -> JsonResponse:
    """Answer our own failure; what went wrong stays in the log, under the request's id."""
    detail = "This is our fault. Quote the request id when you write to us."
    return problem_answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, detail)


def _body(request: HttpRequest | Request, status: HTTPStatus, detail: str) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "instance": request.path,
        "request_id": request.META.get("REQUEST_ID", ""),
    }


def _detail(error: Exception, response: Response) -> str:
    if isinstance(error, Http404 | PermissionDenied) and str(error):
        return str(error)
    if isinstance(error, ValidationError):
        return "The request is not valid; `errors` says where."
    return str(response.data.get("detail", "")) if isinstance(response.data, dict) else ""
