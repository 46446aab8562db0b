"""The portal's further files: an invoice as JSON and as the two electronic ones, a credit note as any. Strangers get 404."""

from collections.abc import Callable

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from accounts.access import visible_customers
from accounts.models import User
from invoices import credit_note_documents, documents
from invoices.books import CreditNote
from invoices.documents import File
from invoices.einvoice import EInvoiceError
from invoices.issued import Invoice

SUFFIXES = ("json", "xml", "ubl")


@require_safe
@login_required
def invoice_file(request: HttpRequest, number: str, suffix: str) -> HttpResponse:
    """An invoice as json, xml (CII) or ubl. One that EN 16931 cannot say answers 404 with the reason."""
    if suffix not in SUFFIXES or not isinstance(request.user, User):
        raise Http404("There is no such file.")
    mine = Invoice.objects.filter(customer__in=visible_customers(request.user), state=Invoice.State.FINALISED)
    invoice = get_object_or_404(mine, number=number)
    return _sent(lambda: documents.file_of(invoice, suffix))


@require_safe
@login_required
def credit_note_file(request: HttpRequest, note: str, suffix: str) -> HttpResponse:
    """A credit note as pdf, csv, json, xml (CII) or ubl."""
    if suffix not in credit_note_documents.KINDS or not isinstance(request.user, User):
        raise Http404("There is no such file.")
    mine = CreditNote.objects.filter(invoice__customer__in=visible_customers(request.user)).select_related("invoice")
    found = get_object_or_404(mine, number=note)
    return _sent(lambda: credit_note_documents.file_of(found, suffix))


def _sent(make: Callable[[], File]) -> HttpResponse:
    """Answer with a file. One that EN 16931 cannot say is not there, with the reason."""
    try:
        file = make()
    except EInvoiceError as error:
        raise Http404(str(error)) from error
    disposition = f'attachment; filename="{file.name}"'
    return HttpResponse(file.content, content_type=file.kind, headers={"Content-Disposition": disposition})
