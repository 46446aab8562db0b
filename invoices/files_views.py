"""The portal's further files of an invoice: JSON and the two electronic ones. Strangers get 404."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from accounts.access import visible_customers
from accounts.models import User
from invoices import documents
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
    try:
        file = documents.file_of(invoice, suffix)
    except EInvoiceError as error:
        raise Http404(str(error)) from error
    disposition = f'attachment; filename="{file.name}"'
    return HttpResponse(file.content, content_type=file.kind, headers={"Content-Disposition": disposition})
