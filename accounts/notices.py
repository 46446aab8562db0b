"""The one writer of notices: each occasion is told once, in the portal and, to whoever wants it, by mail."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.timezone import now

from accounts import mails
from accounts.languages import language_of
from accounts.mail_models import Mail
from accounts.models import ApiKey, Customer, Membership, User
from accounts.notice_models import Notice, NoticeOccasion
from accounts.scopes import OWNERS, PAYERS

Kind = Notice.Kind
# Who is told of what; the rest is for every member.
ROLES = {Kind.KEY: OWNERS, Kind.BUDGET: PAYERS}
EXPIRING = timedelta(days=7)


@transaction.atomic
def tell(
    customer: Customer, kind: Notice.Kind, happened: Mapping[str, Mapping[str, Any]], *, by_mail: bool = True
) -> Notice | None:
    """Tell what happened, facts by occasion, in one notice; what was told before is left out. None where all of it was.

    The customer's row is held, so that two who find the same make one notice.
    """
    Customer.objects.select_for_update().get(pk=customer.pk)
    known = NoticeOccasion.objects.filter(customer=customer, occasion__in=happened)
    fresh = happened.keys() - set(known.values_list("occasion", flat=True))
    if not fresh:
        return None
    notice = Notice.objects.create(customer=customer, kind=kind, facts=[dict(happened[one]) for one in happened if one in fresh])
    NoticeOccasion.objects.bulk_create(NoticeOccasion(customer=customer, occasion=one, notice=notice) for one in sorted(fresh))
    if by_mail:
        mails.ask(customer, Mail.Kind.NOTICE, f"notice:{notice.pk}", notice.pk, readers(customer, kind))
    return notice


def readers(customer: Customer, kind: Notice.Kind) -> list[tuple[str, str]]:
    """Return (address, language) of the members who want mail about such a thing, and may know of it."""
    held = Membership.objects.filter(customer=customer, user__is_active=True).order_by("user__email")
    fallback = language_of(customer.locale)
    return [  # Values and no users: the biller's role reads nothing of people but what a mail needs.
        (email, language or fallback)
        for role, email, language, about in held.values_list("role", "user__email", "user__language", "user__mail_about")
        if kind in about and role in ROLES.get(kind, Membership.Role.values)
    ]


def readable(user: User, customer: Customer) -> tuple[QuerySet[Notice], int]:
    """Return the customer's notices that this person may read, the newest first, and up to which one they have looked."""
    member = Membership.objects.filter(user=user, customer=customer).first()
    if member is None:
        return Notice.objects.none(), 0
    hidden = [kind for kind, roles in ROLES.items() if member.role not in roles]
    return customer.notices.exclude(kind__in=hidden), member.notices_seen


def mark_seen(user: User, customer: Customer, newest: int) -> None:
    """Note that a person has looked at everything up to a notice."""
    Membership.objects.filter(user=user, customer=customer, notices_seen__lt=newest).update(notices_seen=newest)


def tell_of_expiring_keys(at: datetime | None = None) -> int:
    """Tell of keys that work now and soon will not, once for each. Return how many notices."""
    moment = at or now()
    keys = ApiKey.objects.live(moment).filter(revoked_at=None, expires_at__lte=moment + EXPIRING).select_related("customer")
    found: dict[Customer, dict[str, dict[str, Any]]] = {}
    for key in keys.order_by("expires_at", "pk"):
        facts = {"name": key.name, "prefix": key.prefix, "at": key.expires_at.isoformat() if key.expires_at else ""}
        found.setdefault(key.customer, {})[f"key:{key.pk}:expires"] = facts
    return sum(tell(customer, Kind.KEY, happened) is not None for customer, happened in found.items())
