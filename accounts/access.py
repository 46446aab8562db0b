"""The one access rule: which customers a person or a key may see. Whatever belongs to another customer is a 404."""

from collections.abc import Collection

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.http import Http404

from accounts.models import ApiKey, Customer, Membership, User


def visible_customers(actor: User | AnonymousUser | ApiKey) -> QuerySet[Customer]:
    """Return the customers that the actor may see: a person's memberships, or the one customer of a live key."""
    if isinstance(actor, ApiKey):
        return Customer.objects.filter(pk=actor.customer_id) if actor.revoked_at is None else Customer.objects.none()
    if not actor.is_authenticated or not actor.is_active:
        return Customer.objects.none()
    return Customer.objects.filter(memberships__user=actor)


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
