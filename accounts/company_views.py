"""The portal's company details: what invoices are addressed to. Owners and billing change them, everybody reads them."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.access import require_role
from accounts.audit import record
from accounts.current import current_customer
from accounts.models import Customer, validate_locale
from accounts.scopes import PAYERS

FIELDS = ("name", "address", "tax_id", "invoice_email", "buyer_reference", "locale")


class CompanyForm(forms.Form):
    """What its own people may say of a customer. Country, currency and zone decide tax and periods: operators change those."""

    name = forms.CharField(max_length=200)
    address = forms.CharField(max_length=1_000, required=False)
    tax_id = forms.CharField(max_length=40, required=False)
    invoice_email = forms.EmailField(required=False)
    buyer_reference = forms.CharField(max_length=100, required=False)
    locale = forms.CharField(max_length=16, validators=[validate_locale])


@require_POST
@login_required
def company_set(request: HttpRequest) -> HttpResponse:
    """Save the details. Invoices that are final keep what they say."""
    customer = current_customer(request)
    require_role(request.user, customer, PAYERS)
    form = CompanyForm(request.POST)
    if form.is_valid():
        _save(customer.pk, form.cleaned_data)
        messages.success(request, _("Saved."))
    else:
        messages.error(
            request, " ".join(f"{name.replace('_', ' ').capitalize()}: {words[0]}" for name, words in form.errors.items())
        )
    return redirect("settings")


@transaction.atomic
def _save(pk: int, given: dict[str, Any]) -> None:
    customer = Customer.objects.select_for_update().get(pk=pk)
    before = {name: getattr(customer, name) for name in FIELDS}
    for name in FIELDS:
        setattr(customer, name, given[name])
    customer.save(update_fields=FIELDS)
    record("customer.changed", f"customer:{pk}", customer_pk=pk, before=before, after={name: given[name] for name in FIELDS})
