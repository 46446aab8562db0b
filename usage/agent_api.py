"""What agents and the server say to each other over HTTP: enrolment, change of key, state and wishes, usage where Kafka is out
of reach. It is the agent's own protocol (docs/agent.md), not part of the public API's description."""

import base64
import binascii
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.timezone import now
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import wall
from usage import enrolment, wishes
from usage.completeness import watermark
from usage.forwarding import BrokerAway, forward
from usage.key_models import EnrolmentToken
from usage.machine_auth import IsMachine, MachineAuthentication, MachineUser
from usage.server_keys import sealing_keys, wish_key
from usage.wire import MAX_BYTES, RawMessage

MOST_MESSAGES = 100


class Base64Field(serializers.Field[bytes, str, str, Any]):
    """Bytes as base64."""

    def to_internal_value(self, data: Any) -> bytes:
        try:
            return base64.b64decode(data, validate=True)
        except (TypeError, ValueError, binascii.Error):
            raise serializers.ValidationError("Must be base64.") from None


class KeyForm(serializers.Serializer[Any]):
    public_key = Base64Field()
    proof = serializers.CharField(max_length=200)


class EnrolForm(KeyForm):
    token = serializers.CharField(max_length=200)


class StateForm(serializers.Serializer[Any]):
    version = serializers.CharField(max_length=40)
    state = serializers.CharField(max_length=20)
    mode = serializers.CharField(max_length=80)
    interval_s = serializers.IntegerField(min_value=0, max_value=86_400)
    waiting = serializers.IntegerField(min_value=0, max_value=2**62)
    clock_ahead_ms = serializers.IntegerField(min_value=-(2**53), max_value=2**53, required=False)
    obeyed = serializers.IntegerField(min_value=0, max_value=2**62, default=0)
    answer = serializers.CharField(max_length=200, allow_blank=True, default="")


class SyncForm(serializers.Serializer[Any]):
    stream = serializers.UUIDField()
    state = StateForm(required=False)


class MessageForm(serializers.Serializer[Any]):
    value = Base64Field()
    headers = serializers.ListField(child=serializers.ListField(child=serializers.CharField(), min_length=2, max_length=2))


class MessagesForm(serializers.Serializer[Any]):
    messages = MessageForm(many=True)


class Refused(APIException):
    status_code = status.HTTP_403_FORBIDDEN


class TryLater(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE


def _checked(form: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    checked = form(data=request.data)
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)


@extend_schema(exclude=True)
class Enrol(APIView):
    """A token and a public key for the settings of the machine. The token is all that says who asks."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        given = _checked(EnrolForm, request)
        wall.shown("token", EnrolmentToken.digest_of(given["token"]))
        try:
            key = enrolment.enrol(given["token"], given["public_key"], given["proof"])
        except enrolment.EnrolmentRefused as refused:
            raise Refused(str(refused)) from refused
        return Response({"machine": key.machine.code, "keyid": key.keyid, **_for_agents()}, status=status.HTTP_201_CREATED)


class MachineView(APIView):
    """For a machine that has a key."""

    authentication_classes = (MachineAuthentication,)
    permission_classes = (IsMachine,)


@extend_schema(exclude=True)
class ChangeKey(MachineView):
    """A new key for the one that signs the request; both count for a while."""

    def post(self, request: Request) -> Response:
        given = _checked(KeyForm, request)
        try:
            key = enrolment.rotate(_machine_user(request).key, given["public_key"], given["proof"])
        except enrolment.EnrolmentRefused as refused:
            raise Refused(str(refused)) from refused
        return Response({"keyid": key.keyid}, status=status.HTTP_201_CREATED)


@extend_schema(exclude=True)
class Sync(MachineView):
    """The agent says how it is, and hears how far its stream is stored and what is asked of it."""

    def post(self, request: Request) -> Response:
        asker, given = _machine_user(request), _checked(SyncForm, request)
        if "state" in given:
            wishes.note(asker.key, given["state"], asker.at_ms)
        wish = wishes.pending(asker.machine, now())
        return Response(
            {
                "watermark": watermark(asker.machine, given["stream"]),
                "wish": wishes.sealed_wish(wish) if wish else None,
                "sealing_key": _newest_sealing_key(),
            }
        )


@extend_schema(exclude=True)
class Forward(MachineView):
    """The same bytes that would have gone to Kafka, which the server puts there: one way in, one set of rules."""

    def post(self, request: Request) -> Response:
        asker, given = _machine_user(request), _checked(MessagesForm, request)["messages"]
        if not 1 <= len(given) <= MOST_MESSAGES or any(len(message["value"]) > MAX_BYTES for message in given):
            raise ValidationError({"messages": [f"1 to {MOST_MESSAGES} messages of at most {MAX_BYTES} bytes each."]})
        key = asker.machine.code.encode()
        raws = [_raw(key, message) for message in given]
        try:
            return Response({"accepted": forward(raws)}, status=status.HTTP_202_ACCEPTED)
        except BrokerAway as error:
            raise TryLater(str(error)) from error


def _raw(key: bytes, message: dict[str, Any]) -> RawMessage:
    headers = tuple((name, value.encode()) for name, value in message["headers"])
    return RawMessage(settings.USAGE_TOPIC, "", 0, 0, 0, key, message["value"], headers)


def _machine_user(request: Request) -> MachineUser:
    asker: Any = request.user
    assert isinstance(asker, MachineUser)  # noqa: S101 - IsMachine let nobody else in
    return asker


def _for_agents() -> dict[str, Any]:
    """What an agent must know to send: where Kafka is, and by which keys the server speaks and reads."""
    authority = settings.AGENT_SSL_CAFILE
    return {
        "topic": settings.USAGE_TOPIC,
        "bootstrap": settings.AGENT_BOOTSTRAP_SERVERS,
        "security_protocol": settings.AGENT_SECURITY_PROTOCOL,
        "sasl_mechanism": settings.AGENT_SASL_MECHANISM or None,
        "ssl_ca": Path(authority).read_text() if authority else None,
        "server_key": base64.b64encode(wish_key().public_key().public_bytes_raw()).decode(),
        "sealing_key": _newest_sealing_key(),
    }


def _newest_sealing_key() -> dict[str, str] | None:
    keys = sealing_keys()
    return keys[0].told() if keys else None
