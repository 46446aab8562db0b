"""ETag and If-Match for what is changed over the API: whoever saw an older state is told so, instead of undoing others' work."""

import hashlib
import json
from typing import Any

from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response


class Stale(APIException):
    status_code = 412
    default_detail = "It has changed since you read it. Read it again, then change that."


class NoMatchGiven(APIException):
    status_code = 428
    default_detail = "Send If-Match with the ETag that you read, so that nobody's change is lost; or If-Match: *."


def etag_of(shown: Any) -> str:
    """The ETag of what is shown."""
    return f'"{hashlib.sha256(json.dumps(shown, sort_keys=True, default=str).encode()).hexdigest()[:32]}"'


def require_match(request: Request, shown: Any) -> None:
    """Raise unless the request names the state that is shown now. Call it with the row locked."""
    given = request.headers.get("If-Match", "")
    if not given:
        raise NoMatchGiven
    if given != "*" and etag_of(shown) not in [tag.strip() for tag in given.split(",")]:
        raise Stale


def with_etag(shown: Any, status: int = 200) -> Response:
    """Answer with the state and its ETag."""
    return Response(shown, status=status, headers={"ETag": etag_of(shown)})
