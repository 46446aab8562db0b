"""A new password: by somebody signed in, and by somebody who lost theirs and can read their mail."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import views as auth
from django.contrib.auth.forms import PasswordChangeForm, PasswordResetForm, SetPasswordForm
from django.db.models import Q
from django.http import HttpResponse
from django.urls import reverse_lazy
from django.utils.translation import gettext as _

from accounts import attempts, mails, sessions
from accounts.audit import record
from accounts.models import User
from accounts.whence import address_of


class Change(auth.PasswordChangeView):
    """Knowing the old one is asked; every other session of the person ends, since their password's hash is in it."""

    template_name = "accounts/password.html"
    success_url = reverse_lazy("settings")

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        answer = super().form_valid(form)
        sessions.prove(self.request.session)
        mails.ask_person(form.user, record("password.changed", f"person:{form.user.pk}"))
        messages.success(self.request, _("The password is changed. Other browsers are signed out."))
        return answer


class LostForm(PasswordResetForm):
    """Also for somebody invited, who has no password yet."""

    def get_users(self, email: str) -> Any:
        return User.objects.filter(Q(email=email.lower()), is_active=True)


class Lost(auth.PasswordResetView):
    """The same answer for every address, so that nobody learns who has an account; the mail goes out after it."""

    template_name = "accounts/password_lost.html"
    email_template_name = "accounts/password_mail.txt"
    subject_template_name = "accounts/password_subject.txt"
    success_url = reverse_lazy("password-sent")
    form_class = LostForm

    def form_valid(self, form: PasswordResetForm) -> HttpResponse:
        if attempts.may_try(f"reset {form.cleaned_data['email']}", address_of(self.request)):
            return super().form_valid(form)
        return HttpResponse(status=302, headers={"Location": str(self.success_url)})


class Sent(auth.PasswordResetDoneView):
    template_name = "accounts/password_sent.html"


class New(auth.PasswordResetConfirmView):
    """The link of the mail, good once and for an hour. It signs nobody in."""

    template_name = "accounts/password.html"
    success_url = reverse_lazy("sign-in")

    def form_valid(self, form: "SetPasswordForm[User]") -> HttpResponse:
        answer = super().form_valid(form)
        mails.ask_person(form.user, record("password.reset", f"person:{form.user.pk}", actor=form.user))
        return answer
