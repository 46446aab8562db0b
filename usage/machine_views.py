"""The portal's way from nothing to a first live sample: name a machine, copy one command, watch it appear."""

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.access import require_role
from accounts.current import current_customer
from accounts.models import User
from accounts.scopes import OWNERS
from usage.enrolment import create_token
from usage.machines import MachineError, add_machine
from usage.models import Machine

TAKEN = _("This id is taken; choose another one.")


class MachineForm(forms.Form):
    """What a machine is called, on the wire and on pages."""

    code = forms.CharField(
        max_length=63, validators=[RegexValidator(r"^[a-z0-9][a-z0-9-]*$", _("Lower-case letters, digits and hyphens, please."))]
    )
    name = forms.CharField(max_length=120, required=False)

    def clean_code(self) -> str:
        """Ids are unique in the installation, whoever's machine has it."""
        code: str = self.cleaned_data["code"]
        if Machine.objects.filter(code=code).exists():
            raise ValidationError(TAKEN)
        return code


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def machine_new(request: HttpRequest) -> HttpResponse:
    """Ask for a name; then show the command, with a token that works once, and wait for the first sample."""
    customer = current_customer(request)
    assert isinstance(request.user, User)  # noqa: S101 - login_required has seen to it
    require_role(request.user, customer, OWNERS)
    form = MachineForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        status = 400 if form.is_bound else 200
        return render(request, "usage/machine_new.html", {"customer": customer, "form": form}, status=status)
    try:
        machine = add_machine(customer, **form.cleaned_data)
    except MachineError:  # Another customer's machine has it, which the database may hide from this one.
        form.add_error("code", TAKEN)
        return render(request, "usage/machine_new.html", {"customer": customer, "form": form}, status=400)
    _, secret = create_token(machine, request.user)
    context = {
        "customer": customer,
        "machine": machine,
        "secret": secret,
        "address": request.build_absolute_uri("/").rstrip("/"),
        "bootstrap": settings.KAFKA_BOOTSTRAP_SERVERS,
    }
    return render(request, "usage/first_sample.html", context)
