"""What may be typed on the settings pages."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils.timezone import now

from accounts.models import Membership
from accounts.scopes import READING, SCOPES

LIVES = {"30": "30 days", "90": "90 days", "365": "a year", "": "until it is revoked"}


class KeyForm(forms.Form):
    name = forms.CharField(max_length=120)
    scopes = forms.MultipleChoiceField(choices=[(scope, scope) for scope in SCOPES], initial=READING)
    days = forms.ChoiceField(choices=list(LIVES.items()), required=False, initial="90")

    def expires_at(self) -> Any:
        days = self.cleaned_data["days"]
        return now() + timedelta(days=int(days)) if days else None


class PasswordForm(forms.Form):
    """The password once more, before something that matters."""

    password = forms.CharField(max_length=4096, strip=False)


class MemberForm(forms.Form):
    email = forms.EmailField(max_length=254)
    role = forms.ChoiceField(choices=Membership.Role.choices)
