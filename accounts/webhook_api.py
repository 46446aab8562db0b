"""The API's room of webhooks: endpoints, what became of their deliveries, a test, once more, and another secret."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import outbox, webhooks
from accounts.models import WebhookDelivery, WebhookEndpoint
from accounts.query import CustomerPageQuery, CustomerQuery, customer_of
from accounts.schema import REFUSALS
from accounts.versioned import require_match, with_etag
from accounts.webhook_api_forms import (
    CHANGED,
    DELIVERIES,
    DELIVERY,
    ENDPOINT,
    ENDPOINTS,
    MADE,
    NEW,
    ROTATED,
    ChangedEndpoint,
    DeliverySerializer,
    EndpointSerializer,
    NewEndpoint,
    SecretSerializer,
)

TAGS = ["webhooks"]


class WebhookList(generics.ListAPIView[WebhookEndpoint]):
    queryset = WebhookEndpoint.objects.none()
    serializer_class = EndpointSerializer
    ordering = ("pk",)

    def get_queryset(self) -> QuerySet[WebhookEndpoint]:
        customer = customer_of(self.request, CustomerPageQuery.of(self.request).get("customer"))
        return WebhookEndpoint.objects.filter(customer=customer)

    @extend_schema(
        summary="List a customer's webhooks",
        description="Owners, and keys with `webhooks:read`. Secrets are shown once, when they are made.",
        parameters=[CustomerPageQuery],
        responses={200: EndpointSerializer(many=True), **REFUSALS},
        examples=[ENDPOINTS],
        tags=TAGS,
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Add a webhook",
        description="The answer holds the secret, this once. Messages are signed as Standard Webhooks says.",
        parameters=[CustomerQuery],
        request=NewEndpoint,
        responses={201: SecretSerializer, **REFUSALS},
        examples=[NEW, MADE],
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        given = NewEndpoint.of(request)
        customer = customer_of(request, CustomerQuery.of(request).get("customer"))
        try:
            endpoint, secret = webhooks.add(customer, given["url"], given["events"], given.get("note", ""))
        except webhooks.WebhookError as error:
            raise ValidationError({error.field: [str(error)]}) from error
        return Response({**EndpointSerializer(endpoint).data, "secret": secret}, status=201)


class WebhookDetail(APIView):
    @extend_schema(
        summary="Show a webhook",
        parameters=[CustomerQuery],
        responses={200: EndpointSerializer, **REFUSALS},
        examples=[ENDPOINT],
        tags=TAGS,
    )
    def get(self, request: Request, pk: int) -> Response:
        return with_etag(EndpointSerializer(_endpoint(request, pk)).data)

    @extend_schema(
        summary="Change a webhook",
        description="Send `If-Match` with the `ETag` that you read.",
        parameters=[CustomerQuery],
        request=ChangedEndpoint,
        responses={200: EndpointSerializer, **REFUSALS},
        examples=[ENDPOINT, CHANGED],
        tags=TAGS,
    )
    @transaction.atomic
    def patch(self, request: Request, pk: int) -> Response:
        given = ChangedEndpoint.of(request)
        endpoint = WebhookEndpoint.objects.select_for_update().get(pk=_endpoint(request, pk).pk)
        require_match(request, EndpointSerializer(endpoint).data)
        try:
            return with_etag(EndpointSerializer(webhooks.change(endpoint, given)).data)
        except webhooks.WebhookError as error:
            raise ValidationError({error.field: [str(error)]}) from error

    @extend_schema(
        summary="Remove a webhook", parameters=[CustomerQuery], responses={204: None, **REFUSALS}, tags=TAGS
    )  # fmt: skip
    def delete(self, request: Request, pk: int) -> Response:
        webhooks.remove(_endpoint(request, pk))
        return Response(status=204)


class WebhookRotate(APIView):
    @extend_schema(
        summary="Make another secret",
        description="For 24 hours messages carry a signature of the old one too.",
        parameters=[CustomerQuery],
        request=None,
        responses={200: SecretSerializer, **REFUSALS},
        examples=[ROTATED],
        tags=TAGS,
    )
    def post(self, request: Request, pk: int) -> Response:
        endpoint = _endpoint(request, pk)
        secret = webhooks.rotate(endpoint)
        return Response({**EndpointSerializer(endpoint).data, "secret": secret})


class WebhookTest(APIView):
    @extend_schema(
        summary="Send a test",
        description="An event `webhook.test`, delivered and tried again as any other.",
        parameters=[CustomerQuery],
        request=None,
        responses={202: DeliverySerializer, **REFUSALS},
        examples=[DELIVERY],
        tags=TAGS,
    )
    def post(self, request: Request, pk: int) -> Response:
        return Response(DeliverySerializer(outbox.send_test(_endpoint(request, pk))).data, status=202)


class WebhookDeliveries(generics.ListAPIView[WebhookDelivery]):
    queryset = WebhookDelivery.objects.none()
    serializer_class = DeliverySerializer
    ordering = ("-pk",)

    def get_queryset(self) -> QuerySet[WebhookDelivery]:
        customer = customer_of(self.request, CustomerPageQuery.of(self.request).get("customer"))
        endpoint = get_object_or_404(WebhookEndpoint, customer=customer, pk=self.kwargs["pk"])
        return WebhookDelivery.objects.filter(endpoint=endpoint).select_related("event")

    @extend_schema(
        summary="List a webhook's deliveries",
        description="Newest first, for 30 days.",
        parameters=[CustomerPageQuery],
        responses={200: DeliverySerializer(many=True), **REFUSALS},
        examples=[DELIVERIES],
        tags=TAGS,
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class WebhookRedeliver(APIView):
    @extend_schema(
        summary="Deliver an event once more",
        description="Under its old `webhook-id`, and tried for another day if need be.",
        parameters=[CustomerQuery],
        request=None,
        responses={202: DeliverySerializer, **REFUSALS},
        examples=[DELIVERY],
        tags=TAGS,
    )
    def post(self, request: Request, pk: int, delivery: int) -> Response:
        row = get_object_or_404(_endpoint(request, pk).deliveries, pk=delivery)
        return Response(DeliverySerializer(outbox.redeliver(row)).data, status=202)


def _endpoint(request: Request, pk: int) -> WebhookEndpoint:
    customer = customer_of(request, CustomerQuery.of(request).get("customer"))
    return get_object_or_404(WebhookEndpoint, customer=customer, pk=pk)
