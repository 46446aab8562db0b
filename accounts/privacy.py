"""A person's own data: all that is kept of them, and its erasure. Usage and invoices belong to customers and name no person.

The audit trail knows people by number and cannot be changed; once the account is erased that number means nobody. Books keep
the address of the member of staff who made an entry, as the law asks; the export says how many such entries there are.
"""

import json
import re
from typing import Any

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db import models, transaction
from django.forms.models import model_to_dict

from accounts import notices, people
from accounts.audit import record
from accounts.models import AuditEntry, Mail, Notice, SecondFactor, SignedInSession, User

NOT_TOLD = ("password", "groups", "user_permissions")


def export(user: User) -> dict[str, Any]:
    """Everything that is kept of a person, as plain values for JSON."""
    trail = AuditEntry.objects.filter(actor=f"person:{user.pk}").order_by("pk")
    mails = Mail.objects.filter(recipient__iexact=user.email).order_by("pk")
    return {
        "person": {**model_to_dict(user, exclude=NOT_TOLD), "created_at": user.created_at, "last_login": user.last_login},
        "memberships": list(user.memberships.values("customer__code", "role")),
        "sessions": list(user.signed_in_sessions.values("began_at", "seen_at", "address", "browser")),
        "second_factor": SecondFactor.objects.filter(user=user, confirmed=True).exists(),
        "passkeys": list(user.passkeys.values("name", "created_at", "used_at")),
        "notices": _told(user),
        "mails": list(mails.values("kind", "subject", "text", "created_at", "sent_at")),
        "did": list(trail.values("id", "at", "action", "target", "address", "request_id")),
        "named_in_books": named_in_books(user),
    }


@transaction.atomic
def erase(user: User) -> User:
    """Leave nothing that tells who a person was. Raise PeopleError where a customer would be left without an owner."""
    email, alias = user.email, f"erased-{user.pk}@erased.invalid"
    for membership in list(user.memberships.select_related("customer")):
        people.remove_member(membership.customer, membership.pk)
    _sign_out_everywhere(user)
    SecondFactor.objects.filter(user=user).delete()
    user.passkeys.all().delete()
    Mail.objects.filter(recipient__iexact=email).update(recipient=alias, subject="", text="", problem="")
    _forget_in_notices(email, alias)
    LogEntry.objects.filter(object_repr__icontains=email).update(object_repr=alias)
    LogEntry.objects.filter(change_message__icontains=email).update(change_message="")
    user.email, user.name = alias, ""
    user.is_active = user.is_staff = user.is_superuser = False
    user.staff_role, user.last_login = "", None
    user.set_unusable_password()
    user.save()
    user.groups.clear()
    user.user_permissions.clear()
    record("person.erased", f"person:{user.pk}")
    return user


def _told(user: User) -> list[dict[str, Any]]:
    """The notices that a person may read, of all their customers."""
    return [
        {"customer": membership.customer.code, **row}
        for membership in user.memberships.select_related("customer")
        for row in notices.readable(user, membership.customer)[0].values("kind", "at", "facts")
    ]


def _forget_in_notices(email: str, alias: str) -> None:
    """Notices name what people named, such as a key; where that holds somebody's address, it holds the alias from now on."""
    for notice in Notice.objects.filter(facts__icontains=email):
        notice.facts = json.loads(re.sub(re.escape(email), alias, json.dumps(notice.facts), flags=re.IGNORECASE))
        notice.save(update_fields=["facts"])


def named_in_books(user: User) -> dict[str, int]:
    """In how many rows of each table the person is named as who made it; these stay."""
    counts = {}
    for model in apps.get_models():
        for field in model._meta.get_fields():
            if isinstance(field, models.CharField) and (field.name == "by" or field.name.endswith("_by")):
                if found := model._default_manager.filter(**{f"{field.name}__iexact": user.email}).count():
                    counts[f"{model._meta.label}.{field.name}"] = found
    return counts


def _sign_out_everywhere(user: User) -> None:
    rows = SignedInSession.objects.filter(user=user)
    Session.objects.filter(session_key__in=rows.values("session_key")).delete()
    rows.delete()
