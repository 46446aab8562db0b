"""The admin's two buttons about a person's data: take it away as JSON, and erase the person. For superusers alone."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.admin_parts import Desk, action, leave_dialog
from accounts.audit import record
from accounts.models import User
from accounts.people import PeopleError
from accounts.privacy import erase, export


class EraseForm(BaseDialogForm):  # type: ignore[misc] # unfold has no types
    email = forms.CharField(
        max_length=254, widget=UnfoldAdminTextInputWidget(), help_text="The person's address, so that it is the right one"
    )


class PersonalData(Desk):
    """Buttons of the page of a person."""

    actions_detail = ("export_person", "erase_person")

    def has_personal_permission(self, request: HttpRequest, object_id: int | str | None = None) -> bool:
        return bool(request.user.is_superuser)

    @action(description="Export personal data", icon="download", url_path="export-person", permissions=["personal"])
    def export_person(self, request: HttpRequest, object_id: int) -> HttpResponse:
        user = get_object_or_404(User, pk=object_id)
        record("person.exported", f"person:{user.pk}")
        return JsonResponse(export(user), headers={"Content-Disposition": 'attachment; filename="person.json"'})

    @action(
        description="Erase this person",
        icon="person_remove",
        url_path="erase-person",
        permissions=["personal"],
        dialog={
            "title": "Erase this person?",
            "description": "It cannot be undone. Usage, invoices and books stay; nothing else tells who it was.",
            "form_class": EraseForm,
            "form_submit_text": "Erase",
        },
    )
    def erase_person(self, request: HttpRequest, form: EraseForm, object_id: int) -> HttpResponse:
        user = get_object_or_404(User, pk=object_id)
        if form.cleaned_data["email"].strip().lower() != user.email:
            self.message_user(request, "Nothing is erased: that is another address.", messages.ERROR)
        else:
            self._erase(request, user)
        return leave_dialog(request, "admin:accounts_user_change", object_id)

    def _erase(self, request: HttpRequest, user: User) -> None:
        try:
            self.message_user(request, f"Erased; the account is {erase(user)} now.", messages.SUCCESS)
        except PeopleError as error:
            self.message_user(request, str(error), messages.ERROR)
