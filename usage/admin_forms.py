"""What the rejected-usage desk asks before it acts."""

from typing import Any

from django import forms
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from usage.models import Machine


class PlainForm(BaseDialogForm):  # type: ignore[misc] # unfold has no types
    """Asks for nothing but the decision."""


class ReplayForm(BaseDialogForm):  # type: ignore[misc] # unfold has no types
    admit_overlap = forms.BooleanField(
        required=False,
        label="Count it all the same",
        widget=UnfoldBooleanSwitchWidget,
        help_text="Only of use where another stream metered the same time: the machine is then billed for both",
    )


class DiscardForm(BaseDialogForm):  # type: ignore[misc] # unfold has no types
    reason = forms.CharField(
        max_length=500, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}), help_text="Stays with the message"
    )


class FixForm(forms.Form):
    """Another value, another machine, or both; and why."""

    machine = forms.CharField(
        required=False,
        max_length=63,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="The code of the machine that it is from. Empty: as the message says",
    )
    value = forms.CharField(
        required=False,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 18, "class": "font-mono", "spellcheck": "false"}),
        help_text="What is judged instead of the bytes that came, which are kept. Empty: the bytes as they are",
    )
    reason = forms.CharField(
        max_length=500, widget=UnfoldAdminTextInputWidget(), help_text="Why it may be changed. Stays with the message"
    )

    def clean_machine(self) -> str:
        code = str(self.cleaned_data["machine"]).strip()
        if code and not Machine.objects.filter(code=code).exists():
            raise forms.ValidationError(f"There is no machine {code!r}.")
        return code

    def new_value(self, shown: str | None) -> bytes | None:
        """The value as bytes, None where it was left as it was shown: browsers write other line ends than were sent."""
        text: Any = self.cleaned_data["value"].replace("\r\n", "\n")
        return None if not text or text == (shown or "").replace("\r\n", "\n") else str(text).encode()
