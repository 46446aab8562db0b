"""What the billing desk asks before it acts, and decimals for the whole numbers that prices are kept in."""

from copy import copy
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.models import construct_instance
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminDateWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from accounts.models import Customer
from invoices import publishing
from invoices.money import decimal_text, parse_decimal
from invoices.terms import Model, units_of

PLACES = {"nano": 9, "micro": 6}


class ScaledField(forms.CharField):
    """Shows 42000000 nano-units as 0.042 and reads it back, exactly."""

    def __init__(self, *, places: int, **options: Any) -> None:
        super().__init__(**options, widget=UnfoldAdminTextInputWidget())
        self.places = places

    def prepare_value(self, value: Any) -> Any:
        return decimal_text(value, self.places) if isinstance(value, int) else value

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values:
            return None
        try:
            scaled = parse_decimal(str(value).strip(), self.places)
        except ValueError as error:
            raise ValidationError(str(error)) from error
        if not 0 <= scaled < 2**63:
            raise ValidationError("Below zero or too large.")
        return scaled

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.prepare_value(initial) != data)


class DecisionForm(BaseDialogForm):  # type: ignore[misc] # unfold has no types
    """Asks for nothing but the decision."""


class VoidForm(BaseDialogForm):  # type: ignore[misc]
    reason = forms.CharField(max_length=500, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}))


class PaymentForm(BaseDialogForm):  # type: ignore[misc]
    amount = forms.CharField(widget=UnfoldAdminTextInputWidget(), help_text="In the invoice's currency, such as 12.40")
    reference = forms.CharField(max_length=120, widget=UnfoldAdminTextInputWidget(), help_text="The same one counts once")
    received_on = forms.DateField(widget=UnfoldAdminDateWidget())


class CreditForm(BaseDialogForm):  # type: ignore[misc]
    reason = forms.CharField(max_length=500, widget=UnfoldAdminTextInputWidget(), help_text="Printed on the credit note")
    lines = forms.CharField(
        required=False, widget=UnfoldAdminTextInputWidget(), help_text="Positions such as 1, 3; empty with no amount: all of it"
    )
    amount = forms.CharField(required=False, widget=UnfoldAdminTextInputWidget(), help_text="Or an amount with tax")


class MovementForm(forms.Form):
    """Money into or out of a customer's wallet."""

    customer = forms.ModelChoiceField(Customer.objects.all())
    what = forms.ChoiceField(choices=[("top_up", "Prepayment received"), ("grant", "Credit given"), ("pay_back", "Paid back")])
    amount = forms.CharField(help_text="In the customer's currency, such as 12.40")
    reference = forms.CharField(max_length=120, help_text="The same one counts once")
    note = forms.CharField(max_length=500, required=False)


class PriceForm(forms.ModelForm):  # type: ignore[type-arg]
    """A price, with what the database would refuse said in words."""

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        model, meter, unit = cleaned.get("model"), cleaned.get("meter"), cleaned.get("unit")
        if model == Model.FLAT and (meter or unit):
            raise ValidationError("A flat fee has no meter and no unit.")
        if model and model != Model.FLAT and meter and unit not in units_of(meter):
            self.add_error("unit", f"Choose {' or '.join(units_of(meter))}.")
        if model and model != Model.FLAT and not meter:
            self.add_error("meter", "Choose what is priced.")
        return cleaned


class PriceRowsFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """The prices of one version: no two for one meter of the same machines."""

    def clean(self) -> None:
        super().clean()
        kept = [form.cleaned_data for form in self.forms if form.cleaned_data and not form.cleaned_data.get("DELETE")]
        seen = [(row.get("meter"), row.get("machine_class")) for row in kept if row.get("meter")]
        for meter, machine_class in seen:
            if seen.count((meter, machine_class)) > 1:
                raise ValidationError(f"{meter} is priced twice for {machine_class or 'the same machines'}.")


class SubscriptionForm(forms.ModelForm):  # type: ignore[type-arg]
    """Who is billed by which plan: never anew in a billed month, and by two plans at once only where that is meant."""

    side_by_side = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanWidget(),
        label="Bill both plans side by side",
        help_text="Only where the customer is meant to pay for another plan in the same time, too",
    )

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        wanted = construct_instance(self, copy(self.instance))
        try:
            publishing.check_unbilled(wanted)
        except publishing.PlanError as error:
            raise ValidationError(str(error)) from error
        other = publishing.plan_beside(self.instance, wanted)
        if other is not None and not cleaned.get("side_by_side"):
            until = f"{other.end:%Y-%m-%d %H:%M} UTC" if other.end else "an open end"
            self.add_error(
                "side_by_side",
                f"{other} already, from {other.start:%Y-%m-%d %H:%M} UTC to {until}. In that time {other.plan} and {wanted.plan}"
                f" would both bill the same usage: end {other.plan} first, or tick this.",
            )
        return cleaned
