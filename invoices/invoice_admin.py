"""The admin's desk for invoices: read-only, with what an operator may decide about one."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesCheckboxFilter, RangeDateTimeFilter

from accounts.admin_parts import ReadOnlyDesk, ReadOnlyRows, action, display, leave_dialog
from accounts.models import User
from invoices import billing, credit_notes, documents, mailing, payments
from invoices.admin_forms import CreditForm, DecisionForm, PaymentForm, VoidForm
from invoices.display import money
from invoices.einvoice import EInvoiceError
from invoices.gather import CurrencyError
from invoices.models import CreditNote, Invoice, InvoiceLine, InvoiceQuerySet, Payment
from invoices.money import parse_decimal, places_of
from invoices.parts import NoPriceError
from invoices.refusals import BillingError

STATUS_COLOURS = {
    "draft": "warning", "held": "danger", "open": "info", "partly_paid": "info", "overdue": "danger", "paid": "success",
    "credited": "success", "void": "danger",
}  # fmt: skip
DOCUMENTS = ("pdf", "csv", "json", "xml", "ubl")
REFUSALS = (BillingError, NoPriceError, CurrencyError, ValueError)


class LineRows(ReadOnlyRows):
    model = InvoiceLine
    fields = ("position", "name", "kind", "quantity_text", "unit", "amount", "plan_name", "plan_version")
    readonly_fields = fields

    @display(description="Amount")
    def amount(self, line: InvoiceLine) -> str:
        return money(line.amount_minor, line.invoice.currency, line.invoice.locale)


class PaymentRows(ReadOnlyRows):
    model = Payment
    fields = ("amount_minor", "reference", "received_on", "recorded_by", "recorded_at")
    readonly_fields = fields


class CreditNoteRows(ReadOnlyRows):
    model = CreditNote
    fields = ("number", "reason", "amount", "to_wallet_minor", "issued_on", "issued_by")
    readonly_fields = fields

    @display(description="Amount")
    def amount(self, note: CreditNote) -> str:
        return money(note.total_minor, note.invoice.currency, note.invoice.locale)


class InvoiceAdmin(ReadOnlyDesk):
    """Invoices, newest first."""

    list_display = ("label", "customer_name", "status_label", "period_start", "total", "due_on", "paper")
    list_filter = (
        ("customer", AutocompleteSelectFilter),
        ("state", ChoicesCheckboxFilter),
        ("period_start", RangeDateTimeFilter),
    )
    search_fields = ("number", "customer_name", "customer_code")
    inlines = (LineRows, PaymentRows, CreditNoteRows)
    actions_detail = ("finalise", "release", "record_payment", "give_credit", "mail_again", "declare_void")
    fieldsets = (
        (
            None,
            {"fields": ("label", "status_label", "paper", "total", "outstanding", "why_held", "release_reason", "void_reason")},
        ),
        ("Period", {"fields": ("period_start", "period_end", "timezone", "plans")}),
        ("Dates", {"fields": ("refreshed_at", "finalised_at", "issued_on", "due_on")}),
        ("Customer", {"fields": ("customer", "customer_name", "customer_address", "customer_tax_id", "buyer_reference")}),
        ("Seller", {"fields": ("seller_name", "seller_address", "seller_tax_id", "seller_iban")}),
        ("Below the lines", {"fields": ("discounts", "taxes", "credit_minor", "content_hash")}),
    )
    csv_fields = (
        "number", "state", "customer_code", "customer_name", "period_start", "period_end", "currency",
        "subtotal_minor", "tax_minor", "total_minor", "issued_on", "due_on",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> InvoiceQuerySet:
        found: InvoiceQuerySet = super().get_queryset(request)
        return found.with_settlement()

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.document)
        own = [path("<int:pk>/<str:kind>", view, name="invoices_invoice_document")]
        urls: list[URLPattern] = super().get_urls()
        return own + urls

    @display(description="Invoice", ordering="number")
    def label(self, invoice: Invoice) -> str:
        return str(invoice)

    @display(description="Status", label=STATUS_COLOURS)
    def status_label(self, invoice: Invoice) -> str:
        return invoice.status

    @display(description="Total", ordering="total_minor")
    def total(self, invoice: Invoice) -> str:
        return money(invoice.total_minor, invoice.currency, invoice.locale)

    @display(description="Why it is void")
    def void_reason(self, invoice: Invoice) -> str:
        return invoice.voiding.reason if invoice.status == "void" else ""

    @display(description="Still to be paid")
    def outstanding(self, invoice: Invoice) -> str:
        return money(invoice.outstanding_minor if invoice.owing else 0, invoice.currency, invoice.locale)

    @display(description="Why it is held")
    def why_held(self, invoice: Invoice) -> str:
        return " ".join(breach["text"] for breach in invoice.held)

    @display(description="Documents")
    def paper(self, invoice: Invoice) -> SafeString:
        first = reverse("admin:invoices_invoice_document", args=[invoice.pk, DOCUMENTS[0]]).removesuffix(DOCUMENTS[0])
        return format_html_join(" ", '<a href="{}{}">{}</a>', ((first, kind, kind.upper()) for kind in DOCUMENTS))

    def document(self, request: HttpRequest, pk: int, kind: str) -> HttpResponse:
        """Answer with an invoice, drafts too, for whoever may look at invoices."""
        invoice = get_object_or_404(Invoice, pk=pk) if self.has_view_permission(request) else None
        if invoice is None or kind not in DOCUMENTS:
            return HttpResponse(status=404)
        try:
            file = documents.file_of(invoice, kind)
        except EInvoiceError as error:
            return HttpResponse(str(error), content_type="text/plain; charset=utf-8", status=409)
        disposition = f'attachment; filename="{file.name}"'
        return HttpResponse(file.content, content_type=file.kind, headers={"Content-Disposition": disposition})

    def has_settle_permission(self, request: HttpRequest, object_id: int | str | None = None) -> bool:
        """Whoever may change an invoice's fate, though its row is never edited by hand."""
        return bool(request.user.has_perm("invoices.change_invoice"))

    @action(
        description="Finalise",
        icon="task_alt",
        url_path="finalise",
        permissions=["settle"],
        dialog={
            "title": "Finalise this draft?",
            "description": "It is rated a last time, gets its number and can never be changed again.",
            "form_class": DecisionForm,
            "form_submit_text": "Finalise",
        },
    )
    def finalise(self, request: HttpRequest, form: DecisionForm, object_id: int) -> HttpResponse:
        return self._decide(request, object_id, lambda invoice: f"Finalised as {billing.finalise(invoice)}")

    @action(
        description="Release",
        icon="lock_open",
        url_path="release",
        permissions=["settle"],
        dialog={
            "title": "Let this draft pass?",
            "description": "It breaks a safety bound; see why it is held. With a reason it can become final.",
            "form_class": VoidForm,
            "form_submit_text": "Release",
        },
    )
    def release(self, request: HttpRequest, form: VoidForm, object_id: int) -> HttpResponse:
        def let_pass(invoice: Invoice) -> str:
            return f"Released: {billing.release(invoice, form.cleaned_data['reason'], by=_email(request)).release_reason}"

        return self._decide(request, object_id, let_pass)

    @action(
        description="Credit note",
        icon="undo",
        url_path="credit-note",
        permissions=["settle"],
        dialog={"title": "Give credit", "form_class": CreditForm, "form_submit_text": "Issue"},
    )
    def give_credit(self, request: HttpRequest, form: CreditForm, object_id: int) -> HttpResponse:
        def credit(invoice: Invoice) -> str:
            return f"Credit note {_credit(invoice, form.cleaned_data, by=_email(request))} issued"

        return self._decide(request, object_id, credit)

    @action(
        description="Record payment",
        icon="payments",
        url_path="record-payment",
        permissions=["settle"],
        dialog={"title": "Record a payment", "form_class": PaymentForm, "form_submit_text": "Record"},
    )
    def record_payment(self, request: HttpRequest, form: PaymentForm, object_id: int) -> HttpResponse:
        def pay(invoice: Invoice) -> str:
            amount_minor = parse_decimal(form.cleaned_data["amount"].strip(), places_of(invoice.currency))
            reference, received_on = form.cleaned_data["reference"], form.cleaned_data["received_on"]
            payments.record_payment(invoice, amount_minor, reference, received_on, by=_email(request))
            return f"Payment {reference} recorded"

        return self._decide(request, object_id, pay)

    @action(
        description="Mail again",
        icon="forward_to_inbox",
        url_path="mail-again",
        permissions=["settle"],
        dialog={
            "title": "Mail this invoice again?",
            "description": "It goes to whoever gets the customer's invoices, with the PDF.",
            "form_class": DecisionForm,
            "form_submit_text": "Mail",
        },
    )
    def mail_again(self, request: HttpRequest, form: DecisionForm, object_id: int) -> HttpResponse:
        return self._decide(request, object_id, lambda invoice: f"On its way to {', '.join(mailing.again(invoice))}")

    @action(
        description="Declare void",
        icon="block",
        url_path="declare-void",
        permissions=["settle"],
        dialog={
            "title": "Declare this invoice void?",
            "description": "Its number stays taken. Its period is billed anew by the next hourly run.",
            "form_class": VoidForm,
            "form_submit_text": "Declare void",
        },
    )
    def declare_void(self, request: HttpRequest, form: VoidForm, object_id: int) -> HttpResponse:
        def void(invoice: Invoice) -> str:
            return f"Void: {billing.void(invoice, form.cleaned_data['reason'], by=_email(request)).reason}"

        return self._decide(request, object_id, void)

    def _decide(self, request: HttpRequest, pk: int, decide: Callable[[Invoice], str]) -> HttpResponse:
        """Carry out a decision, say and log what became of it, and go back to the invoice."""
        invoice = get_object_or_404(Invoice, pk=pk)
        try:
            said = decide(invoice)
        except REFUSALS as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.log_change(request, invoice, said)
            self.message_user(request, f"{said}.", messages.SUCCESS)
        return leave_dialog(request, "admin:invoices_invoice_change", pk)


def _credit(invoice: Invoice, asked: dict[str, Any], by: str) -> CreditNote:
    """A note over chosen lines, an amount, or all that is left where neither is named."""
    if asked["lines"] and asked["amount"]:
        raise BillingError("Name either lines or an amount.")
    if asked["lines"]:
        positions = {int(position): None for position in asked["lines"].replace(",", " ").split()}
        return credit_notes.credit_lines(invoice, positions, asked["reason"], by)
    if asked["amount"]:
        amount_minor = parse_decimal(asked["amount"].strip(), places_of(invoice.currency))
        return credit_notes.credit_amount(invoice, amount_minor, asked["reason"], by)
    return credit_notes.credit_whole(invoice, asked["reason"], by)


def _email(request: HttpRequest) -> str:
    return request.user.email if isinstance(request.user, User) else ""
