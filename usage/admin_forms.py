"""What the rejected-usage desk asks before it acts."""

from django import forms
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget


class ReplayForm(BaseDialogForm):  # type: ignore[misc] # unfold has no types
    """Asks for nothing but the decision."""


class DiscardForm(BaseDialogForm):  # type: ignore[misc] # unfold has no types
    reason = forms.CharField(
        max_length=500, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}), help_text="Stays with the message"
    )
