"""What stands around every API request: a limit on its size, and the header fields that tell how much of the rate is left."""

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponseBase

from accounts.parsers import MOST_BYTES
from accounts.problems import problem_answer

ROOMIER = "/api/v1/agent/"  # Signed usage in bulk; Django's own limit holds there.


class ApiLimits:
    """Middleware: refuse a large body before anything reads it, and tell how much of the rate is left."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith("/api/"):
            return self._answer(request)
        length = request.META.get("CONTENT_LENGTH") or "0"
        if int(length) > MOST_BYTES and not request.path.startswith(ROOMIER):
            return problem_answer(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"At most {MOST_BYTES} bytes.")
        answer = self._answer(request)
        for name, value in getattr(request, "rate_fields", {}).items():
            answer[name] = value
        return answer

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        answer: HttpResponseBase = self.get_response(request)
        return answer
