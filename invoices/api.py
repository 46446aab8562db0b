"""The API's room of money: the running cost, finalised invoices with how each line came about, and the plans that apply."""

from collections.abc import Iterator
from datetime import UTC, datetime

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.decorators import method_decorator
from django.utils.timezone import now
from django.views.decorators.http import conditional_page
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import visible_customers
from accounts.keys import actor
from accounts.query import CustomerPageQuery, CustomerQuery, customer_of
from accounts.schema import REFUSALS, conflict
from invoices import api_examples as examples
from invoices import documents
from invoices.api_forms import (
    EstimateSerializer,
    InvoiceDetailSerializer,
    InvoiceSerializer,
    PlanPageSerializer,
    estimate_json,
    invoice_detail_json,
    invoice_json,
    plan_json,
)
from invoices.catalogue import contracts
from invoices.estimate import estimate
from invoices.gather import CurrencyError
from invoices.models import Invoice
from invoices.parts import Contract, NoPriceError
from invoices.plan_price import dump_price
from invoices.terms import VersionTerms
from usage.periods import Period

END_OF_TIME = datetime(2200, 1, 1, tzinfo=UTC)


class NotPriced(APIException):
    """The operator's mistake, not the asker's: a plan without a price in force."""

    status_code = 409
    default_code = "not_priced"


NOT_PRICED = conflict(
    "A plan has no price in force for this time.", "There is no published version of the plan for this month yet."
)


class RunningCost(APIView):
    @extend_schema(
        summary="Show the running cost",
        description="What the invoice of the current month would say if the month ended now, by the invoice's own rater.",
        parameters=[CustomerQuery],
        responses={200: EstimateSerializer, **REFUSALS, **NOT_PRICED},
        examples=[examples.ESTIMATE],
        tags=["cost"],
    )
    def get(self, request: Request) -> Response:
        customer = customer_of(request, CustomerQuery.of(request).get("customer"))
        try:
            return Response(estimate_json(estimate(customer)))
        except (NoPriceError, CurrencyError) as error:
            raise NotPriced(str(error)) from error


def visible_invoices(request: Request) -> QuerySet[Invoice]:
    """Finalised invoices of every customer that the asker may see. Drafts are nobody's business but the operator's."""
    customers = visible_customers(actor(request))
    return Invoice.objects.filter(customer__in=customers, state=Invoice.State.FINALISED).with_settlement()


@method_decorator(conditional_page, name="dispatch")
class InvoiceList(generics.ListAPIView[Invoice]):
    queryset = Invoice.objects.none()
    serializer_class = InvoiceSerializer
    ordering = ("-period_start", "-pk")

    @extend_schema(
        summary="List a customer's invoices",
        description="Newest period first. Drafts are not listed: what runs is at `/api/v1/estimate/`.",
        parameters=[CustomerPageQuery],
        responses={200: InvoiceSerializer(many=True), **REFUSALS},
        examples=[examples.INVOICE],
        tags=["invoices"],
    )
    def get(self, request: Request) -> Response:
        query = CustomerPageQuery.of(request)
        customer = customer_of(request, query.get("customer"))
        page = self.paginate_queryset(visible_invoices(request).filter(customer=customer))
        return self.get_paginated_response([invoice_json(invoice) for invoice in page or ()])


@method_decorator(conditional_page, name="dispatch")
class InvoiceDetail(APIView):
    @extend_schema(
        summary="Show an invoice with all its lines",
        description="Send `If-None-Match` with the `ETag` of an earlier answer and get 304 if nothing changed since.",
        responses={200: InvoiceDetailSerializer, **REFUSALS},
        examples=[examples.INVOICE_DETAIL],
        tags=["invoices"],
    )
    def get(self, request: Request, number: str) -> Response:
        return Response(invoice_detail_json(get_object_or_404(visible_invoices(request), number=number)))


@method_decorator(conditional_page, name="dispatch")
class InvoicePdf(APIView):
    @extend_schema(
        summary="Download an invoice as PDF",
        description="PDF/A, the same bytes for the same invoice.",
        responses={(200, "application/pdf"): OpenApiTypes.BINARY, **REFUSALS},
        examples=[examples.PDF],
        tags=["invoices"],
    )
    def get(self, request: Request, number: str) -> HttpResponse:
        invoice = get_object_or_404(visible_invoices(request), number=number)
        return _document(documents.pdf(invoice), "application/pdf", f"{number}.pdf")


@method_decorator(conditional_page, name="dispatch")
class InvoiceCsv(APIView):
    @extend_schema(
        summary="Download an invoice's lines as CSV",
        description="RFC 4180 with plain decimals.",
        responses={(200, "text/csv"): OpenApiTypes.STR, **REFUSALS},
        examples=[examples.CSV],
        tags=["invoices"],
    )
    def get(self, request: Request, number: str) -> HttpResponse:
        invoice = get_object_or_404(visible_invoices(request), number=number)
        return _document(documents.csv_text(invoice).encode(), "text/csv; charset=utf-8", f"{number}.csv")


def _document(content: bytes, kind: str, name: str) -> HttpResponse:
    return HttpResponse(content, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


class PlanList(APIView):
    @extend_schema(
        summary="List the prices that apply",
        description="Every plan version in force now or later under the customer's subscriptions.",
        parameters=[CustomerQuery],
        responses={200: PlanPageSerializer, **REFUSALS},
        examples=[examples.PLANS],
        tags=["cost"],
    )
    def get(self, request: Request) -> Response:
        customer = customer_of(request, CustomerQuery.of(request).get("customer"))
        moment = now()
        rows = [
            plan_json(version, contract.start, contract.end, [dump_price(price) for price in version.prices])
            for contract in contracts(customer, Period(moment, END_OF_TIME))
            for version in _still_to_come(contract, moment)
        ]
        return Response({"next": None, "previous": None, "results": rows})


def _still_to_come(contract: Contract, moment: datetime) -> Iterator[VersionTerms]:
    """The version in force at that moment and those after it."""
    following = [version.effective_from for version in contract.versions[1:]] + [END_OF_TIME]
    return (version for version, until in zip(contract.versions, following, strict=True) if until > moment)
