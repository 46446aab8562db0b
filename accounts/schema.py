"""What the API's description says of every operation alike: how one signs in, and how it says no."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework import serializers

from accounts.problems import PROBLEM_JSON


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457. Quote the request id when you write to us."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    request_id = serializers.CharField()
    errors = serializers.DictField(  # type: ignore[assignment] # a field, not the property of the same name
        required=False, child=serializers.ListField(child=serializers.CharField()), help_text="Parameter to what is wrong with it"
    )


class MoneySerializer(serializers.Serializer[Any]):
    """An amount in a currency; never a binary fraction."""

    amount = serializers.CharField(help_text="Decimal string with the currency's own number of places")
    currency = serializers.CharField(help_text="ISO 4217")


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call] # registers itself
    """Tells drf-spectacular of accounts.keys.KeyAuthentication."""

    target_class = "accounts.keys.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "An API key of one customer: `Authorization: Bearer ch_…`"}


def refusal(status: int, title: str, when: str, detail: str, errors: dict[str, list[str]] | None = None) -> OpenApiResponse:
    """A refusal, with an example as it would be sent."""
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    body |= {"instance": "/api/v1/", "request_id": "5f3a9c0d1e7b"} | ({"errors": errors} if errors else {})
    example = OpenApiExample(title, body, response_only=True, status_codes=[str(status)])
    return OpenApiResponse(ProblemSerializer, when, [example])


REFUSALS = {
    (400, PROBLEM_JSON): refusal(
        400,
        "Bad Request",
        "A parameter is wrong; `errors` names it.",
        "The request is not valid; `errors` says where.",
        {"limit": ["Ensure this value is less than or equal to 500."]},
    ),
    (401, PROBLEM_JSON): refusal(
        401, "Unauthorized", "Nobody is signed in, or the key is unknown or revoked.", "This key is unknown or revoked."
    ),
    (403, PROBLEM_JSON): refusal(
        403, "Forbidden", "The key lacks the scope, or the person the role.", "This key lacks the scope invoices:read."
    ),
    (404, PROBLEM_JSON): refusal(404, "Not Found", "There is none that you may see.", "No such customer."),
    (429, PROBLEM_JSON): refusal(
        429,
        "Too Many Requests",
        "More requests than allowed; the header `Retry-After` says when to come back.",
        "Request was throttled. Expected available in 12 seconds.",
    ),
}


def conflict(when: str, detail: str) -> dict[Any, OpenApiResponse]:
    """That the state of things does not allow it, whoever asks."""
    return {(409, PROBLEM_JSON): refusal(409, "Conflict", when, detail)}
