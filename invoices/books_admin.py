"""The admin's desk for the books: credit notes and the ledger to read, wallets to fill, runs to follow, terms to edit."""

from typing import Any

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesCheckboxFilter

from accounts.admin_parts import Desk, ReadOnlyDesk, ReadOnlyRows, action, display
from accounts.models import User
from invoices import credit_note_documents, ledger
from invoices.admin_forms import MovementForm
from invoices.books import CreditNote, InvoiceRun, LedgerEntry, OneOffItem, RunItem
from invoices.conditions import ITEM_KEY
from invoices.display import money
from invoices.einvoice import EInvoiceError
from invoices.issued import InvoiceLine
from invoices.money import parse_decimal, places_of

STATES = {"Waiting": "info", "Done": "success", "Parked": "danger"}


class CreditNoteAdmin(ReadOnlyDesk):
    """Credit notes, newest first."""

    list_display = ("number", "invoice", "total", "reason", "issued_on", "issued_by", "paper")
    list_select_related = ("invoice", "invoice__voiding")
    search_fields = ("number", "invoice__number", "invoice__customer_name", "reason")
    csv_fields = ("number", "invoice__number", "reason", "subtotal_minor", "tax_minor", "total_minor", "issued_on")

    @display(description="Total", ordering="total_minor")
    def total(self, note: CreditNote) -> str:
        return money(note.total_minor, note.invoice.currency, note.invoice.locale)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.document)
        urls: list[URLPattern] = super().get_urls()
        return [path("<int:pk>/<str:kind>", view, name="invoices_creditnote_document"), *urls]

    @display(description="Documents")
    def paper(self, note: CreditNote) -> SafeString:
        kinds = credit_note_documents.KINDS
        links = ((reverse("admin:invoices_creditnote_document", args=[note.pk, kind]), kind.upper()) for kind in kinds)
        return format_html_join(" ", '<a href="{}">{}</a>', links)

    def document(self, request: HttpRequest, pk: int, kind: str) -> HttpResponse:
        """Answer with a credit note for whoever may look at them."""
        note = get_object_or_404(CreditNote, pk=pk) if self.has_view_permission(request) else None
        if note is None or kind not in credit_note_documents.KINDS:
            return HttpResponse(status=404)
        try:
            file = credit_note_documents.file_of(note, kind)
        except EInvoiceError as error:
            return HttpResponse(str(error), content_type="text/plain; charset=utf-8", status=409)
        disposition = f'attachment; filename="{file.name}"'
        return HttpResponse(file.content, content_type=file.kind, headers={"Content-Disposition": disposition})


class LedgerAdmin(ReadOnlyDesk):
    """Every movement of money, newest first; a button fills a wallet or pays it back."""

    list_display = ("at", "customer", "what", "reference", "debit", "credit", "amount", "by")
    list_filter = (("customer", AutocompleteSelectFilter), ("kind", ChoicesCheckboxFilter))
    list_select_related = ("customer",)
    search_fields = ("reference", "note", "customer__name", "customer__code")
    actions_list = ("move_money",)
    csv_fields = (
        "at", "customer__code", "kind", "reference", "debit", "credit", "amount_minor", "currency", "note", "by",
    )  # fmt: skip

    @display(description="Amount", ordering="amount_minor")
    def amount(self, entry: LedgerEntry) -> str:
        return money(entry.amount_minor, entry.currency, entry.customer.locale)

    @display(description="What")
    def what(self, entry: LedgerEntry) -> str:
        return entry.get_kind_display()

    def has_move_permission(self, request: HttpRequest, object_id: int | str | None = None) -> bool:
        return bool(request.user.has_perm("invoices.add_ledgerentry"))

    @action(description="Fill or pay back a wallet", icon="account_balance_wallet", url_path="wallet", permissions=["move"])
    def move_money(self, request: HttpRequest) -> HttpResponse:
        """Ask who, what and how much; say what became of it."""
        form = MovementForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                entry = _move(form.cleaned_data, by=request.user.email if isinstance(request.user, User) else "")
            except ValueError as error:
                form.add_error(None, str(error))
            else:
                held = money(ledger.wallet_minor(entry.customer), entry.currency, entry.customer.locale)
                self.message_user(request, f"{entry} recorded; the wallet of {entry.customer} holds {held}.", messages.SUCCESS)
                return redirect(reverse("admin:invoices_ledgerentry_changelist"))
        context = {**self.admin_site.each_context(request), "form": form, "title": "Wallet", "opts": self.model._meta}
        return render(request, "admin/invoices/wallet.html", context)


