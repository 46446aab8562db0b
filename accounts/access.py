"""The one access rule: which customers a person or a key may see, and what they may do there.

Whatever belongs to another customer is a 404; what one may see but not do is a 403.
"""

from collections.abc import Collection

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404

from accounts.audit import record
from accounts.models import ApiKey, Customer, Membership, User


def visible_customers(actor: User | AnonymousUser | ApiKey) -> QuerySet[Customer]:
    """Return the customers that the actor may see: a person's memberships, the one that staff view as, or that of a live key.

    Behind an API request that not every role may make, only those where the person's role may: see `acting_as`.
    """
    if isinstance(actor, ApiKey):
        return Customer.objects.filter(api_keys__in=ApiKey.objects.live().filter(pk=actor.pk))
    if not actor.is_authenticated or not actor.is_active:
        return Customer.objects.none()
    if viewing := getattr(actor, "viewing", None):  # Staff, looking as a customer does: see accounts/viewing.py.
        return Customer.objects.filter(pk=viewing)
    roles = getattr(actor, "acting_roles", None)
    if roles is None:
        return Customer.objects.filter(memberships__user=actor)
    return Customer.objects.filter(memberships__user=actor, memberships__role__in=roles)


def acting_as(actor: User | AnonymousUser | ApiKey, roles: Collection[str]) -> None:
    """From now on the actor sees only customers where they have one of these roles, for as long as the object lives."""
    if isinstance(actor, User):
        actor.acting_roles = roles


def has_role(actor: User | AnonymousUser, customer: Customer | None, roles: Collection[str]) -> bool:
    """Whether a person has one of these roles, at a customer or at any. Who only views has none."""
    if not isinstance(actor, User) or not actor.is_active or getattr(actor, "viewing", None):
        return False
    held = Membership.objects.filter(user=actor, role__in=roles)
    return (held.filter(customer=customer) if customer else held).exists()


def require_role(actor: User | AnonymousUser, customer: Customer, roles: Collection[str]) -> None:
    """Raise PermissionDenied, and say so in the audit trail, unless the person has one of these roles there."""
    if not has_role(actor, customer, roles):
        record("denied", f"role {'/'.join(sorted(roles))}", customer_pk=customer.pk)
        raise PermissionDenied(f"Only {' and '.join(sorted(roles))} of {customer.name} may do this.")


def customer_or_404(actor: User | AnonymousUser | ApiKey, code: str | None = None) -> Customer:
    """Return the customer of that code, or the actor's first one. Raise Http404 where there is none to see."""
    customers = visible_customers(actor)
    chosen = customers.filter(code=code) if code else customers.order_by("name", "pk")
    customer = chosen.first()
    if customer is None:
        raise Http404("No such customer.")
    return customer


def seen_by(user_pks: Collection[int]) -> set[tuple[int, int]]:
    """Return (person, customer) for all that these active people may see: the rule of `visible_customers`, in one query."""
    return set(Membership.objects.filter(user__in=user_pks).values_list("user_id", "customer_id"))


def may_see_fleet(actor: User | AnonymousUser) -> bool:
    """Whether the actor may watch all customers' machines: active staff only."""
    return bool(actor.is_authenticated and actor.is_active and actor.is_staff)
