"""The one writer of memberships and keys: each change goes to the audit trail with it."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext as _

from accounts.audit import record
from accounts.models import ApiKey, Customer, Membership, User

OVERLAP = timedelta(hours=24)


class PeopleError(ValueError):
    """Why a member or a key cannot be changed so, as a sentence."""


@transaction.atomic
def issue_key(customer: Customer, name: str, scopes: Iterable[str], expires_at: datetime | None = None) -> tuple[ApiKey, str]:
    """Make a key; the second value is its secret, to be shown once."""
    key, secret = ApiKey.issue(customer, name, scopes, expires_at)
    record("key.issued", f"key:{key.pk}", customer_pk=customer.pk, after=_about(key))
    return key, secret


@transaction.atomic
def rotate_key(key: ApiKey, overlap: timedelta = OVERLAP) -> tuple[ApiKey, str]:
    """Make a successor with the same rights. The old secret works on for the overlap, so that a program can be moved."""
    if not ApiKey.objects.live().filter(pk=key.pk).exists():
        raise PeopleError(_("This key does not work any more; make a new one."))
    successor, secret = ApiKey.issue(key.customer, key.name, key.scope_list, key.expires_at)
    until = now() + overlap
    key.revoked_at = min(key.revoked_at, until) if key.revoked_at else until
    key.save(update_fields=["revoked_at"])
    record("key.rotated", f"key:{key.pk}", customer_pk=key.customer_id, after={**_about(successor), "old_until": str(until)})
    return successor, secret


@transaction.atomic
def revoke_key(key: ApiKey) -> None:
    """End a key at once."""
    key.revoked_at = now()
    key.save(update_fields=["revoked_at"])
    record("key.revoked", f"key:{key.pk}", customer_pk=key.customer_id, before=_about(key))


@transaction.atomic
def set_member(customer: Customer, email: str, role: str) -> Membership:
    """Let a person act for a customer in a role. Somebody unknown gets an account without a password, and sets one by mail."""
    user = User.objects.filter(email=email.lower()).first() or User.objects.create_user(email)
    row = _held(customer).filter(user=user).first()
    before = row.role if row else None
    if row and before != role:
        _keep_an_owner(customer, row, role)
        row.role = role
        row.save(update_fields=["role"])
    row = row or Membership.objects.create(user=user, customer=customer, role=role)
    record("member.set", f"person:{user.pk}", customer_pk=customer.pk, before={"role": before}, after={"role": role})
    return row


@transaction.atomic
def remove_member(customer: Customer, pk: int) -> bool:
    """Take a person's right to act for a customer away. Return whether they had one."""
    row = _held(customer).filter(pk=pk).first()
    if row is None:
        return False
    _keep_an_owner(customer, row, None)
    row.delete()
    record("member.removed", f"person:{row.user_id}", customer_pk=customer.pk, before={"role": row.role})
    return True


def _held(customer: Customer) -> QuerySet[Membership]:
    """The customer's memberships, locked: two owners who remove each other at once must not both succeed."""
    Customer.objects.select_for_update().get(pk=customer.pk)
    return customer.memberships.select_related("user")


def _keep_an_owner(customer: Customer, row: Membership, role: str | None) -> None:
    owners = customer.memberships.filter(role=Membership.Role.OWNER)
    if row.role == Membership.Role.OWNER and role != Membership.Role.OWNER and not owners.exclude(pk=row.pk).exists():
        raise PeopleError(_("A customer keeps at least one owner. Make somebody else owner first."))


def _about(key: ApiKey) -> dict[str, object]:
    return {"name": key.name, "prefix": key.prefix, "scopes": key.scopes, "expires_at": key.expires_at}


def set_wishes(user: User, language: str, mail_about: Iterable[str]) -> None:
    """Note a person's language and the kinds of notices that they want by mail."""
    user.language, user.mail_about = language, sorted(mail_about)
    user.save(update_fields=["language", "mail_about"])


@transaction.atomic
def set_budget(customer: Customer, budget_minor: int | None) -> None:
    """Set what a month may cost before people are told, or that nobody is."""
    before = customer.budget_minor
    customer.budget_minor = budget_minor
    customer.save(update_fields=["budget_minor"])
    record(
        "budget.set", f"customer:{customer.pk}", customer_pk=customer.pk, before={"minor": before}, after={"minor": budget_minor}
    )
