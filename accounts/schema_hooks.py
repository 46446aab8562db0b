"""What holds for every operation that changes something, added to the API's description after drf-spectacular made it."""

from http import HTTPStatus
from typing import Any

from accounts.problems import PROBLEM_JSON

WORDS = {
    409: "The first request with this Idempotency-Key is still under way, or the state of things does not allow it.",
    412: "It has changed since you read it. Read it again, then change that.",
    413: "At most 1000000 bytes.",
    415: "The body is no JSON.",
    422: "This Idempotency-Key was used for another request.",
    428: "Send If-Match with the ETag that you read, so that nobody's change is lost; or If-Match: *.",
}
IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "required": True,
    "schema": {"type": "string", "examples": ["*"]},
    "description": "The `ETag` that you read, or `*`.",
}
IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "description": "Sent again within a day, the request is answered again and done once.",
}


def tell_manners(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Add the header fields and the refusals that accounts.versioned, .idempotency, .limits and .parsers bring."""
    for methods in result["paths"].values():
        for method, operation in methods.items():
            statuses = [413, 415] if "requestBody" in operation else []
            if method == "patch":
                operation.setdefault("parameters", []).append(IF_MATCH)
                statuses += [412, 428]
            if method == "post":
                operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
                statuses += [409, 422]
            answers = operation["responses"] | {str(status): _refusal(status) for status in statuses}
            operation["responses"] = dict(sorted(answers.items()))
    return result


def _refusal(status: int) -> dict[str, Any]:
    title = HTTPStatus(status).phrase
    told = {"type": "about:blank", "title": title, "status": status, "detail": WORDS[status]}
    value = told | {"instance": "/api/v1/", "request_id": "5f3a9c0d1e7b"}
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"content": {PROBLEM_JSON: {"schema": schema, "examples": {title: {"value": value}}}}, "description": WORDS[status]}
