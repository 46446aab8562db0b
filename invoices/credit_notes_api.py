"""The API's room of credit notes: what was given back of an invoice, and its documents."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.decorators import method_decorator
from django.views.decorators.http import conditional_page
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import visible_customers
from accounts.keys import actor
from accounts.schema import REFUSALS, MoneySerializer
from invoices import api_examples as examples
from invoices import credit_note_documents
from invoices.api_forms import CreditNoteSerializer, TaxSerializer, credit_note_json, money, tax_json
from invoices.books import CreditNote
from invoices.books_api import NOT_SAYABLE, NotSayable
from invoices.einvoice import EInvoiceError


class CreditedLineSerializer(serializers.Serializer[Any]):
    position = serializers.IntegerField(help_text="Of the line on the invoice")
    name = serializers.CharField()
    amount = MoneySerializer()


class CreditNoteDetailSerializer(CreditNoteSerializer):
    invoice = serializers.CharField(help_text="The number of the invoice that it gives back")
    customer = serializers.CharField()
    lines = CreditedLineSerializer(many=True)
    subtotal = MoneySerializer()
    taxes = TaxSerializer(many=True)
    tax = MoneySerializer()


def visible_notes(request: Request) -> QuerySet[CreditNote]:
    """Credit notes of every customer that the asker may see."""
    return CreditNote.objects.filter(invoice__customer__in=visible_customers(actor(request))).select_related("invoice")


@method_decorator(conditional_page, name="dispatch")
class CreditNoteDetail(APIView):
    @extend_schema(
        summary="Show a credit note",
        description="Send `If-None-Match` with the `ETag` of an earlier answer and get 304 if nothing changed since.",
        responses={200: CreditNoteDetailSerializer, **REFUSALS},
        examples=[examples.CREDIT_NOTE],
        tags=["invoices"],
    )
    def get(self, request: Request, note: str) -> Response:
        return Response(_detail_json(get_object_or_404(visible_notes(request), number=note)))


@method_decorator(conditional_page, name="dispatch")
class CreditNotePdf(APIView):
    @extend_schema(
        summary="Download a credit note as PDF",
        description="PDF/A, the same bytes for the same credit note.",
        responses={(200, "application/pdf"): OpenApiTypes.BINARY, **REFUSALS},
        examples=[examples.PDF],
        tags=["invoices"],
    )
    def get(self, request: Request, note: str) -> HttpResponse:
        return _file(request, note, "pdf")


@method_decorator(conditional_page, name="dispatch")
class CreditNoteCsv(APIView):
    @extend_schema(
        summary="Download a credit note's lines as CSV",
        description="RFC 4180 with plain decimals.",
        responses={(200, "text/csv"): OpenApiTypes.STR, **REFUSALS},
        examples=[examples.CREDIT_NOTE_CSV],
        tags=["invoices"],
    )
    def get(self, request: Request, note: str) -> HttpResponse:
        return _file(request, note, "csv")


@method_decorator(conditional_page, name="dispatch")
class CreditNoteXml(APIView):
    """A credit note as an electronic one."""

    suffix = "xml"

    @extend_schema(
        summary="Download a credit note as an electronic one",
        description="EN 16931 as Cross Industry Invoice (`xml`, as in Factur-X and XRechnung) or as UBL 2.1 (`ubl`).",
        responses={(200, "application/xml"): OpenApiTypes.BINARY, **REFUSALS, **NOT_SAYABLE},
        examples=[examples.XML],
        tags=["invoices"],
    )
    def get(self, request: Request, note: str) -> HttpResponse:
        return _file(request, note, self.suffix)


class CreditNoteUbl(CreditNoteXml):
    """The same in UBL."""

    suffix = "ubl"


def _file(request: Request, number: str, suffix: str) -> HttpResponse:
    try:
        file = credit_note_documents.file_of(get_object_or_404(visible_notes(request), number=number), suffix)
    except EInvoiceError as error:
        raise NotSayable(str(error)) from error
    disposition = f'attachment; filename="{file.name}"'
    return HttpResponse(file.content, content_type=file.kind, headers={"Content-Disposition": disposition})


def _detail_json(note: CreditNote) -> dict[str, Any]:
    currency = note.invoice.currency
    return {
        **credit_note_json(note, currency),
        "invoice": note.invoice.number,
        "customer": note.invoice.customer_code,
        "lines": [_line_json(line, currency) for line in note.lines],
        "subtotal": money(note.subtotal_minor, currency),
        "taxes": [tax_json(tax, currency) for tax in note.taxes],
        "tax": money(note.tax_minor, currency),
    }


def _line_json(line: dict[str, Any], currency: str) -> dict[str, Any]:
    return {"position": line["position"], "name": line["name"], "amount": money(line["amount_minor"], currency)}
