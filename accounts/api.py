"""The API's first room: which customers the asker acts for."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import visible_customers
from accounts.keys import actor
from accounts.models import Customer
from accounts.query import PageQuery
from accounts.schema import REFUSALS


class CustomerSerializer(serializers.ModelSerializer[Customer]):
    class Meta:
        model = Customer
        fields = ("code", "name", "currency", "timezone", "locale")


CUSTOMERS = OpenApiExample(
    "One customer",
    {"code": "acme", "name": "Acme GmbH", "currency": "EUR", "timezone": "Europe/Berlin", "locale": "de-DE"},
    response_only=True,
    status_codes=["200"],
)


class CustomerList(generics.ListAPIView[Customer]):
    serializer_class = CustomerSerializer
    ordering = ("code",)

    @extend_schema(
        summary="List the customers you act for",
        description="A person sees the customers of their memberships, a key the one it belongs to. Staff see no more.",
        parameters=[PageQuery],
        responses={200: CustomerSerializer(many=True), **REFUSALS},
        examples=[CUSTOMERS],
        tags=["customers"],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Customer]:
        PageQuery.of(self.request)
        return visible_customers(actor(self.request))


@extend_schema(exclude=True)
class NoSuchPage(APIView):
    """Everything below /api/ that is no address answers as the rest of the API does."""

    permission_classes = (AllowAny,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound(f"There is no {request.path} here. /api/docs/ lists what there is.")
