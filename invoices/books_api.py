"""The API's room of the books: files of an invoice, the wallet, and for operators the payments they record.

Recording is no part of the customers' API and of its description; docs/operating.md and docs/money.md show it.
"""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.decorators import method_decorator
from django.views.decorators.http import conditional_page
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import may_see_fleet, visible_customers
from accounts.keys import actor
from accounts.models import ApiKey, User
from accounts.query import CustomerQuery, customer_of
from accounts.schema import REFUSALS, conflict
from invoices import api_examples as examples
from invoices import documents, payments
from invoices.api_forms import WalletSerializer, money, payment_json, wallet_json
from invoices.einvoice import EInvoiceError
from invoices.issued import Invoice
from invoices.money import parse_decimal, places_of
from invoices.refusals import BillingError


class NotSayable(APIException):
    """What the electronic standard cannot say of this invoice."""

    status_code = 409
    default_code = "not_sayable"


NOT_SAYABLE = conflict(
    "The electronic form wants what was not known when it was made; the PDF is there all the same.",
    "EN 16931 asks for both countries: set SELLER_COUNTRY and the customer's country.",
)


class MayRecord(BasePermission):
    """Staff who may change invoices. Nobody else learns that there is such a door."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        who = actor(request)
        if isinstance(who, ApiKey) or not may_see_fleet(who) or not who.has_perm("invoices.change_invoice"):
            raise Http404
        return True


class PaymentQuery(serializers.Serializer[Any]):
    amount = serializers.CharField(max_length=30)
    currency = serializers.CharField(max_length=3)
    reference = serializers.CharField(max_length=120)
    received_on = serializers.DateField()


@method_decorator(conditional_page, name="dispatch")
class InvoiceFile(APIView):
    """An invoice as an electronic one."""

    suffix = "xml"

    @extend_schema(
        summary="Download an invoice as an electronic invoice",
        description="EN 16931 as Cross Industry Invoice (`xml`, as in Factur-X and XRechnung) or as UBL 2.1 (`ubl`).",
        responses={(200, "application/xml"): OpenApiTypes.BINARY, **REFUSALS, **NOT_SAYABLE},
        examples=[examples.XML],
        tags=["invoices"],
    )
    def get(self, request: Request, number: str) -> HttpResponse:
        mine = Invoice.objects.filter(customer__in=visible_customers(actor(request)), state=Invoice.State.FINALISED)
        invoice = get_object_or_404(mine, number=number)
        try:
            file = documents.file_of(invoice, self.suffix)
        except EInvoiceError as error:
            raise NotSayable(str(error)) from error
        return HttpResponse(
            file.content, content_type=file.kind, headers={"Content-Disposition": f'attachment; filename="{file.name}"'}
        )


class InvoiceUbl(InvoiceFile):
    """The same in UBL."""

    suffix = "ubl"


class WalletDetail(APIView):
    @extend_schema(
        summary="Show a customer's wallet",
        description="What is prepaid or given as credit, and how it came and went. It pays the next invoices by itself.",
        parameters=[CustomerQuery],
        responses={200: WalletSerializer, **REFUSALS},
        examples=[examples.WALLET],
        tags=["invoices"],
    )
    def get(self, request: Request) -> Response:
        return Response(wallet_json(customer_of(request, CustomerQuery.of(request).get("customer"))))


class InvoicePayments(APIView):
    """Payments of an invoice, for programs of the operator: the same reference counts once."""

    permission_classes = (MayRecord,)

    @extend_schema(exclude=True)
    def post(self, request: Request, number: str) -> Response:
        invoice = get_object_or_404(Invoice, number=number, state=Invoice.State.FINALISED)
        asked = PaymentQuery(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        if values["currency"] != invoice.currency:
            raise ValidationError({"currency": [f"{number} is in {invoice.currency}."]})
        try:
            amount_minor = parse_decimal(values["amount"], places_of(invoice.currency))
        except ValueError as error:
            raise ValidationError({"amount": [str(error)]}) from error
        known = invoice.payments.filter(reference=values["reference"]).exists()
        try:
            payment = payments.record_payment(
                invoice, amount_minor, values["reference"], values["received_on"], by=_email(request)
            )
        except payments.PaymentError as error:
            raise ValidationError({error.field: [str(error)]}) from error
        except BillingError as error:
            raise ValidationError({"payment": [str(error)]}) from error
        outstanding = Invoice.objects.with_settlement().get(pk=invoice.pk).outstanding_minor
        body = payment_json(payment) | {"outstanding": money(outstanding, invoice.currency)}
        return Response(body, status=200 if known else 201)


def _email(request: Request) -> str:
    who = actor(request)
    return who.email if isinstance(who, User) else ""
