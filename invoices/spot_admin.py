"""The admin's desk for spot prices: what was recorded, newest first, and a page to record the next one. None is ever edited."""

from typing import Any

from django import forms
from django.contrib.admin import display
from django.db.models import Model
from django.http import HttpRequest

from accounts.admin_parts import ReadOnlyDesk
from invoices import spot
from invoices.money import decimal_text
from invoices.plan_admin import Scaled
from invoices.spot import SpotPrice


class SpotPriceForm(forms.ModelForm):  # type: ignore[type-arg]
    """The next price of a market, with why it cannot be recorded said in words."""

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        if "market" in cleaned and "at" in cleaned:
            try:
                spot.check(cleaned["market"], cleaned["at"])
            except spot.SpotError as error:
                self.add_error("at", str(error))
        return cleaned


class SpotPriceAdmin(Scaled, ReadOnlyDesk):
    """Prices are added in order; what was billed by them stays."""

    form = SpotPriceForm
    fields = ("market", "at", "price_nano")
    list_display = ("market", "price", "at", "recorded_at")
    list_filter = ("market",)
    search_fields = ("market",)
    date_hierarchy = "at"
    ordering = ("-at", "market")
    csv_fields = ("market", "at", "price_nano", "recorded_at")

    @display(description="Price", ordering="price_nano")
    def price(self, one: SpotPrice) -> str:
        return decimal_text(one.price_nano, 9)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.has_perm("invoices.add_spotprice"))

    def save_model(self, request: HttpRequest, obj: SpotPrice, form: Any, change: bool) -> None:
        obj.pk = spot.record(obj.market, obj.at, obj.price_nano).pk
