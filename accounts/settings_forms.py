"""What may be typed on the settings pages."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from babel.numbers import get_currency_precision
from django import forms
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts.languages import CHOICES
from accounts.models import Membership, Notice
from accounts.scopes import READING, SCOPES
from accounts.webhook_models import EVENTS

LIVES = {"30": "30 days", "90": "90 days", "365": "a year", "": "until it is revoked"}


class KeyForm(forms.Form):
    name = forms.CharField(max_length=120)
    scopes = forms.MultipleChoiceField(choices=[(scope, scope) for scope in SCOPES], initial=READING)
    days = forms.ChoiceField(choices=list(LIVES.items()), required=False, initial="90")

    def expires_at(self) -> Any:
        days = self.cleaned_data["days"]
        return now() + timedelta(days=int(days)) if days else None


class EndpointForm(forms.Form):
    """A webhook. What may be called is accounts.webhooks' to say."""

    url = forms.CharField(max_length=500)
    events = forms.MultipleChoiceField(choices=list(EVENTS.items()), initial=list(EVENTS))
    note = forms.CharField(max_length=120, required=False)
    enabled = forms.BooleanField(required=False, initial=True)

    def wishes(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("url", "events", "note")}


class PasswordForm(forms.Form):
    """The password once more, before something that matters."""

    password = forms.CharField(max_length=4096, strip=False)


class PasskeyForm(forms.Form):
    name = forms.CharField(max_length=60)


class MemberForm(forms.Form):
    email = forms.EmailField(max_length=254)
    role = forms.ChoiceField(choices=Membership.Role.choices)


class PersonForm(forms.Form):
    """What concerns a person alone: their language, and which notices come by mail."""

    language = forms.ChoiceField(choices=CHOICES, required=False)
    mail_about = forms.MultipleChoiceField(choices=Notice.Kind.choices, required=False)


class BudgetForm(forms.Form):
    """A plain amount with no more decimals than the currency has."""

    budget = forms.DecimalField(min_value=Decimal(0), max_digits=15, required=False)

    def __init__(self, currency: str, *given: Any) -> None:
        super().__init__(*given)
        self.places = get_currency_precision(currency)

    def clean_budget(self) -> Decimal | None:
        value: Decimal | None = self.cleaned_data["budget"]
        if value and value.scaleb(self.places) % 1:
            raise forms.ValidationError(_("Give an amount with %(places)d decimals at most.") % {"places": self.places})
        return value

    def budget_minor(self) -> int | None:
        """The amount in the currency's smallest unit; None for no budget."""
        value: Decimal | None = self.cleaned_data["budget"]
        return int(value.scaleb(self.places)) if value else None