def _move(asked: dict[str, Any], by: str) -> LedgerEntry:
    customer = asked["customer"]
    amount_minor = parse_decimal(asked["amount"].strip(), places_of(customer.currency))
    moves = {"top_up": ledger.top_up, "grant": ledger.grant, "pay_back": ledger.pay_back}
    return moves[asked["what"]](customer, amount_minor, asked["reference"], by=by, note=asked["note"])


class ItemRows(ReadOnlyRows):
    model = RunItem
    fields = ("customer", "state_label", "reason", "made", "finished_at")
    readonly_fields = fields

    @display(description="State", label=STATES)
    def state_label(self, item: RunItem) -> str:
        return item.get_state_display()

    @display(description="Invoices")
    def made(self, item: RunItem) -> str:
        return ", ".join(item.invoices)

    def get_queryset(self, request: HttpRequest) -> QuerySet[RunItem]:
        """Who was parked first, then who waits; of those done only who got an invoice."""
        found: QuerySet[RunItem] = super().get_queryset(request)
        return found.exclude(state=RunItem.State.DONE, invoices=[]).select_related("customer").order_by("-state", "customer")


class RunAdmin(ReadOnlyDesk):
    """The hourly runs: how far each is, and who was parked and why."""

    list_display = ("hour", "progress", "parked", "started_at")
    inlines = (ItemRows,)
    fields = ("hour", "started_at", "progress", "parked")
    readonly_fields = fields
    csv_fields = ("hour", "started_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[InvoiceRun]:
        found: QuerySet[InvoiceRun] = super().get_queryset(request)
        waiting, parked = Q(items__state=RunItem.State.WAITING), Q(items__state=RunItem.State.PARKED)
        return found.annotate(
            all_items=Count("items"), waiting_items=Count("items", waiting), parked_items=Count("items", parked)
        )

    @display(description="Progress")
    def progress(self, run: Any) -> str:
        return f"{run.all_items - run.waiting_items} of {run.all_items} customers"

    @display(description="Parked", ordering="parked_items")
    def parked(self, run: Any) -> int:
        return int(run.parked_items)


class DiscountAdmin(Desk):
    list_display = ("name", "customer", "share_micro", "fixed_minor", "start", "end")
    list_filter = (("customer", AutocompleteSelectFilter),)
    list_select_related = ("customer",)
    search_fields = ("name", "customer__name", "customer__code")
    autocomplete_fields = ("customer",)
    csv_fields = ("customer__code", "name", "share_micro", "fixed_minor", "start", "end")


class OneOffAdmin(Desk):
    """Items to be charged once. One that a final invoice has charged stays as it is."""

    list_display = ("name", "customer", "amount", "at")
    list_filter = (("customer", AutocompleteSelectFilter),)
    list_select_related = ("customer",)
    search_fields = ("name", "customer__name", "customer__code")
    autocomplete_fields = ("customer",)
    csv_fields = ("customer__code", "name", "amount_minor", "at")

    @display(description="Amount", ordering="amount_minor")
    def amount(self, item: OneOffItem) -> str:
        return money(item.amount_minor, item.customer.currency, item.customer.locale)

    def has_change_permission(self, request: HttpRequest, obj: OneOffItem | None = None) -> bool:
        return not (obj and _charged(obj)) and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: OneOffItem | None = None) -> bool:
        return not (obj and _charged(obj)) and bool(super().has_delete_permission(request, obj))


class TaxRateAdmin(Desk):
    list_display = ("country", "since", "name", "rate_micro")
    list_filter = ("country",)
    search_fields = ("country", "name")
    csv_fields = ("country", "since", "name", "rate_micro")


def _charged(item: OneOffItem) -> bool:
    return InvoiceLine.objects.filter(charge_key=f"{ITEM_KEY}{item.pk}", invoice__state="finalised").exists()
